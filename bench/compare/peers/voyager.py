# voyager.py - voyager in f32; its cosine makes unit rows itself
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Its inner product appends a dimension, so cosine it is."""
import voyager


class Index:
    def __init__(self, index):
        self.index, self.ef = index, 0

    def save(self, job):
        self.index.save(job.path)

    def set_ef(self, ef):
        self.ef = ef

    def search(self, queries, k):
        return self.index.query(queries, k, num_threads=1, query_ef=self.ef)[0]


def build(rows, job):
    space = voyager.Space.Euclidean if job.metric == "l2" else voyager.Space.Cosine
    index = voyager.Index(space, num_dimensions=job.dim, M=job.m, ef_construction=job.ef_build,
                          random_seed=job.seed, max_elements=len(rows))
    index.add_items(rows, num_threads=1)
    return Index(index)


def load(job):
    return Index(voyager.Index.load(job.path))
