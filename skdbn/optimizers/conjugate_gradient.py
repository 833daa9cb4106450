"""Nonlinear conjugate gradients."""

from math import isfinite
from numbers import Integral, Real

import numpy as np

from .._kernels import kernel
from .._sklearn import Interval
from .._threads import share_parameters
from ._base import LineSearchOptimizer
from ._line_search import Point, strong_wolfe

_DECREASE = 0.5  # of ``curvature``: the part of the slope that the loss must go down by
_GROWTH = 10.0  # the most that the first trial grows from one line search to the next


class ConjugateGradient(LineSearchOptimizer):
    """Nonlinear conjugate gradients: a few line searches on each batch.

    Each batch starts down its gradient g. The directions after that are ``-g + beta * d``
    with ``beta = max(0, g @ (g - g_last) / (g_last @ g_last))`` of Polak and Ribiere ([2]_,
    eq. 5.45). A line search ends where the strong Wolfe conditions ([2]_, eq. 3.7) hold.
    It is that of [3]_, which came to the same loss with about 15 % fewer evaluations than
    :func:`scipy.optimize.line_search` on small networks.

    So Hinton and Salakhutdinov [1]_ fine-tuned their autoencoders: three line searches on
    each batch of 1000 rows, which is what ``batch_size="auto"`` means here. As the loss of
    a batch is minimised with no regard for the others, batches should be large, and an
    epoch is cut into equal ones of at most ``batch_size`` rows. With all rows in one batch
    and many line searches it is the method of the textbooks. ``learning_rate`` is not used.

    Parameters
    ----------
    n_line_searches : int, default=3
        Number of line searches on each batch.
    curvature : float, default=0.1
        Part of the slope that may be left at the end of a line search, in (0, 1). More
        makes line searches shorter and their directions worse.
    max_evaluations : int, default=20
        Largest number of evaluations of the loss in a line search.

    Notes
    -----
    One number is kept from batch to batch, the step times the slope of the first line
    search of a batch, from which the first trial on the next batch is made.

    No batch is left with a larger loss than it came with. A line search that fails keeps
    the best of its points if that is better than the start, and the next one goes down the
    gradient; after a failure there the batch is left.

    References
    ----------
    .. [1] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.
    .. [2] J. Nocedal, S. Wright (2006), "Numerical optimization", 2nd ed., Springer,
       doi:10.1007/978-0-387-40065-5.
    .. [3] C. E. Rasmussen (2006), ``minimize.m``, in C. E. Rasmussen, C. Williams,
       "Gaussian processes for machine learning", http://gaussianprocess.org/gpml/code.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import ConjugateGradient
    >>> MLPClassifier(solver=ConjugateGradient(n_line_searches=5)).solver
    ConjugateGradient(n_line_searches=5)
    """

    learning_rate = 1.0  # the line search finds the step
    # Kept from batch to batch because fresh memory costs more than the passes over it.
    work_space = ("start", "direction", "last_gradient")

    _parameter_constraints: dict = {
        "n_line_searches": [Interval(Integral, 1, None, closed="left")],
        "curvature": [Interval(Real, 0, 1, closed="neither")],
        "max_evaluations": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_line_searches=3, curvature=0.1, max_evaluations=20):
        self.n_line_searches = n_line_searches
        self.curvature = curvature
        self.max_evaluations = max_evaluations

    def init_state(self, theta):
        arrays = {name: np.zeros_like(theta) for name in self.work_space}
        return {"decrease": None, **arrays}

    def search(self, objective, theta, gradient, state):
        descent = _Descent(objective, theta, gradient, state)
        loss = descent.evaluate()
        if isfinite(loss):
            # A step that goes too far is found to be one, and needs no warning.
            with np.errstate(over="ignore", invalid="ignore"):
                self._descend(descent, state)
        return loss

    def _descend(self, descent, state):
        """Do the line searches of a batch."""
        descent.steepest()
        if state["decrease"] is not None and descent.slope < 0:
            descent.step = state["decrease"] / -descent.slope
        for n in range(self.n_line_searches):
            if not descent.slope < 0:  # a stationary point, or NaN
                break
            slope = descent.slope
            step = descent.line_search(self.curvature, self.max_evaluations)
            if n == 0:
                state["decrease"] = -step * slope or None
            if n + 1 == self.n_line_searches or not descent.turn(step):
                break


class _Descent:
    """A point that goes down a line at a time, in the caller's arrays."""

    def __init__(self, objective, theta, gradient, state):
        self.objective = objective
        self.theta = theta
        self.gradient = gradient
        self.start = state["start"]
        self.direction = state["direction"]
        self.last_gradient = state["last_gradient"]

    def evaluate(self):
        """Fill the gradient at theta; returns the loss there."""
        self.loss = float(self.objective())
        return self.loss

    def move(self, step):
        """Put theta a step from the start of the line."""
        self._run(_move, self.start, self.direction, self.theta, step=step)

    def probe(self, step):
        """Loss and slope at a step from the start of the line."""
        self.move(step)
        loss = self.evaluate()
        return loss, self._run(_dot, self.gradient, self.direction)

    def line_search(self, curvature, max_evaluations):
        """Go to the best point that is found on the line; returns its step."""
        np.copyto(self.start, self.theta)
        start = Point(0.0, self.loss, self.slope)
        decrease = _DECREASE * curvature
        rounding = float(np.finfo(self.theta.dtype).eps) * abs(self.loss)
        last, best = strong_wolfe(
            self.probe, start, self.step, decrease, curvature, max_evaluations, rounding
        )
        self.at_gradient = best is last
        if not self.at_gradient:
            self.move(best.step)
            self.loss = best.value
        return best.step

    def turn(self, step):
        """Choose the next line after a step; returns whether there is one."""
        if self.at_gradient:
            self.conjugate(step)
        elif step > 0:
            self.evaluate()
            self.steepest()
        elif not self.is_steepest:
            np.copyto(self.gradient, self.last_gradient)
            self.steepest()
        else:
            return False
        return True

    def steepest(self):
        """Choose the line down the gradient."""
        arrays = (self.gradient, self.direction, self.last_gradient)
        self.square = self._run(_steepest, *arrays)
        self.slope = -self.square
        self.step = 1.0 / (1.0 + self.square)
        self.is_steepest = True

    def conjugate(self, step):
        """Choose the line conjugate to the last one, if it goes down."""
        square = self._run(_dot, self.gradient, self.gradient)
        product = self._run(_dot, self.gradient, self.last_gradient)
        beta = max(0.0, (square - product) / self.square)
        arrays = (self.gradient, self.direction, self.last_gradient)
        slope = self._run(_conjugate, *arrays, step=beta)
        if not slope < 0:
            self.steepest()
            return
        self.step = step * min(_GROWTH, self.slope / slope)
        self.slope, self.square = slope, square
        self.is_steepest = beta == 0

    def _run(self, kernel, *arrays, step=None):
        """Run a kernel on pieces of arrays, on several threads; the sum of its results."""
        numbers = () if step is None else (self.theta.dtype.type(step),)

        def run(where):
            return kernel(*(array[where] for array in arrays), *numbers)

        return sum(share_parameters(run, self.theta.size))


# Sums are float64, whatever the arrays are: millions of terms go into a slope, and the
# conditions on it are checked to a part of it.
@kernel
def _dot(x, y):
    total = 0.0
    for i in range(x.size):
        total += np.float64(x[i]) * np.float64(y[i])
    return total


@kernel
def _move(start, direction, theta, step):
    for i in range(theta.size):
        theta[i] = start[i] + step * direction[i]
    return 0.0


@kernel
def _steepest(gradient, direction, last_gradient):
    """Set the direction down the gradient, and keep that; returns its square."""
    square = 0.0
    for i in range(gradient.size):
        g = gradient[i]
        direction[i] = -g
        last_gradient[i] = g
        square += np.float64(g) * np.float64(g)
    return square


@kernel
def _conjugate(gradient, direction, last_gradient, beta):
    """Turn the direction, and keep the gradient; returns the slope."""
    slope = 0.0
    for i in range(gradient.size):
        g = gradient[i]
        d = beta * direction[i] - g
        direction[i] = d
        last_gradient[i] = g
        slope += np.float64(d) * np.float64(g)
    return slope
