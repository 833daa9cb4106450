"""Level 3: the one mini-batch loop, with its callbacks, its history and its stopping.

What is trained is a *problem*: an object with

- ``theta``, the flat array of the parameters, and ``solution``, the one to keep, which is
  the same or an average,
- ``restore(theta)``, which goes back to earlier parameters,
- ``get_state()`` and ``set_state(state)``: all that changes while training, as arrays and
  numbers in dicts and lists, from which training goes on bit for bit,
- ``is_sound()``, which says whether the parameters can be used,
- ``batches(n_rows)``, the slices of an epoch that steps are made with,
- ``learning_rate(t, max_iter)``; ``back_off(factor)`` multiplies it, if the monitor is to
  back off, and ``lower_rate()`` lowers it when patience has run out, and returns whether it
  did, and
- ``step(rows, t)``, which changes theta and returns the mean loss of these rows, or
  ``minimize(tol, callback)``, which optimises over all rows at once.
"""

import time
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import shuffle

from ._interrupts import interruption
from ._threads import serial_products

# A loss so many times that of the first batch is divergence, even while it is finite.
_EXPLODED = 1e4
# By how much a rate is lowered after divergence, and how often.
_BACK_OFF, _MOST_BACK_OFFS = 0.1, 5


class Monitor:
    """Keeps the history of a fit and decides after each epoch whether to go on.

    Parameters
    ----------
    estimator : estimator with ``max_iter`` and ``verbose``
    quantity : str
        What the loss is called in a verbose line.
    name : str, default=None
        What the estimator is called in messages; None for its class.
    after : int, default=None
        Number of epochs of earlier calls of ``partial_fit``, to run one more; None for
        ``max_iter`` from the first.
    patience : int, default=None
        Number of epochs without improvement by ``tol`` that are borne; None for all.
    tol : float or None, default=0.0
        A negative one bears what is worse than the best by no more than that; with None
        any improvement counts, and only that.
    validate : callable, default=None
        Returns the score on held-out rows, larger is better, and the loss there or None.
    by_score : bool, default=True
        Whether the score, if there is one, decides instead of the loss, and the parameters
        with the best one are kept, or those that were last borne.
    grace : int, default=0
        Number of epochs at the beginning that do not try the patience.
    back_off : bool, default=False
        Whether to go on after divergence with a smaller learning rate.
    """

    # What changes from epoch to epoch, and at the end.
    _changing = (
        "losses",
        "scores",
        "held_out_losses",
        "best",
        "best_theta",
        "waited",
        "final_loss",
    )

    def __init__(
        self,
        estimator,
        quantity,
        *,
        name=None,
        after=None,
        patience=None,
        tol=0.0,
        validate=None,
        by_score=True,
        grace=0,
        back_off=False,
    ):
        self.name = name or type(estimator).__name__
        self.max_iter = estimator.max_iter
        self.epochs = range(self.max_iter) if after is None else range(after, after + 1)
        # How often partial_fit will be called is not known.
        self.total = self.max_iter if after is None else ""
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
        self.held_out_losses = []
        self.final_loss = np.nan  # where an optimiser of all rows ended
        self.best = -np.inf
        self.best_theta = None
        self.waited = 0
        self._start = time.perf_counter()

    def update(self, loss, theta):
        """Record an epoch; returns whether patience has run out."""
        self.losses.append(loss)
        text = f"{self.quantity} {loss:.6g}"
        value = -loss
        if self.validate is not None:
            score, held_out_loss = self.validate()
            self.scores.append(score)
            self.held_out_losses.append(held_out_loss)
            text += f"  validation score {self.scores[-1]:.6g}"
            value = self.scores[-1] if self.by_score else value
        worse = value < self.best + self.tol
        worse |= self.any_improvement and value == self.best
        self.waited = self.waited + 1 if worse else 0
        if value > self.best or (self.tol < 0 and self.waited == 0):
            self.best = max(value, self.best)
            self.best_theta = theta.copy() if self.by_score else None
        if self.epochs.start + len(self.losses) <= self.grace:
            self.waited = 0
        self._report(text)
        if self.patience is None or self.waited <= self.patience:
            return False
        self.waited = 0  # if training goes on all the same
        return True

    def get_state(self):
        """What a fit needs to go on from here."""
        return {name: getattr(self, name) for name in self._changing}

    def set_state(self, state):
        """Go on from there."""
        vars(self).update(state)

    @property
    def left(self):
        """The epochs that are still to be run."""
        return self.epochs[len(self.losses) :]

    def where(self, epoch):
        """Name an epoch, for messages."""
        total = self.total and f" of {self.total}"
        return f"epoch {epoch + 1}{total} of {self.name}"

    def _report(self, text):
        """Print the verbose line of an epoch."""
        if self.verbose:
            done, total = self.epochs.start + len(self.losses), str(self.total)
            epoch = f"{done:{len(total)}d}" + (total and f"/{total}")
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
    loop = _Loop(problem, rows, shuffling, monitor)
    parts = {"problem": problem, "loop": loop, "monitor": monitor}
    if not (task.resume(parts) or interruption.requested):
        # Early, so that a disk without room for all this is told before the first epoch.
        task.keep_start(parts, f"the start of {monitor.name}")
    for epoch in monitor.left:
        if loop.stopped or _interrupted(monitor, epoch):
            return True
        subtask = task.subtask("epoch").begin()
        loss = loop.run(epoch)
        if loss is None:
            # Of an epoch that was not finished there is nothing to tell.
            subtask.end(None if _interrupted(monitor, epoch) else attributes)
            return True
        done = monitor.update(loss, problem.solution) and not problem.lower_rate()
        loop.stopped = subtask.end(attributes) or done
        final = loop.stopped or not monitor.left
        task.keep(parts, monitor.where(epoch), final)
    return loop.stopped


def _interrupted(monitor, epoch):
    """Whether Ctrl-C was pressed, which is noted."""
    if interruption.requested:
        interruption.noticed(f"in {monitor.where(epoch)}")
    return interruption.requested


class _Loop:
    """The loop over mini-batches, and what it needs to go on with the next epoch."""

    def __init__(self, problem, rows, shuffling, monitor):
        self.problem = problem
        self.rows = rows
        self.shuffling = shuffling
        self.monitor = monitor
        self.batches = list(problem.batches(len(rows)))
        # The last healthy solution, which is what was shown and scored.
        self.finite = problem.solution.copy()
        self.limit = None
        self.n_back_offs = _MOST_BACK_OFFS if monitor.back_off else 0
        self.stopped = False

    def run(self, epoch):
        """Run an epoch; returns its loss, or None if it came to nothing."""
        while True:
            if self.shuffling is not None:
                self.rows = shuffle(self.rows, random_state=self.shuffling)
            losses = self._run_batches(epoch)
            if len(losses) < len(self.batches):  # interrupted
                if not self.problem.is_sound():
                    self.problem.restore(self.finite)
                return None
            if self.limit is None:
                first = losses[0] / self.batches[0].stop
                self.limit = _EXPLODED * max(first, 1.0)
            loss = sum(losses) / len(self.rows)
            if np.isfinite(loss) and loss <= self.limit and self.problem.is_sound():
                self.finite[:] = self.problem.solution
                return loss
            self.problem.restore(self.finite)
            rate = self.problem.learning_rate(epoch, self.monitor.max_iter)
            advice = _advice(rate, self.n_back_offs > 0)
            _warn_diverged(self.monitor.name, epoch, advice)
            if self.n_back_offs == 0:
                return None
            self.problem.back_off(_BACK_OFF)
            self.n_back_offs -= 1

    def _run_batches(self, epoch):
        """Make a step for each batch, or till Ctrl-C; returns their summed losses."""
        losses, rows = [], self.rows
        with serial_products:  # once, not in each step
            for i, batch in enumerate(self.batches):
                if interruption.requested:
                    break
                loss = self.problem.step(rows[batch], epoch + i / len(self.batches))
                losses.append(loss * (batch.stop - batch.start))
        return losses

    def get_state(self):
        """What the next epoch needs."""
        drawn = self.shuffling and self.shuffling.get_state(legacy=False)
        state = {name: getattr(self, name) for name in ("limit", "n_back_offs", "stopped")}
        return {**state, "rows": self.rows, "shuffling": drawn}

    def set_state(self, state):
        """Go on from there, with the problem where it was."""
        state = dict(state)
        drawn = state.pop("shuffling")
        if drawn is not None:
            self.shuffling.set_state(drawn)
        vars(self).update(state)
        self.finite[:] = self.problem.solution


def run_full_batch(problem, monitor, task, attributes):
    """Train a problem with an optimiser that sees all rows at once."""
    start = problem.theta.copy()
    # The optimiser cannot go on in the middle: what is kept is the end.
    parts = {"problem": problem, "monitor": monitor}
    if task.resume(parts) or _interrupted(monitor, 0):
        return

    def after_iteration(loss):
        monitor.update(loss, problem.solution)
        said_stop = task.subtask("iteration").begin().end(attributes)
        return said_stop or _interrupted(monitor, len(monitor.losses) - 1)

    with serial_products:  # SciPy's part has products too
        converged, loss = problem.minimize(monitor.tol, after_iteration)
    if not (np.isfinite(loss) and problem.is_sound()):
        problem.restore(start)
        advice = "the start was restored. Use solver='adam'"
        _warn_diverged(monitor.name, len(monitor.losses), advice)
    else:
        monitor.final_loss = loss
        if not converged:
            monitor.not_converged()
    if not interruption.requested:
        task.keep(parts, f"the end of {monitor.name}", final=True)


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
