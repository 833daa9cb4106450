"""Level 0: rows of any accepted X, a batch or a block at a time."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, gen_batches
from sklearn.utils.validation import validate_data

from ._products import CSRRows
from ._threads import share

# Rows of a block in everything that is not training. Large enough for BLAS, small enough
# that the working memory of predicting a million rows is some tens of megabytes a thread.
BLOCK_ROWS = 2048

# How far outside their range data may be: MinMaxScaler rounds its own training data to
# 1 + eps.
ROUNDING = 1e-6

# What X may be without being copied as a whole. Anything else becomes the first of them.
ACCEPTED_DTYPES = tuple(map(np.dtype, "dfbBhHiIlLqQ?"))


class ComputedRows:
    """Rows that are a function of other rows and are computed whenever they are read.

    Takes the place of an array that would be too large to keep.

    Parameters
    ----------
    function : callable
        From an array or CSRRows of shape (n, n_features) to an array (n, n_columns).
    X : ndarray or CSR of shape (n_samples, n_features)
    dtype : dtype
    n_columns : int
    """

    def __init__(self, function, X, dtype, n_columns):
        self.function = function
        self.X = X
        self.dtype = dtype
        self.shape = (X.shape[0], n_columns)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        return self.function(_factor(self.X, rows, self.dtype))

    def __array__(self, dtype=None, copy=None):
        """All of them, for callbacks that want an array."""
        return self[slice(0, len(self))].astype(dtype or self.dtype, copy=False)

    def mean(self, axis, dtype):
        """Means of the columns, as those of an array."""
        blocks = gen_batches(len(self), _block_rows(self.X.shape[1]))
        sums = share(lambda rows: self[rows].sum(axis=axis, dtype=dtype), list(blocks))
        return np.sum(sums, axis=0) / len(self)


class Examples(NamedTuple):
    """Rows and what a network is to say of them.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, n_inputs)
    Y : ndarray or CSR of shape (n_samples, n_outputs)
        Targets; X itself for a network that is to reconstruct it.
    weight : ndarray of shape (n_samples,), default=None
        How much each row counts; None for all alike.
    """

    X: object
    Y: object
    weight: object = None

    def take(self, rows):
        """Some of the rows, an array of int or a slice."""
        X = self.X[rows]
        Y = X if self.Y is self.X else self.Y[rows]
        return Examples(X, Y, None if self.weight is None else self.weight[rows])


def check_rows(estimator, X, reset=False):
    """Validate X for an estimator, copying nothing that blocks can be read from."""
    if isinstance(X, ComputedRows):  # ours: they come from rows that have been validated
        estimator.n_features_in_ = X.shape[1]
        return X
    data = validate_data(
        estimator, X, accept_sparse="csr", dtype=ACCEPTED_DTYPES, order="C", reset=reset
    )
    if sparse.issparse(data) and not data.has_canonical_format:
        data = data.copy()  # entries of one cell count together, in squares too
        data.sum_duplicates()
    return data


def stack_rows(*parts):
    """Rows of several arrays, dense or CSR, below each other."""
    if any(map(sparse.issparse, parts)):
        return sparse.vstack(parts, format="csr")
    return np.concatenate(parts)


def with_more_rows(data, X):
    """Rows and weights of Examples, and below them rows that count once each."""
    rows = stack_rows(data.X, X)
    if data.weight is None:
        return Examples(rows, None)
    return Examples(rows, None, np.concatenate([data.weight, np.ones(X.shape[0])]))


def check_codes(estimator, X):
    """Validate what ``inverse_transform`` is given: the output of ``transform``."""
    codes = check_array(X, dtype=ACCEPTED_DTYPES, order="C", input_name="X")
    n_expected, n_found = estimator._n_features_out, codes.shape[1]
    if n_found != n_expected:
        raise ValueError(
            f"X has {n_found} features, but {type(estimator).__name__}.inverse_transform "
            f"expects the {n_expected} that transform returns."
        )
    return codes


def count_rows(X, sample_weight=None):
    """Number of rows that have a weight."""
    return X.shape[0] if sample_weight is None else int(np.count_nonzero(sample_weight))


def column_means(X, sample_weight=None):
    """Weighted means of the columns of rows that have been validated, in float64."""
    if sample_weight is None:
        return np.ravel(X.mean(axis=0, dtype=np.float64))
    blocks = list(gen_batches(X.shape[0], _block_rows(X.shape[1])))
    sums = share(lambda rows: X[rows].T @ sample_weight[rows], blocks)
    return np.ravel(sum(sums)) / sample_weight.sum()


def column_variances(X, means, sample_weight=None):
    """Weighted variances of the columns about these means, in float64."""
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight

    def squares(rows):
        return weights[rows] @ np.square(dense_block(X, rows, np.float64) - means)

    # Small ones, as there are three arrays of float64 for each.
    blocks = list(gen_batches(X.shape[0], _block_rows(16 * X.shape[1])))
    return sum(share(squares, blocks)) / weights.sum()


def output_dtype(X, dtype):
    """Float input keeps its dtype on the way out; any other comes out as ``dtype``."""
    return X.dtype if X.dtype in (np.float32, np.float64) else np.dtype(dtype)


def auto_batch_size(n_samples):
    """A hundredth of the rows, at least 10 and at most 100 (Hinton 2010, section 4)."""
    return max(10, min(100, n_samples // 100))


def hold_out(estimator, rows, random_state, stratify=None):
    """Rows to train on and rows held out for early stopping."""
    try:
        return train_test_split(
            rows,
            test_size=estimator.validation_fraction,
            random_state=random_state,
            stratify=stratify,
        )
    except ValueError as error:
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} cannot hold out "
            f"validation_fraction={estimator.validation_fraction:g} of {len(rows)} rows: "
            f"{error} Use more rows, another validation_fraction, or early_stopping=False."
        ) from error


def load_rows(X, rows, out):
    """Copy ``X[rows]`` (dense or CSR, any dtype) into the first rows of the buffer out."""
    if sparse.issparse(X):
        batch = X[rows].toarray()
    elif isinstance(rows, slice):
        batch = X[rows]
    elif isinstance(X, np.ndarray) and X.dtype == out.dtype and X.flags.aligned:
        # mode="clip" lets take() write to out without a buffer of its own. It would copy
        # all of an X that is not aligned, as what comes over a network may be.
        return X.take(rows, axis=0, out=out[: len(rows)], mode="clip")
    else:
        batch = X[rows]
    out[: batch.shape[0]] = batch
    return out[: batch.shape[0]]


def dense_block(X, rows, dtype):
    """A slice of rows of X (dense or CSR) in a dtype, aligned; where it can be, a view."""
    block = X[rows].toarray() if sparse.issparse(X) else X[rows]
    return np.require(block, dtype, "A")


def _factor(X, rows, dtype):
    """A slice of rows of X for a product: a dense block, or CSR rows where they are."""
    return CSRRows(X, rows) if sparse.issparse(X) else dense_block(X, rows, dtype)


def take_rows(X, rows, out):
    """Rows of X for a product: dense ones in the buffer out, CSR ones where they are."""
    return CSRRows(X, rows) if sparse.issparse(X) else load_rows(X, rows, out)


def map_blocks(function, X, dtype, n_columns=None, *, multiplies=False):
    """Apply a function of rows block by block, into one array of all the results.

    Parameters
    ----------
    function : callable
        From an array of shape (n, n_features), not to be written to, to one of shape
        (n, n_columns), or (n,) if None. Called on several threads.
    X : ndarray or CSR of shape (n_samples, n_features)
    dtype : dtype
        Of the blocks and of the result.
    n_columns : int, default=None
    multiplies : bool, default=False
        Whether the function does nothing but a product with its rows first, for which it
        is given CSR ones as CSRRows.
    """
    n_samples = X.shape[0]
    result = np.empty(n_samples if n_columns is None else (n_samples, n_columns), dtype)

    read = _factor if multiplies else dense_block

    def fill(rows):
        result[rows] = function(read(X, rows, dtype))

    share(fill, list(gen_batches(n_samples, _block_rows(X.shape[1]))))
    return result


def answer_blocks(function, X, dtype, n_columns=None, *, multiplies=False):
    """``map_blocks`` for what a user is told, which must be numbers."""
    suspects = []

    def checked(block):
        part = function(block)
        if not np.isfinite(part.sum()):  # or finite, but large
            suspects.append(True)
        return part

    with np.errstate(over="ignore", invalid="ignore"):
        result = map_blocks(checked, X, dtype, n_columns, multiplies=multiplies)
    if suspects and not np.isfinite(result).all():
        row = np.argwhere(~np.isfinite(result))[0, 0]
        largest = np.abs(dense_block(X, slice(row, row + 1), np.float64)).max()
        raise ValueError(
            f"The answer for row {row} of X is not finite in {np.dtype(dtype).name}: with "
            f"values up to {largest:g} and the fitted weights it is too large. Scale X as "
            "the data of fit (StandardScaler, MinMaxScaler), or fit again if those weights "
            "are large because training diverged."
        )
    return result


def _block_rows(n_columns):
    """Rows of a block: fewer where they are long, so that a block has 16 MB at most."""
    return int(np.clip(2**21 // n_columns, 64, BLOCK_ROWS))


def reconstruction_score(function, X, dtype, sample_weight=None):
    """Minus the weighted mean squared difference of X and a function of its rows."""

    def row_errors(block):
        return np.square(function(block) - block).mean(axis=1)

    errors = answer_blocks(row_errors, X, dtype).astype(np.float64)
    return -float(np.average(errors, weights=sample_weight))
