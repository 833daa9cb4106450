"""Rows and what comes back of them."""

from numbers import Integral

import numpy as np
from sklearn.utils.validation import check_array

from ._figure import axes_for
from ._images import draw_grid, resolve_shape
from ._models import dense, last_step


class ReconstructionDisplay:
    """Originals over their reconstructions, through one layer, two, and so on.

    All images have one scale of colours, that of the originals. The mean squared error of
    each line, over rows and columns, stands beside it.

    Use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Originals.
    reconstructions : dict of str to ndarray of shape (n_samples, n_features)
        Reconstructions by the names of their lines.
    image_shape : tuple of int, default=None
        Height and width of the images; None for square ones.

    Attributes
    ----------
    errors_ : dict of str to float
        Mean squared error of each line of reconstructions.
    im_ : AxesImage
        All images as one.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, StackedRBM
    >>> from skdbn.plotting import ReconstructionDisplay
    >>> X = load_digits().data / 16
    >>> stack = StackedRBM((32, 16), rbm=RBM(max_iter=3), random_state=0).fit(X)
    >>> display = ReconstructionDisplay.from_estimator(stack, X[:10], n_layers=(1, 2))
    >>> list(display.errors_)
    ['1 layer', '2 layers']
    """

    def __init__(self, X, reconstructions, *, image_shape=None):
        self.X = X
        self.reconstructions = reconstructions
        self.image_shape = image_shape

    def plot(self, *, ax=None, im_kw=None):
        """Draw the lines of images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ReconstructionDisplay
        """
        shape = resolve_shape(self.image_shape, self.X.shape[1])
        tables = [self.X, *self.reconstructions.values()]
        images = np.stack([np.reshape(table, (-1, *shape)) for table in tables])
        self.errors_ = {
            name: float(np.square(np.subtract(table, self.X, dtype=float)).mean())
            for name, table in self.reconstructions.items()
        }
        labels = [f"{name}\nMSE {error:.3g}" for name, error in self.errors_.items()]
        figsize = 2.0 + 0.75 * len(self.X), 0.3 + 0.75 * len(tables)
        self.ax_ = axes_for(ax, self, figsize)
        self.figure_ = self.ax_.figure
        scale = {"vmin": self.X.min(), "vmax": self.X.max()}
        self.im_ = draw_grid(
            self.ax_, images, row_labels=["original", *labels], **(scale | (im_kw or {}))
        )
        return self

    @classmethod
    def from_estimator(
        cls, estimator, X, *, n_layers=None, image_shape=None, ax=None, im_kw=None
    ):
        """Draw rows and what a fitted estimator makes of them on the way up and down.

        Parameters
        ----------
        estimator : estimator instance
            A fitted :class:`~skdbn.RBM`, :class:`~skdbn.StackedRBM`,
            :class:`~skdbn.DBNAutoencoder` or BernoulliRBM, or a transformer with
            ``inverse_transform``, such as PCA. Of a pipeline the last step is shown, with
            the rows that reach it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, one column of images each.
        n_layers : int or tuple of int, default=None
            How many layers to go up before going down again, a line of images for each
            number. None goes up to the code.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If the estimator does not map back to the input, or has fewer layers.

        Notes
        -----
        An autoencoder goes down by the mirror images in its decoder of the layers that it
        went up. After fine-tuning only the way through all of them is what it has learned;
        ``autoencoder.stack_`` shows the layers as they were pretrained.
        """
        model, X = last_step(estimator, X)
        depths = model.code_layer if n_layers is None else n_layers
        depths = [depths] if isinstance(depths, Integral) else list(depths)
        reconstructions = {
            f"{n} layer{'s' if n > 1 else ''}": model.reconstruct(X, n) for n in depths
        }
        display = cls(dense(X), reconstructions, image_shape=image_shape)
        return display.plot(ax=ax, im_kw=im_kw)

    @classmethod
    def from_predictions(cls, X, X_reconstructed, *, image_shape=None, ax=None, im_kw=None):
        """Draw rows and reconstructions that are there.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        X_reconstructed : array-like of shape (n_samples, n_features) or dict
            Reconstructions; several as a dictionary of the names of the lines.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow``.

        Returns
        -------
        display : ReconstructionDisplay

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        X = check_array(X)
        if not isinstance(X_reconstructed, dict):
            X_reconstructed = {"reconstruction": X_reconstructed}
        reconstructions = {k: check_array(v) for k, v in X_reconstructed.items()}
        for name, table in reconstructions.items():
            if table.shape != X.shape:
                raise ValueError(
                    f"X has the shape {X.shape}, but {name!r} has {table.shape}. They must "
                    "be the same rows."
                )
        display = cls(X, reconstructions, image_shape=image_shape)
        return display.plot(ax=ax, im_kw=im_kw)
