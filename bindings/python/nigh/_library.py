# _library.py - the shared library, loaded by cffi; memory, statuses and callbacks in Python's terms
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import sys
import threading
from typing import Any, Callable, List

import cffi

from . import _hosted as hosted
from . import declarations as c
from .errors import BY_CODE, NighError

ffi = cffi.FFI()
ffi.cdef(c.DECLARATIONS)
ffi.cdef(hosted.DECLARATIONS)
NULL = ffi.NULL
STOPPED = c.NIGH_E_USER - 2  # a callback of Python raised
ROW_MISSING = c.NIGH_E_USER - 1  # rows_by_key.c


def _path() -> str:
    """NIGH_LIBRARY names another library than the package's own: for its developers."""
    named = os.environ.get("NIGH_LIBRARY")
    if named:
        return named
    folder = os.path.dirname(os.path.abspath(__file__))
    ending = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
    return os.path.join(folder, "libnigh_python" + ending)


lib: Any = ffi.dlopen(_path())


def made(name: str, **fields: Any) -> Any:
    """A structure of nigh.h, its struct_size filled in."""
    return ffi.new(name + " *", dict(fields, struct_size=ffi.sizeof(name)))


def fail(status: int, what: str = "", message: str = "") -> NighError:
    """The exception for a status; the caller raises it."""
    text = message
    if not text and status == ROW_MISSING:
        text = "a key has no row in the array of vectors"
    if not text:
        text = ffi.string(lib.nigh_status_text(status)).decode()
    kind = BY_CODE.get(status, NighError)
    return kind(f"{what}: {text}" if what else text, status)


_caught = threading.local()


def check(status: int, what: str = "") -> None:
    """Raises what a status says; an exception of a callback comes back as it was."""
    error = getattr(_caught, "error", None)
    if error is not None:
        _caught.error = None
        raise error
    if status != c.NIGH_OK:
        raise fail(status, what)


def caught() -> bool:
    """An exception of a callback waits on this thread for check()."""
    return getattr(_caught, "error", None) is not None


def callback(name: str, function: Callable[..., Any], failed: Any) -> Any:
    """A C function that calls `function`. Callbacks run on the thread that called the library, so
    an exception waits there until check(); until then the callback answers `failed`."""
    def body(*arguments: Any) -> Any:
        if getattr(_caught, "error", None) is not None:
            return failed
        try:
            return function(*arguments)
        except BaseException as error:  # also KeyboardInterrupt: it must not be lost in C
            _caught.error = error
            return failed
    return ffi.callback(name, body)


def with_message(function: Callable[..., int], what: str, *arguments: Any) -> None:
    """Calls a function of nigh_hosted.h that ends with a message."""
    message = ffi.new("char[]", hosted.MESSAGE_BYTES)
    status = function(*arguments, message, hosted.MESSAGE_BYTES)
    if status != c.NIGH_OK:
        text = ffi.string(message).decode(errors="replace")
        raise fail(status, "" if text else what, text)


def path_of(path: Any) -> bytes:
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("embedded null byte in a path")
    return name


class Memory:
    """Memory of nigh_hosted.h, given back when nothing refers to it any more."""

    def __init__(self, address: Any, size: int) -> None:
        self.address, self.size = address, size

    @classmethod
    def new(cls, size: int) -> "Memory":
        if size == 0:
            return cls(NULL, 0)
        out = ffi.new("void **")
        check(lib.nigh_memory_new(size, out), f"{size} bytes")
        return cls(out[0], size)

    @classmethod
    def mapped(cls, path: Any, flags: int) -> "Memory":
        out, size = ffi.new("void **"), ffi.new("uint64_t *")
        with_message(lib.nigh_file_map, "map", path_of(path), flags, out, size)
        return cls(out[0], size[0])

    def close(self, _close: Any = lib.nigh_close, _null: Any = NULL) -> None:
        address, self.address = self.address, _null
        if address != _null:
            _close(address)

    def __del__(self) -> None:
        if getattr(self, "address", None) is not None:
            self.close()


def sized(function: Callable[..., int], *arguments: Any) -> int:
    """What a *_bytes function tells."""
    size = ffi.new("uint64_t *")
    check(function(*arguments, size))
    return int(size[0])


def version() -> str:
    """Version of the C library."""
    number = lib.nigh_version()
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"


def threads() -> int:
    """Threads worth starting: processors that this process may use."""
    return int(lib.nigh_threads())


def features() -> List[str]:
    """Kernels that this machine can run."""
    word = lib.nigh_features_hosted()
    names = {name[9:].lower(): value for name, value in vars(c).items()
             if name.startswith("NIGH_CPU_")}
    return [name for name, bit in names.items() if word & bit]


def address_of(array: Any) -> Any:
    """Where an array's first element is; the caller keeps the array."""
    try:
        return ffi.from_buffer(array)
    except (ValueError, BufferError):  # its rows have gaps
        return ffi.cast("char *", array.ctypes.data)


FLOATS, WORDS, LONGS = (ffi.typeof(name) for name in ("float[]", "uint32_t[]", "uint64_t[]"))


def floats(array: Any) -> Any:
    """A contiguous array of float32 as C's."""
    return ffi.from_buffer(FLOATS, array)


def words(array: Any) -> Any:
    """A contiguous array of uint32 as C's."""
    return ffi.from_buffer(WORDS, array)
