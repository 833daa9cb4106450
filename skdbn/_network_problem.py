"""Level 3: a network as the training loops see it: parameters and a step."""

from copy import deepcopy
from functools import partial
from numbers import Real

import numpy as np

from ._flat import limit_columns
from ._threads import share
from .optimizers import LineSearchOptimizer, MiniBatchOptimizer
from .schedules import Adaptive, Schedule, as_schedule

# What names of learning rates stand for, of the solver's own.
NAMED_RATES = {"auto": lambda rate: rate, "adaptive": Adaptive}


class NetworkProblem:
    """A network that follows the gradient of its penalised loss.

    Parameters
    ----------
    backprop : Backprop
        Loss and gradient, at the parameters to start from.
    data : Examples
    rows : ndarray of int
        The rows of the data to train on.
    solver : Optimizer
    learning_rates : list of Schedule
        One for each layer of weights, or a single one.
    frozen : iterable of int, default=()
        Layers of weights that stay as they are.
    head_max_iter : int, default=0
        Number of epochs at the beginning that change the output layer alone.
    max_norm : float or None, default=None
        The largest norm of the weights into a hidden unit.
    batch_size : int
    max_iter : int
        What the schedules take for the length of the fit.
    state : dict, default=None
        What an earlier problem left.
    """

    def __init__(
        self,
        backprop,
        data,
        rows,
        solver,
        *,
        learning_rates,
        batch_size,
        max_iter,
        max_norm=None,
        frozen=(),
        head_max_iter=0,
        state=None,
    ):
        self.backprop = backprop
        self.theta = backprop.theta
        self.data, self.rows = data, rows
        self.solver = solver
        self.learning_rates = learning_rates
        self.n_lowered = 0
        self.max_norm = max_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        depth = len(backprop.network.coefs)
        self.frozen = frozenset(frozen)
        self.below_head = self.frozen.union(range(depth - 1))
        self.head_max_iter = head_max_iter if len(self.below_head) < depth else 0
        self.backprop.freeze(self.frozen)
        self.state = solver.init_state(self.theta)
        # What another solver has left is of no use.
        if state is not None and state.keys() == self.leave().keys():
            # A copy, so that a step that fails leaves the caller's state alone.
            self._go_on(deepcopy(state))

    def _go_on(self, left):
        """Take over what an earlier problem left."""
        self.backprop.freeze(left.pop("frozen"))
        theta, given = left.pop("theta", None), self.theta.copy()
        self.state.update(left)
        if theta is None:
            return
        self.theta[:] = theta
        if not np.array_equal(self.solution, given):  # other parameters have been set
            self.restore(given)

    def learning_rate(self, t, max_iter):
        """The largest step size of a layer at time t."""
        return max(rate(t, max_iter) for rate in self.learning_rates)

    def lower_rate(self):
        """Lower the learning rates that can be; returns whether there was one."""
        if not isinstance(self.solver, MiniBatchOptimizer):
            return False  # it finds its steps itself
        lowered = [rate.lowered() for rate in self.learning_rates]
        pairs = zip(lowered, self.learning_rates, strict=True)
        self.learning_rates = [new or old for new, old in pairs]
        self.n_lowered += any(lowered)
        return any(lowered)

    @property
    def solution(self):
        """The parameters that training results in."""
        return self.solver.solution(self.theta, self.state)

    @property
    def network(self):
        """The network that training results in."""
        return self.backprop.network.on(self.solution)

    def is_sound(self):
        """Whether the parameters are finite."""
        return bool(np.isfinite(self.theta).all())

    def restore(self, theta):
        """Go back to earlier parameters, at rest."""
        self.theta[:] = theta
        self.state = self.solver.init_state(theta)

    @property
    def _known(self):
        """What the solver knows, without what it writes over."""
        return {k: v for k, v in self.state.items() if k not in self.solver.work_space}

    def leave(self):
        """What another problem needs to go on from here, beside the solution."""
        left = self._known
        if self.solution is not self.theta:
            # A copy, as the solution itself is the user's, who may change it.
            left = deepcopy(left) | {"theta": self.theta}
        return {**left, "frozen": sorted(self.backprop.frozen)}

    def get_state(self):
        """All that changes while training."""
        noise = self.backprop.noise
        return {
            "theta": self.theta,
            "solver": self._known,
            "frozen": sorted(self.backprop.frozen),
            "n_evaluations": self.backprop.n_evaluations,
            "n_lowered": self.n_lowered,
            "noise": noise and noise.stream.get_state(),
        }

    def set_state(self, state):
        """Go on from there."""
        self.theta[:] = state["theta"]
        self.backprop.freeze(state["frozen"])
        self.backprop.n_evaluations = state["n_evaluations"]
        self.state.update(state["solver"])
        for _ in range(state["n_lowered"]):
            self.lower_rate()
        if state["noise"]:
            self.backprop.noise.stream.set_state(state["noise"])

    def batches(self, n_rows):
        """The slices of an epoch over so many rows."""
        return self.solver.batches(n_rows, self.batch_size)

    def step(self, rows, t):
        """Make a step of the optimiser on a batch; returns the loss before it."""
        frozen = self.below_head if t < self.head_max_iter else self.frozen
        if frozen != self.backprop.frozen:
            self._freeze(frozen)
        if isinstance(self.solver, LineSearchOptimizer):
            objective = partial(self.backprop, self.data, rows)
            gradient = self.backprop.gradient
            return self.solver.search(objective, self.theta, gradient, self.state)
        loss = self._descend(rows, t)
        if self.max_norm is not None:
            self._limit_weights()
        self.solver.finish(self.theta, self.state, t)
        return loss

    def _freeze(self, frozen):
        """Choose the layers that stay as they are; the others start from rest."""
        self.backprop.freeze(frozen)
        self.state = self.solver.init_state(self.theta)

    def _descend(self, rows, t):
        """Step by step with the gradient, or after all of it if the solver wants that."""
        gradient, numbers = self.backprop.gradient, self._numbers(t)

        def learn(layer, where, decay):
            self.solver.descend(
                self.theta, gradient, self.state, where, decay, numbers[layer]
            )

        if not self.solver.needs_whole_gradient:
            return self.backprop(self.data, rows, learn)
        pieces = []
        loss = self.backprop(self.data, rows, lambda *piece: pieces.append(piece))
        self.solver.limit(gradient)
        share(lambda piece: learn(*piece), pieces)
        return loss

    def _numbers(self, t):
        """What a step depends on, for each layer."""
        first, *others = self.learning_rates
        rate = first(t, self.max_iter)
        numbers = self.solver.begin(self.state, rate, t, self.max_iter)
        if not others:
            return [numbers] * (len(self.below_head) + 1)
        n_steps = self.state["n_steps"]
        rates = [rate(t, self.max_iter) for rate in others]
        return [
            numbers,
            *(self.solver.numbers(n_steps, rate, t, self.max_iter) for rate in rates),
        ]

    def _limit_weights(self):
        """Shrink the weights into hidden units whose norm is too large."""
        limit = self.theta.dtype.type(self.max_norm)
        for i, coef in enumerate(self.backprop.network.coefs[:-1]):
            if i not in self.backprop.frozen:
                limit_columns(coef, limit, np.empty(coef.shape[1], coef.dtype))

    def minimize(self, tol, callback):
        """Run a full-batch optimiser; returns whether it converged, and the loss."""
        stopped = False

        def objective(theta):  # theta is self.theta, already set
            return self.backprop.full(self.data, self.rows)

        def after_iteration(loss):
            nonlocal stopped
            stopped = callback(loss)
            return stopped

        phases = [
            (self.below_head, min(self.head_max_iter, self.max_iter)),
            (self.frozen, self.max_iter - self.head_max_iter),
        ]
        for frozen, n_iter in phases:
            if n_iter > 0 and not stopped:
                self.backprop.freeze(frozen)
                converged, loss = self.solver.minimize(
                    objective, self.theta, n_iter, tol, after_iteration
                )
        return converged, loss


def layer_schedules(learning_rate, solver, n_layers):
    """The step sizes as a list of schedules, and the layers that do not learn."""
    several = isinstance(learning_rate, (list, tuple, np.ndarray))
    rates = list(learning_rate) if several else [learning_rate]
    if len(rates) not in (1, n_layers):
        raise ValueError(
            f"learning_rate is a list of {len(rates)}, but the network has {n_layers} "
            "layers of weights, the output layer included. Give one for each, from the "
            "bottom, or a single one."
        )
    rates = [
        NAMED_RATES[rate](solver.learning_rate)
        if isinstance(rate, str) and rate in NAMED_RATES
        else rate
        for rate in rates
    ]
    for rate in rates:
        number = isinstance(rate, Real)
        if not (number or isinstance(rate, Schedule)) or (
            number and not 0 <= rate < np.inf
        ):
            raise ValueError(
                "learning_rate must hold positive numbers, schedules, 'auto', 'adaptive', "
                f"or 0 for a layer that is to stay as it is, got {rate!r}."
            )
    frozen = [i for i, rate in enumerate(rates) if rate == 0]
    if len(frozen) == len(rates):
        raise ValueError(
            f"learning_rate={learning_rate!r} leaves every layer as it is. Give one layer "
            "a learning rate above 0."
        )
    return [as_schedule(rate) for rate in rates], frozen
