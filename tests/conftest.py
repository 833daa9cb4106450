"""What must happen before numba is imported: a kernel cache keyed to the sources.

A cached kernel is stale when a function it inlines, in another file, has been edited; the
cache of the tests therefore lives in a folder named after a hash of all files with kernels,
and of the version of numba, as others would throw out what it holds.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import tempfile
from pathlib import Path

_PACKAGE = importlib.util.find_spec("skdbn").submodule_search_locations[0]
_SOURCES = sorted(Path(_PACKAGE).rglob("*.py"))
_TEXTS = [path.read_bytes() for path in _SOURCES]
_KERNELS = [text for text in _TEXTS if b"@kernel" in text or b"njit" in text]
_NUMBA = importlib.metadata.version("numba").encode()
_DIGEST = hashlib.sha256(b"".join([_NUMBA, *_KERNELS])).hexdigest()[:16]
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"skdbn-test-kernels-{_DIGEST}")
)

# Figures are drawn without a window.
os.environ.setdefault("MPLBACKEND", "Agg")
