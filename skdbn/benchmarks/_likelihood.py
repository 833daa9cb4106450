"""What the tables of ``skdbn likelihood`` share."""

import numpy as np
from sklearn.utils import gen_batches


def draw_bits(X, rng):
    """Draw images of zeros and ones whose means are the grey levels."""
    bits = np.empty(X.shape, np.uint8)
    for rows in gen_batches(len(X), 1000):
        bits[rows] = rng.random(X[rows].shape, np.float32) < X[rows]
    return bits
