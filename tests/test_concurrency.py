"""Other people's threads and processes: the same numbers, no abort, no deadlock.

That BLAS has its threads back afterwards is checked after each test, and a test that hangs
ends the run with the stacks of all threads.
"""

import faulthandler
import multiprocessing
import os
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from _estimators import CLASSIFIERS, NAMES, build
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from threadpoolctl import threadpool_info, threadpool_limits

from skdbn import RBM, DBNClassifier, MLPClassifier
from skdbn._threads import serial_products, share

# Longer than any of these takes on a machine with other work.
_HANGS = 200


def blas_threads():
    """How many threads each BLAS of the process has."""
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]


@pytest.fixture(autouse=True)
def no_deadlock():
    faulthandler.dump_traceback_later(_HANGS, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def blas_is_left_as_found(no_deadlock):
    before = blas_threads()
    yield
    assert blas_threads() == before


@pytest.fixture
def four_threads():
    """As on a machine with four cores; what there was is back afterwards."""
    with threadpool_limits(4, user_api="blas"):
        before = blas_threads()
        yield
        assert blas_threads() == before == [4] * len(before)


def in_threads(*functions):
    """What functions return that begin at once in a thread each."""
    barrier, results = threading.Barrier(len(functions)), [None] * len(functions)

    def run(i):
        barrier.wait(timeout=30)
        try:
            results[i] = functions[i]()
        except BaseException as error:
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def rows(seed=0, n=200):
    return np.random.RandomState(seed).uniform(size=(n, 300)).astype(np.float32)


# The batches of these are shared out to threads, see tests/test_threads.py.
SHARED = {
    "RBM": RBM(400, batch_size=200, max_iter=2),
    "PCD": RBM(400, sampler="pcd", batch_size=200, max_iter=2),
    "MLPClassifier": MLPClassifier((400, 200), batch_size=200, max_iter=2, tol=None),
    "DBNClassifier": DBNClassifier(
        (400,), rbm=RBM(batch_size=200, max_iter=1), batch_size=200, max_iter=2, tol=None
    ),
}


def fitted_weights(name, seed):
    """The weights that a fit with this seed comes to."""
    X = rows(n=400)
    model = clone(SHARED[name]).set_params(random_state=seed).fit(X, np.arange(400) % 3)
    weights = [model.components_] if isinstance(model, RBM) else model.coefs_
    return np.concatenate([array.ravel() for array in weights])


# -- threads ------------------------------------------------------------------------------
def n_helpers():
    """Number of threads of the package."""
    return sum(thread.name == "skdbn" for thread in threading.enumerate())


@pytest.mark.parametrize("name", SHARED)
def test_fits_in_two_threads(name, four_threads):
    before = n_helpers()  # other tests may have had more cores
    expected = [fitted_weights(name, seed) for seed in range(2)]
    for _ in range(3):
        found = in_threads(*(lambda s=s: fitted_weights(name, s) for s in range(2)))
        np.testing.assert_array_equal(found, expected)
    # The cores are four, however many fits there are.
    assert n_helpers() <= max(3, before)


METHODS = [
    "transform",
    "predict",
    "predict_proba",
    "inverse_transform",
    "reconstruct",
    "free_energy",
    "score_samples",
]


@pytest.mark.filterwarnings("ignore:.*maximum number of iterations")
@pytest.mark.parametrize("name", NAMES)
def test_a_thousand_answers_in_each_of_eight_threads(name, four_threads):
    """Each thread has rows of its own, so that a buffer in common would show."""
    X = np.random.RandomState(0).uniform(size=(8, 3, 5))
    model = build(name).fit(X.reshape(24, 5), np.arange(24) % 3)
    methods = [getattr(model, m) for m in METHODS if hasattr(model, m)]
    calls = max(1000 // len(methods), 1)

    def ask(X):
        H = model.transform(X)
        inputs = [H if m.__name__ == "inverse_transform" else X for m in methods]
        return [m(given).tolist() for m, given in zip(methods, inputs, strict=True)]

    def ask_again(X):
        first = ask(X)
        return first, sum(ask(X) != first for _ in range(calls))

    expected = [ask(own) for own in X]
    answers = in_threads(*(lambda own=own: ask_again(own) for own in X))
    assert answers == [(own, 0) for own in expected]


@pytest.mark.filterwarnings("ignore:.*maximum number of iterations")
@pytest.mark.parametrize("name", ["StackedRBM", "MLPClassifier"])
def test_large_answers_in_eight_threads(name, four_threads):
    """Blocks of rows are shared out to threads that the callers have in common."""
    model = build(name, hidden_layer_sizes=(30, 20)).fit(rows()[:90], np.arange(90) % 3)
    X = [rows(seed, 5000) for seed in range(8)]
    expected = [model.transform(own) for own in X]
    found = in_threads(*(lambda own=own: [model.transform(own)] * 3 for own in X))
    for answers, right in zip(found, expected, strict=True):
        for answer in answers:
            np.testing.assert_array_equal(answer, right)


def test_answers_during_fits(four_threads):
    """Nobody's thread limit is another's."""
    X, model = rows(n=3000), SHARED["RBM"]
    fitted = clone(model).set_params(random_state=0).fit(X[:200])
    expected, weights = fitted.transform(X), fitted_weights("RBM", 1)
    *answers, found = in_threads(
        *[lambda: [fitted.transform(X) for _ in range(5)]] * 2,
        lambda: fitted_weights("RBM", 1),
    )
    np.testing.assert_array_equal(found, weights)
    np.testing.assert_array_equal(
        answers, np.broadcast_to(expected, (2, 5, *expected.shape))
    )


# -- joblib -------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
def test_joblib(backend):
    expected = [fitted_weights("RBM", seed) for seed in range(4)]
    with parallel_config(backend):
        tasks = (delayed(fitted_weights)("RBM", seed) for seed in range(4))
        found = Parallel(n_jobs=2, timeout=_HANGS)(tasks)
    np.testing.assert_array_equal(found, expected)


def _threads_of_a_fit(seed):
    fitted_weights("RBM", seed)
    helpers = [thread for thread in threading.enumerate() if thread.name == "skdbn"]
    return os.getpid(), 1 + len(helpers), max(blas_threads())


def test_processes_of_joblib_get_their_share_of_the_cores():
    n_cores = joblib.cpu_count()
    tasks = (delayed(_threads_of_a_fit)(seed) for seed in range(4))
    with parallel_config("loky", inner_max_num_threads=max(n_cores // 2, 1)):
        found = Parallel(n_jobs=2, timeout=_HANGS)(tasks)
    for pid, n_threads, n_blas in found:
        assert pid != os.getpid()
        assert n_threads <= n_blas <= max(n_cores // 2, 1)


@pytest.mark.parametrize("backend", ["threading", "loky"])
@pytest.mark.parametrize("inner", [None, 2])
def test_grid_search_in_a_grid_search(backend, inner):
    """Nested cross-validation, of a pipeline, with n_jobs inside and outside."""
    X, y = np.random.RandomState(0).uniform(size=(90, 20)), np.arange(90) % 3
    pipeline = make_pipeline(
        MinMaxScaler(clip=True), RBM(max_iter=1, random_state=0), LogisticRegression()
    )
    grid = {"rbm__n_components": [3, 4]}

    def scores(n_jobs, inner):
        search = GridSearchCV(pipeline, grid, cv=2, n_jobs=inner, error_score="raise")
        return cross_validate(search, X, y, cv=2, n_jobs=n_jobs, error_score="raise")

    expected = scores(None, None)["test_score"]
    with parallel_config(backend):
        np.testing.assert_array_equal(scores(2, inner)["test_score"], expected)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bagging_in_a_grid_search(name):
    X, y = np.random.RandomState(0).uniform(size=(90, 20)), np.arange(90) % 3
    members = build(name, max_iter=1, tol=None, random_state=None)
    bagging = BaggingClassifier(members, 2, n_jobs=2, random_state=0)
    search = GridSearchCV(bagging, {"estimator__alpha": [0, 1]}, cv=2)
    expected = search.fit(X, y).cv_results_["mean_test_score"]
    with parallel_config("threading", n_jobs=2):
        found = clone(search).fit(X, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(found, expected)


# -- fork ---------------------------------------------------------------------------------
can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
may_fork = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def _weights_and_settings():
    return fitted_weights("RBM", 0), blas_threads()


@can_fork
@may_fork
def test_fork_after_and_during_a_fit(four_threads):
    """The child has none of the helpers, and no fit that goes on."""
    expected = fitted_weights("RBM", 0)
    share(lambda item: time.sleep(0.01), range(4))  # there are helpers now
    context = multiprocessing.get_context("fork")
    with serial_products, context.Pool(1) as pool:
        found, threads = pool.apply_async(_weights_and_settings).get(timeout=_HANGS)
    np.testing.assert_array_equal(found, expected)
    assert set(threads) == {4}


@can_fork
@may_fork
def test_fork_while_another_thread_fits(four_threads):
    """At any moment of it, whoever holds whatever lock."""
    expected, finished = fitted_weights("RBM", 0), threading.Event()

    def fit_on_and_on():
        while not finished.is_set():
            fitted_weights("RBM", 0)

    def fork():
        try:
            context = multiprocessing.get_context("fork")
            for _ in range(5):
                with context.Pool(1) as pool:
                    task = pool.apply_async(_weights_and_settings)
                    yield task.get(timeout=_HANGS)
        finally:
            finished.set()

    _, results = in_threads(fit_on_and_on, lambda: list(fork()))
    for found, threads in results:
        np.testing.assert_array_equal(found, expected)
        assert set(threads) == {4}
