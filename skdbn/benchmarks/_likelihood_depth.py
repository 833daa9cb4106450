"""Accuracy of a classifier on the features of one RBM, of two and of three."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.base import clone
from sklearn.neural_network import BernoulliRBM

from skdbn import RBM, StackedRBM
from skdbn.benchmarks._compare import measure_fit
from skdbn.benchmarks._models import logistic
from skdbn.benchmarks._tables import Images, Row

_N_LAYERS, _N_COMPONENTS = 3, 256
_QUICK_EPOCHS = 2
# As in ``skdbn benchmark``.
_C = {"digits": 10, "mnist": 1}


@dataclass
class DepthTable:
    """A logistic regression on pixels, and on features of both packages' RBMs.

    The RBMs have the default parameters of their packages, all layers as many units;
    ``accuracy`` and ``log_loss`` are those of the test rows.
    """

    images: Images
    seed: int = 0
    epochs: int | None = None
    quick: bool = False

    formats = {"model": "{}", "layers": "{}", "accuracy": "{:.4f}", "log_loss": "{:.3f}"}
    headlines = ("accuracy",)

    @property
    def settings(self):
        """What all rows share."""
        epochs = _QUICK_EPOCHS if self.quick and self.epochs is None else self.epochs
        return {
            "n_components": _N_COMPONENTS,
            "n_iter": epochs or BernoulliRBM().n_iter,
            "max_iter": epochs or RBM().max_iter,
            "C": _C[self.images.name],
            "random_state": self.seed,
        }

    def rows(self):
        """Return the rows: pixels, then each kind of RBM by the number of layers."""
        pixels = Row({"model": "Pixels", "layers": 0}, lambda: self._score(self.images.X))
        rows = [pixels]
        for name, kind in (("BernoulliRBM", _BernoulliRBMs), ("StackedRBM", _Stack)):
            model = kind(self.images, self.settings)
            rows += [
                Row({"model": name, "layers": n}, partial(self._score_layers, model, n))
                for n in range(1, _N_LAYERS + 1)
            ]
        return rows

    def _score_layers(self, model, n_layers):
        """Score the classifier on the features of so many layers."""
        return self._score(model.features(n_layers))

    def _score(self, features):
        """Score the classifier on features of all rows."""
        classifier, y = logistic(self.settings["C"]), self.images.y
        train, test = np.split(np.arange(len(y)), [self.images.n_train])
        scores = measure_fit(classifier, features, y, train, test, np.unique(y))
        return {name: scores[name] for name in ("accuracy", "log_loss")}


class _BernoulliRBMs:
    """scikit-learn's RBMs, each fitted once, to the features of the one below."""

    def __init__(self, images, settings):
        names = "n_components", "n_iter", "random_state"
        self.rbm = BernoulliRBM(**{name: settings[name] for name in names})
        self.n_train = images.n_train
        self.levels = [images.X]  # the features of no layer, of one and so on

    def features(self, n_layers):
        """Return the features of all rows, fitting the layers that are not there."""
        while len(self.levels) <= n_layers:
            below = self.levels[-1]
            rbm = clone(self.rbm).fit(below[: self.n_train])
            self.levels.append(rbm.transform(below))
        return self.levels[n_layers]


class _Stack:
    """A stack of this package's RBMs, fitted once."""

    def __init__(self, images, settings):
        sizes = (settings["n_components"],) * _N_LAYERS
        rbm = RBM(max_iter=settings["max_iter"])
        self.stack = StackedRBM(sizes, rbm=rbm, random_state=settings["random_state"])
        self.images = images

    def features(self, n_layers):
        """Return the features of all rows; the lower layers do not know the upper ones."""
        if not hasattr(self.stack, "rbms_"):
            self.stack.fit(self.images.train)
        return self.stack[:n_layers].transform(self.images.X)
