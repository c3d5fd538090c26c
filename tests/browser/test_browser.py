#!/usr/bin/env python3
# test_browser.py - the npm package in Chromium: its tests, bundlers' output, what outlives a page
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/browser/test_browser.py [--nigh COMMAND] [--only FILES] [TEST FILE...]

Builds and packs the package in build/browser and runs tests/browser/*.test.mjs, which drive
Chromium (NIGH_CHROMIUM, default /usr/bin/chromium). TEST FILE: such as suite; --only: of the files
that suite runs in the browser, such as golden,index. Screenshots are in build/ci/browser. Ends with
"N passed, N failed"."""
import argparse
import glob
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "bindings"))
import golden  # noqa: E402
import npm  # noqa: E402

TOOLS = os.path.join(ROOT, ".cache", "browser", "node_modules")
STAGE = os.path.join(ROOT, "build", "browser", "nigh")
# What tests print, but for what node adds.
NOTE = re.compile(r"^# (?!(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) |Subtest)"
                  r"(.+)$", re.MULTILINE)


def tests(run, options):
    made = os.path.join(ROOT, "build", "bindings")
    env = {"NIGH_GOLDEN": golden.make(made, options.nigh),
           "NIGH_COMMAND": os.path.abspath(options.nigh or os.path.join(made, "command", "nigh")),
           "NIGH_PACKAGE": STAGE, "NIGH_TARBALL": npm.pack(run, STAGE) or ""}
    if options.only:
        env["NIGH_ONLY"] = options.only
    names = options.tests or sorted(os.path.basename(path)[:-len(".test.mjs")]
                                    for path in glob.glob(os.path.join(HERE, "*.test.mjs")))
    for name in names:
        said = run.node(name, HERE, [f"{name}.test.mjs"], env)
        for note in NOTE.findall(said):
            print(f"  {note}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    parser.add_argument("--only", help="names of test files that suite runs in the browser")
    parser.add_argument("tests", nargs="*", metavar="TEST FILE", help="such as suite")
    options = parser.parse_args()
    run = npm.Run()
    if run.check("tools/setup.sh test was run", os.path.isdir(TOOLS)) and npm.build(run, STAGE):
        tests(run, options)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main())
