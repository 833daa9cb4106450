"""Every unit type by itself: its family, its draws, its checks."""

import _oracles as oracle
import numpy as np
import pytest
from _oracles import KINDS, Enumeration, numeric_gradient
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.special import expit, logsumexp, spence
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

from skdbn import RBM, DBNAutoencoder, DBNClassifier, MLPClassifier, StackedRBM
from skdbn._energy import Energy
from skdbn._params import resolve
from skdbn._products import CSRRows
from skdbn._random import Stream
from skdbn.activations import ACTIVATIONS
from skdbn.losses import LOSSES
from skdbn.units import (
    UNITS,
    Bernoulli,
    Continuous,
    Gaussian,
    Multinomial,
    ReLU,
    Softmax,
    Spin,
)
from skdbn.units.multinomial import FixedTotal

DTYPES = pytest.mark.parametrize("dtype", oracle.DTYPES)
EVERY_UNIT = pytest.mark.parametrize("name", UNITS)
SHAPES = pytest.mark.parametrize("shape", [(1, 1), (3, 17), (40, 64)])
TOLERANCE = {np.float32: {"rtol": 2e-6, "atol": 2e-6}, np.float64: {"rtol": 1e-12}}
EXTREME = [-1e4, -300.0, -40.0, -5.0, -1.0, -0.999, -0.1, -1e-4]
EXTREME = np.array([*EXTREME, 0.0, *(-x for x in reversed(EXTREME))])
Z = 4.5  # largest z-score of a statistic that passes; the seeds are fixed


def stream(seed=0):
    return Stream(np.random.RandomState(seed))


def uniforms(n, seed=0):
    """The first uniform numbers of a stream."""
    key = int(stream(seed).key)
    return np.array([oracle.uniform(counter, key) for counter in range(n)])


def log_integral(z):
    """``log int_0^1 exp(x z) dx`` by quadrature of the part that does not overflow."""
    x = (oracle.NODES + 1) / 2
    near = logsumexp(np.multiply.outer(z, x), b=oracle.NODE_WEIGHTS / 2, axis=-1)
    with np.errstate(divide="ignore"):
        far = np.maximum(z, 0) - np.log(np.abs(z))
    return np.where(np.abs(z) < 30, near, far)


LOG_PARTITION = {  # of the columns of each row
    "bernoulli": lambda z: np.logaddexp(0, z).sum(axis=1),
    "continuous": lambda z: log_integral(z).sum(axis=1),
    "gaussian": lambda z: (z**2 / 2).sum(axis=1),
    "multinomial": lambda z: logsumexp(z, axis=1),
    "relu": lambda z: np.where(
        z > 0,
        np.pi**2 / 6 + z**2 / 2 + spence(1 + np.exp(-np.abs(z))),
        -spence(1 + np.exp(-np.abs(z))),
    ).sum(axis=1),
    "softmax": lambda z: logsumexp(z, axis=1),
    "spin": lambda z: np.logaddexp(z, -z).sum(axis=1),
}


# -- the family -------------------------------------------------------------------------
@SHAPES
@DTYPES
@EVERY_UNIT
def test_log_partition(name, dtype, shape):
    rng = np.random.RandomState(0)
    z, shift, direction = (rng.normal(0, 2, s).astype(dtype) for s in (shape, *shape))
    wide, before, unit = z.astype(float), z.copy(), UNITS[name]()
    tolerance = {
        "rtol": 10 * TOLERANCE[dtype]["rtol"],
        "atol": 10 * TOLERANCE[dtype]["rtol"],
    }
    found = unit.log_partition(z, shift, direction)
    expected = LOG_PARTITION[name](wide + np.outer(shift, direction))
    np.testing.assert_allclose(found, expected, **tolerance)
    assert found.dtype == dtype
    found = unit.free_term(z, direction)
    np.testing.assert_allclose(found, LOG_PARTITION[name](wide + direction), **tolerance)
    np.testing.assert_array_equal(z, before)


@DTYPES
@EVERY_UNIT
def test_large_pre_activations(name, dtype):
    """From single columns, for which softmax has one state."""
    z, bias, unit = EXTREME.astype(dtype)[:, None], np.zeros(1, dtype), UNITS[name]()
    expected = LOG_PARTITION[name](z.astype(float))
    np.testing.assert_allclose(unit.free_term(z, bias), expected, rtol=2e-6, atol=1e-6)
    mean, states = z.copy(), np.empty_like(z)
    unit.sample(mean, bias, states, stream())
    assert np.isfinite(mean).all()
    assert np.isfinite(states).all()
    assert (np.diff(mean[:, 0]) >= 0).all()


@EVERY_UNIT
@given(z=st.lists(st.floats(-20, 20), min_size=4, max_size=4), data=st.data())
@settings(max_examples=40, deadline=None)
def test_mean_is_the_derivative_of_the_log_partition(name, z, data):
    z, unit, zero = np.array([z]), UNITS[name](), np.zeros(4)
    mean = z.copy()
    unit.mean(mean, zero)

    def log_partition(z):
        return unit.free_term(z[None], zero)[0]

    found = numeric_gradient(log_partition, z[0], step=1e-5)
    np.testing.assert_allclose(mean[0], found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", KINDS)
def test_mode_is_the_likeliest_state(name):
    kind = KINDS[name]
    z, bias = np.random.RandomState(0).normal(0, 1.5, (20, kind.size)), np.ones(kind.size)
    bias *= 0.3
    states, _ = oracle.all_states(kind.factors(kind.size))
    unit = kind.unit(kind.size).given(states[:1])
    found = z.copy()
    unit.mode(found, bias)
    log_p = (z + bias) @ states.T - kind.energy(states).sum(axis=1)
    own = ((z + bias) * found).sum(axis=1) - kind.energy(found).sum(axis=1)
    if name in ("bernoulli", "multinomial", "softmax", "spin"):
        np.testing.assert_array_equal(found, states[log_p.argmax(axis=1)])
    elif name == "continuous":  # its states are nodes inside of [0, 1]
        np.testing.assert_array_equal(found, z + bias > 0)
    elif name == "relu":
        np.testing.assert_array_equal(found, np.maximum(z + bias, 0))
    else:
        assert (own >= log_p.max(axis=1)).all()


@pytest.mark.parametrize("name", KINDS)
def test_states_energy_and_measure(name):
    kind = KINDS[name]
    unit, n = kind.unit(kind.size), kind.size
    states, log_weights = oracle.all_states(kind.factors(n))
    expected = kind.energy(states).sum(axis=1)
    np.testing.assert_allclose(unit.energy(states), expected, rtol=1e-12, atol=1e-13)
    assert unit.energy(states.astype(np.float32)).dtype == np.float32
    # The measure makes the density of a unit that nothing drives proper.
    assert unit.log_measure(n) == pytest.approx(n * kind.log_measure)
    unit, zero = unit.given(states[:1]), np.zeros(n)
    total = logsumexp(log_weights - expected)
    rectified = n / 24 * (name == "relu")
    found = unit.free_term(zero[None], zero)[0] + unit.log_measure(n)
    assert found == pytest.approx(total, abs=1e-8 + rectified)
    levels = unit.levels(n)
    if levels is not None:
        assert sum(states.shape[1] for states in levels) == n
        assert np.prod([len(states) for states in levels]) == len(states)


@EVERY_UNIT
def test_nan_stays_nan(name):
    z, zero = np.array([[0.5, np.nan, 1.0], [0.1, 0.2, 0.3]]), np.zeros(3)
    for method in (UNITS[name]().mean, UNITS[name]().mode):
        found = z.copy()
        method(found, zero)
        assert np.isnan(found[0, 1])
        assert np.isfinite(found[1]).all()
    found = UNITS[name]().free_term(z, zero)
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


# -- draws ------------------------------------------------------------------------------
def inverse_truncated(u, z):
    return np.where(z == 0, u, np.log1p(u * np.expm1(z)) / np.where(z == 0, 1, z))


def chosen(u, p):
    """One-hot rows, by where u falls among the cumulative sums of p."""
    return np.eye(p.shape[1])[(u[:, None] >= p.cumsum(axis=1)).sum(axis=1)]


def expected_draws(name, z, mean):
    """Draws from the first numbers of ``stream()``, in plain NumPy."""
    key = int(stream().key)
    if name in ("gaussian", "relu"):
        counters = range(0, 2 * z.size, 2)
        x = np.array([oracle.normal(c, key) for c in counters]).reshape(z.shape)
        return z + x if name == "gaussian" else np.maximum(z + x * expit(z) ** 0.5, 0)
    if name in ("multinomial", "softmax"):
        return chosen(uniforms(len(z)), mean)
    u = uniforms(z.size).reshape(z.shape)
    if name == "continuous":
        return np.where(z > 0, 1 - inverse_truncated(u, -z), inverse_truncated(u, z))
    return np.where(u < (mean if name == "bernoulli" else expit(2 * z)), 1, 0.0) * (
        2 if name == "spin" else 1
    ) - (name == "spin")


@SHAPES
@DTYPES
@EVERY_UNIT
def test_sample(name, dtype, shape):
    rng = np.random.RandomState(1)
    z, bias = rng.normal(0, 2, shape).astype(dtype), rng.normal(size=shape[1]).astype(dtype)
    total, unit, states = z.astype(float) + bias, UNITS[name](), np.empty_like(z)
    forward = unit.activation if name != "softmax" else name  # an object, with sizes
    mean = oracle.FORWARD[forward](total)
    in_place, source = z.copy(), stream()
    unit.sample(z, bias, states, source)
    np.testing.assert_allclose(z, mean, **TOLERANCE[dtype])
    expected = expected_draws(name, total, mean)
    tolerance = {np.float32: 2e-5, np.float64: 1e-9}[dtype]
    if name in ("multinomial", "softmax", "bernoulli", "spin"):
        # Single precision may decide otherwise where a number is next to a probability.
        assert (states != expected).mean() < 10 * tolerance
    else:
        np.testing.assert_allclose(states, expected, rtol=tolerance, atol=tolerance)
    n_numbers = {"gaussian": 2 * z.size, "relu": 2 * z.size}.get(name, z.size)
    n_numbers = len(z) if name in ("multinomial", "softmax") else n_numbers
    assert source.position == n_numbers  # none is left out, none used twice
    unit.sample(in_place, bias, in_place, stream())
    np.testing.assert_array_equal(in_place, states)


def test_continuous_draws_have_the_distribution():
    for z in (-200.0, -3.0, 0.0, 1e-3, 0.7, 40.0):
        x = np.empty((20_000, 1), np.float32)
        Continuous().sample(np.full_like(x, z), np.zeros(1, np.float32), x, stream(1))
        assert x.min() >= 0
        assert x.max() <= 1

        def distribution(x, z=z):
            return 1 - inverse_cdf(1 - x, -z) if z > 0 else inverse_cdf(x, z)

        def inverse_cdf(x, z):
            return x if z == 0 else np.expm1(z * x) / np.expm1(z)

        assert stats.kstest(x[:, 0], distribution).pvalue > 1e-4


def test_softmax_of_groups():
    """Each group is a softmax of its own, with one number for each group of a row."""
    unit, rng = Softmax((1, 4, 2)), np.random.RandomState(0)
    z, bias = rng.normal(0, 2, (50, 7)), rng.normal(size=7)
    mean, states, source = z.copy(), np.empty_like(z), stream()
    unit.sample(mean, bias, states, source)
    assert source.position == 150
    u, total, groups = uniforms(150).reshape(50, 3), 0, [(0, 1), (1, 5), (5, 7)]
    for k, (start, stop) in enumerate(groups):
        p = oracle.FORWARD["softmax"]((z + bias)[:, start:stop])
        np.testing.assert_allclose(mean[:, start:stop], p, rtol=1e-12)
        np.testing.assert_array_equal(states[:, start:stop], chosen(u[:, k], p))
        total = total + logsumexp((z + bias)[:, start:stop], axis=1)
    np.testing.assert_allclose(unit.free_term(z, bias), total)
    same = Softmax(2).free_term(z[:, :6], bias[:6])
    np.testing.assert_allclose(same, Softmax((2, 2, 2)).free_term(z[:, :6], bias[:6]))


def test_softmax_draws_no_impossible_category():
    z = np.full((1000, 3), -1e5, np.float32)
    z[:, 1] = 0
    states = np.empty_like(z)
    Softmax().sample(z, np.zeros(3, np.float32), states, stream())
    np.testing.assert_array_equal(states, np.tile([0, 1, 0], (1000, 1)))


@DTYPES
def test_counts_are_draws_of_the_total(dtype):
    V = np.array([[0, 0, 0, 0], [2, 0, 1, 0], [0.4, 1, 0, 0.2], [0, 900, 0, 100.0]], dtype)
    unit = Multinomial().given(V)
    z, bias = (
        np.random.RandomState(0).normal(0, 1, V.shape).astype(dtype),
        np.ones(4, dtype),
    )
    p = oracle.FORWARD["softmax"](z.astype(float))
    mean, states, source = z.copy(), np.empty_like(z), stream()
    unit.sample(mean, bias, states, source)
    totals = [0, 3, 1.6, 1000]
    np.testing.assert_allclose(mean, p * np.array(totals)[:, None], **TOLERANCE[dtype])
    np.testing.assert_array_equal(states.sum(axis=1), [0, 3, 2, 1000])
    assert source.position == 1005
    expected, u = np.zeros((4, 4)), iter(uniforms(1005))
    for row, n in enumerate([0, 3, 2, 1000]):
        for _ in range(n):
            expected[row] += chosen(np.array([next(u)]), p[row : row + 1])[0]
    assert np.abs(states - expected).max() <= (1 if dtype == np.float32 else 0)
    assert stats.chisquare(states[3], 1000 * p[3]).pvalue > 1e-4


# -- rectified units --------------------------------------------------------------------
BINARY_BIASES = -np.arange(0.5, 100)


def test_rectified_formulas_are_close_to_the_sum_of_binary_units():
    z = np.linspace(-30, 40, 701)
    p = expit(z[:, None] + BINARY_BIASES)
    exact = np.logaddexp(0, z[:, None] + BINARY_BIASES).sum(axis=1)
    off = ReLU().free_term(z[:, None], np.zeros(1)) - exact
    assert -1e-9 < off.min() <= off.max() < 1 / 24 + 1e-4
    np.testing.assert_allclose(off, expit(z) / 24, atol=2e-3)
    mean = z[:, None].copy()
    ReLU().mean(mean, np.zeros(1))
    assert np.abs(mean[:, 0] - p.sum(axis=1)).max() < 0.011
    # The variance of the sum is close to the logistic function, that of the draws.
    assert np.abs((p * (1 - p)).sum(axis=1) - expit(z)).max() < 0.011


def test_rectified_energy_is_that_of_the_sum_of_binary_units():
    """Euler's q-binomial theorem: whole numbers with exp(-g) sum to the product."""
    x = np.arange(60.0)
    g = ReLU().energy(x[:, None])
    own = x**2 / 2 + np.concatenate([[0], np.cumsum(np.log(-np.expm1(-x[1:])))])
    np.testing.assert_allclose(g, own, atol=1e-12)
    for z in (-5.0, 0.3, 8.0):
        expected = np.logaddexp(0, z + BINARY_BIASES).sum()
        assert logsumexp(x * z - g) == pytest.approx(expected, rel=1e-12)
    between = np.linspace(0, 5, 50)
    expected = oracle.rectified_energy(between)
    np.testing.assert_allclose(ReLU().energy(between[:, None]), expected, atol=1e-12)


@pytest.mark.parametrize("z", [-6.0, -0.2, 1.0, 7.0])
def test_moments_of_rectified_draws(z):
    """Those of a normal number that is cut off at 0, in closed form."""
    x, deviation = np.empty((100_000, 1)), expit(z) ** 0.5
    ReLU().sample(np.full_like(x, z), np.zeros(1), x, stream())
    t = z / deviation
    mean = z * stats.norm.cdf(t) + deviation * stats.norm.pdf(t)
    square = (z**2 + deviation**2) * stats.norm.cdf(t) + z * deviation * stats.norm.pdf(t)
    for found, expected in ((x, mean), (x**2, square)):
        error = found.std() / np.sqrt(len(found)) + 1e-6
        assert abs(found.mean() - expected) < Z * error
    off = np.logaddexp(0, z) - mean
    assert 0 < off < (0.01 if abs(z) > 5 else 0.42)


# -- Gaussian units with a variance -----------------------------------------------------
def learned(n, hidden="bernoulli", seed=0):
    """A tiny model whose visible units have variances of their own, and its energy."""
    model = Enumeration("gaussian", hidden, (n, 3), seed=seed)
    log_variance = np.random.RandomState(seed).normal(0, 0.5, n)
    unit = Gaussian(variance="learned").bind(log_variance)
    arrays = model.weights, model.visible_bias, model.hidden_bias
    return Energy(*arrays, unit, model.units[1]), log_variance, model.H


def log_likelihood(energy, H, V):
    """Of Gaussian visible units, by the sum over the hidden states H."""
    variance = energy.visible.variances(len(energy.visible_bias))
    z = H @ energy.weights + energy.visible_bias
    log_z = logsumexp(H @ energy.hidden_bias + 0.5 * (z**2 * variance).sum(axis=1))
    measure = 0.5 * np.log(2 * np.pi * variance).sum()
    return -energy.free_energy(V) - log_z - measure


def test_parameter_gradient():
    """By finite differences of the likelihood, with weights and biases rescaled."""
    energy, log_variance, H = learned(3)
    V = np.random.RandomState(1).normal(0, 1.5, (7, 3))
    W, b, start = energy.weights.copy(), energy.visible_bias.copy(), log_variance.copy()
    weights = np.array([1.0, 0.5, 2, 0, 1, 3, 0.25])

    def total(theta):
        rescale = np.exp(0.5 * (start - theta))
        log_variance[:] = theta
        energy.weights[:], energy.visible_bias[:] = W * rescale, b * rescale
        return weights @ log_likelihood(energy, H, V)

    expected = numeric_gradient(total, start, step=1e-5)
    total(start)
    args = energy.hidden_mean(V) @ energy.weights, energy.visible_bias, weights
    found = energy.visible.parameter_gradient(V, *args)
    np.testing.assert_allclose(found, expected, rtol=1e-7)
    rows = CSRRows(sparse.csr_array(V), np.arange(7))
    again = energy.visible.parameter_gradient(rows, *args)
    np.testing.assert_allclose(again, found, rtol=1e-12)


def test_learned_variances_are_those_of_a_fixed_one():
    fixed = Gaussian(variance=0.4)
    bound = Gaussian(variance="learned").bind(np.full(3, np.log(0.4)))
    z, bias = np.random.RandomState(0).normal(size=(5, 3)), np.array([0.1, -0.4, 2])
    results = []
    for unit in (fixed, bound):
        mean, states = z.copy(), np.empty_like(z)
        unit.sample(mean, bias, states, stream())
        results.append([mean, states, unit.free_term(z, bias), unit.energy(z)])
        np.testing.assert_allclose(unit.initial_bias(np.ones(3), 5), np.full(3, 2.5))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    noise = (results[0][1] - results[0][0]) / np.sqrt(0.4)
    standard = np.empty_like(z)
    Gaussian().sample(np.zeros_like(z), np.zeros(3), standard, stream())
    np.testing.assert_allclose(noise, standard)


def test_bound_variances_are_read_anew():
    log_variance = np.zeros(2)
    unit = Gaussian(variance="learned").bind(log_variance)
    assert type(unit) is Gaussian
    log_variance += 1
    np.testing.assert_allclose(unit.variances(2), np.e)
    with pytest.raises(ValueError, match="has no variances before it is fitted"):
        clone(unit).variances(2)


def test_initial_variances_are_those_of_the_columns():
    unit = Gaussian(variance="learned")
    found = unit.initial_parameters(np.array([0, 1e4, 3]), np.array([2.0, 1e-20, 0]))
    np.testing.assert_allclose(found, [np.log(2), 0, 0])
    assert unit.has_parameters
    assert not Gaussian().has_parameters
    assert not Bernoulli().has_parameters


# -- hand-over --------------------------------------------------------------------------
@pytest.mark.parametrize("name", KINDS)
def test_as_layer_makes_the_mean(name):
    unit, rng = KINDS[name].unit(5), np.random.RandomState(0)
    X, coef, bias = rng.normal(size=(6, 4)), rng.normal(size=(4, 5)), rng.normal(size=5)
    mean = X @ coef
    unit.mean(mean, bias)
    coef, bias = unit.as_layer(coef, bias)
    if name == "softmax":  # of groups
        expected = oracle.grouped_softmax(X @ coef + bias)
    else:
        expected = oracle.FORWARD[unit.activation](X @ coef + bias)
    np.testing.assert_allclose(mean, expected, rtol=1e-10)


# -- the start --------------------------------------------------------------------------
@EVERY_UNIT
@pytest.mark.parametrize("n", [1, 10_000])
def test_initial_bias_reproduces_the_mean(name, n):
    """Nearly, because of the smoothing that keeps columns without variation finite."""
    mean = np.array([0.0, 0.2, 0.3, 0.5])
    bias = UNITS[name]().initial_bias(mean, n)
    assert np.isfinite(bias).all()
    found = np.zeros((1, 4))
    UNITS[name]().mean(found, bias)
    smoothed = {
        "bernoulli": (mean * n + 1) / (n + 2),
        "continuous": np.clip((mean * n + 1) / (n + 2), 0.001, 0.999),
        "gaussian": mean,
        "multinomial": (mean * n + 1) / (n + 4),
        "relu": (mean * n + 1) / (n + 1),
        "softmax": (mean * n + 1) / (n + 4),
        "spin": mean * n / (n + 2),
    }
    np.testing.assert_allclose(found[0], smoothed[name], rtol=1e-9)


def test_initial_bias_of_groups():
    mean = np.array([0.25, 0.75, 0.5, 0.5, 0.0])
    found = np.zeros((1, 5))
    unit = Softmax((2, 3))
    unit.mean(found, unit.initial_bias(mean, 1000))
    np.testing.assert_allclose(found[0], mean, atol=0.002)
    assert unit.initial_bias(np.array([1.0, 0, 0, 0, 1]), 5).min() > -5


# -- rows of their own ------------------------------------------------------------------
def counts(*shape, seed=0):
    return np.random.RandomState(seed).poisson(0.7, shape).astype(float)


def test_only_counts_depend_on_the_row():
    for name in UNITS:
        energy = Energy(np.ones((2, 3)), np.ones(3), np.ones(2), UNITS[name](), Bernoulli())
        assert (energy.given(np.ones((4, 3))) is energy) == (name != "multinomial")


@DTYPES
def test_energy_of_counts_in_sparse_and_dense_rows(dtype):
    V, rng = counts(9, 6).astype(dtype), np.random.RandomState(1)
    arrays = (rng.normal(size=(4, 6)), rng.normal(size=6), rng.normal(size=4))
    energy = Energy(*(a.astype(dtype) for a in arrays), Multinomial(), Bernoulli())
    rows = np.array([8, 0, 0, 3])
    thin = CSRRows(sparse.csr_array(counts(9, 6).astype(np.uint8)), rows)
    H = energy.drive_hidden(V[rows], np.empty((4, 4), dtype))
    totals = V[rows].sum(axis=1)
    expected = V[rows] @ arrays[0].T + np.outer(totals - 1, arrays[2])
    np.testing.assert_allclose(H, expected, rtol=1e-4, atol=1e-5)
    again = energy.drive_hidden(thin, np.empty((4, 4), dtype))
    np.testing.assert_allclose(again, H, rtol=1e-4, atol=1e-5)
    found = energy.reconstruct(thin)
    np.testing.assert_allclose(found, energy.reconstruct(V[rows]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), totals, rtol=1e-5)
    np.testing.assert_array_equal(
        energy.gibbs(V[rows], 3, stream()).sum(axis=1), totals.round()
    )


def test_a_fixed_total_is_the_same_model():
    model = Enumeration("multinomial", "spin")
    energy = model.energy()
    b, c = model.visible_bias, oracle.TOTAL * model.hidden_bias
    fixed = Energy(model.weights, b, c, FixedTotal(oracle.TOTAL), energy.hidden)
    assert fixed.given(model.V) is fixed
    np.testing.assert_allclose(fixed.free_energy(model.V), energy.free_energy(model.V))
    np.testing.assert_allclose(fixed.reconstruct(model.V), energy.reconstruct(model.V))


def test_empty_documents_are_no_error():
    X = np.vstack([counts(30, 5), np.zeros((3, 5))])
    rbm = RBM(3, visible="multinomial", max_iter=2, random_state=0).fit(X)
    empty = np.zeros((2, 5))
    np.testing.assert_allclose(rbm.transform(empty), 0.5, rtol=1e-6)
    np.testing.assert_array_equal(rbm.reconstruct(empty), empty)
    np.testing.assert_array_equal(rbm.gibbs(empty), empty)
    np.testing.assert_array_equal(rbm.score_samples(empty), [0, 0])
    np.testing.assert_allclose(rbm.free_energy(empty), -3 * np.log(2))
    every = RBM(3, visible="multinomial", max_iter=2, random_state=0).fit(empty)
    assert np.isfinite(every.components_).all()


# -- as parts of an RBM -----------------------------------------------------------------
DATA = {
    "bernoulli": lambda rng: rng.uniform(size=(40, 6)),
    "continuous": lambda rng: rng.uniform(size=(40, 6)),
    "gaussian": lambda rng: rng.normal(size=(40, 6)),
    "multinomial": lambda rng: rng.poisson(1, (40, 6)),
    "relu": lambda rng: rng.exponential(size=(40, 6)),
    "softmax": lambda rng: np.eye(6)[rng.randint(6, size=40)],
    "spin": lambda rng: rng.uniform(-1, 1, (40, 6)),
}


@pytest.mark.parametrize("visible", UNITS)
@pytest.mark.parametrize("hidden", sorted({*UNITS} - {"multinomial"}))
def test_rbm_of_every_pair(visible, hidden):
    X = DATA[visible](np.random.RandomState(0))
    rbm = RBM(4, visible=visible, hidden=hidden, max_iter=2, random_state=0).fit(X)
    results = [rbm.transform(X), rbm.reconstruct(X), rbm.sample(5, n_steps=3)]
    results += [rbm.gibbs(X), rbm.free_energy(X), rbm.score_samples(X)]
    assert all(np.isfinite(result).all() for result in results)
    UNITS[visible]().check_data(results[2], None)
    np.testing.assert_allclose(rbm.transform(sparse.csr_array(X)), results[0], rtol=1e-5)


ERRORS = {
    "bernoulli": ([[0, 1.5]], r"in \[0, 1\].*column 1 \('b'\), ranges from 0\.5 to 1\.5"),
    "continuous": ([[-1, 0.5]], r"Continuous visible.* in \[0, 1\].*column 0 \('a'\)"),
    "spin": ([[0, -1.5]], r"Spin visible.* in \[-1, 1\].*column 1 \('b'\).*-1\.5"),
    "relu": ([[0, -1]], r"ReLU visible.* of 0 and more.*are negative.*column 1 \('b'\)"),
    "multinomial": ([[0, -1]], r"Multinomial visible.*negative.*CountVectorizer"),
    "softmax": (
        [[0.4, 0.5]],
        r"sums to 1, but in row 1 group 0, the 2 columns from column 0 \('a'\), sums to "
        r"0\.9.*OneHotEncoder",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("container", [np.array, sparse.csr_array])
def test_data_that_cannot_be_states(name, container):
    row, message = ERRORS[name]
    X, names = np.vstack([[[0.5, 0.5]], row]), ["a", "b"]
    with pytest.raises(ValueError, match=message):
        UNITS[name]().check_data(container(X), names)
    UNITS[name]().check_data(container(X[:1]), names)
    rounded = X[:1] + np.array([[-5e-7, 5e-7]])
    UNITS[name]().check_data(container(rounded), names)


def test_group_that_does_not_sum_to_one_is_named():
    X = np.tile([1, 0, 0, 1, 0], (5000, 1))
    X[4321] = [0, 1, 1, 1, 0]
    with pytest.raises(ValueError, match=r"row 4321 group 1, the 3 columns from column 2,"):
        RBM(2, visible=Softmax((2, 3))).fit(X)
    with pytest.raises(ValueError, match=r"negative: the first, column 4"):
        RBM(2, visible=Softmax((2, 3))).fit(np.tile([1.0, 0, 0, 2, -1], (5, 1)))


@pytest.mark.parametrize(
    "sizes", [4, 7, (2, 4), (5, 0), (6, -1), (2.5, 2.5), ((2, 3),), (), ("2", "3")]
)
def test_sizes_that_do_not_fit(sizes):
    X = np.tile([1, 0, 0, 1, 0], (5, 1))
    with pytest.raises(ValueError, match="does not fit 5 units: sizes must be positive"):
        RBM(2, visible=Softmax(sizes)).fit(X)
    with pytest.raises(ValueError, match=r"does not fit 5 units.*n_components"):
        RBM(5, hidden=Softmax(sizes)).fit(X)


def test_units_that_cannot_be_hidden():
    X = np.eye(5)
    with pytest.raises(ValueError, match="Multinomial units are visible only"):
        RBM(2, hidden="multinomial").fit(X)
    with pytest.raises(ValueError, match="cannot have variance='learned': the scale"):
        RBM(2, hidden=Gaussian(variance="learned")).fit(X)
    RBM(2, hidden=Gaussian(variance=2.0), max_iter=1).fit(X)


@pytest.mark.parametrize("variance", [0, -1.0, "large", None])
def test_wrong_variance(variance):
    with pytest.raises(ValueError, match="'variance' parameter of Gaussian"):
        RBM(2, visible=Gaussian(variance=variance)).fit(np.eye(5))


def test_spins_are_bernoulli_units_in_other_numbers():
    """With x = 2 u - 1 the weights of u are four times those of x."""
    model = Enumeration("spin", "spin")
    W, b, c = model.weights, model.visible_bias, model.hidden_bias
    spins = Energy(W, b, c, Spin(), Spin())
    bits = Energy(
        4 * W, 2 * (b - W.sum(axis=0)), 2 * (c - W.sum(axis=1)), Bernoulli(), Bernoulli()
    )
    V = np.random.RandomState(0).uniform(size=(5, 3))
    differ = spins.free_energy(2 * V - 1) - bits.free_energy(V)
    np.testing.assert_allclose(differ, differ[0])
    np.testing.assert_allclose(spins.hidden_mean(2 * V - 1), 2 * bits.hidden_mean(V) - 1)
    found = spins.pseudo_log_likelihood(2 * V - 1)
    np.testing.assert_allclose(found, bits.pseudo_log_likelihood(V))


# -- as layers of a network ----------------------------------------------------------------
LAYERED = {
    "bernoulli": Bernoulli(),
    "continuous": Continuous(),
    "gaussian": Gaussian(variance=0.3),
    "learned": Gaussian(variance="learned"),
    "relu": ReLU(),
    "softmax": Softmax(3),
    "spin": Spin(),
}


def rows_of(name, n_rows, n_columns):
    """Data for visible units."""
    rng = np.random.RandomState(0)
    if name == "softmax":
        return np.eye(3)[rng.randint(3, size=(n_rows, n_columns // 3))].reshape(n_rows, -1)
    if name == "spin":
        return rng.choice([-1.0, 1.0], (n_rows, n_columns))
    return np.abs(rng.normal(0.4, 0.2, (n_rows, n_columns))).clip(0, 1)


@pytest.mark.parametrize("hidden", [name for name in LAYERED if name != "learned"])
@pytest.mark.parametrize("visible", LAYERED)
def test_layers_of_a_network_are_the_means_of_units(visible, hidden):
    """Both ways, with the output that the loss of an autoencoder makes."""
    X = rows_of(visible, 30, 6)
    rbm = RBM(visible=LAYERED[visible], hidden=LAYERED[hidden], max_iter=2, dtype="float64")
    stack = StackedRBM((6,), rbm=rbm, random_state=0).fit(X)
    H = stack.transform(X)
    for layers, rows, expected in (
        (stack._encoder(), X, H),
        (stack._decoder(), H, stack.inverse_transform(H)),
    ):
        (coef,), (bias,), (activation,) = layers
        z = rows @ coef
        resolve(activation, ACTIVATIONS).forward(z, bias)
        np.testing.assert_allclose(z, expected, rtol=1e-10, atol=1e-12)
    (coef,), (bias,), _ = stack._decoder()
    z = H @ coef
    resolve(LAYERED[visible].loss, LOSSES).link(z, bias)
    np.testing.assert_allclose(z, expected, rtol=1e-10, atol=1e-12)


def test_networks_do_not_start_from_counts():
    X = np.random.RandomState(0).poisson(2.0, (30, 5)).astype(float)
    rbm = RBM(visible="multinomial")
    for model in (DBNClassifier((3,), rbm=rbm), DBNAutoencoder((3, 2), rbm=rbm)):
        with pytest.raises(ValueError, match="cannot start from Multinomial"):
            model.fit(X, np.arange(30) % 2)
    stack = StackedRBM((3, 2), rbm=RBM(visible="multinomial", max_iter=1)).fit(X)
    with pytest.raises(ValueError, match="cannot start from Multinomial"):
        MLPClassifier((3, 2), init=FrozenEstimator(stack)).fit(X, np.arange(30) % 2)
