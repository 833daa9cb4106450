"""The mathematics of RBMs and their samplers against sums over all states."""

from itertools import product

import numpy as np
import pytest
from _oracles import DTYPES, KINDS, TOTAL, Enumeration
from scipy import stats

from skdbn import RBM
from skdbn._random import Stream

HIDDEN = [kind for kind in KINDS if kind != "multinomial"]
ALL = list(product(KINDS, HIDDEN))
EVERY_PAIR = pytest.mark.parametrize("pair", ALL, ids="-".join)
# Units whose draws have exactly their distribution, and those of which each has a part in
# what does not depend on the type.
DRAWN = [pair for pair in ALL if "relu" not in pair]
BASIC = list(product(["bernoulli", "gaussian"], repeat=2))
PAIRS = pytest.mark.parametrize("pair", BASIC, ids="-".join)
SOME_PAIRS = pytest.mark.parametrize(
    "pair",
    [
        *BASIC,
        ("continuous", "spin"),
        ("softmax", "bernoulli"),
        ("spin", "softmax"),
        ("wide", "continuous"),
    ],
    ids="-".join,
)
BERNOULLI = ("bernoulli", "bernoulli")
PARTS = ("weights", "visible_bias", "hidden_bias")
TOLERANCE = {np.float32: {"rtol": 2e-5, "atol": 2e-5}, np.float64: {"rtol": 1e-8}}
# How far rectified units may be from the sums of binary units that they stand for.
RECTIFIED_MEAN, RECTIFIED_LOG_PARTITION = 0.011, 1 / 24
Z = 4.5  # largest z-score of a statistic that passes; the seeds are fixed


def stream(seed=0):
    return Stream(np.random.RandomState(seed))


def some_rows(name, n_rows, n_columns, seed=1):
    """States of visible units of one type, and means of states in the last rows."""
    rng, half = np.random.RandomState(seed), n_rows // 2
    if name in ("gaussian", "wide"):
        return rng.normal(0, 1.5, (n_rows, n_columns))
    if name == "relu":
        return np.maximum(rng.normal(1, 1.5, (n_rows, n_columns)), 0)
    if name == "continuous":
        return rng.uniform(0, 1, (n_rows, n_columns))
    if name == "multinomial":
        return rng.multinomial(TOTAL, np.full(n_columns, 1 / n_columns), n_rows).astype(
            float
        )
    if name == "softmax":
        model = Enumeration("softmax", "bernoulli", (n_columns, 1))
        rows = model.V[rng.randint(len(model.V), size=n_rows)]
        rows[half:] = 0.5 * rows[half:] + 0.5 * model.V[0]
        return rows
    rows = rng.randint(0, 2, (n_rows, n_columns)).astype(float)
    rows[half:] = rng.uniform(0, 1, (n_rows - half, n_columns))
    return 2 * rows - 1 if name == "spin" else rows


def z_scores(samples, expected):
    """Distance of the means of independent rows from what is expected, in their errors."""
    samples = np.asarray(samples)
    error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples)) + 1e-12
    return np.abs(samples.mean(axis=0) - expected) / error


def chi_square(found, model, states):
    """P-value of binary rows for the probabilities of all states."""
    index = (found @ 2 ** np.arange(found.shape[1])[::-1]).astype(int)
    counts = np.bincount(index, minlength=len(states))
    return stats.chisquare(counts, model * len(found)).pvalue


# -- what is exact ----------------------------------------------------------------------
def closeness(dtype, rectified=0.0):
    """Tolerance of a dtype, and of the formulas of rectified units."""
    tolerance = TOLERANCE[dtype]
    return {**tolerance, "atol": tolerance.get("atol", 1e-12) + rectified}


@EVERY_PAIR
@pytest.mark.parametrize("dtype", DTYPES)
def test_conditional_means(pair, dtype):
    model = Enumeration(*pair)
    energy = model.energy(dtype)
    V, H = map(some_rows, pair, (6, 6), energy.weights.T.shape)
    off_visible, off_hidden = (RECTIFIED_MEAN * (name == "relu") for name in pair)
    hidden = model.hidden_given(V) @ model.H
    found = energy.hidden_mean(V.astype(dtype))
    np.testing.assert_allclose(found, hidden, **closeness(dtype, off_hidden))
    visible = model.visible_given(H) @ model.V
    np.testing.assert_allclose(
        energy.visible_mean(H.astype(dtype)), visible, **closeness(dtype, off_visible)
    )
    there_and_back = model.visible_given(found) @ model.V
    found = energy.reconstruct(V.astype(dtype))
    np.testing.assert_allclose(found, there_and_back, **closeness(dtype, off_visible))
    assert found.dtype == dtype


@EVERY_PAIR
@pytest.mark.parametrize("dtype", DTYPES)
def test_free_energy(pair, dtype):
    model = Enumeration(*pair)
    V = some_rows(pair[0], 6, len(model.visible_bias))
    found = model.energy(dtype).free_energy(V.astype(dtype))
    off = model.H.shape[1] * RECTIFIED_LOG_PARTITION * (pair[1] == "relu")
    np.testing.assert_allclose(found, model.free_energy(V), **closeness(dtype, off))
    assert found.dtype == dtype
    assert found.shape == (6,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("pair", "scale"),
    [
        *product(ALL, [0.2, 0.7]),
        *product(BASIC, [1.0]),
        (BERNOULLI, 4.0),
        (("spin",) * 2, 4.0),
    ],
)
def test_pseudo_log_likelihood(pair, scale, dtype):
    model = Enumeration(*pair, scale=scale)
    V = some_rows(pair[0], 6, len(model.visible_bias))
    found = model.energy(dtype).pseudo_log_likelihood(V.astype(dtype))
    off = V.shape[1] * model.H.shape[1] * RECTIFIED_LOG_PARTITION * (pair[1] == "relu")
    expected = model.pseudo_log_likelihood(V)
    off += 1e-8  # where the grid ends
    np.testing.assert_allclose(found, expected, **closeness(dtype, off))
    assert found.dtype == dtype


@pytest.mark.parametrize("hidden", ["bernoulli", "gaussian"])
def test_pseudo_likelihood_of_gaussian_units_in_closed_form(hidden):
    """With Gaussian hidden units the visible ones are normal, of precision I - W'W."""
    model = Enumeration("gaussian", hidden)
    V = some_rows("gaussian", 5, 2)
    W = model.weights if hidden == "gaussian" else 0 * model.weights
    model.weights = W  # without weights binary hidden units change nothing
    precision = np.eye(2) - W.T @ W
    offset = model.visible_bias + W.T @ model.hidden_bias
    expected = 0
    for j in range(2):
        other = 1 - j
        mean = (offset[j] - precision[j, other] * V[:, other]) / precision[j, j]
        expected += stats.norm.logpdf(V[:, j], mean, precision[j, j] ** -0.5)
    found = model.energy().pseudo_log_likelihood(V)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_astype_keeps_the_model():
    energy = Enumeration(*BERNOULLI).energy()
    assert energy.astype(np.float64).weights is energy.weights
    single = energy.astype(np.float32)
    assert single.dtype == np.float32
    for part in PARTS:
        np.testing.assert_allclose(getattr(single, part), getattr(energy, part), rtol=1e-7)


# -- drawing ----------------------------------------------------------------------------
@pytest.mark.parametrize("pair", DRAWN, ids="-".join)
@pytest.mark.parametrize("side", [0, 1], ids=["hidden", "visible"])
def test_draws_have_the_conditional_moments(pair, side):
    model, n = Enumeration(*pair), 20_000
    given = some_rows(pair[side], 2, model.energy().weights.T.shape[side])
    states = (model.H, model.V)[side]
    draw = (model.energy().sample_hidden, model.energy().sample_visible)[side]
    conditional = (model.hidden_given, model.visible_given)[side](given)
    out = np.empty((n, states.shape[1]))
    for row, probabilities in zip(given, conditional, strict=True):
        found = draw(np.tile(row, (n, 1)), stream(), out)
        assert found is out
        mean, square = probabilities @ states, probabilities @ states**2
        product_ = probabilities @ (states[:, 0] * states[:, 1])
        assert z_scores(found, mean).max() < Z
        assert z_scores(found**2, square).max() < Z
        assert z_scores(found[:, 0] * found[:, 1], product_) < Z


def test_gibbs_step_has_the_transition_probabilities():
    model, n = Enumeration(*BERNOULLI), 50_000
    transition = model.hidden_given(model.V) @ model.visible_given(model.H)
    for k in (1, 2):
        for i, start in enumerate(model.V):
            V = np.tile(start, (n, 1)).astype(np.float32)
            found = model.energy(np.float32).gibbs(V, k, stream(i))
            expected = np.linalg.matrix_power(transition, k)[i]
            assert chi_square(found, expected, model.V) > 1e-4
            np.testing.assert_array_equal(V, np.tile(start, (n, 1)))


@pytest.mark.parametrize(
    "pair",
    [
        *BASIC,
        ("continuous", "softmax"),
        ("multinomial", "bernoulli"),
        ("softmax", "spin"),
        ("spin", "wide"),
        ("wide", "continuous"),
    ],
    ids="-".join,
)
def test_gibbs_leaves_the_model_distribution_unchanged(pair):
    """Chains that start from the model, and chains that start far from it."""
    model, n = Enumeration(*pair), 50_000
    p = model.joint.sum(axis=1)
    chosen = np.random.RandomState(0).choice(len(p), n, p=p / p.sum())
    far = np.tile(model.V[len(model.V) // 2], (n, 1))
    starts = {"near": (model.V[chosen], 3), "far": (far, 100)}
    for name, (start, n_steps) in starts.items():
        found = model.energy(np.float32).gibbs(start.astype(np.float32), n_steps, stream(1))
        if pair[0] == "bernoulli":
            assert chi_square(found, p, model.V) > 1e-4, name
        for i, j in [(0, 0), (0, 1), (1, 1)]:
            expected = p @ (model.V[:, i] * model.V[:, j])
            assert z_scores(found[:, i].astype(float) * found[:, j], expected) < Z, name
        assert z_scores(found.astype(float), p @ model.V).max() < Z, name


@pytest.mark.parametrize(
    "visible", ["bernoulli", "continuous", "gaussian", "softmax", "spin", "wide"]
)
def test_samples_of_an_estimator_follow_the_model(visible):
    model, n = Enumeration(visible, "bernoulli"), 20_000
    rbm = RBM(len(model.hidden_bias), visible=model.units[0], max_iter=1, random_state=0)
    rbm.fit(some_rows(visible, 20, len(model.visible_bias)))
    rbm.components_, rbm.intercept_hidden_ = model.weights, model.hidden_bias
    rbm.intercept_visible_ = model.visible_bias
    p = model.joint.sum(axis=1)
    found = rbm.sample(n, n_steps=30)  # in blocks of rows, one after the other
    assert z_scores(found, p @ model.V).max() < Z
    assert z_scores(found**2, p @ model.V**2).max() < Z
    blocks = found[: n // 2, 0] - found[n // 2 :, 0]
    assert z_scores(blocks, 0) < Z


# -- the gradient -----------------------------------------------------------------------
def test_exact_gradient_is_that_of_the_likelihood():
    """The oracle itself, by finite differences of the enumerated likelihood."""
    model = Enumeration(*BERNOULLI)
    V = model.V[[1, 3, 6, 6]]

    def cost():
        log_z = np.log(np.exp(-model.free_energy(model.V)).sum())
        return (model.free_energy(V) + log_z).sum()

    for part, gradient in zip(PARTS, model.exact_gradient(V), strict=True):
        parameters = getattr(model, part).ravel()
        for i, expected in enumerate(np.ravel(gradient)):
            parameters[i] += 1e-6
            up = cost()
            parameters[i] -= 2e-6
            down = cost()
            parameters[i] += 1e-6
            np.testing.assert_allclose((up - down) / 2e-6, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("hidden", HIDDEN)
def test_mean_of_the_oracle(hidden):
    """The closed form that ``cd_gradient`` needs for states that are not on the grid."""
    model = Enumeration("bernoulli", hidden)
    V = some_rows("bernoulli", 4, 3)
    closed = KINDS[hidden].mean(V @ model.weights.T + model.hidden_bias)
    off = RECTIFIED_MEAN * (hidden == "relu")
    found = model.hidden_given(V) @ model.H
    np.testing.assert_allclose(found, closed, rtol=1e-10, atol=off)
