"""Units between 0 and 1, with a truncated exponential density."""

import math

import numpy as np

from .._kernels import kernel, truncated_log_integral, truncated_mean, uniform
from ..losses import SquaredError
from ._base import Unit
from ._checks import check_range

# Gauss-Legendre nodes for the integral over [0, 1] of the conditional density, a mixture
# of exponentials: exact to rounding while their rates stay below about 100.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
# Initial means beyond these would need biases in the thousands, which no data could move.
_LOWEST, _HIGHEST = 0.001, 0.999


class Continuous(Unit):
    """Units on [0, 1] with the density ``exp(x z - A(z))``, a truncated exponential.

    ``A(z) = log((exp(z) - 1) / z)`` and the mean is ``1 / (1 - exp(-z)) - 1 / z`` ([1]_,
    section 3.1). As visible units they take intensities in [0, 1] as what they are, where
    Bernoulli units would read them as the probability of a bit. The conditional density
    falls or rises all the way, so that a mean of 0.5 is that of a uniform number: such
    units say where a value is likely to be, but do not pin it down in the middle.

    References
    ----------
    .. [1] Y. Bengio, P. Lamblin, D. Popovici, H. Larochelle (2007), "Greedy layer-wise
       training of deep networks", NIPS 19, 153-160.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> X = load_digits().data / 16
    >>> rbm = RBM(16, visible="continuous", max_iter=2, random_state=0).fit(X)
    >>> V = rbm.sample(10)
    >>> bool(V.min() >= 0 and V.max() <= 1 and ((V > 0.2) & (V < 0.8)).any())
    True
    """

    activation = "truncated_exponential"
    loss = SquaredError("truncated_exponential")
    learning_rate = 0.1

    def mean(self, z, bias):
        _mean(z, bias)

    def mode(self, z, bias):
        z += bias
        np.heaviside(z, 0, out=z)

    def sample(self, z, bias, states, stream):
        _sample(z, bias, states, *stream.take(z.size))

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        _log_partition(z, shift, direction, result)
        return result

    def quadrature(self, z):
        nodes, weights = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS
        return nodes.astype(z.dtype)[:, None], np.log(weights).astype(z.dtype)

    def initial_bias(self, mean, n_samples):
        # As if each column had one more 0 and one more 1, as for binary units.
        mean = (mean * n_samples + 1.0) / (n_samples + 2.0)
        return _inverse_mean(np.clip(mean, _LOWEST, _HIGHEST))

    def check_data(self, X, feature_names):
        advice = (
            "Scale the data first, for example with MinMaxScaler, or use "
            "visible='gaussian' on standardised data."
        )
        check_range(self, X, feature_names, 0, 1, advice)


def _inverse_mean(mean):
    """The z of means between ``_LOWEST`` and ``_HIGHEST``, by bisection."""
    low, high = np.full(mean.shape, -2.0 / _LOWEST), np.full(mean.shape, 2.0 / _LOWEST)
    for _ in range(64):
        middle = 0.5 * (low + high)
        found = middle.reshape(1, -1).copy()
        _mean(found, np.zeros(mean.size))
        above = found.reshape(mean.shape) > mean
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return 0.5 * (low + high)


@kernel
def _mean(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = truncated_mean(z[i, j] + bias[j])


@kernel
def _sample(z, bias, states, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            z[i, j] = truncated_mean(x)
            # Inverse of the distribution function, of the mirror image where x > 0.
            a, u = np.float64(abs(x)), np.float64(uniform(first + np.uint64(j), key))
            draw = u if a == 0 else -math.log1p(u * math.expm1(-a)) / a
            states[i, j] = 1 - draw if x > 0 else draw


@kernel
def _log_partition(z, shift, direction, result):
    for i in range(z.shape[0]):
        total = z.dtype.type(0)
        for j in range(z.shape[1]):
            total += truncated_log_integral(z[i, j] + shift[i] * direction[j])
        result[i] = total
