"""Level 4: what an RBM takes for the log-likelihood of rows, by name or object."""

from abc import ABC, abstractmethod
from numbers import Integral

import numpy as np

from ._batches import answer_blocks
from ._partition import (
    anneal,
    check_betas,
    check_normalisable,
    exact,
    exact_log_partitions,
    is_exact,
    minus_free_energy,
)
from ._sklearn import Interval
from ._versioned import VersionedEstimator

# States of the smaller side, as a power of 2, that "auto" sums over.
_FEW_STATES = 12


class Estimate(ABC, VersionedEstimator):
    """Base class of the estimates of a log-likelihood."""

    @abstractmethod
    def log_partition(self, energy, base_bias, total=1):
        """Estimate of ``log Z`` for rows of a total, in nats."""

    @abstractmethod
    def log_likelihood(self, energy, data, base_bias):
        """Estimate for each row, shape (n,), in nats.

        ``base_bias`` are visible biases at which a model without weights has the means of
        the training data.
        """


class Exact(Estimate):
    """The log-likelihood itself, by a sum over the states of the smaller side.

    For up to 2**25 states; the time doubles with each binary unit. See
    :func:`skdbn.likelihood.log_partition`.

    Examples
    --------
    >>> from skdbn import RBM
    >>> RBM(16, likelihood="exact")
    RBM(likelihood='exact', n_components=16)
    """

    def log_partition(self, energy, base_bias, total=1):
        check_normalisable(energy)
        return float(exact_log_partitions(energy, np.array([total]))[0])

    def log_likelihood(self, energy, data, base_bias):
        check_normalisable(energy)
        return exact(energy, data)


class AIS(Estimate):
    """The log-likelihood with a partition function from annealed importance sampling.

    See :func:`skdbn.likelihood.annealed_importance_sampling`, which also tells how good
    the estimate is. Rows of counts need an estimate for each total of a row.

    Parameters
    ----------
    n_temperatures : int, default=1000
        Number of inverse temperatures, spaced evenly from 0 to 1.
    n_chains : int, default=100
        Number of chains, at least 2.
    betas : array-like of shape (n_temperatures,), default=None
        Increasing inverse temperatures from 0 to 1, in place of ``n_temperatures``.
    random_state : int or None, default=0
        Seed for the chains. With an integer a model has the same score each time, and
        models that are compared have the same luck.

    Examples
    --------
    >>> from skdbn import RBM
    >>> from skdbn.likelihood import AIS
    >>> rbm = RBM(500, likelihood=AIS(n_temperatures=5000))
    >>> rbm.get_params()["likelihood__n_chains"]
    100
    """

    _parameter_constraints: dict = {
        "n_temperatures": [Interval(Integral, 2, None, closed="left")],
        "n_chains": [Interval(Integral, 2, None, closed="left")],
        "betas": ["array-like", None],
        "random_state": ["random_state"],
    }

    def __init__(self, n_temperatures=1000, n_chains=100, betas=None, random_state=0):
        self.n_temperatures = n_temperatures
        self.n_chains = n_chains
        self.betas = betas
        self.random_state = random_state

    def log_partition(self, energy, base_bias, total=1):
        check_normalisable(energy)
        betas = check_betas(self.n_temperatures, self.betas)
        options = base_bias, betas, self.n_chains, self.random_state
        return anneal(energy, total, *options).log_partition

    def log_likelihood(self, energy, data, base_bias):
        totals, which = np.unique(energy.visible.totals(data), return_inverse=True)
        log_z = [self.log_partition(energy, base_bias, total) for total in totals]
        return minus_free_energy(energy, data) - np.array(log_z)[which]


class PseudoLikelihood(Estimate):
    """The pseudo-log-likelihood: each column given all the others [1]_.

    The sum over the columns (or groups of columns, or draws) of the log-probability of
    what is there, given the rest of the row. Nothing is drawn, and no partition function
    is needed; but it is another number than the log-likelihood, larger, and knows less of
    how the columns depend on each other all together.

    Exact for units with finitely many states; by quadrature for real-valued ones, which
    is accurate unless the weights of a column are several units large. The cost is that
    of ``n_features`` transforms.

    References
    ----------
    .. [1] J. Besag (1975), "Statistical analysis of non-lattice data", The Statistician
       24, 179-195, doi:10.2307/2987782.

    Examples
    --------
    >>> from skdbn import RBM
    >>> RBM(16, likelihood="pseudo")
    RBM(likelihood='pseudo', n_components=16)
    """

    def log_partition(self, energy, base_bias, total=1):
        raise ValueError(
            "likelihood='pseudo' is for an RBM by itself: the top RBM of a stack needs a "
            "partition function. Use likelihood='auto'."
        )

    def log_likelihood(self, energy, data, base_bias):
        scores = answer_blocks(energy.pseudo_log_likelihood, data, energy.dtype)
        return scores.astype(np.float64)


class _Auto(Estimate):
    """The exact value where that is quick, else annealed importance sampling."""

    def log_partition(self, energy, base_bias, total=1):
        return _chosen(energy).log_partition(energy, base_bias, total)

    def log_likelihood(self, energy, data, base_bias):
        return _chosen(energy).log_likelihood(energy, data, base_bias)


def _chosen(energy):
    """What "auto" takes for a model."""
    return Exact() if is_exact(energy, _FEW_STATES) else AIS()


ESTIMATES = {"auto": _Auto, "exact": Exact, "ais": AIS, "pseudo": PseudoLikelihood}


class ScoreMixin:
    """The score of estimators that have ``score_samples``."""

    def score(self, X, y=None):
        """Mean of ``score_samples`` over the rows of X.

        Comparable between any two models of the same data with the same type of visible
        units, so a grid search without y ranks them by it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        score : float
            In nats; larger is better.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            As ``score_samples``.
        """
        return float(self.score_samples(X).mean(dtype=np.float64))
