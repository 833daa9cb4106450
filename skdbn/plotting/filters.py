"""What units look at."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

from ._figure import panels_for
from ._images import draw_grid, grid_of, resolve_shape
from ._models import dense, last_step


class FilterDisplay:
    """Units of a layer as images of the input, which they favour or avoid.

    Zero is white, and the scale of colours is symmetric about it. Each filter has a scale
    of its own, up to its largest absolute value, unless ``shared_scale`` is asked for.

    Use :meth:`from_estimator`.

    Parameters
    ----------
    filters : ndarray of shape (n_units, n_features)
        A signed image for each unit.
    units : ndarray of int of shape (n_units,)
        Indices of the units in their layer.
    bias_image : ndarray of shape (n_features,) or None, default=None
        What comes down from the layer when all its units are off.
    mean_image : ndarray of shape (n_features,) or None, default=None
        The mean of the data.
    image_shape : tuple of int, default=None
        Height and width of the images; None for square ones.
    title : str, default=""
        Title above the filters.

    Attributes
    ----------
    im_ : AxesImage
        All filters as one image.
    bias_im_, mean_im_ : AxesImage or None
        The image of the biases and that of the mean.
    axes_ : list of matplotlib Axes
        Axes of these images, the filters first.
    bounding_ax_ : matplotlib Axes
        The axes in whose place they are.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.plotting import FilterDisplay
    >>> X = load_digits().data / 16
    >>> rbm = RBM(32, max_iter=5, random_state=0).fit(X)
    >>> display = FilterDisplay.from_estimator(rbm, X, units=16)
    >>> display.filters.shape
    (16, 64)
    """

    def __init__(
        self,
        filters,
        units,
        *,
        bias_image=None,
        mean_image=None,
        image_shape=None,
        title="",
    ):
        self.filters = filters
        self.units = units
        self.bias_image = bias_image
        self.mean_image = mean_image
        self.image_shape = image_shape
        self.title = title

    def plot(self, *, ax=None, n_columns=None, shared_scale=False, im_kw=None):
        """Draw the filters, and at their right the images of the biases and the mean.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, all in its place; None makes a new figure.
        n_columns : int, default=None
            Filters in a line; None makes about as many lines.
        shared_scale : bool, default=False
            Whether all filters have one scale of colours, so that weak ones are pale.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow`` of the filters.

        Returns
        -------
        display : FilterDisplay
        """
        shape = resolve_shape(self.image_shape, self.filters.shape[1])
        sides = {
            "biases alone": self.bias_image,
            "mean of the data": self.mean_image,
        }
        sides = {name: image for name, image in sides.items() if image is not None}
        if n_columns is None:
            n_columns = int(np.ceil(len(self.filters) ** 0.5))
        check_scalar(n_columns, "n_columns", Integral, min_val=1)
        self.bounding_ax_, grid = panels_for(
            ax,
            self,
            (1, 2 if sides else 1),
            (8.0 if sides else 6.4, 6.2),
            **({"width_ratios": [5, 1.2]} if sides else {}),
        )
        self.figure_ = self.bounding_ax_.figure
        self.axes_ = [grid[0, 0]]
        self.im_ = draw_grid(
            self.axes_[0],
            grid_of(self._scaled(shared_scale), n_columns, shape),
            signed=True,
            **(im_kw or {}),
        )
        self.axes_[0].set_title(self.title)
        images = {}
        if sides:
            column = grid[0, 1].get_subplotspec().subgridspec(len(sides), 1)
            grid[0, 1].remove()
            self.axes_ += column.subplots(squeeze=False)[:, 0].tolist()
            images = {
                name: self._draw_side(side, name, image.reshape(shape))
                for side, (name, image) in zip(self.axes_[1:], sides.items(), strict=True)
            }
        self.bias_im_ = images.get("biases alone")
        self.mean_im_ = images.get("mean of the data")
        return self

    def _scaled(self, shared_scale):
        """The filters with values from -1 to 1, unless they share a scale."""
        if shared_scale:
            return self.filters
        largest = np.abs(self.filters).max(axis=1, keepdims=True)
        return self.filters / np.where(largest > 0, largest, 1.0)

    def _draw_side(self, ax, name, image):
        """Draw one image of the data's kind."""
        ax.set_title(name, fontsize="medium")
        # One scale for both, so that they can be compared.
        both = [x for x in (self.bias_image, self.mean_image) if x is not None]
        return draw_grid(ax, image[None, None], vmin=np.min(both), vmax=np.max(both))

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        layer=1,
        units=64,
        method="auto",
        image_shape=None,
        ax=None,
        n_columns=None,
        shared_scale=False,
        im_kw=None,
    ):
        """Draw the units of a layer of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Any fitted estimator of this package, a BernoulliRBM, a network of
            scikit-learn, or a transformer with ``inverse_transform``. Of a pipeline the
            last step is shown.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Data whose mean is drawn as well; for a pipeline, as its first step takes them.
        layer : int, default=1
            The layer, from 1 above the input.
        units : int or array-like of int, default=64
            Indices of units; or a number of units, which are those with the largest
            filters by their Euclidean norm, in this order.
        method : {"auto", "probe", "weights"}, default="auto"
            "probe" turns one unit of the layer on and all others off, goes down to the
            input by means, and subtracts the image of the biases alone, with all units
            off. "weights" multiplies the weights of the layers up to this one. "auto" is
            "probe" where there is a way down.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        n_columns : int, default=None
            Filters in a line; None makes about as many lines.
        shared_scale : bool, default=False
            Whether all filters have one scale of colours.
        im_kw : dict, default=None
            Keyword arguments for ``Axes.imshow`` of the filters.

        Returns
        -------
        display : FilterDisplay

        Raises
        ------
        ValueError
            If there is no such layer, unit, or way down to the input, or the input is no
            image of this shape.
        """
        model, X = last_step(estimator, X)
        mean_image = None if X is None else dense(X).mean(axis=0)
        if method == "auto":
            method = "probe" if model.maps_back else "weights"
        if method not in METHODS:
            raise ValueError(
                f"method must be 'auto' or one of {[*METHODS]}, got {method!r}."
            )
        model.check_layer(layer)
        filters, bias_image = METHODS[method](model, layer)
        units = _choose(units, filters)
        display = cls(
            filters[units],
            units,
            bias_image=bias_image,
            mean_image=mean_image,
            image_shape=image_shape,
            title=f"{model.name}, layer {layer}",
        )
        return display.plot(
            ax=ax, n_columns=n_columns, shared_scale=shared_scale, im_kw=im_kw
        )


def _probes(model, layer):
    """Images of single units less that of the biases alone, and the latter."""
    n_units = model.n_units(layer)
    images = model.decode(np.vstack([np.zeros((1, n_units)), np.eye(n_units)]), layer)
    return images[1:] - images[0], images[0]


def _products(model, layer):
    """The weights of the units projected to the input."""
    weights = [W for W, _ in model.parameters()[:layer]]
    return (weights[0] if layer == 1 else np.linalg.multi_dot(weights)).T, None


METHODS = {"probe": _probes, "weights": _products}


def _choose(units, filters):
    """Indices of the units to draw."""
    if isinstance(units, Integral) and units > 0:
        order = np.argsort(-np.linalg.norm(filters, axis=1), kind="stable")
        return order[:units]
    units, n = np.asarray(units), len(filters)
    inside = units.ndim == 1 and units.dtype.kind in "iu" and len(units)
    if not inside or units.min() < 0 or units.max() >= n:
        raise ValueError(
            "units must be a positive number of units, or a list of indices from 0 to "
            f"{n - 1}, got {units.tolist()!r}."
        )
    return units
