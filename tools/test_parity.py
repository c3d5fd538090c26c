#!/usr/bin/env python3
# test_parity.py - no language lacks a function: generated files, the library, hand-written bindings
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tools/test_parity.py

Reads nigh.h and each generated file with regular expressions of its own, so a mistake of the
generator is not repeated here. A binding without sources written by hand is skipped and named."""
import json
import os
import re
import subprocess
import unittest

import counted
import sources

ROOT = sources.ROOT
MARK = "Generated from abi/nigh.h by abi/generate.py."
# Functions that a hand-written binding does not call, each with the reason.
PAGER = "for pagers: LMDB, a block store"
STORES = {f"nigh_store_{name}": "no stores yet: nigh_hosted.h has them in files"
          for name in ("bytes", "find", "open", "grow", "stats_get", "attach_bytes", "attach",
                       "commit")}
EXCUSED = {
    "rust": {"nigh_index_pager": "no store of blocks yet; nigh_sys has it, by Index::as_raw",
             "nigh_attach_blocks": PAGER, "nigh_header": PAGER, **STORES},
    "go": {"nigh_attach_blocks": PAGER, "nigh_header": PAGER, **STORES},
    "nighwasm": {
        "nigh_attach_blocks": PAGER, "nigh_header": PAGER, **STORES,
        "nigh_index_pager": "a pager's memory would be Go's, which the module cannot see",
        "nigh_index_borrow": "borrowed rows would be Go's: they are fetched",
        "nigh_seal": "files are not changed in place",
    },
    "js": {
        "nigh_search_batch": "searchBatch asks one after another: the small module is smaller",
        "nigh_attach_blocks": PAGER, "nigh_header": PAGER,
        "nigh_index_pager": "a pager's memory would be JavaScript's, which the module cannot see",
        "nigh_index_borrow": "borrowed rows would be JavaScript's: they are fetched",
        "nigh_seal": "files are not changed in place",
        "nigh_tune": "WebAssembly knows one way to ask for a line: there is nothing to choose",
    },
    "python": {
        "nigh_index_pager": "blocks come from the system: a file's memory is given to nigh_grow",
        "nigh_attach_blocks": PAGER, "nigh_header": PAGER,
        "nigh_features": "nigh_features_hosted knows more",
        **dict.fromkeys(("nigh_store_attach", "nigh_store_attach_bytes", "nigh_store_bytes",
                         "nigh_store_commit", "nigh_store_find", "nigh_store_grow",
                         "nigh_store_open", "nigh_store_stats_get"), "no stores yet"),
    },
}
# name: (folder, endings, folders inside that belong to others, or are tests or benchmarks)
BINDINGS = {
    "go": ("bindings/go", (".go", ".c", ".h"), ("nighwasm", "internal")),
    "nighwasm": ("bindings/go/nighwasm", (".go",), ()),
    "rust": ("bindings/rust/src", (".rs",), ()),
    "js": ("bindings/js/src", (".ts",), ()),
    "python": ("bindings/python", (".py",), ("csrc",)),
}
PROTOTYPE = r"^(?!typedef)\w.* \*?(nigh_\w+)\((.*)\);$"
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def kind_of_c(parameter):
    """u uint32_t, i int32_t, U uint64_t, f float, p pointer (callbacks too)."""
    base = re.sub(r"\bconst\b", "", parameter).split()[0]
    plain = {"uint32_t": "u", "int32_t": "i", "nigh_status": "i", "uint64_t": "U", "float": "f"}
    return "p" if "*" in parameter or base.endswith("_fn") else plain[base]


def kind_of_rust(parameter):
    kind = parameter.split(":", 1)[1].strip()
    plain = {"u32": "u", "i32": "i", "nigh_status": "i", "u64": "U", "f32": "f"}
    return "p" if kind.startswith(("*", "Option<")) else plain[kind]


def kind_of_typescript(parameter):
    kind = parameter.split(":", 1)[1].strip()
    return {"number": "u", "bigint": "U", "Pointer": "p"}[kind]


def kinds(text, kind_of):
    """A letter for each of the parameters between two parentheses."""
    text = " ".join(text.split()).rstrip(",")
    return "" if text in ("", "void") else "".join(kind_of(one.strip()) for one in text.split(","))


def declared(pattern, text, kind_of):
    """{function: kinds of its parameters} of what a pattern finds: name, parameters."""
    found = re.findall(pattern, text, re.MULTILINE)
    assert len({name for name, _ in found}) == len(found), "a function is there twice"
    return {name: kinds(inside, kind_of) for name, inside in found}


HEADER = declared(r"^NIGH_API\s[^;{(]*?(\w+)\(([^)]*)\);", COMMENT.sub("", read("abi/nigh.h")),
                  kind_of_c)


class Generated(unittest.TestCase):
    def test_header(self):
        self.assertGreaterEqual(len(HEADER), 43)
        self.assertEqual(read("abi/nigh.h").count("\nNIGH_API "), len(HEADER))

    def test_json(self):
        model = json.loads(read("abi/nigh.json"))
        letters = {"u32": "u", "nigh_status": "i", "u64": "U", "f32": "f"}
        found = {f["name"]: "".join(
            "p" if p["type"]["pointers"] or p["role"] == "callback" else letters[p["type"]["base"]]
            for p in f["parameters"]) for f in model["functions"]}
        self.assertEqual(found, HEADER)

    def names(self, path, pattern):
        found = re.findall(pattern, read(path), re.MULTILINE)
        self.assertEqual(sorted(found), sorted(HEADER), path)

    def test_export_lists(self):
        self.names("abi/nigh.map", r"^\s+(\w+);$")
        self.names("abi/nigh.def", r"^\s+(\w+)$")
        self.names("wasm/exports.txt", r"^--export=(nigh_\w+)$")

    def test_map_hides_the_rest(self):
        text = re.sub(r"#[^\n]*", "", read("abi/nigh.map"))
        major = sources.version().split(".")[0]
        self.assertRegex(" ".join(text.split()), rf"^NIGH_{major} {{ global: .* local: \*; }};$")

    def test_declarations(self):
        for path, pattern, kind_of in (
                ("bindings/rust-sys/src/ffi.rs", r"^    pub fn (\w+)\(([^)]*)\)[^;{]*;$",
                 kind_of_rust),
                ("bindings/python/nigh/declarations.py", PROTOTYPE, kind_of_c),
                ("bindings/luajit/nigh.lua", PROTOTYPE, kind_of_c)):
            with self.subTest(path):
                self.assertEqual(declared(pattern, read(path), kind_of), HEADER)

    def test_typescript(self):
        """Its number is any integer of 32 bits."""
        found = declared(r"^  (nigh_\w+)\(([^)]*)\): \w+;$", read("bindings/js/src/abi.ts"),
                         kind_of_typescript)
        self.assertEqual(found, {name: letters.replace("i", "u")
                                 for name, letters in HEADER.items()})

    def test_python_list(self):
        self.names("bindings/python/nigh/declarations.py", r'^    "(nigh_\w+)",$')

    def test_wasm_layout(self):
        found = re.findall(r'^\s+{?"(nigh_\w+)"[:,]', read("bindings/go/nighwasm/layout.go"),
                           re.MULTILINE)
        self.assertEqual(sorted(found), sorted(HEADER))

    def test_descriptors(self):
        found = re.findall(r'^    {"(\w+)", \(void \(\*\)\(void\)\)(\w+), \'\w\', (\d+), {(.*)}},$',
                           read("tests/ffi/descriptors.h"), re.MULTILINE)
        self.assertEqual({name: letters.replace("'", "").replace(", ", "") if int(count) else ""
                          for name, _, count, letters in found}, HEADER)
        for name, address, count, _ in found:
            self.assertEqual((address, int(count)), (name, len(HEADER[name])))


class Library(unittest.TestCase):
    def test_exports(self):
        """The shared library shows the functions of the header and nothing else."""
        folder = os.path.join(ROOT, "build", "ffi")
        for step in (["cmake", "-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release",
                      "-DNIGH_SHARED=ON", "-DNIGH_WERROR=ON"],
                     ["cmake", "--build", folder, "--target", "nigh_shared", "-j", "2"]):
            done = subprocess.run(step, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        done = subprocess.run(["nm", "-D", "--defined-only", os.path.join(folder, "libnigh.so")],
                              capture_output=True, text=True)
        found = re.findall(r"^[0-9a-f]+ ([A-Za-z]) (\w+)", done.stdout, re.MULTILINE)
        major = sources.version().split(".")[0]
        self.assertEqual(sorted(found), sorted([("T", name) for name in HEADER] +
                                               [("A", f"NIGH_{major}")]))


class Lock(unittest.TestCase):
    """What the header promises is in the lock, by value."""

    @classmethod
    def setUpClass(cls):
        cls.lines = set(read("abi/nigh.lock").split("\n"))
        cls.bare = COMMENT.sub("", read("abi/nigh.h"))

    def test_constants(self):
        found = re.findall(r"\b(NIGH_\w+) = (-?\d+)\b", self.bare)
        self.assertGreater(len(found), 60)
        self.assertLessEqual({f"constant {name} {value}" for name, value in found}, self.lines)
        enums = re.findall(r"\benum \{(.*?)\}", self.bare, re.DOTALL)
        self.assertEqual(sum(text.count("NIGH_") for text in enums), len(found))  # no implied value

    def test_structures(self):
        found = re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", self.bare, re.DOTALL)
        self.assertGreaterEqual(len(found), 9)
        for name, body in found:
            offset = 0
            for kind, field in re.findall(r"(\w+) (\w+);", body):
                size = 8 if kind == "uint64_t" else 4
                self.assertIn(f"field {name} {offset} {kind} {field}", self.lines)
                offset += size

    def test_functions(self):
        signatures = re.findall(r"^NIGH_API ([^;{]*;)", self.bare, re.MULTILINE)
        self.assertEqual(len(signatures), len(HEADER))
        for text in signatures:
            self.assertIn("function " + " ".join(text.split()), self.lines)


def written_by_hand(name):
    """{path: text} of a binding's own sources: not generated, not the amalgam, not tests."""
    folder, endings, others = BINDINGS[name]
    texts = {}
    for top, folders, files in os.walk(os.path.join(ROOT, folder)):
        folders[:] = [one for one in folders if one not in (*others, "node_modules", "target")]
        for file in files:
            path = os.path.relpath(os.path.join(top, file), ROOT)
            if file.endswith(endings) and file not in ("nigh.c", "nigh.h") and \
                    not re.search(r"_test\.go$|\.test\.ts$|(^|/)test_\w+\.py$", path):
                text = read(path)
                if MARK not in text[:400]:
                    texts[path] = text
    return texts


def called(texts):
    """Functions named in code: comments count only where cgo compiles them."""
    found = set()
    for path, text in texts.items():
        if path.endswith(".py"):
            bare = re.sub(r"#[^\n]*", "", text)
        else:
            preamble = re.findall(r'/\*(.*?)\*/\s*import "C"', text, re.DOTALL)
            bare = COMMENT.sub("", text) + COMMENT.sub("", "\n".join(preamble))
        found |= set(re.findall(r"\bnigh_\w+\b", bare))
        if path.endswith(".go"):  # layout.go numbers the exports of the module: callJobBegin
            found |= {"nigh" + re.sub(r"(?=[A-Z])", "_", name).lower()
                      for name in re.findall(r"\bcall([A-Z]\w*)\b", bare)}
    return found


class ByHand(unittest.TestCase):
    """Every function is used by every binding."""

    def check_binding(self, name):
        texts = written_by_hand(name)
        if not texts:
            print(f"skipped: {BINDINGS[name][0]} has no sources of its own yet")
            self.skipTest(f"{BINDINGS[name][0]} has no sources of its own yet")
        beside = re.compile(r"/(internal|examples?|bench\w*|tests?)/")
        self.assertEqual([path for path in texts if beside.search(path)], [], "not the binding")
        used, excused = called(texts), set(EXCUSED[name])
        self.assertEqual(sorted(set(HEADER) - used - excused), [], f"{name} does not call these")
        self.assertEqual(sorted(excused & used), [], f"{name} calls these, so drop the excuse")

    def test_known(self):
        self.assertEqual(set(EXCUSED), set(BINDINGS))
        for reasons in EXCUSED.values():
            self.assertLessEqual(set(reasons), set(HEADER))
            self.assertTrue(all(reasons.values()))

    def test_comments_do_not_count(self):
        texts = {"a.go": '/*\nvoid f(void) { nigh_seal(0); }\n*/\nimport "C"\n// nigh_get\n'
                         'func g() { C.nigh_set() /* nigh_node */; c.call(callJobBegin) }\n',
                 "b.py": "nigh_tune()  # nigh_keys\n"}
        self.assertEqual(called(texts), {"nigh_seal", "nigh_set", "nigh_tune", "nigh_job_begin"})


for binding in BINDINGS:
    setattr(ByHand, f"test_{binding}", lambda self, name=binding: self.check_binding(name))

if __name__ == "__main__":
    counted.main()
