"""Models that are stored and read again: by skops, by other versions."""

import copy
import pickle
import re
import warnings

import joblib
import numpy as np
import pytest
import skops.io as sio
from _estimators import CLASSIFIERS, LABELS, NAMES, ROWS, build, small_rbm, target
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skops.io.exceptions import UntrustedTypesFoundException

from skdbn import RBM, MLPClassifier, StackedRBM, _versioned
from skdbn._estimates import ESTIMATES
from skdbn.activations import ACTIVATIONS
from skdbn.losses import LOSSES
from skdbn.optimizers import SOLVERS, Adam, Averaged, Clipped
from skdbn.persistence import TRUSTED_TYPES, VersionWarning
from skdbn.regularization import Sparsity
from skdbn.samplers import SAMPLERS
from skdbn.schedules import SCHEDULES, Exponential, InverseTime, Ramp, Step
from skdbn.units import UNITS, Bernoulli, Gaussian, Softmax

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

LABELS_OF = {name: target(name) for name in NAMES}


def mlp(**params):
    return build("MLPClassifier", hidden_layer_sizes=(4,), max_iter=2, **params)


# Each with something that a fitted estimator may hold.
STORED = {
    **{name: build(name) for name in NAMES},
    **{f"visible {name}": small_rbm(visible=unit()) for name, unit in UNITS.items()},
    "a softmax of hidden units": small_rbm(hidden=Softmax(2)),
    "learned variances": small_rbm(visible=Gaussian("learned"), momentum=Ramp()),
    **{f"sampler {name}": small_rbm(sampler=kind()) for name, kind in SAMPLERS.items()},
    **{name: small_rbm(likelihood=kind()) for name, kind in ESTIMATES.items()},
    "sparsity": small_rbm(sparsity=Sparsity(0.1), average=2.0, learning_rate=Step(0.1)),
    **{f"solver {name}": mlp(solver=kind()) for name, kind in SOLVERS.items()},
    "clipped": mlp(solver=Clipped(Adam())),
    "averaged": mlp(solver=Averaged(Adam()), dropout=0.1),
    **{name: mlp(activation=kind()) for name, kind in ACTIVATIONS.items()},
    "rates": mlp(learning_rate=[Exponential(0.1), 0]),
    "a state of random numbers": mlp(random_state=np.random.RandomState(0)),
    "another rate": mlp(learning_rate=InverseTime(0.1), dtype=np.float64),
    "weights of classes": mlp(class_weight={0: 1, 1: 2, 2: 0.5}),
    "a loss": build("MLPRegressor", loss=LOSSES["poisson"]()),
    "a list of RBMs": StackedRBM((4, 3), rbm=[small_rbm(), small_rbm(hidden="gaussian")]),
    "a frozen stack": mlp(
        init=FrozenEstimator(StackedRBM((4,), rbm=small_rbm()).fit(ROWS))
    ),
}
ONE_HOT = np.eye(5)[np.arange(60) % 5]


def data_for(estimator):
    """Rows and targets that an estimator takes."""
    visible = getattr(estimator, "visible", None)
    X = ONE_HOT if isinstance(visible, UNITS["softmax"]) else ROWS
    return X, LABELS_OF[type(estimator).__name__]


def refit(estimator, X, y):
    """Go on with a fitted estimator, where it can, else fit it again."""
    if hasattr(estimator, "partial_fit"):
        return estimator.partial_fit(X, y)
    return estimator.fit(X, y)


def without_addresses(estimator):
    """The repr, but for where a RandomState lies in memory."""
    return re.sub("0x[0-9A-F]+", "", repr(estimator))


@pytest.mark.parametrize("case", STORED)
def test_skops(case):
    """The same object, from nothing but trusted types, which goes on as the first one."""
    estimator = clone(STORED[case])
    X, y = data_for(estimator)
    known = {"classes": np.unique(y)} if type(estimator).__name__ in CLASSIFIERS else {}
    if hasattr(estimator, "partial_fit"):  # which keeps more than fit does
        estimator.partial_fit(X, y, **known)
    else:
        estimator.fit(X, y)
    stored = sio.dumps(estimator)
    assert set(sio.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    loaded = sio.loads(stored, trusted=TRUSTED_TYPES)
    assert without_addresses(loaded) == without_addresses(estimator)
    assert vars(loaded).keys() == vars(estimator).keys()
    np.testing.assert_array_equal(loaded.transform(X), estimator.transform(X))
    again = [refit(model, X, y).transform(X) for model in (estimator, loaded)]
    np.testing.assert_array_equal(*again)


def test_skops_in_a_pipeline(tmp_path):
    pipeline = make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier"))
    pipeline.fit(ROWS, LABELS)
    sio.dump(pipeline, tmp_path / "model.skops")
    loaded = sio.load(tmp_path / "model.skops", trusted=TRUSTED_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(ROWS), pipeline.predict_proba(ROWS))


@pytest.mark.parametrize(
    "registry", [UNITS, SAMPLERS, SOLVERS, SCHEDULES, ACTIVATIONS, LOSSES, ESTIMATES]
)
def test_all_that_has_a_name_is_trusted(registry):
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in registry.values()}
    assert names <= set(TRUSTED_TYPES)


class OwnUnit(Bernoulli):
    """A unit of somebody else."""


def test_types_of_others_are_not_trusted():
    rbm = small_rbm(visible=OwnUnit()).fit(ROWS)
    stored = sio.dumps(rbm)
    own = f"{OwnUnit.__module__}.OwnUnit"
    with pytest.raises(UntrustedTypesFoundException, match="OwnUnit"):
        sio.loads(stored, trusted=TRUSTED_TYPES)
    loaded = sio.loads(stored, trusted=[*TRUSTED_TYPES, own])
    np.testing.assert_array_equal(loaded.transform(ROWS), rbm.transform(ROWS))
    assert all(name.startswith("skdbn.") for name in TRUSTED_TYPES)


# -- other versions ---------------------------------------------------------------------
STORES = {
    "pickle": (pickle.dumps, pickle.loads),
    "skops": (sio.dumps, lambda stored: sio.loads(stored, trusted=TRUSTED_TYPES)),
}


@pytest.mark.parametrize("how", STORES)
@pytest.mark.parametrize("name", ["RBM", "MLPClassifier"])
def test_a_model_of_another_version(name, how, monkeypatch):
    dump, load = STORES[how]
    fitted = build(name).fit(ROWS, LABELS)
    with monkeypatch.context() as past:
        past.setattr(_versioned, "__version__", "0.0.9")
        stored = dump(fitted)
    match = r"was stored by skdbn 0\.0\.9 and is loaded by skdbn .* Fit the model again"
    with pytest.warns(InconsistentVersionWarning, match=match) as caught:
        loaded = load(stored)
    assert {w.category for w in caught} == {VersionWarning}
    assert {w.message.name for w in caught} > {name}  # and the parts of it
    np.testing.assert_array_equal(loaded.transform(ROWS), fitted.transform(ROWS))
    with warnings.catch_warnings():
        warnings.simplefilter("error", VersionWarning)
        with pytest.raises(VersionWarning, match=r"skdbn==0\.0\.9"):
            load(stored)


def test_a_model_of_no_version():
    rbm = RBM()
    state = rbm.__getstate__()
    del state["_skdbn_version"]
    with pytest.warns(VersionWarning, match="stored by skdbn an unknown version"):
        rbm.__setstate__(state)


def test_the_same_version_says_nothing(tmp_path):
    fitted = build("DBNClassifier").fit(ROWS, LABELS)
    joblib.dump(fitted, tmp_path / "model")
    for same in (copy.copy, copy.deepcopy, lambda _: joblib.load(tmp_path / "model")):
        assert vars(same(fitted)).keys() == vars(fitted).keys()


def test_a_class_derived_from_ours_knows_the_version():
    state = OwnUnit().__getstate__()
    assert state == {"_skdbn_version": _versioned.__version__}
    assert "_sklearn_version" not in MLPClassifier().__getstate__()
