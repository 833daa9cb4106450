"""Binary units, 0 or 1, driven by probabilities."""

import numpy as np
from scipy.special import logit

from .._kernels import kernel, logistic, sigmoid, softplus, uniform
from ._base import Unit
from ._checks import check_range


class Bernoulli(Unit):
    """Binary units: ``p(x = 1 | z) = 1 / (1 + exp(-z))``, ``A(z) = log(1 + exp(z))``.

    As visible units they take data in [0, 1]: bits, or numbers read as the probability of
    a bit, such as grey levels.

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003, sections 3 and 8.

    Examples
    --------
    >>> from skdbn import RBM
    >>> from skdbn.units import Bernoulli
    >>> RBM(64, visible=Bernoulli(), hidden="bernoulli")
    RBM(n_components=64, visible=Bernoulli())
    """

    activation = "logistic"
    loss = "binary_log_loss"
    learning_rate = 0.1

    def mean(self, z, bias):
        logistic(z, bias)

    def mode(self, z, bias):
        z += bias
        np.heaviside(z, 0, out=z)

    def sample(self, z, bias, states, stream):
        if states is z:  # one array, or the compiler could not tell that it may vectorise
            _draw(z, bias, *stream.take(z.size))
        else:
            _sample(z, bias, states, *stream.take(z.size))

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        _log_partition(z, shift, direction, result)
        return result

    def levels(self, n_units):
        return [np.array([[0.0], [1.0]])] * n_units

    def initial_bias(self, mean, n_samples):
        # As if each column had one more 0 and one more 1, so that constants stay finite.
        return logit((mean * n_samples + 1.0) / (n_samples + 2.0))

    def check_data(self, X, feature_names):
        advice = (
            "Scale the data first, for example with MinMaxScaler (pixels: divide by 255), "
            "or use visible='gaussian' on standardised data."
        )
        check_range(self, X, feature_names, 0, 1, advice)


@kernel
def _sample(z, bias, states, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            p = sigmoid(z[i, j] + bias[j])
            z[i, j] = p
            states[i, j] = uniform(first + np.uint64(j), key) < p


@kernel
def _draw(z, bias, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            z[i, j] = uniform(first + np.uint64(j), key) < sigmoid(z[i, j] + bias[j])


@kernel
def _log_partition(z, shift, direction, result):
    for i in range(z.shape[0]):
        total = z.dtype.type(0)
        for j in range(z.shape[1]):
            total += softplus(z[i, j] + shift[i] * direction[j])
        result[i] = total
