"""Weights, biases and their gradients, layer by layer."""

import copy
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.preprocessing import label_binarize
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_X_y

from .._base import BaseNetwork
from .._batches import BLOCK_ROWS, Examples
from .._network import Backprop
from ._figure import axes_for, panels_for, shades, spread, styled
from ._models import NetworkModel, dense, last_step

_PARAMETERS = ("weights", "biases")


class WeightDisplay:
    """Histograms of the weights and the biases of each layer, over training.

    The outlines are densities. Where there are several moments of a training, they go from
    light to dark, and the scale ends at three times the peak of the last one: what begins
    as a needle is cut off.

    Use :meth:`from_estimator` or :meth:`from_recorder`.

    Parameters
    ----------
    histograms : DataFrame
        A row for each bin, with the columns "iteration", "layer" (from 1), "parameter"
        ("weights" or "biases"), "left", "right" (the ends of the bin) and "count".

    Attributes
    ----------
    stairs_ : dict of (str, int) to list of StepPatch
        The outlines of each parameter and layer, in the order of time.
    axes_ : ndarray of matplotlib Axes of shape (2, n_layers)
        Weights above biases.
    bounding_ax_ : matplotlib Axes
        The axes in whose place they are.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, StackedRBM
    >>> from skdbn.plotting import WeightDisplay
    >>> X = load_digits().data / 16
    >>> stack = StackedRBM((32, 16), rbm=RBM(max_iter=3), random_state=0).fit(X)
    >>> display = WeightDisplay.from_estimator(stack)
    >>> display.axes_.shape
    (2, 2)
    """

    def __init__(self, histograms):
        self.histograms = histograms

    def plot(self, *, ax=None, n_times=5, stairs_kw=None):
        """Draw the histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        n_times : int, default=5
            The largest number of moments to draw, evenly spread, the last among them.
        stairs_kw : dict, default=None
            Keyword arguments for ``Axes.stairs``.

        Returns
        -------
        display : WeightDisplay
        """
        check_scalar(n_times, "n_times", Integral, min_val=1)
        table = self.histograms
        layers, times = sorted(table["layer"].unique()), sorted(table["iteration"].unique())
        times = [times[i] for i in spread(len(times), n_times)]
        self.bounding_ax_, self.axes_ = panels_for(
            ax, self, (2, len(layers)), (1.4 + 2.4 * len(layers), 4.4)
        )
        self.figure_ = self.bounding_ax_.figure
        self.stairs_ = {}
        groups = dict(iter(table.groupby(["parameter", "layer", "iteration"])))
        for name, line in zip(_PARAMETERS, self.axes_, strict=True):
            line[0].set_ylabel("density")
            for layer, panel in zip(layers, line, strict=True):
                panel.set_title(f"{name}, layer {layer}", fontsize="medium")
                self.stairs_[name, layer] = [
                    _draw_outline(panel, groups[name, layer, time], time, color, stairs_kw)
                    for time, color in zip(times, shades(len(times)), strict=True)
                ]
                peak = self.stairs_[name, layer][-1].get_data().values.max()
                panel.set_ylim(0, min(panel.get_ylim()[1], 3 * peak))
        if len(times) > 1:
            # Beside the panels, where no outline runs through it.
            self.axes_[0, -1].legend(
                title="iteration", loc="upper left", bbox_to_anchor=(1.0, 1.0)
            )
        return self

    @classmethod
    def from_estimator(cls, estimator, *, bins=50, ax=None, stairs_kw=None):
        """Draw the histograms of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Any fitted estimator of this package, a network or a BernoulliRBM of
            scikit-learn, or a pipeline that ends in one.
        bins : int, default=50
            Number of bins of each histogram.
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        stairs_kw : dict, default=None
            Keyword arguments for ``Axes.stairs``.

        Returns
        -------
        display : WeightDisplay

        Raises
        ------
        ValueError
            If the estimator has no layers of weights.

        Notes
        -----
        Biases of RBMs are those of the hidden units.
        """
        check_scalar(bins, "bins", Integral, min_val=1)
        model, _ = last_step(estimator)
        tables = []
        for layer, arrays in enumerate(model.parameters(), 1):
            for parameter, array in zip(_PARAMETERS, arrays, strict=True):
                counts, ends = np.histogram(array, bins)
                bins_of = {"left": ends[:-1], "right": ends[1:], "count": counts}
                table = pd.DataFrame(bins_of)
                tables.append(table.assign(layer=layer, parameter=parameter, iteration=0))
        return cls(pd.concat(tables)).plot(ax=ax, stairs_kw=stairs_kw)

    @classmethod
    def from_recorder(
        cls, recorder, *, fit=None, task=None, n_times=5, ax=None, stairs_kw=None
    ):
        """Draw the histograms that a callback wrote down in training.

        Parameters
        ----------
        recorder : Recorder
            Its ``histograms_`` are taken.
        fit : int, default=None
            The fit to draw, where there are several, as in a pipeline or a search; None for
            the last.
        task : str, default=None
            The task to draw, such as "layer 1" or "fine-tuning"; None for the last.
        n_times : int, default=5
            The largest number of moments to draw, evenly spread, the last among them.
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        stairs_kw : dict, default=None
            Keyword arguments for ``Axes.stairs``.

        Returns
        -------
        display : WeightDisplay

        Raises
        ------
        ValueError
            If there is no such fit or task.
        """
        table = of_task(recorder.histograms_, fit, task)
        table = table[table["parameter"].isin(_PARAMETERS)]
        return cls(table).plot(ax=ax, n_times=n_times, stairs_kw=stairs_kw)


class GradientFlowDisplay:
    """Mean and largest absolute gradient of the weights of each layer.

    Gradients that shrink by an order of magnitude from layer to layer on the way down
    vanish: the lower layers hardly learn. The title says what remains at the lowest of the
    mean at the highest.

    Use :meth:`from_estimator` or :meth:`from_recorder`.

    Parameters
    ----------
    gradients : DataFrame
        A row for each moment and layer, with the columns "iteration", "layer" (from 1),
        "mean_abs" and "max_abs".

    Attributes
    ----------
    mean_lines_, max_lines_ : list of Line2D
        Over the layers, one for each moment; over the iterations where there is a single
        layer, as in the training of an RBM.
    ratio_ : float
        Mean at the lowest layer, divided by that at the highest, at the last moment; nan
        where the latter is zero.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import MLPClassifier
    >>> from skdbn.plotting import GradientFlowDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier(
    ...     (32, 32, 32), activation="logistic", max_iter=1, tol=None, random_state=0
    ... ).fit(X / 16, y)
    >>> bool(GradientFlowDisplay.from_estimator(mlp, X / 16, y).ratio_ < 0.01)
    True
    """

    def __init__(self, gradients):
        self.gradients = gradients

    def plot(self, *, ax=None, n_times=4, line_kw=None):
        """Draw the gradients over the layers.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_times : int, default=4
            The largest number of moments to draw, evenly spread, the last among them.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : GradientFlowDisplay
        """
        check_scalar(n_times, "n_times", Integral, min_val=1)
        self.ax_ = axes_for(ax, self)
        self.figure_ = self.ax_.figure
        table = self.gradients.sort_values(["iteration", "layer"])
        layers = table["layer"].unique().tolist()
        draw = self._draw_over_layers if len(layers) > 1 else self._draw_over_time
        self.mean_lines_, self.max_lines_ = [], []
        draw(table, n_times, line_kw)
        means = table["mean_abs"].to_numpy()[-len(layers) :]
        self.ratio_ = float(means[0] / means[-1]) if means[-1] > 0 else float("nan")
        if len(layers) > 1:
            ratio = f"mean of layer {layers[0]} / mean of layer {layers[-1]}"
            self.ax_.set(title=f"{ratio}: {self.ratio_:.2g}", xticks=layers)
        self.ax_.set_ylabel("absolute gradient of the weights")
        if table["max_abs"].max() > 0:
            self.ax_.set_yscale("log")
        self.ax_.legend(fontsize="small")
        return self

    def _draw_over_layers(self, table, n_times, line_kw):
        """Draw two lines for each moment."""
        moments = list(table.groupby("iteration"))
        moments = [moments[i] for i in spread(len(moments), n_times)]
        for (time, part), color in zip(moments, shades(len(moments)), strict=True):
            when = "" if len(moments) == 1 else f", iteration {time}"
            self._draw_lines(part, "layer", when, color, line_kw)
        self.ax_.set_xlabel("layer of weights, from the bottom")

    def _draw_over_time(self, table, n_times, line_kw):
        """Draw two lines for the only layer there is."""
        self._draw_lines(table, "iteration", "", shades(1)[0], line_kw)
        self.ax_.set_xlabel("iteration")

    def _draw_lines(self, table, over, when, color, line_kw):
        """Draw the means and the largest values over a column."""
        for name, lines, linestyle, marker in (
            ("mean", self.mean_lines_, "-", "o"),
            ("max", self.max_lines_, "--", "^"),
        ):
            style = {"linestyle": linestyle, "marker": marker, "color": color}
            style = styled("plot", {"label": name + when, **style}, line_kw)
            lines += self.ax_.plot(table[over], table[f"{name}_abs"], **style)

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, ax=None, line_kw=None):
        """Draw the gradients of a fitted network at its parameters.

        Parameters
        ----------
        estimator : estimator instance
            A fitted network of this package or of scikit-learn, or a pipeline that ends
            in one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows over which the loss is averaged.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets; not used by an autoencoder.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If the estimator is not a network, or X and y do not fit it.

        Notes
        -----
        The gradient is that of the mean loss of the rows, without the penalty on the
        weights, dropout or noise.
        """
        model, X = last_step(estimator, X)
        if not isinstance(model, NetworkModel):
            raise ValueError(
                f"{model.name} is not a network. A Recorder writes down the gradients of "
                "an RBM in training: use from_recorder."
            )
        gradients = [np.abs(G) for G in _weight_gradients(model, X, y)]
        table = pd.DataFrame(
            {
                "iteration": 0,
                "layer": range(1, len(gradients) + 1),
                "mean_abs": [G.mean() for G in gradients],
                "max_abs": [G.max() for G in gradients],
            }
        )
        return cls(table).plot(ax=ax, line_kw=line_kw)

    @classmethod
    def from_recorder(
        cls, recorder, *, fit=None, task=None, n_times=4, ax=None, line_kw=None
    ):
        """Draw the gradients that a callback wrote down in training.

        Parameters
        ----------
        recorder : Recorder
            Its ``frame_`` is taken.
        fit : int, default=None
            The fit to draw, where there are several, as in a pipeline or a search; None for
            the last.
        task : str, default=None
            The task to draw, such as "layer 1" or "fine-tuning"; None for the last.
        n_times : int, default=4
            The largest number of moments to draw, evenly spread, the last among them.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : GradientFlowDisplay

        Raises
        ------
        ValueError
            If there is no such fit or task.
        """
        frame = of_task(recorder.frame_, fit, task)
        frame = frame[frame["parameter"] == "weights_gradient"]
        table = frame.pivot(
            index=["iteration", "layer"], columns="quantity", values="value"
        ).reset_index()
        return cls(table).plot(ax=ax, n_times=n_times, line_kw=line_kw)


def of_task(frame, fit, task):
    """The rows of a fit and a task of a recorder's table, None for the last."""
    for name, value in {"fit": fit, "task": task}.items():
        found = frame[name].unique().tolist()
        if value is None and found:
            value = found[-1]
        if value not in found:
            raise ValueError(
                f"The recorder has the {name}s {found}, got {name}={value!r}. Pass one of "
                "them, or None for the last."
            )
        frame = frame[frame[name] == value]
    return frame


def _draw_outline(ax, table, time, color, stairs_kw):
    """Draw a histogram as a density."""
    table = table.sort_values("left")
    edges = np.append(table["left"], table["right"].iloc[-1])
    density = table["count"] / (table["count"].sum() * np.diff(edges))
    style = styled("stairs", {"color": color, "label": str(time)}, stairs_kw)
    return ax.stairs(density, edges, **style)


def _weight_gradients(model, X, y):
    """Gradient of the mean loss with respect to each layer's weights."""
    examples = _examples(model.estimator, X, y)
    n_rows = examples.X.shape[0]
    backprop = Backprop(model.network, min(n_rows, BLOCK_ROWS), 0.0, np.float64)
    backprop.full(examples, np.arange(n_rows))
    return backprop.coef_grads


def _examples(estimator, X, y):
    """Rows and the targets of the network for them."""
    if isinstance(estimator, BaseNetwork):
        # The check may note something down, which the user's estimator is not to keep.
        return copy.copy(estimator)._check_data(X, y, None, reset=False)
    X, y = check_X_y(dense(X), y, multi_output=True, y_numeric=not is_classifier(estimator))
    if is_classifier(estimator):
        y = label_binarize(y, classes=estimator.classes_)
    return Examples(X, y.reshape(len(X), -1).astype(np.float64), None)
