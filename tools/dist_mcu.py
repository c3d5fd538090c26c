#!/usr/bin/env python3
# dist_mcu.py - packages for Arduino, PlatformIO, ESP-IDF, Zephyr and CMSIS, from the amalgam
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/dist_mcu.py [FOLDER]      (default: build/packages)

Writes FOLDER/{arduino,platformio,esp-idf,zephyr,cmsis}/nigh, each as its ecosystem wants it, and
nigh-VERSION-arduino.zip and nigh-search.nigh.VERSION.pack. Manifests are those of embedded/packages
with the version put in; Kconfig's options are the switches that core/base.h explains."""
import os
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile

import amalgamate
import sources

ROOT = sources.ROOT
FROM = os.path.join(ROOT, "embedded", "packages")
ON = ("NIGH_SMALL",)  # what a microcontroller wants unless it says otherwise
# Arduino passes no flags to a library.
ARDUINO_HEAD = """\
/* Size before speed, as Arduino has no place to say so. */
#ifndef NIGH_SMALL
#define NIGH_SMALL 1
#endif
"""


def switches():
    """[(name, what it does)] of core/base.h."""
    with open(os.path.join(ROOT, "core", "base.h"), encoding="utf-8") as file:
        text = file.read()
    found = []
    for line in text[text.index("What a build leaves out"):].split("*/")[0].split("\n"):
        begin = re.match(r" \*   (NIGH_\w+) +(\S.*)$", line)
        more = re.match(r" \*    +(\S.*)$", line)
        if begin:
            found.append([begin.group(1), begin.group(2)])
        elif more and found:
            found[-1][1] += " " + more.group(1)
    return [(name, told.strip()) for name, told in found]


def kconfig(inside):
    """Options for each switch; `inside`: what Zephyr wraps them in."""
    lines = ["# Kconfig - what nigh is built without; none of it changes an answer or a byte",
             "# SPDX-License-Identifier: MIT OR Apache-2.0"]
    lines += inside[0]
    for name, told in switches():
        told = told[0].upper() + told[1:] + "."
        lines += ["", f"config {name}", f'    bool "{told.split(":")[0].rstrip(".")}"',
                  f"    default {'y' if name in ON else 'n'}", "    help",
                  *textwrap.wrap(told, 90, initial_indent="      ", subsequent_indent="      ")]
    return "\n".join([*lines, "", *inside[1]]) + "\n"


IDF = (['menu "nigh"'], ["endmenu"])
ZEPHYR = (["config NIGH", '    bool "Nearest-neighbour search (nigh)"', "", "if NIGH"],
          ["endif # NIGH"])


class Packages:
    def __init__(self, folder):
        self.folder = folder
        self.files = amalgamate.amalgam()
        names = [name for name, _ in switches()]
        day = subprocess.run(["git", "log", "-1", "--format=%cs"], cwd=ROOT, capture_output=True,
                             text=True).stdout.strip()
        self.words = {"@VERSION@": sources.version(ROOT), "@SWITCHES@": " ".join(names),
                      "@DATE@": day or "1970-01-01",
                      "@SWITCH_ROWS@": "\n".join(f"| `{name}` | {told} |"
                                                 for name, told in switches())}

    def put(self, package, name, text):
        path = os.path.join(self.folder, package, "nigh", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for word, value in self.words.items():
            text = text.replace(word, value)
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)

    def copy(self, package, source, name):
        with open(os.path.join(ROOT, source), encoding="utf-8") as file:
            self.put(package, name, file.read())

    def begin(self, package, library):
        """What every package has; `library`: where nigh.c goes."""
        shutil.rmtree(os.path.join(self.folder, package), ignore_errors=True)
        for name in ("LICENSE-MIT", "LICENSE-APACHE"):
            self.copy(package, name, name)
        self.copy(package, "embedded/packages/README.md", "README.md")
        for name, text in self.files.items():
            head = ARDUINO_HEAD if package == "arduino" and name == "nigh.c" else ""
            self.put(package, os.path.join(library, name), head + text)

    def templates(self, package, colours):
        """The files of embedded/packages/<package>, and colours.h where the example wants it."""
        top = os.path.join(FROM, package)
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                self.copy(package, os.path.relpath(path, ROOT), os.path.relpath(path, top))
        if colours:
            self.copy(package, "embedded/packages/colours.h", os.path.join(colours, "colours.h"))

    def zip(self, package, name, inside):
        """A package as one file; `inside`: the folder in it, or "". Times are left out."""
        top = os.path.join(self.folder, package, "nigh")
        with zipfile.ZipFile(os.path.join(self.folder, name), "w", zipfile.ZIP_DEFLATED) as file:
            for folder, folders, names in os.walk(top):
                folders.sort()
                for each in sorted(names):
                    path = os.path.join(folder, each)
                    info = zipfile.ZipInfo(os.path.join(inside, os.path.relpath(path, top)))
                    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                    with open(path, "rb") as source:
                        file.writestr(info, source.read())

    def all(self):
        version = self.words["@VERSION@"]
        self.begin("arduino", "src")
        self.templates("arduino", "examples/Colours")
        self.zip("arduino", f"nigh-{version}-arduino.zip", "nigh")
        self.begin("platformio", "src")
        self.templates("platformio", None)
        for name in ("Colours/Colours.ino", "Flash/Flash.ino", "Flash/colours.gen.h"):
            self.copy("platformio", f"embedded/packages/arduino/examples/{name}",
                      f"examples/{name}")
        self.copy("platformio", "embedded/packages/colours.h", "examples/Colours/colours.h")
        self.begin("esp-idf", ".")
        self.templates("esp-idf", "examples/colours/main")
        self.put("esp-idf", "Kconfig", kconfig(IDF))
        self.begin("zephyr", ".")
        self.templates("zephyr", "samples/colours/src")
        self.put("zephyr", "zephyr/Kconfig", kconfig(ZEPHYR))
        self.begin("cmsis", ".")
        self.templates("cmsis", None)
        top = os.path.join(self.folder, "cmsis", "nigh")
        os.replace(os.path.join(top, "nigh.pdsc"), os.path.join(top, "nigh-search.nigh.pdsc"))
        self.zip("cmsis", f"nigh-search.nigh.{version}.pack", "")


def main(arguments):
    if len(arguments) > 1 or arguments[:1] and arguments[0].startswith("-"):
        print(__doc__)
        return 2
    Packages(arguments[0] if arguments else os.path.join(ROOT, "build", "packages")).all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
