"""Two-dimensional codes."""

from string import ascii_uppercase

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from ._figure import axes_for, class_colors, panels_for, styled
from ._images import draw_grid, resolve_shape
from ._models import dense, last_step, take
from ._points import check_classes, choose, in_the_plane, scores


class EmbeddingDisplay:
    """Codes in the plane, by class, with some of the rows as images beside them.

    The title says how well the classes are apart, so that the eye need not decide: the
    accuracy of the nearest neighbour, each row left out once, and the purity of as many
    k-means clusters as there are classes, which is the share of rows that belong to the
    most frequent class of their cluster. Both are those of the points that are drawn.

    Use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where the rows are drawn.
    y : ndarray of shape (n_samples,) or None, default=None
        Classes.
    knn_accuracy : float or None, default=None
        Accuracy of the nearest neighbour.
    purity : float or None, default=None
        Purity of clusters.
    samples : ndarray of int or None, default=None
        Rows that are marked by letters and drawn at the sides.
    images : ndarray of shape (n_columns, len(samples), height, width) or None, \
            default=None
        Originals of these rows, and reconstructions where there are any.
    axis_labels : tuple of str, default=("code 1", "code 2")
        What the axes show.
    estimator_name : str or None, default=None
        Begins the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the points.
    bounding_ax_ : matplotlib Axes or None
        The axes in whose place points and images are; None without ``samples``.
    figure_ : matplotlib Figure
    scatters_ : list of PathCollection
        The points of each class, in the order of the sorted labels.
    marks_ : list of Text
        Letters of the chosen rows, from A.
    image_axes_ : list of matplotlib Axes
        The left and the right side; empty without ``samples``.
    images_ : list of AxesImage
        Images of the two sides.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> from skdbn.plotting import EmbeddingDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = EmbeddingDisplay.from_estimator(
    ...     PCA(2, random_state=0).fit(X), X, y, samples="class"
    ... )
    >>> display.ax_.get_title().split(",")[0]
    'PCA: 1-NN accuracy 0.59'
    """

    def __init__(
        self,
        points,
        *,
        y=None,
        knn_accuracy=None,
        purity=None,
        samples=None,
        images=None,
        axis_labels=("code 1", "code 2"),
        estimator_name=None,
    ):
        self.points = points
        self.y = y
        self.knn_accuracy = knn_accuracy
        self.purity = purity
        self.samples = samples
        self.images = images
        self.axis_labels = axis_labels
        self.estimator_name = estimator_name

    def plot(self, *, ax=None, legend=True, scatter_kw=None):
        """Draw the points, and the images at their sides.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw, with the images in the same place; None makes a new figure.
        legend : bool, default=True
            Whether to name the classes below the points.
        scatter_kw : dict, default=None
            Keyword arguments for ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay
        """
        self.bounding_ax_, self.image_axes_, self.images_ = None, [], []
        if self.images is None:
            ax = axes_for(ax, self, figsize=(6.4, 6.0))
        else:
            n_columns = len(self.images)
            self.bounding_ax_, [[left, ax, right]] = panels_for(
                ax, self, (1, 3), (9.6, 6.0), width_ratios=[n_columns, 9, n_columns]
            )
            self._draw_images(left, right)
        self.ax_, self.figure_ = ax, ax.figure
        self._draw_points(scatter_kw)
        if legend and self.y is not None:
            ax.legend(
                loc="upper center",
                bbox_to_anchor=(0.5, -0.09),
                ncols=min(10, len(self.scatters_)),
                columnspacing=0.8,
                handletextpad=0.0,
                markerscale=20 / np.sqrt(self._marker_size() * 10),
                frameon=False,
            )
        self.marks_ = [
            ax.annotate(
                letter,
                self.points[row],
                ha="center",
                va="center",
                fontsize="small",
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": "black"},
            )
            for letter, row in zip(self._letters(), self._rows(), strict=True)
        ]
        return self

    def _rows(self):
        """The rows that are marked."""
        return [] if self.samples is None else self.samples

    def _letters(self):
        """What the marked rows are called: A to Z, then A2 and so on."""
        return [
            ascii_uppercase[i % 26] + (str(i // 26 + 1) if i >= 26 else "")
            for i in range(len(self._rows()))
        ]

    def _marker_size(self):
        """Smaller points where there are more."""
        return float(np.clip(8000 / len(self.points), 2, 20))

    def _draw_points(self, scatter_kw):
        """Scatter the points class by class, and write what they are."""
        groups = [(slice(None), {})]
        if self.y is not None:
            classes = np.unique(self.y)
            groups = [
                (self.y == label, {"color": [color], "label": str(label)})
                for label, color in zip(classes, class_colors(len(classes)), strict=True)
            ]
        self.scatters_ = []
        for rows, style in groups:
            style |= {"s": self._marker_size(), "linewidth": 0}
            style = styled("scatter", style, scatter_kw)
            self.scatters_.append(self.ax_.scatter(*self.points[rows].T, **style))
        self.ax_.set(
            xlabel=self.axis_labels[0], ylabel=self.axis_labels[1], title=self._title()
        )

    def _title(self):
        """Name and scores."""
        found = []
        if self.knn_accuracy is not None:
            found.append(f"1-NN accuracy {self.knn_accuracy:.2f}")
        if self.purity is not None:
            found.append(f"purity {self.purity:.2f}")
        parts = [self.estimator_name or "", ", ".join(found)]
        return ": ".join(part for part in parts if part)

    def _draw_images(self, left, right):
        """Draw one half of the chosen rows at each side."""
        half = -(-len(self.samples) // 2)
        titles = ["original", "recon-\nstructed"][: len(self.images)]
        data = self.images[0]
        scale = {"vmin": data.min(), "vmax": data.max()}
        for ax, part in ((left, slice(half)), (right, slice(half, None))):
            images = self.images[:, part].swapaxes(0, 1)
            if not len(images):
                ax.set_axis_off()
                continue
            letters = self._letters()[part]
            artist = draw_grid(
                ax, images, row_labels=letters, column_labels=titles, **scale
            )
            ax.tick_params(labeltop=True, labelbottom=False, labelsize="small")
            self.image_axes_.append(ax)
            self.images_.append(artist)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y=None,
        *,
        samples=None,
        image_shape=None,
        name=None,
        ax=None,
        legend=True,
        scatter_kw=None,
    ):
        """Draw the codes that a fitted transformer gives rows.

        Parameters
        ----------
        estimator : estimator instance
            A fitted transformer, such as :class:`~skdbn.DBNAutoencoder`, PCA or UMAP, a
            network, whose last hidden layer is taken, or a TSNE that was fitted to X. Of a
            pipeline the last step is shown, with the rows that reach it.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to draw.
        y : array-like of shape (n_samples,), default=None
            Their classes. None draws all rows alike, without scores.
        samples : array-like of int or "class", default=None
            Rows to mark and to draw as images at the sides, beside their reconstructions
            where the estimator maps codes back. "class" takes one of each class, the
            nearest to the median of its points.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        name : str, default=None
            Begins the title; None for the name of the class.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        legend : bool, default=True
            Whether to name the classes below the points.
        scatter_kw : dict, default=None
            Keyword arguments for ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ValueError
            If codes have a single column, y does not hold classes, ``samples`` are not
            rows of X, or rows are not images of this shape.

        Notes
        -----
        Codes of more than two columns are drawn in the plane of their first two principal
        components, and the axes say so.
        """
        model, X = last_step(estimator, X)

        def tables(rows):
            chosen = take(X, rows)
            back = [model.reconstruct(chosen, model.code_layer)] if model.maps_back else []
            return [dense(chosen), *back]

        name = model.name if name is None else name
        display = cls._prepare(model.code(X), y, samples, tables, image_shape, name)
        return display.plot(ax=ax, legend=legend, scatter_kw=scatter_kw)

    @classmethod
    def from_predictions(
        cls,
        code,
        y=None,
        *,
        X=None,
        X_reconstructed=None,
        samples=None,
        image_shape=None,
        name=None,
        ax=None,
        legend=True,
        scatter_kw=None,
    ):
        """Draw codes that are there.

        Parameters
        ----------
        code : array-like of shape (n_samples, n_components)
            At least two columns.
        y : array-like of shape (n_samples,), default=None
            Classes.
        X : array-like of shape (n_samples, n_features), default=None
            The rows that have these codes, needed with ``samples``.
        X_reconstructed : array-like of shape (n_samples, n_features), default=None
            Their reconstructions.
        samples : array-like of int or "class", default=None
            Rows to mark and to draw as images, see :meth:`from_estimator`.
        image_shape : tuple of int, default=None
            Height and width of the images; None for square ones.
        name : str, default=None
            Begins the title.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        legend : bool, default=True
            Whether to name the classes below the points.
        scatter_kw : dict, default=None
            Keyword arguments for ``Axes.scatter``.

        Returns
        -------
        display : EmbeddingDisplay

        Raises
        ------
        ValueError
            As :meth:`from_estimator`, and if ``samples`` come without X.
        """

        def tables(rows):
            if X is None:
                raise ValueError("samples are drawn as images of X, which must be given.")
            given = [X] if X_reconstructed is None else [X, X_reconstructed]
            check_consistent_length(code, *given)
            return [check_array(table)[rows] for table in given]

        display = cls._prepare(code, y, samples, tables, image_shape, name)
        return display.plot(ax=ax, legend=legend, scatter_kw=scatter_kw)

    @classmethod
    def _prepare(cls, code, y, samples, tables, image_shape, name):
        """The display of codes; ``tables(rows)`` gives originals and reconstructions."""
        points, labels = in_the_plane(code)
        y = check_classes(points, y)
        chosen = choose(samples, points, y)
        return cls(
            points,
            y=y,
            **scores(points, y),
            samples=chosen,
            images=None if chosen is None else _as_images(tables(chosen), image_shape),
            axis_labels=labels,
            estimator_name=name,
        )


def _as_images(tables, image_shape):
    """Rows of some tables as images, in one array."""
    shape = resolve_shape(image_shape, tables[0].shape[1])
    return np.stack([np.reshape(table, (-1, *shape)) for table in tables])
