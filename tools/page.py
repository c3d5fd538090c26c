#!/usr/bin/env python3
# page.py - examples/browser as static files, with the package and the command of this tree
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/page.py [--out FOLDER] [--count N] [--package FOLDER] [--nigh COMMAND]

What prepare.py makes is in OUT/data, the page in OUT/site. The source folder stays as it is: Vite
runs in OUT/source, with the packages that `tools/setup.sh page` installed and nigh beside them."""
import argparse
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "bindings"))
import npm  # noqa: E402  (after the path to it)

EXAMPLE = os.path.join(ROOT, "examples", "browser")
MODULES = os.path.join(ROOT, ".cache", "page", "node_modules")
PYTHON = os.path.join(ROOT, ".cache", "venv", "bin", "python")


def run(*command, cwd):
    """Its output is shown only when it fails."""
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        sys.exit(f"{done.stdout[-6000:]}\npage: '{' '.join(command)}' failed")


def source(folder, nigh, data):
    """A copy of the example that finds its packages."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(
        "node_modules", "data", "dist", "*.py", "__pycache__"))
    os.symlink(data, os.path.join(folder, "data"))
    modules = os.path.join(folder, "node_modules")
    os.mkdir(modules)
    for name in os.listdir(MODULES):
        if name != "nigh":
            os.symlink(os.path.join(MODULES, name), os.path.join(modules, name))
    os.symlink(nigh, os.path.join(modules, "nigh"))
    return folder


def site(folder, out):
    """Types checked, and the static files."""
    tool = {name: os.path.join(MODULES, path) for name, path in
            (("tsc", "typescript/bin/tsc"), ("vite", "vite/bin/vite.js"))}
    run("node", tool["tsc"], "-p", ".", cwd=folder)
    run("node", tool["vite"], "build", "--outDir", out, "--emptyOutDir", cwd=folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "page"))
    parser.add_argument("--count", type=int, help="definitions at most; default: all")
    parser.add_argument("--package", help="a built npm package; default: build it")
    parser.add_argument("--nigh", default=os.path.join(ROOT, "build", "nigh"), help="the command")
    options = parser.parse_args()
    if not os.path.isdir(MODULES):
        sys.exit("page: please run tools/setup.sh page")
    out = os.path.abspath(options.out)
    data = os.path.join(out, "data")
    count = ["--count", str(options.count)] if options.count else []
    done = subprocess.run([PYTHON, os.path.join(EXAMPLE, "prepare.py"), "--out", data, "--nigh",
                           os.path.abspath(options.nigh), "--modules", MODULES, *count])
    if done.returncode != 0:
        sys.exit("page: prepare.py failed")
    nigh = os.path.abspath(options.package or os.path.join(out, "nigh"))
    if not options.package and not npm.build(npm.Run(), nigh):
        sys.exit("page: the package does not build")
    site(source(os.path.join(out, "source"), nigh, data), os.path.join(out, "site"))
    print(f"{os.path.relpath(os.path.join(out, 'site'))}: to see it, python3 -m http.server -d "
          "that folder, and http://localhost:8000")


if __name__ == "__main__":
    main()
