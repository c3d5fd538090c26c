# change.py - tests of the nigh command: add and remove keys, codes, refine, vacuum
# SPDX-License-Identifier: MIT OR Apache-2.0
import json
import math
import random
import subprocess
import fcntl

from command import Command, npy, uniform


class Change(Command):
    def test_add_continues_the_numbers(self):
        rows = uniform(300, 6)
        npy(self.path("all.npy"), rows)
        npy(self.path("a.npy"), rows[:200])
        npy(self.path("b.npy"), rows[200:])
        self.nigh("build", "all.npy", "-o", "all.nigh")
        self.nigh("build", "a.npy", "-o", "x.nigh")
        before = self.sha("x.nigh")
        told = self.json("add", "x.nigh", "b.npy", "-o", "y.nigh")
        self.assertEqual((told["added"], told["updated"], told["count"]), (100, 0, 300))
        self.assertEqual(self.sha("x.nigh"), before)
        self.assertIn("100 added", self.text("add", "x.nigh", "b.npy"))
        self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
        self.nigh("check", "x.nigh")
        exact = [self.json("search", name, "all.npy", "-k", 3, "--exact")["hits"]
                 for name in ("x.nigh", "all.nigh")]
        self.assertEqual(*exact)  # other links, the same keys
        self.assertEqual(self.json("near", "x.nigh", 299, "-k", 1)["key"], 299)
        piped = self.nigh("add", "x.nigh", "b.npy", "-o", "-").stdout
        self.assertGreater(len(piped), len(self.read("x.nigh")))

    def test_store_files(self):
        rows = uniform(2000, 8)
        npy(self.path("a.npy"), rows[:1900])
        npy(self.path("b.npy"), rows[1900:])
        self.nigh("build", "a.npy", "-o", "x.nigh")
        self.nigh("build", "a.npy", "-o", "x.store")
        self.assertEqual(*[self.json("near", name, 7, "-k", 5)["hits"]
                           for name in ("x.nigh", "x.store")])
        for name in ("x.nigh", "x.store"):
            self.assertIn("100 added", self.text("add", name, "b.npy"))
            self.nigh("remove", name, 3, 5)
            self.nigh("codes", name, "u7")
            self.nigh("check", name)
        self.nigh("remove", "x.store", 9, "-o", "y.nigh")  # taken out of it
        self.nigh("remove", "x.nigh", 9)
        self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
        self.nigh("near", "x.store", 9)  # it has that still
        self.nigh("remove", "x.nigh", 11, "-o", "x.store")  # and put into it
        self.nigh("near", "x.store", 9, code=1)
        sound = self.read("x.store")
        for at in range(8192, len(sound), 4096):
            self.write("bad.store", sound[:at] + b"damage" + sound[at + 6:])
            if subprocess.run([self.binary, "check", self.path("bad.store")],
                              capture_output=True, check=False).returncode != 0:
                break  # a page that is in use
        self.fails(3, "is damaged", "near", "bad.store", 7)

    def test_add_after_remove(self):
        self.sample(100, 4)
        npy(self.path("b.npy"), uniform(5, 4, seed=9))
        self.nigh("remove", "x.nigh", 98, 99)
        self.nigh("add", "x.nigh", "b.npy")  # 98 and 99 were used once
        self.nigh("near", "x.nigh", 104)
        self.nigh("near", "x.nigh", 99, code=1)
        self.nigh("remove", "x.nigh", 104)
        self.nigh("add", "x.nigh", "b.npy", "--replace-deleted")
        told = self.json("info", "x.nigh")
        self.assertEqual((told["count"], told["slots"], told["deleted"]), (107, 107, 0))
        self.nigh("check", "x.nigh")

    def test_add_with_numbers_and_threads(self):
        self.sample(100, 4)
        npy(self.path("b.npy"), uniform(400, 4, seed=9))
        self.write("k.txt", "".join(f"{1 << 60 | i}\n" for i in range(400)))
        self.assertEqual(self.json("add", "x.nigh", "b.npy", "--keys", "k.txt", "--threads",
                                   3)["added"], 400)
        self.nigh("near", "x.nigh", 1 << 60 | 399)
        self.nigh("check", "x.nigh")
        self.fails(3, "does not fit into .ivecs", "search", "x.nigh", "b.npy", "--out", "o.ivecs")
        self.nigh("search", "x.nigh", "b.npy", "--out", "o.ivecs", "--ids", "slot")
        self.write("bad.txt", "".join(f"{i}x\n" for i in range(400)))
        self.fails(3, "bad.txt, line 1: '0x' is not a number", "add", "x.nigh", "b.npy", "--keys",
                   "bad.txt")

    def test_string_keys(self):
        npy(self.path("a.npy"), [[0, 0], [1, 0], [0, 1]])
        npy(self.path("b.npy"), [[5, 5], [6, 6]])
        self.write("a.txt", "a\nb\nc\n")
        self.write("b.txt", "d\nb\n")
        self.nigh("build", "a.npy", "-o", "x.nigh", "--keys", "a.txt")
        before = self.sha("x.nigh")
        self.fails(2, "has string keys", "add", "x.nigh", "b.npy")
        self.fails(3, "b.txt, line 2: 'b'", "add", "x.nigh", "b.npy", "--keys", "b.txt")
        self.assertEqual(self.sha("x.nigh"), before)
        told = self.json("add", "x.nigh", "b.npy", "--keys", "b.txt", "--set")
        self.assertEqual((told["added"], told["updated"], told["count"]), (1, 1, 4))
        self.assertEqual(self.json("near", "x.nigh", "b", "-k", 1)["hits"][0]["key"], "d")
        self.nigh("remove", "x.nigh", "d")
        told = self.json("add", "x.nigh", "b.npy", "--keys", "b.txt", "--set")
        self.assertEqual(told["count"], 4)
        self.nigh("near", "x.nigh", "d")
        self.nigh("check", "x.nigh")

    def test_remove(self):
        self.sample(50, 4)
        self.assertIn("2 removed", self.text("remove", "x.nigh", 3, 4))
        self.nigh("near", "x.nigh", 3, code=1)
        done = self.nigh("remove", "x.nigh", 3, 5, 777, "--json", code=1)
        told = json.loads(done.stdout)
        self.assertEqual((told["removed"], told["missing"], told["count"]), (1, 2, 47))
        self.assertIn("'3' was removed before", done.said)
        self.assertIn("'777' is not there", done.said)
        self.nigh("remove", "x.nigh", 777, "-f")
        self.write("k.txt", "10\n11\n")
        self.assertEqual(self.json("remove", "x.nigh", "--keys", "k.txt")["removed"], 2)
        self.assertEqual(self.json("remove", "x.nigh", "--keys", "-", stdin=b"12\n")["removed"], 1)
        told = self.json("info", "x.nigh")
        self.assertEqual((told["count"], told["deleted"], told["slots"]), (44, 6, 50))
        keys = {hit["key"] for hits in self.json("search", "x.nigh", "x.npy", "-k", 50)["hits"]
                for hit in hits}
        self.assertEqual(keys, set(range(50)) - {3, 4, 5, 10, 11, 12})
        self.nigh("check", "x.nigh")
        self.fails(2, "'abc' is not a number", "remove", "x.nigh", "abc")
        self.fails(3, "none.nigh", "remove", "none.nigh", 1)

    def test_bad_input(self):
        self.sample(50, 4)
        before = self.sha("x.nigh")
        npy(self.path("w.npy"), uniform(3, 5))
        self.fails(3, "rows of 5 elements; x.nigh has vectors of 4", "add", "x.nigh", "w.npy")
        npy(self.path("n.npy"), [[0, 0, 0, 1], [0, math.nan, 0, 0]])
        self.fails(3, "row 1 holds NaN", "add", "x.nigh", "n.npy")
        told = self.json("add", "x.nigh", "n.npy", "--skip-invalid", "-o", "y.nigh")
        self.assertEqual((told["added"], told["skipped"]), (1, 1))
        self.write("k.txt", "1\n2\n")
        self.fails(3, "key 1", "add", "x.nigh", "n.npy", "--keys", "k.txt")
        self.assertEqual(self.sha("x.nigh"), before)

    def test_locked(self):
        self.sample(50, 4)
        with open(self.path("x.nigh"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.fails(3, "another process", "add", "x.nigh", "x.npy")
            self.fails(3, "another process", "remove", "x.nigh", 1)
        self.nigh("remove", "x.nigh", 1)


class Work(Command):
    """codes, refine, vacuum: in place or to a new file, the same bytes with any threads."""

    def clusters(self, count=700, dim=12):
        random_ = random.Random(5)
        middles = uniform(20, dim, seed=3)
        npy(self.path("x.npy"), [[at + random_.gauss(0, .1) for at in middles[i % 20]]
                                 for i in range(count)])

    def same_with_threads(self, verb, name, *more):
        """The file that one thread writes; three write the same."""
        self.nigh(verb, name, *more, "-o", "1.nigh")
        self.nigh(verb, name, *more, "-o", "3.nigh", "--threads", 3)
        self.assertEqual(self.sha("1.nigh"), self.sha("3.nigh"))
        self.nigh("check", "1.nigh")

    def test_codes(self):
        self.clusters()
        self.nigh("build", "x.npy", "-o", "x.nigh")
        plain, hits = self.sha("x.nigh"), self.json("search", "x.nigh", "x.npy")["hits"]
        self.same_with_threads("codes", "x.nigh", "u7")
        self.assertEqual(self.sha("x.nigh"), plain)  # a new file was asked for
        self.assertEqual(self.json("info", "1.nigh")["codes"], "u7")
        self.assertEqual(self.json("search", "1.nigh", "x.npy", "--no-codes")["hits"], hits)
        self.nigh("codes", "1.nigh", "none")
        self.assertEqual(self.json("info", "1.nigh")["codes"], "none")
        self.assertEqual(self.json("search", "1.nigh", "x.npy")["hits"], hits)
        self.nigh("codes", "1.nigh", "b1")
        self.assertEqual(self.json("info", "1.nigh")["codes"], "b1")
        self.fails(3, "", "codes", "1.nigh", "u7", "-o", "2.nigh")  # drop those first
        self.fails(2, "u8", "codes", "x.nigh", "u8")
        self.fails(3, "none.nigh", "codes", "none.nigh", "u7")

    def test_refine(self):
        self.clusters()
        self.nigh("build", "x.npy", "-o", "x.nigh", "--codes", "u7")
        self.same_with_threads("refine", "x.nigh")
        self.same_with_threads("refine", "x.nigh", "--alpha", "1.1", "--ef", 60)
        self.nigh("refine", "x.nigh", "-o", "1.nigh")
        self.nigh("build", "x.npy", "-o", "2.nigh", "--codes", "u7", "--refine")
        self.assertEqual(self.sha("1.nigh"), self.sha("2.nigh"))
        self.assertEqual(self.json("search", "1.nigh", "x.npy", "--exact")["hits"],
                         self.json("search", "x.nigh", "x.npy", "--exact")["hits"])
        self.nigh("refine", "x.nigh")
        self.assertEqual(self.sha("x.nigh"), self.sha("1.nigh"))
        self.fails(2, "1..2", "refine", "x.nigh", "--alpha", "2.5")
        self.fails(3, "none.nigh", "refine", "none.nigh")

    def test_vacuum(self):
        self.clusters()
        self.nigh("build", "x.npy", "-o", "x.nigh")
        self.nigh("remove", "x.nigh", *range(0, 700, 3))
        live = self.json("search", "x.nigh", "x.npy", "--exact")["hits"]
        self.same_with_threads("vacuum", "x.nigh")
        self.nigh("vacuum", "x.nigh")
        self.assertEqual(self.sha("x.nigh"), self.sha("1.nigh"))
        told = self.json("info", "x.nigh")
        self.assertEqual((told["count"], told["deleted"], told["slots"]), (466, 0, 700))
        self.assertEqual(self.json("search", "x.nigh", "x.npy", "--exact")["hits"], live)
        npy(self.path("y.npy"), uniform(10, 12, seed=9))
        self.write("k.txt", "".join(f"{key}\n" for key in range(1000, 1010)))
        self.nigh("add", "x.nigh", "y.npy", "--keys", "k.txt")
        told = self.json("info", "x.nigh")
        self.assertEqual((told["count"], told["slots"]), (476, 700))  # freed slots come first
        self.nigh("check", "x.nigh")
        self.fails(3, "none.nigh", "vacuum", "none.nigh")
