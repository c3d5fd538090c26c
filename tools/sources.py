# sources.py - the source lists of CMakeLists.txt, for the other tools
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def cmake_list(name, root=ROOT):
    """The files of `set(<name> ...)` in CMakeLists.txt, in order."""
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        text = re.sub(r"#.*", "", file.read())
    found = re.search(rf"^set\({name}\b([^)]*)\)", text, re.MULTILINE)
    return found.group(1).split() if found else []


def version(root=ROOT):
    with open(os.path.join(root, "abi/nigh.h"), encoding="utf-8") as file:
        parts = re.findall(r"^#define NIGH_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read(), re.M)
    return ".".join(parts)
