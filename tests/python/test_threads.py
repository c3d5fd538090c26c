# test_threads.py - the interpreter's lock, threads beside each other, processes
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import threading
import time

import numpy as np
import pytest

import nigh
from nigh import _threads


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
