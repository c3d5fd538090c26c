# test_memory.py - arrays are not copied, memory comes back
# SPDX-License-Identifier: MIT OR Apache-2.0
import gc
import os
import weakref

import numpy as np
import pytest

import nigh
from nigh import _arrays, declarations
from nigh._library import ffi

F32 = declarations.NIGH_DTYPE_F32


def address(pointer):
    return int(ffi.cast("uintptr_t", pointer))


@pytest.mark.parametrize("dtype, array", [
    ("f32", np.zeros((4, 6), np.float32)), ("f16", np.zeros((4, 6), np.float16)),
    ("bf16", np.zeros((4, 6), np.uint16)), ("u8", np.zeros((4, 6), np.uint8))])
def test_rows_go_straight_through(dtype, array):
    layout = _arrays.Layout(6, _arrays.DTYPES[dtype])
    assert address(layout.rows(array).pointer) == array.ctypes.data
    assert address(layout.rows(array[2]).pointer) == array[2].ctypes.data
    assert address(layout.rows(array[1:]).pointer) == array[1:].ctypes.data
    array.flags.writeable = False
    assert address(layout.rows(array).pointer) == array.ctypes.data


def test_rows_with_gaps():
    """A build takes them as they lie, others as a copy."""
    layout = _arrays.Layout(6, F32)
    wide = np.arange(40, dtype=np.float32).reshape(4, 10)[:, 2:8]
    rows = layout.rows(wide, strided=True)
    assert address(rows.pointer) == wide.ctypes.data and rows.stride == 40
    assert address(layout.rows(wide).pointer) != wide.ctypes.data
    assert layout.rows(wide[::-1], strided=True).stride == 0  # falling: copied
    assert (layout.rows(wide[:, ::-1], strided=True).keep == wide[:, ::-1]).all()
    index = nigh.Index(6)
    index.build(np.arange(4), wide)
    assert (index.get(np.arange(4)) == wide).all()


def test_build_converts_once(monkeypatch):
    calls = []
    plain = _arrays.Layout._converted
    monkeypatch.setattr(_arrays.Layout, "_converted",
                        lambda self, array: calls.append(len(array)) or plain(self, array))
    index = nigh.Index(6)
    assert index.build(np.arange(40), np.arange(240.0).reshape(40, 6)) == 40
    assert calls == [40] and (index.get(39) == np.arange(234.0, 240.0)).all()


def test_keys_go_straight_through():
    form = _arrays.KeyForm(declarations.NIGH_KEYS_U64, True, 0)
    keys = np.arange(5, dtype=np.uint64)
    assert address(form.rows(keys).pointer) == keys.ctypes.data


def test_borrowed_array_is_the_vectors(vectors):
    index = nigh.Index(24, "l2", vectors=vectors, keys="identity")
    index.build(np.arange(2000))
    assert index._source[0] is vectors or index._source[0].base is vectors
    before = index.search(vectors[3], 1)[0]
    vectors[3] += 1000  # seen at once: nothing was copied
    assert before == (3, 0.0) and index.get(3)[0] > 900


def test_borrowed_array_lives_as_long_as_the_index(vectors):
    array = vectors.copy()
    kept = weakref.ref(array)
    index = nigh.Index(24, vectors=array, keys="identity")
    index.build(np.arange(2000))
    del array
    gc.collect()
    assert kept() is not None and index.search(vectors[3], 1)[0] == (3, 0.0)
    del index
    gc.collect()
    assert kept() is None


def test_get_into(vectors):
    index = nigh.Index(24)
    index.add(np.arange(10), vectors[:10])
    out = np.empty((10, 24), np.float32)
    assert index.get(np.arange(10), out=out) is out and (out == vectors[:10]).all()
    with pytest.raises(nigh.MismatchError):
        index.get(np.arange(9), out=out)


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="no /proc")
def test_nothing_leaks(vectors, tmp_path):
    rows = np.tile(vectors, (1, 8))  # 1.5 MB
    path = tmp_path / "index.nigh"

    def once():
        index = nigh.Index(192, keys="identity", m=4, ef_build=8)
        index.build(vectors=rows)
        index.search(rows[:50], 3, filter=lambda key: True)
        index.save(path)
        nigh.Index.open(path).search(rows[0], 1)
        list(zip(range(3), index.nearest(rows[0])))
        index.copy()
        with pytest.raises(nigh.ExistsError):
            index.unremove(3)
    for _ in range(3):
        once()
    gc.collect()
    before = resident()
    for _ in range(25):
        once()
    gc.collect()
    assert resident() - before < 8 << 20


def test_no_cycles(vectors):
    """An index goes when the last reference goes, without the collector."""
    gc.disable()
    try:
        index = nigh.Index(24)
        index.build(np.arange(500), vectors[:500])
        index.search(vectors[0], 1, filter=lambda key: True)
        index.refine()
        handle = weakref.ref(index._handle)
        del index
        assert handle() is None
    finally:
        gc.enable()
