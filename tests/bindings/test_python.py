#!/usr/bin/env python3
# test_python.py - the Python package: packed, built in isolation, installed, its tests on top
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_python.py [--source] [PYTEST ARGUMENTS]

Makes the source distribution, builds a wheel from it alone, installs that into a fresh virtual
environment and runs tests/python there, beside hnswlib, which some of them compare with. --source:
only compiles the library and runs the tests on the source folder. Ends with "N passed, N
failed"."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

from count import Count

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PACKAGE = os.path.join(ROOT, "bindings", "python")
TESTS = os.path.join(ROOT, "tests", "python")
TOOLS = os.path.join(ROOT, ".cache", "venv", "bin", "python")
WORK = os.path.join(ROOT, "build", "python")
PEER = "hnswlib==0.8.0"
COUNTS = re.compile(r"(\d+) (passed|failed|errors?|skipped)")


class Run(Count):
    def pytest(self, python, arguments, env=None):
        done = subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS,
                               *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, cwd=WORK, env={**os.environ, **(env or {})})
        last = (done.stdout.strip().splitlines() or [""])[-1]
        counts = {kind.rstrip("s"): int(number) for number, kind in COUNTS.findall(last)}
        self.passed += counts.get("passed", 0)
        self.failed += counts.get("failed", 0) + counts.get("error", 0)
        print(last, flush=True)
        if done.returncode != 0:
            print(done.stdout[-8000:], flush=True)
            if not counts.get("failed", 0) + counts.get("error", 0):
                self.check(f"pytest (exit status {done.returncode})", False)


def packed(run):
    """The wheel, from the source distribution alone, by an isolated build."""
    made = os.path.join(WORK, "dist")
    shutil.rmtree(made, ignore_errors=True)
    code = f"from scikit_build_core.build import build_sdist; build_sdist({made!r})"
    if not run.step("source distribution", TOOLS, "-c", code, cwd=PACKAGE):
        return None
    source, = glob.glob(os.path.join(made, "*.tar.gz"))
    with tarfile.open(source) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {os.path.relpath(path, PACKAGE) for folder in ("csrc", "nigh")
              for path in glob.glob(os.path.join(PACKAGE, folder, "**", "*"), recursive=True)
              if os.path.isfile(path) and not path.endswith((".so", ".pyc"))}
    run.check("the source distribution is complete", wanted <= names, str(wanted - names))
    run.check("and holds no more", not [name for name in names if "test" in name or
                                        name.endswith((".so", ".pyc"))], str(names))
    if not run.step("wheel", TOOLS, "-m", "pip", "wheel", "-q", "--no-deps", "-w", made, source):
        return None
    wheel, = glob.glob(os.path.join(made, "*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for name in ("nigh/py.typed", "nigh/libnigh_python.so", "nigh/hnswlib/__init__.py"):
        run.check(f"the wheel holds {name}", name in names)
    run.check("and no C", not [name for name in names if name.endswith((".c", ".h"))], str(names))
    run.check("one wheel for every Python", "-py3-none-" in wheel, wheel)
    return wheel


def installed(run, wheel):
    """A fresh environment's Python, or None."""
    home = os.path.join(WORK, "venv")
    shutil.rmtree(home, ignore_errors=True)
    python = os.path.join(home, "bin", "python")
    if not run.step("fresh environment", sys.executable, "-m", "venv", home) or \
            not run.step("pip install", python, "-m", "pip", "install", "-q", wheel, "pytest"):
        return None
    run.step("pip check", python, "-m", "pip", "check")
    run.step(PEER, python, "-m", "pip", "install", "-q", PEER)
    return python


def compiled(run):
    """The library, for the source folder."""
    build = os.path.join(WORK, "source")
    run.step("configure", "cmake", "-S", PACKAGE, "-B", build, "-DCMAKE_BUILD_TYPE=Release")
    run.step("compile", "cmake", "--build", build, "-j", "2")
    return {"PYTHONPATH": PACKAGE, "NIGH_LIBRARY": os.path.join(build, "libnigh_python.so")}


def main(arguments):
    os.makedirs(WORK, exist_ok=True)
    run = Run()
    source = "--source" in arguments
    arguments = [argument for argument in arguments if argument != "--source"]
    if not os.path.exists(TOOLS):
        run.check("tools/setup.sh test was run", False)
    elif source:
        run.pytest(TOOLS, arguments, compiled(run))
    else:
        wheel = packed(run)
        python = installed(run, wheel) if wheel else None
        if python:
            run.pytest(python, arguments)
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed or not run.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
