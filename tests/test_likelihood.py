"""Partition functions and likelihoods against sums over all states."""

import copy
import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from _oracles import DTYPES, KINDS, TOTAL, Enumeration
from scipy import sparse, stats
from scipy.special import expit, logsumexp, xlogy
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from skdbn import RBM, StackedRBM, _partition
from skdbn._partition import lower_bound
from skdbn.likelihood import (
    AIS,
    AISResult,
    annealed_importance_sampling,
    log_likelihood,
    log_partition,
    reverse_ais,
)
from skdbn.units import UNITS, Bernoulli, Unit

BASIC = ("bernoulli", "gaussian")
PAIRS = pytest.mark.parametrize("pair", list(product(BASIC, BASIC)), ids="-".join)
MORE_PAIRS = pytest.mark.parametrize(
    "pair",
    [
        *product(BASIC, BASIC),
        ("continuous", "spin"),
        ("softmax", "continuous"),
        ("spin", "wide"),
        ("wide", "softmax"),
        ("wide", "gaussian"),
    ],
    ids="-".join,
)
BERNOULLI = ("bernoulli", "bernoulli")
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)
Z = 4.5  # largest z-score of a statistic that passes; the seeds are fixed
BETAS = [0.0, 0.3, 0.6, 1.0]


def fitted(visible, hidden, W, b, c, dtype="float64"):
    """A fitted RBM with these parameters."""
    rbm = RBM(len(c), visible=visible, hidden=hidden, dtype=dtype, max_iter=1)
    rbm.set_params(visible="gaussian").fit(np.eye(2, len(b)))
    rbm.set_params(visible=visible)._units_ = [
        UNITS[unit]() if isinstance(unit, str) else unit for unit in (visible, hidden)
    ]
    rbm.components_ = W.astype(dtype)
    rbm.intercept_visible_, rbm.intercept_hidden_ = b.astype(dtype), c.astype(dtype)
    rbm._base_bias = lambda energy: energy.visible_bias
    return rbm


def tiny(pair, sizes=None, dtype="float64", **options):
    """The enumeration of a tiny model, the model, and its true log Z."""
    model = Enumeration(*pair, sizes, **options)
    parameters = model.weights, model.visible_bias, model.hidden_bias
    return model, fitted(*model.units, *parameters, dtype), model.log_z


@pytest.fixture(scope="module")
def digits():
    return (load_digits().data[:1200] > 7).astype(np.float32)


@pytest.fixture(scope="module")
def trained(digits):
    """An RBM of the digits that can be enumerated, and its log Z."""
    rbm = RBM(12, max_iter=10, batch_size=20, random_state=0).fit(digits)
    return rbm, log_partition(rbm)


# -- exact ------------------------------------------------------------------------------
@PAIRS
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_log_partition(pair, turned, dtype):
    large, small = {"bernoulli": 5, "gaussian": 2}, {"bernoulli": 3, "gaussian": 1}
    sides = (small, large) if turned else (large, small)
    sizes = [side[name] for side, name in zip(sides, pair, strict=True)]
    _, rbm, expected = tiny(pair, sizes, dtype)
    tolerance = {np.float32: 1e-5, np.float64: 1e-8}[dtype]
    assert log_partition(rbm) == pytest.approx(expected, abs=tolerance)
    assert isinstance(log_partition(rbm), float)


@pytest.mark.parametrize("visible", [kind for kind in KINDS if kind != "multinomial"])
@pytest.mark.parametrize("hidden", ["bernoulli", "spin", "softmax", "continuous", "relu"])
def test_log_partition_of_other_units(visible, hidden):
    model, rbm, expected = tiny((visible, hidden))
    levels = [unit.levels(2) for unit in rbm._units_]
    if levels == [None, None]:
        with pytest.raises(ValueError, match=r"finitely many states.*annealed_importance"):
            log_partition(rbm)
        return
    rectified = sum(KINDS[kind].size for kind in (visible, hidden) if kind == "relu")
    assert log_partition(rbm) == pytest.approx(expected, abs=1e-8 + rectified / 24)
    found = logsumexp(log_likelihood(rbm, model.V) + model.log_v)
    assert found == pytest.approx(0, abs=1e-8 + rectified / 24)


@pytest.mark.parametrize("block_size", [1, 9, 40, 2**18])
@pytest.mark.parametrize(("kind", "sizes"), [("bernoulli", (8, 7)), ("softmax", (9, 5))])
def test_log_partition_in_blocks_of_any_size(kind, sizes, block_size, monkeypatch):
    _, rbm, expected = tiny((kind, kind), sizes)
    monkeypatch.setattr(_partition, "_BLOCK_SIZE", block_size)
    assert log_partition(rbm) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("sizes", [(5, 3), (3, 5)])
def test_log_partition_of_gaussian_units_by_the_precision_matrix(sizes):
    """The joint density of both sides is normal."""
    rng = np.random.RandomState(0)
    n, m = sizes
    W = rng.normal(size=(m, n))
    W *= 0.95 / np.linalg.norm(W, 2)
    bias = rng.normal(size=n + m)
    precision = np.eye(n + m)
    precision[:n, n:], precision[n:, :n] = -W.T, -W
    expected = n * HALF_LOG_2PI  # hidden states are counted without it
    expected += 0.5 * bias @ np.linalg.solve(precision, bias)
    expected -= 0.5 * np.linalg.slogdet(precision)[1]
    rbm = fitted("gaussian", "gaussian", W, bias[:n], bias[n:])
    assert log_partition(rbm) == pytest.approx(expected, rel=1e-10)


def test_log_partition_of_large_parameters_does_not_overflow():
    rng = np.random.RandomState(0)
    W, b, c = rng.normal(0, 300, (4, 6)), rng.normal(0, 300, 6), rng.normal(0, 300, 4)
    H = np.array(list(product([0.0, 1.0], repeat=4)))
    expected = logsumexp(H @ c + np.logaddexp(0, H @ W + b).sum(axis=1))
    assert expected > 1000
    assert log_partition(fitted(*BERNOULLI, W, b, c)) == pytest.approx(expected, rel=1e-12)


@MORE_PAIRS
def test_probabilities_sum_to_one(pair):
    model, rbm, _ = tiny(pair)
    found = logsumexp(log_likelihood(rbm, model.V) + model.log_v)
    assert found == pytest.approx(0, abs=1e-8)


def test_log_likelihood_without_weights_is_that_of_independent_columns():
    b = np.array([-1.0, 0.5, 2.0])
    parameters = np.zeros((4, 3)), b, np.full(4, 3.0)
    X = np.array([[0, 1, 1], [1, 0, 0.25]])
    found = log_likelihood(fitted(*BERNOULLI, *parameters), X)
    p = expit(b)
    np.testing.assert_allclose(found, (xlogy(X, p) + xlogy(1 - X, 1 - p)).sum(axis=1))
    found = log_likelihood(fitted("gaussian", "bernoulli", *parameters), X)
    np.testing.assert_allclose(found, stats.norm.logpdf(X, b, 1).sum(axis=1))


def test_log_likelihood_takes_any_log_partition(trained, digits):
    rbm, log_z = trained
    expected = -rbm.free_energy(digits[:5].astype(float)) - log_z
    result = AISResult(log_z + 1, (0.0, 1.0), 1.0, np.zeros(2))
    for given, shift in [(None, 0), (log_z, 0), (log_z + 2, 2), (result, 1)]:
        found = log_likelihood(rbm, digits[:5], given)
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected - shift, rtol=1e-10)
    found = log_likelihood(rbm, sparse.csr_array(digits[:5]), log_z)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_grey_levels_are_at_most_the_expectation_over_bits():
    model, rbm, _ = tiny(BERNOULLI, scale=2.0)
    grey = np.array([[0.2, 0.7, 0.5]])
    p = np.where(model.V == 1, grey, 1 - grey).prod(axis=1)
    expected = p @ log_likelihood(rbm, model.V)
    assert expected - 1 < log_likelihood(rbm, grey)[0] < expected


# -- annealed importance sampling -------------------------------------------------------
@MORE_PAIRS
@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_unbiased_estimates_of_z(pair, dtype):
    """With any temperatures; 20 000 chains are as good as so many runs."""
    wide = pair in [("gaussian", "bernoulli"), ("wide", "softmax")]
    scale = 0.3 if wide else 0.6  # far modes, far tails
    model, rbm, log_z = tiny(pair, dtype=dtype, scale=scale)
    X = np.random.RandomState(0).uniform(size=(20, rbm.n_features_in_))
    if pair[0] == "softmax":
        X = model.V
    for data, betas in [(None, [0, 1]), (X, [0, 1]), (None, BETAS), (X, BETAS)]:
        result = annealed_importance_sampling(
            rbm, betas=betas, n_chains=20_000, X_base=data, random_state=1
        )
        weights = np.exp(result.log_weights - log_z)
        error = weights.std() / np.sqrt(len(weights))
        assert error < 0.03
        assert abs(weights.mean() - 1) < Z * error


@pytest.mark.parametrize("pair", [("bernoulli", "relu"), ("relu", "spin")])
def test_ais_of_rectified_units_is_rough(pair):
    """Their draws do not have exactly the model's distribution, see ReLU."""
    _, rbm, log_z = tiny(pair)
    result = annealed_importance_sampling(rbm, 200, 200, random_state=0)
    n_rectified = 2
    assert result.log_partition == pytest.approx(log_z, abs=0.5 * n_rectified)


def test_summary_of_the_weights():
    _, rbm, _ = tiny(BERNOULLI, scale=1.0)
    result = annealed_importance_sampling(rbm, 5, 30, random_state=0)
    assert result.log_weights.shape == (30,)
    assert result.log_weights.dtype == np.float64
    w = np.exp(result.log_weights)
    error = w.std(ddof=1) / np.sqrt(30)
    assert result.log_partition == pytest.approx(np.log(w.mean()))
    expected = np.log([w.mean() - 3 * error, w.mean() + 3 * error])
    np.testing.assert_allclose(result.interval, expected)
    assert result.effective_sample_size == pytest.approx(w.sum() ** 2 / (w @ w))
    with pytest.raises(AttributeError):
        result.log_partition = 0.0


def test_summary_where_one_chain_has_all_the_weight():
    result = _partition._summary(np.array([2000.0, -3000.0, -2500.0, 0.0]))
    assert result.effective_sample_size == pytest.approx(1)
    assert result.log_partition == pytest.approx(2000 - np.log(4))
    assert result.interval[0] == -np.inf
    assert result.interval[1] == pytest.approx(2000)  # mean 1/4, standard error 1/4


@pytest.mark.parametrize("visible", BASIC)
@pytest.mark.parametrize("hidden", BASIC)
def test_ais_of_trained_models(visible, hidden, digits):
    """Within the interval and a tenth of a nat, with a good part of the chains in use."""
    rbm = RBM(10, visible=visible, hidden=hidden, max_iter=3, alpha=0.01, random_state=0)
    X = digits[:600, 16:32]
    rbm.fit(X - X.mean(axis=0) if visible == "gaussian" else X)
    exact = log_partition(rbm)
    result = annealed_importance_sampling(rbm, 500, 100, random_state=0)
    assert result.log_partition == pytest.approx(exact, abs=0.1)
    assert result.interval[0] < exact < result.interval[1]
    assert 50 < result.effective_sample_size <= 100.0001


def test_ais_of_the_digits(trained, digits):
    rbm, exact = trained
    result = annealed_importance_sampling(rbm, 1000, X_base=digits, random_state=0)
    assert result.log_partition == pytest.approx(exact, abs=0.1)
    assert result.interval[0] < exact < result.interval[1]
    assert result.interval[1] - result.interval[0] < 0.5
    # Jensen: the mean of the log weights is below, and comes closer with more steps.
    rough = annealed_importance_sampling(rbm, 100, X_base=digits, random_state=0)
    error = 3 * result.log_weights.std() / 10
    assert rough.log_weights.mean() < result.log_weights.mean() < exact + error
    assert 1 <= rough.effective_sample_size < result.effective_sample_size <= 100


def test_data_start_the_chains():
    """Without weights, a first model of such data is the model itself."""
    X = np.random.RandomState(0).randint(0, 2, (50, 4)) * [1, 1, 0, 1.0]
    bias = Bernoulli().initial_bias(X.mean(axis=0), len(X))
    rbm = fitted(*BERNOULLI, np.zeros((3, 4)), bias, np.ones(3))
    for data in (X, sparse.csr_array(X), X.astype(np.uint8)):
        result = annealed_importance_sampling(rbm, 2, 100, X_base=data, random_state=0)
        np.testing.assert_allclose(result.log_weights, log_partition(rbm), rtol=1e-12)
        assert result.effective_sample_size == pytest.approx(100)
    other = annealed_importance_sampling(rbm, 2, 100, X_base=1 - X, random_state=0)
    assert np.ptp(other.log_weights) > 1
    own = annealed_importance_sampling(rbm, 2, 100, random_state=0)
    np.testing.assert_allclose(own.log_weights, log_partition(rbm), rtol=1e-12)


def test_chains_are_in_chunks_without_a_common_stream(trained):
    rbm, _ = trained
    result = annealed_importance_sampling(rbm, 400, 137, random_state=0)
    assert result.log_weights.shape == (137,)
    assert len(np.unique(result.log_weights)) == 137


def test_single_precision_is_enough(trained):
    """Other states are drawn, for the same log Z: weights are sums of 4000 numbers."""
    rbm, exact = trained
    assert rbm.components_.dtype == np.float32
    result = annealed_importance_sampling(rbm, 4000, 100, random_state=0)
    assert result.log_partition == pytest.approx(exact, abs=0.03)


# -- reverse annealing ------------------------------------------------------------------
def path_probabilities(model, base, betas):
    """What forward chains end in: the first model times all transitions, enumerated."""
    b, c, V, H = model.visible_bias, model.hidden_bias, model.V, model.H
    p = np.exp(V @ base - logsumexp(V @ base))
    for beta in betas[1:]:
        log_h = beta * (V @ model.weights.T + c) @ H.T
        log_v = (beta * (H @ model.weights + b) + (1 - beta) * base) @ V.T
        h_given_v = np.exp(log_h - logsumexp(log_h, axis=1, keepdims=True))
        v_given_h = np.exp(log_v - logsumexp(log_v, axis=1, keepdims=True))
        p = p @ h_given_v @ v_given_h
    return p


@pytest.mark.parametrize("dtype", DTYPES)
def test_reverse_ais_is_unbiased_for_the_end_of_the_path(dtype):
    model, rbm, _ = tiny(BERNOULLI, dtype=dtype)
    X = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1], [0, 1, 1]])
    for data in (None, X):
        base = model.visible_bias
        if data is not None:
            base = Bernoulli().initial_bias(X.mean(axis=0), len(X))
        p = path_probabilities(model, base, BETAS)
        exact = log_likelihood(rbm, model.V)
        assert np.abs(np.log(p) - exact).max() > 0.05  # another model than the RBM
        assert np.exp(exact) @ (exact - np.log(p)) > 0  # that is worse at its rows
        found = reverse_ais(
            rbm, model.V, betas=BETAS, n_chains=20_000, X_base=data, random_state=0
        )
        np.testing.assert_allclose(found, np.log(p), atol=0.02)
        low = reverse_ais(
            rbm,
            model.V.repeat(300, 0),
            betas=BETAS,
            n_chains=1,
            X_base=data,
            random_state=0,
        )
        assert (low.reshape(-1, 300).mean(axis=1) < np.log(p)).all()


@PAIRS
def test_reverse_ais_of_every_pair_comes_close(pair):
    model, rbm, _ = tiny(pair)
    X = np.random.RandomState(0).uniform(size=(40, len(model.visible_bias))).round()
    found = reverse_ais(rbm, X, 500, n_chains=5, random_state=0)
    assert found.shape == (40,)
    assert found.dtype == np.float64
    assert found.mean() == pytest.approx(log_likelihood(rbm, X).mean(), abs=0.02)


def test_reverse_ais_is_below_the_truth_and_comes_closer(trained, digits):
    rbm, log_z = trained
    X = rbm.gibbs(digits[:400], n_steps=100)  # rows of the model itself
    exact = log_likelihood(rbm, X, log_z)
    gaps = [
        (exact - reverse_ais(rbm, X, *numbers, X_base=digits, random_state=0)).mean()
        for numbers in [(5, 1), (20, 1), (20, 10), (400, 1)]
    ]
    assert (np.diff(gaps) < 0).all()
    assert 0.01 < gaps[-1] < 0.1


def test_reverse_ais_of_sparse_and_integer_rows(trained, digits):
    rbm, _ = trained
    expected = reverse_ais(rbm, digits[:30], 10, random_state=0)
    for X in (sparse.csr_array(digits[:30]), digits[:30].astype(np.uint8)):
        np.testing.assert_array_equal(reverse_ais(rbm, X, 10, random_state=0), expected)


# -- seeds and threads ------------------------------------------------------------------
def test_same_seed_same_numbers_on_any_number_of_threads(digits):
    rbm = RBM(96, max_iter=1, random_state=0).fit(digits)
    found = []
    for n_threads in (1, 2, 2):
        with threadpool_limits(n_threads, user_api="blas"):
            ais = annealed_importance_sampling(rbm, 40, 200, random_state=3)
            low = reverse_ais(rbm, digits[:40], 20, random_state=3)
        found.append((ais.log_weights, low))
    for weights, low in found[1:]:
        np.testing.assert_array_equal(weights, found[0][0])
        np.testing.assert_array_equal(low, found[0][1])
    other = annealed_importance_sampling(rbm, 40, 200, random_state=4)
    assert (other.log_weights != found[0][0]).all()
    halves = found[0][0].reshape(2, 100)  # chunks do not repeat each other
    assert (halves[0] != halves[1]).all()


def test_model_is_left_as_it_was(trained, digits):
    rbm, _ = trained
    before = [rbm.components_.copy(), rbm.intercept_visible_.copy(), digits[:20].copy()]
    annealed_importance_sampling(rbm, 5, X_base=digits, random_state=0)
    reverse_ais(rbm, digits[:20], 5, random_state=0)
    after = [rbm.components_, rbm.intercept_visible_, digits[:20]]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def small_results():
    """Numbers from every function, of a model that plain Python can do."""
    _, rbm, _ = tiny(BERNOULLI)
    X = np.eye(3)
    ais = annealed_importance_sampling(rbm, 4, 3, X_base=X, random_state=0)
    return [
        log_partition(rbm),
        *ais.log_weights,
        *reverse_ais(rbm, X, 3, 2, random_state=0),
    ]


def test_plain_python_gives_the_same_numbers():
    command = (
        "import numba, test_likelihood; assert numba.config.DISABLE_JIT; "
        "print(*map(float, test_likelihood.small_results()))"
    )
    path = os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", command],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    found = [float(number) for number in done.stdout.split()]
    np.testing.assert_allclose(found, small_results(), rtol=1e-12)


# -- other units ------------------------------------------------------------------------
class Trit(Unit):
    """Units of three states with energies of their own, which ``skdbn`` does not know."""

    activation, loss, learning_rate = "tanh", "squared_error", 0.05
    states = np.array([-1.0, 0.0, 2.0])

    def probabilities(self, z):
        log_p = z[..., None] * self.states - self.energies(self.states)
        return np.exp(log_p - logsumexp(log_p, axis=-1, keepdims=True))

    def energies(self, states):
        return 0.3 * states**2 + 0.2 * states

    def mean(self, z, bias):
        z[:] = self.probabilities(z + bias) @ self.states

    def mode(self, z, bias):
        z[:] = self.states[self.probabilities(z + bias).argmax(axis=-1)]

    def sample(self, z, bias, states, stream):
        rng = np.random.RandomState(int(stream.take(z.size)[0]) % 2**32)
        ends = self.probabilities(z + bias).cumsum(axis=-1)
        self.mean(z, bias)
        states[:] = self.states[(rng.uniform(size=(*z.shape, 1)) > ends).sum(axis=-1)]

    def log_partition(self, z, shift, direction):
        z = z + np.multiply.outer(shift, direction)
        log_p = z[..., None] * self.states - self.energies(self.states)
        return logsumexp(log_p, axis=-1).sum(axis=1)

    def energy(self, states):
        return self.energies(states).sum(axis=1)

    def levels(self, n_units):
        return [self.states[:, None]] * n_units

    def initial_bias(self, mean, n_samples):
        return np.zeros_like(mean)


def test_units_of_others():
    rng = np.random.RandomState(0)
    W, b, c = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=2)
    rbm = fitted(Trit(), Trit(), W, b, c)
    V, H = (np.array(list(product(Trit.states, repeat=n))) for n in (3, 2))
    log_joint = (V @ b - Trit().energy(V))[:, None] + H @ c - Trit().energy(H)
    log_joint += V @ W.T @ H.T
    expected = logsumexp(log_joint)
    assert log_partition(rbm) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(rbm.free_energy(V), -logsumexp(log_joint, axis=1))
    result = annealed_importance_sampling(rbm, 200, 1000, random_state=0)
    assert result.log_partition == pytest.approx(expected, abs=0.05)
    # The pseudo-likelihood by hand, and linear between the states of a column.
    cube = logsumexp(log_joint, axis=1).reshape(3, 3, 3)
    terms = [cube - logsumexp(cube, axis=axis, keepdims=True) for axis in range(3)]
    np.testing.assert_allclose(rbm.pseudo_log_likelihood(V), sum(terms).ravel())
    one = fitted(Trit(), Trit(), W[:, :1], b[:1], c)
    below, between, above = one.pseudo_log_likelihood([[0.0], [0.5], [2.0]])
    assert between == pytest.approx(0.75 * below + 0.25 * above)


# -- counts -----------------------------------------------------------------------------
def counts_model(dtype="float64"):
    model, rbm, log_z = tiny(("multinomial", "bernoulli"), dtype=dtype)
    return model, rbm, log_z


def test_log_partition_of_each_total():
    model, rbm, expected = counts_model()
    assert log_partition(rbm, n_draws=TOTAL) == pytest.approx(expected, rel=1e-12)
    # Of one draw, by its three words.
    words = np.eye(3)
    one = logsumexp(-model.free_energy(words))
    assert log_partition(rbm, n_draws=1) == pytest.approx(one, rel=1e-12)
    for n in (1, 7):  # by the hidden states
        scores = model.H @ model.hidden_bias
        scores += logsumexp(model.H @ model.weights + model.visible_bias, axis=1)
        found = log_partition(rbm, n_draws=n)
        assert found == pytest.approx(logsumexp(n * scores), rel=1e-12)


def test_log_likelihood_of_rows_with_different_totals():
    model, rbm, log_z = counts_model()
    X = np.vstack([model.V, np.eye(3), np.zeros((1, 3)), [[2.5, 0, 1]]])
    found = log_likelihood(rbm, X)
    assert logsumexp(found[:10] + model.log_v) == pytest.approx(0, abs=1e-10)
    assert logsumexp(found[10:13]) == pytest.approx(0, abs=1e-10)
    assert found[13] == pytest.approx(0, abs=1e-10)  # there is one empty row
    assert np.isfinite(found[14])
    np.testing.assert_allclose(log_likelihood(rbm, sparse.csr_array(X)), found)
    np.testing.assert_allclose(log_likelihood(rbm, model.V, log_z), found[:10])
    with pytest.raises(ValueError, match=r"4 different totals, from 0 to 3\.5"):
        log_likelihood(rbm, X, log_z)


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_of_counts_are_unbiased_estimates_of_z(dtype):
    model, rbm, log_z = counts_model(dtype)
    for data, betas in [(None, [0, 1]), (model.V, BETAS)]:
        result = annealed_importance_sampling(
            rbm, betas=betas, n_chains=20_000, X_base=data, n_draws=TOTAL, random_state=1
        )
        weights = np.exp(result.log_weights - log_z)
        error = weights.std() / np.sqrt(len(weights))
        assert error < 0.03
        assert abs(weights.mean() - 1) < Z * error


def test_reverse_ais_of_rows_with_different_totals():
    model, rbm, _ = counts_model()
    X = np.vstack([model.V, np.eye(3), 2 * model.V])[::-1]
    found = reverse_ais(rbm, X, 100, n_chains=20, random_state=0)
    exact = log_likelihood(rbm, X)
    np.testing.assert_allclose(found, exact, atol=0.2)
    assert found.mean() == pytest.approx(exact.mean(), abs=0.05)


def test_errors_of_totals():
    _, rbm, _ = counts_model()
    for call in (log_partition, annealed_importance_sampling):
        with pytest.raises(ValueError, match="for each total of a row: pass n_draws"):
            call(rbm)
        with pytest.raises(ValueError, match="n_draws"):
            call(rbm, n_draws=0)
        with pytest.raises(TypeError, match="n_draws"):
            call(rbm, n_draws=2.5)
        with pytest.raises(ValueError, match="n_draws=3 is for Multinomial"):
            call(tiny(BERNOULLI)[1], n_draws=3)


# -- errors -----------------------------------------------------------------------------
ROWS = np.eye(2, 3)
CALLS = {
    "exact": lambda rbm: log_partition(rbm),
    "ais": lambda rbm: annealed_importance_sampling(rbm, 5, 2),
    "reverse": lambda rbm: reverse_ais(rbm, ROWS, 5, 2),
    "log-likelihood": lambda rbm: log_likelihood(rbm, ROWS),
}
EACH_CALL = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@EACH_CALL
def test_what_is_no_fitted_rbm(call):
    with pytest.raises(NotFittedError):
        call(RBM(3))
    with pytest.raises(TypeError, match="must be a fitted RBM, got StackedRBM"):
        call(StackedRBM())


@EACH_CALL
def test_gaussian_units_without_a_finite_integral(call):
    rbm = fitted("gaussian", "gaussian", np.ones((2, 3)), np.zeros(3), np.zeros(2))
    with pytest.raises(ValueError, match=r"not normalisable.*largest is 2\.45"):
        call(rbm)


def test_too_many_units_to_enumerate():
    rbm = fitted(*BERNOULLI, np.zeros((26, 30)), np.zeros(30), np.zeros(26))
    message = r"26 units Bernoulli\(\), about 2\*\*26.*annealed_importance_sampling"
    with pytest.raises(ValueError, match=message):
        log_partition(rbm)
    with pytest.raises(ValueError, match=message):
        log_likelihood(rbm, np.zeros((2, 30)))
    rbm = fitted("gaussian", "bernoulli", np.zeros((26, 2)), np.zeros(2), np.zeros(26))
    with pytest.raises(ValueError, match=message):
        log_partition(rbm)
    rbm = fitted(*BERNOULLI, np.zeros((300, 2)), np.zeros(2), np.zeros(300))
    assert log_partition(rbm) == pytest.approx(302 * np.log(2))


@pytest.mark.parametrize(
    "betas",
    [
        [0.0],
        [0.1, 1.0],
        [0.0, 0.9],
        [0.0, 0.5, 0.5, 1.0],
        [0.0, 0.6, 0.5, 1.0],
        [0.0, np.nan, 1.0],
        [[0.0, 1.0]],
    ],
)
def test_wrong_betas(betas, trained, digits):
    rbm, _ = trained
    with pytest.raises(ValueError, match="increase from 0 to 1"):
        annealed_importance_sampling(rbm, betas=betas)
    with pytest.raises(ValueError, match="increase from 0 to 1"):
        reverse_ais(rbm, digits[:2], betas=betas)


@pytest.mark.parametrize("wrong", [{"n_temperatures": 1}, {"n_chains": 1}])
def test_wrong_numbers(wrong, trained):
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        annealed_importance_sampling(trained[0], **wrong)
    with pytest.raises(TypeError, match=name):
        annealed_importance_sampling(trained[0], **{name: 10.5})


def test_rows_that_do_not_fit(trained, digits):
    rbm, log_z = trained
    for X, message in [(digits[:3, :5], "5 features"), (2 * digits[:3], r"in \[0, 1\]")]:
        with pytest.raises(ValueError, match=message):
            log_likelihood(rbm, X, log_z)
        with pytest.raises(ValueError, match=message):
            reverse_ais(rbm, X)
        with pytest.raises(ValueError, match=message):
            reverse_ais(rbm, digits[:2], X_base=X)
        with pytest.raises(ValueError, match=message):
            annealed_importance_sampling(rbm, X_base=X)


def test_chains_that_run_off():
    W, b = np.full((2, 3), 1e30), np.full(3, 1e30)
    rbm = fitted("bernoulli", "gaussian", W, b, np.zeros(2), "float32")
    with pytest.raises(ValueError, match="not finite"):
        annealed_importance_sampling(rbm, 5, random_state=0)


# -- methods of the estimators -------------------------------------------------------------
def test_scores_of_a_small_rbm_are_exact(digits, trained):
    rbm, _ = trained
    expected = log_likelihood(rbm, digits[:100])
    np.testing.assert_array_equal(rbm.score_samples(digits[:100]), expected)
    assert rbm.score(digits[:100]) == pytest.approx(expected.mean(), rel=1e-12)
    exact = clone_fitted(rbm, likelihood="exact").score_samples(digits[:100])
    np.testing.assert_array_equal(exact, expected)


def clone_fitted(rbm, **params):
    return copy.deepcopy(rbm).set_params(**params)


def test_scores_by_annealing(digits, trained):
    rbm, exact = trained
    likelihood = AIS(n_temperatures=500, n_chains=50, random_state=3)
    found = clone_fitted(rbm, likelihood=likelihood).score_samples(digits[:50])
    result = annealed_importance_sampling(rbm, 500, 50, random_state=3)
    np.testing.assert_allclose(found, log_likelihood(rbm, digits[:50], result), rtol=1e-12)
    assert result.log_partition == pytest.approx(exact, abs=0.2)
    again = clone_fitted(rbm, likelihood="ais")
    assert again.score(digits) == again.score(digits)  # the same chains each time


def test_large_models_are_annealed(digits):
    rbm = RBM(20, max_iter=5, random_state=0).fit(digits)
    ais = clone_fitted(rbm, likelihood="ais").score(digits)
    assert rbm.score(digits) == ais
    assert ais == pytest.approx(
        clone_fitted(rbm, likelihood="exact").score(digits), abs=0.1
    )
    pseudo = clone_fitted(rbm, likelihood="pseudo")
    np.testing.assert_array_equal(
        pseudo.score_samples(digits), rbm.pseudo_log_likelihood(digits)
    )


def test_scores_of_counts_of_any_length():
    X = np.random.RandomState(0).poisson(2.0, (40, 4)).astype(float)
    X[0] = 0
    rbm = RBM(3, visible="multinomial", max_iter=20, random_state=0).fit(X)
    expected = log_likelihood(rbm, X)
    np.testing.assert_array_equal(rbm.score_samples(X), expected)
    rbm.set_params(likelihood=AIS(300))
    np.testing.assert_allclose(rbm.score_samples(X), expected, atol=0.1)


def test_grid_search_without_labels_ranks_by_likelihood(digits):
    grid = {"learning_rate": [1e-5, 0.01], "n_components": [4, 32]}
    rbm = RBM(sampler="pcd", max_iter=15, random_state=0)
    search = GridSearchCV(rbm, grid, cv=2).fit(digits)
    assert search.best_params_ == {"learning_rate": 0.01, "n_components": 32}
    scores = search.cv_results_["mean_test_score"].reshape(2, 2)
    assert scores[1, 1] > scores[1, 0] + 1  # more units, where they learn
    assert abs(scores[0, 0] - scores[0, 1]) < 1  # and no difference where they do not


def dbn(pair, sizes=(3, 3, 2)):
    """A fitted stack of two RBMs, and the exact log-likelihood of rows."""
    visible, hidden = pair
    n, m, k = sizes
    lower, upper = (
        Enumeration(visible, hidden, (n, m)),
        Enumeration(hidden, hidden, (m, k), 1),
    )
    X = (
        lower.V[:4]
        if visible != "gaussian"
        else np.random.RandomState(0).normal(size=(6, n))
    )
    rbms = [RBM(visible=visible, hidden=hidden, max_iter=1, dtype="float64")] * 2
    stack = StackedRBM((m, k), rbm=rbms, random_state=0).fit(X)
    for rbm, model in zip(stack.rbms_, (lower, upper), strict=True):
        rbm.components_ = model.weights
        rbm.intercept_visible_, rbm.intercept_hidden_ = (
            model.visible_bias,
            model.hidden_bias,
        )
    return stack, lower, upper, X


@pytest.mark.parametrize("pair", [BERNOULLI, ("gaussian", "bernoulli"), ("spin", "spin")])
def test_bound_of_a_deep_belief_net(pair):
    """Against the enumerated bound, which is below the enumerated log-likelihood."""
    stack, lower, upper, X = dbn(pair)
    stack.rbms_[-1].likelihood = "exact"
    V, H = X, upper.V
    np.testing.assert_array_equal(H, lower.H)
    log_joint = lower.log_joint(V, H)  # of the first RBM alone
    log_q = log_joint - logsumexp(log_joint, axis=1, keepdims=True)
    own = HALF_LOG_2PI * V.shape[1] * (pair[0] == "gaussian")
    visible = stack.rbms_[0]._energy()
    drive = H @ lower.weights
    log_v = (
        np.array(
            [
                V @ (d + lower.visible_bias)
                - visible.visible.energy(V)
                - visible.visible.free_term(d[None], lower.visible_bias)
                for d in drive
            ]
        ).T
        - own
    )
    log_top = -upper.free_energy(H)
    log_top -= logsumexp(log_top)
    q = np.exp(log_q)
    bound = (q * (log_v + log_top - log_q)).sum(axis=1)
    truth = logsumexp(log_v + log_top, axis=1)
    assert (bound < truth).all()
    draws = np.array(
        [
            lower_bound(
                *stack._models_and_data(X), upper.log_z, 1, np.random.RandomState(seed)
            )
            for seed in range(600)
        ]
    )
    error = draws.std(axis=0) / np.sqrt(600)
    assert (np.abs(draws.mean(axis=0) - bound) < Z * error + 1e-9).all()
    many = lower_bound(
        *stack._models_and_data(X), upper.log_z, 2000, np.random.RandomState(0)
    )
    np.testing.assert_allclose(many, bound, atol=0.1)
    np.testing.assert_allclose(stack.score_samples(X), bound, atol=2)


def test_bound_of_one_rbm_is_its_likelihood(digits, trained):
    rbm, _ = trained
    stack = StackedRBM((12,), rbm=RBM(max_iter=1)).fit(digits)
    stack.rbms_ = [rbm]
    np.testing.assert_allclose(
        stack.score_samples(digits[:30]), rbm.score_samples(digits[:30]), rtol=1e-5
    )
    two = StackedRBM((5, 4), rbm=RBM(max_iter=1, likelihood="pseudo")).fit(digits)
    with pytest.raises(ValueError, match="for an RBM by itself"):
        two.score(digits)


def test_bound_does_not_depend_on_threads(digits):
    stack = StackedRBM((6, 5), rbm=RBM(max_iter=1), random_state=0).fit(digits)
    X = np.tile(digits, (4, 1))
    scores = []
    for limit in (1, 3):
        with threadpool_limits(limit, user_api="blas"):
            scores.append(stack.score_samples(X))
    np.testing.assert_array_equal(*scores)


def counts(n_rows=30):
    return np.random.RandomState(0).poisson(2.0, (n_rows, 4)).astype(float)


def test_stacks_of_counts():
    X = counts()
    rbm = RBM(visible="multinomial", max_iter=2)
    one = StackedRBM((3,), rbm=rbm, random_state=0).fit(X)
    np.testing.assert_array_equal(one.score_samples(X), one.rbms_[0].score_samples(X))
    two = StackedRBM((3, 2), rbm=rbm, random_state=0).fit(X)
    assert (two.score_samples(X) <= 0).all()
    totals = X.sum(axis=1)
    np.testing.assert_allclose(two.reconstruct(X).sum(axis=1), totals, rtol=1e-5)
    np.testing.assert_array_equal(two.sample(X_init=X, n_steps=2).sum(axis=1), totals)


def test_annealing_takes_whole_totals():
    X = counts() + 0.1
    rbm = RBM(3, visible="multinomial", max_iter=2, random_state=0).fit(X)
    assert np.isfinite(rbm.score(X))
    for function in (rbm.set_params(likelihood="ais").score, lambda X: reverse_ais(rbm, X)):
        with pytest.raises(ValueError, match="Annealing draws whole numbers of counts"):
            function(X)


def test_rows_that_are_no_states_have_no_score(digits, trained):
    rbm, _ = trained
    for method in (rbm.score_samples, rbm.score, rbm.pseudo_log_likelihood):
        with pytest.raises(ValueError, match="Bernoulli visible units need data in"):
            method(255 * digits[:3])
    stack = StackedRBM((3, 2), rbm=RBM(max_iter=1)).fit(digits)
    with pytest.raises(ValueError, match="Bernoulli visible units need data in"):
        stack.score(255 * digits[:3])


def test_chains_start_from_the_means_of_the_training_data(digits):
    rbm = RBM(12, max_iter=10, batch_size=2, random_state=0).fit(digits)
    means = expit(rbm._base_bias(rbm._energy()))
    np.testing.assert_allclose(means, digits.mean(axis=0), atol=1e-3)
    without, given = (
        annealed_importance_sampling(rbm, 300, X_base=base, random_state=0)
        for base in (None, digits)
    )
    assert without.log_partition == pytest.approx(given.log_partition, abs=0.1)
