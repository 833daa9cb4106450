"""Level 6: comparison of this package's models with those people use today.

``python -m skdbn benchmark`` runs it from the command line.
"""

from skdbn.benchmarks._compare import compare
from skdbn.benchmarks._models import make_models

__all__ = ["compare", "make_models"]
