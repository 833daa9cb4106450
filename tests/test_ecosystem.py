"""The estimators in the company they are made for: scikit-learn, joblib, pandas, SciPy."""

import pickle
import re

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import threadpoolctl
from _estimators import (
    CLASSIFIERS,
    NAMES,
    PRETRAINED,
    REGRESSORS,
    ROWS,
    WITH_RBM,
    build,
    small_rbm,
    target,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from skdbn import RBM, DBNAutoencoder, DBNClassifier, MLPClassifier, StackedRBM
from skdbn.optimizers import SGD, Adam
from skdbn.samplers import CD
from skdbn.schedules import Ramp
from skdbn.units import Bernoulli, Gaussian

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")


@pytest.fixture(scope="module")
def data():
    """Rows of bits, so that every dtype holds them exactly, and three classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 90)
    return (rng.random((90, 7)) < 0.2 + 0.3 * y[:, None]).astype(np.float64), y


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:600] / 16, y[:600]


def arrays(estimator):
    """All fitted parameters of an estimator and of those within it."""
    found = []
    for key, value in sorted(vars(estimator).items()):
        for item in value if isinstance(value, list) else [value]:
            if key in ("feature_names_in_", "classes_"):
                continue
            if key.endswith("_") and isinstance(item, np.ndarray):
                found.append(item)
            elif key.endswith("_") and hasattr(item, "get_params"):
                found += arrays(item)
    return found


def outputs(estimator, X):
    """What an estimator says about rows, by all its methods."""
    methods = (
        "transform",
        "predict",
        "predict_proba",
        "predict_log_proba",
        "reconstruct",
        "free_energy",
        "score_samples",
    )
    result = {
        name: getattr(estimator, name)(X) for name in methods if hasattr(estimator, name)
    }
    if hasattr(estimator, "inverse_transform"):
        result["inverse_transform"] = estimator.inverse_transform(result["transform"])
    return result


def assert_same(estimator, other, X=None, rtol=0):
    """The same fitted parameters, and the same answers for X."""
    pairs = list(zip(arrays(estimator), arrays(other), strict=True))
    assert pairs
    if X is not None:
        a, b = outputs(estimator, X), outputs(other, X)
        assert a.keys() == b.keys()
        pairs += [(a[name], b[name]) for name in a]
    for x, y in pairs:
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol)


# -- parameters -------------------------------------------------------------------------
NESTED = [
    (
        make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier", solver=Adam())),
        {
            "dbnclassifier__hidden_layer_sizes": [(4,), (5, 3)],
            "dbnclassifier__rbm__learning_rate": [0.01, 0.5],
            "dbnclassifier__solver__beta_1": [0.5],
        },
    ),
    (
        make_pipeline(
            MinMaxScaler(clip=True),
            small_rbm(sampler=CD(), momentum=Ramp()),
            LogisticRegression(),
        ),
        {"rbm__sampler__n_steps": [1, 3], "rbm__momentum__stop": [0.5, 0.9]},
    ),
    (
        make_pipeline(
            StandardScaler(), build("MLPClassifier", solver=SGD(momentum=Ramp()))
        ),
        {
            "mlpclassifier__solver__momentum__start": [0.0, 0.5],
            "mlpclassifier__alpha": [0, 1],
        },
    ),
]


@pytest.mark.parametrize(("pipeline", "grid"), NESTED)
def test_grid_search_over_nested_parameters(pipeline, grid, data):
    X, y = data
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == np.prod([len(v) for v in grid.values()])
    best = search.best_estimator_.get_params()
    assert {name: best[name] for name in grid} == search.best_params_
    # Each candidate is what a fit with these parameters gives: none leaks into another.
    again = clone(pipeline).set_params(**search.best_params_).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))
    other = next(p for p in search.cv_results_["params"] if p != search.best_params_)
    other = clone(pipeline).set_params(**other).fit(X, y)
    assert not np.array_equal(other.predict_proba(X), search.predict_proba(X))


def test_grid_search_without_labels(data):
    X, _ = data
    grid = {"code": ["gaussian", "bernoulli"], "rbm__max_iter": [1, 2]}
    search = GridSearchCV(build("DBNAutoencoder"), grid, cv=2, error_score="raise").fit(X)
    scores = search.cv_results_["mean_test_score"]
    assert len(np.unique(scores)) == 4
    assert search.best_score_ == scores.max() < 0


CUSTOM = [
    RBM(3, visible=Gaussian(), hidden=Bernoulli(), sampler=CD(2), momentum=Ramp(0, 0.5)),
    RBM(3, learning_rate=Ramp(0.1, 0.0, n_epochs=None), dtype=np.float64),
    StackedRBM([4, 3], rbm=[RBM(learning_rate=0.2), RBM(sampler=CD(n_steps=4))]),
    DBNAutoencoder((4, 2), rbm=RBM(alpha=0.1), code=Gaussian(), solver=SGD(0.3)),
    DBNClassifier((4, 3), rbm=RBM(sampler=CD(3)), solver=Adam(beta_1=0.1)),
    MLPClassifier((4,), solver=SGD(momentum=Ramp(), nesterov=False), activation="tanh"),
]


@pytest.mark.parametrize("estimator", CUSTOM, ids=repr)
def test_clone_keeps_parameters_and_nothing_else(estimator, data):
    short = [name for name in estimator.get_params() if name.endswith("max_iter")]
    estimator = clone(estimator).set_params(**dict.fromkeys(short, 2))
    before = repr(estimator.get_params())
    estimator.fit(*data)
    assert repr(estimator.get_params()) == before
    copy = clone(estimator)
    assert repr(copy.get_params()) == before
    assert [name for name in vars(copy) if name not in copy.get_params(deep=False)] == []
    for name, value in copy.get_params().items():
        if hasattr(value, "get_params"):
            assert value is not estimator.get_params()[name]
    with pytest.raises(NotFittedError):
        copy.transform(data[0])


def test_fit_leaves_the_prototypes_alone(data):
    X, y = data
    rbm, rbms = RBM(max_iter=2), [RBM(max_iter=1), RBM(max_iter=2)]
    for estimator in (
        StackedRBM((4, 3), rbm=rbm),
        StackedRBM((4, 3), rbm=rbms),
        DBNAutoencoder((4, 3), rbm=rbms, max_iter=1),
        DBNClassifier((4, 3), rbm=rbm, max_iter=1),
    ):
        estimator.fit(X, y)
    for prototype in (rbm, *rbms):
        assert prototype.n_components == 256
        assert prototype.hidden == "bernoulli"
        assert prototype.random_state is None
        assert not hasattr(prototype, "components_")


@pytest.mark.parametrize("name", PRETRAINED)
def test_verbose_does_not_change_the_numbers(name, data, capsys):
    X, y = data
    loud = build(name, verbose=True, rbm__verbose=True).fit(X, y)
    out = capsys.readouterr().out
    assert out.count("[RBM ") == 6
    assert out.count(f"[{name}] epoch") == 3
    assert_same(loud, build(name).fit(X, y), X)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [name for name in NAMES if name != "StackedRBM"])
def test_lines_of_partial_fit_count_on_without_a_total(name, data, capsys):
    """Of max_iter=1 the second call is no epoch 2/1."""
    X, y = data
    model = build(name, verbose=True, max_iter=1)
    classes = {"classes": [0, 1, 2]} if name in CLASSIFIERS else {}
    for _ in range(3):
        model.partial_fit(X, y, **classes)
    lines = capsys.readouterr().out
    assert re.findall(r"\] epoch +(\S+) ", lines)[-3:] == ["1", "2", "3"]


# -- persistence ------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_round_trip_to_disk(name, how, data, tmp_path):
    X, y = data
    fitted = build(name).fit(X, y)
    if how == "pickle":
        loaded = pickle.loads(pickle.dumps(fitted))
    else:
        joblib.dump(fitted, tmp_path / "model.joblib")
        loaded = joblib.load(tmp_path / "model.joblib")
    assert_same(loaded, fitted, X)
    assert vars(loaded).keys() == vars(fitted).keys()
    if how == "joblib":  # memory-mapped, read-only: what joblib does with large models
        mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
        assert_same(mapped, fitted, X)
        if name != "StackedRBM":  # and a fit may go on from there
            again = [e.set_params(warm_start=True).fit(X, y) for e in (mapped, fitted)]
            assert_same(*again, X)


def test_a_pickled_rbm_goes_on_where_it_was(data):
    X, _ = data
    rbm = small_rbm().partial_fit(X[:40]).partial_fit(X[40:])
    copy = pickle.loads(pickle.dumps(rbm))
    for model in (rbm, copy):
        model.partial_fit(X[:40]).partial_fit(X[40:])
    assert rbm.n_iter_ == copy.n_iter_ == 4
    assert_same(rbm, copy, X)
    np.testing.assert_array_equal(rbm.gibbs(X, 3), copy.gibbs(X, 3))
    np.testing.assert_array_equal(rbm.sample(5), copy.sample(5))


def test_a_fitted_rbm_goes_on_after_pickling(data):
    X, _ = data
    rbm = small_rbm().fit(X)
    copy = pickle.loads(pickle.dumps(rbm))
    assert_same(rbm.partial_fit(X), copy.partial_fit(X), X)
    assert rbm.n_iter_ == 4
    assert len(rbm.reconstruction_errors_) == 4


def test_partial_fit_is_fit_in_pieces(data):
    X, _ = data
    fitted, pieces = small_rbm(max_iter=1).fit(X), small_rbm(max_iter=1).partial_fit(X)
    assert_same(fitted, pieces, X)


# -- tables -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(name, container, data):
    frame_type = {"pandas": pd, "polars": pl}[container].DataFrame
    X, y = data
    plain = build(name).fit(X, y).transform(X)
    frame = pd.DataFrame(X, columns=list("abcdefg"), index=np.arange(len(X)) + 100)
    estimator = build(name).set_output(transform=container).fit(frame, y)
    result = estimator.transform(frame)
    assert isinstance(result, frame_type)
    names = list(estimator.get_feature_names_out())
    assert names == [f"{name.lower()}{i}" for i in range(plain.shape[1])]
    assert list(result.columns) == names
    np.testing.assert_array_equal(result.to_numpy(), plain)
    if container == "pandas":
        assert list(result.index) == list(frame.index)


@pytest.mark.parametrize("name", NAMES)
def test_feature_names(name, data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcdefg"))
    fitted = build(name).fit(frame, y)
    assert list(fitted.feature_names_in_) == list("abcdefg")
    assert_same(fitted, build(name).fit(X, y))
    for method in outputs(fitted, frame).keys() - {"inverse_transform"}:
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(fitted, method)(frame[list("gfedcba")])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            getattr(fitted, method)(X)


def test_stack_and_its_parts_keep_feature_names(data):
    frame = pd.DataFrame(data[0], columns=list("abcdefg"))
    stack = build("StackedRBM").fit(frame)
    assert list(stack[:1].feature_names_in_) == list("abcdefg")
    np.testing.assert_array_equal(
        stack[1:].transform(stack[:1].transform(frame)), stack.transform(frame)
    )


# -- frozen estimators ------------------------------------------------------------------
def test_frozen_rbm_in_a_pipeline(data):
    X, y = data
    rbm = small_rbm().fit(X)
    before = rbm.components_.copy()
    pipeline = make_pipeline(FrozenEstimator(rbm), LogisticRegression()).fit(X[:50], y[:50])
    np.testing.assert_array_equal(rbm.components_, before)
    expected = LogisticRegression().fit(rbm.transform(X[:50]), y[:50])
    np.testing.assert_array_equal(pipeline.predict(X), expected.predict(rbm.transform(X)))


@pytest.mark.parametrize("name", PRETRAINED)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_frozen_stack(name, solver, data):
    X, y = data
    sizes = build(name).hidden_layer_sizes
    stack = build("StackedRBM", hidden_layer_sizes=sizes).fit(X)
    before = pickle.dumps(arrays(stack))
    tuned = build(name, rbm=FrozenEstimator(stack), solver=solver).fit(X, y)
    assert all(a is b for a, b in zip(tuned.stack_.rbms_, stack.rbms_, strict=True))
    assert pickle.dumps(arrays(stack)) == before
    assert not np.shares_memory(tuned.coefs_[0], stack[0].components_)
    assert not np.array_equal(tuned.coefs_[0], stack[0].components_.T)
    # The fine-tuning starts from the stack: a step of no length leaves its weights.
    still = build(name, rbm=FrozenEstimator(stack), learning_rate=1e-30).fit(X, y)
    np.testing.assert_array_equal(still.coefs_[0], stack[0].components_.T)
    np.testing.assert_array_equal(still.intercepts_[1], stack[1].intercept_hidden_)
    # A second fit, and a clone, start from the same stack again.
    assert_same(clone(tuned).fit(X, y), tuned, X)


@pytest.mark.parametrize("name", PRETRAINED)
def test_frozen_stack_in_a_grid_search(name, data):
    X, y = data
    sizes = build(name).hidden_layer_sizes
    stack = build("StackedRBM", hidden_layer_sizes=sizes).fit(X)
    before = pickle.dumps(arrays(stack))
    estimator = build(name, rbm=FrozenEstimator(stack))
    search = GridSearchCV(estimator, {"learning_rate": [0.01, 0.1]}, cv=2).fit(X, y)
    assert search.best_estimator_.stack_[0] is stack[0]
    assert pickle.dumps(arrays(stack)) == before


@pytest.mark.parametrize("name", PRETRAINED)
def test_frozen_stack_that_does_not_fit(name, data):
    X, y = data
    stack = StackedRBM((5, 3), rbm=small_rbm()).fit(X)

    def check(error, match, frozen, X=X, **params):
        estimator = build(name, rbm=FrozenEstimator(frozen), **params)
        with pytest.raises(error, match=match):
            estimator.fit(X, y)

    check(ValueError, r"\[7, 5, 3\].*\[7, 6\].*hidden_layer_sizes=\(5, 3\)", stack,
          hidden_layer_sizes=(6,))  # fmt: skip
    check(ValueError, r"\[7, 5, 3\].*\[6, 5, 3\].*7 columns", stack, X[:, :6],
          hidden_layer_sizes=(5, 3))  # fmt: skip
    check(NotFittedError, "StackedRBM instance is not fitted", clone(stack),
          hidden_layer_sizes=(5, 3))  # fmt: skip
    check(TypeError, "must hold a fitted StackedRBM", stack[0], hidden_layer_sizes=(5,))


# -- kinds of input ---------------------------------------------------------------------
def memory_map(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def read_only(X, folder):
    X = X.copy()
    X.flags.writeable = False
    return X


INPUTS = {
    "csr": lambda X, _: sparse.csr_matrix(X),
    "csr_array": lambda X, _: sparse.csr_array(X),
    "csc": lambda X, _: sparse.csc_array(X),
    "coo": lambda X, _: sparse.coo_array(X),
    "csr of 64-bit indices": lambda X, _: _long_indices(X),
    "list": lambda X, _: X.tolist(),
    "bool": lambda X, _: X.astype(bool),
    "uint8": lambda X, _: X.astype(np.uint8),
    "int64": lambda X, _: X.astype(np.int64),
    "float16": lambda X, _: X.astype(np.float16),
    "longdouble": lambda X, _: X.astype(np.longdouble),
    "big-endian": lambda X, _: X.astype(">f8"),
    "objects": lambda X, _: X.astype(object),
    "Fortran": lambda X, _: np.asfortranarray(X),
    "every other row and column": lambda X, _: np.repeat(np.repeat(X, 2, 0), 2, 1)[
        ::2, ::2
    ],
    "backwards": lambda X, _: X[::-1].copy()[::-1],
    "read-only": read_only,
    "memmap": memory_map,
    "uint8 memmap": lambda X, folder: memory_map(X.astype(np.uint8), folder),
}


def _long_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("kind", INPUTS)
@pytest.mark.parametrize("name", NAMES)
def test_kinds_of_input_give_the_same(name, kind, data, tmp_path):
    X, y = data
    other = INPUTS[kind](X, tmp_path)
    fitted, expected = build(name).fit(other, y), build(name).fit(X, y)
    thin = sparse.issparse(other)  # products of CSR rows add up in another order
    assert_same(fitted, expected, X, rtol=1e-4 if thin else 0)
    float64 = not thin and (getattr(other, "dtype", None) == np.float64 or kind == "list")
    for method, result in outputs(fitted, other).items():
        np.testing.assert_allclose(
            result, outputs(expected, X)[method], rtol=1e-9 if float64 else 1e-3
        )


@pytest.mark.parametrize("name", NAMES)
def test_input_is_left_alone(name, data):
    X, y = data
    for dtype in (np.float32, np.float64):
        cast = X.astype(dtype)
        before = cast.copy()
        outputs(build(name, **_precision(name, dtype)).fit(cast, y), cast)
        np.testing.assert_array_equal(cast, before)
    table = sparse.csc_array(X)
    before = table.copy()
    outputs(build(name).fit(table, y), table)
    np.testing.assert_array_equal(table.toarray(), before.toarray())


def _precision(name, dtype):
    names = build(name).get_params()
    return {p: dtype for p in ("dtype", "rbm__dtype") if p in names}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("inside", [np.float32, np.float64])
def test_dtypes_of_output(name, inside, data):
    X, y = data
    fitted = build(name, **_precision(name, inside)).fit(X, y)
    parameters = [a for a in arrays(fitted) if a.dtype.kind == "f"]
    assert {array.dtype for array in parameters} == {np.dtype(inside)}
    for dtype, expected in [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.uint8, inside),
        (np.int64, inside),
    ]:
        for method, result in outputs(fitted, X.astype(dtype)).items():
            if method == "score_samples":  # sums over rows, whatever X is
                assert result.dtype == np.float64
            elif method != "predict":
                assert result.dtype == expected, (method, dtype)


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize(
    "labels",
    [
        np.array(["a", "bb", "ccc"]),
        np.array(["a", "bb", "ccc"], dtype=object),
        np.array([-1, 5, 7], dtype=np.int8),
        np.array([0.0, 1.0, 2.0]),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_kinds_of_labels(name, labels, data):
    X, y = data
    fitted, expected = build(name).fit(X, labels[y]), build(name).fit(X, y)
    np.testing.assert_array_equal(fitted.classes_, labels)
    assert fitted.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(fitted.predict(X), labels[expected.predict(X)])
    np.testing.assert_array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    binary = build(name).fit(X, labels[np.minimum(y, 1)])
    assert binary.predict_proba(X).shape == (len(X), 2)
    np.testing.assert_allclose(binary.predict_proba(X).sum(axis=1), 1, rtol=1e-6)
    assert set(binary.predict(X)) <= set(labels[:2])


# -- the same numbers -------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_random_state(name, data):
    X, y = data
    assert_same(build(name).fit(X, y), build(name).fit(X, y), X)
    first, other = build(name).fit(X, y), build(name, random_state=1).fit(X, y)
    assert not np.array_equal(first.transform(X), other.transform(X))
    estimator = build(name)
    twice = estimator.fit(X, y).fit(X, y)
    assert_same(twice, first, X)


@pytest.mark.parametrize("name", NAMES)
def test_random_state_instances(name, data):
    X, y = data
    a = build(name, random_state=np.random.RandomState(3))
    b = build(name, random_state=np.random.RandomState(3))
    first = a.fit(X, y).transform(X)
    np.testing.assert_array_equal(first, b.fit(X, y).transform(X))
    second = a.fit(X, y).transform(X)  # the instance has moved on
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(second, b.fit(X, y).transform(X))


@pytest.mark.parametrize("name", NAMES)
def test_global_random_state_is_untouched(name, data):
    X, y = data
    before = pickle.dumps(np.random.get_state())  # noqa: NPY002
    fitted = build(name).fit(X, y)
    outputs(fitted, X)
    if name == "RBM":
        fitted.gibbs(X)
        fitted.sample(3)
    assert pickle.dumps(np.random.get_state()) == before  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_no_seed_draws_from_the_global_one(name, data):
    X, y = data

    def fit(seed):
        np.random.seed(seed)  # noqa: NPY002
        return build(name, random_state=None).fit(X, y)

    state = np.random.get_state()  # noqa: NPY002
    try:
        assert_same(fit(0), fit(0), X)
        assert not np.array_equal(fit(0).transform(X), fit(1).transform(X))
    finally:
        np.random.set_state(state)  # noqa: NPY002


def test_layers_of_one_stack_have_seeds_of_their_own(data):
    stack = StackedRBM((7, 7), rbm=RBM(max_iter=1, learning_rate=1e-30), random_state=0)
    first, second = stack.fit(data[0]).rbms_
    assert not np.allclose(first.components_, second.components_)


@pytest.mark.parametrize("name", NAMES)
def test_number_of_blas_threads(name):
    """Equal to rounding only: BLAS may split a sum differently."""
    rng = np.random.default_rng(0)
    X, y = rng.random((400, 200)), rng.integers(0, 3, 400)
    names = build(name).get_params()
    params = {p: 100 for p in ("batch_size", "rbm__batch_size") if p in names}
    params |= {"n_components": 300} if name == "RBM" else {"hidden_layer_sizes": (300, 50)}
    fitted = []
    for n_threads in (1, 2):
        with threadpoolctl.threadpool_limits(n_threads, user_api="blas"):
            fitted.append(build(name, **params).fit(X, y))
    assert_same(*fitted, X[:20], rtol=1e-3)


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", ["RBM", "DBNClassifier"])
def test_parallel_fits_give_the_numbers_of_serial_ones(name, backend, data):
    X, y = data
    serial = [build(name, random_state=seed).fit(X, y) for seed in range(4)]
    with joblib.parallel_config(backend):
        tasks = (joblib.delayed(build(name, random_state=s).fit)(X, y) for s in range(4))
        fitted = joblib.Parallel(n_jobs=2)(tasks)
    for one, other in zip(serial, fitted, strict=True):
        assert_same(one, other, X)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_grid_search_gives_the_numbers_of_a_serial_one(backend, data):
    X, y = data
    pipeline = make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier", max_iter=10))
    grid = {
        "dbnclassifier__rbm__learning_rate": [0.01, 0.1],
        "dbnclassifier__alpha": [0, 1],
    }
    serial = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    with joblib.parallel_config(backend):
        parallel = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(serial.cv_results_[key], parallel.cv_results_[key])
    np.testing.assert_array_equal(serial.predict_proba(X), parallel.predict_proba(X))


# -- meta-estimators --------------------------------------------------------------------
def learner(name):
    """A classifier that has learnt something of the digits."""
    if name == "MLPClassifier":
        return MLPClassifier((64,), max_iter=100, random_state=0)
    return DBNClassifier((64,), rbm=RBM(max_iter=10), max_iter=60, random_state=0)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_cross_val_score(name, digits):
    scores = cross_val_score(learner(name), *digits, cv=2)
    assert (scores > 0.8).all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_calibration_and_stacking(name, digits):
    X, y = digits
    few = y < 3
    calibrated = CalibratedClassifierCV(learner(name), cv=2).fit(X[few], y[few])
    assert calibrated.score(X[few], y[few]) > 0.9
    stacking = StackingClassifier(
        [("ours", learner(name)), ("linear", LogisticRegression(max_iter=1000))], cv=2
    ).fit(X[few], y[few])
    assert stacking.score(X[few], y[few]) > 0.9
    assert stacking.transform(X[few]).shape == (few.sum(), 6)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REGRESSORS])
def test_features_for_a_linear_model(name, digits):
    """The plainest use: what comes out separates the digits better than guessing."""
    X, y = digits
    big = {"n_components": 32} if name == "RBM" else {"hidden_layer_sizes": (32, 16)}
    names = build(name).get_params()
    more = {p: 20 for p in ("max_iter", "rbm__max_iter") if p in names}
    more |= {"learning_rate": 0.01} if "solver" in names else {}
    pipeline = make_pipeline(
        MinMaxScaler(clip=True),
        build(name, **big, **more),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )
    assert pipeline.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.7
    check_is_fitted(pipeline)


@pytest.mark.parametrize("name", WITH_RBM)
def test_min_max_scaler_is_enough_for_binary_units(name):
    """What MinMaxScaler calls 1 may be 1 + 2e-16."""
    X = np.random.default_rng(0).random((60, 6))
    scaled = MinMaxScaler().fit_transform(X)
    assert scaled.max() > 1  # or there is nothing to test
    y = np.arange(60) % 2
    for dtype in (np.float64, np.float32):
        make_pipeline(MinMaxScaler(), build(name)).fit(X.astype(dtype), y)


# -- notebooks --------------------------------------------------------------------------
def described(estimator):
    """The parameters and attributes whose descriptions a notebook shows."""
    shown = estimator._repr_html_()
    return {*re.findall(r"param-doc-description[^>]*>\s*(\w+): .*?<br><br>\w", shown)}


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_shows_what_the_parameters_mean(name):
    estimator = build(name)
    assert described(estimator) >= set(estimator.get_params(deep=False))
    fitted = estimator.fit(ROWS, target(name))
    assert described(make_pipeline(fitted)) >= {"random_state", "n_features_in_"}
    # There is no page that a link could lead to from there.
    assert "href=" not in fitted._repr_html_()
