"""A first look at data: mean images and histograms of values."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from ._figure import axes_for, class_colors, panels_for, styled
from ._images import draw_grid, resolve_shape
from ._models import dense


class ClassMeanDisplay:
    """The mean image of each class.

    All images have one scale of colours, from the smallest to the largest value of them.

    Use :meth:`from_data`.

    Parameters
    ----------
    means : ndarray of shape (n_classes, n_features)
        Mean rows.
    labels : list of str of length n_classes
        What stands above the images.
    image_shape : tuple of int, default=None
        Height and width of the images; None for square ones.

    Attributes
    ----------
    ims_ : list of AxesImage
        The images.
    axes_ : ndarray of matplotlib Axes of shape (n_lines, n_columns)
        Their axes.
    bounding_ax_ : matplotlib Axes
        The axes in whose place they are.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn.plotting import ClassMeanDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = ClassMeanDisplay.from_data(X, y)
    >>> display.labels[0]
    '0 (178 rows)'
    """

    def __init__(self, means, labels, *, image_shape=None):
        self.means = means
        self.labels = labels
        self.image_shape = image_shape

    def plot(self, *, ax=None, n_columns=5, im_kw=None):
        """Draw the mean images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        n_columns : int, default=5
            Images in a line.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ClassMeanDisplay
        """
        shape = resolve_shape(self.image_shape, self.means.shape[1])
        check_scalar(n_columns, "n_columns", Integral, min_val=1)
        n_columns = min(n_columns, len(self.means))
        n_lines = -(-len(self.means) // n_columns)
        self.bounding_ax_, self.axes_ = panels_for(
            ax, self, (n_lines, n_columns), (1.5 * n_columns, 1.8 * n_lines)
        )
        self.figure_ = self.bounding_ax_.figure
        style = {"vmin": self.means.min(), "vmax": self.means.max()} | (im_kw or {})
        self.ims_ = []
        for ax, mean, label in zip(self.axes_.flat, self.means, self.labels, strict=False):
            self.ims_.append(draw_grid(ax, mean.reshape(1, 1, *shape), **style))
            ax.set_title(label, fontsize="medium")
        for ax in self.axes_.flat[len(self.means) :]:
            ax.set_axis_off()
        return self

    @classmethod
    def from_data(cls, X, y, *, image_shape=None, ax=None, n_columns=5, im_kw=None):
        """Draw the mean of the rows of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,)
            Classes.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        n_columns : int, default=5
            Images in a line.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ClassMeanDisplay

        Raises
        ------
        ValueError
            If rows are not images of this shape, or y does not hold classes.
        """
        groups = _by_class(dense(X), y)
        means = np.stack([rows.mean(axis=0) for rows in groups.values()])
        labels = [f"{label} ({len(rows)} rows)" for label, rows in groups.items()]
        display = cls(means, labels, image_shape=image_shape)
        return display.plot(ax=ax, n_columns=n_columns, im_kw=im_kw)


class PixelHistogramDisplay:
    """How often which values are in the data, in all or by class.

    The share of each bin is drawn on a logarithmic scale, since most pixels of many images
    are background. The title says which share of the values is zero, and how many columns
    hold a single value.

    Use :meth:`from_data`.

    Parameters
    ----------
    shares : dict of str to ndarray of shape (n_bins,)
        Share of the values in each bin, by the name of the outline.
    edges : ndarray of shape (n_bins + 1,)
        Edges of the bins.
    zeros : float
        Share of the values that are zero.
    n_constant : int
        Number of columns with one value in all rows.
    n_features : int
        Number of columns.

    Attributes
    ----------
    stairs_ : list of StepPatch
        The outlines.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn.plotting import PixelHistogramDisplay
    >>> display = PixelHistogramDisplay.from_data(load_digits().data, bins=17)
    >>> display.ax_.get_title()
    '49% zeros, 3 of 64 columns constant'
    """

    def __init__(self, shares, edges, *, zeros, n_constant, n_features):
        self.shares = shares
        self.edges = edges
        self.zeros = zeros
        self.n_constant = n_constant
        self.n_features = n_features

    def plot(self, *, ax=None, stairs_kw=None):
        """Draw the outlines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        stairs_kw : dict, default=None
            Keyword arguments for ``Axes.stairs``.

        Returns
        -------
        display : PixelHistogramDisplay
        """
        self.ax_ = axes_for(ax, self)
        self.figure_ = self.ax_.figure
        colors = class_colors(len(self.shares))
        self.stairs_ = [
            self.ax_.stairs(
                share,
                self.edges,
                **styled("stairs", {"color": color, "label": name}, stairs_kw),
            )
            for (name, share), color in zip(self.shares.items(), colors, strict=True)
        ]
        self.ax_.set(
            xlabel="value",
            ylabel="share of the values",
            yscale="log",
            title=f"{self.zeros:.0%} zeros, {self.n_constant} of {self.n_features} "
            "columns constant",
        )
        if len(self.shares) > 1:
            self.ax_.legend(title="class", ncols=2, fontsize="small")
        return self

    @classmethod
    def from_data(cls, X, y=None, *, bins=50, ax=None, stairs_kw=None):
        """Count the values of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.
        y : array-like of shape (n_samples,), default=None
            Classes, for one outline each; None draws one of all rows.
        bins : int, default=50
            Number of bins from the smallest to the largest value.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        stairs_kw : dict, default=None
            Keyword arguments for ``Axes.stairs``.

        Returns
        -------
        display : PixelHistogramDisplay

        Raises
        ------
        ValueError
            If X is not finite, or y does not hold classes.
        """
        check_scalar(bins, "bins", Integral, min_val=1)
        X = dense(X)
        edges = np.histogram_bin_edges(X, bins)
        groups = {"all": X} if y is None else _by_class(X, y)
        shares = {
            str(label): np.histogram(rows, edges)[0] / rows.size
            for label, rows in groups.items()
        }
        display = cls(
            shares,
            edges,
            zeros=float((X == 0).mean()),
            n_constant=int((np.ptp(X, axis=0) == 0).sum()),
            n_features=X.shape[1],
        )
        return display.plot(ax=ax, stairs_kw=stairs_kw)


def _by_class(X, y):
    """The rows of each class."""
    y = column_or_1d(y)
    check_consistent_length(X, y)
    check_classification_targets(y)
    return {label: X[y == label] for label in np.unique(y)}
