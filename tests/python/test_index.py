# test_index.py - nigh.Index: what it finds, keeps and gives back
# SPDX-License-Identifier: MIT OR Apache-2.0
import copy
import itertools
import pickle
import threading

import numpy as np
import pytest

import nigh


def built(vectors, **options):
    index = nigh.Index(vectors.shape[1], **options)
    assert index.build(np.arange(len(vectors)) * 3, vectors) == len(vectors)
    return index


@pytest.mark.parametrize("dtype", ["f32", "f16", "bf16", "i8", "u8", "b1"])
def test_one_query_or_many(vectors, dtype):
    """A search for one vector goes a way of its own; what it finds and refuses is the same."""
    metric = "hamming" if dtype == "b1" else "l2"
    rows = vectors > 0 if dtype == "b1" else np.abs(vectors) * 20
    index = nigh.Index(24, metric, dtype)
    index.build(np.arange(2000), rows)
    for k in (1, np.int64(7), 2000, 1500):
        many = index.search(rows[:4], k, ef=40)
        for query, one in ((rows[2], many[2]), (rows[3].tolist(), many[3]),
                           (np.repeat(rows[1], 2)[::2], many[1])):
            if dtype == "b1" and isinstance(query, list):
                query = np.array(query)
            hits = index.search(query, k, ef=40)
            assert (hits.keys == one.keys).all() and (hits.slots == one.slots).all()
            assert hits.distances.tobytes() == one.distances.tobytes()
            kept = hits.keys.copy()
            index.search(rows[9], k, ef=40)
            assert (hits.keys == kept).all()
    few = nigh.Index(24, metric, dtype)
    few.add([5, 6], rows[:2])
    assert len(few.search(rows[0], 7)) == 2
    for wrong in (rows[0][:7], rows[0].astype(complex)):
        with pytest.raises(nigh.MismatchError):
            few.search(wrong, 2)
    with pytest.raises(ValueError):
        few.search(rows[0], 2, ef=-1)
    assert few.search(rows[0], 2, cost=True).cost["distances"] == 2


def test_found_is_what_is_near(vectors, exact):
    index = built(vectors)
    right = 0
    for q in range(0, 2000, 40):
        hits = index.search(vectors[q] + 0.1, 10, ef=100)
        assert len(hits) == 10 and (np.diff(hits.distances) >= 0).all()
        right += len(set(hits.keys.tolist()) & set(exact(vectors, vectors[q] + 0.1, 10) * 3))
    assert right >= 0.99 * 500
    key, distance = index.search(vectors[5], 1)[0]
    assert (key, distance) == (15, 0.0) and isinstance(key, int) and isinstance(distance, float)


def test_exact_radius_gamma_cost(vectors, exact):
    index = built(vectors)
    query = vectors[3] + 0.2
    hits = index.search(query, 20, exact=True, cost=True)
    assert hits.keys.tolist() == (exact(vectors, query, 20) * 3).tolist()
    assert hits.cost["distances"] == 2000
    near = index.search(query, 20, radius=float(hits.distances[6]), exact=True)
    assert near.keys.tolist() == hits.keys.tolist()[:7]
    easy = index.search(query, 5, ef=500, gamma=0.1, cost=True).cost["distances"]
    assert easy < index.search(query, 5, ef=500, cost=True).cost["distances"]
    assert index.search(query, 5, expansions_max=1, cost=True).cost["expansions"] <= 2


def test_batch_is_single_searches(vectors):
    index = built(vectors)
    batch = index.search(vectors[:300], 7, ef=50, threads=2)
    assert len(batch) == 300 and batch.keys.shape == (300, 7) and (batch.found == 7).all()
    for q in range(0, 300, 17):
        one = index.search(vectors[q], 7, ef=50)
        assert batch[q].keys.tolist() == one.keys.tolist()
        assert batch[q].distances.tobytes() == one.distances.tobytes()
        assert batch[q].slots.tolist() == one.slots.tolist()
    assert [len(hits) for hits in batch] == [7] * 300
    with pytest.raises(IndexError):
        batch[300]


def test_fewer_than_k_is_a_result(vectors):
    index = nigh.Index(24)
    assert len(index.search(vectors[0], 5)) == 0
    index.add([1, 2, 3], vectors[:3])
    assert len(index.search(vectors[0], 10)) == 3
    batch = index.search(vectors[:2], 5)
    assert batch.found.tolist() == [3, 3] and len(batch[0]) == 3
    assert np.isinf(batch.distances[:, 3:]).all() and (batch.keys[:, 3:] == 2**64 - 1).all()
    assert len(index.search(np.empty((0, 24)), 5)) == 0


def test_string_keys(vectors):
    names = [f"item-{i}-é" for i in range(500)]
    index = nigh.Index(24, keys="str")
    index.add(names[:250], vectors[:250])
    index.build(names[250:], vectors[250:500])
    assert index.keys() == names and names[7] in index and "nobody" not in index
    assert index.search(vectors[300], 1)[0][0] == names[300]
    assert index.search(vectors[:3], 1).keys == [[names[0]], [names[1]], [names[2]]]
    assert (index[names[9]] == vectors[9]).all()
    index.remove(names[0])
    assert names[0] not in index and len(index) == 499
    assert index.contains([names[0], names[1]]).tolist() == [False, True]
    assert next(index.nearest(vectors[1]))[0] == names[1]
    only = index.search(vectors[5], 3, filter=lambda name: name.startswith("item-4"))
    assert len(only) == 3 and all(name.startswith("item-4") for name in only.keys)
    raw = nigh.Index.from_bytes(index.to_bytes(), keys="bytes")
    assert raw.keys()[0] == names[1].encode() and raw.key_kind == "bytes"


def test_long_keys_and_many_of_them(rng):
    """Room for keys grows too."""
    names = ["k" * int(n) + str(i) for i, n in enumerate(rng.integers(1, 400, 3000))]
    rows = rng.standard_normal((3000, 2)).astype(np.float32)
    index = nigh.Index(2, keys="str", ef_build=20, m=4)
    index.add(names, rows)
    assert len(index) == 3000 and index.get(names[2999]).tolist() == rows[2999].tolist()


def test_identity_keys(vectors):
    index = nigh.Index(24, keys="identity")
    index.add(vectors=vectors[:10])
    index.build(vectors=vectors[10:200])
    assert index.search(vectors[150], 1)[0][0] == 150
    assert index.keys().tolist() == list(range(200))


def test_change(vectors):
    index = built(vectors[:500])
    index.set(3, vectors[900])
    assert index.search(vectors[900], 1)[0] == (3, 0.0)
    index.remove([3, 6])
    assert 3 not in index and index.search(vectors[900], 1)[0][0] != 3
    with pytest.raises(nigh.DeletedError):
        index.get(3)
    index.unremove(3)
    assert index[3].tolist() == vectors[900].tolist()
    index.add(10**19, vectors[901], replace_removed=True)
    assert index.stats["slot_count"] == 500 and 10**19 in index
    index.remove([9, 12])
    index.vacuum()
    assert index.stats["free_count"] == 2 and index.check().sound
    assert index.keys().shape == (498,) and len(index) == 498


def test_grows_past_its_first_handle(vectors, rng):
    index = nigh.Index(4, m=4, ef_build=20, capacity=10)
    rows = rng.standard_normal((9000, 4)).astype(np.float32)
    for at in range(0, 9000, 1500):
        index.add(np.arange(at, at + 1500), rows[at:at + 1500])
    assert len(index) == 9000 and index.check().sound
    assert (index.get(np.arange(9000)) == rows).all()
    index.reserve(20000)
    assert index.capacity >= 20000


def test_same_bytes(vectors):
    """The order and number of threads, and copies, change no byte."""
    a, b = nigh.Index(24, seed=5), nigh.Index(24, seed=5)
    a.build(np.arange(2000), vectors, threads=1)
    b.build(np.arange(2000), vectors, threads=3)
    image = a.to_bytes()
    assert b.to_bytes() == image and copy.deepcopy(a).to_bytes() == image
    assert pickle.loads(pickle.dumps(a)).to_bytes() == image


@pytest.mark.parametrize("dtype, error", [("f16", 2e-2), ("bf16", 1e-1), ("i8", 1e-1),
                                          ("u8", 0.51)])
def test_dtypes(vectors, dtype, error):
    rows = np.clip(vectors * 10 + 120, 0, 255) if dtype == "u8" else vectors
    index = nigh.Index(24, dtype=dtype)
    index.build(np.arange(500), rows[:500])
    got = index.get(np.arange(500))
    assert np.abs(got.astype(np.float64) - rows[:500]).max() < error
    found = index.search(rows[:500], 1).keys[:, 0]
    assert (found == np.arange(500)).mean() > 0.98
    again = nigh.Index(24, dtype=dtype)
    again.build(np.arange(500), index.get(np.arange(500), raw=True))
    assert again.to_bytes() == index.to_bytes()


def test_plain_int8(vectors):
    rows = np.clip(np.round(vectors * 10), -127, 127).astype(np.int8)
    index = nigh.Index(24, dtype="i8")
    index.add(np.arange(300), rows[:300])
    assert (index.get(np.arange(300)) == rows[:300]).all()


def test_bits(rng):
    bits = rng.random((300, 77)) > 0.5
    index = nigh.Index(77, "hamming", "b1")
    index.add(np.arange(300), bits)
    assert (index.get(np.arange(300)) == bits).all()
    hits = index.search(bits[5], 300, ef=300)
    wanted = (bits != bits[5]).sum(axis=1)
    assert dict(iter(hits)) == {key: float(wanted[key]) for key in range(300)}


@pytest.mark.parametrize("metric", ["ip", "cosine", "l1"])
def test_metrics(vectors, metric):
    index = built(vectors[:300], metric=metric)
    query = vectors[500].astype(np.float64)
    rows = vectors[:300].astype(np.float64)
    wanted = {"ip": 1 - rows @ query, "l1": np.abs(rows - query).sum(axis=1),
              "cosine": 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)}
    hits = index.search(vectors[500], 300, exact=True)
    got = np.empty(300)
    got[hits.keys.astype(int) // 3] = hits.distances
    np.testing.assert_allclose(got, wanted[metric], rtol=1e-4, atol=1e-4)


def test_own_distance(vectors):
    index = nigh.Index(24, metric=lambda a, b: float(np.abs(a - b).max()), m=6, ef_build=20)
    index.add(np.arange(200), vectors[:200])
    wanted = np.abs(vectors[:200] - vectors[1000]).max(axis=1)
    hits = index.search(vectors[1000], 3, ef=200)
    assert hits.keys.tolist() == np.argsort(wanted)[:3].tolist() and index.metric == "custom"
    image = index.to_bytes()
    again = nigh.Index.from_bytes(image, distance=lambda a, b: float(np.abs(a - b).max()))
    assert again.search(vectors[1000], 3, ef=200).keys.tolist() == hits.keys.tolist()


def test_filters(vectors, exact):
    index = built(vectors)
    query = vectors[11] + 0.1
    odd = [int(row) * 3 for row in exact(vectors, query, 2000) if row % 2][:10]
    mask = np.arange(2000) % 2 == 1
    for chosen in (lambda key: key % 2 == 1, mask, np.flatnonzero(mask) * 3,
                   index.allow([key for key in range(0, 6000, 3) if key % 2])):
        hits = index.search(query, 10, ef=200, filter=chosen)
        assert len(set(hits.keys.tolist()) & set(odd)) >= 9
        assert all(key % 2 == 1 for key in hits.keys.tolist())
        batch = index.search(np.stack([query] * 10), 10, ef=200, filter=chosen)
        assert batch.keys[9].tolist() == hits.keys.tolist()
    assert index.search(query, 10, filter={33, 66, 7}).keys.tolist() == [33, 66]
    assert len(index.search(query, 10, filter=[])) == 0
    assert index.search(query, 1)[0][0] == 33  # the filter is gone


def test_cursor(vectors, exact):
    index = built(vectors)
    got = [key for key, _ in itertools.islice(index.nearest(vectors[3], ef=200), 100)]
    assert len(set(got)) == 100 and got[0] == 9
    assert len(set(got) & set((exact(vectors, vectors[3], 100) * 3).tolist())) >= 95
    assert len(list(index.nearest(vectors[3], filter=[3, 6, 9]))) == 3
    whole = nigh.Index(24)
    whole.add(np.arange(70), vectors[:70])
    assert sorted(key for key, _ in whole.nearest(vectors[0])) == list(range(70))


def test_codes_refine_tune(vectors):
    index = built(vectors)
    before = index.search(vectors[:200], 10, ef=100)
    index.refine()
    index.make_codes("u7")
    assert index.codes == "u7"
    index.tune()
    after = index.search(vectors[:200], 10, ef=100)
    same = np.mean([len(set(a) & set(b)) for a, b in zip(before.keys.tolist(),
                                                         after.keys.tolist())])
    assert same > 9.5 and index.check().sound
    cost = index.search(vectors[0], 10, cost=True).cost
    assert cost["reranked"] > 0
    assert index.search(vectors[0], 10, codes=False, cost=True).cost["reranked"] == 0
    index.make_codes(None)
    assert index.codes is None


def test_progress_and_cancel(vectors):
    told = []
    index = nigh.Index(24)
    index.build(np.arange(2000), vectors, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2000, 2000) and told == sorted(told)
    stop = threading.Event()
    stop.set()
    index = nigh.Index(24)
    with pytest.raises(nigh.CancelledError) as caught:
        index.build(np.arange(2000), vectors, cancel=stop)
    assert caught.value.done == len(index) < 2000
    with pytest.raises(ZeroDivisionError):
        index.build(np.arange(len(index), 2000), vectors[len(index):], progress=lambda *_: 1 / 0)
    assert index.check().sound
    done = len(index)
    index.build(np.arange(done, 2000), vectors[done:])
    assert len(index) == 2000 and index.check().sound


def test_files(vectors, tmp_path):
    path = tmp_path / "index.nigh"
    index = built(vectors)
    index.save(path)
    assert path.read_bytes() == index.to_bytes()
    with nigh.Index.open(path, verify=True) as mapped:
        assert not mapped.writable and len(mapped) == 2000
        assert mapped.search(vectors[9], 1)[0] == (27, 0.0)
        with pytest.raises(nigh.ReadOnlyError):
            mapped.remove(27)
    changed = nigh.Index.open(path, "w")
    changed.remove(27)
    assert len(nigh.Index.open(path)) == 2000
    changed.add(np.arange(10**6, 10**6 + 9000), np.tile(vectors, (5, 1))[:9000])
    changed.save()
    with nigh.Index.open(path, "r+") as there:
        assert len(there) == 10999
        with pytest.raises(nigh.BusyError):
            nigh.Index.open(path, "r+")
        there.remove(30)
        with pytest.raises(nigh.UnsupportedError):
            there.reserve(10**6)
    dropped = nigh.Index.open(path, "r+")
    dropped.remove(33)
    with pytest.raises(nigh.CorruptError):
        nigh.Index.open(path)  # in the middle of changes
    assert nigh.Index.open(path, unsealed=True).check() is not None
    dropped.flush()
    assert len(nigh.Index.open(path)) == 10997
    dropped.remove(36)
    del dropped
    again = nigh.Index.open(path)
    assert len(again) == 10996 and again.check().sound
    with pytest.raises(nigh.SystemRefusedError) as caught:
        index.save(tmp_path / "nowhere" / "index.nigh")
    assert isinstance(caught.value, OSError) and "nowhere" in str(caught.value)


def test_saved_into_itself(vectors, tmp_path):
    path = tmp_path / "index.nigh"
    index = nigh.Index(16)
    index.add(np.arange(100), vectors[:100, :16])
    index.save(path)
    with nigh.Index.open(path, "r+") as there:
        there.remove(3)
        there.save(path)
        there.remove(4)  # not lost: the file is still the one that is mapped
    with nigh.Index.open(path) as again:
        assert len(again) == 98 and 3 not in again and 4 not in again


def test_keys_that_are_not_text(rng):
    index = nigh.Index(4, keys="bytes")
    index.add([b"a\xff", b"b"], rng.random((2, 4), dtype=np.float32))
    text = nigh.Index.from_bytes(index.to_bytes())
    for key in text.keys():
        assert key in text


def test_filter_of_truth_values(vectors):
    index = nigh.Index(vectors.shape[1])
    index.add(np.arange(len(vectors)), vectors)
    slots = [slot % 5 == 0 for slot in range(len(vectors))]
    want = index.search(vectors[7], 10, filter=np.array(slots))
    assert list(index.search(vectors[7], 10, filter=slots)) == list(want)
    with pytest.raises(nigh.KeyFormError):
        index.allow([True, False])


def test_damaged_files(vectors, tmp_path):
    path = tmp_path / "index.nigh"
    image = built(vectors[:200]).to_bytes()
    for wrong in (b"", b"nigh", image[:300], image[:-1], b"x" + image[1:]):
        with pytest.raises((nigh.FormatError, nigh.CorruptError, nigh.InvalidError)):
            nigh.Index.from_bytes(wrong)
        path.write_bytes(wrong)
        with pytest.raises((nigh.FormatError, nigh.CorruptError)):
            nigh.Index.open(path)
    flipped = bytearray(image)
    flipped[-200] ^= 4
    path.write_bytes(flipped)
    with pytest.raises(nigh.CorruptError):
        nigh.Index.open(path, verify=True)
    assert not nigh.Index.open(path).check().sound


def test_graph_only(vectors, tmp_path):
    path = tmp_path / "graph.nigh"
    index = built(vectors)
    index.save(path, graph_only=True)
    graph = nigh.Index.open(path)
    with pytest.raises(nigh.NoVectorsError):
        graph.search(vectors[0], 1)
    graph.set_vectors(vectors)
    assert graph.search(vectors[7], 5).keys.tolist() == index.search(vectors[7], 5).keys.tolist()
    with pytest.raises(nigh.MismatchError):
        graph.set_vectors(vectors.astype(np.float64))
    with pytest.raises(nigh.MismatchError):
        graph.set_vectors(vectors[:, :20])


@pytest.mark.parametrize("by", ["slot", "key", "function"])
def test_vectors_elsewhere(vectors, rng, by):
    order = rng.permutation(2000) if by != "slot" else np.arange(2000)
    source = (lambda slots, keys: vectors[keys.astype(int)]) if by == "function" else vectors
    index = nigh.Index(24, vectors=source, vectors_by="key" if by == "key" else "slot",
                       m=8, ef_build=40)
    if by == "function":
        index.add(order[:300])
        order = order[:300]
    else:
        assert index.build(order) == 2000
    found = index.search(vectors[order[:100]], 1)
    assert (found.keys[:, 0] == order[:100]).mean() > 0.98
    assert (index.get(order[:5]) == vectors[order[:5]]).all()
    if by != "function":
        again = pickle.loads(pickle.dumps(index))
        assert again.search(vectors[5], 3).keys.tolist() == index.search(
            vectors[5], 3).keys.tolist()
        vectors[order[5]] = 100
        index.set(order[5])
        assert index.search(vectors[order[5]], 1)[0][0] == order[5]


def test_row_without_key(vectors):
    index = nigh.Index(24, vectors=vectors, vectors_by="key")
    with pytest.raises(nigh.NighError, match="no row"):
        index.build([0, 1, 2000])
    assert len(index) < 3


def test_node(vectors):
    index = built(vectors[:100])
    node = index.node(50)
    assert not node["removed"] and 0 < len(node["links"]) <= 32 and 50 not in node["links"]
    with pytest.raises(nigh.NotFoundError):
        index.node(100)


def test_repr_config(vectors):
    index = nigh.Index(24, "cosine", np.float16, m=8, seed=3, alpha=1.25)
    assert (index.dim, index.metric, index.dtype, index.key_kind) == (24, "cosine", "f16", "u64")
    assert index.config["m0"] == 16 and index.config["alpha"] == 1.25
    assert "24 f16, cosine" in repr(index)
    index.close()
    index.close()
    assert "closed" in repr(index)
    with pytest.raises(nigh.ClosedError):
        index.search(vectors[0], 1)
