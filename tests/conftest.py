"""What must happen before numba is imported: a kernel cache keyed to the sources.

A cached kernel is stale when a function it inlines, in another file, has been edited; the
cache of the tests therefore lives in a folder named after a hash of all files with kernels.
"""

import hashlib
import os
import tempfile
from pathlib import Path

_SOURCES = sorted((Path(__file__).parents[1] / "skdbn").rglob("*.py"))
_TEXTS = [path.read_bytes() for path in _SOURCES]
_KERNELS = [text for text in _TEXTS if b"@kernel" in text or b"njit" in text]
_DIGEST = hashlib.sha256(b"".join(_KERNELS)).hexdigest()[:16]
os.environ.setdefault(
    "NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"skdbn-test-kernels-{_DIGEST}")
)

# Figures are drawn without a window.
os.environ.setdefault("MPLBACKEND", "Agg")
