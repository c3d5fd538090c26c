#!/usr/bin/env python3
# worker.py - one Python peer in a process of its own: builds an index, or opens it and searches
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: worker.py PEER build METRIC FOLDER M EF_BUILD OPTION ROWS.npy
       worker.py PEER serve METRIC FOLDER M EF_BUILD OPTION QUERIES.npy IDS

PEER is a module of peers/. METRIC is l2 or cosine; under cosine rows are of unit length. OPTION is
the contender's own, such as f32. compare.py starts this, and the programs of crates/, which take
the same words from METRIC on:
build   leaves the index in FOLDER and prints {"cpu_s", "peak_kb"}: processor time of the build
        without loading rows and saving, and the most memory that the process had, rows included
serve   prints {"before_kb", "resident_kb"} around opening, then answers each line "EF PASSES" with
        {"ef", "cpu_s": [...], "resident_kb"}: after a warm pass, the processor time of this thread
        for each pass over all queries (a slow one runs once); the ids are i32 in IDS, -1 for none

A peer's module has build(rows, job) -> an object with save(job), and load(job) -> an object with
set_ef(ef) and search(queries, k) -> ids, -1 or an unknown id where there is none."""
import collections
import importlib
import json
import os
import sys
import time

import numpy

K, SLOW_SECONDS, SEED = 10, 1.0, 42
Job = collections.namedtuple("Job", "metric path m ef_build option dim seed")


def status_kb(name):
    with open("/proc/self/status", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith(name)), 0)


def build(peer, job, rows):
    start = time.process_time()
    index = peer.build(rows, job)
    cpu = time.process_time() - start
    print(json.dumps({"cpu_s": cpu, "peak_kb": status_kb("VmHWM:")}), flush=True)
    index.save(job)


def timed(index, queries):
    """(ids, processor time): all of the process when another thread did the work."""
    thread, process = time.thread_time(), time.process_time()
    ids = index.search(queries, K)
    thread, process = time.thread_time() - thread, time.process_time() - process
    return ids, process if process > 1.2 * thread else thread


def serve(peer, job, queries, ids_path):
    before = status_kb("VmRSS:")
    index = peer.load(job)
    print(json.dumps({"before_kb": before, "resident_kb": status_kb("VmRSS:")}), flush=True)
    for line in sys.stdin:
        ef, passes = map(int, line.split())
        index.set_ef(ef)
        ids, warm = timed(index, queries)
        padded = numpy.full((len(queries), K), -1, "<i4")
        padded[:, :ids.shape[1]] = ids
        padded.tofile(ids_path)
        times = [timed(index, queries)[1] for _ in range(1 if warm > SLOW_SECONDS else passes)]
        print(json.dumps({"ef": ef, "cpu_s": times, "resident_kb": status_kb("VmRSS:")}),
              flush=True)


def main(words):
    peer = importlib.import_module("peers." + words[0])
    rows = numpy.load(words[7])
    job = Job(words[2], os.path.join(words[3], "index"), int(words[4]), int(words[5]), words[6],
              rows.shape[1], SEED)
    (build if words[1] == "build" else serve)(peer, job, rows, *words[8:])


if __name__ == "__main__":
    main(sys.argv[1:])
