"""Checks of data that more than one unit type makes."""

import numpy as np
from scipy import sparse

from .._batches import ROUNDING


def check_range(unit, X, feature_names, lowest, highest, advice):
    """Raise ValueError with the first column of X that leaves [lowest, highest]."""
    values = X.data if sparse.issparse(X) else X
    low, high = lowest - ROUNDING, highest + ROUNDING
    if values.size == 0 or (values.min() >= low and values.max() <= high):
        return
    least, most = (np.ravel(dense(row)) for row in (X.min(axis=0), X.max(axis=0)))
    bad = np.flatnonzero((least < low) | (most > high))
    first = column_name(bad[0], feature_names)
    needed = f"in [{lowest:g}, {highest:g}]" if np.isfinite(highest) else "of 0 and more"
    outside = "outside" if np.isfinite(highest) else "negative"
    raise ValueError(
        f"{type(unit).__name__} visible units need data {needed}, but {bad.size} of "
        f"{X.shape[1]} columns are {outside}: the first, {first}, "
        f"ranges from {least[bad[0]]:g} to {most[bad[0]]:g}. {advice}"
    )


def column_name(column, feature_names):
    """How an error calls a column."""
    name = f" ({feature_names[column]!r})" if feature_names is not None else ""
    return f"column {column}{name}"


def dense(rows):
    """The rows of a sparse or dense matrix as an array."""
    return rows.toarray() if sparse.issparse(rows) else rows
