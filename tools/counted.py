# counted.py - unittest with the closing line that tools/test.py adds up: "N passed, N failed"
# SPDX-License-Identifier: MIT OR Apache-2.0
import sys
import unittest


def main(module="__main__"):
    """Runs the tests of a module. A skipped test is not a passed one."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[module])
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(suite)
    bad = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors}) + len(
        result.unexpectedSuccesses)
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed")
    sys.exit(0 if bad == 0 and result.testsRun > 0 else 1)
