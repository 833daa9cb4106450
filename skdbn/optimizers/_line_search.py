"""A line search: one variable, whatever the function behind it."""

from math import inf, isfinite, nan, sqrt
from typing import NamedTuple

_LEAST = 0.1  # of a bracket or a step, that the next point keeps away from its ends
_MOST = 3.0  # times the last step, that the next one is long


class Point(NamedTuple):
    """A step, and there the value of the function and its slope."""

    step: float
    value: float
    slope: float


def strong_wolfe(
    function, start, step, decrease, curvature, max_evaluations, resolution=0.0
):
    """Search a line for a point that meets the strong Wolfe conditions.

    They are, at a step a, ``f(a) <= f(0) + decrease * a * f'(0)`` and ``|f'(a)| <=
    curvature * |f'(0)|``. The next point to try is the minimum of a parabola or a cubic
    through the last two, kept away from both, as in ``minimize.m`` of C. E. Rasmussen,
    which Hinton & Salakhutdinov (2006) used. Where the function is not finite it counts
    as infinite.

    Parameters
    ----------
    function : callable
        ``function(step) -> (value, slope)``, called once for each step.
    start : Point
        That of step 0, with a negative slope.
    step : float
        The first to try.
    decrease, curvature : float
        With 0 < decrease < curvature < 1.
    max_evaluations : int
        At least 1.
    resolution : float
        Differences of the value that rounding may make: the search ends where no more
        than this is left to gain.

    Returns
    -------
    last : Point or None
        The last point that was evaluated.
    best : Point
        The same if it meets the conditions; otherwise that of the smallest value, the
        start included.
    """
    behind = low = best = start
    high = last = None
    for _ in range(max_evaluations):
        if step == low.step or (high is not None and step == high.step):
            break  # there are no numbers between them
        last = _evaluate(function, step)
        if last.value < best.value:
            best = last
        # Somewhere between low and high both conditions hold: the function still falls
        # steeply at low, and at high it is too high or rises.
        if last.value > start.value + decrease * step * start.slope:
            high = last
        elif abs(last.slope) <= -curvature * start.slope:
            return last, last
        elif last.slope > 0:
            high = last
        else:
            behind, low = low, last
        if high is None:
            step = _beyond(behind, low)
        elif -high.step * start.slope > resolution:
            step = _between(low, high)
        else:
            break
    return last, best


def _evaluate(function, step):
    """The point of a step, infinitely high where anything is not finite."""
    value, slope = function(step)
    finite = isfinite(value) and isfinite(slope)
    return Point(step, value, slope) if finite else Point(step, inf, nan)


def _beyond(behind, low):
    """The next step while the function still falls steeply at the last one, low."""
    step = _cubic_minimum(behind, low)
    least, most = low.step + _LEAST * (low.step - behind.step), _MOST * low.step
    return min(max(step, least), most) if step > low.step else most


def _between(low, high):
    """The next step between a point where the function falls and a higher or rising one."""
    width = high.step - low.step
    if high.value > low.value:  # its slope may be that of another valley, or not a number
        rise = high.value - low.value - low.slope * width
        step = low.step - 0.5 * low.slope * width * width / rise
    else:
        step = _cubic_minimum(low, high)
    least, most = low.step + _LEAST * width, high.step - _LEAST * width
    return min(max(step, least), most) if isfinite(step) else 0.5 * (least + most)


def _cubic_minimum(a, b):
    """Minimum of the cubic through two points, or NaN (Nocedal & Wright, eq. 3.59)."""
    width = b.step - a.step
    d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / width
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return nan
    d2 = sqrt(square)
    divisor = b.slope - a.slope + 2.0 * d2
    return b.step - width * (b.slope + d2 - d1) / divisor if divisor else nan
