"""Figure of a comparison: accuracy and fit seconds of each model."""

import numpy as np

_OURS = "#0072b2"
_OTHERS = "#8a8a8a"
_INK = "#303030"


def plot_results(results, *, ours=(), title=None):
    """Return a matplotlib figure of the results, with the models in `ours` in colour."""
    # Without pyplot: no display is needed and no state is left behind.
    from matplotlib.figure import Figure

    results = results.dropna(subset="accuracy").sort_values("accuracy", kind="stable")
    figure = Figure(figsize=(9.5, 1.5 + 0.34 * len(results)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.5, 1])
    is_ours = results["model"].isin(ours).to_numpy()
    _draw_accuracy(left, results, is_ours)
    _draw_seconds(right, results, is_ours)
    left.set_yticks(np.arange(len(results)), results["model"])
    for tick, mine in zip(left.get_yticklabels(), is_ours, strict=True):
        tick.set_color(_OURS if mine else _INK)
    for axes in (left, right):
        _tidy(axes)
    if is_ours.any() and not is_ours.all():
        _draw_legend(figure, left)
    if title is not None:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=_INK)
    return figure


def _draw_accuracy(axes, results, is_ours):
    """Draw the accuracy of each model with its standard deviation and its number."""
    heights = np.arange(len(results))
    accuracy = results["accuracy"].to_numpy()
    sd = results["accuracy_sd"].fillna(0).to_numpy()
    for mask, color, label in _groups(is_ours):
        axes.errorbar(
            accuracy[mask],
            heights[mask],
            xerr=sd[mask],
            fmt="o",
            color=color,
            markersize=6,
            elinewidth=1.5,
            label=label,
        )
    for height, value, spread, mine in zip(heights, accuracy, sd, is_ours, strict=True):
        axes.annotate(
            f"{value:.3f}",
            (value + spread, height),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=_OURS if mine else _INK,
        )
    axes.margins(x=0.14)
    bars = " (mean and standard deviation)" if sd.any() else ""
    axes.set_xlabel(f"accuracy{bars}", color=_INK)
    axes.locator_params(axis="x", nbins=6)


def _draw_legend(figure, axes):
    """Draw which colour is whose, above the panels where no dot can be."""
    groups = [container.lines[0] for container in axes.containers]
    labels = [container.get_label() for container in axes.containers]
    figure.legend(
        groups,
        labels,
        loc="outside upper right",
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=_INK,
        handletextpad=0.2,
    )


def _draw_seconds(axes, results, is_ours):
    """Draw the seconds to fit each model."""
    heights = np.arange(len(results))
    seconds = results["fit_seconds"].to_numpy()
    for mask, color, _ in _groups(is_ours):
        axes.plot(seconds[mask], heights[mask], "o", color=color, markersize=6)
    axes.set_xscale("log")
    axes.set_xlabel("seconds to fit", color=_INK)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.1)


def _groups(is_ours):
    """Return the models of each colour that there are."""
    groups = [(~is_ours, _OTHERS, "others"), (is_ours, _OURS, "skdbn")]
    return [group for group in groups if group[0].any()]


def _tidy(axes):
    """Leave of the frame and the grid what helps to read."""
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#b0b0b0")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", colors=_INK, labelsize=9)
    axes.grid(axis="both", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(y=0.6 / max(len(axes.get_yticks()), 1))
