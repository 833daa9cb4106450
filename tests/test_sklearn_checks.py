"""scikit-learn's own checks, for every public estimator.

Their data are not in [0, 1]: so the RBMs at the bottom have Gaussian visible units, or
binary ones that leave out the check of the data.
"""

import pytest
from _estimators import AnyRange
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdbn import (
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    DBNRegressor,
    MLPClassifier,
    MLPRegressor,
    StackedRBM,
)

SUPERVISED = {"max_iter": 30, "learning_rate": 0.05}
# The only checks that are expected to fail, and why.
RANDOM = (
    "random numbers are drawn for each row in the order of the rows, so that a row that "
    "comes twice is one of weight 2 on average only"
)
ROUNDING = "the same to 1e-7 is asked for, about the rounding of float32"


def estimators(visible):
    rbm = RBM(visible=visible, max_iter=5, learning_rate=0.001)
    return [
        clone(rbm).set_params(n_components=4),
        StackedRBM((5, 3), rbm=rbm),
        DBNAutoencoder((5, 2), rbm=rbm, max_iter=5),
        DBNClassifier((20,), rbm=rbm, **SUPERVISED),
        DBNRegressor((20,), rbm=rbm, **SUPERVISED),
    ]


def expected_failures(estimator):
    if isinstance(estimator, (MLPClassifier, MLPRegressor)):
        if estimator.dtype == "float64":
            return {}
        reason = ROUNDING
    else:
        reason = RANDOM
    names = [f"check_sample_weight_equivalence_on_{k}_data" for k in ("dense", "sparse")]
    return dict.fromkeys(names, reason)


@pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")
@parametrize_with_checks(
    [
        *estimators("gaussian"),
        *estimators(AnyRange()),
        MLPClassifier((20,), **SUPERVISED),
        MLPRegressor((20,), **SUPERVISED),
        MLPClassifier((20,), dtype="float64", **SUPERVISED),
        MLPRegressor((20,), dtype="float64", **SUPERVISED),
    ],
    expected_failed_checks=expected_failures,
)
def test_check(estimator, check):
    """The check raises where scikit-learn would not have the estimator."""
    check(estimator)
