"""Log-likelihoods of RBMs: partition functions, exact and by annealing.

The density of a row is ``p(v) = exp(-F(v)) / Z`` with the free energy F of ``free_energy``.
:func:`log_partition` computes ``log Z`` by summing over all states of one side, which takes
a small model; :func:`annealed_importance_sampling` estimates it for any model, and
:func:`reverse_ais` estimates the log-likelihood itself, with errors of the other sign.

Every ``log Z`` here counts hidden states as ``free_energy`` does and visible states by
their own measure, so that p(v) sums, or for real-valued units integrates, to one. Rectified
units are taken for what they stand for, sums of binary units, whose ``log Z`` their
formulas give to 1/24 for each unit.
"""

from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state, check_scalar, gen_batches
from sklearn.utils.validation import check_is_fitted

from ._batches import check_rows, load_rows, map_blocks
from ._energy import Energy
from ._random import Stream
from ._threads import LEAST_ROWS, share, split
from .rbm import RBM
from .units import Gaussian, Multinomial, Unit
from .units.multinomial import FixedTotal

__all__ = [
    "AISResult",
    "annealed_importance_sampling",
    "log_likelihood",
    "log_partition",
    "reverse_ais",
]

# States that are enumerated, as a power of 2: 2**25 rows of 784 numbers take minutes.
_MOST_ENUMERATED = 25
# Numbers in a block of pre-activations of enumerated states, 2 MB of them.
_BLOCK_SIZE = 2**18
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


# ---------------------------------------------------------------------------------------
# what users call
# ---------------------------------------------------------------------------------------
def log_partition(rbm, *, n_draws=None):
    """Exact logarithm of the partition function of a small RBM.

    With units of finitely many states on a side, which are Bernoulli, Spin and Softmax
    units, the sum over their states is done state by state, that over the other side in
    closed form, all in float64 and in blocks of a few megabytes. If both sides are such,
    the one with fewer states is enumerated. The time doubles with each binary unit: for
    784 units on the other side, 20 units take some seconds, 25 some minutes. With Gaussian
    units on both sides the integral has a closed form.

    Parameters
    ----------
    rbm : RBM
        A fitted RBM with at most 2**25 states on one side, which is 25 binary units, or
        with Gaussian units on both.
    n_draws : int, default=None
        Total of a row of Multinomial visible units, such as the number of words of a
        document: there is a model, and a ``log Z``, for each. None for all other units.

    Returns
    -------
    log_partition : float
        ``log Z`` in nats, such that ``-rbm.free_energy(X) - log_partition`` are
        log-likelihoods.

    Raises
    ------
    NotFittedError
        If the RBM has not been fitted.
    ValueError
        If there are too many states, units that cannot be summed over, Gaussian units
        on both sides whose density has no finite integral, or ``n_draws`` does not fit
        the visible units.

    See Also
    --------
    annealed_importance_sampling : An estimate for RBMs of any size.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import log_partition
    >>> X = load_digits().data / 16
    >>> rbm = RBM(12, max_iter=5, random_state=0).fit(X)
    >>> bool(0 < log_partition(rbm) < 100)
    True
    """
    energy = _fitted_energy(rbm)
    return float(_exact_log_partitions(energy, [_check_n_draws(energy, n_draws)])[0])


def annealed_importance_sampling(
    rbm,
    n_temperatures=1000,
    n_chains=100,
    *,
    betas=None,
    X_base=None,
    n_draws=None,
    random_state=None,
):
    """Estimate the partition function of an RBM of any size.

    Chains start in a model without weights, whose partition function is known, and walk
    through intermediate distributions to the RBM by one Gibbs step in each ([1]_,
    section 3, after [2]_). At the inverse temperature ``b`` the unnormalised density is

        ``exp(-g(v) + ((1 - b) base + b bias) v + sum_i A(b (W v + c)_i))``

    and a chain multiplies its weight by the ratio of two neighbours at its state. The
    mean of the weights is an unbiased estimate of Z. The cost is that of two products of
    (n_chains, n_features) and (n_features, n_components) arrays at each temperature.

    Parameters
    ----------
    rbm : RBM
        A fitted RBM.
    n_temperatures : int, default=1000
        Number of inverse temperatures, spaced evenly from 0 to 1. More of them is what
        makes the estimate better.
    n_chains : int, default=100
        Number of chains, at least 2. They are run in chunks of 50 or more, a chunk
        on a thread.
    betas : array-like of shape (n_temperatures,), default=None
        Increasing inverse temperatures from 0 to 1, in place of ``n_temperatures``.
    X_base : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Data whose column means the first model has, which starts the chains closer to a
        model of such data. None takes the RBM's own visible biases.
    n_draws : int, default=None
        Total of a row of Multinomial visible units, see :func:`log_partition`. None for
        all other units.
    random_state : int, RandomState instance or None, default=None
        Seed for the chains. The same seed gives the same numbers on any number of
        threads.

    Returns
    -------
    result : AISResult

    Raises
    ------
    NotFittedError
        If the RBM has not been fitted.
    ValueError
        If ``betas`` do not increase from 0 to 1, ``X_base`` does not fit the RBM,
        ``n_draws`` does not fit the visible units, or the RBM's density has no finite
        integral.

    See Also
    --------
    log_partition : The exact value, for small RBMs.
    reverse_ais : Log-likelihoods that err on the other side.

    Notes
    -----
    Rectified units are drawn by a rule that only comes close to their model (see
    :class:`~skdbn.units.ReLU`). The estimate of an RBM that has them may be wrong by some
    tenths of a nat for each, which its interval does not know of.

    The chains run in the RBM's dtype, their weights are summed in float64. Evenly spaced
    temperatures, from data, did as well on the digits as those of [1]_, which crowd at
    1: 500 of them up to 0.5, 4000 up to 0.9 and 10 000 up to 1. ``betas`` takes those.

    References
    ----------
    .. [1] R. Salakhutdinov, I. Murray (2008), "On the quantitative analysis of deep
       belief networks", ICML, doi:10.1145/1390156.1390266.
    .. [2] R. Neal (2001), "Annealed importance sampling", Statistics and Computing 11,
       125-139, doi:10.1023/A:1008923215028.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import annealed_importance_sampling, log_partition
    >>> X = load_digits().data / 16
    >>> rbm = RBM(12, max_iter=5, random_state=0).fit(X)
    >>> result = annealed_importance_sampling(rbm, X_base=X, random_state=0)
    >>> bool(abs(result.log_partition - log_partition(rbm)) < 0.1)
    True
    """
    energy = _fitted_energy(rbm)
    betas = _check_betas(n_temperatures, betas)
    check_scalar(n_chains, "n_chains", Integral, min_val=2)
    total = _check_n_draws(energy, n_draws)
    path = _Path(_of_total(energy, total), _base_bias(rbm, energy, X_base))
    chunks = split(n_chains, LEAST_ROWS)

    def anneal(rows, stream):
        chains = _Chains(path, path.sample(rows.stop - rows.start, stream), stream)
        for before, beta in pairwise(betas):
            chains.weigh(before, beta)
            chains.move(beta)
        return path.log_partition + chains.log_weights

    return _summary(_run_chunks(anneal, chunks, energy, random_state))


def reverse_ais(
    rbm,
    X,
    n_temperatures=1000,
    n_chains=10,
    *,
    betas=None,
    X_base=None,
    random_state=None,
):
    """Estimate the log-likelihood of each row of X, by annealing backwards.

    RAISE [1]_ starts chains in the row and walks the path of
    :func:`annealed_importance_sampling` backwards, from the RBM to the model without
    weights. The weights are unbiased estimates of the row's probability under the
    distribution in which the forward chains end, so their logarithms are below its
    logarithm on average. That distribution comes close to the RBM with many
    temperatures, and gives the RBM's own rows less probability on average than the RBM
    does. So for rows that the RBM generates, or that are like them, the estimate is
    pessimistic, where AIS, which underestimates Z, is optimistic: the truth is between.

    Rows that the RBM finds unlikely, such as the data of an RBM that fits them badly, may
    be likelier at the end of a short path than in the RBM. Their estimates then *fall*
    as ``n_temperatures`` grows, and are to be trusted where they no longer do.

    Parameters
    ----------
    rbm : RBM
        A fitted RBM.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows whose log-likelihood is estimated.
    n_temperatures : int, default=1000
        Number of inverse temperatures, spaced evenly from 0 to 1.
    n_chains : int, default=10
        Number of chains for each row; more of them tighten the bound. The cost is that
        of ``n_samples * n_chains`` chains of annealed importance sampling.
    betas : array-like of shape (n_temperatures,), default=None
        Increasing inverse temperatures from 0 to 1, in place of ``n_temperatures``.
    X_base : {array-like, sparse matrix} of shape (n_base, n_features), default=None
        Data whose column means the model without weights has, such as the training
        data. None takes the RBM's own visible biases.
    random_state : int, RandomState instance or None, default=None
        Seed for the chains. The same seed gives the same numbers on any number of
        threads.

    Returns
    -------
    log_likelihood : ndarray of shape (n_samples,)
        In nats. One row's number is noisy; use the mean over many rows.

    Raises
    ------
    NotFittedError
        If the RBM has not been fitted.
    ValueError
        If ``betas`` do not increase from 0 to 1, X or ``X_base`` do not fit the RBM, or
        the RBM's density has no finite integral.

    See Also
    --------
    log_likelihood : From the exact or an estimated partition function.

    References
    ----------
    .. [1] Y. Burda, R. Grosse, R. Salakhutdinov (2015), "Accurate and conservative
       estimates of MRF log-likelihood using reverse annealing", AISTATS,
       arXiv:1412.8566.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import log_likelihood, reverse_ais
    >>> X = load_digits().data / 16
    >>> rbm = RBM(12, max_iter=5, random_state=0).fit(X)
    >>> low = reverse_ais(rbm, X[:50], X_base=X, random_state=0).mean()
    >>> bool(abs(low - log_likelihood(rbm, X[:50]).mean()) < 0.1)
    True
    """
    energy = _fitted_energy(rbm)
    data = _check_data(rbm, energy, X)
    betas = _check_betas(n_temperatures, betas)[::-1]
    check_scalar(n_chains, "n_chains", Integral, min_val=1)
    base_bias = _base_bias(rbm, energy, X_base)
    totals, which = np.unique(_totals(energy, data), return_inverse=True)
    paths = [_Path(_of_total(energy, total), base_bias) for total in totals]
    # Rows of one total walk together.
    order, ends = np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))
    chunks = [
        rows
        for group in np.split(order, ends[:-1])
        for rows in _pieces(group, max(1, _CHUNK_CHAINS // n_chains))
    ]

    def anneal(rows, stream):
        path = paths[which[rows[0]]]
        start = np.empty((len(rows), data.shape[1]), energy.dtype)
        start = load_rows(data, rows, start).repeat(n_chains, axis=0)
        chains = _Chains(path, start, stream)
        for beta, before in pairwise(betas):
            chains.move(beta)
            chains.weigh(before, beta)
        # The mean over chains of p(v), that is of 1 / Z: their weights estimate Z.
        of_rows = chains.log_weights.reshape(-1, n_chains)
        mean = np.logaddexp.reduce(-of_rows, axis=1) - np.log(n_chains)
        return path.log_partition - mean

    log_partitions = np.empty(data.shape[0])
    log_partitions[order] = _run_chunks(anneal, chunks, energy, random_state)
    return _minus_free_energy(energy, data) - log_partitions


def log_likelihood(rbm, X, log_partition=None):
    """Log-likelihood of each row of X.

    Parameters
    ----------
    rbm : RBM
        A fitted RBM.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows. Grey levels between 0 and 1 of Bernoulli units count as the expected state,
        which gives at most the expectation over bits drawn from them.
    log_partition : float, AISResult or None, default=None
        ``log Z``, as a number or as :func:`annealed_importance_sampling` returns it.
        None computes it with :func:`log_partition`, which takes a small RBM; for
        Multinomial visible units it is that of each row's total, all of them from one
        sum over the hidden states.

    Returns
    -------
    log_likelihood : ndarray of shape (n_samples,)
        Of dtype float64, in nats. Logarithms of probabilities for visible units with
        separate states, of densities for real-valued ones. For Multinomial units, the
        probability of the words in their order.

    Raises
    ------
    NotFittedError
        If the RBM has not been fitted.
    ValueError
        If X does not fit the RBM, ``log_partition`` is None and the RBM is too large, or
        is a number where rows of Multinomial units have different totals.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import annealed_importance_sampling, log_likelihood
    >>> X = (load_digits().data > 7).astype(float)
    >>> rbm = RBM(64, random_state=0).fit(X[:1500])
    >>> result = annealed_importance_sampling(rbm, X_base=X[:1500], random_state=0)
    >>> bool(-30 < log_likelihood(rbm, X[1500:], result).mean() < -20)
    True
    """
    energy = _fitted_energy(rbm)
    data = _check_data(rbm, energy, X)
    totals, which = np.unique(_totals(energy, data), return_inverse=True)
    if log_partition is None:
        log_partition = _exact_log_partitions(energy, totals)[which]
    elif len(totals) > 1:
        raise ValueError(
            f"X has rows with {len(totals)} different totals, from {totals[0]:g} to "
            f"{totals[-1]:g}, each of which has a log_partition of its own. Pass rows of "
            "one total at a time, or leave log_partition out for a small RBM."
        )
    elif isinstance(log_partition, AISResult):
        log_partition = log_partition.log_partition
    return _minus_free_energy(energy, data) - log_partition


# ---------------------------------------------------------------------------------------
# checks
# ---------------------------------------------------------------------------------------
def _fitted_energy(rbm):
    """The mathematics of a fitted RBM, which must have a finite partition function."""
    if not isinstance(rbm, RBM):
        raise TypeError(
            f"rbm must be a fitted RBM, got {type(rbm).__name__}. The layers of a stack "
            "are RBMs, each a model of what the layers below make of the data."
        )
    check_is_fitted(rbm)
    energy = rbm._energy()
    if _is_gaussian(energy):
        largest = np.linalg.norm(_standard(energy)[0], 2)
        if largest >= 1:
            raise ValueError(
                "This RBM is not normalisable: with Gaussian units on both sides all "
                "singular values of components_ (times the units' standard deviations) "
                f"must be below 1, but the largest is {largest:.3g}. Train with a larger "
                "alpha, or a smaller learning_rate or max_iter, or use Bernoulli units on "
                "one side."
            )
    return energy


def _check_n_draws(energy, n_draws):
    """The total of a row: n_draws of counts, 1 of all other units, which have none."""
    if not isinstance(energy.visible, Multinomial):
        if n_draws is not None:
            raise ValueError(
                f"n_draws={n_draws} is for Multinomial visible units, but those of this "
                f"RBM are {energy.visible}. Leave it out."
            )
        return 1
    if n_draws is None:
        raise ValueError(
            "An RBM with Multinomial visible units has a partition function for each "
            "total of a row: pass n_draws, for example the mean of X.sum(axis=1), "
            "rounded."
        )
    return check_scalar(n_draws, "n_draws", Integral, min_val=1)


def _totals(energy, data):
    """Totals of the rows of counts, 1 for each row of all other units."""
    if not isinstance(energy.visible, Multinomial):
        return np.ones(data.shape[0])
    return np.ravel(data.sum(axis=1, dtype=np.float64))


def _of_total(energy, total):
    """The model of rows with this total, as one whose units do not depend on the row."""
    if not isinstance(energy.visible, Multinomial):
        return energy
    hidden_bias = (total * energy.hidden_bias).astype(energy.dtype)
    units = FixedTotal(total), energy.hidden
    return Energy(energy.weights, energy.visible_bias, hidden_bias, *units)


def _check_data(rbm, energy, X):
    """Validate rows of data for the RBM, copying nothing that blocks can be read from."""
    data = check_rows(rbm, X)
    energy.visible.check_data(data, getattr(rbm, "feature_names_in_", None))
    return data


def _check_betas(n_temperatures, betas):
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


# ---------------------------------------------------------------------------------------
# exact sums
# ---------------------------------------------------------------------------------------
def _minus_free_energy(energy, data):
    """``-F(v)`` of each row, in float64."""
    return -map_blocks(energy.astype(np.float64).free_energy, data, np.float64)


def _exact_log_partitions(energy, totals):
    """``log Z`` of each total, in closed form or by a sum over the states of a side."""
    energy = energy.astype(np.float64)
    measure = energy.visible.log_measure(len(energy.visible_bias))
    if _is_gaussian(energy):
        return np.full(len(totals), measure + _gaussian_integral(*_standard(energy)))
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


def _is_gaussian(energy):
    """Whether the units of both sides are Gaussian."""
    return all(isinstance(unit, Gaussian) for unit in (energy.visible, energy.hidden))


def _standard(energy):
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


def _base_bias(rbm, energy, X):
    """Visible biases of the model without weights: those of the RBM, or of data."""
    if X is None:
        return energy.visible_bias
    data = _check_data(rbm, energy, X)
    mean = np.ravel(data.mean(axis=0, dtype=np.float64))
    return energy.visible.initial_bias(mean, data.shape[0]).astype(energy.dtype)


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
