"""Training as a film."""

from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.utils import check_scalar

from ._figure import pyplot
from .curves import list_of


def animate(snapshots, display, path, *, fps=10, figsize=None, dpi=100, hold=2.0):
    """Draw one display of each snapshot of a training, as the frames of a film.

    Task and iteration stand in the upper left corner, the loss in the upper right one.

    Parameters
    ----------
    snapshots : Snapshots or list of Snapshot
        What training had come to; each has the attributes ``estimator``, ``task``,
        ``iteration`` and ``loss``. Of a callback, the last ``fit``.
    display : callable
        ``display(estimator, ax=ax)`` draws a fitted estimator, such as the
        ``from_estimator`` of a display with the data bound by ``functools.partial``.
    path : str or Path
        The file. ".gif" is written by pillow, ".mp4", ".mov", ".mkv" and ".webm" by ffmpeg,
        which must be installed.
    fps : float, default=10
        Frames a second.
    figsize : tuple of float, default=None
        Width and height of the frames in inches; None for matplotlib's default.
    dpi : float, default=100
        Pixels an inch.
    hold : float, default=2.0
        How many seconds the last frame stays.

    Returns
    -------
    path : Path
        The file.

    Raises
    ------
    ValueError
        If there are no snapshots, or the ending of the path is unknown.
    RuntimeError
        If ffmpeg is needed and not there.

    Notes
    -----
    Axes with the same labels have the same limits in all frames, for which each frame is
    drawn twice, the first time without being rendered. While the layers below the code of
    an autoencoder are pretrained, snapshots hold the stack so far, of which
    :class:`EmbeddingDisplay` shows the principal components of the top layer; its axes
    have other labels then, and limits of their own. To show fine-tuning alone, pass those
    snapshots whose ``task`` it is.

    Examples
    --------
    >>> from functools import partial
    >>> from collections import namedtuple
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.plotting import FilterDisplay, animate
    >>> X = load_digits().data / 16
    >>> Snapshot = namedtuple("Snapshot", ["estimator", "task", "iteration", "loss"])
    >>> rbm, snapshots = RBM(9, warm_start=True, max_iter=1, random_state=0), []
    >>> for i in range(1, 3):
    ...     snapshots.append(Snapshot(rbm.fit(X), "training", i, float("nan")))
    >>> display = partial(FilterDisplay.from_estimator, X=X)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "film.gif")
    ...     film = animate(snapshots, display, path, dpi=50, hold=0.5)
    ...     film.stat().st_size > 0
    True
    """
    plt = pyplot("animate")
    snapshots, path = list_of(snapshots), Path(path)
    check_scalar(fps, "fps", Real, min_val=0, include_boundaries="neither")
    check_scalar(hold, "hold", Real, min_val=0)
    if not snapshots:
        raise ValueError("There are no snapshots to animate.")
    writer = _writer(path, fps)
    figure = plt.figure(figsize=figsize, layout="constrained")
    try:
        figure.get_layout_engine().set(rect=(0, 0, 1, 0.94))
        limits = _limits_of_all(figure, snapshots, display)
        with writer.saving(figure, str(path), dpi):
            for snapshot in snapshots:
                _draw(figure, snapshot, display)
                _set_limits(figure, limits)
                writer.grab_frame()
            for _ in range(round(hold * fps)):
                writer.grab_frame()
    finally:
        plt.close(figure)
    return path


def _writer(path, fps):
    """What writes frames to a file with this ending."""
    from matplotlib.animation import FFMpegWriter, PillowWriter

    kinds = {".gif": PillowWriter}
    kinds |= dict.fromkeys((".mp4", ".mov", ".mkv", ".webm"), FFMpegWriter)
    if path.suffix.lower() not in kinds:
        raise ValueError(f"The path must end in one of {', '.join(kinds)}, got {path}.")
    kind = kinds[path.suffix.lower()]
    if not kind.isAvailable():
        raise RuntimeError(
            f"{path.suffix} is written by ffmpeg, which is not installed. Install it, or "
            "write a .gif."
        )
    return kind(fps=fps)


def _draw(figure, snapshot, display):
    """Draw a frame."""
    figure.clear()
    display(snapshot.estimator, ax=figure.subplots())
    corner = {"y": 0.99, "va": "top", "family": "monospace"}
    figure.text(0.01, s=f"{snapshot.task}, iteration {snapshot.iteration}", **corner)
    if snapshot.loss == snapshot.loss:  # not NaN
        figure.text(0.99, s=f"loss {snapshot.loss:.4g}", ha="right", **corner)


def _named_axes(figure):
    """The axes by their place in the figure and their labels."""
    return {(i, ax.get_xlabel(), ax.get_ylabel()): ax for i, ax in enumerate(figure.axes)}


def _limits_of_all(figure, snapshots, display):
    """The smallest and the largest limit of each axis over all frames."""
    found = {}
    for snapshot in snapshots:
        _draw(figure, snapshot, display)
        for name, ax in _named_axes(figure).items():
            found.setdefault(name, []).append([ax.get_xbound(), ax.get_ybound()])
    return {name: _hull(bounds) for name, bounds in found.items()}


def _hull(bounds):
    """The widest limits of both axes."""
    bounds = np.array(bounds)
    return np.stack([bounds[..., 0].min(axis=0), bounds[..., 1].max(axis=0)], axis=1)


def _set_limits(figure, limits):
    """Give the axes of a frame the limits of all frames."""
    for name, ax in _named_axes(figure).items():
        x, y = limits[name]
        ax.set_xbound(*x)
        ax.set_ybound(*y)
