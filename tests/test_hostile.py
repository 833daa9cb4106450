"""Strange input of every kind: a finite result, or an error that says what is wrong.

``SKDBN_FUZZ=20`` in the environment makes twenty times as many examples: a thousand
combinations of estimators and data, and ten thousand files.
"""

import gzip
import os
import struct
import tempfile
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _estimators import (
    CLASSIFIERS,
    MAPPING_BACK,
    NAMES,
    NETWORKS,
    REGRESSORS,
    SUPERVISED,
    WITH_RBM,
    build,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from skdbn.datasets import read_idx
from skdbn.units import UNITS

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

FUZZ = int(os.environ.get("SKDBN_FUZZ", 1))


def examples(n):
    return settings(
        max_examples=n * FUZZ,
        deadline=None,
        derandomize=FUZZ == 1,
        suppress_health_check=list(HealthCheck),
    )


# -- tables -----------------------------------------------------------------------------
NUMBERS = {
    "unit": lambda rng, shape: rng.random(shape),
    "bits": lambda rng, shape: rng.integers(0, 2, shape).astype(float),
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "counts": lambda rng, shape: rng.poisson(2, shape).astype(float),
    "constant": lambda rng, shape: np.full(shape, rng.random()),
    "zeros": lambda rng, shape: np.zeros(shape),
    "denormal": lambda rng, shape: rng.random(shape) * 1e-310,
    "single denormal": lambda rng, shape: rng.random(shape) * 1e-41,
    "large": lambda rng, shape: rng.standard_normal(shape) * 1e6,
    "huge": lambda rng, shape: rng.standard_normal(shape) * 1e37,
    "immense": lambda rng, shape: rng.standard_normal(shape) * 1e307,
    "one outlier": lambda rng, shape: np.where(
        np.arange(np.prod(shape)).reshape(shape) == 0, 1e30, rng.random(shape)
    ),
    "NaN": lambda rng, shape: np.where(rng.random(shape) < 0.1, np.nan, 0.5),
    "infinite": lambda rng, shape: np.where(rng.random(shape) < 0.1, np.inf, 0.5),
}
DTYPES = [
    *"bBhHiIlLqQ?",
    "e",
    "f",
    "d",
    "g",
    ">f8",
    ">i4",
    "F",
    "O",
    "U8",
    "M8[s]",
]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def mapped(X):
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, X)
        file.flush()
        return np.load(file.name, mmap_mode="r")


def untidy(X):
    """CSR with explicit zeros, indices out of order and a cell in two entries."""
    rows, columns = np.indices(X.shape).reshape(2, -1)
    whole = np.flatnonzero(np.ones(X.shape, bool))
    twice = np.concatenate([whole, whole[:1]])  # the first cell again, with a zero
    data = np.concatenate([X.ravel(), np.zeros(len(whole[:1]), X.dtype)])
    order = np.lexsort([-columns[twice], rows[twice]])  # backwards in each row
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[twice], minlength=len(X)))])
    return sparse.csr_array((data[order], columns[twice][order], indptr), shape=X.shape)


def long_indices(X):
    X = sparse.csr_array(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def named(X):
    return [f"c{i}" for i in range(X.shape[1])]


def mixed_frame(X):
    """A column of each dtype that a frame may have, where the numbers allow it."""
    frame = pd.DataFrame(X, columns=named(X))
    for column, dtype in zip(
        frame, ["Float64", "float32", "Int64", "boolean", "category"], strict=False
    ):
        frame[column] = frame[column].astype(dtype)
    return frame


def mixed_polars(X):
    return pl.DataFrame(X, schema=named(X)).with_columns(pl.nth(0).cast(pl.Float32))


CONTAINERS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "mapped": mapped,
    "lists": lambda X: X.tolist(),
    "masked": np.ma.masked_array,
    "matrix": lambda X: np.asmatrix(X),
    "objects": lambda X: X.astype(object),
    "csr": sparse.csr_array,
    "csr matrix": sparse.csr_matrix,
    "untidy csr": untidy,
    "long csr": long_indices,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "lil": sparse.lil_array,
    "pandas": lambda X: pd.DataFrame(X, columns=named(X)),
    "mixed pandas": mixed_frame,
    "sparse pandas": lambda X: pd.DataFrame(X, columns=named(X)).astype(
        pd.SparseDtype(X.dtype)
    ),
    "polars": lambda X: pl.DataFrame(X, schema=named(X)),
    "mixed polars": mixed_polars,
}


# -- labels -----------------------------------------------------------------------------
def some(values):
    """Labels of a few values, in no order."""
    return lambda rng, n: np.asarray(values)[rng.integers(0, len(values), n)]


TARGETS = {
    "integers": some([0, 1, 2]),
    "two": some([7, -3]),
    "one class": some([5]),
    "bool": some([False, True]),
    "int8": some(np.array([-128, 127], np.int8)),
    "uint64": some(np.array([0, 2**64 - 1], np.uint64)),
    "beyond 2**53": some([2**53, 2**53 + 1]),
    "floats": some([0.0, 1.0, 5.0]),
    "fractions": lambda rng, n: rng.random(n),
    "float16": some(np.array([0, 1], np.float16)),
    "huge numbers": lambda rng, n: rng.standard_normal(n) * 1e300,
    "NaN": some([0.0, np.nan]),
    "strings": some(["a", "bb", "ü\0x"]),
    "objects": some(np.array(["x", "y"], dtype=object)),
    "None": some(np.array(["x", None], dtype=object)),
    "mixed": some(np.array(["x", 1], dtype=object)),
    "bytes": some(np.array([b"x", b"y"])),
    "dates": some(np.array(["2020-01-01", "2021-01-01"], "M8[D]")),
    "list": lambda rng, n: rng.integers(0, 2, n).tolist(),
    "Series": lambda rng, n: pd.Series(rng.integers(0, 2, n), index=np.arange(n) + 9),
    "categories": lambda rng, n: pd.Series(pd.Categorical(some(["u", "v"])(rng, n))),
    "nullable": lambda rng, n: pd.Series(rng.integers(0, 2, n), dtype="Int64"),
    "missing": lambda rng, n: pd.Series([None, 1] * n, dtype="Int64")[:n],
    "polars": lambda rng, n: pl.Series(rng.integers(0, 2, n)),
    "column": lambda rng, n: rng.integers(0, 2, (n, 1)),
    "indicators": lambda rng, n: rng.integers(0, 2, (n, 3)),
    "sparse indicators": lambda rng, n: sparse.csr_array(rng.integers(0, 2, (n, 3))),
    "several outputs": lambda rng, n: rng.random((n, 2)),
    "no outputs": lambda rng, n: np.zeros((n, 0)),
    "too few": lambda rng, n: rng.integers(0, 2, max(n - 1, 0)),
    "3-d": lambda rng, n: np.zeros((n, 2, 2)),
    "None at all": lambda rng, n: None,
}
FIT_FOR = {  # targets that fits begin with; the others are mostly refused at once
    True: ["integers", "two", "bool", "strings", "list", "Series", "indicators", "int8"],
    False: ["integers", "floats", "fractions", "list", "several outputs", "polars"],
}
PARAMS = {
    "visible": (WITH_RBM, sorted(UNITS)),
    "batch_size": (["RBM", *NETWORKS], ["auto", 1, 3, 1000]),
    "early_stopping": (["RBM", *NETWORKS], [False, True]),
    "learning_rate": (["RBM", *NETWORKS], ["auto", 1e-30, 1e30]),
    "dtype": (["RBM", *NETWORKS], ["float32", "float64"]),
    "solver": (NETWORKS, ["adam", "sgd", "lbfgs", "cg"]),
    "dropout": (NETWORKS, [0.0, 0.5]),
    "class_weight": (CLASSIFIERS, [None, "balanced"]),
    "loss": (REGRESSORS, ["squared_error", "poisson", "log_loss"]),
}


class Chance:
    """Choices that a seed makes."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def of(self, values):
        values = list(values)
        return values[self.rng.integers(len(values))]

    def one_in(self, n):
        return self.rng.integers(n) == 0

    def estimator(self):
        name = self.of(NAMES)
        fit = [p for p in PARAMS if name in PARAMS[p][0]]
        chosen = self.rng.permutation(fit)[:2]
        return build(name, **{p: self.of(PARAMS[p][1]) for p in chosen})

    def table(self):
        """A table in a container, if it goes in there."""
        shape = (
            self.of([0, 1, 2, 3]) if self.one_in(5) else self.of([12, 30]),
            self.of([0, 1] if self.one_in(8) else [1, 3, 6]),
        )
        numbers = self.of(NUMBERS) if self.one_in(2) else self.of(["unit", "bits"])
        dtype = self.of(DTYPES) if self.one_in(3) else self.of("df")
        container = self.of(CONTAINERS)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            X = NUMBERS[numbers](self.rng, shape).astype(dtype)
            try:
                return CONTAINERS[container](X), f"{numbers} {shape} {dtype} {container}"
            except (TypeError, ValueError, ArithmeticError, pl.exceptions.PolarsError):
                return X, f"{numbers} {shape} {dtype}"

    def target(self, classifies, n):
        kind = self.of(TARGETS) if self.one_in(3) else self.of(FIT_FOR[classifies])
        return TARGETS[kind](self.rng, n), kind


def n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)


ALLOWED = (ConvergenceWarning, DataConversionWarning)
METHODS = [
    "transform",
    "reconstruct",
    "predict",
    "predict_proba",
    "free_energy",
    "pseudo_log_likelihood",
    "score_samples",
    "gibbs",
    "impute",
]


def numbers_of(result):
    """What must be finite in a result."""
    result = np.asarray(result)
    return result if result.dtype.kind == "f" else np.zeros(0)


def assert_said(error):
    """An error of the kind that scikit-learn has, with words."""
    assert isinstance(error, (ValueError, TypeError)), repr(error)
    assert len(str(error)) > 10


def assert_answers(fitted, X):
    """Call all methods; each must give finite numbers or a proper error."""
    for method in METHODS:
        if not hasattr(fitted, method):
            continue
        try:
            result = getattr(fitted, method)(X)
        except Exception as error:
            assert_said(error)
            continue
        assert np.isfinite(numbers_of(result)).all(), method
        assert len(result) == n_rows(X), method
    if type(fitted).__name__ in MAPPING_BACK:
        try:
            back = fitted.inverse_transform(fitted.transform(X))
            score = fitted.score(X)
        except Exception as error:
            assert_said(error)
        else:
            assert np.isfinite(back).all()
            assert np.isfinite(score)


@pytest.mark.parametrize("seed", range(60 * FUZZ))
def test_a_finite_result_or_an_error(seed):
    chance = Chance(seed)
    estimator, (X, kind_of_X) = chance.estimator(), chance.table()
    y, kind_of_y = chance.target(type(estimator).__name__ in CLASSIFIERS, n_rows(X))
    print(estimator, kind_of_X, kind_of_y, sep=", ")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(X, y)
        except Exception as error:
            print("refused:", error)
            assert_said(error)
            with pytest.raises(NotFittedError):
                check_is_fitted(estimator)
            return
        print("fitted")
        assert_answers(estimator, X)
        assert_answers(estimator, np.full((2, estimator.n_features_in_), 0.5))
    unexpected = [str(w.message) for w in caught if not issubclass(w.category, ALLOWED)]
    names = "does not have valid feature names"  # the last rows, where X had some
    assert [text for text in unexpected if names not in text] == []
    for value in vars(estimator).values():
        for array in value if isinstance(value, list) else [value]:
            if isinstance(array, np.ndarray):
                assert np.isfinite(numbers_of(array)).all()


# -- the container does not matter ------------------------------------------------------
WHOLE = {  # containers of bits that hold the very same numbers
    name: container
    for name, container in CONTAINERS.items()
    if name not in ("matrix", "masked", "sparse pandas")
}
TABLES = hnp.arrays(
    st.sampled_from([bool, np.uint8, np.int16, np.int64, np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.integers(0, 1),
)


@given(
    X=TABLES, container=st.sampled_from(sorted(WHOLE)), name=st.sampled_from(sorted(NAMES))
)
@examples(25)
def test_the_container_does_not_matter(X, container, name):
    y = np.arange(len(X)) % 2
    held = WHOLE[container](X.astype(float) if container == "mixed pandas" else X)
    plain = np.ascontiguousarray(X)
    fitted, expected = build(name).fit(held, y), build(name).fit(plain, y)
    close = {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(fitted.transform(held), expected.transform(plain), **close)
    np.testing.assert_array_equal(X, plain)
    if name in CLASSIFIERS:
        result = fitted.predict_proba(held)
        np.testing.assert_allclose(result, expected.predict_proba(plain), **close)


USUAL = np.random.default_rng(0).random((12, 4))


@pytest.fixture(scope="module")
def models():
    """Fitted to real numbers of the usual size."""
    made = {name: build(name) for name in NAMES}
    for name in WITH_RBM:
        made[name] = build(name, visible="gaussian")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return {name: model.fit(USUAL, np.arange(12) % 3) for name, model in made.items()}


@given(
    X=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        (3, 4),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    ),
    name=st.sampled_from(sorted(NAMES)),
)
@examples(25)
def test_answers_for_any_numbers(models, X, name):
    """Of models of usual data: finite, or refused; never NaN."""
    assert_answers(models[name], X)


# -- labels come back -------------------------------------------------------------------
@pytest.mark.parametrize(
    "kind",
    ["bool", "int8", "uint64", "beyond 2**53", "floats", "float16", "strings", "objects",
     "list", "Series", "categories", "nullable", "polars"],
)  # fmt: skip
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_labels_come_back(name, kind):
    """Those of y and no others, as the same network says them of their numbers."""
    y = TARGETS[kind](np.random.default_rng(1), 12)
    classes, index = np.unique(np.asarray(y), return_inverse=True)
    fitted, twin = build(name).fit(USUAL, y), build(name).fit(USUAL, index)
    result = fitted.predict(USUAL)
    if kind != "nullable":  # which scikit-learn's validation of y makes floats
        assert result.dtype == classes.dtype
    np.testing.assert_array_equal(fitted.classes_, classes)
    np.testing.assert_array_equal(result, classes[twin.predict(USUAL)])


# -- weights of rows --------------------------------------------------------------------
BAD_WEIGHTS = {
    "negative": (np.full(12, -1.0), "[Nn]egative"),
    "zero": (np.zeros(12), "zero"),
    "NaN": (np.full(12, np.nan), "NaN"),
    "infinite": (np.full(12, np.inf), "infinity"),
    "too few": (np.ones(11), r"\(11,\)"),
    "2-d": (np.ones((12, 1)), "1D array or scalar"),
    "strings": (np.full(12, "x"), "could not convert"),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS)
@pytest.mark.parametrize("name", ["RBM", "StackedRBM", *SUPERVISED])
def test_bad_weights(name, case):
    weight, match = BAD_WEIGHTS[case]
    estimator = build(name)
    with pytest.raises(ValueError, match=match):
        estimator.fit(USUAL, np.arange(12) % 3, sample_weight=weight)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


@pytest.mark.parametrize("exponent", [-1060, -100, 100, 1010])
@pytest.mark.parametrize("name", ["RBM", "StackedRBM"])
def test_the_scale_of_weights_does_not_matter(name, exponent):
    weight = np.arange(12) % 5
    fitted = build(name).fit(USUAL, sample_weight=np.ldexp(1.0, exponent) * weight)
    expected = build(name).fit(USUAL, sample_weight=weight)
    np.testing.assert_array_equal(fitted.transform(USUAL), expected.transform(USUAL))


def test_one_weight_beside_which_the_others_are_nothing():
    weight = np.where(np.arange(12) < 2, 1.0, 1e-60)
    rbm = build("RBM", batch_size=1).fit(USUAL, sample_weight=weight)
    expected = build("RBM", batch_size=1).fit(USUAL, sample_weight=np.rint(weight))
    np.testing.assert_array_equal(rbm.transform(USUAL), expected.transform(USUAL))


@pytest.mark.filterwarnings("ignore:.*diverged")  # tiny weights, beside which alpha is huge
@pytest.mark.parametrize("scale", [1e-320, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("name", SUPERVISED)
def test_weights_of_any_scale(name, scale):
    estimator = build(name).fit(USUAL, np.arange(12) % 3, scale * np.arange(12.0))
    assert np.isfinite(estimator.transform(USUAL)).all()
    assert np.isfinite(estimator.loss_curve_).all()


# -- files ------------------------------------------------------------------------------
CODES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
FILES = 500 * FUZZ


def good_file(rng):
    """A valid IDX file and its array."""
    code = rng.choice(list(CODES))
    shape = tuple(rng.integers(0, 5, rng.integers(0, 5)).tolist())
    n_bytes = int(np.prod(shape)) * np.dtype(CODES[code]).itemsize
    data = rng.bytes(n_bytes)
    head = struct.pack(f">HBB{len(shape)}I", 0, code, len(shape), *shape)
    return head + data, np.frombuffer(data, CODES[code]).reshape(shape)


def cut(rng, content):
    return content[: rng.integers(0, len(content) + 1)]


def longer(rng, content):
    return content + rng.bytes(rng.integers(1, 50))


def flipped(rng, content):
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        if content:
            content[rng.integers(0, min(len(content), 24))] = rng.integers(0, 256)
    return bytes(content)


def oversized(rng, content):
    sizes = rng.integers(0, 2**32, rng.integers(1, 6), dtype=np.uint64).tolist()
    code = rng.choice(list(CODES))
    head = struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes)
    return head + content[4:]


def wrong_type(rng, content):
    return content[:2] + bytes([rng.integers(0, 256), rng.integers(0, 256)]) + content[4:]


def noise(rng, content):
    return rng.bytes(rng.integers(0, 64))


DAMAGES = [cut, longer, flipped, oversized, wrong_type, noise]


def hostile_file(rng):
    """A file with one or two things wrong, perhaps packed, perhaps wrong again."""
    content, _ = good_file(rng)
    for _ in range(rng.integers(1, 3)):
        content = DAMAGES[rng.integers(len(DAMAGES))](rng, content)
    if rng.integers(2):
        content = gzip.compress(content, compresslevel=1)
        if rng.integers(2):
            content = DAMAGES[rng.integers(3)](rng, content)
    return content


def test_files_of_every_kind(tmp_path):
    """An array of what is in the file, or a ValueError; never much memory."""
    path, refused = tmp_path / "file", 0
    tracemalloc.start()
    try:
        for seed in range(FILES):
            content = hostile_file(np.random.default_rng(seed))
            path.write_bytes(content)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            try:
                array = read_idx(path)
            except ValueError as error:
                assert str(error).startswith("Cannot read"), seed  # noqa: PT017
                refused += 1
            else:
                assert array.nbytes < 1100 * len(content), seed
            peak = tracemalloc.get_traced_memory()[1] - before
            assert peak < 1 << 20, seed
    finally:
        tracemalloc.stop()
    assert 0.7 * FILES < refused < FILES


def test_good_files_of_every_kind(tmp_path):
    path = tmp_path / "file"
    for seed in range(FILES // 10):
        content, array = good_file(np.random.default_rng(seed))
        path.write_bytes(gzip.compress(content) if seed % 2 else content)
        np.testing.assert_array_equal(read_idx(path), array)
        if seed % 2:  # memory for what is announced, not for what a bomb would become
            path.write_bytes(gzip.compress(content + bytes(1 << 22), compresslevel=1))
            tracemalloc.start()
            try:
                with pytest.raises(ValueError, match="more bytes of data"):
                    read_idx(path)
                assert tracemalloc.get_traced_memory()[1] < 1 << 21
            finally:
                tracemalloc.stop()
