"""Stochastic gradient descent with momentum."""

from numbers import Real

from .._kernels import kernel
from .._sklearn import Interval
from ..schedules import Schedule
from ._base import MiniBatchOptimizer, momentum_at


class SGD(MiniBatchOptimizer):
    """Stochastic gradient descent with classical or Nesterov momentum.

    Each step is ``v = momentum * v - learning_rate * gradient``, then ``theta += v``, or
    with Nesterov's momentum ``theta += momentum * v - learning_rate * gradient`` [1]_.

    Parameters
    ----------
    momentum : float or Schedule, default=0.9
        Momentum in [0, 1).
    nesterov : bool, default=True
        Whether to use Nesterov's momentum.

    References
    ----------
    .. [1] I. Sutskever, J. Martens, G. Dahl, G. Hinton (2013), "On the importance of
       initialization and momentum in deep learning", ICML.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import SGD
    >>> mlp = MLPClassifier(solver=SGD(momentum=0.5), learning_rate=0.1)
    >>> mlp.set_params(solver__nesterov=False).solver
    SGD(momentum=0.5, nesterov=False)
    """

    learning_rate = 0.01
    slots = ("velocity",)

    _parameter_constraints: dict = {
        "momentum": [Interval(Real, 0, 1, closed="left"), Schedule],
        "nesterov": ["boolean"],
    }

    def __init__(self, momentum=0.9, nesterov=True):
        self.momentum = momentum
        self.nesterov = nesterov

    def numbers(self, n_steps, learning_rate, t, max_iter):
        return learning_rate, momentum_at(self.momentum, t, max_iter)

    def update(self, theta, gradient, *arrays_and_numbers):
        change = _nesterov_step if self.nesterov else _step
        change(theta, gradient, *arrays_and_numbers)


@kernel
def _step(theta, gradient, velocity, decay, learning_rate, momentum):
    for i in range(theta.size):
        g = gradient[i] + decay * theta[i]
        v = momentum * velocity[i] - learning_rate * g
        velocity[i] = v
        theta[i] += v


@kernel
def _nesterov_step(theta, gradient, velocity, decay, learning_rate, momentum):
    for i in range(theta.size):
        g = learning_rate * (gradient[i] + decay * theta[i])
        v = momentum * velocity[i] - g
        velocity[i] = v
        theta[i] += momentum * v - g
