"""Tables of what models make of images that they were not trained on."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone

from skdbn.benchmarks._attempt import attempt, counted
from skdbn.benchmarks._compare import make_splits
from skdbn.benchmarks._data import load
from skdbn.benchmarks._report import say

_QUICK_ROWS = 2000, 500  # to train on, to test on


# --- Images -------------------------------------------------------------------------------


class Images(NamedTuple):
    """Images with grey levels in [0, 1] and their classes, the training rows first."""

    name: str
    X: np.ndarray
    y: np.ndarray
    n_train: int

    @property
    def train(self):
        """The training images."""
        return self.X[: self.n_train]

    @property
    def test(self):
        """The test images."""
        return self.X[self.n_train :]

    @property
    def train_y(self):
        """The classes of the training images."""
        return self.y[: self.n_train]

    @property
    def test_y(self):
        """The classes of the test images."""
        return self.y[self.n_train :]


def load_images(name, data_dir, seed, quick):
    """Load digits, of which a random fifth is to test on, or MNIST with its own split."""
    data = load(name, data_dir=data_dir)
    splits = make_splits(data.X, data.y, data.split or 5, None, seed)
    train, test = splits[0]
    if quick:
        train, test = train[: _QUICK_ROWS[0]], test[: _QUICK_ROWS[1]]
    rows = np.concatenate([train, test])
    X = np.asarray(data.X[rows] / data.X.max(), np.float32)
    return Images(name, X, data.y[rows], len(train))


# --- Rows ---------------------------------------------------------------------------------


class Row(NamedTuple):
    """A row of a table: the columns that name it, and what measures the others."""

    names: dict[str, Any]
    measure: Callable[[], dict[str, Any]]


def measure_rows(rows, table, callback):
    """Measure the rows of a table one by one and return them as a DataFrame.

    A row is told on the standard error stream when it is there, and the callback gets the
    rows so far. One that fails does not lose the others.
    """
    results = []
    for row in rows:
        result = row.names | attempt(row.measure)
        results.append(result | {"warnings": counted(result["warnings"])})
        say(f"[{len(results)}/{len(rows)}] {_summary(table, row, result)}")
        callback(_frame(table, results))
    return _frame(table, results)


def _frame(table, results):
    """Return the rows so far as a DataFrame."""
    import pandas as pd

    return pd.DataFrame(results, columns=[*table.formats, "warnings", "error"])


def _summary(table, row, result):
    """Return the result of a row in a few words."""
    name = ", ".join(map(str, row.names.values()))
    if "error" in result:
        return f"{name} failed: {result['error']}"
    shown = [
        f"{column} {form.format(result[column])}"
        for column, form in table.formats.items()
        if column in table.headlines and column in result
    ]
    return f"{name}: {', '.join(shown)}"


def seconds_of(fit, model, X):
    """Return the seconds that ``fit(model, X)`` takes, after a rehearsal on a few rows."""
    fit(clone(model), X[:100])  # what is compiled at first does not count
    start = time.perf_counter()
    fit(model, X)
    return time.perf_counter() - start
