"""What an RBM learns from: samplers, the gradient and the step, against slow twins."""

import warnings

import numpy as np
import pytest
from _oracles import DTYPES, Enumeration
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from test_energy import (
    BERNOULLI,
    PAIRS,
    PARTS,
    SOME_PAIRS,
    Z,
    chi_square,
    some_rows,
    z_scores,
)

from skdbn import RBM
from skdbn._energy_problem import EnergyProblem, _center
from skdbn._penalties import Penalty
from skdbn._phases import Phases
from skdbn.likelihood import log_likelihood
from skdbn.regularization import Sparsity
from skdbn.samplers import CD, PCD, SAMPLERS, FastPCD, ParallelTempering
from skdbn.schedules import as_schedule
from skdbn.units import Gaussian


def make_phases(energy, n_rows, seed=0, sparse=False, n_chains=None):
    """Buffers for batches of up to n_rows."""
    random_state = np.random.RandomState(seed)
    shape = energy.weights.T.shape
    return Phases(n_rows, n_chains, *shape, energy.dtype, random_state, sparse)


def collect(phases, energy, n, chain_weight=1.0, excess=None):
    """The gradient in the buffers of a batch, by hidden unit, and the squared error."""
    parts = phases.parts(n)
    excess = np.zeros_like(energy.hidden_bias) if excess is None else excess
    error = sum(part.compare(energy, chain_weight, excess) for part in parts)
    weights = np.full(energy.weights.shape, np.nan, phases.visible.dtype)
    data, model = np.full((2, len(weights)), np.nan, phases.visible.dtype)
    for j in range(len(weights)):
        one = slice(j, j + 1)
        phases.gradient(n, one, weights[one])
        phases.sum_apart(n, one, data[one], model[one])
        total = np.empty(1, data.dtype)
        phases.sum_hidden(n, one, total)
        np.testing.assert_allclose(total, data[one] + model[one], rtol=1e-5, atol=1e-5)
    visible = sum(part.model_sum - part.data_sum for part in parts)
    return [weights, visible, data + model], error


def run_chains(phases, energy, sampler, data, rows, **options):
    """What ``collect`` finds after both phases."""
    for part in phases.parts(len(rows)):
        if phases.n_chains:
            part.start(sampler, energy, data, np.resize(rows, phases.n_chains))
        part.positive(energy, data, rows)
        sampler.negative(energy, part)
    return collect(phases, energy, len(rows), **options)


def cd_gradients(model, V, n_steps, n_draws=60, n_copies=300, **options):
    """Independent estimates of the gradient, each the mean over copies of the rows."""
    energy, rows = model.energy(), np.tile(np.arange(len(V)), n_copies)
    draws, errors = [], []
    for seed in range(n_draws):
        phases = make_phases(energy, len(rows) + 5, seed)
        gradients, error = run_chains(phases, energy, CD(n_steps, **options), V, rows)
        errors.append(error / n_copies)
        draws.append([gradient / n_copies for gradient in gradients])
    return [np.array(part) for part in zip(*draws, strict=True)], np.array(errors)


# -- contrastive divergence ---------------------------------------------------------------
@SOME_PAIRS
@pytest.mark.parametrize("n_steps", [1, 2])
def test_cd_gradient(pair, n_steps):
    model = Enumeration(*pair)
    V = some_rows(pair[0], 3, len(model.visible_bias))
    draws, errors = cd_gradients(model, V, n_steps)
    for part, found, expected in zip(
        PARTS, draws, model.cd_gradient(V, n_steps), strict=True
    ):
        assert z_scores(found, expected).max() < Z, part
        np.testing.assert_allclose(found.mean(axis=0), expected, atol=0.05)
    probabilities, visible = model.last_visible(V, n_steps)
    squares = ((visible[None] - V[:, None]) ** 2).sum(axis=2)
    assert z_scores(errors, (probabilities * squares).sum()) < Z


@PAIRS
def test_sampled_reconstructions_have_more_noise(pair):
    """Their squared error has the variance on top, their gradient of the biases not."""
    model = Enumeration(*pair)
    V = some_rows(pair[0], 3, len(model.visible_bias))
    draws, errors = cd_gradients(model, V, 1, reconstruction="sample")
    means, _ = cd_gradients(model, V, 1, reconstruction="mean")
    expected = model.cd_gradient(V, 1)
    assert z_scores(draws[1], expected[1]).max() < Z
    assert (draws[1].std(axis=0) > means[1].std(axis=0)).all()
    probabilities = model.hidden_given(V) @ model.visible_given(model.H)
    squares = ((model.V[None] - V[:, None]) ** 2).sum(axis=2)
    assert z_scores(errors, (probabilities * squares).sum()) < Z


@pytest.mark.parametrize("part", PARTS)
def test_cd_of_many_steps_is_the_gradient_of_the_likelihood(part):
    model = Enumeration(*BERNOULLI, scale=1.0)
    V = model.V[[1, 3, 6]]
    i = PARTS.index(part)
    draws, _ = cd_gradients(model, V, 200)
    assert z_scores(draws[i], model.exact_gradient(V)[i]).max() < Z


@PAIRS
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_chains", [None, 4])
def test_gradient_is_the_difference_of_the_phases(pair, dtype, n_chains):
    """Fewer rows than the buffers hold, weights, and nothing random."""
    n, rng = 3, np.random.RandomState(0)
    m = n_chains or n
    energy = Enumeration(*pair, sizes=(4, 2)).energy(dtype)
    phases = make_phases(energy, 5, n_chains=n_chains)
    phases.visible[:] = rng.uniform(size=phases.visible.shape)
    phases.hidden[:] = rng.uniform(size=phases.hidden.shape)
    weights, excess = rng.uniform(1, 2, 5), np.array([0.1, -0.3], dtype)
    total = phases.load_weights(weights, np.arange(n))
    (v0, v1), (h0, h1) = (
        (side[:n].astype(float), side[n : n + m].astype(float))
        for side in (phases.visible, phases.hidden)
    )
    w0 = weights[:n, None]
    w1 = w0 if n_chains is None else total / n_chains
    expected = [
        (w1 * h1).T @ v1 - (w0 * (h0 - excess)).T @ v0,
        (w1 * v1).sum(axis=0) - (w0 * v0).sum(axis=0),
        (w1 * h1).sum(axis=0) - (w0 * (h0 - excess)).sum(axis=0),
    ]
    there_and_back = energy.visible_mean(h0[:1].astype(dtype)).astype(float)
    gradients, error = collect(phases, energy, n, total / m, excess)
    for found, value in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-5)
    if n_chains is None:
        square = (w0 * (v1 - v0) ** 2).sum()
    else:  # from one row of three
        square = total * ((there_and_back - v0[:1]) ** 2).sum()
    np.testing.assert_allclose(error, square, rtol=1e-5)
    assert isinstance(error, float)


@PAIRS
@pytest.mark.parametrize("sampler", [CD(), CD(2), PCD(), ParallelTempering(3)], ids=str)
def test_sparse_rows_have_the_gradient_of_dense_ones(pair, sampler):
    model = Enumeration(*pair)
    data = some_rows(pair[0], 7, len(model.visible_bias))
    data[:, 1] = 0
    energy, rows = model.energy(), np.array([6, 0, 0, 3])
    n_chains = sampler.count_chains(3)
    for container in (sparse.csr_matrix, sparse.csr_array):
        found, expected = (
            run_chains(
                make_phases(energy, 5, sparse=sparse.issparse(X), n_chains=n_chains),
                energy,
                sampler,
                X,
                rows,
            )
            for X in (container(data), data)
        )
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-10)
        for part, other in zip(found[0], expected[0], strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-10, atol=1e-10)


# -- persistent chains --------------------------------------------------------------------
@SOME_PAIRS
@pytest.mark.parametrize("sampler", [PCD(), PCD(2), ParallelTempering(4)], ids=str)
def test_persistent_chains_reach_the_distribution_of_the_model(pair, sampler):
    """The parameters stand still: chains that go on are samples of the model."""
    model = Enumeration(*pair)
    energy, n = model.energy(), 4000
    phases = make_phases(energy, n, n_chains=n)
    V = some_rows(pair[0], 3, len(model.visible_bias))
    rows = np.arange(n) % 3
    for _ in range(15):
        run_chains(phases, energy, sampler, V, rows)
    visible = phases.visible[n:]
    p = model.joint.sum(axis=1)
    assert z_scores(visible, p @ model.V).max() < Z
    assert z_scores(visible**2, p @ model.V**2).max() < Z
    products = phases.hidden[n:, :, None] * visible[:, None, :]
    expected = model.H.T @ model.joint.T @ model.V
    assert z_scores(products, expected).max() < Z


def test_tempered_chains_have_the_distributions_of_their_temperatures():
    model = Enumeration(*BERNOULLI, scale=1.5)
    energy, n = model.energy(), 4000
    energy.visible_bias = np.array([0.3, -1.0, 0.6])  # what chains start from
    phases = make_phases(energy, n, n_chains=n)
    sampler, rows = ParallelTempering(3), np.arange(n) % 8
    run_chains(phases, energy, sampler, model.V, rows)
    base, energy.visible_bias = energy.visible_bias, model.visible_bias
    for _ in range(20):
        run_chains(phases, energy, sampler, model.V, rows)
    for t, beta in enumerate([0, 0.5, 1]):
        drive = beta * (model.V @ model.weights.T + model.hidden_bias)
        log_p = model.V @ ((1 - beta) * base + beta * model.visible_bias)
        log_p += np.logaddexp(0, drive).sum(axis=1)
        p = np.exp(log_p - np.logaddexp.reduce(log_p))
        visible = np.concatenate(
            [memory["visible"][t] for memory in phases.memories if memory]
        )
        assert chi_square(visible, p, model.V) > 1e-3


def test_swap_rates():
    """Accepted swaps are as frequent as the enumerated distributions say."""
    model = Enumeration(*BERNOULLI, scale=2.0)
    energy, n = model.energy(), 4000
    phases = make_phases(energy, n, n_chains=n)
    sampler, rows = ParallelTempering(2), np.arange(n) % 8
    for _ in range(20):
        run_chains(phases, energy, sampler, model.V, rows)
    before = [memory["n_accepted"].copy() for memory in phases.memories if memory]
    run_chains(phases, energy, sampler, model.V, rows)
    memories = [memory for memory in phases.memories if memory]
    found = sum(m["n_accepted"] - b for m, b in zip(memories, before, strict=True)) / n
    # Base: independent units; its bias is the model's visible bias.
    tilt = (model.H @ (model.V @ model.weights.T + model.hidden_bias).T).ravel()
    low = np.outer(
        np.full(len(model.H), 1 / len(model.H)), np.exp(model.V @ energy.visible_bias)
    )
    low = low.ravel() / low.sum()
    high = model.joint.T.ravel()
    rate = np.minimum(1, np.exp(tilt[:, None] - tilt[None, :]))  # low goes up, high down
    expected = low @ rate @ high
    assert abs(found[0] - expected) < Z * np.sqrt(expected * (1 - expected) / n)
    rates = sampler.attributes(memories)["swap_rates_"]
    assert rates.shape == (1,)
    np.testing.assert_allclose(rates, expected, atol=0.05)


def test_fast_weights():
    """Against the update of Tieleman & Hinton (2009), written out."""
    sampler, rng = FastPCD(fast_learning_rate=0.3, decay=0.9), np.random.RandomState(0)
    theta, gradient = rng.normal(size=(2, 7))
    followers = sampler.init_followers(theta)
    fast = np.zeros(7)
    np.testing.assert_array_equal(followers["theta"], theta)
    for where in (slice(0, 5), slice(2, 7), slice(0, 7)):
        sampler.follow(theta, gradient, followers, where, 0.25)
        fast[where] = 0.9 * fast[where] - 0.3 * 0.25 * gradient[where]
        np.testing.assert_allclose(followers["fast"], fast)
        np.testing.assert_allclose(followers["theta"][where], (theta + fast)[where])


def test_fast_weights_drive_the_chains():
    problem = make_problem(FastPCD(fast_learning_rate=1.0), rate=1e-9)
    for _ in range(3):
        problem.step(np.arange(4), 0.0)
    followed = problem.followed.weights
    assert np.shares_memory(followed, problem.state["followers"]["theta"])
    assert np.abs(followed - problem.energy.weights).max() > 0.01
    driving = []
    problem.sampler.negative = lambda energy, part: driving.append(energy.weights)
    problem.step(np.arange(4), 0.0)
    assert all(weights is followed for weights in driving)
    problem.restore(np.zeros_like(problem.theta))
    assert not problem.followed.weights.any()
    assert not any(problem.phases.memories)


# -- the step -----------------------------------------------------------------------------
def make_problem(
    sampler, *, rate=0.3, penalty=None, weights=None, pair=BERNOULLI, n_rows=7, **options
):
    model = Enumeration(*pair)
    data = some_rows(pair[0], n_rows, len(model.visible_bias))
    return EnergyProblem(
        data,
        model.energy(),
        sampler,
        visible_mean=data.mean(axis=0),
        sample_weight=weights,
        learning_rate=as_schedule(rate),
        momentum=as_schedule(0.6),
        penalty=penalty or Penalty(),
        **{"center": False, "average": None, **options},
        batch_size=4,
        max_iter=1,
        random_state=check_random_state(3),
    )


class Twin:
    """A step as the papers write it, in NumPy, from the same chains."""

    def __init__(self, problem, penalty, rate=0.3, momentum=0.6):
        energy = problem.energy
        self.parameters = [getattr(energy, part).copy() for part in PARTS]
        self.velocity = [np.zeros_like(parameter) for parameter in self.parameters]
        self.penalty, self.rate, self.momentum = penalty, rate, momentum
        self.visible_mean = problem.data.mean(axis=0)
        c = energy.hidden_bias
        self.hidden_mean = (
            1 / (1 + np.exp(-c)) if problem.pair[1] == "bernoulli" else c.copy()
        )

    def step(self, v0, h0, v1, h1, w0, w1, center):
        """The parameters after a step for given phases and weights."""
        W, penalty, total = self.parameters[0], self.penalty, w0.sum()
        excess = 0
        if penalty.sparsity is not None:
            excess = penalty.excess(self.hidden_mean)
        batch_mean = w0 @ h0 / total
        self.visible_mean += 0.01 * (w0 @ v0 / total - self.visible_mean)
        self.hidden_mean += 0.01 * (batch_mean - self.hidden_mean)
        mu, lam = self.visible_mean * center, self.hidden_mean * center
        h0 = h0 - excess
        gW = ((h1 - lam).T * w1) @ (v1 - mu) - ((h0 - lam).T * w0) @ (v0 - mu)
        gb = w1 @ v1 - w0 @ v0 - gW.T @ lam
        gc = w1 @ h1 - w0 @ h0 - gW @ mu
        if not center:
            gb, gc = w1 @ v1 - w0 @ v0, w1 @ h1 - w0 @ h0
        gradients = [g / total for g in (gW, gb, gc)]
        if penalty.clip_norm is not None:
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            gradients = [g * min(1.0, penalty.clip_norm / norm) for g in gradients]
        gradients[0] += penalty.l2 * W
        rate = self.rate
        for i, g in enumerate(gradients):
            self.velocity[i] = self.momentum * self.velocity[i] - rate * g
            self.parameters[i] = self.parameters[i] + self.velocity[i]
        W = self.parameters[0]
        W = np.sign(W) * np.maximum(np.abs(W) - rate * penalty.l1, 0)
        if penalty.max_norm is not None:
            norms = np.linalg.norm(W, axis=1, keepdims=True)
            W = W * np.minimum(1, penalty.max_norm / norms)
        self.parameters[0] = W


PENALTIES = {
    "none": Penalty(),
    "l2": Penalty(l2=0.05),
    "l1": Penalty(l1=0.2),
    "max_norm": Penalty(max_norm=0.5),
    "clip_norm": Penalty(clip_norm=0.1, l2=0.05, l1=0.02),
    "sparsity": Penalty(sparsity=Sparsity(0.1, 0.7)),
}


@pytest.mark.parametrize("pair", [BERNOULLI, ("gaussian", "bernoulli")], ids="-".join)
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("sampler", [CD(), PCD(), PCD(n_chains=3)], ids=str)
@pytest.mark.parametrize("name", PENALTIES)
def test_step(name, sampler, weighted, center, pair):
    """Two steps, one of a short batch, with states taken from the problem's own chains."""
    penalty = PENALTIES[name]
    weights = np.array([1.0, 0.5, 2, 0.1, 1, 3, 0.25]) if weighted else None
    problem = make_problem(
        sampler, penalty=penalty, weights=weights, pair=pair, center=center
    )
    problem.pair = pair
    twin = Twin(problem, penalty)
    for rows in (np.array([6, 0, 2, 1]), np.array([4, 5, 3])):
        n = len(rows)
        energy = problem.energy.with_parameters(
            [a.copy() for a in problem.energy.parameters]
        )
        v0 = problem.data[rows]
        h0 = energy.hidden_mean(v0)
        problem.step(rows, 0.0)
        m = problem.phases.n_chains or n
        w0 = np.ones(n) if weights is None else weights[rows]
        w1 = w0 if problem.phases.n_chains is None else np.full(m, w0.sum() / m)
        v1 = problem.phases.visible[n : n + m]
        twin.step(v0, h0, v1, energy.hidden_mean(v1), w0, w1, center)
        for part, expected in zip(PARTS, twin.parameters, strict=True):
            found = getattr(problem.energy, part)
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10, err_msg=part)


def centred(h1, h0, v1, v0, W, b, c, rate=0.3):
    """A step by the library's centring of the sums of both phases."""
    gW, gb, gc = h1.T @ v1 - h0.T @ v0, (v1 - v0).sum(axis=0), (h1 - h0).sum(axis=0)
    back = np.zeros_like(gb)
    _center(gW, gc, gb, v0.mean(axis=0), h0.mean(axis=0), back)
    return W - rate * gW, b - rate * (gb - back), c - rate * gc


def test_centred_gradient_does_not_depend_on_what_is_called_a_one():
    """Flipping bits of the exact statistics flips the step (Melchior et al. 2016)."""
    rng = np.random.RandomState(0)
    h1, h0 = rng.uniform(size=(2, 6, 3))
    v1, v0 = rng.uniform(size=(2, 6, 4))
    flip_v, flip_h = np.array([1, 0, 1, 0]), np.array([0, 1, 1])

    def flip(W, b, c):
        """The parameters of the same distribution of flipped states."""
        sign = np.outer(1 - 2 * flip_h, 1 - 2 * flip_v)
        b, c = b + flip_h @ W, c + W @ flip_v
        return sign * W, (1 - 2 * flip_v) * b, (1 - 2 * flip_h) * c

    start = rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=3)
    there = flip(*centred(h1, h0, v1, v0, *start))
    flipped = [np.abs(h - flip_h) for h in (h1, h0)] + [
        np.abs(v - flip_v) for v in (v1, v0)
    ]
    other = centred(*flipped, *flip(*start))
    for found, expected in zip(other, there, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_average_of_parameters():
    problem = make_problem(CD(), average=1.0)  # 7 rows in batches of 4: 1.75 steps
    history, expected = [], problem.theta.copy()
    for k in range(6):
        problem.step(np.arange(4), 0.0)
        history.append(problem.theta.copy())
        expected += (history[-1] - expected) / min(k + 1, 1.75)
        np.testing.assert_allclose(problem.solution, expected)
    assert np.abs(problem.solution - problem.theta).max() > 1e-3


@pytest.mark.parametrize("sampler", [CD(), CD(2), PCD(n_chains=1)], ids=str)
def test_rows_without_weight_count_for_nothing(sampler):
    """Chains of their own start at the first row, which has a weight."""
    rng = np.random.RandomState(0)
    X, weights = rng.uniform(size=(60, 5)), np.tile([1.0, 0.0, 2.0], 20)
    other = X.copy()
    other[1::3] = rng.uniform(size=(20, 5))
    options = {"batch_size": 60, "max_iter": 3, "random_state": 0, "shuffle": False}
    fits = [
        RBM(3, sampler=sampler, **options).fit(rows, sample_weight=weights)
        for rows in (X, other)
    ]
    np.testing.assert_array_equal(fits[0].components_, fits[1].components_)
    unweighted = RBM(3, sampler=sampler, **options).fit(X)
    biases = [rbm.intercept_visible_ for rbm in (fits[0], unweighted)]
    assert np.abs(biases[0] - biases[1]).max() > 1e-2


def test_weights_are_relative():
    X = np.random.RandomState(0).uniform(size=(60, 5))
    weights = np.random.RandomState(1).uniform(1, 2, 60)
    fits = [
        RBM(3, max_iter=3, random_state=0, dtype="float64").fit(X, sample_weight=w)
        for w in (weights, 8 * weights)
    ]
    np.testing.assert_allclose(fits[0].components_, fits[1].components_, rtol=1e-9)


def test_weighted_rows_shift_the_model():
    X = np.repeat([[1.0, 0.0], [0.0, 1.0]], 50, axis=0)
    weights = np.repeat([9.0, 1.0], 50)
    rbm = RBM(2, max_iter=30, random_state=0).fit(X, sample_weight=weights)
    np.testing.assert_allclose(rbm._visible_mean_, [0.9, 0.1], atol=0.03)
    drawn = rbm.sample(2000, n_steps=20).mean(axis=0)
    np.testing.assert_allclose(drawn, [0.9, 0.1], atol=0.06)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_samples", [101, 150])
def test_a_short_last_batch_counts_by_its_size(sampler, n_samples):
    """BernoulliRBM divides the last batch by ``batch_size`` and learns a mean of .058."""
    X = np.random.RandomState(0).uniform(size=(n_samples, 6)) < 0.5
    rbm = RBM(2, sampler=sampler, batch_size=100, max_iter=100, random_state=0, alpha=0)
    mean = rbm.fit(X.astype(float)).sample(2000, n_steps=50).mean()
    assert 0.35 < mean < 0.65


# -- units that learn more, or count rows otherwise ---------------------------------------
def test_hidden_biases_of_counts_are_multiplied_by_the_total():
    """The derivative of ``N c h``, for rows of different totals and chains of others."""
    rng = np.random.RandomState(0)
    data = rng.randint(0, 4, (9, 3)).astype(float)
    energy = Enumeration("multinomial", "bernoulli").energy()
    for sampler in (CD(), PCD(n_chains=5)):
        problem = EnergyProblem(
            data,
            energy,
            sampler,
            visible_mean=data.mean(axis=0),
            sample_weight=None,
            learning_rate=as_schedule(1.0),
            momentum=as_schedule(0.0),
            penalty=Penalty(sparsity=Sparsity(0.1, cost=0.0)),
            center=False,
            average=None,
            batch_size=9,
            max_iter=1,
            random_state=check_random_state(3),
        )
        problem.step(np.arange(9), 0.0)
        m = problem.phases.n_chains or 9
        v1 = problem.phases.visible[9:]
        if sampler.count_chains(9):  # the last states, of the chains' own totals
            np.testing.assert_array_equal(v1, np.rint(v1))
        h0, h1 = energy.hidden_mean(data), energy.hidden_mean(v1)
        expected = data.sum(axis=1) @ h0 / 9 - v1.sum(axis=1) @ h1 / m
        found = problem.energy.hidden_bias - energy.hidden_bias
        np.testing.assert_allclose(found, expected, rtol=1e-10)
        mean = data.sum(axis=1) @ h0 / data.sum()
        start = 1 / (1 + np.exp(-energy.hidden_bias))
        moved = start + 0.01 * (mean - start)
        np.testing.assert_allclose(problem.state["hidden_mean"], moved, rtol=1e-10)


def topics(n_documents, rng):
    """Documents of one topic of four each, with their log-likelihood in nats."""
    words = np.random.RandomState(0).dirichlet(np.full(30, 0.2), 4) * 0.9 + 0.1 / 30
    lengths, topic = rng.randint(10, 40, n_documents), rng.randint(4, size=n_documents)
    X = np.array(
        [rng.multinomial(n, words[k]) for n, k in zip(lengths, topic, strict=True)]
    )
    return X.astype(float), np.logaddexp.reduce(X @ np.log(words).T, axis=1) - np.log(4)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
def test_counts_of_words_are_modelled_better_than_one_by_one(container):
    """Perplexity of held-out documents, against the truth and the unigram model."""
    rng = np.random.RandomState(1)
    (X, _), (X_test, truth) = topics(1000, rng), topics(300, rng)
    rbm = RBM(8, visible="multinomial", max_iter=40, random_state=0).fit(container(X))
    frequencies = (X.sum(axis=0) + 1) / (X.sum() + X.shape[1])
    log_likelihoods = {
        "unigram": X_test @ np.log(frequencies),
        "rbm": log_likelihood(rbm, container(X_test)),
        "truth": truth,
    }
    n_words = X_test.sum()
    perplexity = {k: np.exp(-v.sum() / n_words) for k, v in log_likelihoods.items()}
    assert perplexity["truth"] < perplexity["rbm"] < 0.7 * perplexity["unigram"]


def test_learned_variances():
    """Columns of different scales and noise: what a factor does not explain is found."""
    rng = np.random.RandomState(0)
    factor = rng.randint(0, 2, (2000, 1)) * 2.0 - 1
    noise, loading = np.array([0.5, 1.0, 0.3]), np.array([2.0, 0.0, 1.0])
    X = factor * loading + rng.normal(size=(2000, 3)) * noise
    rbm = RBM(2, visible=Gaussian("learned"), learning_rate=0.02, max_iter=100, alpha=0)
    for sampler in ("pcd", "cd"):
        rbm.set_params(sampler=sampler, random_state=0).fit(X)
        np.testing.assert_allclose(np.sqrt(rbm.variance_visible_), noise, rtol=0.15)
    of_each = [stats.norm(sign * loading, noise).logpdf(X).sum(axis=1) for sign in (1, -1)]
    truth = np.logaddexp(*of_each) - np.log(2)
    assert log_likelihood(rbm, X).mean() > truth.mean() - 0.1
    again = RBM(2, visible="gaussian", max_iter=1).fit(X)
    assert again.variance_visible_ is None


def test_learned_variances_stay_away_from_zero():
    """A column that is a copy of the other has none of its own."""
    x = np.random.RandomState(0).normal(size=(300, 1))
    constant = np.zeros((300, 1))
    X = np.hstack([x, x, constant])
    rbm = RBM(30, visible=Gaussian("learned"), learning_rate=0.1, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rbm.set_params(back_off=True, random_state=0).fit(X)
    assert (rbm.variance_visible_ > 1e-5).all()
    assert np.isfinite(rbm.transform(X)).all()


# -- going on and stopping ---------------------------------------------------------------
def bits(n_samples=200, n_features=12, seed=0):
    rng = np.random.RandomState(seed)
    return (rng.uniform(size=(n_samples, n_features)) < rng.uniform(size=n_features)) * 1.0


@pytest.mark.parametrize("sampler", [PCD(), FastPCD(), ParallelTempering(3)], ids=str)
def test_chains_go_on_from_call_to_call(sampler):
    X = bits()
    rbm = RBM(4, sampler=sampler, batch_size=50, random_state=0, average=1.0).partial_fit(X)
    state = rbm._training_state_
    chains = [memory["hidden"].copy() for memory in state["memories"] if memory]
    assert chains
    problem = rbm._problem(X, None)
    np.testing.assert_array_equal(problem.theta, state["theta"])
    assert np.abs(problem.theta - problem.solution).max() > 1e-4  # averages are the answer
    for memory, before in zip(problem.phases.memories, chains, strict=False):
        np.testing.assert_array_equal(memory["hidden"], before)
    problem.step(np.arange(50), 1.0)
    for memory, before in zip(state["memories"], chains, strict=False):
        np.testing.assert_array_equal(memory["hidden"], before)  # ours are a copy
    rbm.partial_fit(X)
    assert rbm.n_iter_ == 2
    assert rbm.fit(X)._training_state_ is None


def test_another_number_of_chains_begins_anew():
    X = bits()
    rbm = RBM(4, sampler=PCD(), batch_size=50, random_state=0).partial_fit(X)
    rbm.set_params(sampler=PCD(n_chains=20)).partial_fit(X)
    chains = [memory["hidden"] for memory in rbm._training_state_["memories"] if memory]
    assert sum(map(len, chains)) == 20


def test_swap_rates_are_an_attribute():
    rbm = RBM(4, sampler=ParallelTempering(5), max_iter=2, random_state=0).fit(bits())
    assert rbm.swap_rates_.shape == (4,)
    assert ((rbm.swap_rates_ > 0) & (rbm.swap_rates_ <= 1)).all()
    assert rbm.set_params(sampler="cd").fit(bits()).swap_rates_ is None


@pytest.mark.parametrize("rule", ["pseudo_likelihood", True, "free_energy_gap"])
def test_early_stopping(rule):
    X = bits(60, 30)
    params = {"early_stopping": rule, "learning_rate": 0.5, "alpha": 0, "random_state": 0}
    rbm = RBM(40, max_iter=300, n_iter_no_change=4, tol=0.05, **params).fit(X)
    scores = rbm.validation_scores_
    assert len(scores) == rbm.n_iter_ < 300
    assert len(rbm.reconstruction_errors_) == rbm.n_iter_
    # What was borne last: the fit of exactly so many epochs has the same parameters.
    if rule == "free_energy_gap":
        best = np.maximum.accumulate(scores)
        n_kept = np.flatnonzero(scores >= best - 0.05)[-1] + 1
        assert scores[-1] < scores[0]
    else:
        n_kept = np.argmax(scores) + 1
    assert n_kept < rbm.n_iter_
    short = RBM(40, max_iter=n_kept, n_iter_no_change=4, tol=0.05, **params).fit(X)
    np.testing.assert_array_equal(rbm.components_, short.components_)


def test_the_gap_is_that_of_rows_not_trained_on():
    X = bits(60, 30)
    rbm = RBM(
        40, max_iter=60, early_stopping="free_energy_gap", tol=1e9, random_state=0, alpha=0
    ).fit(X)
    assert rbm.validation_scores_[-1] < -1  # held-out rows have more free energy
    assert RBM(4, max_iter=2).fit(X).validation_scores_ is None


def test_early_stopping_needs_rows():
    with pytest.raises(
        ValueError, match=r"cannot hold out validation_fraction=0.1 of 1 rows"
    ):
        RBM(3, early_stopping=True).fit(np.ones((1, 4)))


def test_back_off_goes_on_with_a_smaller_rate():
    X = StandardScaler().fit_transform(load_digits().data[:300])
    params = {
        "visible": "gaussian",
        "learning_rate": 30.0,
        "max_iter": 8,
        "random_state": 0,
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rbm = RBM(20, back_off=True, **params).fit(X)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert (
        "goes on from the last finite parameters with learning_rate=3. Use" in messages[0]
    )
    assert rbm.n_iter_ == 8
    assert rbm.reconstruction_errors_[-1] < 2
    with pytest.warns(ConvergenceWarning, match=r"was stopped .* below 30, such as 3, "):
        stopped = RBM(20, **params).fit(X)
    assert stopped.n_iter_ < 8
    assert np.isfinite(stopped.components_).all()


def test_back_off_ends(monkeypatch):
    """Where no rate helps, the last finite parameters are kept."""
    monkeypatch.setattr(EnergyProblem, "step", lambda problem, rows, t: np.nan)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rbm = RBM(2, learning_rate=0.2, back_off=True, random_state=0).fit(bits())
    messages = [str(w.message) for w in caught]
    assert ["goes on" in message for message in messages] == [True] * 5 + [False]
    assert "below 2e-06, such as 2e-07" in messages[-1]
    start = np.random.RandomState(0).normal(0, 0.01, (2, 12)).astype(np.float32)
    np.testing.assert_array_equal(rbm.components_, start)


@pytest.mark.parametrize("sampler", [PCD(), FastPCD(), ParallelTempering(2)], ids=str)
def test_chains_stay_in_their_parts_when_the_batch_is_short(sampler):
    """Enough work for several parts in a full batch, and not in the last one."""
    X = bits(110, 400)
    rbm = RBM(200, sampler=sampler, batch_size=100, max_iter=2, random_state=0).fit(X)
    assert np.isfinite(rbm.components_).all()
    rbm = clone(rbm).partial_fit(X).partial_fit(X[:10])
    memories = [memory for memory in rbm._training_state_["memories"] if memory]
    assert len(memories) == 2
    n_chains = sum(memory["hidden"].shape[-2] for memory in memories)
    assert n_chains == 100  # of the first call, whatever came then


def test_a_factor_of_the_rate_goes_on_from_call_to_call():
    X = StandardScaler().fit_transform(load_digits().data[:300])
    rbm = RBM(20, visible="gaussian", learning_rate=30.0, back_off=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        rbm.partial_fit(X)
    factor = rbm._training_state_["rate_factor"]
    assert factor < 1
    rbm.set_params(learning_rate=1e-9).partial_fit(X)
    assert rbm._training_state_["rate_factor"] == factor


def test_weights_of_binary_units_explode_too():
    with pytest.warns(ConvergenceWarning, match="training diverged"):
        rbm = RBM(20, learning_rate=1e4, alpha=0, random_state=0).fit(bits())
    assert np.abs(rbm.components_).max() < 1000


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer, load_digits])
def test_defaults_on_standardised_tables(load):
    """Of 20 seeds none diverges, and a bad rate ends in a warning and finite weights."""
    X = StandardScaler().fit_transform(load().data[:500])
    for seed in range(20):
        rbm = RBM(visible="gaussian", random_state=seed).fit(X)
        assert rbm.reconstruction_errors_[-1] < rbm.reconstruction_errors_[0]
    with pytest.warns(ConvergenceWarning, match="Use a learning_rate below 1, such as 0.1"):
        rbm = RBM(visible="gaussian", learning_rate=1.0, random_state=0).fit(X)
    assert np.isfinite(rbm.components_).all()


def test_averages_of_learned_variances():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 1)) @ [[1.0, -2.0, 1.5]] + 0.3 * rng.normal(size=(300, 3))
    rbm = RBM(3, visible=Gaussian("learned"), max_iter=60, random_state=0, alpha=0)
    last, mean = (rbm.set_params(average=a).fit(X).variance_visible_ for a in (None, 2))
    np.testing.assert_allclose(mean, last, rtol=0.1)
    assert (mean < 0.8 * X.var(axis=0)).all()


def test_variances_change_without_the_scaled_parameters():
    energy = Enumeration("gaussian", "bernoulli").energy()
    energy.visible = Gaussian("learned").bind(np.log([0.5, 2.0]))
    data = some_rows("gaussian", 7, 2)
    problem = EnergyProblem(
        data,
        energy,
        FastPCD(),
        visible_mean=data.mean(axis=0),
        sample_weight=None,
        learning_rate=as_schedule(0.1),
        momentum=as_schedule(0.0),
        penalty=Penalty(),
        center=False,
        average=3.0,
        batch_size=4,
        max_iter=1,
        random_state=check_random_state(3),
    )
    problem.gradients[3][:] = [0.3, -0.2]
    before = [array.copy() for array in problem.energy.parameters]
    problem._learn_own(0.1)
    W, b, _, own = problem.energy.parameters
    np.testing.assert_allclose(own, before[3] + [0.03, -0.02])
    for found, expected in ((W, before[0]), (b, before[1])):
        np.testing.assert_allclose(
            found * np.exp(own / 2), expected * np.exp(before[3] / 2), rtol=1e-12
        )
    for _ in range(5):
        problem.step(np.arange(4), 0.0)
    followed = problem.followed.parameters[3]
    np.testing.assert_allclose(followed, problem.energy.parameters[3], rtol=1e-12)
    average = problem.model(problem.solution).parameters[3]
    assert np.abs(average - before[3]).max() > 1e-3


def test_fitted_units_are_copies():
    X = StandardScaler().fit_transform(load_digits().data[:100])
    rbm = RBM(3, visible=Gaussian(1.0), max_iter=1, random_state=0, warm_start=True).fit(X)
    before = rbm.free_energy(X)
    rbm.set_params(visible__variance=4.0)
    np.testing.assert_array_equal(rbm.free_energy(X), before)
    with pytest.raises(ValueError, match="cannot go on with"):
        rbm.fit(X)


def test_averages_may_begin_and_end_between_calls():
    X = bits()
    rbm = RBM(4, random_state=0).partial_fit(X)
    rbm.set_params(average=2.0).partial_fit(X)
    assert "average" in rbm._training_state_
    rbm.set_params(average=None).partial_fit(X)
    assert "average" not in rbm._training_state_


def test_held_out_rows_have_weights():
    """Rows of no weight decide nothing."""
    X = bits(300, 10)
    params = {"early_stopping": True, "max_iter": 60, "random_state": 0, "tol": 0.01}
    weights = np.repeat([1.0, 0.0], 300)
    both = RBM(5, **params).fit(np.vstack([X, 1 - X]), sample_weight=weights)
    alone = RBM(5, **params).fit(X, sample_weight=np.ones(300))
    np.testing.assert_allclose(both.validation_scores_, alone.validation_scores_, rtol=1e-5)
