# command.py - for tests of the nigh command: running it, and files of vectors
# SPDX-License-Identifier: MIT OR Apache-2.0
import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "tests", "data")
WORDS = os.path.join(DATA, "words-5k.f16.npy")
NAMES = os.path.join(DATA, "words-5k.txt")
QUERIES = os.path.join(DATA, "queries-200.f16.npy")
VERBS = ["build", "search", "near", "add", "remove", "codes", "refine", "vacuum", "pack",
         "info", "check", "sha", "import-hnswlib", "export-hnswlib",
         "lmdb"]
PACKED = {"<f4": "f", "<f2": "e", "|i1": "b", "|u1": "B", "<i4": "i", "<u8": "Q"}
# A sanitizer's build is ten times slower.
SMALL = os.environ.get("NIGH_TEST_SCALE") == "small"


def npy(path, rows, kind="<f4"):
    shape = f"({len(rows)}, {len(rows[0])})"
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for row in rows:
            file.write(struct.pack(f"<{len(row)}{PACKED[kind]}", *row))
    return path


def vecs(path, rows, kind="f"):
    with open(path, "wb") as file:
        for row in rows:
            file.write(struct.pack(f"<i{len(row)}{kind}", len(row), *row))
    return path


def read_vecs(path, kind="i"):
    rows, size = [], struct.calcsize(kind)
    with open(path, "rb") as file:
        while head := file.read(4):
            dim = struct.unpack("<i", head)[0]
            rows.append(list(struct.unpack(f"<{dim}{kind}", file.read(dim * size))))
    return rows


def uniform(count, dim, seed=1):
    """Values that f32 holds exactly."""
    source = random.Random(seed)
    return [[source.randrange(-4096, 4096) / 4096 for _ in range(dim)] for _ in range(count)]


def nearest(rows, query, k):
    """Slots by exact search, squared L2."""
    order = sorted((sum((a - b) ** 2 for a, b in zip(row, query)), slot)
                   for slot, row in enumerate(rows))
    return [slot for _, slot in order[:k]]


def read_terminal(master):
    told = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # the other end is closed
            os.close(master)
            return told.decode(errors="replace")
        told += part


class Command(unittest.TestCase):
    """A folder of its own for each test, and ways to run the command in it."""

    binary = os.environ.get("NIGH_COMMAND", os.path.join(ROOT, "build", "nigh"))

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="nigh_cli_")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def nigh(self, *args, code=0, stdin=b"", says="", **more):
        done = subprocess.run([Command.binary, *map(str, args)], input=stdin, capture_output=True,
                              cwd=self.dir, timeout=600, check=False, **more)
        said = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, f"nigh {args}: {said}")
        for line in said.splitlines():
            self.assertTrue(line.startswith("nigh: "), line)
        if code == 0 and says:
            self.assertIn(says, said)
        elif code == 0:
            self.assertEqual(said, "")
        elif code != 1:
            self.assertNotEqual(said, "")
        done.said = said
        return done

    def text(self, *args, **more):
        return self.nigh(*args, **more).stdout.decode()

    def json(self, *args, **more):
        return json.loads(self.nigh(*args, "--json", **more).stdout)

    def fails(self, code, part, *args, **more):
        """Exit code, a part of the message, nothing on stdout and no new file."""
        before = sorted(os.listdir(self.dir))
        done = self.nigh(*args, code=code, **more)
        self.assertIn(part, done.said)
        self.assertEqual(done.stdout, b"")
        self.assertEqual(sorted(os.listdir(self.dir)), before)

    def sample(self, count=300, dim=8, name="x"):
        rows = uniform(count, dim)
        npy(self.path(f"{name}.npy"), rows)
        self.nigh("build", f"{name}.npy", "-o", f"{name}.nigh")
        return rows

    def sha(self, name):
        return hashlib.sha256(self.read(name)).hexdigest()
