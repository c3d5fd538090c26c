# _index.py - an index: made, opened, saved, pickled, closed
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import struct
from typing import Any, Callable, Optional, Tuple

from . import declarations as c
from ._core import OPEN_FLAGS, VectorSource, config_of, distance_callback
from ._handle import SLOTS_MAX, Handle, expect_slots
from ._arrays import Layout
from ._library import Memory, check, ffi, lib, path_of, with_message
from ._work import Work
from .errors import InvalidError, UnsupportedError

SLOT_COUNT_AT = 88  # docs/FORMAT.md


def slots_for(count: int) -> int:
    """Room for a table of a handle that will grow."""
    return min(SLOTS_MAX, max(4096, 2 * count))


def same_file(path: Any, other: Any) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


class Index(Work):
    """Nearest-neighbour search over vectors with keys.

    dim: elements of a vector. metric: 'l2' (squared), 'ip' (1 - dot product), 'cosine' (1 - cos),
    'l1', 'hamming' (dtype 'b1'), or a function of two rows. dtype: 'f32', 'f16', 'bf16', 'i8'
    (a scale and zero point each), 'u8', 'b1'. keys: 'u64', 'str', 'bytes', or 'identity' (0, 1,
    2 in the order of insertion; nothing is stored). m, ef_build, alpha, seed, codes, ...: see
    nigh_config in nigh.h. capacity: room made at once; the index grows by itself. vectors: an
    array or a function, see set_vectors(); the index then keeps none itself.

    Any number of threads may search, add, set and remove at once. with Index(...) as index: closes
    it; what is not saved is gone then."""

    def __init__(self, dim: int, metric: Any = "l2", dtype: Any = "f32", *, keys: str = "u64",
                 codes: Optional[str] = None, capacity: int = 0,
                 vectors: Optional[VectorSource] = None, vectors_by: str = "slot",
                 external: bool = False, m: int = 0, m0: int = 0, ef_build: int = 0,
                 expansions: int = 0, alpha: float = 0.0, seed: int = 0, block_bytes: int = 0,
                 key_bytes_max: int = 0, keep_pruned: bool = False, exact_build: bool = False,
                 code_span: Optional[Tuple[float, float]] = None,
                 slot_max: Optional[int] = None) -> None:
        self._handle = None
        function: Optional[Callable[[Any, Any], float]] = metric if callable(metric) else None
        external = external or vectors is not None
        config = config_of(dim, "custom" if function else metric, dtype, keys, codes, external,
                           {"m": m, "m0": m0, "ef_build": ef_build, "expansions": expansions,
                            "alpha": alpha, "seed": seed, "block_bytes": block_bytes,
                            "key_bytes_max": key_bytes_max, "keep_pruned": keep_pruned,
                            "exact_build": exact_build, "code_span": code_span})
        expect_slots(capacity)
        handle = Handle.new(config, slot_max or slots_for(capacity))
        self._begin(handle, keys == "str")
        if function is not None:
            self._distance = distance_callback(function, self._layout)
            self._equip(handle)
        if vectors is not None:
            self.set_vectors(vectors, vectors_by)
        if capacity:
            with self._gate.alone():
                self._grow(handle, capacity, 0)

    # ---- Open ------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Any, mode: str = "r", *, vectors: Optional[VectorSource] = None,
             vectors_by: str = "slot", keys: Optional[str] = None,
             distance: Optional[Callable[[Any, Any], float]] = None, verify: bool = False,
             unsealed: bool = False) -> "Index":
        """Maps an index file and uses it where it lies. mode 'r': read-only, shared with other
        processes. 'w': may be changed in memory, the file stays until save(). 'r+': changed in
        place, by one process; close() or flush() makes the file whole. verify: every block's
        checksum. unsealed: takes a file that was left in the middle of changes, for check().
        keys='bytes': byte-string keys as bytes, not str."""
        if mode not in OPEN_FLAGS:
            raise InvalidError(f"mode {mode!r}, expected 'r', 'w' or 'r+'", c.NIGH_E_INVALID)
        memory = Memory.mapped(path, OPEN_FLAGS[mode])
        slot_max = 0
        if mode == "w" and memory.size >= SLOT_COUNT_AT + 4:
            head = bytes(ffi.buffer(memory.address, SLOT_COUNT_AT + 4))
            count, = struct.unpack_from("<I", head, SLOT_COUNT_AT)
            slot_max = slots_for(count)
        flags = (c.NIGH_OPEN_WRITABLE if mode != "r" else 0) | (
            c.NIGH_OPEN_VERIFY if verify else 0) | (c.NIGH_OPEN_UNSEALED if unsealed else 0)
        self = cls._attached(memory, slot_max, flags, keys)
        self._path = path
        self._in_place = mode == "r+"
        if self._in_place:
            self._gate.only_here()
        self._grows = mode == "w"
        self._dress(distance, vectors, vectors_by)
        return self

    @classmethod
    def from_bytes(cls, data: Any, *, vectors: Optional[VectorSource] = None,
                   vectors_by: str = "slot", keys: Optional[str] = None,
                   distance: Optional[Callable[[Any, Any], float]] = None,
                   slot_max: Optional[int] = None) -> "Index":
        """An index from what to_bytes() gave, in memory of its own; it may be changed."""
        view = memoryview(data).cast("B")
        memory = Memory.new(max(1, len(view)))
        ffi.memmove(memory.address, view, len(view))
        if slot_max is None:
            count = (struct.unpack_from("<I", view, SLOT_COUNT_AT)[0]
                     if len(view) >= SLOT_COUNT_AT + 4 else 0)
            slot_max = slots_for(count)
        self = cls._attached(memory, slot_max, c.NIGH_OPEN_WRITABLE, keys)
        self._dress(distance, vectors, vectors_by)
        return self

    @classmethod
    def _attached(cls, memory: Memory, slot_max: int, flags: int,
                  keys: Optional[str]) -> "Index":
        if keys not in (None, "str", "bytes"):
            raise InvalidError(f"keys {keys!r}, expected 'str' or 'bytes'", c.NIGH_E_INVALID)
        self = cls.__new__(cls)
        self._handle = None
        self._begin(Handle.attached(memory, slot_max, flags), keys != "bytes")
        return self

    def _dress(self, distance: Optional[Callable[[Any, Any], float]],
               vectors: Optional[VectorSource], by: str) -> None:
        if distance is not None:
            self._distance = distance_callback(distance, Layout(self.dim, self._config.dtype))
            self._equip(self._held())
        if vectors is not None:
            self.set_vectors(vectors, by)

    # ---- Save ------------------------------------------------------------------------------------

    def save(self, path: Any = None, *, graph_only: bool = False) -> None:
        """Writes the index into a file, which is replaced at once or stays as it was. path None:
        the file that it was opened from. graph_only: without the vectors."""
        target = self._path if path is None else path
        if target is None:
            raise InvalidError("save where?", c.NIGH_E_INVALID)
        if self._in_place and not graph_only and self._path is not None and same_file(
                target, self._path):
            self.flush()  # a file put in its place would leave the changes to come to nobody
            return
        flags = c.NIGH_SAVE_GRAPH_ONLY if graph_only else 0
        with self._gate.alone():
            with_message(lib.nigh_save_file, "save", self._held().index, flags, path_of(target))

    def to_bytes(self, *, graph_only: bool = False) -> bytes:
        """The image: the bytes that save() writes."""
        with self._gate.alone():
            memory = self._held().image(c.NIGH_SAVE_GRAPH_ONLY if graph_only else 0)
        return bytes(ffi.buffer(memory.address, memory.size))

    def flush(self) -> None:
        """Mode 'r+': ends the changes so far; the file is whole again."""
        if not self._in_place:
            raise UnsupportedError("only a file opened with mode 'r+' is changed in place",
                                   c.NIGH_E_UNSUPPORTED)
        with self._gate.alone():
            check(lib.nigh_seal(self._held().index), "flush")

    # ---- Close -----------------------------------------------------------------------------------

    def close(self) -> None:
        """Gives the memory back when the last call under way has ended. Twice does not hurt."""
        handle = self._handle
        if handle is None:
            return
        if self._gate.foreign():  # a forked child: the file is its parent's
            self._handle = None
            return
        if self._in_place:
            self.flush()
        with self._gate.alone():
            self._handle = None
            handle.drop_sessions()

    def __del__(self) -> None:
        """A file changed in place is made whole when the index goes without close()."""
        if getattr(self, "_in_place", False) and self._handle is not None:
            try:
                self.close()
            except Exception:  # a destructor has nobody to tell; the file then says it is open
                pass

    def __enter__(self) -> "Index":
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    # ---- Copies ----------------------------------------------------------------------------------

    def __getstate__(self) -> Any:
        source = self._source
        if (source is not None and callable(source[0])) or self._distance is not None:
            raise UnsupportedError("an index with functions of yours cannot be pickled",
                                   c.NIGH_E_UNSUPPORTED)
        return {"image": self.to_bytes(), "keys": self.key_kind,
                "vectors": None if source is None else source[0],
                "by": "slot" if source is None else source[1]}

    def __setstate__(self, state: Any) -> None:
        keys = state["keys"] if state["keys"] in ("str", "bytes") else None
        made_index = type(self).from_bytes(state["image"], vectors=state["vectors"],
                                           vectors_by=state["by"], keys=keys)
        self.__dict__.update(made_index.__dict__)

    def __copy__(self) -> "Index":
        return self.copy()

    def __deepcopy__(self, memo: Any) -> "Index":
        return self.copy()

    def copy(self) -> "Index":
        """An index of its own over a copy of the image. Vectors that are elsewhere are shared."""
        with self._gate.alone():
            handle = self._held()
            image, slot_max = handle.image(), handle.slot_max
        other = type(self)._attached(image, slot_max, c.NIGH_OPEN_WRITABLE,
                                     self.key_kind if self._keys.strings else None)
        other._distance, other._source = self._distance, self._source
        other._equip(other._held())
        return other

    def __repr__(self) -> str:
        if self._handle is None:
            return "<nigh.Index, closed>"
        return (f"<nigh.Index: {len(self)} x {self.dim} {self.dtype}, {self.metric}, "
                f"{self.key_kind} keys>")
