# usearch.py - usearch in f32 or i8 (the option of the job)
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Unit rows are compared by inner product, which saves its cosine both norms. Its own rounding to
i8 takes numbers from -1 to 1 as -127 to 127, so rows and queries in i8 are given as integers that
one factor for all makes of them: the largest number of the base becomes 127."""
import json

import numpy
from usearch.index import Index as Usearch


class Index:
    def __init__(self, job, scale=None):
        self.i8, self.scale = job.option == "i8", scale
        self.index = Usearch(ndim=job.dim, metric="l2sq" if job.metric == "l2" else "ip",
                             dtype=job.option, connectivity=job.m, expansion_add=job.ef_build)

    def rows(self, rows):
        if not self.i8:
            return rows
        return numpy.clip(numpy.rint(rows * self.scale), -127, 127).astype(numpy.int8)

    def save(self, job):
        self.index.save(job.path)
        with open(job.path + ".json", "w", encoding="ascii") as file:
            json.dump(self.scale, file)

    def set_ef(self, ef):
        self.index.expansion_search = ef

    def search(self, queries, k):
        return self.index.search(self.rows(queries), k, threads=1).keys.astype(numpy.int64)


def build(rows, job):
    made = Index(job, 127 / float(numpy.abs(rows).max()) if job.option == "i8" else None)
    made.index.add(numpy.arange(len(rows), dtype=numpy.uint64), made.rows(rows), threads=1)
    return made


def load(job):
    with open(job.path + ".json", encoding="ascii") as file:
        found = Index(job, json.load(file))
    found.index.load(job.path)
    return found
