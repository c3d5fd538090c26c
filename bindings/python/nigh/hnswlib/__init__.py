# __init__.py - a drop-in for the package hnswlib 0.8 and its fork hnswlib-mmap, on nigh
# SPDX-License-Identifier: MIT OR Apache-2.0
"""import nigh.hnswlib as hnswlib

The same classes, methods, properties, exceptions and files. What differs is in the README."""
from ._brute import BFIndex
from ._index import Index
from ._sharded import ShardedIndex

for _kind in (BFIndex, Index, ShardedIndex):
    _kind.__module__ = __name__  # pickles name them as users do

__version__ = "0.8.0"
__all__ = ["BFIndex", "Index", "ShardedIndex"]
