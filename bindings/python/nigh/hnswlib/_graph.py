# _graph.py - an index of nigh as hnswlib's classes need it: fixed room, hnswlib's files
# SPDX-License-Identifier: MIT OR Apache-2.0
import contextlib
from typing import Any, Callable, Iterator, Optional

from .. import _hosted as hosted
from .. import declarations as c
from .._core import RowsByKey
from .._handle import Handle
from .._index import Index
from .._library import NULL, Memory, callback, check, ffi, lib, made, path_of, with_message
from ._files import GraphWriter


class Graph(Index):
    """Room for max_elements and no more, until resize()."""

    @classmethod
    def make(cls, dim: int, metric: str, m: int, ef_build: int, seed: int, max_elements: int,
             rows: Any = None, path: Optional[Any] = None) -> "Graph":
        """An empty one. rows: its vectors, by label. path: a file for its memory."""
        self = cls(dim, metric, m=m, ef_build=ef_build, seed=seed & (2**64 - 1),
                   slot_max=max(1, max_elements), external=rows is not None)
        if rows is not None:
            self.set_vectors(rows, "key")
        handle = self._held()
        memory = None
        if path is not None:
            memory = file_memory(path, handle.grow_bytes(max(1, max_elements), 0))
            self._gate.only_here()
        handle.grow(max(1, max_elements), 0, memory)
        self._grows = False
        return self

    @classmethod
    def read(cls, address: Any, size: int, dim: int, metric: str, max_elements: int,
             rows: Any = None) -> "Graph":
        """From the bytes of a file of hnswlib. rows: its vectors are elsewhere, by label, or an
        array by slot."""
        from .._arrays import METRICS
        config = made("nigh_config", dim=dim, metric=METRICS[metric], dtype=c.NIGH_DTYPE_F32,
                      keys=c.NIGH_KEYS_U64,
                      vectors=(c.NIGH_VECTORS_OWNED if rows is None
                               else c.NIGH_VECTORS_EXTERNAL))
        about = made("nigh_hnswlib")
        check(lib.nigh_hnswlib_config(address, size, config, about), "Index")
        room = max(1, about.slot_count, max_elements)
        handle = Handle.new(config, room, upper_extra=about.upper_extra)
        handle.grow(room, 0)
        self = cls.__new__(cls)
        self._handle = None
        self._begin(handle, True)
        if rows is not None:
            self.set_vectors(rows, "key" if isinstance(rows, RowsByKey) else "slot")
        check(lib.nigh_hnswlib_read(handle.index, address, size), "Index")
        self._grows = False
        return self

    # ---- Files -----------------------------------------------------------------------------------

    def write_file(self, path: Any, max_elements: int) -> None:
        """A file of hnswlib, replaced at once or left as it was."""
        with replaced(path) as saver:
            self._write(ffi.cast("nigh_write_fn", ffi.addressof(lib, "nigh_save_write")), saver,
                        max_elements)

    def write_graph(self, path: Any, max_elements: int) -> None:
        """A graph file of the fork, likewise."""
        with replaced(path) as saver:
            writer = GraphWriter(lambda data: check(lib.nigh_save_write(
                saver, ffi.from_buffer(data), len(data)), "save"))
            self.write_to(writer.write, max_elements)
            writer.flush()

    def write_to(self, sink: Callable[[bytes], Any], max_elements: int) -> None:
        """The bytes of a file of hnswlib, piece by piece."""
        def take(user: Any, data: Any, count: int) -> int:
            sink(bytes(ffi.buffer(data, count)))
            return c.NIGH_OK
        self._write(callback("nigh_write_fn", take, c.NIGH_E_WRITE), NULL, max_elements)

    def _write(self, function: Any, user: Any, max_elements: int) -> None:
        with self._gate.alone():
            handle = self._held()
            with handle.session(64, c.NIGH_SESSION_READ) as session:
                check(lib.nigh_hnswlib_write(handle.index, session.pointer, 0, max_elements,
                                             function, user), "save")

    # ---- Room ------------------------------------------------------------------------------------

    def resize(self, max_elements: int) -> None:
        with self._gate.alone():
            handle = self._held()
            room = max(1, max_elements)
            if room != handle.slot_max:
                self._move(handle, room).grow(room, 0)

    def root(self) -> None:
        """A graph from a file of hnswlib gets its parent links before it is changed."""
        if self._held().config().build_flags & c.NIGH_BUILD_UNROOTED:
            with self._gate.alone():
                job = self._job("Index", max(512, self._config.ef_build), 0, None, None)
                self._plain_job(job, 0, kind=c.NIGH_JOB_ROOT)


@contextlib.contextmanager
def replaced(path: Any) -> Iterator[Any]:
    """A nigh_saver: the file is replaced at once when the block ends, or stays as it was."""
    saver = ffi.new("nigh_saver **")
    with_message(lib.nigh_save_begin, "save", path_of(path), saver)
    try:
        yield saver[0]
    except BaseException:
        lib.nigh_close(saver[0])
        raise
    with_message(lib.nigh_save_commit, "save", saver[0])


def file_memory(path: Any, size: int) -> Memory:
    """A new file of zeros, mapped. Its room on the disk is taken at once."""
    with_message(lib.nigh_python_reserve, "reserve", path_of(path), max(1, size))
    return Memory.mapped(path, hosted.NIGH_FILE_SHARED | hosted.NIGH_FILE_RANDOM)
