#!/usr/bin/env python3
# datasets.py - the sets that the comparison runs on: made once, cached, with exact neighbours
# SPDX-License-Identifier: MIT OR Apache-2.0
"""usage: datasets.py [SET...]       make the sets (default: all) and say where they are

glove           340,479 words of 100 dimensions, 1,000 held out, cosine (tools/glove.py)
sentences       40,000 short descriptions of Debian packages, embedded by MiniLM (384 dimensions,
                unit length), 1,000 held out, cosine. The descriptions this machine's apt knows are
                lower-cased, sorted and told apart; a hash of the place draws the queries, then the
                base: the same list of packages gives the same rows in the same order
clustered-1m    1,000,000 x 128, 1,000 clusters in 24 dimensions turned into 128, l2; 1,000 queries
                drawn the same way. Every product is exact, so every BLAS gives the same bytes
clustered-200k  the first 200,000 of it

Files in ${XDG_CACHE_HOME:-~/.cache}/nigh; prefixes and unit rows, which are quick to make, in
build/bench/sets."""
import dataclasses
import glob
import os
import shutil
import subprocess
import sys

import numpy

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import glove  # noqa: E402  (after the path to it)
import minilm  # noqa: E402

QUERIES, TRUTH_K, SEED = 1000, 100, 42
SENTENCES = 40000
CLUSTERED_ROWS, CLUSTERS, LATENT, CLUSTERED_DIM, SPREAD, BLOCK = 1000000, 1000, 24, 128, 0.7, 50000
PREFIXES = {"clustered-200k": ("clustered-1m", 200000)}
TITLES = {"glove": "GloVe-100", "sentences": "MiniLM sentences", "clustered-1m": "clustered",
          "clustered-200k": "clustered"}
NAMES = list(TITLES)


@dataclasses.dataclass
class Set:
    """Paths of one set. `unit` rows are of length 1 under cosine, else they are the base."""
    name: str
    metric: str  # cosine or l2
    count: int
    dim: int
    base: str
    queries: str
    unit: str
    unit_queries: str
    truth: str  # .ivecs, TRUTH_K a query

    @property
    def title(self):
        return f"{TITLES[self.name]}, {self.count:,} x {self.dim}, {self.metric}"

    @property
    def label(self):
        """Part of file names: says when it is not the whole set."""
        whole = self.count == numpy.load(whole_set(self.name)[0], mmap_mode="r").shape[0]
        return self.name if whole or self.name in PREFIXES else f"{self.name}-{self.count}"

    def true_ids(self, k):
        return numpy.fromfile(self.truth, "<i4").reshape(-1, TRUTH_K + 1)[:, 1:k + 1]


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "nigh")


def scratch():
    return os.path.join(ROOT, "build", "bench", "sets")


def save(path, rows):
    """A .npy, whole or not there at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "wb") as file:
        numpy.save(file, rows)
    os.replace(path + ".part", path)


# ---- Sentences ----------------------------------------------------------------------------------


def descriptions():
    """Short descriptions of all packages that apt knows, sorted, each once."""
    if shutil.which("apt-cache") is None:
        raise SystemExit("datasets: the sentences are package descriptions and need apt-cache")
    text = subprocess.run(["apt-cache", "dumpavail"], check=True, stdout=subprocess.PIPE,
                          env={**os.environ, "LC_ALL": "C.UTF-8"}).stdout.decode(errors="replace")
    return sorted({" ".join(line.split(":", 1)[1].lower().split()) for line in text.split("\n")
                   if line.startswith(("Description:", "Description-en:"))} - {""})


def sentences(base_path, query_path):
    texts = descriptions()
    if len(texts) < SENTENCES + QUERIES:
        raise SystemExit(f"datasets: apt knows {len(texts)} descriptions, {SENTENCES + QUERIES} "
                         "are needed (apt-get update?)")
    texts = [texts[row] for row in glove.draw(range(len(texts)), SENTENCES + QUERIES)]
    progress = glove.Progress("embedding package descriptions", len(texts), "texts")
    rows = minilm.embed(texts, progress.at)
    progress.end()
    for path, part in ((query_path, slice(0, QUERIES)), (base_path, slice(QUERIES, None))):
        with open(path[:-4] + ".txt", "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts[part])
        save(path, rows[part])


# ---- Clustered ----------------------------------------------------------------------------------


def grid(random, *shape, scale=1.0):
    """Normal numbers on a grid of 2^-10, so that sums of their products are exact."""
    return numpy.rint(random.standard_normal(shape) * (scale * 1024)) / 1024


def clustered_rows(block, count):
    """The first `count` rows of a block: the base is made of blocks 0, 1, ..., queries are -1."""
    shared = numpy.random.Generator(numpy.random.PCG64([SEED, 0]))
    centres = grid(shared, CLUSTERS, LATENT)
    turn = grid(shared, LATENT, CLUSTERED_DIM, scale=LATENT ** -0.5)
    random = numpy.random.Generator(numpy.random.PCG64([SEED, 2 + block]))
    chosen = random.integers(0, CLUSTERS, BLOCK)[:count]
    latent = centres[chosen] + grid(random, count, LATENT, scale=SPREAD)
    return (latent @ turn).astype("<f4")


def clustered(base_path, query_path):
    save(query_path, clustered_rows(-1, QUERIES))
    progress = glove.Progress("making clustered rows", CLUSTERED_ROWS, "rows")
    rows = numpy.lib.format.open_memmap(base_path + ".part", "w+", "<f4",
                                        (CLUSTERED_ROWS, CLUSTERED_DIM))
    for block in range(CLUSTERED_ROWS // BLOCK):
        rows[block * BLOCK:(block + 1) * BLOCK] = clustered_rows(block, BLOCK)
        progress.at((block + 1) * BLOCK)
    rows.flush()
    os.replace(base_path + ".part", base_path)
    progress.end()


# ---- Exact neighbours ---------------------------------------------------------------------------


def unit(rows):
    rows = rows.astype(numpy.float64)
    return rows / numpy.sqrt((rows * rows).sum(axis=1, keepdims=True))


def nearest(base, queries, metric, k=TRUTH_K):
    """Ids of the exact nearest rows, in double precision, block by block."""
    wanted = unit(queries) if metric == "cosine" else queries.astype(numpy.float64)
    k, found = min(k, len(base)), None
    for start in range(0, len(base), 20000):
        rows = base[start:start + 20000]
        rows = unit(rows) if metric == "cosine" else rows.astype(numpy.float64)
        far = -(wanted @ rows.T)
        if metric == "l2":
            far = 2 * far + (rows * rows).sum(axis=1)
        top = numpy.argpartition(far, min(k, len(rows)) - 1, axis=1)[:, :k]
        part = (numpy.take_along_axis(far, top, 1), top + start)
        if found is not None:
            part = tuple(numpy.concatenate(pair, axis=1) for pair in zip(found, part))
        order = numpy.lexsort((part[1], part[0]), axis=1)[:, :k]
        found = tuple(numpy.take_along_axis(half, order, 1) for half in part)
    return found[1]


def save_ivecs(path, ids):
    rows = numpy.full((len(ids), TRUTH_K + 1), TRUTH_K, "<i4")
    rows[:, 1:] = ids
    rows.tofile(path + ".part")
    os.replace(path + ".part", path)


# ---- A set --------------------------------------------------------------------------------------


def whole_set(name):
    """(base path, query path, metric) of a whole set, which is made when it is not there."""
    folder = cache()
    os.makedirs(folder, exist_ok=True)
    name = PREFIXES.get(name, (name,))[0]
    if name == "glove":
        glove.make(folder)
        return (os.path.join(folder, "glove-100-base.npy"),
                os.path.join(folder, "glove-100-queries.npy"), "cosine")
    make, stem, metric = {"sentences": (sentences, "sentences-384", "cosine"),
                          "clustered-1m": (clustered, "clustered-128", "l2")}[name]
    paths = [os.path.join(folder, f"{stem}-{part}.npy") for part in ("base", "queries")]
    if not all(map(os.path.exists, paths)):
        for old in (cache(), scratch()):  # what was made of another base
            for path in glob.glob(os.path.join(glob.escape(old), stem + "-*")):
                os.remove(path)
        make(*paths)
    return (*paths, metric)


def prepare(name, rows=0):
    """The set, or its first `rows` rows, with everything a contender needs on disk."""
    base_path, query_path, metric = whole_set(name)
    base = numpy.load(base_path, mmap_mode="r")
    rows = min(rows or len(base), PREFIXES.get(name, (name, len(base)))[1], len(base))
    stem = os.path.basename(base_path).replace("-base.npy", "")
    if rows < len(base):
        base, base_path = base[:rows], os.path.join(scratch(), f"{stem}-base-{rows}.npy")
        if not os.path.exists(base_path):
            save(base_path, base)
    truth = os.path.join(cache() if rows >= SENTENCES else scratch(),
                         f"{stem}-top{TRUTH_K}-{rows}.ivecs")
    queries = numpy.load(query_path)
    if not os.path.exists(truth):
        print(f"exact neighbours of {len(queries):,} queries among {rows:,} rows ...",
              file=sys.stderr, flush=True)
        save_ivecs(truth, nearest(base, queries, metric))
    unit_path, unit_query_path = base_path, query_path
    if metric == "cosine":
        unit_path = os.path.join(scratch(), f"{stem}-unit-{rows}.npy")
        unit_query_path = os.path.join(scratch(), f"{stem}-unit-queries.npy")
        for path, part in ((unit_path, base), (unit_query_path, queries)):
            if not os.path.exists(path):
                save(path, unit(part).astype("<f4"))
    return Set(name, metric, rows, base.shape[1], base_path, query_path, unit_path,
               unit_query_path, truth)


def main(names):
    if set(names) - set(NAMES):
        print(__doc__)
        return 2
    for name in names or NAMES:
        made = prepare(name)
        print(f"{made.title}: {made.base}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
