# _arrays.py - vectors and keys between numpy and the form in which they travel
# SPDX-License-Identifier: MIT OR Apache-2.0
import dataclasses
from typing import Any, List, Optional, Tuple

import numpy as np

from . import declarations as c
from ._library import LONGS, NULL, address_of, check, ffi, floats, lib, sized, words
from .errors import InvalidError, KeyFormError, MismatchError

METRICS = {"l2": c.NIGH_METRIC_L2, "ip": c.NIGH_METRIC_IP, "cosine": c.NIGH_METRIC_COSINE,
           "l1": c.NIGH_METRIC_L1, "hamming": c.NIGH_METRIC_HAMMING}
DTYPES = {"f32": c.NIGH_DTYPE_F32, "f16": c.NIGH_DTYPE_F16, "bf16": c.NIGH_DTYPE_BF16,
          "i8": c.NIGH_DTYPE_I8, "u8": c.NIGH_DTYPE_U8, "b1": c.NIGH_DTYPE_B1}
ALIASES = {"float32": "f32", "float16": "f16", "bfloat16": "bf16", "int8": "i8", "uint8": "u8",
           "bool": "b1", "bits": "b1"}
KEYS = {"u64": c.NIGH_KEYS_U64, "str": c.NIGH_KEYS_BYTES, "bytes": c.NIGH_KEYS_BYTES,
        "identity": c.NIGH_KEYS_IDENTITY}
CODES = {None: c.NIGH_CODES_NONE, "none": c.NIGH_CODES_NONE, "u7": c.NIGH_CODES_U7,
         "b1": c.NIGH_CODES_B1}
# What a row is made of, where rows are plain arrays.
UNITS = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2"), "bf16": np.dtype("<u2"),
         "u8": np.dtype("u1")}


def choice(table: Any, name: Any, what: str) -> int:
    if isinstance(name, np.dtype) or isinstance(name, type):
        name = np.dtype(name).name
    name = ALIASES.get(name, name) if table is DTYPES else name
    if name not in table:
        names = ", ".join(repr(one) for one in table if one is not None)
        raise InvalidError(f"{what} {name!r}, expected one of {names}", c.NIGH_E_INVALID)
    return int(table[name])


def name_of(table: Any, value: int) -> str:
    return next(str(name) for name, number in table.items() if number == value and name)


@dataclasses.dataclass
class Rows:
    """Vectors as C wants them. `keep` owns the memory."""

    pointer: Any
    count: int
    single: bool
    keep: Any
    stride: int  # bytes from a row to the next, 0 = packed


class Layout:
    """What a row of an index looks like, and how arrays become rows."""

    def __init__(self, dim: int, dtype: int) -> None:
        self.dim, self.dtype = dim, dtype
        self.name = name_of(DTYPES, dtype)
        self.row_bytes = sized(lib.nigh_row_bytes, dim, dtype)
        self.unit = UNITS.get(self.name)

    # ---- To rows ---------------------------------------------------------------------------------

    def rows(self, vectors: Any, strided: bool = False) -> Rows:
        """One vector (1-D) or many (2-D). An array of the index's own type whose rows lie one
        after another goes straight through; strided: also one whose rows have gaps."""
        array = np.asarray(vectors)
        if array.ndim not in (1, 2):
            raise MismatchError(f"vectors of {array.ndim} dimensions, expected 1 or 2",
                                c.NIGH_E_MISMATCH)
        single = array.ndim == 1
        array = array[None, :] if single else array
        made = self._own_form(array)
        if made is None:
            made = self._converted(array)
        stride = 0
        if not made.flags.c_contiguous:
            if strided and plain(made):
                stride = made.strides[0]
            else:
                made = np.ascontiguousarray(made)
        return Rows(address_of(made), len(made), single, made, stride)

    def _own_form(self, array: Any) -> Optional[Any]:
        """The array, if it is rows already, as 2-D."""
        if self.unit is not None:
            if self.name == "bf16" and array.dtype.name == "bfloat16":
                array = array.view(np.uint16)
            if array.dtype != self.unit:
                return None
            self._expect(array, self.dim)
            return array
        if array.dtype == np.uint8 and array.shape[1] == self.row_bytes:
            return array
        if self.name == "i8" and array.dtype == np.int8:
            self._expect(array, self.dim)
            rows = np.zeros((len(array), self.row_bytes), np.uint8)
            rows[:, :self.dim] = array.view(np.uint8)
            rows[:, -8:-4] = np.array([1.0], "<f4").view(np.uint8)
            return rows
        if self.name == "b1" and array.dtype == np.bool_:
            self._expect(array, self.dim)
            rows = np.zeros((len(array), self.row_bytes), np.uint8)
            packed = np.packbits(array, axis=1, bitorder="little")
            rows[:, :packed.shape[1]] = packed
            return rows
        return None

    def _converted(self, array: Any) -> Any:
        """From any numbers, by way of floats."""
        if array.dtype.kind not in "biuf":
            raise MismatchError(f"vectors of dtype {array.dtype}", c.NIGH_E_MISMATCH)
        self._expect(array, self.dim)
        numbers = np.ascontiguousarray(array, np.float32)
        if self.name == "f32":
            return numbers
        rows = np.empty((len(numbers), self.row_bytes), np.uint8)
        if len(rows):
            check(lib.nigh_convert(self.dim, self.dtype, len(rows), floats(numbers),
                                   address_of(rows), NULL, NULL), "vectors")
        return rows

    def _expect(self, array: Any, width: int) -> None:
        if array.shape[1] != width:
            raise MismatchError(f"vectors of {array.shape[1]} elements, expected {width}",
                                c.NIGH_E_MISMATCH)

    # ---- From rows -------------------------------------------------------------------------------

    def empty(self, count: int) -> Any:
        """An array for so many rows, for the library to fill."""
        if self.unit is not None:
            return np.empty((count, self.dim), self.unit)
        return np.empty((count, self.row_bytes), np.uint8)

    def decoded(self, rows: Any) -> Any:
        """Rows as users see them: bf16 and i8 as floats, bits as booleans, others as they are."""
        if self.name == "b1":
            return np.unpackbits(rows, axis=1, count=self.dim, bitorder="little").view(np.bool_)
        if self.name not in ("bf16", "i8"):
            return rows
        numbers = np.empty((len(rows), self.dim), np.float32)
        if len(rows):
            check(lib.nigh_convert(self.dim, self.dtype, len(rows), NULL, NULL, address_of(rows),
                                   floats(numbers)), "vectors")
        return numbers


def plain(array: Any) -> bool:
    """Rows of elements one after another, the rows at equal distances and in rising order."""
    return bool(array.ndim == 2 and array.strides[1] == array.itemsize and
                array.strides[0] >= array.shape[1] * array.itemsize and
                array.strides[0] % array.itemsize == 0)


@dataclasses.dataclass
class KeyRows:
    """Keys as C wants them. `keep` owns the memory."""

    pointer: Any
    lengths: Any
    count: int
    single: bool
    keep: Any
    offsets: Optional[Any]  # of byte strings, where each begins
    key_bytes: int

    def at(self, first: int) -> Tuple[Any, Any]:
        """The arguments for keys from `first` on."""
        if self.pointer == NULL:
            return NULL, NULL
        if self.offsets is None:
            return self.pointer + first, NULL
        return (ffi.cast("char *", self.pointer) + int(self.offsets[first]),
                self.lengths + first)


NO_KEYS = KeyRows(NULL, NULL, 0, False, None, None, 0)


class KeyForm:
    """Keys of an index: numbers, or strings."""

    def __init__(self, kind: int, text: bool, bytes_max: int) -> None:
        self.kind, self.text, self.bytes_max = kind, text, bytes_max
        self.strings = kind == c.NIGH_KEYS_BYTES
        self.name = ("str" if text else "bytes") if self.strings else name_of(KEYS, kind)

    def rows(self, keys: Any) -> KeyRows:
        return self._strings(keys) if self.strings else self._numbers(keys)

    def _numbers(self, keys: Any) -> KeyRows:
        try:
            array = np.asarray(keys)
            if array.dtype.kind not in "iu" or array.dtype == object:
                # Integers beyond int64 and smaller ones make objects of a list, or floats, which
                # round: its own items are looked at. Floats are refused.
                values = (keys if isinstance(keys, (list, tuple)) else
                          array.tolist() if array.ndim else [array.item()])
                if array.size and not all(isinstance(value, (int, np.integer)) and
                                          not isinstance(value, bool) for value in values):
                    raise KeyFormError(f"keys of dtype {array.dtype}, expected integers",
                                       c.NIGH_E_KEY)
                array = np.array([int(value) for value in values],
                                 np.uint64).reshape(array.shape)
        except (OverflowError, TypeError) as error:
            raise KeyFormError(f"keys: {error}", c.NIGH_E_KEY) from None
        if array.dtype.kind == "i" and array.size and int(array.min()) < 0:
            raise KeyFormError("a negative key", c.NIGH_E_KEY)
        if array.ndim > 1:
            raise KeyFormError(f"keys of {array.ndim} dimensions, expected 0 or 1", c.NIGH_E_KEY)
        numbers = np.ascontiguousarray(array, np.uint64).reshape(-1)
        pointer = ffi.from_buffer(LONGS, numbers)
        return KeyRows(pointer, NULL, len(numbers), array.ndim == 0, numbers, None, 0)

    def _strings(self, keys: Any) -> KeyRows:
        single = isinstance(keys, (str, bytes))
        if not single and not hasattr(keys, "__iter__"):
            raise KeyFormError(f"key {keys!r}, expected a string", c.NIGH_E_KEY)
        parts = [self._bytes_of(key) for key in ([keys] if single else keys)]
        lengths = np.fromiter((len(part) for part in parts), np.uint32, len(parts))
        offsets = np.zeros(len(parts) + 1, np.uint64)
        np.cumsum(lengths, out=offsets[1:])
        joined = b"".join(parts)
        memory = ffi.from_buffer(joined or b"\0")  # an empty key is the library's to refuse
        return KeyRows(memory, ffi.cast("uint32_t *", lengths.ctypes.data), len(parts), single,
                       (joined, lengths), offsets, len(joined))

    def _bytes_of(self, key: Any) -> bytes:
        if isinstance(key, str):
            return key.encode(errors="surrogateescape")  # as read() decodes
        if isinstance(key, (bytes, bytearray, memoryview)):
            return bytes(key)
        raise KeyFormError(f"key {key!r}, expected a string", c.NIGH_E_KEY)

    def room(self, count: int) -> "KeyRoom":
        return KeyRoom(self, count)

    def read(self, memory: Any, lengths: Any, count: int) -> List[Any]:
        """`count` strings that lie one after another."""
        whole = bytes(ffi.buffer(memory, int(lengths[:count].sum())))
        found: List[Any] = []
        at = 0
        for length in lengths[:count].tolist():
            part = whole[at:at + length]
            found.append(part.decode(errors="surrogateescape") if self.text else part)
            at += length
        return found


class KeyRoom:
    """Where the library writes keys."""

    def __init__(self, form: KeyForm, count: int) -> None:
        self.form = form
        if form.strings:
            self.array = np.empty(max(1, count * form.bytes_max), np.uint8)
            self.lengths = np.empty(max(1, count), np.uint32)
        else:
            self.array = np.empty(count, np.uint64)

    def at(self, first: int) -> Tuple[Any, Any]:
        """The arguments for keys from place `first` on."""
        if not self.form.strings:
            return ffi.from_buffer(LONGS, self.array) + first, NULL
        return (ffi.from_buffer(self.array) + first * self.form.bytes_max,
                words(self.lengths) + first)

    def read(self, first: int, count: int) -> Any:
        """What was written there."""
        if not self.form.strings:
            return self.array[first:first + count]
        start = ffi.cast("char *", self.array.ctypes.data) + first * self.form.bytes_max
        return self.form.read(start, self.lengths[first:first + count], count)


def bitmap_of(mask: Any) -> Any:
    """Booleans by slot as the words that the library reads."""
    packed = np.packbits(np.asarray(mask, np.bool_), bitorder="little")
    words = np.zeros(-(-len(packed) // 4) * 4 or 4, np.uint8)
    words[:len(packed)] = packed
    return words.view("<u4")
