#!/usr/bin/env python3
# test_readme.py - the README tells the truth: its commands exist, its C example compiles and runs
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import re
import sys
import tempfile

import amalgamate
import sources
import targets

EXAMPLE = "examples/quickstart.c"


def problems():
    with open(os.path.join(targets.ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    with open(os.path.join(targets.ROOT, "Makefile"), encoding="utf-8") as file:
        goals = set(re.findall(r"^([a-z]+):", file.read(), re.MULTILINE))
    if not blocks or not {"demo", "test"} <= set(re.findall(r"\bmake (\w+)", blocks[0][1])):
        yield "its first block does not hold `make demo` and `make test`"
    for goal in set(re.findall(r"`make (\w+)`|^make (\w+)", text, re.MULTILINE)):
        if "".join(goal) not in goals:
            yield f"make {''.join(goal)} is no target of the Makefile"
    example = next((code for language, code in blocks if language == "c"), None)
    if example is None:
        yield "it has no C example"
        return
    path = os.path.join(targets.ROOT, EXAMPLE)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            if example.strip() not in file.read():
                yield f"its C example is not the text of {EXAMPLE}"
    yield from compile_and_run(example)


def compile_and_run(example):
    hosted = os.path.join(targets.ROOT, "hosted")
    with tempfile.TemporaryDirectory() as folder:
        amalgamate.main([folder])
        source, program = os.path.join(folder, "example.c"), os.path.join(folder, "example")
        with open(source, "w", encoding="utf-8") as file:
            file.write(example)
        for compiler in ("gcc", "clang-19"):
            done = targets.run([compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra",
                                "-Werror", "-fsanitize=address,undefined",
                                "-fno-sanitize-recover=all", "-I", folder, "-I", hosted, source,
                                os.path.join(folder, "nigh.c"),
                                *[os.path.join(targets.ROOT, path) for path
                                  in sources.cmake_list("NIGH_HOSTED_SOURCES")], "-lpthread",
                                "-o", program])
            if done.returncode != 0:
                yield f"its C example does not compile with {compiler}:\n{done.stderr[:3000]}"
                continue
            done = targets.run([program], cwd=folder)
            print(f"{compiler}: {done.stdout}", end="")
            if done.returncode != 0 or not done.stdout.strip():
                yield f"its C example ends with {done.returncode}:\n{done.stdout}{done.stderr}"


def main():
    found = list(problems())
    for problem in found:
        print(f"README.md: {problem}")
    print(f"{1 if not found else 0} passed, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
