# pack.py - tests of the nigh command: packed indexes, indexes built in a file
# SPDX-License-Identifier: MIT OR Apache-2.0
import os
import signal
import subprocess
import time

from command import NAMES, QUERIES, WORDS, Command, npy, uniform


class Pack(Command):
    def test_pack_and_unpack(self):
        self.nigh("build", WORDS, "--metric", "cosine", "-o", "x.nigh", "--keys", NAMES, "--m", 8)
        self.nigh("remove", "x.nigh", "king", "of")
        before = self.sha("x.nigh")
        told = self.json("pack", "x.nigh", "-o", "p.nigh")
        self.assertEqual((told["count"], told["slots"], told["packed"]), (4998, 5000, True))
        self.assertEqual(told["file_bytes"], os.path.getsize(self.path("p.nigh")))
        self.assertLess(told["file_bytes"], os.path.getsize(self.path("x.nigh")) - 150000)
        self.assertIn("a slot", self.text("pack", "p.nigh", "-o", "again.nigh"))
        self.assertEqual(self.sha("p.nigh"), self.sha("again.nigh"))
        self.nigh("pack", "p.nigh", "-o", "u.nigh", "--unpack")
        self.assertEqual((self.sha("u.nigh"), self.sha("x.nigh")), (before, before))
        piped = self.nigh("pack", "x.nigh", "-o", "-").stdout
        self.assertGreater(len(piped), 100000)
        self.assertIs(self.json("info", "p.nigh")["packed"], True)
        self.assertIs(self.json("info", "x.nigh")["packed"], False)
        self.assertIn("layout         packed", self.text("info", "p.nigh"))
        self.assertIn("sound", self.text("check", "p.nigh"))
        for more in ((), ("--exact",), ("--ef", 200), ("--gamma", 0.3)):
            hits = [self.json("search", name, QUERIES, *more)["hits"] for name in
                    ("x.nigh", "p.nigh")]
            self.assertEqual(*hits)
        self.assertEqual(self.text("near", "p.nigh", "queen"), self.text("near", "x.nigh", "queen"))
        self.nigh("near", "p.nigh", "king", code=1)

    def test_graph_only_and_codes(self):
        self.nigh("build", WORDS, "--metric", "cosine", "-o", "x.nigh", "--m", 8, "--codes", "u7")
        self.nigh("build", WORDS, "--metric", "cosine", "-o", "n.nigh", "--m", 8)
        hits = self.json("search", "x.nigh", QUERIES)["hits"]
        self.nigh("pack", "x.nigh", "-o", "p.nigh", "--graph-only")
        self.assertEqual(self.json("info", "p.nigh")["codes_made"], "u7")
        self.fails(2, "give --vectors", "search", "p.nigh", QUERIES)
        self.assertEqual(self.json("search", "p.nigh", QUERIES, "--vectors", WORDS,
                                   "--vectors-by", "slot")["hits"], hits)
        self.nigh("pack", "x.nigh", "-o", "d.nigh", "--graph-only", "--drop-codes")
        self.assertEqual(self.json("info", "d.nigh")["codes_made"], "none")
        self.assertLess(os.path.getsize(self.path("d.nigh")), 55 * 5000)
        self.nigh("check", "d.nigh")
        plain = self.json("search", "x.nigh", QUERIES, "--no-codes")["hits"]
        self.assertEqual(self.json("search", "d.nigh", QUERIES, "--vectors", WORDS,
                                   "--vectors-by", "key")["hits"], plain)

    def test_read_only(self):
        self.sample(100, 4)
        npy(self.path("b.npy"), uniform(5, 4, seed=9))
        self.nigh("pack", "x.nigh", "-o", "p.nigh")
        before = self.sha("p.nigh")
        for words in (("add", "p.nigh", "b.npy"), ("remove", "p.nigh", 3), ("vacuum", "p.nigh"),
                      ("refine", "p.nigh"), ("codes", "p.nigh", "--codes", "u7")):
            if words[0] == "codes":
                words = ("codes", "p.nigh", "u7")
            self.fails(3, "read-only; nigh pack --unpack", *words)
        self.assertEqual(self.sha("p.nigh"), before)
        self.fails(2, "is the input too", "pack", "x.nigh", "-o", "x.nigh")
        self.fails(2, "-o FILE is missing", "pack", "x.nigh")
        self.write("cut.nigh", self.read("p.nigh")[:-1])
        self.fails(3, "damaged or cut short", "pack", "cut.nigh", "-o", "y.nigh")
        damaged = bytearray(self.read("p.nigh"))
        damaged[8] = 3
        self.write("new.nigh", bytes(damaged))
        self.fails(3, "damaged", "info", "new.nigh")  # its checksum does not hold either


class Mapped(Command):
    def test_the_same_bytes(self):
        npy(self.path("x.npy"), uniform(700, 9))
        self.write("k.txt", "".join(f"key {i}\n" for i in range(700)))
        for more in ([], ["--keys", "k.txt"], ["--graph-only"], ["--dtype", "i8"], ["--refine"],
                     ["--codes", "u7", "--threads", 2], ["--skip-invalid"],
                     ["--dtype", "f16", "--graph-only"]):
            self.nigh("build", "x.npy", "-o", "a.nigh", *more)
            self.nigh("build", "x.npy", "-o", "b.nigh", "--mapped", *more)
            self.assertEqual(self.sha("a.nigh"), self.sha("b.nigh"), more)
            self.assertEqual(self.left(), [])
        self.fails(2, "it needs -o FILE", "build", "x.npy", "-o", "-", "--mapped")
        self.assertEqual(self.left(), [])

    def left(self):
        return [name for name in os.listdir(self.dir) if name.startswith(".nigh")]

    def test_nothing_is_left_behind(self):
        npy(self.path("x.npy"), uniform(20000, 16))
        self.write("x.nigh", b"as it was")
        # where this runs in a shell's background, a child would inherit that it is ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            with subprocess.Popen([Command.binary, "build", "x.npy", "-o", "x.nigh", "--mapped",
                                   "--ef-build", "1000"], cwd=self.dir,
                                  stderr=subprocess.DEVNULL) as child:
                time.sleep(0.5)
                self.assertIsNone(child.poll(), "it was too fast to be stopped")
                child.send_signal(number)
                self.assertEqual(child.wait(timeout=60), -number)
            self.assertEqual(self.left(), [])
            self.assertEqual(self.read("x.nigh"), b"as it was")
