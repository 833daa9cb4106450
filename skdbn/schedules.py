"""Numbers that change during training: learning rates and momentum.

A schedule is a callable of the time ``t``, in epochs since the start of the fit (2.5 is
half-way through the third epoch), and of ``max_iter``, the number of epochs asked for.
Wherever an estimator takes a schedule it takes a number too.
"""

from numbers import Real

from sklearn.base import BaseEstimator

from ._params import resolve
from ._sklearn import Interval

__all__ = ["Ramp", "Schedule"]


class Schedule(BaseEstimator):
    """Base class of the schedules; a subclass is callable as ``schedule(t, max_iter)``."""

    def __call__(self, t, max_iter):
        """Value at time t of a fit of max_iter epochs."""
        raise NotImplementedError


class Ramp(Schedule):
    """A straight line from one value to another, then constant.

    The defaults are the classical ramp of the momentum of an RBM [1]_. As a learning rate,
    ``Ramp(0.1, 0.0, n_epochs=None)`` falls to zero over the whole fit.

    Parameters
    ----------
    start : float, default=0.5
        Value at the beginning.
    stop : float, default=0.9
        Value from ``n_epochs`` on.
    n_epochs : float or None, default=5
        Length of the ramp in epochs; None for the whole fit, ``max_iter`` epochs.

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003, section 9.

    Examples
    --------
    >>> from skdbn.schedules import Ramp
    >>> momentum = Ramp(0.5, 0.9, n_epochs=4)
    >>> [round(momentum(t, 10), 2) for t in (0, 1, 2, 4, 9)]
    [0.5, 0.6, 0.7, 0.9, 0.9]
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, None, closed="left")],
        "stop": [Interval(Real, 0, None, closed="left")],
        "n_epochs": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(self, start=0.5, stop=0.9, n_epochs=5):
        self.start = start
        self.stop = stop
        self.n_epochs = n_epochs

    def __call__(self, t, max_iter):
        length = max_iter if self.n_epochs is None else self.n_epochs
        done = 1.0 if t >= length else t / length
        return self.start + done * (self.stop - self.start)


class _Constant(Schedule):
    """A number that stays."""

    def __init__(self, value):
        self.value = value

    def __call__(self, t, max_iter):
        return self.value


SCHEDULES = {"ramp": Ramp}


def as_schedule(value):
    """Make a schedule of a number or a name; a schedule is checked and returned."""
    if isinstance(value, Real):
        return _Constant(value)
    return resolve(value, SCHEDULES)
