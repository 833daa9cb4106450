"""Real-valued units with unit variance."""

import numpy as np

from .._kernels import kernel, normal
from ._base import Unit

# Gauss-Hermite nodes for the integral of a mixture of unit normals, which the conditional
# density of a visible unit is; exact to rounding while the mixture spans a few units.
_N_NODES = 40


class Gaussian(Unit):
    """Real units of unit variance: ``x ~ N(z, 1)``.

    Their energy is ``g(x) = x**2 / 2`` and their log-partition ``A(z) = z**2 / 2``. As
    visible units they take real data, which should be standardised, as the variance is
    fixed at 1. As hidden units they make a linear code. They need a learning rate 10 to
    100 times smaller than binary units do, because nothing bounds their states [1]_.

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003, section 13.2.
    .. [2] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.

    Examples
    --------
    >>> from skdbn import RBM
    >>> RBM(2, hidden="gaussian")
    RBM(hidden='gaussian', n_components=2)
    """

    activation = "identity"
    loss = "squared_error"
    learning_rate = 0.01

    def mean(self, z, bias):
        z += bias

    def sample(self, z, bias, states, stream):
        _sample(z, bias, states, *stream.take(2 * z.size))

    def log_partition(self, z, shift, direction):
        total = z + np.multiply.outer(shift, direction)
        return 0.5 * np.einsum("ij,ij->i", total, total)

    def energy(self, states):
        return 0.5 * np.einsum("ij,ij->i", states, states)

    def conditional_log_likelihood(self, x, bias, center, potential):
        def log_density(t):
            return t * bias - 0.5 * t * t + potential(t)

        nodes, weights = np.polynomial.hermite_e.hermegauss(_N_NODES)
        terms = [
            np.log(w) + 0.5 * t * t + log_density(center + t)
            for t, w in zip(nodes, weights, strict=True)
        ]
        return log_density(x) - np.logaddexp.reduce(terms)

    def initial_bias(self, mean, n_samples):
        return mean


@kernel
def _sample(z, bias, states, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(2) * np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            mean = z[i, j] + bias[j]
            z[i, j] = mean
            states[i, j] = mean + normal(first + np.uint64(2) * np.uint64(j), key)
