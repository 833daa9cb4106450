"""Draws of RBMs and stacks, and missing values, against sums over all states."""

import copy
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd
import pytest
from _oracles import DTYPES, KINDS, Enumeration
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import softmax
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from test_energy import Z, chi_square, some_rows, z_scores
from threadpoolctl import threadpool_limits

from skdbn import RBM, StackedRBM
from skdbn.units import Bernoulli, Multinomial, Softmax

NAMES = ("bernoulli", "gaussian")
PAIRS = pytest.mark.parametrize("pair", list(product(NAMES, NAMES)), ids="-".join)
VISIBLE = pytest.mark.parametrize("visible", NAMES)
POINTS = {name: KINDS[name].factors(1)[0][0].ravel() for name in NAMES}
NAN = np.nan


def with_parameters(rbm, model):
    """Give a fitted RBM the parameters of an enumerated one."""
    rbm.components_ = model.weights.astype(rbm.dtype)
    rbm.intercept_visible_ = model.visible_bias.astype(rbm.dtype)
    rbm.intercept_hidden_ = model.hidden_bias.astype(rbm.dtype)
    return rbm


def rbm_of(model, seed=0):
    """A fitted RBM that is an enumerated one."""
    m, n = model.weights.shape
    visible, hidden = model.names
    rbm = RBM(m, visible=visible, hidden=hidden, max_iter=1, random_state=seed)
    return with_parameters(rbm.fit(some_rows(visible, 10, n)), model)


def stack_of(models, seed=0):
    """A fitted stack whose RBMs are enumerated ones."""
    prototypes = [
        RBM(visible=model.names[0], hidden=model.names[1], max_iter=1) for model in models
    ]
    sizes = [len(model.hidden_bias) for model in models]
    X = some_rows(models[0].names[0], 10, len(models[0].visible_bias))
    stack = StackedRBM(sizes, rbm=prototypes, random_state=seed).fit(X)
    for rbm, model in zip(stack.rbms_, models, strict=True):
        with_parameters(rbm, model)
    return stack


def fitted_again(estimator, method, *args, limit=1, **params):
    """What a method returns on a copy, so that the seed is as it was."""
    with threadpool_limits(limit, user_api="blas"):
        return getattr(copy.deepcopy(estimator), method)(*args, **params)


def fillings(model, row):
    """All fillings of a row with missing values, and their probabilities."""
    free = np.flatnonzero(np.isnan(row))
    points = list(product(POINTS[model.names[0]], repeat=len(free)))
    states = np.tile(row, (len(points), 1))
    states[:, free] = points
    return states, softmax(-model.free_energy(states))


def three_columns(visible, hidden):
    """An RBM small enough for all states of three columns of any kind."""
    sizes = (3, 1 if hidden == "gaussian" else 2)
    return Enumeration(visible, hidden, sizes=sizes, scale=1.0)


def incomplete_rows(visible, n_columns):
    """Rows with one, several, all and no values missing."""
    rows = some_rows(visible, 5, n_columns)
    for row, free in zip(rows, ([0], [1, 2], [0, 1, 2], [2], []), strict=True):
        row[free] = NAN
    return rows


# -- missing values -----------------------------------------------------------------------
@PAIRS
def test_imputed_values_are_conditional_means(pair):
    model = three_columns(*pair)
    rows, n_copies = incomplete_rows(pair[0], 3), 1500
    X = np.tile(rows, (n_copies, 1))
    found = rbm_of(model).impute(X, n_steps=40, n_draws=3)
    for i, row in enumerate(rows):
        copies, free = found[i :: len(rows)], np.isnan(row)
        np.testing.assert_array_equal(
            copies[:, ~free], np.tile(row, (n_copies, 1))[:, ~free]
        )
        if free.any():
            states, p = fillings(model, row)
            assert z_scores(copies[:, free], p @ states[:, free]).max() < Z, row
            np.testing.assert_allclose(
                copies[:, free].mean(axis=0), p @ states[:, free], atol=0.1
            )


def test_more_draws_come_nearer():
    model = Enumeration("bernoulli", "bernoulli")
    rbm, row = rbm_of(model), np.array([NAN, NAN, 0.0])
    states, p = fillings(model, row)
    X = np.tile(row, (400, 1))
    errors = [
        np.square(rbm.impute(X, n_steps=20, n_draws=n)[:, 1] - p @ states[:, 1]).mean()
        for n in (1, 100)
    ]
    assert errors[1] < errors[0] / 40


@VISIBLE
def test_average_has_less_noise_than_draws(visible):
    model = Enumeration(visible, "bernoulli")
    rbm, row = rbm_of(model), np.full((500, 2 if visible == "gaussian" else 3), NAN)
    means = rbm.impute(row, n_steps=20, n_draws=1)
    assert np.all(means.var(axis=0) < 0.7 * rbm.sample(500, n_steps=20).var(axis=0))


@PAIRS
def test_draws_given_some_columns_follow_the_conditional(pair):
    model, n = three_columns(*pair), 15_000
    for row in incomplete_rows(pair[0], 3)[:4]:
        states, p = fillings(model, row)
        found = rbm_of(model).sample(n, X_given=row[None], n_steps=30)
        assert found.shape == (n, 3)
        free = np.isnan(row)
        np.testing.assert_array_equal(found[:, ~free], np.tile(row, (n, 1))[:, ~free])
        if pair[0] == "bernoulli":
            bits, drawn = states[:, free], found[:, free]
            assert chi_square(drawn, p, bits) > 1e-4
        for i, j in product(np.flatnonzero(free), repeat=2):
            expected = p @ (states[:, i] * states[:, j])
            assert z_scores(found[:, i] * found[:, j], expected) < Z
        assert z_scores(found[:, free], p @ states[:, free]).max() < Z


def test_imputation_leaves_its_input_and_complete_rows_alone():
    rbm = rbm_of(Enumeration("gaussian", "bernoulli", sizes=(3, 2)))
    X = some_rows("gaussian", 300, 3)
    X[100:, 1] = NAN  # more rows than run together
    before = X.copy()
    found = rbm.impute(X, n_steps=1, n_draws=1)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(X, found)
    np.testing.assert_array_equal(found[:100], X[:100])
    np.testing.assert_array_equal(found[100:, [0, 2]], X[100:, [0, 2]])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(rbm.impute(X[:100]), X[:100])


def test_input_of_imputation():
    rbm = rbm_of(Enumeration("bernoulli", "bernoulli"))
    X = np.array([[1.0, NAN, 0.25], [NAN, NAN, 1.0]])
    expected = fitted_again(rbm, "impute", X)
    as_list = [[1, None, 0.25], [None, None, 1]]
    for same in (X.tolist(), np.asfortranarray(X), np.array(as_list, object)):
        np.testing.assert_array_equal(fitted_again(rbm, "impute", same), expected)
    for dtype in DTYPES:
        found = fitted_again(rbm, "impute", X.astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, atol=1e-5)
    complete = fitted_again(rbm, "impute", np.eye(3, dtype=np.uint8))
    assert complete.dtype == np.float32
    np.testing.assert_array_equal(complete, np.eye(3))
    one = fitted_again(rbm, "impute", X[:1])
    assert one.shape == (1, 3)
    assert 0 < one[0, 1] < 1


def test_columns_with_names():
    X = pd.DataFrame(some_rows("bernoulli", 20, 3), columns=["a", "b", "c"])
    rbm = RBM(2, max_iter=1, random_state=0).fit(X)
    X.loc[3, "b"] = NAN
    nullable = X.round().astype("Int64")
    for frame in (X, nullable):
        found = rbm.impute(frame)
        assert found.shape == (20, 3)
        assert np.isfinite(found).all()
    assert rbm.sample(4, X_given=X.iloc[[3]]).shape == (4, 3)
    in_pipeline = make_pipeline(FunctionTransformer(rbm.impute), StandardScaler())
    np.testing.assert_allclose(in_pipeline.fit_transform(X).mean(axis=0), 0, atol=1e-6)
    with pytest.raises(ValueError, match="feature names should match"):
        rbm.impute(X[["b", "a", "c"]])
    with pytest.raises(ValueError, match="feature names should match"):
        rbm.sample(X_given=X[["b", "a", "c"]])


# -- which rows are kept ------------------------------------------------------------------
@pytest.fixture(scope="module")
def numbered():
    """An RBM of two real columns, the first of which may hold the number of a chain."""
    return rbm_of(Enumeration("gaussian", "bernoulli"))


@settings(max_examples=25, deadline=None)
@given(
    n_samples=st.integers(1, 700),
    n_chains=st.integers(1, 300),
    thin=st.integers(1, 3),
)
def test_rows_of_all_chains_follow_each_other(numbered, n_samples, n_chains, thin):
    n_chains = min(n_samples, n_chains)
    held = np.column_stack([np.arange(n_chains), np.full(n_chains, NAN)])
    found = numbered.sample(
        n_samples, X_given=held, n_chains=n_chains, thin=thin, n_steps=1
    )
    assert found.shape == (n_samples, 2)
    np.testing.assert_array_equal(found[:, 0], np.arange(n_samples) % n_chains)
    assert len(np.unique(found[:, 1])) == n_samples


@pytest.mark.parametrize(
    "start",
    [
        {},
        {"X_init": some_rows("bernoulli", 300, 3)},
        {"X_init": sparse.csr_array(some_rows("bernoulli", 300, 3))},
        {"X_given": [[NAN, 1.0, NAN]]},
        {"X_given": np.tile([[NAN, 1.0, NAN]], (300, 1)), "X_init": np.ones((300, 3))},
    ],
    ids=["nothing", "X_init", "sparse X_init", "X_given", "both"],
)
def test_thinned_rows_are_states_of_the_same_chains(start):
    rbm = rbm_of(Enumeration("bernoulli", "bernoulli"))
    found = fitted_again(rbm, "sample", 1000, n_chains=300, n_steps=4, thin=3, **start)
    for k, rows in enumerate(np.array_split(found[:900], 3)):
        alone = fitted_again(rbm, "sample", n_chains=300, n_steps=4 + 3 * k, **start)
        np.testing.assert_array_equal(rows, alone)
    longer = fitted_again(rbm, "sample", 1200, n_chains=300, n_steps=4, thin=3, **start)
    np.testing.assert_array_equal(found, longer[:1000])


def test_gibbs_is_a_sample_from_a_start():
    rbm = rbm_of(Enumeration("gaussian", "bernoulli"))
    X = some_rows("gaussian", 200, 2)
    expected = fitted_again(rbm, "sample", X_init=X, n_steps=7)
    np.testing.assert_array_equal(fitted_again(rbm, "gibbs", X, 7), expected)


@VISIBLE
def test_few_long_chains_follow_the_model(visible):
    model, n_chains = Enumeration(visible, "bernoulli"), 1000
    p = model.joint.sum(axis=1)
    found = rbm_of(model).sample(20 * n_chains, n_chains=n_chains, n_steps=30, thin=2)
    chains = found.reshape(20, n_chains, -1)
    # Rows of one chain depend on each other, their averages over a chain do not.
    assert z_scores(chains.mean(axis=0), p @ model.V).max() < Z
    assert z_scores((chains**2).mean(axis=0), p @ model.V**2).max() < Z


def test_numbers_of_chains():
    rbm = rbm_of(Enumeration("bernoulli", "bernoulli"))
    X, many = np.ones((1, 3)), np.ones((5, 3))
    for n_rows, params in [
        (1, {}),
        (4, {"n_samples": 4}),
        (4, {"n_chains": 4}),
        (5, {"X_init": many}),
        (5, {"X_given": many}),
        (1, {"X_given": X}),
        (5, {"X_given": X, "X_init": many}),
        (7, {"X_given": X, "n_samples": 7}),
        (12, {"n_samples": 12, "X_init": many, "n_chains": 5}),
        (np.int64(6), {"n_samples": np.int64(6), "n_chains": np.int32(4)}),
    ]:
        assert rbm.sample(n_steps=1, **params).shape == (n_rows, 3), params


# -- stacks -------------------------------------------------------------------------------
def dbn(visible, n_layers=2):
    """The RBMs of a tiny deep belief network, from the bottom."""
    sizes = [(3, 3), (3, 2), (2, 2)][:n_layers]
    below = ["bernoulli"] * n_layers
    below[0] = visible
    return [
        Enumeration(name, "bernoulli", sizes=size, seed=i, scale=1.5)
        for i, (name, size) in enumerate(zip(below, sizes, strict=True))
    ]


def down(models, p):
    """Probabilities of the visible states, from those of the top RBM's visible side."""
    return reduce(lambda p, model: p @ model.visible_given(model.H), models[-2::-1], p)


@pytest.mark.parametrize("n_layers", [1, 2, 3])
@VISIBLE
def test_stack_draws_from_the_deep_belief_network(visible, n_layers):
    models, n = dbn(visible, n_layers), 20_000
    p = down(models, models[-1].joint.sum(axis=1))
    np.testing.assert_allclose(p.sum(), 1)
    found = stack_of(models).sample(n, n_steps=40)
    assert_follows(found, models[0], p)


@VISIBLE
def test_stack_from_a_start(visible):
    """Up by drawing, one step in the top RBM, and down."""
    models, n = dbn(visible, 3), 20_000
    top = models[-1]
    start = some_rows(visible, 1, 3)
    p = reduce(lambda p, model: p @ model.hidden_given(model.V), models[1:-1],
               models[0].hidden_given(start)[0])  # fmt: skip
    p = p @ top.hidden_given(top.V) @ top.visible_given(top.H)
    found = stack_of(models).sample(X_init=np.tile(start, (n, 1)), n_steps=1)
    assert_follows(found, models[0], down(models, p))


def assert_follows(found, model, p):
    """Rows have the probabilities p of the states of the visible units."""
    if model.names[0] == "bernoulli":
        assert chi_square(found, p, model.V) > 1e-4
    found = found.astype(float)
    for i, j in product(range(3), repeat=2):
        expected = p @ (model.V[:, i] * model.V[:, j])
        assert z_scores(found[:, i] * found[:, j], expected) < Z
    assert z_scores(found, p @ model.V).max() < Z


def test_long_chains_of_a_stack():
    models, n_chains = dbn("bernoulli"), 800
    p = down(models, models[-1].joint.sum(axis=1))
    stack = stack_of(models)
    found = stack.sample(15 * n_chains, n_chains=n_chains, n_steps=40, thin=2)
    chains = found.reshape(15, n_chains, -1)
    assert z_scores(chains.mean(axis=0), p @ models[0].V).max() < Z
    # The way down does not change where the chains are: later rows are later states.
    assert not np.array_equal(chains[0], chains[1])
    first = fitted_again(stack_of(models), "sample", n_chains, n_steps=40)
    np.testing.assert_array_equal(chains[0], first)


def test_stack_of_one_rbm_draws_what_that_draws():
    stack = stack_of(dbn("gaussian", 1))
    for params in (
        {},
        {"X_init": some_rows("gaussian", 20, 3)},
        {"n_chains": 5, "thin": 2},
    ):
        n_samples = 20
        expected = fitted_again(stack[0], "sample", n_samples, n_steps=3, **params)
        found = fitted_again(stack, "sample", n_samples, n_steps=3, **params)
        np.testing.assert_array_equal(found, expected)


def test_precision_of_a_stack():
    stack = stack_of(dbn("bernoulli"))
    X = some_rows("bernoulli", 4, 3)
    for dtype in DTYPES:
        assert stack.sample(X_init=X.astype(dtype)).dtype == dtype
        assert stack.sample(X_init=sparse.csr_matrix(X.astype(dtype))).dtype == dtype
    assert stack.sample(X_init=X.astype(np.uint8)).dtype == np.float32
    assert stack.sample().dtype == np.float32
    for rbm in stack.rbms_:
        rbm.dtype = "float64"
    assert stack.sample().dtype == np.float64


# -- both ---------------------------------------------------------------------------------
RBM_3 = rbm_of(Enumeration("bernoulli", "bernoulli"))
STACK_3 = stack_of(dbn("bernoulli"))
MISSING = np.tile(incomplete_rows("bernoulli", 3), (60, 1))
CALLS = {
    "gibbs": (RBM_3, "gibbs", (some_rows("bernoulli", 300, 3), 3), {}),
    "sample": (RBM_3, "sample", (500,), {"n_steps": 3, "n_chains": 300, "thin": 2}),
    "clamped": (RBM_3, "sample", (), {"X_given": MISSING, "n_steps": 3}),
    "impute": (RBM_3, "impute", (MISSING,), {"n_steps": 3, "n_draws": 3}),
    "stack": (STACK_3, "sample", (500,), {"n_steps": 3, "n_chains": 300, "thin": 2}),
    "stack, start": (STACK_3, "sample", (), {"X_init": np.eye(3)[[0, 1, 2] * 90]}),
}


@pytest.mark.parametrize("name", CALLS)
def test_seeds_and_threads(name):
    estimator, method, args, params = CALLS[name]
    found = [fitted_again(estimator, method, *args, limit=n, **params) for n in (1, 4)]
    np.testing.assert_array_equal(*found)
    moving = copy.deepcopy(estimator)
    again = [getattr(moving, method)(*args, **params) for _ in range(2)]
    np.testing.assert_array_equal(again[0], found[0])
    assert not np.array_equal(again[0], again[1])


def test_precision_of_draws():
    for params, dtype in [
        ({}, np.float32),
        ({"X_init": np.eye(3)}, np.float64),
        ({"X_init": np.eye(3, dtype=np.float32)}, np.float32),
        ({"X_init": np.eye(3, dtype=int)}, np.float32),
        ({"X_given": [[0.1, NAN, NAN]]}, np.float64),
        ({"X_given": np.array([[0.1, NAN, NAN]], np.float32)}, np.float32),
        ({"X_given": np.eye(3), "X_init": np.eye(3, dtype=np.float32)}, np.float64),
    ]:
        found = RBM_3.sample(n_steps=1, **params)
        assert found.dtype == dtype, params
        if "X_given" in params:
            given = np.asarray(params["X_given"])
            np.testing.assert_array_equal(
                found[0][~np.isnan(given[0])], given[0][~np.isnan(given[0])]
            )


X = np.eye(3)
INFINITE = np.array([[NAN, 1.0, np.inf]])
BAD_CALLS = {
    "no rows": (lambda model: model.sample(0), "n_samples == 0, must be >= 1"),
    "no chains": (lambda model: model.sample(3, n_chains=0), "n_chains == 0, must be >= 1"),
    "no steps": (lambda model: model.sample(n_steps=0), "n_steps == 0, must be >= 1"),
    "no thinning": (lambda model: model.sample(thin=0), "thin == 0, must be >= 1"),
    "more chains than rows": (
        lambda model: model.sample(3, n_chains=4),
        "n_chains=4 is more than n_samples=3: a row of each chain is kept",
    ),
    "rows and X_init": (
        lambda model: model.sample(4, X_init=X),
        "X_init has 3 rows, but n_samples=4. It needs a row for each chain",
    ),
    "chains and X_init": (
        lambda model: model.sample(4, n_chains=2, X_init=X),
        "X_init has 3 rows, but n_chains=2. It needs a row for each chain",
    ),
    "NaN in X_init": (lambda model: model.sample(X_init=X * NAN), "contains NaN"),
    "columns of X_init": (lambda model: model.sample(X_init=X[:, :2]), "X has 2 features"),
}
BAD_CALLS_OF_RBM = {
    "X_given and X_init": (
        lambda rbm: rbm.sample(X_given=X[:2], X_init=X),
        "X_given has 2 rows, but X_init has 3",
    ),
    "rows and X_given": (
        lambda rbm: rbm.sample(4, X_given=X),
        "X_given has 3 rows, but n_s",
    ),
    "infinite X_given": (lambda rbm: rbm.sample(X_given=INFINITE), "contains infinity"),
    "columns of X_given": (lambda rbm: rbm.sample(X_given=X[:, :2]), "X has 2 features"),
    "a flat X_given": (lambda rbm: rbm.sample(X_given=X[0]), "Expected 2D array, got 1D"),
    "infinity": (lambda rbm: rbm.impute(INFINITE), "contains infinity"),
    "columns": (
        lambda rbm: rbm.impute(X[:, :2]),
        "X has 2 features, but RBM is expecting 3",
    ),
    "a flat row": (lambda rbm: rbm.impute(X[0]), "Expected 2D array, got 1D"),
    "strings": (lambda rbm: rbm.impute([["a"] * 3]), "could not convert string to float"),
    "no steps of imputation": (
        lambda rbm: rbm.impute(X, n_steps=0),
        "n_steps == 0, must be",
    ),
    "no draws": (lambda rbm: rbm.impute(X, n_draws=0), "n_draws == 0, must be >= 1"),
}


CASES = {
    **{f"RBM, {name}": (RBM_3, *case) for name, case in BAD_CALLS.items()},
    **{f"RBM, {name}": (RBM_3, *case) for name, case in BAD_CALLS_OF_RBM.items()},
    **{f"StackedRBM, {name}": (STACK_3, *case) for name, case in BAD_CALLS.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_bad_values(case):
    model, call, match = CASES[case]
    with pytest.raises(ValueError, match=match):
        call(model)


@pytest.mark.parametrize(
    "call",
    [
        lambda rbm: rbm.sample(2.0),
        lambda rbm: rbm.sample(4, n_chains="2"),
        lambda rbm: rbm.sample(thin=1.5),
        lambda rbm: rbm.impute(X, n_draws=None),
        lambda rbm: rbm.impute(sparse.csr_array(X)),
        lambda rbm: rbm.sample(X_given=sparse.csr_array(X)),
    ],
)
def test_bad_types(call):
    with pytest.raises(
        TypeError, match=r"must be an instance of int|[Ss]parse data was passed"
    ):
        call(RBM_3)


def test_not_fitted():
    for call in (
        lambda: RBM().impute(X),
        lambda: RBM().sample(X_given=X),
        lambda: StackedRBM().sample(),
        lambda: StackedRBM().sample(X_init=X),
    ):
        with pytest.raises(NotFittedError, match="instance is not fitted yet"):
            call()


@pytest.mark.parametrize(
    "method", ["transform", "reconstruct", "gibbs", "free_energy", "score_samples", "score"]
)
def test_missing_values_are_errors_elsewhere(method):
    with pytest.raises(ValueError, match="contains NaN"):
        getattr(RBM_3, method)(MISSING)


def test_model_without_a_distribution():
    """Gaussian units on both sides whose weights let the chains grow."""
    model = Enumeration("gaussian", "gaussian")
    model.weights *= 10
    rbm, stack = rbm_of(model), stack_of([Enumeration("gaussian", "gaussian"), model])
    for call in (
        lambda: rbm.sample(300, n_steps=200),
        lambda: rbm.gibbs(np.ones((300, 2)).astype(np.float32), 200),
        lambda: rbm.impute(np.full((300, 2), NAN, np.float32), n_steps=200),
        lambda: stack.sample(300, n_steps=200),
    ):
        with pytest.raises(
            ValueError, match=r"density of this RBM, .* has no finite integral"
        ):
            call()


class Pairs(Bernoulli):
    """Binary units that are held or drawn two by two."""

    def check_clamped(self, held):
        if np.any(held[:, ::2] != held[:, 1::2]):
            raise ValueError("half of a pair is missing")


def test_units_may_refuse_what_is_held():
    rbm = RBM(2, visible=Pairs(), max_iter=1, random_state=0).fit(np.eye(4))
    assert rbm.impute([[1, 0, NAN, NAN]]).shape == (1, 4)
    for call in (rbm.impute, lambda row: rbm.sample(X_given=row)):
        with pytest.raises(ValueError, match="half of a pair is missing"):
            call([[1, NAN, 0, 0]])


def test_counts_cannot_be_held_in_part():
    X = np.random.RandomState(0).randint(1, 5, (20, 4)).astype(float)
    rbm = RBM(3, visible=Multinomial(), max_iter=1, random_state=0).fit(X)
    np.testing.assert_array_equal(rbm.impute(X), X)
    X[3, 1] = NAN
    with pytest.raises(ValueError, match="Multinomial units cannot be held in part"):
        rbm.impute(X)
    with pytest.raises(ValueError, match="Multinomial units cannot be held in part"):
        rbm.sample(X_given=X)


def test_groups_are_held_as_a_whole():
    X = np.eye(3)[np.random.RandomState(0).randint(3, size=(40, 2))].reshape(40, 6)
    rbm = RBM(4, visible=Softmax(3), max_iter=3, random_state=0).fit(X)
    X[:, 3:] = NAN
    found = rbm.impute(X)
    np.testing.assert_array_equal(found[:, :3], X[:, :3])
    np.testing.assert_allclose(found[:, 3:].sum(axis=1), 1, rtol=1e-5)
    drawn = rbm.sample(40, X_given=X)
    np.testing.assert_array_equal(np.sort(drawn[:, 3:]), np.tile([0, 0, 1], (40, 1)))
    X[:, 2] = NAN
    with pytest.raises(ValueError, match=r"row 0 .*columns 0 to 2"):
        rbm.impute(X)
