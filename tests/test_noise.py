"""Weights of rows, penalties, frozen layers, dropout and noise in backpropagation."""

import _oracles as oracle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import norm
from sklearn.datasets import make_classification
from test_network import EVERY, make_network, twin_loss
from threadpoolctl import threadpool_limits

from skdbn import RBM, DBNAutoencoder, MLPClassifier, MLPRegressor
from skdbn._batches import Examples
from skdbn._flat import add_sign, limit_columns
from skdbn._network import Backprop
from skdbn._noise import Dropout, GaussianNoise, Noise
from skdbn._random import Stream
from skdbn.losses import LOSSES

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")
N = 2**18  # numbers of a statistical test


# -- weights of rows, penalties -----------------------------------------------------------
@pytest.mark.parametrize("l1_ratio", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_of_weighted_rows_with_penalties(loss, l1_ratio):
    network, X, Y = make_network(loss, "tanh")
    weight = np.random.RandomState(1).uniform(0, 3, 11)
    weight[4] = 0
    backprop = Backprop(network, 11, 0.3, np.float64, l1_ratio=l1_ratio)
    start = backprop.theta.copy()
    for rows in (np.arange(11), np.array([3, 9, 4, 9])):
        function = twin_loss(
            network, 0.3, X[rows], Y[rows], weight=weight[rows], l1_ratio=l1_ratio
        )
        found = backprop(Examples(X, Y, weight), rows)
        np.testing.assert_allclose(found, function(start), rtol=1e-12)
        expected = oracle.numeric_gradient(function, start)
        np.testing.assert_allclose(backprop.gradient, expected, rtol=1e-6, atol=1e-8)
    rows = np.arange(11)
    small = Backprop(network, 3, 0.3, np.float64, l1_ratio=l1_ratio)
    whole, gradient = small.full(Examples(sparse.csr_array(X), Y, weight), rows)
    np.testing.assert_allclose(whole, backprop(Examples(X, Y, weight), rows), rtol=1e-12)
    np.testing.assert_allclose(gradient, backprop.gradient, rtol=1e-9, atol=1e-14)


@EVERY
def test_whole_weights_are_repeated_rows(loss, activation, alpha):
    network, X, Y = make_network(loss, activation)
    times = np.array([0, 1, 3, 0, 2, 1, 0, 0, 4, 1, 1])
    weighted = Backprop(network, 11, alpha, np.float64)
    repeated = Backprop(network, 13, alpha, np.float64)
    rows = np.repeat(np.arange(11), times)
    expected = repeated(Examples(X, Y), rows)
    found = weighted(Examples(X, Y, times.astype(float)), np.arange(11))
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(weighted.gradient, repeated.gradient, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_sign_is_added(dtype):
    x, out = np.array([-2, 0, 3, -0.0], dtype), np.ones(4, dtype)
    add_sign(x, dtype(0.25), out)
    np.testing.assert_array_equal(out, [0.75, 1, 1.25, 1])


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_long_columns_are_shortened(dtype):
    weights = np.random.RandomState(0).normal(size=(6, 5)).astype(dtype)
    weights[:, 3] = 0
    before, norms = weights.copy(), np.linalg.norm(weights, axis=0)
    limit = np.sort(norms)[3]
    limit_columns(weights, dtype(limit), np.empty(5, dtype))
    expected = before * np.minimum(1, limit / np.maximum(norms, 1e-30))
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


# -- frozen layers ------------------------------------------------------------------------
@pytest.mark.parametrize("frozen", [{0}, {0, 1}, {1}, {2}, {0, 2}])
@pytest.mark.parametrize("apart", [False, True])
def test_frozen_layers_have_no_gradient(frozen, apart):
    network, X, Y = make_network("log_loss", "logistic")
    data, rows = Examples(X, Y), np.arange(11)
    whole = Backprop(network, 11, 0.1, np.float64, l1_ratio=0.3)
    part = Backprop(network, 11, 0.1, np.float64, l1_ratio=0.3, apart=apart)
    expected = whole(data, rows)
    part(data, rows)
    part.freeze(frozen)
    learned = []
    found = part(data, rows, lambda layer, where, decay: learned.append((layer, where)))
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    part(data, rows)
    for i in range(3):
        for mine, all_of_them in (
            (part.coef_grads[i], whole.coef_grads[i]),
            (part.intercept_grads[i], whole.intercept_grads[i]),
        ):
            right = np.zeros_like(mine) if i in frozen else all_of_them
            np.testing.assert_array_equal(mine, right)
    assert {layer for layer, _ in learned} == {0, 1, 2} - frozen
    touched = np.zeros(part.theta.size, int)
    for _, where in learned:
        touched[where] += 1
    np.testing.assert_array_equal(touched, part.gradient != 0)
    part.freeze(())
    part(data, rows)
    np.testing.assert_array_equal(part.gradient, whole.gradient)


# -- noise --------------------------------------------------------------------------------
class Again(Stream):
    """A stream that hands out the same numbers again for each batch."""

    def take(self, n):
        if self.position >= 3 * 2**32:  # three layers of a batch
            self.position = 0
        start = np.uint64(self.position)
        self.position += 2**32
        return start, self.key


def noise(stream, hidden=0.5, inputs=()):
    return Noise([list(inputs), [Dropout(hidden)], [Dropout(hidden)]], stream)


def mask_of(stream, start, shape, rate):
    """Which numbers of a layer are kept, by Python's integers."""
    u = [oracle.uniform(start + i, int(stream.key)) for i in range(np.prod(shape))]
    return np.reshape(u, shape) >= np.float32(rate)


@EVERY
def test_gradient_with_the_mask_fixed(loss, activation, alpha):
    network, X, Y = make_network(loss, activation)
    stream = Again(np.random.RandomState(0))
    layers = [[Dropout(0.3)], [Dropout(0.4)], [Dropout(0.5)]]
    backprop = Backprop(network, 11, alpha, np.float64, noise=Noise(layers, stream))
    data, rows, start = Examples(X, Y), np.arange(11), backprop.theta.copy()

    def function(theta):
        backprop.theta[:] = theta
        return backprop(data, rows)

    expected = oracle.numeric_gradient(function, start)
    function(start)
    np.testing.assert_allclose(backprop.gradient, expected, rtol=1e-5, atol=1e-8)


def test_dropout_does_to_each_layer_what_a_twin_does():
    network, X, Y = make_network("squared_error", "relu")
    stream = Again(np.random.RandomState(0))
    layers = [[Dropout(0.3)], [Dropout(0.4)], [Dropout(0.5)]]
    backprop = Backprop(network, 11, 0.0, np.float64, noise=Noise(layers, stream))
    found = backprop(Examples(X, Y), np.arange(11))
    a = X
    forwards = [oracle.FORWARD[name] for name in ("relu", "tanh", "identity")]
    for i, rate in enumerate((0.3, 0.4, 0.5)):
        a = a * mask_of(stream, i * 2**32, a.shape, rate) / (1 - rate)
        a = forwards[i](a @ network.coefs[i] + network.intercepts[i])
    np.testing.assert_allclose(found, oracle.LOSS["squared_error"](a, Y) / 11, rtol=1e-12)


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_dropout_keeps_the_mean(dtype):
    x, rate = np.full((N // 64, 64), 3, dtype), 0.3
    stream = Stream(np.random.RandomState(1))
    Dropout(rate).forward(x, *stream.take(x.size))
    kept = x != 0
    np.testing.assert_allclose(x[kept], 3 / 0.7, rtol=1e-6)
    z = (kept.mean() - 0.7) / np.sqrt(0.3 * 0.7 / N)
    assert abs(z) < 4
    columns = (kept.mean(axis=0) - 0.7) / np.sqrt(0.3 * 0.7 / (N // 64))
    assert np.abs(columns).max() < 4.5


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_noise_is_normal(dtype):
    x = np.full((N // 64, 64), 1, dtype)
    stream = Stream(np.random.RandomState(2))
    GaussianNoise(0.5).forward(x, *stream.take(x.size))
    z = (x - 1) / 0.5
    assert abs(z.mean(dtype=np.float64)) * np.sqrt(N) < 4
    assert abs((z**2).mean(dtype=np.float64) - 1) * np.sqrt(N / 2) < 4
    assert abs((z**3).mean(dtype=np.float64)) * np.sqrt(N / 15) < 4


@pytest.mark.parametrize("dtype", oracle.DTYPES)
def test_noise_is_the_quantile_of_the_bits(dtype):
    x, stream = np.zeros((50, 40), dtype), Stream(np.random.RandomState(3))
    start, key = stream.take(x.size)
    GaussianNoise(1.0).forward(x, start, key)
    bits = [oracle.squares32(int(start) + i, int(key)) for i in range(x.size)]
    quantiles = [(1 - 2 * (b & 1)) * norm.isf(((b >> 1) + 0.5) * 2.0**-32) for b in bits]
    np.testing.assert_allclose(x.ravel(), quantiles, atol=2e-6)
    assert np.abs(quantiles).max() > 3  # where the other half of the table is used


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 6)),
    cut=st.integers(0, 9),
    part=st.sampled_from([Dropout(0.4), GaussianNoise(0.7)]),
    dtype=st.sampled_from(oracle.DTYPES),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_rows_in_parts_are_the_rows_of_the_whole(shape, cut, part, dtype):
    whole = np.ones(shape, dtype)
    pieces, noise = whole.copy(), Noise([[part]], Stream(np.random.RandomState(4)))
    noise.draw(shape[0], [shape[1]])
    noise.forward(0, whole, 0)
    cut = min(cut, shape[0])
    noise.forward(0, pieces[cut:], cut)
    noise.forward(0, pieces[:cut], 0)
    np.testing.assert_array_equal(pieces, whole)


def test_no_number_is_used_twice():
    stream = Stream(np.random.RandomState(0))
    both = noise(stream, inputs=[GaussianNoise(1.0), Dropout(0.5)])
    for n_rows in (5, 3):
        before = stream.position
        both.draw(n_rows, [4, 7, 6, 2])
        starts = [int(start) for layer in both.starts for start, _ in layer]
        sizes = [n_rows * 4, n_rows * 4, n_rows * 7, n_rows * 6]
        assert starts == (before + np.cumsum([0, *sizes[:-1]])).tolist()
        assert stream.position == before + sum(sizes)


@pytest.mark.parametrize("inputs", [[Dropout(0.5)], [GaussianNoise(0.3), Dropout(0.2)]])
def test_sparse_rows_with_noise_are_those_of_dense_ones(inputs):
    network, X, Y = make_network("log_loss", "tanh")
    results = []
    for container in (np.asarray, sparse.csr_array):
        stream = Stream(np.random.RandomState(3))
        backprop = Backprop(network, 11, 0, np.float64, noise=noise(stream, 0.2, inputs))
        loss = backprop(Examples(container(X), Y), np.array([1, 5, 2]))
        results.append((loss, backprop.gradient))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_a_denoising_network_is_compared_with_clean_rows():
    network, X, _ = make_network("squared_error", "tanh", sizes=(4, 5, 3, 4))
    losses = []
    for data in (Examples(X, X), Examples(X, X.copy())):
        stream = Stream(np.random.RandomState(3))
        parts = noise(stream, 0.1, [GaussianNoise(0.5)])
        backprop = Backprop(network, 11, 0, np.float64, noise=parts)
        losses.append(backprop(data, np.arange(11)))
    assert losses[0] == losses[1]
    plain = Backprop(network, 11, 0, np.float64)(Examples(X, X), np.arange(11))
    assert losses[0] != plain


# -- in estimators ------------------------------------------------------------------------
def fitted(**params):
    X, y = make_classification(600, 30, n_informative=9, n_classes=3, random_state=0)
    options = {"batch_size": 200, "max_iter": 3, "tol": None, "random_state": 0, **params}
    return MLPClassifier((400, 60), **options).fit(X, y), X, y


def test_the_same_numbers_on_any_number_of_threads():
    noisy = {"dropout": 0.4, "input_dropout": 0.1, "input_noise": 0.2}
    with threadpool_limits(1, user_api="blas"):
        alone, _, _ = fitted(**noisy)
    with threadpool_limits(3, user_api="blas"):
        shared, _, _ = fitted(**noisy)
    for a, b in zip(alone.coefs_, shared.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("params", "inputs", "hidden"),
    [
        ({"dropout": 0.3}, [], [(Dropout, {"rate": 0.3})]),
        ({"input_dropout": 0.2}, [(Dropout, {"rate": 0.2})], []),
        ({"input_noise": 0.7}, [(GaussianNoise, {"scale": 0.7})], []),
        (
            {"dropout": 0.3, "input_dropout": 0.2, "input_noise": 0.7},
            [(GaussianNoise, {"scale": 0.7}), (Dropout, {"rate": 0.2})],
            [(Dropout, {"rate": 0.3})],
        ),
    ],
)
def test_what_is_done_to_the_layers(params, inputs, hidden):
    parts = MLPClassifier(**params)._noise(3, np.random.RandomState(0))
    found = [[(type(part), vars(part)) for part in layer] for layer in parts.layers]
    assert found == [inputs, hidden, hidden]


def test_dropout_of_columns_alone():
    plain, X, _ = fitted()
    dropped, _, _ = fitted(input_dropout=0.5)
    assert dropped.loss_ > plain.loss_
    still, _, _ = fitted(input_dropout=0.5, learning_rate=1e-12)
    start, _, _ = fitted(learning_rate=1e-12)
    np.testing.assert_allclose(still.predict_proba(X), start.predict_proba(X), rtol=1e-5)


def test_noise_of_nothing_changes_nothing():
    plain, X, _ = fitted()
    off, _, _ = fitted(dropout=0.0, input_dropout=0.0, input_noise=0.0, l1_ratio=0.0)
    np.testing.assert_array_equal(plain.predict_proba(X), off.predict_proba(X))
    assert plain.loss_curve_ == off.loss_curve_


def test_predictions_use_the_weights_as_they_are():
    network, X, _ = fitted(dropout=0.5, learning_rate=1e-12)
    plain, _, _ = fitted(learning_rate=1e-12)
    np.testing.assert_allclose(network.predict_proba(X), plain.predict_proba(X), rtol=1e-5)
    assert network.loss_ > plain.loss_


def test_l1_makes_weights_small():
    def share_of_small_weights(l1_ratio):
        mlp, _, _ = fitted(alpha=20.0, l1_ratio=l1_ratio, max_iter=60)
        return np.mean(np.abs(mlp.coefs_[0]) < 1e-3)

    assert share_of_small_weights(1.0) > share_of_small_weights(0.0) + 0.3


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_max_norm_holds_after_training(solver):
    free, _, _ = fitted(solver=solver)
    norms = [np.linalg.norm(coef, axis=0) for coef in free.coefs_]
    assert norms[0].max() > 0.3
    assert norms[2].max() > 0.3
    held, _, _ = fitted(solver=solver, max_norm=0.3)
    norms = [np.linalg.norm(coef, axis=0) for coef in held.coefs_]
    assert norms[0].max() <= 0.3 * (1 + 1e-6)
    assert norms[1].max() <= 0.3 * (1 + 1e-6)
    assert norms[2].max() > 0.3  # that of an output is its own business


@pytest.mark.parametrize("solver", ["lbfgs", "cg"])
@pytest.mark.parametrize(
    "params",
    [{"dropout": 0.1}, {"input_dropout": 0.1}, {"input_noise": 1}, {"max_norm": 3}],
)
def test_line_searches_refuse_noise(solver, params):
    (name,) = params
    with pytest.raises(ValueError, match=f"{name}=.* needs a solver that makes one step"):
        MLPRegressor(solver=solver, **params).fit([[0.0], [1.0]], [0.0, 1.0])


def test_dropout_after_pretraining_starts_from_the_weights_of_the_stack():
    X = np.random.RandomState(0).uniform(size=(60, 6))
    autoencoder = DBNAutoencoder(
        (5, 2), rbm=RBM(max_iter=2), dropout=0.5, input_noise=0.2, max_iter=1,
        learning_rate=1e-30, random_state=0,
    ).fit(X)  # fmt: skip
    stack = autoencoder.stack_
    np.testing.assert_array_equal(autoencoder.coefs_[0], stack[0].components_.T)
    np.testing.assert_allclose(autoencoder.transform(X), stack.transform(X), rtol=1e-6)
