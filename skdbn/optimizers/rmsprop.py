"""RMSprop."""

from numbers import Real

import numpy as np

from .._kernels import kernel
from .._sklearn import Interval
from ..schedules import Schedule
from ._base import MiniBatchOptimizer, momentum_at


class RMSprop(MiniBatchOptimizer):
    """RMSprop: the gradient divided by the root of its running mean square [1]_.

    Each step is ``s = rho * s + (1 - rho) * gradient**2``, ``v = momentum * v +
    learning_rate * gradient / (sqrt(s) + epsilon)``, then ``theta -= v``.

    Parameters
    ----------
    rho : float, default=0.9
        Decay of the running mean of the squared gradient, in [0, 1).
    momentum : float or Schedule, default=0.0
        Momentum in [0, 1).
    epsilon : float, default=1e-7
        Added to the root of the mean square.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton (2012), "Lecture 6.5 - rmsprop: divide the gradient by a
       running average of its recent magnitude", Coursera: Neural networks for machine
       learning.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import RMSprop
    >>> MLPClassifier(solver=RMSprop(rho=0.99)).solver
    RMSprop(rho=0.99)
    """

    learning_rate = 0.001

    _parameter_constraints: dict = {
        "rho": [Interval(Real, 0, 1, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left"), Schedule],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, rho=0.9, momentum=0.0, epsilon=1e-7):
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon

    @property
    def slots(self):
        """Arrays that change while training; there is no velocity without momentum."""
        return ("square", "velocity") if self.momentum else ("square",)

    def numbers(self, n_steps, learning_rate, t, max_iter):
        numbers = (learning_rate, self.rho, 1.0 - self.rho, self.epsilon)
        if not self.momentum:
            return numbers
        return *numbers, momentum_at(self.momentum, t, max_iter)

    def update(self, theta, gradient, *arrays_and_numbers):
        change = _momentum_step if self.momentum else _step
        change(theta, gradient, *arrays_and_numbers)


@kernel
def _step(theta, gradient, square, decay, rate, rho, rest, epsilon):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        s = rho * square[i] + rest * g * g
        square[i] = s
        theta[i] -= rate * g / (np.sqrt(s) + epsilon)


@kernel
def _momentum_step(
    theta, gradient, square, velocity, decay, rate, rho, rest, epsilon, momentum
):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        s = rho * square[i] + rest * g * g
        v = momentum * velocity[i] + rate * g / (np.sqrt(s) + epsilon)
        square[i] = s
        velocity[i] = v
        theta[i] -= v
