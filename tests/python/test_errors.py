# test_errors.py - what is refused, how, and that it changes nothing
# SPDX-License-Identifier: MIT OR Apache-2.0
import threading
import time

import numpy as np
import pytest

import nigh
import nigh.hnswlib
from nigh import _index, declarations


@pytest.fixture
def index(vectors):
    made = nigh.Index(24)
    made.add(np.arange(100), vectors[:100])
    return made


@pytest.mark.parametrize("arguments, options", [
    ((0,), {}), ((70000,), {}), ((-1,), {}), ((8, "euclid"), {}), ((8, "l2", "f64"), {}),
    ((8, "hamming", "f32"), {}), ((8,), {"keys": "int"}), ((8,), {"m": 1}),
    ((8,), {"codes": "pq"}), ((8,), {"alpha": 9.0}), ((8,), {"seed": -1}), ((8,), {"m": 2**40})])
def test_configurations(arguments, options):
    with pytest.raises(ValueError):
        nigh.Index(*arguments, **options)


def test_codes_are_the_library_s(index, vectors):
    with pytest.raises(nigh.ExistsError) as caught:
        index.add([200, 50, 201], vectors[:3])
    assert caught.value.code == declarations.NIGH_E_EXISTS and "50" in str(caught.value)
    assert 200 in index and 201 not in index and len(index) == 101


@pytest.mark.parametrize("wrong", [
    np.full(24, np.nan), np.full(24, np.inf), np.full(24, 1e300)])
def test_numbers_that_are_none(index, wrong):
    with np.errstate(over="ignore"):
        for call in (lambda: index.add(500, wrong), lambda: index.set(5, wrong),
                     lambda: index.search(wrong, 1), lambda: index.build([500], wrong[None])):
            with pytest.raises(nigh.VectorError):
                call()
    assert len(index) == 100 and index.check().sound


def test_zero_under_cosine(vectors):
    index = nigh.Index(24, "cosine")
    with pytest.raises(nigh.VectorError):
        index.add(0, np.zeros(24))


@pytest.mark.parametrize("wrong", [np.zeros(23), np.zeros((2, 25)), np.zeros((1, 1, 24)), 3.0,
                                   np.array(["a"] * 24), np.zeros(24, complex)])
def test_shapes(index, wrong):
    with pytest.raises(nigh.MismatchError):
        index.search(wrong, 1)
    with pytest.raises(nigh.MismatchError):
        index.add(500, wrong)


@pytest.mark.parametrize("wrong", [-1, 1.5, 2**64, "name", None, [[1]], [1, -2], [True, "x"]])
def test_keys(index, vectors, wrong):
    count = 1 if not isinstance(wrong, list) else len(wrong)
    with pytest.raises((nigh.KeyFormError, nigh.InvalidError)):
        index.add(wrong, vectors[:count] if count > 1 else vectors[0])
    assert wrong not in index


def test_keys_of_any_size(vectors):
    """numpy makes floats of a list of small and very large integers."""
    index = nigh.Index(24)
    keys = [2**63 + 1, 5, 2**64 - 1, np.uint64(2**63 + 3)]
    index.add(keys, vectors[:4])
    assert index.keys().tolist() == keys
    with pytest.raises(nigh.KeyFormError):
        index.add([2**63 + 5, 7.0], vectors[:2])


def test_string_keys(vectors):
    index = nigh.Index(24, keys="str", key_bytes_max=8)
    for wrong in ("", "ninechars", 5, ["a", ""]):
        with pytest.raises(nigh.KeyFormError):
            index.add(wrong, vectors[:len(wrong)] if isinstance(wrong, list) else vectors[0])
    assert "ninechars" not in index and 5 not in index


def test_counts(index, vectors):
    with pytest.raises(nigh.MismatchError):
        index.add([200, 201], vectors[:3])
    with pytest.raises(nigh.InvalidError):
        index.add(200)
    with pytest.raises(nigh.InvalidError):
        index.search(vectors[0], 0)
    with pytest.raises((nigh.InvalidError, OverflowError)):
        index.search(vectors[0], -1)
    with pytest.raises(nigh.InvalidError):
        index.search(vectors[0], 1, ef=-1)


def test_missing(index):
    for call in (index.get, index.remove, index.unremove):
        with pytest.raises(nigh.NotFoundError) as caught:
            call(12345)
        assert "12345" in str(caught.value) and isinstance(caught.value, KeyError)
    with pytest.raises(nigh.ExistsError):
        index.unremove(5)
    with pytest.raises(KeyError):
        index[[1, 2, 999]]


def test_exceptions_of_callbacks(index, vectors):
    class Mine(Exception):
        pass

    def refuse(*_):
        raise Mine

    with pytest.raises(Mine):
        index.search(vectors[0], 5, filter=refuse)
    with pytest.raises(Mine):
        index.search(vectors[:50], 5, filter=refuse, threads=2)
    assert len(index.search(vectors[0], 5)) == 5
    fetched = nigh.Index(24, vectors=refuse)
    with pytest.raises(Mine):
        fetched.add([1, 2])
    with pytest.raises(Mine):
        fetched.build([1, 2])
    short = nigh.Index(24, vectors=lambda slots, keys: vectors[:0])
    with pytest.raises(nigh.MismatchError):
        short.add([1, 2])
    own = nigh.Index(24, metric=refuse)
    with pytest.raises(Mine):
        own.add([1, 2, 3], vectors[:3])


def test_change_from_a_callback(index, vectors):
    """It would wait for itself."""
    with pytest.raises(nigh.BusyError):
        nigh_index = nigh.Index(24)
        nigh_index.build(np.arange(500), vectors[:500],
                         progress=lambda *_: nigh_index.add(9999, vectors[0]))
    own = nigh.Index(24, vectors=lambda slots, keys: (own.remove(0), vectors[keys.astype(int)])[1])
    with pytest.raises(nigh.BusyError):
        own.add(np.arange(50))


@pytest.mark.parametrize("change", [lambda own: own.remove(0), lambda own: own.reserve(9000),
                                    lambda own: own.close()])
def test_change_from_a_thread_of_a_job(vectors, change):
    """A thread that helps is inside too: it would wait for the job, and the job for it."""
    here = threading.get_ident()
    others = []

    def fetch(slots, keys):
        if threading.get_ident() != here:
            others.append(1)
            change(own)
        else:
            time.sleep(0.001)  # leaves work to the others
        return vectors[keys.astype(int)]
    own = nigh.Index(24, vectors=fetch)
    caught = []

    def build():
        nonlocal here
        here = threading.get_ident()
        try:
            own.build(np.arange(2000), threads=3)
        except nigh.BusyError as error:
            caught.append(error)
    thread = threading.Thread(target=build, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive() and others and "callback" in str(caught[0])


@pytest.mark.parametrize("count", [2**31 - 1, 2**32, 2**40, -1])
def test_more_than_there_can_be(count):
    for call in (lambda: nigh.Index(4, capacity=count), lambda: nigh.Index(4).reserve(count),
                 lambda: nigh.Index(4, slot_max=count)):
        with pytest.raises(nigh.InvalidError, match=f"{count} keys, expected 0 to 2147483646"):
            call()
    index = nigh.hnswlib.Index("l2", 4)
    if count > 0:
        with pytest.raises(RuntimeError, match="expected 0 to"):
            index.init_index(count)
    index.init_index(10)
    if count > 0:
        with pytest.raises(RuntimeError, match="expected 0 to"):
            index.resize_index(count)


def test_more_than_half_of_what_there_can_be():
    """Twice the capacity would be too many slots; half of it is not refused for that."""
    assert _index.slots_for(2**30 + 1) == 2**31 - 2 and _index.slots_for(3) == 4096
    assert nigh.Index(4, keys="identity", external=True, m=2, slot_max=2**20).capacity == 0


def test_misaligned_rows(vectors):
    raw = np.zeros(2000 * 96 + 1, np.uint8)
    raw[1:] = vectors.view(np.uint8).reshape(-1)
    wrong = raw[1:].view(np.float32).reshape(2000, 24)
    assert not wrong.flags.aligned
    for by in ("slot", "key"):
        with pytest.raises(nigh.MismatchError, match="multiples of 4 bytes"):
            nigh.Index(24, vectors=wrong, vectors_by=by)
    index = nigh.hnswlib.Index("l2", 24)  # this one takes a copy
    index.init_index_graph_only(2000, wrong)
    index.add_items(vectors)
    assert index._external.flags.aligned and (index.get_items([5]) == vectors[5]).all()
    halves = np.zeros(2000 * 48 + 1, np.uint8)
    halves[1:] = vectors.astype(np.float16).view(np.uint8).reshape(-1)
    index.set_external_vectors_fp16(halves[1:].view(np.float16).reshape(2000, 24))
    assert index._external.flags.aligned and index.knn_query(vectors[5])[0][0, 0] == 5


def test_modes(tmp_path):
    with pytest.raises(nigh.InvalidError):
        nigh.Index.open(tmp_path / "x", "a")
    with pytest.raises(nigh.SystemRefusedError):
        nigh.Index.open(tmp_path / "x")
    with pytest.raises(ValueError):
        nigh.Index.open("x\0y")
    with pytest.raises(nigh.InvalidError):
        nigh.Index(4).save()
