#!/usr/bin/env python3
# mapped.py - builds an index at least four times as large as the memory that the build may use
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/slow/mapped.py COMMAND [--rows N] [--limit BYTES]

COMMAND: the built nigh command. In a memory cgroup of its own (version 1 or 2, made here as root)
`nigh build --mapped` makes an index of at least 4 x LIMIT bytes; the image is that of
a build without limit, and it answers under the limit as well. Where no limit can be set it says
why and counts as passed. Default: a small one for make test, yet with room for what the kernel
counts with a process (stacks, page tables): 2 MB are too few at times. Ends with "N passed,
N failed"."""
import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

DIM = 128
ROOT1 = "/sys/fs/cgroup/memory"
ROOT2 = "/sys/fs/cgroup"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


class Limit:
    """A memory cgroup; `wrap` makes a command line run in it."""

    def __init__(self, limit):
        self.path, self.why = None, ""
        name = f"nigh-test-{os.getpid()}"
        for root, word in ((ROOT1, "memory.limit_in_bytes"), (ROOT2, "memory.max")):
            path = os.path.join(root, name)
            try:
                os.mkdir(path)
            except OSError as error:
                self.why += f"{root}: {error.strerror}; "
                continue
            try:
                write(os.path.join(path, word), str(limit))
            except OSError as error:
                self.why += f"{path}/{word}: {error.strerror}; "
                os.rmdir(path)
                continue
            self.path = path
            self.peaks = ("memory.max_usage_in_bytes", "memory.peak")
            return

    def wrap(self, command):
        procs = os.path.join(self.path, "cgroup.procs")
        return ["sh", "-c", f'echo $$ > {procs} && exec "$@"', "sh", *command]

    def peak(self):
        for name in self.peaks:
            try:
                with open(os.path.join(self.path, name), encoding="ascii") as file:
                    return int(file.read())
            except (OSError, ValueError):
                pass
        return 0

    def faults(self):
        with open(os.path.join(self.path, "memory.stat"), encoding="ascii") as file:
            return next((int(line.split()[1]) for line in file if line.startswith("pgmajfault ")),
                        0)

    def drop(self):
        if self.path is not None:
            os.rmdir(self.path)


def rows(path, count, dim):
    """Clusters of f32, quickly and without numpy: a centre plus one of many offsets."""
    source = random.Random(1)

    def draw(scale):
        return struct.pack(f"<{dim}f", *(source.gauss(0, scale) for _ in range(dim)))

    centres = [draw(1) for _ in range(200)]
    head = (f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {dim}), }}".ljust(117)
            + "\n")
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        for _ in range(count):
            row = bytearray(source.choice(centres))
            for at in range(source.randrange(8), dim, 8):  # an eighth of it is its own
                struct.pack_into("<f", row, 4 * at, source.gauss(0, 2))
            file.write(row)


class Run:
    def __init__(self, command, folder):
        self.command, self.folder, self.results = command, folder, [0, 0]

    def expect(self, condition, text):
        self.results[0 if condition else 1] += 1
        if not condition:
            print("FAIL", text, flush=True)

    def nigh(self, *words, limit=None):
        command = [self.command, *map(str, words)]
        start = time.monotonic()
        done = subprocess.run(limit.wrap(command) if limit else command, cwd=self.folder,
                              capture_output=True, text=True, check=False)
        self.expect(done.returncode == 0, f"nigh {words[0]}: {done.returncode} {done.stderr}")
        return done, time.monotonic() - start

    def all(self, count, limit_bytes, limit):
        build = ("--m", 5, "--ef-build", 40, "--codes", "u7", "--threads", 2)
        rows(os.path.join(self.folder, "x.npy"), count, DIM)
        rows(os.path.join(self.folder, "q.npy"), 50, DIM)
        free = self.nigh("build", "x.npy", "-o", "free.nigh", *build)[1]
        size = os.path.getsize(os.path.join(self.folder, "free.nigh"))
        self.expect(size >= 4 * limit_bytes, f"{size} bytes are less than 4 x {limit_bytes}")
        done, seconds = self.nigh("build", "x.npy", "-o", "x.nigh", "--mapped", *build, limit=limit)
        if done.returncode != 0:
            return
        peak, faults = limit.peak(), limit.faults()
        self.expect(0 < peak <= limit_bytes, f"peak {peak} of {limit_bytes}")
        with open(os.path.join(self.folder, "x.nigh"), "rb") as one:
            with open(os.path.join(self.folder, "free.nigh"), "rb") as other:
                self.expect(one.read() == other.read(), "the images differ")
        answers = [self.nigh("search", name, "q.npy", "--json", limit=within)[0].stdout
                   for name, within in (("free.nigh", None), ("x.nigh", limit))]
        hits = [json.loads(answer)["hits"] for answer in answers if answer]
        self.expect(len(hits) == 2 and hits[0] == hits[1], "the answers differ")
        left = [name for name in os.listdir(self.folder) if name.startswith(".nigh")]
        self.expect(not left, f"left behind: {left}")
        print(f"{count} x {DIM}: an index of {size} bytes under a limit of {limit_bytes} "
              f"({size / limit_bytes:.1f} x, with vectors and job "
              f"{(size + 4 * DIM * count) / limit_bytes:.1f} x): {seconds:.1f} s, {faults} major "
              f"faults, peak {peak}; without limit {free:.1f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command")
    parser.add_argument("--rows", type=int, default=24000)
    parser.add_argument("--limit", type=int, default=4200000)
    given = parser.parse_args()
    limit = Limit(given.limit)
    if limit.path is None:
        print(f"no memory limit can be set here ({limit.why[:-2]}): not proven\n1 passed, 0 failed")
        return 0
    folder = tempfile.mkdtemp(prefix="nigh-mapped-")
    run = Run(os.path.abspath(given.command), folder)
    try:
        run.all(given.rows, given.limit, limit)
    finally:
        limit.drop()
        shutil.rmtree(folder)
    print(f"{run.results[0]} passed, {run.results[1]} failed")
    return 1 if run.results[1] else 0


if __name__ == "__main__":
    sys.exit(main())
