# test_drop_in.py - nigh.hnswlib does what hnswlib's users rely on
# SPDX-License-Identifier: MIT OR Apache-2.0
import inspect
import pickle
import threading

import numpy as np
import pytest

from nigh import hnswlib

COUNT, DIM = 1500, 16
SPACES = ("l2", "ip", "cosine")


@pytest.fixture
def rows(rng):
    return rng.random((COUNT, DIM)).astype(np.float32)


def made(rows, space="l2", max_elements=None, **options):
    index = hnswlib.Index(space=space, dim=rows.shape[1])
    index.init_index(len(rows) if max_elements is None else max_elements, **options)
    index.add_items(rows)
    return index


def distances_of(space, rows, query):
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    if space == "l2":
        return ((rows - query) ** 2).sum(axis=1)
    if space == "cosine":
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        query = query / np.linalg.norm(query)
    return 1 - rows @ query


# Names, order and defaults of every method that users may call by position or by name.
SIGNATURES = {
    "Index": {
        "init_index": "max_elements M=16 ef_construction=200 random_seed=100 "
                      "allow_replace_deleted=False",
        "add_items": "data ids=None num_threads=-1 replace_deleted=False",
        "knn_query": "data k=1 num_threads=-1 filter=None",
        "get_items": "ids=None return_type='numpy'", "get_ids_list": "",
        "set_ef": "ef", "set_num_threads": "num_threads", "index_file_size": "",
        "save_index": "path_to_index",
        "load_index": "path_to_index max_elements=0 allow_replace_deleted=False",
        "mark_deleted": "label", "unmark_deleted": "label", "resize_index": "new_size",
        "get_max_elements": "", "get_current_count": "",
        "init_index_mmap": "max_elements mmap_path M=16 ef_construction=200 random_seed=100 "
                           "allow_replace_deleted=False",
        "load_index_mmap": "path_to_index read_only=True",
        "init_index_graph_only": "max_elements external_vectors M=16 ef_construction=200 "
                                 "random_seed=100",
        "set_external_vectors": "external_vectors",
        "set_external_vectors_fp16": "external_vectors",
        "save_graph": "path_to_graph", "load_graph": "path_to_graph"},
    "BFIndex": {
        "init_index": "max_elements", "add_items": "data ids=None",
        "knn_query": "data k=1 num_threads=-1 filter=None", "delete_vector": "label",
        "set_num_threads": "num_threads", "save_index": "path_to_index",
        "load_index": "path_to_index max_elements=0", "get_max_elements": "",
        "get_current_count": ""},
    "ShardedIndex": {
        "build_shard": "vectors output_dir shard_idx start_idx M=8 ef_construction=200 "
                       "num_threads=-1",
        "save_metadata": "output_dir n_shards total_elements M ef_construction",
        "load_shards": "output_dir external_vectors n_shards",
        "load_shards_fp16": "output_dir external_vectors n_shards use_mmap_graphs=False",
        "load_shards_pq": "output_dir pq_codes codebooks n_shards n_subvectors n_centroids "
                          "subvector_dim use_mmap_graphs=False n_ram_shards=0 sort_order=None",
        "knn_query": "data k=1 num_threads=-1",
        "knn_query_selective": "data shard_ids k=1 num_threads=-1",
        "set_ef": "ef", "set_num_threads": "num_threads", "set_labels_are_global": "value",
        "get_total_elements": "", "get_num_shards": ""},
}


@pytest.mark.parametrize("space", ["l2", "ip", "cosine"])
def test_one_query_or_many(space, rng):
    """One goes a way of its own; what it finds and refuses is the same."""
    rows = rng.standard_normal((500, 12)).astype(np.float32)
    index = hnswlib.Index(space, 12)
    index.init_index(500)
    index.add_items(rows)
    for k in (1, np.int64(9), 500):
        labels, distances = index.knn_query(rows[:3], k)
        for query in (rows[1], rows[1:2], rows[1].tolist(), np.repeat(rows[1], 2)[::2],
                      rows[1].astype(np.float64)):
            got = index.knn_query(query, k)
            assert got[0].shape == got[1].shape == (1, k) and got[0].dtype == np.uint64
            assert (got[0][0] == labels[1]).all() and (got[1][0] == distances[1]).all()
    with pytest.raises(RuntimeError, match="contiguous 2D array"):
        index.knn_query(rows[0], 501)
    for wrong in (rows[0][:7], rows[0][None, None]):
        with pytest.raises(RuntimeError):
            index.knn_query(wrong)
    with pytest.raises(RuntimeError, match="not initiated"):
        hnswlib.Index(space, 12).knn_query(rows[0])


@pytest.mark.parametrize("kind", SIGNATURES)
def test_signatures(kind):
    for name, wanted in SIGNATURES[kind].items():
        given = inspect.signature(getattr(getattr(hnswlib, kind), name)).parameters.values()
        told = " ".join(p.name if p.default is p.empty else f"{p.name}={p.default!r}"
                        for p in list(given)[1:])
        assert told == wanted, name


@pytest.mark.parametrize("space", SPACES)
def test_distances_and_recall(rows, rng, space):
    index = made(rows, space, M=16, ef_construction=100)
    index.set_ef(150)
    queries = rng.random((50, DIM))
    labels, distances = index.knn_query(queries, k=10)
    assert labels.dtype == np.uint64 and labels.shape == (50, 10)
    assert distances.dtype == np.float32 and distances.shape == (50, 10)
    right = 0
    for q, query in enumerate(queries):
        wanted = distances_of(space, rows, query)
        np.testing.assert_allclose(distances[q], wanted[labels[q].astype(int)], atol=1e-5)
        assert (np.diff(distances[q]) >= 0).all()
        right += len(set(labels[q].tolist()) & set(np.argsort(wanted)[:10].tolist()))
    assert right >= (0.97 if space == "ip" else 0.99) * 500


@pytest.mark.parametrize("space, first", [("l2", 0.0), ("ip", -2.0), ("cosine", 0.0)])
@pytest.mark.parametrize("dim", [3, 17, 64, 131])
def test_dimensions(space, first, dim):
    """Integers, odd dimensions, few elements."""
    corners = np.zeros((5, dim), int)
    for row, columns in enumerate(([0], [1], [2], [0, 2], [0, 1, 2])):
        corners[row, columns] = 1
    index = made(corners, space)
    labels, distances = index.knn_query(corners[-1:], k=5)
    assert labels[0, 0] == 4 and abs(distances[0, 0] - first) < 1e-6
    assert sorted(labels[0].tolist()) == list(range(5))


def test_self_recall_through_a_file(rows, tmp_path):
    path = str(tmp_path / "half.bin")
    index = hnswlib.Index("l2", DIM)
    index.init_index(max_elements=COUNT, ef_construction=100, M=16)
    index.set_num_threads(4)
    half = COUNT // 2
    index.add_items(rows[:half])
    assert (index.knn_query(rows[:half])[0][:, 0] == np.arange(half)).mean() > 0.995
    index.save_index(path)
    again = hnswlib.Index("l2", DIM)
    again.load_index(path)
    assert again.max_elements == COUNT and again.ef == 10
    again.add_items(rows[half:])
    assert (again.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.995
    assert sorted(again.get_ids_list()) == list(range(COUNT))
    assert (again.get_items(np.arange(COUNT)) == rows).all()
    assert again._graph.check().sound


def test_metadata(rows):
    index = made(rows, M=12, ef_construction=90, max_elements=COUNT + 7)
    assert (index.space, index.dim, index.M, index.ef_construction) == ("l2", DIM, 12, 90)
    assert (index.max_elements, index.element_count) == (COUNT + 7, COUNT)
    assert (index.get_max_elements(), index.get_current_count()) == (COUNT + 7, COUNT)
    index.ef = 33
    index.set_num_threads(3)
    assert (index.ef, index.num_threads) == (33, 3)
    assert repr(index) == f"<hnswlib.Index(space='l2', dim={DIM})>"
    for name in ("dim", "space", "M", "max_elements", "element_count", "ef_construction"):
        with pytest.raises(AttributeError):
            setattr(index, name, 1)
    fresh = hnswlib.Index("ip", 3)
    assert (fresh.M, fresh.max_elements, fresh.element_count, fresh.ef) == (0, 0, 0, 10)


def test_get_items(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(COUNT)
    labels = np.arange(COUNT)
    with pytest.raises(RuntimeError):
        index.get_items(labels)
    index.add_items(rows, labels)
    with pytest.raises(ValueError):
        index.get_items(labels[0])
    with pytest.raises(ValueError):
        index.get_items(labels, return_type="tuple")
    assert (index.get_items(labels) == rows).all()
    assert (index.get_items(labels[:, None]) == rows).all()  # labels of knn_query
    listed = index.get_items([3, 1], return_type="list")
    assert isinstance(listed, list) and isinstance(listed[0], list) and listed[0] == rows[
        3].tolist()
    assert index.get_items().shape == (0,)
    cosine = made(rows, "cosine")
    np.testing.assert_allclose(np.linalg.norm(cosine.get_items(labels), axis=1), 1, atol=1e-6)


def test_ids(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(COUNT)
    index.add_items(rows[0], 2**63 + 5)
    index.add_items(rows[1])          # the running count
    index.add_items(rows[2:4], [70, 60])
    index.add_items(rows[4:6])
    assert set(index.get_ids_list()) == {2**63 + 5, 1, 70, 60, 4, 5}
    assert index.knn_query(rows[0])[0][0, 0] == 2**63 + 5
    index.add_items(rows[10], 70)     # an update
    assert index.element_count == 6 and (index.get_items([70])[0] == rows[10]).all()
    index.add_items(rows[20:400], np.arange(380) % 300 + 1000)  # labels twice: the later counts
    assert index.element_count == 306
    assert (index.get_items(np.arange(1000, 1080)) == rows[320:400]).all()
    assert index._graph.check().sound


def test_ids_of_any_size(rows):
    """numpy makes floats of a list of small and very large integers, and those round."""
    index = hnswlib.Index("l2", DIM)
    index.init_index(10)
    index.add_items(rows[:3], [2**63 + 1, 5, 2**64 - 1])
    assert set(index.get_ids_list()) == {2**63 + 1, 5, 2**64 - 1}
    assert (index.get_items([5, 2**63 + 1]) == rows[[1, 0]]).all()


@pytest.mark.parametrize("queries", [1, 200])
def test_filter(rows, queries):
    """Whether it is asked in the walk or before."""
    index = made(rows)
    index.set_ef(100)
    labels, _ = index.knn_query(rows[:queries], k=4, num_threads=1, filter=lambda i: i % 2 == 0)
    assert (labels % 2 == 0).all() and (labels[::2, 0] == np.arange(0, queries, 2)).all()
    labels, _ = index.knn_query(rows[:queries], k=1)
    assert (labels[:, 0] == np.arange(queries)).mean() > 0.99

    class Mine(Exception):
        pass

    def refuse(label):
        raise Mine
    with pytest.raises(Mine):
        index.knn_query(rows[:queries], k=1, filter=refuse)
    with pytest.raises(RuntimeError, match="contiguous 2D array"):
        index.knn_query(rows[:queries], k=3, filter=lambda i: i < 2)


def test_brute_force_agrees(rows, rng, tmp_path):
    path = str(tmp_path / "brute.bin")
    for space in SPACES:
        brute = hnswlib.BFIndex(space, DIM)
        brute.init_index(COUNT + 5)
        brute.add_items(rows)
        queries = rng.random((40, DIM))
        labels, distances = brute.knn_query(queries, k=20)
        assert labels.dtype == np.uint64 and distances.dtype == np.float32
        for q, query in enumerate(queries):
            wanted = distances_of(space, rows, query)
            np.testing.assert_allclose(distances[q], np.sort(wanted)[:20], atol=1e-5)
            np.testing.assert_allclose(distances[q], wanted[labels[q].astype(int)], atol=1e-5)
        brute.save_index(path)
        again = hnswlib.BFIndex(space, DIM)
        again.load_index(path)
        assert (again.knn_query(queries, k=20)[0] == labels).all()
        assert (again.get_max_elements(), again.get_current_count()) == (COUNT + 5, COUNT)


def test_brute_force_changes(rows):
    brute = hnswlib.BFIndex(space="l2", dim=DIM)
    brute.init_index(max_elements=100)
    brute.set_num_threads(8)
    assert brute.num_threads == 8 and repr(brute) == f"<hnswlib.BFIndex(space='l2', dim={DIM})>"
    brute.add_items(rows[:100])
    with pytest.raises(RuntimeError, match="exceeds the specified limit"):
        brute.add_items(rows[100:102])
    brute.delete_vector(7)
    brute.delete_vector(7)
    brute.delete_vector(99)
    assert brute.get_current_count() == 98
    labels, _ = brute.knn_query(rows[:100], k=1)
    wanted = np.arange(100)
    assert (labels[:, 0] == wanted)[[i for i in range(100) if i not in (7, 99)]].all()
    assert not np.isin(labels, [7, 99]).any()
    brute.add_items(rows[200], 5)
    assert brute.get_current_count() == 98
    assert brute.knn_query(rows[200])[0][0, 0] == 5
    labels, _ = brute.knn_query(rows[:10], k=2, filter=lambda i: i % 3 == 0)
    assert (labels % 3 == 0).all()
    with pytest.raises(RuntimeError):
        brute.knn_query(rows[0], k=99)
    with pytest.raises(RuntimeError):
        brute.init_index(3)


def test_delete(rows, tmp_path):
    index = made(rows)
    index.set_ef(100)
    gone = list(range(0, COUNT, 2))
    for label in gone:
        index.mark_deleted(np.uint64(label))
    assert index.get_current_count() == COUNT and sorted(index.get_ids_list()) == list(
        range(COUNT))
    path = str(tmp_path / "deleted.bin")
    index.save_index(path)
    again = hnswlib.Index("l2", DIM)
    again.load_index(path)
    again.set_ef(100)
    for one in (index, again):
        labels, _ = one.knn_query(rows[gone], k=1)
        assert (labels % 2 == 1).all()
        with pytest.raises(RuntimeError, match="Label not found"):
            one.get_items([0])
        with pytest.raises(RuntimeError, match="already deleted"):
            one.mark_deleted(0)
        with pytest.raises(RuntimeError, match="not deleted"):
            one.unmark_deleted(1)
        assert sorted(one.get_ids_list()) == list(range(COUNT))
        for label in gone:
            one.unmark_deleted(label)
        assert (one.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.995
    index.mark_deleted(4)
    index.add_items(rows[5] + 1, 4)  # comes back
    assert (index.get_items([4])[0] == rows[5] + 1).all()
    for label in (99999, 2**64 - 1):
        with pytest.raises(RuntimeError, match="Label not found"):
            index.mark_deleted(label)
    for label in (-1, 2**64, "x"):
        with pytest.raises((TypeError, ValueError)):
            index.mark_deleted(label)


@pytest.mark.parametrize("threads", [1, 4])
def test_replace_deleted(rows, rng, tmp_path, threads):
    index = hnswlib.Index("l2", DIM)
    index.init_index(COUNT, allow_replace_deleted=True)
    index.set_num_threads(threads)
    index.add_items(rows)
    gone = rng.permutation(COUNT)[:500]
    for label in gone:
        index.mark_deleted(label)
    with pytest.raises(RuntimeError, match="Can't use addPoint"):
        index.add_items(rows[:1], [gone[0]])
    with pytest.raises(RuntimeError, match="exceeds the specified limit"):
        index.add_items(rows[:1], [COUNT + 1])
    fresh = rng.random((500, DIM)).astype(np.float32)
    index.add_items(fresh, np.arange(COUNT, COUNT + 500), replace_deleted=True)
    assert index.element_count == COUNT
    assert (index.get_items(np.arange(COUNT, COUNT + 500)) == fresh).all()
    kept = np.setdiff1d(np.arange(COUNT), gone)
    assert (index.get_items(kept) == rows[kept]).all()
    assert set(index.get_ids_list()) == set(kept.tolist()) | set(range(COUNT, COUNT + 500))
    index.set_ef(100)
    assert (index.knn_query(fresh)[0][:, 0] == np.arange(COUNT, COUNT + 500)).mean() > 0.99
    with pytest.raises(RuntimeError, match="Label not found"):
        index.unmark_deleted(gone[0])
    path = str(tmp_path / "replaced.bin")
    index.mark_deleted(COUNT)
    index.save_index(path)
    again = hnswlib.Index("l2", DIM)
    again.load_index(path, allow_replace_deleted=True)
    again.add_items(rows[gone[0]], gone[0], replace_deleted=True)
    assert again.element_count == COUNT and COUNT not in again.get_ids_list()
    refuses = made(rows)
    with pytest.raises(RuntimeError, match="disabled in constructor"):
        refuses.add_items(rows[:1], replace_deleted=True)


def test_resize(rows):
    half = COUNT // 2
    index = made(rows[:half])
    with pytest.raises(RuntimeError, match="exceeds the specified limit"):
        index.add_items(rows[half:])
    index.resize_index(COUNT)
    index.add_items(rows[half:], np.arange(half, COUNT))
    assert (index.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.995
    with pytest.raises(RuntimeError, match="Cannot resize"):
        index.resize_index(COUNT - 1)
    index.resize_index(3 * COUNT)
    assert index.max_elements == 3 * COUNT and index._graph.check().sound


def test_full_is_exactly_full(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(100)
    with pytest.raises(RuntimeError, match="exceeds the specified limit"):
        index.add_items(rows[:150])
    assert index.element_count == 100
    index.add_items(rows[150:160], np.arange(10))  # updates need no room


@pytest.mark.parametrize("space", SPACES)
def test_pickle(rows, rng, space):
    index = hnswlib.Index(space, DIM)
    index.num_threads = 3
    early = pickle.loads(pickle.dumps(index))
    early.init_index(COUNT, M=14, ef_construction=80)
    index.init_index(COUNT, M=14, ef_construction=80)
    index.ef = early.ef = 77
    empty = pickle.loads(pickle.dumps(index))
    for one in (early, index, empty):
        one.add_items(rows)
    index.mark_deleted(3)
    copies = [pickle.loads(pickle.dumps(index)), hnswlib.Index(index=index),
              hnswlib.Index(params=index.__getstate__()[0]), hnswlib.Index(index)]
    queries = rng.random((30, DIM))
    wanted = index.knn_query(queries, k=9)
    for one in copies:
        assert (one.ef, one.M, one.ef_construction, one.num_threads) == (77, 14, 80, 3)
        labels, distances = one.knn_query(queries, k=9)
        assert (labels == wanted[0]).all() and (distances == wanted[1]).all()
        assert sorted(one.get_ids_list()) == list(range(COUNT))
        one.unmark_deleted(3)
        one.resize_index(COUNT + 1)
        one.add_items(rows[0], COUNT)
        assert one._graph.check().sound
    assert (early.knn_query(queries, k=9)[0] == empty.knn_query(queries, k=9)[0]).all()


def test_pickle_refuses(rows):
    state = made(rows[:50]).__getstate__()[0]
    for change in ({"ser_version": 9}, {"dim": DIM + 1}, {"max_M0": 5}, {"data_level0": b""},
                   {"element_levels": np.full(50, 10**6, np.int32)}, {"dim": None}, {"dim": -1},
                   {"ser_version": None}, {"element_levels": 3}, {"max_elements": 1.5},
                   {"space": np.zeros(3)}, {"data_level0": [None]}):
        with pytest.raises((RuntimeError, TypeError)):
            hnswlib.Index(params={**state, **change})
    for name in ("data_level0", "space", "ef"):
        with pytest.raises(RuntimeError):
            hnswlib.Index(params={key: value for key, value in state.items() if key != name})
    with pytest.raises(RuntimeError):
        hnswlib.Index("l2", 4).__setstate__((1, 2))


@pytest.mark.parametrize("wrong", [-1, 2**64, 1.5, 2.0, "1", None, [1]])
def test_numbers_that_are_none(rows, wrong):
    """hnswlib takes sizes and labels as size_t, so neither floats nor text nor less than 0."""
    index = made(rows[:20])
    new = hnswlib.Index("l2", DIM)
    for call in (lambda: index.mark_deleted(wrong), lambda: index.unmark_deleted(wrong),
                 lambda: index.resize_index(wrong), lambda: index.set_ef(wrong),
                 lambda: index.load_index("x", max_elements=wrong),
                 lambda: index.knn_query(rows[:1], k=wrong),
                 lambda: new.init_index(wrong), lambda: new.init_index(9, M=wrong),
                 lambda: new.init_index(9, ef_construction=wrong),
                 lambda: new.init_index(9, random_seed=wrong)):
        with pytest.raises((TypeError, RuntimeError) if wrong == 2**64 else TypeError):
            call()
    if wrong != -1:  # as many as there are processors
        with pytest.raises(TypeError):
            index.set_num_threads(wrong)
        with pytest.raises(TypeError):
            hnswlib.Index("l2", wrong)
    assert len(index.get_ids_list()) == 20 and index.element_count == 20


def test_ef_of_a_file(rows, tmp_path):
    """What was read has hnswlib's 10, whatever was told before."""
    path = tmp_path / "index.bin"
    made(rows[:50]).save_index(path)
    index = hnswlib.Index("l2", DIM)
    index.set_ef(77)
    index.load_index(path)
    assert index.ef == 10
    index.set_ef(78)
    index.load_index_mmap(path)
    assert index.ef == 10


def test_refusals(rows):
    index = hnswlib.Index("l2", DIM)
    for call in (lambda: index.knn_query(rows), lambda: index.add_items(rows),
                 lambda: index.get_current_count(), lambda: index.save_index("x"),
                 lambda: index.mark_deleted(0), lambda: index.resize_index(5),
                 lambda: index.get_ids_list(), lambda: index.index_file_size()):
        with pytest.raises(RuntimeError, match="not initiated"):
            call()  # hnswlib crashes
    index.init_index(COUNT)
    with pytest.raises(RuntimeError, match="already initiated"):
        index.init_index(COUNT)
    with pytest.raises(RuntimeError, match="contiguous 2D array"):
        index.knn_query(rows[:1])
    for data, ids in ((rows[:, :5], None), (rows[None], None), (rows[:2], [1]),
                      (rows[:2], [[1], [2]]), (rows[:2], 1)):
        with pytest.raises(RuntimeError):
            index.add_items(data, ids)
    assert index.element_count == 0
    index.add_items(rows[:50])
    with pytest.raises(RuntimeError, match="contiguous 2D array"):
        index.knn_query(rows[:1], k=51)
    with pytest.raises(RuntimeError, match="dimensionality"):
        index.knn_query(rows[:1, :3])
    with pytest.raises(RuntimeError):
        index.add_items(np.full((1, DIM), np.nan))
    with pytest.raises(ValueError):
        index.add_items("abc")
    with pytest.raises(RuntimeError, match="Space name"):
        hnswlib.Index("hamming", 5)
    for arguments in ((), ("l2",), (5, 5)):
        with pytest.raises(TypeError):
            hnswlib.Index(*arguments)
    with pytest.raises(RuntimeError):
        hnswlib.Index("l2", 5).init_index(10, M=0)
    with pytest.raises(RuntimeError, match="Cannot open file"):
        index.load_index("/nowhere/at/all")
    assert index.element_count == 50  # the old index stays
    with pytest.raises(RuntimeError, match="nowhere"):
        index.save_index("/nowhere/at/all")  # hnswlib says nothing


def test_subclass(rows):
    class Lazy(hnswlib.Index):
        def __init__(self, space, dim):
            super().__init__(space, dim)
            self.wanted = COUNT

        def add_items(self, data, ids=None):
            if self.max_elements == 0:
                super().init_index(self.wanted, 16, 100)
            return super().add_items(data, ids, -1)
    lazy = Lazy("l2", DIM)
    lazy.add_items(rows)
    assert lazy.element_count == COUNT


def test_threads_add_and_search(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(COUNT, ef_construction=50)
    index.add_items(rows[:100])
    errors = []

    def add(first):
        try:
            for at in range(first, COUNT, 400):
                index.add_items(rows[at:at + 100], np.arange(at, min(at + 100, COUNT)))
                assert index.knn_query(rows[:50], k=3)[0].shape == (50, 3)
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=add, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and index.element_count == COUNT and index._graph.check().sound
    assert (index.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.99
