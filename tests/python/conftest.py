# conftest.py - vectors that the tests of the Python package share
# SPDX-License-Identifier: MIT OR Apache-2.0
import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def vectors(rng):
    """2,000 clustered vectors of 24 floats."""
    centers = rng.standard_normal((40, 24)) * 2
    return (centers[rng.integers(0, 40, 2000)] +
            rng.standard_normal((2000, 24))).astype(np.float32)


@pytest.fixture(scope="session")
def exact():
    """exact(vectors, query, k): the nearest rows by squared distance, in double precision."""
    def nearest(vectors, query, k):
        apart = vectors.astype(np.float64) - np.asarray(query, np.float64)
        return np.argsort((apart * apart).sum(axis=1), kind="stable")[:k]
    return nearest
