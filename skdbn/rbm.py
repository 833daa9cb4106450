"""Restricted Boltzmann machines."""

from copy import copy, deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._batches import (
    ComputedRows,
    Examples,
    answer_blocks,
    auto_batch_size,
    check_codes,
    check_rows,
    column_means,
    column_variances,
    count_rows,
    hold_out,
    map_blocks,
    output_dtype,
)
from ._energy import Energy
from ._energy_problem import EnergyProblem
from ._estimates import ESTIMATES, Estimate, ScoreMixin
from ._generation import GenerationMixin
from ._params import named, resolve, same_params
from ._penalties import Penalty
from ._sklearn import (
    DocumentedMixin,
    Interval,
    Options,
    StrOptions,
    check_sample_weight,
    fit_method,
)
from ._tasks import Task
from ._training import Monitor, run_epochs
from ._versioned import VersionedEstimator
from .regularization import Sparsity
from .samplers import SAMPLERS, Sampler
from .schedules import SCHEDULES, Schedule, as_schedule
from .units import UNITS, Unit

# Held-out rows whose pseudo-likelihood early stopping computes, which is slow.
_MOST_SCORED = 1000
# Rows that the means count as, where a mean of 0 or 1 is to have a finite bias.
_SMOOTHING = 10_000


class RBM(
    GenerationMixin,
    ScoreMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    DocumentedMixin,
    CallbackSupportMixin,
    VersionedEstimator,
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
    sampler : {"cd", "pcd", "fast_pcd", "tempering"} or Sampler, default="cd"
        How the negative phase is estimated: by contrastive divergence with one Gibbs step
        (``CD(n_steps=10)`` takes ten), by persistent chains, by persistent chains driven
        by fast weights, or by parallel tempering. "cd" makes good features quickly; the
        others follow the likelihood, for models to sample from or to score with.
    learning_rate : float, Schedule or "auto", default="auto"
        Step size for the gradient averaged over a batch. "auto" is the smaller of
        the rates of the two unit types: 0.1 for Bernoulli, Continuous and Softmax units,
        0.01 for Gaussian, ReLU and Spin units, 0.001 for Multinomial ones; and a tenth of
        that with persistent chains.
    momentum : float, Schedule or "ramp", default="ramp"
        Momentum in [0, 1). "ramp" rises from 0.5 to 0.9 over the first five epochs, as
        :class:`~skdbn.schedules.Ramp` with its defaults.
    alpha : float, default=0.0002
        Weight cost: the gradient gets ``alpha`` times the weights (L2). Biases are left
        alone.
    l1_ratio : float, default=0.0
        Share of ``alpha`` in [0, 1] that is an L1 cost: each step brings the weights
        nearer to zero by ``learning_rate * alpha * l1_ratio``, and to zero itself where
        that is more than they are; the L2 cost has the rest of ``alpha``.
    max_norm : float or None, default=None
        Largest Euclidean norm of the weights of a hidden unit. A step that exceeds it is
        followed by scaling them down.
    clip_norm : float or None, default=None
        Largest Euclidean norm of the gradient (averaged over a batch, without the weight
        cost). A larger one is scaled down.
    sparsity : Sparsity or None, default=None
        Mean activity that is asked of the hidden units.
    center : bool or "auto", default="auto"
        Whether to follow the gradient of the centred model [2]_ [3]_, in which moving
        averages of the units' mean states are subtracted from the states. The model and
        its parameters are the same; learning no longer depends on whether the data or
        their complement are coded as ones, and reaches higher likelihoods. "auto" centres
        with persistent chains, and not with "cd", whose features are better without.
    average : float or None, default=None
        Epochs over which the parameters are averaged, exponentially weighted, and in
        shorter fits evenly. The averages are the fitted parameters.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100.
    max_iter : int, default=20
        Number of epochs, passes over the training data.
    early_stopping : {"pseudo_likelihood", "free_energy_gap"} or bool, default=False
        Whether to hold out rows and to stop when the model gets no better for them. True
        is "pseudo_likelihood", which stops when the mean pseudo-log-likelihood of (at most
        1000) held-out rows does not rise by ``tol`` for ``n_iter_no_change`` epochs, and
        keeps the best parameters. "free_energy_gap" stops when the mean free energy of the
        held-out rows has been above that of as many training rows, which is how much less
        likely the model finds them ([1]_, section 15), by ``tol`` more than at its
        smallest for ``n_iter_no_change`` epochs, and keeps the last parameters before.
    validation_fraction : float, default=0.1
        Share of the rows that is held out for early stopping.
    n_iter_no_change : int, default=5
        Epochs in a row that early stopping bears.
    tol : float, default=0.1
        What counts in early stopping, in nats a row.
    back_off : bool, default=False
        What to do when training diverges. By default it is stopped and the last finite
        parameters are kept, with a warning. True goes on from there with a learning rate
        ten times smaller, up to five times.
    shuffle : bool, default=True
        Whether to draw the order of the rows anew in each epoch.
    likelihood : {"auto", "exact", "ais", "pseudo"} or Estimate, default="auto"
        What ``score_samples`` and ``score`` take for the log-likelihood: the exact value,
        which takes a side of few states; with a partition function from annealed
        importance sampling (``AIS(n_temperatures=10000)`` for a better one); or the
        pseudo-log-likelihood. "auto" is exact up to 2**12 states, else "ais", which takes
        about a second for 784 columns and 500 hidden units.
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
    variance_visible_ : ndarray of shape (n_features,) or None
        With ``visible=Gaussian(variance="learned")``, the variances of the visible units
        given the hidden ones.
    reconstruction_errors_ : list of float
        Squared difference of the data and the sampler's answer, averaged over rows and
        columns, for each epoch. Not what is minimised, but the usual sign of life.
    n_iter_ : int
        Number of epochs run.
    validation_scores_ : list of float or None
        With ``early_stopping``, what was held out scored after each epoch: the mean
        pseudo-log-likelihood, or minus the gap.
    swap_rates_ : ndarray of shape (n_temperatures - 1,) or None
        With parallel tempering, the share of accepted swaps of neighbouring temperatures.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X had string names.
    random_state_ : RandomState instance
        Feeds ``gibbs``, ``sample`` and ``impute``.

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
    .. [2] G. Montavon, K.-R. Mueller (2012), "Deep Boltzmann machines and the centering
       trick", Neural Networks: Tricks of the Trade, doi:10.1007/978-3-642-35289-8_33.
    .. [3] J. Melchior, A. Fischer, L. Wiskott (2016), "How to center deep Boltzmann
       machines", JMLR 17(99).

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
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "clip_norm": [Interval(Real, 0, None, closed="neither"), None],
        "sparsity": [Sparsity, None],
        "center": ["boolean", StrOptions({"auto"})],
        "average": [Interval(Real, 0, None, closed="neither"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": [StrOptions({"pseudo_likelihood", "free_energy_gap"}), "boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "back_off": ["boolean"],
        "shuffle": ["boolean"],
        "likelihood": named(ESTIMATES, Estimate),
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
        l1_ratio=0.0,
        max_norm=None,
        clip_norm=None,
        sparsity=None,
        center="auto",
        average=None,
        batch_size="auto",
        max_iter=20,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        tol=0.1,
        back_off=False,
        shuffle=True,
        likelihood="auto",
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
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.clip_norm = clip_norm
        self.sparsity = sparsity
        self.center = center
        self.average = average
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.back_off = back_off
        self.shuffle = shuffle
        self.likelihood = likelihood
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    # -- learning -----------------------------------------------------------------------
    @fit_method
    def fit(self, X, y=None, sample_weight=None):
        """Fit the model to X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean gradient of a batch; None for equal ones.

        Returns
        -------
        self : RBM

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units, such as data
            outside [0, 1] with Bernoulli ones, or weights are negative or all zero.

        Warns
        -----
        ConvergenceWarning
            If training diverged, or Ctrl-C ended it. The last finite parameters are kept.
        """
        keep = self.warm_start and hasattr(self, "components_")
        data, sample_weight = self._check_data(X, sample_weight, reset=not keep)
        if keep:
            self._check_unchanged()
        origin = (X, sample_weight, self.components_ if keep else None)
        task = Task.root(self, X, y, max_subtasks=self.max_iter, origin=origin)
        if keep:
            self.random_state_ = task.begin_random(self.random_state_)
            mean = column_means(data, sample_weight)
            self._visible_mean_ = mean.astype(self.dtype)
            self._training_state_ = None
        else:
            self._initialize(task, data, sample_weight)
        self.reconstruction_errors_ = []
        self._train(task, data, sample_weight)
        # Only partial_fit goes on with it; it is twice the size of the parameters.
        self._training_state_ = None
        return self

    @fit_method
    def partial_fit(self, X, y=None, sample_weight=None):
        """Run one epoch over X, going on from where the last call ended.

        The rows are taken in mini-batches of ``batch_size``. The momentum of the
        parameters, the sampler's chains and the time of the schedules go on from call to
        call: one call is one epoch, and a schedule over the whole fit has ended after
        ``max_iter`` calls. ``early_stopping`` has no effect.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A part of the training data.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the mean gradient of a batch; None for equal ones.

        Returns
        -------
        self : RBM

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units.
        """
        first = not hasattr(self, "components_")
        data, sample_weight = self._check_data(X, sample_weight, reset=first)
        if not first:
            self._check_unchanged()
        task = Task.root(self, X, y, max_subtasks=1)
        if first:
            self._initialize(task, data, sample_weight)
        self._train(task, data, sample_weight, after=len(self.reconstruction_errors_))
        return self

    def _check_data(self, X, sample_weight, reset):
        """Validate training data; nothing is copied but what no kernel could read."""
        data = check_rows(self, X, reset=reset)
        visible, hidden = resolve(self.visible, UNITS), resolve(self.hidden, UNITS)
        visible.check_width(data.shape[1])
        hidden.check_width(self.n_components)
        hidden.check_hidden()
        if not isinstance(data, ComputedRows):  # those are states of the layer below
            visible.check_data(data, getattr(self, "feature_names_in_", None))
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
            # By a power of 2, which rounds nothing: sums of them must not overflow.
            sample_weight = np.ldexp(sample_weight, -np.frexp(sample_weight.max())[1])
            # A batch of weights that are 0 in the precision of training has no mean.
            sample_weight[sample_weight < np.finfo(self.dtype).tiny] = 0.0
        return data, sample_weight

    def _parameter_arrays(self):
        """The arrays of the parameters, which copies of one RBM may average."""
        arrays = [self.components_, self.intercept_hidden_, self.intercept_visible_]
        return arrays + [self.variance_visible_] * (self.variance_visible_ is not None)

    def _begin_anew(self, random_state):
        """Forget what ``partial_fit`` goes on with, but for the parameters."""
        self.random_state_, self._training_state_ = random_state, None

    def _check_unchanged(self):
        """Raise where the parameters of an RBM that goes on are not those it began with."""
        n_fitted, units = self._n_features_out, self._resolve_units()
        if self.n_components != n_fitted or not same_params(units, self._units_):
            raise ValueError(
                f"This RBM was fitted with n_components={n_fitted} and units "
                f"{self._units_}, and cannot go on with n_components={self.n_components} "
                f"and units {units}. Use fit with warm_start=False to start anew."
            )

    def _resolve_units(self):
        """The unit types, as copies."""
        units = self.visible, self.hidden
        return tuple(clone(resolve(unit, UNITS)) for unit in units)

    def _initialize(self, task, data, sample_weight):
        """Set the parameters that training starts from (Hinton 2010, section 8)."""
        self.random_state_ = task.begin_random(check_random_state(self.random_state))
        # Kept, so that later changes of parameters do not change the fitted model.
        self._units_ = self._resolve_units()
        shape = (self.n_components, data.shape[1])
        mean = column_means(data, sample_weight)
        visible, self.variance_visible_ = self._units_[0], None
        if visible.has_parameters:
            variance = column_variances(data, mean, sample_weight)
            visible = visible.bind(visible.initial_parameters(mean, variance))
            self.variance_visible_ = np.exp(visible.parameters).astype(self.dtype)
        bias = visible.initial_bias(mean, count_rows(data, sample_weight))
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
        self._visible_mean_ = mean.astype(self.dtype)
        self._training_state_ = None

    def _train(self, task, data, sample_weight, after=None):
        """Run epochs from the fitted parameters and store the new ones."""
        problem = self._problem(data, sample_weight)
        rows, monitor = self._monitor(problem, after)
        history, generator = self.reconstruction_errors_, self.random_state_

        def attributes(array=np.copy, theta=None):
            energy = problem.model(problem.solution if theta is None else theta)
            errors, own = history + monitor.losses, energy.visible.parameters
            return {
                "components_": array(energy.weights),
                "intercept_hidden_": array(energy.hidden_bias),
                "intercept_visible_": array(energy.visible_bias),
                "variance_visible_": None if own is None else np.exp(own),
                "reconstruction_errors_": errors,
                "n_iter_": len(errors),
                "validation_scores_": list(monitor.scores) if monitor.validate else None,
                "swap_rates_": None,
                # What callbacks draw does not change what training draws.
                "random_state_": deepcopy(generator),
                **problem.attributes(),
            }

        shuffling = self.random_state_ if self.shuffle else None
        run_epochs(problem, rows, shuffling, monitor, task, attributes)
        vars(self).update(attributes(np.asarray, monitor.best_theta))
        self.random_state_ = generator
        self._training_state_ = problem.state
        task.end_fit(attributes)

    def _problem(self, data, sample_weight):
        """What the loop is to train, with the parameters' names turned into objects."""
        energy = self._energy().astype(self.dtype)
        n_samples = count_rows(data, sample_weight)
        sampler = resolve(self.sampler, SAMPLERS)
        rate, size = self.learning_rate, self.batch_size
        if rate == "auto":
            rate = min(energy.visible.learning_rate, energy.hidden.learning_rate)
            rate *= sampler.learning_rate_factor
        if size == "auto":
            size = auto_batch_size(n_samples)
        return EnergyProblem(
            data,
            energy,
            sampler,
            visible_mean=self._visible_mean_,
            sample_weight=sample_weight,
            learning_rate=as_schedule(rate),
            momentum=as_schedule(self.momentum),
            penalty=Penalty(
                l2=self.alpha * (1 - self.l1_ratio),
                l1=self.alpha * self.l1_ratio,
                max_norm=self.max_norm,
                clip_norm=self.clip_norm,
                sparsity=self.sparsity,
            ),
            center=self._centers(sampler, energy.visible),
            average=self.average,
            batch_size=min(n_samples, size),
            max_iter=self.max_iter,
            random_state=self.random_state_,
            state=self._training_state_,
        )

    def _centers(self, sampler, visible):
        """Whether to follow the gradient of the centred model."""
        if self.center == "auto":
            return sampler.center and visible.has_mean
        if self.center and not visible.has_mean:
            raise ValueError(
                f"center=True does not go with {visible}, whose mean depends on the total "
                "of a row. Use center='auto'."
            )
        return self.center

    def _monitor(self, problem, after):
        """The rows to train on, and what watches the training."""
        data, weights, energy = problem.data, problem.sample_weight, problem.energy
        rows, rule, options = problem.rows, self.early_stopping, {}
        if rule and after is None:
            rows, held_out = hold_out(self, rows, self.random_state_)
            gap = rule == "free_energy_gap"
            score = _minus_free_energy_gap if gap else _mean_pseudo_log_likelihood
            trained = self.random_state_.permutation(rows)[: len(held_out)]
            parts = [
                (data[part], None if weights is None else weights[part])
                for part in (held_out, trained)
            ]
            options = {
                "validate": lambda: (score(problem.model(problem.solution), *parts), None),
                "patience": self.n_iter_no_change - 1,
                "tol": -self.tol if gap else self.tol,
            }
        name = "RBM {1}-{0}".format(*energy.weights.shape)
        return rows, Monitor(
            self,
            "reconstruction error",
            name=name,
            after=after,
            back_off=self.back_off,
            **options,
        )

    def _examples(self, X, y):
        """Rows that a fitted RBM can be inspected with."""
        data = check_rows(self, X)
        return Examples(data, data)

    def _inspect(self, data):
        """Parameters, mean gradients and activations for some rows, of the one layer."""
        rbm, n = copy(self), data.X.shape[0]
        # One batch, with the same random numbers each time.
        rbm.batch_size, rbm._training_state_ = n, None
        rbm.random_state_ = np.random.RandomState(0)
        problem, energy = rbm._problem(data.X, None), self._energy()
        problem.step(np.arange(n), 0.0)
        gradients = [gradient / n for gradient in problem.gradients]
        return [
            {
                "weights": energy.weights,
                "biases": energy.hidden_bias,
                "visible_biases": energy.visible_bias,
                "weights_gradient": gradients[0],
                "biases_gradient": gradients[2],
                "visible_biases_gradient": gradients[1],
                "activations": self._hidden_means(energy, data.X),
            }
        ]

    def _hidden_means(self, energy, data):
        """Expected states of the hidden units given rows."""
        return answer_blocks(
            energy.hidden_mean, data, energy.dtype, self._n_features_out, multiplies=True
        )

    def _energy(self):
        """The mathematics of the fitted parameters."""
        visible, hidden = self._units_
        if self.variance_visible_ is not None:
            visible = visible.bind(np.log(self.variance_visible_))
        arrays = self.components_, self.intercept_visible_, self.intercept_hidden_
        return Energy(*arrays, visible, hidden)

    # -- the model ----------------------------------------------------------------------
    def transform(self, X):
        """Expected states of the hidden units given X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that drive the hidden units.

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
        return self._hidden_means(*self._model_and_data(X))

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
        return answer_blocks(energy.visible_mean, H, energy.dtype, self.n_features_in_)

    def free_energy(self, X):
        """Free energy of each row: minus its unnormalised log-probability.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        free_energy : ndarray of shape (n_samples,)
            ``F(v) = -log(sum_h exp(-E(v, h)))`` in nats. Differences between rows of one
            model mean something; between models they do not.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        energy, V = self._model_and_data(X)
        return answer_blocks(energy.free_energy, V, energy.dtype)

    def pseudo_log_likelihood(self, X):
        """Pseudo-log-likelihood of each row [1]_.

        The sum over the columns of ``log p(v_j | all other columns)``, over groups for
        categorical units, over the draws for counts. See
        :class:`~skdbn.likelihood.PseudoLikelihood`. Nothing is drawn at random, unlike in
        the ``score_samples`` of scikit-learn's BernoulliRBM.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            In nats; larger is better.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or does not fit the
            visible units.

        References
        ----------
        .. [1] J. Besag (1975), "Statistical analysis of non-lattice data", The
           Statistician 24, 179-195, doi:10.2307/2987782.
        """
        energy, V = self._model_and_states(X)
        return answer_blocks(energy.pseudo_log_likelihood, V, energy.dtype)

    def score_samples(self, X):
        """Log-likelihood of each row, by the estimate that ``likelihood`` names.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Of dtype float64, in nats; larger is better. Logarithms of probabilities, or
            of densities where the visible units are real-valued.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If X does not fit the model, or the model has too many states for
            ``likelihood="exact"``, or a density without a finite integral.

        See Also
        --------
        pseudo_log_likelihood : Without a partition function.
        skdbn.likelihood : Partition functions, with intervals.
        """
        energy, V = self._model_and_states(X)
        estimate = resolve(self.likelihood, ESTIMATES)
        return estimate.log_likelihood(energy, V, self._base_bias(energy))

    def _base_bias(self, energy):
        """Visible biases at which a model without weights has the training data's means."""
        bias = energy.visible.initial_bias(self._visible_mean_, _SMOOTHING)
        return bias.astype(energy.dtype)

    def _model_and_data(self, X):
        """The model in the precision of the answer, and X as the blocks can read it."""
        check_is_fitted(self)
        data = check_rows(self, X)
        return self._energy().astype(output_dtype(data, self.dtype)), data

    def _model_and_states(self, X):
        """The same for rows that have a probability, which must be states."""
        energy, data = self._model_and_data(X)
        energy.visible.check_data(data, getattr(self, "feature_names_in_", None))
        return energy, data

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


def _mean_pseudo_log_likelihood(energy, held_out, trained):
    """Mean pseudo-log-likelihood of some held-out rows, in nats."""
    rows, weights = held_out
    some = None if weights is None else weights[:_MOST_SCORED]
    return _mean(energy.pseudo_log_likelihood, rows[:_MOST_SCORED], some, energy.dtype)


def _minus_free_energy_gap(energy, held_out, trained):
    """How much less free energy rows trained on have than held-out ones, in nats."""
    inside, outside = (
        _mean(energy.free_energy, *part, energy.dtype) for part in (trained, held_out)
    )
    return inside - outside


def _mean(function, rows, weights, dtype):
    """Weighted mean of a function of rows."""
    values = map_blocks(function, rows, dtype).astype(np.float64)
    return float(np.average(values, weights=weights))
