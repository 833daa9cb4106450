"""Activation functions of the hidden layers of a network.

Each finishes a buffer of pre-activations in place and multiplies a buffer of errors by its
derivative, which all of them can tell from the activations alone.
"""

from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np

from ._kernels import exp, kernel, logistic, softmax, softplus, truncated_mean
from ._sklearn import Interval
from ._versioned import VersionedEstimator

__all__ = [
    "ACTIVATIONS",
    "Activation",
    "Identity",
    "LeakyReLU",
    "Logistic",
    "ReLU",
    "Softmax",
    "Softplus",
    "Tanh",
    "TruncatedExponential",
]


class Activation(ABC, VersionedEstimator):
    """Base class of the activations: a function of a row, and its derivative.

    All buffers are C-contiguous, of shape (n_rows, n_units) and of one float dtype. Both
    methods are called on several threads, for different rows.
    """

    @abstractmethod
    def forward(self, z, bias):
        """Turn pre-activations without bias into activations, in place."""

    @abstractmethod
    def backward(self, a, delta):
        """Multiply errors by the derivative at the activations a, in place."""


class Identity(Activation):
    """``f(z) = z``, a linear layer.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import Identity
    >>> MLPClassifier(activation=Identity()).activation
    Identity()
    """

    def forward(self, z, bias):
        z += bias

    def backward(self, a, delta):
        pass


class Logistic(Activation):
    """``f(z) = 1 / (1 + exp(-z))``.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import Logistic
    >>> MLPClassifier(activation=Logistic()).activation
    Logistic()
    """

    def forward(self, z, bias):
        logistic(z, bias)

    def backward(self, a, delta):
        _logistic_derivative(a, delta)


class Tanh(Activation):
    """``f(z) = tanh(z)``.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import Tanh
    >>> MLPClassifier(activation=Tanh()).activation
    Tanh()
    """

    def forward(self, z, bias):
        _tanh(z, bias)

    def backward(self, a, delta):
        _tanh_derivative(a, delta)


class ReLU(Activation):
    """``f(z) = max(z, 0)``.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import ReLU
    >>> MLPClassifier(activation=ReLU()).activation
    ReLU()
    """

    def forward(self, z, bias):
        _relu(z, bias)

    def backward(self, a, delta):
        _relu_derivative(a, delta)


class LeakyReLU(Activation):
    """``f(z) = z`` for positive z, else ``slope * z`` [1]_.

    Parameters
    ----------
    slope : float, default=0.01
        Slope for negative z, in (0, 1].

    References
    ----------
    .. [1] A. Maas, A. Hannun, A. Ng (2013), "Rectifier nonlinearities improve neural
       network acoustic models", ICML Workshop on Deep Learning for Audio, Speech and
       Language Processing.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import LeakyReLU
    >>> mlp = MLPClassifier(activation=LeakyReLU(slope=0.1))
    >>> mlp.set_params(activation__slope=0.2).activation
    LeakyReLU(slope=0.2)
    """

    _parameter_constraints: dict = {"slope": [Interval(Real, 0, 1, closed="right")]}

    def __init__(self, slope=0.01):
        self.slope = slope

    def forward(self, z, bias):
        _leaky_relu(z, bias, z.dtype.type(self.slope))

    def backward(self, a, delta):
        _leaky_relu_derivative(a, delta, a.dtype.type(self.slope))


class Softplus(Activation):
    """``f(z) = log(1 + exp(z))``, a smooth rectifier.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import Softplus
    >>> MLPClassifier(activation=Softplus()).activation
    Softplus()
    """

    def forward(self, z, bias):
        _softplus(z, bias)

    def backward(self, a, delta):
        _softplus_derivative(a, delta)


class TruncatedExponential(Activation):
    """``f(z) = 1 / (1 - exp(-z)) - 1 / z``, a slower sigmoid.

    The mean of the density ``exp(x z)`` on [0, 1], which is that of a continuous unit
    given its input [1]_. Its derivative is the variance of that density. This is computed
    from the mean, which is inverted by Newton's method.

    References
    ----------
    .. [1] Y. Bengio, P. Lamblin, D. Popovici, H. Larochelle (2007), "Greedy layer-wise
       training of deep networks", NIPS 19, section 2.3.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import TruncatedExponential
    >>> MLPClassifier(activation=TruncatedExponential()).activation
    TruncatedExponential()
    """

    def forward(self, z, bias):
        _truncated_mean(z, bias)

    def backward(self, a, delta):
        _truncated_variance(a, delta)


class Softmax(Activation):
    """``f(z)_j = exp(z_j) / sum_k exp(z_k)``, over all units or in groups of them.

    Parameters
    ----------
    sizes : int, array-like of int or None, default=None
        Number of units of each group, which are neighbours; an integer for groups of one
        size, None for one group of all.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.activations import Softmax
    >>> MLPClassifier(hidden_layer_sizes=(6,), activation=Softmax(sizes=(2, 4))).activation
    Softmax(sizes=(2, 4))
    """

    _parameter_constraints: dict = {
        "sizes": [Interval(Integral, 1, None, closed="left"), "array-like", None]
    }

    def __init__(self, sizes=None):
        self.sizes = sizes

    def forward(self, z, bias):
        _softmax(z, bias, group_ends(self.sizes, z.shape[1]))

    def backward(self, a, delta):
        _softmax_derivative(a, delta, group_ends(self.sizes, a.shape[1]))


ACTIVATIONS = {
    "identity": Identity,
    "logistic": Logistic,
    "tanh": Tanh,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "softplus": Softplus,
    "truncated_exponential": TruncatedExponential,
    "softmax": Softmax,
}


def group_ends(sizes, n_units):
    """Where the groups of a softmax end, an array of integers."""
    if sizes is None:
        return np.array([n_units])
    if isinstance(sizes, Integral):
        groups = np.full(n_units // sizes, sizes)
    else:
        groups = np.asarray(sizes)
    whole = groups.ndim == 1 and groups.dtype.kind in "iu"
    if not whole or groups.sum() != n_units or (groups < 1).any():
        raise ValueError(
            f"sizes must be positive integers that add up to the {n_units} units of the "
            f"layer, got {sizes!r}."
        )
    return np.cumsum(groups)


@kernel
def _logistic_derivative(a, delta):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] *= a[i, j] * (one - a[i, j])


@kernel
def _tanh(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = np.tanh(z[i, j] + bias[j])


@kernel
def _tanh_derivative(a, delta):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] *= one - a[i, j] * a[i, j]


@kernel
def _relu(z, bias):
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            z[i, j] = zero if x < zero else x  # NaN stays NaN


@kernel
def _relu_derivative(a, delta):
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] = delta[i, j] if a[i, j] > zero else zero


@kernel
def _leaky_relu(z, bias, slope):
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            z[i, j] = slope * x if x < zero else x


@kernel
def _leaky_relu_derivative(a, delta, slope):
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] = delta[i, j] if a[i, j] > zero else slope * delta[i, j]


@kernel
def _softplus(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = softplus(z[i, j] + bias[j])


@kernel
def _softplus_derivative(a, delta):
    one = a.dtype.type(1)  # the derivative is sigmoid(z) = 1 - exp(-softplus(z))
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] *= one - exp(-a[i, j])


@kernel
def _truncated_mean(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = truncated_mean(z[i, j] + bias[j])


@kernel
def _truncated_variance(a, delta):
    zero, one, two = a.dtype.type(0), a.dtype.type(1), a.dtype.type(2)
    half, least, tiny = a.dtype.type(0.5), a.dtype.type(1e-9), a.dtype.type(1e-12)
    sixth = a.dtype.type(1 / 6)
    c1, c3, c5 = a.dtype.type(1 / 12), a.dtype.type(-1 / 720), a.dtype.type(1 / 30240)
    c7, c9 = a.dtype.type(-1 / 1209600), a.dtype.type(1 / 47900160)
    c11, c13 = a.dtype.type(-691 / 1307674368000), a.dtype.type(1 / 74724249600)
    d3, d5, d7 = a.dtype.type(-3 / 720), a.dtype.type(5 / 30240), a.dtype.type(-7 / 1209600)
    d9, d11 = a.dtype.type(9 / 47900160), a.dtype.type(-11 * 691 / 1307674368000)
    d13 = a.dtype.type(13 / 74724249600)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            m = a[i, j]
            m = m if m < half else one - m  # the variance is that of 1 - x
            m = m if m > least else least
            gap = one - two * m
            spread = m * (one - m)
            # The input is -x: mean(-x) = m. The guess is right at both ends of (0, 1/2).
            x = gap / spread * (one + two * spread)
            variance = spread
            for _ in range(4):
                s = x * x
                e = exp(-x)
                q = e / (one - e)
                series = c7 + s * (c9 + s * (c11 + s * c13))
                mean = half - x * (c1 + s * (c3 + s * (c5 + s * series)))
                slope = c1 + s * (d3 + s * (d5 + s * (d7 + s * (d9 + s * (d11 + s * d13)))))
                small = x < half
                mean = mean if small else one / x - q
                variance = slope if small else one / s - q * (one + q)
                x += (mean - m) / variance
                x = x if x > tiny else tiny
            # Without the cancellation of the two terms above.
            near = spread - (gap / x if x > tiny else sixth)
            variance = near if x < two else variance
            delta[i, j] *= variance if variance > zero else zero


@kernel
def _softmax(z, bias, ends):
    for i in range(z.shape[0]):
        start = 0
        for end in ends:
            softmax(z[i, start:end], bias[start:end])
            start = end


@kernel
def _softmax_derivative(a, delta, ends):
    for i in range(a.shape[0]):
        start = 0
        for end in ends:
            mean = a.dtype.type(0)
            for j in range(start, end):
                mean += a[i, j] * delta[i, j]
            for j in range(start, end):
                delta[i, j] = a[i, j] * (delta[i, j] - mean)
            start = end
