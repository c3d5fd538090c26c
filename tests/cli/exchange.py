# exchange.py - tests of the nigh command: files of hnswlib
# SPDX-License-Identifier: MIT OR Apache-2.0
import struct

from command import Command, npy, uniform


class Hnswlib(Command):
    def exported(self, *more):
        """x.nigh, 200 rows of 6 with numbers as keys, two of them removed, and x.bin."""
        self.sample(200, 6)
        self.nigh("remove", "x.nigh", 7, 9)
        told = self.json("export-hnswlib", "x.nigh", "-o", "x.bin", *more)
        self.assertEqual((told["elements"], told["deleted"]), (200, 2))
        self.assertEqual(told["file_bytes"], len(self.read("x.bin")))
        return told

    def test_there_and_back(self):
        for bits in (64, 32):
            self.assertEqual(self.exported("--bits", bits)["bits"], bits)
            told = self.json("import-hnswlib", "x.bin", "--space", "l2", "--dim", 6, "-o", "y.nigh")
            self.assertEqual((told["count"], told["deleted"], told["bits"], told["m"],
                              told["rooted"]), (198, 2, bits, 16, 0))
            self.assertEqual(self.json("info", "y.nigh")["unrooted"], 1)
            self.assertIn("perhaps with islands", self.text("check", "y.nigh"))
            self.assertIsNone(self.json("check", "y.nigh")["unreachable"])  # nobody has looked
            self.nigh("import-hnswlib", "x.bin", "--space", "l2", "--dim", 6, "-o", "z.nigh",
                      "--root")
            self.assertIn("all reachable", self.text("check", "z.nigh"))
            self.assertEqual(self.json("info", "z.nigh")["unrooted"], 0)
            self.assertEqual(self.sha("z.nigh"), self.sha("x.nigh"))  # not a byte was lost
            self.nigh("export-hnswlib", "y.nigh", "-o", "y.bin", "--bits", bits)
            self.assertEqual(self.read("y.bin"), self.read("x.bin"))
            piped = self.nigh("export-hnswlib", "y.nigh", "-o", "-", "--bits", bits).stdout
            self.assertEqual(len(piped), len(self.read("x.bin")))

    def test_changes_root_it_first(self):
        self.exported()
        npy(self.path("more.npy"), uniform(5, 6, seed=9))
        words = "x.bin", "--space", "l2", "--dim", 6, "-o", "y.nigh"
        for verb, *more in (("add", "more.npy"), ("add", "more.npy", "--replace-deleted"),
                            ("add", "more.npy", "--keys", "k.txt", "--set"), ("refine",),
                            ("vacuum",)):
            self.write("k.txt", "3\n7\n500\n501\n502\n")
            self.assertIn("200 elements, 2 of them deleted",
                          self.text("export-hnswlib", "x.nigh", "-o", "x.bin"))
            self.assertIn("198 keys, 2 removed", self.text("import-hnswlib", *words))
            self.nigh(verb, "y.nigh", *more,
                      says="y.nigh: its graph is hnswlib's; it got the tree")
            self.assertEqual(self.json("info", "y.nigh")["unrooted"], 0)
            self.nigh("check", "y.nigh")
            self.nigh("vacuum", "y.nigh")  # and says nothing
        self.nigh("import-hnswlib", *words)
        for verb, *more in (("remove", 11), ("codes", "u7")):  # these do not need it
            self.nigh(verb, "y.nigh", *more)
            self.assertEqual(self.json("info", "y.nigh")["unrooted"], 1)
            self.nigh("check", "y.nigh")

    def test_bytes_and_cosine(self):
        rows = [[i % 7, 255 - i, i, 3] for i in range(100)]
        self.nigh("build", npy(self.path("u.npy"), rows, "|u1"), "-o", "u.nigh")
        self.nigh("export-hnswlib", "u.nigh", "-o", "u.bin")
        self.nigh("import-hnswlib", "u.bin", "--space", "l2", "--dim", 4, "--dtype", "u8", "-o",
                  "v.nigh", "--root")
        self.assertEqual(self.sha("u.nigh"), self.sha("v.nigh"))
        self.nigh("build", npy(self.path("c.npy"), uniform(50, 4)), "--metric", "cosine", "-o",
                  "c.nigh")
        self.nigh("export-hnswlib", "c.nigh", "-o", "c.bin")
        self.nigh("import-hnswlib", "c.bin", "--space", "cosine", "--dim", 4, "-o", "d.nigh")
        hits = [self.json("search", name, "c.npy", "-k", 1)["hits"]
                for name in ("c.nigh", "d.nigh")]
        self.assertEqual(*([[hit["key"] for hit in one] for one in answers] for answers in hits))

    def test_into_a_store(self):
        """A file named so is one, which can be changed in place; an image would be no store."""
        self.exported()
        for more in ([], ["--root"]):
            self.nigh("import-hnswlib", "x.bin", "--space", "l2", "--dim", 6, *more, "-o",
                      "y.nigh")
            self.nigh("import-hnswlib", "x.bin", "--space", "l2", "--dim", 6, *more, "-o",
                      "y.store")
            self.assertIn(self.read("y.store")[:7], (b"nighs\n\x1a", bytes(7)))
            self.assertEqual(self.read("y.nigh")[:6], b"nigh\r\n")
            self.nigh("check", "y.store")
            self.assertEqual(*(self.json("search", name, "x.npy", "-k", 5)["hits"]
                               for name in ("y.nigh", "y.store")))
        self.nigh("remove", "y.store", 11)
        self.nigh("near", "y.store", 11, code=1)
        self.fails(2, "a store holds an index of nigh", "export-hnswlib", "y.nigh", "-o",
                   "z.store")

    def test_refusals(self):
        self.exported()
        words = "--space", "l2", "--dim", 6, "-o", "y.nigh"
        self.fails(3, "its vectors are not 7 elements of f32", "import-hnswlib", "x.bin", "--space",
                   "l2", "--dim", 7, "-o", "y.nigh")
        self.fails(3, "not a file of hnswlib", "import-hnswlib", "x.nigh", *words)
        self.write("cut.bin", self.read("x.bin")[:-1])
        self.fails(3, "cut.bin: damaged, cut short", "import-hnswlib", "cut.bin", *words)
        bad = bytearray(self.read("x.bin"))
        struct.pack_into("<f", bad, 96 + 4 + 4 * 32, float("nan"))
        self.write("bad.bin", bytes(bad))
        self.fails(3, "holds NaN or infinity", "import-hnswlib", "bad.bin", *words)
        self.fails(2, "--space is missing", "import-hnswlib", "x.bin", "--dim", 6, "-o", "y.nigh")
        self.fails(2, "--dim is missing", "import-hnswlib", "x.bin", "--space", "l2", "-o", "y")
        self.fails(2, "-o FILE is missing", "import-hnswlib", "x.bin", "--space", "l2", "--dim", 6)
        self.fails(2, "-o FILE is missing", "export-hnswlib", "x.nigh")
        self.fails(3, "cannot open", "import-hnswlib", "none.bin", *words)
        self.write("names.txt", "".join(f"name{i}\n" for i in range(200)))
        self.nigh("build", "x.npy", "--keys", "names.txt", "-o", "names.nigh")
        self.fails(3, "its keys are strings", "export-hnswlib", "names.nigh", "-o", "y.bin")
        self.nigh("build", "x.npy", "--dtype", "f16", "-o", "half.nigh")
        self.fails(3, "no space for f16 and l2", "export-hnswlib", "half.nigh", "-o", "y.bin")
        self.nigh("build", "x.npy", "--graph-only", "-o", "graph.nigh")
        self.fails(2, "give --vectors", "export-hnswlib", "graph.nigh", "-o", "y.bin")
        self.nigh("export-hnswlib", "graph.nigh", "--vectors", "x.npy", "-o", "y.bin")
