#!/usr/bin/env python3
# compare.py - nigh and its peers on the same rows, in the same run, one thread each
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: compare.py [--set NAME] [--peers A,B,...] [--variants A,B,...] [--rounds N] [--rows N] ...

Sets are in datasets.py, contenders in contenders.py. All build with M 16, ef_build 200 and one
thread and save their index. Then rounds: in each round every contender, in another order, opens
its index in a fresh process and sweeps ef, at each ef a warm pass and the median of some passes
over all queries. Speed is queries a second of the searching thread's processor time, the median
over the rounds; recall@10 is the overlap with the exact neighbours. A first pass, not counted,
finds where each contender's sweep may begin and end.

Writes bench/results/<date>-<set>.md, .svg and .json and prints the table. The indexes are in
build/bench; --reuse takes those of the last run. --check compares nigh f32 with hnswlib at every
ef, fails when a target of the project is missed, and writes nothing."""
import argparse
import os
import random
import statistics
import sys

import contenders
import datasets
import figures
import machine
import report
from contenders import say

ROOT = machine.ROOT
EF = [10, 14, 20, 30, 40, 60, 80, 100, 140, 200, 280, 400, 560, 800, 1200, 1600]
EF_QUICK = [10, 20, 40, 80, 160, 320]
RECALL_ENOUGH, RECALL_LOW = 0.995, 0.8
QUICK_ROWS = 20000


def words(text):
    return [word.strip() for word in text.split(",") if word.strip()]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], add_help=True)
    parser.add_argument("--set", choices=datasets.NAMES, default="glove")
    parser.add_argument("--peers", type=words, help="default: all that install; '' is none")
    parser.add_argument("--variants", type=words, help="of nigh; default: all this build knows")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--builds", type=int, default=1, help="interleaved, the median counts")
    parser.add_argument("--rows", type=int, default=0, help="only the first of the base")
    parser.add_argument("--ef-build", type=int, default=contenders.EF_BUILD)
    parser.add_argument("--ef", type=lambda text: [int(ef) for ef in words(text)])
    parser.add_argument("--quick", action="store_true",
                        help=f"{QUICK_ROWS:,} rows, two rounds, few ef")
    parser.add_argument("--full", action="store_true", help="every ef for everyone")
    parser.add_argument("--reuse", action="store_true", help="indexes of the last run")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--nigh", default=os.path.join(ROOT, "build", "nigh"))
    parser.add_argument("--name", default="", help="of the results, instead of that of the set")
    parser.add_argument("--out", default=os.path.join(ROOT, "bench", "results"))
    set_ = parser.parse_args()
    if set_.quick:
        set_.rows, set_.rounds = set_.rows or QUICK_ROWS, min(set_.rounds, 2)
    set_.ef = set_.ef or (EF_QUICK if set_.quick else EF)
    if set_.check:
        set_.peers, set_.variants, set_.full = ["hnswlib"], ["f32"], True
    return set_


def worth_measuring(recalls, full):
    """The ef to time: from the last with a low recall on; the probe ended where it is enough."""
    low = [ef for ef, recall in recalls.items() if recall < RECALL_LOW]
    return [ef for ef in recalls if full or not low or ef >= low[-1]]


def each(field, missing, work):
    """work(contender) for all; one that fails leaves the field, with the reason."""
    for contender in list(field):
        try:
            work(contender)
        except contenders.Unavailable as why:
            say(f"  {contender.name} leaves: {why}")
            field.remove(contender)
            missing.append((contender.name, str(why)))


def measure(set_, field, missing):
    for number in range(set_.builds):
        say(f"builds {number + 1} of {set_.builds}")
        each(field, missing, lambda one, turn=number: one.build_once(set_.reuse, turn))
    say("recalls")
    each(field, missing, lambda one: one.probe(set_.ef, 2 if set_.full else RECALL_ENOUGH))
    for number in range(set_.rounds):
        say(f"round {number + 1} of {set_.rounds}")
        order = list(field)
        random.Random(number).shuffle(order)  # nobody always follows the same one
        each(order, missing, lambda one: one.round(worth_measuring(one.recalls, set_.full),
                                                   set_.passes))
        field[:] = [one for one in field if one in order]


def notes(set_, data, field):
    apart = statistics.median(figures.spread(one.rounds) for one in field)
    return [("data", f"{data.title}, 1,000 queries that are not in the base"),
            ("parameters", f"M {contenders.M}, ef_build {contenders.EF_BUILD}, k {contenders.K}, "
                           "one thread; Rust peers with target-cpu=native"),
            ("measured", f"{set_.rounds} interleaved rounds, each a fresh process, of "
                         f"{set_.passes} passes over all queries; medians of processor time; "
                         f"slowest and fastest round differ by {apart:.0%} (median point)")]


def main():
    set_ = arguments()
    if not os.path.exists(set_.nigh):
        raise SystemExit("compare: build/nigh is not there (make)")
    contenders.EF_BUILD = set_.ef_build
    facts = machine.facts(set_.nigh)  # the load before we are the load
    data = datasets.prepare(set_.set, set_.rows)
    out = os.path.join(ROOT, "build", "bench", data.label)
    os.makedirs(out, exist_ok=True)
    field, missing = contenders.field(data, out, set_.peers, set_.variants, set_.nigh)
    for name, why in missing:
        say(f"  without {name}: {why}")
    measure(set_, field, missing)
    if not field:
        raise SystemExit("compare: nobody is left to compare")
    reads = os.path.join(os.path.dirname(set_.nigh), "bench", "bench_reads")
    result = report.Result(data, facts + notes(set_, data, field), field, missing, reads)
    result.name = result.name.replace(data.label, set_.name or data.label)
    print(result.markdown("" if set_.check else result.name + ".svg"), end="")
    if set_.check:
        return result.check()
    for path in result.write(set_.out):
        say(f"written: {os.path.relpath(path, ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
