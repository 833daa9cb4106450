"""Level 3: the one mini-batch loop, with its callbacks, its history and its stopping.

What is trained is a *problem*: an object with

- ``theta``, the flat array of the parameters, and ``solution``, the one to keep, which is
  the same or an average,
- ``restore(theta)``, which goes back to earlier parameters,
- ``is_sound()``, which says whether the parameters can be used,
- ``batch_size`` and ``learning_rate(t, max_iter)``; ``back_off(factor)`` multiplies the
  latter, if the monitor is to back off, and ``lower_rate()`` lowers it when patience has
  run out, and returns whether it did, and
- ``step(rows, t)``, which changes theta and returns the mean loss of these rows, or
  ``minimize(tol, callback)``, which optimises over all rows at once.
"""

import time
import warnings
from contextlib import contextmanager

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import gen_batches, shuffle

from ._threads import serial_products

# A loss so many times that of the first batch is divergence, even while it is finite.
_EXPLODED = 1e4
# By how much a rate is lowered after divergence, and how often.
_BACK_OFF, _MOST_BACK_OFFS = 0.1, 5


class Task:
    """A node of the tree of callback tasks, with what callbacks may ask for.

    Parameters
    ----------
    estimator : estimator with callback support
    context : sklearn.callback.CallbackContext
    X, y : the data as the user gave them
    """

    def __init__(self, estimator, context, X, y):
        self.estimator = estimator
        self.context = context
        # An unsupervised estimator is its own target: scorers are called with (X, y).
        self.data = {"X": X, "y": X if y is None else y}

    @classmethod
    def root(cls, estimator, X, y, max_subtasks):
        """Open the task of a whole fit."""
        context = estimator._init_callback_context(max_subtasks=max_subtasks)
        return cls(estimator, context, X, y).begin()

    def subtask(self, name, max_subtasks=0):
        """Make the next task below this one, which is still to begin."""
        context = self.context.subcontext(task_name=name, max_subtasks=max_subtasks)
        return Task(self.estimator, context, **self.data)

    def begin(self):
        """Tell the callbacks that the task begins."""
        self.context.call_on_fit_task_begin(estimator=self.estimator, **self.data)
        return self

    def end(self, attributes=None):
        """Tell the callbacks that the task has ended; returns whether one says stop.

        ``attributes`` is a function that returns the fitted attributes so far as a dict.
        """
        return self.context.call_on_fit_task_end(
            estimator=self.estimator, reconstruction_attributes=attributes, **self.data
        )

    @contextmanager
    def begin_for(self, estimator):
        """Begin the task, which stands for the fit of a sub-estimator in the context."""
        # Inside, as callbacks that are handed on are told by the sub-estimator.
        with self.context.propagate_callback_context(estimator):
            self.begin()
            yield


class Monitor:
    """Keeps the history of a fit and decides after each epoch whether to go on.

    Parameters
    ----------
    estimator : estimator with ``max_iter`` and ``verbose``
    quantity : str
        What the loss is called in a verbose line.
    name : str, default=None
        What the estimator is called in messages; None for its class.
    epochs : range, default=None
        The epochs to run; None for ``max_iter`` from the first.
    patience : int, default=None
        Number of epochs without improvement by ``tol`` that are borne; None for all.
    tol : float or None, default=0.0
        A negative one bears what is worse than the best by no more than that; with None
        any improvement counts, and only that.
    validate : callable, default=None
        Score on held-out rows, larger is better.
    by_score : bool, default=True
        Whether the score, if there is one, decides instead of the loss, and the parameters
        with the best one are kept, or those that were last borne.
    grace : int, default=0
        Number of epochs at the beginning that do not try the patience.
    back_off : bool, default=False
        Whether to go on after divergence with a smaller learning rate.
    """

    def __init__(
        self,
        estimator,
        quantity,
        *,
        name=None,
        epochs=None,
        patience=None,
        tol=0.0,
        validate=None,
        by_score=True,
        grace=0,
        back_off=False,
    ):
        self.name = name or type(estimator).__name__
        self.max_iter = estimator.max_iter
        self.epochs = range(self.max_iter) if epochs is None else epochs
        self.verbose = estimator.verbose
        self.quantity = quantity
        self.patience = patience
        self.tol, self.any_improvement = tol or 0.0, tol is None
        self.validate = validate
        self.by_score = by_score and validate is not None
        self.grace = grace
        self.back_off = back_off
        self.losses = []
        self.scores = []
        self.best = -np.inf
        self.best_theta = None
        self._waited = 0
        self._start = time.perf_counter()

    def update(self, loss, theta):
        """Record an epoch; returns whether patience has run out."""
        self.losses.append(loss)
        text = f"{self.quantity} {loss:.6g}"
        value = -loss
        if self.validate is not None:
            self.scores.append(self.validate())
            text += f"  validation score {self.scores[-1]:.6g}"
            value = self.scores[-1] if self.by_score else value
        worse = value < self.best + self.tol
        worse |= self.any_improvement and value == self.best
        self._waited = self._waited + 1 if worse else 0
        if value > self.best or (self.tol < 0 and self._waited == 0):
            self.best = max(value, self.best)
            self.best_theta = theta.copy() if self.by_score else None
        if self.epochs.start + len(self.losses) <= self.grace:
            self._waited = 0
        self._report(text)
        if self.patience is None or self._waited <= self.patience:
            return False
        self._waited = 0  # if training goes on all the same
        return True

    def _report(self, text):
        """Print the verbose line of an epoch."""
        if self.verbose:
            done, total = self.epochs.start + len(self.losses), self.max_iter
            epoch = f"{done:{len(str(total))}d}/{total}"
            seconds = time.perf_counter() - self._start
            print(f"[{self.name}] epoch {epoch}  {text}  {seconds:.1f} s", flush=True)

    def not_converged(self):
        """Warn that ``max_iter`` ended a fit that could have ended by itself."""
        if self.patience is not None:
            warnings.warn(
                f"{self.name}: the maximum number of iterations (max_iter={self.max_iter}) "
                "was reached before the optimization converged. Increase max_iter, or "
                "tol, or ignore this if the score is good enough.",
                ConvergenceWarning,
                stacklevel=1,
            )


def run_epochs(problem, rows, shuffling, monitor, task, attributes):
    """Train a problem for the epochs of the monitor; returns whether it was stopped.

    Parameters
    ----------
    problem : see the module
    rows : ndarray of int
        The rows to train on, in the order in which they are taken without shuffling.
    shuffling : RandomState or None
        Draws the order of each epoch.
    monitor : Monitor
    task : Task
        Its subtasks are the epochs.
    attributes : callable
        Returns the fitted attributes so far.
    """
    batches = list(gen_batches(len(rows), problem.batch_size))
    finite, limit = problem.theta.copy(), None
    n_back_offs = _MOST_BACK_OFFS if monitor.back_off else 0
    for epoch in monitor.epochs:
        subtask = task.subtask("epoch").begin()
        while True:
            if shuffling is not None:
                rows = shuffle(rows, random_state=shuffling)
            losses = _run_batches(problem, rows, batches, epoch)
            if limit is None:
                limit = _EXPLODED * max(losses[0] / problem.batch_size, 1.0)
            loss = sum(losses) / len(rows)
            if np.isfinite(loss) and loss <= limit and problem.is_sound():
                break
            problem.restore(finite)
            rate = problem.learning_rate(epoch, monitor.max_iter)
            _warn_diverged(monitor.name, epoch, _advice(rate, n_back_offs > 0))
            if n_back_offs == 0:
                subtask.end(attributes)
                return True
            problem.back_off(_BACK_OFF)
            n_back_offs -= 1
        finite[:] = problem.theta
        done = monitor.update(loss, problem.solution) and not problem.lower_rate()
        if subtask.end(attributes) or done:
            return True
    return False


def _run_batches(problem, rows, batches, epoch):
    """Make a step for each batch; returns their summed losses."""
    losses = []
    with serial_products:  # once, not in each step
        for i, batch in enumerate(batches):
            loss = problem.step(rows[batch], epoch + i / len(batches))
            losses.append(loss * (batch.stop - batch.start))
    return losses


def run_full_batch(problem, monitor, task, attributes):
    """Train a problem with an optimiser that sees all rows at once."""
    start = problem.theta.copy()

    def after_iteration(loss):
        monitor.update(loss, problem.solution)
        return task.subtask("iteration").begin().end(attributes)

    with serial_products:  # SciPy's part has products too
        converged, loss = problem.minimize(monitor.tol, after_iteration)
    if not (np.isfinite(loss) and problem.is_sound()):
        problem.restore(start)
        advice = "the start was restored. Use solver='adam'"
        _warn_diverged(monitor.name, len(monitor.losses), advice)
    elif not converged:
        monitor.not_converged()


def _advice(rate, goes_on):
    """What is done about divergence, and what the user can do."""
    smaller = f"{rate * _BACK_OFF:.2g}"
    if goes_on:
        return (
            f"it goes on from the last finite parameters with learning_rate={smaller}. Use "
            f"a learning_rate of about {smaller} from the start"
        )
    return (
        "it was stopped and the last finite parameters were kept. Use a learning_rate "
        f"below {rate:.2g}, such as {smaller}"
    )


def _warn_diverged(name, epoch, advice):
    """Say that a fit diverged, what was done and what to do."""
    warnings.warn(
        f"{name}: training diverged in epoch {epoch + 1}; {advice}, and check that the "
        "data are scaled (StandardScaler, MinMaxScaler).",
        ConvergenceWarning,
        stacklevel=1,
    )
