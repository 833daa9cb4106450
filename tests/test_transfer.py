"""Networks that start from other networks, and layers that learn as they are told."""

import numpy as np
import pytest
from _estimators import (
    LABELS,
    NETWORKS,
    SUPERVISED,
    WEIGHT,
    build,
    small_rbm,
    target,
)
from _estimators import ROWS as X
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import (
    RBM,
    DBNClassifier,
    StackedRBM,
)
from skdbn.optimizers import SGD, Adam, Clipped
from skdbn.schedules import Ramp

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# -- which layers learn, and how fast -----------------------------------------------------
@pytest.mark.parametrize("name", SUPERVISED)
@pytest.mark.parametrize("solver", ["sgd", "adam", "cg", "lbfgs"])
def test_head_first(name, solver):
    y, options = target(name), {"solver": solver, "batch_size": 30}
    start = build(name, solver="sgd", learning_rate=1e-30).fit(X, y)
    head = build(name, **options, head_max_iter=3).fit(X, y)
    for i in range(2):
        np.testing.assert_array_equal(head.coefs_[i], start.coefs_[i])
        np.testing.assert_array_equal(head.intercepts_[i], start.intercepts_[i])
    assert not np.array_equal(head.coefs_[2], start.coefs_[2])
    assert not np.array_equal(head.intercepts_[2], start.intercepts_[2])
    both = build(name, **options, head_max_iter=2, max_iter=5).fit(X, y)
    assert not np.array_equal(both.coefs_[0], start.coefs_[0])
    assert 2 < both.n_iter_ <= 5


def test_head_first_is_two_fits():
    y = target("MLPRegressor")
    once = build(
        "MLPRegressor", head_max_iter=2, max_iter=4, solver=SGD(0.5), shuffle=False
    ).fit(X, y)
    rates = {"learning_rate": [0, 0, 0.01], "max_iter": 2}
    twice = build(
        "MLPRegressor", solver=SGD(0.5), shuffle=False, warm_start=True, **rates
    ).fit(X, y)
    twice.set_params(learning_rate=0.01).fit(X, y)
    for a, b in zip(once.coefs_, twice.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_head_comes_first_in_parts_too():
    y, options = target("MLPRegressor"), {"head_max_iter": 2, "shuffle": False}
    fitted = build("MLPRegressor", max_iter=4, **options).fit(X, y)
    parts = build("MLPRegressor", max_iter=4, **options)
    for _ in range(4):
        parts.partial_fit(X, y)
    for a, b in zip(fitted.coefs_, parts.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_patience_begins_after_the_head():
    y = target("MLPRegressor")
    mlp = build(
        "MLPRegressor", head_max_iter=20, max_iter=40, tol=1e9, n_iter_no_change=3
    ).fit(X, y)
    assert mlp.n_iter_ == 24


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs", Clipped(Adam())])
def test_layers_that_stay(name, solver):
    y = target(name)
    n_layers = 4 if name == "DBNAutoencoder" else 3
    still = build(name, solver="sgd", learning_rate=1e-30).fit(X, y)
    rates = [0, *["auto"] * (n_layers - 1)]
    fitted = build(name, solver=solver, learning_rate=rates).fit(X, y)
    np.testing.assert_array_equal(fitted.coefs_[0], still.coefs_[0])
    np.testing.assert_array_equal(fitted.intercepts_[0], still.intercepts_[0])
    for i in range(1, n_layers):
        assert not np.array_equal(fitted.coefs_[i], still.coefs_[i])
        assert not np.array_equal(fitted.intercepts_[i], still.intercepts_[i])


@pytest.mark.parametrize("solver", ["sgd", Clipped(Adam())])
def test_layers_that_stay_are_not_shortened(solver):
    still = build("MLPRegressor", learning_rate=1e-30).fit(X, target("MLPRegressor"))
    options = {"learning_rate": [0, 0.1, 0.1], "max_norm": 0.01, "solver": solver}
    fitted = build("MLPRegressor", **options).fit(X, target("MLPRegressor"))
    np.testing.assert_array_equal(fitted.coefs_[0], still.coefs_[0])
    assert np.linalg.norm(fitted.coefs_[1], axis=0).max() <= 0.01 * (1 + 1e-6)


@pytest.mark.parametrize("solver", ["lbfgs", "cg", "adam"])
def test_the_head_takes_no_more_than_max_iter(solver):
    y = target("MLPRegressor")
    mlp = build("MLPRegressor", solver=solver, head_max_iter=5, max_iter=3, tol=1e-9)
    assert mlp.fit(X, y).n_iter_ == 3


@pytest.mark.parametrize("solver", ["sgd", "adam", "rmsprop", Clipped(SGD(), 0.1)])
def test_rates_of_layers(solver):
    y = target("MLPRegressor")
    one = build("MLPRegressor", solver=solver, learning_rate=0.02).fit(X, y)
    alike = build("MLPRegressor", solver=solver, learning_rate=[0.02] * 3).fit(X, y)
    for a, b in zip(
        one.coefs_ + one.intercepts_, alike.coefs_ + alike.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    array = build("MLPRegressor", solver=solver, learning_rate=np.full(3, 0.02)).fit(X, y)
    np.testing.assert_array_equal(array.coefs_[0], alike.coefs_[0])
    rates = [1e-4, Ramp(1e-3, 1e-4), 1e-2]
    step = {"max_iter": 1, "solver": solver, "batch_size": 60}
    start = build("MLPRegressor", learning_rate=1e-30, **step).fit(X, y)
    several = build("MLPRegressor", learning_rate=rates, **step).fit(X, y)
    for i, rate in enumerate([1e-4, 1e-3, 1e-2]):
        single = build("MLPRegressor", learning_rate=rate, **step).fit(X, y)
        for name in ("coefs_", "intercepts_"):
            moved = getattr(several, name)[i] - getattr(start, name)[i]
            expected = getattr(single, name)[i] - getattr(start, name)[i]
            np.testing.assert_allclose(moved, expected, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize(
    ("rates", "match"),
    [
        ([0.1], None),
        ([0.1, 0.1], "learning_rate is a list of 2, but the network has 3 layers"),
        ([0, 0, 0], "leaves every layer as it is"),
        ([0.1, -1, 0.1], "must hold positive numbers.*got -1"),
        ([0.1, np.nan, 0.1], "must hold positive numbers.*got nan"),
        ([0.1, "fast", 0.1], "must hold positive numbers.*got 'fast'"),
    ],
)
def test_lists_of_rates(rates, match):
    mlp = build("MLPRegressor", learning_rate=rates)
    if match is None:
        assert mlp.fit(X, target("MLPRegressor")).loss_ > 0
    else:
        with pytest.raises(ValueError, match=match):
            mlp.fit(X, target("MLPRegressor"))


# -- where the weights start from ---------------------------------------------------------
def sources():
    stack = StackedRBM((4, 3), rbm=small_rbm(), random_state=0).fit(X)
    return {
        "stack": (stack, stack._encoder()),
        **{
            name: (fitted, (fitted.coefs_[:2], fitted.intercepts_[:2]))
            for name in ("DBNClassifier", "MLPRegressor", "MLPClassifier")
            for fitted in [build(name).fit(X, target(name))]
        },
        **{
            name: (fitted, (fitted.coefs_[:2], fitted.intercepts_[:2]))
            for name in ("DBNAutoencoder",)
            for fitted in [build(name, hidden_layer_sizes=(4, 3)).fit(X)]
        },
    }


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_start_weights_of_a_fitted_network(name):
    for source, (coefs, intercepts, *_) in sources().values():
        options = {"init": FrozenEstimator(source), "learning_rate": 1e-30}
        fitted = build(name, **options).fit(X, target(name))
        for i in range(2):
            np.testing.assert_allclose(fitted.coefs_[i], coefs[i], rtol=1e-6)
            np.testing.assert_allclose(fitted.intercepts_[i], intercepts[i], rtol=1e-6)
        np.testing.assert_allclose(fitted.transform(X), source.transform(X), rtol=1e-5)
        trained = build(name, init=FrozenEstimator(source)).fit(X, target(name))
        assert not np.array_equal(trained.coefs_[0], coefs[0])
        assert not np.shares_memory(trained.coefs_[0], coefs[0])


def test_start_weights_of_the_first_layers_only():
    stack = StackedRBM((4,), rbm=small_rbm(), random_state=0).fit(X)
    options = {"init": FrozenEstimator(stack), "learning_rate": [0, 0.1, 0.1]}
    mlp = build("MLPClassifier", activation="tanh", **options).fit(X, LABELS)
    np.testing.assert_array_equal(mlp.coefs_[0], stack[0].components_.T)
    hidden = mlp.layer_activations(X)
    np.testing.assert_allclose(hidden[0], stack.transform(X), rtol=1e-6)
    expected = np.tanh(hidden[0] @ mlp.coefs_[1] + mlp.intercepts_[1])
    np.testing.assert_allclose(hidden[1], expected, rtol=1e-5)


def test_start_weights_that_are_given():
    fitted = build("MLPClassifier").fit(X, LABELS)
    arrays = (fitted.coefs_, fitted.intercepts_)
    again = build("MLPClassifier", init=arrays, learning_rate=1e-30).fit(X, LABELS)
    np.testing.assert_allclose(again.predict_proba(X), fitted.predict_proba(X), rtol=1e-6)
    # Going on from there is a warm start.
    warm = build("MLPClassifier", warm_start=True, shuffle=False).fit(X, LABELS)
    arrays = ([c.copy() for c in warm.coefs_], [b.copy() for b in warm.intercepts_])
    cold = build("MLPClassifier", init=arrays, shuffle=False).fit(X, LABELS)
    np.testing.assert_array_equal(warm.fit(X, LABELS).coefs_[0], cold.coefs_[0])
    assert repr(clone(again)) == repr(again)


@pytest.mark.parametrize(
    ("init", "error", "match"),
    [
        (FrozenEstimator(LogisticRegression()), TypeError, "must hold a fitted StackedRBM"),
        (([np.ones((5, 4))],), ValueError, "a pair of lists"),
        (([np.ones((5, 4))], []), ValueError, r"one array of each .* got \[1, 0\]\. Use"),
        ((1, 2), ValueError, r"a pair of lists.* got \['int', 'int'\]"),
        ((1, 2, 3), ValueError, r"a pair of lists.* got \['int', 'int', 'int'\]"),
        ((), ValueError, r"a pair of lists.* got \[\]"),
        ((np.ones((5, 4)), np.ones(4)), ValueError, r"got \['ndarray', 'ndarray'\]"),
        (([{}], [np.ones(4)]), ValueError, "init must hold arrays of numbers: float"),
        ((["a"], [np.ones(4)]), ValueError, "init must hold arrays of numbers: could"),
        (
            ([np.ones((4, 4))], [np.ones(4)]),
            ValueError,
            r"init has .*\(4, 4\).* need .*\(5, 4\)",
        ),
        (([np.full((5, 4), np.nan)], [np.ones(4)]), ValueError, "NaN or infinite"),
        (
            ([np.ones((5, 4))] * 5, [np.ones(4)] * 5),
            ValueError,
            "init has weights and biases",
        ),
    ],
)
def test_start_weights_that_do_not_fit(init, error, match):
    with pytest.raises(error, match=match):
        build("MLPClassifier", init=init).fit(X, LABELS)


def test_an_encoder_has_no_weights_of_the_outputs():
    stack = StackedRBM((4, 3), rbm=small_rbm(), random_state=0).fit(X)
    options = {"hidden_layer_sizes": (4,), "init": FrozenEstimator(stack)}
    with pytest.raises(ValueError, match="init has weights and biases"):
        build("MLPClassifier", **options).fit(X, LABELS)  # of 3 classes


def test_unfitted_start_weights():
    with pytest.raises(ValueError, match="not fitted"):
        build("MLPClassifier", init=FrozenEstimator(StackedRBM((4, 3)))).fit(X, LABELS)


# -- unlabelled rows ----------------------------------------------------------------------
@pytest.mark.parametrize("name", ["DBNClassifier", "DBNRegressor"])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_unlabelled_rows_are_pretrained_on(name, container):
    y, rows = target(name), container(X)
    semi = build(name).fit(rows[:20], y[:20], X_unlabeled=rows[20:])
    stack = semi.stack_
    expected = clone(stack).fit(rows)
    np.testing.assert_array_equal(stack[0].components_, expected[0].components_)
    tuned = build(name, rbm=FrozenEstimator(stack), learning_rate=1e-30).fit(
        rows[:20], y[:20]
    )
    np.testing.assert_allclose(tuned.transform(X), stack.transform(X), rtol=1e-5)
    alone = build(name).fit(rows[:20], y[:20])
    assert not np.array_equal(alone.stack_[0].components_, stack[0].components_)
    assert semi.n_evaluations_ == alone.n_evaluations_
    weighted = build(name).fit(rows[:20], y[:20], WEIGHT[:20], X_unlabeled=rows[20:])
    expected.fit(rows, sample_weight=np.r_[WEIGHT[:20], np.ones(40)])
    np.testing.assert_array_equal(weighted.stack_[0].components_, expected[0].components_)


def test_unlabelled_rows_in_a_pipeline():
    from sklearn import config_context

    raw = 3 + 2 * np.vstack([np.zeros(5), np.ones(5), X[2:]])
    with config_context(enable_metadata_routing=True):
        dbn = build("DBNClassifier").set_fit_request(X_unlabeled=True, sample_weight=True)
        pipeline = Pipeline(
            [("scale", MinMaxScaler()), ("dbn", dbn)], transform_input=["X_unlabeled"]
        )
        pipeline.fit(raw[:30], LABELS[:30], X_unlabeled=raw[30:], sample_weight=WEIGHT[:30])
    scaler = MinMaxScaler().fit(raw[:30])
    scaled = scaler.transform(raw)
    expected = build("DBNClassifier").fit(
        scaled[:30], LABELS[:30], WEIGHT[:30], X_unlabeled=scaled[30:]
    )
    np.testing.assert_array_equal(
        pipeline.predict_proba(raw), expected.predict_proba(scaled)
    )


def test_unlabelled_rows_in_a_search():
    grid = {"alpha": [0.0, 1.0]}
    search = GridSearchCV(build("DBNClassifier"), grid, cv=2)
    search.fit(X[:30], LABELS[:30], X_unlabeled=X[30:50])
    best = build("DBNClassifier", **search.best_params_)
    best.fit(X[:30], LABELS[:30], X_unlabeled=X[30:50])
    np.testing.assert_array_equal(search.predict_proba(X), best.predict_proba(X))


def test_unlabelled_rows_that_do_not_fit():
    dbn = build("DBNClassifier")
    for rows, match in (
        (X[:, :3], "X has 3 features"),
        (X * np.nan, "contains NaN"),
        (2 * X, r"need data in \[0, 1\], but 5 of 5 columns"),
    ):
        with pytest.raises(ValueError, match=rf"^In X_unlabeled: .*{match}"):
            dbn.fit(X, LABELS, X_unlabeled=rows)
    with pytest.raises(ValueError, match=r"^Bernoulli visible units need data"):
        dbn.fit(2 * X, LABELS, X_unlabeled=X)
    stack = StackedRBM((4, 3), rbm=small_rbm(), random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"FrozenEstimator.* is not trained again"):
        build("DBNClassifier", rbm=FrozenEstimator(stack)).fit(X, LABELS, X_unlabeled=X)


@pytest.mark.parametrize("name", ["DBNClassifier", "DBNRegressor"])
def test_a_warm_start_makes_no_use_of_unlabelled_rows(name, monkeypatch):
    y = target(name)[:20]
    pair = [build(name, warm_start=True).fit(X[:20], y) for _ in range(2)]
    monkeypatch.delattr("skdbn._base.with_more_rows")  # nor a copy of them
    pair[0].fit(X[:20], y, X_unlabeled=X[20:])
    np.testing.assert_array_equal(pair[0].coefs_[0], pair[1].fit(X[:20], y).coefs_[0])
    with pytest.raises(ValueError, match=r"^In X_unlabeled: X has 3 features"):
        pair[0].fit(X[:20], y, X_unlabeled=X[20:, :3])


def test_few_labels():
    """Pretraining on all digits helps a network that sees ten labels of each."""
    digits, labels = load_digits(return_X_y=True)
    digits = digits / 16
    few, rest, y_few, y_rest = train_test_split(
        digits, labels, train_size=100, stratify=labels, random_state=0
    )
    dbn = DBNClassifier(
        (100,), rbm=RBM(max_iter=10), solver="sgd", max_iter=60, tol=None, random_state=0
    )
    alone = clone(dbn).fit(few, y_few).score(rest, y_rest)
    semi = clone(dbn).fit(few, y_few, X_unlabeled=rest).score(rest, y_rest)
    assert semi > alone
    assert semi > 0.8
