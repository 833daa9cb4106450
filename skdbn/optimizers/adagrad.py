"""Adagrad."""

from numbers import Real

import numpy as np

from .._kernels import kernel
from .._sklearn import Interval
from ._base import MiniBatchOptimizer


class Adagrad(MiniBatchOptimizer):
    """Adagrad: the gradient divided by the root of the sum of its squares so far.

    Each step is ``s += gradient**2``, then ``theta -= learning_rate * gradient / (sqrt(s)
    + epsilon)`` ([1]_, figure 1, with the diagonal matrix). Steps become shorter with
    time; rare features keep longer ones.

    Parameters
    ----------
    epsilon : float, default=1e-10
        Added to the root of the sum.

    References
    ----------
    .. [1] J. Duchi, E. Hazan, Y. Singer (2011), "Adaptive subgradient methods for online
       learning and stochastic optimization", JMLR 12, 2121-2159.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import Adagrad
    >>> MLPClassifier(solver=Adagrad(), learning_rate=0.05).solver
    Adagrad()
    """

    learning_rate = 0.01
    slots = ("total",)

    _parameter_constraints: dict = {
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, epsilon=1e-10):
        self.epsilon = epsilon

    def numbers(self, n_steps, learning_rate, t, max_iter):
        return learning_rate, self.epsilon

    def update(self, theta, gradient, *arrays_and_numbers):
        _step(theta, gradient, *arrays_and_numbers)


@kernel
def _step(theta, gradient, total, decay, rate, epsilon):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        s = total[i] + g * g
        total[i] = s
        theta[i] -= rate * g / (np.sqrt(s) + epsilon)
