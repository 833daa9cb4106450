"""The optimisers, one file each, and the names they go by."""

from ._base import FullBatchOptimizer, LineSearchOptimizer, MiniBatchOptimizer, Optimizer
from .adadelta import Adadelta
from .adagrad import Adagrad
from .adam import Adam
from .adamw import AdamW
from .averaged import Averaged
from .clipped import Clipped
from .conjugate_gradient import ConjugateGradient
from .lbfgs import LBFGS
from .rmsprop import RMSprop
from .sgd import SGD

SOLVERS = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adadelta": Adadelta,
    "adam": Adam,
    "adamw": AdamW,
    "cg": ConjugateGradient,
    "lbfgs": LBFGS,
}

__all__ = [
    "LBFGS",
    "SGD",
    "SOLVERS",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Averaged",
    "Clipped",
    "ConjugateGradient",
    "FullBatchOptimizer",
    "LineSearchOptimizer",
    "MiniBatchOptimizer",
    "Optimizer",
    "RMSprop",
]
