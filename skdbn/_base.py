"""Level 4, ground floor: what all estimators with a network are made of."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._batches import (
    BLOCK_ROWS,
    answer_blocks,
    auto_batch_size,
    check_rows,
    hold_out,
    output_dtype,
    with_more_rows,
)
from ._network import Backprop, Network
from ._network_history import Validation, describe, history_of
from ._network_problem import NAMED_RATES, NetworkProblem, layer_schedules
from ._noise import Dropout, GaussianNoise, Noise
from ._params import named, resolve, same_params
from ._random import Stream
from ._sklearn import DocumentedMixin, Interval, Options, StrOptions, fit_method
from ._tasks import Task
from ._training import Monitor, run_epochs, run_full_batch
from ._versioned import VersionedEstimator
from .activations import ACTIVATIONS, Logistic
from .optimizers import SOLVERS, FullBatchOptimizer, MiniBatchOptimizer, Optimizer
from .schedules import Schedule


class BaseNetwork(DocumentedMixin, CallbackSupportMixin, VersionedEstimator, ABC):
    """Base class: parameters that all networks share, and ``fit`` as a template.

    A subclass says where the parameters of the network start from, what it is to learn,
    and what its output means.
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "solver": named(SOLVERS, Optimizer),
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "max_norm": [Interval(Real, 0, None, closed="neither"), None],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            Schedule,
            StrOptions(set(NAMED_RATES)),
            list,
            tuple,
            np.ndarray,
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "warm_start": ["boolean"],
        "dtype": [
            Options(type, {np.float32, np.float64}),
            StrOptions({"float32", "float64"}),
        ],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    # Parameters that a network keeps, which a warm start cannot change.
    _kept_params: tuple = ("loss",)

    # Epochs at the beginning that change the output layer alone, for those that have one.
    head_max_iter = 0

    @abstractmethod
    def _check_data(self, X, y, sample_weight, *, reset, **known):
        """Validate rows and what the network is to say of them, as Examples."""

    @abstractmethod
    def _start(self, task, rows, n_outputs, random_state):
        """The network that training starts from; pretraining takes the rows, Examples."""

    @abstractmethod
    def _evaluate(self, network, data):
        """Score of the network on Examples, larger is better, and its mean loss."""

    @staticmethod
    def _depth(hidden_sizes):
        """Number of layers of weights of a network with these hidden layers."""
        return len(hidden_sizes) + 1

    @staticmethod
    def _auto_batch_size(n_samples):
        """What ``batch_size="auto"`` means, at most; here as for an RBM."""
        return auto_batch_size(n_samples)

    def _max_subtasks(self, max_iter):
        """Number of callback tasks below the root of a fit of some epochs."""
        return max_iter

    def _training_task(self, task, max_iter):
        """The callback task whose subtasks are the epochs."""
        return task

    def _stratify(self, targets, rows):
        """What the held-out ones of the rows are to be stratified by."""
        return None

    # -- fit ----------------------------------------------------------------------------
    @fit_method
    def _fit(self, X, y=None, sample_weight=None, held_out=(None, None), X_unlabeled=None):
        """Fit, from start parameters or, with ``warm_start``, from those there are."""
        keep = self.warm_start and hasattr(self, "coefs_")
        data = self._check_data(X, y, sample_weight, reset=not keep)
        origin = (X, y, sample_weight, held_out, X_unlabeled, self.coefs_ if keep else None)
        held_out = self._check_held_out(*held_out)
        if X_unlabeled is not None:
            with told_of("X_unlabeled"):
                X_unlabeled = check_rows(self, X_unlabeled)
        self._check_before_pretraining(data, X_unlabeled, held_out, keep)
        self._check_patience()
        max_subtasks = self._max_subtasks(self.max_iter)
        task = Task.root(self, X, y, max_subtasks, origin=origin)
        random_state = task.begin_random(check_random_state(self.random_state))
        if keep:
            network = self._network()
        else:
            rows = data if X_unlabeled is None else with_more_rows(data, X_unlabeled)
            network = self._start(task, rows, data.Y.shape[1], random_state)
        self._remember(network)
        training = self._training_task(task, self.max_iter)
        attributes = self._train(training, network, data, held_out, random_state)
        # Only partial_fit goes on with what the optimiser knows, as large as the weights.
        self._partial_state_ = None
        return self._end(task, training, attributes)

    @fit_method
    def _partial_fit(self, X, y, sample_weight=None, **known):
        """Run one epoch over X, from start parameters or from where the last call ended."""
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True: a part of the data says "
                "little of the whole. Use fit, or watch a score of your own between calls."
            )
        first = not hasattr(self, "coefs_")
        data = self._check_data(X, y, sample_weight, reset=first, **known)
        self._check_before_pretraining(data, None, None, not first)
        state = None if first else self._partial_state_
        # One stream of random numbers for all calls.
        random_state = state[0] if state else check_random_state(self.random_state)
        task = Task.root(self, X, y, max_subtasks=self._max_subtasks(1))
        network = (
            self._start(task, data, data.Y.shape[1], random_state)
            if first
            else self._network()
        )
        self._remember(network)
        training = self._training_task(task, 1)
        attributes, problem = self._run_epoch(
            training, network, data, random_state, state and state[1]
        )
        self._partial_state_ = (random_state, problem.leave())
        return self._end(task, training, attributes)

    def _parameter_arrays(self):
        """The arrays of the parameters, which copies of one network may average."""
        return [*self.coefs_, *self.intercepts_]

    def _begin_anew(self, random_state):
        """Forget what ``partial_fit`` goes on with, but for the parameters."""
        self._partial_state_ = (random_state, None)

    def _remember(self, network):
        """Store what predictions need, lest later changes of parameters change them."""
        self._architecture_ = (clone(network.activations), clone(network.loss))
        self._kept_params_ = clone(
            {name: getattr(self, name) for name in self._kept_params}, safe=False
        )
        self._hidden_sizes_ = layer_sizes(self.hidden_layer_sizes)
        self.n_outputs_ = network.sizes[-1]
        self.out_activation_ = network.loss.activation
        self.n_layers_ = len(network.sizes)

    def _end(self, task, training, attributes):
        """End the callback tasks of a fit."""
        if training is not task:
            training.end(attributes)
        task.end_fit(attributes)
        return self

    # -- what is checked before anything takes time --------------------------------------
    def _check_held_out(self, X, y, sample_weight=None):
        """The validation set that the user gives, as Examples, or None."""
        if X is None and y is None:
            if sample_weight is not None:
                raise ValueError(
                    "sample_weight_val is given without X_val. Pass the rows that it is of."
                )
            return None
        if X is None or y is None:
            given, missing = ("y_val", "X_val") if X is None else ("X_val", "y_val")
            raise ValueError(f"{given} is given without {missing}. Give both or neither.")
        with told_of("the validation set, X_val"):
            return self._check_validation_data(X, y, sample_weight)

    def _check_validation_data(self, X, y, sample_weight):
        """Validate rows of a validation set, after those to train on, as Examples."""
        return self._check_data(X, y, sample_weight, reset=False)

    def _check_before_pretraining(self, data, X_unlabeled, held_out, keep):
        """Raise now what would be raised after the hours of pretraining, or not at all."""
        solver = resolve(self.solver, SOLVERS)
        sizes = layer_sizes(self.hidden_layer_sizes)
        layer_schedules(self.learning_rate, solver, self._depth(sizes))
        self._check_solver(solver)
        if self._holds_out(held_out):
            training_rows = self._training_rows(data)
            self._split(data.Y, training_rows, check_random_state(0))
        if keep:
            self._check_kept(sizes)

    def _check_kept(self, sizes):
        """Raise where a warm start would be that of another network."""
        now = {name: getattr(self, name) for name in self._kept_params}
        before = {"hidden_layer_sizes": tuple(self._hidden_sizes_), **self._kept_params_}
        for name, value in {"hidden_layer_sizes": tuple(sizes), **now}.items():
            if not same_params(value, before[name]):
                raise ValueError(
                    f"warm_start=True needs the {name} of the previous fit, and so does "
                    f"partial_fit: {before[name]!r}, got {value!r}. Use fit with "
                    "warm_start=False to start anew."
                )

    def _check_solver(self, solver):
        """Raise where the solver cannot do what other parameters ask for."""
        if isinstance(solver, MiniBatchOptimizer):
            return
        for name in ("dropout", "input_dropout", "input_noise", "max_norm"):
            if getattr(self, name):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs a solver that makes one step "
                    f"for each batch, such as 'adam' or 'sgd', got solver={self.solver!r}. "
                    f"Use such a solver, or leave {name} out."
                )

    def _check_patience(self):
        """Raise where a learning rate waits for something that cannot happen."""
        solver = resolve(self.solver, SOLVERS)
        depth = self._depth(layer_sizes(self.hidden_layer_sizes))
        rates, _ = layer_schedules(self.learning_rate, solver, depth)
        adaptive = any(rate.lowered() for rate in rates)
        if adaptive and isinstance(solver, MiniBatchOptimizer) and not self._is_patient:
            raise ValueError(
                f"learning_rate={self.learning_rate!r} is lowered where training no longer "
                "improves by tol, but tol is None. Set tol, such as tol=1e-4, or use "
                "early_stopping=True."
            )

    @property
    def _is_patient(self):
        """Whether training ends, or lowers its rate, where it no longer improves."""
        return self.tol is not None or self._stops_by_score

    # -- training -----------------------------------------------------------------------
    def _train(self, task, network, data, held_out, random_state):
        """Train a network and store the result; returns a function that tells it."""
        rows = self._training_rows(data)
        if self._holds_out(held_out):
            rows, test_rows = self._split(data.Y, rows, random_state)
            held_out = data.take(test_rows)
        problem = self._problem(network, data, rows, random_state)
        validation = held_out and Validation(self._evaluate, problem, held_out)
        monitor = Monitor(
            self,
            "loss",
            patience=self.n_iter_no_change if self._is_patient else None,
            tol=self.tol,
            validate=validation,
            by_score=self._stops_by_score,
            grace=self.head_max_iter,
        )

        def history():
            return history_of(monitor, validation)

        attributes = describe(problem, history)
        if self._full_batch:
            run_full_batch(problem, monitor, task, attributes)
        else:
            shuffling = random_state if self.shuffle else None
            if not run_epochs(problem, rows, shuffling, monitor, task, attributes):
                monitor.not_converged()
        if monitor.best_theta is not None:
            problem.restore(monitor.best_theta)
        vars(self).update(attributes(copy=np.asarray))
        return attributes

    def _run_epoch(self, task, network, data, random_state, state):
        """Train for one more epoch and store the result, for ``partial_fit``."""
        rows = self._training_rows(data)
        problem = self._problem(network, data, rows, random_state, state)
        losses, n_before = getattr(self, "loss_curve_", []), 0
        if losses:
            n_before = self.n_evaluations_
        monitor = Monitor(self, "loss", after=len(losses))

        def history():
            n_evaluations = n_before + problem.backprop.n_evaluations
            return {**history_of(monitor, None, losses), "n_evaluations_": n_evaluations}

        attributes = describe(problem, history)
        shuffling = random_state if self.shuffle else None
        run_epochs(problem, rows, shuffling, monitor, task, attributes)
        vars(self).update(attributes(copy=np.asarray))
        return attributes, problem

    def _problem(self, network, data, rows, random_state, state=None):
        """What the loop is to train, with the parameters' names turned into objects."""
        solver, depth = resolve(self.solver, SOLVERS), len(network.coefs)
        rates, frozen = layer_schedules(self.learning_rate, solver, depth)
        size = self.batch_size
        if size == "auto":
            size = solver.batch_size or self._auto_batch_size(len(rows))
        size = min(len(rows), BLOCK_ROWS if self._full_batch else size)
        backprop = Backprop(
            network,
            size,
            self.alpha,
            self.dtype,
            l1_ratio=self.l1_ratio,
            noise=self._noise(depth, random_state),
            apart=len(rates) > 1,
        )
        return NetworkProblem(
            backprop,
            data,
            rows,
            solver,
            learning_rates=rates,
            frozen=frozen,
            head_max_iter=self.head_max_iter,
            max_norm=self.max_norm,
            batch_size=size,
            max_iter=self.max_iter,
            state=state,
        )

    def _noise(self, depth, random_state):
        """What training does to the inputs of each layer of weights, or None."""
        inputs = [GaussianNoise(self.input_noise)] if self.input_noise else []
        inputs += [Dropout(self.input_dropout)] if self.input_dropout else []
        hidden = [Dropout(self.dropout)] if self.dropout else []
        if not inputs and not hidden:
            return None
        return Noise([inputs, *[hidden] * (depth - 1)], Stream(random_state))

    @property
    def _full_batch(self):
        """Whether the solver works on all rows at once."""
        return isinstance(resolve(self.solver, SOLVERS), FullBatchOptimizer)

    @property
    def _stops_by_score(self):
        """Whether the score on held-out rows says when to stop."""
        return self.early_stopping and not self._full_batch

    def _holds_out(self, held_out):
        """Whether a part of the training data is to be held out."""
        return self._stops_by_score and held_out is None

    @staticmethod
    def _training_rows(data):
        """The rows that count for something."""
        if data.weight is None:
            return np.arange(data.X.shape[0])
        return np.flatnonzero(data.weight)

    def _split(self, targets, rows, random_state):
        """Rows to train on and rows held out for early stopping."""
        return hold_out(self, rows, random_state, self._stratify(targets, rows))

    # -- the fitted network --------------------------------------------------------------
    def layer_activations(self, X):
        """Activations of every layer above the input.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to go through the network.

        Returns
        -------
        activations : list of ndarray of shape (n_samples, n_units)
            One array for each hidden layer, from the bottom, and one of the outputs. They
            are views of one array, which holds all of them.

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        return _activations(*self._network_and_data(X))

    def _examples(self, X, y):
        """Rows and targets that a fitted network can be inspected with."""
        return self._check_data(X, y, None, reset=False)

    def _inspect(self, data):
        """Parameters, mean gradients and activations for some rows, of each layer."""
        network, n = self._network(), data.X.shape[0]
        backprop = Backprop(network, n, self.alpha, network.dtype, l1_ratio=self.l1_ratio)
        backprop(data, np.arange(n))
        return [
            {
                "weights": coef,
                "biases": intercept,
                "weights_gradient": coef_grad,
                "biases_gradient": intercept_grad,
                "activations": activations,
            }
            for coef, intercept, coef_grad, intercept_grad, activations in zip(
                network.coefs,
                network.intercepts,
                backprop.coef_grads,
                backprop.intercept_grads,
                _activations(network, data.X),
                strict=True,
            )
        ]

    def _network(self):
        """The network of the fitted parameters."""
        return Network(self.coefs_, self.intercepts_, *self._architecture_)

    def _encoder(self):
        """Weights, biases and activations of what ``transform`` goes through."""
        check_is_fitted(self)
        n = self._n_encoding_layers
        return self.coefs_[:n], self.intercepts_[:n], self._architecture_[0][:n]

    def _network_and_data(self, X):
        """The network in the precision of the answer, and X as the blocks can read it."""
        check_is_fitted(self)
        data = check_rows(self, X)
        return self._network().astype(output_dtype(data, self.dtype)), data

    def _outputs(self, X, n_layers=None):
        """What ``Network.predict`` gives for rows X."""
        network, data = self._network_and_data(X)
        depth = len(network.coefs) if n_layers is None else n_layers
        predict = partial(network.predict, n_layers=depth)
        return answer_blocks(
            predict, data, network.dtype, network.sizes[depth], multiplies=True
        )

    def _pre_activations(self, X):
        """What ``Network.pre_activations`` gives for rows X."""
        network, data = self._network_and_data(X)
        function, n_outputs = network.pre_activations, network.sizes[-1]
        return answer_blocks(function, data, network.dtype, n_outputs, multiplies=True)

    @property
    def _n_features_out(self):
        return len(self.intercepts_[self._n_encoding_layers - 1])

    def __sklearn_is_fitted__(self):
        """Whether there are weights, which a fit that failed does not leave."""
        return hasattr(self, "coefs_")

    def __sklearn_tags__(self):
        """Tags that tell scikit-learn what this estimator takes and gives."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def makes_steps(estimator):
    """Whether the solver can go on with a part of the data."""
    solver = estimator.solver
    kind = SOLVERS.get(solver) if isinstance(solver, str) else type(solver)
    if kind is not None and issubclass(kind, FullBatchOptimizer):
        raise AttributeError(
            f"partial_fit needs a solver that makes steps on batches, such as 'adam', but "
            f"solver={solver!r} works on all rows at once."
        )
    return True


def _activations(network, data):
    """Outputs of every layer above the input for rows."""
    sizes = network.sizes[1:]

    def side_by_side(rows):
        return np.hstack(network.layers(rows))

    everything = answer_blocks(
        side_by_side, data, network.dtype, sum(sizes), multiplies=True
    )
    return np.split(everything, np.cumsum(sizes)[:-1], axis=1)


@contextmanager
def told_of(rows):
    """Say of errors which rows they are about, where those are not X."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"In {rows}: {error}") from error


def layer_sizes(hidden_layer_sizes):
    """The parameter ``hidden_layer_sizes`` as a list of positive integers."""
    sizes = np.atleast_1d(np.asarray(hidden_layer_sizes)).tolist()
    if not sizes or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(
            "hidden_layer_sizes must be positive integers, one for each hidden layer, got "
            f"{hidden_layer_sizes!r}."
        )
    return sizes


def glorot_layer(fan_in, fan_out, activation, random_state, dtype):
    """Random weights and biases of a layer, drawn as scikit-learn's MLP draws them.

    Uniform with the bound of Glorot & Bengio (2010), equation 16, and a smaller one for
    logistic units.
    """
    logistic = isinstance(resolve(activation, ACTIVATIONS), Logistic)
    bound = np.sqrt((2.0 if logistic else 6.0) / (fan_in + fan_out))
    coef = random_state.uniform(-bound, bound, (fan_in, fan_out))
    intercept = random_state.uniform(-bound, bound, fan_out)
    return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)
