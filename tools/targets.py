# targets.py - the machines that the core is compiled for: compilers, flags, how to read the result
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import re
import subprocess

import sources

ROOT = sources.ROOT
# What the library needs of a compiler on every target.
CORE_FLAGS = ["-std=c11", "-ffreestanding", "-nostdlib", "-fno-math-errno", "-fvisibility=hidden",
              "-fno-pic", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion",
            "-Wdouble-promotion", "-Wshadow", "-Wundef", "-Wvla", "-Wcast-qual",
            "-Wmissing-prototypes", "-Wstrict-prototypes", "-Werror"]
ARM = ["arm-none-eabi-gcc", "-mthumb"]
WASM = ["clang-19", "--target=wasm32"]

# name: (compiler with its target flags, nm, size)
TARGETS = {
    "x86-64": (["gcc"], "nm", "size"),
    "x86-64-clang": (["clang-19"], "nm", "size"),
    # gcc's outline atomics are calls into libgcc, which picks LSE at run time
    "aarch64": (["aarch64-linux-gnu-gcc", "-mno-outline-atomics"], "aarch64-linux-gnu-nm",
                "aarch64-linux-gnu-size"),
    "cortex-m4": ([*ARM, "-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
                  "arm-none-eabi-nm", "arm-none-eabi-size"),
    "cortex-m55": ([*ARM, "-mcpu=cortex-m55", "-mfloat-abi=hard"], "arm-none-eabi-nm",
                   "arm-none-eabi-size"),
    "cortex-m3": ([*ARM, "-mcpu=cortex-m3"], "arm-none-eabi-nm", "arm-none-eabi-size"),
    "cortex-m0": ([*ARM, "-mcpu=cortex-m0"], "arm-none-eabi-nm", "arm-none-eabi-size"),
    "wasm32": (WASM, "llvm-nm-19", "llvm-size-19"),
    "wasm32-simd": ([*WASM, "-msimd128"], "llvm-nm-19", "llvm-size-19"),
}


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


def system_headers(compiler):
    """Flags that leave the compiler's own headers (stdint.h, immintrin.h) and take libc's away."""
    if "clang" in compiler[0]:
        folder = run([*compiler, "-print-resource-dir"]).stdout.strip()
        return ["-nostdinc", "-isystem", os.path.join(folder, "include")]
    folder = run([*compiler, "-print-file-name=include"]).stdout.strip()
    return ["-nostdinc", "-isystem", folder]


def compile_core(target, level, folder, extra=()):
    """Compiles every core source; returns (objects, compiler messages of those that failed)."""
    compiler = TARGETS[target][0]
    os.makedirs(folder, exist_ok=True)
    flags = [*CORE_FLAGS, *WARNINGS, *system_headers(compiler), level, "-Iabi", "-Icore", *extra]
    objects, messages = [], []
    for source in sources.cmake_list("NIGH_CORE_SOURCES"):
        built = os.path.join(folder, os.path.basename(source)[:-2] + ".o")
        done = run([*compiler, *flags, "-c", source, "-o", built], cwd=ROOT)
        if done.returncode != 0:
            messages.append(done.stderr)
        else:
            objects.append(built)
    return objects, messages


def symbols(target, objects):
    """(kind, name) of every symbol in the objects, kind as nm prints it."""
    output = run([TARGETS[target][1], *objects]).stdout
    return re.findall(r"^(?:[0-9a-f]+|-+)?\s+([A-Za-z]) (\S+)$", output, re.MULTILINE)


def text_bytes(target, objects):
    """Code and constants of the objects, together."""
    output = run([TARGETS[target][2], *objects]).stdout
    return sum(int(line.split()[0]) for line in output.splitlines()[1:])
