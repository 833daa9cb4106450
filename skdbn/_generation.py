"""Level 3: rows drawn from a model, and missing values filled in.

A chain is a row of visible states that block Gibbs sampling takes from step to step. Chains
run in blocks, each with a stream of random numbers of its own, so that what is drawn does
not depend on the number of threads.
"""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from ._batches import ACCEPTED_DTYPES, answer_blocks, check_rows, dense_block, output_dtype
from ._random import Stream
from ._threads import share

# Chains that are run together, with a stream of random numbers of their own.
_CHAINS_PER_BLOCK = 128


class GenerationMixin:
    """What a fitted RBM draws, reconstructs and fills in."""

    def reconstruct(self, X):
        """Map X to the hidden units and back, by means both ways.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to map there and back.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.

        See Also
        --------
        impute : Expected values of missing entries, given the others of their row.
        """
        energy, V = self._model_and_data(X)
        return answer_blocks(
            energy.reconstruct, V, energy.dtype, self.n_features_in_, multiplies=True
        )

    def gibbs(self, X, n_steps=1):
        """Draw from the model by Gibbs sampling, starting from X.

        One step draws hidden states given visible ones and visible states given those.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Where the chains start, one chain a row.
        n_steps : int, default=1
            Number of steps.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            States of the visible units after the last step.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X does not fit the model, or ``n_steps`` is not a positive integer.
        """
        energy, start = self._model_and_data(X)
        plan = Plan(None, None, n_steps, X=start)
        return plan.draw([energy], start, self.random_state_)

    def sample(
        self,
        n_samples=None,
        *,
        n_steps=100,
        X_init=None,
        X_given=None,
        n_chains=None,
        thin=1,
    ):
        """Draw new rows from the model, by block Gibbs sampling.

        Parameters
        ----------
        n_samples : int, default=None
            Number of rows. None for one from each chain.
        n_steps : int, default=100
            Gibbs steps of each chain before its first row is kept (burn-in).
        X_init : {array-like, sparse matrix} of shape (n_chains, n_features), \
                default=None
            Where the chains start. None draws each column by itself, as a model without
            weights would.
        X_given : array-like of shape (n_chains, n_features) or (1, n_features), \
                default=None
            Values that are held, and NaN for those that are drawn: the rows then follow
            the distribution of the latter given the former. One row holds for all chains.
            The chains start from these values and, where there are none, from ``X_init``.
        n_chains : int, default=None
            Number of chains. None for as many as ``X_init`` or ``X_given`` has rows, else
            for one a row.
        thin : int, default=1
            Steps between two rows that are kept of one chain, where there are more rows
            than chains.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            States of the visible units. The first ``n_chains`` rows are those of all
            chains after ``n_steps`` steps, the next those of the same chains ``thin`` steps
            later, and so on. Rows of different chains are independent; those of one
            are the less so, the smaller ``thin`` is. Of the dtype of ``X_init`` or
            ``X_given`` if that is float32 or float64, else of the estimator's ``dtype``.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If there are more chains than rows, if ``X_init`` or ``X_given`` do not have a
            row for each chain, or do not fit the model, or if the chains grow without
            bound, as they may with Gaussian units on both sides.

        See Also
        --------
        impute : Means instead of draws, of what is missing in a row.

        Examples
        --------
        >>> import numpy as np
        >>> from skdbn import RBM
        >>> X = np.repeat([[0, 0, 0], [1, 1, 1]], 50, axis=0)
        >>> rbm = RBM(4, max_iter=100, random_state=0).fit(X)
        >>> rbm.sample(1000, n_chains=50, thin=5).shape
        (1000, 3)
        >>> ones = rbm.sample(500, X_given=[[1, np.nan, np.nan]])
        >>> bool(ones[:, 0].all() and ones.mean() > 0.8)
        True
        """
        check_is_fitted(self)
        start = None if X_init is None else check_rows(self, X_init)
        given = None if X_given is None else self._check_incomplete(X_given)
        energy = self._energy().astype(answer_dtype(self.dtype, start, given))
        one_for_all = given is None or len(given) == 1
        plan = Plan(
            n_samples,
            n_chains,
            n_steps,
            thin,
            X_init=start,
            X_given=None if one_for_all else given,
        )
        return plan.draw([energy], start, self.random_state_, given)

    def impute(self, X, *, n_steps=100, n_draws=100):
        """Replace missing values by what the model expects, given the rest of the row.

        A chain runs for each row with missing values. The known ones are held and the
        others drawn, as in ``sample``; the answer is the average of the conditional means
        ``E[v | h]`` over ``n_draws`` steps, which has less noise than that of the draws
        [1]_. Collaborative filtering is the same question: rows are users, columns items,
        and what a user has not rated is missing [2]_.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows in which NaN marks what is missing. With a boolean mask of what is known,
            pass ``np.where(mask, X, np.nan)``.
        n_steps : int, default=100
            Gibbs steps of each chain before the first that counts (burn-in).
        n_draws : int, default=100
            Gibbs steps that are averaged. The error by chance falls as the inverse of
            its square root.

        Returns
        -------
        X_imputed : ndarray of shape (n_samples, n_features)
            X with numbers in place of NaN: probabilities for binary units, means for
            Gaussian ones. Known values are returned as they are. Of X's dtype if that is
            float32 or float64, else of the estimator's ``dtype``.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        TypeError
            If X is sparse, where a missing entry is a zero.
        ValueError
            If X is not a 2-d array with ``n_features_in_`` columns, or has infinities, or
            if the chains grow without bound, as they may with Gaussian units on both
            sides.

        References
        ----------
        .. [1] A. Gelfand, A. Smith (1990), "Sampling-based approaches to calculating
           marginal densities", Journal of the American Statistical Association 85,
           398-409, doi:10.1080/01621459.1990.10476213.
        .. [2] R. Salakhutdinov, A. Mnih, G. Hinton (2007), "Restricted Boltzmann machines
           for collaborative filtering", ICML, 791-798, doi:10.1145/1273496.1273596.

        Examples
        --------
        >>> import numpy as np
        >>> from skdbn import RBM
        >>> X = np.repeat([[0, 0, 0], [1, 1, 1]], 50, axis=0)
        >>> rbm = RBM(4, max_iter=100, random_state=0).fit(X)
        >>> rbm.impute([[1, np.nan, 1], [0, np.nan, 0]]).round()
        array([[1., 1., 1.],
               [0., 0., 0.]])
        """
        check_is_fitted(self)
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_scalar(n_draws, "n_draws", Integral, min_val=1)
        known = self._check_incomplete(X)
        energy = self._energy().astype(output_dtype(known, self.dtype))
        result = known.astype(energy.dtype)
        incomplete = np.flatnonzero(np.isnan(result).any(axis=1))

        def fill(chains, stream):
            rows = incomplete[chains]
            clamped = Clamped(energy, result[rows])
            V = clamped.gibbs(_without_weights(energy, len(rows), stream), n_steps, stream)
            result[rows] = clamped.average(V, n_draws, stream)

        _share_chains(fill, len(incomplete), self.random_state_)
        return _check_finite(result, energy)

    def _check_incomplete(self, X):
        """Validate rows in which NaN marks what is not known."""
        data = validate_data(
            self,
            X,
            dtype=ACCEPTED_DTYPES,
            order="C",
            ensure_all_finite="allow-nan",
            reset=False,
        )
        self._units_[0].check_clamped(~np.isnan(data))
        return data


def answer_dtype(dtype, *arrays):
    """Precision of draws: that of the float arrays among those there are, else dtype."""
    dtypes = [output_dtype(X, dtype) for X in arrays if X is not None]
    return np.result_type(*(dtypes or [dtype]))


class Plan:
    """How many chains are run, and which of their states are kept.

    Parameters
    ----------
    n_samples, n_chains : int or None
    n_steps : int
    thin : int, default=1
    **starts : None, or ndarray or CSR of shape (n_chains, n_features)
        What there is for each chain, by the names of the parameters.
    """

    def __init__(self, n_samples, n_chains, n_steps, thin=1, **starts):
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        check_scalar(thin, "thin", Integral, min_val=1)
        for name, value in (("n_samples", n_samples), ("n_chains", n_chains)):
            if value is not None:
                check_scalar(value, name, Integral, min_val=1)
        self.n_steps = n_steps
        self.thin = thin
        self.n_chains = _count_chains(n_samples, n_chains, starts)
        self.n_samples = self.n_chains if n_samples is None else n_samples
        if self.n_chains > self.n_samples:
            raise ValueError(
                f"n_chains={n_chains} is more than n_samples={n_samples}: a row of each "
                "chain is kept. Use n_chains=None for one chain a row."
            )

    def draw(self, energies, start, random_state, given=None):
        """Rows of the model of a stack: chains in the top RBM, then one way down.

        Parameters
        ----------
        energies : list of Energy
            From the bottom.
        start : ndarray or CSR of shape (n_chains, n_features) or None
        random_state : RandomState
        given : ndarray of shape (n_chains, n_features) or (1, n_features), default=None
            What is held in the top RBM, and NaN.
        """
        *below, top = energies
        n_features = len(energies[0].visible_bias)
        n_kept = -(-self.n_samples // self.n_chains)
        kept = np.empty((n_kept, self.n_chains, n_features), top.dtype)
        if given is not None:
            given = np.broadcast_to(given, (self.n_chains, n_features))

        def run(rows, stream):
            layers = below
            if start is None:
                V = _without_weights(top, rows.stop - rows.start, stream)
            else:
                V = dense_block(start, rows, top.dtype)
                layers = [energy.given(V) for energy in below[:1]] + below[1:]
                V = _ascend(layers, V, stream)
            chains = top if given is None else Clamped(top, given[rows])
            for i in range(n_kept):
                V = chains.gibbs(V, self.thin if i else self.n_steps, stream)
                kept[i, rows] = _descend(layers, V, stream)

        _share_chains(run, self.n_chains, random_state)
        return _check_finite(kept.reshape(-1, n_features)[: self.n_samples], top)


def _count_chains(n_samples, n_chains, starts):
    """The number of chains that the parameters agree on; one if there are none."""
    count, said = n_chains, f"n_chains={n_chains}"
    if count is None and n_samples is not None:
        count, said = n_samples, f"n_samples={n_samples}"
    for name, X in starts.items():
        if X is None:
            continue
        if count not in (None, X.shape[0]):
            raise ValueError(
                f"{name} has {X.shape[0]} rows, but {said}. It needs a row for each chain, "
                "and there is a chain for each sample unless n_chains says otherwise."
            )
        count, said = X.shape[0], f"{name} has {X.shape[0]}"
    return 1 if count is None else count


class Clamped:
    """Chains of an RBM in which some visible units are held, others in each chain.

    Given the hidden states the visible units are independent. So the free ones are drawn
    as they should be if all are drawn and the held ones put back.

    Parameters
    ----------
    energy : Energy
    values : ndarray of shape (n_chains, n_features)
        What is held, NaN for the free units.
    """

    def __init__(self, energy, values):
        self.energy = energy
        self.values = values.astype(energy.dtype, copy=False)
        self.held = ~np.isnan(self.values)

    def gibbs(self, V, n_steps, stream):
        """States of v after some Gibbs steps from V, in a new array."""
        V = np.where(self.held, self.values, V)
        for _ in self._steps(V, n_steps, stream):
            pass
        return V

    def average(self, V, n_draws, stream):
        """Means of the free units over some Gibbs steps from V, with what is held."""
        V, total = V.copy(), np.zeros(V.shape)
        for mean in self._steps(V, n_draws, stream):
            total += mean
        return np.where(self.held, self.values, total / n_draws)

    def _steps(self, V, n_steps, stream):
        """Make steps in V, yielding the ``E[v | h]`` of each."""
        H = np.empty((len(V), len(self.energy.hidden_bias)), V.dtype)
        mean = np.empty_like(V)
        for _ in range(n_steps):
            np.dot(self.energy.sample_hidden(V, stream, H), self.energy.weights, out=mean)
            self.energy.visible.sample(mean, self.energy.visible_bias, V, stream)
            np.copyto(V, self.values, where=self.held)
            yield mean


def _without_weights(energy, n, stream):
    """Visible states drawn as if there were no weights."""
    silent = np.zeros((n, len(energy.hidden_bias)), energy.dtype)
    return _descend([energy], silent, stream)


def _ascend(energies, V, stream):
    """Draw the states of each layer given those below; returns the highest."""
    for energy in energies:
        H = np.empty((len(V), len(energy.hidden_bias)), energy.dtype)
        V = energy.sample_hidden(V, stream, H)
    return V


def _descend(energies, H, stream):
    """Draw the states of each layer given those above; returns the lowest."""
    for energy in reversed(energies):
        V = np.empty((len(H), len(energy.visible_bias)), energy.dtype)
        H = energy.sample_visible(H, stream, V)
    return H


def _share_chains(run, n_chains, random_state):
    """Call ``run(rows, stream)`` for blocks of chains, on several threads."""

    def run_quietly(block):
        with np.errstate(all="ignore"):  # what overflows is found in the result
            run(*block)

    starts = range(0, n_chains, _CHAINS_PER_BLOCK)
    blocks = [slice(i, min(i + _CHAINS_PER_BLOCK, n_chains)) for i in starts]
    share(run_quietly, [(rows, Stream(random_state)) for rows in blocks])


def _check_finite(result, energy):
    """Raise where chains have left the numbers; returns the result."""
    if not np.isfinite(result).all():
        raise ValueError(
            "The states of the chains are not finite: the density of this RBM, with units "
            f"{energy.visible} and {energy.hidden}, has no finite integral, or its "
            f"parameters are too large for {energy.dtype}. Train with a larger alpha, or a "
            "smaller learning_rate or max_iter, or use Bernoulli units on one side."
        )
    return result
