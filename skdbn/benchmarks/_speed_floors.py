"""The floor of a case: its matrix products alone, without what finishes their results."""

from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches


class Floor:
    """Matrix products that are done again and again, into buffers allocated once.

    Parameters
    ----------
    products : list of (left, right, out)
        ``np.dot(left, right, out=out)``, or ``left @ right`` if left is sparse, which
        takes no out.
    n_units : int
        What doing them once counts as, such as the rows of a batch.
    n_repeats : int, default=1
    """

    def __init__(self, products, n_units, n_repeats=1):
        self.products = products
        self.n_units = n_units
        self.n_repeats = n_repeats

    def __call__(self):
        """Do the products; returns the number of units done."""
        for _ in range(self.n_repeats):
            for left, right, out in self.products:
                if out is None:
                    left @ right
                else:
                    np.dot(left, right, out=out)
        return self.n_repeats * self.n_units

    @property
    def multiply_adds(self):
        """Number of multiplications, each with an addition, of one unit."""
        total = sum(
            (left.nnz if sparse.issparse(left) else left.size) * right.shape[1]
            for left, right, _ in self.products
        )
        return total / self.n_units


def cd1(n_features, n_components, batch_size, n_batches):
    """The five products of contrastive divergence: up, down, up, and both gradients."""
    make = _Arrays()
    weights = make.random(n_components, n_features)
    v0, v1 = make.random(batch_size, n_features), make.empty(batch_size, n_features)
    h0, h1 = (make.empty(batch_size, n_components) for _ in range(2))
    products = [
        (v0, weights.T, h0),
        (h0, weights, v1),
        (v1, weights.T, h1),
        (h0.T, v0, make.empty(n_components, n_features)),
        (h1.T, v1, make.empty(n_components, n_features)),
    ]
    return Floor(products, batch_size, n_batches)


def sparse_cd1(batch, n_components, n_batches):
    """The same for a sparse batch, which is not made dense in the positive phase."""
    make = _Arrays()
    batch_size, n_features = batch.shape
    # Components in columns: the other way round scipy copies the weights for each product.
    weights = make.random(n_features, n_components)
    v1, h1 = make.empty(batch_size, n_features), make.empty(batch_size, n_components)
    h0 = make.random(batch_size, n_components)
    products = [
        (batch, weights, None),
        (h0, weights.T, v1),
        (v1, weights, h1),
        (batch.T, h0, None),
        (v1.T, h1, make.empty(n_features, n_components)),
    ]
    return Floor(products, batch_size, n_batches)


def backpropagation(sizes, batch_size, n_batches, n_units):
    """Forward through a network, backward, and the gradients of the weights."""
    make = _Arrays()
    layers = [make.random(batch_size, size) for size in sizes]
    deltas = [make.random(batch_size, size) for size in sizes]
    weights = [make.random(*pair) for pair in pairwise(sizes)]
    depth = len(weights)
    forward = [(layers[i], weights[i], layers[i + 1]) for i in range(depth)]
    backward = []
    for i in reversed(range(depth)):
        gradient = make.empty(*weights[i].shape)
        backward.append((layers[i].T, deltas[i + 1], gradient))
        if i > 0:
            backward.append((deltas[i + 1], weights[i].T, deltas[i]))
    return Floor(forward + backward, n_units, n_batches)


def transform(X, sizes, block_rows):
    """Up through layers, a block of rows after the other, into one array of results."""
    make = _Arrays()
    weights = [make.random(*pair) for pair in pairwise(sizes)]
    between = [make.empty(block_rows, size) for size in sizes[1:-1]]
    result = make.empty(len(X), sizes[-1])
    products = []
    for rows in gen_batches(len(X), block_rows):
        n = rows.stop - rows.start
        layers = [X[rows], *(buffer[:n] for buffer in between), result[rows]]
        products += zip(layers, weights, layers[1:], strict=False)
    return Floor(products, len(X))


def gibbs(n_features, n_components, n_chains, n_steps):
    """Up and down between the layers of an RBM, once a step."""
    make = _Arrays()
    weights = make.random(n_components, n_features)
    v, h = make.random(n_chains, n_features), make.empty(n_chains, n_components)
    down = make.empty(n_chains, n_features)
    return Floor([(v, weights.T, h), (h, weights, down)], 1, n_steps)


class _Arrays:
    """Makes float32 arrays, the random ones with numbers as small as weights."""

    def __init__(self):
        self._rng = np.random.default_rng(0)

    def random(self, *shape):
        """Small random numbers, so that no product overflows."""
        return 0.01 * self._rng.random(shape, np.float32)

    def empty(self, *shape):
        """An array to be filled by a product."""
        return np.zeros(shape, np.float32)
