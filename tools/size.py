#!/usr/bin/env python3
# size.py - flash and stack of what a program links, per processor and feature set (make size)
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/size.py [--check] [--targets]

Links the single file at -Os with each set of switches, keeps what the functions of the set need,
and prints bytes of code and constants, and the deepest stack over the call graph; what the
compiler's runtime adds (memcpy, 64-bit division) is not counted. --check: only what has a limit;
fails above it, and when a set without floats has a symbol of a float runtime; ends with
"N passed, N failed". --targets: text bytes of each source file per target instead."""
import argparse
import os
import re
import sys

import amalgamate
import targets

OUT = os.path.join(targets.ROOT, "build", "size")
BUILDS = (("x86-64", "-O2"), ("x86-64", "-Os"), ("aarch64", "-O2"), ("aarch64", "-Os"),
          ("cortex-m4", "-Os"), ("cortex-m3", "-Os"), ("cortex-m0", "-Os"), ("wasm32", "-Os"),
          ("wasm32-simd", "-Os"))
CHIPS = {"cortex-m0": "-mcpu=cortex-m0", "cortex-m3": "-mcpu=cortex-m3",
         "cortex-m4": "-mcpu=cortex-m4", "cortex-m55": "-mcpu=cortex-m55 -mfloat-abi=hard"}
SMALL = ["SMALL", "SINGLE_THREAD", "NO_PAGER", "NO_JOBS", "NO_SOURCES", "NO_L1"]
INTEGER = [*SMALL, "NO_FLOATS", "NO_PACKED", "NO_CURSORS", "NO_FILTERS"]
SEARCH = ["nigh_attach_bytes", "nigh_attach", "nigh_session_bytes", "nigh_session_init",
          "nigh_search"]
CHANGE = [*SEARCH, "nigh_index_bytes", "nigh_index_init", "nigh_writer_bytes", "nigh_writer_init",
          "nigh_grow_bytes", "nigh_grow", "nigh_insert", "nigh_remove", "nigh_check",
          "nigh_save_bytes", "nigh_save"]
SETS = {
    "search u7, u8, bits": ([*INTEGER, "SEARCH_ONLY", "NO_REMOVED", "NO_STRINGS"], SEARCH),
    "search u7": ([*INTEGER, "SEARCH_ONLY", "NO_REMOVED", "NO_STRINGS", "NO_BYTES"], SEARCH),
    "search, packed too": ([word for word in INTEGER if word != "NO_PACKED"]
                           + ["SEARCH_ONLY", "NO_REMOVED", "NO_STRINGS"], SEARCH),
    "all of u8, bits": ([*INTEGER, "NO_STRINGS", "NO_CODES", "NO_SET"], CHANGE),
    "all of integers": ([*SMALL, "NO_FLOATS"], CHANGE),
    "all, floats too": (SMALL, CHANGE),
}
# (set, processor): (most bytes of flash, most of stack); None: no limit
# Every set without floats is looked at on a processor that has none.
LIMITS = {("all of integers", "cortex-m0"): (None, None),
          ("search u7, u8, bits", "cortex-m4"): (8192, 1024),
          ("search u7", "cortex-m4"): (8192, 1024),
          ("search u7, u8, bits", "cortex-m0"): (8192, 1024),
          ("all of u8, bits", "cortex-m4"): (24576, None)}
FLOATS = re.compile(r"__aeabi_(f|d|i2f|ui2f|l2f|ul2f|h2f)|__\w+[sd]f\d?$")


def built(name, chip):
    """The linked program of a set: (path of the elf, call graph files, undefined symbols)."""
    switches, functions = SETS[name]
    folder = os.path.join(OUT, re.sub(r"\W+", "-", name) + "-" + chip)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "keep.c"), "w", encoding="utf-8") as file:
        file.write('#include "nigh.h"\nvoid entry(void);\nvoid *volatile sink;\n'
                   "void entry(void) {\n"
                   + "".join(f"    sink = (void *){word};\n" for word in functions) + "}\n")
    compiler = ["arm-none-eabi-gcc", "-mthumb", *CHIPS[chip].split(), "-Os", "-std=c11",
                "-ffreestanding", "-fno-math-errno", "-ffunction-sections", "-fdata-sections",
                "-I", OUT, *(f"-DNIGH_{word}" for word in switches)]
    library, keep = os.path.join(folder, "nigh.o"), os.path.join(folder, "keep.o")
    elf = os.path.join(folder, "nigh.elf")
    for command in ([*compiler, "-fcallgraph-info=su", "-c", os.path.join(OUT, "nigh.c"), "-o",
                     library],
                    [*compiler, "-w", "-c", os.path.join(folder, "keep.c"), "-o", keep],
                    [*compiler, "-nostdlib", "-nostartfiles", "-Wl,--gc-sections,-e,entry",
                     "-Wl,--unresolved-symbols=ignore-all", keep, library, "-o", elf]):
        done = targets.run(command, cwd=folder)
        if done.returncode != 0:
            raise SystemExit(f"size.py: {name}, {chip}\n{done.stderr[-3000:]}")
    undefined = re.findall(r" U (\S+)", targets.run(["arm-none-eabi-nm", library]).stdout)
    return elf, library[:-2] + ".ci", undefined


def flash(elf):
    """Bytes of code and constants, without the stub that keeps them."""
    sizes = targets.run(["arm-none-eabi-size", elf]).stdout.splitlines()[1].split()
    symbols = targets.run(["arm-none-eabi-nm", "-S", elf]).stdout
    stub = re.search(r"^\w+ (\w+) T entry$", symbols, re.MULTILINE)
    return int(sizes[0]) + int(sizes[1]) - int(stub.group(1), 16)


# Calls through pointers, by who makes them: a call graph cannot say where they go.
POINTERS = {"search": r"nighi_(space_\w+|round_\w+|beam\w*|descend|hit_\w+|code_again|score_\w+|"
                      r"shadowed|plan_\w+|select)|nigh_search|nigh_insert"}
KERNELS = re.compile(r"(arm|scalar)_code_\w+|batch_\w+")


def stack(graph, functions):
    """(bytes, function): the deepest stack below the functions."""
    with open(graph, encoding="utf-8") as file:
        text = file.read()
    frames, calls = {}, {}
    for title, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]+)"', text):
        size = re.search(r"\\n(\d+) bytes", label)
        frames[title] = int(size.group(1)) if size else 0
    for source, target in re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', text):
        calls.setdefault(source, set()).add(target)
    short = {title: title.split(":")[-1] for title in frames}
    kernels = {title for title in frames if KERNELS.match(short[title])}
    depth = {}

    def below(title, path=()):
        if title in path:
            raise SystemExit(f"size.py: {title} calls itself")
        if title not in depth:
            to = calls.get(title, set())
            if "__indirect_call" in to and re.match(POINTERS["search"], short.get(title, "")):
                to = to | kernels
            depth[title] = frames.get(title, 0) + max(
                (below(callee, (*path, title)) for callee in to if callee in frames), default=0)
        return depth[title]

    return max((below(title), short[title]) for title in frames if short[title] in functions)


def table(check):
    """Prints; returns the findings and how many limits hold."""
    os.makedirs(OUT, exist_ok=True)
    for name, text in amalgamate.amalgam().items():
        with open(os.path.join(OUT, name), "w", encoding="utf-8") as file:
            file.write(text)
    findings, held = [], 0
    print("bytes of flash, deepest stack".ljust(32) + "".join(chip.rjust(18) for chip in CHIPS))
    for name, (switches, functions) in SETS.items():
        line = name.ljust(32)
        for chip in CHIPS:
            if check and (name, chip) not in LIMITS:
                line += "".rjust(18)
                continue
            elf, graph, undefined = built(name, chip)
            size, (deep, where) = flash(elf), stack(graph, functions)
            line += f"{size:,} {deep:,}".rjust(18)
            most, most_stack = LIMITS.get((name, chip), (None, None))
            if most is not None and size > most:
                findings.append(f"{name}, {chip}: {size:,} bytes of flash, at most {most:,}")
            elif most is not None:
                held += 1
            if most_stack is not None and deep > most_stack:
                findings.append(f"{name}, {chip}: {deep:,} bytes of stack in {where}, at most "
                                f"{most_stack:,}")
            floats = [word for word in undefined if FLOATS.match(word)]
            if "NO_FLOATS" in switches and floats:
                findings.append(f"{name}, {chip}: {' '.join(floats)}")
            held += not floats
        print(line)
    return findings, held


def files():
    columns, rows = [], {}
    for target, level in BUILDS:
        folder = os.path.join(OUT, target + level)
        objects, messages = targets.compile_core(target, level, folder)
        if messages:
            print(messages[0], file=sys.stderr)
            return 1
        columns.append(f"{target} {level}")
        for path in objects:
            name = os.path.basename(path)[:-2]
            rows.setdefault(name, []).append(targets.text_bytes(target, [path]))
    width = max(12, *map(len, columns)) + 2
    print("text bytes".ljust(18) + "".join(column.rjust(width) for column in columns))
    for name, sizes in rows.items():
        print(name.ljust(18) + "".join(f"{size:,}".rjust(width) for size in sizes))
    totals = [sum(sizes) for sizes in zip(*rows.values())]
    print("total".ljust(18) + "".join(f"{size:,}".rjust(width) for size in totals))
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--targets", action="store_true")
    options = parser.parse_args()
    if options.targets:
        return files()
    findings, held = table(options.check)
    print("".join(finding + "\n" for finding in findings), end="")
    if options.check:
        print(f"{held} passed, {len(findings)} failed")
    return 1 if findings and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
