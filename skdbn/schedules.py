"""Numbers that change during training: learning rates and momentum.

A schedule is a callable of the time ``t``, in epochs since the start of the fit (2.5 is
half-way through the third epoch), and of ``max_iter``, the number of epochs asked for.
Wherever an estimator takes a schedule it takes a number too.
"""

from numbers import Real

import numpy as np
from sklearn.base import clone

from ._params import resolve
from ._sklearn import Interval
from ._versioned import VersionedEstimator

__all__ = ["Adaptive", "Exponential", "InverseTime", "Ramp", "Schedule", "Step"]


class Schedule(VersionedEstimator):
    """Base class of the schedules; a subclass is callable as ``schedule(t, max_iter)``."""

    def __call__(self, t, max_iter):
        """Value at time t of a fit of max_iter epochs."""
        raise NotImplementedError

    def lowered(self):
        """The schedule to go on with when training no longer improves; None to stop."""
        return None


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


class Step(Schedule):
    """A value that is multiplied by a factor now and then: a staircase.

    Parameters
    ----------
    start : float
        Value at the beginning.
    factor : float, default=0.5
        What each step multiplies the value by, in (0, 1].
    epochs : float, list, tuple or ndarray, default=10
        A number: how many epochs a value lasts. Several: the epochs after which the value
        is multiplied, in any order; ``[10, 15]`` for two steps, after the tenth and after
        the fifteenth.

    See Also
    --------
    Exponential : The same without steps.

    Examples
    --------
    >>> from skdbn.schedules import Step
    >>> rate = Step(0.1, factor=0.5, epochs=2)
    >>> [rate(t, 20) for t in (0, 1.5, 2, 3.5, 4)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    >>> rate = Step(0.1, factor=0.5, epochs=[2, 10])
    >>> [rate(t, 20) for t in (0, 1.5, 2, 9, 10)]
    [0.1, 0.1, 0.05, 0.05, 0.025]
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, None, closed="left")],
        "factor": [Interval(Real, 0, 1, closed="right")],
        "epochs": [Interval(Real, 0, None, closed="neither"), list, tuple, np.ndarray],
    }

    def __init__(self, start, factor=0.5, epochs=10):
        self.start = start
        self.factor = factor
        self.epochs = epochs

    def __call__(self, t, max_iter):
        if isinstance(self.epochs, Real):
            n_steps = t // self.epochs
        else:
            n_steps = sum(t >= epoch for epoch in self.epochs)
        return self.start * float(self.factor) ** n_steps


class Exponential(Schedule):
    """A value that shrinks by the same factor in each epoch.

    ``start * factor**t`` at the time t, also within an epoch.

    Parameters
    ----------
    start : float
        Value at the beginning.
    factor : float, default=0.95
        What an epoch multiplies the value by, in (0, 1].

    See Also
    --------
    Step : The same in steps.
    InverseTime : Falls more and more slowly.

    Examples
    --------
    >>> from skdbn.schedules import Exponential
    >>> rate = Exponential(0.1, factor=0.5)
    >>> [round(rate(t, 20), 4) for t in (0, 0.5, 1, 2)]
    [0.1, 0.0707, 0.05, 0.025]
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, None, closed="left")],
        "factor": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, start, factor=0.95):
        self.start = start
        self.factor = factor

    def __call__(self, t, max_iter):
        return self.start * float(self.factor) ** t


class InverseTime(Schedule):
    """A value that stays for a while and then falls as one over the time.

    ``start / (1 + t / n_epochs)`` at the time t: half of ``start`` after ``n_epochs``, a
    third after twice as many, "search then converge" [1]_. Steps that fall as 1/t are what
    the proofs of stochastic approximation ask for [2]_.

    Parameters
    ----------
    start : float
        Value at the beginning.
    n_epochs : float, default=10
        After how many epochs the value has fallen to a half.

    References
    ----------
    .. [1] C. Darken, J. Moody (1990), "Note on learning rate schedules for stochastic
       optimization", Advances in Neural Information Processing Systems 3, 832-838.
    .. [2] H. Robbins, S. Monro (1951), "A stochastic approximation method", Annals of
       Mathematical Statistics 22, 400-407, doi:10.1214/aoms/1177729586.

    Examples
    --------
    >>> from skdbn.schedules import InverseTime
    >>> rate = InverseTime(0.1, n_epochs=5)
    >>> [round(rate(t, 20), 4) for t in (0, 5, 10, 20)]
    [0.1, 0.05, 0.0333, 0.02]
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, None, closed="left")],
        "n_epochs": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, start, n_epochs=10):
        self.start = start
        self.n_epochs = n_epochs

    def __call__(self, t, max_iter):
        return self.start / (1.0 + t / self.n_epochs)


class Adaptive(Schedule):
    """A value that is lowered whenever training no longer improves.

    As ``learning_rate="adaptive"`` in scikit-learn's MLP: where the patience of an
    estimator, ``n_iter_no_change`` epochs, would end training, the value is multiplied by
    a factor and training goes on, until the value is no larger than the least. Where
    nothing tries the patience the value stays as it is: in ``partial_fit``, and for an RBM
    without ``early_stopping``. A network whose ``tol`` is None needs ``early_stopping``.

    Parameters
    ----------
    start : float
        Value at the beginning.
    factor : float, default=0.2
        What the value is multiplied by, in (0, 1).
    least : float, default=1e-6
        Training ends where a value up to this one no longer improves it. Above 0.

    See Also
    --------
    Step : A value that falls after a number of epochs.

    Examples
    --------
    >>> from skdbn.schedules import Adaptive
    >>> rate = Adaptive(0.1, factor=0.5)
    >>> rate(0, 20), rate(10, 20), rate.lowered()
    (0.1, 0.1, Adaptive(factor=0.5, start=0.05))
    >>> print(Adaptive(1e-6).lowered())
    None
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, None, closed="left")],
        "factor": [Interval(Real, 0, 1, closed="neither")],
        "least": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(self, start, factor=0.2, least=1e-6):
        self.start = start
        self.factor = factor
        self.least = least

    def __call__(self, t, max_iter):
        return self.start

    def lowered(self):
        if self.start <= self.least:
            return None
        return clone(self).set_params(start=self.start * self.factor)


class _Constant(Schedule):
    """A number that stays."""

    def __init__(self, value):
        self.value = value

    def __call__(self, t, max_iter):
        return self.value


# Only what needs no number of the user's. The others start from a learning rate, and no one
# is right both for an RBM, where it is 0.1, and for Adam, where it is 0.001.
SCHEDULES = {"ramp": Ramp}


def as_schedule(value):
    """Make a schedule of a number or a name; a schedule is checked and returned."""
    if isinstance(value, Real):
        return _Constant(value)
    return resolve(value, SCHEDULES)
