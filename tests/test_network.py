"""Backpropagation and the training loop against slow twins and scikit-learn."""

from itertools import chain, pairwise, product
from types import SimpleNamespace
from unittest.mock import MagicMock

import _oracles as oracle
import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from sklearn.utils import gen_batches

from skdbn import MLPClassifier
from skdbn._batches import Examples
from skdbn._flat import views
from skdbn._network import Backprop, Network
from skdbn._training import Monitor, run_epochs
from skdbn.activations import ACTIVATIONS
from skdbn.losses import LOSSES
from skdbn.optimizers import LBFGS, SGD
from skdbn.schedules import Ramp

DTYPES = pytest.mark.parametrize("dtype", oracle.DTYPES)
EVERY = pytest.mark.parametrize(
    ("loss", "activation", "alpha"), list(product(LOSSES, ACTIVATIONS, [0, 0.1]))
)


# -- loss and gradient ------------------------------------------------------------------
def make_network(loss, activation, sizes=(4, 5, 3, 2), seed=0):
    """A small network of two different hidden layers, and rows to train it on."""
    rng = np.random.RandomState(seed)
    coefs = [rng.normal(0, 0.7, pair) for pair in pairwise(sizes)]
    intercepts = [rng.normal(0, 0.5, n) for n in sizes[1:]]
    activations = [activation, "tanh" if activation != "tanh" else "logistic"]
    X, Y = rng.normal(size=(11, sizes[0])), rng.uniform(size=(11, sizes[-1]))
    X[np.abs(X) < 0.5] = 0
    return Network(coefs, intercepts, activations, loss), X, Y


def name_of(part, registry):
    """The name of an activation or a loss."""
    (name,) = (name for name, kind in registry.items() if kind is type(part))
    return name


def twin_loss(network, alpha, X, Y, **options):
    """The penalised loss as a function of all parameters in one array."""
    activations = [name_of(activation, ACTIVATIONS) for activation in network.activations]
    loss_name = name_of(network.loss, LOSSES)
    shapes = [a.shape for a in (*network.coefs, *network.intercepts)]
    depth = len(network.coefs)

    def loss(theta):
        parts = views(theta, shapes)
        coefs, intercepts = parts[:depth], parts[depth:]
        return oracle.network_loss(
            coefs, intercepts, activations, loss_name, alpha, X, Y, **options
        )

    return loss


ROWS = [np.arange(11), np.arange(3, 8), np.array([10, 2, 2, 7]), np.array([5])]


@EVERY
def test_gradient(loss, activation, alpha):
    network, X, Y = make_network(loss, activation)
    backprop = Backprop(network, 11, alpha, np.float64)
    start = backprop.theta.copy()
    for rows in ROWS:
        function = twin_loss(network, alpha, X[rows], Y[rows])
        expected = oracle.numeric_gradient(function, start)
        for container in (np.asarray, sparse.csr_matrix):
            found = backprop(Examples(container(X), Y), rows)
            np.testing.assert_allclose(found, function(start), rtol=1e-12)
            np.testing.assert_allclose(backprop.gradient, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(backprop.theta, start)


@EVERY
def test_full_is_the_loss_of_all_rows(loss, activation, alpha):
    network, X, Y = make_network(loss, activation)
    whole = Backprop(network, 11, alpha, np.float64)
    expected = whole(Examples(X, Y), np.arange(11))
    for n_rows in (1, 3, 4, 11, 20):
        for container in (np.asarray, sparse.csr_matrix):
            backprop = Backprop(network, n_rows, alpha, np.float64)
            found, gradient = backprop.full(
                Examples(container(X), container(Y)), np.arange(11)
            )
            np.testing.assert_allclose(found, expected, rtol=1e-12)
            np.testing.assert_allclose(gradient, whole.gradient, rtol=1e-11, atol=1e-15)
            np.testing.assert_array_equal(backprop.gradient, gradient)


@EVERY
def test_float32_is_close_to_float64(loss, activation, alpha):
    network, X, Y = make_network(loss, activation)
    single = Backprop(network, 11, alpha, np.float32)
    double = Backprop(network, 11, alpha, np.float64)
    assert single.gradient.dtype == np.float32
    found, expected = (f(Examples(X, Y), np.arange(11)) for f in (single, double))
    np.testing.assert_allclose(found, expected, rtol=2e-6)
    np.testing.assert_allclose(single.gradient, double.gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_predict(loss):
    network, X, _ = make_network(loss, "relu")
    layers = [X]
    for coef, intercept, name in zip(
        network.coefs, network.intercepts, ["relu", "tanh", oracle.LINK[loss]], strict=True
    ):
        layers.append(oracle.FORWARD[name](layers[-1] @ coef + intercept))
    before = X.copy()
    np.testing.assert_allclose(network.predict(X), layers[-1], rtol=1e-12)
    for depth in range(4):
        np.testing.assert_allclose(network.predict(X, depth), layers[depth], rtol=1e-12)
    np.testing.assert_array_equal(X, before)
    single = network.astype(np.float32)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single.predict(X.astype("f4")), layers[-1], rtol=1e-5)
    assert network.sizes == [4, 5, 3, 2]
    assert network.astype(np.float64).coefs[0] is network.coefs[0]


def test_parameters_are_copied_into_one_array():
    network, X, Y = make_network("squared_error", "tanh")
    backprop = Backprop(network, 11, 0.1, np.float64)
    coef = network.coefs[0].copy()
    backprop(Examples(X, Y), np.arange(11))
    backprop.theta[:] = 0
    assert all((coef == 0).all() for coef in backprop.network.coefs)
    assert all((b == 0).all() for b in backprop.network.intercepts)
    np.testing.assert_array_equal(network.coefs[0], coef)


def test_lbfgs_trains_a_network():
    """A convex problem: where the gradient is zero is the minimum."""
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(60, 3)), rng.randint(0, 2, (60, 1))
    network = Network([np.zeros((3, 1))], [np.zeros(1)], [], "binary_log_loss")
    backprop = Backprop(network, 7, 1.0, np.float64)

    def objective(theta):
        return backprop.full(Examples(X, y), np.arange(60))

    LBFGS().minimize(objective, backprop.theta, 100, 1e-10, lambda loss: False)
    gradient = oracle.numeric_gradient(twin_loss(network, 1.0, X, y), backprop.theta)
    np.testing.assert_allclose(gradient, 0, atol=1e-5)


# -- the loop ---------------------------------------------------------------------------
class FakeProblem:
    """Its loss of a row is the number of the row, and rows are all it learns."""

    def __init__(self):
        self.theta, self.calls = np.zeros(1), []
        self.solution = self.theta

    def is_sound(self):
        return True

    def batches(self, n_rows):
        return gen_batches(n_rows, 4)

    def step(self, rows, t):
        self.calls.append((rows.tolist(), t))
        self.theta += 1
        return rows.mean()


@pytest.mark.parametrize(
    "shuffling", [None, np.random.RandomState(0)], ids=["as is", "drawn"]
)
def test_run_epochs_reports_the_mean_over_rows(shuffling):
    problem, task = FakeProblem(), MagicMock()
    task.subtask.return_value = task.begin.return_value = task
    task.end.return_value = False
    order = np.arange(20, 31)  # 11 rows: batches of 4, 4 and 3
    monitor = Monitor(SimpleNamespace(max_iter=2, verbose=False), "loss")
    run_epochs(problem, order, shuffling, monitor, task, dict)
    assert monitor.losses == pytest.approx([25.0, 25.0], rel=1e-14)
    assert task.subtask.call_count == task.end.call_count == 2
    batches, times = zip(*problem.calls, strict=True)
    assert [len(batch) for batch in batches] == [4, 4, 3] * 2
    np.testing.assert_allclose(times, [0, 1 / 3, 2 / 3, 1, 4 / 3, 5 / 3])
    epochs = [list(chain(*batches[:3])), list(chain(*batches[3:]))]
    assert all(sorted(epoch) == order.tolist() for epoch in epochs)
    assert (epochs[0] == order.tolist()) == (shuffling is None)
    assert (epochs[0] == epochs[1]) == (shuffling is None)


def test_short_last_batch_counts_by_its_rows():
    """At a learning rate of nothing the loss of an epoch is that of the start."""
    X, y = make_classification(23, random_state=0)
    mlp = MLPClassifier(
        (5,), solver=SGD(0.0), learning_rate=1e-12, alpha=0, batch_size=10, max_iter=1,
        n_iter_no_change=1, dtype="float64", random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        mlp.fit(X, y)
    np.testing.assert_allclose(mlp.loss_, log_loss(y, mlp.predict_proba(X)), rtol=1e-9)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_learning_rate_schedule_equals_steps_by_hand(name):
    """A network of one weight and one bias, whose every step is done by hand."""
    X, y = np.array([[1.0], [-2.0], [0.5], [3.0]]), np.array([1, 0, 1, 1])
    rate = Ramp(0.3, 0.1, n_epochs=2)
    mlp = MLPClassifier(
        (1,), activation="identity", solver=name, learning_rate=rate, alpha=0.0,
        batch_size=2, shuffle=False, max_iter=3, n_iter_no_change=99, dtype="float64",
        random_state=0,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        mlp.fit(X, y)
    start = MLPClassifier((1,), activation="identity", random_state=0, dtype="float64")
    with pytest.warns(ConvergenceWarning):
        start.set_params(solver=SGD(0.0), learning_rate=1e-300, max_iter=1).fit(X, y)
    network = Network(start.coefs_, start.intercepts_, ["identity"], "binary_log_loss")
    backprop = Backprop(network, 2, 0.0, np.float64)
    theta = [backprop.theta]
    kinds = {"sgd": SGDOptimizer, "adam": AdamOptimizer}
    reference = kinds[name](theta, learning_rate_init=0.0)
    for step in range(6):
        backprop(Examples(X, y[:, None]), np.array([0, 1] if step % 2 == 0 else [2, 3]))
        reference.learning_rate = reference.learning_rate_init = rate(step / 2, 3)
        reference.update_params(theta, [backprop.gradient])
    found = np.concatenate([np.ravel(a) for a in (*mlp.coefs_, *mlp.intercepts_)])
    np.testing.assert_allclose(found, backprop.theta, rtol=1e-12)
