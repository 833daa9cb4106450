"""Progress of a comparison on the standard error stream."""

import contextlib
import importlib.util
import sys


def make_progress(show, n_models, n_splits):
    """Return what reports progress: a bar on a terminal, else a line for each model."""
    if not show:
        return _Silent()
    if sys.stderr.isatty() and importlib.util.find_spec("rich") is not None:
        return _Bar(n_models * n_splits)
    return _Lines(n_models)


class _Silent(contextlib.AbstractContextManager):
    """Report nothing."""

    def __exit__(self, *error):
        """Stop reporting."""

    def split_done(self, model):
        """Report that a model is done with one of the splits."""

    def model_done(self, row):
        """Report that a model is done with all splits."""


class _Lines(_Silent):
    """Print a line for each finished model."""

    def __init__(self, n_models):
        self._n_models = n_models
        self._n_done = 0

    def model_done(self, row):
        """Print how the model did."""
        self._n_done += 1
        print(
            f"[{self._n_done}/{self._n_models}] {_summary(row)}",
            file=sys.stderr,
            flush=True,
        )


class _Bar(_Silent):
    """Show a bar of rich with the fits that are done, and the last finished model."""

    def __init__(self, n_fits):
        from rich import progress
        from rich.console import Console

        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(),
            progress.TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("fits", total=n_fits)

    def __enter__(self):
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, *error):
        """Remove the bar from the terminal."""
        self._bar.stop()

    def split_done(self, model):
        """Move the bar."""
        self._bar.advance(self._task)

    def model_done(self, row):
        """Show how the model did beside the bar."""
        self._bar.update(self._task, description=_summary(row))


def _summary(row):
    """Return the result of a model in a few words."""
    if row["error"] is not None:
        return f"{row['model']} failed"
    return f"{row['model']}: accuracy {row['accuracy']:.4f}"
