"""What an optimiser has to do: a step for a batch, line searches on it, or all at once."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.utils import gen_batches, gen_even_slices

from .._versioned import VersionedEstimator
from ..schedules import Schedule


class Optimizer(ABC, VersionedEstimator):
    """Base class: parameters are one flat array, changed in place.

    An optimiser object holds what the user chose and nothing that changes while training,
    so one object may serve several fits at once.

    Attributes
    ----------
    learning_rate : float
        What ``learning_rate="auto"`` means with this optimiser.
    batch_size : int or None, default=None
        What ``batch_size="auto"`` means, at most; None where the estimator has a say.
    work_space : tuple of str
        Names of what is in the state to be written over: nothing of it is needed later.
    """

    learning_rate: float
    batch_size: int | None = None
    work_space: tuple = ()

    def init_state(self, theta):
        """Make the arrays and counters that change while training, as a dict."""
        return {}

    def batches(self, n_rows, batch_size):
        """Cut the rows of an epoch into batches, slices; the last may be smaller."""
        return gen_batches(n_rows, batch_size)

    def solution(self, theta, state):
        """The parameters that are the result: theta, or what the state makes of it."""
        return theta


class MiniBatchOptimizer(Optimizer):
    """An optimiser that makes a step for each batch.

    What a step does to one parameter depends on nothing but this parameter, so that a
    step can be made a piece of the parameters at a time, on any number of threads.

    Attributes
    ----------
    slots : tuple of str
        Names of the arrays that change while training, each of the shape of theta.
    needs_whole_gradient : bool
        Whether ``limit`` is to see the gradient before the first piece of a step.
    """

    slots: tuple = ()
    needs_whole_gradient: bool = False

    def init_state(self, theta):
        return {"n_steps": 0, **{name: np.zeros_like(theta) for name in self.slots}}

    @abstractmethod
    def numbers(self, n_steps, learning_rate, t, max_iter):
        """What step ``n_steps`` (from 1), at time t in epochs, hands to ``update``."""

    @abstractmethod
    def update(self, theta, gradient, *arrays_and_numbers):
        """Change theta and the arrays of the slots in place, all of them flat pieces.

        They are followed by ``decay``, which times theta is to be added to the gradient
        (the derivative of an L2 penalty), and by the ``numbers`` of the step.
        """

    def begin(self, state, learning_rate, t, max_iter):
        """Count a step; returns its numbers."""
        state["n_steps"] += 1
        return self.numbers(state["n_steps"], learning_rate, t, max_iter)

    def limit(self, gradient):
        """Change the gradient of all parameters in place, before a step."""

    def descend(self, theta, gradient, state, where, decay, numbers):
        """Make a step for the slice ``where`` of the parameters."""
        arrays = [state[name][where] for name in self.slots]
        # Scalars in theta's own type: a Python float would make the whole kernel float64.
        scalars = map(theta.dtype.type, (decay, *numbers))
        self.update(theta[where], gradient[where], *arrays, *scalars)

    def finish(self, theta, state, t):
        """Do what is to be done after a step of all parameters, at time t in epochs."""

    def step(self, theta, gradient, state, learning_rate, t, max_iter, decay=0.0):
        """Make a whole step: change theta and the state in place."""
        numbers = self.begin(state, learning_rate, t, max_iter)
        self.limit(gradient)
        self.descend(theta, gradient, state, slice(None), decay, numbers)
        self.finish(theta, state, t)


def momentum_at(momentum, t, max_iter):
    """A momentum, or what a schedule of it gives, at time t in epochs."""
    now = momentum(t, max_iter) if isinstance(momentum, Schedule) else momentum
    if not 0 <= now < 1:
        raise ValueError(
            f"momentum must be in [0, 1), but {momentum!r} gives {now:g} at epoch {t:g}. "
            "Use a schedule that stays below 1."
        )
    return now


class LineSearchOptimizer(Optimizer):
    """An optimiser that evaluates the loss of each batch as often as it needs to."""

    batch_size = 1000  # as in Hinton & Salakhutdinov (2006)

    def batches(self, n_rows, batch_size):
        """Cut the rows of an epoch into equal batches, to a row.

        Line searches on the few rows that are left over otherwise would fit these alone.
        """
        return gen_even_slices(n_rows, -(-n_rows // batch_size))

    @abstractmethod
    def search(self, objective, theta, gradient, state):
        """Change theta in place so that the loss of one batch decreases.

        ``objective()`` returns the loss at theta as it is and fills ``gradient``, which
        holds nothing of use before. Returns the loss at the theta that was given.
        """


class FullBatchOptimizer(Optimizer):
    """An optimiser that works on the loss of the whole training set."""

    @abstractmethod
    def minimize(self, objective, theta, max_iter, tol, callback):
        """Minimise ``objective(theta) -> (loss, gradient)`` from theta, in place.

        ``callback(loss)`` is called after each iteration, with theta up to date, and
        stops the optimisation by returning True. Returns whether it converged, and the
        final loss.
        """
