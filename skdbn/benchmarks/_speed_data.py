"""Data for ``skdbn speed``, made up so that nothing is downloaded."""

import numpy as np
from scipy import sparse


def images(n_rows, n_features=784):
    """Grey levels in [0, 1], a fifth of them above 0, and classes that mean nothing."""
    rng = np.random.default_rng(0)
    X = np.empty((n_rows, n_features), np.float32)
    # A block at a time: the memory of a run is measured beside that of its data.
    for start in range(0, n_rows, 1000):
        block = X[start : start + 1000]
        rng.random(dtype=np.float32, out=block)
        block -= 0.8
        block *= 5
        np.clip(block, 0, 1, out=block)
    return X, rng.integers(10, size=n_rows)


def texts(n_rows, n_features):
    """Sparse rows with about one column in a hundred above 0, and no classes."""
    rng = np.random.default_rng(0)
    n_words = n_features // 100
    columns = rng.integers(n_features, size=n_rows * n_words, dtype=np.int32)
    ends = np.arange(0, len(columns) + 1, n_words, dtype=np.int32)
    X = sparse.csr_matrix(
        (np.ones(len(columns), np.float32), columns, ends), shape=(n_rows, n_features)
    )
    X.sum_duplicates()
    X.data = 1 - rng.random(X.nnz, np.float32)
    return X, None
