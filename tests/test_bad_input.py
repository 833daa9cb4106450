"""What must not work, and what the estimators say then."""

import re
import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from _estimators import (
    CLASSIFIERS,
    MAPPING_BACK,
    NAMES,
    NETWORKS,
    PRETRAINED,
    REGRESSORS,
    SUPERVISED,
    WITH_LAYERS,
    WITH_RBM,
    build,
    small_rbm,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import InvalidParameterError

from skdbn import (
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    MLPClassifier,
    StackedRBM,
    activations,
    units,
)
from skdbn.activations import LeakyReLU
from skdbn.losses import SquaredError
from skdbn.optimizers import LBFGS, SGD, Adam, Averaged, Clipped
from skdbn.samplers import CD
from skdbn.schedules import Ramp
from skdbn.units import Gaussian

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

rng = np.random.default_rng(0)
X = rng.random((30, 4))
y = np.arange(30) % 2


def arrays(estimator):
    """All fitted arrays of numbers of an estimator and of those within it."""
    for key, value in sorted(vars(estimator).items()):
        for item in value if isinstance(value, list) else [value]:
            if key.endswith("_") and hasattr(item, "get_params"):
                yield from arrays(item)
            elif isinstance(item, np.ndarray) and item.dtype.kind == "f":
                yield item


def assert_finite(estimator, X):
    """Parameters and output are numbers."""
    for array in [*arrays(estimator), estimator.transform(X)]:
        assert np.isfinite(array).all()


def assert_refuses(estimator, X, y, error, match):
    """A fit raises; a new estimator is still unfitted, a fitted one is as it was."""
    good_X, good_y = (
        np.tile([[0.0, 1.0, 1.0, 0.5], [1.0, 0.0, 1.0, 0.5]], (15, 1)),
        np.arange(30) % 2,
    )
    fresh = clone(estimator)
    with pytest.raises(error, match=match):
        fresh.fit(X, y)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        fresh.transform(good_X)
    old = clone(estimator).fit(good_X, good_y)
    before = old.transform(good_X)
    with pytest.raises(error, match=match):
        old.fit(X, y)
    np.testing.assert_array_equal(old.transform(good_X), before)


# -- X ----------------------------------------------------------------------------------
def with_value(value, dtype=np.float64):
    bad = X.astype(dtype)
    bad[3, 2] = value
    return bad


BAD_X = {
    "NaN": (with_value(np.nan), "contains NaN"),
    "infinity": (with_value(np.inf), "contains infinity"),
    "float32 NaN": (with_value(np.nan, np.float32), "contains NaN"),
    "sparse NaN": (sparse.csr_array(with_value(np.nan)), "contains NaN"),
    "1-d": (X[:, 0], "Expected 2D array, got 1D array"),
    "3-d": (X[:, :, None], "dim 3"),
    "no rows": (X[:0], r"0 sample\(s\)"),
    "no columns": (X[:, :0], r"0 feature\(s\)"),
    "complex": (X + 1j, "Complex data not supported"),
    "strings": (np.full((30, 4), "a", dtype=object), "could not convert string to float"),
    "ragged": ([[0.0, 1.0], [1.0]] * 15, "inhomogeneous|setting an array element"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("name", NAMES)
def test_bad_X(name, case):
    bad, match = BAD_X[case]
    assert_refuses(build(name), bad, y, ValueError, match)


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("name", NAMES)
def test_bad_X_after_fit(name, case):
    bad, match = BAD_X[case]
    fitted = build(name).fit(X, y)
    for method in (
        "transform", "predict", "predict_proba", "predict_log_proba", "reconstruct",
        "gibbs", "free_energy", "score_samples", "score", "partial_fit",
        "inverse_transform",
    ):  # fmt: skip
        if hasattr(fitted, method):
            needs_y = method in ("score", "partial_fit") and name in SUPERVISED
            args = (bad, y) if needs_y else (bad,)
            expected = match
            if method == "inverse_transform" and sparse.issparse(bad):
                expected = "[Ss]parse data was passed"
            with pytest.raises((ValueError, TypeError), match=expected):
                getattr(fitted, method)(*args)


@pytest.mark.parametrize("name", NAMES)
def test_other_number_of_columns(name):
    fitted = build(name).fit(X, y)
    for columns in (X[:, :3], np.hstack([X, X])):
        match = f"X has {columns.shape[1]} features, but {name} is expecting 4 features"
        for method in (
            "transform", "predict", "predict_proba", "reconstruct", "gibbs", "free_energy",
            "score_samples", "partial_fit",
        ):  # fmt: skip
            if hasattr(fitted, method):
                needs_y = method == "partial_fit" and name in SUPERVISED
                with pytest.raises(ValueError, match=match):
                    getattr(fitted, method)(columns, *([y] if needs_y else []))


@pytest.mark.parametrize("name", MAPPING_BACK)
def test_codes_of_another_width(name):
    fitted = build(name).fit(X)
    n_codes = fitted.transform(X).shape[1]
    match = (
        rf"X has {n_codes + 1} features, but {name}.inverse_transform expects the {n_codes}"
    )
    with pytest.raises(ValueError, match=match):
        fitted.inverse_transform(np.zeros((2, n_codes + 1)))


@pytest.mark.parametrize("name", NAMES)
def test_not_fitted(name):
    estimator = build(name)
    for method in (
        "transform", "predict", "predict_proba", "predict_log_proba", "reconstruct",
        "gibbs", "free_energy", "score_samples", "inverse_transform",
    ):  # fmt: skip
        if hasattr(estimator, method):
            with pytest.raises(
                NotFittedError, match=f"This {name} instance is not fitted yet"
            ):
                getattr(estimator, method)(X)
    with pytest.raises(NotFittedError, match=f"This {name} instance is not fitted yet"):
        estimator.score(X, y)
    with pytest.raises(NotFittedError):
        estimator.get_feature_names_out()


def test_sampling():
    rbm = small_rbm()
    with pytest.raises(NotFittedError, match="This RBM instance is not fitted yet"):
        rbm.sample()
    rbm.fit(X)
    for call, match in [
        (lambda: rbm.gibbs(X, n_steps=0), "n_steps == 0, must be >= 1"),
        (lambda: rbm.sample(n_steps=-1), "n_steps == -1, must be >= 1"),
        (lambda: rbm.sample(0), "n_samples == 0, must be >= 1"),
        (lambda: rbm.sample(3, X_init=X), "X_init has 30 rows, but n_samples=3"),
        (lambda: rbm.sample(X_init=X[:, :2]), "X has 2 features, but RBM is expecting 4"),
        (lambda: rbm.sample(X_init=X * np.nan), "contains NaN"),
        (lambda: rbm.sample(X_init=X[0]), "Expected 2D array, got 1D array"),
    ]:
        with pytest.raises(ValueError, match=match):
            call()
    for call in (lambda: rbm.gibbs(X, n_steps=1.5), lambda: rbm.sample(2.0)):
        with pytest.raises(TypeError, match="must be an instance of int"):
            call()


# -- y ----------------------------------------------------------------------------------
BAD_Y = {
    "missing": (None, "requires y to be passed|y cannot be None"),
    "one class": (np.ones(30, int), "needs at least 2 classes in y, got 1 class"),
    "one class of strings": (np.full(30, "a"), "got 1 class: .*a"),
    "too short": (y[:-1], "inconsistent numbers of samples: \\[30, 29\\]"),
    "continuous": (np.linspace(0, 1, 30), "Unknown label type: continuous"),
    "NaN": (np.where(y == 1, np.nan, 0.0), "NaN"),
    "several outputs": (
        np.tile(y[:, None] + 2, 3),
        r"one label a row or .*, got .*\(30, 3\)",
    ),
    "continuous outputs": (X[:, :2], "Unknown label type: continuous-multioutput"),
    "mixed types": (np.array([1, "a"] * 15, dtype=object), "label type|[Uu]nknown|mix"),
}


@pytest.mark.parametrize("case", BAD_Y)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bad_y(name, case):
    bad, match = BAD_Y[case]
    assert_refuses(build(name), X, bad, (ValueError, TypeError), match)


BAD_NUMBERS = {
    "missing": (None, "requires y to be passed|y cannot be None"),
    "too short": (y[:-1], "inconsistent numbers of samples: \\[30, 29\\]"),
    "NaN": (np.where(y == 1, np.nan, 0.0), "NaN"),
    "strings": (np.full(30, "a"), "could not convert string to float"),
    "too large": (y * 1e300, "too large for dtype='float32', up to 1e\\+300"),
}


@pytest.mark.parametrize("case", BAD_NUMBERS)
@pytest.mark.parametrize("name", REGRESSORS)
def test_bad_numbers(name, case):
    bad, match = BAD_NUMBERS[case]
    assert_refuses(build(name), X, bad, (ValueError, TypeError), match)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_new_classes_in_a_warm_start(name):
    fitted = build(name, warm_start=True).fit(X, y)
    before = fitted.predict_proba(X)
    with pytest.raises(ValueError, match=r"y holds \[2\], which are not among the classes"):
        fitted.fit(X, np.arange(30) % 3)
    np.testing.assert_array_equal(fitted.predict_proba(X), before)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_early_stopping_with_too_few_rows(name):
    X, y = np.eye(4), np.array([0, 0, 0, 1])
    estimator = build(name, early_stopping=True)
    match = "early_stopping=True cannot hold out validation_fraction=0.1 of 4 rows"
    assert_refuses(estimator, X, y, ValueError, match)


# -- data that are odd but allowed ------------------------------------------------------
ODD = {
    "zeros": np.zeros((30, 4)),
    "ones": np.ones((30, 4)),
    "a constant column": np.where(np.arange(4) == 1, 0.3, X),
    "one row": X[:1],
    "one column": X[:, :1],
    "two rows": X[:2],
    "equal rows": np.tile(X[0], (30, 1)),
    "denormal numbers": X * 1e-310,
    "an empty sparse matrix": sparse.csr_array((30, 4)),
}


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("visible", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("name", NAMES)
def test_odd_data(name, visible, case):
    odd = ODD[case]
    if name in CLASSIFIERS and odd.shape[0] == 1:
        with pytest.raises(ValueError, match="needs at least 2 classes in y, got 1 class"):
            build(name, visible=visible).fit(odd, y[:1])
        return
    fitted = build(name, visible=visible).fit(odd, y[: odd.shape[0]])
    assert_finite(fitted, odd)
    if name not in REGRESSORS or odd.shape[0] > 1:  # R^2 needs two rows
        assert np.isfinite(fitted.score(odd, y[: odd.shape[0]]))


@pytest.mark.parametrize("name", NAMES)
def test_more_units_than_rows(name):
    wide = {"n_components": 300} if name == "RBM" else {"hidden_layer_sizes": (300, 200)}
    fitted = build(name, **wide).fit(X[:5], y[:5])
    assert_finite(fitted, X)
    large = build(name)
    names = [p for p in large.get_params() if p.endswith("batch_size")]
    large.set_params(**dict.fromkeys(names, 1000))
    assert_finite(large.fit(X, y), X)


# -- the range of binary units ----------------------------------------------------------
def out_of_range(kind):
    bad = X.copy()
    if kind == "uint8":
        bad = (bad * 255).astype(np.uint8)
        bad[:, :2] = bad[:, :2] > 9
        bad[0, 2], bad[1, 2] = 0, 255
        return bad
    bad[:, 2] = np.linspace(0.5, 3.5, 30)
    if kind == "negative":
        bad[:, 2] = np.linspace(-2.0, 0.5, 30)
    if kind == "float32":
        return bad.astype(np.float32)
    if kind == "DataFrame":
        return pd.DataFrame(bad, columns=["length", "width", "mass", "age"])
    if kind in ("csr", "csc"):
        bad[0] = 0
        return sparse.csr_array(bad) if kind == "csr" else sparse.csc_array(bad)
    return bad


RANGES = {
    "dense": r"1 of 4 columns are outside: the first, column 2, ranges from 0.5 to 3.5",
    "negative": r"1 of 4 columns .* column 2, ranges from -2 to 0.5",
    "float32": r"1 of 4 columns .* column 2, ranges from 0.5 to 3.5",
    "DataFrame": r"1 of 4 columns .* column 2 \('mass'\), ranges from 0.5 to 3.5",
    "csr": r"1 of 4 columns .* column 2, ranges from 0 to 3.5",
    "csc": r"1 of 4 columns .* column 2, ranges from 0 to 3.5",
    "uint8": r"2 of 4 columns .* column 2, ranges from 0 to 255",
}
ADVICE = r".*MinMaxScaler.*divide by 255.*visible='gaussian' on standardised data"


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("name", WITH_RBM)
def test_data_outside_the_range_of_binary_units(name, kind):
    match = "Bernoulli visible units need data in .0, 1., but " + RANGES[kind] + ADVICE
    assert_refuses(build(name), out_of_range(kind), y, ValueError, match)


@pytest.mark.parametrize("kind", RANGES)
def test_partial_fit_outside_the_range(kind):
    bad, rbm = out_of_range(kind), small_rbm()
    with pytest.raises(ValueError, match=RANGES[kind] + ADVICE):
        rbm.partial_fit(bad)
    with pytest.raises(NotFittedError):
        rbm.transform(X)
    good = pd.DataFrame(X, columns=bad.columns) if kind == "DataFrame" else X
    rbm.partial_fit(good)
    before = rbm.transform(good)
    with pytest.raises(ValueError, match=RANGES[kind] + ADVICE):
        rbm.partial_fit(bad)
    np.testing.assert_array_equal(rbm.transform(good), before)


@pytest.mark.parametrize("name", WITH_RBM)
def test_a_failed_fit_to_other_columns_leaves_the_old_one(name):
    fitted = build(name).fit(X, y)
    before = fitted.transform(X)
    frame = pd.DataFrame(np.hstack([X, 3 + X]), columns=list("abcdefgh"))
    with pytest.raises(ValueError, match=r"column 4 \('e'\), ranges from 3"):
        fitted.fit(frame, y)
    np.testing.assert_array_equal(fitted.transform(X), before)


# -- parameters -------------------------------------------------------------------------
# Names and values that are wrong wherever they come.
SHARED = {
    "alpha": [-0.1, "a", np.nan, None],
    "batch_size": [0, -1, 2.5, "automatic", None],
    "max_iter": [0, -1, 1.5, None],
    "learning_rate": [0, -0.1, "invscaling", None],
    "shuffle": ["yes", 2, None],
    "warm_start": ["yes", 2, None],
    "dtype": ["float16", np.int64, "int", None],
    "verbose": [-1, "loud"],
    "random_state": [-1, "seed", 0.5],
}
INVALID = {
    "RBM": {
        **SHARED,
        "n_components": [0, -3, 2.5, "many", None],
        "visible": ["gauss", 3, None, Ramp()],
        "hidden": ["relu6", 3, None, CD()],
        "sampler": ["pcd9", 1, None, CD],
        "momentum": [1.0, -0.1, "nesterov", None],
        "l1_ratio": [-0.1, 1.1, "a", None],
        "max_norm": [0, -1.0, "a"],
        "clip_norm": [0, -1.0, "a"],
        "sparsity": [0.1, "sparse"],
        "center": ["yes", 2, None],
        "average": [0, -1.0, "mean"],
        "early_stopping": ["yes", None],
        "validation_fraction": [0.0, 1.0, "half", None],
        "n_iter_no_change": [0, 1.5, None],
        "tol": [-1e-3, "small", None],
        "back_off": ["yes", 2, None],
        "likelihood": ["exactly", 3, None, Adam()],
    },
    "StackedRBM": {
        "hidden_layer_sizes": ["abc", None],
        "rbm": ["rbm", 3, MLPClassifier(), RBM],
        "verbose": SHARED["verbose"],
        "random_state": SHARED["random_state"],
    },
}
_network = {
    **SHARED,
    "hidden_layer_sizes": ["abc", None],
    "solver": ["newton", None, Adam, CD()],
    "l1_ratio": [-0.1, 1.1, None],
    "max_norm": [0, -1, "a"],
    "dropout": [1.0, -0.1, None],
    "input_dropout": [1.0, -0.1, None],
    "input_noise": [-0.1, None],
    "tol": [-1e-3, "small"],
    "n_iter_no_change": [0, 1.5, None],
    "early_stopping": ["yes", None],
    "validation_fraction": [0.0, 1.0, "half", None],
}
_head = {"head_max_iter": [-1, 1.5, None]}
_start = {"activation": ["sigmoid", None, 1], "init": ["random", 3, MLPClassifier()]}
_rbm = {"rbm": ["rbm", 3, StackedRBM(), RBM]}
_classes = {
    **_network,
    **_head,
    "loss": ["hinge", None, "poisson"],
    "class_weight": ["even", 3],
}
_numbers = {**_network, **_head, "loss": ["absolute_error", None]}
INVALID["MLPClassifier"] = {**_classes, **_start}
INVALID["DBNClassifier"] = {**_classes, **_rbm}
INVALID["MLPRegressor"] = {**_numbers, **_start}
INVALID["DBNRegressor"] = {**_numbers, **_rbm}
INVALID["DBNAutoencoder"] = {
    **_network,
    **_rbm,
    "code": ["linear", 2],
    "pretrain": ["no", None],
    "loss": ["absolute_error", 1],
}


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, parameter) for name, table in INVALID.items() for parameter in table],
)
def test_invalid_parameters(name, parameter):
    for value in INVALID[name][parameter]:
        match = f"The '{parameter}' parameter of {name} must be"
        estimator = build(name)
        # Not set_params: the parameters of an object that is replaced go with it.
        setattr(estimator, parameter, value)
        with pytest.raises(InvalidParameterError, match=match):
            estimator.fit(X, y)
        with pytest.raises(NotFittedError):
            estimator.transform(X)


def test_every_parameter_is_tried():
    for name, table in INVALID.items():
        assert table.keys() == build(name).get_params(deep=False).keys()


OBJECTS = [
    ("RBM", {"sampler": CD(n_steps=0)}, "n_steps", "CD"),
    ("RBM", {"sampler": CD(n_steps=1.5)}, "n_steps", "CD"),
    ("RBM", {"momentum": Ramp(start=-1)}, "start", "Ramp"),
    ("RBM", {"learning_rate": Ramp(stop="a")}, "stop", "Ramp"),
    ("RBM", {"learning_rate": Ramp(n_epochs=-1)}, "n_epochs", "Ramp"),
    ("StackedRBM", {"rbm": RBM(sampler=CD(0))}, "n_steps", "CD"),
    ("StackedRBM", {"rbm": RBM(alpha=-1)}, "alpha", "RBM"),
    ("StackedRBM", {"rbm": [RBM(max_iter=1), RBM(max_iter=0)]}, "max_iter", "RBM"),
    ("MLPClassifier", {"solver": Adam(beta_1=2)}, "beta_1", "Adam"),
    ("MLPClassifier", {"solver": Adam(beta_2=1.0)}, "beta_2", "Adam"),
    ("MLPClassifier", {"solver": Adam(epsilon=0)}, "epsilon", "Adam"),
    ("MLPClassifier", {"solver": SGD(momentum=1.0)}, "momentum", "SGD"),
    ("MLPClassifier", {"solver": SGD(nesterov="no")}, "nesterov", "SGD"),
    ("MLPClassifier", {"solver": SGD(momentum=Ramp(start=-1))}, "start", "Ramp"),
    ("MLPClassifier", {"solver": LBFGS(n_corrections=0)}, "n_corrections", "LBFGS"),
    ("MLPClassifier", {"learning_rate": Ramp(start=-1)}, "start", "Ramp"),
    ("DBNClassifier", {"rbm": RBM(sampler=CD(0))}, "n_steps", "CD"),
    ("DBNClassifier", {"rbm": RBM(momentum=2)}, "momentum", "RBM"),
    ("DBNClassifier", {"solver": Adam(beta_1=2)}, "beta_1", "Adam"),
    ("DBNClassifier", {"learning_rate": Ramp(start=-1)}, "start", "Ramp"),
    ("MLPClassifier", {"activation": LeakyReLU(-1)}, "slope", "LeakyReLU"),
    ("MLPClassifier", {"solver": Clipped(Adam(), 0)}, "clip_norm", "Clipped"),
    ("MLPClassifier", {"solver": Clipped(LBFGS())}, "optimizer", "Clipped"),
    ("MLPClassifier", {"solver": Averaged(Adam(epsilon=0))}, "epsilon", "Adam"),
    ("MLPClassifier", {"solver": Averaged(Adam(), decay=1)}, "decay", "Averaged"),
    ("MLPRegressor", {"loss": SquaredError("sigmoid")}, "activation", "SquaredError"),
    ("DBNAutoencoder", {"solver": LBFGS(max_fun=0)}, "max_fun", "LBFGS"),
    ("DBNAutoencoder", {"rbm": [RBM(), RBM(batch_size=0)]}, "batch_size", "RBM"),
]


@pytest.mark.parametrize(("name", "params", "parameter", "owner"), OBJECTS)
def test_invalid_parameters_of_objects(name, params, parameter, owner):
    match = f"The '{parameter}' parameter of {owner} must be"
    estimator = build(name)
    for key, value in params.items():
        setattr(estimator, key, value)
    with pytest.raises(InvalidParameterError, match=match):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.transform(X)
    # and where there was a fit before, that one stays
    fitted = build(name).fit(X, y)
    before = fitted.transform(X)
    for key, value in params.items():
        setattr(fitted, key, value)
    with pytest.raises(InvalidParameterError, match=match):
        fitted.fit(X, y)
    np.testing.assert_array_equal(fitted.transform(X), before)


@pytest.mark.parametrize(
    "sizes", [(), (0,), (3, -1), (2.5,), ("a",), [[2, 3]], True, (True,)]
)
@pytest.mark.parametrize("name", WITH_LAYERS)
def test_hidden_layer_sizes(name, sizes):
    estimator = build(name, hidden_layer_sizes=sizes)
    with pytest.raises(ValueError, match=r"hidden_layer_sizes.* must be"):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.transform(X)


@pytest.mark.parametrize("sizes", [3, [3], np.array([3, 2]), (np.int64(3),), range(2, 4)])
@pytest.mark.parametrize("name", WITH_LAYERS)
def test_hidden_layer_sizes_that_are_fine(name, sizes):
    fitted = build(name, hidden_layer_sizes=sizes).fit(X, y)
    assert fitted.transform(X).shape == (30, np.ravel(sizes)[-1])


@pytest.mark.parametrize("name", ["StackedRBM", *PRETRAINED])
@pytest.mark.parametrize(
    ("rbm", "error", "match"),
    [
        ([RBM()], ValueError, "rbm is a list of 1, but hidden_layer_sizes has 2 layers"),
        (
            [RBM()] * 3,
            ValueError,
            "rbm is a list of 3, but hidden_layer_sizes has 2 layers",
        ),
        ([], ValueError, "rbm is a list of 0, but hidden_layer_sizes has 2 layers"),
        ([RBM(), "rbm"], TypeError, "rbm must be RBM objects, got 'rbm'"),
        ([RBM(), None], TypeError, "rbm must be RBM objects, got None"),
        ((StackedRBM(), RBM()), TypeError, "rbm must be RBM objects, got StackedRBM"),
        ([RBM, RBM], TypeError, "rbm must be RBM objects, got <class"),
    ],
    ids=str,
)
def test_lists_of_rbms(name, rbm, error, match):
    estimator = build(name)
    estimator.rbm = rbm
    with pytest.raises(error, match=match):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.transform(X)


def test_frozen_where_it_does_not_belong():
    frozen = FrozenEstimator(build("StackedRBM").fit(X))
    with pytest.raises(InvalidParameterError, match="The 'rbm' parameter of StackedRBM"):
        StackedRBM((4, 3), rbm=frozen).fit(X)


def test_slices_of_a_stack():
    stack = build("StackedRBM")
    with pytest.raises(NotFittedError, match="This StackedRBM instance is not fitted yet"):
        stack[0]
    stack.fit(X)
    assert len(stack) == len(stack[:]) == 2
    assert stack[-1] is stack.rbms_[1]
    assert [rbm.n_components for rbm in stack] == [4, 3]
    for layers in (
        slice(0, 0),
        slice(2, None),
        slice(None, None, 2),
        slice(None, None, -1),
    ):
        with pytest.raises(
            ValueError, match=r"of 2 layers can be sliced to .* stack\[:2\]"
        ):
            stack[layers]
    with pytest.raises(IndexError):
        stack[2]
    with pytest.raises(TypeError):
        stack["first"]


# -- divergence -------------------------------------------------------------------------
STANDARD = rng.standard_normal((200, 10)) * 3
TOO_FAST = {
    "Gaussian visible units": (RBM(20, visible="gaussian", learning_rate=1.0), "RBM"),
    "two Gaussian sides": (
        RBM(20, visible="gaussian", hidden="gaussian", learning_rate=1.0),
        "RBM",
    ),
    "a stack": (
        StackedRBM((20, 5), rbm=RBM(visible="gaussian", learning_rate=10.0)),
        "RBM",
    ),
    "the RBM of a classifier": (
        DBNClassifier((20,), rbm=RBM(visible="gaussian", learning_rate=10.0)),
        "RBM",
    ),
    "sgd": (MLPClassifier((20, 20), solver="sgd", learning_rate=1e6), "MLPClassifier"),
    "sgd of a classifier": (
        DBNClassifier(
            (20,), rbm=RBM(visible="gaussian", hidden="gaussian", max_iter=1),
            solver="sgd", learning_rate=1e9,
        ),
        "DBNClassifier",
    ),
    "sgd of an autoencoder": (
        DBNAutoencoder(
            (20, 5), rbm=RBM(visible="gaussian", max_iter=1),
            solver="sgd", learning_rate=1e6,
        ),
        "DBNAutoencoder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_FAST)
def test_divergence(case):
    estimator, owner = TOO_FAST[case]
    estimator = clone(estimator).set_params(random_state=0)
    labels = np.arange(200) % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(STANDARD, labels)
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert {w.category for w in caught} == {ConvergenceWarning}
    assert any(
        re.match(rf"{owner}( \d+-\d+)?: training diverged in epoch ", m)
        and "Use a learning_rate below" in m
        for m in messages
    )
    assert_finite(estimator, STANDARD)
    assert np.isfinite(estimator.score(STANDARD, labels))


def test_a_diverged_rbm_goes_on_with_a_smaller_rate():
    rbm = RBM(20, visible="gaussian", learning_rate=100.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="such as 10"):
        rbm.partial_fit(STANDARD)
    rbm.set_params(learning_rate=1e-3).partial_fit(STANDARD)
    assert_finite(rbm, STANDARD)
    assert rbm.n_iter_ >= 1
    assert np.isfinite(rbm.reconstruction_errors_).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e30, 1e200])
def test_very_large_values(name, scale):
    """float64 data that are infinite, or whose square is, in float32."""
    estimator = build(name, visible="gaussian")
    large = scale * (X - 0.5)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(large, y)
        except ValueError as error:
            assert str(error)  # noqa: PT017
            with pytest.raises(NotFittedError):
                estimator.transform(X)
            return
    assert {w.category for w in caught} <= {ConvergenceWarning}
    diverged = any("check that the data are scaled" in str(w.message) for w in caught)
    assert diverged or len(estimator.loss_curve_) == estimator.max_iter
    assert_finite(estimator, X)


@pytest.mark.parametrize("name", NAMES)
@given(
    table=hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
    ),
    visible=st.sampled_from(["gaussian", "bernoulli"]),
)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_any_finite_table_is_fitted_or_refused(name, table, visible):
    estimator = build(name, visible=visible)
    labels = np.arange(len(table)) % 2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator.fit(table, labels)
        except ValueError:
            with pytest.raises(NotFittedError):
                estimator.transform(table)
            return
    assert {w.category for w in caught} <= {ConvergenceWarning}
    for array in arrays(estimator):
        assert np.isfinite(array).all()
    try:
        transformed = estimator.transform(table)
    except ValueError as error:
        assert "is not finite" in str(error)  # noqa: PT017
        assert np.abs(table).max() > 1e30
    else:
        assert np.isfinite(transformed).all()


# -- found in review: each of these was accepted, or broke something, before -------------
@pytest.mark.parametrize("name", ["DBNAutoencoder", "DBNClassifier"])
def test_data_outside_the_range_of_a_frozen_stack(name):
    stack = build("StackedRBM", hidden_layer_sizes=build(name).hidden_layer_sizes).fit(X)
    with pytest.raises(ValueError, match="Bernoulli visible units need data in"):
        build(name, rbm=FrozenEstimator(stack)).fit(16 * X, y)


@pytest.mark.parametrize("name", ["DBNAutoencoder", "DBNClassifier"])
def test_data_outside_the_range_at_a_warm_start(name):
    estimator = build(name, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="Bernoulli visible units need data in"):
        estimator.fit(16 * X, y)


@pytest.mark.parametrize(
    "change", [{"hidden_layer_sizes": (5,)}, {"rbm__hidden": "gaussian"}]
)
@pytest.mark.parametrize("name", ["DBNAutoencoder", "DBNClassifier"])
def test_a_network_does_not_change_with_the_stack_it_came_from(name, change):
    sizes = build(name).hidden_layer_sizes
    stack = build("StackedRBM", hidden_layer_sizes=sizes).fit(X)
    estimator = build(name, rbm=FrozenEstimator(stack)).fit(X, y)
    before = estimator.transform(X)
    stack.set_params(**change).fit(X)
    np.testing.assert_array_equal(estimator.transform(X), before)


def test_a_fitted_rbm_does_not_change_with_its_parameters():
    rbm = build("RBM").fit(X)
    before = rbm.transform(X)
    np.testing.assert_array_equal(rbm.set_params(hidden="gaussian").transform(X), before)


def test_the_code_of_a_frozen_stack():
    sizes = build("DBNAutoencoder").hidden_layer_sizes
    frozen = FrozenEstimator(build("StackedRBM", hidden_layer_sizes=sizes).fit(X))
    with pytest.raises(ValueError, match="code='gaussian', but the topmost RBM"):
        build("DBNAutoencoder", rbm=frozen, code="gaussian").fit(X)
    code = build("DBNAutoencoder", rbm=frozen, code="bernoulli").fit(X).transform(X)
    assert code.min() > 0
    assert code.max() < 1


def test_the_code_of_a_list_of_rbms_is_its_own():
    rbms = [RBM(max_iter=1), RBM(max_iter=1, hidden="bernoulli")]
    estimator = build("DBNAutoencoder", rbm=rbms).fit(X)
    assert estimator.transform(X).min() > 0
    assert build("DBNAutoencoder").fit(X).stack_[-1].hidden == "gaussian"


@pytest.mark.parametrize("name", NETWORKS)
def test_warm_start_with_other_sizes(name):
    estimator = build(name, warm_start=True).fit(X, y)
    estimator.set_params(hidden_layer_sizes=(3, 2, 2))
    with pytest.raises(ValueError, match="warm_start=True needs the hidden_layer_sizes"):
        estimator.fit(X, y)


@pytest.mark.parametrize("name", NETWORKS)
def test_warm_start_with_another_loss(name):
    estimator = build(name, warm_start=True).fit(X, y)
    before = [c.copy() for c in estimator.coefs_]
    loss = "binary_log_loss" if "Classifier" in name else SquaredError("logistic")
    estimator.set_params(loss=loss)
    with pytest.raises(ValueError, match="warm_start=True needs the loss of the previous"):
        estimator.fit(X, y)
    np.testing.assert_array_equal(estimator.coefs_[0], before[0])
    estimator.set_params(warm_start=False).fit(X, y)
    assert estimator.out_activation_ == "logistic"


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_warm_start_from_another_start(name):
    estimator = build(name, warm_start=True, activation=LeakyReLU()).fit(X, y)
    assert estimator.fit(X, y).n_iter_ == 3
    init = ([c.copy() for c in estimator.coefs_], estimator.intercepts_)
    for change, match in (
        ({"activation__slope": 0.5}, r"activation of the .*: LeakyReLU\(\), got .*0\.5"),
        ({"activation": LeakyReLU(), "init": init}, "init is another object"),
    ):
        estimator.set_params(**change)
        for method in (estimator.fit, estimator.partial_fit):
            with pytest.raises(ValueError, match=match):
                method(X, y)
    estimator.set_params(warm_start=False).fit(X, y)
    estimator.set_params(warm_start=True).fit(X, y)
    estimator.set_params(init=None).fit(X, y)  # which a warm start does not need


@pytest.mark.parametrize(
    "estimator",
    [
        build("MLPClassifier", activation=LeakyReLU()),
        build("DBNAutoencoder", loss=SquaredError()),
        build("RBM", visible=Gaussian()),
    ],
    ids=["MLPClassifier", "DBNAutoencoder", "RBM"],
)
def test_warm_start_after_another_way_to_print(estimator):
    estimator.set_params(warm_start=True, random_state=0).fit(X, y)
    expected = deepcopy(estimator).fit(X, y).partial_fit(X, y).transform(X)
    with config_context(print_changed_only=False):
        estimator.fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(estimator.transform(X), expected)


@pytest.mark.parametrize(
    ("estimator", "where"),
    [
        (MLPClassifier((80,), activation=activations.Softmax((2,) * 40)), "activation"),
        (RBM(80, hidden=units.Softmax((2,) * 40)), "hidden"),
    ],
    ids=["MLPClassifier", "RBM"],
)
def test_warm_start_sees_what_is_too_long_to_print(estimator, where):
    estimator.set_params(max_iter=1, warm_start=True).fit(X, y).fit(X, y)
    estimator.set_params(**{f"{where}__sizes": [*(2,) * 40]}).fit(X, y)
    estimator.set_params(**{f"{where}__sizes": (*(2,) * 38, 3, 1)})
    with pytest.raises(ValueError, match="warm_start=False to start anew"):
        estimator.fit(X, y)


@pytest.mark.parametrize("change", [{"n_components": 9}, {"hidden": "gaussian"}])
def test_warm_start_of_an_rbm_with_other_units(change):
    rbm = build("RBM", warm_start=True).fit(X).set_params(**change)
    for method in (rbm.fit, rbm.partial_fit):
        with pytest.raises(ValueError, match="cannot go on with"):
            method(X)


def test_warm_start_in_another_precision():
    rbm = build("RBM", warm_start=True).fit(X).set_params(dtype="float64")
    assert rbm.fit(X).components_.dtype == np.float64


def test_a_partial_fit_that_fails_changes_nothing():
    class Failing:
        def setup(self, estimator, context):
            pass

        teardown = on_fit_task_begin = setup

        def on_fit_task_end(self, estimator, context):
            raise OSError("disk full")

    rbm, twin = (build("RBM", random_state=0).partial_fit(X) for _ in range(2))
    state = rbm.random_state_.get_state()
    with pytest.raises(OSError, match="disk full"):
        rbm.set_callbacks(Failing()).partial_fit(X)
    rbm.random_state_.set_state(state)
    rbm.set_callbacks().partial_fit(X)
    np.testing.assert_array_equal(rbm.components_, twin.partial_fit(X).components_)


def test_entries_of_one_cell_of_a_sparse_matrix_count_together():
    twice = sparse.csr_array((np.full(2, 0.7), np.zeros(2, int), [0, 2]), shape=(1, 3))
    with pytest.raises(ValueError, match=r"column 0, ranges from 1\.4 to 1\.4"):
        build("RBM").fit(twice)


def test_lbfgs_needs_no_held_out_rows():
    few = X[:6], np.array([0, 0, 0, 0, 0, 1])
    assert build("MLPClassifier", solver="lbfgs", early_stopping=True).fit(*few).coefs_


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_probabilities_of_sure_predictions_are_finite(dtype):
    mlp = build("MLPClassifier").fit(X, y)
    mlp.intercepts_[-1][:] = 40
    logs = mlp.predict_log_proba(X.astype(dtype))
    np.testing.assert_allclose(logs[:, 0], -40, atol=5)  # 1 - p would be rounded to zero
    np.testing.assert_array_equal(mlp.predict(X), 1)
