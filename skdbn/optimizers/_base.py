"""What an optimiser has to do, for mini-batches and for whole data sets."""

from abc import ABC, abstractmethod

from sklearn.base import BaseEstimator


class Optimizer(ABC, BaseEstimator):
    """Base class: parameters are one flat array, changed in place.

    An optimiser object holds what the user chose and nothing that changes while training,
    so one object may serve several fits at once.

    Attributes
    ----------
    learning_rate : float
        What ``learning_rate="auto"`` means with this optimiser.
    """

    learning_rate: float

    def init_state(self, theta):
        """Make the arrays and counters that change while training, as a dict."""
        return {}


class MiniBatchOptimizer(Optimizer):
    """An optimiser that makes a step for each batch."""

    @abstractmethod
    def step(self, theta, gradient, state, learning_rate, t, max_iter):
        """Change theta and the state in place; t is the time in epochs."""


class FullBatchOptimizer(Optimizer):
    """An optimiser that works on the loss of the whole training set."""

    @abstractmethod
    def minimize(self, objective, theta, max_iter, tol, callback):
        """Minimise ``objective(theta) -> (loss, gradient)`` from theta, in place.

        ``callback(loss)`` is called after each iteration, with theta up to date, and
        stops the optimisation by returning True. Returns whether it converged, and the
        final loss.
        """
