#!/usr/bin/env python3
# test_generator.py - the bindings generator: current files, an ABI that only grows, plain refusals
# SPDX-License-Identifier: MIT OR Apache-2.0
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import counted
import sources

sys.path.insert(0, os.path.join(sources.ROOT, "abi"))
import generate  # noqa: E402
from bindgen import header, layout, lock, text  # noqa: E402

HEADER = os.path.join(sources.ROOT, "abi", "nigh.h")
SAMPLE = """/* x.h - a sample */
enum { NIGH_OK = 0, NIGH_E_FULL = -3 };
/* A shape. */
typedef struct nigh_s {
    uint32_t a; /* first */
    uint32_t c;
    uint64_t b;
} nigh_s;
typedef struct nigh_index nigh_index; /* opaque */
/* Asks.  @in slots count */
typedef void (*nigh_ask_fn)(void *user, const uint32_t *slots, uint32_t count);
/* ---- Section ---- */
/* Does it. @in ask function kept or NULL  @out s 1  @errors NIGH_E_FULL */
NIGH_API nigh_status nigh_do(nigh_index *index, nigh_ask_fn ask, void *user, nigh_s *s);
"""
COMPILERS = {  # syntax only: the compiler's own idea of the layout
    "x86-64": ["gcc"], "i386": ["gcc", "-m32"], "aarch64": ["aarch64-linux-gnu-gcc"],
    "armv7-m": ["arm-none-eabi-gcc", "-mthumb", "-march=armv7-m"],
    "wasm32": ["clang-19", "--target=wasm32"]}


def read_text(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def generated():
    return [*generate.OUTPUTS, *(path for outputs in generate.BESIDE.values() for path in outputs)]


def model_of(source):
    return layout.add(header.resolve(header.Reader(source).read()))


class Reading(unittest.TestCase):
    def test_sample(self):
        model = model_of(SAMPLE)
        self.assertEqual([f["offset"] for f in model["structs"][0]["fields"]], [0, 4, 8])
        self.assertEqual(model["structs"][0]["size"], 16)
        does = model["functions"][0]
        self.assertEqual([p["role"] for p in does["parameters"]],
                         ["handle", "callback", "user", "pointer"])
        self.assertEqual((does["section"], does["doc"], does["errors"]),
                         ("Section", "Does it.", ["NIGH_E_FULL"]))
        ask = does["parameters"][1]
        self.assertTrue(ask["kept"] and ask["nullable"])

    def refuses(self, old, new, why):
        self.assertIn(old, SAMPLE)
        with self.assertRaisesRegex((header.HeaderError, layout.LayoutError), why):
            model_of(SAMPLE.replace(old, new))

    def test_refusals(self):
        self.refuses("  @out s 1", "", "nothing says what s points to")
        self.refuses("@out s 1", "@out t 1", "t, which is no parameter")
        self.refuses("@out s 1", "@out s", "expected a name and a shape")
        self.refuses("uint64_t b;", "uint64_t *b;", "differs between 32 and 64 bits")
        self.refuses("    uint32_t c;\n", "", "differs between 32 and 64 bits")  # on an i386
        self.refuses("uint32_t a; /* first */", "uint32_t a, z;", "line 5: expected ;")
        self.refuses("uint32_t a; /* first */", "uint32_t a : 3;", "line 5: cannot read")
        self.refuses("nigh_s *s);", "nigh_s *s, ...);", "cannot read")
        self.refuses("NIGH_API", "static", "line 14: cannot read 'static'")
        self.refuses("uint32_t count);", "unsigned long count);", "expected")

    def test_types_that_do_not_travel(self):
        for kind in ("size_t n", "bool n", "uint16_t n", "char n", "nigh_s n", "nigh_other *n",
                     "nigh_other_fn n", "nigh_ask_fn *n", "const uint32_t n"):
            self.refuses("nigh_ask_fn ask", f"{kind}, nigh_ask_fn ask", "n points to|: n: ")
        self.refuses("uint32_t c;", "double c;", "nigh_s: c: double")
        self.refuses("uint32_t c;", "nigh_t c;", "nigh_s: c: nigh_t")
        self.refuses("NIGH_API nigh_status", "NIGH_API nigh_s", "nigh_do: what it returns")
        self.refuses("typedef struct nigh_index nigh_index;", "typedef uint64_t nigh_index;",
                     "the one other name")
        self.refuses("void *user, const", "const", "first parameter is void [*]user")

    def test_what_means_another_thing(self):
        """C compilers take it, and see what this reader did not, or would not."""
        self.refuses("/* Does it.", "#if 0\n/* Does it.", "line 13: cannot read '#if 0'")
        self.refuses("/* Does it.", "#define NIGH_MORE 5\n/* Does it.", "cannot read '#define")
        self.refuses("NIGH_OK = 0", "NIGH_OK = 010", "cannot read the number 010")
        self.refuses("NIGH_OK = 0", "NIGH_OK = 4294967296", "NIGH_OK does not fit 32 bits")
        self.refuses("NIGH_OK = 0,", "NIGH_OK = 0, NIGH_OK = 1,", "NIGH_OK is there twice")
        self.refuses("NIGH_OK = 0, NIGH_E_FULL = -3", "", "an enum of nothing")
        self.refuses("uint32_t a;", "uint32_t c;", "c is there twice")
        self.refuses("nigh_s *s);", "nigh_s *const s);", "const stands in front")
        self.refuses("nigh_s *s);", "nigh_s const *s);", "const stands in front")
        self.refuses("nigh_s *s);", "const nigh_s *s);", "s: @out, but const")
        self.refuses("@out s 1", "@in s 1", "s: @in, but not const")
        self.refuses("@out s 1", "@out s 1  @in s 2", "s is described twice")
        self.refuses("nigh_s *s);", "uint32_t in, nigh_s *s);", "a word of another language")
        self.refuses("@errors NIGH_E_FULL", "@errors NIGH_E_FUL", "there is no NIGH_E_FUL$")

    def test_a_header_beside(self):
        """It may use what the headers that it includes declare, and not declare it again."""
        below = [model_of(SAMPLE)]
        more = """#include "nigh.h"
/* Both. */
typedef struct nigh_t { uint32_t a; uint32_t b; nigh_s s; } nigh_t;
/* Goes. @in txn any  @out t 1  @errors NIGH_E_FULL */
NIGH_API nigh_status nigh_go(void *txn, const nigh_index *index, nigh_t *t);
"""
        model = layout.add(header.resolve(header.Reader(more).read(), below), below)
        found = model["structs"][0]
        self.assertEqual((found["size"], [f["offset"] for f in found["fields"]]), (24, [0, 4, 8]))
        for old, new, said in [("uint32_t b; nigh_s", "nigh_s", "differs between 32 and 64"),
                               ("nigh_s s;", "nigh_x s;", "nigh_t: s: nigh_x"),
                               ("@in txn any", "@in txn 1", "txn: @in, but not const"),
                               ("nigh_t", "nigh_s", "nigh_s is there twice"),
                               ("NIGH_E_FULL", "NIGH_E_NONE", "there is no NIGH_E_NONE")]:
            with self.assertRaisesRegex((header.HeaderError, layout.LayoutError), said):
                text_now = more.replace(old, new)
                layout.add(header.resolve(header.Reader(text_now).read(), below), below)

    def test_scalars_are_known(self):
        """Every type in a signature is a fixed-width number, a float, or a pointer."""
        model = layout.add(header.read(HEADER))
        for entry in model["functions"] + model["callbacks"]:
            for parameter in entry["parameters"]:
                self.assertIn(text.machine_type(parameter), ("u32", "i32", "u64", "f32", "pointer"))


class Files(unittest.TestCase):
    def in_copy(self, change=None, lose=None):
        """generate.py --check in a copy of the tree that was tampered with."""
        with tempfile.TemporaryDirectory() as root:
            for path in [*generated(), *generate.BESIDE, generate.LOCK, "abi/nigh.h",
                         "abi/generate.py"]:
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                shutil.copy(os.path.join(sources.ROOT, path), os.path.join(root, path))
            shutil.copytree(os.path.join(sources.ROOT, "abi/bindgen"),
                            os.path.join(root, "abi/bindgen"))
            if change:
                path, old, new = change
                before = read_text(os.path.join(root, path))
                self.assertIn(old, before)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(before.replace(old, new))
            if lose:
                os.remove(os.path.join(root, lose))
            done = subprocess.run([sys.executable, os.path.join(root, "abi/generate.py"),
                                   "--check"], capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr

    def test_current(self):
        self.assertEqual(self.in_copy()[0], 0)

    def test_each_stale_file_is_found(self):
        for path in generated():
            status, said = self.in_copy(lose=path)
            self.assertEqual((status, path in said), (1, True), path)

    def test_lock_keeps_its_promises(self):
        for old, new in [("NIGH_E_KEY = -18", "NIGH_E_KEY = -28"),
                         ("uint32_t nigh_version(void)", "int32_t nigh_version(void)"),
                         ("    uint32_t dim;  ", "    int32_t dim;  "),
                         ("nigh_index_distance", "nigh_index_distances")]:
            status, said = self.in_copy(("abi/nigh.h", old, new))
            self.assertEqual((status, "no longer keeps" in said), (1, True), said)

    def test_lock_takes_what_is_new(self):
        model = layout.add(header.read(HEADER))
        before = read_text(os.path.join(sources.ROOT, generate.LOCK))
        more = copy.deepcopy(model)
        more["functions"].insert(0, {**model["functions"][0], "name": "nigh_new"})
        after = lock.render(more, before)
        self.assertTrue(after.startswith(before))
        self.assertEqual(after[len(before):], "function uint32_t nigh_new(void);\n")

    def test_lock_was_only_appended_to(self):
        """Every version that was committed is how the present one begins."""
        now = read_text(os.path.join(sources.ROOT, generate.LOCK))
        git = ["git", "-C", sources.ROOT]
        log = subprocess.run([*git, "log", "--format=%H", "--", generate.LOCK],
                             capture_output=True, text=True)
        if os.path.exists(os.path.join(sources.ROOT, ".git")):
            self.assertTrue(log.stdout.split(), log.stderr)
        for commit in log.stdout.split():
            was = subprocess.run([*git, "show", f"{commit}:{generate.LOCK}"],
                                 capture_output=True, text=True)
            if was.returncode == 0:
                self.assertTrue(now.startswith(was.stdout), f"differs from that of {commit}")

    def test_json(self):
        model = json.loads(read_text(os.path.join(sources.ROOT, "abi/nigh.json")))
        self.assertEqual(model["from"], generate.MARK)
        fetch = next(c for c in model["callbacks"] if c["name"] == "nigh_fetch_fn")
        self.assertEqual([p.get("direction") for p in fetch["parameters"]],
                         [None, "in", "in", None, "inout", "out"])


class Layouts(unittest.TestCase):
    def test_compilers_agree(self):
        command = ["-std=c11", "-ffreestanding", "-fsyntax-only", "-Werror", "-x", "c",
                   "-I", os.path.join(sources.ROOT, "abi"),
                   os.path.join(sources.ROOT, "tests/ffi/layout.h")]
        for name, compiler in COMPILERS.items():
            with self.subTest(name):
                done = subprocess.run(compiler + command, capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_wrong_offset_is_seen(self):
        good = read_text(os.path.join(sources.ROOT, "tests/ffi/layout.h"))
        bad = good.replace("AT(nigh_config, seed, 48);", "AT(nigh_config, seed, 44);")
        self.assertNotEqual(good, bad)
        for name, compiler in COMPILERS.items():
            with self.subTest(name):
                done = subprocess.run([*compiler, "-std=c11", "-ffreestanding", "-fsyntax-only",
                                       "-I", os.path.join(sources.ROOT, "abi"), "-x", "c", "-"],
                                      input=bad, capture_output=True, text=True)
                self.assertIn("nigh_config.seed moved", done.stderr)


if __name__ == "__main__":
    counted.main()
