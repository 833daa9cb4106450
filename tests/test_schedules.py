"""Schedules, and whether training listens to them."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skdbn import RBM, MLPClassifier
from skdbn.optimizers import SGD
from skdbn.schedules import Ramp, Schedule, as_schedule
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


def test_number_as_schedule():
    constant = as_schedule(0.25)
    assert isinstance(constant, Schedule)
    assert [constant(t, 3) for t in (0, 1.5, 7)] == [0.25] * 3
    ramp = Ramp()
    assert as_schedule(ramp) is ramp
    with pytest.raises(NotImplementedError):
        Schedule()(0.0, 1)


@pytest.mark.parametrize(
    "parameters",
    [
        {"start": -0.1},
        {"stop": -1},
        {"n_epochs": -1},
        {"start": "0.5"},
        {"n_epochs": "all"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "use",
    [
        lambda ramp: as_schedule(ramp),
        lambda ramp: RBM(2, learning_rate=ramp, max_iter=1).fit(np.eye(3)),
        lambda ramp: RBM(2, momentum=ramp, max_iter=1).fit(np.eye(3)),
        lambda ramp: MLPClassifier((2,), learning_rate=ramp).fit(np.eye(3), [0, 1, 1]),
        lambda ramp: MLPClassifier((2,), solver=SGD(ramp)).fit(np.eye(3), [0, 1, 1]),
    ],
    ids=["as_schedule", "RBM rate", "RBM momentum", "MLP rate", "MLP momentum"],
)
def test_invalid_parameters_name_the_class(parameters, use):
    (name,) = parameters
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter of Ramp must be"):
        use(Ramp(**parameters))


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
