#!/usr/bin/env python3
# test_compare.py - the driver of bench/compare: figures, tables, sets, and a small run of two
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/test_compare.py [--nigh PROGRAM]

What needs numpy or a peer runs with the Python of .cache/venv (tools/setup.sh bench) and is passed
over where that is missing. No network, no large set, a few seconds. Ends with "N passed, N failed".
"""
import json
import math
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COMPARE = os.path.join(ROOT, "bench", "compare")
VENV = os.path.join(ROOT, ".cache", "venv", "bin", "python")
sys.path.insert(0, COMPARE)
counts = {"passed": 0, "failed": 0}


def expect(what, good):
    counts["passed" if good else "failed"] += 1
    if not good:
        print(f"FAILED: {what}")


def near(a, b):
    return a is not None and math.isclose(a, b, rel_tol=1e-9)


def test_figures():
    import figures
    points = [(0.96, 1000.0), (0.80, 16000.0), (0.92, 4000.0)]
    expect("half way is the geometric mean", near(figures.at_recall(points, 0.94), 2000.0))
    expect("a point is itself", near(figures.at_recall(points, 0.92), 4000.0))
    expect("above all there is nothing", figures.at_recall(points, 0.97) is None)
    expect("below all there is nothing", figures.at_recall(points, 0.79) is None)
    expect("equal recalls divide by nothing",
           near(figures.at_recall([(0.9, 5.0), (0.9, 7.0)], 0.9), 5.0))
    expect("shown between", figures.shown_at(points, 0.94) == "2,000")
    expect("shown above", figures.shown_at(points, 0.99) == "max .960")
    expect("shown below", figures.shown_at(points, 0.70) == ">= 16,000")
    rounds = [{10: [1.0, 2.0, 9.0]}, {10: [4.0]}, {10: [8.0, 8.0]}]
    expect("median of medians", near(figures.median_speeds(100, rounds)[10], 25.0))
    expect("spread", near(figures.spread(rounds), 1.5))
    expect("bound", near(figures.bound(20.0, 500.0), 1e5))
    expect("ratio of nothing", figures.ratio(None, 2.0) == "-")


CHECKS = """
import hashlib, json, os, sys
import numpy
import compare, contenders, datasets, figures, report

said = {}
rows = datasets.clustered_rows(0, 1000)
said["same rows"] = hashlib.sha256(rows.tobytes()).hexdigest() == sys.argv[1]
said["a prefix"] = bool((datasets.clustered_rows(0, 10) == rows[:10]).all())
said["queries are others"] = not (datasets.clustered_rows(-1, 10) == rows[:10]).any()
random = numpy.random.default_rng(1)
base, queries = random.normal(size=(25000, 8)), random.normal(size=(20, 8))
for metric in ("l2", "cosine"):
    if metric == "l2":
        far = ((queries[:, None] - base[None]) ** 2).sum(axis=2)
    else:
        far = -datasets.unit(queries) @ datasets.unit(base).T
    said["exact " + metric] = bool((datasets.nearest(base, queries, metric, 10)
                                    == numpy.argsort(far, axis=1)[:, :10]).all())
ids = numpy.array([[1, 2, -1], [4, 5, 6]])
said["recall"] = figures.recall(ids, numpy.array([[2, 3, 1], [7, 8, 9]])) == 2 / 6
said["ef from the last low one on"] = compare.worth_measuring({10: .5, 20: .7, 40: .9}, False) == \\
    [20, 40]
said["a table row for a variant is enough"] = all(
    isinstance(variant.build, tuple) and isinstance(variant.search, tuple)
    for variant in contenders.VARIANTS)
print(json.dumps(said))
"""
CLUSTERED_SHA256 = "2b930eb5573655ceb881ff0343e7802dd7854b6014fea86140b1e45dcbf63ae4"

QUICK = """
import os, sys
import numpy
import contenders, compare, datasets, machine, report

class Arguments:
    builds, rounds, passes, ef, full, reuse = 1, 2, 2, [10, 40], False, False

out, nigh = sys.argv[1], sys.argv[2]
base, queries = datasets.clustered_rows(0, 1000), datasets.clustered_rows(-1, 100)
paths = [os.path.join(out, name) for name in ("base.npy", "queries.npy", "truth.ivecs")]
numpy.save(paths[0], base)
numpy.save(paths[1], queries)
datasets.save_ivecs(paths[2], datasets.nearest(base, queries, "l2"))
class Small(datasets.Set):
    label = title = "small"
data = Small("clustered-1m", "l2", 1000, 128, *paths[:2], *paths)
contenders.VARIANTS.append(contenders.Variant("unknown", build=("--no-such-flag", "1")))
field, missing = contenders.field(data, out, sys.argv[3:], ["f32", "unknown"], nigh)
compare.measure(Arguments, field, missing)
result = report.Result(data, machine.facts(nigh) + compare.notes(Arguments, data, field), field,
                       missing, "")
for path in result.write(out):
    print(path)
"""


def python(code, *arguments):
    return subprocess.run([VENV, "-c", code, *arguments], cwd=COMPARE, capture_output=True,
                          text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def has(module):
    return os.path.exists(VENV) and python(f"import {module}").returncode == 0


def test_sets():
    done = python(CHECKS, CLUSTERED_SHA256)
    expect("checks of sets run: " + done.stderr[-500:], done.returncode == 0)
    for name, good in json.loads(done.stdout or "{}").items():
        expect(name, good)


def test_run(nigh):
    peers = ["hnswlib"] if has("hnswlib") else []
    with tempfile.TemporaryDirectory() as folder:
        done = python(QUICK, folder, nigh, *peers)
        expect("a small run: " + done.stderr[-800:], done.returncode == 0)
        written = {os.path.splitext(path)[1]: path for path in done.stdout.split()}
        if ".md" not in written or ".json" not in written:
            return expect("a table is written", False)
        with open(written[".md"], encoding="utf-8") as file:
            table = file.read()
        with open(written[".json"], encoding="utf-8") as file:
            result = json.load(file)
        expect("an svg is written", ".svg" in written or not has("matplotlib"))
        names = ["nigh f32", *peers]
        expect("everyone ran", sorted(one["name"] for one in result["contenders"])
               == sorted(names))
        expect("the unknown flag is told", "knows no --no-such-flag" in table)
        expect("no path of this machine", ROOT not in table and folder not in table
               and ROOT not in json.dumps(result))
        for one in result["contenders"]:
            best = max(point["recall"] for point in one["sweep"])
            expect(f"{one['name']} finds its neighbours ({best})", best > 0.95)
            expect(f"{one['name']} has a size", one["file_bytes"] > 1000 * 128 * 4)
            expect(f"{one['name']} is timed", all(point["qps"] > 100 for point in one["sweep"]))


def main(arguments):
    nigh = arguments[1] if arguments[:1] == ["--nigh"] else os.path.join(ROOT, "build", "nigh")
    test_figures()
    if has("numpy"):
        test_sets()
        if os.path.exists(nigh):
            test_run(nigh)
        else:
            print(f"passed over: {os.path.relpath(nigh, ROOT)} is not there")
    else:
        print("passed over: no numpy in .cache/venv (tools/setup.sh bench)")
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
