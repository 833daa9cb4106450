"""Rectified units with noise."""

import math

import numpy as np

from .._kernels import exp, kernel, log, normal, sigmoid, softplus
from ..losses import SquaredError
from ._base import Unit
from ._checks import check_range

# The energy is ``x**2 / 2 + sum_m c_m (exp(-m x) - 1)``, which is the infinite product of
# the q-binomial theorem as a series: c_m = q**m / (m (1 - q**m)) with q = 1/e.
_M = np.arange(1, 41)
_COEFFICIENTS = 1 / (_M * np.expm1(_M))
_SERIES = np.concatenate([[-_COEFFICIENTS.sum()], _COEFFICIENTS])
# Whole numbers that are summed over for the pseudo-likelihood, half of them on each side
# of the mean; the variance of a unit is at most 1.
_N_POINTS = 41


class ReLU(Unit):
    """Noisy rectified linear units, which stand for infinitely many binary ones.

    Each is the sum of binary units with the same weights and the biases ``z - 0.5``,
    ``z - 1.5``, and so on: a whole number whose mean is close to ``log(1 + exp(z))`` and
    whose variance is close to the logistic function of z, 1 at most [1]_. What is computed
    are the formulas in closed form that stand for those sums:

    - the mean ``log(1 + exp(z))``, at most 0.011 above the sum's, and
      ``A(z) = -Li2(-exp(z))``, whose derivative it is, at most 1/24 above the sum's;
    - ``g(x) = x**2 / 2 + sum_k log(1 - exp(-k))``, k from 1 to x, which is exact for whole
      numbers, and its smooth continuation between them;
    - draws of ``max(0, z + N(0, sigmoid(z)))``, the rule of [1]_. Draws are real numbers,
      0 among them. Their mean is below ``log(1 + exp(z))`` by at most 0.42, and their
      variance below the logistic function by at most 0.35, both near z = 0; where z is
      above 5 or below -5, by less than 0.01.

    As hidden units they learn features that are off for most rows and intensities where
    they are on. As visible units they take data of 0 and more, on a scale on which the
    noise has a deviation of 1. Because the draws follow a rule of their own, Gibbs chains
    come close to the model but do not have exactly its distribution; neither have
    the chains of annealed importance sampling.

    References
    ----------
    .. [1] V. Nair, G. Hinton (2010), "Rectified linear units improve restricted
       Boltzmann machines", ICML 27, 807-814.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> X = load_digits().data / 16
    >>> rbm = RBM(16, hidden="relu", max_iter=2, random_state=0).fit(X)
    >>> bool(rbm.transform(X).min() > 0)
    True
    """

    activation = "softplus"
    loss = SquaredError("softplus")
    learning_rate = 0.01

    def mean(self, z, bias):
        _mean(z, bias)

    def mode(self, z, bias):
        z += bias
        np.maximum(z, 0, out=z)

    def sample(self, z, bias, states, stream):
        _sample(z, bias, states, *stream.take(2 * z.size))

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        _log_partition(z, shift, direction, result)
        return result

    def energy(self, states):
        series = _SERIES.astype(states.dtype)
        terms = np.polynomial.polynomial.polyval(np.exp(-states), series)
        return (0.5 * np.square(states) + terms).sum(axis=1)

    def quadrature(self, z):
        first = np.maximum(np.floor(z) - _N_POINTS // 2, 0)
        points = first + np.arange(_N_POINTS, dtype=z.dtype)[:, None]
        return points, np.zeros(_N_POINTS, z.dtype)

    def initial_bias(self, mean, n_samples):
        # As if there were one more row, with a 1, so that columns of 0 stay finite.
        mean = (mean * n_samples + 1.0) / (n_samples + 1.0)
        return mean + np.log(-np.expm1(-mean))

    def check_data(self, X, feature_names):
        advice = (
            "Leave negative numbers out, or use visible='gaussian' on standardised data."
        )
        check_range(self, X, feature_names, 0, np.inf, advice)


@kernel
def _mean(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = softplus(z[i, j] + bias[j])


@kernel
def _sample(z, bias, states, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(2) * np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            z[i, j] = softplus(x)
            deviation = math.sqrt(sigmoid(x))
            draw = x + deviation * normal(first + np.uint64(2) * np.uint64(j), key)
            states[i, j] = 0.0 if draw < 0 else draw  # NaN stays NaN


@kernel
def _log_partition(z, shift, direction, result):
    # -Li2(-exp(-t)) of t >= 0 is a series in y = log(1 + exp(-t)), of at most 0.7, and
    # that of -t is pi**2 / 6 + t**2 / 2 minus that of t.
    t = z.dtype.type
    one, half, sixth = t(1), t(0.5), t(np.pi**2 / 6)
    c2, c3, c5, c7 = t(1 / 4), t(1 / 36), t(-1 / 3600), t(1 / 211680)
    c9, c11, c13 = t(-1 / 10886400), t(1 / 526901760), t(-4.0647616451442256e-11)
    c15, c17 = t(8.921691020456452e-13), t(-1.9939295860721074e-14)
    for i in range(z.shape[0]):
        total = t(0)
        for j in range(z.shape[1]):
            x = z[i, j] + shift[i] * direction[j]
            y = log(one + exp(-abs(x)))
            s = y * y
            p = c9 + s * (c11 + s * (c13 + s * (c15 + s * c17)))
            tail = y + s * (c2 + y * (c3 + s * (c5 + s * (c7 + s * p))))
            total += sixth + half * x * x - tail if x > 0 else tail
        result[i] = total
