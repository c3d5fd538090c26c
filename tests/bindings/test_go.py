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
import zipfile

import golden

ROOT = golden.ROOT
PACKAGE = os.path.join(ROOT, "bindings", "go")
MODULE = "github.com/nigh-search/nigh/bindings/go"
CACHE = os.path.join(ROOT, ".cache", "go-build")
MAIN = """\
package main

import (
\t"fmt"
\t"math"
\t"os"

\tnigh "MODULE"
)

func main() {
\tindex, err := nigh.Open[uint64](os.Args[1], nil)
\tif err != nil {
\t\tpanic(err)
\t}
\tdefer index.Close()
\tquery, err := index.Get(2)
\tif err != nil {
\t\tpanic(err)
\t}
\thits, err := index.Search(query, 10, &nigh.SearchOptions{Ef: 64})
\tif err != nil {
\t\tpanic(err)
\t}
\tfor _, hit := range hits {
\t\tfmt.Printf("%d %08x\\n", hit.Key, math.Float32bits(hit.Distance))
\t}
}
"""


class Run:
    """Counts, and the environment that all go commands get."""

    def __init__(self, folder, command):
        self.passed = self.failed = 0
        self.lock = threading.Lock()
        self.env = {**os.environ, "GOCACHE": CACHE, "GOFLAGS": "", "GOWORK": "off",
                    "GOTOOLCHAIN": "local", "GOTELEMETRY": "off", "CGO_ENABLED": "1",
                    "NIGH_GOLDEN": folder, "NIGH_COMMAND": command}
        self.folder, self.nigh = folder, command

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
        proxy, version = os.path.join(work, "proxy"), "v0.0.1"
        pack(proxy, version)
        with zipfile.ZipFile(os.path.join(proxy, MODULE, "@v", version + ".zip")) as packed:
            bytes_ = sum(info.compress_size for info in packed.infolist())
            texts = {os.path.basename(info.filename): packed.read(info)
                     for info in packed.infolist() if "/LICENSE-" in info.filename}
        self.check("the module is small", bytes_ < 500_000, f"{bytes_} bytes")
        wanted = {name: open(os.path.join(ROOT, name), "rb").read()
                  for name in ("LICENSE-APACHE", "LICENSE-MIT")}
        self.check("the module has its licences", texts == wanted, f"{sorted(texts)}")
        scratch = os.path.join(work, "scratch")
        os.makedirs(scratch)
        with open(os.path.join(scratch, "main.go"), "w", encoding="utf-8") as file:
            file.write(MAIN.replace("MODULE", MODULE))
        away = {"GOPROXY": "file://" + proxy, "GOSUMDB": "off", "GOFLAGS": "-modcacherw",
                "GOMODCACHE": os.path.join(work, "modules")}
        for step in (["mod", "init", "example.org/scratch"], ["get", f"{MODULE}@{version}"],
                     ["mod", "tidy"], ["mod", "vendor"], ["vet", "."],
                     ["build", "-o", "scratch", "."]):
            status, output = self.go(*step, cwd=scratch, **away)
            self.check("scratch module: go " + " ".join(step[:2]), status == 0, output)
            if status != 0:
                return
        image = os.path.join(self.folder, "u64.nigh")
        done = subprocess.run([os.path.join(scratch, "scratch"), image], capture_output=True,
                              text=True)
        self.check("scratch module: same answers as the command", done.returncode == 0 and
                   done.stdout.splitlines() == self.wanted(image), done.stdout + done.stderr)

    def wanted(self, image):
        """What the command finds for the vector of key 2."""
        with open(os.path.join(self.folder, "rows.f32"), "rb") as file:
            row = file.read()[2 * 4 * golden.DIM:3 * 4 * golden.DIM]
        with tempfile.TemporaryDirectory() as work:
            raw, query = os.path.join(work, "query.f32"), os.path.join(work, "query.npy")
            with open(raw, "wb") as file:
                file.write(row)
            golden.save_npy(query, raw)
            done = subprocess.run([self.nigh, "search", image, query, "-k", "10", "--ef", "64",
                                   "--json"], capture_output=True, text=True, check=True)
        return [f"{hit['key']} {golden.bits(hit['distance']):08x}"
                for hit in json.loads(done.stdout)["hits"][0]]

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


def pack(proxy, version):
    """The module as a file proxy serves it: the files that git has, without nested modules."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=PACKAGE,
                            capture_output=True, text=True)
    paths = listed.stdout.splitlines() if listed.returncode == 0 else [
        os.path.relpath(os.path.join(top, name), PACKAGE)
        for top, _, names in os.walk(PACKAGE) for name in names]
    nested = [os.path.dirname(path) + "/" for path in paths
              if os.path.basename(path) == "go.mod" and os.path.dirname(path)]
    folder = os.path.join(proxy, MODULE, "@v")
    os.makedirs(folder)
    with zipfile.ZipFile(os.path.join(folder, version + ".zip"), "w",
                         zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(paths):
            full = os.path.join(PACKAGE, path)
            if os.path.isfile(full) and not path.startswith(tuple(nested + ["nighwasm/"])):
                packed.write(full, f"{MODULE}@{version}/{path}")
    shutil.copy(os.path.join(PACKAGE, "go.mod"), os.path.join(folder, version + ".mod"))
    with open(os.path.join(folder, version + ".info"), "w", encoding="utf-8") as file:
        json.dump({"Version": version, "Time": "2026-01-01T00:00:00Z"}, file)
    with open(os.path.join(folder, "list"), "w", encoding="utf-8") as file:
        file.write(version + "\n")


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
