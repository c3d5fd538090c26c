#!/usr/bin/env python3
# switches.py - builds with parts left out answer as the whole library does, and refuse the rest
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/switches/switches.py [--all] [WORD...]

Compiles the single file with each set of switches (those of tools/size.py, and switches by
themselves, with --all each of them), runs switches.c on what the whole library wrote, and
embedded/programs/kernels.c in qemu. Ends with "N passed, N failed"."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tools"))
import amalgamate  # noqa: E402
import size  # noqa: E402
import sources  # noqa: E402

OUT = os.path.join(sources.ROOT, "build", "switches")
BOARDS = ("mps2-an386", "mps3-an547")  # Cortex-M4, Cortex-M55
ALONE = ("SMALL", "SINGLE_THREAD", "NO_BYTES", "NO_L1", "NO_PACKED", "NO_SOURCES", "NO_FLOATS",
         "NO_CODES", "NO_STRINGS", "NO_FILTERS", "NO_REMOVED", "NO_CURSORS", "NO_SET",
         "SEARCH_ONLY")
OFTEN = ("SINGLE_THREAD", "NO_FLOATS", "NO_REMOVED", "SEARCH_ONLY")  # whose code is least shared


def program(words):
    path = os.path.join(OUT, "-".join(words) or "whole")
    subprocess.run(["gcc", "-std=gnu11", "-Os", "-fno-math-errno", "-ffunction-sections",
                    "-Wl,--gc-sections", "-DNIGH_DEBUG", f"-I{OUT}",
                    *(f"-DNIGH_{word}" for word in words),
                    os.path.join(OUT, "nigh.c"), os.path.join(HERE, "switches.c"), "-o", path],
                   check=True)
    return path


def main(arguments):
    os.makedirs(OUT, exist_ok=True)
    for name, text in amalgamate.amalgam().items():
        with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
            file.write(text)
    answers = os.path.join(OUT, "answers")
    subprocess.run([program([]), "make", answers], check=True)
    alone = ALONE if "--all" in arguments else OFTEN
    arguments = [word for word in arguments if word != "--all"]
    sets = [[word] for word in (ALONE if arguments else alone)]
    sets += [words for words, _ in size.SETS.values()]
    passed, failed = 0, 0
    for words in sets:
        if arguments and not set(arguments) & set(words):
            continue
        done = subprocess.run([program(words), "check", answers], stdout=subprocess.PIPE, text=True,
                              check=False)
        counts = re.search(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
        good, bad = (int(n) for n in counts.groups()) if counts else (0, 1)
        passed, failed = passed + good, failed + bad
        if bad or done.returncode != 0:
            failed += bad == 0
            print(f"{' '.join(words)}:\n{done.stdout[-2000:]}")
    for board in () if arguments else BOARDS:
        done = subprocess.run([sys.executable, "embedded/boards.py", board,
                               "embedded/programs/kernels.c", "-Icore", "-o",
                               os.path.join(OUT, f"{board}.elf"), "--run"], cwd=sources.ROOT,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        passed += done.returncode == 0
        failed += done.returncode != 0
        if done.returncode != 0:
            print(f"{board}: {done.stdout[-1000:]}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
