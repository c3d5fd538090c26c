# _brute.py - hnswlib.BFIndex: every vector is looked at
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import struct
import sys
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from .._library import ffi, lib, path_of, with_message
from .._library import threads as threads_here
from ._common import (CORRUPT, FULL, TOO_FEW, label_of, labels_of, normalised, runtime_errors,
                      space_of, vectors_of)

HEAD = struct.Struct("<3Q")
WORK_BYTES = 1 << 26  # of distances at a time
MARGIN = 4e-6         # relative error of a distance from dot products, generously


def finite(vectors: Any) -> Any:
    if not np.isfinite(vectors).all():
        raise RuntimeError("a vector holds NaN or infinity")
    return vectors


class BFIndex:
    """A table of vectors and labels, in memory as in hnswlib's file."""

    def __init__(self, space: str, dim: int) -> None:
        self._metric, self._normalize = space_of(space)
        self.space, self.dim = space, int(dim)
        self.num_threads = threads_here()
        self._record = np.dtype([("vector", "<f4", (self.dim,)), ("label", "<u8")])
        self._table: Any = None
        self._count = self._next_label = 0
        self._rows: Dict[int, int] = {}  # by label

    def init_index(self, max_elements: int) -> None:
        if self._table is not None:
            raise RuntimeError("The index is already initiated.")
        self._table = np.zeros(max_elements, self._record)

    def _ready(self) -> Any:
        if self._table is None:
            raise RuntimeError("The index is not initiated")
        return self._table

    def add_items(self, data: Any, ids: Any = None) -> None:
        table, vectors = self._ready(), finite(vectors_of(data, self.dim))
        first = self._next_label
        labels = (labels_of(ids, len(vectors)) if ids is not None
                  else np.arange(first, first + len(vectors), dtype=np.uint64))
        if self._normalize:
            vectors = normalised(vectors)
        places = np.empty(len(labels), np.int64)
        known, count = self._rows, self._count
        for at, label in enumerate(labels.tolist()):
            place = known.get(label, -1)
            if place < 0:
                if count >= len(table):
                    self._store(places[:at], vectors[:at], labels[:at], count)
                    raise RuntimeError(FULL + "\n")
                place = known[label] = count
                count += 1
            places[at] = place
        self._store(places, vectors, labels, count)
        self._next_label += len(labels)

    def _store(self, places: Any, vectors: Any, labels: Any, count: int) -> None:
        self._table["vector"][places] = vectors
        self._table["label"][places] = labels
        self._count = count

    def delete_vector(self, label: int) -> None:
        """The last one takes its place. An unknown label is nothing to do."""
        table, place = self._ready(), self._rows.pop(label_of(label), -1)
        if place < 0:
            return
        self._count -= 1
        if place != self._count:
            table[place] = table[self._count]
            self._rows[int(table[place]["label"])] = place

    def knn_query(self, data: Any, k: int = 1, num_threads: int = -1,
                  filter: Optional[Callable[[int], bool]] = None) -> Tuple[Any, Any]:
        """Dot products choose the candidates, and more than k of them for their rounding; the
        candidates' distances are then computed as they are defined."""
        table, queries = self._ready(), finite(vectors_of(data, self.dim))
        queries = normalised(queries) if self._normalize else queries
        rows = np.arange(self._count)
        if filter is not None:
            labels = table["label"][:self._count].tolist()
            rows = np.flatnonzero(np.fromiter((bool(filter(label)) for label in labels), np.bool_,
                                              self._count))
        if len(rows) < k and len(queries):
            raise RuntimeError(TOO_FEW)
        vectors = table["vector"][:self._count]
        vectors = np.ascontiguousarray(vectors if len(rows) == len(vectors) else vectors[rows])
        found = np.empty((len(queries), k), np.int64)
        distances = np.empty((len(queries), k), np.float32)
        step = max(1, WORK_BYTES // (4 * max(1, len(vectors))))
        if k:
            norms = np.einsum("ij,ij->i", vectors, vectors)
            for first in range(0, len(queries), step):
                part = slice(first, first + step)
                self._nearest(queries[part], vectors, norms, k, found[part], distances[part])
        return table["label"][rows[found]] if k else np.empty((len(queries), 0), np.uint64), \
            distances

    def _nearest(self, queries: Any, vectors: Any, norms: Any, k: int, found: Any,
                 distances: Any) -> None:
        dots = queries @ vectors.T
        own = np.einsum("ij,ij->i", queries, queries)
        if self._metric == "l2":
            rough = norms[None, :] - 2 * dots + own[:, None]
            error = MARGIN * (own + norms.max())
        else:
            rough = 1 - dots
            error = MARGIN * (1 + np.sqrt(own * norms.max()))
        for q, row in enumerate(rough):
            limit = np.partition(row, k - 1)[k - 1] + 2 * error[q]
            # sums that overflow say nothing: then all of them are candidates
            near = np.flatnonzero(row <= limit) if np.isfinite(limit) else np.arange(len(row))
            exact = self._exact(queries[q], vectors[near])
            order = np.argsort(exact, kind="stable")[:k]
            found[q], distances[q] = near[order], exact[order]

    def _exact(self, query: Any, vectors: Any) -> Any:
        if self._metric == "l2":
            apart = vectors - query
            return np.einsum("ij,ij->i", apart, apart)
        return np.float32(1) - vectors @ query

    def save_index(self, path_to_index: Any) -> None:
        table = self._ready()
        saver = ffi.new("nigh_saver **")
        head = HEAD.pack(len(table), self._record.itemsize, self._count)
        with runtime_errors():
            with_message(lib.nigh_save_begin, "save", path_of(path_to_index), saver)
            lib.nigh_save_write(saver[0], ffi.from_buffer(head), len(head))
            if table.nbytes:
                lib.nigh_save_write(saver[0], ffi.cast("void *", table.ctypes.data), table.nbytes)
            with_message(lib.nigh_save_commit, "save", saver[0])

    def load_index(self, path_to_index: Any, max_elements: int = 0) -> None:
        if self._table is not None:
            print("Warning: Calling load_index for an already inited index. Old index is being "
                  "deallocated.", file=sys.stderr)
        try:
            size = os.path.getsize(path_to_index)
            with open(path_to_index, "rb") as file:
                head = file.read(HEAD.size)
                if len(head) < HEAD.size:
                    raise RuntimeError(CORRUPT)
                room, record, count = HEAD.unpack(head)
                # hnswlib trusts the file; here its size must be what it says
                if record != self._record.itemsize or count > room or \
                        room * record != size - HEAD.size:
                    raise RuntimeError(CORRUPT)
                table = np.fromfile(file, self._record, room)
        except OSError as error:
            raise RuntimeError(f"Cannot open file: {error}") from error
        labels = table["label"][:count].tolist()
        rows = {label: row for row, label in enumerate(labels)}
        if len(rows) != count:
            raise RuntimeError(CORRUPT)
        if max_elements > room:
            table = np.concatenate([table, np.zeros(max_elements - room, self._record)])
        self._table, self._count, self._next_label, self._rows = table, count, count, rows

    def get_max_elements(self) -> int:
        return len(self._ready())

    def get_current_count(self) -> int:
        self._ready()
        return self._count

    def set_num_threads(self, num_threads: int) -> None:
        """numpy's threads search."""
        self.num_threads = num_threads

    def __repr__(self) -> str:
        return f"<hnswlib.BFIndex(space='{self.space}', dim={self.dim})>"
