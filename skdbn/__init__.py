"""Restricted Boltzmann machines and deep belief networks as scikit-learn estimators."""

from .autoencoder import DBNAutoencoder
from .dbn import DBNClassifier, DBNRegressor
from .mlp import MLPClassifier, MLPRegressor
from .rbm import RBM
from .stack import StackedRBM

__version__ = "0.1.0"

__all__ = [
    "RBM",
    "DBNAutoencoder",
    "DBNClassifier",
    "DBNRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "StackedRBM",
]
