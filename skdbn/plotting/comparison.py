"""Several optimisers on one task."""

import time
from operator import add

import numpy as np
import pandas as pd
from sklearn.base import clone

from .._base import BaseNetwork
from ..optimizers import SOLVERS
from ._figure import axes_for, styled

# Those of scikit-learn's networks that keep a loss curve.
_SOLVERS_OF_SCIKIT_LEARN = ("sgd", "adam")


class OptimizerComparisonDisplay:
    """Losses of one network under several optimisers.

    Use :meth:`from_estimator`, or the constructor with curves that are there.

    Parameters
    ----------
    losses : dict of str to array-like
        The loss of each iteration, by the names of the optimisers.
    seconds : dict of str to float, default=None
        How long each fit took.

    Attributes
    ----------
    lines_ : dict of str to Line2D
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import MLPClassifier
    >>> from skdbn.plotting import OptimizerComparisonDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier((16,), max_iter=5, tol=None, random_state=0)
    >>> display = OptimizerComparisonDisplay.from_estimator(
    ...     mlp, X / 16, y, solvers=["sgd", "adam"]
    ... )
    >>> list(display.lines_)
    ['sgd', 'adam']
    >>> display.table["iterations"].to_dict()
    {'sgd': 5, 'adam': 5}
    """

    def __init__(self, losses, *, seconds=None):
        self.losses = losses
        self.seconds = seconds

    @property
    def table(self):
        """What the curves come to: a DataFrame with a row for each optimiser.

        Its columns are the number of "iterations", the last "loss", the "smallest_loss"
        and, where they are known, the "seconds" of the fit.
        """
        # A fit that diverged at once has no losses.
        rows = [
            (len(curve), [np.nan, *curve][-1], min(curve, default=np.nan))
            for curve in self.losses.values()
        ]
        columns = ["iterations", "loss", "smallest_loss"]
        table = pd.DataFrame(rows, index=list(self.losses), columns=columns)
        if self.seconds is not None:
            table["seconds"] = pd.Series(self.seconds)
        return table

    def plot(self, *, ax=None, by="iterations", log_scale=True, line_kw=None):
        """Draw a line for each optimiser.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        by : {"iterations", "seconds"}, default="iterations"
            What the losses are drawn over. All iterations of a fit count as equally long.
        log_scale : bool, default=True
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : OptimizerComparisonDisplay
        """
        if by not in ("iterations", "seconds"):
            raise ValueError(f"by must be 'iterations' or 'seconds', got {by!r}.")
        if by == "seconds" and self.seconds is None:
            raise ValueError("by='seconds' needs the seconds of each fit.")
        self.ax_ = axes_for(ax, self)
        self.figure_ = self.ax_.figure
        self.lines_ = {}
        for name, losses in self.losses.items():
            x = np.arange(1, len(losses) + 1)
            if by == "seconds":
                x = x * (self.seconds[name] / max(len(losses), 1))
            style = styled("plot", {"label": name}, line_kw)
            (self.lines_[name],) = self.ax_.plot(x, losses, **style)
        self.ax_.set(xlabel=by, ylabel="training loss")
        if log_scale:
            self.ax_.set_yscale("log")
        # Beside the axes, where no line runs through it.
        self.ax_.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        solvers=None,
        ax=None,
        by="iterations",
        log_scale=True,
        line_kw=None,
    ):
        """Fit a copy of a network with each optimiser, and draw the losses.

        Parameters
        ----------
        estimator : estimator instance
            A network with the parameter ``solver``, of this package or of scikit-learn.
            ``random_state`` should be a number, so that all start from the same weights.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to train on.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets; not used by an autoencoder.
        solvers : list of str or Optimizer, default=None
            Values of ``solver``; equal ones are told apart by numbers. None takes all by
            name that note a loss for each iteration: every optimiser of this package, "sgd"
            and "adam" of scikit-learn.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        by : {"iterations", "seconds"}, default="iterations"
            What the losses are drawn over.
        log_scale : bool, default=True
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : OptimizerComparisonDisplay

        Raises
        ------
        ValueError
            If the estimator has no parameter ``solver``, a fit fails, or a solver keeps no
            ``loss_curve_``, as scikit-learn's "lbfgs".

        Notes
        -----
        Seconds are those of the whole fit, pretraining included; give pretrained networks
        a stack that is frozen. An iteration of "lbfgs" is a step over all rows, of the
        others an epoch of many steps; one of "cg" goes through the rows several times.
        """
        if solvers is None:
            ours = isinstance(estimator, BaseNetwork)
            solvers = SOLVERS if ours else _SOLVERS_OF_SCIKIT_LEARN
        losses, seconds = {}, {}
        for name, solver in _named(solvers).items():
            fitted, start = clone(estimator).set_params(solver=solver), time.perf_counter()
            fitted.fit(X, y)
            seconds[name] = time.perf_counter() - start
            losses[name] = _curve(fitted, name)
        display = cls(losses, seconds=seconds)
        return display.plot(ax=ax, by=by, log_scale=log_scale, line_kw=line_kw)


def _named(solvers):
    """Solvers by their names, equal names with a number."""
    names = [str(solver) for solver in solvers]
    counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
    numbers = [f" ({n})" if n > 1 else "" for n in counts]
    return dict(zip(map(add, names, numbers), solvers, strict=True))


def _curve(fitted, name):
    """The loss of each iteration of a fit."""
    if not hasattr(fitted, "loss_curve_"):
        raise ValueError(
            f"{type(fitted).__name__} remembers no losses of its training with {name!r}: "
            "it has no loss_curve_. Leave this one out of solvers."
        )
    return list(fitted.loss_curve_)
