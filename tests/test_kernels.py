"""Kernels, one by one, against twins in NumPy and plain Python."""

from itertools import pairwise

import _oracles as oracle
import numba
import numpy as np
import pytest
from scipy import sparse, stats
from scipy.special import expit, softmax

from skdbn import _kernels
from skdbn._batches import BLOCK_ROWS, load_rows, map_blocks
from skdbn._flat import add_scaled, flatten, views
from skdbn._kernels import kernel
from skdbn._random import Stream
from skdbn.activations import ACTIVATIONS, LeakyReLU, Softmax, TruncatedExponential
from skdbn.losses import LOSSES, LogLoss, SquaredError
from skdbn.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from skdbn.units import UNITS, Bernoulli, Gaussian

DTYPES = pytest.mark.parametrize("dtype", oracle.DTYPES)
# No rows, one number, odd sizes and sizes that vector loops do not divide.
SHAPES = pytest.mark.parametrize("shape", [(0, 3), (1, 1), (3, 1), (1, 7), (7, 3), (9, 65)])
TOLERANCE = {
    np.float32: {"rtol": 2e-6, "atol": 1e-6},
    np.float64: {"rtol": 1e-13, "atol": 1e-14},
}
N = 2**18  # numbers of a statistical test
Z = 4.0  # largest z-score of one that passes; seeds are fixed, so nothing is left to luck


@kernel
def _exp(x, out):
    for i in range(x.size):
        out[i] = _kernels.exp(x[i])


@kernel
def _log(x, out):
    for i in range(x.size):
        out[i] = _kernels.log(x[i])


@kernel
def _sigmoid(x, out):
    for i in range(x.size):
        out[i] = _kernels.sigmoid(x[i])


@kernel
def _softplus(x, out):
    for i in range(x.size):
        out[i] = _kernels.softplus(x[i])


@kernel
def _squares32(counters, key, out):
    for i in range(counters.size):
        out[i] = _kernels.squares32(counters[i], key)


@kernel
def _uniform(start, key, out):
    for i in range(out.size):
        out[i] = _kernels.uniform(start + np.uint64(i), key)


@kernel
def _normal(start, key, out):
    for i in range(out.size):
        out[i] = _kernels.normal(start + np.uint64(2 * i), key)


def call(function, x):
    out = np.empty_like(x)
    function(x, out)
    return out


def uniforms(seed, n=N):
    out = np.empty(n, np.float32)
    _uniform(*Stream(np.random.RandomState(seed)).take(n), out)
    return out


def normals(seed, n=N):
    out = np.empty(n)
    _normal(*Stream(np.random.RandomState(seed)).take(2 * n), out)
    return out


# -- exp, log, sigmoid, softplus ---------------------------------------------------------
# function, its twin, range of x, bounds of the error in float32: relative and absolute
FUNCTIONS = {
    "exp": (_exp, np.exp, (-87, 88), 1e-7, 0),
    "log": (_log, np.log, (1e-37, 1e38), 2e-7, 1e-7),
    "log near 1": (_log, np.log, (0.4, 3), 4e-7, 0),
    "sigmoid": (_sigmoid, expit, (-87, 88), 4e-7, 0),
    "softplus": (_softplus, lambda x: np.logaddexp(0, x), (-110, 110), 1.5e-7, 2e-7),
}


@DTYPES
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_accurate(name, dtype):
    function, reference, (low, high), rtol, atol = FUNCTIONS[name]
    space = np.geomspace if name == "log" else np.linspace
    x = space(low, high, 100_003).astype(dtype)
    if dtype == np.float64:
        rtol, atol = 4e-16, 4e-16 if atol else 0
    expected = reference(x.astype(np.float64))
    np.testing.assert_allclose(call(function, x), expected, rtol=rtol, atol=atol)
    np.testing.assert_array_equal(call(function, x[:3]), call(function, x)[:3])


@DTYPES
@pytest.mark.parametrize("sign", [1, -1])
def test_functions_at_the_extremes(dtype, sign):
    x = sign * np.array([np.inf, np.finfo(dtype).max, 1e6, 1e4, 1e3], dtype)
    np.testing.assert_array_equal(call(_softplus, x), np.maximum(x, 0))
    np.testing.assert_allclose(call(_sigmoid, x), float(sign > 0), rtol=0, atol=1e-38)
    assert call(_sigmoid, x).min() >= 0
    if dtype == np.float64:
        np.testing.assert_array_equal(call(_exp, x), np.inf if sign > 0 else 0)
    else:  # clipped, so that what is made of it stays finite
        np.testing.assert_allclose(
            call(_exp, x), np.exp(88 if sign > 0 else -87), rtol=3e-7
        )


@DTYPES
def test_functions_of_tiny_numbers(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([0.0, -0.0, tiny, -tiny, 1e-30, -1e-30], dtype)
    for function, value in [(_exp, 1), (_sigmoid, 0.5), (_softplus, np.log(2))]:
        np.testing.assert_allclose(call(function, x), value, rtol=1.2e-7)
    assert call(_log, np.ones(1, dtype)) == 0


@DTYPES
@pytest.mark.parametrize("size", [1, 3, 16])
def test_nan_comes_out_as_nan(dtype, size):
    x = np.full(size, np.nan, dtype)
    for function in (_exp, _log, _sigmoid, _softplus):
        assert np.isnan(call(function, x)).all()


def test_kernels_where_nothing_can_be_cached(monkeypatch):
    """As in a container that can be read only, where numba refuses to decorate."""
    njit = numba.njit

    def without_a_cache_folder(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_a_cache_folder)
    double = _kernels.kernel(lambda x: 2 * x)
    assert double(np.float32(1.5)) == 3


# -- random bits -------------------------------------------------------------------------
def test_squares32_published_numbers():
    # Test set 1 of squares32 in the randomgen package, made with Widynski's own C code.
    key = np.uint64(0x3BC8BCA4D301945B)
    expected = {
        0: 0x5167EA8B, 1: 0x0E03102B, 2: 0xE59F61D7, 3: 0x943AC4D0, 800: 0xF225AB8D,
        801: 0x76A6E395, 1342: 0x9B498E3E, 1343: 0x8F87417F,
    }  # fmt: skip
    out = np.empty(len(expected), np.uint64)
    _squares32(np.array(list(expected), np.uint64), key, out)
    assert out.tolist() == list(expected.values())
    assert [oracle.squares32(n, int(key)) for n in expected] == list(expected.values())


def test_squares32_against_integers_of_any_size():
    rng = np.random.RandomState(0)
    counters = rng.randint(0, 2**64, 200, dtype=np.uint64)
    counters[:4] = 0, 1, 2**63, 2**64 - 1
    out = np.empty_like(counters)
    for seed in range(3):
        key = Stream(np.random.RandomState(seed)).key
        _squares32(counters, key, out)
        expected = [oracle.squares32(int(n), int(key)) for n in counters]
        assert out.tolist() == expected
        assert [_kernels.squares32(n, key) for n in counters[:9]] == expected[:9]


def test_uniform_and_normal_against_plain_python():
    start, n = 2**40 + 3, 300
    key = Stream(np.random.RandomState(5)).key
    u, x = np.empty(n, np.float32), np.empty(n)
    _uniform(np.uint64(start), key, u)
    _normal(np.uint64(start), key, x)
    counters = range(start, start + n)
    np.testing.assert_array_equal(u, [oracle.uniform(c, int(key)) for c in counters])
    expected = [oracle.normal(start + 2 * i, int(key)) for i in range(n)]
    np.testing.assert_allclose(x, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_uniform_distribution(seed):
    u = uniforms(seed).astype(np.float64)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean() - 0.5) < Z * np.sqrt(1 / 12 / N)
    assert abs(u.var() - 1 / 12) < Z * np.sqrt(1 / 180 / N)
    counts = np.bincount((u * 256).astype(int), minlength=256)
    assert 1e-4 < stats.chisquare(counts).pvalue < 1 - 1e-4
    bits = (u * 2**24).astype(int)[:, None] >> np.arange(24) & 1
    assert np.abs(bits.mean(axis=0) - 0.5).max() < Z * 0.5 / np.sqrt(N)


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_numbers_of_a_stream_are_uncorrelated(draw):
    x = draw(0)
    for lag in (1, 2, 3, 8, 100):
        r = np.corrcoef(x[:-lag], x[lag:])[0, 1]
        assert abs(r) < Z / np.sqrt(N), lag
    pairs = np.histogram2d(x[::2], x[1::2], bins=np.quantile(x, np.linspace(0, 1, 17)))[0]
    assert stats.chi2_contingency(pairs).pvalue > 1e-4


@pytest.mark.parametrize("draw", [uniforms, normals])
def test_streams_are_uncorrelated(draw):
    correlations = np.corrcoef([draw(seed, 2**15) for seed in range(8)])
    assert np.abs(correlations - np.eye(8)).max() < Z / np.sqrt(2**15)


@pytest.mark.parametrize("seed", range(3))
def test_normal_distribution(seed):
    x = normals(seed)
    assert stats.kstest(x, stats.norm.cdf).pvalue > 1e-3
    # moments of a standard normal and their variances over samples
    for power, moment, variance in [(1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)]:
        assert abs((x**power).mean() - moment) < Z * np.sqrt(variance / N), power
    assert 4 < np.abs(x).max() < 7


# -- streams -----------------------------------------------------------------------------
def test_keys_have_the_form_asked_for():
    keys = [f"{int(Stream(np.random.RandomState(s)).key):016x}" for s in range(400)]
    assert len(set(keys)) == len(keys)
    for key in keys:
        assert len(key) == 16
        assert "0" not in key
        assert len(set(key[:8])) == len(set(key[8:])) == 8
        assert int(key, 16) % 2 == 1
    for position in range(15):  # and no more structure than that
        digits = [int(key[position], 16) for key in keys]
        assert set(digits) == set(range(1, 16)), position


def test_stream_takes_disjoint_ranges():
    stream = Stream(np.random.RandomState(0))
    sizes = [3, 1, np.int32(7), 0, 100]
    starts, keys = zip(*map(stream.take, sizes), strict=True)
    assert [int(start) for start in starts] == [0, 3, 4, 11, 11]
    assert stream.position == 111
    assert all(isinstance(number, np.uint64) for number in starts + keys)
    assert set(keys) == {stream.key}


def test_normals_and_uniforms_of_a_stream_share_no_bits():
    # A normal is made of two uniforms, so it must not take the counter of a later number:
    # of the numbers below, each second bit then tells the size of one of the normals.
    n, stream = 2**15, Stream(np.random.RandomState(0))
    x, bits, zero = np.zeros((n, 1)), np.zeros((n, 1)), np.zeros(1)
    Gaussian().sample(x, zero, x, stream)
    Bernoulli().sample(bits.copy(), zero, bits, stream)
    r = np.corrcoef(np.abs(x[n // 2 :, 0]), bits[::2, 0])[0, 1]
    assert abs(r) < Z / np.sqrt(n / 2)


@DTYPES
@pytest.mark.parametrize("unit", UNITS)
def test_row_blocks_draw_the_same_numbers(unit, dtype):
    rng = np.random.RandomState(0)
    z, bias = rng.normal(0, 2, (11, 5)).astype(dtype), rng.normal(0, 1, 5).astype(dtype)
    whole, whole_states = z.copy(), np.empty_like(z)
    UNITS[unit]().sample(whole, bias, whole_states, Stream(np.random.RandomState(1)))
    blocks, states = z.copy(), np.empty_like(z)
    stream = Stream(np.random.RandomState(1))
    for rows in (slice(0, 3), slice(3, 10), slice(10, 11)):
        UNITS[unit]().sample(blocks[rows], bias, states[rows], stream)
    np.testing.assert_array_equal(states, whole_states)
    np.testing.assert_array_equal(blocks, whole)
    in_place = z.copy()
    UNITS[unit]().sample(in_place, bias, in_place, Stream(np.random.RandomState(1)))
    np.testing.assert_array_equal(in_place, whole_states)


# -- units -------------------------------------------------------------------------------
def arrays(shape, dtype, *shapes, seed=0):
    rng = np.random.RandomState(seed)
    return [rng.normal(0, 2, s).astype(dtype) for s in (shape, *shapes)]


# functions of (z, bias) that finish z in place, and the name of their twin
LINKS = {
    **{
        f"units {name}": (unit().mean, "softmax" if name == "softmax" else unit.activation)
        for name, unit in UNITS.items()
    },
    **{f"activation {name}": (a().forward, name) for name, a in ACTIVATIONS.items()},
    **{f"loss {name}": (loss().link, oracle.LINK[name]) for name, loss in LOSSES.items()},
}


@SHAPES
@DTYPES
@pytest.mark.parametrize("name", LINKS)
def test_links(name, dtype, shape):
    function, twin = LINKS[name]
    z, bias = arrays(shape, dtype, shape[1])
    expected = oracle.FORWARD[twin](z.astype(np.float64) + bias)
    function(z, bias)
    np.testing.assert_allclose(z, expected, **TOLERANCE[dtype])


@SHAPES
@DTYPES
@pytest.mark.parametrize(
    "name", [name for name in oracle.DERIVATIVE if name != "truncated_exponential"]
)
def test_activation_derivatives(name, dtype, shape):
    z, delta = arrays(shape, dtype, shape)
    a = oracle.FORWARD[name](z.astype(np.float64)).astype(dtype)
    expected = delta.astype(np.float64) * oracle.DERIVATIVE[name](a.astype(np.float64))
    before = a.copy()
    ACTIVATIONS[name]().backward(a, delta)
    np.testing.assert_allclose(delta, expected, **TOLERANCE[dtype])
    np.testing.assert_array_equal(a, before)


# -- losses ------------------------------------------------------------------------------
def targets(kind, shape, dtype):
    rng = np.random.RandomState(1)
    if kind == "hard" and shape[1] > 1:
        return np.eye(shape[1], dtype=dtype)[rng.randint(shape[1], size=shape[0])]
    if kind == "hard":
        return rng.randint(2, size=shape).astype(dtype)
    return rng.uniform(0, 1, shape).astype(dtype)  # of any row sum


@SHAPES
@DTYPES
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, kind, dtype, shape):
    z, bias = arrays(shape, dtype, shape[1])
    target = targets(kind, shape, dtype)
    Z, Y = z.astype(np.float64) + bias, target.astype(np.float64)
    weight = Y.sum(axis=1, keepdims=True) if name == "log_loss" else 1
    losses = np.empty(len(z))
    LOSSES[name]().gradient(z, bias, target, losses)
    gradient = weight * oracle.FORWARD[oracle.LINK[name]](Z) - Y
    np.testing.assert_allclose(z, gradient, **TOLERANCE[dtype])
    expected = [oracle.LOSS[name](Z[[i]], Y[[i]]) for i in range(len(Z))]
    np.testing.assert_allclose(losses, expected, **TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_losses_of_nan(name, dtype, position):
    zero, target = np.zeros(3, dtype), np.eye(3, dtype=dtype)[:1]
    z = np.zeros((1, 3), dtype)
    z[0, position] = np.nan
    outputs = z.copy()
    LOSSES[name]().link(outputs, zero)
    losses = np.zeros(1)
    LOSSES[name]().gradient(z, zero, target, losses)
    assert np.isnan(losses).all()
    if name == "log_loss":  # one normaliser for all of them
        assert np.isnan(outputs).all()
        assert np.isnan(z).all()
    assert np.isnan(outputs[0, position])
    assert np.isnan(z[0, position])


@DTYPES
@pytest.mark.parametrize("name", ["binary_log_loss", "log_loss"])
@pytest.mark.parametrize("huge", [1e4, -1e4])
def test_losses_of_huge_numbers(name, dtype, huge):
    z, target = huge * np.eye(3, dtype=dtype), np.eye(3, dtype=dtype)[[0, 0, 0]]
    expected = oracle.LOSS[name](z.astype(np.float64), target)
    gradient = oracle.FORWARD[oracle.LINK[name]](z.astype(np.float64)) - target
    losses = np.empty(3)
    LOSSES[name]().gradient(z, np.zeros(3, dtype), target, losses)
    np.testing.assert_allclose(losses.sum(), expected, rtol=1e-6)
    np.testing.assert_allclose(z, gradient, atol=1e-3 if dtype == np.float32 else 1e-11)


@DTYPES
def test_softmax_of_shifted_rows(dtype):
    (z,) = arrays((5, 7), dtype)
    shifted = (z + np.array([[-50], [-3], [0], [20], [80]])).astype(dtype)
    expected = softmax(shifted.astype(np.float64), axis=1)
    LOSSES["log_loss"]().link(shifted, np.zeros(7, dtype))
    np.testing.assert_allclose(
        shifted, expected, rtol=1e-5 if dtype == np.float32 else 1e-13
    )


@SHAPES
@DTYPES
def test_softmax_derivative(dtype, shape):
    z, delta = arrays(shape, dtype, shape)
    a = softmax(z.astype(np.float64), axis=1).astype(dtype)
    A, D = a.astype(np.float64), delta.astype(np.float64)
    jacobians = [np.diag(row) - np.outer(row, row) for row in A]
    expected = [J @ d for J, d in zip(jacobians, D, strict=True)]
    Softmax().backward(a, delta)
    np.testing.assert_allclose(delta, np.reshape(expected, shape), **TOLERANCE[dtype])


@DTYPES
def test_groups_of_a_softmax_are_softmaxes(dtype):
    z, bias, delta = arrays((4, 6), dtype, 6, (4, 6))
    target, losses = targets("soft", (4, 6), dtype), np.empty(4)
    groups, total = [slice(0, 1), slice(1, 4), slice(4, 6)], np.zeros(4)
    whole, derivative, gradient = z.copy(), delta.copy(), z.copy()
    Softmax((1, 3, 2)).forward(whole, bias)
    Softmax((1, 3, 2)).backward(whole, derivative)
    LogLoss((1, 3, 2)).gradient(gradient, bias, target, losses)
    for group in groups:
        parts = [np.ascontiguousarray(x[:, group]) for x in (z, delta, z, target)]
        Softmax().forward(parts[0], bias[group])
        Softmax().backward(parts[0], parts[1])
        part_losses = np.empty(4)
        LogLoss().gradient(parts[2], bias[group], parts[3], part_losses)
        total += part_losses
        for found, part in zip((whole, derivative, gradient), parts, strict=False):
            np.testing.assert_array_equal(found[:, group], part)
    np.testing.assert_allclose(losses, total, rtol=1e-6)


def test_groups_of_one_size():
    z = np.random.RandomState(0).normal(size=(3, 6))
    whole, parts = z.copy(), z.copy()
    Softmax(2).forward(whole, np.zeros(6))
    Softmax([2, 2, 2]).forward(parts, np.zeros(6))
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_allclose(whole.reshape(3, 3, 2).sum(axis=2), 1)


@pytest.mark.parametrize("sizes", [(3, 4), (0, 6), (7, -1), 4, 7, (), (2.0, 4.0), [[6]]])
def test_groups_that_do_not_fit(sizes):
    with pytest.raises(ValueError, match="add up to the 6 units"):
        Softmax(sizes).forward(np.zeros((1, 6)), np.zeros(6))


@DTYPES
@pytest.mark.parametrize("activation", ["logistic", "tanh", "softplus", "softmax"])
def test_squared_error_of_any_activation(activation, dtype):
    z, bias, target = arrays((5, 3), dtype, 3, (5, 3))
    losses, loss = np.empty(5), SquaredError(activation)

    def summed(z):
        outputs = oracle.FORWARD[activation](z.reshape(5, 3) + bias.astype(np.float64))
        return 0.5 * ((outputs - target) ** 2).sum()

    Z = z.astype(np.float64).ravel()
    gradient = oracle.numeric_gradient(summed, Z).reshape(5, 3)
    expected = summed(Z)
    loss.gradient(z, bias, target, losses)
    np.testing.assert_allclose(losses.sum(), expected, rtol=1e-5)
    np.testing.assert_allclose(z, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("slope", [0.3, 1.0])
def test_slope_of_the_leaky_rectifier(slope):
    z, delta = np.array([[-2.0, 3.0]]), np.array([[1.0, 1.0]])
    LeakyReLU(slope).forward(z, np.zeros(2))
    LeakyReLU(slope).backward(z, delta)
    np.testing.assert_array_equal(z, [[-2 * slope, 3]])
    np.testing.assert_array_equal(delta, [[slope, 1]])


@DTYPES
def test_truncated_exponential_far_out_and_near_zero(dtype):
    far = np.array([0, 1e-30, -1e-6, 1e-3, -0.49, 0.51, -1.99, 2.01, 50, -1e3, 1e6])
    z = np.concatenate([far, np.linspace(-30, 30, 301)]).astype(dtype)[np.newaxis]
    a, delta = z.copy(), np.full_like(z, -3)
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    TruncatedExponential().forward(a, np.zeros(z.shape[1], dtype))
    np.testing.assert_allclose(a, oracle.truncated_mean(z), atol=tolerance)
    before = a.copy()
    TruncatedExponential().backward(a, delta)
    np.testing.assert_array_equal(a, before)
    expected = -3 * oracle.truncated_variance(a.astype(np.float64))
    # Near 1/2 a rounding of the mean is a large part of the input.
    np.testing.assert_allclose(delta, expected, atol=100 * tolerance)
    edges, delta = np.array([[0.0, 1.0]], dtype), np.ones((1, 2), dtype)
    TruncatedExponential().backward(edges, delta)
    np.testing.assert_allclose(delta, 0, atol=1e-6)


# -- optimisers, flat arrays, blocks -----------------------------------------------------
SIZES = pytest.mark.parametrize("size", [1, 3, 7, 1000])


def sgd_twin(theta, g, state, rate, momentum, nesterov):
    v = momentum * state["velocity"] - rate * g
    return theta + (momentum * v - rate * g if nesterov else v), {"velocity": v}


def adam_twin(theta, g, state, rate, beta_1, beta_2, epsilon, weight_decay=0.0):
    n = state["n_steps"] + 1
    mean = beta_1 * state["mean"] + (1 - beta_1) * g
    square = beta_2 * state["square"] + (1 - beta_2) * g**2
    correction = np.sqrt(1 - beta_2**n) / (1 - beta_1**n)
    theta = (1 - rate * weight_decay) * theta
    theta = theta - rate * correction * mean / (np.sqrt(square) + epsilon)
    return theta, {"mean": mean, "square": square}


def adagrad_twin(theta, g, state, rate, epsilon):
    total = state["total"] + g**2
    return theta - rate * g / (np.sqrt(total) + epsilon), {"total": total}


def rmsprop_twin(theta, g, state, rate, rho, momentum, epsilon):
    square = rho * state["square"] + (1 - rho) * g**2
    v = momentum * state.get("velocity", 0.0) + rate * g / (np.sqrt(square) + epsilon)
    velocity = {"velocity": v} if momentum else {}
    return theta - v, {"square": square, **velocity}


def adadelta_twin(theta, g, state, rate, rho, epsilon):
    square = rho * state["square"] + (1 - rho) * g**2
    step = np.sqrt(state["square_step"] + epsilon) / np.sqrt(square + epsilon) * g
    square_step = rho * state["square_step"] + (1 - rho) * step**2
    return theta - rate * step, {"square": square, "square_step": square_step}


OPTIMIZERS = {
    "sgd": (SGD(0.8, nesterov=False), sgd_twin, (0.8, False)),
    "nesterov": (SGD(0.8, nesterov=True), sgd_twin, (0.8, True)),
    "adagrad": (Adagrad(1e-3), adagrad_twin, (1e-3,)),
    "rmsprop": (RMSprop(0.7, 0.0, 1e-3), rmsprop_twin, (0.7, 0.0, 1e-3)),
    "rmsprop with momentum": (RMSprop(0.7, 0.6, 1e-3), rmsprop_twin, (0.7, 0.6, 1e-3)),
    "adadelta": (Adadelta(0.9, 1e-3), adadelta_twin, (0.9, 1e-3)),
    "adam": (Adam(0.85, 0.97, 1e-3), adam_twin, (0.85, 0.97, 1e-3)),
    "adamw": (AdamW(0.85, 0.97, 1e-3, 0.4), adam_twin, (0.85, 0.97, 1e-3, 0.4)),
}


@SIZES
@DTYPES
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_steps(name, decay, dtype, size):
    optimizer, twin, arguments = OPTIMIZERS[name]
    rng = np.random.RandomState(0)
    theta = rng.normal(0, 1, size).astype(dtype)
    state = optimizer.init_state(theta)
    expected, expected_state = theta.astype(np.float64), optimizer.init_state(theta)
    for n in range(1, 11):
        gradient = rng.normal(0, 1, size).astype(dtype)
        before = gradient.copy()
        optimizer.step(theta, gradient, state, 0.03, 0.0, 10, decay)
        expected, arrays = twin(
            expected, gradient + decay * expected, expected_state, 0.03, *arguments
        )
        expected_state = {"n_steps": n, **arrays}
        np.testing.assert_array_equal(gradient, before)
    np.testing.assert_allclose(theta, expected, **TOLERANCE[dtype])
    assert state.keys() == expected_state.keys()
    for key, value in expected_state.items():
        np.testing.assert_allclose(state[key], value, **TOLERANCE[dtype])
        assert key == "n_steps" or state[key].dtype == dtype


@DTYPES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_in_slices_is_the_whole_step(name, dtype):
    optimizer = OPTIMIZERS[name][0]
    rng = np.random.RandomState(0)
    whole = rng.normal(0, 1, 1003).astype(dtype)
    pieces = whole.copy()
    states = [optimizer.init_state(whole), optimizer.init_state(pieces)]
    cuts = [0, 1, 4, 68, 500, 999, 1003]
    slices = [slice(*pair) for pair in pairwise(cuts)]
    for _ in range(5):
        gradient = rng.normal(0, 1, 1003).astype(dtype)
        optimizer.step(whole, gradient, states[0], 0.03, 0.5, 10, 0.1)
        numbers = optimizer.begin(states[1], 0.03, 0.5, 10)
        for where in reversed(slices):
            optimizer.descend(pieces, gradient, states[1], where, 0.1, numbers)
    np.testing.assert_array_equal(pieces, whole)
    assert states[0].keys() == states[1].keys()
    for key, value in states[0].items():
        np.testing.assert_array_equal(states[1][key], value)


@SIZES
@DTYPES
def test_add_scaled(dtype, size):
    x, out = arrays(size, dtype, size)
    expected = out + dtype(0.3) * x
    add_scaled(x, dtype(0.3), out)
    np.testing.assert_allclose(out, expected, **TOLERANCE[dtype])


@DTYPES
def test_flatten_and_views(dtype):
    parts = [np.arange(6).reshape(2, 3), np.arange(3.0), np.array([[7.0]])]
    flat = flatten(parts, dtype)
    assert flat.dtype == dtype
    assert flat.tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2, 7]
    found = views(flat, [part.shape for part in parts])
    for part, view in zip(parts, found, strict=True):
        np.testing.assert_array_equal(view, part)
        view += 1
    assert flat.tolist() == [1, 2, 3, 4, 5, 6, 1, 2, 3, 8]
    same = np.zeros(3, dtype)
    assert not np.shares_memory(flatten([same], dtype), same)


@DTYPES
@pytest.mark.parametrize("stored", [np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("rows", [slice(2, 7), np.array([8, 0, 3, 3]), np.array([], int)])
@pytest.mark.parametrize("container", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_load_rows(container, rows, stored, dtype):
    X = np.random.RandomState(0).randint(0, 3, (9, 4)).astype(stored)
    buffer = np.full((6, 4), -1, dtype)
    found = load_rows(container(X), rows, buffer)
    np.testing.assert_array_equal(found, X[rows])
    assert np.shares_memory(found, buffer) or len(found) == 0
    np.testing.assert_array_equal(buffer[len(X[rows]) :], -1)


@pytest.mark.parametrize("n_rows", [1, BLOCK_ROWS, BLOCK_ROWS + 1, 2 * BLOCK_ROWS + 5])
def test_map_blocks(n_rows):
    X = np.arange(2.0 * n_rows).reshape(n_rows, 2)
    np.testing.assert_array_equal(
        map_blocks(lambda x: x[:, :1] * 2, X, "f8", 1), X[:, :1] * 2
    )
    np.testing.assert_array_equal(
        map_blocks(lambda x: x.sum(axis=1), X, "f8"), X.sum(axis=1)
    )
