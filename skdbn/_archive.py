"""Level 0: arrays and numbers in dicts and lists, as a file that runs no code."""

import json
from zipfile import BadZipFile

import numpy as np

from ._files import replacing

_INDEX = "index"


def write_archive(path, tree):
    """Write a tree of dicts, lists, arrays, numbers, strings and None to a .npz file.

    The file that was there before is replaced when all of the new one is on the disk.
    """
    arrays = []
    index = json.dumps(_encode(tree, arrays)).encode()
    named = {f"array_{i}": array for i, array in enumerate(arrays)}
    with replacing(path) as file:
        np.savez(file, **{_INDEX: np.frombuffer(index, np.uint8)}, **named)


def read_archive(path):
    """Read what ``write_archive`` wrote.

    Raises
    ------
    ValueError
        If it is something else.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        index = json.loads(bytes(arrays.pop(_INDEX)))
        return _decode(index, [arrays[f"array_{i}"] for i in range(len(arrays))])
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{path} is not a file of arrays.") from error
    except (ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
        raise ValueError(f"{path} is not a file of arrays: {error}") from error


def _encode(value, arrays):
    """A tree as JSON, in which arrays are numbers of places in a list."""
    if isinstance(value, dict):
        return {"dict": {name: _encode(part, arrays) for name, part in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"list": [_encode(part, arrays) for part in value]}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise TypeError(f"An array of dtype {array.dtype} cannot be kept.")
        arrays.append(array)
        return {"array": len(arrays) - 1}
    return value


def _decode(index, arrays):
    """The tree of an index and its arrays."""
    if not isinstance(index, dict):
        return index
    ((kind, value),) = index.items()
    if kind == "dict":
        return {name: _decode(part, arrays) for name, part in value.items()}
    if kind == "list":
        return [_decode(part, arrays) for part in value]
    return arrays[value][()]  # a scalar of NumPy's is one again
