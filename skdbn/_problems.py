"""Level 3: what the mini-batch loop trains: parameters and a step."""

from functools import partial

from ._batches import BLOCK_ROWS
from ._network import Backprop
from .optimizers import FullBatchOptimizer, LineSearchOptimizer


class NetworkProblem:
    """A network that follows the gradient of its penalised loss.

    Parameters
    ----------
    network : Network
        Where to start from; its parameters are copied.
    X : ndarray or CSR of shape (n_samples, n_inputs)
    Y : ndarray or CSR of shape (n_samples, n_outputs)
    solver : Optimizer
    learning_rate : Schedule
    alpha : float
        L2 penalty, see Backprop.
    batch_size : int
    max_iter : int
        What the schedules take for the length of the fit.
    dtype : dtype
        Precision of training.
    """

    def __init__(
        self, network, X, Y, solver, *, learning_rate, alpha, batch_size, max_iter, dtype
    ):
        self.full_batch = isinstance(solver, FullBatchOptimizer)
        n_rows = min(X.shape[0], BLOCK_ROWS) if self.full_batch else batch_size
        self.backprop = Backprop(network, n_rows, alpha, dtype)
        self.network = self.backprop.network
        self.theta = self.backprop.theta
        self.X, self.Y = X, Y
        self.solver = solver
        self.learning_rate = learning_rate
        self.rate_factor = 1.0
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.state = solver.init_state(self.theta)

    @property
    def solution(self):
        """The parameters to keep."""
        return self.theta

    def restore(self, theta):
        """Go back to earlier parameters, at rest."""
        self.theta[:] = theta
        self.state = self.solver.init_state(theta)

    def step(self, rows, t):
        """Make a step of the optimiser on a batch; returns the loss before it."""
        gradient = self.backprop.gradient
        if isinstance(self.solver, LineSearchOptimizer):
            objective = partial(self.backprop, self.X, self.Y, rows)
            return self.solver.search(objective, self.theta, gradient, self.state)
        rate = self.rate_factor * self.learning_rate(t, self.max_iter)
        numbers = self.solver.begin(self.state, rate, t, self.max_iter)

        def learn(where, decay):
            self.solver.descend(self.theta, gradient, self.state, where, decay, numbers)

        return self.backprop(self.X, self.Y, rows, learn)

    def minimize(self, tol, callback):
        """Run a full-batch optimiser; returns whether it converged."""

        def objective(theta):  # theta is self.theta, already set
            return self.backprop.full(self.X, self.Y)

        return self.solver.minimize(objective, self.theta, self.max_iter, tol, callback)
