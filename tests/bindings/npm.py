# npm.py - the npm package in a folder of its own, built and packed
# SPDX-License-Identifier: MIT OR Apache-2.0
import json
import os
import re
import shutil
import subprocess
import sys

from count import Count

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCE = os.path.join(ROOT, "bindings", "js")
TOOLS = os.path.join(ROOT, ".cache", "js", "node_modules")
TAP = re.compile(r"^# (?:pass|fail|cancelled|skipped) (\d+)$", re.MULTILINE)


class Run(Count):
    def node(self, name, folder, files, env, *flags):
        """Runs test files in Node; what they printed."""
        command = ["node", *flags, "--test", "--test-reporter=tap", *files]
        done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, errors="replace")
        counts = [int(n) for n in TAP.findall(done.stdout)]
        passed, bad = (counts[0], sum(counts[1:])) if len(counts) == 4 else (0, 1)
        self.passed += passed
        self.failed += max(bad, int(done.returncode != 0))
        print(f"{name}: {passed} passed, {bad} failed", flush=True)
        if done.returncode != 0 or bad:
            print(done.stdout[-8000:], flush=True)
        return done.stdout


def build(run, stage):
    """The package in `stage`: nothing is written into the source folder. Whether it worked."""
    if not run.step("the modules", sys.executable, "wasm/build.py", cwd=ROOT):
        return False
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(SOURCE, stage, ignore=shutil.ignore_patterns("node_modules", "dist"))
    os.symlink(TOOLS, os.path.join(stage, "node_modules"))
    return run.step("build", "node", "build.mjs", os.path.join(ROOT, "build", "wasm"), cwd=stage)


def pack(run, stage):
    """npm pack's tarball; its path, or None."""
    said = run.output("npm pack", "npm", "pack", "--json", "--ignore-scripts", cwd=stage)
    return said and os.path.join(stage, json.loads(said[said.index("["):])[0]["filename"])


def install(run, tarball, folder):
    """The tarball, installed into a folder that knows nothing of the tree; whether it worked."""
    with open(os.path.join(folder, "package.json"), "w", encoding="utf-8") as file:
        json.dump({"private": True, "type": "module"}, file)
    return run.step("npm install", "npm", "install", "--offline", "--no-audit", "--no-fund",
                    tarball, cwd=folder)
