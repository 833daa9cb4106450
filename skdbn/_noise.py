"""Level 1: what is done to the layers of a network in training alone.

Random numbers are read from a counter that is a function of the layer, the row's place in
the batch and the column, so that they do not depend on how a batch is shared out.
"""

import numpy as np

from ._kernels import kernel, log, squares32, uniform


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

    n_counters = 1

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


_NEAR = tuple(
    np.array(
        [
            2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4,
            -1.25372503e-3, -4.17768164e-3, 0.246640727, 1.50140941,
        ],
        np.float32,
    )
)  # fmt: skip
_FAR = tuple(
    np.array(
        [
            -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3,
            -7.6224613e-3, 9.43887047e-3, 1.00167406, 2.83297682,
        ],
        np.float32,
    )
)  # fmt: skip


# The normal quantile of a uniform number, to 1e-6, by the single-precision polynomials of
# Giles (2010), "Approximating the erfinv function". Unlike the cosines of Box and Muller it
# vectorises. It takes the distance to the nearer end of (0, 1), which float32 can tell.
@kernel
def _add_noise(x, scale, start, key):
    half, one, four = np.float32(0.5), np.float32(1), np.float32(4)
    unit, middle = np.float32(2**-32), np.float32(2.5)
    five, three, root = np.float32(5), np.float32(3), np.float32(1.41421356)
    zero, two = np.float32(0), np.float32(2)
    a8, a7, a6, a5, a4, a3, a2, a1, a0 = _NEAR
    b8, b7, b6, b5, b4, b3, b2, b1, b0 = _FAR
    for i in range(x.shape[0]):
        first = start + np.uint64(i) * np.uint64(x.shape[1])
        for j in range(x.shape[1]):
            bits = squares32(first + np.uint64(j), key)
            # 31 bits for the distance, one for the side.
            v = (np.float32(np.int32(bits >> np.uint64(1))) + half) * unit
            side = one - two * np.float32(np.int32(bits & np.uint64(1)))
            w = -log(four * v * (one - v))
            n, f = w - middle, np.sqrt(w if w > zero else zero) - three
            near = a3 + n * (a4 + n * (a5 + n * (a6 + n * (a7 + n * a8))))
            near = a0 + n * (a1 + n * (a2 + n * near))
            far = b3 + f * (b4 + f * (b5 + f * (b6 + f * (b7 + f * b8))))
            far = b0 + f * (b1 + f * (b2 + f * far))
            quantile = root * (one - v - v) * (near if w < five else far)
            x[i, j] += scale * x.dtype.type(side * quantile)
