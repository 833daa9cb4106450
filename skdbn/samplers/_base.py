"""What a sampler has to do, and the buffers in which it does it."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator

from .._batches import take_rows
from .._kernels import kernel
from .._products import CSRRows, add_right_gradient, column_sums, product_transposed
from .._random import Stream
from .._threads import LEAST_ROWS, MOST_PARTS, split


class Sampler(ABC, BaseEstimator):
    """Base class of the ways to estimate the negative phase of the gradient."""

    @abstractmethod
    def negative(self, energy, part):
        """Fill ``visible_model`` and ``hidden_model`` of a part of a batch.

        Given are its ``states``, hidden states drawn given the data, which may be
        overwritten, and its ``stream`` of random numbers. Parts of a batch are worked on
        by several threads at once.
        """


class Part:
    """Some rows of a batch, with a random number stream of their own.

    Attributes
    ----------
    visible_data : ndarray or CSRRows of shape (n, n_features)
    visible_model : ndarray of shape (n, n_features)
    hidden_data, hidden_model : ndarray of shape (n, n_components)
        Conditional means.
    states : ndarray of shape (n, n_components)
    stream : Stream
    """

    def __init__(self, phases, rows, n, stream):
        self.rows = rows
        self.stream = stream
        model = slice(n + rows.start, n + rows.stop)
        self.hidden_data, self.hidden_model = phases.hidden[rows], phases.hidden[model]
        self.states = phases.states[rows]
        self.visible_data = self.buffer = None if phases.sparse else phases.visible[rows]
        self.visible_model = phases.visible[rows if phases.sparse else model]
        self.difference = np.empty(phases.visible.shape[1], phases.visible.dtype)

    def positive(self, energy, data, rows):
        """Load rows of the data; hidden means and states given them."""
        self.visible_data = take_rows(data, rows[self.rows], self.buffer)
        H = product_transposed(self.visible_data, energy.weights, self.hidden_data)
        energy.hidden.sample(H, energy.hidden_bias, self.states, self.stream)

    def compare(self):
        """Sum what the model's rows are more than the data's; returns the squared error."""
        np.negative(self.hidden_data, out=self.hidden_data)
        V, X = self.visible_model, self.visible_data
        if isinstance(X, CSRRows):
            return _compare_csr(*X.arrays, V, self.difference)
        return _compare(X, V, self.difference)


class Phases:
    """The two phases of a batch of n rows, one above the other in one buffer a side.

    Rows [0, n) are driven by the data, rows [n, 2n) by the model, so that both halves of
    the gradient of the weights are one matrix product. Sparse data are left where they
    are: then the visible buffer has the model's rows only.

    Parameters
    ----------
    n_rows : int
        The largest batch.
    n_features, n_components : int
    dtype : dtype
    random_state : RandomState
        Seeds a stream for each part of a batch.
    sparse : bool
    """

    def __init__(self, n_rows, n_features, n_components, dtype, random_state, sparse):
        self.sparse = sparse
        self.visible = np.empty((n_rows if sparse else 2 * n_rows, n_features), dtype)
        self.hidden = np.empty((2 * n_rows, n_components), dtype)
        self.states = np.empty((n_rows, n_components), dtype)
        self.streams = [Stream(random_state) for _ in range(MOST_PARTS)]
        self._parts = {}

    def parts(self, n):
        """The parts of a batch of n rows, three products of which are theirs."""
        if n not in self._parts:
            work = 3 * n * self.visible.shape[1] * self.hidden.shape[1]
            self._parts[n] = [
                Part(self, rows, n, stream)
                for rows, stream in zip(
                    split(n, LEAST_ROWS, work), self.streams, strict=False
                )
            ]
        return self._parts[n]

    def gradient(self, n, components, weights, hidden_bias):
        """Gradient of the negative log-likelihood of n rows for a slice of components.

        It is summed over the rows, into the arrays, which are of the slice alone.
        """
        hidden = self.hidden[: 2 * n, components]
        if self.sparse:
            np.dot(hidden[n:].T, self.visible[:n], out=weights)
            for part in self.parts(n):
                add_right_gradient(part.hidden_data, part.visible_data, components, weights)
        else:
            np.dot(hidden.T, self.visible[: 2 * n], out=weights)
        column_sums(self.hidden[: 2 * n], components, hidden_bias)


@kernel
def _compare(data, model, difference):
    difference[:] = 0
    total = 0.0
    for i in range(data.shape[0]):
        error = data.dtype.type(0)
        for j in range(data.shape[1]):
            d = model[i, j] - data[i, j]
            difference[j] += d
            error += d * d
        total += error
    return total


@kernel
def _compare_csr(indptr, indices, data, rows, model, difference):
    difference[:] = 0
    total = 0.0
    for i in range(rows.size):
        error = model.dtype.type(0)
        for j in range(model.shape[1]):
            difference[j] += model[i, j]
            error += model[i, j] * model[i, j]
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x, j = model.dtype.type(data[p]), indices[p]
            difference[j] -= x
            error += x * x - model.dtype.type(2) * x * model[i, j]
        total += error
    return total
