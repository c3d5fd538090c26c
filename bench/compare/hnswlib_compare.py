#!/usr/bin/env python3
# hnswlib_compare.py - nigh and PyPI hnswlib on the same words, in the same run, one thread each
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: hnswlib_compare.py [--rows N] [--rounds N] [--ef N,N,...] [--reuse] [--check] [--quiet]

GloVe-100 (tools/glove.py): about 340,000 base words and 1,000 held-out queries, cosine, M 16,
ef_build 200. Both build with one thread; then rounds alternate between the two, each a sweep over
ef, each ef a warm pass and the median of three passes over all queries; the figure is the median
of the rounds. Speed is queries a second of processor time. Recall@10 is against exact search by
numpy. hnswlib gets all queries in one call; nigh is timed around each of its searches.
Writes bench/results/<date>-glove100-hnswlib.md and prints it. --reuse takes the indexes of the
last run, --check fails when a target of the project is missed."""
import argparse
import datetime
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time

import hnswlib
import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NIGH = os.path.join(ROOT, "build", "nigh")
M, EF_BUILD, SEED, K = 16, 200, 42, 10
EF = [10, 20, 30, 40, 60, 80, 100, 140, 200, 280, 400, 560, 800, 1200, 1600]
LEVELS = [0.90, 0.95, 0.99]
PASSES = 3
QPS_TARGET, BUILD_TARGET = 1.8, 0.7  # of hnswlib's, at recall 0.95 and at one thread
RECALL_SLACK = 0.0  # at or above, literally


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def run_json(*arguments):
    done = subprocess.run([NIGH, *arguments, "--json"], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"nigh {' '.join(arguments)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def glove():
    done = subprocess.run([sys.executable, os.path.join(ROOT, "tools/glove.py"), "--path"],
                          check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


def data(folder, rows, out):
    """(base path, query path, base, queries): the first `rows` rows, or all."""
    base_path = os.path.join(folder, "glove-100-base.npy")
    base = numpy.load(base_path, mmap_mode="r")
    if rows and rows < len(base):
        base = base[:rows]
        base_path = os.path.join(out, f"base-{rows}.npy")
        numpy.save(base_path, base)
    query_path = os.path.join(folder, "glove-100-queries.npy")
    return base_path, query_path, numpy.ascontiguousarray(base), numpy.load(query_path)


def unit(rows):
    rows = rows.astype(numpy.float64)
    return rows / numpy.sqrt((rows * rows).sum(axis=1, keepdims=True))


def truth(folder, base, queries):
    """Path of the exact neighbours as .ivecs, made once, and the same as an array."""
    path = os.path.join(folder, f"glove-100-truth-{len(base)}.ivecs")
    if not os.path.exists(path):
        say("exact neighbours by numpy ...")
        wanted, best = unit(queries), []
        for start in range(0, len(base), 20000):
            part = wanted @ unit(base[start:start + 20000]).T
            top = numpy.argpartition(-part, K, axis=1)[:, :K]
            best.append((numpy.take_along_axis(part, top, 1), top + start))
        scores = numpy.concatenate([score for score, _ in best], axis=1)
        ids = numpy.concatenate([top for _, top in best], axis=1)
        order = numpy.lexsort((ids, -scores), axis=1)[:, :K]
        rows = numpy.full((len(queries), K + 1), K, dtype="<i4")
        rows[:, 1:] = numpy.take_along_axis(ids, order, 1)
        rows.tofile(path + ".part")
        os.replace(path + ".part", path)
    return path, numpy.fromfile(path, dtype="<i4").reshape(len(queries), K + 1)[:, 1:]


class Hnswlib:
    def __init__(self, base, out, reuse):
        self.path = os.path.join(out, f"hnswlib-{len(base)}.bin")
        facts = self.path + ".json"
        self.index = hnswlib.Index(space="cosine", dim=base.shape[1])
        if reuse and os.path.exists(facts):
            self.index.load_index(self.path, max_elements=len(base))
            with open(facts, encoding="utf-8") as file:
                self.build_cpu = json.load(file)["cpu_s"]
        else:
            say("hnswlib builds ...")
            self.index.init_index(max_elements=len(base), M=M, ef_construction=EF_BUILD,
                                  random_seed=SEED)
            self.index.set_num_threads(1)
            start = time.process_time()
            self.index.add_items(base, num_threads=1)
            self.build_cpu = time.process_time() - start
            self.index.save_index(self.path)
            with open(facts, "w", encoding="utf-8") as file:
                json.dump({"cpu_s": self.build_cpu}, file)
        self.index.set_num_threads(1)
        self.bytes = os.path.getsize(self.path)

    def sweep(self, queries, efs, true):
        """[(recall, queries a second of processor time)] per ef."""
        found = []
        for ef in efs:
            self.index.set_ef(ef)
            labels, _ = self.index.knn_query(queries, k=K, num_threads=1)
            times = []
            for _ in range(PASSES):
                start = time.process_time()
                self.index.knn_query(queries, k=K, num_threads=1)
                times.append(time.process_time() - start)
            hits = sum(len(set(map(int, row)) & set(map(int, want)))
                       for row, want in zip(labels, true))
            found.append((hits / true.size, len(queries) / statistics.median(times)))
        return found


class Nigh:
    def __init__(self, base_path, count, out, reuse):
        self.path = os.path.join(out, f"nigh-{count}.nigh")
        facts = self.path + ".json"
        if reuse and os.path.exists(facts):
            with open(facts, encoding="utf-8") as file:
                built = json.load(file)
        else:
            say("nigh builds ...")
            built = run_json("build", base_path, "-o", self.path, "--metric", "cosine", "--m",
                             str(M), "--ef-build", str(EF_BUILD), "--seed", str(SEED), "--threads",
                             "1")
            with open(facts, "w", encoding="utf-8") as file:
                json.dump(built, file)
        self.build_cpu, self.kernel = built["cpu_s"], built["kernel"]
        self.bytes = os.path.getsize(self.path)

    def sweep(self, query_path, efs, truth_path, count, extra=()):
        found = run_json("search", self.path, query_path, "-k", str(K), "--truth", truth_path,
                         "--ef", ",".join(map(str, efs)), "--warm", "--rounds", str(PASSES),
                         "--load", *extra)
        results = found.get("results", [found])
        return [(at["recall"], count / at["cpu_s"]) for at in results]


def medians(sweeps):
    """The median speed of each ef over the rounds; recall is the same in all."""
    return [(points[0][0], statistics.median(qps for _, qps in points)) for points in zip(*sweeps)]


def at_recall(points, level):
    """Speed at a recall, between the two nearest points: log speed is nearly linear in recall."""
    points = sorted(points)
    for (low, slow), (high, fast) in zip(points, points[1:]):
        if low <= level <= high and high > low:
            part = (level - low) / (high - low)
            return math.exp(math.log(slow) * (1 - part) + math.log(fast) * part)
    return None


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        info = file.read()
    model = next((line.split(":")[1].strip() for line in info.splitlines()
                  if line.startswith("model name")), platform.machine())
    words = set(info.split())
    levels = [name for name in ("avx2", "f16c", "fma", "avx512f", "avx512_vnni", "avx512_vpopcntdq",
                                "asimd", "asimddp") if name in words]
    gcc = subprocess.run(["gcc", "--version"], capture_output=True, text=True).stdout.split("\n")[0]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True,
                            text=True).stdout.strip()
    return [("processor", f"{model}, {os.cpu_count()} threads, {' '.join(levels)}"),
            ("system", f"{platform.system()} {platform.release()}, {gcc}"),
            ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
            ("versions", f"hnswlib {hnswlib_version()}, numpy {numpy.__version__}, "
                         f"Python {platform.python_version()}, nigh at {commit or 'no commit'}")]


def hnswlib_version():
    from importlib.metadata import version
    return version("hnswlib")


def ratio(a, b):
    return f"{a / b:.2f}" if a and b else "-"


def verdicts(theirs, ours, builds):
    """(target, figure, whether it is met)."""
    gains = [b[0] - a[0] for a, b in zip(theirs, ours)]
    yield ("recall at every equal ef at or above hnswlib's",
           f"from {min(gains):+.4f} to {max(gains):+.4f}, mean {statistics.mean(gains):+.4f}",
           min(gains) >= -RECALL_SLACK)
    speed = [at_recall(points, 0.95) for points in (theirs, ours)]
    yield (f"queries per second at recall 0.95: at least {QPS_TARGET} x",
           ratio(*speed[::-1]) + " x", None not in speed and speed[1] >= QPS_TARGET * speed[0])
    yield (f"build time, one thread: at most {BUILD_TARGET} x", ratio(*builds[::-1]) + " x",
           builds[1] <= BUILD_TARGET * builds[0])


def report(facts, efs, theirs, ours, builds, sizes):
    lines = ["# GloVe-100, cosine, M 16, ef_build 200: nigh and hnswlib", ""]
    lines += [f"- {name}: {value}" for name, value in facts]
    lines += ["", "| ef | recall@10 hnswlib | recall@10 nigh | queries/s hnswlib | queries/s nigh "
              "| x |",
              "|---:|---:|---:|---:|---:|---:|"]
    for ef, (recall_a, qps_a), (recall_b, qps_b) in zip(efs, theirs, ours):
        lines.append(f"| {ef} | {recall_a:.4f} | {recall_b:.4f} | {qps_a:,.0f} | {qps_b:,.0f} "
                     f"| {ratio(qps_b, qps_a)} |")
    lines += ["", "| | hnswlib | nigh | x |", "|---|---:|---:|---:|"]
    for level in LEVELS:
        speed = [at_recall(points, level) for points in (theirs, ours)]
        shown = [f"{value:,.0f}" if value else "-" for value in speed]
        lines.append(f"| queries/s at recall {level:.2f} | {shown[0]} | {shown[1]} "
                     f"| {ratio(speed[1], speed[0])} |")
    lines.append(f"| build, s of processor time | {builds[0]:.1f} | {builds[1]:.1f} "
                 f"| {ratio(builds[1], builds[0])} |")
    lines.append(f"| file, MB | {sizes[0] / 1e6:.1f} | {sizes[1] / 1e6:.1f} "
                 f"| {ratio(sizes[1], sizes[0])} |")
    lines.append("")
    for target, figure, met in verdicts(theirs, ours, builds):
        lines.append(f"- {'met' if met else 'MISSED'}: {target} ({figure})")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ef", type=lambda text: [int(ef) for ef in text.split(",")], default=EF)
    parser.add_argument("--expansions", type=int, default=0, help="nodes nigh expands a round")
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="write no file")
    set_ = parser.parse_args()
    out = os.path.join(ROOT, "build", "bench")
    os.makedirs(out, exist_ok=True)
    facts = machine()
    folder = glove()
    base_path, query_path, base, queries = data(folder, set_.rows, out)
    truth_path, true = truth(folder, base, queries)
    peer = Hnswlib(base, out, set_.reuse)
    own = Nigh(base_path, len(base), out, set_.reuse)
    extra = ["--expansions", str(set_.expansions)] if set_.expansions else []
    theirs, ours = [], []
    for number in range(set_.rounds):
        say(f"round {number + 1} of {set_.rounds}")
        theirs.append(peer.sweep(queries, set_.ef, true))
        ours.append(own.sweep(query_path, set_.ef, truth_path, len(queries), extra))
    theirs, ours = medians(theirs), medians(ours)
    builds, sizes = (peer.build_cpu, own.build_cpu), (peer.bytes, own.bytes)
    facts += [("data", f"{len(base):,} x {base.shape[1]} f32, {len(queries):,} queries"),
              ("measured", f"{set_.rounds} alternating rounds, {PASSES} passes each, median; "
                           f"nigh kernels {own.kernel}, {' '.join(extra) or 'defaults'}")]
    text = report(facts, set_.ef, theirs, ours, builds, sizes)
    print(text, end="")
    if not set_.quiet:
        path = os.path.join(ROOT, "bench/results",
                            f"{datetime.date.today().isoformat()}-glove100-hnswlib.md")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        say(f"written to {os.path.relpath(path, ROOT)}")
    missed = not all(met for _, _, met in verdicts(theirs, ours, builds))
    return 1 if set_.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
