#!/usr/bin/env python3
# test_cli.py - the nigh command as a user meets it: every verb, exit codes, bad input, Ctrl-C
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/cli/test_cli.py [COMMAND] [-v]

COMMAND: the built command, default $NIGH_COMMAND or build/nigh. Prints what failed and ends with
"N passed, N failed". NIGH_TEST_ONLY: part of the names of the tests to run."""
import hashlib
import json
import math
import os
import pty
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

from change import Change, Work
from command import (NAMES, QUERIES, SMALL, VERBS, WORDS, Command, nearest, npy, read_terminal,
                     read_vecs, uniform, vecs)
from exchange import Hnswlib
from lmdb import Lmdb
from pack import Mapped, Pack


class Help(Command):
    def test_help_of_the_command(self):
        text = self.text("--help")
        for verb in VERBS:
            self.assertIn(f"  {verb} ", text)
        self.assertIn("Exit codes:", text)
        self.assertEqual(text, self.text("help"))
        self.assertEqual(text, self.text("-h"))
        self.assertRegex(self.text("--version"), r"^nigh \d+\.\d+\.\d+\nkernels: scalar")

    def test_help_of_each_verb(self):
        for verb in VERBS:
            text = self.text(verb, "--help")
            self.assertTrue(text.startswith(f"Usage: nigh {verb} "), text)
            for part in ("Options:", "--json", "-h, --help", "Examples:", "  nigh ", "Exit codes:"):
                self.assertIn(part, text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 92, line)
            self.assertEqual(text, self.text("help", verb))

    def test_every_build_option_is_in_the_help(self):
        text = self.text("build", "--help")
        for option in ("output", "metric", "dtype", "m", "m0", "ef-build", "expansions", "seed",
                       "threads", "kernel", "keys", "graph-only", "skip-invalid", "dim", "json",
                       "codes", "alpha", "keep-pruned", "exact-build"):
            self.assertRegex(text, rf"--{option}\b")

    def test_usage(self):
        self.sample(10, 4)
        for part, *args in (
                ("verb is missing",), ("no verb 'bild'", "bild"), ("no verb 'b'", "help", "b"),
                ("no option '--wrong'", "--wrong"),
                ("no option --wrong", "build", "--wrong"), ("no option -z", "info", "-z"),
                ("something is missing", "build"), ("-o FILE is missing", "build", "x.npy"),
                ("is not one of none|u7|b1", "build", "x.npy", "-o", "y", "--codes", "u8"),
                ("--codes is not for --dtype b1", "build", "x.npy", "-o", "y", "--dtype", "b1",
                 "--codes", "u7"),
                ("a number of 1..2", "build", "x.npy", "-o", "y", "--alpha", "0.9"),
                ("a number of 1..2", "build", "x.npy", "-o", "y", "--alpha", "nan"),
                ("whole number of 1..65535", "search", "x.nigh", "x.npy", "--rerank", "0"),
                ("whole number of 1..65535", "search", "x.nigh", "x.npy", "--rerank", "many"),
                ("a number of 0..16", "search", "x.nigh", "x.npy", "--gamma", "-0.1"),
                ("a number of 0..16", "search", "x.nigh", "x.npy", "--gamma", "nan"),
                ("a number of 0..16", "search", "x.nigh", "x.npy", "--gamma", "0.1,,0.2"),
                ("a number of 0..16", "search", "x.nigh", "x.npy", "--gamma", "0.1,17"),
                ("not both", "search", "x.nigh", "x.npy", "--gamma", "0.1,0.2", "--ef", "5,6"),
                ("takes no value", "search", "x.nigh", "x.npy", "--no-codes=1"),
                ("something is missing", "codes", "x.nigh"),
                ("one too many", "info", "x.nigh", "x.nigh"), ("needs a value", "build", "--m"),
                ("takes no value", "info", "--json=1"),
                ("is not one of l2|", "build", "x.npy", "--metric", "euclid"),
                ("whole number of 2..1024", "build", "x.npy", "-o", "y", "--m", "1"),
                ("whole number", "build", "x.npy", "-o", "y", "--m", "8x"),
                ("whole number", "build", "x.npy", "-o", "y", "--m", "-8"),
                ("whole number", "build", "x.npy", "-o", "y", "--seed", "18446744073709551616"),
                ("less than --m", "build", "x.npy", "-o", "y", "--m", "8", "--m0", "7"),
                ("hamming is for", "build", "x.npy", "-o", "y", "--metric", "hamming"),
                ("hamming is for", "build", "x.npy", "-o", "y", "--dtype", "b1", "--metric", "l2"),
                ("is the input", "build", "x.npy", "-o", "x.npy"),
                ("both want", "build", "x.npy", "-o", "-", "--json"),
                ("--skip-invalid does not", "build", "x.npy", "-o", "y", "--graph-only",
                 "--skip-invalid"),
                ("whole number of 1..", "search", "x.nigh", "x.npy", "-k", "0"),
                ("of 1..65535", "search", "x.nigh", "x.npy", "--ef", "10,,20"),
                ("of 1..65535", "search", "x.nigh", "x.npy", "--ef", "0"),
                ("single --ef", "search", "x.nigh", "x.npy", "--ef", "1,2", "--out", "o.ivecs"),
                ("--vectors is for", "search", "x.nigh", "x.npy", "--vectors", "x.npy"),
                ("not a number", "near", "x.nigh", "word"),
                ("one of both", "remove", "x.nigh"),
                ("one of both", "remove", "x.nigh", "1", "--keys", "k"),
                ("something is missing", "add", "x.nigh")):
            with self.subTest(args=args):
                self.fails(2, part, *args)
                self.assertIn("--help", self.nigh(*args, code=2).said)


class Build(Command):
    def test_json_tells_everything(self):
        npy(self.path("x.npy"), uniform(500, 12))
        told = self.json("build", "x.npy", "-o", "x.nigh", "--m", 8, "--m0", 20, "--ef-build", 50,
                         "--seed", 7, "--expansions", 2, "--metric", "ip", "--dtype", "f16")
        for name, value in (("count", 500), ("dim", 12), ("m", 8), ("m0", 20), ("ef_build", 50),
                            ("seed", 7), ("expansions", 2), ("metric", "ip"), ("dtype", "f16"),
                            ("skipped", 0), ("threads", 1), ("keys", "u64"),
                            ("file_bytes", os.path.getsize(self.path("x.nigh")))):
            self.assertEqual(told[name], value, name)
        for name in ("build_s", "cpu_s", "rate", "save_s"):
            self.assertGreaterEqual(told[name], 0, name)
        for name in ("handle", "blocks", "writer", "sessions"):
            self.assertGreater(told["memory_bytes"][name], 0, name)
        info = self.json("info", "x.nigh")
        for name, value in (("count", 500), ("dim", 12), ("m", 8), ("m0", 20), ("ef_build", 50),
                            ("seed", 7), ("expansions", 2), ("metric", "ip"), ("dtype", "f16"),
                            ("keys", "u64"), ("vectors", "owned"), ("deleted", 0), ("slots", 500),
                            ("image_bytes", info["file_bytes"])):
            self.assertEqual(info[name], value, name)

    def test_text(self):
        npy(self.path("x.npy"), uniform(50, 4))
        text = self.text("build", "x.npy", "-o", "x.nigh")
        self.assertIn("50 x 4 f32, l2", text)
        self.assertRegex(text, r"vectors a second")

    def test_same_bytes_whatever_the_kernel_and_the_run(self):
        npy(self.path("x.npy"), uniform(400, 33))
        self.nigh("build", "x.npy", "-o", "x.nigh")
        self.nigh("build", "x.npy", "-o", "again.nigh")
        self.assertEqual(self.sha("x.nigh"), self.sha("again.nigh"))
        levels = self.text("--version").split("kernels: ")[1].split()
        for level in levels:
            self.nigh("build", "x.npy", "-o", f"{level}.nigh", "--kernel", level)
            self.assertEqual(self.sha("x.nigh"), self.sha(f"{level}.nigh"), level)
        for level in set(("sse4", "avx2", "avx512", "neon")) - set(levels):
            self.fails(3, "does not have it", "build", "x.npy", "-o", "no.nigh", "--kernel", level)
        self.nigh("build", "x.npy", "-o", "other.nigh", "--seed", 43)
        self.assertNotEqual(self.sha("x.nigh"), self.sha("other.nigh"))

    def test_formats_agree(self):
        rows = uniform(200, 7)
        npy(self.path("x.npy"), rows)
        vecs(self.path("x.fvecs"), rows)
        self.write("x.raw", b"".join(struct.pack("<7f", *row) for row in rows))
        shutil.copy(self.path("x.fvecs"), self.path("nameless"))
        self.nigh("build", "x.npy", "-o", "npy.nigh")
        self.nigh("build", "x.fvecs", "-o", "fvecs.nigh")
        self.nigh("build", "x.raw", "--dim", 7, "-o", "raw.nigh")
        self.nigh("build", "nameless", "--format", "fvecs", "-o", "nameless.nigh")
        lines = "\n".join(" ".join(map(repr, row)) for row in rows)
        self.nigh("build", "-", "-o", "text.nigh", stdin=lines.encode())
        lines = "\n\n".join(",\t".join(map(repr, row)) for row in rows) + "\r\n"
        self.nigh("build", "-", "-o", "commas.nigh", stdin=lines.encode())
        piped = self.nigh("build", "x.npy", "-o", "-").stdout
        self.assertEqual(hashlib.sha256(piped).hexdigest(), self.sha("npy.nigh"))
        for name in ("fvecs", "raw", "nameless", "text", "commas"):
            self.assertEqual(self.sha(f"{name}.nigh"), self.sha("npy.nigh"), name)
        self.fails(2, "--dim D", "build", "x.raw", "-o", "y.nigh")
        self.fails(3, "x.raw", "build", "x.raw", "--dim", 9, "-o", "y.nigh")
        self.fails(3, "line 2", "build", "-", "-o", "y.nigh", stdin=b"1 2\n1 2 3\n")
        self.fails(3, "line 1: 'two'", "build", "-", "-o", "y.nigh", stdin=b"1 two\n")
        self.fails(3, "no numbers", "build", "-", "-o", "y.nigh")

    def test_types(self):
        source = random.Random(3)
        bytes_ = [[source.randrange(256) for _ in range(9)] for _ in range(150)]
        signed = [[value - 128 for value in row] for row in bytes_]
        npy(self.path("u.npy"), bytes_, "|u1")
        npy(self.path("i.npy"), signed, "|i1")
        vecs(self.path("b.bvecs"), bytes_, "B")
        npy(self.path("f.npy"), bytes_)
        npy(self.path("h.npy"), bytes_, "<f2")
        for name, dtype in (("u.npy", "u8"), ("i.npy", "i8"), ("b.bvecs", "u8"), ("f.npy", "f32"),
                            ("h.npy", "f16")):
            self.nigh("build", name, "-o", "x.nigh")
            self.assertEqual(self.json("info", "x.nigh")["dtype"], dtype, name)
        truth = [nearest(bytes_, row, 5) for row in bytes_[:20]]
        for name in ("u.npy", "i.npy", "b.bvecs", "f.npy", "h.npy"):
            for dtype in ("f32", "f16", "bf16", "i8", "u8"):
                if name == "i.npy" and dtype == "u8":
                    continue  # negative values are clamped
                with self.subTest(name=name, dtype=dtype):
                    self.nigh("build", name, "--dtype", dtype, "-o", "x.nigh")
                    self.nigh("check", "x.nigh")
                    found = self.json("search", "x.nigh", name, "-k", 5)["hits"]
                    same = sum(len({hit["key"] for hit in hits} & set(want))
                               for hits, want in zip(found, truth))
                    self.assertGreaterEqual(same, 100 if dtype in ("f32", "u8") else 90)
        npy(self.path("big.npy"), [[1e6, 0], [0, 1]])
        self.fails(3, "row 0 holds a value", "build", "big.npy", "--dtype", "f16", "-o", "y.nigh")

    def test_bits(self):
        rows = [[random.Random(i * 31 + j).choice((-1.0, 1.0)) for j in range(24)]
                for i in range(120)]
        npy(self.path("x.npy"), rows)
        packed = [[sum((row[8 * j + i] > 0) << i for i in range(8)) for j in range(3)]
                  for row in rows]
        npy(self.path("p.npy"), packed, "|u1")
        self.nigh("build", "x.npy", "--dtype", "b1", "-o", "x.nigh")
        self.nigh("build", "p.npy", "--dtype", "b1", "--packed", "-o", "p.nigh")
        self.assertEqual(self.sha("x.nigh"), self.sha("p.nigh"))
        info = self.json("info", "x.nigh")
        self.assertEqual((info["metric"], info["dim"]), ("hamming", 24))
        a = self.json("search", "x.nigh", "x.npy", "-k", 3)["hits"]
        self.assertEqual(a, self.json("search", "x.nigh", "p.npy", "-k", 3)["hits"])
        differ = sum(x != y for x, y in zip(rows[0], rows[a[0][1]["key"]]))
        self.assertEqual(a[0][1]["distance"], differ)
        self.fails(3, "unsigned bytes", "build", "x.npy", "--packed", "-o", "y.nigh")

    def test_threads(self):
        rows = uniform(3000, 10)
        npy(self.path("x.npy"), rows)
        told = self.json("build", "x.npy", "-o", "x.nigh", "--threads", 4)
        self.assertEqual((told["threads"], told["count"]), (4, 3000))
        self.nigh("check", "x.nigh")
        hits = self.json("search", "x.nigh", "x.npy", "-k", 1, "--ef", 100, "--threads", 0)["hits"]
        self.assertGreaterEqual(sum(hit[0]["key"] == i for i, hit in enumerate(hits)), 2990)

    def test_same_bytes_with_any_number_of_threads(self):
        npy(self.path("x.npy"), uniform(2500, 10))
        self.write("k.txt", "".join(f"key {i * 7}\n" for i in range(2500)))
        for more in ([], ["--codes", "u7"], ["--codes", "b1", "--metric", "cosine"],
                     ["--codes", "u7", "--exact-build", "--keep-pruned", "--alpha", 1.2],
                     ["--keys", "k.txt"], ["--graph-only"], ["--dtype", "i8", "--skip-invalid"]):
            with self.subTest(more=more):
                self.nigh("build", "x.npy", "-o", "one.nigh", *more)
                for threads in (2, 3, 0):
                    self.nigh("build", "x.npy", "-o", "more.nigh", "--threads", threads, *more)
                    self.assertEqual(self.sha("one.nigh"), self.sha("more.nigh"), threads)
                self.nigh("check", "one.nigh")

    def test_codes(self):
        rows = uniform(600, 24)
        npy(self.path("x.npy"), rows)
        shas = {}
        for codes in ("none", "u7", "b1"):
            told = self.json("build", "x.npy", "-o", f"{codes}.nigh", "--codes", codes)
            self.assertEqual(told["codes"], codes)
            info = self.json("info", f"{codes}.nigh")
            self.assertEqual((info["codes"], info["codes_made"], info["alpha"]), (codes, codes, 1))
            self.assertIn(f"codes          {codes}\n", self.text("info", f"{codes}.nigh"))
            self.nigh("check", f"{codes}.nigh")
            shas[codes] = self.sha(f"{codes}.nigh")
        self.nigh("build", "x.npy", "-o", "x.nigh")
        self.assertEqual(self.sha("x.nigh"), shas["none"])
        self.assertEqual(len(set(shas.values())), 3)
        told = self.json("build", "x.npy", "-o", "x.nigh", "--codes", "u7", "--alpha", "1.25",
                         "--keep-pruned", "--exact-build")
        info = self.json("info", "x.nigh")
        self.assertEqual((told["alpha"], info["alpha"], info["keep_pruned"], info["exact_build"]),
                         (1.25, 1.25, 1, 1))
        self.assertNotEqual(self.sha("x.nigh"), shas["u7"])
        self.nigh("codes", "none.nigh", "b1", "-o", "made.nigh", "--threads", 2)
        self.assertEqual(self.json("info", "made.nigh")["codes_made"], "b1")
        self.nigh("check", "made.nigh")
        self.nigh("codes", "made.nigh", "none")
        self.assertEqual(self.sha("made.nigh"), shas["none"])
        self.write("bad.nigh", self.read("u7.nigh")[:-70] + b"\x01" + self.read("u7.nigh")[-69:])
        self.nigh("check", "bad.nigh", code=1)

    def test_rows_left_out_of_a_build_with_codes(self):
        rows = uniform(1000, 6)
        bad = [0, 1, 2, 500, 640, 641, 999]
        for at, value in zip(bad, (math.nan, math.inf, -math.inf, math.nan) * 2):
            rows[at][at % 6] = value
        npy(self.path("x.npy"), rows)
        self.write("k.txt", "".join(f"key {i}\n" for i in range(1000)))
        for more in ([], ["--codes", "u7", "--threads", 2], ["--keys", "k.txt"]):
            with self.subTest(more=more):
                told = self.json("build", "x.npy", "-o", "x.nigh", "--skip-invalid", *more)
                self.assertEqual((told["count"], told["skipped"]), (993, 7))
                keys = "--keys" in more
                for row in range(1000):
                    if row in bad or row % 97 == 0:
                        key = f"key {row}" if keys else row
                        self.nigh("near", "x.nigh", key, code=row in bad)
                good = [row for row in range(1000) if row not in bad]
                npy(self.path("q.npy"), [rows[row] for row in good])
                hits = self.json("search", "x.nigh", "q.npy", "-k", 1, "--ef", 200)["hits"]
                self.assertEqual([hit[0]["key"] for hit in hits],
                                 [f"key {row}" if keys else row for row in good])
                self.nigh("check", "x.nigh")
                os.remove(self.path("x.nigh"))
                self.fails(3, "row 0 holds NaN", "build", "x.npy", "-o", "x.nigh", *more)

    def test_keys(self):
        npy(self.path("x.npy"), uniform(3, 4))
        self.write("k.txt", "one\r\ntwo words\r\nthree")
        self.assertEqual(self.json("build", "x.npy", "-o", "x.nigh", "--keys", "k.txt")["keys"],
                         "bytes")
        self.nigh("build", "x.npy", "-o", "y.nigh", "--keys", "-", stdin=b"one\ntwo words\nthree\n")
        self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
        self.assertEqual({hit["key"] for hit in self.json("near", "x.nigh", "one")["hits"]},
                         {"two words", "three"})
        for part, content in (("2 keys for the 3 rows", "a\nb\n"), ("4 keys", "a\nb\nc\nd\n"),
                              ("line 3: the key 'a'", "a\nb\na\n"),
                              ("line 2: an empty", "a\n\nc\n"),
                              ("line 2: a key of 512 bytes", "a\n" + "x" * 512 + "\nc\n")):
            self.write("bad.txt", content)
            self.fails(3, part, "build", "x.npy", "-o", "z.nigh", "--keys", "bad.txt")
        self.write("long.txt", "a\n" + "x" * 511 + "\nc\n")
        self.nigh("build", "x.npy", "-o", "z.nigh", "--keys", "long.txt")
        self.fails(3, "none.txt", "build", "x.npy", "-o", "z2.nigh", "--keys", "none.txt")

    def test_many_long_keys(self):
        count = 1500
        npy(self.path("x.npy"), uniform(count, 2))
        self.write("k.txt", "".join(f"{i:04}" + "k" * (400 + i % 107) + "\n" for i in range(count)))
        self.nigh("build", "x.npy", "-o", "x.nigh", "--keys", "k.txt")
        self.nigh("check", "x.nigh")
        self.nigh("near", "x.nigh", "1499" + "k" * (400 + 1499 % 107))

    def test_invalid_rows(self):
        rows = uniform(300, 5)
        for at, value in ((70, math.nan), (71, math.inf), (299, -math.inf)):
            rows[at][3] = value
        npy(self.path("x.npy"), rows)
        npy(self.path("h.npy"), rows, "<f2")
        for name in ("x.npy", "h.npy"):
            for dtype in ("f32", "f16", "i8"):
                for threads in (1, 3):
                    self.fails(3, "row 70 holds NaN" if threads == 1 else " holds ", "build", name,
                               "--dtype", dtype, "-o", "x.nigh", "--threads", threads)
                told = self.json("build", name, "--dtype", dtype, "-o", "ok.nigh", "--skip-invalid")
                self.assertEqual((told["count"], told["skipped"]), (297, 3))
                self.nigh("check", "ok.nigh")
                os.remove(self.path("ok.nigh"))
        self.nigh("build", "x.npy", "-o", "ok.nigh", "--skip-invalid")
        self.assertEqual(self.json("near", "ok.nigh", 298)["key"], 298)  # the row's number
        self.nigh("near", "ok.nigh", 299, code=1)
        self.fails(3, "row 70 holds NaN", "build", "x.npy", "-o", "g.nigh", "--graph-only")
        self.fails(3, "holds", "build", "x.npy", "-o", "g.nigh", "--graph-only", "--threads", 3)
        npy(self.path("z.npy"), [[1, 0], [0, 0]])
        self.fails(3, "row 1 holds only zeros", "build", "z.npy", "-o", "z.nigh", "--metric",
                   "cosine")

    def test_bad_input(self):
        npy(self.path("x.npy"), uniform(3, 4))
        self.fails(3, "none.npy", "build", "none.npy", "-o", "x.nigh")
        self.fails(3, "folder", "build", "x.npy", "-o", ".")
        self.fails(3, "cannot write", "build", "x.npy", "-o", "none/x.nigh")
        self.write("empty.npy", "")
        self.fails(3, "empty", "build", "empty.npy", "-o", "x.nigh")
        self.write("noise.npy", "no array at all" * 20)
        self.fails(3, "noise.npy", "build", "noise.npy", "-o", "x.nigh")
        self.write("cut.npy", self.read("x.npy")[:-3])
        self.fails(3, "cut.npy", "build", "cut.npy", "-o", "x.nigh")
        self.write("what.xyz", "abc")
        self.fails(3, "what.xyz", "build", "what.xyz", "-o", "x.nigh")
        vecs(self.path("t.ivecs"), [[1, 2]], "i")
        self.fails(3, "not vectors", "build", "t.ivecs", "-o", "x.nigh")
        vecs(self.path("odd.fvecs"), [[1, 2], [1, 2, 3]])
        self.fails(3, "odd.fvecs", "build", "odd.fvecs", "-o", "x.nigh")


class Search(Command):
    def test_text(self):
        rows = self.sample()
        lines = self.text("search", "x.nigh", "x.npy", "-k", 3).splitlines()
        self.assertEqual(len(lines), 900)
        for i in (0, 150, 299):
            query, rank, key, distance = lines[3 * i].split("\t")
            self.assertEqual((query, rank, key, float(distance)), (str(i), "1", str(i), 0))
        one = " ".join(map(repr, rows[5]))
        self.assertTrue(self.text("search", "x.nigh", "-", stdin=one.encode())
                        .startswith("0\t1\t5\t0\n"))

    def test_exact_is_exact(self):
        rows = self.sample(400, 6)
        queries = uniform(30, 6, seed=2)
        vecs(self.path("q.fvecs"), queries)
        told = self.json("search", "x.nigh", "q.fvecs", "-k", 7, "--exact")
        self.assertTrue(told["exact"])
        for query, hits in zip(queries, told["hits"]):
            self.assertEqual([hit["key"] for hit in hits], nearest(rows, query, 7))
        self.assertEqual(told["distances"], 400)

    def test_truth(self):
        self.sample(2000, 12)
        vecs(self.path("q.fvecs"), uniform(100, 12, seed=2))
        self.nigh("search", "x.nigh", "q.fvecs", "-k", 20, "--exact", "--out", "t.ivecs",
                  "--distances", "d.fvecs", "--threads", 2)
        self.assertEqual([len(row) for row in read_vecs(self.path("t.ivecs"))], [20] * 100)
        distances = read_vecs(self.path("d.fvecs"), "f")
        self.assertTrue(all(row == sorted(row) for row in distances))
        told = self.json("search", "x.nigh", "q.fvecs", "--truth", "t.ivecs", "--ef", 200)
        self.assertGreaterEqual(told["recall"], 0.99)
        for name in ("qps", "p50_us", "p99_us", "distances", "cpu_s"):
            self.assertGreater(told[name], 0, name)
        self.assertLessEqual(told["p50_us"], told["p99_us"])
        self.assertEqual((told["queries"], told["k"], told["ef"]), (100, 10, 200))
        self.assertNotIn("hits", told)
        exact = self.json("search", "x.nigh", "q.fvecs", "--truth", "t.ivecs", "--exact", "-k", 20)
        self.assertEqual(exact["recall"], 1)
        told = self.json("search", "x.nigh", "q.fvecs", "--truth", "t.ivecs", "--ef", "10,40,160",
                         "--warm", "--rounds", 3, "--expansions", 1)
        self.assertEqual([result["ef"] for result in told["results"]], [10, 40, 160])
        recalls = [result["recall"] for result in told["results"]]
        costs = [result["distances"] for result in told["results"]]
        self.assertEqual((recalls, costs), (sorted(recalls), sorted(costs)))
        lines = self.text("search", "x.nigh", "q.fvecs", "--truth", "t.ivecs", "--ef",
                          "10,40").splitlines()
        self.assertEqual(lines[0].split("\t"), ["ef", "recall", "qps", "p50_us", "p99_us",
                                                "distances"])
        self.assertEqual([line.split("\t")[0] for line in lines[1:]], ["10", "40"])
        self.fails(3, "-k 21", "search", "x.nigh", "q.fvecs", "--truth", "t.ivecs", "-k", 21)
        self.fails(3, "int32", "search", "x.nigh", "q.fvecs", "--truth", "q.fvecs")
        self.fails(3, "none.ivecs", "search", "x.nigh", "q.fvecs", "--truth", "none.ivecs")

    def test_rerank_and_gamma(self):
        npy(self.path("x.npy"), uniform(2000, 16))
        npy(self.path("q.npy"), uniform(50, 16, seed=2))
        self.nigh("build", "x.npy", "-o", "p.nigh", "--exact-build")
        self.nigh("search", "p.nigh", "q.npy", "--exact", "--out", "t.ivecs")

        def recall(name, *more):
            return self.json("search", name, "q.npy", "--truth", "t.ivecs", *more)

        for codes in ("u7", "b1"):
            self.nigh("build", "x.npy", "-o", "x.nigh", "--codes", codes, "--exact-build")
            exact = self.json("search", "x.nigh", "q.npy", "--exact")["hits"]
            deep = self.json("search", "x.nigh", "q.npy", "--ef", 2000, "--rerank", 2000)["hits"]
            self.assertEqual(deep, exact)
            plain = self.json("search", "p.nigh", "q.npy", "--ef", 40)["hits"]
            self.assertEqual(self.json("search", "x.nigh", "q.npy", "--ef", 40,
                                       "--no-codes")["hits"], plain)
            shallow, deep = (recall("x.nigh", "--ef", 200, "--rerank", depth)
                             for depth in (10, 200))
            self.assertLess(shallow["recall"], deep["recall"])
            self.assertEqual(deep["distances"] - shallow["distances"], 190)
            self.assertEqual(recall("x.nigh", "--ef", 200, "--rerank", 1)["recall"],
                             shallow["recall"])  # raised to k
        wide = recall("p.nigh", "--ef", 400)
        costs = [recall("p.nigh", "--ef", 400, "--gamma", gamma)["distances"]
                 for gamma in (0.05, 0.2, 1, 16)]
        self.assertEqual(costs, sorted(costs))
        self.assertLess(costs[0], wide["distances"])
        self.assertEqual(costs[-1], wide["distances"])

    def test_fewer_than_k(self):
        self.sample(4, 3)
        self.nigh("search", "x.nigh", "x.npy", "-k", 6, "--out", "o.ivecs", "--distances",
                  "d.fvecs")
        for row in read_vecs(self.path("o.ivecs")):
            self.assertEqual((sorted(row[:4]), row[4:]), ([0, 1, 2, 3], [-1, -1]))
        self.assertEqual(read_vecs(self.path("d.fvecs"), "f")[0][4:], [math.inf] * 2)
        told = self.json("search", "x.nigh", "x.npy", "-k", 6, "--truth", "o.ivecs")
        self.assertEqual(told["recall"], 1)
        self.assertEqual([len(hits) for hits in
                          self.json("search", "x.nigh", "x.npy", "-k", 6)["hits"]], [4] * 4)

    def test_every_way_gives_the_same_answers(self):
        self.sample(1000, 20)
        hits = self.json("search", "x.nigh", "x.npy")["hits"]
        levels = self.text("--version").split("kernels: ")[1].split()
        for more in (["--load"], ["--threads", 4], ["--warm"], ["--rounds", 2],
                     *(["--kernel", level] for level in levels)):
            with self.subTest(more=more):
                self.assertEqual(self.json("search", "x.nigh", "x.npy", *more)["hits"], hits)

    def test_bad_input(self):
        self.sample(20, 4)
        npy(self.path("q.npy"), uniform(3, 5))
        self.fails(3, "queries of 5 elements; x.nigh has vectors of 4", "search", "x.nigh", "q.npy")
        npy(self.path("n.npy"), [[0, 0, 0, 0], [0, math.nan, 0, 0]])
        self.fails(3, "query 1 holds NaN", "search", "x.nigh", "n.npy")
        self.nigh("build", "x.npy", "-o", "h.nigh", "--dtype", "f16")
        self.fails(3, "row 1 holds NaN", "search", "h.nigh", "n.npy")
        self.fails(3, "none.nigh", "search", "none.nigh", "x.npy")
        self.fails(3, "none.npy", "search", "x.nigh", "none.npy")
        self.fails(3, "x.npy", "search", "x.npy", "x.npy")
        self.fails(3, "cannot", "search", "x.nigh", "x.npy", "--out", "none/o.ivecs")

    def test_text_to_a_terminal_is_short(self):
        self.sample(300, 4)
        master, slave = pty.openpty()
        args = [Command.binary, "search", "x.nigh", "x.npy", "-k", "2"]
        with subprocess.Popen(args, cwd=self.dir, stdout=slave, stderr=subprocess.PIPE) as process:
            os.close(slave)
            said = process.stderr.read().decode()
            lines = read_terminal(master).splitlines()
        self.assertEqual((process.returncode, len(lines)), (0, 40))
        self.assertIn("280 more queries", said)


class Words(Command):
    """The real sample of the tree."""

    def test_words(self):
        told = self.json("build", WORDS, "--keys", NAMES, "--metric", "cosine", "-o", "w.nigh")
        self.assertEqual((told["count"], told["dim"], told["dtype"]), (5000, 100, "f16"))
        self.nigh("check", "w.nigh")
        near = self.text("near", "w.nigh", "king", "-k", 8).splitlines()
        words = [line.split("\t")[0] for line in near]
        self.assertEqual(len(words), 8)
        self.assertNotIn("king", words)
        self.assertTrue({"queen", "prince"} & set(words), words)
        distances = [float(line.split("\t")[1]) for line in near]
        self.assertEqual(distances, sorted(distances))
        told = self.json("near", "w.nigh", "king", "-k", 8)
        self.assertEqual(([hit["key"] for hit in told["hits"]], told["key"]), (words, "king"))
        done = self.nigh("near", "w.nigh", "qzxwv", code=1)
        self.assertIn("'qzxwv' is not there", done.said)
        self.nigh("search", "w.nigh", QUERIES, "--exact", "--out", "t.ivecs")
        told = self.json("search", "w.nigh", QUERIES, "--truth", "t.ivecs", "--ef", 100)
        self.assertGreaterEqual(told["recall"], 0.97)
        self.fails(2, "use slot", "search", "w.nigh", QUERIES, "--ids", "key")

    def test_graph_only(self):
        self.nigh("build", WORDS, "--metric", "cosine", "-o", "w.nigh")
        hits = self.json("search", "w.nigh", QUERIES)["hits"]
        for name, *more in (("g",), ("k", "--keys", NAMES), ("t", "--threads", "3")):
            told = self.json("build", WORDS, "--metric", "cosine", "-o", f"{name}.nigh",
                             "--graph-only", *more)
            self.assertEqual(told["memory_bytes"]["converted"], 0)
            self.assertLess(told["file_bytes"], os.path.getsize(self.path("w.nigh")) - 900000)
            self.nigh("check", f"{name}.nigh")
            self.fails(2, "give --vectors", "search", f"{name}.nigh", QUERIES)
            found = self.json("search", f"{name}.nigh", QUERIES, "--vectors", WORDS)["hits"]
            if name != "t":
                self.assertEqual([[(hit["slot"], hit["distance"]) for hit in row] for row in found],
                                 [[(hit["slot"], hit["distance"]) for hit in row] for row in hits])
        near = self.text("near", "k.nigh", "king", "--vectors", WORDS, "-k", 20)
        self.assertIn("queen\t", near)
        self.fails(2, "give --vectors", "near", "k.nigh", "king")
        self.fails(3, "wants 5000, one for each slot", "search", "g.nigh", QUERIES, "--vectors",
                   QUERIES)
        npy(self.path("q.npy"), uniform(3, 5))
        self.fails(3, "wants rows of 100", "search", "g.nigh", QUERIES, "--vectors", "q.npy")
        self.nigh("build", WORDS, "--metric", "cosine", "-o", "k2.nigh", "--graph-only", "--keys",
                  NAMES, "--threads", 2)
        self.assertEqual(self.sha("k.nigh"), self.sha("k2.nigh"))


class GraphOnly(Command):
    def test_converted(self):
        npy(self.path("x.npy"), uniform(300, 9))
        npy(self.path("q.npy"), uniform(20, 9, seed=2))
        for dtype in ("f16", "bf16", "i8", "u8"):
            self.nigh("build", "x.npy", "-o", "o.nigh", "--dtype", dtype)
            told = self.json("build", "x.npy", "-o", "g.nigh", "--dtype", dtype, "--graph-only")
            self.assertGreater(told["memory_bytes"]["converted"], 0)
            self.assertEqual(self.json("search", "g.nigh", "q.npy", "--vectors", "x.npy")["hits"],
                             self.json("search", "o.nigh", "q.npy")["hits"], dtype)

    def test_rows_of_another_type(self):
        """They might be converted, but those of the index they are not."""
        npy(self.path("x.npy"), uniform(300, 9))
        npy(self.path("h.npy"), uniform(300, 9), "<f2")
        npy(self.path("i.npy"), [[1] * 9] * 300, "|i1")
        self.nigh("build", "x.npy", "-o", "g.nigh", "--graph-only")
        for name, kind in (("h.npy", "f16"), ("i.npy", "i8")):
            self.fails(3, f"{name}: rows of {kind}; g.nigh wants rows of f32", "search", "g.nigh",
                       "x.npy", "--vectors", name)
        self.nigh("build", "h.npy", "-o", "h.nigh", "--graph-only")
        self.fails(3, "i.npy: rows of i8; h.nigh wants rows of f16, or f32 that", "search",
                   "h.nigh", "x.npy", "--vectors", "i.npy")
        for name in ("x.npy", "h.npy"):
            self.nigh("search", "h.nigh", "x.npy", "--vectors", name)

    def test_borrowed_kinds(self):
        source = random.Random(3)
        rows = [[source.randrange(128) for _ in range(11)] for _ in range(200)]
        npy(self.path("i.npy"), rows, "|i1")
        vecs(self.path("b.bvecs"), rows, "B")
        vecs(self.path("f.fvecs"), rows)
        for name in ("i.npy", "b.bvecs", "f.fvecs"):
            self.nigh("build", name, "-o", "o.nigh")
            told = self.json("build", name, "-o", "g.nigh", "--graph-only")
            self.assertEqual(told["memory_bytes"]["converted"], 0)
            self.assertEqual(self.json("search", "g.nigh", name, "--vectors", name)["hits"],
                             self.json("search", "o.nigh", name)["hits"], name)

    def test_add(self):
        rows = uniform(300, 6)
        npy(self.path("x.npy"), rows[:200])
        npy(self.path("y.npy"), rows)
        self.nigh("build", "x.npy", "-o", "g.nigh", "--graph-only")
        self.nigh("build", "y.npy", "-o", "all.nigh", "--graph-only")
        self.nigh("add", "g.nigh", "y.npy", "-o", "again.nigh")
        self.assertEqual(self.json("add", "g.nigh", "y.npy")["added"], 100)
        self.assertEqual(self.sha("g.nigh"), self.sha("again.nigh"))
        self.nigh("check", "g.nigh")
        for name in ("g", "all"):  # batches and single rows choose other links, not other slots
            hits = self.json("search", f"{name}.nigh", "y.npy", "--vectors", "y.npy", "-k", 1,
                             "--ef", 300)["hits"]
            self.assertEqual([hit[0]["slot"] for hit in hits], list(range(300)))
        self.fails(3, "wants the whole file", "add", "g.nigh", "x.npy")
        self.fails(2, "do not go", "add", "g.nigh", "y.npy", "--set")
        self.nigh("remove", "g.nigh", 17)
        self.nigh("near", "g.nigh", 17, "--vectors", "y.npy", code=1)


    def test_by_slot_or_by_key(self):
        """Keys in another order than rows: the wrong reading of the file is never an answer."""
        rows = uniform(700, 12)
        order = list(range(1, 700))
        random.Random(5).shuffle(order)
        npy(self.path("all.npy"), rows)
        npy(self.path("first.npy"), rows[:1])
        npy(self.path("rest.npy"), [rows[key] for key in order])
        npy(self.path("slots.npy"), rows[:1] + [rows[key] for key in order])
        self.write("keys.txt", "".join(f"{key}\n" for key in order))
        for dtype in ("f32", "i8"):
            self.nigh("build", "first.npy", "-o", "x.nigh", "--dtype", dtype)
            self.nigh("add", "x.nigh", "rest.npy", "--keys", "keys.txt")
            truth = self.json("search", "x.nigh", "all.npy")["hits"]
            self.assertGreater(sum(hit[0]["key"] == row for row, hit in enumerate(truth)), 690)
            for more in (("--unpack",), ()):
                self.nigh("pack", "x.nigh", "-o", "g.nigh", "--graph-only", *more)
                search = ("search", "g.nigh", "all.npy", "--vectors")
                self.fails(2, "--vectors-by slot or key", *search, "all.npy")
                for name, by in (("all.npy", "key"), ("slots.npy", "slot")):
                    told = self.json(*search, name, "--vectors-by", by)["hits"]
                    self.assertEqual(told, truth, (dtype, name, by))
                for name, by in (("all.npy", "slot"), ("slots.npy", "key")):
                    self.fails(3, "in another order", *search, name, "--vectors-by", by)
                self.fails(3, "699 rows", *search, "rest.npy", "--vectors-by", "key")
                self.fails(3, "699 rows", *search, "rest.npy", "--vectors-by", "slot")
                self.assertEqual(self.json("near", "g.nigh", 17, "--vectors", "all.npy",
                                           "--vectors-by", "key")["hits"],
                                 self.json("near", "x.nigh", 17)["hits"])

    def test_other_vectors(self):
        npy(self.path("x.npy"), uniform(400, 8))
        npy(self.path("y.npy"), uniform(400, 8, seed=2))
        npy(self.path("long.npy"), uniform(401, 8))
        self.nigh("build", "x.npy", "-o", "g.nigh", "--graph-only")
        self.fails(3, "not the vectors of g.nigh", "search", "g.nigh", "x.npy", "--vectors",
                   "y.npy")
        self.fails(3, "401 rows", "search", "g.nigh", "x.npy", "--vectors", "long.npy")
        self.nigh("search", "g.nigh", "y.npy", "--vectors", "x.npy", "--vectors-by", "key")
        npy(self.path("same.npy"), [[1, 2]] * 400)  # nothing is nearer than anything
        self.nigh("build", "same.npy", "-o", "s.nigh", "--graph-only")
        self.nigh("search", "s.nigh", "same.npy", "--vectors", "same.npy")
        self.write("k.txt", "".join(f"k{i}\n" for i in range(400)))
        self.nigh("build", "x.npy", "-o", "k.nigh", "--graph-only", "--keys", "k.txt")
        self.nigh("near", "k.nigh", "k3", "--vectors", "x.npy")
        self.fails(2, "has string keys", "near", "k.nigh", "k3", "--vectors", "x.npy",
                   "--vectors-by", "key")
        self.nigh("refine", "g.nigh", "--vectors", "x.npy")
        self.fails(3, "not the vectors of g.nigh", "refine", "g.nigh", "--vectors", "y.npy")


class Inspect(Command):
    def test_info_text(self):
        self.sample(50, 4)
        text = self.text("info", "x.nigh")
        for part in ("dim            4", "metric         l2", "count          50", "seed"):
            self.assertIn(part, text)

    def test_sha(self):
        self.sample(500, 4)
        self.assertEqual(self.text("sha", "x.nigh"), f"{self.sha('x.nigh')}  x.nigh\n")
        if shutil.which("sha256sum"):
            said = subprocess.run(["sha256sum", "x.nigh"], cwd=self.dir, capture_output=True,
                                  check=True).stdout.decode()
            self.assertEqual(self.text("sha", "x.nigh"), said)
        self.assertEqual(self.json("sha", "x.nigh")["sha256"], self.sha("x.nigh"))
        self.fails(3, "not a nigh image", "sha", "x.npy")

    def test_sha_of_every_length(self):
        content = bytes(i * 7 & 255 for i in range(70000))
        for length in (*range(0, 131), 191, 192, 193, 65536, 70000):
            said = self.text("sha", "-", stdin=content[:length]).split()
            self.assertEqual(said, [hashlib.sha256(content[:length]).hexdigest(), "-"])

    def test_check(self):
        self.sample(300, 4)
        self.assertIn("sound", self.text("check", "x.nigh"))
        told = self.json("check", "x.nigh")
        self.assertEqual((told["ok"], told["unreachable"], told["fault"]), (True, 0, 0))
        self.assertGreater(told["blocks_checked"], 0)
        self.fails(3, "none.nigh", "check", "none.nigh")
        self.fails(3, "cannot", "check", ".")

    def test_damage_is_found(self):
        self.sample(300, 4)
        good = self.read("x.nigh")
        steps = 40 if SMALL else 150
        for offset in range(0, len(good), max(1, len(good) // steps)):
            bad = bytearray(good)
            bad[offset] ^= 1 << offset % 8
            self.write("bad.nigh", bytes(bad))
            done = self.nigh("check", "bad.nigh", code=1)
            self.assertIn("broken", done.said, offset)
            told = json.loads(self.nigh("check", "bad.nigh", "--json", code=1).stdout)
            self.assertEqual((told["ok"], told["status"] < 0), (False, True))
        for length in (1, 63, 64, 1000, len(good) // 2, len(good) - 1):
            self.write("cut.nigh", good[:length])
            self.nigh("check", "cut.nigh", code=1)
            self.fails(3, "cut.nigh", "search", "cut.nigh", "x.npy")
            self.fails(3, "cut.nigh", "near", "cut.nigh", 1)
            self.fails(3, "cut.nigh", "add", "cut.nigh", "x.npy")
            self.fails(3, "cut.nigh", "info", "cut.nigh")

    def test_not_an_index(self):
        npy(self.path("x.npy"), uniform(30, 4))
        self.nigh("check", "x.npy", code=1)
        for args in (("search", "x.npy", "x.npy"), ("near", "x.npy", "1"), ("info", "x.npy"),
                     ("add", "x.npy", "x.npy"), ("remove", "x.npy", "1")):
            self.fails(3, "x.npy", *args)
        self.write("empty", "")
        self.fails(3, "empty", "info", "empty")

    def test_json_escapes(self):
        keys = [b'quote"', b"back\\slash", b"tab\there", "\u00e9\u20ac\U0001f600".encode(),
                b"\x01\x1f",                b"bad\xff\xc3\x28utf8", b"</script>"]
        npy(self.path("x.npy"), [[i, 1] for i in range(len(keys))])
        self.write("k.txt", b"\n".join(keys) + b"\n")
        self.nigh("build", "x.npy", "-o", "x.nigh", "--keys", "k.txt")
        hits = self.json("search", "x.nigh", "x.npy", "-k", 1)["hits"]
        self.assertEqual([hit[0]["key"] for hit in hits],
                         [key.decode(errors="replace") for key in keys])
        shown = self.nigh("search", "x.nigh", "x.npy", "-k", 1).stdout.split(b"\n")
        self.assertEqual(shown[2].split(b"\t")[2], b"tab\\x09here")
        self.assertEqual(self.json("near", "x.nigh", 'quote"', "-k", 1)["key"], 'quote"')


class Trouble(Command):
    def limited(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    def test_full_disk(self):
        npy(self.path("x.npy"), uniform(2000, 8))
        for more in ([], ["--json"]):
            self.fails(3, "nigh: ", "build", "x.npy", "-o", "x.nigh", *more,
                       preexec_fn=self.limited)
        self.nigh("build", "x.npy", "-o", "x.nigh")
        before = self.sha("x.nigh")
        self.fails(3, "x.nigh", "add", "x.nigh", "x.npy", preexec_fn=self.limited)
        self.fails(3, "x.nigh", "remove", "x.nigh", "5", preexec_fn=self.limited)
        self.fails(3, "o.ivecs", "search", "x.nigh", "x.npy", "--out", "o.ivecs",
                   preexec_fn=self.limited)
        self.assertEqual(self.sha("x.nigh"), before)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_full_standard_output(self):
        self.sample(300, 4)
        for args in (["info", "x.nigh"], ["info", "x.nigh", "--json"], ["sha", "x.nigh"],
                     ["search", "x.nigh", "x.npy"], ["near", "x.nigh", "1"], ["--help"],
                     ["build", "--help"], ["build", "x.npy", "-o", "-"], ["check", "x.nigh"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([Command.binary, *args], cwd=self.dir, stdout=full,
                                      stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 3, args)
            self.assertIn(b"standard output", done.stderr)

    def test_closed_pipe(self):
        self.sample(3000, 4)
        with subprocess.Popen([Command.binary, "search", "x.nigh", "x.npy"], cwd=self.dir,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.stdout.close()
            said = process.stderr.read()
        self.assertEqual((process.returncode, said), (-signal.SIGPIPE, b""))

    def interrupt(self, args, delay, number):
        with subprocess.Popen([Command.binary, *args], cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            time.sleep(delay)
            process.send_signal(number)
            process.communicate()
        return process.returncode

    def test_interrupted_build(self):
        """At many moments, so that some of them fall into the save: all or nothing."""
        npy(self.path("x.npy"), uniform(4000 if SMALL else 20000, 24))
        start = time.monotonic()
        self.nigh("build", "x.npy", "-o", "whole.nigh", "--ef-build", 20, "--m", 4)
        whole = time.monotonic() - start
        good, codes = self.sha("whole.nigh"), []
        for i in range(24):
            number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[i % 3]
            delay = whole * (0.3 if i < 4 else 0.8 + 0.02 * (i - 4))
            code = self.interrupt(["build", "x.npy", "-o", "x.nigh", "--ef-build", "20", "--m",
                                   "4", "--threads", str(1 + i % 2)], delay, number)
            codes.append(code)
            self.assertIn(code, (0, -number))
            self.assertLessEqual(set(os.listdir(self.dir)), {"x.npy", "whole.nigh", "x.nigh"})
            if "x.nigh" in os.listdir(self.dir):
                self.nigh("check", "x.nigh")
                if i % 2 == 0:
                    self.assertEqual(self.sha("x.nigh"), good)
                os.remove(self.path("x.nigh"))
        self.assertTrue(any(codes), "no run was interrupted")

    def test_interrupted_add(self):
        npy(self.path("x.npy"), uniform(4000 if SMALL else 20000, 24))
        self.nigh("build", "x.npy", "-o", "x.nigh", "--ef-build", 20, "--m", 4)
        before = self.sha("x.nigh")
        start = time.monotonic()
        self.nigh("add", "x.nigh", "x.npy", "-o", "y.nigh")
        whole, after = time.monotonic() - start, self.sha("y.nigh")
        os.remove(self.path("y.nigh"))
        for i in range(10):
            self.interrupt(["add", "x.nigh", "x.npy"], whole * (0.1 + 0.1 * i), signal.SIGINT)
            self.assertEqual(sorted(os.listdir(self.dir)), ["x.nigh", "x.npy"])
            if self.sha("x.nigh") == after:
                break
            self.assertEqual(self.sha("x.nigh"), before)

    def test_shell_sees_130(self):
        npy(self.path("x.npy"), uniform(20000, 24))
        script = f'"{Command.binary}" build x.npy -o x.nigh --ef-build 400 & p=$!; sleep 0.3; ' \
                 "kill -TERM $p; wait $p; echo $?"
        done = subprocess.run(["sh", "-c", script], cwd=self.dir, capture_output=True, check=False)
        self.assertEqual(done.stdout, b"143\n")

    def build_on_terminal(self, **env):
        master, slave = pty.openpty()
        args = [Command.binary, "build", "x.npy", "-o", "x.nigh", "--ef-build", "300"]
        with subprocess.Popen(args, cwd=self.dir, stdout=subprocess.DEVNULL, stderr=slave,
                              env={"PATH": os.environ["PATH"], **env}) as process:
            os.close(slave)
            told = read_terminal(master)
        self.assertEqual(process.returncode, 0)
        return told

    def test_progress(self):
        npy(self.path("x.npy"), uniform(6000 if SMALL else 20000, 24))
        told = self.build_on_terminal(TERM="xterm")
        self.assertRegex(told, r"build.*\[.*#.*\].*%.*/s.*\d+:\d\d left")
        self.assertIn("\033[32m", told)
        self.assertTrue(told.endswith("\r\033[K"), repr(told[-40:]))
        told = self.build_on_terminal(TERM="xterm", NO_COLOR="1")
        self.assertIn("left", told)
        self.assertNotIn("\033[32m", told)
        self.assertEqual(self.build_on_terminal(TERM="dumb"), "")
        self.assertEqual(self.build_on_terminal(), "")


def main():
    args = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
    Command.binary = os.path.abspath(args[0] if args else Command.binary)
    if not os.access(Command.binary, os.X_OK):
        print(f"{Command.binary} is not there: build it first\n0 passed, 1 failed")
        return 1
    suite = unittest.TestSuite()
    only = os.environ.get("NIGH_TEST_ONLY", "")
    for kind in (Help, Build, Search, Words, GraphOnly, Change, Work, Pack, Mapped, Hnswlib,
                 Lmdb, Inspect, Trouble):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(kind):
            if only in test.id():
                suite.addTest(test)
    verbosity = 2 if "-v" in sys.argv else 0
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=verbosity).run(suite)
    failed = len({test.id().split(" ")[0] for test, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 1 if failed or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
