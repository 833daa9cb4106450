"""Optimisers on known functions, against SciPy and scikit-learn."""

import pickle
from copy import deepcopy
from functools import partial
from itertools import pairwise

import _oracles as oracle
import numpy as np
import pytest
from _estimators import NETWORKS, ROWS, build, target
from scipy import optimize
from scipy.special import log_softmax, softmax
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils._param_validation import InvalidParameterError
from threadpoolctl import threadpool_limits

from skdbn import MLPClassifier, _threads
from skdbn._batches import Examples
from skdbn._network import Backprop, Network
from skdbn._network_problem import NetworkProblem
from skdbn._params import resolve
from skdbn.optimizers import (
    LBFGS,
    SGD,
    SOLVERS,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    ConjugateGradient,
    RMSprop,
    conjugate_gradient,
)
from skdbn.optimizers._line_search import Point, strong_wolfe
from skdbn.schedules import Ramp, Schedule, as_schedule

DTYPES = pytest.mark.parametrize("dtype", oracle.DTYPES)


# -- all of them ------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", SOLVERS)
def test_every_solver_trains_a_classifier(name):
    X, y = load_digits(return_X_y=True)
    mlp = MLPClassifier((20,), solver=name, batch_size=300, max_iter=30, random_state=0)
    scores = []
    for solver in (name, SOLVERS[name]()):
        mlp.set_params(solver=solver).fit(X / 16, y)
        scores.append(mlp.score(X / 16, y))
        assert mlp.loss_curve_[-1] < mlp.loss_curve_[0]
    assert scores[0] == scores[1]
    # The rates that these two are named with are for long training.
    assert scores[0] > (0.2 if name in ("adagrad", "adadelta") else 0.85)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_every_network_takes_every_solver(name, solver):
    y = target(name)
    by_name, by_object = (
        build(name, solver=s, batch_size=60, max_iter=10, tol=1e-9).fit(ROWS, y)
        for s in (solver, SOLVERS[solver]())
    )
    assert by_name.loss_curve_ == by_object.loss_curve_
    assert by_name.loss_ < by_name.loss_curve_[0]
    assert np.isfinite(by_name.transform(ROWS)).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_line_searches_have_large_batches(name, monkeypatch):
    sizes, step = [], NetworkProblem.step

    def spy(problem, rows, t):
        sizes.append(len(rows))
        return step(problem, rows, t)

    monkeypatch.setattr(NetworkProblem, "step", spy)
    many, y = np.tile(ROWS, (20, 1)), np.tile(target(name), 20)
    for solver in ("cg", ConjugateGradient()):
        build(name, solver=solver, max_iter=1).fit(many, y)
    assert sizes == [600, 600, 600, 600]
    sizes.clear()
    build(name, solver="cg", max_iter=1).fit(ROWS, target(name))
    build(name, solver="cg", max_iter=1, batch_size=30).fit(ROWS, target(name))
    assert sizes == [60, 30, 30]
    sizes.clear()
    build(name, max_iter=1).fit(many, y)
    assert max(sizes) <= 200


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n", [1000, 1001, 1010])
def test_line_searches_do_not_fit_the_rows_that_are_left_over(n):
    X, y = load_digits(return_X_y=True)
    mlp = MLPClassifier((30,), solver="cg", max_iter=20, tol=None, random_state=0)
    assert mlp.fit(X[:n] / 16, y[:n]).score(X[1010:] / 16, y[1010:]) > 0.92


@pytest.mark.parametrize(
    ("solver", "parameter"),
    [
        (RMSprop(rho=1.0), "rho"),
        (RMSprop(momentum=-0.1), "momentum"),
        (RMSprop(epsilon=0), "epsilon"),
        (Adagrad(epsilon=0), "epsilon"),
        (Adadelta(rho=-0.5), "rho"),
        (Adadelta(epsilon=0.0), "epsilon"),
        (AdamW(beta_2=1.0), "beta_2"),
        (AdamW(weight_decay=-1e-3), "weight_decay"),
        (ConjugateGradient(0), "n_line_searches"),
        (ConjugateGradient(curvature=1.0), "curvature"),
        (ConjugateGradient(max_evaluations=0), "max_evaluations"),
    ],
    ids=str,
)
def test_parameters_are_checked(solver, parameter):
    name = type(solver).__name__
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter of {name}"):
        resolve(solver, SOLVERS)


# -- a step for each batch --------------------------------------------------------------
def rosenbrock(x):
    return optimize.rosen(x), optimize.rosen_der(x)


def quadratic(x):
    curvature = np.array([1.0, 4.0, 0.5])
    return 0.5 * curvature @ (x - 3) ** 2, curvature * (x - 3)


PROBLEMS = {
    "quadratic": (quadratic, np.array([0.0, 8.0, -2.0]), 3.0),
    "rosenbrock": (rosenbrock, np.array([-1.2, 1.0, 0.5]), 1.0),
}
CONVERGENCE = [  # problem, optimizer, learning rate, number of steps
    ("quadratic", SGD(0.0), 0.2, 300),
    ("quadratic", SGD(nesterov=False), 0.05, 400),
    ("quadratic", SGD(), 0.05, 400),
    ("quadratic", Adam(), 0.05, 2000),
    ("rosenbrock", SGD(nesterov=False), 3e-4, 15_000),
    ("rosenbrock", SGD(), 3e-4, 15_000),
    ("rosenbrock", Adam(), 0.02, 6000),
    ("quadratic", Adagrad(), 1.0, 1000),
    ("quadratic", RMSprop(), Ramp(0.1, 0.0, n_epochs=1), 2000),
    ("quadratic", RMSprop(momentum=0.5), Ramp(0.1, 0.0, n_epochs=1), 2000),
    ("quadratic", Adadelta(), 1.0, 6000),
    ("quadratic", AdamW(weight_decay=0.0), 0.05, 2000),
    ("rosenbrock", Adagrad(), 1.0, 15_000),
    ("rosenbrock", RMSprop(momentum=0.9), Ramp(0.005, 0.0, n_epochs=1), 10_000),
    ("rosenbrock", AdamW(weight_decay=0.0), 0.02, 6000),
]


@DTYPES
@pytest.mark.parametrize(("problem", "optimizer", "rate", "n_steps"), CONVERGENCE, ids=str)
def test_mini_batch_optimizers_find_the_minimum(problem, optimizer, rate, n_steps, dtype):
    function, start, solution = PROBLEMS[problem]
    theta = start.astype(dtype)
    state = optimizer.init_state(theta)
    for n in range(n_steps):
        gradient = function(theta)[1].astype(dtype)
        now = as_schedule(rate)(n / n_steps, 1)
        optimizer.step(theta, gradient, state, now, n / n_steps, 1)
    np.testing.assert_allclose(theta, solution, atol=5e-3 if dtype == np.float32 else 1e-3)


SKLEARN = {
    "classic": (SGD(0.7, nesterov=False), SGDOptimizer(
        [np.zeros(20)], 0.05, momentum=0.7, nesterov=False)),
    "nesterov": (SGD(0.7), SGDOptimizer([np.zeros(20)], 0.05, momentum=0.7)),
    "adam": (Adam(0.8, 0.95, 1e-6), AdamOptimizer([np.zeros(20)], 0.05, 0.8, 0.95, 1e-6)),
}  # fmt: skip


@pytest.mark.parametrize("name", SKLEARN)
def test_optimizers_make_the_steps_of_scikit_learn(name):
    optimizer, reference = SKLEARN[name]
    rng = np.random.RandomState(0)
    theta = rng.normal(size=20)
    theirs = [theta.copy()]
    state = optimizer.init_state(theta)
    for _ in range(10):
        gradient = rng.normal(size=20)
        optimizer.step(theta, gradient, state, 0.05, 0.0, 1)
        reference.update_params(theirs, [gradient])
        np.testing.assert_allclose(theta, theirs[0], rtol=1e-12)


class Recorder(Schedule):
    """A momentum that notes the times it is asked for."""

    def __init__(self):
        self.calls = []

    def __call__(self, t, max_iter):
        self.calls.append((t, max_iter))
        return t / max_iter


def test_momentum_may_be_a_schedule():
    momentum, theta = Recorder(), np.array([1.0])
    optimizer = SGD(momentum, nesterov=False)
    state = {"n_steps": 1, "velocity": np.array([8.0])}
    optimizer.step(theta, np.array([3.0]), state, 0.5, 1.0, 4)
    assert momentum.calls == [(1.0, 4)]
    assert state["velocity"] == 8 * 0.25 - 0.5 * 3
    assert theta == 1.5


def test_momentum_of_rmsprop_may_be_a_schedule():
    momentum, theta = Recorder(), np.array([1.0])
    optimizer = RMSprop(rho=0.75, momentum=momentum, epsilon=1e-300)
    resolve(optimizer, SOLVERS)
    state = {"n_steps": 1, "square": np.zeros(1), "velocity": np.array([8.0])}
    optimizer.step(theta, np.array([3.0]), state, 0.5, 1.0, 4)
    assert momentum.calls == [(1.0, 4)]
    np.testing.assert_allclose(state["velocity"], 8 * 0.25 + 0.5 / np.sqrt(0.25))
    np.testing.assert_allclose(theta, 1 - state["velocity"])


@pytest.mark.parametrize("solver", [SGD, RMSprop])
def test_momentum_that_a_schedule_takes_too_far(solver):
    optimizer, theta = solver(momentum=Ramp(0.5, 1.0, n_epochs=2)), np.ones(1)
    state = optimizer.init_state(theta)
    optimizer.step(theta, np.ones(1), state, 0.5, 1.0, 4)
    with pytest.raises(ValueError, match=r"in \[0, 1\), but Ramp.* gives 1 at epoch 2"):
        optimizer.step(theta, np.ones(1), state, 0.5, 2.0, 4)


@DTYPES
def test_adamw_is_adam_and_decay(dtype):
    rng = np.random.RandomState(0)
    theta = rng.normal(size=50).astype(dtype)
    a, b = theta.copy(), theta.copy()
    adam, adamw = Adam(0.8, 0.9), AdamW(0.8, 0.9, weight_decay=0.0)
    states = [adam.init_state(a), adamw.init_state(b)]
    for _ in range(5):
        gradient = rng.normal(size=50).astype(dtype)
        adam.step(a, gradient, states[0], 0.1, 0.0, 1)
        adamw.step(b, gradient, states[1], 0.1, 0.0, 1)
    np.testing.assert_allclose(a, b, rtol=1e-6 if dtype == np.float32 else 1e-14)
    adamw, state = AdamW(weight_decay=0.3), states[1]
    state["mean"][:] = 0
    expected = theta * (1 - 0.1 * 0.3)
    adamw.step(theta, np.zeros_like(theta), state, 0.1, 0.0, 1)
    np.testing.assert_allclose(theta, expected, rtol=1e-6 if dtype == np.float32 else 1e-14)


def test_first_steps_that_the_papers_tell():
    """Of one parameter, with a gradient of 3; done by hand."""
    cases = [
        (Adagrad(epsilon=1e-300), 0.1, 0.1),  # sqrt(3**2) cancels it
        (RMSprop(rho=0.75, epsilon=1e-300), 0.1, 0.1 / np.sqrt(0.25)),
        (Adadelta(rho=0.75, epsilon=0.01), 1.0, 3 * np.sqrt(0.01 / (0.25 * 9 + 0.01))),
        (AdamW(epsilon=1e-300, weight_decay=0.5), 0.1, 0.1 + 0.1 * 0.5 * 7),
    ]
    for optimizer, rate, change in cases:
        theta = np.array([7.0])
        optimizer.step(theta, np.array([3.0]), optimizer.init_state(theta), rate, 0.0, 1)
        np.testing.assert_allclose(7 - theta, change, rtol=1e-12)


def test_rmsprop_has_a_velocity_only_with_momentum():
    theta = np.zeros(3)
    assert set(RMSprop().init_state(theta)) == {"n_steps", "square"}
    assert set(RMSprop(momentum=0.1).init_state(theta)) == {"n_steps", "square", "velocity"}


# -- line searches ----------------------------------------------------------------------
def quadratic_line(a):
    return (a - 2) ** 2, 2 * (a - 2)


def more_1(a):  # the first three are those of More & Thuente (1994), section 5
    return -a / (a * a + 2), (a * a - 2) / (a * a + 2) ** 2


def more_2(a, b=0.004):
    return (a + b) ** 5 - 2 * (a + b) ** 4, 5 * (a + b) ** 4 - 8 * (a + b) ** 3


def more_3(a, b=0.01, k=39):
    if a <= 1 - b:
        value, slope = 1 - a, -1.0
    elif a >= 1 + b:
        value, slope = a - 1, 1.0
    else:
        value, slope = (a - 1) ** 2 / (2 * b) + b / 2, (a - 1) / b
    angle = k * np.pi / 2
    return (
        value + 2 * (1 - b) / (k * np.pi) * np.sin(angle * a),
        slope + (1 - b) * np.cos(angle * a),
    )


def barrier(a):
    if a >= 1.5:
        return np.inf, np.nan
    return -a - np.log1p(-a / 1.5), -1 + 1 / (1.5 - a)


def edge(a):
    return (np.nan, np.nan) if a > 1e-3 else (1e6 * a * a - 1.5e3 * a, 2e6 * a - 1.5e3)


LINES = [quadratic_line, more_1, more_2, more_3, barrier, edge]


def wolfe(start, point, decrease, curvature):
    """Whether a point meets the strong Wolfe conditions, but for rounding."""
    bound = start.value + decrease * point.step * start.slope
    return point.value <= bound + 1e-12 * abs(bound) and abs(
        point.slope
    ) <= curvature * abs(start.slope)


@pytest.mark.parametrize("curvature", [0.5, 0.1])
@pytest.mark.parametrize("step", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("line", LINES)
def test_line_search_finds_a_wolfe_point(line, step, curvature):
    steps = []

    def function(a):
        steps.append(a)
        return line(a)

    start = Point(0.0, *line(0.0))
    last, best = strong_wolfe(function, start, step, 0.05, curvature, 40)
    assert best is last
    assert last == Point(steps[-1], *line(steps[-1]))
    assert wolfe(start, last, 0.05, curvature)
    assert steps[0] == step
    assert len(set(steps)) == len(steps) < 25


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("line", LINES)
def test_line_search_keeps_the_best_point(line, n):
    for step in (1e-4, 0.3, 30.0):
        points = [Point(0.0, *line(0.0))]

        def function(a, points=points):
            points.append(Point(a, *line(a)))
            return points[-1][1:]

        last, best = strong_wolfe(function, points[0], step, 0.005, 0.01, n)
        assert len(points) - 1 <= n
        if not (best is last and wolfe(points[0], last, 0.005, 0.01)):
            lowest = min(points, key=lambda p: p.value if np.isfinite(p.value) else np.inf)
            assert best == lowest


def test_line_search_where_nothing_is_lower():
    def rising(a):
        return a, -1.0

    start = Point(0.0, 0.0, -1.0)
    last, best = strong_wolfe(rising, start, 1.0, 0.1, 0.5, 1000)
    assert best == start  # and it ended, as the steps became zero
    assert last.step > 0
    last, best = strong_wolfe(rising, start, 0.0, 0.1, 0.5, 5)
    assert last is None
    assert best == start


def test_line_search_ends_where_only_rounding_is_left():
    steps = []

    def noisy(a):
        steps.append(a)
        return 5.0 + 1e-7, -1.0

    start = Point(0.0, 5.0, -1.0)
    assert strong_wolfe(noisy, start, 1.0, 0.1, 0.5, 1000, 5e-7)[1] == start
    assert steps[-1] <= 5e-7 < steps[-2]
    steps.clear()  # a short first step is no reason to end
    last, best = strong_wolfe(
        quadratic_line, Point(0.0, 4.0, -4.0), 1e-9, 0.1, 0.5, 30, 1e-7
    )
    assert best is last
    assert last.value < 1


# -- conjugate gradients ----------------------------------------------------------------
class Descent:
    """A solver on a function, with all that it evaluates written down."""

    def __init__(self, function, start, dtype=np.float64, **parameters):
        self.function = function
        self.theta = np.array(start, dtype)
        self.gradient = np.full_like(self.theta, np.nan)
        self.solver = ConjugateGradient(**parameters)
        self.state = self.solver.init_state(self.theta)
        self.losses = []

    def objective(self, function):
        loss, self.gradient[:] = function(self.theta)
        self.losses.append(float(loss))
        return self.losses[-1]

    def search(self, function=None):
        """Minimise a batch; returns the loss before and after."""
        function = function or self.function
        before = self.solver.search(
            partial(self.objective, function), self.theta, self.gradient, self.state
        )
        return before, float(function(self.theta)[0])


def random_quadratic(n, seed=0):
    """A convex quadratic function and its minimum."""
    rng = np.random.RandomState(seed)
    A = rng.normal(size=(n, n))
    A = A @ A.T / n + np.eye(n)
    solution = rng.normal(size=n)
    return lambda x: (
        0.5 * (x - solution) @ A @ (x - solution),
        A @ (x - solution),
    ), solution


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_cg_solves_a_quadratic_in_n_lines(n):
    function, solution = random_quadratic(n)
    descent = Descent(function, np.zeros(n), n_line_searches=n, curvature=1e-4)
    descent.search()
    np.testing.assert_allclose(descent.theta, solution, atol=1e-6)


@pytest.mark.parametrize("n", [5, 100])
def test_cg_solves_a_quadratic_with_few_evaluations(n):
    function, solution = random_quadratic(n)
    descent = Descent(function, np.zeros(n), n_line_searches=40)
    descent.search()
    np.testing.assert_allclose(descent.theta, solution, atol=1e-6)
    assert len(descent.losses) < 90


def logistic_regression(n_classes=3):
    """A convex loss with a penalty, of all weights in one array, and its gradient."""
    rng = np.random.RandomState(0)
    X, Y = rng.normal(size=(60, 4)), np.eye(n_classes)[rng.randint(n_classes, size=60)]

    def loss(theta):
        W = theta.reshape(4, n_classes)
        value = -(Y * log_softmax(X @ W, axis=1)).sum() / 60 + 0.05 * (W**2).sum()
        return value, (X.T @ (softmax(X @ W, axis=1) - Y) / 60 + 0.1 * W).ravel()

    return loss


@pytest.mark.parametrize(
    ("function", "start", "n_line_searches"),
    [
        (rosenbrock, [-1.2, 1.0, 0.5], 200),
        (rosenbrock, [2.0, -1.0], 200),
        (logistic_regression(), np.zeros(12), 60),
    ],
    ids=["rosenbrock 3", "rosenbrock 2", "logistic regression"],
)
def test_cg_finds_the_minimum_that_scipy_finds(function, start, n_line_searches):
    reference = optimize.minimize(
        function, start, jac=True, method="CG", options={"gtol": 1e-9}
    )
    descent = Descent(function, start, n_line_searches=n_line_searches)
    _, loss = descent.search()
    np.testing.assert_allclose(loss, reference.fun, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(descent.theta, reference.x, atol=1e-5)


def test_cg_needs_no_more_evaluations_than_scipy():
    for function, start in [
        (rosenbrock, [-1.2, 1.0, 0.5]),
        (logistic_regression(), np.ones(12)),
    ]:
        reference = optimize.minimize(
            function, start, jac=True, method="CG", options={"gtol": 1e-4}
        )
        descent = Descent(function, start, n_line_searches=200)
        descent.search()
        needed = np.argmax(np.array(descent.losses) <= reference.fun * (1 + 1e-6) + 1e-12)
        assert 0 < needed < 1.5 * reference.nfev


def test_cg_in_float32():
    descent = Descent(rosenbrock, [-1.2, 1.0, 0.5], np.float32, n_line_searches=200)
    _, loss = descent.search()
    assert descent.theta.dtype == np.float32
    assert loss < 1e-5
    np.testing.assert_allclose(descent.theta, 1, atol=2e-3)


def autoencoder(dtype, n_rows):
    """A small deep autoencoder of digits, and a function that evaluates some rows."""
    X = (load_digits().data[:n_rows] / 16).astype(dtype)
    rng = np.random.RandomState(0)
    sizes = (64, 20, 5, 20, 64)
    coefs = [rng.normal(0, 0.2, pair) for pair in pairwise(sizes)]
    network = Network(
        coefs, [np.zeros(n) for n in sizes[1:]], ["tanh"] * 3, "binary_log_loss"
    )
    backprop = Backprop(network, n_rows, 0.1, dtype)
    return backprop, lambda rows: float(backprop(Examples(X, X), rows))


@pytest.mark.parametrize("n_line_searches", [1, 3, 20])
@DTYPES
def test_cg_decreases_the_loss_of_every_batch(dtype, n_line_searches, monkeypatch):
    searches = []

    def spy(function, start, step, decrease, curvature, *limits):
        found = strong_wolfe(function, start, step, decrease, curvature, *limits)
        searches.append((start, *found, decrease, curvature))
        return found

    monkeypatch.setattr(conjugate_gradient, "strong_wolfe", spy)
    backprop, loss = autoencoder(dtype, 300)
    solver = ConjugateGradient(n_line_searches)
    state = solver.init_state(backprop.theta)
    everything = np.arange(300)
    first = loss(everything)
    for batch in np.array_split(np.random.RandomState(0).permutation(300).repeat(3), 9):
        expected = loss(batch)
        before = solver.search(
            partial(loss, batch), backprop.theta, backprop.gradient, state
        )
        assert before == expected
        assert loss(batch) < before
    assert loss(everything) < 0.75 * first
    assert len(searches) == 9 * n_line_searches
    for start, last, best, decrease, curvature in searches:
        assert best is last
        assert wolfe(start, best, decrease, curvature)


def test_cg_evaluates_a_few_times_for_each_line_search():
    backprop, loss = autoencoder(np.float32, 50)
    solver, calls = ConjugateGradient(), []

    def objective():
        calls.append(None)
        return loss(np.arange(50))

    state = solver.init_state(backprop.theta)
    for _ in range(5):
        solver.search(objective, backprop.theta, backprop.gradient, state)
    assert backprop.n_evaluations == len(calls) < 5 * (1 + 3 * 3)


def test_cg_continues_after_pickling():
    paths = []
    for stored in (deepcopy, lambda x: pickle.loads(pickle.dumps(x)), lambda x: x):
        backprop, loss = autoencoder(np.float32, 100)
        solver, theta = ConjugateGradient(), backprop.theta
        state = solver.init_state(theta)
        for batch in np.arange(100).reshape(5, 20):
            solver, state = stored(solver), stored(state)
            solver.search(partial(loss, batch), theta, backprop.gradient, state)
        paths.append((theta.copy(), backprop.n_evaluations, state["decrease"]))
    for theta, *numbers in paths[1:]:
        np.testing.assert_array_equal(theta, paths[0][0])
        assert tuple(numbers) == paths[0][1:]


def ball(outside, radius=3.0):
    """A steep function that is not finite outside of a ball, with its minimum inside."""

    def function(x):
        square = x @ x
        if not square < radius**2:
            return outside, np.full_like(x, np.nan)
        value = 1e3 * ((x - 1) @ (x - 1)) - np.log(radius**2 - square)
        return value, 2e3 * (x - 1) + 2 * x / (radius**2 - square)

    return function


@DTYPES
@pytest.mark.parametrize("outside", [np.inf, -np.inf, np.nan])
def test_cg_keeps_out_of_where_nothing_is_finite(outside, dtype):
    function = ball(outside)
    reference = optimize.minimize(ball(np.inf), [1.0, 1.0], jac=True).x
    descent = Descent(function, [2.0, -2.0], dtype, n_line_searches=15)
    before, after = descent.search()
    assert after < before
    np.testing.assert_allclose(descent.theta, reference, atol=1e-3)


@DTYPES
def test_cg_leaves_theta_alone_if_nothing_is_lower(dtype):
    start = np.array([0.3, -2.0, 1e-3], dtype)

    def uphill(x):  # its gradient has the wrong sign
        return (x - start) @ (x - start), start - x + 1

    def wall(x):
        here = np.array_equal(x, start)
        return (1.0 if here else np.nan), np.ones_like(x)

    for function in (uphill, wall):
        descent = Descent(function, start, dtype, n_line_searches=4)
        before, _ = descent.search()
        np.testing.assert_array_equal(descent.theta, start)
        assert before == function(start)[0]
        assert len(descent.losses) <= 1 + 20  # it does not try the same line again
        assert descent.state["decrease"] is None


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_cg_returns_a_loss_that_is_not_finite(loss):
    descent = Descent(lambda x: (loss, x), [1.0, 2.0])
    before, _ = descent.search()
    np.testing.assert_equal(before, loss)
    assert descent.theta.tolist() == [1.0, 2.0]
    assert len(descent.losses) == 1
    before, after = descent.search(rosenbrock)  # and goes on with a batch that is
    assert after < before


def test_cg_stays_at_a_stationary_point():
    descent = Descent(rosenbrock, [1.0, 1.0])
    assert descent.search() == (0.0, 0.0)
    assert len(descent.losses) == 1
    descent = Descent(lambda x: (1.0, np.full_like(x, np.nan)), [1.0, 1.0])
    descent.search()
    assert descent.theta.tolist() == [1.0, 1.0]


def waves(seed, n=6):
    """A function with many minima."""
    rng = np.random.RandomState(seed)
    K, phase = rng.normal(0, 3, (10, n)), rng.uniform(0, 6, 10)

    def function(x):
        value = np.sin(K @ x + phase).sum() + 0.1 * (x @ x)
        return value, K.T @ np.cos(K @ x + phase) + 0.2 * x

    return function


@pytest.mark.parametrize("max_evaluations", [1, 2, 3, 20])
@pytest.mark.parametrize("seed", range(10))
def test_cg_never_leaves_a_batch_worse(seed, max_evaluations):
    """Line searches that end too early included, where the last point may be worse."""
    descent = Descent(
        waves(seed),
        np.random.RandomState(seed).normal(0, 2, 6),
        n_line_searches=5,
        curvature=0.01,
        max_evaluations=max_evaluations,
    )
    for batch in range(8):
        first = len(descent.losses)
        before, after = descent.search(waves(100 * seed + batch % 3))
        assert before == descent.losses[first]
        assert after <= before
        assert len(descent.losses) - first <= 1 + 5 * (max_evaluations + 1)
        assert after in descent.losses[first:]  # a point that it has evaluated


def test_conjugate_gradients_work_on_pieces_of_large_parameters(monkeypatch):
    """The same minimum, and the same numbers on any number of threads."""
    rng = np.random.RandomState(0)
    scales, start = rng.uniform(1, 3, 1000), rng.normal(size=1000)

    def minimize():
        theta, gradient = start.copy(), np.empty(1000)

        def objective():
            gradient[:] = scales * theta
            return 0.5 * float(theta @ gradient)

        optimizer = ConjugateGradient(n_line_searches=20)
        state = optimizer.init_state(theta)
        loss = optimizer.search(objective, theta, gradient, state)
        assert objective() < 1e-6 * loss
        return theta

    whole = minimize()
    monkeypatch.setattr(_threads, "_LEAST_PARAMETERS", 100)
    with threadpool_limits(1, user_api="blas"):
        expected = minimize()
    with threadpool_limits(4, user_api="blas"):
        found = minimize()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found, whole, atol=1e-6)


@DTYPES
def test_kernels_of_conjugate_gradients(dtype):
    tolerance = {"rtol": 1e-6 if dtype == np.float32 else 1e-13, "atol": 1e-6}
    for size in (1, 7, 1000):
        g, d, last = np.random.RandomState(size).normal(size=(3, size)).astype(dtype)
        G, D, L = (a.astype(np.float64) for a in (g, d, last))
        exact = {"rtol": 1e-12, "atol": 1e-12}
        np.testing.assert_allclose(conjugate_gradient._dot(g, d), G @ D, **exact)
        np.testing.assert_allclose(conjugate_gradient._dot(g, last), G @ L, **exact)
        theta = np.empty_like(g)
        conjugate_gradient._move(g, d, theta, dtype(0.3))
        np.testing.assert_allclose(theta, G + np.float64(dtype(0.3)) * D, **tolerance)
        slope = conjugate_gradient._conjugate(g, d, last, dtype(0.7))
        np.testing.assert_allclose(d, np.float64(dtype(0.7)) * D - G, **tolerance)
        np.testing.assert_allclose(slope, G @ d.astype(np.float64), **exact)
        np.testing.assert_array_equal(last, g)
        last[:] = 0
        np.testing.assert_allclose(conjugate_gradient._steepest(g, d, last), G @ G, **exact)
        np.testing.assert_array_equal(d, -g)
        np.testing.assert_array_equal(last, g)


def test_slopes_of_many_parameters_add_up():
    # They would not in float32, whose rounding errors grow with the number of terms.
    ones = np.full(2**24 + 2**20, 0.1, np.float32)
    expected = ones.size * float(np.float32(0.1)) ** 2
    np.testing.assert_allclose(conjugate_gradient._dot(ones, ones), expected, rtol=1e-10)


# -- all rows at once -------------------------------------------------------------------
def no_stop(loss):
    return False


@pytest.mark.parametrize("max_iter", [3, 1000])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_lbfgs_goes_the_way_of_scipy(problem, max_iter):
    function, start, solution = PROBLEMS[problem]
    theta, losses = start.copy(), []

    def note(loss):
        assert loss == function(theta)[0]  # theta is up to date
        losses.append(loss)

    optimizer = LBFGS(n_corrections=7)
    converged, loss = optimizer.minimize(function, theta, max_iter, 1e-8, note)
    options = {"maxiter": max_iter, "maxcor": 7, "gtol": 1e-8}
    expected = optimize.minimize(
        function, start, method="L-BFGS-B", jac=True, options=options
    )
    np.testing.assert_allclose(theta, expected.x, rtol=1e-12)
    assert len(losses) == expected.nit
    np.testing.assert_allclose([losses[-1], loss], expected.fun, rtol=1e-12)
    assert converged == (max_iter == 1000)
    if converged:
        np.testing.assert_allclose(theta, solution, atol=1e-5)


def test_lbfgs_in_float32_and_its_limits():
    theta = PROBLEMS["quadratic"][1].astype(np.float32)
    in_place = theta

    def single(x):
        assert x is theta
        loss, gradient = quadratic(x.astype(np.float64))
        return loss, gradient.astype(np.float32)

    assert LBFGS().minimize(single, theta, 100, 1e-4, no_stop)[0]
    assert in_place is theta
    np.testing.assert_allclose(theta, 3, atol=1e-3)
    theta = PROBLEMS["rosenbrock"][1].copy()
    assert not LBFGS(max_fun=5).minimize(rosenbrock, theta, 100, 1e-8, no_stop)[0]
    losses = []

    def stop_at_second(loss):
        losses.append(loss)
        return len(losses) == 2

    theta = PROBLEMS["rosenbrock"][1].copy()
    LBFGS().minimize(rosenbrock, theta, 100, 1e-8, stop_at_second)
    assert len(losses) == 2
    assert losses[1] == rosenbrock(theta)[0]


def test_lbfgs_tells_that_no_step_goes_down():
    def uphill(theta):
        return float(theta @ theta), -2 * theta

    theta = np.ones(3)
    with pytest.warns(ConvergenceWarning, match="LBFGS: the line search found no smaller"):
        LBFGS().minimize(uphill, theta, 100, 1e-8, lambda loss: False)

    def downhill(theta):
        return float(theta**4 @ theta), 5 * theta**4

    assert LBFGS().minimize(downhill, theta, 100, 1e-8, lambda loss: True)[0]  # no warning


@pytest.mark.parametrize("name", NETWORKS)
def test_lbfgs_that_has_converged_before_it_begins(name):
    y = target(name)
    fitted = build(name, solver="lbfgs", tol=1e9, alpha=0.1).fit(ROWS, y)
    assert (fitted.n_iter_, fitted.loss_curve_) == (0, [])
    start = build(name, solver="sgd", learning_rate=1e-30, alpha=0.1, batch_size=60)
    with pytest.warns(ConvergenceWarning):
        start.set_params(max_iter=1, tol=1e-4).fit(ROWS, y)
    assert fitted.loss_ == fitted.best_loss_ == pytest.approx(start.loss_, rel=1e-6)


def test_work_space_of_conjugate_gradients_is_not_kept():
    X, y = load_digits(return_X_y=True)
    mlp = MLPClassifier((20,), solver="cg", batch_size=500, random_state=0)
    kept = mlp.partial_fit(X / 16, y, classes=range(10))._partial_state_[1]
    assert kept.keys() == {"decrease", "frozen"}
    again = pickle.loads(pickle.dumps(mlp)).partial_fit(X / 16, y)
    np.testing.assert_array_equal(mlp.partial_fit(X / 16, y).coefs_[0], again.coefs_[0])
