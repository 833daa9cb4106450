"""Rows of a table as images, and many images as one."""

from numbers import Integral

import numpy as np


def resolve_shape(image_shape, n_features):
    """Height and width of the images that rows are."""
    if image_shape is None:
        side = round(n_features**0.5)
        if side * side != n_features:
            raise ValueError(
                f"Rows of {n_features} features are not square images. Pass "
                "image_shape=(height, width), whose product is the number of features."
            )
        return side, side
    shape = tuple(np.atleast_1d(image_shape).tolist())
    if (
        len(shape) != 2
        or not all(isinstance(n, Integral) and n > 0 for n in shape)
        or shape[0] * shape[1] != n_features
    ):
        raise ValueError(
            f"image_shape must be (height, width) with the product {n_features}, which is "
            f"the number of features, got {image_shape!r}."
        )
    return shape


def near_square(values):
    """A vector as an image that is about square, with NaN where there are no values."""
    width = int(np.ceil(len(values) ** 0.5))
    height = -(-len(values) // width)
    padded = np.full(height * width, np.nan)
    padded[: len(values)] = values
    return padded.reshape(height, width)


def grid_of(rows, n_columns, image_shape):
    """Rows as a grid of images, with NaN images where the last line has no more."""
    n_lines = -(-len(rows) // n_columns)
    padded = np.full((n_lines * n_columns, rows.shape[1]), np.nan)
    padded[: len(rows)] = rows
    return padded.reshape(n_lines, n_columns, *image_shape)


def draw_grid(ax, images, *, signed=False, row_labels=(), column_labels=(), **im_kw):
    """Draw images of shape (n_rows, n_columns, height, width) as one; returns the artist.

    All have one scale of colours; it is symmetric about zero where they are signed.
    """
    n_rows, n_columns, height, width = images.shape
    gap = 1 + max(height, width) // 16
    cell = height + gap, width + gap
    canvas = np.full((n_rows, n_columns, *cell), np.nan)
    canvas[:, :, :height, :width] = images
    canvas = canvas.swapaxes(1, 2).reshape(n_rows * cell[0], n_columns * cell[1])
    canvas = np.ma.masked_invalid(canvas[:-gap, :-gap])
    if signed:
        largest = np.abs(canvas).max() or 1.0
        style = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    else:
        style = {"cmap": "gray_r"}
    artist = ax.imshow(canvas, **{"interpolation": "nearest", **style, **im_kw})
    _label(ax.set_yticks, row_labels, height, cell[0])
    _label(ax.set_xticks, column_labels, width, cell[1])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return artist


def _label(set_ticks, labels, size, cell):
    """Write labels at the middles of cells."""
    set_ticks(np.arange(len(labels)) * cell + (size - 1) / 2, labels=labels)
