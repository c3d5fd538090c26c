# tuning.py - expansions for one index, chosen on rows of its own base
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The queries that results come from are never seen here. Those of the tuning lie half-way from
some stored rows to their tenth neighbours: stored rows themselves are easier to find than anything
new, since links were chosen with them in view."""
import json
import math
import os
import subprocess

import numpy

ROWS = 500
EXPANSIONS = [1, 2, 4]
LEVELS = [0.95, 0.99]
ROUNDS = 3


def crossing(points, level, key):
    """The value of `key` at a recall, on a straight line of its logarithm; None: not reached."""
    for low, high in zip(points, points[1:]):
        if low["recall"] < level <= high["recall"]:
            share = (level - low["recall"]) / (high["recall"] - low["recall"])
            return math.exp(math.log(low[key]) * (1 - share) + math.log(high[key]) * share)
    if points and points[0]["recall"] >= level:
        return points[0][key]
    return None


def score(points, key):
    """The mean logarithm of `key` over the levels that are reached; minus infinity: none is."""
    found = [crossing(points, level, key) for level in LEVELS]
    known = [math.log(value) for value in found if value is not None]
    return sum(known) / len(known) if known else -math.inf


def choose(command, index, base_path, folder, k, effort):
    """Arguments for `nigh search`. `effort`: those that sweep it."""
    base = numpy.load(base_path, mmap_mode="r")
    rows = numpy.linspace(0, len(base) - 1, min(ROWS, len(base))).astype(int)
    queries, truth = os.path.join(folder, "tune.npy"), os.path.join(folder, "tune.ivecs")

    def search(*arguments):
        done = subprocess.run([command, "search", index, queries, "-k", str(k + 1), "--json",
                               *arguments], capture_output=True, text=True, check=True)
        return json.loads(done.stdout).get("results", [])

    def exact():
        search("--exact", "--threads", "0", "--out", truth)
        return numpy.fromfile(truth, "<i4").reshape(len(rows), -1)[:, 1:]

    numpy.save(queries, base[rows])
    numpy.save(queries, (base[rows] + base[exact()[:, k]]) / 2)
    exact()
    speeds = dict.fromkeys(EXPANSIONS, -math.inf)
    for _ in range(ROUNDS):
        for count in EXPANSIONS:
            points = search(*effort, "--truth", truth, "--expansions", str(count))
            speeds[count] = max(speeds[count], score(points, "qps"))
    for path in (queries, truth):
        os.remove(path)
    return ["--expansions", str(max(EXPANSIONS, key=speeds.get))]
