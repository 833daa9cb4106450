"""Several optimisers on one task."""

import time

import numpy as np
from sklearn.base import clone

from ._figure import axes_for


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
    """

    def __init__(self, losses, *, seconds=None):
        self.losses = losses
        self.seconds = seconds

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
                x = x * (self.seconds[name] / len(losses))
            (self.lines_[name],) = self.ax_.plot(
                x, losses, **({"label": name} | (line_kw or {}))
            )
        self.ax_.set(xlabel=by, ylabel="training loss")
        if log_scale:
            self.ax_.set_yscale("log")
        self.ax_.legend()
        return self

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        solvers=("sgd", "adagrad", "rmsprop", "adam"),
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
        solvers : list of str or Optimizer, default=("sgd", "adagrad", "rmsprop", "adam")
            Values of ``solver``.
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
            If the estimator has no parameter ``solver``, or a fit fails.

        Notes
        -----
        Seconds are those of the whole fit, pretraining included; give pretrained networks
        a stack that is frozen.
        """
        losses, seconds = {}, {}
        for solver in solvers:
            fitted, start = clone(estimator).set_params(solver=solver), time.perf_counter()
            fitted.fit(X, y)
            seconds[str(solver)] = time.perf_counter() - start
            losses[str(solver)] = list(fitted.loss_curve_)
        display = cls(losses, seconds=seconds)
        return display.plot(ax=ax, by=by, log_scale=log_scale, line_kw=line_kw)
