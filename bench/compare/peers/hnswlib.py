# hnswlib.py - hnswlib; its cosine makes unit rows and takes their inner product
# SPDX-License-Identifier: MIT OR Apache-2.0
import hnswlib


class Index:
    def __init__(self, job):
        self.index = hnswlib.Index(space="l2" if job.metric == "l2" else "cosine", dim=job.dim)

    def save(self, job):
        self.index.save_index(job.path)

    def set_ef(self, ef):
        self.index.set_ef(ef)

    def search(self, queries, k):
        return self.index.knn_query(queries, k=k, num_threads=1)[0]


def build(rows, job):
    made = Index(job)
    made.index.init_index(max_elements=len(rows), M=job.m, ef_construction=job.ef_build,
                          random_seed=job.seed)
    made.index.add_items(rows, num_threads=1)
    return made


def load(job):
    found = Index(job)
    found.index.load_index(job.path)
    return found
