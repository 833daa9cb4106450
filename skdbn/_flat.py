"""Level 0: several arrays in one flat array, which is all that an optimiser sees."""

import numpy as np

from ._kernels import kernel


def flatten(arrays, dtype):
    """Concatenate arrays into one flat array of the given dtype, always a copy."""
    return np.concatenate([np.ravel(a) for a in arrays]).astype(dtype, copy=False)


def views(flat, shapes):
    """Views of a flat array in the given shapes, one after the other."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    return [
        part.reshape(shape)
        for part, shape in zip(np.split(flat, ends), shapes, strict=True)
    ]


@kernel
def add_scaled(x, factor, out):
    """``out += factor * x`` for flat arrays, without a temporary array."""
    for i in range(x.size):
        out[i] += factor * x[i]


@kernel
def add_sign(x, factor, out):
    """``out += factor * sign(x)`` for flat arrays."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] += factor if x[i] > zero else (-factor if x[i] < zero else zero)


@kernel
def squared_norm(x):
    """Sum of squares, in float64: millions of terms go into it."""
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(x[i])
    return total


@kernel
def blend(x, part, out):
    """Move ``out`` a part of the way to x, for flat arrays."""
    for i in range(x.size):
        out[i] += part * (x[i] - out[i])


@kernel
def limit_columns(weights, limit, norms):
    """Shrink the columns of a matrix whose norm is above a limit, by way of ``norms``."""
    one = weights.dtype.type(1)
    norms[:] = 0
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            norms[j] += weights[i, j] * weights[i, j]
    for j in range(norms.size):
        norm = np.sqrt(norms[j])
        norms[j] = limit / norm if norm > limit else one
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            weights[i, j] *= norms[j]
