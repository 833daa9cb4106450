"""Binary units, -1 or 1."""

import numpy as np

from .._kernels import kernel, sigmoid, softplus, uniform
from ..losses import SquaredError
from ._base import Unit
from ._checks import check_range


class Spin(Unit):
    """Binary units that are -1 or 1: ``p(x | z) = exp(x z) / (2 cosh(z))``.

    The spins of an Ising model: ``A(z) = log(2 cosh(z))`` and the mean is ``tanh(z)``. A
    bias moves a mean that is 0 without it, which centres the units of data that are
    equally often low and high. As visible units they take data in [-1, 1]: spins, or
    numbers between that are read as the mean of a spin. Otherwise the model is that of
    Bernoulli units in ``(x + 1) / 2`` with four times the weights [1]_.

    References
    ----------
    .. [1] D. Ackley, G. Hinton, T. Sejnowski (1985), "A learning algorithm for Boltzmann
       machines", Cognitive Science 9, 147-169, doi:10.1207/s15516709cog0901_7.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> X = load_digits().data / 8 - 1
    >>> rbm = RBM(16, visible="spin", max_iter=2, random_state=0).fit(X)
    >>> sorted(set(rbm.sample(10).ravel().tolist()))
    [-1.0, 1.0]
    """

    activation = "tanh"
    loss = SquaredError("tanh")
    learning_rate = 0.01

    def mean(self, z, bias):
        _mean(z, bias)

    def mode(self, z, bias):
        z += bias
        np.heaviside(z, 0, out=z)
        z *= 2
        z -= 1

    def sample(self, z, bias, states, stream):
        _sample(z, bias, states, *stream.take(z.size))

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        _log_partition(z, shift, direction, result)
        return result

    def levels(self, n_units):
        return [np.array([[-1.0], [1.0]])] * n_units

    def initial_bias(self, mean, n_samples):
        # As if each column had one more -1 and one more 1, so that constants stay finite.
        return np.arctanh(mean * n_samples / (n_samples + 2.0))

    def check_data(self, X, feature_names):
        advice = (
            "Scale the data first, for example with MinMaxScaler((-1, 1)), or use "
            "visible='gaussian' on standardised data."
        )
        check_range(self, X, feature_names, -1, 1, advice)


@kernel
def _mean(z, bias):
    one, two = z.dtype.type(1), z.dtype.type(2)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = two * sigmoid(two * (z[i, j] + bias[j])) - one


@kernel
def _sample(z, bias, states, start, key):
    one, two = z.dtype.type(1), z.dtype.type(2)
    for i in range(z.shape[0]):
        first = start + np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            p = sigmoid(two * (z[i, j] + bias[j]))
            z[i, j] = two * p - one
            up = uniform(first + np.uint64(j), key) < p
            states[i, j] = one if up else -one


@kernel
def _log_partition(z, shift, direction, result):
    two = z.dtype.type(2)
    for i in range(z.shape[0]):
        total = z.dtype.type(0)
        for j in range(z.shape[1]):
            x = z[i, j] + shift[i] * direction[j]
            total += softplus(two * x) - x
        result[i] = total
