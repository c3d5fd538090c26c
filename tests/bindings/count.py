# count.py - what passed and failed, for the drivers of the bindings' tests
# SPDX-License-Identifier: MIT OR Apache-2.0
import subprocess


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, good, note=""):
        """Counts one check and says what failed; whether it holds."""
        self.passed += bool(good)
        self.failed += not good
        if not good:
            print(f"FAILED {name}\n{str(note)[-4000:]}", flush=True)
        return bool(good)

    def output(self, name, *command, **more):
        """Runs a command, which must succeed; what it printed, or None."""
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, errors="replace", **more)
        return done.stdout if self.check(name, done.returncode == 0, done.stdout) else None

    def step(self, name, *command, **more):
        """The same where only that matters; whether it did."""
        return self.output(name, *command, **more) is not None
