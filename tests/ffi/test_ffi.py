#!/usr/bin/env python3
# test_ffi.py - nigh through libffi, cffi, koffi and LuaJIT: the same bytes as from C
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/ffi/test_ffi.py [--sanitize]

Builds libnigh.so and test_ffi.c, which calls every function by its generated descriptor and leaves
the log of its scenario; Python (cffi) and Node (koffi) do the same scenario and compare their logs,
and with LuaJIT answer the queries of tests/bindings/golden.py. --sanitize: only the C part, with
the address and undefined-behaviour sanitizers. Ends with "N passed, N failed"."""
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(ROOT, "tests", "ffi")
CACHE = os.path.join(ROOT, ".cache")
PARTS = {"about", "owned", "attached", "external", "custom", "paged", "file", "stored"}
sys.path.insert(0, os.path.join(ROOT, "tests", "bindings"))
import golden  # noqa: E402


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def run(self, name, *command, env=None):
        """A program that ends with its own count, or has to succeed; its exit status decides."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", env={**os.environ, **(env or {})})
        found = re.findall(r"^(\d+) passed, (\d+) failed$", done.stdout, re.MULTILINE)
        passed, failed = (int(n) for n in found[-1]) if found else (0, 0)
        failed = max(failed, int(done.returncode != 0 or passed == 0))
        print(f"{name}: {passed} passed, {failed} failed.", flush=True)
        if failed:
            print(done.stdout[-4000:])
        self.passed += passed
        self.failed += failed

    def check(self, good, text):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {text}")


def built(folder, *options):
    """True when the library and test_ffi are in the folder."""
    for step in (["cmake", "-S", ROOT, "-B", folder, "-DNIGH_WERROR=ON", "-DNIGH_SHARED=ON",
                  "-DNIGH_FFI=ON", *options],
                 ["cmake", "--build", folder, "--target", "test_ffi", "-j", "2"]):
        done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            print(f"{' '.join(step)}\n{done.stdout[-4000:]}")
            return False
    return True


def sanitized(count):
    folder = os.path.join(ROOT, "build", "ffi-sanitize")
    good = built(folder, "-DCMAKE_C_COMPILER=clang-19", "-DCMAKE_BUILD_TYPE=RelWithDebInfo",
                 "-DNIGH_DEBUG=ON", "-DNIGH_SANITIZE=address,undefined")
    count.check(good, "build with sanitizers")
    if good:
        count.run("libffi, sanitized", os.path.join(folder, "tests", "test_ffi"))


def compared(count, logs):
    folder = os.path.join(ROOT, "build", "ffi")
    good = built(folder, "-DCMAKE_BUILD_TYPE=Release")
    count.check(good, "build")
    if not good:
        return
    library = os.path.join(folder, "libnigh.so")
    answers = golden.make(os.path.join(ROOT, "build", "bindings"))
    count.run("libffi", os.path.join(folder, "tests", "test_ffi"), env={"NIGH_FFI_OUT": logs})
    count.check({name[:-4] for name in os.listdir(logs)} == PARTS, "the logs of test_ffi.c")
    count.run("cffi", os.path.join(CACHE, "venv", "bin", "python"),
              os.path.join(HERE, "ffi_cffi.py"), library, logs, answers)
    count.run("koffi", "node", os.path.join(HERE, "ffi_koffi.mjs"), library, logs, answers,
              os.path.join(CACHE, "ffi"))
    count.run("LuaJIT", "luajit", os.path.join(HERE, "ffi_luajit.lua"),
              os.path.join(ROOT, "bindings", "luajit", "nigh.lua"), library, answers)
    damaged(count, library, logs, answers)


def damaged(count, library, logs, answers):
    """A log that is wrong in one bit is seen: the comparison is no formality."""
    path = os.path.join(logs, "external.log")
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[len(data) // 2] ^= 1
    with open(path, "wb") as file:
        file.write(data)
    for name, command in (("cffi", [os.path.join(CACHE, "venv", "bin", "python"),
                                    os.path.join(HERE, "ffi_cffi.py"), library, logs, answers]),
                          ("koffi", ["node", os.path.join(HERE, "ffi_koffi.mjs"), library, logs,
                                     answers, os.path.join(CACHE, "ffi")])):
        done = subprocess.run(command, capture_output=True, text=True)
        count.check(done.returncode != 0 and "external: differs from C" in done.stderr,
                    f"{name} did not see a damaged log")


def main(arguments):
    if arguments not in ([], ["--sanitize"]):
        print(__doc__)
        return 2
    count = Count()
    if arguments:
        sanitized(count)
    else:
        with tempfile.TemporaryDirectory() as logs:
            compared(count, logs)
    print(f"{count.passed} passed, {count.failed} failed")
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
