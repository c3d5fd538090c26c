#!/usr/bin/env python3
# test_packages.py - the packages for microcontrollers: manifests, and examples that run on boards
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/embedded/test_packages.py [--nigh COMMAND]

Makes the packages of tools/dist_mcu.py and looks at each as its users would: manifests by
PlatformIO's and Espressif's own tools and by kconfiglib, CMake files read beside stand-ins for the
frameworks, examples compiled with the plain cross compilers against thin headers (stubs/) and run
in qemu. Ends with "N passed, N failed"."""
import argparse
import filecmp
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for folder in ("tests/bindings", "embedded", "tools"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import boards  # noqa: E402
import count  # noqa: E402
import dist_mcu  # noqa: E402
import golden  # noqa: E402
import image_header  # noqa: E402
import images  # noqa: E402

STUBS = os.path.join(HERE, "stubs")
TOOLS = os.path.join(ROOT, ".cache", "mcu", "bin")
ANSWERS = ("250 10 10 is red", "0 120 120 is teal", "200 200 190 is silver")
# PlatformIO asks the network which licences there are.
PIO = """import sys
from platformio.__main__ import main
from platformio.package.manifest.schema import ManifestSchema
licences = {"licenses": [{"licenseId": "MIT"}, {"licenseId": "Apache-2.0"}]}
ManifestSchema.load_spdx_licenses = staticmethod(lambda: licences)
sys.exit(main(["pio", *sys.argv[1:]]))"""
# What frameworks compile with: their flags, not ours.
PLAIN = ["-Os", "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-Wall", "-Werror"]


def flash_header(command, folder):
    """colours.gen.h of the sketch Flash: the colours of colours.h, indexed and packed here."""
    with open(os.path.join(dist_mcu.FROM, "colours.h"), encoding="utf-8") as file:
        known = re.findall(r'\{"(\w+)", \{(\d+), (\d+), (\d+)\}\}', file.read())
    maker = images.Maker(command, folder)
    images.save_npy(maker.path("colours.npy"), [list(map(int, rgb)) for _, *rgb in known], "B")
    with open(maker.path("names.txt"), "w", encoding="utf-8") as file:
        file.write("".join(f"{name}\n" for name, *_ in known))
    maker.nigh("build", "colours.npy", "--keys", "names.txt", "--metric", "l2", "--m", "4", "-o",
               "c.nigh")
    maker.nigh("pack", "c.nigh", "-o", "colours.nigh")
    with open(maker.path("colours.nigh"), "rb") as file:
        return image_header.header(file.read(), "image", "colours.nigh")


class Packages:
    def __init__(self, folder, command):
        self.count = count.Count()
        self.folder, self.command = folder, command
        dist_mcu.Packages(folder).all()

    def top(self, package):
        return os.path.join(self.folder, package, "nigh")

    def text(self, package, name):
        with open(os.path.join(self.top(package), name), encoding="utf-8") as file:
            return file.read()

    def whole(self):
        """Nothing is left to fill in, the library is the amalgam, and twice is the same."""
        for folder, _, names in os.walk(self.folder):
            for name in names:
                if not name.endswith((".zip", ".pack")):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        left = re.findall(r"@[A-Z_]+@", file.read())
                    self.count.check(f"{name} is filled in", not left, left)
        with tempfile.TemporaryDirectory() as again:
            dist_mcu.main([again])
            for name in os.listdir(self.folder):
                if name.endswith((".zip", ".pack")):
                    self.count.check(f"{name} again is the same",
                                     filecmp.cmp(os.path.join(self.folder, name),
                                                 os.path.join(again, name), shallow=False))

    # ---- Examples -----------------------------------------------------------------------------

    def example(self, package, board, library, program, flags=(), include=()):
        """Compiles a package's library and its example with a framework's flags, and runs it."""
        work = os.path.join(self.folder, "build-" + package)
        os.makedirs(work, exist_ok=True)
        compiler, objects = boards.BOARDS[board].compiler, []
        source = os.path.join(self.top(package), program)
        headers = [os.path.join(self.top(package), library), os.path.dirname(source), STUBS,
                   os.path.join(ROOT, "embedded", "boards"), *include]
        sketch = ["-x", "c++", "-std=gnu++17", "-fno-exceptions", "-fno-rtti",
                  "-fno-threadsafe-statics", "-include", "Arduino.h"]
        for name, more in ((os.path.join(self.top(package), library, "nigh.c"), ["-std=gnu11"]),
                           (source, sketch if source.endswith(".ino") else ["-std=gnu11"])):
            made = os.path.join(work, os.path.basename(name) + ".o")
            if name.endswith("nigh.c") and os.path.exists(made):  # of the example before
                objects.append(made)
                continue
            command = [*compiler, *PLAIN, *flags, *more, *("-I" + path for path in headers), "-c",
                       name, "-o", made]
            if not self.count.step(f"{package}: {os.path.basename(name)}", *command):
                return
            objects.append(made)
        try:
            elf = boards.build(board, [], os.path.join(work, "example.elf"), core=objects)
        except boards.Failed as failed:
            self.count.check(f"{package}: linked", False, failed)
            return
        status, output = boards.execute(board, elf)
        lines = [line for line in output.split("\n") if line]
        self.count.check(f"{package}: the example runs", status == 0, output)
        self.count.check(f"{package}: its answers", tuple(lines[-3:]) == ANSWERS, output)
        print(f"{package:10} on {board:11} {lines[-3:]}", flush=True)

    def arduino(self):
        about = dict(line.split("=", 1) for line in
                     self.text("arduino", "library.properties").splitlines())
        wanted = ("name", "version", "author", "maintainer", "sentence", "paragraph", "category",
                  "url", "architectures", "includes")
        self.count.check("library.properties: its fields", set(about) == set(wanted), about)
        self.count.check("library.properties: version",
                         re.fullmatch(r"\d+\.\d+\.\d+", about["version"]), about)
        self.count.check("library.properties: name", re.fullmatch(r"[A-Za-z0-9 _.-]{1,63}",
                                                                  about["name"]), about)
        categories = ("Display", "Communication", "Signal Input/Output", "Sensors",
                      "Device Control", "Timing", "Data Storage", "Data Processing", "Other")
        self.count.check("library.properties: category", about["category"] in categories, about)
        version = about["version"]
        with zipfile.ZipFile(os.path.join(self.folder, f"nigh-{version}-arduino.zip")) as file:
            names = file.namelist()
        self.count.check("the zip has one folder", all(name.startswith("nigh/") for name in names)
                         and "nigh/library.properties" in names, names)
        self.example("arduino", "microbit", "src", "examples/Colours/Colours.ino")
        flash = "examples/Flash/colours.gen.h"
        self.count.check(f"{flash} is what the command makes", self.text("arduino", flash) ==
                         flash_header(self.command, os.path.join(boards.OUT, "data")))
        self.example("arduino", "microbit", "src", "examples/Flash/Flash.ino")

    def platformio(self):
        env = {**os.environ, "PLATFORMIO_CORE_DIR": os.path.join(self.folder, "pio"),
               "PLATFORMIO_SETTING_ENABLE_TELEMETRY": "no",
               "PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL": "1000"}
        packed = os.path.join(self.folder, "nigh.tar.gz")
        if self.count.step("pio pkg pack", os.path.join(TOOLS, "python"), "-c", PIO, "pkg", "pack",
                           self.top("platformio"), "-o", packed, env=env):
            listed = self.count.output("the packed library", "tar", "-tzf", packed) or ""
            for name in ("library.json", "src/nigh.c", "src/nigh.h",
                         "examples/Colours/Colours.ino"):
                self.count.check(f"{name} is packed", name in listed.split("\n"), listed)
        self.count.check("the sketch is Arduino's", filecmp.cmp(
            os.path.join(self.top("platformio"), "examples/Colours/Colours.ino"),
            os.path.join(self.top("arduino"), "examples/Colours/Colours.ino"), shallow=False))

    def switched(self, package, script):
        """Each option becomes a definition of the library's."""
        for name, _ in dist_mcu.switches():
            done = boards.run(["cmake", f"-DCOMPONENT={self.top(package)}", f"-DON={name}", "-P",
                               os.path.join(STUBS, script)])
            self.count.check(f"{package}: {name}", done.returncode == 0 and
                             "sources nigh.c" in done.stdout and
                             re.findall(r"^defined .*?(\w+)$", done.stdout, re.MULTILINE) == [name],
                             done.stdout)

    def kconfig(self, package, name, wrapped):
        """Read by the tool that reads it in both frameworks; options are the switches."""
        code = ("import kconfiglib, sys\n"
                "k = kconfiglib.Kconfig(sys.argv[1], warn_to_stderr=False)\n"
                "print(*k.warnings, sep='\\n')\n"
                "print('symbols', *sorted(s.name for s in k.unique_defined_syms))")
        output = self.count.output(f"{package}: Kconfig", os.path.join(TOOLS, "python"), "-c", code,
                                   os.path.join(self.top(package), name)) or ""
        want = sorted([name for name, _ in dist_mcu.switches()] + (["NIGH"] if wrapped else []))
        self.count.check(f"{package}: Kconfig's options", output.strip() == "symbols "
                         + " ".join(want), output)

    def esp_idf(self):
        self.switched("esp-idf", "idf.cmake")
        self.kconfig("esp-idf", "Kconfig", False)
        self.count.step("compote component pack", os.path.join(TOOLS, "compote"), "component",
                        "pack", "--name", "nigh", cwd=self.top("esp-idf"),
                        env={**os.environ, "IDF_COMPONENT_CHECK_NEW_VERSION": "0"})
        self.example("esp-idf", "rv32imc", ".", "examples/colours/main/esp_colours.c",
                     ["-DNIGH_SMALL", "-DNIGH_SINGLE_THREAD"])

    def zephyr(self):
        self.switched("zephyr", "zephyr.cmake")
        self.kconfig("zephyr", "zephyr/Kconfig", True)
        module = self.text("zephyr", "zephyr/module.yml")
        for key in ("cmake", "kconfig"):
            path = re.search(rf"^  {key}: (\S+)$", module, re.MULTILINE)
            self.count.check(f"module.yml: {key}", path and os.path.exists(
                os.path.join(self.top("zephyr"), path.group(1))), module)
        sample = self.text("zephyr", "samples/colours/sample.yaml")
        self.count.check("sample.yaml expects the answers",
                         all(f'"{answer}"' in sample for answer in ANSWERS), sample)
        headers = os.path.join(self.folder, "zephyr-headers")
        os.makedirs(os.path.join(headers, "zephyr"), exist_ok=True)
        shutil.copy(os.path.join(STUBS, "zephyr_kernel.h"),
                    os.path.join(headers, "zephyr", "kernel.h"))
        self.example("zephyr", "mps2-an385", ".", "samples/colours/src/zephyr_colours.c",
                     ["-DNIGH_SMALL"], [headers])

    def cmsis(self):
        top = self.top("cmsis")
        tree = xml.etree.ElementTree.parse(os.path.join(top, "nigh-search.nigh.pdsc")).getroot()
        for part in ("vendor", "name", "description", "url", "license"):
            self.count.check(f"pdsc: {part}", (tree.findtext(part) or "").strip())
        names = [file.get("name") for file in tree.iter("file")] + [tree.findtext("license")]
        for name in names:
            self.count.check(f"pdsc: {name} is there", os.path.exists(os.path.join(top, name)))
        conditions = {each.get("id") for each in tree.iter("condition")}
        used = {each.get("condition") for each in tree.iter("component")}
        self.count.check("pdsc: conditions", used <= conditions, f"{used} {conditions}")
        version = tree.find("releases/release").get("version")
        self.count.check("pdsc: version", version == dist_mcu.sources.version(ROOT), version)
        with zipfile.ZipFile(os.path.join(self.folder, f"nigh-search.nigh.{version}.pack")) as file:
            self.count.check("the pack holds its description",
                             "nigh-search.nigh.pdsc" in file.namelist(), file.namelist())

    def all(self):
        self.whole()
        for check in (self.arduino, self.platformio, self.esp_idf, self.zephyr, self.cmsis):
            check()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--nigh", help="the nigh command; default: build it")
    options = parser.parse_args()
    folder = os.path.join(boards.OUT, "packages")
    shutil.rmtree(folder, ignore_errors=True)
    packages = Packages(folder, options.nigh
                        or golden.built(os.path.join(ROOT, "build", "bindings")))
    packages.all()
    print(f"{packages.count.passed} passed, {packages.count.failed} failed")
    return 1 if packages.count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
