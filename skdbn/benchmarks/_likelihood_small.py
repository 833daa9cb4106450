"""Exact log-likelihoods of small RBMs, trained in several ways on the same schedule."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.neural_network import BernoulliRBM

from skdbn import RBM
from skdbn.benchmarks._likelihood import draw_bits
from skdbn.benchmarks._tables import Images, Row, seconds_of
from skdbn.likelihood import (
    annealed_importance_sampling,
    log_likelihood,
    log_partition,
)

# So that the digits, which are fewer, get about half as many steps.
_BATCH_SIZES = {"digits": 10, "mnist": 100}
_EPOCHS = {"digits": 100, "mnist": 50}
_MOST_TRAINING_ROWS = 10_000  # that are scored


@dataclass
class SmallTable:
    """RBMs with 16 hidden units and what else they are compared with.

    Log-likelihoods are in nats an image, means over the test rows and over the first
    10 000 training rows; ``ais`` is that of the test rows by annealed importance sampling.
    """

    images: Images
    seed: int = 0
    epochs: int | None = None
    quick: bool = False

    formats = {
        "model": "{}",
        "bits": "{}",
        "test": "{:.2f}",
        "train": "{:.2f}",
        "ais": "{:.3f}",
        "ais_minus_exact": "{:+.3f}",
        "fit_seconds": "{:.2f}",
    }
    headlines = ("test",)

    @property
    def settings(self):
        """What all models share, by the names of RBM's parameters."""
        epochs = self.epochs or _EPOCHS[self.images.name] // (4 if self.quick else 1)
        return {
            "n_components": 16,
            "learning_rate": 0.01,
            "batch_size": _BATCH_SIZES[self.images.name],
            "max_iter": epochs,
            "random_state": self.seed,
        }

    def rows(self):
        """Return the rows, for each way to make bits of grey levels."""
        models = {
            "Independent columns": _score_columns,
            "BernoulliRBM": self._score_bernoulli_rbm,
            "RBM, not centred": partial(self._score_rbm, center=False),
            "RBM": self._score_rbm_also_by_ais,
            "RBM, averaged": partial(self._score_rbm, average=2),
            "RBM on 1 - X": self._score_rbm_on_complement,
        }
        return [
            Row({"model": name, "bits": how}, partial(score, train, test))
            for how, train, test in self._bits()
            for name, score in models.items()
        ]

    def _bits(self):
        """Return the ways to make bits with the training and test rows they give."""
        rng = np.random.default_rng(self.seed)
        train, test = self.images.train, self.images.test
        return [
            ("thresholded", *((X >= 0.5).astype(np.uint8) for X in (train, test))),
            ("drawn", draw_bits(train, rng), draw_bits(test, rng)),
        ]

    def _fit(self, train, **options):
        """Fit an RBM by persistent contrastive divergence; returns it and the seconds."""
        rbm = RBM(sampler="pcd", momentum=0, alpha=0, **self.settings, **options)
        return rbm, seconds_of(RBM.fit, rbm, train)

    def _score_rbm(self, train, test, **options):
        """Fit an RBM and score it."""
        rbm, seconds = self._fit(train, **options)
        return _exact_scores(rbm, train, test) | {"fit_seconds": seconds}

    def _score_rbm_on_complement(self, train, test):
        """Fit and score an RBM where ones and zeros have changed places."""
        return self._score_rbm(1 - train, 1 - test)

    def _score_rbm_also_by_ais(self, train, test):
        """Fit an RBM and score it exactly and by annealed importance sampling."""
        rbm, seconds = self._fit(train)
        scores = _exact_scores(rbm, train, test) | {"fit_seconds": seconds}
        result = annealed_importance_sampling(rbm, X_base=train, random_state=self.seed)
        ais = log_likelihood(rbm, test, result).mean()
        return scores | {"ais": ais, "ais_minus_exact": ais - scores["test"]}

    def _score_bernoulli_rbm(self, train, test):
        """Fit scikit-learn's RBM on the same schedule and score it as ours."""
        settings = self.settings
        model = BernoulliRBM(n_iter=settings.pop("max_iter"), **settings)
        seconds = seconds_of(BernoulliRBM.fit, model, train.astype(np.float32))
        return _exact_scores(as_rbm(model), train, test) | {"fit_seconds": seconds}


def as_rbm(model):
    """Return an RBM with the parameters of a fitted BernoulliRBM."""
    rbm = RBM(len(model.components_), max_iter=1)
    rbm.fit(np.zeros((1, model.n_features_in_)))  # for its shape only
    rbm.components_ = model.components_
    rbm.intercept_hidden_ = model.intercept_hidden_
    rbm.intercept_visible_ = model.intercept_visible_
    return rbm


def _exact_scores(rbm, train, test):
    """Return the mean exact log-likelihoods of test and training rows."""
    log_z = log_partition(rbm)
    return {
        "test": log_likelihood(rbm, test, log_z).mean(),
        "train": log_likelihood(rbm, train[:_MOST_TRAINING_ROWS], log_z).mean(),
    }


def _score_columns(train, test):
    """Score the model in which each column is by itself, its mean smoothed by a count."""
    mean = (train.sum(axis=0) + 1) / (len(train) + 2)
    log_odds, log_off = np.log(mean / (1 - mean)), np.log1p(-mean).sum()
    return {
        "test": (test @ log_odds).mean() + log_off,
        "train": (train[:_MOST_TRAINING_ROWS] @ log_odds).mean() + log_off,
    }
