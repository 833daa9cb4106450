"""Where a display draws: the user's axes or new ones, and grids of axes in their place."""

import numpy as np


def pyplot(caller):
    """matplotlib.pyplot, for the function or class of this name."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} requires matplotlib, which can be installed with: "
            'pip install "skdbn[plot]"'
        ) from error
    return plt


def axes_for(ax, display, figsize=None):
    """The axes for a display: those given, or those of a new figure."""
    plt = pyplot(type(display).__name__)
    if ax is None:
        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def panels_for(ax, display, shape, figsize=None, **ratios):
    """The axes for a display, hidden, and a grid of axes in their place."""
    ax = axes_for(ax, display, figsize)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            f"{type(display).__name__} draws several panels in the place of ax, which must "
            "then come from plt.subplots or figure.add_subplot, not from figure.add_axes."
        )
    ax.set_axis_off()
    return ax, place.subgridspec(*shape, **ratios).subplots(squeeze=False)


def styled(method, defaults, given):
    """Keyword arguments of a method of Axes: the user's, by any alias, before ours."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D
    from matplotlib.patches import StepPatch

    artists = {"plot": Line2D, "scatter": PathCollection, "stairs": StepPatch}
    given = normalize_kwargs(given, artists[method])
    if "c" in given:  # of scatter, beside the aliases of its artist
        given.setdefault("color", None)
    return defaults | given


def class_colors(n_classes):
    """Colours that can be told apart, one for each class."""
    from matplotlib import colormaps

    if n_classes > 20:
        return colormaps["turbo"](np.linspace(0, 1, n_classes))
    return colormaps["tab10" if n_classes <= 10 else "tab20"].colors[:n_classes]


def shades(n_times):
    """Colours from light to dark, one for each moment of a training."""
    from matplotlib import colormaps

    return colormaps["Blues"](np.linspace(1.0, 0.35, n_times)[::-1])


def spread(n, n_most):
    """At most so many of the indices below n, evenly spread, the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, n_most)).round().astype(int))
