#!/usr/bin/env python3
# test_golden.py - the answers that all languages are held to are right, and made once
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: tests/bindings/test_golden.py [NIGH_COMMAND]"""
import array
import json
import math
import os
import struct
import sys
import tempfile
import unittest

import golden
import scratch

sys.path.insert(0, os.path.join(golden.ROOT, "tools"))
import counted  # noqa: E402

COMMAND = sys.argv.pop(1) if len(sys.argv) > 1 else None

# Says what golden.*.tsv says, with an error in the last line of one case.
ECHO = """
import sys
folder, wrong, image, queries, ef = sys.argv[1:6]
name = image[:-5]
with open(f"{folder}/{'words' if 'words' in name else 'golden'}.tsv", encoding="utf-8") as file:
    lines = [line.split("\\t", 2)[2] for line in file if line.startswith(f"{name}\\t{ef}\\t")]
if name == "words-u7" and wrong:
    query, rank, key, bits, slot = lines[-1].rstrip().split("\\t")
    key = key + "s" if wrong == "key" else key
    bits = f"{int(bits, 16) ^ 1:08x}" if wrong == "bit" else bits
    lines[-1:] = {"lost": [], "more": lines[-1:] * 2}.get(
        wrong, ["\\t".join([query, rank, key, bits, slot]) + "\\n"])
sys.stdout.write("".join(lines))
"""


def floats(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return [values[at:at + golden.DIM] for at in range(0, len(values), golden.DIM)]


def distance(metric, a, b):
    if metric == "l2":
        return math.fsum((x - y) ** 2 for x, y in zip(a, b))
    dot, aa, bb = (math.fsum(x * y for x, y in zip(*pair)) for pair in ((a, b), (a, a), (b, b)))
    return 1 - dot / math.sqrt(aa * bb)


class Golden(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = golden.make(os.path.join(golden.ROOT, "build", "bindings"), COMMAND)
        with open(os.path.join(cls.folder, "golden.json"), encoding="utf-8") as file:
            cls.golden = json.load(file)
        cls.rows, cls.queries = (floats(os.path.join(cls.folder, cls.golden[name]))
                                 for name in ("rows", "queries"))

    def key_of(self, case, slot):
        if case["keys"] == "bytes":
            return golden.string_key(slot)
        late = slot - (golden.COUNT - golden.LATE)
        return str(golden.late_key(late) if late >= 0 and case["keys"] == "u64" else slot)

    def test_answers(self):
        """True distances of the right keys, nearest first, and nearly all that an exact search
        finds."""
        self.assertEqual([case["name"] for case in self.golden["cases"]],
                         ["u64", "u7", "strings", "external"])
        for case in self.golden["cases"]:
            gone = golden.REMOVED if case["keys"] == "u64" else ()
            hit_count = 0
            for number, query in enumerate(self.queries):
                truth = sorted((distance(case["metric"], query, row), slot)
                               for slot, row in enumerate(self.rows) if slot not in gone)
                best = {slot for _, slot in truth[:self.golden["k"]]}
                for search in case["searches"]:
                    hits = search["answers"][number]
                    self.sound(case, query, hits)
                    hit_count += len(best & {slot for _, _, slot in hits})
            self.assertGreater(hit_count, 0.95 * len(self.queries) * 2 * self.golden["k"])

    def sound(self, case, query, hits):
        self.assertEqual(len({slot for _, _, slot in hits}), self.golden["k"])
        told = [struct.unpack("<f", struct.pack("<I", bits))[0] for _, bits, _ in hits]
        self.assertEqual(told, sorted(told))
        for (key, _, slot), value in zip(hits, told):
            self.assertEqual(key, self.key_of(case, slot))
            true = distance(case["metric"], query, self.rows[slot])
            self.assertAlmostEqual(value, true, delta=1e-5)

    def test_large_keys_are_found(self):
        found = {key for case in self.golden["cases"] for search in case["searches"]
                 for hits in search["answers"] for key, _, _ in hits if case["keys"] == "u64"}
        self.assertTrue(any(int(key) > 1 << 63 for key in found))

    def test_tsv(self):
        with open(os.path.join(self.folder, "golden.tsv"), encoding="utf-8") as file:
            rows = [line.rstrip("\n").split("\t") for line in file]
        self.assertEqual(len(rows), len(self.golden["cases"]) * 2 * golden.QUERIES * golden.K)
        for name, ef, query, rank, key, bits, slot in rows:
            case = next(c for c in self.golden["cases"] if c["name"] == name)
            search = next(s for s in case["searches"] if s["ef"] == int(ef))
            self.assertEqual(search["answers"][int(query)][int(rank)],
                             [key, int(bits, 16), int(slot)])

    def test_words(self):
        """The images hold the words that they are made of, and the nearest of a word are alike."""
        with open(os.path.join(self.folder, "words.json"), encoding="utf-8") as file:
            words = json.load(file)
        with open(os.path.join(golden.DATA, "words-5k.txt"), encoding="utf-8") as file:
            names = file.read().split("\n")
        self.assertEqual([(case["codes"], case["count"]) for case in words["cases"]],
                         [("none", 5000), ("u7", 5000)])
        self.assertEqual(os.path.getsize(os.path.join(self.folder, words["queries"])),
                         200 * 4 * words["dim"])
        plain, codes = ([hits for hits in case["searches"][1]["answers"]]
                        for case in words["cases"])
        same = 0
        for one, other in zip(plain, codes):
            for key, _, slot in one + other:
                self.assertEqual(key, names[slot])
            same += len({tuple(hit) for hit in one} & {tuple(hit) for hit in other})
        self.assertGreater(same, 0.9 * len(plain) * golden.K)

    def test_a_wrong_answer_is_seen(self):
        """scratch.compare takes a program that prints what it should, and no other."""
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "program.py")
            with open(program, "w", encoding="utf-8") as file:
                file.write(ECHO)
            for wrong in ("", "bit", "lost", "more", "key"):
                command = [sys.executable, program, self.folder, wrong]
                if wrong == "":
                    self.assertEqual(scratch.compare(command, self.folder), 12000)
                else:
                    with self.assertRaises(scratch.Failed):
                        scratch.compare(command, self.folder)

    def test_made_once_and_again_when_damaged(self):
        command = COMMAND or os.path.join(self.folder, "command", "nigh")
        with tempfile.TemporaryDirectory() as folder:
            golden.make(folder, command)
            path = os.path.join(folder, "u64.nigh")
            first = os.stat(path).st_mtime_ns
            golden.make(folder, command)
            self.assertEqual(os.stat(path).st_mtime_ns, first)
            with open(os.path.join(folder, "stamp"), "w", encoding="utf-8") as file:
                file.write("another command")
            golden.make(folder, command)
            self.assertNotEqual(os.stat(path).st_mtime_ns, first)
            with open(path, "rb") as new, open(os.path.join(self.folder, "u64.nigh"), "rb") as old:
                self.assertEqual(new.read(), old.read())


if __name__ == "__main__":
    counted.main()
