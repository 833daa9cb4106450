"""Networks with targets: what they are fitted to, from where, and on which rows."""

import numpy as np
import pytest
from _estimators import (
    CLASSIFIERS,
    LABELS,
    NETWORKS,
    REGRESSORS,
    SUPERVISED,
    WEIGHT,
    build,
    small_rbm,
    target,
)
from _estimators import ROWS as X
from scipy import sparse
from scipy.special import expit
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.class_weight import compute_sample_weight

from skdbn import (
    RBM,
    DBNRegressor,
    MLPClassifier,
    MLPRegressor,
    StackedRBM,
)
from skdbn._network_problem import NetworkProblem
from skdbn.activations import LeakyReLU
from skdbn.losses import BinaryLogLoss, LogLoss, Loss, PoissonLoss, SquaredError
from skdbn.optimizers import SGD, Adam, Averaged
from skdbn.schedules import Ramp
from skdbn.units import UNITS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# -- weights of rows and classes ----------------------------------------------------------
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_of_no_weight_are_not_there(name):
    """Neither in pretraining nor after it."""
    y, weight = target(name), np.where(np.arange(60) < 45, WEIGHT, 0.0)
    options = {"batch_size": 10, "early_stopping": True}
    weighted = build(name, **options).fit(X, y, weight)
    without = build(name, **options).fit(X[:45], y[:45], WEIGHT[:45])
    np.testing.assert_allclose(weighted.coefs_[0], without.coefs_[0], rtol=1e-5, atol=1e-7)
    for curve in ("loss_curve_", "validation_scores_"):
        expected = getattr(without, curve)
        np.testing.assert_allclose(getattr(weighted, curve), expected, rtol=1e-5)
    scaled = build(name, **options, alpha=0.0).fit(X, y, 4 * weight)
    unscaled = build(name, **options, alpha=0.0).fit(X, y, weight)
    np.testing.assert_allclose(scaled.coefs_[0], unscaled.coefs_[0], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("weight", "match"),
    [
        (WEIGHT[:-1], "sample_weight.shape == "),
        (-WEIGHT, "[Nn]egative values in data passed to `sample_weight`"),
        (WEIGHT * np.nan, "contains NaN"),
        (np.zeros(60), "at least one non-zero"),
        (np.stack([WEIGHT, WEIGHT]), "must be 1D array or scalar"),
    ],
)
def test_bad_sample_weight(name, weight, match):
    for method in ("fit", "partial_fit"):
        classes = known(name) if method == "partial_fit" else {}
        with pytest.raises(ValueError, match=match):
            getattr(build(name), method)(X, target(name), sample_weight=weight, **classes)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1, 1: 5, 2: 0.1}, {1: 3}])
def test_class_weights_are_sample_weights(name, class_weight):
    given = compute_sample_weight(class_weight, LABELS)
    by_class = build(name, class_weight=class_weight).fit(X, LABELS)
    by_row = build(name).fit(X, LABELS, given)
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-6)
    np.testing.assert_allclose(by_class.loss_curve_, by_row.loss_curve_, rtol=1e-6)
    both = build(name, class_weight={0: 1, 1: 5, 2: 0.1}).fit(X, LABELS, WEIGHT)
    expected = build(name).fit(X, LABELS, WEIGHT * np.array([1, 5, 0.1])[LABELS])
    np.testing.assert_allclose(both.coefs_[0], expected.coefs_[0], rtol=1e-6)


def test_balanced_classes_count_alike_also_with_weights():
    weighted = build("MLPClassifier", class_weight="balanced").fit(X, LABELS, WEIGHT)
    total = np.bincount(LABELS, WEIGHT)
    by_row = build("MLPClassifier").fit(X, LABELS, WEIGHT / total[LABELS])
    np.testing.assert_allclose(weighted.coefs_[0], by_row.coefs_[0], rtol=1e-2, atol=1e-4)


def test_class_weights_of_label_sets():
    Y = (X[:, :2] > 0.4).astype(int)
    given = [{0: 1, 1: 3}, {0: 2, 1: 1}]
    by_class = build("MLPClassifier", class_weight=given).fit(X, Y)
    by_row = build("MLPClassifier").fit(X, Y, compute_sample_weight(given, Y))
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-6)
    with pytest.raises(
        ValueError, match="class_weight is a list of 2, but y has 1 columns"
    ):
        build("MLPClassifier", class_weight=given).fit(X, LABELS)


@pytest.mark.parametrize(
    "class_weight", [{0: -1}, {0: 0, 1: 0, 2: 0}, {1: np.nan}, {2: np.inf}]
)
def test_class_weights_that_cannot_be(class_weight):
    mlp = build("MLPClassifier", class_weight=class_weight)
    with pytest.raises(ValueError, match=r"class_weight=.* makes weights of the rows"):
        mlp.fit(X, LABELS)
    with pytest.raises(ValueError, match=r"class_weight=.* makes weights of the rows"):
        mlp.partial_fit(X, LABELS, [0, 1, 2], sample_weight=WEIGHT)
    with pytest.raises(ValueError, match="are not in class_weight"):
        build("MLPClassifier", class_weight={0: 2, 9: 1}).fit(X, LABELS)


def test_class_weights_where_a_class_is_missing():
    factors, part = np.array([1.0, 5.0, 1.0]), LABELS != 1
    by_class = build("MLPClassifier", class_weight={1: 5})
    by_class.partial_fit(X[part], LABELS[part], [0, 1, 2]).partial_fit(X, LABELS)
    by_row = build("MLPClassifier")
    by_row.partial_fit(X[part], LABELS[part], [0, 1, 2], factors[LABELS[part]])
    by_row.partial_fit(X, LABELS, sample_weight=factors[LABELS])
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-6)
    sets, ones = np.zeros((60, 2), int), [{0: 1, 1: 3}, {0: 2, 1: 1}]
    sets[:30, 0] = 1  # and no 1 in the other column
    by_class = build("MLPClassifier", class_weight=ones).partial_fit(X, sets)
    expected = build("MLPClassifier").partial_fit(
        X, sets, sample_weight=np.where(sets[:, 0], 6.0, 2.0)
    )
    np.testing.assert_allclose(by_class.coefs_[0], expected.coefs_[0], rtol=1e-6)


@pytest.mark.parametrize("class_weight", ["balanced", {2: 9, 1: 5}])
def test_a_validation_set_has_the_class_weights_of_training(class_weight):
    factors = np.array([1, 5, 9])
    if class_weight == "balanced":
        factors = 20 / np.bincount(LABELS)
    # Other shares than in training, and none of the third class.
    rows = np.r_[np.flatnonzero(LABELS == 0)[:12], np.flatnonzero(LABELS == 1)[:3]]
    given = {"X_val": X[rows], "y_val": LABELS[rows]}
    weighted = build("MLPClassifier", class_weight=class_weight).fit(X, LABELS, **given)
    expected = build("MLPClassifier").fit(
        X, LABELS, factors[LABELS], **given, sample_weight_val=factors[LABELS[rows]]
    )
    np.testing.assert_allclose(
        weighted.validation_loss_curve_, expected.validation_loss_curve_, rtol=1e-5
    )
    np.testing.assert_allclose(
        weighted.validation_scores_, expected.validation_scores_, rtol=1e-6
    )


def test_weighted_rows_pull():
    """Two rows that say the opposite: the heavier one is believed."""
    rows, labels = np.zeros((2, 1)), np.array([0, 1])
    mlp = MLPClassifier((3,), solver="lbfgs", alpha=0, dtype="float64", random_state=0)
    P = mlp.fit(rows, labels, [1.0, 3.0]).predict_proba(rows)
    np.testing.assert_allclose(P[0], [0.25, 0.75], atol=1e-4)
    mlp.set_params(class_weight={0: 9, 1: 1})
    np.testing.assert_allclose(
        mlp.fit(rows, labels, [1.0, 3.0]).predict_proba(rows)[0, 1], 0.25, atol=1e-4
    )


# -- label sets ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_label_sets(name):
    Y = (X[:, :3] > 0.5).astype(int)
    fitted = build(name, max_iter=200, learning_rate=0.03).fit(X, Y)
    assert fitted.predict(X).shape == fitted.predict_proba(X).shape == (60, 3)
    np.testing.assert_array_equal(fitted.predict(X), fitted.predict_proba(X) > 0.5)
    np.testing.assert_array_equal(fitted.classes_, [0, 1, 2])
    assert fitted.out_activation_ == "logistic"
    assert accuracy_score(Y, fitted.predict(X)) == fitted.score(X, Y)
    from_sparse = build(name, max_iter=200, learning_rate=0.03).fit(X, sparse.csr_array(Y))
    np.testing.assert_array_equal(from_sparse.predict_proba(X), fitted.predict_proba(X))
    assert build(name, early_stopping=True).fit(X, Y).validation_scores_


def test_label_sets_and_labels_do_not_mix():
    Y = (X[:, :3] > 0.5).astype(int)
    mlp = build("MLPClassifier", warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="an indicator matrix in the other"):
        mlp.fit(X, LABELS)
    with pytest.raises(ValueError, match=r"y has 2 outputs, but the network .* has 3"):
        mlp.fit(X, Y[:, :2])


# -- losses -------------------------------------------------------------------------------
class Huber(Loss):
    """The loss of docs/design.md, in plain NumPy."""

    activation = "identity"

    def __init__(self, width=1.0):
        self.width = width

    def link(self, z, bias):
        z += bias

    def gradient(self, z, bias, target, losses):
        z += bias - target
        near = np.abs(z) <= self.width
        rows = np.where(near, 0.5 * z**2, self.width * (np.abs(z) - 0.5 * self.width))
        losses[:] = rows.sum(axis=1)
        np.clip(z, -self.width, self.width, out=z)


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_loss_of_ones_own(name):
    y = target(name)
    wide = build(name, loss=Huber(1e6), solver="sgd").fit(X, y)
    squared = build(name, solver="sgd").fit(X, y)
    np.testing.assert_allclose(wide.predict(X), squared.predict(X), rtol=1e-5)
    narrow = build(name, loss=Huber(0.1), solver="sgd").fit(X, y)
    assert not np.allclose(narrow.predict(X), squared.predict(X))
    assert narrow.get_params()["loss__width"] == 0.1
    assert clone(narrow).loss.width == 0.1


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(
    "loss", ["log_loss", "binary_log_loss", "squared_error", SquaredError("logistic")]
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_losses_of_classifiers(name, loss, n_classes):
    y = np.digitize(X[:, 0], [0.5] if n_classes == 2 else [0.33, 0.66])
    fitted = build(name, loss=loss, max_iter=300, learning_rate=0.03).fit(X, y)
    softmax = loss == "log_loss" and n_classes == 3
    assert fitted.out_activation_ == ("softmax" if softmax else "logistic")
    P = fitted.predict_proba(X)
    assert P.shape == (60, n_classes)
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), P.argmax(axis=1))
    assert fitted.score(X, y) > 0.6
    assert fitted.loss_ < fitted.loss_curve_[0]


def test_binary_cross_entropy_of_numbers_between_0_and_1():
    y = 1 / (1 + np.exp(-(4 * X[:, 0] - 2)))
    mlp = MLPRegressor((8,), loss="binary_log_loss", solver="lbfgs", random_state=0)
    assert mlp.fit(X, y).score(X, y) > 0.99
    assert (np.abs(mlp.predict(X) - 0.5) < 0.5).all()


@pytest.mark.parametrize(
    ("loss", "y", "match"),
    [
        ("binary_log_loss", 2 * X[:, 0], r"needs targets in \[0, 1\]"),
        ("poisson", X[:, 0] - 0.5, r"needs targets in \[0, inf\]"),
        ("log_loss", X[:, :3] - 0.5, r"needs targets in \[0, inf\]"),
        (LogLoss((2, 2)), X[:, :3], "add up to the 3 units"),
        ("log_loss", X[:, 0], "a softmax of two outputs or more"),
        (LogLoss((2, 1)), X[:, :3], "a softmax of two outputs or more"),
    ],
)
def test_targets_that_a_loss_cannot_have(loss, y, match):
    with pytest.raises(ValueError, match=match):
        build("MLPRegressor", loss=loss).fit(X, y)


@pytest.mark.parametrize("loss", ["binary_log_loss", "poisson", "log_loss"])
def test_targets_of_a_loss_may_be_rounded(loss):
    """As MinMaxScaler rounds what it scales to [0, 1]."""
    y = np.where(X[:, :2] > 0.5, 1 + 1e-7, -1e-7)
    assert np.isfinite(build("MLPRegressor", loss=loss).fit(X, y).loss_)
    autoencoder = build("DBNAutoencoder", visible="gaussian", loss=loss)
    assert np.isfinite(autoencoder.fit(y).loss_)
    with pytest.raises(ValueError, match="but they range from -1e-05 to"):
        build("MLPRegressor", loss=loss).fit(X, np.where(y > 0, y, -1e-5))


def test_targets_of_an_autoencoder_are_no_y():
    for loss, rows in (("poisson", X - 0.5), ("log_loss", X[:, :1])):
        autoencoder = build("DBNAutoencoder", visible="gaussian", loss=loss)
        with pytest.raises(ValueError, match="targets") as caught:
            autoencoder.fit(rows)
        assert " y " not in str(caught.value)


def test_a_softmax_of_one_output_is_refused():
    with pytest.raises(ValueError, match="two classes have one output"):
        build("MLPClassifier", loss=LogLoss()).fit(X, LABELS > 0)
    assert build("MLPClassifier", loss=LogLoss()).fit(X, LABELS).loss_ > 0


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_losses_whose_outputs_are_no_probabilities(name):
    sets = (X[:, :3] > 0.5).astype(int)
    for loss in (SquaredError(), SquaredError("tanh"), PoissonLoss(), Huber()):
        for y in (LABELS, LABELS > 0, sets):
            with pytest.raises(ValueError, match="but a classifier needs probabilities"):
                build(name, loss=loss).fit(X, y)
    for loss in (LogLoss(), SquaredError("softmax")):
        with pytest.raises(ValueError, match="labels a row have outputs that do not excl"):
            build(name, loss=loss).fit(X, sets)
    with pytest.raises(ValueError, match="add up to the 3 units"):
        build(name, loss=LogLoss((2, 2))).fit(X, LABELS)
    groups = build(name, loss=LogLoss((2, 2))).fit(X, np.arange(60) % 4)
    np.testing.assert_allclose(groups.predict_proba(X).sum(axis=1), 1, rtol=1e-6)


def test_a_fitted_network_does_not_change_with_the_parameters():
    steep = build("MLPRegressor", activation=LeakyReLU(0.5), loss=SquaredError("logistic"))
    y = X.mean(axis=1)
    before = steep.fit(X, y).predict(X)
    steep.set_params(activation__slope=0.1, loss__activation="identity")
    np.testing.assert_array_equal(steep.predict(X), before)


def test_an_activation_with_a_parameter():
    pair = [build("MLPClassifier", activation=a) for a in (LeakyReLU(0.5), "leaky_relu")]
    steep, shallow = (mlp.fit(X, LABELS).predict_proba(X) for mlp in pair)
    assert not np.allclose(steep, shallow)
    expected = build("MLPClassifier", activation=LeakyReLU(1.0)).fit(X, LABELS)
    linear = build("MLPClassifier", activation="identity").fit(X, LABELS)
    np.testing.assert_allclose(
        expected.predict_proba(X), linear.predict_proba(X), rtol=1e-5
    )


# -- partial_fit --------------------------------------------------------------------------
def known(name):
    return {"classes": [0, 1, 2]} if name in CLASSIFIERS else {}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("solver", ["sgd", "adam", Averaged(Adam(), decay=0.9), "cg"])
def test_partial_fit_is_fit_in_pieces(name, solver):
    y, options = target(name), {"solver": solver, "batch_size": 7, "shuffle": False}
    rate = Ramp(0.02, 0.001, n_epochs=None)
    pieces = build(name, learning_rate=rate, **options)
    for _ in range(3):
        pieces.partial_fit(X, y, **known(name))
    fitted = build(name, learning_rate=rate, **options).fit(X, y)
    for a, b in zip(pieces.coefs_, fitted.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)
    np.testing.assert_allclose(pieces.loss_curve_, fitted.loss_curve_, rtol=1e-6)
    assert pieces.n_iter_ == 3
    assert pieces.n_evaluations_ == fitted.n_evaluations_


@pytest.mark.parametrize("name", NETWORKS)
def test_partial_fit_takes_batches(name):
    y = target(name)
    fitted = build(name, batch_size=7).partial_fit(X, y, **known(name))
    assert fitted.n_evaluations_ == 9  # of 60 rows
    assert fitted.partial_fit(X[:8], y[:8]).n_evaluations_ == 11
    assert len(fitted.loss_curve_) == fitted.n_iter_ == 2
    weighted = build(name, batch_size=7)
    weighted.partial_fit(
        X, y, sample_weight=np.r_[np.ones(14), np.zeros(46)], **known(name)
    )
    assert weighted.n_evaluations_ == 2


def test_partial_fit_of_classifiers():
    mlp = build("MLPClassifier")
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        mlp.partial_fit(X, LABELS)
    mlp.partial_fit(X[:1], LABELS[:1], [0, 1, 2])
    assert mlp.predict_proba(X).shape == (60, 3)
    mlp.partial_fit(X[1:2], LABELS[1:2], classes=[2, 1, 0])
    before = mlp.predict_proba(X)
    with pytest.raises(ValueError, match="classes must be those of the first call"):
        mlp.partial_fit(X, LABELS, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y holds \[7\], which are not"):
        mlp.partial_fit(X, np.where(LABELS == 1, 7, LABELS))
    np.testing.assert_array_equal(mlp.predict_proba(X), before)
    with pytest.raises(ValueError, match="class_weight='balanced' needs all labels"):
        build("MLPClassifier", class_weight="balanced").partial_fit(X, LABELS, [0, 1, 2])
    sets = (X > 0.5).astype(int)
    assert build("MLPClassifier").partial_fit(X, sets).predict(X).shape == (60, 5)
    some = ["balanced", *[{0: 1, 1: 2}] * 4]
    with pytest.raises(ValueError, match="class_weight='balanced' needs all labels"):
        build("MLPClassifier", class_weight=some).partial_fit(X, sets)


@pytest.mark.parametrize("name", NETWORKS)
def test_partial_fit_that_cannot_be(name):
    assert not hasattr(build(name, solver="lbfgs"), "partial_fit")
    with pytest.raises(ValueError, match="does not support early_stopping=True"):
        build(name, early_stopping=True).partial_fit(X, target(name), **known(name))


def test_an_unknown_solver_is_told_by_fit():
    mlp = build("MLPClassifier", solver="newton")
    assert hasattr(mlp, "partial_fit")
    with pytest.raises(ValueError, match="The 'solver' parameter of MLPClassifier must be"):
        mlp.partial_fit(X, LABELS, [0, 1, 2])


def test_partial_fit_goes_on_after_fit_and_after_a_failure():
    y = target("MLPRegressor")
    mlp = build("MLPRegressor").fit(X, y)
    assert mlp.partial_fit(X, y).n_iter_ == 4
    before = [c.copy() for c in mlp.coefs_]
    with pytest.raises(ValueError, match="NaN"):
        mlp.partial_fit(X * np.nan, y)
    twin = build("MLPRegressor").fit(X, y).partial_fit(X, y)
    for a, b, c in zip(
        mlp.partial_fit(X, y).coefs_, before, twin.partial_fit(X, y).coefs_, strict=True
    ):
        assert not np.array_equal(a, b)
        np.testing.assert_array_equal(a, c)


def test_partial_fit_with_another_solver_starts_from_rest():
    y = target("MLPRegressor")
    mlp = build("MLPRegressor", solver="adam").partial_fit(X, y)
    start = [[a.copy() for a in part] for part in (mlp.coefs_, mlp.intercepts_)]
    mlp.set_params(solver="sgd", shuffle=False).partial_fit(X, y)
    fresh = build("MLPRegressor", solver="sgd", shuffle=False, init=start, max_iter=1)
    np.testing.assert_array_equal(mlp.coefs_[0], fresh.fit(X, y).coefs_[0])
    assert mlp.n_iter_ == 2


@pytest.mark.parametrize("solver", ["adam", "cg", Averaged(Adam())])
@pytest.mark.parametrize("in_place", [False, True])
def test_partial_fit_goes_on_from_weights_that_are_set(solver, in_place):
    y = target("MLPRegressor")
    mlp = build("MLPRegressor", solver=solver, batch_size=7).partial_fit(X, y)
    if in_place:
        for array in (*mlp.coefs_, *mlp.intercepts_):
            array[:] = 0
    else:
        mlp.coefs_ = [np.zeros_like(coef) for coef in mlp.coefs_]
        mlp.intercepts_ = [np.zeros_like(intercept) for intercept in mlp.intercepts_]
    mlp.set_params(batch_size=60).partial_fit(X, y)
    assert mlp.loss_curve_[1] == pytest.approx(0.5 * np.mean(y**2), rel=1e-5)
    # One step of at most the learning rate, and nothing of the average of before.
    steps = [np.abs(array).max() for array in (*mlp.coefs_, *mlp.intercepts_)]
    assert solver == "cg" or max(steps) < 0.002


def test_what_partial_fit_keeps_is_not_what_the_network_has():
    y = target("MLPRegressor")
    plain = build("MLPRegressor").partial_fit(X, y)._partial_state_[1]
    assert plain.keys() == {"n_steps", "mean", "square", "frozen"}
    averaged = build("MLPRegressor", solver=Averaged(Adam()), batch_size=9)
    averaged.partial_fit(X, y)
    last = averaged._partial_state_[1]["theta"]  # from which training goes on
    mean = np.hstack([a.ravel() for a in (*averaged.coefs_, *averaged.intercepts_)])
    assert last.shape == mean.shape
    assert not np.array_equal(last, mean)


def test_each_partial_fit_has_an_order_of_its_own(monkeypatch):
    orders, step = [], NetworkProblem.step

    def spy(problem, rows, t):
        orders.append(rows.tolist())
        return step(problem, rows, t)

    monkeypatch.setattr(NetworkProblem, "step", spy)
    mlp, y = build("MLPRegressor", batch_size=60), target("MLPRegressor")
    mlp.partial_fit(X, y).partial_fit(X, y)
    first, second = orders
    assert sorted(first) == sorted(second) == list(range(60))
    assert first != second


def test_sparse_targets_of_a_regressor():
    y = sparse.csr_array(np.where(X > 0.5, X, 0))
    found = build("MLPRegressor").fit(X, y).predict(X)
    np.testing.assert_array_equal(
        found, build("MLPRegressor").fit(X, y.toarray()).predict(X)
    )


# -- validation sets ----------------------------------------------------------------------
SCORE = {"Classifier": accuracy_score, "Regressor": r2_score}


@pytest.mark.parametrize("name", SUPERVISED)
@pytest.mark.parametrize("early", [True, False])
def test_a_validation_set_of_ones_own(name, early):
    y = target(name)
    given = {"X_val": X[40:], "y_val": y[40:], "sample_weight_val": WEIGHT[40:]}
    fitted = build(name, early_stopping=early, tol=None, alpha=0.5).fit(
        X[:40], y[:40], **given
    )
    assert len(fitted.validation_scores_) == len(fitted.validation_loss_curve_) == 3
    plain = build(name, tol=None, alpha=0.5).fit(X[:40], y[:40])
    assert fitted.loss_curve_ == plain.loss_curve_  # all rows are trained on
    assert plain.validation_loss_curve_ is plain.validation_scores_ is None
    shown = fitted.score(X[40:], y[40:], WEIGHT[40:])
    if early:
        assert shown == pytest.approx(max(fitted.validation_scores_), rel=1e-5)
        assert fitted.best_loss_ is None
    else:
        assert shown == pytest.approx(fitted.validation_scores_[-1], rel=1e-5)
        np.testing.assert_array_equal(fitted.coefs_[0], plain.coefs_[0])
        assert fitted.best_loss_ == plain.best_loss_
        if name in CLASSIFIERS:
            loss = log_loss(y[40:], fitted.predict_proba(X[40:]), sample_weight=WEIGHT[40:])
        else:
            errors = (fitted.predict(X[40:]) - y[40:]) ** 2
            loss = 0.5 * np.average(errors, weights=WEIGHT[40:])
        np.testing.assert_allclose(fitted.validation_loss_curve_[-1], loss, rtol=1e-5)


def test_a_validation_set_of_an_autoencoder():
    V, weight = X[40:], WEIGHT[40:]
    fitted = build("DBNAutoencoder").fit(X[:40], X_val=V, sample_weight_val=weight)
    R = fitted.reconstruct(V)
    error = np.average((R - V) ** 2, axis=0, weights=weight).mean()
    assert fitted.validation_scores_[-1] == pytest.approx(-error, rel=1e-5)
    assert fitted.score(V, sample_weight=weight) == pytest.approx(-error, rel=1e-5)
    cross_entropy = -(V * np.log(R) + (1 - V) * np.log(1 - R)).sum(axis=1)
    expected = np.average(cross_entropy, weights=weight)
    assert fitted.validation_loss_curve_[-1] == pytest.approx(expected, rel=1e-5)
    stopped = build(
        "DBNAutoencoder", early_stopping=True, max_iter=9, tol=9.0, n_iter_no_change=1
    )
    assert stopped.fit(X[:40], X_val=X[40:]).n_iter_ < 9


def test_early_stopping_with_a_validation_set_stops():
    y = target("MLPRegressor")
    mlp = build(
        "MLPRegressor", early_stopping=True, max_iter=50, tol=1.0, n_iter_no_change=2
    )
    assert mlp.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:]).n_iter_ < 50


@pytest.mark.parametrize("name", SUPERVISED)
def test_validation_sets_that_do_not_fit(name):
    y = target(name)
    for given, match in [
        ({"X_val": X}, "X_val is given without y_val"),
        ({"y_val": y}, "y_val is given without X_val"),
        ({"X_val": X[:, :3], "y_val": y}, "In the validation set.* X has 3 features"),
        ({"X_val": X, "y_val": y[:5]}, "In the validation set.*inconsistent"),
        ({"X_val": X * np.nan, "y_val": y}, "In the validation set.*NaN"),
        ({"X_val": X, "y_val": y, "sample_weight_val": -WEIGHT}, "validation set.*egative"),
    ]:
        with pytest.raises(ValueError, match=match):
            build(name).fit(X, y, **given)
    if name in CLASSIFIERS:
        with pytest.raises(ValueError, match=r"In the validation set.*y holds \[9\]"):
            build(name).fit(X, y, X_val=X, y_val=np.full(60, 9))


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_validation_set_of_one_row_has_no_score(name):
    y = target(name)
    one = np.r_[1.0, np.zeros(4)]
    for given in (
        {"X_val": X[:1], "y_val": y[:1]},
        {"X_val": X[:5], "y_val": y[:5], "sample_weight_val": one},
    ):
        with pytest.raises(ValueError, match=r"In the validation set.* R\^2 needs two"):
            build(name).fit(X, y, **given)


def test_a_validation_set_that_an_autoencoder_cannot_have():
    with pytest.raises(ValueError, match=r"In the validation set.*need data in") as caught:
        build("DBNAutoencoder").fit(X, X_val=2 * X)
    assert "y_val" not in str(caught.value)
    wide = build("DBNAutoencoder", visible="gaussian", loss="binary_log_loss")
    with pytest.raises(ValueError, match=r"In the validation set.*targets in \[0, 1\]"):
        wide.fit(X, X_val=2 * X)
    stack = StackedRBM((4, 2), rbm=small_rbm(), random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"In the validation set.*need data in \[0, 1\]"):
        build("DBNAutoencoder", rbm=FrozenEstimator(stack)).fit(X, X_val=2 * X)


@pytest.mark.parametrize("n_classes", [2, 3, 12])
def test_held_out_rows_are_stratified(n_classes):
    """In one column, of which scikit-learn makes the same as of a matrix."""
    y, rows = np.random.RandomState(0).randint(0, n_classes, 300), np.arange(290)
    mlp = build("MLPClassifier").fit(np.arange(300)[:, None], y)
    targets = mlp._check_targets(y, reset=False)
    assert mlp._stratify(targets, rows).shape == (290,)
    found = mlp._split(targets, rows, np.random.RandomState(0))
    expected = train_test_split(
        rows, test_size=0.1, random_state=0, stratify=y[:290, np.newaxis]
    )
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("tol", [None, 0.0])
def test_an_equal_score_is_an_improvement_only_with_a_tol(tol):
    mlp = build("MLPClassifier", tol=tol, max_iter=20, n_iter_no_change=3)
    mlp.set_params(early_stopping=True, learning_rate=1e-30).fit(X, LABELS)
    assert mlp.n_iter_ == (5 if tol is None else 20)


@pytest.mark.parametrize("solver", ["lbfgs", "cg"])
def test_line_searches_watch_a_validation_set(solver):
    y = target("MLPRegressor")
    fitted = build("MLPRegressor", solver=solver).fit(
        X[:40], y[:40], X_val=X[40:], y_val=y[40:]
    )
    assert len(fitted.validation_loss_curve_) == fitted.n_iter_
    assert fitted.validation_scores_[-1] == pytest.approx(
        fitted.score(X[40:], y[40:]), rel=1e-4
    )


# -- autoencoders without pretraining, layers ---------------------------------------------
# Counts of words depend on the total of a row, and cannot be hidden.
CODES = [unit for unit in UNITS if unit != "multinomial"]


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("visible", ["gaussian", "bernoulli"])
def test_without_pretraining(visible, code):
    pair = [
        build("DBNAutoencoder", visible=visible, code=code, pretrain=pretrain).fit(X)
        for pretrain in (True, False)
    ]
    with_it, without = pair
    assert [c.shape for c in without.coefs_] == [c.shape for c in with_it.coefs_]
    assert repr(without._architecture_) == repr(with_it._architecture_)
    assert not hasattr(without, "stack_")
    assert without.loss_ < without.loss_curve_[0]
    assert without.transform(X).shape == (60, 2)
    assert without.inverse_transform(without.transform(X)).shape == X.shape
    np.testing.assert_allclose(
        without.inverse_transform(without.transform(X)), without.reconstruct(X), rtol=1e-5
    )
    with_it.set_params(pretrain=False).fit(X)
    assert not hasattr(with_it, "stack_")
    np.testing.assert_array_equal(with_it.coefs_[0], without.coefs_[0])
    without.set_params(warm_start=True).fit(X)


@pytest.mark.parametrize("code", CODES)
def test_codes_of_any_units(code):
    still = build("DBNAutoencoder", code=code, solver="sgd", learning_rate=1e-30).fit(X)
    assert still.stack_[-1].hidden == code
    for method in ("transform", "reconstruct"):
        from_stack = getattr(still.stack_, method)(X)
        np.testing.assert_allclose(getattr(still, method)(X), from_stack, rtol=1e-5)
    as_object = build("DBNAutoencoder", code=UNITS[code](), batch_size=60).fit(X)
    assert as_object.loss_ < as_object.loss_curve_[0]


@pytest.mark.parametrize("pretrain", [True, False])
def test_a_code_that_cannot_be(pretrain, monkeypatch):
    monkeypatch.setattr(RBM, "fit", None)  # told before anything is trained
    with pytest.raises(ValueError, match="Multinomial units are visible only"):
        build("DBNAutoencoder", code="multinomial", pretrain=pretrain).fit(X)


def test_without_pretraining_a_frozen_stack_has_no_use():
    stack = StackedRBM((4, 2), rbm=small_rbm(), random_state=0).fit(X)
    with pytest.raises(ValueError, match="pretrain=False starts from random weights"):
        build("DBNAutoencoder", rbm=FrozenEstimator(stack), pretrain=False).fit(X)


def test_losses_of_autoencoders():
    squared = build("DBNAutoencoder", loss=SquaredError("logistic")).fit(X)
    assert squared.out_activation_ == "logistic"
    errors = 0.5 * ((squared.reconstruct(X) - X) ** 2).sum(axis=1).mean()
    still = build("DBNAutoencoder", loss=SquaredError("logistic"), learning_rate=1e-30)
    still.fit(X)
    assert errors < still.loss_
    expected = 0.5 * ((still.reconstruct(X) - X) ** 2).sum(axis=1).mean()
    assert still.loss_ == pytest.approx(expected, rel=1e-5)
    assert build("DBNAutoencoder", loss=BinaryLogLoss()).fit(X).loss_ == pytest.approx(
        build("DBNAutoencoder").fit(X).loss_
    )
    with pytest.raises(ValueError, match=r"needs targets in \[0, 1\]"):
        build("DBNAutoencoder", visible="gaussian", loss="binary_log_loss").fit(2 * X)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_layer_activations(name, container):
    fitted = build(name).fit(X, target(name))
    rows = container(X)
    layers = fitted.layer_activations(rows)
    assert [layer.shape[1] for layer in layers] == [len(b) for b in fitted.intercepts_]
    np.testing.assert_allclose(layers[0], fitted._outputs(rows, 1), rtol=1e-6)
    code = layers[1]
    np.testing.assert_allclose(code, fitted.transform(rows), rtol=1e-6)
    if name == "DBNAutoencoder":
        np.testing.assert_allclose(layers[-1], fitted.reconstruct(rows), rtol=1e-6)
    elif name in REGRESSORS:
        np.testing.assert_allclose(layers[-1][:, 0], fitted.predict(rows), rtol=1e-6)
    else:
        np.testing.assert_allclose(layers[-1], fitted.predict_proba(rows), rtol=1e-6)


def test_backpropagation_of_the_textbooks():
    rng = np.random.RandomState(0)
    x, t = X[:1].astype(np.float64), np.eye(10)[[5]]
    U, c = rng.normal(size=(x.size, 28)), rng.normal(size=28)
    V, d = rng.normal(size=(28, 10)), rng.normal(size=10)
    network = MLPRegressor(
        (28,),
        activation="logistic",
        loss=SquaredError("logistic"),
        init=([U.copy(), V.copy()], [c.copy(), d.copy()]),
        solver=SGD(momentum=0.0, nesterov=False),
        learning_rate=0.25,
        alpha=0.0,
        dtype="float64",
    )
    for _ in range(50):
        h = expit(x[0] @ U + c)
        o = expit(h @ V + d)
        delta_o = (o - t[0]) * o * (1 - o)
        delta_h = (V @ delta_o) * h * (1 - h)
        V -= 0.25 * np.outer(h, delta_o)
        d -= 0.25 * delta_o
        U -= 0.25 * np.outer(x, delta_h)
        c -= 0.25 * delta_h
        network.partial_fit(x, t)
    found = [*network.coefs_, *network.intercepts_]
    for array, expected in zip(found, [U, V, c, d], strict=True):
        np.testing.assert_allclose(array, expected, rtol=0, atol=1e-13)


def test_regressors_in_a_pipeline():
    y = target("DBNRegressor")
    model = make_pipeline(
        MinMaxScaler(),
        DBNRegressor((16,), rbm=RBM(max_iter=3), solver="lbfgs", random_state=0),
    )
    assert model.fit(X, y).score(X, y) > 0.9
    several = model.fit(X, np.column_stack([y, -y]))
    assert several.predict(X).shape == (60, 2)


def test_weights_of_a_validation_set_that_is_not_there():
    with pytest.raises(ValueError, match="sample_weight_val is given without X_val"):
        MLPClassifier().fit([[0.0], [1.0]], [0, 1], sample_weight_val=np.ones(3))
