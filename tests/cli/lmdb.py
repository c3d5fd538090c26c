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
            self.nigh("build", "v.npy", "-o", "x.nigh", "--block-bytes", 262144, *words)
            self.nigh("lmdb", "build", "env", "v.npy", "--replace", "--id", 5, *words)
            self.nigh("lmdb", "export", "env", "--id", 5, "-o", "y.nigh")
            self.assertEqual(self.sha("x.nigh"), self.sha("y.nigh"))
            self.assertEqual(self.sha("x.nigh"), self.json("sha", "lmdb:env#5")["sha256"])
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
        self.fails(3, "when they are built (nigh lmdb build)", "codes", "lmdb:env", "u7")
        path = self.path("env/data.mdb")
        with open(path, "r+b") as file:  # within a block: LMDB itself does not see it
            file.seek(file.read().index(b"nblk") + 60)
            file.write(b"\xee")
        self.nigh("lmdb", "check", "env", code=1)
        shutil.copy(path, self.path("single.mdb"))  # an environment may be a file
        self.nigh("lmdb", "list", "single.mdb")

    def test_bulk_builds_are_small(self):
        """All that LMDB stores but the vectors, at M = 16: in pages, by mdb_stat's count."""
        count = 40000
        npy(self.path("v.npy"), [[row % 251, row // 251] for row in range(count)], "|u1")
        for words, most in ((("--block-bytes", 65536), 170), ((), 160)):
            self.nigh("lmdb", "build", "env", "v.npy", "--replace", "--ef-build", 8,
                      "--metric", "l2", *words)
            told = self.json("lmdb", "list", "env")["indexes"][0]
            each = told["bytes"] / count - 4 * 33 / 32  # a row of two bytes takes four
            self.assertLessEqual(each, most)
        self.nigh("lmdb", "build", "env", "v.npy", "--replace", "--ef-build", 8, "--graph-only")
        told = self.json("lmdb", "list", "env")["indexes"][0]
        self.assertEqual(told["keys"], "identity")
        self.assertLessEqual(told["bytes"] / count, 140)

    def test_checked_before_the_work(self):
        """What is wrong with the output is said before the input is read, which is bad here."""
        self.rows(50)
        self.nigh("lmdb", "build", "env", "v.npy", "--id", 3)
        npy(self.path("bad.npy"), [[float("nan")] * 6] * 50)
        with open(self.path("text"), "w", encoding="utf-8") as file:
            file.write("not an environment" * 1000)
        for where, said in (("lmdb:env#3", "there is such an index"),
                            ("lmdb:none/env", "cannot write none/env"),
                            ("lmdb:text", "MDB_INVALID"), ("lmdb:env#65536", "ID up to")):
            told = self.nigh("build", "bad.npy", "-o", where, code=3)
            self.assertIn(said, told.said)
            self.assertNotIn("NaN", told.said)
        self.assertIn("NaN", self.nigh("build", "bad.npy", "-o", "lmdb:env#4", code=3).said)
        self.assertFalse(os.path.exists(self.path("none")))

    def test_from_and_to_one_environment(self):
        """LMDB forbids to open it twice in a process."""
        self.rows(400)
        self.nigh("build", "v.npy", "-o", "x.nigh")
        self.nigh("lmdb", "import", "env", "x.nigh", "--id", 1)
        self.nigh("lmdb", "import", "env", "lmdb:env#1", "--id", 2)
        self.nigh("pack", "--unpack", "lmdb:env#2", "-o", "lmdb:env#3")
        self.nigh("lmdb", "import", "env", "lmdb:env#3", "--id", 1, code=3)
        self.nigh("lmdb", "import", "env", "lmdb:env#3", "--id", 1, "--replace")
        self.nigh("lmdb", "import", "env", "lmdb:env#3", "--id", 4, "--db", "more")
        for name in ("lmdb:env#1", "lmdb:env#2", "lmdb:env#3", "lmdb:env#4/more"):
            self.assertEqual(self.json("sha", name)["sha256"], self.sha("x.nigh"))
        self.nigh("lmdb", "check", "env")
        os.symlink("env", self.path("alias"))  # another name, the same environment
        self.nigh("lmdb", "import", "alias", "lmdb:env#3", "--id", 9)
        self.assertEqual(self.json("sha", "lmdb:env#9")["sha256"], self.sha("x.nigh"))

    def test_map_grows(self):
        """More than the room that a writer always has."""
        rows = 50000
        npy(self.path("one.npy"), [[1] * 2000], "|u1")
        with open(self.path("many.bvecs"), "wb") as file:
            for row in range(rows):
                file.write((2000).to_bytes(4, "little") + row.to_bytes(4, "little") * 500)
        self.nigh("lmdb", "build", "env", "one.npy", "--m", 2, "--ef-build", 2)
        told = self.json("lmdb", "add", "env", "many.bvecs")
        self.assertEqual(told["count"], rows + 1)
        self.assertGreater(os.path.getsize(self.path("env/data.mdb")), 100 << 20)
        self.nigh("lmdb", "check", "env")

    def test_damaged_entry(self):
        """It is in nobody's way, and can be dropped."""
        self.rows(50)
        for number in (1, 2, 3):
            self.nigh("lmdb", "build", "env", "v.npy", "--id", number)
        before = self.json("sha", "lmdb:env#1")["sha256"]
        path = self.path("env/data.mdb")
        with open(path, "r+b") as file:
            data = file.read()
            at = -1  # of the entry of index 2, in every copy of its page
            while (at := data.find(b"\x01\x00\x02nidx", at + 1)) >= 0:
                file.seek(at + 12)
                file.write(b"\xee")
        listed = self.json("lmdb", "list", "env")["indexes"]
        self.assertEqual([(one["id"], one["ok"]) for one in listed],
                         [(1, True), (2, False), (3, True)])
        self.assertIn("2\tits entry: ", self.text("lmdb", "list", "env"))
        told = self.json("lmdb", "check", "env", code=1)
        self.assertEqual((told["ok"], told["fault"], told["index"]), (False, 1, 2))
        self.assertEqual([one["ok"] for one in told["checks"]], [True, False, True])
        told = self.json("lmdb", "check", "env", "--id", 3)
        self.assertEqual((told["ok"], told["indexes"], len(told["checks"])), (True, 1, 1))
        self.nigh("lmdb", "check", "env", "--id", 2, code=1)
        self.nigh("search", "lmdb:env#2", "v.npy", code=3)
        self.assertEqual(self.json("lmdb", "drop", "env", "--id", 2),
                         {"environment": "env", "dropped": 2})
        self.assertTrue(self.json("lmdb", "check", "env")["ok"])
        self.assertEqual(self.json("sha", "lmdb:env#1")["sha256"], before)
