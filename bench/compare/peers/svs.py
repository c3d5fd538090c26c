# svs.py - scalable-vs (SVS): a Vamana graph over f32
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Its degree is 2 M, what an HNSW has in layer 0; its window is ef. Unit rows are compared by l2,
which orders them as the angle does and prunes the graph as it was meant to be (alpha 1.2)."""
import svs

ALPHA = 1.2


class Index:
    def __init__(self, index):
        self.index = index

    def save(self, job):
        self.index.save(*parts(job))

    def set_ef(self, ef):
        self.index.search_window_size = ef

    def search(self, queries, k):
        return self.index.search(queries, k)[0]


def parts(job):
    return [f"{job.path}-{part}" for part in ("config", "graph", "data")]


def build(rows, job):
    parameters = svs.VamanaBuildParameters(alpha=ALPHA, graph_max_degree=2 * job.m,
                                           window_size=job.ef_build)
    return Index(svs.Vamana.build(parameters, rows, svs.DistanceType.L2, num_threads=1))


def load(job):
    config, graph, data = parts(job)
    loader = svs.VectorDataLoader(data, svs.DataType.float32)
    return Index(svs.Vamana(config, svs.GraphLoader(graph), loader, svs.DistanceType.L2,
                            num_threads=1))
