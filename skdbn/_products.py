"""Level 0: products of the rows of a batch, dense or CSR, with weights."""

import threading
from copy import copy

import numpy as np

from ._kernels import kernel

# Up to so many rows ``B @ A.T`` is quicker than ``A @ B.T``, as it does not have to
# rearrange B, the weights: 1.1 times at 100 rows, 1.7 times at 10, where B is large.
_FEW_ROWS = 128
_LARGE = 2**15

_scratch = threading.local()


class CSRRows:
    """Some rows of a CSR matrix, nothing of which is copied.

    Parameters
    ----------
    X : CSR matrix or array
    rows : slice or ndarray of int
    """

    def __init__(self, X, rows):
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop)
        self.arrays = (X.indptr, X.indices, X.data, rows)
        self.shape = (len(rows), X.shape[1])

    def __len__(self):
        return self.shape[0]

    def head(self, n):
        """The first n of the rows."""
        first = copy(self)
        first.arrays = (*self.arrays[:3], self.arrays[3][:n])
        first.shape = (n, self.shape[1])
        return first


def product(A, B, out):
    """``out = A @ B`` for rows A, dense or CSRRows; returns out."""
    if isinstance(A, CSRRows):
        _csr_product(*A.arrays, B, out)
        return out
    return np.dot(A, B, out=out)


def product_transposed(A, B, out):
    """``out = A @ B.T`` for rows A, dense or CSRRows; returns out."""
    if isinstance(A, CSRRows):
        _csr_product_transposed(*A.arrays, B, out)
        return out
    if len(A) > _FEW_ROWS or B.size < _LARGE:
        return np.dot(A, B.T, out=out)
    transposed = _thread_scratch(out.size, out.dtype).reshape(out.shape[::-1])
    out[...] = np.dot(B, A.T, out=transposed).T
    return out


def _thread_scratch(size, dtype):
    """A flat array that is the calling thread's own until its next call."""
    buffer = getattr(_scratch, "buffer", None)
    if buffer is None or buffer.nbytes < size * dtype.itemsize:
        buffer = _scratch.buffer = np.empty(size * dtype.itemsize, np.uint8)
    return buffer[: size * dtype.itemsize].view(dtype)


def row_sums(A):
    """Sums of the rows A, dense or CSRRows, in float64."""
    if not isinstance(A, CSRRows):
        return A.sum(axis=1, dtype=np.float64)
    sums = np.empty(len(A))
    _csr_row_sums(*A.arrays, sums)
    return sums


def left_gradient(A, D, columns, out):
    """``out = A[:, columns].T @ D`` for rows A, dense or CSRRows, and a slice."""
    if isinstance(A, CSRRows):
        out[...] = 0
        _csr_add_left(*A.arrays, D, columns.start, columns.stop, out)
    else:
        np.dot(A[:, columns].T, D, out=out)


def add_right_gradient(D, A, columns, out):
    """``out += D[:, columns].T @ A`` for CSRRows A and a slice."""
    _csr_add_right(*A.arrays, D, columns.start, columns.stop, out)


def column_sums(A, columns, out):
    """Sums of the columns of a slice of a C-contiguous array, into out."""
    _column_sums(A, columns.start, out)


@kernel
def _column_sums(A, start, out):
    out[:] = 0
    for i in range(A.shape[0]):
        row = A[i, start : start + out.size]
        for j in range(out.size):
            out[j] += row[j]


@kernel
def _csr_row_sums(indptr, indices, data, rows, sums):
    for i in range(rows.size):
        sums[i] = 0
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            sums[i] += data[p]


@kernel
def _csr_product(indptr, indices, data, rows, B, out):
    for i in range(rows.size):
        out[i] = 0
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x, j = out.dtype.type(data[p]), indices[p]
            for k in range(B.shape[1]):
                out[i, k] += x * B[j, k]


@kernel
def _csr_product_transposed(indptr, indices, data, rows, B, out):
    # Weights outermost: a row of them stays in the cache while it is read at random.
    for k in range(B.shape[0]):
        row = B[k]
        for i in range(rows.size):
            total = out.dtype.type(0)
            for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
                total += out.dtype.type(data[p]) * row[indices[p]]
            out[i, k] = total


@kernel
def _csr_add_left(indptr, indices, data, rows, D, start, stop, out):
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            j = indices[p]
            if start <= j < stop:
                x = out.dtype.type(data[p])
                for k in range(D.shape[1]):
                    out[j - start, k] += x * D[i, k]


@kernel
def _csr_add_right(indptr, indices, data, rows, D, start, stop, out):
    for k in range(start, stop):
        row = out[k - start]
        for i in range(rows.size):
            d = D[i, k]
            for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
                row[indices[p]] += d * out.dtype.type(data[p])
