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
