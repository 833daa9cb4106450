"""Level 2: the mathematics of an RBM, for any two unit types.

The joint density of visible states v and hidden states h is ``exp(-E(v, h)) / Z`` with

    E(v, h) = g(v) - b v + g(h) - c h - h W v

(Hinton 2010, equation 1; ``g`` is zero for binary units and half the square for Gaussian
ones). Everything here is exact; sampling is left to the samplers.
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
        """The arrays that are learned."""
        return [self.weights, self.visible_bias, self.hidden_bias]

    def with_parameters(self, arrays):
        """A model of the same units with other parameters."""
        return Energy(*arrays, self.visible, self.hidden)

    @property
    def dtype(self):
        """Precision of the parameters."""
        return self.weights.dtype

    def astype(self, dtype):
        """The same model in another precision; nothing is copied if it is the same."""
        arrays = (self.weights, self.visible_bias, self.hidden_bias)
        return Energy(
            *(a.astype(dtype, copy=False) for a in arrays), self.visible, self.hidden
        )

    def given(self, V):
        """The model of rows like V."""
        return self

    def drive_hidden(self, V, H):
        """What drives the hidden units given V, without their biases, into H."""
        return product_transposed(V, self.weights, H)

    def hidden_mean(self, V):
        """Conditional means E[h | v], shape (n, n_components)."""
        H = np.empty((len(V), len(self.weights)), self.dtype)
        self.hidden.mean(product_transposed(V, self.weights, H), self.hidden_bias)
        return H

    def visible_mean(self, H):
        """Conditional means E[v | h], shape (n, n_features)."""
        V = H @ self.weights
        self.visible.mean(V, self.visible_bias)
        return V

    def reconstruct(self, V):
        """Means there and back, E[v | h = E[h | v]], shape (n, n_features)."""
        return self.visible_mean(self.hidden_mean(V))

    def sample_hidden(self, V, stream, H):
        """Draw h given v into H; returns H."""
        self.drive_hidden(V, H)
        self.hidden.sample(H, self.hidden_bias, H, stream)
        return H

    def sample_visible(self, H, stream, V):
        """Draw v given h into V; returns V."""
        np.dot(H, self.weights, out=V)
        self.visible.sample(V, self.visible_bias, V, stream)
        return V

    def gibbs(self, V, n_steps, stream):
        """States of v after some Gibbs steps from V, in a new array."""
        V = V.copy()
        H = np.empty((len(V), len(self.hidden_bias)), V.dtype)
        for _ in range(n_steps):
            self.sample_visible(self.sample_hidden(V, stream, H), stream, V)
        return V

    def free_energy(self, V):
        """``F(v) = -log sum_h exp(-E(v, h))``, shape (n,)."""
        hidden_term = self.hidden.free_term(V @ self.weights.T, self.hidden_bias)
        return self.visible.energy(V) - V @ self.visible_bias - hidden_term

    def pseudo_log_likelihood(self, V):
        """Sum over the columns of ``log p(v_j | all other columns)``, shape (n,)."""
        Z = V @ self.weights.T + self.hidden_bias
        center = self.hidden_mean(V) @ self.weights + self.visible_bias
        total = np.zeros(V.shape[0], V.dtype)
        for j, direction in enumerate(np.ascontiguousarray(self.weights.T)):

            def potential(t, x=V[:, j], direction=direction):
                return self.hidden.log_partition(Z, (t - x).astype(Z.dtype), direction)

            total += self.visible.conditional_log_likelihood(
                V[:, j], self.visible_bias[j], center[:, j], potential
            )
        return total
