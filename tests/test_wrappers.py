"""Optimisers around optimisers: clipped gradients and averaged weights."""

import warnings

import numpy as np
import pytest
from _estimators import NETWORKS, build, target
from _estimators import ROWS as X
from sklearn.exceptions import ConvergenceWarning

from skdbn import RBM, MLPRegressor
from skdbn.optimizers import SGD, Adam, Averaged, Clipped
from skdbn.schedules import Schedule

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# -- optimisers around optimisers ---------------------------------------------------------
def test_clipping_shortens_long_gradients():
    theta, gradient = np.zeros(4, np.float32), np.array([3, 0, 4, 0], np.float32)
    sgd = SGD(0.0)
    for limit, expected in [(10, [3, 0, 4, 0]), (1, [0.6, 0, 0.8, 0])]:
        clipped, step = Clipped(sgd, limit), gradient.copy()
        clipped.step(theta.copy(), step, clipped.init_state(theta), 1.0, 0, 1)
        np.testing.assert_allclose(step, expected, rtol=1e-6)
    huge = np.full(4, 1e30, np.float32)  # whose square is infinite in float32
    Clipped(sgd, 2.0).limit(huge)
    np.testing.assert_allclose(huge, 1, rtol=1e-6)
    lost = np.array([np.nan, 1])
    Clipped(sgd, 1.0).limit(lost)
    assert np.isnan(lost).all()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("inner", [SGD(), Adam()])
def test_clipping_at_infinity_changes_nothing(name, inner):
    y = target(name)
    plain = build(name, solver=inner).fit(X, y)
    clipped = build(name, solver=Clipped(inner, clip_norm=1e9)).fit(X, y)
    for a, b in zip(plain.coefs_, clipped.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    short = build(name, solver=Clipped(SGD(), clip_norm=1e-9)).fit(X, y)
    still = build(name, solver=SGD(), learning_rate=1e-30).fit(X, y)
    np.testing.assert_allclose(short.coefs_[0], still.coefs_[0], atol=1e-3)


def test_clipping_keeps_a_fit_alive():
    y = 1e3 * target("MLPRegressor")
    rate = {"solver": SGD(), "learning_rate": 0.1, "max_iter": 30, "random_state": 0}
    with pytest.warns(ConvergenceWarning, match="diverged"):
        MLPRegressor((20,), **rate).fit(X, y)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*diverged.*")
        MLPRegressor((20,), **rate).set_params(solver=Clipped(SGD(), 1.0)).fit(X, y)


@pytest.mark.parametrize(("decay", "start"), [(None, 0), (0.8, 0), (None, 1.5), (0.5, 2)])
def test_averages_by_hand(decay, start):
    wrapper = Averaged(SGD(0.5), decay=decay, start=start)
    theta, plain = np.ones(3), np.ones(3)
    state, plain_state = wrapper.init_state(theta), SGD(0.5).init_state(plain)
    past, average = [], None
    for i in range(8):
        t, gradient = i / 2, np.array([1.0, -2.0, 0.1 * i])
        wrapper.step(theta, gradient, state, 0.1, t, 4)
        SGD(0.5).step(plain, gradient, plain_state, 0.1, t, 4)
        np.testing.assert_array_equal(theta, plain)
        if t >= start:
            past.append(theta.copy())
            part = 1 / len(past)
            part = part if decay is None else max(part, 1 - decay)
            average = theta if average is None else average + part * (theta - average)
            average = average.copy()
            np.testing.assert_allclose(wrapper.solution(theta, state), average)
            if decay is None:
                np.testing.assert_allclose(average, np.mean(past, axis=0))
        else:
            np.testing.assert_array_equal(wrapper.solution(theta, state), theta)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_average_is_what_is_kept_and_scored(name):
    y, fractions = target(name), {"early_stopping": True, "validation_fraction": 0.3}
    late = build(name, solver=Averaged(Adam(), start=99)).fit(X, y)
    plain = build(name, solver=Adam()).fit(X, y)
    np.testing.assert_array_equal(late.coefs_[0], plain.coefs_[0])
    averaged = build(name, solver=Averaged(Adam())).fit(X, y)
    assert averaged.loss_curve_ == plain.loss_curve_
    assert not np.array_equal(averaged.coefs_[0], plain.coefs_[0])
    held = build(name, solver=Averaged(Adam()), **fractions).fit(X, y)
    one = build(name, solver=Averaged(Adam()), **fractions, max_iter=1).fit(X, y)
    assert held.validation_scores_[0] == one.validation_scores_[0]
    best = int(np.argmax(held.validation_scores_)) + 1
    best = build(name, solver=Averaged(Adam()), **fractions, max_iter=best).fit(X, y)
    np.testing.assert_array_equal(held.coefs_[0], best.coefs_[0])


class Leap(Schedule):
    """A small rate for two epochs, and then one with which nothing survives."""

    def __call__(self, t, max_iter):
        return 0.01 if t < 2 else 1e30


@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_scored_is_kept_after_divergence(name):
    y, options = target(name), {"solver": Averaged(SGD()), "batch_size": 10}
    held_out = {"X_val": X} if name == "DBNAutoencoder" else {"X_val": X, "y_val": y}
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 3"):
        diverged = build(name, max_iter=5, learning_rate=Leap(), **options).fit(
            X, y, **held_out
        )
    healthy = build(name, max_iter=2, learning_rate=Leap(), **options).fit(X, y, **held_out)
    for a, b in zip(diverged.coefs_, healthy.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert diverged.validation_scores_ == healthy.validation_scores_
    parts = build(name, learning_rate=0.01, **options)
    known = {"classes": [0, 1, 2]} if hasattr(parts, "predict_proba") else {}
    before = [coef.copy() for coef in parts.partial_fit(X, y, **known).coefs_]
    with pytest.warns(ConvergenceWarning, match="diverged"):
        parts.set_params(learning_rate=1e30).partial_fit(X, y)
    for a, b in zip(parts.coefs_, before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_average_of_an_rbm_is_kept_after_divergence():
    options = {"average": 3.0, "learning_rate": Leap(), "visible": "gaussian"}
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 3"):
        diverged = RBM(4, max_iter=5, random_state=0, **options).fit(X)
    healthy = RBM(4, max_iter=2, random_state=0, **options).fit(X)
    np.testing.assert_array_equal(diverged.components_, healthy.components_)


def test_wrappers_nest():
    y = target("MLPRegressor")
    inside = build("MLPRegressor", solver=Averaged(Clipped(Adam(), 0.1))).fit(X, y)
    outside = build("MLPRegressor", solver=Clipped(Averaged(Adam()), 0.1)).fit(X, y)
    np.testing.assert_array_equal(inside.coefs_[0], outside.coefs_[0])
    name = "solver__optimizer__optimizer__beta_1"
    assert inside.get_params()[name] == 0.9
