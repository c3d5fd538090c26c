# test_threads.py - the interpreter's lock, threads beside each other, processes
# SPDX-License-Identifier: MIT OR Apache-2.0
import gc
import os
import sys
import threading
import time

import numpy as np
import pytest

import nigh
import nigh.hnswlib
from nigh import _handle, _threads


def test_lock_is_released(rng):
    """While one call searches, this thread goes on counting."""
    rows = rng.standard_normal((20000, 64)).astype(np.float32)
    index = nigh.Index(64, keys="identity", m=4, ef_build=10)
    index.build(vectors=rows)
    inside, done = threading.Event(), threading.Event()

    def search():
        inside.set()
        index.search(rows[:64], 5, exact=True, threads=1)
        done.set()
    thread = threading.Thread(target=search)
    thread.start()
    inside.wait()
    started, turns = time.monotonic(), 0
    while not done.is_set():
        turns += 1
    took = time.monotonic() - started
    thread.join()
    assert took > 0.01 and turns > 20000 * took, (took, turns)


def run_all(*bodies):
    errors = []

    def guarded(body):
        try:
            body()
        except BaseException as error:
            errors.append(error)
    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors, errors


def test_everything_at_once(vectors):
    """Adds that make the index grow and move, searches, removes, saves, a job."""
    index = nigh.Index(24, m=8, ef_build=40, capacity=16)
    index.add(np.arange(100), vectors[:100])
    stop = threading.Event()

    def adds(first):
        for at in range(100 + first, 6000, 200):
            index.add(np.arange(at, at + 50), np.tile(vectors, (4, 1))[at:at + 50])

    def searches():
        while not stop.is_set():
            hits = index.search(vectors[5], 5)
            assert len(hits) == 5 and hits[0] == (5, 0.0)
            index.search(vectors[:20], 3, threads=2)

    def others():
        for _ in range(4):
            assert index.check().sound
            index.to_bytes()
            index.remove(99)
            index.unremove(99)
        stop.set()
    run_all(*[lambda first=first: adds(first) for first in (0, 50, 100, 150)], searches, others)
    assert index.check().sound
    wanted = {key for first in (0, 50, 100, 150) for at in range(100 + first, 6000, 200)
              for key in range(at, at + 50)} | set(range(100))
    assert set(index.keys().tolist()) == wanted


def test_threads_of_one_call(vectors):
    index = nigh.Index(24)
    index.add(np.arange(2000), vectors, threads=3)
    index.set(np.arange(1000), vectors[1000:], threads=2)
    assert len(index) == 2000 and index.check().sound
    assert (index.get(np.arange(1000)) == vectors[1000:]).all()
    with pytest.raises(nigh.ExistsError):
        index.add(np.arange(1900, 2400), vectors[:500], threads=3)


def test_nested_pools(vectors):
    """A callback on a thread of the pool that wants the pool itself."""
    inner = nigh.Index(24)
    inner.build(np.arange(500), vectors[:500])
    outer = nigh.Index(24)
    outer.build(np.arange(500), vectors[:500])

    def nested(key):
        return len(inner.search(vectors[:8], 1, threads=4)) == 8
    found = outer.search(vectors[:40], 2, ef=4, filter=nested, threads=4)
    assert (found.found == 2).all()


def test_close_beside_a_search(vectors):
    for _ in range(20):
        index = nigh.Index(24)
        index.build(np.arange(500), vectors[:500])
        thread = threading.Thread(target=index.search, args=(vectors, 5),
                                  kwargs={"threads": 1})
        thread.start()
        index.close()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork(vectors):
    index = nigh.Index(24)
    index.build(np.arange(2000), vectors)
    wanted = index.search(vectors, 3, threads=2).keys
    child = os.fork()
    if child == 0:
        same = (index.search(vectors, 3, threads=2).keys == wanted).all()
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def in_child(body):
    """Runs body() in a forked child that ends as Python's do, and tells how."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            body()
            gc.collect()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_leaves_the_file_of_its_parent(vectors, tmp_path):
    """A child that seals it would say that it is whole while the parent goes on changing it."""
    path = tmp_path / "index.nigh"
    made = nigh.Index(24)
    made.build(np.arange(2000), vectors)
    made.save(path)
    index = nigh.Index.open(path, "r+")
    index.remove(7)
    before = path.read_bytes()

    def tries_to_change():
        assert index.search(vectors[3], 1)[0] == (3, 0.0)
        for call in (lambda: index.remove(8), lambda: index.unremove(7), index.flush,
                     lambda: index.save(), lambda: index.set(3, vectors[4])):
            with pytest.raises(nigh.BusyError, match="forked"):
                call()
        index.close()
        with pytest.raises(nigh.ClosedError):
            index.search(vectors[3], 1)

    def only_ends():
        nonlocal index
        del index
    for body in (tries_to_change, only_ends):
        assert in_child(body) == 0
        assert path.read_bytes() == before
    index.remove(9)
    index.close()
    again = nigh.Index.open(path, verify=True)
    assert 7 not in again and 8 in again and 9 not in again and again.check().sound


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_child_leaves_the_scratch_of_its_parent(vectors, tmp_path):
    index = nigh.hnswlib.Index("l2", 24)
    index.init_index_mmap(2100, tmp_path / "scratch")
    index.add_items(vectors)

    def changes():
        assert index.knn_query(vectors[3])[0][0, 0] == 3
        with pytest.raises(RuntimeError, match="forked"):
            index.add_items(vectors[:1], [2000])
    assert in_child(changes) == 0
    index.resize_index(3000)  # it is memory now, which a child has for itself
    assert in_child(lambda: index.add_items(vectors[:1], [2000])) == 0
    assert index.get_current_count() == 2000


def lines_of(function):
    return {line for _, _, line in function.__code__.co_lines() if line is not None}


def before_line(line, function, then):
    """Calls `then` when the function comes to the line for the first time."""
    todo = [then]

    def trace(frame, event, argument):
        if frame.f_code is not function.__code__:
            return None
        if event == "line" and frame.f_lineno == line and todo:
            todo.pop()()
        return trace
    return trace


@pytest.mark.parametrize("name", ["take", "give_back"])
def test_sessions_from_before_codes(vectors, name):
    """Wherever codes come in between: a session that has no room for them is never taken again."""
    index = nigh.Index(24)
    index.build(np.arange(500), vectors[:500])
    handle = index._held()
    function = getattr(_handle.Handle, name)
    tried = []
    for line in sorted(lines_of(function)):
        came = []

        def codes_come():
            came.append(line)
            handle.outdate_sessions()
        old = handle.take(64, 1)
        if name == "take":
            handle.give_back(old)
        before = sys.gettrace()
        sys.settrace(before_line(line, function, codes_come))
        try:
            taken = handle.take(64, 1) if name == "take" else old
            handle.give_back(taken)
        finally:
            sys.settrace(before)
        if came:
            tried.append(line)
            assert all(one is not old for one in [handle.take(64, 1) for _ in range(20)]), line
    assert len(tried) >= 3


def test_gate():
    gate, inside, most = _threads.Gate(), [], []

    def shared():
        with gate.shared():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    def alone():
        with gate.alone():
            assert not inside
            time.sleep(0.005)
            assert not inside
    run_all(*[shared] * 6, *[alone] * 4)
    assert max(most) > 1
