"""The data of the benchmark, from scikit-learn, MNIST's files or a table of the user."""

import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

DATA_DIR_VARIABLE = "SKDBN_DATA"


class Data(NamedTuple):
    """A data set and how it is split."""

    name: str  # what the user calls it
    kind: str  # which settings of the models apply: digits, mnist or table
    X: Any
    y: np.ndarray
    split: Any = None  # the customary training and test rows, None for folds


def load(name, *, data_dir=None, target=None):
    """Load the digits, MNIST or a table by its path."""
    if name not in ("digits", "mnist"):
        return load_table(name, target)
    if target is not None:
        raise ValueError(f"--target is for a table, {name} knows its own labels")
    return load_digits() if name == "digits" else load_mnist(data_dir)


def load_digits():
    """Load the 1797 digits of 8 x 8 pixels that come with scikit-learn."""
    from sklearn import datasets

    X, y = datasets.load_digits(return_X_y=True)
    return Data("digits", "digits", X, y)


def load_mnist(data_dir=None):
    """Load MNIST with its standard split from a folder or the one in the environment."""
    from skdbn import datasets

    folder = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if not folder:
        raise ValueError(
            "mnist needs the folder of its four files: give --data-dir DIR or set the "
            f"environment variable {DATA_DIR_VARIABLE}"
        )
    mnist = datasets.load_mnist(folder)
    # Once for all models, and in the precision they compute with: 220 MB instead of 440.
    X = mnist.data / np.float32(255)
    train, test = np.split(np.arange(len(X)), [mnist.n_train])
    return Data("mnist", "mnist", X, mnist.target, [(train, test)])


def load_table(path, target):
    """Load a table of comma- or, by its name, tab-separated values."""
    frame = _read_csv(Path(path))
    listing = f"its columns are {', '.join(map(repr, frame.columns))}"
    if target is None:
        raise ValueError(f"a table needs --target, the column with the labels: {listing}")
    if target not in frame.columns:
        raise ValueError(f"{path} has no column {target!r}: {listing}")
    X = frame.drop(columns=target)
    if X.shape[1] == 0:
        raise ValueError(f"{path} has no column besides {target!r}: nothing to learn from")
    if len(X) == 0:
        raise ValueError(f"{path} has no rows")
    y = _labels(frame[target])
    return Data(str(path), "table", _numbers_as_float(X, path), y)


def _read_csv(path):
    """Read a file with pandas, with errors that name the file."""
    import pandas as pd

    if not path.exists():
        raise ValueError(
            f"there is no file {str(path)!r}: the data are digits, mnist or the path of a "
            "csv table"
        )
    separator = "\t" if ".tsv" in path.suffixes else ","
    try:
        return pd.read_csv(path, sep=separator, low_memory=False)
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"cannot read {str(path)!r} as a csv table: {reason}") from error


def _numbers_as_float(X, path):
    """Return the features with numbers and booleans as float64, refusing infinite ones."""
    numbers = X.select_dtypes(["number", "bool"]).astype(np.float64)
    infinite = numbers.columns[np.isinf(numbers).any()]
    if len(infinite):
        raise ValueError(
            f"{path} has infinite values in {', '.join(map(repr, infinite))}: leave them "
            "empty (they count as missing) or remove these rows"
        )
    return X.astype(dict.fromkeys(numbers.columns, np.float64))


def _labels(column):
    """Return the labels as an array of classes, refusing missing ones."""
    n_missing = int(column.isna().sum())
    if n_missing:
        raise ValueError(
            f"column {column.name!r} has no label in {n_missing} of {len(column)} rows: "
            "fill them in or remove these rows"
        )
    return check_labels(column.to_numpy())


def check_labels(y):
    """Return labels as a 1-D array, or say why they are no classes."""
    import pandas as pd

    y = column_or_1d(y)
    if pd.isna(y).any():
        raise ValueError("y has missing labels: remove these rows")
    with warnings.catch_warnings():
        # It warns of many classes; too few rows in a class are refused with the folds.
        warnings.simplefilter("ignore")
        kind = type_of_target(y)
    if kind not in ("binary", "multiclass"):
        raise ValueError(
            f"the labels must be classes, but these are {kind} numbers, as for regression: "
            "choose another column, or cut it into classes, with pandas.cut for example"
        )
    if len(np.unique(y)) < 2:
        raise ValueError(f"the labels have one class only, {y[0]}: nothing to tell apart")
    return y
