"""Small estimators of every public kind, for tables of tests."""

import numpy as np

from skdbn import (
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    MLPClassifier,
    MLPRegressor,
    StackedRBM,
)
from skdbn.units import Bernoulli

CLASSIFIERS = ["DBNClassifier", "MLPClassifier"]
REGRESSORS = ["DBNRegressor", "MLPRegressor"]
SUPERVISED = [*CLASSIFIERS, *REGRESSORS]
PRETRAINED = ["DBNAutoencoder", "DBNClassifier", "DBNRegressor"]
NETWORKS = ["DBNAutoencoder", *SUPERVISED]
WITH_RBM = ["RBM", "StackedRBM", *PRETRAINED]
WITH_LAYERS = ["StackedRBM", *NETWORKS]
NAMES = ["RBM", *WITH_LAYERS]
MAPPING_BACK = ["RBM", "StackedRBM", "DBNAutoencoder"]


# A small table, and what to learn of it: labels, or numbers.
rng = np.random.RandomState(0)
ROWS = rng.uniform(size=(60, 5))
LABELS = rng.randint(0, 3, 60)
WEIGHT = rng.uniform(0, 2, 60)


def target(name):
    return LABELS if name in CLASSIFIERS else ROWS @ np.arange(5.0) + LABELS


class AnyRange(Bernoulli):
    """Binary units that let any real number pass for a state."""

    def check_data(self, X, feature_names):
        pass

    def initial_bias(self, mean, n_samples):
        return super().initial_bias(np.clip(mean, 0, 1), n_samples)


def small_rbm(**params):
    return RBM(**{"n_components": 4, "max_iter": 3, "random_state": 0, **params})


def build(name, *, visible="bernoulli", **params):
    """A small estimator by the name of its class, quick to fit on a few dozen rows."""
    rbm = small_rbm(visible=visible, random_state=None)
    quick = {"max_iter": 3, "n_iter_no_change": 100, "random_state": 0}
    defaults = {
        "RBM": lambda: small_rbm(visible=visible),
        "StackedRBM": lambda: StackedRBM((4, 3), rbm=rbm, random_state=0),
        "DBNAutoencoder": lambda: DBNAutoencoder((4, 2), rbm=rbm, **quick),
        "DBNClassifier": lambda: DBNClassifier((4, 3), rbm=rbm, **quick),
        "MLPClassifier": lambda: MLPClassifier((4, 3), **quick),
        "DBNRegressor": lambda: DBNRegressor((4, 3), rbm=rbm, **quick),
        "MLPRegressor": lambda: MLPRegressor((4, 3), **quick),
    }
    return defaults[name]().set_params(**params)


def own_score(estimator, X, y):
    """A scorer, as scikit-learn's callbacks want one, of the estimator's own score."""
    return estimator.score(X) if y is X else estimator.score(X, y)
