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

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from ._batches import check_rows
from ._estimates import AIS, Estimate, Exact, PseudoLikelihood
from ._partition import (
    AISResult,
    anneal,
    anneal_back,
    check_betas,
    check_normalisable,
    exact,
    exact_log_partitions,
    minus_free_energy,
)
from .rbm import RBM

__all__ = [
    "AIS",
    "AISResult",
    "Estimate",
    "Exact",
    "PseudoLikelihood",
    "annealed_importance_sampling",
    "log_likelihood",
    "log_partition",
    "reverse_ais",
]


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
    return float(exact_log_partitions(energy, [_check_n_draws(energy, n_draws)])[0])


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
        model of such data. None takes the means of the training data.
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
    betas = check_betas(n_temperatures, betas)
    check_scalar(n_chains, "n_chains", Integral, min_val=2)
    total = _check_n_draws(energy, n_draws)
    base_bias = _base_bias(rbm, energy, X_base)
    return anneal(energy, total, base_bias, betas, n_chains, random_state)


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
        data. None takes the means of the training data itself.
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
    betas = check_betas(n_temperatures, betas)
    check_scalar(n_chains, "n_chains", Integral, min_val=1)
    base_bias = _base_bias(rbm, energy, X_base)
    return anneal_back(energy, data, base_bias, betas, n_chains, random_state)


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
    if log_partition is None:
        return exact(energy, data)
    totals = np.unique(energy.visible.totals(data))
    if len(totals) > 1:
        raise ValueError(
            f"X has rows with {len(totals)} different totals, from {totals[0]:g} to "
            f"{totals[-1]:g}, each of which has a log_partition of its own. Pass rows of "
            "one total at a time, or leave log_partition out for a small RBM."
        )
    if isinstance(log_partition, AISResult):
        log_partition = log_partition.log_partition
    return minus_free_energy(energy, data) - log_partition


def _fitted_energy(rbm):
    """The mathematics of a fitted RBM, which must have a finite partition function."""
    if not isinstance(rbm, RBM):
        raise TypeError(
            f"rbm must be a fitted RBM, got {type(rbm).__name__}. The layers of a stack "
            "are RBMs, each a model of what the layers below make of the data."
        )
    check_is_fitted(rbm)
    energy = rbm._energy()
    check_normalisable(energy)
    return energy


def _check_n_draws(energy, n_draws):
    """The total of a row: n_draws of counts, 1 of all other units, which have none."""
    if energy.visible.has_mean:
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


def _check_data(rbm, energy, X):
    """Validate rows of data for the RBM, copying nothing that blocks can be read from."""
    data = check_rows(rbm, X)
    energy.visible.check_data(data, getattr(rbm, "feature_names_in_", None))
    return data


def _base_bias(rbm, energy, X):
    """Visible biases of the model without weights: those of data."""
    if X is None:
        return rbm._base_bias(energy)
    data = _check_data(rbm, energy, X)
    mean = np.ravel(data.mean(axis=0, dtype=np.float64))
    return energy.visible.initial_bias(mean, data.shape[0]).astype(energy.dtype)
