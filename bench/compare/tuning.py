# tuning.py - gamma and expansions for one index, chosen on rows of its own base
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The queries that results come from are never seen here. Those of the tuning lie half-way from
some stored rows to their tenth neighbours: stored rows themselves are easier to find than anything
new, since links were chosen with them in view, and a gamma chosen on them is too small. Gamma is
chosen by distances computed, which no noise touches, expansions by interleaved speeds."""
import json
import math
import os
import subprocess

import numpy

ROWS, EFS = 500, [16, 24, 40, 60, 90, 140, 200, 300, 450, 700, 1000]
GAMMAS = [0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4]
EXPANSIONS = [2, 4]
LEVELS = [0.95, 0.99]
LOSS = 0.0005  # of recall that a gamma may cost at the widest search: else it caps recall


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
    """The mean logarithm of `key` over the levels, or None."""
    found = [crossing(points, level, key) for level in LEVELS]
    return None if None in found else sum(map(math.log, found)) / len(found)


def choose(command, index, base_path, folder, k, common):
    """Arguments for `nigh search`."""
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
    measured = [*common, "--truth", truth, "--ef", ",".join(map(str, EFS))]
    found = {gamma: search(*measured, "--gamma", str(gamma)) for gamma in GAMMAS}
    costs = {gamma: score(points, "distances") for gamma, points in found.items()
             if points[-1]["recall"] >= found[0][-1]["recall"] - LOSS}
    gamma = min((cost, gamma) for gamma, cost in costs.items() if cost is not None)[1]
    speeds = {}
    for _ in range(3):
        for count in EXPANSIONS:
            points = search(*measured, "--gamma", str(gamma), "--expansions", str(count))
            speed = score(points, "qps")
            speeds[count] = max(speeds.get(count, -math.inf), speed or -math.inf)
    best = max(EXPANSIONS, key=speeds.get)
    for path in (queries, truth):
        os.remove(path)
    return ["--gamma", str(gamma), "--expansions", str(best)]
