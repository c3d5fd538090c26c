#!/usr/bin/env python3
# suite.py - the C tests on top of the object code of the WebAssembly modules, as WASI programs
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/wasm/suite.py [--module nigh|nigh-plain|nigh-mt|nigh-sized] [NAME...]

Links the test programs of CMakeLists.txt with the archive that wasm/CMakeLists.txt makes of exactly
the objects of the shipped module, and runs them in Node: golden digests, arguments, changes,
searches, codes, faults, and the fuzz corpus of images. Ends with "N passed, N failed". Left out:
what wants threads, signals or mapped files, and the longest, which golden covers."""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import sources  # noqa: E402

LEFT_OUT = {"test_image": "mmap", "test_damage": "alarm", "test_hnswlib_damage": "alarm",
            "test_kernel": "mmap", "test_digest": "a program with arguments",
            "test_refine": "long", "test_job": "long", "test_vacuum": "long",
            "test_job_callbacks": "long"}
FOLDERS = ("unit", "abi", "golden", "fault", "model")
WASI = "/usr/lib/wasm32-wasi"
CLANG = ["clang-19", "--target=wasm32-wasi", "--sysroot=/", "-isystem", "/usr/include/wasm32-wasi",
         "-Itests/wasm/include", "-Iabi", "-Icore", "-Itests", "-Itests/support", "-std=gnu11",
         "-O1", "-fno-math-errno", "-mbulk-memory"]
OUT = os.path.join("build", "wasm-suite")


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, text=True, errors="replace",
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)


def need(command):
    done = run(command)
    if done.returncode != 0:
        raise SystemExit(f"suite.py: {' '.join(command)}\n{done.stdout[-4000:]}")
    return done.stdout.strip()


def programs():
    """{name: its sources}"""
    tests = {os.path.splitext(os.path.basename(path))[0]: [path]
             for path in sources.cmake_list("NIGH_TESTS") if path.split("/")[1] in FOLDERS}
    unknown = set(LEFT_OUT) - set(tests)
    if unknown:
        raise SystemExit(f"suite.py: no tests any more: {unknown}")
    tests = {name: found for name, found in tests.items() if name not in LEFT_OUT}
    return {**tests, "fuzz_image": ["tests/fuzz/image/fuzz.c", "tests/fuzz/replay.c"]}


def compiled(source):
    built = os.path.join(OUT, source.replace("/", "_")[:-2] + ".o")
    need([*CLANG, "-c", source, "-o", built])
    return built


def linked(name, objects, module):
    program = os.path.join(OUT, f"{name}-{module}.wasm")
    folder = need(["clang-19", "-print-resource-dir"])
    need(["wasm-ld-19", f"{WASI}/crt1-command.o", *objects, f"build/wasm/lib{module}.a",
          f"{WASI}/libc.a", os.path.join(folder, "lib/wasi/libclang_rt.builtins-wasm32.a"),
          "--stack-first", "-z", "stack-size=1048576", "-o", program])
    return program


def tested(name, program):
    """(passed, failed) and prints what went wrong."""
    arguments = ["tests/fuzz/image/corpus"] if name.startswith("fuzz") else []
    done = run(["node", "--no-warnings", "tests/wasm/wasi.mjs", program, *arguments],
               env={**os.environ, "NIGH_TEST_SCALE": "small"}, timeout=600)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
    passed, failed = (int(n) for n in counts[-1]) if counts else (0, 1)
    failed = max(failed, int(done.returncode != 0))
    print(f"{name:20} {passed:3} passed {failed} failed")
    if failed:
        print(done.stdout[-2000:])
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--module", default="nigh", choices=("nigh", "nigh-plain",
                                                                "nigh-mt", "nigh-sized"))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.makedirs(os.path.join(ROOT, OUT), exist_ok=True)
    chosen = {name: found for name, found in programs().items()
              if not options.names or name in options.names}
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        support = list(pool.map(compiled, sources.cmake_list("NIGH_TEST_SUPPORT_SOURCES")))

        def one(name):
            objects = [compiled(source) for source in chosen[name]]
            return tested(name, linked(name, [*objects, *support], options.module))
        results = list(pool.map(one, chosen))
    passed, failed = (sum(column) for column in zip(*results)) if results else (0, 1)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
