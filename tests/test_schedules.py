"""Schedules, and whether training listens to them."""

from itertools import pairwise

import numpy as np
import pytest
from _estimators import CLASSIFIERS, NETWORKS, ROWS, SUPERVISED, build, target
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skdbn import RBM, MLPClassifier
from skdbn.optimizers import SGD
from skdbn.schedules import (
    Adaptive,
    Exponential,
    InverseTime,
    Ramp,
    Schedule,
    Step,
    as_schedule,
)
from skdbn.units import Bernoulli, Gaussian

# start, stop, n_epochs, max_iter, values at the times 0, 1, 2.5, 4, 10 and 11
RAMPS = {
    "default": ((0.5, 0.9, 5), 20, [0.5, 0.58, 0.7, 0.82, 0.9, 0.9]),
    "whole fit": ((0.1, 0.0, None), 10, [0.1, 0.09, 0.075, 0.06, 0.0, 0.0]),
    "no length": ((0.5, 0.9, 0), 20, [0.9] * 6),
    "no fit": ((0.5, 0.9, None), 0, [0.9] * 6),
    "fraction": ((2.0, 1.0, 2.5), 1, [2.0, 1.6, 1.0, 1.0, 1.0, 1.0]),
    "longer than the fit": ((0.0, 1.0, 20), 5, [0.0, 0.05, 0.125, 0.2, 0.5, 0.55]),
    "flat": ((0.3, 0.3, 4), 5, [0.3] * 6),
}


@pytest.mark.parametrize("name", RAMPS)
def test_ramp(name):
    parameters, max_iter, expected = RAMPS[name]
    ramp = Ramp(*parameters)
    found = [ramp(t, max_iter) for t in (0, 1, 2.5, 4, 10, 11)]
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-16)
    assert clone(ramp).get_params() == dict(
        zip(("start", "stop", "n_epochs"), parameters, strict=True)
    )


def test_defaults_of_the_ramp():
    assert Ramp().get_params() == {"start": 0.5, "stop": 0.9, "n_epochs": 5}


# a schedule that falls, and its values at the times 0, 1, 2.5, 4, 10 and 11
FALLING = {
    "step": (Step(0.4, 0.5, 4), [0.4, 0.4, 0.4, 0.2, 0.1, 0.1]),
    "step, defaults": (Step(0.4), [0.4, 0.4, 0.4, 0.4, 0.2, 0.2]),
    "step, fractions of an epoch": (
        Step(1, 0.1, 1.25),
        0.1 ** np.array([0, 0, 2, 3, 8, 8]),
    ),
    "step, given epochs": (Step(0.4, 0.1, [1, 10]), [0.4, 0.04, 0.04, 0.04, 0.004, 0.004]),
    "step, in any order": (Step(0.4, 0.1, (10, 1)), [0.4, 0.04, 0.04, 0.04, 0.004, 0.004]),
    "step, two at once": (Step(1, 0.1, np.array([4, 4.0])), [1, 1, 1, 0.01, 0.01, 0.01]),
    "step, none": (Step(0.4, 0.1, []), [0.4] * 6),
    "exponential": (Exponential(2, 0.25), 2 * 0.25 ** np.array([0, 1, 2.5, 4, 10, 11])),
    "exponential, default": (Exponential(1), 0.95 ** np.array([0, 1, 2.5, 4, 10, 11])),
    "exponential, constant": (Exponential(0.3, 1), [0.3] * 6),
    "inverse time": (InverseTime(0.6, 5), [0.6, 0.5, 0.4, 1 / 3, 0.2, 0.1875]),
    "inverse time, default": (InverseTime(1), 1 / np.array([1, 1.1, 1.25, 1.4, 2, 2.1])),
}


@pytest.mark.parametrize("name", FALLING)
def test_falling_schedules(name):
    schedule, expected = FALLING[name]
    for max_iter in (1, 20):  # none of them asks how long the fit is
        found = [clone(schedule)(t, max_iter) for t in (0, 1, 2.5, 4, 10, 11)]
        np.testing.assert_allclose(found, expected, rtol=1e-14)
        assert all(isinstance(value, float) for value in found)


starts = st.floats(0, 1e6)
factors = st.floats(0, 1, exclude_min=True)
lengths = st.floats(0, 1e6, exclude_min=True)
times = st.floats(0, 1e6)


@given(
    schedule=st.one_of(
        st.builds(Step, starts, factors, lengths),
        st.builds(Step, starts, factors, st.lists(lengths, max_size=4)),
        st.builds(Exponential, starts, factors),
        st.builds(InverseTime, starts, lengths),
        st.builds(
            lambda start, share, n: Ramp(start, share * start, n), starts, factors, lengths
        ),
    ),
    times=st.lists(times, min_size=2, max_size=6).map(sorted),
)
def test_schedules_fall_from_their_start(schedule, times):
    assert as_schedule(schedule) is schedule
    values = [schedule(t, 100) for t in (0.0, *times)]
    assert values[0] == schedule.start
    # A line from a to b may round to a neighbour of the number where it should be flat.
    assert all(b <= a * (1 + 1e-15) for a, b in pairwise(values))
    assert all(isinstance(value, float) and value >= 0 for value in values)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rate", ["adaptive", Adaptive(0.01)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_adaptive_rate_needs_patience_to_run_out(name, rate):
    y, known = target(name), {"classes": [0, 1, 2]} if name in CLASSIFIERS else {}
    network = build(name, learning_rate=rate, tol=None)
    for held_out in ({}, {"X_val": ROWS} | ({"y_val": y} if name in SUPERVISED else {})):
        with pytest.raises(ValueError, match=r"learning_rate=.* but tol is None. Set tol"):
            network.fit(ROWS, y, **held_out)
    assert network.partial_fit(ROWS, y, **known).n_iter_ == 1
    for change in ({"early_stopping": True}, {"tol": 0.1}, {"solver": "lbfgs"}):
        assert clone(network).set_params(**change).fit(ROWS, y).n_iter_ > 0


def test_adaptive_rates_are_lowered_to_the_least():
    values, schedule = [], Adaptive(1.0, factor=0.5, least=0.125)
    while schedule is not None:
        values.append(schedule(len(values), 10))
        schedule = schedule.lowered()
    assert values == [1, 0.5, 0.25, 0.125]


def test_an_rbm_goes_on_with_a_lower_rate_when_patience_ends(steps):
    rate = Adaptive(4e-9, factor=0.5, least=1e-9)  # too small to improve anything
    rbm = RBM(2, learning_rate=rate, early_stopping=True, n_iter_no_change=2, tol=1.0)
    rbm.set_params(max_iter=50, random_state=0).fit(np.eye(20))
    assert rbm.n_iter_ == 1 + 3 * 2
    rates = {rate for rate, *_ in steps[::2]}  # of batches of ten rows
    np.testing.assert_allclose(sorted(rates), [1e-10, 2e-10, 4e-10])


def test_line_searches_end_when_patience_does():
    mlp = MLPClassifier((2,), solver="cg", learning_rate=Adaptive(1.0), tol=1e9)
    assert mlp.set_params(n_iter_no_change=1).fit(np.eye(3), [0, 1, 1]).n_iter_ == 3


def test_number_as_schedule():
    constant = as_schedule(0.25)
    assert isinstance(constant, Schedule)
    assert [constant(t, 3) for t in (0, 1.5, 7)] == [0.25] * 3
    ramp = Ramp()
    assert as_schedule(ramp) is ramp
    with pytest.raises(NotImplementedError):
        Schedule()(0.0, 1)


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        (Ramp(-0.1), "start"),
        (Ramp(stop=-1), "stop"),
        (Ramp(n_epochs=-1), "n_epochs"),
        (Ramp("0.5"), "start"),
        (Ramp(n_epochs="all"), "n_epochs"),
        (Step(-0.1), "start"),
        (Step(0.1, 0), "factor"),
        (Step(0.1, 1.5), "factor"),
        (Step(0.1, epochs=0), "epochs"),
        (Step(0.1, epochs="all"), "epochs"),
        (Step(0.1, epochs=None), "epochs"),
        (Exponential("0.1"), "start"),
        (Exponential(0.1, -0.5), "factor"),
        (InverseTime(-1), "start"),
        (InverseTime(0.1, 0), "n_epochs"),
        (Adaptive(-1), "start"),
        (Adaptive(0.1, 1), "factor"),
        (Adaptive(0.1, least=0), "least"),
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "use",
    [
        lambda value: as_schedule(value),
        lambda value: RBM(2, learning_rate=value, max_iter=1).fit(np.eye(3)),
        lambda value: RBM(2, momentum=value, max_iter=1).fit(np.eye(3)),
        lambda value: MLPClassifier((2,), learning_rate=value).fit(np.eye(3), [0, 1, 1]),
        lambda value: MLPClassifier((2,), solver=SGD(value)).fit(np.eye(3), [0, 1, 1]),
    ],
    ids=["as_schedule", "RBM rate", "RBM momentum", "MLP rate", "MLP momentum"],
)
def test_invalid_parameters_name_the_class(schedule, name, use):
    match = f"'{name}' parameter of {type(schedule).__name__} must be"
    with pytest.raises(InvalidParameterError, match=match):
        use(schedule)


@pytest.mark.parametrize("name", ["step", "exponential", "inverse_time"])
def test_what_needs_a_start_has_no_name(name):
    with pytest.raises(InvalidParameterError, match=r"'momentum' .* among {'ramp'}"):
        RBM(2, momentum=name, max_iter=1).fit(np.eye(3))


# -- what the steps of training are given -----------------------------------------------
@pytest.fixture
def steps(monkeypatch):
    """The (rate, momentum) of every step that SGD makes."""
    calls, numbers = [], SGD.numbers

    def spy(optimizer, *args):
        calls.append(numbers(optimizer, *args))
        return calls[-1]

    monkeypatch.setattr(SGD, "numbers", spy)
    return calls


X = np.random.RandomState(0).uniform(size=(10, 3))
TIMES = np.arange(6) / 2  # three epochs of two batches, of 6 and of 4 rows
SIZES = np.array([6, 4, 6, 4, 6, 4])


def small_rbm(**parameters):
    return RBM(2, batch_size=6, max_iter=3, dtype="float64", random_state=0, **parameters)


@pytest.mark.parametrize(
    ("momentum", "expected"),
    [
        ("ramp", 0.5 + 0.4 * TIMES / 5),
        (Ramp(0.1, 0.7, n_epochs=1), [0.1, 0.4, 0.7, 0.7, 0.7, 0.7]),
        (Ramp(0.9, 0.3, n_epochs=None), 0.9 - 0.6 * TIMES / 3),
        (0.35, [0.35] * 6),
        (0, [0] * 6),
    ],
    ids=str,
)
def test_rbm_uses_the_momentum(momentum, expected, steps):
    small_rbm(momentum=momentum, learning_rate=0.2).fit(X)
    rates, momenta = np.transpose(steps)
    np.testing.assert_allclose(momenta, expected, rtol=1e-12)
    np.testing.assert_allclose(rates * SIZES, 0.2, rtol=1e-12)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("auto", [Bernoulli.learning_rate] * 6),
        (Ramp(0.5, 0.1, n_epochs=2), [0.5, 0.4, 0.3, 0.2, 0.1, 0.1]),
        (Ramp(0.3, 0.0, n_epochs=None), 0.3 - 0.1 * TIMES),
        (Step(0.4, epochs=1), [0.4, 0.4, 0.2, 0.2, 0.1, 0.1]),
        (Exponential(0.4, 0.25), 0.4 * 0.5 ** np.arange(6)),
        (InverseTime(0.4, 2.0), 0.4 / (1 + TIMES / 2)),
    ],
    ids=str,
)
def test_rbm_uses_the_learning_rate(rate, expected, steps):
    small_rbm(learning_rate=rate).fit(X)
    np.testing.assert_allclose(np.transpose(steps)[0] * SIZES, expected, rtol=1e-12)


@pytest.mark.parametrize("side", ["visible", "hidden"])
def test_gaussian_units_have_a_smaller_automatic_rate(side, steps):
    small_rbm(**{side: "gaussian"}).fit(X)
    assert Gaussian.learning_rate <= 0.1 * Bernoulli.learning_rate
    expected = [Gaussian.learning_rate] * 6
    np.testing.assert_allclose(np.transpose(steps)[0] * SIZES, expected, rtol=1e-12)


def test_schedules_go_on_from_one_partial_fit_to_the_next(steps):
    ramp = Ramp(0.4, 0.1, n_epochs=None)
    rbm = small_rbm(learning_rate=ramp)
    for _ in range(3):
        rbm.partial_fit(X)
    rates, momenta = np.transpose(steps)
    np.testing.assert_allclose(rates * SIZES, 0.4 - 0.1 * TIMES, rtol=1e-12)
    np.testing.assert_allclose(momenta, 0.5 + 0.4 * TIMES / 5, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("nesterov", [False, True])
def test_network_uses_both(nesterov, steps):
    solver = SGD(Ramp(0.2, 0.8, n_epochs=3), nesterov=nesterov)
    MLPClassifier(
        (2,), solver=solver, learning_rate=Ramp(0.3, 0.0, n_epochs=None), batch_size=6,
        max_iter=3, random_state=0,
    ).fit(X, np.arange(10) % 2)  # fmt: skip
    rates, momenta = np.transpose(steps)
    np.testing.assert_allclose(rates, 0.3 - 0.1 * TIMES, rtol=1e-6)
    np.testing.assert_allclose(momenta, 0.2 + 0.2 * TIMES, rtol=1e-6)
