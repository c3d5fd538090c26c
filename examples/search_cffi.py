#!/usr/bin/env python3
# search_cffi.py - an index file searched from Python: cffi, libnigh.so and declarations.py
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: search_cffi.py LIBNIGH.SO INDEX QUERIES.f32 EF [VECTORS.f32]

Prints a line for each neighbour: query, rank, key, bits of the distance, slot. Wants
declarations.py of bindings/python/nigh where Python finds it. VECTORS: for an index without
any."""
import mmap
import sys

import cffi
import declarations as c

K = 10
ffi = cffi.FFI()
ffi.cdef(c.DECLARATIONS)
kept = []  # what nigh goes on using


def check(status):
    if status != c.NIGH_OK:
        sys.exit(ffi.string(nigh.nigh_status_text(status)).decode())


def memory(size):
    """64-byte aligned, as nigh wants it."""
    kept.append(ffi.new("char[]", size + 64))
    return ffi.cast("void *", int(ffi.cast("uintptr_t", kept[-1])) + 63 & ~63)


def sized(function, *arguments):
    """Memory of the size that a *_bytes function tells: (memory, bytes)."""
    told = ffi.new("uint64_t *")
    check(function(*arguments, told))
    return memory(told[0]), told[0]


def mapped(path):
    """A file where it lies: (address, bytes)."""
    with open(path, "rb") as file:
        kept.append(ffi.from_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))
    return kept[-1], len(kept[-1])


def lender(rows, row_bytes):
    """A fetch callback that lends addresses."""
    @ffi.callback("nigh_fetch_fn")
    def fetch(_user, slots, _keys, count, _scratch, vectors):
        for i in range(count):
            vectors[i] = rows + slots[i] * row_bytes
        return c.NIGH_OK
    kept.append(fetch)
    return fetch


def made(name, **fields):
    return ffi.new(name + " *", {"struct_size": ffi.sizeof(name), **fields})


def opened(path, vectors):
    image, told = mapped(path), made("nigh_config")
    index, row = ffi.new("nigh_index **"), ffi.new("uint64_t *")
    check(nigh.nigh_attach(*image, ffi.NULL,
                           *sized(nigh.nigh_attach_bytes, *image, ffi.NULL), index))
    check(nigh.nigh_config_get(index[0], told))
    check(nigh.nigh_row_bytes(told.dim, told.dtype, row))
    if vectors:
        fetch = lender(mapped(vectors)[0], row[0])
        check(nigh.nigh_index_fetch(index[0], fetch, ffi.NULL, ffi.NULL))
    return index[0], told, row[0]


def main(path, queries, ef, vectors=None):
    index, config, row = opened(path, vectors)
    reading, session = made("nigh_session_options", flags=c.NIGH_SESSION_READ), \
        ffi.new("nigh_session **")
    check(nigh.nigh_session_init(index, reading,
                                 *sized(nigh.nigh_session_bytes, index, reading), session))
    how = made("nigh_search_options", ef=int(ef))
    keys, lengths, slots = (ffi.new("char[]", K * 511), ffi.new("uint32_t[]", K),
                            ffi.new("uint32_t[]", K))
    distances, found = ffi.new("float[]", K), ffi.new("uint32_t *")
    queries, size = mapped(queries)
    for query in range(size // row):
        check(nigh.nigh_search(index, session[0], queries + query * row, how, K, keys, lengths,
                               distances, slots, found))
        at = 0
        for rank in range(found[0]):
            if config.keys == c.NIGH_KEYS_BYTES:
                key = ffi.buffer(keys + at, lengths[rank])[:].decode()
                at += lengths[rank]
            else:
                key = ffi.cast("uint64_t *", keys)[rank]
            bits = ffi.cast("uint32_t *", distances)[rank]
            print(query, rank, key, f"{bits:08x}", slots[rank], sep="\t")


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit(__doc__)
    nigh = ffi.dlopen(sys.argv[1])
    main(*sys.argv[2:])
