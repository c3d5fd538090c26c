# _sharded.py - ShardedIndex of the fork hnswlib-mmap: graphs of parts, searched together
# SPDX-License-Identifier: MIT OR Apache-2.0
import dataclasses
import os
import struct
from typing import Any, List, Tuple

import numpy as np

from .._core import RowsByKey
from .._library import threads as threads_here
from ._common import space_of, vectors_of
from ._index import Index

META = struct.Struct("<3Q")
INDEX_META = struct.Struct("<I 6Q")
INDEX_MAGIC = 0x53484458
SEED = 100  # of shard 0


@dataclasses.dataclass
class Shard:
    """Labels 0.. of a shard are those from `start` on of the whole."""

    start: int
    index: Index


class ShardedIndex:
    """Shards are built one after another, each from its own vectors, and searched together over an
    array of all. Graphs are read into memory: use_mmap_graphs and n_ram_shards change nothing."""

    def __init__(self, space: str, dim: int) -> None:
        space_of(space)
        self.space, self.dim = space, int(dim)
        self.num_threads = threads_here()
        self._ef = 50
        self._shards: List[Shard] = []
        self._total = self._n_shards = 0
        self._global_labels = False

    # ---- Build -----------------------------------------------------------------------------------

    def build_shard(self, vectors: Any, output_dir: Any, shard_idx: int, start_idx: int, M: int = 8,
                    ef_construction: int = 200, num_threads: int = -1) -> None:
        array = np.ascontiguousarray(vectors, np.float32)
        if array.ndim != 2:
            raise RuntimeError("Vectors must be a 2D array")
        if array.shape[1] != self.dim:
            raise RuntimeError("Vector dimension mismatch")
        index = Index(self.space, self.dim)
        index.init_index_graph_only(len(array), array, M, ef_construction, SEED + shard_idx)
        index.add_items(array, num_threads=num_threads if num_threads > 0 else self.num_threads)
        os.makedirs(output_dir, exist_ok=True)
        index.save_graph(_path(output_dir, shard_idx, "graph"))
        with open(_path(output_dir, shard_idx, "meta"), "wb") as file:
            file.write(META.pack(start_idx, start_idx + len(array), len(array)))

    def save_metadata(self, output_dir: Any, n_shards: int, total_elements: int, M: int,
                      ef_construction: int) -> None:
        name = self.space.encode()
        with open(os.path.join(output_dir, "index.meta"), "wb") as file:
            file.write(INDEX_META.pack(INDEX_MAGIC, n_shards, total_elements, self.dim, M,
                                       ef_construction, len(name)) + name)
        self._n_shards, self._total = n_shards, total_elements

    # ---- Load ------------------------------------------------------------------------------------

    def load_shards(self, output_dir: Any, external_vectors: Any, n_shards: int) -> None:
        array = np.asarray(external_vectors)
        if array.dtype != np.float32:
            array = array.astype(np.float32)
        self._check(array)
        self._load(output_dir, n_shards, len(array), lambda index, start, end:
                   index.set_external_vectors(array[start:end]))

    def load_shards_fp16(self, output_dir: Any, external_vectors: Any, n_shards: int,
                         use_mmap_graphs: bool = False) -> None:
        array = np.asarray(external_vectors)
        self._check(array)
        self._load(output_dir, n_shards, len(array), lambda index, start, end:
                   index.set_external_vectors_fp16(array[start:end]))

    def load_shards_pq(self, output_dir: Any, pq_codes: Any, codebooks: Any, n_shards: int,
                       n_subvectors: int, n_centroids: int, subvector_dim: int,
                       use_mmap_graphs: bool = False, n_ram_shards: int = 0,
                       sort_order: Any = None) -> None:
        """Distances are those of the vectors that the codes stand for."""
        codes = np.asarray(pq_codes)
        books = np.ascontiguousarray(codebooks, np.float32)
        if codes.ndim != 2 or codes.dtype != np.uint8 or codes.strides[1] != 1:
            raise RuntimeError("PQ codes must be a 2D array (n_vectors, n_subvectors)")
        if codes.shape[1] != n_subvectors:
            raise RuntimeError(f"PQ codes dimension mismatch (got {codes.shape[1]}, expected "
                               f"{n_subvectors})")
        if books.shape != (n_subvectors, n_centroids, subvector_dim):
            raise RuntimeError("Codebooks shape mismatch")
        if n_subvectors * subvector_dim != self.dim:
            raise RuntimeError("PQ dimension mismatch: n_subvectors * subvector_dim "
                               f"({n_subvectors * subvector_dim}) != dim ({self.dim})")
        order = None if sort_order is None else np.ascontiguousarray(sort_order, np.int64)
        if order is not None and order.shape != (len(codes),):
            raise RuntimeError("sort_order length must match number of vectors")

        def attach(index: Index, start: int, end: int) -> None:
            if order is None:
                rows = RowsByKey(codes[start:end], "pq", books)
            else:
                rows = RowsByKey(codes, "pq", books, order, start)
            index._attach(rows, codes[start:end])
        self._load(output_dir, n_shards, len(codes), attach)

    def _check(self, array: Any) -> None:
        if array.ndim != 2:
            raise RuntimeError("External vectors must be a 2D array")
        if array.shape[1] != self.dim:
            raise RuntimeError("Vector dimension mismatch")

    def _load(self, output_dir: Any, n_shards: int, rows: int, attach: Any) -> None:
        shards: List[Shard] = []
        for number in range(n_shards):
            path = _path(output_dir, number, "meta")
            try:
                with open(path, "rb") as file:
                    start, end, count = META.unpack(file.read(META.size))
            except (OSError, struct.error) as error:
                raise RuntimeError(f"Cannot open shard metadata: {path}") from error
            if end - start != count or end > rows:
                raise RuntimeError(f"Shard {number} has elements {start} to {end} of {rows}")
            index = Index(self.space, self.dim)
            index.load_graph(_path(output_dir, number, "graph"))
            attach(index, *((0, rows) if self._global_labels else (start, end)))
            shards.append(Shard(start, index))
        self._shards, self._n_shards, self._total = shards, n_shards, rows

    # ---- Search ----------------------------------------------------------------------------------

    def knn_query(self, data: Any, k: int = 1, num_threads: int = -1) -> Tuple[Any, Any]:
        """Indices into the array of all vectors, and distances."""
        return self._query(data, self._shards, k, num_threads)

    def knn_query_selective(self, data: Any, shard_ids: Any, k: int = 1,
                            num_threads: int = -1) -> Tuple[Any, Any]:
        """Only these shards; numbers of shards that do not exist are passed over."""
        chosen = [self._shards[number] for number in np.asarray(shard_ids).reshape(-1).tolist()
                  if 0 <= number < len(self._shards)]
        return self._query(data, chosen, k, num_threads)

    def _query(self, data: Any, shards: List[Shard], k: int,
               num_threads: int) -> Tuple[Any, Any]:
        queries = vectors_of(data, self.dim)
        if not shards:
            raise RuntimeError("No shard to search")
        parts = []
        for shard in shards:
            shard.index.ef, shard.index.num_threads = self._ef, self.num_threads
            labels, distances = shard.index.knn_query(
                queries, min(k, shard.index.get_current_count()), num_threads)
            offset = 0 if self._global_labels else shard.start
            parts.append((labels + np.uint64(offset), distances))
        labels = np.concatenate([part[0] for part in parts], axis=1)
        distances = np.concatenate([part[1] for part in parts], axis=1)
        if labels.shape[1] < k:
            raise RuntimeError("Cannot return the results in a contiguous 2D array. Probably ef "
                               "or M is too small")
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(labels, order, 1), np.take_along_axis(distances, order, 1)

    def set_ef(self, ef: int) -> None:
        self._ef = int(ef)

    def set_num_threads(self, num_threads: int) -> None:
        self.num_threads = num_threads

    def set_labels_are_global(self, value: bool) -> None:
        """Labels in the graphs are indices into the whole already. To be told before loading."""
        self._global_labels = bool(value)

    def get_total_elements(self) -> int:
        return self._total

    def get_num_shards(self) -> int:
        return self._n_shards

    @property
    def ef(self) -> int:
        return self._ef

    @ef.setter
    def ef(self, value: int) -> None:
        self._ef = int(value)

    def __repr__(self) -> str:
        return (f"<hnswlib.ShardedIndex(space='{self.space}', dim={self.dim}, "
                f"shards={self._n_shards}, elements={self._total})>")


def _path(folder: Any, number: int, ending: str) -> str:
    return os.path.join(os.fspath(folder), f"shard_{number}.{ending}")
