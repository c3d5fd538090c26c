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
import subprocess
import sys
import tempfile

import golden
import scratch
from count import Count

ROOT = golden.ROOT
PACKAGE = os.path.join(ROOT, "bindings", "go", "nighwasm")
RACED = "Search|Replicas|Store|Fetched|Filter|Close|SameKey|Job|Batch|Open"

class Run(Count):
    """Counts, and the environment that all go commands get."""

    def __init__(self, folder, command):
        super().__init__()
        self.folder = folder
        self.env = {**os.environ, **scratch.GO_ENV, "CGO_ENABLED": "0", "NIGH_GOLDEN": folder,
                    "NIGH_COMMAND": command}

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
        """A module somewhere else that has only the package from a proxy of files."""
        try:
            right = scratch.compare(scratch.nighwasm(work), self.folder)
            print(f"scratch module: {right} answers of the command", flush=True)
            self.check("scratch module", right)
        except scratch.Failed as failed:
            self.check("scratch module", False, failed)


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
