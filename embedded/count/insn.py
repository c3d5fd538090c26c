#!/usr/bin/env python3
# insn.py - exact counts of the instructions that a program on an emulated board executes
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: embedded/count/insn.py BOARD FILE.elf [FUNCTION...]

Prints `all N`; `marked N`, between board_mark_begin and board_mark_end, if the program calls them;
and for each function `NAME I E`: instructions in its own code and times that it was entered, both
between the marks if there are any. Counts are the same in each run: emulation has no cycles, and
its instructions depend on nothing but the program."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import boards  # noqa: E402


def plugin():
    """The plugin, compiled unless it is there."""
    made = os.path.join(boards.OUT, "libinsn.so")
    source = os.path.join(HERE, "insn.c")
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
        os.makedirs(boards.OUT, exist_ok=True)
        built = f"{made}.{os.getpid()}"
        subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source,
                        "-o", built], check=True)
        os.replace(built, made)
    return made


def functions(name, elf):
    """{name: (first address, last one)} of what has a size."""
    tool = boards.BOARDS[name].compiler[0].replace("gcc", "nm")
    found = {}
    for line in boards.run([tool, "-S", elf]).stdout.splitlines():
        match = re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) [tT] (\S+)", line)
        if match:
            first = int(match.group(1), 16) & ~1  # nm tells Thumb by the lowest bit
            found[match.group(3)] = (first, first + int(match.group(2), 16) - 1)
    return found


def count(name, elf, wanted=(), seconds=600):
    """(exit status, output, {"all": N, "marked": N, function: (instructions, entries)})"""
    known = functions(name, elf)
    told = f"{elf}.counts"
    argument = f"{plugin()},out={told}"
    if "board_mark_begin" in known and "board_mark_end" in known:
        argument += "".join(f",{key}={known['board_mark_' + key][0]:#x}"
                            for key in ("begin", "end"))
    argument += "".join(f",fn={known[fn][0]:#x}:{known[fn][1]:#x}" for fn in wanted)
    if os.path.exists(told):
        os.remove(told)
    status, output = boards.execute(name, elf, seconds, argument)
    counts = {}
    if os.path.exists(told):
        with open(told, encoding="utf-8") as file:
            for line in file:
                key, *numbers = line.split()
                if key == "fn":
                    counts[wanted[int(numbers[0])]] = (int(numbers[1]), int(numbers[2]))
                else:
                    counts[key] = int(numbers[0])
    return status, output, counts


def main(arguments):
    if len(arguments) < 2:
        print(__doc__)
        return 2
    status, output, counts = count(arguments[0], arguments[1], arguments[2:])
    print(output, end="")
    for key, value in counts.items():
        print(key, *(value if isinstance(value, tuple) else [value]))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
