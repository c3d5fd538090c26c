#!/usr/bin/env python3
# boards.py - builds programs for bare boards and runs them in qemu
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: embedded/boards.py                     names of the boards
       embedded/boards.py BOARD PROGRAM.c... [-o FILE.elf] [-DNAME...] [-IFOLDER...]
                          [--blob NAME=FILE]... [--run] [--count FUNCTION,...]

Compiles the library (from CMakeLists.txt's list), a board's startup and the programs, without any
C library; --blob puts a file into flash; --run runs the result in qemu, --count also counts
instructions (embedded/count). `host` is this machine."""
import argparse
import concurrent.futures
import hashlib
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(ROOT, "tools"))
import sources  # noqa: E402

BOARDS_DIR = os.path.join(HERE, "boards")
OUT = os.path.join(ROOT, "build", "embedded")
FLAGS = ["-std=c11", "-ffreestanding", "-nostdlib", "-fno-math-errno", "-fno-pic",
         "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-ffunction-sections",
         "-fdata-sections", "-fno-tree-loop-distribute-patterns", "-Wall", "-Wextra", "-Werror"]
ARM = ["arm-none-eabi-gcc", "-mthumb"]
RISCV = ["riscv64-unknown-elf-gcc", "-msmall-data-limit=0", "-mcmodel=medany"]
SMALL = ["-Os", "-DNIGH_SMALL"]
SEMIHOSTED = ["-display", "none", "-monitor", "none", "-serial", "null", "-semihosting-config",
              "enable=on,target=native"]


class Board:
    """compiler: with the flags of the processor; level: what suits it; linked: its linker script;
    machine: qemu's command up to the program. `bare` is False where there is a C library."""

    def __init__(self, processor, compiler, level, script=None, machine=()):
        self.processor, self.compiler, self.level = processor, compiler, level
        self.script, self.machine = script, list(machine)
        self.bare = script is not None

    @property
    def start(self):
        """Sources of the board's own support."""
        names = ["board_print.c", "board_host.c"]
        if self.bare:
            names = ["board_print.c", "board_bare.c", "board_bytes.c",
                     "start_riscv.c" if "riscv" in self.compiler[0] else "start_arm.c"]
        return [os.path.join(BOARDS_DIR, name) for name in names]


def arm(processor, machine, flags, level, script):
    return Board(processor, [*ARM, *flags], level, script, ["qemu-system-arm", "-M", machine])


def riscv(bits, isa, abi, level):
    return Board(isa, [*RISCV, f"-march={isa}", f"-mabi={abi}"], level, "virt",
                 [f"qemu-system-riscv{bits}", "-M", "virt", "-bios", "none"])


HARD = ["-mfloat-abi=hard"]
BOARDS = {
    "microbit": arm("cortex-m0", "microbit", ["-mcpu=cortex-m0"], SMALL, "microbit"),
    "lm3s6965evb": arm("cortex-m3", "lm3s6965evb", ["-mcpu=cortex-m3"], SMALL, "lm3s6965evb"),
    "mps2-an385": arm("cortex-m3", "mps2-an385", ["-mcpu=cortex-m3"], SMALL, "mps2"),
    "mps2-an386": arm("cortex-m4", "mps2-an386", ["-mcpu=cortex-m4", *HARD, "-mfpu=fpv4-sp-d16"],
                      ["-O2"], "mps2"),
    "mps2-an500": arm("cortex-m7", "mps2-an500", ["-mcpu=cortex-m7", *HARD, "-mfpu=fpv5-d16"],
                      SMALL, "mps2"),
    "mps3-an547": arm("cortex-m55", "mps3-an547", ["-mcpu=cortex-m55", *HARD], ["-O2"], "an547"),
    "rv32imc": riscv(32, "rv32imc", "ilp32", SMALL),
    "rv64gc": riscv(64, "rv64gc", "lp64d", SMALL),
    "host": Board("this machine", ["gcc"], ["-O2"]),
}


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", stdin=subprocess.DEVNULL, **options)


class Failed(Exception):
    """A compiler or linker said no; the message is what it said."""


def compiled(command, target):
    """Runs a compiler unless its output is newer than what it was made of."""
    stamp = target + ".made"
    text = " ".join(command)
    if os.path.exists(target) and os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as file:
            old_text, *files = file.read().split("\n")
        made = os.path.getmtime(target)
        there = [os.path.join(ROOT, path) for path in files]
        if old_text == text and all(os.path.exists(path) and os.path.getmtime(path) < made
                                    for path in there):
            return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    done = run([*command, "-MMD", "-MF", target + ".d", "-c", "-o", target], cwd=ROOT)
    if done.returncode != 0:
        raise Failed(f"{text}\n{done.stdout}")
    with open(target + ".d", encoding="utf-8") as file:
        files = file.read().replace("\\\n", " ").split(":", 1)[1].split()
    with open(stamp, "w", encoding="utf-8") as file:
        file.write("\n".join([text, *files]))
    return target


def flags_of(board, defines=()):
    """A compiler's command for C sources of this board."""
    bare = [flag for flag in FLAGS if board.bare or flag not in ("-ffreestanding", "-nostdlib")]
    return [*board.compiler, *bare, *board.level, "-DNIGH_SINGLE_THREAD", *defines]


def key_of(board, defines):
    """Boards with the same processor and switches share what is compiled."""
    text = " ".join(flags_of(board, defines))
    return f"{board.processor.replace(' ', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def library(name, defines=(), jobs=1):
    """Objects of the core for this board, with `defines` as its switches (NIGH_...)."""
    board = BOARDS[name]
    folder = os.path.join(OUT, "core", key_of(board, defines))
    flags = [*flags_of(board, defines), "-Iabi", "-Icore"]
    targets = [(source, os.path.join(folder, os.path.basename(source)[:-2] + ".o"))
               for source in sources.cmake_list("NIGH_CORE_SOURCES")]
    with concurrent.futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        return list(pool.map(lambda pair: compiled([*flags, pair[0]], pair[1]), targets))


def build(name, programs, elf, defines=(), blobs=None, core_defines=(), core=None, includes=(),
          jobs=1):
    """Links programs with the core (or the objects in `core`) into `elf`; raises Failed.
    blobs: {name: file}, what BOARD_BLOB(name) declares; includes: folders more, from the root."""
    board = BOARDS[name]
    core = core if core is not None else library(name, core_defines, jobs)
    folder = elf + ".o"
    flags = [*flags_of(board, defines), "-Iabi", "-Iembedded/boards", "-Iembedded/flash",
             *("-I" + folder for folder in includes)]
    objects = [compiled([*flags, os.path.relpath(source, ROOT)],
                        os.path.join(folder, os.path.basename(source)[:-2] + ".o"))
               for source in [*programs, *board.start]]
    for blob, path in (blobs or {}).items():
        target = os.path.join(folder, f"blob-{blob}.o")
        os.makedirs(folder, exist_ok=True)
        done = run([*board.compiler, f"-DBLOB={blob}", f'-DBLOB_FILE="{os.path.abspath(path)}"',
                    "-c", os.path.join(BOARDS_DIR, "blob.S"), "-o", target])
        if done.returncode != 0:
            raise Failed(done.stdout)
        objects.append(target)
    bare = ["-nostdlib", "-static", "-Wl,--gc-sections", "-L", BOARDS_DIR, "-T",
            f"{board.script}.ld", "-Wl,-Map," + elf + ".map", "-Wl,--no-warn-rwx-segments"]
    done = run([*board.compiler, *(bare if board.bare else ["-no-pie"]), *objects, *core,
                *(["-lgcc"] if board.bare else []), "-o", elf], cwd=ROOT)
    if done.returncode != 0:
        raise Failed(done.stdout)
    return elf


def command(name, elf, plugin=None):
    """What runs a program; plugin: an argument of qemu's -plugin."""
    board = BOARDS[name]
    if not board.bare:
        return [elf]
    return [*board.machine, *SEMIHOSTED, *(["-plugin", plugin] if plugin else []), "-kernel", elf]


def execute(name, elf, seconds=120, plugin=None):
    """(exit status, output) of a program; 124 when it takes too long."""
    try:
        done = run(command(name, elf, plugin), timeout=seconds)
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode(errors="replace") + "\ntimed out"
    return done.returncode, done.stdout


def sizes(name, elf):
    """{"flash": bytes of code, constants and blobs, "ram": bytes of variables}"""
    tool = BOARDS[name].compiler[0].replace("gcc", "size")
    text, data, bss = map(int, run([tool, elf]).stdout.splitlines()[1].split()[:3])
    return {"flash": text + data, "ram": data + bss}


def main():
    parser = argparse.ArgumentParser(description=__doc__, usage=argparse.SUPPRESS,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("board", nargs="?", choices=BOARDS)
    parser.add_argument("programs", nargs="*")
    parser.add_argument("-o", "--out")
    parser.add_argument("-D", dest="defines", action="append", default=[])
    parser.add_argument("-I", dest="includes", action="append", default=[])
    parser.add_argument("--blob", action="append", default=[])
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--count")
    options = parser.parse_args()
    if not options.board:
        for name, board in BOARDS.items():
            print(f"{name:12} {board.processor}")
        return 0
    elf = options.out or os.path.join(
        OUT, f"{options.board}-{os.path.basename(options.programs[0])[:-2]}.elf")
    defines = ["-D" + define for define in options.defines]
    try:
        build(options.board, [os.path.abspath(path) for path in options.programs], elf, defines,
              dict(blob.split("=", 1) for blob in options.blob),
              [define for define in defines if define.startswith("-DNIGH_")],
              includes=[os.path.relpath(path, ROOT) for path in options.includes],
              jobs=os.cpu_count() or 1)
    except Failed as failed:
        print(failed, file=sys.stderr)
        return 1
    if options.count is not None:
        sys.path.insert(0, os.path.join(HERE, "count"))
        import insn
        status, output, counts = insn.count(options.board, elf,
                                            [fn for fn in options.count.split(",") if fn])
        print(output + "".join(f"{key} {value}\n" for key, value in counts.items()), end="")
        return status
    if options.run:
        status, output = execute(options.board, elf)
        print(output, end="")
        return status
    print(elf)
    return 0


if __name__ == "__main__":
    sys.exit(main())
