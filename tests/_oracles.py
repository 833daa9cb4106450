"""Slow and obvious twins of what the library computes, in NumPy float64 or plain Python."""

import math
from functools import cached_property
from itertools import product

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax, xlogy

from skdbn._energy import Energy
from skdbn.units import UNITS

DTYPES = [np.float32, np.float64]


# -- random numbers: integers of any size, reduced by hand -------------------------------
def squares32(counter, key):
    """Widynski (2020), arXiv:2004.06278, with Python's integers."""
    two64 = 1 << 64
    y = counter * key % two64
    z = (y + key) % two64
    x = y
    for addend in (y, z, y):
        x = (x * x + addend) % two64
        x = x // 2**32 + x % 2**32 * 2**32
    return (x * x + z) % two64 // 2**32


def uniform(counter, key):
    return squares32(counter, key) // 2**8 / 2**24


def normal(counter, key):
    radius = (squares32(counter, key) + 0.5) / 2**32
    angle = 2 * math.pi * squares32(counter + 1, key) / 2**32
    return math.sqrt(-2 * math.log(radius)) * math.cos(angle)


# -- networks ----------------------------------------------------------------------------
def truncated_mean(z):
    """Mean of the density exp(x z) on [0, 1]."""
    z = np.asarray(z, np.float64)
    near = np.abs(z) < 0.1
    far = np.where(near, 1.0, z)
    series = z / 12 - z**3 / 720 + z**5 / 30240 - z**7 / 1209600
    return 0.5 + np.where(near, series, 0.5 / np.tanh(far / 2) - 1 / far)


def truncated_variance(a):
    """Variance of that density from its mean, which is inverted by bisection."""
    low, high = np.full(np.shape(a), -1e7), np.full(np.shape(a), 1e7)
    for _ in range(200):
        z = (low + high) / 2
        above = truncated_mean(z) > a
        low, high = np.where(above, low, z), np.where(above, z, high)
    near, s = np.abs(z) < 0.3, z**2
    series = 1 / 12 - s / 240 + s**2 / 6048 - s**3 / 172800 + s**4 / 5322240
    far = np.where(near, 1.0, np.abs(z))
    return np.where(
        near, series, 1 / far**2 - 0.25 / np.sinh(np.minimum(far, 700) / 2) ** 2
    )


FORWARD = {
    "identity": lambda z: z,
    "logistic": expit,
    "tanh": np.tanh,
    "relu": lambda z: np.where(z < 0, 0.0, z),
    "leaky_relu": lambda z: np.where(z < 0, 0.01 * z, z),
    "softplus": lambda z: np.logaddexp(0, z),
    "truncated_exponential": truncated_mean,
    "softmax": lambda z: softmax(z, axis=1),
    "exp": np.exp,
}
DERIVATIVE = {  # as functions of the activation
    "identity": np.ones_like,
    "logistic": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "relu": lambda a: np.where(a > 0, 1.0, 0.0),
    "leaky_relu": lambda a: np.where(a > 0, 1.0, 0.01),
    "softplus": lambda a: -np.expm1(-a),
    "truncated_exponential": truncated_variance,
}
LOSS = {  # of pre-activations and targets, summed
    "squared_error": lambda z, y: 0.5 * ((z - y) ** 2).sum(),
    "binary_log_loss": lambda z, y: -(y * log_expit(z) + (1 - y) * log_expit(-z)).sum(),
    "log_loss": lambda z, y: -(y * log_softmax(z, axis=1)).sum(),
    "poisson": lambda z, y: (xlogy(y, y) - y * z - y + np.exp(z)).sum(),
}
LINK = {
    "squared_error": "identity",
    "binary_log_loss": "logistic",
    "log_loss": "softmax",
    "poisson": "exp",
}


def network_loss(
    coefs, intercepts, activations, loss, alpha, X, Y, weight=None, l1_ratio=0.0
):
    """Penalised mean loss of a network over all rows."""
    for coef, intercept, name in zip(
        coefs, intercepts, [*activations, "identity"], strict=True
    ):
        X = FORWARD[name](X @ coef + intercept)
    l1 = alpha * l1_ratio * sum(np.abs(coef).sum() for coef in coefs)
    l2 = 0.5 * alpha * (1 - l1_ratio) * sum((coef**2).sum() for coef in coefs)
    if weight is None:
        return (LOSS[loss](X, Y) + l1 + l2) / len(X)
    rows = [LOSS[loss](X[i : i + 1], Y[i : i + 1]) for i in range(len(X))]
    return (weight @ rows + l1 + l2) / weight.sum()


def numeric_gradient(function, theta, step=1e-6):
    """Central differences of a function of a flat array."""
    gradient = np.empty_like(theta)
    for i in range(theta.size):
        up, down = theta.copy(), theta.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (function(up) - function(down)) / (2 * step)
    return gradient


# -- RBMs: sums over all states, integrals over a fine grid ------------------------------
# The trapezoidal rule is exact to rounding for a smooth density that spans many nodes: its
# error for a normal density is exp(-2 (pi / spacing)**2), here 1e-23.
SPACING = 0.6
POINTS = {"bernoulli": np.array([0.0, 1.0]), "gaussian": np.arange(-17, 18) * SPACING}
LOG_MEASURE = {"bernoulli": 0.0, "gaussian": np.log(SPACING)}
MEAN = {"bernoulli": expit, "gaussian": lambda z: z}


class Enumeration:
    """A tiny RBM whose every expectation is a sum over all its states.

    Parameters
    ----------
    visible, hidden : {"bernoulli", "gaussian"}
    sizes : (int, int), default=None
        Number of visible and of hidden units; 3 binary or 2 Gaussian ones if None.
    """

    def __init__(self, visible, hidden, sizes=None, seed=0, scale=0.6):
        rng = np.random.RandomState(seed)
        self.names = visible, hidden
        n, m = sizes or [{"bernoulli": 3, "gaussian": 2}[name] for name in self.names]
        self.weights = rng.normal(0, scale, (m, n))
        if self.names == ("gaussian", "gaussian"):  # proper if no singular value reaches 1
            self.weights *= 0.5 / np.linalg.norm(self.weights, 2)
        self.visible_bias = rng.normal(0, 0.5, n)
        self.hidden_bias = rng.normal(0, 0.5, m)
        self.V = np.array(list(product(POINTS[visible], repeat=n)))
        self.H = np.array(list(product(POINTS[hidden], repeat=m)))

    def energy(self, dtype=np.float64):
        """The library's object with the same parameters."""
        arrays = (self.weights, self.visible_bias, self.hidden_bias)
        units = (UNITS[name]() for name in self.names)
        return Energy(*(a.astype(dtype) for a in arrays), *units)

    def log_joint(self, V, H):
        """``-E(v, h)`` for all pairs of rows."""
        own = [
            0.5 * (X**2).sum(axis=1) if name == "gaussian" else np.zeros(len(X))
            for name, X in zip(self.names, (V, H), strict=True)
        ]
        return (
            (V @ self.visible_bias - own[0])[:, None]
            + (H @ self.hidden_bias - own[1])[None, :]
            + V @ self.weights.T @ H.T
        )

    def free_energy(self, V):
        """``-log sum_h exp(-E(v, h))`` for any rows."""
        measure = self.H.shape[1] * LOG_MEASURE[self.names[1]]
        return -logsumexp(self.log_joint(V, self.H), axis=1) - measure

    def hidden_given(self, V):
        """``p(h | v)``, a row of probabilities of the states H for each row."""
        return softmax(self.log_joint(V, self.H), axis=1)

    def visible_given(self, H):
        """``p(v | h)``, a row of probabilities of the states V for each row."""
        return softmax(self.log_joint(self.V, H), axis=0).T

    @cached_property
    def joint(self):
        """Probabilities of all pairs of states."""
        log_joint = self.log_joint(self.V, self.H)
        return np.exp(log_joint - logsumexp(log_joint))

    def log_conditionals(self, V):
        """``log p(v_j | all other columns)``, of the shape of V."""
        name = self.names[0]
        points, result = POINTS[name], np.empty(V.shape)
        for j in range(V.shape[1]):
            alternatives = np.repeat(V[:, None], len(points), axis=1)
            alternatives[:, :, j] = points
            minus_f = -self.free_energy(alternatives.reshape(-1, V.shape[1]))
            minus_f = minus_f.reshape(len(V), len(points))
            total = logsumexp(minus_f, axis=1) + LOG_MEASURE[name]
            if name == "bernoulli":  # grey levels are the expectation over bits
                x = V[:, j]
                own = (1 - x) * minus_f[:, 0] + x * minus_f[:, 1]
            else:
                own = -self.free_energy(V)
            result[:, j] = own - total
        return result

    def statistics(self, probabilities, hidden, visible):
        """Sums of ``h v``, v and h over states that have these probabilities."""
        return (
            (hidden * probabilities[:, None]).T @ visible,
            probabilities @ visible,
            probabilities @ hidden,
        )

    def data_statistics(self, V):
        """The positive phase of rows V: hidden means by summation."""
        return self.statistics(np.ones(len(V)), self.hidden_given(V) @ self.H, V)

    def cd_gradient(self, V, n_steps):
        """What CD-k expects to find: visible means after one step, states after more."""
        probabilities, visible = self.last_visible(V, n_steps)
        hidden = MEAN[self.names[1]](visible @ self.weights.T + self.hidden_bias)
        negative = self.statistics(probabilities.sum(axis=0), hidden, visible)
        return [n - p for n, p in zip(negative, self.data_statistics(V), strict=True)]

    def last_visible(self, V, n_steps):
        """What a chain from each row of V may end in: probabilities, and visible values."""
        hidden = self.hidden_given(V)
        if n_steps == 1:
            return hidden, self.visible_given(self.H) @ self.V
        step = self.visible_given(self.H) @ self.hidden_given(self.V)
        hidden = hidden @ np.linalg.matrix_power(step, n_steps - 1)
        return hidden @ self.visible_given(self.H), self.V

    def exact_gradient(self, V):
        """Gradient of the negative log-likelihood of rows V, summed over them."""
        negative = (
            self.H.T @ self.joint.T @ self.V,
            self.joint.sum(axis=1) @ self.V,
            self.joint.sum(axis=0) @ self.H,
        )
        positive = self.data_statistics(V)
        return [len(V) * n - p for n, p in zip(negative, positive, strict=True)]
