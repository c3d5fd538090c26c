# wordnet.py - definitions of English words out of the files of WordNet 3.1
# SPDX-License-Identifier: MIT OR Apache-2.0
"""One line of data.noun or data.verb is one meaning: what it is about, its words, and after a bar
its definition and examples. index.sense numbers the meanings of a word by how common they are."""
import os
import re

KINDS = {"noun": "1", "verb": "2"}
# Numbers of the files that lexicographers wrote meanings into (lexnames(5)).
ANIMALS, PLANTS = 5, 20
WORD = re.compile(r"[a-z]+(-[a-z]+)*")
EXAMPLES = re.compile(r'; (?=")')
LENGTHS = range(12, 141)  # of a definition: shorter ones say little, longer ones fill a screen


def senses(folder):
    """{(kind, word, place of the meaning): (number, how often texts use it)}"""
    found = {}
    with open(os.path.join(folder, "index.sense"), encoding="utf-8") as file:
        for line in file:
            key, place, number, uses = line.split()
            word, rest = key.split("%")
            found[rest[0], word, place] = int(number), int(uses)
    return found


def definitions(folder):
    """[(word, kind, definition, uses)]: the most common meaning of each noun and verb of one word.
    Left out are names, and animals and plants that no text of the corpus speaks of."""
    known, out = senses(folder), []
    for kind, digit in KINDS.items():
        with open(os.path.join(folder, f"data.{kind}"), encoding="utf-8") as file:
            for line in file:
                if line.startswith("  "):  # the licence
                    continue
                head, text = line.split(" | ", 1)
                fields = head.split()
                place, about, count = fields[0], int(fields[1]), int(fields[3], 16)
                text = EXAMPLES.split(text.strip())[0].rstrip("; ")
                if "@i" in fields or len(text) not in LENGTHS:
                    continue
                for word in fields[4:4 + 2 * count:2]:
                    number, uses = known.get((digit, word, place), (0, 0))
                    if number == 1 and WORD.fullmatch(word) and \
                            (uses or about not in (ANIMALS, PLANTS)):
                        out.append((word, kind, text, uses))
                        break
    return out


def licence(folder):
    """WordNet's own licence, which goes where its text goes."""
    with open(os.path.join(folder, "data.noun"), encoding="utf-8") as file:
        lines = [line for line in iter(file.readline, "") if line.startswith("  ")][:40]
    return "".join(re.sub(r"^ +\d+ ?", "", line).rstrip() + "\n" for line in lines)
