#!/usr/bin/env python3
# engine.py - the modules in a second engine, wasmtime: the answers of the command, callbacks
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/wasm/engine.py GOLDEN MODULE...   (GOLDEN: the folder of tests/bindings/golden.py)

Another compiler (Cranelift) and another way of calling back than Node's. Ends with
"N passed, N failed"."""
import array
import json
import os
import struct
import sys

import wasmtime

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FETCH = 1  # wasm/nighw.h
SEARCH_OPTIONS = struct.Struct("<IIIIfIIf")


class Host:
    """An instance; calls by name, memory by slices."""

    def __init__(self, engine, module):
        self.store = wasmtime.Store(engine)
        i32 = wasmtime.ValType.i32()
        callback = wasmtime.Func(self.store, wasmtime.FuncType([i32] * 7, [i32]), self.called)
        self.exports = wasmtime.Instance(self.store, module, [callback]).exports(self.store)
        self.memory = self.exports["memory"]
        self.fetch = None

    def called(self, kind, _user, *given):
        return self.fetch(*(value & 0xffffffff for value in given)) if kind == FETCH else -1

    def call(self, name, *given):
        return self.exports[name](self.store, *given)

    def ok(self, name, *given):
        status = self.call(name, *given)
        if status != 0:
            raise RuntimeError(f"{name}: {status}")

    def read(self, at, count):
        return bytes(self.memory.read(self.store, at, at + count))

    def write(self, at, data):
        self.memory.write(self.store, data, at)

    def alloc(self, size):
        at = self.call("nighw_alloc", size) & 0xffffffff
        if at == 0:
            raise MemoryError(size)
        return at

    def put(self, data):
        at = self.alloc(len(data))
        self.write(at, data)
        return at

    def number(self, name, *given, form="<Q"):
        """What a function writes through its last parameter."""
        at = self.alloc(8)
        self.ok(name, *given, at)
        value = struct.unpack(form, self.read(at, struct.calcsize(form)))[0]
        self.ok("nighw_free", at)
        return value


def attached(host, image):
    """(index, session)"""
    at = host.put(image)
    size = host.number("nigh_attach_bytes", at, len(image), 0)
    index = host.number("nigh_attach", at, len(image), 0, host.alloc(size), size, form="<I")
    size = host.number("nigh_session_bytes", index, 0)
    return index, host.number("nigh_session_init", index, 0, host.alloc(size), size, form="<I")


def fetch_rows(host, rows, row_bytes):
    def fetch(slots, _keys, count, scratch, vectors):
        for i, slot in enumerate(struct.unpack(f"<{count}I", host.read(slots, 4 * count))):
            host.write(scratch + i * row_bytes, rows[slot * row_bytes:(slot + 1) * row_bytes])
        host.write(vectors, array.array("I", (scratch + i * row_bytes for i in range(count)))
                   .tobytes())
        return 0
    return fetch


def answers(host, index, session, queries, row_bytes, k, ef, strings):
    """[[key, distance bits, slot] for each hit] for each query"""
    room = 511 if strings else 8
    options = host.put(SEARCH_OPTIONS.pack(SEARCH_OPTIONS.size, ef, 0, 0, 0, 0, 0, 0))
    keys, lengths, distances, slots, found, query = (
        host.alloc(size) for size in (k * room, 4 * k, 4 * k, 4 * k, 4, row_bytes))
    for first in range(0, len(queries), row_bytes):
        host.write(query, queries[first:first + row_bytes])
        host.ok("nigh_search", index, session, query, options, k, keys, lengths, distances, slots,
                found)
        count = struct.unpack("<I", host.read(found, 4))[0]
        word = f"<{count}I"
        if strings:
            at, names = 0, []
            for length in struct.unpack(word, host.read(lengths, 4 * count)):
                names.append(host.read(keys + at, length).decode())
                at += length
        else:
            names = map(str, struct.unpack(f"<{count}Q", host.read(keys, 8 * count)))
        yield [list(hit) for hit in zip(names, struct.unpack(word, host.read(distances, 4 * count)),
                                        struct.unpack(word, host.read(slots, 4 * count)))]


def saved(host, index):
    size = host.number("nigh_save_bytes", index, 0)
    at = host.alloc(size)
    host.ok("nighw_save", index, 0, at, size)
    return host.read(at, size)


def one(engine, module, folder, golden, case):
    """Findings about a case."""
    files = {name: open(os.path.join(folder, name), "rb").read()  # noqa: SIM115
             for name in (golden["queries"], golden["rows"], case["image"])}
    row_bytes, image = 4 * golden["dim"], files[case["image"]]
    host = Host(engine, module)
    index, session = attached(host, image)
    if case["external"]:
        host.fetch = fetch_rows(host, files[golden["rows"]], row_bytes)
        host.ok("nigh_index_fetch", index, host.call("nighw_function", FETCH), 0, 0)
    for search in case["searches"]:
        got = list(answers(host, index, session, files[golden["queries"]], row_bytes, golden["k"],
                           search["ef"], case["keys"] == "bytes"))
        if got != search["answers"]:
            yield f"ef {search['ef']}: other answers"
    if saved(host, index) != image:
        yield "saves other bytes"


def main(arguments):
    folder, *modules = arguments
    with open(os.path.join(folder, "golden.json"), encoding="utf-8") as file:
        golden = json.load(file)
    engine, passed, failed = wasmtime.Engine(), 0, 0
    for path in modules:
        module = wasmtime.Module.from_file(engine, path)
        for case in golden["cases"]:
            found = list(one(engine, module, folder, golden, case))
            passed += not found
            failed += bool(found)
            for finding in found:
                print(f"{os.path.relpath(path, ROOT)} {case['name']}: {finding}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
