"""Level 4, ground floor: what all estimators with a network are made of."""

from abc import ABC, abstractmethod
from functools import partial
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._batches import auto_batch_size, check_rows, map_blocks, output_dtype
from ._network import Network
from ._params import named, resolve
from ._problems import NetworkProblem
from ._sklearn import Interval, Options, StrOptions, fit_method
from ._training import Monitor, Task, run_epochs, run_full_batch
from .losses import LOSSES
from .optimizers import SOLVERS, FullBatchOptimizer, Optimizer
from .schedules import Schedule, as_schedule


class BaseNetwork(CallbackSupportMixin, BaseEstimator, ABC):
    """Base class: parameters that all networks share, and ``fit`` as a template.

    A subclass says where the parameters of the network start from, what it is to learn,
    and what its output means.
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "solver": named(SOLVERS, Optimizer),
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [
            Interval(Real, 0, None, closed="neither"),
            Schedule,
            StrOptions({"auto"}),
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

    @abstractmethod
    def _check_training_data(self, X, y, reset):
        """Validate X and y; returns the rows and the targets of the network."""

    @abstractmethod
    def _start(self, task, data, n_outputs, random_state):
        """The network that training starts from."""

    @abstractmethod
    def _held_out_score(self, network, data, targets):
        """Score of the network on held-out rows, larger is better."""

    @staticmethod
    def _auto_batch_size(n_samples):
        """What ``batch_size="auto"`` means, at most; here as for an RBM."""
        return auto_batch_size(n_samples)

    def _max_subtasks(self):
        """Number of callback tasks below the root of a fit."""
        return self.max_iter

    def _training_task(self, task):
        """The callback task whose subtasks are the epochs."""
        return task

    def _stratify(self, targets):
        """What the held-out rows are to be stratified by."""
        return None

    @fit_method
    def _fit(self, X, y):
        """Fit, from start parameters or, with ``warm_start``, from those there are."""
        keep = self.warm_start and hasattr(self, "coefs_")
        data, targets = self._check_training_data(X, y, reset=not keep)
        self._check_before_pretraining(data, targets, keep)
        random_state = check_random_state(self.random_state)
        task = Task.root(self, X, y, max_subtasks=self._max_subtasks())
        network = (
            self._network()
            if keep
            else self._start(task, data, targets.shape[1], random_state)
        )
        # What predictions need, so that later changes of parameters do not change them.
        self._architecture_ = (network.activations, network.loss)
        self._hidden_sizes_ = layer_sizes(self.hidden_layer_sizes)
        self.n_outputs_ = targets.shape[1]
        self.out_activation_ = LOSSES[network.loss].activation
        self.n_layers_ = len(network.sizes)
        training = self._training_task(task)
        attributes = self._train(training, network, data, targets, random_state)
        if training is not task:
            training.end(attributes)
        task.end(attributes)
        return self

    def _check_before_pretraining(self, data, targets, keep):
        """Raise now what would be raised after the hours of pretraining, or not at all."""
        solver = resolve(self.solver, SOLVERS)
        if self.learning_rate != "auto":
            as_schedule(self.learning_rate)
        if self.early_stopping and not isinstance(solver, FullBatchOptimizer):
            self._split(targets, check_random_state(0))
        sizes = layer_sizes(self.hidden_layer_sizes)
        if keep and sizes != self._hidden_sizes_:
            raise ValueError(
                f"warm_start=True needs the hidden_layer_sizes of the previous fit, "
                f"{tuple(self._hidden_sizes_)}, got {tuple(sizes)}. Use warm_start=False "
                "to start anew."
            )

    def _train(self, task, network, data, targets, random_state):
        """Train a network and store the result; returns a function that tells it."""
        problem = self._problem(network, data, targets)
        rows, monitor = self._monitor(problem, random_state)

        def attributes(copy=np.copy):
            network = problem.network
            return {
                "coefs_": [copy(coef) for coef in network.coefs],
                "intercepts_": [copy(intercept) for intercept in network.intercepts],
                "n_iter_": len(monitor.losses),
                "n_evaluations_": problem.backprop.n_evaluations,
                **self._history(monitor),
            }

        if problem.full_batch:
            run_full_batch(problem, monitor, task, attributes)
        else:
            shuffling = random_state if self.shuffle else None
            if not run_epochs(problem, rows, shuffling, monitor, task, attributes):
                monitor.not_converged()
        if monitor.best_theta is not None:
            problem.restore(monitor.best_theta)
        vars(self).update(attributes(copy=np.asarray))
        return attributes

    def _problem(self, network, data, targets):
        """What the loop is to train, with the parameters' names turned into objects."""
        solver, n_samples = resolve(self.solver, SOLVERS), data.shape[0]
        rate, size = self.learning_rate, self.batch_size
        if rate == "auto":
            rate = solver.learning_rate
        if size == "auto":
            size = self._auto_batch_size(n_samples)
        return NetworkProblem(
            network,
            data,
            targets,
            solver,
            learning_rate=as_schedule(rate),
            alpha=self.alpha,
            batch_size=min(n_samples, size),
            max_iter=self.max_iter,
            dtype=self.dtype,
        )

    def _monitor(self, problem, random_state):
        """The rows to train on, and what watches the training."""
        rows, validate = np.arange(problem.X.shape[0]), None
        if self.early_stopping and not problem.full_batch:
            rows, held_out = self._split(problem.Y, random_state)
            validate = partial(
                self._held_out_score,
                problem.network,
                problem.X[held_out],
                problem.Y[held_out],
            )
        patient = self.tol is not None or validate is not None
        return rows, Monitor(
            self,
            "loss",
            patience=self.n_iter_no_change if patient else None,
            tol=self.tol or 0.0,
            validate=validate,
        )

    def _history(self, monitor):
        """The fitted attributes that tell how training went, as in scikit-learn's MLP."""
        losses, scores = list(monitor.losses), list(monitor.scores)
        validated = monitor.validate is not None
        return {
            "loss_": losses[-1] if losses else np.nan,
            "loss_curve_": losses,
            "best_loss_": None if validated or not losses else min(losses),
            "validation_scores_": scores if validated else None,
            "best_validation_score_": max(scores, default=None) if validated else None,
        }

    def _split(self, targets, random_state):
        """Rows to train on and rows held out for early stopping."""
        try:
            return train_test_split(
                np.arange(targets.shape[0]),
                test_size=self.validation_fraction,
                random_state=random_state,
                stratify=self._stratify(targets),
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping=True cannot hold out validation_fraction="
                f"{self.validation_fraction:g} of {targets.shape[0]} rows: {error} Use "
                "more rows, another validation_fraction, or early_stopping=False."
            ) from error

    def _network(self):
        """The network of the fitted parameters."""
        return Network(self.coefs_, self.intercepts_, *self._architecture_)

    def _outputs(self, X, n_layers=None, link=True):
        """What ``Network.predict`` gives for rows X."""
        check_is_fitted(self)
        data = check_rows(self, X)
        network = self._network().astype(output_dtype(data, self.dtype))
        depth = len(network.coefs) if n_layers is None else n_layers
        predict = partial(network.predict, n_layers=depth, link=link)
        return map_blocks(
            predict, data, network.dtype, network.sizes[depth], multiplies=True
        )

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
    bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (fan_in + fan_out))
    coef = random_state.uniform(-bound, bound, (fan_in, fan_out))
    intercept = random_state.uniform(-bound, bound, fan_out)
    return coef.astype(dtype, copy=False), intercept.astype(dtype, copy=False)
