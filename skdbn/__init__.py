"""Restricted Boltzmann machines and deep belief networks as scikit-learn estimators."""

from ._versioned import __version__ as __version__
from .autoencoder import DBNAutoencoder
from .dbn import DBNClassifier, DBNRegressor
from .mlp import MLPClassifier, MLPRegressor
from .rbm import RBM
from .stack import StackedRBM

__all__ = [
    "RBM",
    "DBNAutoencoder",
    "DBNClassifier",
    "DBNRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "StackedRBM",
]
