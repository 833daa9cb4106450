"""Slow and obvious twins of what the library computes, in NumPy float64 or plain Python."""

import math
from collections.abc import Callable
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax, xlogy

from skdbn import units
from skdbn._energy import Energy

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
    "softmax": lambda z: softmax(z, axis=-1),
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
GRID = np.arange(-17, 18) * SPACING
NODES, NODE_WEIGHTS = np.polynomial.legendre.leggauss(24)
VARIANCE = 0.5  # of "wide", Gaussian units that have another one than 1
TOTAL = 3  # of a row of "multinomial"


def rectified_energy(x):
    """g of sums of binary units with the biases -0.5, -1.5, ..., by Euler's theorem."""
    k = np.arange(1, 80)
    own = np.log(-np.expm1(-k)) - np.log(-np.expm1(-(np.asarray(x)[..., None] + k)))
    return np.square(x) / 2 + own.sum(axis=-1)


def columns(points, log_weights=0.0):
    """States of independent units as Kind wants them."""
    points = np.asarray(points, float)[:, None]
    return lambda n: [(points, np.broadcast_to(log_weights, len(points)))] * n


def count_vectors(n):
    """All rows of n counts with one total, and in how many orders they may be drawn."""
    rows = [row for row in product(range(TOTAL + 1), repeat=n) if sum(row) == TOTAL]
    orders = [math.factorial(TOTAL) / math.prod(map(math.factorial, row)) for row in rows]
    return [(np.array(rows, float), np.log(orders))]


def one_hot(n):
    """States of groups of 2 and 3, or of one group."""
    return [(np.eye(size), np.zeros(size)) for size in ((2, 3) if n == 5 else (n,))]


class Kind(NamedTuple):
    """What there is to know of a unit type without the library."""

    unit: Callable  # from the number of units
    size: int  # number of units of a tiny model
    factors: Callable  # from that to the states and log-weights of each column or group
    mean: Callable  # of pre-activations
    energy: Callable = np.zeros_like  # of each state
    log_measure: float = 0.0  # what A leaves out, for each unit


def grouped_softmax(z):
    """Softmax of each of the groups of ``one_hot``."""
    if z.shape[1] != 5:
        return softmax(z, axis=1)
    return np.hstack([softmax(z[:, :2], axis=1), softmax(z[:, 2:], axis=1)])


KINDS = {
    "bernoulli": Kind(lambda n: units.Bernoulli(), 3, columns([0, 1]), expit),
    "continuous": Kind(
        lambda n: units.Continuous(),
        2,
        columns((NODES + 1) / 2, np.log(NODE_WEIGHTS / 2)),
        FORWARD["truncated_exponential"],
    ),
    "gaussian": Kind(
        lambda n: units.Gaussian(),
        2,
        columns(GRID, np.log(SPACING)),
        lambda z: z,
        lambda x: x**2 / 2,
        0.5 * np.log(2 * np.pi),
    ),
    "multinomial": Kind(
        lambda n: units.Multinomial(),
        3,
        count_vectors,
        lambda z: TOTAL * softmax(z, axis=1),
    ),
    "relu": Kind(
        lambda n: units.ReLU(), 2, columns(range(16)), FORWARD["softplus"], rectified_energy
    ),
    "softmax": Kind(
        lambda n: units.Softmax((2, 3) if n == 5 else None), 5, one_hot, grouped_softmax
    ),
    "spin": Kind(lambda n: units.Spin(), 3, columns([-1, 1]), np.tanh),
    "wide": Kind(
        lambda n: units.Gaussian(variance=VARIANCE),
        2,
        columns(GRID * VARIANCE**0.5, np.log(SPACING * VARIANCE**0.5)),
        lambda z: VARIANCE * z,
        lambda x: x**2 / (2 * VARIANCE),
        0.5 * np.log(2 * np.pi * VARIANCE),
    ),
}
UNBOUNDED = {"gaussian", "relu", "wide"}


def all_states(factors):
    """All combinations of the states of some factors, and their log-weights."""
    rows = [np.concatenate(parts) for parts in product(*(f[0] for f in factors))]
    return np.array(rows), np.array([sum(w) for w in product(*(f[1] for f in factors))])


class Enumeration:
    """A tiny RBM whose every expectation is a sum over all its states.

    Parameters
    ----------
    visible, hidden : str
        Names of KINDS.
    sizes : (int, int), default=None
        Number of visible and of hidden units; those of KINDS if None.
    """

    def __init__(self, visible, hidden, sizes=None, seed=0, scale=0.6):
        rng = np.random.RandomState(seed)
        self.names = visible, hidden
        self.kinds = KINDS[visible], KINDS[hidden]
        n, m = sizes or [kind.size for kind in self.kinds]
        self.weights = rng.normal(0, scale, (m, n))
        if UNBOUNDED.issuperset(self.names):  # proper if no singular value reaches 1
            self.weights *= 0.5 / np.linalg.norm(self.weights, 2)
        self.visible_bias = rng.normal(0, 0.5, n)
        self.hidden_bias = rng.normal(0, 0.5, m)
        self.factors = self.kinds[0].factors(n)
        self.V, self.log_v = all_states(self.factors)
        self.H, self.log_h = all_states(self.kinds[1].factors(m))

    @property
    def units(self):
        """The library's objects."""
        sizes = reversed(self.weights.shape)
        return [kind.unit(n) for kind, n in zip(self.kinds, sizes, strict=True)]

    def energy(self, dtype=np.float64):
        """The library's model with the same parameters, for rows like the states V."""
        arrays = (self.weights, self.visible_bias, self.hidden_bias)
        energy = Energy(*(a.astype(dtype) for a in arrays), *self.units)
        return energy.given(self.V[:1])

    def log_joint(self, V, H):
        """``-E(v, h)`` for all pairs of rows."""
        own = [
            kind.energy(X).sum(axis=1) for kind, X in zip(self.kinds, (V, H), strict=True)
        ]
        totals = V.sum(axis=1) if self.names[0] == "multinomial" else np.ones(len(V))
        return (
            (V @ self.visible_bias - own[0])[:, None]
            - own[1][None, :]
            + (V @ self.weights.T + totals[:, None] * self.hidden_bias) @ H.T
        )

    def free_energy(self, V):
        """``-log sum_h exp(-E(v, h))`` for any rows, in the measure of A."""
        measure = self.H.shape[1] * self.kinds[1].log_measure
        return measure - logsumexp(self.log_joint(V, self.H) + self.log_h, axis=1)

    @property
    def log_z(self):
        """``log Z``, in the same measure."""
        return logsumexp(self.log_v - self.free_energy(self.V))

    def hidden_given(self, V):
        """``p(h | v)``, a row of probabilities of the states H for each row."""
        return softmax(self.log_joint(V, self.H) + self.log_h, axis=1)

    def visible_given(self, H):
        """``p(v | h)``, a row of probabilities of the states V for each row."""
        return softmax(self.log_joint(self.V, H) + self.log_v[:, None], axis=0).T

    @cached_property
    def joint(self):
        """Probabilities of all pairs of states."""
        log_joint = self.log_joint(self.V, self.H) + self.log_v[:, None] + self.log_h
        return np.exp(log_joint - logsumexp(log_joint))

    def pseudo_log_likelihood(self, V):
        """Sum over the columns or groups of ``log p(v_j | all others)``."""
        if self.names[0] == "multinomial":
            return self.word_log_likelihood(V)
        result, stop = np.zeros(len(V)), 0
        for points, log_weights in self.factors:
            block = slice(stop, stop := stop + points.shape[1])
            alternatives = np.repeat(V[:, None], len(points), axis=1)
            alternatives[:, :, block] = points
            minus_f = -self.free_energy(alternatives.reshape(-1, V.shape[1]))
            minus_f = minus_f.reshape(len(V), len(points))
            own = self.expectation(minus_f, V[:, block], -self.free_energy(V))
            result += own - logsumexp(minus_f + log_weights, axis=1)
        return result

    def expectation(self, values, x, at_x):
        """Of values at all states of a factor where its mean is x, or the value at x."""
        high = {"bernoulli": x[:, 0], "spin": (1 + x[:, 0]) / 2}.get(self.names[0])
        if high is not None:
            return (1 - high) * values[:, 0] + high * values[:, 1]
        return (x * values).sum(axis=1) if self.names[0] == "softmax" else at_x

    def word_log_likelihood(self, V):
        """Sum over the draws of ``log p(word | all other words)``."""
        result, words = np.zeros(len(V)), np.eye(V.shape[1])
        for i, row in enumerate(V):
            for word in np.flatnonzero(row):
                others = row - words[word]
                minus_f = -self.free_energy(others + words)
                result[i] += row[word] * log_softmax(minus_f)[word]
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
        hidden = self.kinds[1].mean(visible @ self.weights.T + self.hidden_bias)
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
