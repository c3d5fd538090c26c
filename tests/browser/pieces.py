#!/usr/bin/env python3
# pieces.py - texts and the ids that the Python package tokenizers makes of them, for page.test.mjs
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: pieces.py FOLDER      prints [[text, ids], ...] for the pieces and words that prepare.py
has put there: all definitions, and letters of all kinds"""
import gzip
import json
import os
import random
import sys

import tokenizers

MAX = 64
KINDS = [range(0x20, 0x7f), range(0, 0x20), range(0x80, 0x250), range(0x250, 0x600),
         range(0x1e00, 0x2100), range(0x3000, 0x3100), range(0x4e00, 0x4e40), range(0xa000, 0xa100),
         range(0xac00, 0xac40), range(0xfb00, 0xfb50), range(0xff00, 0xfff0),
         range(0x10400, 0x10450), range(0x1d400, 0x1d440), range(0x1f600, 0x1f640),
         range(0x20000, 0x20020)]
TEXTS = [
    "", " ", "\t\n\r", "Naïve CAFÉ, déjà vu — “quoted”… it's 3.14€!", "a" * 100, "a" * 101,
    "ß ẞ İstanbul ıI Σίσυφος ὈΔΥΣΣΕΎΣ", "don't can't o'clock rock'n'roll e-mail",
    "東京 ひらがな カタカナ", "zero\u200bwidth \u00ad soft \ufeff mark \u0000 nul \ufffd",
    "\u2028line\u2029 \u00a0 \u3000 \x85 \x0b", "e\u0301 \u1e69\u0323 \u0b95\u0bcd",
    "👩‍👩‍👧 🇪🇺 ✌🏽", "x²+y² ½ ™ ℃ №", "##ing [x]",
    "word " * 200, "supercalifragilisticexpialidocious " * 9]


def drawn(count):
    """Texts of letters from everywhere; runs of one kind, as texts have them."""
    draw = random.Random(7)
    for _ in range(count):
        text = ""
        for _ in range(draw.randint(1, 12)):
            kind = draw.choice(KINDS if draw.random() < 0.5 else KINDS[:1])
            text += "".join(chr(draw.choice(kind)) for _ in range(draw.randint(1, 6)))
            text += draw.choice(["", " ", "-", "\u0301", "'"])
        yield text


def content(folder, stem):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        name = json.load(file)["files"][stem]["file"]
    with gzip.open(os.path.join(folder, name), "rt", encoding="utf-8", newline="\n") as file:
        return file.read().split("\n")[:-1]


def main(folder):
    pieces = content(folder, "pieces")
    tokens = tokenizers.BertWordPieceTokenizer(
        {piece: number for number, piece in enumerate(pieces)}, lowercase=True)
    tokens.enable_truncation(MAX)
    texts = [line.split("\t")[2] for line in content(folder, "words")] + TEXTS + list(drawn(3000))
    json.dump([[text, encoding.ids] for text, encoding in zip(texts, tokens.encode_batch(texts))],
              sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
