# images.py - indexes of real words for the boards, and the answers that the nigh command gives
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Made by the command alone, into one folder: what a board must print, line by line."""
import json
import os
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "tests", "data")
DIM = 100


def floats(name):
    """Rows of an f16 .npy of tests/data, as lists."""
    with open(os.path.join(DATA, name), "rb") as file:
        data = file.read()
    data = data[10 + int.from_bytes(data[8:10], "little"):]
    values = [value for value, in struct.iter_unpack("<e", data)]
    return [values[at:at + DIM] for at in range(0, len(values), DIM)]


def words():
    with open(os.path.join(DATA, "words-5k.txt"), encoding="utf-8") as file:
        return file.read().split("\n")[:-1]


def save_npy(path, rows, kind="f"):
    shape, descr = f"({len(rows)}, {len(rows[0])})", {"f": "<f4", "B": "|u1"}[kind]
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    head = head.ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(raw(rows, kind))


def raw(rows, kind="f"):
    """f: f32, B: bytes"""
    return b"".join(struct.pack(f"<{len(row)}{kind}", *row) for row in rows)


def signs(rows):
    """A bit an element, lowest first, as rows of bytes."""
    packed = []
    for row in rows:
        bits = sum((value > 0) << at for at, value in enumerate(row))
        packed.append(list(bits.to_bytes((len(row) + 7) // 8, "little")))
    return packed


def line(query, rank, hit):
    bits = struct.unpack("<I", struct.pack("<f", hit["distance"]))[0]
    return f"{query}\t{rank}\t{hit['key']}\t{bits:08x}\t{hit['slot']}"


class Maker:
    def __init__(self, command, folder):
        self.command, self.folder = os.path.abspath(command), folder
        os.makedirs(folder, exist_ok=True)
        self.rows, self.queries = floats("words-5k.f16.npy"), floats("queries-200.f16.npy")

    def path(self, name):
        return os.path.join(self.folder, name)

    def nigh(self, *arguments):
        done = subprocess.run([self.command, *arguments], cwd=self.folder, capture_output=True,
                              text=True, encoding="utf-8")
        if done.returncode != 0:
            raise RuntimeError(f"nigh {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def answers(self, image, queries, k, ef, *options):
        told = json.loads(self.nigh("search", image, queries, "-k", str(k), "--ef", str(ef),
                                    "--json", *options))
        return [line(query, rank, hit) for query, hits in enumerate(told["hits"])
                for rank, hit in enumerate(hits)]

    def keys(self, count):
        with open(self.path(f"words-{count}.txt"), "w", encoding="utf-8") as file:
            file.write("".join(word + "\n" for word in words()[:count]))
        return f"words-{count}.txt"

    def split(self, name):
        """NAME.graph.nigh, packed without vectors, and NAME.rows, the vectors of all slots; by
        FORMAT.md. Returns both."""
        self.nigh("pack", f"{name}.plain.nigh", "-o", f"{name}.graph.nigh", "--graph-only")
        with open(self.path(f"{name}.plain.nigh"), "rb") as file:
            image = file.read()
        dim, _, dtype = struct.unpack_from("<3I", image, 32)
        row_bytes = {2: 2 * dim, 4: dim + 8}[dtype]  # f16, i8
        offset, records, stride = struct.unpack_from("<QQI", image, 120 + 32 * 6)
        with open(self.path(f"{name}.rows"), "wb") as file:
            for at in range(offset, offset + records * stride, stride):
                file.write(image[at:at + row_bytes])
        return self.path(f"{name}.graph.nigh"), self.path(f"{name}.rows")

    def image(self, name, count, dim, queries, options, named=False):
        """Builds NAME.nigh from the first words, packs it, and saves queries."""
        rows = [row[:dim] for row in self.rows[:count]]
        asked = [row[:dim] for row in self.queries[:queries]]
        save_npy(self.path(f"{name}.npy"), rows)
        save_npy(self.path(f"{name}-queries.npy"), asked)
        with open(self.path(f"{name}-queries.bin"), "wb") as file:
            file.write(raw(signs(asked), "B") if "b1" in options else raw(asked))
        keys = ["--keys", self.keys(count)] if named else []
        self.nigh("build", f"{name}.npy", "-o", f"{name}.plain.nigh", *options, *keys)
        self.nigh("pack", f"{name}.plain.nigh", "-o", f"{name}.nigh")
        return self.path(f"{name}.nigh")
