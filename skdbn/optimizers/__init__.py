"""The optimisers, one file each, and the names they go by."""

from ._base import FullBatchOptimizer, MiniBatchOptimizer, Optimizer
from .adam import Adam
from .lbfgs import LBFGS
from .sgd import SGD

SOLVERS = {"sgd": SGD, "adam": Adam, "lbfgs": LBFGS}

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "Adam",
    "FullBatchOptimizer",
    "MiniBatchOptimizer",
    "Optimizer",
]
