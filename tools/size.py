#!/usr/bin/env python3
# size.py - text bytes of the core per target, as a table (make size)
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import sys

import targets

BUILDS = (("x86-64", "-O2"), ("x86-64", "-Os"), ("aarch64", "-O2"), ("aarch64", "-Os"),
          ("cortex-m4", "-Os"), ("cortex-m3", "-Os"), ("cortex-m0", "-Os"), ("wasm32", "-Os"),
          ("wasm32-simd", "-Os"))


def main():
    columns, rows = [], {}
    for target, level in BUILDS:
        folder = os.path.join(targets.ROOT, "build", "size", target + level)
        objects, messages = targets.compile_core(target, level, folder)
        if messages:
            print(messages[0], file=sys.stderr)
            return 1
        columns.append(f"{target} {level}")
        for built in objects:
            name = os.path.basename(built)[:-2]
            rows.setdefault(name, []).append(targets.text_bytes(target, [built]))
    width = max(12, *map(len, columns)) + 2
    print("text bytes".ljust(18) + "".join(column.rjust(width) for column in columns))
    for name, sizes in rows.items():
        print(name.ljust(18) + "".join(f"{size:,}".rjust(width) for size in sizes))
    totals = [sum(sizes) for sizes in zip(*rows.values())]
    print("total".ljust(18) + "".join(f"{size:,}".rjust(width) for size in totals))
    return 0


if __name__ == "__main__":
    sys.exit(main())
