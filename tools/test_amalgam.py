#!/usr/bin/env python3
# test_amalgam.py - the single-file form compiles everywhere without flags and gives the same bits
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compiles nigh.c for every target, runs tests/freestanding/smoke.c on top of it (all runs print
one digest), and sees that -ffast-math is refused. Ends with "N passed, N failed"."""
import contextlib
import io
import os
import sys
import tempfile

import amalgamate
import targets

WARN = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wvla", "-Werror"]
FREE = ["-ffreestanding", "-nostdlib"]
# Optimised where warnings come from that; what optimisers make for each target is seen by the jobs
# freestanding (each file) and wasm (this file).
COMPILES = [
    ["gcc", "-Os", "-DNIGH_DEBUG", *WARN], ["gcc", "-std=c11", "-O0", *FREE],
    [*targets.TARGETS["cortex-m4"][0], "-Os", *FREE, *WARN],
    [*targets.TARGETS["cortex-m3"][0], "-O0", *FREE],
    [*targets.TARGETS["cortex-m0"][0], "-O0", *FREE],
    [*targets.TARGETS["wasm32"][0], "-O0", *FREE, *WARN],
    [*targets.TARGETS["wasm32-simd"][0], "-O0", *FREE, *WARN],
]
REFUSED = [["gcc", "-O2", "-ffast-math"], ["gcc", "-Ofast"], ["clang-19", "-O2", "-ffast-math"]]
# These are also linked with the smoke program; all digests must agree.
RUNS = [
    ("gcc -O0", ["gcc", "-O0", *WARN], []), ("gcc -O3", ["gcc", "-O3", *WARN], []),
    ("gcc -O3 contracting", ["gcc", "-O3", "-march=native", "-ffp-contract=fast"], []),
    ("clang -O0", ["clang-19", "-O0", *WARN], []), ("clang -O3", ["clang-19", "-O3", *WARN], []),
    ("clang contracting", ["clang-19", "-O3", "-march=native", "-ffp-contract=fast"], []),
    ("aarch64 -O2", ["aarch64-linux-gnu-gcc", "-O2", *WARN], ["qemu-aarch64"]),
    ("aarch64 -O0", ["aarch64-linux-gnu-gcc", "-O0"], ["qemu-aarch64"]),
]
SCALAR = "1"


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, good, text):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {text}")
        return good


def object_of(folder, name):
    return os.path.join(folder, name.replace(" ", "_") + ".o")


def compiles(count, folder):
    source, built = os.path.join(folder, "nigh.c"), os.path.join(folder, "nigh.o")
    for command, to in [*((command, built) for command in COMPILES),
                        *((command, object_of(folder, name)) for name, command, _ in RUNS)]:
        done = targets.run([*command, "-c", source, "-o", to])
        if count.check(done.returncode == 0, " ".join(command) + "\n" + done.stderr[:2000]):
            names = [name for name in targets.symbols("wasm32", [to])
                     if name[0] in "TDBRVW" and not name[1].startswith("nigh_")]
            count.check(not names, f"{' '.join(command)}: visible: {names}")
    for command in REFUSED:
        done = targets.run([*command, "-c", source, "-o", built])
        count.check(done.returncode != 0 and "#error" in done.stderr,
                    " ".join(command) + " was not refused by an #error")
    for language, standard, header in (("c", "c99", "header_c99.c"),
                                       ("c++", "c++11", "header_cxx11.cpp")):
        path = os.path.join(targets.ROOT, "tests/abi", header)
        done = targets.run(["clang-19", "-x", language, f"-std={standard}", "-fsyntax-only",
                            "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", folder,
                            "-I", os.path.join(targets.ROOT, "hosted"), path])
        count.check(done.returncode == 0, f"{header}\n{done.stderr[:2000]}")


def digests(count, folder):
    smoke = os.path.join(targets.ROOT, "tests/freestanding/smoke.c")
    found = {}
    for name, command, runner in RUNS:
        program = os.path.join(folder, name.replace(" ", "_"))
        flags = [flag for flag in command[1:] if flag not in WARN]
        done = targets.run([command[0], *flags, *(["-static"] if runner else []), "-I", folder,
                            smoke, object_of(folder, name), "-o", program])
        if not count.check(done.returncode == 0, f"{name}: {done.stderr[:2000]}"):
            continue
        for extra in ([], [SCALAR]):
            done = targets.run([*runner, program, *extra])
            count.check(done.returncode == 0, f"{name}: {done.stdout} {done.stderr}")
            found[" ".join([name, *extra])] = done.stdout.strip()
    # Linking with -ffast-math makes start-up code flush subnormals to zero in the whole process.
    program = os.path.join(folder, "fast")
    done = targets.run(["gcc", "-O2", "-ffast-math", "-I", folder, smoke,
                        object_of(folder, "gcc -O3"), "-o", program])
    if count.check(done.returncode == 0, f"fast-math program: {done.stderr[:2000]}"):
        done = targets.run([program])
        found["a process that flushes to zero"] = done.stdout.strip()
    first = next(iter(found.values()), "")
    for name, digest in found.items():
        count.check(digest and digest == first, f"{name}: digest {digest!r}, not {first!r}")


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        amalgamate.main([folder])
        count.check(amalgamate.main(["--check", folder]) == 0, "--check of what was just written")
        with open(os.path.join(folder, "nigh.h"), "a", encoding="utf-8") as file:
            file.write("\n")
        with contextlib.redirect_stdout(io.StringIO()):
            stale = amalgamate.main(["--check", folder])
        count.check(stale == 1, "--check did not see a change")
        amalgamate.main([folder])
        compiles(count, folder)
        digests(count, folder)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
