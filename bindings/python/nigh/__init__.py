# __init__.py - nigh: nearest-neighbour search anywhere
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Nearest-neighbour search with HNSW graphs: the same bytes and the same answers on every machine,
searches that never wait for writers, vectors in the index, in your own arrays or behind a function.

    import nigh
    index = nigh.Index(dim=2, metric="l2", keys="str")
    index.add(["north", "east", "far"], [[0, 1], [1, 0], [4, 4]])
    for key, distance in index.search([0.9, 0.1], k=2):
        print(key, distance)

nigh.hnswlib is a drop-in for the package hnswlib."""
from . import errors
from ._core import VectorSource
from ._index import Index
from ._library import features, threads, version
from ._search import Allowed, Hits, HitsBatch
from ._work import Report
from .errors import (BusyError, CancelledError, ClosedError, CorruptError, DeletedError,
                     ExistsError, FetchError, FormatError, FullError, InvalidError, KeyFormError,
                     MismatchError, NighError, NotFoundError, NoVectorsError, ReadOnlyError,
                     SystemRefusedError, UnsupportedError, VectorError)

__version__ = version()
__all__ = [
    "Allowed", "BusyError", "CancelledError", "ClosedError", "CorruptError", "DeletedError",
    "ExistsError", "FetchError", "FormatError", "FullError", "Hits", "HitsBatch", "Index",
    "InvalidError", "KeyFormError", "MismatchError", "NighError", "NoVectorsError",
    "NotFoundError", "ReadOnlyError", "Report", "SystemRefusedError",
    "UnsupportedError", "VectorError", "VectorSource", "errors", "features", "threads", "version",
]
