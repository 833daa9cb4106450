"""What all commands print and write: results to stdout, remarks to stderr."""

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from joblib import cpu_count
from threadpoolctl import threadpool_info

import skdbn

_PACKAGES = ("skdbn", "numpy", "scipy", "scikit-learn", "numba", "torch")


def say(text):
    """Print a remark."""
    print(text, file=sys.stderr, flush=True)


def check_names(names, known, kind, where=""):
    """Return the names without repetition, or say which are unknown."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(
            f"unknown {kind} {', '.join(map(repr, unknown))}{where}: the {kind}s are "
            f"{', '.join(known)}"
        )
    return list(dict.fromkeys(names))


# --- What the figures depend on -----------------------------------------------------------


def environment():
    """Return what the figures depend on besides the code."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: v for name in _PACKAGES if (v := _version(name)) is not None},
        "blas": [
            {key: library.get(key) for key in ("internal_api", "version", "num_threads")}
            for library in threadpool_info()
            if library["user_api"] == "blas"
        ],
    }


def _version(package):
    """Return the version of a package, None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def data_line(name, X, y):
    """Return the line of a header that says what the data are."""
    rows, columns = X.shape
    return f"data      {name}, {rows} rows x {columns} columns, {len(np.unique(y))} classes"


def versions_line():
    """Return the line of a header that says what was run."""
    packages = ("scikit-learn", "numpy", "numba")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"versions  skdbn {skdbn.__version__}, {versions}"


# --- Tables and files ---------------------------------------------------------------------


def aligned(rows):
    """Return rows, or columns, of texts as one text, names left and numbers right."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    first = frame.pop(frame.columns[0])
    # pandas aligns to the right, which suits numbers only.
    names = [first.name, *first]
    width = max(map(len, names))
    lines = frame.to_string(index=False).splitlines()
    return "\n".join(f"{a:<{width}} {b}" for a, b in zip(names, lines, strict=True))


def check_json(path):
    """Refuse a file for ``--json`` whose folder does not exist, before the work begins."""
    if path is not None and not path.parent.is_dir():
        raise ValueError(f"there is no folder {str(path.parent)!r} for --json")


def write_json(path, document):
    """Write everything that was measured."""
    replace_file(path, json.dumps(document, indent=1) + "\n")


def replace_file(path, text):
    """Write a file so that it is the old one or the new one at any time."""
    aside = path.with_name(f"{path.name}.part")
    aside.write_text(text, encoding="utf-8")
    os.replace(aside, path)
