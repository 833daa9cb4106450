"""What a sampler has to do: fill the negative half of a batch."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator


class Sampler(ABC, BaseEstimator):
    """Base class of the ways to estimate the negative phase of the gradient."""

    @abstractmethod
    def negative(self, energy, phases, n, stream):
        """Fill the negative half of ``phases`` for its first n rows."""


class Phases:
    """The two phases of a batch of n rows, one above the other in one buffer a side.

    Rows [0, n) are driven by the data, rows [n, 2n) by the model, so that both halves of
    the gradient of the weights are one matrix product.

    Parameters
    ----------
    n_rows : int
        The largest batch.
    n_features, n_components : int
    dtype : dtype
    """

    def __init__(self, n_rows, n_features, n_components, dtype):
        self.visible = np.empty((2 * n_rows, n_features), dtype)
        self.hidden = np.empty((2 * n_rows, n_components), dtype)
        self.states = np.empty((n_rows, n_components), dtype)
        self.difference = np.empty((n_rows, n_features), dtype)

    def positive(self, energy, n, stream):
        """Hidden means and states given the n data rows in ``visible``."""
        H = np.dot(self.visible[:n], energy.weights.T, out=self.hidden[:n])
        energy.hidden.sample(H, energy.hidden_bias, self.states[:n], stream)

    def gradient(self, n, weights, visible_bias, hidden_bias):
        """Gradient of the negative log-likelihood of n rows, summed, into the arrays.

        Returns the summed squared difference of the two visible halves.
        """
        data, model = self.visible[:n], self.visible[n : 2 * n]
        np.negative(self.hidden[:n], out=self.hidden[:n])
        np.dot(self.hidden[: 2 * n].T, self.visible[: 2 * n], out=weights)
        np.sum(self.hidden[: 2 * n], axis=0, out=hidden_bias)
        difference = np.subtract(model, data, out=self.difference[:n]).ravel()
        np.sum(self.difference[:n], axis=0, out=visible_bias)
        return float(difference @ difference)
