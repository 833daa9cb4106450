"""Real-valued units with a fixed or a learned variance."""

from copy import copy
from numbers import Real

import numpy as np

from .._kernels import kernel, normal
from .._products import CSRRows
from .._sklearn import Interval, StrOptions
from ._base import Unit
from ._pseudo import by_quadrature

# Gauss-Hermite nodes for the integral of a mixture of unit normals, which the conditional
# density of a visible unit is; exact to rounding while the mixture spans a few units.
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(40)


class Gaussian(Unit):
    """Real units: ``x ~ N(s2 z, s2)`` with the variance ``s2``.

    Their energy is ``g(x) = x**2 / (2 s2)`` and their log-partition
    ``A(z) = s2 z**2 / 2``. As visible units they take real data. With a variance of 1 the
    data should be standardised; a learned variance needs data on a scale near 1 all the
    same, because it starts from that of each column. As hidden units they make a linear
    code. They need a learning rate 10 to 100 times smaller than binary units do, because
    nothing bounds their states [1]_.

    Parameters
    ----------
    variance : float or "learned", default=1.0
        Variance of each unit given the other side, in squared units of the data.
        "learned", for visible units only, learns one for each column, starting from the
        column's own, by following the gradient of its logarithm ([3]_ learns it so).

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003, section 13.2.
    .. [2] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.
    .. [3] K. Cho, A. Ilin, T. Raiko (2011), "Improved learning of Gaussian-Bernoulli
       restricted Boltzmann machines", ICANN, doi:10.1007/978-3-642-21735-7_2.

    Examples
    --------
    >>> from skdbn import RBM
    >>> from skdbn.units import Gaussian
    >>> RBM(2, hidden="gaussian")
    RBM(hidden='gaussian', n_components=2)
    >>> RBM(64, visible=Gaussian(variance=0.1)).get_params()["visible__variance"]
    0.1
    """

    activation = "identity"
    loss = "squared_error"
    learning_rate = 0.01

    _parameter_constraints: dict = {
        "variance": [Interval(Real, 0, None, closed="neither"), StrOptions({"learned"})]
    }
    _log_variance = None  # what ``bind`` sets

    def __init__(self, variance=1.0):
        self.variance = variance

    def variances(self, n_units, dtype=np.float64):
        """The variance of each unit, an array of shape (n_units,)."""
        if self._log_variance is not None:
            return np.exp(self._log_variance.astype(dtype, copy=False))
        if self.variance == "learned":
            raise ValueError(
                f"{self} has no variances before it is fitted, as the visible units of "
                "an RBM."
            )
        return np.full(n_units, self.variance, dtype)

    def mean(self, z, bias):
        _mean(z, bias, self.variances(z.shape[1], z.dtype))

    def mode(self, z, bias):
        self.mean(z, bias)

    def sample(self, z, bias, states, stream):
        variance = self.variances(z.shape[1], z.dtype)
        start, key = stream.take(2 * z.size)
        _sample(z, bias, variance, np.sqrt(variance), states, start, key)

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        variance = self.variances(z.shape[1], z.dtype)
        _half_squares(z, shift, direction, variance, result)
        return result

    def energy(self, states):
        result = np.empty(len(states), states.dtype)
        precision = 1 / self.variances(states.shape[1], states.dtype)
        _half_squares(states, np.zeros_like(result), precision, precision, result)
        return result

    def log_measure(self, n_units):
        return 0.5 * float(np.log(2 * np.pi * self.variances(n_units)).sum())

    def quadrature(self, z):
        log_weights = np.log(_WEIGHTS) + 0.5 * _NODES**2
        return z + _NODES.astype(z.dtype)[:, None], log_weights.astype(z.dtype)

    def pseudo_log_likelihood(self, V, bias, weights, Z, hidden):
        # In multiples of the deviation, in which all columns have unit variance.
        deviation = np.sqrt(self.variances(V.shape[1], V.dtype))
        scaled = (V / deviation, bias * deviation, weights * deviation)
        standard = by_quadrature(Gaussian(), *scaled, Z, hidden)
        return standard - np.log(deviation).sum()

    def initial_bias(self, mean, n_samples):
        return mean / self.variances(len(mean))

    def check_hidden(self):
        if self.variance == "learned":
            raise ValueError(
                "Hidden Gaussian units cannot have variance='learned': the scale of a "
                "hidden unit is that of its weights, which are learned already. Use "
                "hidden='gaussian'."
            )

    def as_layer(self, coef, bias):
        variance = self.variances(len(bias), bias.dtype)
        return coef * variance, bias * variance

    @property
    def has_parameters(self):
        return self.variance == "learned"

    @property
    def parameters(self):
        return self._log_variance

    def initial_parameters(self, mean, variance):
        # Columns that are constant but for rounding have no scale of their own.
        constant = variance <= np.finfo(np.float64).eps * np.square(mean)
        return np.log(np.where(constant, 1.0, variance))

    def bind(self, parameters):
        bound = copy(self)
        bound._log_variance = parameters
        return bound

    def parameter_gradient(self, V, drive, bias, weights):
        """Derivative with respect to the log-variances, with scaled parameters held.

        With ``x = V / s`` and ``m = s (drive + bias)``, in units of the deviation ``s``,
        it is the sum over rows of ``(x (x - m) - 1) / 2``: exact, without a negative
        phase, because the partition function does not depend on the variance where
        ``weights * s`` and ``bias * s`` are held. A step to another deviation therefore
        multiplies weights and biases by the old one over the new one.
        """
        precision = 1 / self.variances(V.shape[1], drive.dtype)
        gradient = np.empty(V.shape[1], drive.dtype)
        if isinstance(V, CSRRows):
            _csr_gradient(*V.arrays, drive, bias, precision, weights, gradient)
        else:
            _gradient(V, drive, bias, precision, weights, gradient)
        return 0.5 * (gradient - weights.sum())


@kernel
def _mean(z, bias, variance):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = variance[j] * (z[i, j] + bias[j])


@kernel
def _sample(z, bias, variance, deviation, states, start, key):
    for i in range(z.shape[0]):
        first = start + np.uint64(2) * np.uint64(i) * np.uint64(z.shape[1])
        for j in range(z.shape[1]):
            mean = variance[j] * (z[i, j] + bias[j])
            z[i, j] = mean
            draw = normal(first + np.uint64(2) * np.uint64(j), key)
            states[i, j] = mean + deviation[j] * draw


@kernel
def _half_squares(z, shift, direction, scale, result):
    half = z.dtype.type(0.5)
    for i in range(z.shape[0]):
        total = z.dtype.type(0)
        for j in range(z.shape[1]):
            x = z[i, j] + shift[i] * direction[j]
            total += scale[j] * x * x
        result[i] = half * total


@kernel
def _gradient(V, drive, bias, precision, weights, gradient):
    gradient[:] = 0
    for i in range(V.shape[0]):
        for j in range(V.shape[1]):
            x = V[i, j]
            gradient[j] += weights[i] * x * (x * precision[j] - drive[i, j] - bias[j])


@kernel
def _csr_gradient(indptr, indices, data, rows, drive, bias, precision, weights, gradient):
    gradient[:] = 0
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x, j = drive.dtype.type(data[p]), indices[p]
            gradient[j] += weights[i] * x * (x * precision[j] - drive[i, j] - bias[j])
