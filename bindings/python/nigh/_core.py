# _core.py - what all parts of an Index share: its handle, its room, where its vectors come from
# SPDX-License-Identifier: MIT OR Apache-2.0
from typing import Any, Callable, Iterator, Optional, Tuple, Union

import numpy as np

from . import _hosted as hosted
from . import declarations as c
from ._arrays import CODES, DTYPES, KEYS, METRICS, KeyForm, Layout, choice, name_of, plain
from ._handle import SLOTS_MAX, Handle, expect_slots
from ._library import NULL, Memory, address_of, callback, check, ffi, lib, made
from ._library import STOPPED
from ._threads import Gate
from .errors import ClosedError, InvalidError, MismatchError, UnsupportedError

SLOTS_MIN = 1024  # room made for the first key
VectorSource = Union[Any, Callable[[Any, Any], Any]]


class Core:
    """Handle, gate and configuration. Searches take the handle and need nothing else; changes are
    inside the gate together, jobs, growth and saving alone."""

    _handle: Optional[Handle]

    def _begin(self, handle: Handle, text_keys: bool) -> None:
        config = handle.config()
        self._gate = Gate()
        self._config = config
        self._layout = Layout(config.dim, config.dtype)
        self._keys = KeyForm(config.keys, text_keys, config.key_bytes_max)
        self._external = config.vectors == c.NIGH_VECTORS_EXTERNAL
        self._source: Optional[Tuple[Any, str]] = None
        self._distance: Any = None
        self._grows = True
        self._in_place = False  # a file is changed as it lies
        self._path: Any = None
        self._handle = handle

    def _held(self) -> Handle:
        handle = self._handle
        if handle is None:
            raise ClosedError("the index is closed", c.NIGH_E_INVALID)
        return handle

    # ---- Room ------------------------------------------------------------------------------------

    def reserve(self, slots: int, key_bytes: int = 0) -> None:
        """Makes room for so many keys in total, and bytes of byte-string keys. The index grows by
        itself as well; beyond twice what it was made for it is copied."""
        with self._gate.alone():
            self._grow(self._held(), slots, key_bytes)

    def _grow(self, handle: Handle, slots: int, key_bytes: int,
              memory: Optional[Memory] = None) -> None:
        """Alone behind the gate."""
        expect_slots(slots)
        if not self._grows:
            raise UnsupportedError("no room for more can be made here", c.NIGH_E_UNSUPPORTED)
        if slots > handle.slot_max:
            handle = self._move(handle, min(SLOTS_MAX, 2 * slots))
        handle.grow(slots, key_bytes, memory)

    def _move(self, old: Handle, slot_max: int) -> Handle:
        """A handle with a larger table over a copy of the index takes the place of the old one,
        which calls that are under way go on using. Alone behind the gate."""
        handle = Handle.attached(old.image(), slot_max, c.NIGH_OPEN_WRITABLE)
        self._equip(handle)
        self._handle = handle
        self._gate.only_here(False)  # whose memory is its own
        return handle

    def _room_for(self, count: int, key_bytes: int) -> None:
        """Room for so many more keys, at once."""
        handle = self._held()
        stats = handle.stats()
        if (stats.slot_capacity - stats.slot_count + stats.free_count >= count and
                (not self._keys.strings or self._key_room(stats) >= key_bytes)):
            return
        if not self._grows or not stats.writable:
            return  # the call that needs it tells
        with self._gate.alone():
            handle = self._held()
            self._more(handle, handle.stats(), count, key_bytes)

    def _key_room(self, stats: Any) -> int:
        """Bytes of keys that fit for certain: a block's end may stay empty."""
        return int(stats.key_capacity - stats.key_bytes) * 7 // 8 - self._keys.bytes_max

    def _more(self, handle: Handle, stats: Any, count: int, key_bytes: int) -> None:
        need = stats.slot_count + count
        slots = stats.slot_capacity
        if need > slots:
            slots = max(need, min(slots + slots // 2, SLOTS_MAX), SLOTS_MIN)
        total = 0
        if self._keys.strings:
            total = stats.key_bytes + max(key_bytes, min(stats.key_bytes // 2, 1 << 28), 1 << 12)
        self._grow(handle, slots, total)

    # ---- Vectors from elsewhere ------------------------------------------------------------------

    def _equip(self, handle: Handle) -> None:
        """Tells a handle where vectors are and how far they are apart."""
        if self._distance is not None:
            handle.parts.append(self._distance)
            check(lib.nigh_index_distance(handle.index, self._distance, NULL), "distance")
        if self._source is None:
            return
        vectors, by = self._source
        if callable(vectors):
            self._equip_fetch(handle, vectors)
        elif by == "slot":
            handle.parts.append(vectors)
            check(lib.nigh_index_borrow(handle.index, address_of(vectors), vectors.strides[0],
                                        len(vectors), 0), "vectors")
        else:
            rows = vectors if isinstance(vectors, RowsByKey) else RowsByKey(vectors)
            handle.parts.append(rows)
            check(lib.nigh_index_fetch(handle.index,
                                       ffi.addressof(lib, "nigh_python_fetch"),
                                       ffi.addressof(lib, "nigh_python_prefetch"), rows.pointer),
                  "vectors")

    def _equip_fetch(self, handle: Handle, function: Callable[[Any, Any], Any]) -> None:
        layout = self._layout

        def fetch(user: Any, slots: Any, keys: Any, count: int, scratch: Any,
                  vectors: Any) -> int:
            size = count * layout.row_bytes
            wanted = np.frombuffer(ffi.buffer(slots, 4 * count), np.uint32)
            of = (None if keys == NULL
                  else np.frombuffer(ffi.buffer(keys, 8 * count), np.uint64))
            rows = layout.rows(function(wanted, of))
            if rows.count != count:
                raise MismatchError(f"{rows.count} vectors fetched, {count} wanted",
                                    c.NIGH_E_MISMATCH)
            ffi.memmove(scratch, rows.pointer, size)
            start = ffi.cast("char *", scratch)
            for i in range(count):
                vectors[i] = start + i * layout.row_bytes
            return c.NIGH_OK
        made_callback = callback("nigh_fetch_fn", fetch, STOPPED)
        handle.parts.append(made_callback)
        check(lib.nigh_index_fetch(handle.index, made_callback, NULL, NULL), "vectors")

    def set_vectors(self, vectors: VectorSource, by: str = "slot") -> None:
        """Where the vectors of an index without vectors of its own are: an array, used where it
        lies, its rows found by slot (the order in which keys came) or by key; or a function that
        gets arrays of slots and keys and returns their vectors. While no other call runs."""
        if not self._external:
            raise UnsupportedError("the index has vectors of its own", c.NIGH_E_UNSUPPORTED)
        if by not in ("slot", "key"):
            raise InvalidError(f"by {by!r}, expected 'slot' or 'key'", c.NIGH_E_INVALID)
        if by == "key" and self._keys.strings:
            raise InvalidError("rows by key want numbers as keys", c.NIGH_E_INVALID)
        if not callable(vectors) and not isinstance(vectors, RowsByKey):
            vectors = self._borrowable(vectors)
        with self._gate.alone():
            before, self._source = self._source, (vectors, by)
            try:
                self._equip(self._held())
            except BaseException:
                self._source = before
                raise

    def _borrowable(self, vectors: Any) -> Any:
        """The array as it is: a copy would break the promise."""
        array = np.asarray(vectors)
        layout = self._layout
        unit, width = layout.unit, layout.dim
        if unit is None:
            unit, width = np.dtype("u1"), layout.row_bytes
        if array.dtype.name == "bfloat16" and layout.name == "bf16":
            array = array.view(np.uint16)
        if array.dtype != unit or array.ndim != 2 or array.shape[1] != width:
            raise MismatchError(f"vectors {array.dtype}{list(array.shape)}, expected "
                                f"{unit}[n, {width}]", c.NIGH_E_MISMATCH)
        if not plain(array):
            raise MismatchError("rows of vectors must be contiguous and in rising order",
                                c.NIGH_E_MISMATCH)
        multiple = unit.itemsize
        if array.ctypes.data % multiple or (len(array) > 1 and array.strides[0] % multiple):
            raise MismatchError(f"rows of vectors must lie at multiples of {multiple} bytes",
                                c.NIGH_E_MISMATCH)
        return array

    # ---- What it is ------------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        return int(self._config.dim)

    @property
    def metric(self) -> str:
        return "custom" if self._config.metric == c.NIGH_METRIC_CUSTOM else name_of(
            METRICS, self._config.metric)

    @property
    def dtype(self) -> str:
        return name_of(DTYPES, self._config.dtype)

    @property
    def key_kind(self) -> str:
        """'u64', 'str', 'bytes' or 'identity'."""
        return self._keys.name

    @property
    def config(self) -> "dict[str, Any]":
        """Every configuration value, defaults filled in."""
        out = self._held().config()
        return {name: getattr(out, name) for name in c.SIZES["nigh_config"][1]
                if name not in ("struct_size", "reserved")}

    @property
    def stats(self) -> "dict[str, int]":
        """What the index holds now."""
        out = self._held().stats()
        return {name: int(getattr(out, name)) for name in c.SIZES["nigh_stats"][1]
                if name != "struct_size"}

    @property
    def codes(self) -> Optional[str]:
        """The codes that searches use: 'u7', 'b1' or None."""
        value = self._held().stats().codes
        return None if value == c.NIGH_CODES_NONE else name_of(CODES, value)

    @property
    def writable(self) -> bool:
        return bool(self._held().stats().writable)

    @property
    def capacity(self) -> int:
        """Slots that there is room for."""
        return int(self._held().stats().slot_capacity)

    def __len__(self) -> int:
        return int(self._held().stats().live_count)

    def __bool__(self) -> bool:
        return True  # an empty index is one

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("iterate over index.keys()")


class RowsByKey:
    """Rows of an array for rows_by_key.c. forms: 'lent' as they are, 'f16' converted to floats,
    'pq' made from codes by codebooks of [parts, centroids, elements]. order: the row of key k is
    order[first + k]."""

    FORMS = {"lent": 0, "f16": 1, "pq": 2}

    def __init__(self, array: Any, form: str = "lent", codebooks: Any = None, order: Any = None,
                 first: int = 0) -> None:
        self.keep = (array, codebooks, order)
        dim = array.shape[1] if codebooks is None else codebooks.shape[0] * codebooks.shape[2]
        self.pointer = ffi.new("rows_by_key *", {
            "base": ffi.cast("uint8_t *", array.ctypes.data), "stride": array.strides[0],
            "count": len(array), "first": first, "form": self.FORMS[form], "dim": dim})
        if order is not None:
            self.pointer.order = ffi.cast("int64_t *", order.ctypes.data)
            self.pointer.order_count = len(order)
        if codebooks is not None:
            self.pointer.codebooks = ffi.cast("float *", codebooks.ctypes.data)
            self.pointer.subvectors, self.pointer.centroids = codebooks.shape[:2]


def config_of(dim: int, metric: Any, dtype: Any, keys: str, codes: Optional[str],
              external: bool, options: "dict[str, Any]") -> Any:
    """nigh_config from what Index() was told."""
    span = options.pop("code_span", None) or (0.0, 0.0)
    flags = (c.NIGH_BUILD_KEEP_PRUNED if options.pop("keep_pruned", False) else 0) | (
        c.NIGH_BUILD_EXACT if options.pop("exact_build", False) else 0)
    try:
        return made(
            "nigh_config", dim=dim, dtype=choice(DTYPES, dtype, "dtype"),
            metric=(c.NIGH_METRIC_CUSTOM if metric == "custom"
                    else choice(METRICS, metric, "metric")),
            keys=choice(KEYS, keys, "keys"), codes=choice(CODES, codes, "codes"),
            vectors=c.NIGH_VECTORS_EXTERNAL if external else c.NIGH_VECTORS_OWNED,
            code_min=span[0], code_max=span[1], build_flags=flags, **options)
    except OverflowError as error:
        raise InvalidError(str(error), c.NIGH_E_INVALID) from None


def distance_callback(function: Callable[[Any, Any], float], layout: Layout) -> Any:
    """The function of metric 'custom', over rows as arrays."""
    unit: Any = layout.unit or np.dtype("u1")

    def distance(user: Any, a: Any, b: Any, dim: int) -> float:
        size = layout.row_bytes
        return float(function(np.frombuffer(ffi.buffer(a, size), unit),
                              np.frombuffer(ffi.buffer(b, size), unit)))
    return callback("nigh_distance_fn", distance, float("inf"))


OPEN_FLAGS = {"r": 0, "w": hosted.NIGH_FILE_PRIVATE, "r+": hosted.NIGH_FILE_SHARED}
