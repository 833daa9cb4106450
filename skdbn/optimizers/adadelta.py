"""Adadelta."""

from numbers import Real

import numpy as np

from .._kernels import kernel
from .._sklearn import Interval
from ._base import MiniBatchOptimizer


class Adadelta(MiniBatchOptimizer):
    """Adadelta: steps in the units of the parameters ([1]_, algorithm 1).

    The step is the gradient divided by its running root mean square and multiplied by that
    of the steps before it, so that there is no rate to tune. ``learning_rate`` multiplies
    what the paper's step is.

    Parameters
    ----------
    rho : float, default=0.95
        Decay of the running means of squares, in [0, 1).
    epsilon : float, default=1e-6
        Added to both mean squares, inside the root. It makes the first steps; more makes
        them longer.

    References
    ----------
    .. [1] M. Zeiler (2012), "ADADELTA: an adaptive learning rate method",
       arXiv:1212.5701.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import Adadelta
    >>> MLPClassifier(solver=Adadelta(rho=0.9)).solver
    Adadelta(rho=0.9)
    """

    learning_rate = 1.0
    slots = ("square", "square_step")

    _parameter_constraints: dict = {
        "rho": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, rho=0.95, epsilon=1e-6):
        self.rho = rho
        self.epsilon = epsilon

    def numbers(self, n_steps, learning_rate, t, max_iter):
        return learning_rate, self.rho, 1.0 - self.rho, self.epsilon

    def update(self, theta, gradient, *arrays_and_numbers):
        _step(theta, gradient, *arrays_and_numbers)


@kernel
def _step(theta, gradient, square, square_step, decay, rate, rho, rest, epsilon):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        s = rho * square[i] + rest * g * g
        step = np.sqrt((square_step[i] + epsilon) / (s + epsilon)) * g
        square[i] = s
        square_step[i] = rho * square_step[i] + rest * step * step
        theta[i] -= rate * step
