#!/usr/bin/env python3
# test_hnswlib.py - hnswlib itself beside nigh: either reads the other's files and answers the same
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: .cache/venv/bin/python tests/compat/test_hnswlib.py [COMMAND]
              [--vectors FILE --count N --queries N --ef N]

COMMAND: the built nigh command, default build/nigh. The suite runs on drawn vectors and on the
words of tests/data. With --vectors only the round trips of N rows of a .npy run: hnswlib -> nigh ->
hnswlib and nigh -> hnswlib -> nigh, for each space, and a line for each says how many answers are
the same. Sums of floats in another order may change the last places, so where two neighbours are as
far within 1e-5 of their distance, either may come first: such a near tie is counted on its own, and
never passes as the same. Ends with "N passed, N failed"."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import hnswlib
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WORDS = os.path.join(ROOT, "tests", "data", "words-5k.f16.npy")
SPACES = ("l2", "ip", "cosine")
K = 10
TIE = 1e-5  # of the distance, or of 1


class Count:
    passed = failed = 0

    def check(self, good, text):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {text}")


class Bench:
    """A folder, the command, and indexes of hnswlib."""

    def __init__(self, command, folder):
        self.command, self.folder = command, folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def nigh(self, *words):
        done = subprocess.run([self.command, *map(str, words)], cwd=self.folder, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"nigh {' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def peer(self, space, rows, labels=None, m=16, ef=100, threads=1):
        index = hnswlib.Index(space, rows.shape[1])
        index.init_index(len(rows), M=m, ef_construction=ef, random_seed=7)
        index.add_items(rows, labels, num_threads=threads)
        return index

    def load(self, space, dim, name):
        index = hnswlib.Index(space, dim)
        index.load_index(self.path(name))
        return index

    def read(self, name, space, dim, output, *more):
        return json.loads(self.nigh("import-hnswlib", name, "--space", space, "--dim", dim, "-o",
                                    output, "--json", *more))

    def answers(self, name, queries, ef, labels):
        """Labels and distances; nigh's slots are the elements of the file."""
        np.save(self.path("queries.npy"), queries)
        self.nigh("search", name, "queries.npy", "-k", K, "--ef", ef, "--expansions", 1, "--out",
                  "slots.ivecs", "--distances", "far.fvecs", "--ids", "slot")
        slots = np.fromfile(self.path("slots.ivecs"), np.int32).reshape(len(queries), K + 1)[:, 1:]
        far = np.fromfile(self.path("far.fvecs"), np.float32).reshape(len(queries), K + 1)[:, 1:]
        return labels[slots], far


def peer_answers(index, queries, ef):
    index.set_ef(ef)
    return index.knn_query(queries, K)


def compare(a, b):
    """(the same, near ties, different) of the queries."""
    same = (a[0] == b[0]).all(axis=1)
    close = (np.abs(a[1] - b[1]) <= TIE * np.maximum(1, np.abs(a[1]))).all(axis=1)
    return int(same.sum()), int((~same & close).sum()), int((~same & ~close).sum())


def told(count, text, got, ties_max):
    same, ties, other = got
    print(f"{text}: {same} the same, {ties} near ties, {other} different")
    count.check(other == 0 and ties <= ties_max and same > 0, text)


def drawn(count, bench):
    """Many small graphs: spaces, M, deleted elements, labels in any order, threads."""
    source = np.random.default_rng(11)
    for m in (4, 16, 40):
        for space in SPACES:
            rows = source.standard_normal((3000, 24)).astype(np.float32)
            queries = source.standard_normal((100, 24)).astype(np.float32)
            labels = source.choice(1 << 30, 3000, replace=False).astype(np.int64) << 20
            index = bench.peer(space, rows, labels, m, threads=2)
            for deleted in (0, 500):
                for label in labels[:deleted]:
                    index.mark_deleted(int(label))
                index.save_index(bench.path("peer.bin"))
                facts = bench.read("peer.bin", space, 24, "x.nigh")
                good = (facts["count"], facts["deleted"], facts["m"], facts["ef_build"]) == \
                    (3000 - deleted, deleted, m, max(100, m))
                count.check(good, f"facts {facts}")
                bench.nigh("check", "x.nigh")
                for ef in (10, 60):
                    order = ids_in_order(bench.path("peer.bin"))
                    got = compare(peer_answers(index, queries, ef),
                                  bench.answers("x.nigh", queries, ef, order))
                    told(count, f"{space} M {m} deleted {deleted} ef {ef}", got, 1)
                bench.nigh("export-hnswlib", "x.nigh", "-o", "back.bin")
                back = bench.load(space, 24, "back.bin")
                a, b = peer_answers(index, queries, 40), peer_answers(back, queries, 40)
                count.check((a[0] == b[0]).all() and (a[1] == b[1]).all(), f"{space} {m} back")
                changed(count, bench, space, rows)


def ids_in_order(path):
    """Labels by internal id, from the file: threads add rows in any order."""
    data = np.fromfile(path, np.uint8)
    head = data[:96].view(np.uint64)
    count, size, label = int(head[2]), int(head[3]), int(head[4])
    body = data[96:96 + count * size].reshape(count, size)
    return np.ascontiguousarray(body[:, label:label + 8]).view(np.uint64)[:, 0].astype(np.int64)


def changed(count, bench, space, rows):
    """What changes a graph of hnswlib roots it first; hnswlib reads and changes what came of it."""
    np.save(bench.path("more.npy"), rows[:50] + np.float32(0.25))
    bench.nigh("add", "x.nigh", "more.npy")
    bench.nigh("vacuum", "x.nigh")
    bench.nigh("check", "x.nigh")
    bench.nigh("export-hnswlib", "x.nigh", "-o", "more.bin")
    index = bench.load(space, rows.shape[1], "more.bin")
    index.resize_index(index.get_current_count() + 20)
    index.add_items(rows[:20] - np.float32(0.5), np.arange(20))
    found, _ = peer_answers(index, rows[:20] - np.float32(0.5), 100)
    good = sum(i in found[i] for i in range(20)) if space != "ip" else 20
    count.check(good >= 18, f"{space}: {good} of 20 rows that hnswlib added are found")


def trips(count, bench, name, rows, queries, ef, ties_max):
    """Both round trips of one set of vectors."""
    dim = rows.shape[1]
    order = np.arange(len(rows))
    np.save(bench.path("rows.npy"), rows)
    for space in SPACES:
        index = bench.peer(space, rows, threads=-1)
        index.save_index(bench.path("a.bin"))
        want = peer_answers(index, queries, ef)
        labels = ids_in_order(bench.path("a.bin"))
        bench.read("a.bin", space, dim, "a.nigh")
        told(count, f"{name} {space}: hnswlib -> nigh",
             compare(want, bench.answers("a.nigh", queries, ef, labels)), ties_max)
        bench.nigh("export-hnswlib", "a.nigh", "-o", "b.bin")
        got = peer_answers(bench.load(space, dim, "b.bin"), queries, ef)
        told(count, f"{name} {space}: hnswlib -> nigh -> hnswlib", compare(want, got), 0)
        bench.nigh("build", "rows.npy", "-o", "c.nigh", "--metric", space, "--threads", 2)
        bench.nigh("export-hnswlib", "c.nigh", "-o", "c.bin")
        want = bench.answers("c.nigh", queries, ef, order)
        peer = peer_answers(bench.load(space, dim, "c.bin"), queries, ef)
        told(count, f"{name} {space}: nigh -> hnswlib", compare(want, peer), ties_max)
        bench.read("c.bin", space, dim, "d.nigh", "--root")
        got = bench.answers("d.nigh", queries, ef, order)
        told(count, f"{name} {space}: nigh -> hnswlib -> nigh", compare(want, got),
             ties_max if space == "cosine" else 0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", nargs="?", default=os.path.join(ROOT, "build", "nigh"))
    parser.add_argument("--vectors")
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--ef", type=int, default=64)
    given = parser.parse_args()
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(os.path.abspath(given.command), folder)
        if given.vectors:
            rows = np.load(given.vectors, mmap_mode="r")[:given.count + given.queries]
            rows = np.ascontiguousarray(rows, dtype=np.float32)
            trips(count, bench, f"{given.count} vectors", rows[:given.count], rows[given.count:],
                  given.ef, given.queries // 100)
        else:
            words = np.load(WORDS).astype(np.float32)
            trips(count, bench, "words", words[:-200], words[-200:], 50, 2)
            drawn(count, bench)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
