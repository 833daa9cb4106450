"""One row on its way through the layers."""

import numpy as np
from sklearn.base import is_classifier

from ._figure import panels_for
from ._images import draw_grid, near_square, resolve_shape
from ._models import dense, last_step


class ActivationDisplay:
    """One row through all layers; with a classifier, the class probabilities last.

    Units of a hidden layer have no places: they fill an image that is about square, line
    by line. Each panel has a scale of colours of its own, which is written below it;
    with negative values it is symmetric about zero.

    Use :meth:`from_estimator`.

    Parameters
    ----------
    activations : list of ndarray of shape (n_units,)
        The row itself, and its layers from the bottom.
    titles : list of str
        What stands above each panel.
    shapes : list of tuple of int or None
        Height and width of the panels that have the pixels of the input, None for the
        others.
    probabilities : ndarray of shape (n_classes,) or None, default=None
        Class probabilities.
    classes : array-like of shape (n_classes,) or None, default=None
        Class labels.

    Attributes
    ----------
    ims_ : list of AxesImage
        Images of the row and of the layers.
    bars_ : BarContainer or None
        The class probabilities.
    axes_ : list of matplotlib Axes
        Axes of all panels.
    bounding_ax_ : matplotlib Axes
        The axes in whose place they are.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import MLPClassifier
    >>> from skdbn.plotting import ActivationDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> mlp = MLPClassifier((32, 16), max_iter=5, tol=None, random_state=0).fit(X / 16, y)
    >>> display = ActivationDisplay.from_estimator(mlp, X[0] / 16)
    >>> [ax.get_title() for ax in display.axes_]
    ['input', 'layer 1: 32', 'layer 2: 16', 'probability']
    """

    def __init__(self, activations, titles, shapes, *, probabilities=None, classes=None):
        self.activations = activations
        self.titles = titles
        self.shapes = shapes
        self.probabilities = probabilities
        self.classes = classes

    def plot(self, *, ax=None, im_kw=None):
        """Draw the panels from left to right.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ActivationDisplay
        """
        n_images = len(self.activations)
        n_panels = n_images + (self.probabilities is not None)
        self.bounding_ax_, grid = panels_for(
            ax, self, (1, n_panels), (2.3 * n_panels, 2.6), wspace=0.1
        )
        self.figure_ = self.bounding_ax_.figure
        self.axes_ = grid[0].tolist()
        self.ims_ = [
            self._draw_layer(*panel, im_kw or {})
            for panel in zip(
                self.axes_[:n_images],
                self.activations,
                self.shapes,
                self.titles,
                strict=True,
            )
        ]
        self.bars_ = None
        if self.probabilities is not None:
            self.bars_ = self._draw_probabilities(self.axes_[-1])
        return self

    def _draw_layer(self, ax, values, shape, title, im_kw):
        """Draw the values of a layer as an image."""
        image = near_square(values) if shape is None else values.reshape(shape)
        signed = bool(values.min() < 0)
        ax.set_title(title, fontsize="medium")
        ax.set_xlabel(f"{values.min():.2g} to {values.max():.2g}", fontsize="small")
        return draw_grid(ax, image[None, None], signed=signed, **im_kw)

    def _draw_probabilities(self, ax):
        """Draw the class probabilities as bars."""
        names = [str(label) for label in self.classes]
        colors = np.full(len(names), "tab:gray", dtype=object)
        colors[np.argmax(self.probabilities)] = "tab:blue"
        places = np.arange(len(names))
        bars = ax.barh(places, self.probabilities, color=colors)
        ax.set_yticks(places, labels=names, fontsize="small")
        ax.set(xlim=(0, 1), xticks=(0, 0.5, 1), ylim=(len(names) - 0.5, -0.5))
        ax.set_title("probability", fontsize="medium")
        return bars

    @classmethod
    def from_estimator(cls, estimator, x, *, image_shape=None, ax=None, im_kw=None):
        """Send one row through the layers of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Any fitted estimator of this package, a network or RBM of scikit-learn, or a
            transformer. Of a pipeline the last step is shown, with the row that reaches
            it.
        x : array-like of shape (n_features,) or (1, n_features)
            The row.
        image_shape : tuple of int, default=None
            Height and width of the input as an image; None for a square one.
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ActivationDisplay

        Raises
        ------
        ValueError
            If x is not one row, or no image of this shape.
        """
        x = np.reshape(x, (1, -1)) if np.ndim(x) == 1 else x
        model, x = last_step(estimator, x)
        if x.shape[0] != 1:
            raise ValueError(f"x must be a single row, got {x.shape[0]} rows.")
        layers = [dense(x), *model.activations(x)]
        shape = resolve_shape(image_shape, x.shape[1])
        shapes = [shape, *[None] * (len(layers) - 1)]
        titles = [f"layer {i}: {H.shape[1]}" for i, H in enumerate(layers)]
        titles[0] = "input"
        if model.ends_at_input:
            shapes[-1], titles[-1] = shape, "output"
        outputs = {}
        if is_classifier(model.estimator):
            # Instead of the output layer.
            del layers[-1], shapes[-1], titles[-1]
            outputs["probabilities"] = model.estimator.predict_proba(x)[0]
            outputs["classes"] = model.estimator.classes_
        display = cls([H[0] for H in layers], titles, shapes, **outputs)
        return display.plot(ax=ax, im_kw=im_kw)
