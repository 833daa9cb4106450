"""Restricted Boltzmann machines."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state, check_scalar, gen_batches
from sklearn.utils.validation import check_is_fitted

from ._batches import (
    ComputedRows,
    auto_batch_size,
    check_codes,
    check_rows,
    dense_block,
    map_blocks,
    output_dtype,
)
from ._energy import Energy
from ._params import named, resolve
from ._problems import EnergyProblem
from ._random import Stream
from ._sklearn import Interval, Options, StrOptions, fit_method
from ._threads import share
from ._training import Monitor, Task, run_epochs
from .samplers import SAMPLERS, Sampler
from .schedules import SCHEDULES, Schedule, as_schedule
from .units import UNITS, Unit

# Chains that are run together, with a stream of random numbers of their own.
_CHAINS_PER_BLOCK = 128


class RBM(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, CallbackSupportMixin, BaseEstimator
):
    """Restricted Boltzmann machine.

    A model of the data with one layer of hidden units, trained by following an estimate of
    the gradient of its log-likelihood. As a transformer it maps rows to the expected
    states of the hidden units.

    Parameters
    ----------
    n_components : int, default=256
        Number of hidden units.
    visible : {"bernoulli", "continuous", "gaussian", "multinomial", "relu", \
            "softmax", "spin"} or Unit, default="bernoulli"
        Type of the visible units, see :mod:`skdbn.units`. "bernoulli" takes data in
        [0, 1], as probabilities of a bit, "continuous" the same as intensities, "spin"
        data in [-1, 1]; "gaussian" takes real data, which should be standardised, "relu"
        data of 0 and more; "softmax" takes one-hot columns, in groups as
        ``Softmax(sizes)`` gives them, "multinomial" counts.
    hidden : {"bernoulli", "continuous", "gaussian", "relu", "softmax", "spin"} or Unit, \
            default="bernoulli"
        Type of the hidden units. "gaussian" makes a linear code.
    sampler : {"cd"} or Sampler, default="cd"
        How the negative phase is estimated. "cd" is contrastive divergence with one
        Gibbs step; ``CD(n_steps=10)`` takes ten.
    learning_rate : float, Schedule or "auto", default="auto"
        Step size for the gradient averaged over a batch. "auto" is the smaller of
        the rates of the two unit types: 0.1 for Bernoulli, Continuous and Softmax units,
        0.01 for Gaussian, ReLU and Spin units, 0.001 for Multinomial ones.
    momentum : float, Schedule or "ramp", default="ramp"
        Momentum in [0, 1). "ramp" rises from 0.5 to 0.9 over the first five epochs, as
        :class:`~skdbn.schedules.Ramp` with its defaults.
    alpha : float, default=0.0002
        L2 weight cost: each step shrinks the weights by ``learning_rate * alpha`` times
        themselves. Biases are left alone.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100.
    max_iter : int, default=20
        Number of epochs, passes over the training data.
    shuffle : bool, default=True
        Whether to draw the order of the rows anew in each epoch.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the parameters of the previous fit.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the parameters and of training.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for the initial weights, the order of the rows and the sampling.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        Weights.
    intercept_hidden_ : ndarray of shape (n_components,)
        Biases of the hidden units.
    intercept_visible_ : ndarray of shape (n_features,)
        Biases of the visible units.
    reconstruction_errors_ : list of float
        Squared difference of the data and the sampler's answer, averaged over rows and
        columns, for each epoch. Not what is minimised, but the usual sign of life.
    n_iter_ : int
        Number of epochs run.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X had string names.
    random_state_ : RandomState instance
        Feeds ``gibbs`` and ``sample``.

    See Also
    --------
    StackedRBM : Several RBMs, one on top of the other.
    sklearn.neural_network.BernoulliRBM : Binary units, trained by stochastic maximum
        likelihood.

    Notes
    -----
    The gradient of the log-likelihood with respect to the weights is
    ``<h v>_data - <h v>_model`` ([1]_, equation 5); the sampler estimates the second term.
    Weights start from N(0, 0.01), hidden biases from 0 and visible biases from the value
    that reproduces the mean of each column ([1]_, section 8).

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from skdbn import RBM
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(
    ...     MinMaxScaler(), RBM(128, random_state=0), LogisticRegression(max_iter=1000)
    ... )
    >>> bool(model.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]) > 0.85)
    True
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "visible": named(UNITS, Unit),
        "hidden": named(UNITS, Unit),
        "sampler": named(SAMPLERS, Sampler),
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            Schedule,
            StrOptions({"auto"}),
        ],
        "momentum": [Interval(Real, 0, 1, closed="left"), *named(SCHEDULES, Schedule)],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "warm_start": ["boolean"],
        "dtype": [
            Options(type, {np.float32, np.float64}),
            StrOptions({"float32", "float64"}),
        ],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components=256,
        *,
        visible="bernoulli",
        hidden="bernoulli",
        sampler="cd",
        learning_rate="auto",
        momentum="ramp",
        alpha=0.0002,
        batch_size="auto",
        max_iter=20,
        shuffle=True,
        warm_start=False,
        dtype="float32",
        verbose=False,
        random_state=None,
    ):
        self.n_components = n_components
        self.visible = visible
        self.hidden = hidden
        self.sampler = sampler
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    # -- learning -----------------------------------------------------------------------
    @fit_method
    def fit(self, X, y=None):
        """Fit the model to X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        self : RBM

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or not in [0, 1] with Bernoulli visible units.

        Warns
        -----
        ConvergenceWarning
            If training diverged. The last finite parameters are kept.
        """
        keep = self.warm_start and hasattr(self, "components_")
        data = self._check_data(X, reset=not keep)
        if keep:
            self._check_unchanged()
        else:
            self._initialize(data)
        self.reconstruction_errors_ = []
        self._train(X, y, data, range(self.max_iter), state=None)
        # Only partial_fit goes on with the momentum, which doubles the size of a pickle.
        self._optimizer_state_ = None
        return self

    @fit_method
    def partial_fit(self, X, y=None):
        """Run one epoch over X, going on from where the last call ended.

        The rows are taken in mini-batches of ``batch_size``. The momentum of the
        parameters and the time of the schedules go on from call to call: one call is one
        epoch, and a schedule over the whole fit has ended after ``max_iter`` calls.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A part of the training data.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        self : RBM

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or not in [0, 1] with Bernoulli visible units.
        """
        first = not hasattr(self, "components_")
        data = self._check_data(X, reset=first)
        if first:
            self._initialize(data)
        else:
            self._check_unchanged()
        n_done = len(self.reconstruction_errors_)
        epochs = range(n_done, n_done + 1)
        self._optimizer_state_ = self._train(X, y, data, epochs, self._optimizer_state_)
        return self

    def _check_data(self, X, reset):
        """Validate training data; nothing is copied but what no kernel could read."""
        data = check_rows(self, X, reset=reset)
        visible, hidden = resolve(self.visible, UNITS), resolve(self.hidden, UNITS)
        visible.check_width(data.shape[1])
        hidden.check_width(self.n_components)
        hidden.check_hidden()
        if not isinstance(data, ComputedRows):  # those are states of the layer below
            visible.check_data(data, getattr(self, "feature_names_in_", None))
        return data

    def _check_unchanged(self):
        """Raise where the parameters of an RBM that goes on are not those it began with."""
        n_fitted = self._n_features_out
        units = (resolve(self.visible, UNITS), resolve(self.hidden, UNITS))
        if self.n_components != n_fitted or [*map(type, units)] != [
            *map(type, self._units_)
        ]:
            raise ValueError(
                f"This RBM was fitted with n_components={n_fitted} and units "
                f"{self._units_}, and cannot go on with n_components={self.n_components} "
                f"and units {units}. Use fit with warm_start=False to start anew."
            )

    def _initialize(self, data):
        """Set the parameters that training starts from (Hinton 2010, section 8)."""
        self.random_state_ = check_random_state(self.random_state)
        # Kept, so that later changes of parameters do not change the fitted model.
        self._units_ = (resolve(self.visible, UNITS), resolve(self.hidden, UNITS))
        shape = (self.n_components, data.shape[1])
        mean = np.ravel(data.mean(axis=0, dtype=np.float64))
        bias = self._units_[0].initial_bias(mean, data.shape[0])
        if not np.isfinite(bias.astype(self.dtype)).all():
            raise ValueError(
                f"X holds values that are too large for dtype={self.dtype!r}, up to "
                f"{np.abs(mean).max():g} on average in one column. Scale the data, for "
                "example with StandardScaler."
            )
        self.components_ = self.random_state_.normal(0, 0.01, shape).astype(self.dtype)
        self.intercept_hidden_ = np.zeros(self.n_components, self.dtype)
        self.intercept_visible_ = bias.astype(self.dtype)
        self.reconstruction_errors_ = []
        self._optimizer_state_ = None

    def _train(self, X, y, data, epochs, state):
        """Run epochs from the fitted parameters, store the new ones; returns the state."""
        task = Task.root(self, X, y, max_subtasks=len(epochs))
        problem = self._problem(data, state)
        name = "RBM {1}-{0}".format(*problem.energy.weights.shape)
        monitor = Monitor(self, "reconstruction error", name=name, epochs=epochs)
        history = self.reconstruction_errors_

        def attributes(copy=np.copy):
            energy, errors = problem.energy, history + monitor.losses
            return {
                "components_": copy(energy.weights),
                "intercept_hidden_": copy(energy.hidden_bias),
                "intercept_visible_": copy(energy.visible_bias),
                "reconstruction_errors_": errors,
                "n_iter_": len(errors),
            }

        shuffling = self.random_state_ if self.shuffle else None
        rows = np.arange(data.shape[0])
        run_epochs(problem, rows, shuffling, monitor, task, attributes)
        vars(self).update(attributes(copy=np.asarray))
        task.end(attributes)
        return problem.state

    def _problem(self, data, state):
        """What the loop is to train, with the parameters' names turned into objects."""
        energy, n_samples = self._energy().astype(self.dtype), data.shape[0]
        rate, size = self.learning_rate, self.batch_size
        if rate == "auto":
            rate = min(energy.visible.learning_rate, energy.hidden.learning_rate)
        if size == "auto":
            size = auto_batch_size(n_samples)
        return EnergyProblem(
            data,
            energy,
            resolve(self.sampler, SAMPLERS),
            learning_rate=as_schedule(rate),
            momentum=as_schedule(self.momentum),
            alpha=self.alpha,
            batch_size=min(n_samples, size),
            max_iter=self.max_iter,
            random_state=self.random_state_,
            state=state,
        )

    def _energy(self):
        """The mathematics of the fitted parameters."""
        return Energy(
            self.components_,
            self.intercept_visible_,
            self.intercept_hidden_,
            *self._units_,
        )

    # -- the model ----------------------------------------------------------------------
    def transform(self, X):
        """Expected states of the hidden units given X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        H : ndarray of shape (n_samples, n_components)
            Probabilities for binary units, means for Gaussian ones; of X's dtype if that
            is float32 or float64, else of the estimator's ``dtype``.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X is not a finite 2-d array with ``n_features_in_`` columns.
        """
        energy, V = self._model_and_data(X)
        return map_blocks(
            energy.hidden_mean, V, energy.dtype, self._n_features_out, multiplies=True
        )

    def inverse_transform(self, X):
        """Expected states of the visible units given states of the hidden units.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            States or expected states of the hidden units.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X does not have ``n_components`` columns.
        """
        check_is_fitted(self)
        H = check_codes(self, X)
        energy = self._energy().astype(output_dtype(H, self.dtype))
        return map_blocks(energy.visible_mean, H, energy.dtype, self.n_features_in_)

    def reconstruct(self, X):
        """Map X to the hidden units and back, by means both ways.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
        """
        energy, V = self._model_and_data(X)
        return map_blocks(
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
        energy, V = self._model_and_data(X)
        return self._run_chains(energy, V, n_steps)

    def sample(self, n_samples=None, *, n_steps=100, X_init=None):
        """Draw new rows from the model.

        Parameters
        ----------
        n_samples : int, default=None
            Number of rows, each from a chain of its own. None for one, or for as many
            as ``X_init`` has.
        n_steps : int, default=100
            Gibbs steps of each chain.
        X_init : {array-like, sparse matrix} of shape (n_samples, n_features), \
                default=None
            Where the chains start. None draws each column by itself, as a model without
            weights would.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            States of the visible units.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If ``X_init`` does not have ``n_samples`` rows, or does not fit the model.
        """
        check_is_fitted(self)
        if X_init is not None:
            energy, start = self._model_and_data(X_init)
            if n_samples not in (None, start.shape[0]):
                raise ValueError(
                    f"X_init has {start.shape[0]} rows, but n_samples={n_samples}. Leave "
                    "n_samples out, or pass one row of X_init for each sample."
                )
        else:
            n_samples = 1 if n_samples is None else n_samples
            check_scalar(n_samples, "n_samples", Integral, min_val=1)
            energy = self._energy()
            silent = np.zeros((n_samples, self._n_features_out), energy.dtype)
            start = np.empty((n_samples, self.n_features_in_), energy.dtype)
            energy.sample_visible(silent, Stream(self.random_state_), start)
        return self._run_chains(energy, start, n_steps)

    def _run_chains(self, energy, start, n_steps):
        """Gibbs chains of n_steps from the rows of start, a block of chains at a time."""
        check_scalar(n_steps, "n_steps", Integral, min_val=1)
        result = np.empty((start.shape[0], self.n_features_in_), energy.dtype)

        def run(chains):
            rows, stream = chains
            V = dense_block(start, rows, energy.dtype)
            result[rows] = energy.gibbs(V, n_steps, stream)

        blocks = gen_batches(len(result), _CHAINS_PER_BLOCK)
        share(run, [(rows, Stream(self.random_state_)) for rows in blocks])
        return result

    def free_energy(self, X):
        """Free energy of each row: minus its unnormalised log-probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
            ``F(v) = -log(sum_h exp(-E(v, h)))`` in nats. Differences between rows of one
            model mean something; between models they do not.
        """
        energy, V = self._model_and_data(X)
        return map_blocks(energy.free_energy, V, energy.dtype)

    def score_samples(self, X):
        """Pseudo-log-likelihood of each row.

        The sum over the columns of ``log p(v_j | all other columns)`` (Besag 1975), which
        does not need the partition function. Exact for binary visible units; for Gaussian
        ones by Gauss-Hermite quadrature, which is accurate unless the weights of a column
        are large, of several units. Nothing is drawn at random, unlike in scikit-learn's
        BernoulliRBM. The cost is that of ``n_features`` transforms.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats; larger is better.

        References
        ----------
        .. [1] J. Besag (1975), "Statistical analysis of non-lattice data", The
           Statistician 24, 179-195, doi:10.2307/2987782.
        """
        energy, V = self._model_and_data(X)
        return map_blocks(energy.pseudo_log_likelihood, V, energy.dtype)

    def score(self, X, y=None):
        """Mean pseudo-log-likelihood of the rows of X, see ``score_samples``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X).mean(dtype=np.float64))

    def _model_and_data(self, X):
        """The model in the precision of the answer, and X as the blocks can read it."""
        check_is_fitted(self)
        data = check_rows(self, X)
        return self._energy().astype(output_dtype(data, self.dtype)), data

    def __sklearn_is_fitted__(self):
        """Whether there are parameters, which a fit that failed does not leave."""
        return hasattr(self, "components_")

    @property
    def _n_features_out(self):
        """Number of columns of the output, for the names that scikit-learn gives them."""
        return self.components_.shape[0]

    def __sklearn_tags__(self):
        """Tags that tell scikit-learn what this estimator takes and gives."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
