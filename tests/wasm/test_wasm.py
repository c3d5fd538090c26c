#!/usr/bin/env python3
# test_wasm.py - the WebAssembly modules: Node, wasmtime, the C tests on their objects
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/wasm/test_wasm.py [--nigh COMMAND] [--no-emscripten]

Builds the modules with clang alone and with Emscripten, and sees that the committed copy is
current; runs tests/wasm/*.test.mjs with each; those without threads run in wasmtime, too (Python
package, .cache/venv), and those of clang under the C tests (suite.py). nigh-small.wasm answers as
nigh.wasm does, and stays small. Ends with "N passed, N failed"."""
import argparse
import gzip
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "bindings"))
import golden  # noqa: E402

PYTHON = os.path.join(ROOT, ".cache", "venv", "bin", "python")
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)
TAP = re.compile(r"^# (?:pass|fail|cancelled|skipped) (\d+)$", re.MULTILINE)
# A few vector instructions come from copying structures; kernels have hundreds.
VECTORS_MIN = 1500
SMALL_MAX = 29_000  # with the loader and the class API it is to be 32 KB; wasm-opt takes 500 more


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def add(self, name, passed, failed, output=""):
        self.passed += passed
        self.failed += failed
        print(f"{name:44} {passed:4} passed {failed:3} failed", flush=True)
        if failed:
            print(output[-6000:])

    def script(self, name, command, env=None):
        done = run(command, env)
        found = COUNTS.findall(done.stdout)
        passed, failed = (int(n) for n in found[-1]) if found else (0, 0)
        self.add(name, passed, max(failed, int(done.returncode != 0 or not found)), done.stdout)

    def node(self, name, env, folder=HERE):
        files = sorted(os.path.join(folder, file) for file in os.listdir(folder)
                       if file.endswith(".test.mjs"))
        done = run(["node", "--test", "--test-reporter=tap", *files], env)
        counts = [int(n) for n in TAP.findall(done.stdout)]
        passed, bad = (counts[0], sum(counts[1:])) if len(counts) == 4 else (0, 1)
        self.add(name, passed, max(bad, int(done.returncode != 0)), done.stdout)


def run(command, env=None):
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **(env or {})}, text=True,
                          errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def vector_instructions(path):
    listing = run(["llvm-objdump-19", "-d", "--no-show-raw-insn", path]).stdout
    return len(re.findall(r"\t(?:v128|[if]\d+x\d+)\.", listing)), listing.count("\n")


def check_instructions(count, folder):
    for name, good in (("nigh.wasm", lambda n: n >= VECTORS_MIN),
                       ("nigh-mt.wasm", lambda n: n >= VECTORS_MIN),
                       ("nigh-plain.wasm", lambda n: n == 0)):
        found, lines = vector_instructions(os.path.join(folder, name))
        fine = good(found) and lines > 10_000
        count.add(f"{name}: {found} vector instructions of {lines}", int(fine), int(not fine))


def check_size(count, path):
    with open(path, "rb") as file:
        size = len(gzip.compress(file.read(), 9))
    fine = size <= SMALL_MAX
    count.add(f"{os.path.basename(path)}: {size} bytes with gzip", int(fine), int(not fine))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--no-emscripten", action="store_true")
    options = parser.parse_args()
    count = Count()
    compilers = ["wasm"] + ([] if options.no_emscripten else ["wasm-emscripten"])
    emscripten = [] if options.no_emscripten else ["--emscripten"]
    count.script("build; the committed copy", [sys.executable, "wasm/build.py", "--check",
                                               *emscripten])
    folder = golden.make(os.path.join(ROOT, "build", "bindings"), options.nigh)
    modules = [os.path.join(ROOT, "build", preset, name) for preset in compilers
               for name in ("nigh.wasm", "nigh-plain.wasm")]
    shared = os.path.join(ROOT, "build", "wasm", "nigh-mt.wasm")  # of clang alone
    if not all(map(os.path.exists, [*modules, shared])):
        print(f"{count.passed} passed, {count.failed + 1} failed")
        return 1
    check_instructions(count, os.path.join(ROOT, "build", "wasm"))
    for path in [*modules, shared]:
        count.node(f"Node, {os.path.relpath(path, ROOT)}",
                   {"NIGH_WASM": path, "NIGH_GOLDEN": folder})
    count.script("wasmtime", [PYTHON, "tests/wasm/engine.py", folder, *modules])
    for module in ("nigh", "nigh-plain", "nigh-mt"):
        count.script(f"C tests, {module}", [sys.executable, "tests/wasm/suite.py", "--module",
                                            module])
    count.script("C tests, the kernels of nigh-small",
                 [sys.executable, "tests/wasm/suite.py", "--module", "nigh-sized", "test_golden",
                  "test_codes", "test_search", "test_source"])
    count.node("Node, build/wasm/nigh-small.wasm", {}, os.path.join(HERE, "small"))
    check_size(count, os.path.join(ROOT, "build", "wasm", "nigh-small.wasm"))
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
