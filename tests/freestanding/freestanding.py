#!/usr/bin/env python3
# freestanding.py - the promise "no allocator, no libc" as a test on objects, for every target
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/freestanding/freestanding.py [TARGET...]

For each target and level: every source compiles without warnings and without any header of a C
library; nothing is undefined but tests/freestanding/allow.txt; every global is called nigh_ or
nighi_; there is no writable data; no function takes 1 KiB of stack or more (where the compiler can
tell). On x86-64 the walk prefetches every line of a row in loops, which gcc 12 can fold into one
prefetch of the first line. Prints the ten largest stack frames, then "N passed, N failed"."""
import concurrent.futures
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
import targets  # noqa: E402

STACK_BYTES_MAX = 1023
PREFETCHES_MIN = 8  # of rows and links, into the first level and into the second
LEVELS = ("-Os", "-O2")
FAST = ("x86-64", "aarch64", "cortex-m4", "wasm32")  # those that are compiled with -O2 as well
OUT = os.path.join(targets.ROOT, "build", "freestanding")


def allowed(target):
    words = set()
    with open(os.path.join(HERE, "allow.txt"), encoding="utf-8") as file:
        for line in file:
            name, *symbols = line.split("#")[0].split() or [""]
            if name in ("all", target):
                words |= set(symbols)
    return words


def check_symbols(target, objects):
    """Findings about what the linker would see."""
    found = targets.symbols(target, objects)
    defined = {name for kind, name in found if kind not in "Uw"}
    problems = [f"undefined: {name}" for name in sorted({n for k, n in found if k in "Uw"})
                if name not in defined and name not in allowed(target)]
    for kind, name in sorted(set(found)):
        if kind.isupper() and kind != "U" and not name.startswith(("nigh_", "nighi_")):
            problems.append(f"global without prefix: {name}")
        if kind in "dDbBgGsSC" and not target.startswith("wasm32"):
            problems.append(f"writable data: {name}")
    if target.startswith("wasm32"):
        problems += [f"writable data: {name}" for name in wasm_writable(objects)]
    if not any(name == "nigh_search" for name in defined):
        problems.append("nigh_search is not there: were the objects read at all?")
    return problems


def wasm_writable(objects):
    """Names of writable segments: nm calls constants data too, but segments carry their kind."""
    names = set()
    for path in objects:
        with open(path, "rb") as file:
            names |= set(re.findall(rb"\.(?:data|bss|tdata|tbss)\.[\w.]+", file.read()))
    return sorted(name.decode() for name in names)


def stack_frames(folder):
    """[(bytes, function, kind)] from the .su files that -fstack-usage wrote, largest first."""
    frames = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".su"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for line in file:
                    where, size, kind = line.rstrip("\n").split("\t")
                    frames.append((int(size), where.split(":", 1)[0].split("/")[-1] + ":"
                                   + where.rsplit(":", 1)[1], kind))
    return sorted(frames, reverse=True)


def prefetch_loops(path):
    """(prefetches of an x86-64 object that a jump repeats which goes back a few bytes, all)"""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True,
                             text=True, check=True).stdout
    lines = [(int(at, 16), words) for at, words in
             re.findall(r"^ *([0-9a-f]+):\t(.*)$", listing, re.MULTILINE)]
    loops, all_ = 0, 0
    for number, (at, words) in enumerate(lines):
        if words.startswith("prefetch"):
            all_ += 1
            jumps = (re.match(r"j\w+ +([0-9a-f]+)", text) for _, text in lines[number:number + 12])
            loops += any(jump and at - 32 <= int(jump.group(1), 16) <= at for jump in jumps)
    return loops, all_


def check_prefetches(target, folder):
    if not target.startswith("x86-64"):
        return []
    loops, all_ = prefetch_loops(os.path.join(folder, "walk.o"))
    if loops == all_ and loops >= PREFETCHES_MIN:
        return []
    return [f"prefetch: {loops} of {all_} are in loops in walk.o; expected all, {PREFETCHES_MIN}"]


def one(target, level):
    """(checks that hold, findings, frames)."""
    folder = os.path.join(OUT, target + level)
    if os.path.isdir(folder):
        for name in os.listdir(folder):
            os.remove(os.path.join(folder, name))
    objects, messages = targets.compile_core(target, level, folder, ["-fstack-usage"])
    if messages:
        return 0, [f"does not compile:\n{text}" for text in messages], []
    frames = stack_frames(folder)
    problems = check_symbols(target, objects) + check_prefetches(target, folder)
    passed = 3 - len({problem.split(":")[0] for problem in problems})
    if not frames and not target.startswith("wasm32"):
        problems.append("no stack figures were written")
    for size, function, kind in frames:
        if size > STACK_BYTES_MAX or kind == "dynamic":
            problems.append(f"stack: {function} takes {size} bytes ({kind})")
    return max(0, passed) + (1 if frames else 0), problems, frames


def main(arguments):
    names = arguments or list(targets.TARGETS)
    work = [(target, level) for target in names for level in LEVELS
            if level == "-Os" or target in FAST or arguments]
    passed, failed, all_frames = 0, 0, []
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda pair: one(*pair), work)
        for (target, level), (good, problems, frames) in zip(work, results):
            passed += good
            failed += len(problems)
            all_frames += [(size, f"{target} {level}", where) for size, where, _ in frames]
            for problem in problems:
                print(f"{target} {level}: {problem}")
    print("largest stack frames:")
    for size, build, where in sorted(all_frames, reverse=True)[:10]:
        print(f"{size:6} bytes  {build:18} {where}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
