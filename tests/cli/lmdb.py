# lmdb.py - tests of the nigh command: indexes in LMDB environments
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import shutil
import subprocess
import unittest

from command import Command, npy, uniform


class Lmdb(Command):
    def setUp(self):
        super().setUp()
        told = subprocess.run([self.binary, "lmdb", "list", "nowhere"], capture_output=True,
                              text=True)
        if "without LMDB" in told.stderr:
            raise unittest.SkipTest("built without LMDB")

    def rows(self, count, name="v.npy", seed=1):
        rows = uniform(count, 6, seed)
        npy(self.path(name), rows)
        return rows

    def test_same_as_a_file(self):
        self.rows(300)
        for words in ((), ("--codes", "u7"), ("--metric", "cosine", "--dtype", "i8")):
            self.nigh("build", "v.npy", "-o", "x.nigh", *words)
            self.nigh("lmdb", "build", "env", "v.npy", "--replace", "--id", 5, *words)
            self.nigh("lmdb", "export", "env", "--id", 5, "-o", "y.nigh")
            self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
            self.nigh("lmdb", "import", "env", "x.nigh", "--id=6", "--db=more", "--replace")
            for where in (("lmdb", "search", "env", "v.npy", "--id", 5),
                          ("lmdb", "search", "env", "v.npy", "--db", "more", "--id=6"),
                          ("search", "lmdb:env#6/more", "v.npy")):
                found = self.json(*where, "-k", 3)["hits"]
                self.assertEqual(found, self.json("search", "x.nigh", "v.npy", "-k", 3)["hits"])
        self.assertIn("every checksum holds", self.text("lmdb", "check", "env"))
        self.assertIn("lmdb:env#6/more: sound", self.text("lmdb", "check", "env", "--db", "more"))
        self.nigh("lmdb", "check", "env", "--id", 7, code=1)
        told = self.json("info", "lmdb:env#5")
        self.assertEqual((told["count"], told["metric"]), (300, "cosine"))
        self.assertGreater(told["file_bytes"], told["image_bytes"])

    def test_changes_are_those_of_a_file(self):
        self.rows(200)
        self.rows(40, "w.npy", seed=2)
        self.nigh("build", "v.npy", "-o", "x.nigh")
        self.nigh("lmdb", "import", "env", "x.nigh")
        for words in (("add", "w.npy"), ("remove", 3, 4, 205), ("add", "w.npy"),
                      ("remove", 5), ("add", "w.npy", "--replace-deleted")):
            verb, *rest = words
            told = self.json(verb, "x.nigh", *rest)
            changed = self.json("lmdb", verb, "env", *rest)
            for name in ("count", "slots", "deleted"):
                self.assertEqual(told[name], changed[name])
        self.nigh("lmdb", "export", "env", "-o", "y.nigh")
        self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
        self.nigh("lmdb", "check", "env")
        self.assertEqual(self.json("lmdb", "list", "env")["indexes"][0]["changes"], 6)
        before = self.sha("y.nigh")
        npy(self.path("bad.npy"), [[float("nan")] * 6])  # nothing of a failed change stays
        self.nigh("lmdb", "add", "env", "bad.npy", code=3)
        self.nigh("lmdb", "remove", "env", 100000, code=1)
        self.nigh("lmdb", "export", "env", "-o", "y.nigh")
        self.assertEqual(self.sha("y.nigh"), before)

    def test_changed_where_it_is(self):
        self.rows(60)
        self.rows(20, "w.npy", seed=2)
        self.nigh("lmdb", "build", "env", "v.npy")
        for words in (("add", "lmdb:env", "w.npy"), ("remove", "lmdb:env", 3),
                      ("refine", "lmdb:env")):
            told = self.nigh(*words, "-o", "lmdb:other#1", code=2)
            self.assertIn("changed where it is", told.said)
        self.assertEqual(self.json("info", "lmdb:env")["count"], 60)
        told = self.nigh("lmdb", "remove", "env", *range(4200), code=2)
        self.assertIn("put keys into a file", told.said)
        self.assertEqual(self.json("info", "lmdb:env")["count"], 60)
        self.nigh("lmdb", "build", "env", "v.npy", "--id", 1, "--mapped")
        self.assertEqual(self.json("info", "lmdb:env#1")["count"], 60)

    def test_list_and_drop(self):
        self.rows(50)
        for number in (0, 7, 65535):
            self.nigh("lmdb", "build", "env", "v.npy", "--id", number)
        self.nigh("lmdb", "build", "env", "v.npy", "--id", 7, code=3)
        listed = self.json("lmdb", "list", "env")["indexes"]
        self.assertEqual([index["id"] for index in listed], [0, 7, 65535])
        self.assertEqual(self.text("lmdb", "list", "env").count("\n"), 3)
        self.nigh("lmdb", "drop", "env", "--id", 7)
        self.nigh("lmdb", "drop", "env", "--id", 7, code=1)
        self.nigh("lmdb", "drop", "env", code=2)
        listed = self.json("lmdb", "list", "env")["indexes"]
        self.assertEqual([index["id"] for index in listed], [0, 65535])

    def test_trouble(self):
        self.rows(50)
        self.nigh("lmdb", "search", "nowhere", "v.npy", code=3)
        self.assertFalse(os.path.exists(self.path("nowhere")))
        self.nigh("lmdb", code=2)
        self.nigh("lmdb", "fly", "env", code=2)
        self.nigh("lmdb", "build", "env", "v.npy", "--id", 65536, code=2)
        self.nigh("search", "lmdb:env#x", "v.npy", code=3)
        self.nigh("lmdb", "build", "env", "v.npy")
        self.nigh("lmdb", "search", "env", "v.npy", "--db", "none", code=1)
        self.nigh("lmdb", "search", "env", "v.npy", "--id", 1, code=1)
        path = self.path("env/data.mdb")
        with open(path, "r+b") as file:  # within a block: LMDB itself does not see it
            file.seek(file.read().index(b"nblk") + 60)
            file.write(b"\xee")
        self.nigh("lmdb", "check", "env", code=1)
        shutil.copy(path, self.path("single.mdb"))  # an environment may be a file
        self.nigh("lmdb", "list", "single.mdb")
