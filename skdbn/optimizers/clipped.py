"""Gradients of limited length."""

from math import sqrt
from numbers import Real

from .._flat import squared_norm
from .._sklearn import Interval
from ._wrapper import OptimizerWrapper


class Clipped(OptimizerWrapper):
    """Steps of another optimiser on gradients of limited length ([1]_, algorithm 1).

    A gradient whose norm, over all parameters, is above ``clip_norm`` is shortened to it.
    The L1 penalty is part of what is measured and shortened, the L2 penalty is not.

    Parameters
    ----------
    optimizer : MiniBatchOptimizer
        What makes the steps.
    clip_norm : float, default=1.0
        The largest norm of a gradient.

    Notes
    -----
    Other optimisers make their step for a piece of the weights as soon as its gradient is
    there. This one has to wait for all of it, which costs two passes over the parameters.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov, Y. Bengio (2013), "On the difficulty of training
       recurrent neural networks", ICML, arXiv:1211.5063.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import SGD, Clipped
    >>> mlp = MLPClassifier(solver=Clipped(SGD(), clip_norm=5.0))
    >>> mlp.set_params(solver__optimizer__momentum=0.5).solver
    Clipped(clip_norm=5.0, optimizer=SGD(momentum=0.5))
    """

    needs_whole_gradient = True

    _parameter_constraints: dict = {
        **OptimizerWrapper._parameter_constraints,
        "clip_norm": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, optimizer, clip_norm=1.0):
        self.optimizer = optimizer
        self.clip_norm = clip_norm

    def limit(self, gradient):
        norm = sqrt(squared_norm(gradient))
        if not norm <= self.clip_norm:  # NaN stays NaN
            gradient *= gradient.dtype.type(self.clip_norm / norm)
        self.optimizer.limit(gradient)
