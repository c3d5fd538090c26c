#!/usr/bin/env python3
# test_go.py - the Go package: its tests in all modes, its packed form used from outside
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_go.py [--nigh COMMAND] [--quick]

Every test, subtest and example of `go test` counts; a skipped one is not a passed one. --quick
leaves out the runs that compile the library again: the race detector, cgo's pointer checks, the
packed module, another processor, the system's library. Ends with "N passed, N failed"."""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import golden
import scratch

ROOT = golden.ROOT
PACKAGE = os.path.join(ROOT, "bindings", "go")
class Run:
    """Counts, and the environment that all go commands get."""

    def __init__(self, folder, command):
        self.passed = self.failed = 0
        self.lock = threading.Lock()
        self.env = {**os.environ, **scratch.GO_ENV, "NIGH_GOLDEN": folder,
                    "NIGH_COMMAND": command}
        self.folder = folder

    def add(self, passed, failed):
        with self.lock:
            self.passed += passed
            self.failed += failed

    def check(self, name, good, note=""):
        self.add(bool(good), not good)
        if not good:
            print(f"FAILED {name}\n{note}", flush=True)

    def go(self, *arguments, cwd=PACKAGE, **more):
        """(exit status, output) of a go command."""
        done = subprocess.run(["go", *arguments], cwd=cwd, env={**self.env, **more}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, errors="replace")
        return done.returncode, done.stdout

    def tests(self, name, *arguments, **more):
        """go test; what it prints of a failed test is shown."""
        status, output = self.go("test", "-json", "-count=1", *arguments, **more)
        texts, counts = {}, {"pass": 0, "fail": 0, "skip": 0}
        for line in output.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = {"Action": "output", "Output": line + "\n"}
            test = (event.get("Package"), event.get("Test"))
            if event["Action"] in ("output", "build-output"):
                texts.setdefault(test, []).append(event["Output"])
            elif event["Action"] in counts and event.get("Test"):
                counts[event["Action"]] += 1
                if event["Action"] == "fail":
                    print(f"FAILED {name}: {event['Test']}\n{''.join(texts.get(test, []))}")
        self.add(counts["pass"], counts["fail"])
        if (status != 0 and not counts["fail"]) or not counts["pass"]:
            shown = "".join(text for test in texts.values() for text in test)
            self.check(f"{name} (exit status {status})", False, shown[-4000:])
        print(f"{name}: {counts['pass']} passed, {counts['skip']} skipped", flush=True)

    # ---- Checks -------------------------------------------------------------------------------

    def style(self):
        done = subprocess.run(["gofmt", "-l", "."], cwd=PACKAGE, capture_output=True, text=True)
        self.check("gofmt", done.returncode == 0 and not done.stdout, done.stdout + done.stderr)
        status, output = self.go("vet", "./...")
        self.check("go vet", status == 0, output)
        status, output = self.go("mod", "tidy", "-diff")
        self.check("go mod tidy", status == 0, output)

    def without_cgo(self):
        """The error says what to do."""
        status, output = self.go("build", ".", CGO_ENABLED="0")
        self.check("without cgo it does not compile", status != 0, output)
        self.check("the error names nighwasm", "import_github_com_nigh_search_nigh_bindings_go_"
                   "nighwasm" in output and "set_CGO_ENABLED_1" in output, output)

    def packed(self, work):
        """A module somewhere else that has the package from a proxy of files, and nothing else."""
        try:
            right = scratch.compare(scratch.go(work), self.folder)
            print(f"scratch module: {right} answers of the command", flush=True)
            self.check("scratch module", right)
        except scratch.Failed as failed:
            self.check("scratch module", False, failed)

    def arm64(self, work):
        """The same answers and bytes on another processor, emulated."""
        program = os.path.join(work, "arm64.test")
        status, output = self.go("test", "-c", "-o", program, ".", GOARCH="arm64",
                                 CC="aarch64-linux-gnu-gcc")
        self.check("compiles for arm64", status == 0, output)
        if status == 0:
            self.tests("arm64", "-exec", "qemu-aarch64 -L /usr/aarch64-linux-gnu", "-short",
                       "-run", "Golden|SameBytes|Fetched|Example", ".", GOARCH="arm64",
                       CC="aarch64-linux-gnu-gcc")

    def system_library(self):
        """The tag nigh_system: pkg-config says where the library is, the package's stays out."""
        prefix = os.path.join(self.folder, "system")
        os.makedirs(prefix, exist_ok=True)
        shutil.copy(os.path.join(ROOT, "abi", "nigh.h"), prefix)
        source = os.path.join(prefix, "nigh.c")
        with open(os.path.join(PACKAGE, "nigh.c"), encoding="utf-8") as file:
            text = file.read()
        # A version of its own, to tell whose library runs.
        changed = text.replace("(uint32_t)NIGH_VERSION_MAJOR << 16", "(uint32_t)7 << 16")
        self.check("the version is where it was", changed != text)
        with open(source, "w", encoding="utf-8") as file:
            file.write(changed)
        library = os.path.join(prefix, "libnigh.so")
        done = subprocess.run(["cc", "-O1", "-shared", "-fPIC", source, "-o", library],
                              capture_output=True, text=True)
        self.check("a system library", done.returncode == 0, done.stderr)
        with open(os.path.join(prefix, "nigh.pc"), "w", encoding="utf-8") as file:
            file.write(f"Name: nigh\nDescription: nigh\nVersion: 7\nCflags: -I{prefix}\n"
                       f"Libs: -L{prefix} -lnigh\n")
        # go keeps what pkg-config once said and does not ask again, unless flags are others.
        more = {"PKG_CONFIG_PATH": prefix, "LD_LIBRARY_PATH": prefix,
                "CGO_LDFLAGS": f"-O2 -g -L{prefix}"}
        self.tests("nigh_system", "-tags", "nigh_system", "-run", "TestAddSearch|TestFetched", ".",
                   **more)
        status, output = self.go("test", "-tags", "nigh_system", "-run", "TestVersion", ".",
                                 **more)
        self.check("nigh_system is the system's", status != 0 and "version 7.1.0" in output, output)


def go_good_enough():
    """go.mod says which Go is needed."""
    with open(os.path.join(PACKAGE, "go.mod"), encoding="utf-8") as file:
        need = re.search(r"^go (\d+)\.(\d+)", file.read(), re.MULTILINE)
    has = re.search(r"go(\d+)\.(\d+)", subprocess.run(["go", "version"], capture_output=True,
                                                     text=True).stdout)
    return has and tuple(map(int, has.groups())) >= tuple(map(int, need.groups()))


def slow(run, work):
    """Each compiles the library again, which only one processor can do: two beside each other."""
    def others():
        run.packed(work)
        run.arm64(work)
        run.system_library()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        raced = pool.submit(run.tests, "race, cgocheck2", "-race", "-short", ".",
                            GOEXPERIMENT="cgocheck2")
        pool.submit(others).result()
        raced.result()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not shutil.which("go") or not go_good_enough():
        print("test_go.py: Go of go.mod's version or newer is needed (https://go.dev/dl)")
        print("0 passed, 1 failed")
        return 1
    folder = os.path.join(ROOT, "build", "bindings")
    command = os.path.abspath(options.nigh) if options.nigh else golden.built(folder)
    run = Run(golden.make(folder, command), command)
    with tempfile.TemporaryDirectory() as work:
        run.style()
        run.tests("go test", "./...")
        run.without_cgo()
        if not options.quick:
            slow(run, work)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
