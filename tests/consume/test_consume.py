#!/usr/bin/env python3
# test_consume.py - nigh as others use it: installed, as a subproject, as two files, from C++
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/consume/test_consume.py [FOLDER_OF_A_BUILD]

Builds and installs nigh, moves the installed tree to a path with a space, and builds examples/ in a
scratch folder against that tree alone. The answers are those of tests/bindings/golden.py."""
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[1:1] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "bindings")]
import amalgamate  # noqa: E402
import counted  # noqa: E402
import golden  # noqa: E402
import scratch  # noqa: E402
import sources  # noqa: E402

BUILD = sys.argv.pop(1) if len(sys.argv) > 1 else os.path.join(ROOT, "build", "consume")
# Without liblmdb the copy in third_party is in libnigh_lmdb.a, with its header beside it.
SYSTEM_LMDB = subprocess.run(["cc", "-E", "-xc", "-"], input="#include <lmdb.h>\n", text=True,
                             capture_output=True).returncode == 0
WARN = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LMDB_FILES = ["include/nigh_lmdb.h", "lib/libnigh_lmdb.a", "lib/pkgconfig/nigh-lmdb.pc"]
VENDORED_FILES = ["include/nigh-lmdb/lmdb.h", "share/doc/nigh/lmdb/COPYRIGHT",
                  "share/doc/nigh/lmdb/LICENSE"]
FETCHED = "207 at 0.633767\n373 at 0.633806\n68 at 0.633808\n"
PRINTED = {"quickstart": "30 at 0\n10 at 25\n", "fetch": FETCHED, "fetch_shared": FETCHED,
           "save_map": "red at 0.0121216\norange at 0.096428\nyellow at 0.223849\n"}

LMDB_PROGRAM = """#include <lmdb.h>
#include <nigh_lmdb.h>
#include <stdio.h>
int main(void) {
    nigh_config config = {.struct_size = sizeof config, .dim = 4, .metric = 1, .dtype = 1};
    char text[256] = "LMDB itself";
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    uint32_t dbi = 0;
    int bad = mdb_env_create(&env) || mdb_env_open(env, ".", 0, 0600) ||
              mdb_txn_begin(env, NULL, 0, &txn) ||
              nigh_lmdb_dbi(txn, NULL, NIGH_LMDB_CREATE, &dbi, text, sizeof text) ||
              nigh_lmdb_create(txn, dbi, 7, &config, text, sizeof text) || mdb_txn_commit(txn);
    printf("%s\\n", bad ? text : "made");
    return bad;
}
"""


def run(*command, **options):
    """Output of a command that has to succeed."""
    done = run_any(*command, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def run_any(*command, env=None, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **(env or {})}, **options)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def files_of(folder):
    return sorted(os.path.relpath(os.path.join(top, name), folder)
                  for top, _, names in os.walk(folder) for name in names)


class Scratch(unittest.TestCase):
    """One installed tree for all tests; each has a folder of its own."""

    @classmethod
    def setUpClass(cls):
        if hasattr(Scratch, "tree"):
            return
        Scratch.holder = tempfile.TemporaryDirectory(prefix="nigh-consume-")
        Scratch.tree = os.path.join(Scratch.holder.name, "moved to here")
        scratch.install(BUILD, Scratch.tree)

    def setUp(self):
        holder = tempfile.TemporaryDirectory(prefix="nigh-consume-")
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.libraries = os.path.join(self.tree, "lib")
        self.include = os.path.join(self.tree, "include")

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def cmake(self, text, *options):
        """Configures a project of its own; its sources are the examples."""
        shutil.copytree(os.path.join(ROOT, "examples"), self.at("project"), dirs_exist_ok=True)
        if text:
            write(self.at("project", "CMakeLists.txt"), text)
        return run_any("cmake", "-S", self.at("project"), "-B", self.at("build"),
                       f"-DCMAKE_C_FLAGS={' '.join(WARN)}", *options)

    def prints(self, name, *command, **options):
        self.assertEqual(run(*command, cwd=self.folder, **options), PRINTED[name])

    def golden(self, program):
        """Every answer of the command, bit by bit."""
        folder = golden.make(self.at("golden"), os.path.join(BUILD, "nigh"))
        self.assertEqual(scratch.compare(program, folder), 12000)


class Package(Scratch):
    def test_files(self):
        version = sources.version()
        major = version.split(".")[0]
        lmdb = LMDB_FILES + ([] if SYSTEM_LMDB else VENDORED_FILES)
        self.assertEqual([name for name in files_of(self.tree) if not name.startswith("lib/cmake")],
                         sorted([*lmdb, "bin/nigh",
                                 "include/nigh.h", "include/nigh_hosted.h",
                                 "lib/libnigh.a", "lib/libnigh.so", f"lib/libnigh.so.{major}",
                                 f"lib/libnigh.so.{version}", "lib/libnigh_hosted.a",
                                 "lib/pkgconfig/nigh-hosted.pc", "lib/pkgconfig/nigh.pc",
                                 "share/doc/nigh/LICENSE-APACHE", "share/doc/nigh/LICENSE-MIT"]))
        self.assertIn(version, run(os.path.join(self.tree, "bin", "nigh"), "--version"))

    def test_nothing_names_where_it_was_built(self):
        for name in files_of(self.tree):
            with open(os.path.join(self.tree, name), "rb") as file:
                data = file.read()
            for folder in (ROOT, BUILD, self.holder.name):
                self.assertNotIn(folder.encode(), data, name)

    def test_symbols_of_the_shared_library(self):
        library = os.path.join(self.libraries, "libnigh.so")
        with open(os.path.join(ROOT, "abi", "nigh.json"), encoding="utf-8") as file:
            model = json.load(file)
        names = run("nm", "-D", "--defined-only", library)
        defined = re.findall(r"^[0-9a-f]+ ([A-Za-z]) (\w+)(\S*)$", names, re.MULTILINE)
        major = sources.version().split(".")[0]
        node = f"NIGH_{major}"
        self.assertEqual(sorted(name for kind, name, _ in defined if kind == "T"),
                         sorted(function["name"] for function in model["functions"]))
        self.assertEqual([name for kind, name, _ in defined if kind != "T"], [node])
        self.assertEqual({at for kind, _, at in defined if kind == "T"}, {f"@@{node}"})
        undefined = re.findall(r"\bU (\w+)", run("nm", "-D", "--undefined-only", library))
        self.assertLessEqual(set(undefined), {"memcpy", "memset", "memmove", "memcmp"})
        self.assertRegex(run("readelf", "-d", library),
                         rf"\(SONAME\).*\[libnigh\.so\.{major}\]")

    def test_static_symbols_stay_inside(self):
        """A shared object with libnigh.a in it shows none of nigh to its own users."""
        plugin = self.at("plugin.so")
        run("gcc", "-shared", "-o", plugin, "-Wl,--whole-archive",
            os.path.join(self.libraries, "libnigh.a"), "-Wl,--no-whole-archive")
        self.assertNotIn("nigh", run("nm", "-D", plugin))

    def test_python(self):
        """libnigh.so and two files of Python, nothing else of the tree."""
        self.golden(scratch.cffi(self.folder, self.tree))

    def test_destdir(self):
        run("cmake", "--install", BUILD, env={"DESTDIR": self.at("de st")})
        self.assertEqual(files_of(self.at("de st", "usr", "local")), files_of(self.tree))
        self.assertEqual(os.listdir(self.folder), ["de st"])

    def test_other_library_folder(self):
        """lib/<machine>: both descriptions find their way up."""
        build = self.at("other")
        shutil.copytree(BUILD, build, ignore=lambda top, names: [
            name for name in names if name in ("CMakeCache.txt", "CMakeFiles")])
        run("cmake", "-S", ROOT, "-B", build, "-DCMAKE_INSTALL_LIBDIR=lib/machine-os",
            "-DNIGH_TESTS_BUILD=OFF")
        for name in ("libnigh.a", "libnigh_hosted.a", "libnigh.so", "nigh"):
            self.assertTrue(os.path.exists(os.path.join(build, name)), name)
        run("cmake", "--install", build, "--prefix", self.at("in st"))
        config = {"PKG_CONFIG_PATH": self.at("in st", "lib", "machine-os", "pkgconfig")}
        flags = shlex.split(run("pkg-config", "--cflags", "--libs", "nigh", env=config))
        self.assertEqual([os.path.realpath(flag[2:]) for flag in flags[:2]],
                         [self.at("in st", "include"), self.at("in st", "lib", "machine-os")])


class FindPackage(Scratch):
    def test_examples(self):
        done = self.cmake(None, f"-DCMAKE_PREFIX_PATH={self.tree}")
        self.assertEqual(done.returncode, 0, done.stdout)
        run("cmake", "--build", self.at("build"))
        for name in PRINTED:
            self.prints(name, self.at("build", name))
        needs = {name: "libnigh.so.0" in run("readelf", "-d", self.at("build", name))
                 for name in PRINTED}
        self.assertEqual(needs, {**dict.fromkeys(PRINTED, False), "fetch_shared": True})
        self.golden([self.at("build", "search_file")])

    def test_versions_and_components(self):
        head = "cmake_minimum_required(VERSION 3.16)\nproject(p LANGUAGES C)\n"
        for asked, said in (("0.1 REQUIRED", None),
                            ("REQUIRED COMPONENTS static shared hosted lmdb", None),
                            ("0.0 REQUIRED", 'with requested version "0.0"'),
                            ("0.2 REQUIRED", 'with requested version "0.2"'),
                            ("9 REQUIRED", 'with requested version "9"'),
                            ("REQUIRED COMPONENTS gpu", "no component gpu; there are static")):
            with self.subTest(asked):
                shutil.rmtree(self.at("build"), ignore_errors=True)
                done = self.cmake(f"{head}find_package(nigh {asked})\n",
                                  f"-DCMAKE_PREFIX_PATH={self.tree}")
                self.assertEqual(done.returncode == 0, said is None, done.stdout)
                self.assertIn(said or "", " ".join(done.stdout.split()))


class PkgConfig(Scratch):
    def flags(self, *arguments):
        said = run("pkg-config", *arguments,
                   env={"PKG_CONFIG_PATH": os.path.join(self.libraries, "pkgconfig")})
        return shlex.split(said)

    def example(self, name, *flags):
        run("cc", *WARN, "-std=c11", os.path.join(ROOT, "examples", name + ".c"), "-o",
            self.at(name), *flags)

    def test_shared(self):
        self.example("fetch", *self.flags("--cflags", "--libs", "nigh"))
        self.prints("fetch", self.at("fetch"), env={"LD_LIBRARY_PATH": self.libraries})
        self.assertNotEqual(run_any(self.at("fetch")).returncode, 0)  # nothing else provides it

    def test_static(self):
        self.example("fetch", "-static", *self.flags("--static", "--cflags", "--libs", "nigh"))
        self.prints("fetch", self.at("fetch"))

    def test_hosted(self):
        for name in ("quickstart", "save_map"):
            self.example(name, "-static",
                         *self.flags("--static", "--cflags", "--libs", "nigh-hosted"))
            self.prints(name, self.at(name))
        self.example("save_map", *self.flags("--cflags", "--libs", "nigh-hosted"))
        self.prints("save_map", self.at("save_map"), env={"LD_LIBRARY_PATH": self.libraries})

    def test_lmdb(self):
        write(self.at("lmdb.c"), LMDB_PROGRAM)
        flags = self.flags("--static", "--cflags", "--libs", "nigh-lmdb")
        run("cc", *WARN, "-std=c11", self.at("lmdb.c"), "-o", self.at("lmdb"), *flags)
        self.assertEqual(run(self.at("lmdb"), cwd=self.folder,
                             env={"LD_LIBRARY_PATH": self.libraries}), "made\n")
        self.assertIn("7\t4 x f32",
                      run(os.path.join(self.tree, "bin", "nigh"), "lmdb", "list", self.folder))

    def test_version(self):
        for name in ("nigh", "nigh-hosted", "nigh-lmdb"):
            self.assertEqual(self.flags("--modversion", name), [sources.version()])


class Lmdb(Scratch):
    """Builds without the system's liblmdb: with the copy in third_party, and without any."""
    OPTIONS = ["-DNIGH_TESTS_BUILD=OFF", "-DNIGH_SHARED=OFF", "-DNIGH_WERROR=ON",
               "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_INSTALL_LIBDIR=lib"]

    def build(self, *options):
        said = run("cmake", "-S", ROOT, "-B", self.at("made"), *self.OPTIONS, *options)
        run("cmake", "--build", self.at("made"), "-j", "2")
        shutil.rmtree(self.at("in st"), ignore_errors=True)
        run("cmake", "--install", self.at("made"), "--prefix", self.at("in st"))
        return said

    def test_copy_and_none(self):
        hidden = ["-DCMAKE_IGNORE_PATH=/usr/include;/usr/local/include"]  # no lmdb.h is found
        self.assertIn("the copy in third_party", self.build("-DNIGH_LMDB=AUTO", *hidden))
        self.vendored()
        refused = run_any("cmake", "-S", ROOT, "-B", self.at("on"), "-DNIGH_LMDB=ON", *hidden)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("NIGH_LMDB=VENDORED", refused.stdout)
        run("cmake", "-S", ROOT, "-B", self.at("asked"), *self.OPTIONS, "-DNIGH_LMDB=VENDORED")
        self.assertIn("nigh_liblmdb", run("cmake", "--build", self.at("asked"), "--target", "help"))
        self.build("-DNIGH_LMDB=OFF")
        self.assertFalse([name for name in files_of(self.at("in st")) if "lmdb" in name])
        for words in (("lmdb", "list", "x"), ("info", "lmdb:x#1"), ("lmdb", "drop", "x", "--id=1")):
            told = run_any(self.at("in st", "bin", "nigh"), *words, cwd=self.folder)
            self.assertEqual(told.returncode, 3)
            self.assertIn("built without LMDB", told.stdout)

    def vendored(self):
        """Installed: by pkg-config and find_package, no other LMDB in the program."""
        files = files_of(self.at("in st"))
        self.assertEqual([name for name in [*LMDB_FILES, *VENDORED_FILES] if name not in files], [])
        write(self.at("lmdb.c"), LMDB_PROGRAM)
        config = {"PKG_CONFIG_PATH": self.at("in st", "lib", "pkgconfig")}
        flags = shlex.split(run("pkg-config", "--static", "--cflags", "--libs", "nigh-lmdb",
                                env=config))
        self.assertNotIn("-llmdb", flags)
        run("cc", *WARN, "-std=c11", "lmdb.c", "-o", "one", *flags, cwd=self.folder)
        done = self.cmake("cmake_minimum_required(VERSION 3.16)\nproject(p LANGUAGES C)\n"
                          "find_package(nigh REQUIRED COMPONENTS lmdb)\n"
                          f"add_executable(two [[{self.at('lmdb.c')}]])\n"
                          "target_link_libraries(two PRIVATE nigh::nigh_lmdb)\n",
                          f"-DCMAKE_PREFIX_PATH={self.at('in st')}")
        self.assertEqual(done.returncode, 0, done.stdout)
        run("cmake", "--build", self.at("build"))
        for program in (self.at("one"), self.at("build", "two")):
            self.assertNotIn("liblmdb", run("readelf", "-d", program))
            env = os.path.join(os.path.dirname(program), "env")
            os.mkdir(env)
            self.assertEqual(run(program, cwd=env), "made\n")
            told = run(self.at("in st", "bin", "nigh"), "lmdb", "list", env)
            self.assertIn("7\t4 x f32", told)

    def test_copy_is_the_release(self):
        folder = os.path.join(ROOT, "third_party", "lmdb")
        with open(os.path.join(folder, "README.md"), encoding="utf-8") as file:
            digests = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", file.read(), re.MULTILINE))
        found = {}
        for name in sorted(set(os.listdir(folder)) - {"README.md"}):
            with open(os.path.join(folder, name), "rb") as file:
                found[hashlib.sha256(file.read()).hexdigest()] = name
        self.assertEqual(found, digests)
        self.assertEqual(len(found), 6)


class Sources(Scratch):
    def test_subproject(self):
        """Only the libraries are built, and the project around keeps its settings."""
        text = f"""cmake_minimum_required(VERSION 3.16)
project(p LANGUAGES C)
add_subdirectory([[{ROOT}]] nigh)
foreach(name quickstart fetch save_map)
  add_executable(${{name}} ${{name}}.c)
  target_link_libraries(${{name}} PRIVATE nigh::nigh nigh::nigh_hosted)
endforeach()
if(CMAKE_BUILD_TYPE OR CMAKE_EXPORT_COMPILE_COMMANDS OR TARGET nigh_shared OR TARGET test_search)
  message(FATAL_ERROR "settings of nigh got out")
endif()
install(TARGETS fetch DESTINATION bin)
"""
        done = self.cmake(text)
        self.assertEqual(done.returncode, 0, done.stdout)
        run("cmake", "--build", self.at("build"), "-j", "2")
        for name in ("quickstart", "fetch", "save_map"):
            self.prints(name, self.at("build", name))
        self.assertFalse(os.path.exists(self.at("build", "nigh", "nigh")), "the command was built")
        run("cmake", "--install", self.at("build"), "--prefix", self.at("installed"))
        self.assertEqual(files_of(self.at("installed")), ["bin/fetch"])

    def test_amalgam(self):
        """Two files and one command line."""
        amalgamate.main([self.folder])
        example = os.path.join(ROOT, "examples", "fetch.c")
        for compiler in ("gcc", "clang-19"):
            run(compiler, "-O2", example, "nigh.c", "-I.", "-o", "fetch", cwd=self.folder)
            self.prints("fetch", self.at("fetch"))

    def test_cxx(self):
        source = os.path.join(ROOT, "tests", "consume", "consume.cpp")
        for compiler in ("g++", "clang++-19"):
            for hosted in ([], ["nigh_hosted"]):
                run(compiler, "-std=c++17", *WARN, f"-I{self.include}",
                    *["-DWITH_HOSTED" for _ in hosted], source, "-o", self.at("consume"),
                    *[os.path.join(self.libraries, f"lib{name}.a") for name in [*hosted, "nigh"]])
                self.assertEqual(run(self.at("consume")), "7 at 0\n")


if __name__ == "__main__":
    counted.main()
