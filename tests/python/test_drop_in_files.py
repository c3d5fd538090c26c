# test_drop_in_files.py - files between nigh.hnswlib and hnswlib itself, and damaged ones
# SPDX-License-Identifier: MIT OR Apache-2.0
import struct

import numpy as np
import pytest

from nigh import hnswlib

COUNT, DIM = 1200, 10


@pytest.fixture
def rows(rng):
    return rng.standard_normal((COUNT, DIM)).astype(np.float32)


@pytest.fixture
def peer():
    return pytest.importorskip("hnswlib", reason="the package hnswlib is not here")


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_from_and_to_hnswlib(peer, rows, rng, tmp_path, space):
    first, second = str(tmp_path / "a.bin"), str(tmp_path / "b.bin")
    queries = rng.standard_normal((300, DIM)).astype(np.float32)
    labels = rng.permutation(10 * COUNT)[:COUNT]
    theirs = peer.Index(space, DIM)
    theirs.init_index(COUNT + 9, M=10, ef_construction=60)
    theirs.add_items(rows, labels)
    for label in labels[:30]:
        theirs.mark_deleted(label)
    theirs.set_ef(8)  # as low as can be: another order of the walk would be seen
    theirs.save_index(first)
    ours = hnswlib.Index(space, DIM)
    ours.load_index(first)
    ours.set_ef(8)
    back = peer.Index(space, DIM)
    ours.save_index(second)
    back.load_index(second)
    back.set_ef(8)
    wanted = theirs.knn_query(queries, k=8)
    for one in (ours, back, hnswlib.Index(params=theirs.__getstate__()[0]),
                peer.Index(params=ours.__getstate__()[0])):
        got = one.knn_query(queries, k=8)
        assert (got[0] == wanted[0]).all()
        np.testing.assert_allclose(got[1], wanted[1], atol=1e-5)
        assert sorted(one.get_ids_list()) == sorted(labels.tolist())
        assert (one.get_items(labels[30:]) == theirs.get_items(labels[30:])).all()
    assert (ours.M, ours.ef_construction, ours.max_elements) == (10, 60, COUNT + 9)
    assert ours.index_file_size() == theirs.index_file_size()


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_built_here_read_there(peer, rows, rng, tmp_path, space):
    path = str(tmp_path / "a.bin")
    ours = hnswlib.Index(space, DIM)
    ours.init_index(COUNT, M=8, ef_construction=80)
    ours.add_items(rows)
    ours.mark_deleted(5)
    ours.set_ef(60)
    ours.save_index(path)
    theirs = peer.Index(space, DIM)
    theirs.load_index(path)
    theirs.set_ef(60)
    queries = rng.standard_normal((200, DIM)).astype(np.float32)
    assert (theirs.knn_query(queries, k=5)[0] == ours.knn_query(queries, k=5)[0]).all()
    theirs.unmark_deleted(5)
    theirs.resize_index(COUNT + 50)
    theirs.add_items(rows[:50] + 5, np.arange(COUNT, COUNT + 50))
    if space != "ip":  # there a vector need not be its own nearest
        found = theirs.knn_query(rows[:50] + 5)[0][:, 0]
        assert (found == np.arange(COUNT, COUNT + 50)).mean() > 0.9


def test_brute_force_files(peer, rows, tmp_path):
    path = str(tmp_path / "brute.bin")
    theirs = peer.BFIndex("l2", DIM)
    theirs.init_index(COUNT + 3)
    theirs.add_items(rows, np.arange(COUNT) * 2)
    theirs.save_index(path)
    ours = hnswlib.BFIndex("l2", DIM)
    ours.load_index(path)
    wanted = theirs.knn_query(rows[:50], k=4)
    assert (ours.knn_query(rows[:50], k=4)[0] == wanted[0]).all()
    ours.save_index(path)
    again = peer.BFIndex("l2", DIM)
    again.load_index(path)
    assert (again.knn_query(rows[:50], k=4)[0] == wanted[0]).all()


@pytest.fixture
def image(rows, tmp_path):
    index = hnswlib.Index("l2", DIM)
    index.init_index(300, M=6, ef_construction=30)
    index.add_items(rows[:250])
    index.save_index(tmp_path / "good.bin")
    return (tmp_path / "good.bin").read_bytes()


def test_damaged(image, tmp_path):
    """hnswlib reads where such a file points to."""
    path = tmp_path / "bad.bin"
    wrongs = [b"", image[:50], image[:95], image[:-1], image[:2000], image + b"\0"]
    for at, kind, value in ((8, "<Q", 10), (16, "<Q", 2**63), (24, "<Q", 7), (32, "<Q", 0),
                            (40, "<Q", 2**40), (48, "<i", 99), (52, "<I", 5000), (64, "<Q", 3),
                            (96, "<H", 60000), (100, "<I", 250)):
        wrong = bytearray(image)
        struct.pack_into(kind, wrong, at, value)
        wrongs.append(bytes(wrong))
    for number, wrong in enumerate(wrongs):
        path.write_bytes(wrong)
        for load in ("load_index", "load_index_mmap"):
            index = hnswlib.Index("l2", DIM)
            if number == 6 and load == "load_index":
                continue  # fewer max_elements than elements: taken, with room for all
            with pytest.raises(RuntimeError):
                getattr(index, load)(path)
            assert index.element_count == 0


def test_flipped_bits(image, rng, tmp_path):
    """Refused, or loaded and searched without harm."""
    path = tmp_path / "bad.bin"
    for _ in range(60):
        wrong = bytearray(image)
        for at in rng.integers(0, len(wrong), 8):
            wrong[at] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(wrong)
        index = hnswlib.Index("l2", DIM)
        try:
            index.load_index(path)
        except RuntimeError:
            continue
        index.set_ef(50)
        index.knn_query(np.zeros((3, DIM)), k=5)
        index.get_ids_list()


def test_large_claims_take_no_memory(image, tmp_path):
    path = tmp_path / "large.bin"
    large = bytearray(image)
    struct.pack_into("<Q", large, 8, 2**31 - 2)
    path.write_bytes(large)
    index = hnswlib.Index("l2", DIM)
    index.load_index(path)
    assert index.max_elements == 2**31 - 2 and index._graph._held().slot_max < 1000
    index.add_items(np.ones((400, DIM)), np.arange(1000, 1400))
    assert index.element_count == 650
    struct.pack_into("<Q", large, 8, 2**63 - 1)
    path.write_bytes(large)
    index.load_index(path)
    with pytest.raises(RuntimeError):  # hnswlib's dict has a level for each that there may be
        index.__getstate__()


def test_other_dim_is_refused(image, tmp_path):
    (tmp_path / "a.bin").write_bytes(image)
    with pytest.raises(RuntimeError):
        hnswlib.Index("l2", DIM + 1).load_index(tmp_path / "a.bin")


def test_brute_force_damaged(rows, tmp_path):
    brute = hnswlib.BFIndex("l2", DIM)
    brute.init_index(60)
    brute.add_items(rows[:50])
    path = tmp_path / "brute.bin"
    brute.save_index(path)
    good = path.read_bytes()
    for wrong in (b"", good[:20], good[:-1], struct.pack("<Q", 2**60) + good[8:],
                  good[:16] + struct.pack("<Q", 61) + good[24:], good[:8] + b"\0" * 8 + good[16:]):
        path.write_bytes(wrong)
        again = hnswlib.BFIndex("l2", DIM)
        with pytest.raises(RuntimeError):
            again.load_index(path)
    with pytest.raises(RuntimeError, match="Cannot open file"):
        brute.load_index(tmp_path / "nothing")
