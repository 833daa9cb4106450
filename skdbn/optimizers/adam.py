"""Adam."""

from math import sqrt
from numbers import Real

import numpy as np

from .._kernels import kernel
from .._sklearn import Interval
from ._base import MiniBatchOptimizer


class Adam(MiniBatchOptimizer):
    """Adam: steps scaled by running moments of the gradient ([1]_, algorithm 1).

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the running mean of the gradient, in [0, 1).
    beta_2 : float, default=0.999
        Decay of the running mean of its square, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment.

    References
    ----------
    .. [1] D. Kingma, J. Ba (2015), "Adam: a method for stochastic optimization", ICLR,
       arXiv:1412.6980.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import Adam
    >>> MLPClassifier(solver=Adam(beta_1=0.8)).get_params()["solver__beta_1"]
    0.8
    """

    learning_rate = 0.001
    weight_decay = 0.0  # that of AdamW is a parameter
    slots = ("mean", "square")

    _parameter_constraints: dict = {
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def numbers(self, n_steps, learning_rate, t, max_iter):
        correction = sqrt(1.0 - self.beta_2**n_steps) / (1.0 - self.beta_1**n_steps)
        return (
            learning_rate * correction,
            self.beta_1,
            1.0 - self.beta_1,
            self.beta_2,
            1.0 - self.beta_2,
            self.epsilon,
            learning_rate * self.weight_decay,
        )

    def update(self, theta, gradient, *arrays_and_numbers):
        _step(theta, gradient, *arrays_and_numbers)


@kernel
def _step(
    theta,
    gradient,
    mean,
    square,
    decay,
    rate,
    beta_1,
    rest_1,
    beta_2,
    rest_2,
    epsilon,
    shrinkage,
):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        m = beta_1 * mean[i] + rest_1 * g
        s = beta_2 * square[i] + rest_2 * g * g
        mean[i] = m
        square[i] = s
        theta[i] -= shrinkage * theta[i] + rate * m / (np.sqrt(s) + epsilon)
