# _basic.py - hnswlib.Index as hnswlib itself has it; _index.py adds the fork's
# SPDX-License-Identifier: MIT OR Apache-2.0
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Set, Tuple, Union

import numpy as np

from .. import declarations as c
from .._arrays import KeyRoom, bitmap_of
from .._library import NULL, Memory, ffi
from .._library import threads as threads_here
from .._search import ONE_MAX, Allowed
from ..errors import DeletedError, ExistsError, NighError
from ._common import (CORRUPT, FULL, TOO_FEW, count_of, label_of, labels_of, normalised,
                      runtime_errors, space_of, threads_for, vectors_of, whole)
from ._files import deleted_labels, file_of_parts, head_of, parts_of
from ._graph import Graph

SER_VERSION = 1
NOT_FOUND = {"NotFoundError": "Label not found"}
NO_UPDATE = ("Can't use addPoint to update deleted elements if replacement of deleted elements is "
             "enabled.")
JOB_ROWS = 64  # fewer rows are not worth a job
EF_MAX = 65535
EF = 10  # of an index that is new, or was read from a file


def _rows_of_one(one: Any, session: Any) -> Tuple[Any, Any]:
    if one.call.found < one.call.k:
        raise RuntimeError(TOO_FEW)
    return one.keys.copy(), one.distances.copy()


class Basic:
    """Index(space, dim), or from the dict or the index of another one."""

    def __init__(self, space: Any = None, dim: Optional[int] = None, *,
                 params: Optional[Dict[str, Any]] = None, index: Optional["Basic"] = None) -> None:
        if dim is None and params is None and index is None:
            params, index, space = ((space, None, None) if isinstance(space, dict)
                                    else (None, space, None))
        if index is not None and isinstance(index, Basic):
            params = index._params()
        if params is not None:
            self._from_params(params)
        elif isinstance(space, str) and dim is not None:
            self._start(space, whole(dim, "dim", -2**31, 2**31 - 1))
        else:
            raise TypeError("Index(): incompatible constructor arguments")

    def _start(self, space: str, dim: int) -> None:
        self._metric, self._normalize = space_of(space)
        self._space, self._dim = space, dim
        self.num_threads = threads_here()
        self._ef: int = EF
        self._seed = 100
        self._graph: Optional[Graph] = None
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        """The state of an index that was not initiated."""
        self._max_elements: int = 0
        self._m: int = 0
        self._ef_construction: int = 0
        self._next_label = 0
        self._allow_replace = False
        self._deleted: Set[int] = set()  # labels; some may have been replaced since
        self._read_only = False

    def _ready(self) -> Graph:
        if self._graph is None:
            raise RuntimeError("The index is not initiated")
        return self._graph

    # ---- Begin -----------------------------------------------------------------------------------

    def init_index(self, max_elements: int, M: int = 16, ef_construction: int = 200,
                   random_seed: int = 100, allow_replace_deleted: bool = False) -> None:
        self._init(max_elements, M, ef_construction, random_seed, allow_replace_deleted)

    def _init(self, max_elements: int, M: int, ef_construction: int, random_seed: int,
              allow_replace_deleted: bool, metric: Optional[str] = None, **more: Any) -> None:
        if self._inited():
            raise RuntimeError("The index is already initiated.")
        max_elements, M = whole(max_elements, "max_elements"), whole(M, "M")
        ef_construction = whole(ef_construction, "ef_construction")
        random_seed = whole(random_seed, "random_seed")
        if M < 2:
            raise RuntimeError(f"M {M}, at least 2")
        with runtime_errors():
            self._graph = Graph.make(self._dim, metric or self._metric, M,
                                     max(ef_construction, M), random_seed, max_elements, **more)
        self._max_elements, self._m = max_elements, M
        self._ef_construction = max(ef_construction, M)
        self._seed, self._next_label = random_seed, 0
        self._allow_replace = allow_replace_deleted

    def _inited(self) -> bool:
        return self._graph is not None

    # ---- Add -------------------------------------------------------------------------------------

    def add_items(self, data: Any, ids: Any = None, num_threads: int = -1,
                  replace_deleted: bool = False) -> None:
        """Known labels get new vectors. NaN and infinity are refused."""
        graph = self._writable()
        vectors = vectors_of(data, self._dim)
        rows = len(vectors)
        threads = threads_for(count_of(num_threads), self.num_threads, rows)
        if replace_deleted and not self._allow_replace:
            raise RuntimeError("Replacement of deleted elements is disabled in constructor")
        with self._lock:
            first = self._next_label
            labels = (labels_of(ids, rows) if ids is not None
                      else np.arange(first, first + rows, dtype=np.uint64))
            if rows == 0:
                return
            if self._normalize:
                vectors = normalised(vectors)
            with runtime_errors(FullError=FULL, UnsupportedError=FULL):
                graph.root()
                self._make_room(graph, rows)
                put = self._replace if replace_deleted else self._add
                put(graph, labels, vectors, threads)
            self._next_label += rows

    def _writable(self) -> Graph:
        graph = self._ready()
        if self._read_only:
            raise RuntimeError("The index was mapped read-only")
        return graph

    def _make_room(self, graph: Graph, rows: int) -> None:
        """A file may say a large max_elements: memory for it comes when it is needed."""
        if self._max_elements == 0:
            raise RuntimeError(FULL)
        room, count = graph._held().slot_max, self._count()
        need = min(self._max_elements, count + rows)
        if need > room:
            graph.resize(min(self._max_elements, max(need, 2 * room)))

    def _room(self, graph: Graph) -> int:
        return max(0, self._max_elements - int(graph._held().stats().slot_count))

    def _add(self, graph: Graph, labels: Any, vectors: Any, threads: int) -> None:
        """A job as long as labels are new: it is faster and gives the same graph each time."""
        done = 0
        if self._deleted and self._allow_replace:
            self._refuse_deleted(graph, labels)
        many = labels[:min(len(labels), self._room(graph))]
        if len(many) >= JOB_ROWS:
            try:
                done = graph.build(many, vectors[:len(many)], threads=threads)
            except (ExistsError, DeletedError) as error:
                done = error.done
        if done < len(labels):
            graph.set(labels[done:], vectors[done:], threads=threads)
        if self._deleted:
            self._deleted.difference_update(labels.tolist())

    def _refuse_deleted(self, graph: Graph, labels: Any) -> None:
        for label in self._deleted.intersection(labels.tolist()):
            if self._is_deleted(graph, label):
                raise RuntimeError(NO_UPDATE)

    def _is_deleted(self, graph: Graph, label: int) -> bool:
        return graph._read(graph._keys.rows(label), NULL, NULL)[0] == c.NIGH_E_DELETED

    def _replace(self, graph: Graph, labels: Any, vectors: Any, threads: int) -> None:
        """New labels take the places of deleted ones, known ones stay where they are."""
        if self._deleted:
            self._refuse_deleted(graph, labels)
        known = graph.contains(labels)
        _, firsts = np.unique(labels, return_index=True)
        again = np.ones(len(labels), np.bool_)
        again[firsts] = False
        fresh = ~known & ~again
        if fresh.any():
            graph.add(labels[fresh], vectors[fresh], replace_removed=True, threads=threads)
        if not fresh.all():
            graph.set(labels[~fresh], vectors[~fresh], threads=threads)

    # ---- Search ----------------------------------------------------------------------------------

    def knn_query(self, data: Any, k: int = 1, num_threads: int = -1,
                  filter: Optional[Callable[[int], bool]] = None) -> Tuple[Any, Any]:
        """Labels and distances, rows of k. A filter that is asked often is asked once for each
        label instead; it should answer the same each time."""
        graph = self._ready()
        if filter is None and 0 < k <= ONE_MAX:
            data = np.asarray(data)
            if data.size == self._dim and data.shape in ((self._dim,), (1, self._dim)):
                return self._knn_of_one(graph, data, k)
        vectors = vectors_of(data, self._dim)
        if k < 0:
            raise TypeError("knn_query(): incompatible function arguments")
        if self._normalize:
            vectors = normalised(vectors)
        rows = len(vectors)
        threads = threads_for(num_threads, self.num_threads, rows)
        if k > EF_MAX:
            raise RuntimeError(TOO_FEW)
        ef = max(1, min(max(self._ef, k), EF_MAX))
        room, found = KeyRoom(graph._keys, rows * k), np.zeros(rows, np.uint32)
        distances = np.empty((rows, k), np.float32)
        if rows and k:
            try:
                chosen = None if filter is None else self._chosen(graph, filter, rows, ef)
                graph._run(graph._held(), graph._layout.rows(vectors),
                           graph._options(ef, 0.0, None, False, True, 0, 1, 0), k, ef, chosen,
                           threads, room, distances, None, found)
            except NighError as error:
                raise RuntimeError(str(error)) from error
            if int(found.min()) < k:
                raise RuntimeError(TOO_FEW)
        return room.array.reshape(rows, k), distances

    def _knn_of_one(self, graph: Graph, vector: Any, k: int) -> Tuple[Any, Any]:
        if self._normalize:
            vector = normalised(vectors_of(vector, self._dim))
        ef = self._ef
        ef = max(1, min(ef if ef > k else k, EF_MAX))
        try:
            found: Tuple[Any, Any] = graph._single(
                vector if vector.ndim == 1 else vector[0], k,
                (ef, 0.0, None, False, True, 0, 1, 0), _rows_of_one)
        except NighError as error:
            raise RuntimeError(str(error)) from error
        return found

    def _chosen(self, graph: Graph, filter: Callable[[int], bool], queries: int, ef: int) -> Any:
        """A walk asks about each node that it sees, some ten for each of ef."""
        if queries * ef * 10 < len(graph):
            return graph._filter(filter)
        labels, slots = graph._keys_slots()
        mask = np.zeros(int(graph._held().stats().slot_count), np.bool_)
        allowed = np.fromiter((bool(filter(label)) for label in labels.tolist()), np.bool_,
                              len(labels))
        inside = slots < len(mask)
        mask[slots[inside]] = allowed[inside]
        return Allowed(bitmap_of(mask), max(1, len(mask)))

    # ---- Read ------------------------------------------------------------------------------------

    def get_items(self, ids: Any = None, return_type: str = "numpy") -> Any:
        if return_type not in ("numpy", "list"):
            raise ValueError('return_type should be "numpy" or "list"')
        labels = np.empty(0, np.uint64)
        if ids is not None:
            array = np.asarray(ids, np.uint64)
            if array.ndim == 0:
                raise ValueError("get_items accepts a list of indices and returns a list of "
                                 "vectors")
            labels = array.reshape(-1)[:len(array)]
        graph = self._ready() if len(labels) else None
        if graph is None:
            return [] if return_type == "list" else np.empty(0, np.float32)
        with runtime_errors(DeletedError="Label not found", **NOT_FOUND):
            rows = graph.get(labels)
        return rows.tolist() if return_type == "list" else rows

    def get_ids_list(self) -> List[int]:
        """Deleted ones too."""
        graph = self._ready()
        ids: List[int] = graph.keys().tolist()
        self._deleted = {label for label in self._deleted if self._is_deleted(graph, label)}
        return ids + sorted(self._deleted)

    def get_max_elements(self) -> int:
        self._known()
        return self._max_elements

    def get_current_count(self) -> int:
        """Deleted ones too."""
        self._known()
        return self._count()

    def _known(self) -> None:
        if not self._inited():
            raise RuntimeError("The index is not initiated")

    def _count(self) -> int:
        return 0 if self._graph is None else int(self._graph._held().stats().slot_count)

    # ---- Change ----------------------------------------------------------------------------------

    def mark_deleted(self, label: int) -> None:
        graph, number = self._writable(), label_of(label)
        with runtime_errors(DeletedError="The requested to delete element is already deleted",
                            **NOT_FOUND):
            graph.remove(number)
        self._deleted.add(number)

    def unmark_deleted(self, label: int) -> None:
        graph, number = self._writable(), label_of(label)
        with runtime_errors(ExistsError="The requested to undelete element is not deleted",
                            **NOT_FOUND):
            graph.unremove(number)
        self._deleted.discard(number)

    def resize_index(self, new_size: int) -> None:
        graph, new_size = self._writable(), whole(new_size, "new_size")
        if new_size < self._count():
            raise RuntimeError("Cannot resize, max element is less than the current number of "
                               "elements")
        with runtime_errors():
            graph.resize(new_size)
        self._max_elements = new_size

    def set_ef(self, ef: int) -> None:
        self.ef = ef

    def set_num_threads(self, num_threads: int) -> None:
        self.num_threads = num_threads

    # ---- Files -----------------------------------------------------------------------------------

    def index_file_size(self) -> int:
        graph = self._ready()
        stats = graph._held().stats()
        m, m0 = graph._config.m, graph._config.m0
        record = 4 * m0 + 4 + 4 * self._dim + 8
        return int(96 + stats.slot_count * (record + 4) + stats.upper_count * (4 * m + 4))

    def save_index(self, path_to_index: Any) -> None:
        """Unlike hnswlib's it replaces the file at once, and a failed write is an error."""
        graph = self._ready()
        with runtime_errors():
            graph.write_file(path_to_index, self._max_elements)

    def load_index(self, path_to_index: Any, max_elements: int = 0,
                   allow_replace_deleted: bool = False) -> None:
        max_elements = whole(max_elements, "max_elements")
        memory = self._mapped(path_to_index)
        with runtime_errors(FormatError=CORRUPT, CorruptError=CORRUPT, MismatchError=CORRUPT):
            self._load(memory.address, memory.size, max_elements, allow_replace_deleted)
        self._ef = EF

    def _mapped(self, path: Any) -> Memory:
        if self._inited():
            print("Warning: Calling load_index for an already inited index. Old index is being "
                  "deallocated.", file=sys.stderr)
        try:
            return Memory.mapped(path, 0)
        except NighError as error:
            raise RuntimeError(f"Cannot open file: {error}") from error

    def _load(self, address: Any, size: int, max_elements: int, allow_replace: bool,
              rows: Any = None, metric: Optional[str] = None) -> None:
        """The old index stays when the file is refused."""
        data = memoryview(ffi.buffer(address, size))
        graph = Graph.read(address, size, self._dim, metric or self._metric, max_elements, rows)
        head = head_of(data)
        if max_elements < head.count:
            max_elements = max(head.max_elements, head.count)
        self._forget()
        self._graph = graph
        self._max_elements, self._next_label = max_elements, head.count
        self._m, self._ef_construction = head.m, head.ef_construction
        self._allow_replace = allow_replace
        self._deleted = set(deleted_labels(data, head))

    # ---- Copies ----------------------------------------------------------------------------------

    def _file_bytes(self) -> bytearray:
        out = bytearray()
        with runtime_errors():
            self._ready().write_to(out.extend, self._max_elements)
        return out

    def _params(self) -> Dict[str, Any]:
        params: Dict[str, Any] = {
            "ser_version": SER_VERSION, "space": self._space, "dim": self._dim,
            "index_inited": self._inited(), "ep_added": self._count() > 0 or not self._inited(),
            "normalize": self._normalize, "num_threads": self.num_threads, "seed": self._seed,
            "ef": self._ef}
        if self._inited():
            params.update(parts_of(self._file_bytes()),
                          has_deletions=bool(self._ready()._held().stats().deleted_count),
                          allow_replace_deleted=self._allow_replace)
        return params

    def _from_params(self, params: Dict[str, Any]) -> None:
        try:
            if params["ser_version"] > SER_VERSION:
                raise RuntimeError("Unpickle Error: Invalid serialization version!")
            self._start(params["space"], params["dim"])
            self._seed, self.num_threads = params["seed"], params["num_threads"]
            self._ef = params["ef"]
            inited = bool(params["index_inited"])
        except (KeyError, TypeError, ValueError) as error:
            raise RuntimeError(f"Unpickle Error: {error}") from None
        try:
            self._from_parts(params, inited)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RuntimeError(f"Unpickle Error: {error}") from None

    def _from_parts(self, params: Dict[str, Any], inited: bool) -> None:
        if inited and params.get("cur_element_count", 0) == 0:
            self._init(params["max_elements"], params["M"], params["ef_construction"],
                       self._seed, params.get("allow_replace_deleted", False))
        elif inited:
            data = file_of_parts(params)
            with runtime_errors(FormatError="Unpickle Error", CorruptError="Unpickle Error",
                                MismatchError="Unpickle Error"):
                self._load(ffi.from_buffer(data), len(data), params["max_elements"],
                           params.get("allow_replace_deleted", False))

    def __getstate__(self) -> Tuple[Dict[str, Any]]:
        return (self._params(),)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 1:
            raise RuntimeError("Invalid state!")
        self._from_params(state[0])

    def __repr__(self) -> str:
        return f"<hnswlib.Index(space='{self._space}', dim={self._dim})>"

    # ---- Properties ------------------------------------------------------------------------------

    @property
    def space(self) -> str:
        return self._space

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def ef(self) -> int:
        return self._ef

    @ef.setter
    def ef(self, value: Union[int, Any]) -> None:
        self._ef = whole(value, "ef")

    @property
    def num_threads(self) -> int:
        return self._num_threads

    @num_threads.setter
    def num_threads(self, value: Any) -> None:
        self._num_threads = count_of(value)

    @property
    def max_elements(self) -> int:
        return self._max_elements

    @property
    def element_count(self) -> int:
        return self._count()

    @property
    def ef_construction(self) -> int:
        return self._ef_construction

    @property
    def M(self) -> int:
        return self._m
