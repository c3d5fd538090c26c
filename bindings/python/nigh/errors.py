# errors.py - statuses of the library as exceptions
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Each status is a class of its own below NighError, and also of the built-in kind that fits."""
from typing import Dict, Optional, Type

from . import _hosted as hosted
from . import declarations as c


class NighError(Exception):
    """What the library refused. `code` is its status, NIGH_E_* in nigh.h; `done`, of build(), how
    many vectors are in."""

    code: int = 0
    done: int = 0

    def __init__(self, message: str, code: Optional[int] = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code


class InvalidError(NighError, ValueError):
    """An argument or a configuration value is out of range."""


class FullError(NighError, MemoryError):
    """No room left, and none can be made."""


class NotFoundError(NighError, KeyError):
    """No such key."""

    __str__ = Exception.__str__  # KeyError would show the message in quotes


class ExistsError(NighError, ValueError):
    """The key is there already."""


class DeletedError(NighError, KeyError):
    """The key is known but removed: set or unremove it."""

    __str__ = Exception.__str__


class VectorError(NighError, ValueError):
    """NaN, infinity, or a zero vector under cosine."""


class KeyFormError(NighError, ValueError):
    """An empty, too long, negative or otherwise unrepresentable key."""


class FetchError(NighError):
    """Vectors could not be fetched."""


class FormatError(NighError, ValueError):
    """Not an image of nigh, or of an unknown version."""


class CorruptError(NighError, ValueError):
    """An image whose checksum or structure does not hold."""


class MismatchError(NighError, ValueError):
    """Dimensions, element type, metric or count are not those of the index."""


class ReadOnlyError(NighError):
    """The index was opened for reading."""


class BusyError(NighError):
    """Another thread or process is writing what this call needs to itself."""


class NoVectorsError(NighError):
    """The index holds no vectors and none were attached."""


class UnsupportedError(NighError):
    """This machine, build or metric cannot do that."""


class SystemRefusedError(NighError, OSError):
    """The operating system refused; the message tells what and why."""

    __str__ = Exception.__str__


class CancelledError(NighError):
    """The caller stopped it. `done` tells how far it came; what is in stays in."""


class ClosedError(NighError, ValueError):
    """The index was closed."""


BY_CODE: Dict[int, Type[NighError]] = {
    c.NIGH_E_INVALID: InvalidError, c.NIGH_E_FULL: FullError, c.NIGH_E_NOT_FOUND: NotFoundError,
    c.NIGH_E_EXISTS: ExistsError, c.NIGH_E_VECTOR: VectorError, c.NIGH_E_FETCH: FetchError,
    c.NIGH_E_FORMAT: FormatError, c.NIGH_E_CORRUPT: CorruptError, c.NIGH_E_OPEN: CorruptError,
    c.NIGH_E_MISMATCH: MismatchError, c.NIGH_E_READ_ONLY: ReadOnlyError,
    c.NIGH_E_BUSY: BusyError, c.NIGH_E_NO_VECTORS: NoVectorsError,
    c.NIGH_E_UNSUPPORTED: UnsupportedError, c.NIGH_E_BUILD: UnsupportedError,
    c.NIGH_E_KEY: KeyFormError, c.NIGH_E_DELETED: DeletedError,
    c.NIGH_E_WRITE: SystemRefusedError, hosted.NIGH_E_IO: SystemRefusedError,
    hosted.NIGH_E_NO_MEMORY: FullError, hosted.NIGH_E_CANCELLED: CancelledError,
}
