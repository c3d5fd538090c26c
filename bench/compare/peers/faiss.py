# faiss.py - faiss HNSW over f32 ("flat") or 8-bit codes ("sq8"; the option of the job)
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Unit rows are compared by inner product."""
import faiss

faiss.omp_set_num_threads(1)


class Index:
    def __init__(self, index):
        self.index = index

    def save(self, job):
        faiss.write_index(self.index, job.path)

    def set_ef(self, ef):
        self.index.hnsw.efSearch = ef

    def search(self, queries, k):
        return self.index.search(queries, k)[1]


def build(rows, job):
    metric = faiss.METRIC_L2 if job.metric == "l2" else faiss.METRIC_INNER_PRODUCT
    if job.option == "sq8":
        index = faiss.IndexHNSWSQ(job.dim, faiss.ScalarQuantizer.QT_8bit, job.m, metric)
    else:
        index = faiss.IndexHNSWFlat(job.dim, job.m, metric)
    index.hnsw.efConstruction = job.ef_build
    index.train(rows)
    index.add(rows)
    return Index(index)


def load(job):
    return Index(faiss.read_index(job.path))
