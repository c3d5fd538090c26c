# examples.py - what the examples for boards must print, from the nigh command alone
# SPDX-License-Identifier: MIT OR Apache-2.0
import json
import os
import re
import struct

import images

EXAMPLES = os.path.join(images.ROOT, "embedded", "examples")


# ---- Words ---------------------------------------------------------------------------------------


def words(maker, image):
    """Lines of words.c, without the decimal distances."""
    with open(os.path.join(EXAMPLES, "words", "words.c"), encoding="utf-8") as file:
        listed = re.search(r"words\[\] = \{(.*?)\}", file.read(), re.DOTALL).group(1)
    for word in re.findall(r'"(\w+)"', listed):
        yield f"near {word}"
        told = json.loads(maker.nigh("near", image, word, "-k", "5", "--json"))
        for hit in told["hits"]:
            bits = struct.unpack("<I", struct.pack("<f", hit["distance"]))[0]
            yield f"{hit['key']}\t{bits:08x}"


def without_decimals(output):
    return [re.sub(r"\t\d\.\d{6}\t", "\t", line) for line in output.split("\n")
            if line.startswith("near ") or "\t" in line]


# ---- Voice ---------------------------------------------------------------------------------------

FRAMES, COEFFICIENTS, EF = 6, 12, 24


def utterances(name):
    """(speaker, frames) of a file in voice/data."""
    with open(os.path.join(EXAMPLES, "voice", "data", name), "rb") as file:
        data = file.read()
    at = 0
    while at < len(data):
        speaker, count = data[at], data[at + 1]
        values = struct.unpack_from(f"<{count * COEFFICIENTS}h", data, at + 2)
        yield speaker, [values[row:row + COEFFICIENTS]
                        for row in range(0, len(values), COEFFICIENTS)]
        at += 2 + 2 * len(values)


def row_of(frames, least, most):
    row = []
    for i in range(FRAMES):
        before, later = divmod(i * (len(frames) - 1), FRAMES - 1)
        after = frames[before + 1] if later else frames[before]
        for j in range(COEFFICIENTS):
            span = (most[j] - least[j]) * (FRAMES - 1)
            value = (frames[before][j] * (FRAMES - 1 - later) + after[j] * later
                     - least[j] * (FRAMES - 1))
            row.append(min(max(value, 0), span) * 255 // span)
    return row


def voice(maker):
    """(image, lines of voice.c, how many speakers are told rightly)"""
    known, heard = list(utterances("known.bin")), list(utterances("heard.bin"))
    columns = list(zip(*(frame for _, frames in known for frame in frames)))
    least, most = [min(column) for column in columns], [max(column) for column in columns]
    for name, some in (("known", known), ("heard", heard)):
        images.save_npy(maker.path(f"voice-{name}.npy"),
                        [row_of(frames, least, most) for _, frames in some], "B")
    maker.nigh("build", "voice-known.npy", "-o", "voice.plain.nigh", "--metric", "l2", "--m", "6")
    maker.nigh("pack", "voice.plain.nigh", "-o", "voice.nigh")
    told = json.loads(maker.nigh("search", "voice.nigh", "voice-heard.npy", "-k", "1", "--ef",
                                 str(EF), "--json"))
    lines, right = [], 0
    for at, ((speaker, _), hits) in enumerate(zip(heard, told["hits"])):
        bits = struct.unpack("<I", struct.pack("<f", hits[0]["distance"]))[0]
        who = known[hits[0]["slot"]][0]
        lines.append(f"{at}\t{who}\t{hits[0]['slot']}\t{bits:08x}")
        right += who == speaker
    return maker.path("voice.nigh"), lines, right
