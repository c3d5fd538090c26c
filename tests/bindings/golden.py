#!/usr/bin/env python3
# golden.py - small indexes that the nigh command builds, and the answers every language must give
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/golden.py [--nigh COMMAND] [--out FOLDER]

Writes indexes, queries and expected answers into FOLDER (build/bindings), unless they are there
and made by this command, and prints the folder. Without --nigh it builds the command first. May run
several times at once. Everything is little-endian.

  queries.f32   50 rows of 24 floats
  rows.f32      2,000 rows of 24 floats: the vectors of slot 0, 1, ... (borrow or fetch them)
  *.nigh        an index for each case below
  golden.json   {"dim", "k", "queries", "rows", "cases": [{"name", "image", "count",
                "metric": "l2"|"cosine", "keys": "u64"|"bytes"|"identity", "external": bool,
                "codes": "none"|"u7", "searches": [{"ef", "answers":
                [for each query [for each hit [key, distance bits, slot]]]}]}]};
                a key is a JSON string also where it is a number
  golden.tsv    the same, a line for each hit: case, ef, query, rank, key, distance bits as 8
                hexadecimal digits, slot
  words.json .tsv   the same for real words of tests/data, which are string keys: "dim" 100,
                "queries" words.f32, 200 of them, no "rows"; cases "words" (cosine) and "words-u7"
                (with u7 codes). For the programs of scratch.py

Searches have k 10 and the ef given; everything else is the default. No key has a tab in it."""
import argparse
import array
import fcntl
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COUNT, LATE, DIM, QUERIES, K = 2000, 100, 24, 50, 10
WORDS_DIM = 100
DATA = os.path.join(ROOT, "tests", "data")
EFS = (10, 64)
REMOVED = (0, 3, 77, 1024, 1899)
WORD = (1 << 64) - 1


class Numbers:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9e3779b97f4a7c15) & WORD
        x = self.state
        x = ((x ^ x >> 30) * 0xbf58476d1ce4e5b9) & WORD
        x = ((x ^ x >> 27) * 0x94d049bb133111eb) & WORD
        return x ^ x >> 31

    def below(self, most):
        return (self.next() >> 32) * most >> 32


def vectors(count, numbers, centres):
    """Rows around the centres, of multiples of 2^-20: f32 holds each exactly."""
    rows = []
    for _ in range(count):
        centre = centres[numbers.below(len(centres))]
        rows.append([(at + numbers.below(1 << 18) - (1 << 17)) / (1 << 20) for at in centre])
    return rows


def save_floats(path, rows):
    values = array.array("f", [value for row in rows for value in row])
    if sys.byteorder == "big":
        values.byteswap()
    with open(path, "wb") as file:
        values.tofile(file)


def save_lines(path, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("".join(line + "\n" for line in lines))


def late_key(i):
    """Numbers that neither a slot nor a double holds."""
    return (1 << 63) + 3 * i if i % 2 else (1 << 53) + 1 + 2 * i


def string_key(i):
    return f"{'päivä' if i % 3 else 'k'}-{i * 7919 % COUNT}" + "x" * (i % 40)


class Maker:
    def __init__(self, command, folder):
        self.command, self.folder = command, folder

    def nigh(self, *arguments):
        done = subprocess.run([self.command, *arguments], cwd=self.folder, capture_output=True,
                              text=True, encoding="utf-8")
        if done.returncode != 0:
            sys.exit(f"golden.py: nigh {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def files(self):
        """Vectors and keys, as files of their own."""
        numbers = Numbers(5)
        centres = [[numbers.below(1 << 21) - (1 << 20) for _ in range(DIM)] for _ in range(40)]
        rows = vectors(COUNT, numbers, centres)
        path = lambda name: os.path.join(self.folder, name)  # noqa: E731
        save_floats(path("rows.f32"), rows)
        save_floats(path("first.f32"), rows[:COUNT - LATE])
        save_floats(path("late.f32"), rows[COUNT - LATE:])
        save_floats(path("queries.f32"), vectors(QUERIES, numbers, centres))
        save_lines(path("late.txt"), [str(late_key(i)) for i in range(LATE)])
        save_lines(path("names.txt"), [string_key(i) for i in range(COUNT)])

    def images(self):
        """The cases; those with numbers for keys have removed keys and late, large ones too."""
        shape = ["--dim", str(DIM), "--m", "8", "--ef-build", "60"]
        for name, options in (("u64", ["--metric", "l2"]),
                              ("u7", ["--metric", "cosine", "--codes", "u7"])):
            image = name + ".nigh"
            self.nigh("build", "first.f32", "-o", image, *shape, *options)
            self.nigh("remove", image, *map(str, REMOVED))
            late = os.path.join(self.folder, "late.npy")
            save_npy(late, os.path.join(self.folder, "late.f32"))
            self.nigh("add", image, "late.npy", "--keys", "late.txt")
            yield self.case(name, "queries.npy")
        self.nigh("build", "rows.f32", "-o", "strings.nigh", *shape, "--metric", "l2", "--keys",
                  "names.txt", "--codes", "u7")
        yield self.case("strings", "queries.npy")
        self.nigh("build", "rows.f32", "-o", "external.nigh", *shape, "--metric", "cosine",
                  "--graph-only")
        yield self.case("external", "queries.npy", "--vectors", "rows.npy")

    def case(self, name, queries, *options):
        info = json.loads(self.nigh("info", name + ".nigh", "--json"))
        searches = []
        for ef in EFS:
            told = json.loads(self.nigh("search", name + ".nigh", queries, "-k", str(K), "--ef",
                                        str(ef), "--json", *options))
            answers = [[[str(hit["key"]), bits(hit["distance"]), hit["slot"]] for hit in hits]
                       for hits in told["hits"]]
            searches.append({"ef": ef, "answers": answers})
        return {"name": name, "image": name + ".nigh", "metric": info["metric"],
                "keys": info["keys"], "external": bool(options), "codes": info["codes"],
                "count": info["count"], "searches": searches}

    def run(self):
        self.files()
        for name in ("rows", "queries"):
            save_npy(os.path.join(self.folder, name + ".npy"),
                     os.path.join(self.folder, name + ".f32"))
        self.save("golden", list(self.images()), dim=DIM, queries="queries.f32", rows="rows.f32")
        self.words(*(os.path.join(DATA, name) for name in (
            "words-5k.f16.npy", "words-5k.txt", "queries-200.f16.npy")))

    def words(self, vectors, keys, queries):
        """Real words, in f32: words.*."""
        save_queries(os.path.join(self.folder, "words.f32"), queries)
        cases = []
        for name, codes in (("words", "none"), ("words-u7", "u7")):
            self.nigh("build", vectors, "-o", name + ".nigh", "--dtype", "f32", "--metric",
                      "cosine", "--keys", keys, "--codes", codes)
            cases.append(self.case(name, queries))
        self.save("words", cases, dim=WORDS_DIM, queries="words.f32")

    def save(self, name, cases, **more):
        with open(os.path.join(self.folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({**more, "k": K, "cases": cases}, file, ensure_ascii=False)
        save_lines(os.path.join(self.folder, name + ".tsv"), list(lines(cases)))


def bits(distance):
    """What the command prints has 9 digits: enough to tell any f32."""
    return struct.unpack("<I", struct.pack("<f", distance))[0]


def lines(cases):
    for case in cases:
        for search in case["searches"]:
            for query, hits in enumerate(search["answers"]):
                for rank, (key, distance, slot) in enumerate(hits):
                    yield (f"{case['name']}\t{search['ef']}\t{query}\t{rank}\t{key}\t"
                           f"{distance:08x}\t{slot}")


def save_npy(path, raw):
    with open(raw, "rb") as file:
        data = file.read()
    head = (f"{{'descr': '<f4', 'fortran_order': False, "
            f"'shape': ({len(data) // (4 * DIM)}, {DIM}), }}").ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def save_queries(path, npy):
    """The floats of an f16 or f32 .npy file, without its head."""
    with open(npy, "rb") as file:
        data = file.read()
    start = 10 + int.from_bytes(data[8:10], "little")
    if b"'<f2'" in data[:start]:
        data = data[:start] + struct.pack(f"<{(len(data) - start) // 2}f", *(
            value for value, in struct.iter_unpack("<e", data[start:])))
    with open(path, "wb") as file:
        file.write(data[start:])


def built(folder):
    """The command, built in a folder of its own; others that ask meanwhile wait."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "build-lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build_command(os.path.join(folder, "command"))


def build_command(build):
    for step in (["cmake", "-S", ROOT, "-B", build, "-DCMAKE_BUILD_TYPE=Release",
                  "-DNIGH_TESTS_BUILD=OFF"],
                 ["cmake", "--build", build, "--target", "nigh_cli", "-j", "2"]):
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            sys.exit(f"golden.py: {' '.join(step)}\n{done.stdout}")
    return os.path.join(build, "nigh")


def stamp(command):
    digest = hashlib.sha256()
    for path in (command, os.path.abspath(__file__), os.path.join(DATA, "SHA256SUMS")):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def make(folder, command=None, fill=Maker.run):
    """The folder with everything in it, or what `fill` makes; others that ask meanwhile wait."""
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = os.path.abspath(command) if command else built(folder)
        mark, want = os.path.join(folder, "stamp"), stamp(command)
        if os.path.exists(mark):
            with open(mark, encoding="utf-8") as file:
                if file.read() == want:
                    return folder
            os.remove(mark)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            fill(Maker(command, work))
            for name in os.listdir(work):
                os.replace(os.path.join(work, name), os.path.join(folder, name))
        with open(mark, "w", encoding="utf-8") as file:
            file.write(want)
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "bindings"))
    options = parser.parse_args()
    print(make(options.out, options.nigh))


if __name__ == "__main__":
    main()
