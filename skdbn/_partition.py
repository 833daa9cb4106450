"""Level 3: partition functions of RBMs, exact and by annealing.

See :mod:`skdbn.likelihood`, which is what users call.
"""

from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from zlib import crc32

import numpy as np
from sklearn.utils import check_random_state, check_scalar, gen_batches

from ._batches import BLOCK_ROWS, answer_blocks, dense_block, load_rows
from ._energy import Energy
from ._random import Stream
from ._threads import LEAST_ROWS, share, split
from .units import Gaussian, Unit

# States that are enumerated, as a power of 2: 2**25 rows of 784 numbers take minutes.
_MOST_ENUMERATED = 25
# Numbers in a block of pre-activations of enumerated states, 2 MB of them.
_BLOCK_SIZE = 2**18
# Random numbers of a row of a lower bound, as a power of 2.
_ROOM_OF_A_ROW = 30
# Chains that reverse annealing, which has thousands of them, runs at a time.
_CHUNK_CHAINS = 100


@dataclass(frozen=True, eq=False)
class AISResult:
    """What :func:`annealed_importance_sampling` found out about ``log Z``.

    Parameters
    ----------
    log_partition : float
        Estimate of ``log Z``, in nats. The estimate of Z is unbiased; its logarithm is
        below ``log Z`` on average, and may be far below where chains missed a mode.
    interval : tuple of (float, float)
        Logarithms of the estimate of Z minus and plus 3 standard errors; the lower end is
        ``-inf`` where the errors exceed the estimate.
    effective_sample_size : float
        ``sum(w)**2 / sum(w**2)`` over the chains' weights, from 1 (one chain has all the
        weight, the interval means nothing) to ``n_chains``.
    log_weights : ndarray of shape (n_chains,)
        Each chain's own estimate of ``log Z``.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import annealed_importance_sampling
    >>> X = load_digits().data / 16
    >>> rbm = RBM(16, max_iter=5, random_state=0).fit(X)
    >>> result = annealed_importance_sampling(rbm, 200, X_base=X, random_state=0)
    >>> result.interval[0] < result.log_partition < result.interval[1]
    True
    """

    log_partition: float
    interval: tuple[float, float]
    effective_sample_size: float
    log_weights: np.ndarray


def _of_total(energy, total):
    """The model of rows with this total, as one whose units do not depend on the row."""
    if total != np.rint(total):
        raise ValueError(
            f"Annealing draws whole numbers of counts, but there is a row of {total:g} in "
            "all. Round the rows, or use likelihood='exact' for a small RBM."
        )
    hidden_bias = (total * energy.hidden_bias).astype(energy.dtype)
    units = energy.visible.of_total(total), energy.hidden
    return Energy(energy.weights, energy.visible_bias, hidden_bias, *units)


def exact(energy, data):
    """Exact log-likelihood of each row, of a small model."""
    totals, which = np.unique(energy.visible.totals(data), return_inverse=True)
    log_partitions = exact_log_partitions(energy, totals)[which]
    return minus_free_energy(energy, data) - log_partitions


def is_exact(energy, most=_MOST_ENUMERATED):
    """Whether the exact sum is over 2**most states at most."""
    sides = [side.log2_states for side in _sides(energy)]
    return is_gaussian(energy) or min(sides, default=np.inf) <= most


def anneal(energy, total, base_bias, betas, n_chains, random_state):
    """Estimate the log-partition of rows of a total by chains from the base model."""
    path = _Path(_of_total(energy, total), base_bias)

    def run(rows, stream):
        chains = _Chains(path, path.sample(rows.stop - rows.start, stream), stream)
        for before, beta in pairwise(betas):
            chains.weigh(before, beta)
            chains.move(beta)
        return path.log_partition + chains.log_weights

    chunks = split(n_chains, LEAST_ROWS)
    return _summary(_run_chunks(run, chunks, energy, random_state))


def anneal_back(energy, data, base_bias, betas, n_chains, random_state):
    """Estimate the log-likelihood of rows by chains from there to the base model."""
    totals, which = np.unique(energy.visible.totals(data), return_inverse=True)
    paths = [_Path(_of_total(energy, total), base_bias) for total in totals]
    # Rows of one total walk together.
    order, ends = np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))
    chunks = [
        rows
        for group in np.split(order, ends[:-1])
        for rows in _pieces(group, max(1, _CHUNK_CHAINS // n_chains))
    ]

    def run(rows, stream):
        path = paths[which[rows[0]]]
        start = np.empty((len(rows), data.shape[1]), energy.dtype)
        start = load_rows(data, rows, start).repeat(n_chains, axis=0)
        chains = _Chains(path, start, stream)
        for beta, before in pairwise(betas[::-1]):
            chains.move(beta)
            chains.weigh(before, beta)
        # The mean over chains of p(v), that is of 1 / Z: their weights estimate Z.
        of_rows = chains.log_weights.reshape(-1, n_chains)
        mean = np.logaddexp.reduce(-of_rows, axis=1) - np.log(n_chains)
        return path.log_partition - mean

    log_partitions = np.empty(data.shape[0])
    log_partitions[order] = _run_chunks(run, chunks, energy, random_state)
    return minus_free_energy(energy, data) - log_partitions


def lower_bound(energies, data, log_partition, n_draws, random_state):
    """Variational lower bound on the log-likelihood of each row of a deep belief net.

    The average over draws of the lower layers' hidden states, each given the layer below,
    of log p(v, h) - log q(h | v) (Hinton, Osindero & Teh 2006, equation 8), with the top
    layer summed over. The random numbers of a row depend on its content alone.
    """
    *below, top = energies
    result, first = np.empty(data.shape[0]), Stream(random_state)

    def fill(rows):
        start, stream = dense_block(data, rows, top.dtype), copy(first)
        places = [crc32(row.tobytes()) << _ROOM_OF_A_ROW for row in start]
        bound = np.zeros(len(start))
        for _ in range(n_draws):
            V = start
            for energy in below:
                H, places = _draw_rows(energy, V, stream, places)
                bound += energy.given(V).visible_log_density(V, H)
                bound -= energy.hidden_log_density(H, V)
                V = H
            bound -= top.free_energy(V)
        result[rows] = bound / n_draws - log_partition

    share(fill, list(gen_batches(data.shape[0], BLOCK_ROWS)))
    return result


def _draw_rows(energy, V, stream, places):
    """Hidden states given V, and the next places in the stream, from one for each row."""
    H = np.empty((len(V), len(energy.hidden_bias)), V.dtype)
    energy.drive_hidden(V, H)
    after = []
    for i, place in enumerate(places):
        stream.position, row = place, H[i : i + 1]
        energy.hidden.sample(row, energy.hidden_bias, row, stream)
        after.append(stream.position)
    return H, after


# ---------------------------------------------------------------------------------------
# exact sums
# ---------------------------------------------------------------------------------------
def minus_free_energy(energy, data):
    """``-F(v)`` of each row, in float64."""
    return -answer_blocks(energy.astype(np.float64).free_energy, data, np.float64)


def exact_log_partitions(energy, totals):
    """``log Z`` of each total, in closed form or by a sum over the states of a side."""
    energy = energy.astype(np.float64)
    measure = energy.visible.log_measure(len(energy.visible_bias))
    if is_gaussian(energy):
        return np.full(len(totals), measure + _gaussian_integral(*standard(energy)))
    side = min(_sides(energy), key=lambda side: side.log2_states, default=None)
    if side is None:
        raise ValueError(
            "The exact partition function needs units with finitely many states on one "
            f"side or Gaussian units on both, not {energy.visible} and {energy.hidden}. "
            "Use annealed_importance_sampling for an estimate."
        )
    if side.log2_states > _MOST_ENUMERATED:
        raise ValueError(
            "The exact partition function is a sum over the states of "
            f"{len(side.bias)} units {side.unit}, about 2**{side.log2_states:.0f} of them, "
            f"and 2**{_MOST_ENUMERATED} are the most that can be summed over. Use "
            "annealed_importance_sampling for an estimate."
        )
    return measure + _sum_over_states(side, totals)


def is_gaussian(energy):
    """Whether the units of both sides are Gaussian."""
    return all(isinstance(unit, Gaussian) for unit in (energy.visible, energy.hidden))


def check_normalisable(energy):
    """Raise where Gaussian units on both sides have no finite partition function."""
    if not is_gaussian(energy):
        return
    largest = np.linalg.norm(standard(energy)[0], 2)
    if largest >= 1:
        raise ValueError(
            "This RBM is not normalisable: with Gaussian units on both sides all "
            "singular values of components_ (times the units' standard deviations) "
            f"must be below 1, but the largest is {largest:.3g}. Train with a larger "
            "alpha, or a smaller learning_rate or max_iter, or use Bernoulli units on "
            "one side."
        )


def standard(energy):
    """Weights and biases of the same model of Gaussian units with unit variance."""
    hidden, visible = (
        np.sqrt(unit.variances(len(bias)))
        for unit, bias in (
            (energy.hidden, energy.hidden_bias),
            (energy.visible, energy.visible_bias),
        )
    )
    W = hidden[:, None] * energy.weights * visible
    return W, energy.visible_bias * visible, energy.hidden_bias * hidden


def _gaussian_integral(W, b, c):
    """Log-partition of Gaussian units on both sides, by the singular values of W.

    Without the hidden units, the visible ones are normal with the precision I - W'W.
    """
    _, s, directions = np.linalg.svd(W, full_matrices=False)
    offset = b + c @ W
    along = directions @ offset
    square = offset @ offset + (along**2 * s**2 / (1 - s**2)).sum()
    return float(0.5 * (c @ c + square - np.log1p(-(s**2)).sum()))


@dataclass
class _Side:
    """A side whose states can be enumerated, and the other one, which drives it."""

    levels: list
    weights: np.ndarray  # of shape (n_units, n_other)
    unit: Unit
    bias: np.ndarray
    other: Unit
    other_bias: np.ndarray

    @property
    def log2_states(self):
        """Logarithm of the number of states."""
        return sum(np.log2(len(states)) for states in self.levels)


def _sides(energy):
    """The sides with finitely many states."""
    W, visible, hidden = energy.weights, energy.visible, energy.hidden
    b, c = energy.visible_bias, energy.hidden_bias
    for weights, unit, bias, other, other_bias in (
        (W.T, visible, b, hidden, c),
        (W, hidden, c, visible, b),
    ):
        levels = unit.levels(len(bias))
        if levels is not None:
            yield _Side(levels, weights, unit, bias, other, other_bias)


def _sum_over_states(side, totals):
    """``log sum_x exp(N s(x) - g(x))`` of each total N, over the states x of a side.

    Here ``s(x) = bias x + sum_j A((x weights + other_bias)_j)`` is that of one draw, and
    of units that are not counts, for which N is 1. The units are cut in two: the
    pre-activations of all states of the first ones are one block, to which each state of
    the others adds a row.
    """
    log2_sizes = np.cumsum([np.log2(len(states)) for states in side.levels])
    limit = np.log2(max(1, _BLOCK_SIZE / len(side.other_bias)))
    n_first = int(np.searchsorted(log2_sizes, limit + 1e-9, side="right"))
    block, rest = side.levels[:n_first], side.levels[n_first:]
    width = sum(states.shape[1] for states in block)

    def load(levels, numbers, units):
        """Linear term, energy and pre-activations of numbered states of some units."""
        X = _states(levels, numbers)
        return X @ side.bias[units], side.unit.energy(X), X @ side.weights[units]

    own, cost, drive = load(block, np.arange(_n_states(block)), slice(width))
    ones = np.ones(len(own))

    def add_up(numbers):
        sums = np.full(len(totals), -np.inf)
        some = load(rest, np.arange(numbers.start, numbers.stop), slice(width, None))
        for term, energy, direction in zip(*some, strict=True):
            shifted = direction + side.other_bias
            terms = own + term + side.other.log_partition(drive, ones, shifted)
            for i, total in enumerate(totals):
                reduced = np.logaddexp.reduce(total * terms - cost)
                sums[i] = np.logaddexp(sums[i], reduced - energy)
        return sums

    n_rest = _n_states(rest)
    parts = list(gen_batches(n_rest, max(1, min(64, n_rest // 16))))
    return np.logaddexp.reduce(share(add_up, parts), axis=0)


def _n_states(levels):
    """Number of states of some columns or groups."""
    return int(np.prod([len(states) for states in levels], dtype=np.int64))


def _states(levels, numbers):
    """Numbered states, the first column or group changing fastest."""
    columns = [np.empty((len(numbers), 0))]
    for states in levels:
        numbers, digits = np.divmod(numbers, len(states))
        columns.append(states[digits])
    return np.hstack(columns)


# ---------------------------------------------------------------------------------------
# annealing
# ---------------------------------------------------------------------------------------
class _Path:
    """The distributions from a model without weights to an RBM.

    Parameters
    ----------
    energy : Energy
    base_bias : ndarray of shape (n_features,)
        Visible biases of the model without weights, which has hidden units without biases.
    """

    def __init__(self, energy, base_bias):
        self.energy = energy
        self.base_bias = base_bias
        self.bias_difference = energy.visible_bias - base_bias
        n_hidden, n_visible = energy.weights.shape
        visible_term = _free_term(energy.visible, base_bias)
        hidden_term = _free_term(energy.hidden, np.zeros(n_hidden))
        measure = energy.visible.log_measure(n_visible)
        self.log_partition = visible_term + measure + hidden_term

    def sample(self, n, stream):
        """Draw n rows from the model without weights."""
        V = np.zeros((n, len(self.base_bias)), self.energy.dtype)
        self.energy.visible.sample(V, self.base_bias, V, stream)
        return V


class _Chains:
    """Chains on a path, with their weights and buffers.

    Parameters
    ----------
    path : _Path
    V : ndarray of shape (n_chains, n_features)
        Where they start; it is overwritten.
    stream : Stream
    """

    def __init__(self, path, V, stream):
        self.path = path
        self.stream = stream
        self.V = V
        self.drive = np.empty((len(V), len(path.energy.weights)), V.dtype)
        path.energy.drive_hidden(V, self.drive)
        self.H = np.empty_like(self.drive)
        # Where units turn pre-activations into means: loops with states elsewhere than
        # in the same array are five times faster, as they are vectorised.
        self.to_visible, self.to_hidden = np.empty_like(V), np.empty_like(self.H)
        self.log_weights = np.zeros(len(V))

    def weigh(self, low, high):
        """Add the log-ratio of the unnormalised densities at two inverse temperatures."""
        # The two terms are close to each other: their float32 difference is exact.
        self.log_weights += self._hidden_term(high) - self._hidden_term(low)
        self.log_weights += (high - low) * (self.V @ self.path.bias_difference)

    def _hidden_term(self, beta):
        """Summed log-partitions of the hidden units of each chain."""
        energy = self.path.energy
        np.multiply(self.drive, beta, out=self.to_hidden)
        return energy.hidden.free_term(self.to_hidden, beta * energy.hidden_bias)

    def move(self, beta):
        """Make a Gibbs step that leaves the distribution at ``beta`` unchanged."""
        energy, base = self.path.energy, self.path.base_bias
        np.multiply(self.drive, beta, out=self.to_hidden)
        bias = beta * energy.hidden_bias
        energy.hidden.sample(self.to_hidden, bias, self.H, self.stream)
        np.dot(self.H, energy.weights, out=self.to_visible)
        self.to_visible *= beta
        bias = base + beta * self.path.bias_difference
        energy.visible.sample(self.to_visible, bias, self.V, self.stream)
        energy.drive_hidden(self.V, self.drive)


def _free_term(unit, bias):
    """Summed log-partition of units that are driven by their biases alone, in float64."""
    return float(unit.free_term(np.zeros((1, len(bias))), bias.astype(np.float64))[0])


def _pieces(rows, size):
    """Indices of rows in pieces of a size."""
    return [rows[piece] for piece in gen_batches(len(rows), size)]


def _run_chunks(anneal, chunks, energy, random_state):
    """Log weights of all chains, from pieces of them with random numbers of their own."""
    random_state = check_random_state(random_state)
    streams = [Stream(random_state) for _ in chunks]
    with np.errstate(all="ignore"):  # what overflows is found in the weights
        items = list(zip(chunks, streams, strict=True))
        log_weights = np.concatenate(share(lambda item: anneal(*item), items))
    if not np.isfinite(log_weights).all():
        raise ValueError(
            "The weights of annealed chains are not finite: the density of this RBM, with "
            f"units {energy.visible} and {energy.hidden}, has no finite integral, or its "
            f"parameters are too large for {energy.dtype}."
        )
    return log_weights


def _summary(log_weights):
    """Mean weight, its interval and the effective sample size, without overflow."""
    shift = log_weights.max()
    weights = np.exp(log_weights - shift)
    mean, n_chains = weights.mean(), len(weights)
    error = weights.std(ddof=1) / np.sqrt(n_chains)
    with np.errstate(divide="ignore"):
        lower, upper = shift + np.log([max(mean - 3 * error, 0), mean + 3 * error])
    return AISResult(
        log_partition=float(shift + np.log(mean)),
        interval=(float(lower), float(upper)),
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()),
        log_weights=log_weights,
    )


def check_betas(n_temperatures, betas):
    """Inverse temperatures from 0 to 1, as Python floats, which leave float32 alone."""
    if betas is None:
        check_scalar(n_temperatures, "n_temperatures", Integral, min_val=2)
        return np.linspace(0, 1, n_temperatures).tolist()
    betas = np.asarray(betas, np.float64)
    ends = betas.ndim == 1 and betas.size > 1 and betas[0] == 0 and betas[-1] == 1
    if not (ends and (np.diff(betas) > 0).all()):
        raise ValueError(
            "betas must be a 1-d array of numbers that increase from 0 to 1, such as "
            f"numpy.linspace(0, 1, 1000), got {betas}."
        )
    return betas.tolist()
