"""Weights that are averages over the steps."""

from numbers import Real

from .._flat import blend
from .._sklearn import Interval
from .._threads import share_parameters
from ._wrapper import OptimizerWrapper


class Averaged(OptimizerWrapper):
    """Steps of another optimiser, whose result is an average over the steps.

    The network that is scored on held-out rows, shown to callbacks and kept has the
    average of the parameters after each step: of all alike [1]_, or of the last ones with
    exponentially falling weights. Training itself goes on from the last parameters.

    Parameters
    ----------
    optimizer : MiniBatchOptimizer
        What makes the steps.
    decay : float or None, default=None
        What a step does to the weight of all earlier ones, in (0, 1): 0.999 averages over
        about the last 1000 steps. None weighs all steps alike.
    start : float, default=0
        Epoch at which averaging starts. Before, the result is the last parameters.

    References
    ----------
    .. [1] B. Polyak, A. Juditsky (1992), "Acceleration of stochastic approximation by
       averaging", SIAM J. Control Optim. 30, 838-855, doi:10.1137/0330046.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import SGD, Averaged
    >>> mlp = MLPClassifier(solver=Averaged(SGD(), start=20), max_iter=30)
    >>> mlp.set_params(solver__decay=0.99).solver
    Averaged(decay=0.99, optimizer=SGD(), start=20)
    """

    _parameter_constraints: dict = {
        **OptimizerWrapper._parameter_constraints,
        "decay": [Interval(Real, 0, 1, closed="neither"), None],
        "start": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, optimizer, decay=None, start=0):
        self.optimizer = optimizer
        self.decay = decay
        self.start = start

    def init_state(self, theta):
        own = {"average": theta.copy(), "n_averaged": 0}
        return {**self.optimizer.init_state(theta), **own}

    def finish(self, theta, state, t):
        self.optimizer.finish(theta, state, t)
        part = 1.0  # of the last parameters in the average
        if t >= self.start:
            state["n_averaged"] += 1
            part = 1.0 / state["n_averaged"]
            if self.decay is not None:  # alike until there are enough steps
                part = max(part, 1.0 - self.decay)
        average, part = state["average"], theta.dtype.type(part)
        share_parameters(
            lambda where: blend(theta[where], part, average[where]), theta.size
        )

    def solution(self, theta, state):
        return state["average"]
