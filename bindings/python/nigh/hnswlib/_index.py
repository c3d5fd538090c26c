# _index.py - hnswlib.Index with what the fork hnswlib-mmap adds: vectors elsewhere, mapped files
# SPDX-License-Identifier: MIT OR Apache-2.0
from typing import Any

import numpy as np

from .._core import RowsByKey
from .._library import Memory, ffi
from ._basic import EF, Basic
from ._common import CORRUPT, FULL, normalised, runtime_errors
from ._files import file_of_graph, head_of
from ._graph import Graph

SAMPLE = 64  # rows of add_items that are compared with the array


class Index(Basic):
    """Vectors may stay in the caller's array, whose row l is the vector of label l, in whatever
    order labels come (the fork's is that of insertion). Under cosine they need not be normalised
    there."""

    def _forget(self) -> None:
        super()._forget()
        self._external: Any = None  # the array, or codes
        self._waiting: Any = None   # a graph file without vectors yet, in hnswlib's form

    def _ready(self) -> Graph:
        if self._waiting is not None:
            raise RuntimeError("No vectors: call set_external_vectors first")
        return super()._ready()

    def _inited(self) -> bool:
        return self._waiting is not None or super()._inited()

    def _count(self) -> int:
        return super()._count() if self._waiting is None else head_of(self._waiting).count

    def _external_metric(self) -> str:
        return "cosine" if self._space == "cosine" else self._metric

    # ---- Graph only ------------------------------------------------------------------------------

    def init_index_graph_only(self, max_elements: int, external_vectors: Any, M: int = 16,
                              ef_construction: int = 200, random_seed: int = 100) -> None:
        """Keeps links and labels only; external_vectors must stay and not change."""
        array = self._floats(external_vectors)
        self._init(max_elements, M, ef_construction, random_seed, False,
                   metric=self._external_metric(), rows=RowsByKey(array))
        self._external = array
        self._normalize = False

    def _floats(self, vectors: Any) -> Any:
        """float32 rows as they lie; others are copied, as the fork does."""
        array = np.asarray(vectors)
        if array.dtype != np.float32 or array.ndim != 2 or array.strides[1] != 4 or \
                array.strides[0] < 4 * self._dim or not array.flags.aligned:
            array = np.require(array, np.float32, ["C", "ALIGNED"])
        return self._shaped(array)

    def _shaped(self, array: Any) -> Any:
        if array.ndim != 2:
            raise RuntimeError("External vectors must be a 2D array")
        if array.shape[1] != self._dim:
            raise RuntimeError(f"External vectors dimension mismatch (got {array.shape[1]}, "
                               f"expected {self._dim})")
        return array

    def _add(self, graph: Graph, labels: Any, vectors: Any, threads: int) -> None:
        if self._external is None:
            super()._add(graph, labels, vectors, threads)
            return
        count = len(self._external)
        if len(labels) and int(labels.max()) >= count:
            raise RuntimeError(f"Label {int(labels.max())} has no row in external vectors of "
                               f"{count} rows")
        self._compare(labels, vectors)
        room = self._room(graph)
        fresh = ~graph.contains(labels)
        _, firsts = np.unique(labels, return_index=True)
        once = np.zeros(len(labels), np.bool_)
        once[firsts] = True
        new = labels[fresh & once]
        graph.build(new[:room], threads=threads)
        if len(new) > room:
            raise RuntimeError(FULL)
        if not fresh.all():
            graph.set(labels[~fresh], threads=threads)

    def _compare(self, labels: Any, vectors: Any) -> None:
        """What add_items is given is in the array already; a sample is looked at."""
        at = np.unique(np.linspace(0, len(labels) - 1, SAMPLE).astype(np.int64))
        there = self._external[labels[at].astype(np.int64)]
        there = there.view(np.float16) if there.dtype == np.uint16 else there
        there, given = there.astype(np.float32), vectors[at]
        if self._space == "cosine":
            there, given = normalised(there), normalised(given)
        if there.shape == given.shape and not np.allclose(there, given, rtol=1e-2, atol=1e-3):
            raise RuntimeError("data differs from the rows of external vectors that its labels "
                               "name")

    def set_external_vectors(self, external_vectors: Any) -> None:
        array = self._floats(external_vectors)
        self._attach(RowsByKey(array), array)

    def set_external_vectors_fp16(self, external_vectors: Any) -> None:
        """float16, or its view as uint16; converted when they are looked at."""
        array = np.asarray(external_vectors)
        if array.dtype not in (np.dtype(np.uint16), np.dtype(np.float16)):
            raise TypeError("set_external_vectors_fp16(): incompatible function arguments")
        if array.ndim == 2 and (array.strides[1] != 2 or not array.flags.aligned):
            array = np.require(array, None, ["C", "ALIGNED"])
        array = self._shaped(array)
        self._attach(RowsByKey(array, "f16"), array)

    def _attach(self, rows: RowsByKey, array: Any) -> None:
        """Too few rows are found out now, not by a search."""
        graph = self._graph
        with runtime_errors():
            if graph is None:
                if self._waiting is None:
                    raise RuntimeError("Index not initialized")
                data = self._waiting
                ef, threads = self._ef, self.num_threads
                self._load(ffi.from_buffer(data), len(data), head_of(data).max_elements, False,
                           rows, self._external_metric())
                self._ef, self.num_threads = ef, threads
                graph = self._graph
            elif not graph._external:
                raise RuntimeError("The index has vectors of its own")
            assert graph is not None
            labels = self.get_ids_list()
            if rows.pointer.order == ffi.NULL and labels and max(labels) >= len(array):
                raise RuntimeError(f"Label {max(labels)} has no row in external vectors of "
                                   f"{len(array)} rows")
            graph.set_vectors(rows, "key")
        self._external = array
        self._normalize = False

    def save_graph(self, path_to_graph: Any) -> None:
        """Links and labels, without vectors, in the fork's format."""
        graph = self._ready()
        with runtime_errors():
            graph.write_graph(path_to_graph, self._max_elements)

    def load_graph(self, path_to_graph: Any) -> None:
        """Searching waits for set_external_vectors."""
        try:
            whole = file_of_graph(path_to_graph, self._dim)
        except OSError as error:
            raise RuntimeError(f"Cannot open graph file: {error}") from error
        head = head_of(whole)
        self._graph = None
        self._forget()
        self._waiting = whole
        self._max_elements, self._m = head.max_elements, head.m
        self._ef_construction, self._ef = head.ef_construction, EF

    # ---- Mapped ----------------------------------------------------------------------------------

    def init_index_mmap(self, max_elements: int, mmap_path: Any, M: int = 16,
                        ef_construction: int = 200, random_seed: int = 100,
                        allow_replace_deleted: bool = False) -> None:
        """The index lies in a file that the system may page out: scratch, to be saved."""
        self._init(max_elements, M, ef_construction, random_seed, allow_replace_deleted,
                   path=mmap_path)

    def load_index_mmap(self, path_to_index: Any, read_only: bool = True) -> None:
        """Vectors stay in the mapped file; links and labels are read. read_only=False reads all
        of it, and changes stay in memory until save_index."""
        memory = self._mapped(path_to_index)
        if not read_only or (memory.size >= 96 and head_of(view_of(memory)).count == 0):
            self.load_index(path_to_index)
            return
        with runtime_errors(FormatError=CORRUPT, CorruptError=CORRUPT, MismatchError=CORRUPT):
            rows = mapped_rows(memory, self._dim)
            self._load(memory.address, memory.size, 0, False, rows)
            assert self._graph is not None
            self._graph._held().parts.append(memory)
        self._read_only, self._ef = True, EF


def view_of(memory: Memory) -> Any:
    return memoryview(ffi.buffer(memory.address, memory.size))


def mapped_rows(memory: Memory, dim: int) -> Any:
    """The vectors of a file of hnswlib where they are, by slot. The file has yet to be validated:
    a shape that does not fit it has no rows."""
    data = view_of(memory)
    head = head_of(data)
    start = 96 + head.offset_data
    inside = (head.count > 0 and head.size_data % 4 == 0 and head.offset_data % 4 == 0 and
              head.offset_data + 4 * dim <= head.size_data and
              head.size_data < memory.size and
              start + (head.count - 1) * head.size_data + 4 * dim <= memory.size)
    if not inside:
        return np.empty((0, dim), np.float32)
    flat = np.frombuffer(data, np.float32, (memory.size - start) // 4, start)
    return np.lib.stride_tricks.as_strided(flat, (head.count, dim), (head.size_data, 4),
                                           writeable=False)
