"""Accuracy of a classifier on the features of one RBM, of two and of three."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import BernoulliRBM

from skdbn import RBM, StackedRBM
from skdbn.benchmarks._compare import measure_fit
from skdbn.benchmarks._likelihood import Images, Row

_N_LAYERS, _N_COMPONENTS = 3, 256
_QUICK_EPOCHS = 2


@dataclass
class DepthTable:
    """A logistic regression on pixels, and on features of both packages' RBMs.

    The RBMs have the default parameters of their packages, all layers have as many units.
    ``accuracy`` and ``log_loss`` are those of the test rows.
    """

    images: Images
    seed: int = 0
    epochs: int | None = None
    quick: bool = False

    formats = {"model": "{}", "layers": "{}", "accuracy": "{:.4f}", "log_loss": "{:.3f}"}
    headline = "accuracy"

    @property
    def settings(self):
        """What all models share."""
        return {"n_components": _N_COMPONENTS, "C": C, "random_state": self.seed}
