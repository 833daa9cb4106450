"""Level 3: an RBM as the mini-batch loop trains it: parameters and a step."""

from copy import deepcopy
from functools import partial

import numpy as np
from scipy import sparse

from ._energy import Energy
from ._flat import flatten, views
from ._threads import LEAST_UNITS, share, split
from .optimizers import SGD
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
        self.phases = Phases(
            batch_size,
            *reversed(shapes[0]),
            energy.dtype,
            random_state,
            sparse=sparse.issparse(data),
        )
        self.learning_rate = learning_rate
        self.optimizer = SGD(momentum, nesterov=False)
        # A copy, so that a step that fails leaves the caller's state alone.
        self.state = deepcopy(state) or self.optimizer.init_state(self.theta)
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter

    @property
    def answer(self):
        """The parameters that training results in."""
        return self.theta

    def restore(self, theta):
        """Go back to earlier parameters, at rest."""
        self.theta[:] = theta
        self.state = self.optimizer.init_state(theta)

    def step(self, rows, t):
        """Change the parameters for some rows; returns their reconstruction error."""
        n, parts, W = len(rows), self.phases.parts(len(rows)), self.energy.weights
        errors = share(partial(self._run_chain, rows), parts)
        self.gradients[1][:] = parts[0].difference
        for part in parts[1:]:
            self.gradients[1] += part.difference
        # The gradient is a sum over rows: so the penalty is multiplied by n, and the rate
        # divided, which spares a pass over the weights.
        rate = self.learning_rate(t, self.max_iter) / n
        numbers = self.optimizer.begin(self.state, rate, t, self.max_iter)
        components = split(len(W), LEAST_UNITS, 2 * n * W.size)
        share(partial(self._learn_weights, n, numbers), components)
        self._descend(slice(W.size, None), 0.0, numbers)
        return sum(errors) / (n * self.data.shape[1])

    def _run_chain(self, rows, part):
        """Both phases of a part of the batch; returns its reconstruction error."""
        part.positive(self.energy, self.data, rows)
        self.sampler.negative(self.energy, part)
        return part.compare()

    def _learn_weights(self, n, numbers, components):
        """Gradient and step for the weights of a slice of the hidden units."""
        weights, _, hidden_bias = self.gradients
        self.phases.gradient(n, components, weights[components], hidden_bias[components])
        width = weights.shape[1]
        where = slice(components.start * width, components.stop * width)
        self._descend(where, self.alpha * n, numbers)

    def _descend(self, where, decay, numbers):
        """The optimiser's step for a slice of the parameters."""
        self.optimizer.descend(self.theta, self.gradient, self.state, where, decay, numbers)
