"""On Dask: searches on a cluster, blocks one after the other, and rounds side by side."""

import os
import pickle
import runpy
import signal
import sys
import warnings
from copy import deepcopy
from functools import partial
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
import pytest
from _estimators import CLASSIFIERS, SUPERVISED, build
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils._param_validation import InvalidParameterError

from skdbn import RBM, MLPClassifier, MLPRegressor
from skdbn.distributed import DataParallel
from skdbn.optimizers import SGD
from skdbn.samplers import Sampler

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

WITH_PARTIAL_FIT = ["RBM", *SUPERVISED]


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes of two threads each."""
    options = {"dashboard_address": ":0", "silence_logs": 50}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """The default client, all of whose workers are up."""
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2, timeout=60)
        # A search that runs in several threads may leave its filters behind.
        client.run(warnings.simplefilter, "default")
        yield client


@pytest.fixture(autouse=True)
def one_thread():
    """Where there is no cluster, tasks run in the calling thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def data():
    """Rows in seven blocks of unequal size, and what to learn of each."""
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(130, 5)).astype(np.float32)
    return X, (30, 10, 20, 20, 15, 25, 10)


def labels(name, X):
    y = X @ np.arange(5)
    return np.digitize(y, [4, 6]) if name in CLASSIFIERS else y


def blocks_of(X, chunks):
    return da.from_array(X, chunks=(chunks, *((n,) for n in X.shape[1:])))


def rows_of(chunks):
    """Which rows are in each block."""
    return [slice(*ends) for ends in pairwise(np.cumsum([0, *chunks]))]


def parameters(estimator):
    if isinstance(estimator, RBM):
        return [
            estimator.components_,
            estimator.intercept_hidden_,
            estimator.intercept_visible_,
        ]
    return [*estimator.coefs_, *estimator.intercepts_]


def assert_same(estimator, other, rtol=0):
    for a, b in zip(parameters(estimator), parameters(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


# -- one round ----------------------------------------------------------------------------
class MeanField(Sampler):
    """Contrastive divergence by means, which draws nothing."""

    def negative(self, energy, part):
        V, H = part.visible_model, part.hidden_model
        H[:] = part.hidden_data
        np.dot(H, energy.weights, out=V)
        energy.visible.mean(V, energy.visible_bias)
        energy.drive_hidden(V, H)
        energy.hidden.mean(H, energy.hidden_bias)


def plain_descent(name):
    """One step for each call, along the gradient of all rows of the call."""
    plain = {"learning_rate": 0.05, "shuffle": False, "batch_size": 1000}
    if name == "RBM":
        sampler = {"sampler": MeanField(), "momentum": 0.0, "alpha": 0.1}
        return RBM(4, dtype="float64", random_state=0, **plain, **sampler)
    precision = {
        p: "float64" for p in ("dtype", "rbm__dtype") if p in build(name).get_params()
    }
    # The penalty of a network is divided by the rows of a batch.
    return build(name, solver=SGD(momentum=0.0), alpha=0, **plain, **precision)


@pytest.mark.parametrize("name", WITH_PARTIAL_FIT)
def test_average_of_steps_on_blocks_is_a_step_on_all_rows(name, data):
    """As McMahan et al. (2017) say of one step for each client (section 2, FedSGD)."""
    X, chunks = data
    y = labels(name, X)
    dX, dy = blocks_of(X, chunks), blocks_of(y, chunks)
    model = DataParallel(plain_descent(name), len(chunks), n_rounds=1, random_state=0)
    model.fit(dX, dy)
    for _ in range(3):
        before = deepcopy(model.estimator_)
        model.partial_fit(dX, dy)
        after = deepcopy(before).partial_fit(X, y)
        assert_same(model.estimator_, after, rtol=1e-12)
        for a, b in zip(parameters(before), parameters(after), strict=True):
            assert np.abs(a - b).max() > 1e-6


def rounds_by_hand(estimator, X, y, chunks, n_copies, n_rounds, seed):
    """The same without Dask: what a copy does is one ``partial_fit`` after the other."""
    random_state = np.random.RandomState(seed)
    rows = rows_of(chunks)

    def average(copies):
        mean, next_seed = deepcopy(copies[0][0]), random_state.randint(2**31 - 1)
        forget(mean, next_seed)
        weights = [n for _, n in copies]
        columns = zip(*(parameters(copy) for copy, _ in copies), strict=True)
        for out, arrays in zip(parameters(mean), columns, strict=True):
            out[:] = np.average(arrays, axis=0, weights=weights)
        return mean

    def forget(model, seed):
        if isinstance(model, RBM):
            model.random_state_, model._training_state_ = np.random.RandomState(seed), None
        else:
            model._partial_state_ = np.random.RandomState(seed), None

    known = {"classes": np.unique(y)} if hasattr(estimator, "predict_proba") else {}
    first = clone(estimator).partial_fit(X[rows[0]], y[rows[0]], **known)
    mean = average([(first, chunks[0])])
    for _ in range(n_rounds):
        copies = []
        for share in np.split(np.arange(len(chunks)), [3]):
            copy = deepcopy(mean)
            forget(copy, random_state.randint(2**31 - 1))
            for i in share:
                copy.partial_fit(X[rows[i]], y[rows[i]])
            copies.append((copy, sum(chunks[i] for i in share)))
        mean = average(copies)
    return mean


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "cluster"])
@pytest.mark.parametrize("name", WITH_PARTIAL_FIT)
def test_same_numbers_on_any_scheduler(name, scheduler, data, request):
    X, chunks = data
    y = labels(name, X)
    estimator = build(name, batch_size=10)
    model = DataParallel(estimator, n_copies=2, n_rounds=3, random_state=5)
    expected = rounds_by_hand(estimator, X, y, chunks, 2, 3, seed=5)
    if scheduler == "cluster":
        request.getfixturevalue("client")
        scheduler = None
    with dask.config.set(scheduler=scheduler):
        model.fit(blocks_of(X, chunks), blocks_of(y, chunks))
    assert_same(model.estimator_, expected)
    assert model.n_rounds_ == 3
    assert model.estimator_.n_iter_ == expected.n_iter_ == 1 + 3 * 3
    assert all(array.flags.writeable for array in parameters(model.estimator_))
    assert clone(model).estimator is not model.estimator
    assert not hasattr(model.estimator, "n_features_in_")  # the prototype is left alone


def test_rounds_go_on_after_a_restart(data):
    X, chunks = data
    X = blocks_of(X, chunks)
    at_once = DataParallel(build("RBM"), 3, n_rounds=4, random_state=0).fit(X)
    by_rounds = DataParallel(build("RBM"), 3, n_rounds=2, random_state=0).fit(X)
    restarted = pickle.loads(pickle.dumps(by_rounds))
    for model in (by_rounds, restarted):
        assert_same(model.partial_fit(X).partial_fit(X).estimator_, at_once.estimator_)
        assert model.n_rounds_ == 4
    one = DataParallel(build("RBM"), 3, n_rounds=1, random_state=0)
    assert_same(clone(one).partial_fit(X).estimator_, one.fit(X).estimator_)


def test_blocks_without_rows_and_of_unknown_length(data):
    X, chunks = data
    some = np.repeat(
        np.arange(len(chunks)) != 4, chunks
    )  # all rows of block 4 are left out
    lazy = blocks_of(X, chunks)[da.from_array(some, chunks=(chunks,))]
    assert np.isnan(lazy.shape[0])
    model = DataParallel(build("RBM"), 2, n_rounds=2, random_state=0).fit(lazy)
    rows = [X[block] for block in rows_of(chunks)]
    rows[4] = rows[4][:0]
    expected = DataParallel(build("RBM"), 2, n_rounds=2, random_state=0)
    expected.fit(da.concatenate([da.from_array(block, chunks=-1) for block in rows]))
    assert_same(model.estimator_, expected.estimator_)
    assert model.transform(lazy).compute().shape == (some.sum(), 4)


@pytest.mark.parametrize("name", ["RBM", "MLPClassifier"])
def test_sparse_blocks(name, data):
    X, chunks = data
    X = np.where(X > 0.5, X, 0)
    y = blocks_of(labels(name, X), chunks)
    dense = blocks_of(X, chunks)
    model = DataParallel(build(name), 2, n_rounds=2, random_state=0)
    expected = clone(model).fit(dense, y)
    thin = dense.map_blocks(sparse.csr_array)
    assert_same(model.fit(thin, y).estimator_, expected.estimator_, rtol=1e-4)
    H = expected.transform(dense).compute()
    np.testing.assert_allclose(expected.transform(thin).compute(), H, rtol=1e-5)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def test_rounds_learn(digits):
    X, y = digits
    dX, dy = blocks_of(X[:1200], (150,) * 8), blocks_of(y[:1200], (150,) * 8)
    mlp = MLPClassifier((64,), learning_rate=0.01, batch_size=20)
    model = DataParallel(mlp, 4, n_rounds=10, random_state=0).fit(dX, dy)
    alone = clone(mlp).set_params(random_state=0)
    alone.partial_fit(X[:300], y[:300], classes=range(10))
    for _ in range(20):
        alone.partial_fit(X[:300], y[:300])
    accuracy = model.estimator_.score(X[1200:], y[1200:])
    assert accuracy > 0.9
    assert accuracy > alone.score(X[1200:], y[1200:]) + 0.02  # than a copy by itself


# -- a cluster ----------------------------------------------------------------------------
def dies_once(block, log, at):
    """A block; the process that loads one for the at-th time is killed."""
    with open(log, "a") as file:
        file.write(f"{os.getpid()}\n")
    with open(log) as file:
        pids = file.read().split()
    if len(pids) == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return block


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such kill on this system")
@pytest.mark.parametrize("name", ["RBM", "MLPClassifier"])
def test_a_worker_that_is_killed_in_a_round(name, data, client, tmp_path):
    X, chunks = data
    y = blocks_of(labels(name, X), chunks)
    X = blocks_of(X, chunks)
    model = DataParallel(build(name, batch_size=10), 2, n_rounds=3, random_state=0)
    expected = clone(model).fit(X, y).estimator_
    log = tmp_path / "loads"
    # The first block once more, then seven a round: the 12th is in the second half of one.
    dying = X.map_blocks(partial(dies_once, log=log, at=12), dtype=X.dtype, meta=X._meta)
    assert_same(model.fit(dying, y).estimator_, expected)
    pids = log.read_text().split()
    assert len(pids) > 1 + 3 * len(chunks)  # blocks were loaded again
    assert pids[11] not in {str(pid) for pid in client.run(os.getpid).values()}


def peak_memory():
    """The largest memory of this process so far, in MB."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_a_worker_holds_a_block_at_a_time(client):
    rbm = RBM(1, batch_size=500, random_state=0)
    few = da.full((20, 10), 0.5, chunks=(10, 10), dtype=np.float32)
    DataParallel(rbm, 2, n_rounds=1).fit(few)
    before = client.run(peak_memory)
    X = da.full((15_000, 8000), 0.5, chunks=(625, 8000), dtype=np.float32)
    X = X.map_blocks(np.array, dtype=X.dtype)  # 24 blocks of 20 MB, 480 MB in all
    DataParallel(rbm, 2, n_rounds=1).fit(X)
    grown = [after - before[worker] for worker, after in client.run(peak_memory).items()]
    # Two blocks for each copy, one of them ahead, and one that is made; not half of all.
    assert max(grown) < 170, grown  # MB


def score_and_process(estimator, X, y):
    return {"accuracy": estimator.score(X, y), "pid": os.getpid()}


def test_grid_search_on_the_workers(digits, client):
    X, y = digits[0][:300], digits[1][:300]
    pipeline = make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier"))
    grid = {
        "dbnclassifier__rbm__learning_rate": [0.01, 0.1],
        "dbnclassifier__alpha": [0, 1],
    }
    pipeline.set_params(dbnclassifier__tol=None)
    search = GridSearchCV(
        pipeline, grid, cv=2, scoring=score_and_process, refit=False, error_score="raise"
    )
    serial = clone(search).fit(X, y).cv_results_
    with joblib.parallel_config("dask"):
        found = search.fit(X, y).cv_results_
    for fold in range(2):
        accuracy, pid = f"split{fold}_test_accuracy", f"split{fold}_test_pid"
        np.testing.assert_array_equal(found[accuracy], serial[accuracy])
        assert {*found[pid].astype(int)} <= {*client.run(os.getpid).values()}


def test_the_example_trains_what_it_says(digits, client):
    path = Path(__file__).parents[1] / "examples" / "scaling_dask.py"
    example = runpy.run_path(str(path))
    (X, y), test = [
        (digits[0][rows], digits[1][rows]) for rows in (slice(600), slice(600, 800))
    ]
    model = MLPClassifier((16,), batch_size=20, random_state=0)
    seconds, scores = example["several_workers"](model, X, y, client, 2, test)
    chunks = (50,) * 12
    expected = DataParallel(model, 2, n_rounds=2, random_state=0)
    expected.fit(blocks_of(X, chunks), blocks_of(y, chunks))
    assert scores[1] == expected.estimator_.score(*test)
    seconds, scores = example["one_process"](model, X, y, 1, 2, test)
    alone = clone(model)
    for rows in rows_of(chunks * 2):
        rows = slice(rows.start % 600, rows.start % 600 + 50)
        alone.partial_fit(X[rows], y[rows], classes=range(10))
    assert scores[1] == alone.score(*test)
    assert seconds > 0


# -- what is mapped over blocks -----------------------------------------------------------
@pytest.mark.parametrize("name", WITH_PARTIAL_FIT)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8])
def test_methods_over_blocks(name, dtype, data):
    X, chunks = data
    y = labels(name, X)
    X = np.round(X).astype(dtype)
    dX = blocks_of(X, chunks)
    model = DataParallel(build(name), 2, n_rounds=1, random_state=0)
    model.fit(dX, blocks_of(y, chunks))
    names = {"transform", "predict", "predict_proba"}
    found = {method for method in names if hasattr(model, method)}
    assert found == {method for method in names if hasattr(model.estimator_, method)}
    for method in found:
        expected = getattr(model.estimator_, method)(X)
        lazy = getattr(model, method)(dX)
        assert isinstance(lazy, da.Array)
        assert (lazy.shape, lazy.dtype) == (expected.shape, expected.dtype)
        assert lazy.chunks[0] == chunks
        # Products of other numbers of rows may add up in another order.
        np.testing.assert_allclose(lazy.compute(), expected, rtol=1e-6)
        np.testing.assert_array_equal(getattr(model, method)(X), expected)


@pytest.mark.parametrize("estimator", [MLPClassifier((4,)), MLPRegressor((4,))], ids=repr)
def test_several_outputs(estimator, data):
    X, chunks = data
    y = (X[:, :3] > 0.5).astype(int)
    dX, dy = blocks_of(X, chunks), blocks_of(y, chunks)
    model = DataParallel(estimator, 2, n_rounds=1, random_state=0).fit(dX, dy)
    lazy = model.predict(dX)
    assert lazy.shape == (130, 3)
    np.testing.assert_allclose(lazy.compute(), model.estimator_.predict(X), rtol=1e-5)


def test_labels_that_a_block_does_not_have(data):
    """The classes are those of all blocks, not of the first."""
    X, chunks = data
    y = np.sort(labels("MLPClassifier", X)).astype(str)
    model = DataParallel(build("MLPClassifier"), 2, n_rounds=1, random_state=0)
    model.fit(blocks_of(X, chunks), blocks_of(y, chunks))
    assert list(model.estimator_.classes_) == ["0", "1", "2"]


# -- dask-ml ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["RBM", "MLPClassifier"])
def test_dask_ml(name, data, client):
    wrappers = pytest.importorskip("dask_ml.wrappers")
    X, chunks = data
    y = labels(name, X)
    expected, known = build(name), {"classes": range(3)} if name in CLASSIFIERS else {}
    for rows in rows_of(chunks):
        expected.partial_fit(X[rows], y[rows], **known)
    dX, dy = blocks_of(X, chunks), blocks_of(y, chunks)
    incremental = wrappers.Incremental(build(name), shuffle_blocks=False)
    assert_same(incremental.fit(dX, dy, **known).estimator_, expected)
    method = "predict" if name in CLASSIFIERS else "transform"
    found = getattr(wrappers.ParallelPostFit(expected), method)(dX).compute()
    np.testing.assert_allclose(found, getattr(expected, method)(X), rtol=1e-6)


# -- what is wrong ------------------------------------------------------------------------
def test_bad_input_is_told(data):
    X, chunks = data
    dX, y = blocks_of(X, chunks), labels("MLPClassifier", X)
    dy = blocks_of(y, chunks)

    def check(error, match, X=dX, y=dy, name="MLPClassifier", n_copies=2, **params):
        model = DataParallel(build(name, **params), n_copies, random_state=0)
        with pytest.raises(error, match=match):
            model.fit(X, y)
        assert not hasattr(model, "estimator_")

    check(TypeError, r"X must be a Dask array, got ndarray.*from_array", X=X)
    check(TypeError, r"y must be a Dask array, got ndarray", y=y)
    check(ValueError, r"X must be cut into blocks of whole rows.*X\.rechunk\(\{1: -1\}\)",
          X=dX.rechunk({1: 2}))  # fmt: skip
    check(ValueError, r"same blocks of rows, got \(30, 10.*\(130,\).*rechunk",
          y=dy.rechunk(130))  # fmt: skip
    check(ValueError, r"n_copies=8 copies need as many blocks, but X has 7", n_copies=8)
    check(ValueError, r"MLPClassifier requires y to be passed, but the target y is None",
          y=None)  # fmt: skip
    holes = X.copy()
    holes[50] = np.nan
    check(ValueError, "In block 2: Input X contains NaN", X=blocks_of(holes, chunks))
    check(ValueError, "In block 0: Bernoulli visible units need data in", X=dX - 1,
          name="RBM")  # fmt: skip
    nobody = da.zeros((0, 5), chunks=(0, 5))
    check(ValueError, "X has no rows to train on", X=nobody, y=None, name="RBM", n_copies=1)
    check(InvalidParameterError, "'n_copies' parameter of DataParallel", n_copies=0)
    check(InvalidParameterError, "'estimator' parameter of DataParallel",
          name="StackedRBM")  # fmt: skip
    check(InvalidParameterError, "'estimator' parameter of DataParallel", solver="lbfgs")


def test_bad_input_later(data):
    X, chunks = data
    dX = blocks_of(X, chunks)
    model = DataParallel(build("RBM"), 2, n_rounds=1, random_state=0)
    with pytest.raises(NotFittedError, match="DataParallel instance is not fitted"):
        model.transform(dX)
    model.fit(dX)
    before = deepcopy(model.estimator_)
    with pytest.raises(ValueError, match=r"In block \d: X has 3 features, but RBM"):
        model.partial_fit(blocks_of(X[:, :3], chunks))
    assert_same(model.estimator_, before)
    assert model.n_rounds_ == 1
    with pytest.raises(ValueError, match="X has 3 features, but RBM is expecting 5"):
        model.transform(blocks_of(X[:, :3], chunks))
    with pytest.raises(ValueError, match="blocks of whole rows"):
        model.transform(dX.rechunk({1: 1}))
    with pytest.raises(AttributeError, match="predict"):
        model.predict(dX)


def test_divergence_is_told(data, client):
    """Warnings of a worker stay in its log."""
    X, chunks = data
    X = X.copy()
    X[-1] = 1e15  # in block 6
    model = DataParallel(RBM(3, visible="gaussian", learning_rate=1e-3), 2, n_rounds=1)
    with pytest.warns(ConvergenceWarning, match=r"diverged in the blocks \[6\]"):
        model.fit(blocks_of(X, chunks))
    assert np.isfinite(model.estimator_.components_).all()


def test_without_dask(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(ImportError, match=r'needs Dask.*pip install "skdbn\[dask\]"'):
        DataParallel(build("RBM"), 2).fit(data[0])


def test_the_first_blocks_may_be_empty():
    X = np.random.RandomState(0).uniform(size=(40, 5))
    blocks = da.from_array(X, chunks=(10, 5))
    later = blocks[da.from_array(np.arange(40) >= 25, chunks=10)]  # of unknown sizes
    model = DataParallel(RBM(3, random_state=0), 2, n_rounds=1, random_state=0).fit(later)
    assert model.n_features_in_ == 5
    with pytest.raises(ValueError, match="no rows"):
        DataParallel(RBM(3), 2).fit(blocks[da.from_array(np.arange(40) > 99, chunks=10)])


def test_tags_and_classes_are_those_of_the_estimator():
    model = DataParallel(MLPClassifier((3,), random_state=0), 2, n_rounds=1)
    assert is_classifier(model)
    assert not is_classifier(DataParallel(RBM(3), 2))
    X = da.from_array(np.random.RandomState(0).uniform(size=(20, 4)), chunks=(10, 4))
    model.fit(X, da.from_array(np.arange(20) % 2, chunks=10))
    np.testing.assert_array_equal(model.classes_, [0, 1])
    assert not hasattr(DataParallel(RBM(3), 2), "classes_")
