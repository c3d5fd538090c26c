# _common.py - what hnswlib's classes share: arguments as numpy arrays, errors as RuntimeError
# SPDX-License-Identifier: MIT OR Apache-2.0
import contextlib
from typing import Any, Iterator

import numpy as np

from .. import errors
from .._library import threads as threads_here

FULL = "The number of elements exceeds the specified limit"
TOO_FEW = ("Cannot return the results in a contiguous 2D array. Probably ef or M is too small")
CORRUPT = "Index seems to be corrupted or unsupported"


@contextlib.contextmanager
def runtime_errors(**texts: str) -> Iterator[None]:
    """Errors of nigh as hnswlib's RuntimeError. texts: NotFoundError="...", by class."""
    try:
        yield
    except errors.NighError as error:
        text = next((texts[kind.__name__] for kind in type(error).__mro__
                     if kind.__name__ in texts), str(error))
        raise RuntimeError(text) from error


def space_of(space: str) -> "tuple[str, bool]":
    """Metric, and whether vectors are normalised before."""
    if space not in ("l2", "ip", "cosine"):
        raise RuntimeError("Space name must be one of l2, ip, or cosine.")
    return ("l2", False) if space == "l2" else ("ip", space == "cosine")


def vectors_of(data: Any, dim: int) -> Any:
    """Rows of floats; an array of floats is not copied."""
    array = np.asarray(data, np.float32, order="C")
    if array.ndim not in (1, 2):
        raise RuntimeError(f"Input vector data wrong shape. Number of dimensions {array.ndim}. "
                           "Data must be a 1D or 2D array.")
    array = array.reshape(1, -1) if array.ndim == 1 else array
    if array.shape[1] != dim:
        raise RuntimeError("Wrong dimensionality of the vectors")
    return array


def normalised(array: Any) -> Any:
    norms = np.sqrt(np.einsum("ij,ij->i", array, array, dtype=np.float32))
    return array * (np.float32(1) / (norms + np.float32(1e-30)))[:, None]


def labels_of(ids: Any, rows: int) -> Any:
    array = np.asarray(ids, np.uint64)  # a list of small and large ones would be floats else
    if not ((array.ndim == 1 and len(array) == rows) or (array.ndim == 0 and rows == 1)):
        raise RuntimeError(f"The input label shape {array.ndim} does not match the input data "
                           f"vector shape {rows}")
    return np.ascontiguousarray(array.reshape(-1))


def whole(value: Any, name: str, least: int = 0, most: int = 2**64 - 1) -> int:
    """A number as hnswlib's functions take it: neither a float nor text, and no negative size."""
    if hasattr(value, "__index__"):
        number = int(value.__index__())
    elif hasattr(value, "__int__") and not isinstance(value, float):
        number = int(value)
    else:
        number = least - 1
    if not least <= number <= most:
        raise TypeError(f"{name} {value!r}: incompatible function arguments")
    return number


def count_of(number: Any) -> int:
    """Of threads: an int of C, negative for as many as there are."""
    return whole(number, "num_threads", -2**31, 2**31 - 1)


def label_of(label: Any) -> int:
    return whole(label, "label")


def threads_for(wanted: int, default: int, rows: int) -> int:
    """Few rows are not worth threads."""
    count = wanted if wanted > 0 else default if default > 0 else threads_here()
    return 1 if rows <= 4 * count else min(count, 4 * threads_here())
