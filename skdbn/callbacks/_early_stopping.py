"""Stopping when what is watched no longer improves."""

from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
from sklearn.metrics import check_scoring

from .._sklearn import Interval, StrOptions, without_callbacks
from ._base import Callback
from ._tasks import STEPS, last_loss, last_score


class EarlyStopping(Callback):
    """Callback that stops training when a value no longer improves.

    Goes on the estimator that it is to stop: on a network it watches the epochs of
    training or fine-tuning, on an RBM its epochs, also as ``rbm`` of a network, where it
    watches each layer by itself; on a :class:`~skdbn.StackedRBM` the layers.

    Parameters
    ----------
    monitor : str or callable, default="loss"
        What is watched at the end of each epoch: "loss", the training loss, or the
        reconstruction error of an RBM; "validation_score", the score on held-out rows,
        which needs ``early_stopping`` or ``X_val``; the name of one of scikit-learn's
        scorers, such as "accuracy"; or a function ``monitor(estimator, X, y)`` that
        returns a number, of the estimator as if training had ended here.
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Rows for scorers and functions. None for the training data.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Their targets.
    greater_is_better : bool or "auto", default="auto"
        What improvement is. "auto" is False for "loss" and True for all else.
    tol : float, default=0.0
        Improvement over the best value that counts as one, in the units of the value; only
        more than this does.
    n_iter_no_change : int, default=10
        Number of epochs in a row without improvement after which training stops.

    Attributes
    ----------
    values_ : list of float
        What was watched, epoch by epoch, in the last fit.
    best_value_ : float
        The best of them.
    best_estimator_ : estimator
        What training had come to then; the fitted estimator itself has the last
        parameters. None where a fit that goes on from a checkpoint has not improved since.

    Raises
    ------
    ValueError
        In ``fit``, if there is no such value, or it is NaN, or the estimator is one of
        another package, such as a pipeline, which has no epochs to watch.

    See Also
    --------
    sklearn.callback.ScoringMonitor : Keeps scores and stops nothing.

    Notes
    -----
    A rule of your own is a callback whose ``on_fit_task_end`` returns True. In a search
    with ``n_jobs`` the attributes stay in the other processes.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.callbacks import EarlyStopping
    >>> X = load_digits().data / 16
    >>> stop = EarlyStopping(lambda rbm, X, y: rbm.score(X), X=X[1200:], n_iter_no_change=2)
    >>> rbm = RBM(4, learning_rate=0.5, max_iter=100, random_state=0)
    >>> rbm = rbm.set_callbacks(stop).fit(X[:1200])
    >>> rbm.n_iter_ < 100
    True
    >>> stop.best_estimator_.score(X[1200:]) == stop.best_value_ == max(stop.values_)
    True
    """

    _parameter_constraints: dict = {
        "monitor": [str, callable],
        "X": ["array-like", "sparse matrix", None],
        "y": ["array-like", "sparse matrix", None],
        "greater_is_better": ["boolean", StrOptions({"auto"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        monitor="loss",
        *,
        X=None,
        y=None,
        greater_is_better="auto",
        tol=0.0,
        n_iter_no_change=10,
    ):
        super().__init__(
            monitor=monitor,
            X=X,
            y=y,
            greater_is_better=greater_is_better,
            tol=tol,
            n_iter_no_change=n_iter_no_change,
        )
        self._runs = {}

    def setup(self, estimator, context):
        """Begin with the fit of an estimator."""
        self._check_place(estimator)
        greater = self.greater_is_better
        greater = self.monitor != "loss" if greater == "auto" else greater
        # One object may watch several fits, in threads of a search.
        self._runs[estimator] = _Run(
            _value_of(self.monitor, estimator), 1 if greater else -1, self.tol
        )

    def teardown(self, estimator, context):
        """Tell of the fit."""
        run = self._runs.pop(estimator, None)
        if run is not None:
            self.values_ = run.values
            self.best_value_ = run.sign * run.best
            self.best_estimator_ = run.best_estimator

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        """Look at the value of an epoch; returns whether training is to stop."""
        if context.task_name not in STEPS or fitted_estimator is None:
            return False
        run, rows = self._runs[estimator], (X, y)
        if self.X is not None:
            rows = (self.X, self.y)
        value = float(run.value(fitted_estimator, *rows))
        if np.isnan(value):
            raise ValueError(
                f"EarlyStopping cannot watch monitor={self.monitor!r} of "
                f"{type(estimator).__name__}, which is NaN after the {context.task_name} "
                f"{context.task_id + 1}. Watch a value that is a number in each of them."
            )
        if run.add(value):
            run.best_estimator = without_callbacks(fitted_estimator)
        return run.waited >= self.n_iter_no_change

    def get_state(self, estimator):
        """What a fit needs to go on from here, for :class:`Checkpoint`."""
        return list(self._runs[estimator].values)

    def set_state(self, estimator, state):
        """Go on with a fit."""
        for value in state:
            self._runs[estimator].add(value)

    def __getstate__(self):
        # Other processes have fits of their own.
        return {**vars(self), "_runs": {}}


@dataclass
class _Run:
    """What EarlyStopping knows of one fit."""

    value: object
    sign: int
    tol: float
    values: list = field(default_factory=list)
    best: float = -np.inf
    waited: int = 0
    best_estimator: object = None

    def add(self, value):
        """Take the next value; returns whether it is the best so far."""
        self.values.append(value)
        signed = self.sign * value
        self.waited = 0 if signed > self.best + self.tol else self.waited + 1
        better, self.best = signed > self.best, max(signed, self.best)
        return better


def _value_of(monitor, estimator):
    """The function of an estimator, X and y that a monitor stands for."""
    if monitor == "loss":
        return lambda fitted, X, y: last_loss(fitted)
    if monitor == "validation_score":
        return _validation_score
    return monitor if callable(monitor) else check_scoring(estimator, monitor)


def _validation_score(fitted, X, y):
    """The last validation score."""
    score = last_score(fitted)
    if score is None:
        raise ValueError(
            f"EarlyStopping(monitor='validation_score') needs held-out rows, but "
            f"{type(fitted).__name__} has none. Set early_stopping=True, pass X_val to "
            "fit, or give EarlyStopping a scorer and X and y."
        )
    return score
