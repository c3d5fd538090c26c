# _files.py - files of hnswlib and of its fork, as bytes: graphs without vectors, pickled parts
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The library itself reads and writes files of hnswlib (nigh_hnswlib_read, nigh_hnswlib_write).
Here is what only Python's users know: the fork's graph files, and the dict that hnswlib pickles;
both are the same records in another order."""
import dataclasses
import os
import struct
from typing import Any, Dict, List

import numpy as np

HEAD = struct.Struct("<6Q i I 3Q d Q")  # 96 bytes
GRAPH_HEAD = struct.Struct("<I 6Q d i I Q")
GRAPH_MAGIC = 0x47524150
LABEL_BYTES = 8


@dataclasses.dataclass
class Head:
    """The header of a file of hnswlib."""

    offset_level0: int
    max_elements: int
    count: int
    size_data: int
    label_offset: int
    offset_data: int
    max_level: int
    entry: int
    max_m: int
    max_m0: int
    m: int
    mult: float
    ef_construction: int

    @property
    def links_bytes(self) -> int:
        return 4 * self.max_m0 + 4

    @property
    def upper_bytes(self) -> int:
        """Of a list above layer 0."""
        return 4 * self.max_m + 4


def head_of(data: Any) -> Head:
    if len(data) < HEAD.size:
        raise RuntimeError("Index seems to be corrupted or unsupported")
    return Head(*HEAD.unpack_from(data, 0))


def head_bytes(head: Head) -> bytes:
    return HEAD.pack(*dataclasses.astuple(head))


def level0_of(data: Any, head: Head) -> Any:
    """The records of layer 0, a row each."""
    whole = np.frombuffer(data, np.uint8, head.count * head.size_data, HEAD.size)
    return whole.reshape(head.count, head.size_data)


def deleted_labels(data: Any, head: Head) -> List[int]:
    """Labels that are marked deleted; `data` was found valid by the library."""
    if head.count == 0:
        return []
    records = level0_of(data, head)
    marked = np.flatnonzero(records[:, 2] & 1)
    labels = np.ascontiguousarray(records[marked, head.label_offset:
                                          head.label_offset + LABEL_BYTES])
    return [int(label) for label in labels.reshape(-1).view("<u8")]


# ---- Graph files of the fork ---------------------------------------------------------------------


class GraphWriter:
    """Takes the bytes of a file of hnswlib in pieces and hands on those of a graph file: the same
    without vectors."""

    PIECE = 1 << 22

    def __init__(self, sink: Any) -> None:
        self.sink = sink
        self.waiting: List[bytes] = []
        self.bytes = 0
        self.at = 0  # in the file of hnswlib
        self.head: Any = None

    def write(self, data: bytes) -> None:
        self.waiting.append(data)
        self.bytes += len(data)
        if self.bytes >= self.PIECE:
            self.flush()

    def flush(self) -> None:
        data = b"".join(self.waiting)
        self.waiting, self.bytes = [], 0
        if self.head is None:
            if len(data) < HEAD.size:
                self.write(data)
                return
            self.head = head = head_of(data)
            vector_bytes = head.label_offset - head.offset_data
            self.sink(GRAPH_HEAD.pack(GRAPH_MAGIC, head.max_elements, head.count, head.m,
                                      head.max_m, head.max_m0, head.ef_construction, head.mult,
                                      head.max_level, head.entry, vector_bytes))
            self.at, data = HEAD.size, data[HEAD.size:]
        self.records(data)

    def records(self, data: bytes) -> None:
        head = self.head
        end = HEAD.size + head.count * head.size_data
        inside = max(0, min(len(data), end - self.at))
        if inside:
            place = (self.at - HEAD.size + np.arange(inside)) % head.size_data
            kept = (place < head.offset_data) | (place >= head.label_offset)
            self.sink(np.frombuffer(data, np.uint8, inside)[kept].tobytes())
        if inside < len(data):
            self.sink(data[inside:])
        self.at += len(data)


def file_of_graph(path: Any, dim: int) -> Any:
    """A graph file as a file of hnswlib without vectors, which the library takes where they are
    elsewhere: only the header is another. It is read once, to where it stays."""
    with open(path, "rb") as file:
        rest = max(0, os.fstat(file.fileno()).st_size - GRAPH_HEAD.size)
        data = file.read(GRAPH_HEAD.size)
        made = np.empty(HEAD.size + rest, np.uint8)
        view = memoryview(made)[HEAD.size:]
        while view and (got := file.readinto(view)):
            view = view[got:]
        if view:
            raise RuntimeError("Index seems to be corrupted or unsupported")
    head = _graph_head(data, dim, rest)
    made[:HEAD.size] = np.frombuffer(head_bytes(head), np.uint8)
    return made


def _graph_head(data: bytes, dim: int, rest: int) -> Head:
    """The header of hnswlib's for that of a graph file and so many bytes behind it."""
    if len(data) < GRAPH_HEAD.size or struct.unpack_from("<I", data)[0] != GRAPH_MAGIC:
        raise RuntimeError("Invalid graph file format (bad magic number)")
    (_, max_elements, count, m, max_m, max_m0, ef_construction, mult, max_level, entry,
     vector_bytes) = GRAPH_HEAD.unpack_from(data, 0)
    if vector_bytes != 4 * dim:
        raise RuntimeError("Vector dimension mismatch: saved graph expects "
                           f"{vector_bytes // 4} dims, got {dim}")
    links = 4 * max_m0 + 4
    if max_m0 > 1 << 20 or count * (links + LABEL_BYTES) > rest:
        raise RuntimeError("Index seems to be corrupted or unsupported")
    return Head(0, max_elements, count, links + LABEL_BYTES, links, links, max_level, entry, max_m,
                max_m0, m, mult, ef_construction)


# ---- What hnswlib pickles ------------------------------------------------------------------------


def parts_of(data: Any) -> Dict[str, Any]:
    """The parts of hnswlib's dict that are in its file."""
    head = head_of(data)
    level0 = np.frombuffer(data, np.int8, head.count * head.size_data, HEAD.size).copy()
    try:
        levels = np.zeros(head.max_elements, np.int32)
    except (MemoryError, ValueError) as error:  # as many as a file says that there may be
        raise RuntimeError(f"Not enough memory: {error}") from None
    at, lists = HEAD.size + level0.size, []
    for element in range(head.count):
        size, = struct.unpack_from("<I", data, at)
        if size:
            levels[element] = size // head.upper_bytes
            lists.append(bytes(data[at + 4:at + 4 + size]))
        at += 4 + size
    labels = np.ascontiguousarray(level0.reshape(head.count, -1)[:, head.label_offset:]
                                  if head.count else np.empty((0, 8), np.int8))
    return {
        "offset_level0": head.offset_level0, "max_elements": head.max_elements,
        "cur_element_count": head.count, "size_data_per_element": head.size_data,
        "label_offset": head.label_offset, "offset_data": head.offset_data,
        "max_level": head.max_level, "enterpoint_node": head.entry, "max_M": head.max_m,
        "max_M0": head.max_m0, "M": head.m, "mult": head.mult,
        "ef_construction": head.ef_construction, "size_links_per_element": head.upper_bytes,
        "label_lookup_external": labels.reshape(-1).view("<u8"),
        "label_lookup_internal": np.arange(head.count, dtype=np.uint32),
        "element_levels": levels, "data_level0": level0,
        "link_lists": np.frombuffer(b"".join(lists), np.int8),
    }


def file_of_parts(parts: Dict[str, Any]) -> bytes:
    """The file that hnswlib would write for the dict."""
    try:
        head = Head(parts["offset_level0"], parts["max_elements"], parts["cur_element_count"],
                    parts["size_data_per_element"], parts["label_offset"], parts["offset_data"],
                    parts["max_level"], parts["enterpoint_node"], parts["max_M"],
                    parts["max_M0"], parts["M"], parts["mult"], parts["ef_construction"])
        lists = np.asarray(parts["link_lists"]).view(np.uint8).tobytes()
        level0 = np.asarray(parts["data_level0"]).view(np.uint8).tobytes()
        levels = np.asarray(parts["element_levels"], np.int64)[:head.count].tolist()
        out, at = [head_bytes(head), level0], 0
        for level in levels:
            size = level * head.upper_bytes
            out += [struct.pack("<I", size), lists[at:at + size]]
            at += size
    except (KeyError, IndexError, ValueError, struct.error, TypeError, OverflowError) as error:
        raise RuntimeError(f"Unpickle Error: {error}") from None
    return b"".join(out)
