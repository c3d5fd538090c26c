#!/usr/bin/env python3
# image_header.py - an index as a C header, for build systems that cannot link a file
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: embedded/image_header.py X.nigh [NAME] > image.h

Defines `static const unsigned char NAME[]` (default: image), aligned as nigh_attach wants it, and
NAME_bytes. Packed images (nigh pack) are smaller."""
import os
import sys

ROW = 16


def header(data, name, source):
    lines = [f"/* {source} for flash, by embedded/image_header.py */",
             f"static const unsigned char {name}[] __attribute__((aligned(64))) = {{"]
    for at in range(0, len(data), ROW):
        lines.append("    " + " ".join(f"0x{byte:02x}," for byte in data[at:at + ROW]))
    return "\n".join([*lines, "};", f"enum {{ {name}_bytes = {len(data)} }};", ""])


def main(arguments):
    if not 1 <= len(arguments) <= 2 or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    with open(arguments[0], "rb") as file:
        data = file.read()
    if data[:4] != b"nigh":
        print(f"image_header.py: {arguments[0]} is no index", file=sys.stderr)
        return 1
    name = arguments[1] if len(arguments) > 1 else "image"
    print(header(data, name, os.path.basename(arguments[0])), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
