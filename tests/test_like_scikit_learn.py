"""The networks that scikit-learn has too go its way, step by step."""

from itertools import product

import numpy as np
import pytest
from scipy import sparse
from sklearn import neural_network
from sklearn.datasets import make_classification, make_regression

from skdbn import MLPClassifier, MLPRegressor
from skdbn.optimizers import SGD

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_CLASSES = {"two labels": 2, "labels": 3, "four labels": 4}
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]


def data_of(kind, n_rows=87):
    """Rows and targets; 87 rows leave a short batch."""
    if kind in N_CLASSES:
        return make_classification(
            n_rows, 9, n_informative=5, n_classes=N_CLASSES[kind], random_state=1
        )
    if kind == "label sets":
        X, _ = make_classification(n_rows, 9, random_state=1)
        return X, (X[:, :4] + X[:, 1:5] > 0).astype(int)
    n_targets = 3 if kind == "numbers" else 1
    X, y = make_regression(n_rows, 9, n_targets=n_targets, random_state=1)
    return X, np.exp(y / 100) if kind == "counts" else y / 100


def fit_both(
    kind, container=np.asarray, learning_rate=None, n_rows=87, weighted=False, **params
):
    """Our network and scikit-learn's, fitted alike, and their rows."""
    X, y = data_of(kind, n_rows)
    X = container(np.where(np.abs(X) < 0.4, 0, X))
    name = "MLPClassifier" if "label" in kind else "MLPRegressor"
    params = {
        "hidden_layer_sizes": (8, 5), "batch_size": 20, "max_iter": 12,
        "random_state": 3, **params,
    }  # fmt: skip
    ours = {"MLPClassifier": MLPClassifier, "MLPRegressor": MLPRegressor}[name](
        dtype="float64", learning_rate=learning_rate or "auto", **params
    )
    own_rate = 0.01 if params.get("solver") == "sgd" else 0.001
    theirs = getattr(neural_network, name)(
        learning_rate_init=learning_rate or own_rate, **params
    )
    weight = np.random.RandomState(5).uniform(0.1, 3, n_rows) if weighted else None
    return [mlp.fit(X, y, sample_weight=weight) for mlp in (ours, theirs)], X


def assert_alike(ours, theirs, X, rtol):
    """The same weights, answers and descriptions."""
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(ours, name), getattr(theirs, name), strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)
    for name in ("n_iter_", "n_layers_", "n_outputs_", "out_activation_"):
        assert getattr(ours, name) == getattr(theirs, name), name
    found, expected = ours.predict(X), theirs.predict(X)
    np.testing.assert_allclose(found, expected, rtol=10 * rtol)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    if hasattr(theirs, "classes_"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        # Theirs is 1 - p for the first of two classes, rounded like 1.
        np.testing.assert_allclose(
            ours.predict_proba(X), theirs.predict_proba(X), rtol=10 * rtol, atol=1e-15
        )


KINDS = ["two labels", "labels", "label sets", "number"]
ALIKE = [
    *(
        {"kind": kind, "solver": solver, "activation": activation, "alpha": alpha}
        for solver, activation, (kind, alpha) in product(
            ["sgd", "adam"], ACTIVATIONS, [("two labels", 0.5), ("labels", 1e-4)]
        )
    ),
    *(
        {"kind": kind, "solver": solver, "learning_rate": 0.01}
        for kind, solver in product(KINDS, ["sgd", "adam"])
    ),
    *({"kind": kind, "weighted": True, "learning_rate": 0.01} for kind in KINDS),
    *({"kind": "numbers", "solver": solver, "alpha": 0.0} for solver in ("sgd", "adam")),
    {"kind": "numbers", "weighted": True, "alpha": 0.0},
    *({"kind": "number", "activation": activation} for activation in ACTIVATIONS),
    {"kind": "counts", "loss": "poisson"},
    {"kind": "counts", "loss": "poisson", "weighted": True, "solver": "sgd"},
    {"kind": "two labels", "container": sparse.csr_matrix, "alpha": 0.3},
    {"kind": "four labels", "container": sparse.csr_array, "solver": "sgd"},
    {"kind": "two labels", "learning_rate": 0.03, "hidden_layer_sizes": 6},
    {"kind": "two labels", "learning_rate": 0.2, "solver": "sgd", "shuffle": False},
    {"kind": "labels", "batch_size": "auto", "n_rows": 230},
    {"kind": "two labels", "batch_size": "auto", "alpha": 1.0},
    {"kind": "number", "alpha": 1.0, "shuffle": False},
    # Which stop by themselves.
    {"kind": "two labels", "max_iter": 300, "tol": 0.05, "n_iter_no_change": 3},
    {"kind": "number", "max_iter": 300, "tol": 0.01, "n_iter_no_change": 3},
    {"kind": "two labels", "early_stopping": True, "max_iter": 300, "n_iter_no_change": 3},
    {"kind": "two labels", "early_stopping": True, "validation_fraction": 0.25},
    {"kind": "two labels", "early_stopping": True, "weighted": True},
    {"kind": "label sets", "early_stopping": True},
    {"kind": "number", "early_stopping": True, "validation_fraction": 0.2},
]


@pytest.mark.parametrize("case", ALIKE, ids=str)
def test_mini_batches(case):
    (ours, theirs), X = fit_both(**case)
    # They follow the gradient of the sum over outputs, and show the mean.
    factor = 3 if case["kind"] == "numbers" else 1
    expected = factor * np.array(theirs.loss_curve_)
    np.testing.assert_allclose(ours.loss_curve_, expected, rtol=1e-9)
    assert ours.loss_ == ours.loss_curve_[-1]
    assert_alike(ours, theirs, X, 1e-8)
    if case.get("max_iter"):
        assert ours.n_iter_ < 300
    if case.get("early_stopping"):
        scores = theirs.validation_scores_
        np.testing.assert_allclose(ours.validation_scores_, scores, rtol=1e-9)
        np.testing.assert_allclose(ours.best_validation_score_, max(scores), rtol=1e-9)
        assert ours.best_loss_ is theirs.best_loss_ is None
    else:
        np.testing.assert_allclose(ours.best_loss_, factor * theirs.best_loss_, rtol=1e-9)


@pytest.mark.parametrize(
    "case",
    [
        *(
            {"kind": kind, "container": container, "activation": activation, "alpha": 0.1}
            for kind, container, activation in product(
                ["two labels", "labels"], [np.asarray, sparse.csr_matrix], ACTIVATIONS
            )
        ),
        *({"kind": kind, "weighted": w} for kind in KINDS for w in (False, True)),
    ],
    ids=str,
)
def test_lbfgs(case):
    (ours, theirs), X = fit_both(**case, solver="lbfgs")
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=1e-6)
    assert_alike(ours, theirs, X, 1e-5)
    assert len(ours.loss_curve_) == ours.n_iter_


@pytest.mark.parametrize("kind", ["two labels", "labels", "number"])
def test_lbfgs_iteration_by_iteration(kind):
    (ours, _), _ = fit_both(kind, solver="lbfgs")  # whose curve scikit-learn does not keep
    ends = [fit_both(kind, solver="lbfgs", max_iter=n + 1)[0][1].loss_ for n in range(12)]
    np.testing.assert_allclose(ours.loss_curve_, ends, rtol=1e-7)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_adaptive_rates(early_stopping, monkeypatch):
    rates, numbers = set(), SGD.numbers

    def spy(solver, n_steps, learning_rate, *args):
        rates.add(learning_rate)
        return numbers(solver, n_steps, learning_rate, *args)

    monkeypatch.setattr(SGD, "numbers", spy)
    X, y = data_of("labels")
    params = {
        "hidden_layer_sizes": (8, 5), "batch_size": 20, "max_iter": 300, "solver": "sgd",
        "tol": 0.02, "n_iter_no_change": 2, "random_state": 3, "learning_rate": "adaptive",
        "early_stopping": early_stopping,
    }  # fmt: skip
    if early_stopping:  # of three classes, ours would be stratified
        y = y == 1
    theirs = neural_network.MLPClassifier(learning_rate_init=0.01, **params).fit(X, y)
    ours = MLPClassifier(dtype="float64", **params).fit(X, y)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.coefs_[1], theirs.coefs_[1], rtol=1e-8)
    assert ours.n_iter_ < 300
    np.testing.assert_allclose(sorted(rates), 0.01 / 5.0 ** np.arange(7)[::-1])
    assert min(rates) < 1e-6


def test_loss_of_several_outputs_is_their_sum():
    X, y = data_of("numbers")
    mlp = MLPRegressor(
        (4,), dtype="float64", alpha=0, learning_rate=1e-12, max_iter=1, random_state=0
    ).fit(X, y)
    expected = 0.5 * ((mlp.predict(X) - y) ** 2).sum(axis=1).mean()
    np.testing.assert_allclose(mlp.loss_, expected, rtol=1e-6)
