#!/usr/bin/env python3
# test_data.py - the sample is what SHA256SUMS says, and is what tests take it for
# SPDX-License-Identifier: MIT OR Apache-2.0
import hashlib
import math
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def content(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


def problems():
    sums = dict(reversed(line.split()) for line in content("SHA256SUMS").decode().splitlines())
    for name, digest in sums.items():
        if hashlib.sha256(content(name)).hexdigest() != digest:
            yield f"{name} has another SHA-256"
    keys = []
    for name, rows in (("words-5k", 5000), ("queries-200", 200)):
        if {name + ".f16.npy", name + ".txt"} - set(sums):
            yield f"{name} is not in SHA256SUMS"
        words = content(name + ".txt").decode().split("\n")
        if words.pop() != "" or len(words) != rows or not all(words):
            yield f"{name}.txt does not hold {rows} words"
        keys += words
        data = content(name + ".f16.npy")
        if data[:8] != b"\x93NUMPY\x01\x00" or f"'shape': ({rows}, 100)".encode() not in data[:128]:
            yield f"{name}.f16.npy has another head"
        vectors = list(struct.iter_unpack("<100e", data[128:]))
        if len(vectors) != rows or len(set(vectors)) != rows:
            yield f"{name}.f16.npy does not hold {rows} different vectors"
        if not all(any(row) and all(map(math.isfinite, row)) for row in vectors):
            yield f"{name}.f16.npy holds a zero vector or one that is not finite"
    if len(keys) != len(set(keys)):
        yield "a word stands twice"


def main():
    found = list(problems())
    for problem in found:
        print(f"tests/data: {problem}")
    print(f"{0 if found else 1} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
