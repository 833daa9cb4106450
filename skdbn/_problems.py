"""Level 3: what the mini-batch loop trains: parameters and a step."""

from copy import deepcopy

import numpy as np

from ._batches import BLOCK_ROWS, load_rows
from ._energy import Energy
from ._flat import add_scaled, flatten, views
from ._network import Backprop
from ._random import Stream
from .optimizers import SGD, FullBatchOptimizer
from .samplers import Phases


class EnergyProblem:
    """An RBM that follows a sampler's estimate of the gradient of its log-likelihood.

    Parameters
    ----------
    data : ndarray or CSR of shape (n_samples, n_features)
    energy : Energy
        Where to start from; its parameters are copied.
    sampler : Sampler
    learning_rate, momentum : Schedule
    alpha : float
        L2 weight cost.
    batch_size : int
    max_iter : int
        What the schedules take for the length of the fit.
    random_state : RandomState
    state : dict, default=None
        The optimiser's state at the end of an earlier problem.
    """

    def __init__(
        self,
        data,
        energy,
        sampler,
        *,
        learning_rate,
        momentum,
        alpha,
        batch_size,
        max_iter,
        random_state,
        state=None,
    ):
        arrays = (energy.weights, energy.visible_bias, energy.hidden_bias)
        shapes = [array.shape for array in arrays]
        self.data = data
        self.theta = flatten(arrays, energy.dtype)
        self.energy = Energy(*views(self.theta, shapes), energy.visible, energy.hidden)
        self.gradient = np.empty_like(self.theta)
        self.gradients = views(self.gradient, shapes)
        self.sampler = sampler
        self.phases = Phases(batch_size, *reversed(shapes[0]), energy.dtype)
        self.learning_rate = learning_rate
        self.optimizer = SGD(momentum, nesterov=False)
        # A copy, so that a step that fails leaves the caller's state alone.
        self.state = deepcopy(state) or self.optimizer.init_state(self.theta)
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.stream = Stream(random_state)

    def restore(self, theta):
        """Go back to earlier parameters, at rest."""
        self.theta[:] = theta
        self.state = self.optimizer.init_state(theta)

    def step(self, rows, t):
        """Change the parameters for some rows; returns their reconstruction error."""
        n = len(load_rows(self.data, rows, self.phases.visible))
        self.phases.positive(self.energy, n, self.stream)
        self.sampler.negative(self.energy, self.phases, n, self.stream)
        error = self.phases.gradient(n, *self.gradients)
        # The gradient is a sum over rows: so the penalty is multiplied by n, and the rate
        # divided, which spares a pass over the weights.
        weights, weight_gradient = self.energy.weights.ravel(), self.gradients[0].ravel()
        add_scaled(weights, self.theta.dtype.type(self.alpha * n), weight_gradient)
        rate = self.learning_rate(t, self.max_iter) / n
        self.optimizer.step(self.theta, self.gradient, self.state, rate, t, self.max_iter)
        return error / (n * self.data.shape[1])


class NetworkProblem:
    """A network that follows the gradient of its penalised loss.

    Parameters
    ----------
    network : Network
        Where to start from; its parameters are copied.
    X : ndarray or CSR of shape (n_samples, n_inputs)
    Y : ndarray or CSR of shape (n_samples, n_outputs)
    solver : MiniBatchOptimizer or FullBatchOptimizer
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
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.state = solver.init_state(self.theta)

    def restore(self, theta):
        """Go back to earlier parameters, at rest."""
        self.theta[:] = theta
        self.state = self.solver.init_state(theta)

    def step(self, rows, t):
        """Make one step of a mini-batch optimiser; returns the loss before it."""
        loss = self.backprop(self.X, self.Y, rows)
        rate = self.learning_rate(t, self.max_iter)
        gradient = self.backprop.gradient
        self.solver.step(self.theta, gradient, self.state, rate, t, self.max_iter)
        return loss

    def minimize(self, tol, callback):
        """Run a full-batch optimiser; returns whether it converged."""

        def objective(theta):  # theta is self.theta, already set
            return self.backprop.full(self.X, self.Y)

        return self.solver.minimize(objective, self.theta, self.max_iter, tol, callback)
