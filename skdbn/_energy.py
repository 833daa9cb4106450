"""Level 2: the mathematics of an RBM, for any two unit types.

The joint density of visible states v and hidden states h is ``exp(-E(v, h)) / Z`` with

    E(v, h) = g(v) - b v + g(h) - c h - h W v

(Hinton 2010, equation 1; the unit types say what ``g`` is, zero for binary ones). What is
not drawn is exact.
"""

import numpy as np

from ._products import product_transposed


class Energy:
    """An RBM's parameters and unit types.

    Parameters
    ----------
    weights : ndarray of shape (n_components, n_features)
    visible_bias : ndarray of shape (n_features,)
    hidden_bias : ndarray of shape (n_components,)
    visible, hidden : Unit
    """

    def __init__(self, weights, visible_bias, hidden_bias, visible, hidden):
        self.weights = weights
        self.visible_bias = visible_bias
        self.hidden_bias = hidden_bias
        self.visible = visible
        self.hidden = hidden

    @property
    def parameters(self):
        """The arrays that are learned: weights, biases, the visible units' own if any."""
        own = self.visible.parameters
        arrays = [self.weights, self.visible_bias, self.hidden_bias]
        return arrays if own is None else [*arrays, own]

    def with_parameters(self, arrays):
        """A model of the same units with other parameters."""
        shared, own = arrays[:3], arrays[3:]
        visible = self.visible.bind(*own) if own else self.visible
        return Energy(*shared, visible, self.hidden)

    @property
    def dtype(self):
        """Precision of the parameters."""
        return self.weights.dtype

    def astype(self, dtype):
        """The same model in another precision; nothing is copied if it is the same."""
        arrays = [array.astype(dtype, copy=False) for array in self.parameters]
        return self.with_parameters(arrays)

    def given(self, V):
        """The model for rows like V, ndarray or CSRRows: itself, with most units.

        Of an RBM whose visible units depend on the row, such as counts that have its
        total, it is a light copy: what draws or averages visible states needs it.
        """
        visible = self.visible.given(V)
        if visible is self.visible:
            return self
        arrays = self.weights, self.visible_bias, self.hidden_bias
        return Energy(*arrays, visible, self.hidden)

    def drive_hidden(self, V, H):
        """Pre-activations without bias of the hidden units given V, into H; returns H."""
        product_transposed(V, self.weights, H)
        self.visible.drive_bias(V, H, self.hidden_bias)
        return H

    def _drive(self, V):
        """``drive_hidden`` into a new array."""
        return self.drive_hidden(V, np.empty((len(V), len(self.weights)), self.dtype))

    def hidden_mean(self, V):
        """Conditional means E[h | v], shape (n, n_components)."""
        H = self._drive(V)
        self.hidden.mean(H, self.hidden_bias)
        return H

    def visible_mean(self, H):
        """Conditional means E[v | h], shape (n, n_features)."""
        V = H @ self.weights
        self.visible.mean(V, self.visible_bias)
        return V

    def reconstruct(self, V):
        """Means there and back, E[v | h = E[h | v]], shape (n, n_features)."""
        return self.given(V).visible_mean(self.hidden_mean(V))

    def sample_hidden(self, V, stream, H):
        """Draw h given v into H; returns H."""
        self.hidden.sample(self.drive_hidden(V, H), self.hidden_bias, H, stream)
        return H

    def sample_visible(self, H, stream, V):
        """Draw v given h into V; returns V."""
        np.dot(H, self.weights, out=V)
        self.visible.sample(V, self.visible_bias, V, stream)
        return V

    def gibbs(self, V, n_steps, stream):
        """States of v after some Gibbs steps from V, in a new array."""
        model, V = self.given(V), V.copy()
        H = np.empty((len(V), len(self.hidden_bias)), V.dtype)
        for _ in range(n_steps):
            model.sample_visible(model.sample_hidden(V, stream, H), stream, V)
        return V

    def free_energy(self, V):
        """``F(v) = -log sum_h exp(-E(v, h))``, shape (n,)."""
        hidden_term = self.hidden.free_term(self._drive(V), self.hidden_bias)
        return self.visible.energy(V) - V @ self.visible_bias - hidden_term

    def visible_log_density(self, V, H):
        """``log p(v | h)`` of pairs of rows, in float64, shape (n,)."""
        return _log_density(self.visible, V, H @ self.weights, self.visible_bias)

    def hidden_log_density(self, H, V):
        """``log p(h | v)`` of pairs of rows, in float64, shape (n,)."""
        return _log_density(self.hidden, H, self._drive(V), self.hidden_bias)

    def pseudo_log_likelihood(self, V):
        """Sum over columns or groups of ``log p(v_j | all others)``, shape (n,)."""
        Z = self._drive(V) + self.hidden_bias
        return self.visible.pseudo_log_likelihood(
            V, self.visible_bias, self.weights, Z, self.hidden
        )


def _log_density(unit, states, z, bias):
    """Log-density of states of units with these pre-activations without bias."""
    states, z, bias = (array.astype(np.float64) for array in (states, z, bias))
    own = np.einsum("ij,ij->i", states, z + bias) - unit.energy(states)
    return own - unit.free_term(z, bias) - unit.log_measure(len(bias))
