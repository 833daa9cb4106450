"""Adam with decoupled weight decay."""

from numbers import Real

from .._sklearn import Interval
from .adam import Adam


class AdamW(Adam):
    """Adam with weight decay that is not scaled by moments ([1]_, algorithm 2).

    Each step first makes ``theta *= 1 - learning_rate * weight_decay``, then goes on as
    that of :class:`Adam`. All parameters decay, biases too, as in PyTorch: an optimiser
    sees one flat array. An L2 penalty that leaves biases alone is the estimator's
    ``alpha``; with this solver it is best zero.

    Parameters
    ----------
    beta_1 : float, default=0.9
        Decay of the running mean of the gradient, in [0, 1).
    beta_2 : float, default=0.999
        Decay of the running mean of its square, in [0, 1).
    epsilon : float, default=1e-8
        Added to the root of the second moment.
    weight_decay : float, default=0.01
        What part of the parameters a step takes away, times the learning rate.

    References
    ----------
    .. [1] I. Loshchilov, F. Hutter (2019), "Decoupled weight decay regularization", ICLR,
       arXiv:1711.05101.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import AdamW
    >>> MLPClassifier(solver=AdamW(weight_decay=0.1), alpha=0.0).solver
    AdamW(weight_decay=0.1)
    """

    _parameter_constraints: dict = {
        **Adam._parameter_constraints,
        "weight_decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, beta_1=0.9, beta_2=0.999, epsilon=1e-8, weight_decay=0.01):
        super().__init__(beta_1, beta_2, epsilon)
        self.weight_decay = weight_decay
