"""Level 1: what is done to the layers of a network in training alone.

Random numbers are read from a counter that is a function of the layer, the row's place in
the batch and the column, so that they do not depend on how a batch is shared out.
"""

import numpy as np

from ._kernels import kernel, normal, uniform


class Dropout:
    """Sets units to zero with a probability, and makes up for it in the others.

    Kept units are divided by the probability of being kept, so that the input of the next
    layer is the same in the mean, and predictions need nothing (inverted dropout).
    """

    n_counters = 1

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x, start, key):
        """Drop units of a slice of rows, in place."""
        keep = 1.0 - self.rate
        _drop(x, np.float32(self.rate), x.dtype.type(1.0 / keep), start, key)

    # The errors of the same units, by the same random numbers.
    backward = forward


class GaussianNoise:
    """Adds normal numbers of mean 0 and a standard deviation."""

    n_counters = 2

    def __init__(self, scale):
        self.scale = scale

    def forward(self, x, start, key):
        """Add noise to a slice of rows, in place."""
        _add_noise(x, x.dtype.type(self.scale), start, key)

    def backward(self, delta, start, key):
        """Leave the errors as they are."""


class Noise:
    """What is done to each layer of a network, with the random numbers of a batch.

    Parameters
    ----------
    layers : list of list
        What is done to each layer that is the input of another, one after the other.
    stream : Stream
    """

    def __init__(self, layers, stream):
        self.layers = layers
        self.stream = stream
        self.starts = None

    def draw(self, n_rows, sizes):
        """Reserve the random numbers of a batch for layers of these sizes."""
        self.starts = [
            [self.stream.take(part.n_counters * n_rows * size) for part in parts]
            for parts, size in zip(self.layers, sizes, strict=False)
        ]

    def forward(self, layer, x, first_row):
        """Change a slice of the rows of a layer, in place."""
        for part, start in self._parts(layer, x, first_row):
            part.forward(x, *start)

    def backward(self, layer, delta, first_row):
        """Multiply the errors of the changed rows by the derivative of the change."""
        for part, start in self._parts(layer, delta, first_row):
            part.backward(delta, *start)

    def _parts(self, layer, x, first_row):
        """What is done to a layer, with the first random number of a row and the key."""
        for part, (start, key) in zip(self.layers[layer], self.starts[layer], strict=True):
            offset = part.n_counters * first_row * x.shape[1]
            yield part, (start + np.uint64(offset), key)


@kernel
def _drop(x, rate, scale, start, key):
    zero = x.dtype.type(0)
    for i in range(x.shape[0]):
        first = start + np.uint64(i) * np.uint64(x.shape[1])
        for j in range(x.shape[1]):
            kept = uniform(first + np.uint64(j), key) >= rate
            x[i, j] = x[i, j] * scale if kept else zero


@kernel
def _add_noise(x, scale, start, key):
    for i in range(x.shape[0]):
        first = start + np.uint64(2) * np.uint64(i) * np.uint64(x.shape[1])
        for j in range(x.shape[1]):
            x[i, j] += scale * x.dtype.type(
                normal(first + np.uint64(2) * np.uint64(j), key)
            )
