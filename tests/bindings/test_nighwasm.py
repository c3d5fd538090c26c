#!/usr/bin/env python3
# test_nighwasm.py - the Go package without cgo: its tests, race detector, packed module
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_nighwasm.py [--nigh COMMAND] [--quick]

Copies of the package with cgo are current; gofmt, vet and tidy have nothing to say; tests pass
with CGO_ENABLED=0, then (not --quick) a part of them under the race detector; a program elsewhere
that has only the packed module gives the command's answers. Each test of `go test` counts, a
skipped one not. Ends with "N passed, N failed"."""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

import golden

ROOT = golden.ROOT
PACKAGE = os.path.join(ROOT, "bindings", "go", "nighwasm")
MODULE = "github.com/nigh-search/nigh/bindings/go/nighwasm"
VERSION = "v0.0.1"
ZIP_BYTES_MAX = 200_000
RACED = "Search|Replicas|Store|Fetched|Filter|Close|SameKey|Job|Batch|Open"
MAIN = """\
package main

import (
\t"encoding/binary"
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
\tdata, err := os.ReadFile(os.Args[2])
\tif err != nil {
\t\tpanic(err)
\t}
\tquery := make([]float32, len(data)/4)
\tfor i := range query {
\t\tquery[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
\t}
\tfor ; len(query) > 0; query = query[DIM:] {
\t\thits, err := index.Search(query[:DIM], 10, &nigh.SearchOptions{Ef: 64})
\t\tif err != nil {
\t\t\tpanic(err)
\t\t}
\t\tfor _, hit := range hits {
\t\t\tfmt.Printf("%d %08x\\n", hit.Key, math.Float32bits(hit.Distance))
\t\t}
\t}
}
"""


class Run:
    """Counts, and the environment that all go commands get."""

    def __init__(self, folder, command):
        self.passed = self.failed = 0
        self.folder = folder
        self.env = {**os.environ, "GOCACHE": os.path.join(ROOT, ".cache", "go-build"),
                    "GOFLAGS": "", "GOWORK": "off", "GOTOOLCHAIN": "local", "GOTELEMETRY": "off",
                    "CGO_ENABLED": "0", "NIGH_GOLDEN": folder, "NIGH_COMMAND": command}

    def check(self, name, good, note=""):
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {name}\n{note}", flush=True)
        return good

    def run(self, *command, cwd=PACKAGE, **more):
        """(exit status, output)"""
        done = subprocess.run(command, cwd=cwd, env={**self.env, **more}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, errors="replace")
        return done.returncode, done.stdout

    def tests(self, name, *arguments, **more):
        """go test; what it prints of a failed test is shown."""
        status, output = self.run("go", "test", "-json", "-count=1", *arguments, **more)
        texts, counts = {}, {"pass": 0, "fail": 0, "skip": 0}
        for line in output.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = {"Action": "output", "Output": line + "\n"}
            texts.setdefault(event.get("Test"), []).append(event.get("Output", ""))
            if event["Action"] in counts and event.get("Test"):
                counts[event["Action"]] += 1
                if event["Action"] == "fail":
                    print(f"FAILED {name}: {event['Test']}\n{''.join(texts[event['Test']])}")
        self.passed += counts["pass"]
        self.failed += counts["fail"]
        if (status != 0 and not counts["fail"]) or not counts["pass"]:
            shown = "".join(text for test in texts.values() for text in test)
            self.check(f"{name} (exit status {status})", False, shown[-4000:])
        print(f"{name}: {counts['pass']} passed, {counts['skip']} skipped", flush=True)

    # ---- Checks -------------------------------------------------------------------------------

    def style(self):
        status, output = self.run(sys.executable, "share.py", "--check")
        self.check("copies of bindings/go", status == 0, output)
        status, output = self.run("gofmt", "-l", ".")
        self.check("gofmt", status == 0 and not output, output)
        for step in (["vet", "./..."], ["mod", "verify"], ["mod", "tidy", "-diff"]):
            status, output = self.run("go", *step)
            self.check("go " + " ".join(step), status == 0, output)

    def packed(self, work):
        """A module somewhere else that has the package from a proxy of files, and wazero from the
        cache of modules that the tests filled."""
        proxy = os.path.join(work, "proxy")
        size = pack(proxy)
        self.check("the module is small", size <= ZIP_BYTES_MAX, f"{size} bytes")
        scratch = os.path.join(work, "scratch")
        os.makedirs(scratch)
        with open(os.path.join(scratch, "main.go"), "w", encoding="utf-8") as file:
            file.write(MAIN.replace("MODULE", MODULE).replace("DIM", str(golden.DIM)))
        cache = self.run("go", "env", "GOMODCACHE")[1].strip()
        away = {"GOPROXY": f"file://{proxy},file://{cache}/cache/download", "GOSUMDB": "off",
                "GOFLAGS": "-modcacherw", "GOMODCACHE": os.path.join(work, "modules")}
        for step in (["mod", "init", "example.org/scratch"], ["get", f"{MODULE}@{VERSION}"],
                     ["mod", "tidy"], ["vet", "."], ["build", "-o", "scratch", "."]):
            status, output = self.run("go", *step, cwd=scratch, **away)
            if not self.check("scratch module: go " + " ".join(step[:2]), status == 0, output):
                return
        self.answers(os.path.join(scratch, "scratch"))

    def answers(self, program):
        """The program's hits are those of golden.json."""
        with open(os.path.join(self.folder, "golden.json"), encoding="utf-8") as file:
            known = json.load(file)
        case = next(case for case in known["cases"] if case["name"] == "u64")
        search = next(search for search in case["searches"] if search["ef"] == 64)
        wanted = [f"{key} {bits:08x}" for hits in search["answers"] for key, bits, _ in hits]
        status, output = self.run(program, os.path.join(self.folder, case["image"]),
                                  os.path.join(self.folder, known["queries"]))
        self.check("scratch module: the command's answers",
                   status == 0 and len(wanted) > 100 and output.splitlines() == wanted, output)


def pack(proxy):
    """The module as a file proxy serves it, of the files that git has; bytes of the zip."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=PACKAGE,
                            capture_output=True, text=True)
    paths = listed.stdout.splitlines() if listed.returncode == 0 else os.listdir(PACKAGE)
    folder = os.path.join(proxy, MODULE, "@v")
    os.makedirs(folder)
    path = os.path.join(folder, VERSION + ".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in sorted(paths):
            if os.path.isfile(os.path.join(PACKAGE, name)):
                packed.write(os.path.join(PACKAGE, name), f"{MODULE}@{VERSION}/{name}")
    shutil.copy(os.path.join(PACKAGE, "go.mod"), os.path.join(folder, VERSION + ".mod"))
    with open(os.path.join(folder, VERSION + ".info"), "w", encoding="utf-8") as file:
        json.dump({"Version": VERSION, "Time": "2026-01-01T00:00:00Z"}, file)
    with open(os.path.join(folder, "list"), "w", encoding="utf-8") as file:
        file.write(VERSION + "\n")
    return os.path.getsize(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    folder = golden.make(os.path.join(ROOT, "build", "bindings"), options.nigh)
    run = Run(folder, os.path.abspath(options.nigh or os.path.join(folder, "command", "nigh")))
    run.style()
    run.tests("go test", "-short", "./...")
    if not options.quick:
        run.tests("race", "-race", "-short", "-run", RACED, ".", CGO_ENABLED="1")
        with tempfile.TemporaryDirectory() as work:
            run.packed(work)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
