# test_drop_in_mmap.py - what the fork hnswlib-mmap adds
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import pickle
import resource
import signal
import struct
import tracemalloc

import numpy as np
import pytest

from nigh import hnswlib

COUNT, DIM = 1500, 16
SPACES = ("l2", "ip", "cosine")


@pytest.fixture
def rows(rng):
    made = rng.standard_normal((COUNT, DIM)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def graph_only(rows, space="cosine", ids=None, count=COUNT):
    index = hnswlib.Index(space=space, dim=DIM)
    index.init_index_graph_only(count, rows, M=8, ef_construction=100)
    index.add_items(rows if ids is None else rows[ids], ids)
    index.set_ef(60)
    return index


@pytest.mark.parametrize("space", SPACES)
def test_graph_only(rows, tmp_path, space):
    path = str(tmp_path / "index.graph")
    index = graph_only(rows, space)
    labels, distances = index.knn_query(rows[:100], k=5)
    assert (labels[:, 0] == np.arange(100)).mean() > 0.99
    index.save_graph(path)
    again = hnswlib.Index(space, DIM)
    again.load_graph(path)
    assert again.get_current_count() == COUNT and again.M == 8 and again.max_elements == COUNT
    for call in (lambda: again.knn_query(rows[:1]), lambda: again.get_items([1]),
                 lambda: again.add_items(rows[:1])):
        with pytest.raises(RuntimeError, match="set_external_vectors"):
            call()
    again.set_external_vectors(rows)
    again.set_ef(60)
    got = again.knn_query(rows[:100], k=5)
    assert (got[0] == labels).all() and (got[1] == distances).all()
    assert (again.get_items([7])[0] == rows[7]).all()


def test_graph_file_is_the_fork_s(rows, tmp_path):
    """Byte by byte as its writer puts them: 80 bytes of header, 76 for an element at M = 8."""
    path = tmp_path / "index.graph"
    index = graph_only(rows, "l2")
    index.save_graph(path)
    data = path.read_bytes()
    magic, room, count, m, max_m, max_m0, ef, mult, top, entry, size = struct.unpack_from(
        "<I6QdiIQ", data)
    assert (magic, room, count, m, max_m, max_m0, ef, size) == (
        0x47524150, COUNT, COUNT, 8, 8, 16, 100, 4 * DIM)
    assert abs(mult - 1 / np.log(8)) < 1e-9 and 0 <= entry < COUNT and 0 <= top < 15
    at = struct.calcsize("<I6QdiIQ")
    assert [struct.unpack_from("<Q", data, at + 76 * i + 68)[0] for i in range(5)] == list(
        range(5))
    at += 76 * COUNT
    for _ in range(COUNT):
        upper, = struct.unpack_from("<I", data, at)
        assert upper % 36 == 0
        at += 4 + upper
    assert at == len(data)


def test_labels_name_rows(rows, rng):
    """In whatever order they come: the fork returns others' labels."""
    order = rng.permutation(COUNT)
    index = graph_only(rows, ids=order)
    labels, _ = index.knn_query(rows, k=1)
    assert (labels[:, 0] == np.arange(COUNT)).mean() > 0.99
    sparse = np.arange(5, COUNT, 10)
    index = graph_only(rows, ids=sparse)
    assert (index.knn_query(rows[sparse])[0][:, 0] == sparse).mean() > 0.99
    with pytest.raises(RuntimeError, match="no row"):
        index.add_items(rows[:1], [COUNT])
    with pytest.raises(RuntimeError, match="differs"):
        index.add_items(rows[:1], [1])


def test_half_floats(rows, tmp_path):
    index = graph_only(rows)
    wanted, _ = index.knn_query(rows[:200], k=5)
    index.save_graph(tmp_path / "g")
    half = rows.astype(np.float16)
    mapped = np.memmap(tmp_path / "vectors", np.float16, "w+", shape=half.shape)
    mapped[:] = half
    for given in (half.view(np.uint16), half, mapped.view(np.uint16)):
        again = hnswlib.Index("cosine", DIM)
        again.load_graph(tmp_path / "g")
        again.set_external_vectors_fp16(given)
        again.set_ef(60)
        got, distances = again.knn_query(rows[:200], k=5)
        assert (got == wanted).mean() > 0.97 and abs(distances[:, 0]).max() < 1e-3
    with pytest.raises(TypeError):
        again.set_external_vectors_fp16(rows)
    again.save_graph(tmp_path / "h")
    assert (tmp_path / "h").read_bytes() == (tmp_path / "g").read_bytes()


def test_cosine_without_normalising(rows, rng):
    scaled = rows * rng.uniform(0.1, 10, (COUNT, 1)).astype(np.float32)
    index = graph_only(scaled)
    labels, distances = index.knn_query(rows, k=1)
    assert (labels[:, 0] == np.arange(COUNT)).mean() > 0.99 and abs(distances).max() < 1e-5


def test_changes_of_a_graph(rows, tmp_path):
    """All but the first two crash the fork."""
    index = graph_only(rows, count=COUNT + 10)
    index.mark_deleted(3)
    assert index.knn_query(rows[3])[0][0, 0] != 3
    index.unmark_deleted(3)
    index.resize_index(2 * COUNT)
    with pytest.raises(RuntimeError, match="no row"):
        index.add_items(rows[:1], [COUNT])
    more = np.concatenate([rows, rows[:20] + 1])
    index.set_external_vectors(more)
    index.add_items(more[COUNT:], np.arange(COUNT, COUNT + 20))
    assert (index.knn_query(more[COUNT:])[0][:, 0] == np.arange(COUNT, COUNT + 20)).all()
    with pytest.raises(RuntimeError, match="no row"):
        index.set_external_vectors(rows[:100])
    for wrong in (rows[:, :5], rows[0], rows[None]):
        with pytest.raises(RuntimeError):
            index.set_external_vectors(wrong)
    index.save_graph(tmp_path / "g")
    loaded = hnswlib.Index("cosine", DIM)
    loaded.load_graph(tmp_path / "g")
    with pytest.raises(RuntimeError, match="no row"):
        loaded.set_external_vectors(rows)
    loaded.set_external_vectors(more)
    loaded.resize_index(3 * COUNT)
    more2 = np.concatenate([more, rows[:20] - 1])
    loaded.set_external_vectors(more2)
    loaded.add_items(more2[COUNT + 20:], np.arange(COUNT + 20, COUNT + 40))
    assert loaded._graph.check().sound
    again = pickle.loads(pickle.dumps(graph_only(rows, "l2")))
    assert (again.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.99


def test_not_a_graph(rows, tmp_path):
    path = tmp_path / "g"
    graph_only(rows, "l2").save_graph(path)
    good = path.read_bytes()
    for wrong in (b"", b"GRAP" + good[4:], good[:60], good[:-2], good[:500]):
        path.write_bytes(wrong)
        index = hnswlib.Index("l2", DIM)
        with pytest.raises(RuntimeError):
            index.load_graph(path)
            index.set_external_vectors(rows)
    path.write_bytes(good)
    with pytest.raises(RuntimeError, match="mismatch"):
        hnswlib.Index("l2", DIM + 1).load_graph(path)
    with pytest.raises(RuntimeError, match="Cannot open"):
        index.load_graph(tmp_path / "nothing")
    with pytest.raises(RuntimeError, match="not initialized"):
        hnswlib.Index("l2", DIM).set_external_vectors(rows)


def test_a_failed_save_keeps_the_older_graph(rows, tmp_path):
    """Before, at its end, and in the middle."""
    path = tmp_path / "index.graph"
    index = graph_only(rows, "l2")
    index.save_graph(path)
    good = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        for most in (0, 5000, len(good) - 1):
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, limit[1]))
            with pytest.raises(RuntimeError):
                index.save_graph(path)
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            assert path.read_bytes() == good and os.listdir(tmp_path) == ["index.graph"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    index.mark_deleted(3)
    index.save_graph(path)
    assert path.read_bytes() != good


def peak_of(body):
    tracemalloc.start()
    body()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_graph_is_read_once(tmp_path):
    """Not as bytes first and as an array then, and without a place for vectors."""
    wide = np.random.default_rng(3).standard_normal((2000, 256)).astype(np.float32)
    index = hnswlib.Index("l2", 256)
    index.init_index_graph_only(2000, wide, M=8, ef_construction=20)
    index.add_items(wide)
    path = tmp_path / "index.graph"
    index.save_graph(path)
    size = os.path.getsize(path)
    again = hnswlib.Index("l2", 256)
    assert peak_of(lambda: again.load_graph(path)) < size * 1.2 + 20000
    assert len(again._waiting) == size + 96 - 76
    again.set_external_vectors(wide)
    assert (again.knn_query(wide)[0] == index.knn_query(wide)[0]).all()


def test_memory_in_a_file_is_there(tmp_path):
    """None of its pages is a hole, which on a full disk is a SIGBUS: that is told at once."""
    index = hnswlib.Index("l2", DIM)
    index.init_index_mmap(20000, tmp_path / "scratch")
    about = os.stat(tmp_path / "scratch")
    assert about.st_blocks * 512 >= about.st_size > 20000 * 4 * DIM
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, limit[1]))
        with pytest.raises(RuntimeError, match="cannot reserve room in .*scratch2"):
            hnswlib.Index("l2", DIM).init_index_mmap(20000, tmp_path / "scratch2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)


def test_memory_in_a_file_that_is_in_use(rows, tmp_path):
    """Another index in a file of the same name takes nothing from those that have it mapped."""
    path = tmp_path / "scratch"
    first = hnswlib.Index("l2", DIM)
    first.init_index_mmap(COUNT, path)
    first.add_items(rows)
    first.save_index(tmp_path / "saved")
    mapped = hnswlib.Index("l2", DIM)
    mapped.load_index_mmap(tmp_path / "saved")
    for name in ("scratch", "saved"):
        other = hnswlib.Index("l2", DIM)
        other.init_index_mmap(COUNT, tmp_path / name)
        other.add_items(rows[::-1])
        for index in (first, mapped):
            assert (index.knn_query(rows)[0][:, 0] == np.arange(COUNT)).all()
        assert (other.knn_query(rows)[0][::-1, 0] == np.arange(COUNT)).all()


def test_memory_in_a_file(rows, tmp_path):
    scratch, path = tmp_path / "scratch", str(tmp_path / "index.bin")
    index = hnswlib.Index("l2", DIM)
    index.init_index_mmap(COUNT, scratch, M=8, ef_construction=80)
    index.add_items(rows)
    assert os.path.getsize(scratch) > COUNT * (4 * DIM + 64)
    assert rows[5].tobytes() in scratch.read_bytes()
    index.save_index(path)
    plain = hnswlib.Index("l2", DIM)
    plain.init_index(COUNT, M=8, ef_construction=80)
    plain.add_items(rows)
    wanted = plain.knn_query(rows, k=3)[0]
    assert (index.knn_query(rows, k=3)[0] == wanted).all()
    mapped = hnswlib.Index("l2", DIM)
    mapped.load_index_mmap(path)
    assert (mapped.knn_query(rows, k=3)[0] == wanted).all()
    assert (mapped.get_items(np.arange(COUNT)) == rows).all()
    for call in (lambda: mapped.mark_deleted(1), lambda: mapped.add_items(rows[:1]),
                 lambda: mapped.resize_index(2 * COUNT), lambda: mapped.unmark_deleted(1)):
        with pytest.raises(RuntimeError, match="read-only"):
            call()
    changed = hnswlib.Index("l2", DIM)
    changed.load_index_mmap(path, read_only=False)
    changed.mark_deleted(1)
    index.resize_index(COUNT + 1)
    index.add_items(rows[0], COUNT)


def shards(rows, folder, space):
    index = hnswlib.ShardedIndex(space=space, dim=DIM)
    bounds = [0, 500, 1100, COUNT]
    for number, (start, end) in enumerate(zip(bounds, bounds[1:])):
        index.build_shard(rows[start:end], folder, number, start, M=8, ef_construction=60)
    index.save_metadata(folder, 3, COUNT, 8, 60)
    return index


@pytest.mark.parametrize("space", SPACES)
def test_shards(rows, tmp_path, space):
    shards(rows, tmp_path / "shards", space)
    index = hnswlib.ShardedIndex(space, DIM)
    index.load_shards(tmp_path / "shards", rows, 3)
    index.set_ef(80)
    labels, distances = index.knn_query(rows, k=5)
    assert labels.shape == (COUNT, 5) and (labels[:, 0] == np.arange(COUNT)).mean() > 0.99
    assert (np.diff(distances, axis=1) >= 0).all()
    assert index.get_num_shards() == 3 and index.get_total_elements() == COUNT
    assert repr(index) == (f"<hnswlib.ShardedIndex(space='{space}', dim={DIM}, shards=3, "
                           f"elements={COUNT})>")
    only, _ = index.knn_query_selective(rows[600:610], np.array([1, 99]), k=5)
    assert (only[:, 0] == np.arange(600, 610)).all() and (only >= 500).all() and (
        only < 1100).all()
    index.load_shards_fp16(tmp_path / "shards", rows.astype(np.float16).view(np.uint16), 3,
                           use_mmap_graphs=True)
    assert (index.knn_query(rows)[0][:, 0] == np.arange(COUNT)).mean() > 0.98
    with pytest.raises(RuntimeError):
        index.load_shards(tmp_path / "shards", rows[:1200], 3)
    with pytest.raises(RuntimeError, match="Cannot open"):
        index.load_shards(tmp_path / "shards", rows, 4)


@pytest.mark.parametrize("sort", [False, True])
def test_product_quantisation(rows, rng, tmp_path, sort):
    """Distances are those of the vectors that codes stand for."""
    shards(rows, tmp_path, "l2")
    books = rng.standard_normal((8, 256, 2)).astype(np.float32) / 4
    parts = rows.reshape(COUNT, 8, 1, 2)
    codes = ((parts - books[None]) ** 2).sum(axis=3).argmin(axis=2).astype(np.uint8)
    stands = books[np.arange(8)[None], codes].reshape(COUNT, DIM)
    order = rng.permutation(COUNT) if sort else None
    given = codes
    if sort:
        given = np.empty_like(codes)
        given[order] = codes
    index = hnswlib.ShardedIndex("l2", DIM)
    index.load_shards_pq(tmp_path, given, books, 3, 8, 256, 2, n_ram_shards=1, sort_order=order)
    index.set_ef(200)
    labels, distances = index.knn_query(rows[:100], k=10)
    wanted = ((rows[:100, None] - stands[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(distances, np.take_along_axis(wanted, labels.astype(int), 1),
                               rtol=1e-3, atol=1e-4)
    best = np.argsort(wanted, axis=1)[:, :10]
    assert np.mean([len(set(a) & set(b)) for a, b in zip(labels.tolist(), best.tolist())]) > 9
    for change in ({"n_subvectors": 4}, {"subvector_dim": 3}, {"n_centroids": 255}):
        arguments = {"n_subvectors": 8, "n_centroids": 256, "subvector_dim": 2, **change}
        with pytest.raises(RuntimeError):
            index.load_shards_pq(tmp_path, given, books, 3, **arguments)
