"""Reading of IDX files, the format in which MNIST is distributed."""

import gzip
import math
import os
import stat
import zlib
from numbers import Integral

import numpy as np
from sklearn.utils import check_scalar

_DTYPES = {
    0x08: np.dtype("u1"),
    0x09: np.dtype("i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
# DEFLATE needs at least two bits (one code for a length, one for a distance) for 258
# bytes of output, so no gzip stream expands by more than this factor.
_GZIP_MAX_RATIO = 1032
_CHUNK_BYTES = 1 << 20
# NumPy 2 allows 64 dimensions and has no public name for it, NumPy 1 has 32.
_MAX_DIMS = getattr(np, "MAXDIMS", 64)
_FETCH_AGAIN = "The file is damaged or incomplete: download or copy it again."


def read_idx(path, *, max_bytes=2**32):
    """Read an array from an IDX file, plain or compressed with gzip.

    Whether the file is compressed is decided by its first two bytes, not by its name.
    The memory used is bounded by the data that the file really holds, whatever sizes
    its header announces, and by ``max_bytes``.

    Parameters
    ----------
    path : str or os.PathLike
        The file to read.
    max_bytes : int or None, default=2**32
        The most bytes that the array may take: a compressed file can hold a thousand
        times its own size. The default, 4 GiB, is room for 5.4 million images like those
        of MNIST. None for no limit.

    Returns
    -------
    ndarray
        The array in the shape that the file announces, writable, C-contiguous and in
        native byte order. The dtype is uint8, int8, int16, int32, float32 or float64.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not a complete and valid IDX file: a wrong magic number, an
        unknown type code, more dimensions than NumPy supports, fewer or more data than
        announced, or a damaged gzip stream. Also if the array is larger than
        ``max_bytes``.

    See Also
    --------
    load_mnist : Load the four IDX files of MNIST.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten
       digits", section "The IDX file format", http://yann.lecun.com/exdb/mnist/.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdbn.datasets import read_idx
    >>> header = bytes([0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 3])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tiny-idx2-ubyte"
    ...     _ = path.write_bytes(header + bytes([1, 2, 3, 4, 5, 6]))
    ...     read_idx(path)
    array([[1, 2, 3],
           [4, 5, 6]], dtype=uint8)
    """
    path = os.fspath(path)
    if max_bytes is not None:
        check_scalar(max_bytes, "max_bytes", Integral, min_val=0)
    with open(path, "rb") as file:
        gzipped = file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        with gzip.GzipFile(fileobj=file) if gzipped else file as stream:
            try:
                dtype, shape = _read_header(stream, path)
                _check_announced_size(file, gzipped, dtype, shape, path)
                _check_limit(max_bytes, dtype, shape, path)
                data = _read_data(stream, math.prod(shape) * dtype.itemsize, path)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise _invalid(
                    path, f"a broken gzip stream ({error})", "a valid one", _FETCH_AGAIN
                ) from error
    return _native(np.ndarray(shape, dtype, buffer=data))


def _invalid(path, found, expected, advice):
    """Make the error that says what is wrong with the file and what to do."""
    return ValueError(
        f"Cannot read {path!r} as an IDX file: found {found}, expected {expected}. {advice}"
    )


def _read_header(stream, path):
    """Read the magic number and the sizes; return the dtype in the file and the shape."""
    magic = stream.read(4)
    if any(magic[:2]):
        raise _invalid(
            path,
            f"the first bytes {magic!r}",
            "two zero bytes",
            "This is some other kind of file, perhaps a web page saved by a failed "
            "download: get the IDX file itself (only gzip is unpacked on the fly).",
        )
    if len(magic) < 4:
        raise _invalid(
            path,
            f"a header that ends after {len(magic)} bytes",
            "at least 4 bytes",
            _FETCH_AGAIN,
        )
    _, _, type_code, n_dims = magic
    dtype = _dtype_of(type_code, path)
    if n_dims > _MAX_DIMS:
        raise _invalid(
            path,
            f"{n_dims} dimensions",
            f"at most {_MAX_DIMS}, the limit of NumPy",
            "Store the array with fewer dimensions.",
        )
    return dtype, _read_shape(stream, n_dims, path)


def _dtype_of(type_code, path):
    """Return the dtype that belongs to a type code."""
    if type_code not in _DTYPES:
        known = ", ".join(f"0x{code:02X} ({dtype.name})" for code, dtype in _DTYPES.items())
        raise _invalid(
            path,
            f"the type code 0x{type_code:02X}",
            f"one of {known}",
            "Check that this is an IDX file, and store it with one of these types.",
        )
    return _DTYPES[type_code]


def _read_shape(stream, n_dims, path):
    """Read the sizes of the dimensions."""
    sizes = stream.read(4 * n_dims)
    if len(sizes) < 4 * n_dims:
        raise _invalid(
            path,
            f"a header that ends after {4 + len(sizes)} bytes",
            f"{4 + 4 * n_dims} bytes for {n_dims} dimensions",
            _FETCH_AGAIN,
        )
    return tuple(np.frombuffer(sizes, ">u4").tolist())


def _check_announced_size(file, gzipped, dtype, shape, path):
    """Refuse sizes that NumPy or the file cannot hold, before any data are read."""
    # NumPy leaves zeros out of this product, so that even an empty array can be too big.
    if math.prod(filter(None, shape)) * dtype.itemsize > np.iinfo(np.intp).max:
        raise _invalid(
            path,
            f"the sizes {shape}",
            "sizes whose product this computer can address",
            _FETCH_AGAIN,
        )
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):  # a pipe does not know its size
        return
    expected = 4 + 4 * len(shape) + math.prod(shape) * dtype.itemsize
    announced = f"{expected} for the announced sizes {shape} of {dtype.name}"
    if gzipped and expected > _GZIP_MAX_RATIO * status.st_size:
        found = f"{status.st_size} compressed bytes, too few for any gzip stream"
        raise _invalid(path, found, f"{announced} after unpacking", _FETCH_AGAIN)
    if not gzipped and expected != status.st_size:
        raise _invalid(path, f"{status.st_size} bytes", announced, _FETCH_AGAIN)


def _check_limit(max_bytes, dtype, shape, path):
    """Refuse an array that the caller does not want in memory."""
    announced = math.prod(shape) * dtype.itemsize
    if max_bytes is not None and announced > max_bytes:
        raise _invalid(
            path,
            f"the announced sizes {shape} of {dtype.name}, {announced} bytes",
            f"at most max_bytes={max_bytes}",
            "If you trust the file and have the memory, pass a larger max_bytes to "
            "read_idx, or None for no limit.",
        )


def _read_data(stream, n_bytes, path):
    """Read exactly `n_bytes` up to the end of the stream, in chunks of bounded size."""
    data = bytearray()
    # One byte more than announced is asked for: it shows trailing data, and reaching the
    # end makes gzip verify its checksum.
    while len(data) <= n_bytes:
        chunk = stream.read(min(_CHUNK_BYTES, n_bytes + 1 - len(data)))
        if not chunk:
            break
        data += chunk
    if len(data) != n_bytes:
        found = "more" if len(data) > n_bytes else f"only {len(data)}"
        raise _invalid(
            path, f"{found} bytes of data", f"{n_bytes} by its header", _FETCH_AGAIN
        )
    return data


def _native(array):
    """Turn an array to native byte order without a copy."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder())
