"""Threads of our own: the same numbers on any number of them, and nothing left behind."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from threadpoolctl import threadpool_info, threadpool_limits

from skdbn import RBM, DBNAutoencoder, MLPClassifier, _threads
from skdbn._threads import LEAST_ROWS, MOST_PARTS, serial_products, share, split


def blas_threads():
    """How many threads each BLAS of the process has."""
    return [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]


@pytest.fixture
def four_threads():
    """As on a machine with four cores; what there was is back afterwards."""
    with threadpool_limits(4, user_api="blas"):
        yield


# -- split ------------------------------------------------------------------------------
@pytest.mark.parametrize("n", [1, 2, 49, 50, 99, 100, 128, 399, 400, 1000, 2048, 60_000])
@pytest.mark.parametrize("work", [0, 1, 10**6, 10**7, 10**8, 10**12])
def test_split_covers_all_rows_once(n, work):
    slices = split(n, LEAST_ROWS, work)
    rows = [row for part in slices for row in range(n)[part]]
    assert rows == list(range(n))
    assert len(slices) in (1, 2, 4, MOST_PARTS)
    sizes = [part.stop - part.start for part in slices]
    assert max(sizes) - min(sizes) <= 1
    if len(slices) > 1:
        assert min(sizes) >= 49
        assert work / len(slices) >= 2**23


def test_split_grows_with_rows_and_work():
    sizes = (99, 100, 200, 400, 9999)
    assert [len(split(n, 50, 10**12)) for n in sizes] == [1, 2, 4, 8, 8]
    works = (2**23, 2**24, 2**25, 2**26)
    assert [len(split(1000, 50, work)) for work in works] == [1, 2, 4, 8]


# -- share ------------------------------------------------------------------------------
@pytest.mark.parametrize("n_items", [0, 1, 2, 3, 50])
def test_share_calls_once_for_each_item(n_items, four_threads):
    calls = []

    def function(item):
        calls.append(item)
        return -item

    assert share(function, list(range(n_items))) == [-item for item in range(n_items)]
    assert sorted(calls) == list(range(n_items))


def test_share_uses_the_threads_that_blas_may_use():
    def names(limit):
        barrier, used = threading.Barrier(limit), []

        def function(item):
            barrier.wait(timeout=30)  # passes only with all of them at work at once
            used.append(threading.get_ident())

        with threadpool_limits(limit, user_api="blas"):
            share(function, range(limit))
        return len(set(used))

    assert [names(limit) for limit in (1, 2, 3)] == [1, 2, 3]


def test_share_inside_share(four_threads):
    def outer(i):
        return share(lambda j: 10 * i + j, [0, 1, 2])

    assert share(outer, [1, 2, 3]) == [[10, 11, 12], [20, 21, 22], [30, 31, 32]]


def test_share_raises_what_an_item_raises_when_nobody_is_at_work(four_threads):
    begun, done = [], []

    def function(item):
        begun.append(item)
        if item == 1:
            raise KeyError("one")
        time.sleep(0.01)
        done.append(item)

    for _ in range(20):
        begun.clear(), done.clear()
        with pytest.raises(KeyError, match="one"):
            share(function, range(100))
        assert sorted(begun) == sorted([1, *done])
        assert len(begun) < 20  # the rest is given up
    assert share(str, range(3)) == ["0", "1", "2"]


def test_a_helper_that_gets_no_time_holds_nobody_up(four_threads, monkeypatch):
    """As on a machine whose other cores are taken."""
    monkeypatch.setattr(_threads._pool, "recruit", lambda job, n_wanted: None)
    assert share(str, range(5)) == list("01234")


def test_a_signal_that_is_late_for_an_earlier_wait_wakes_nobody_for_good(monkeypatch):
    """A sender that stops between its two halves, while its signal is used again."""
    monkeypatch.setattr(_threads, "_OFFERS", 1)
    signal, woken = _threads._Signal(), []
    signal.cell[0] = 1  # the first half of a send
    signal.wait()
    waiting = threading.Thread(target=lambda: woken.append(signal.wait()))
    waiting.start()
    while not signal.asleep:
        time.sleep(0.001)
    if signal._take_token():  # the second half
        signal.lock.release()
    time.sleep(0.05)
    assert not woken
    signal.send()
    waiting.join(timeout=30)
    assert woken == [None]


def test_many_signals(four_threads):
    """Long and short waits in turns, by several callers at once."""

    def caller(seed):
        rng = np.random.RandomState(seed)
        for _ in range(200):
            naps = rng.choice([0, 0, 1e-4, 1e-2], 3, p=[0.5, 0.3, 0.15, 0.05])
            assert share(lambda nap: time.sleep(nap) or nap, naps) == list(naps)
        done.append(seed)

    done = []
    threads = [threading.Thread(target=caller, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(done) == [0, 1, 2]


# -- the limit of BLAS ------------------------------------------------------------------
def test_products_are_serial_inside_and_settings_are_left_as_found():
    with threadpool_limits(3, user_api="blas"):
        before = blas_threads()
        with serial_products, serial_products:
            assert set(blas_threads()) == {1}
            assert serial_products.n_threads == 3
        assert blas_threads() == before == [3] * len(before)


def test_settings_are_left_as_found_by_everything():
    X, y = np.random.RandomState(0).uniform(size=(120, 6)), np.arange(120) % 3
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        rbm = RBM(4, max_iter=1, random_state=0).fit(X)
        rbm.transform(X), rbm.sample(3), rbm.score(X)
        MLPClassifier((4,), solver="lbfgs", max_iter=2, tol=1e9).fit(X, y).predict(X)
        with pytest.raises(ValueError, match="features"):
            rbm.transform(X[:, :3])
        assert blas_threads() == before


def test_settings_are_left_as_found_by_fits_that_overlap():
    """The first to come is not the first to go: only the last restores the limit."""
    inside, leave = threading.Event(), threading.Event()

    def other():
        with serial_products:
            inside.set()
            leave.wait(30)

    before = blas_threads()
    with serial_products:
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(30)
    assert set(blas_threads()) == {1}
    leave.set()
    thread.join()
    assert blas_threads() == before


class Library:
    """A BLAS whose limit holds for the thread that sets it, as MKL's does."""

    internal_api = "mkl"

    def __init__(self):
        self.of_thread = threading.local()
        self.seen = []

    def get_num_threads(self):
        return getattr(self.of_thread, "limit", 8)

    def set_num_threads(self, limit):
        self.of_thread.limit = limit


def test_limits_of_each_thread(monkeypatch):
    library, products = Library(), _threads.SerialProducts()
    products._process, products._each_thread = _threads._Limits([]), [library]
    monkeypatch.setattr(_threads, "serial_products", products)
    monkeypatch.setattr(_threads, "_pool", _threads._Pool())
    library.set_num_threads(3)
    barrier = threading.Barrier(3)

    def function(item):
        barrier.wait(timeout=30)
        return library.get_num_threads(), threading.get_ident()

    found = share(function, range(3))
    assert [limit for limit, _ in found] == [1, 1, 1]
    assert len({thread for _, thread in found}) == 3
    assert library.get_num_threads() == 3
    assert products.n_threads == 3


def test_no_more_threads_to_be_had(monkeypatch, four_threads):
    def refuse(pool):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_threads, "_pool", _threads._Pool())
    monkeypatch.setattr(_threads, "_Helper", refuse)
    assert share(str, range(3)) == ["0", "1", "2"]
    assert _threads._pool.n_helpers == 0


# -- the same numbers -------------------------------------------------------------------
def big_enough(kind):
    """An estimator whose batches are shared out, its data, and what is compared."""
    rng = np.random.RandomState(0)
    X = rng.uniform(size=(450, 300)).astype(np.float32)
    if kind == "sparse":
        X = sparse.csr_matrix(X * (X > 0.7))
    if kind in ("rbm", "sparse"):
        model = RBM(400, batch_size=200, max_iter=2, random_state=0)
        return model, X, lambda fitted: [fitted.components_, fitted.transform(X)]
    if kind == "lbfgs":
        model = MLPClassifier((100,), solver="lbfgs", max_iter=5, tol=0, random_state=0)
        return model, X, lambda fitted: [*fitted.coefs_, fitted.predict_proba(X)]
    if kind == "mlp":
        solver = MLPClassifier((400, 200), batch_size=200, max_iter=2, random_state=0)
        solver.set_params(tol=None)
        return solver, X, lambda fitted: [*fitted.coefs_, fitted.predict_proba(X)]
    autoencoder = DBNAutoencoder(
        (400, 2), rbm=RBM(max_iter=1), batch_size=200, max_iter=2, random_state=0
    )
    return autoencoder, X, lambda fitted: [*fitted.coefs_, fitted.transform(X)]


@pytest.mark.filterwarnings("ignore:.*maximum number of iterations")
@pytest.mark.parametrize("kind", ["rbm", "sparse", "mlp", "lbfgs", "autoencoder"])
def test_same_numbers_on_any_number_of_threads(kind):
    estimator, X, compared = big_enough(kind)
    y = np.arange(450) % 3
    results = []
    for limit in (1, 2, 3, 8):
        with threadpool_limits(limit, user_api="blas"):
            results.append(compared(clone(estimator).fit(X, y)))
    for result in results[1:]:
        for found, expected in zip(result, results[0], strict=True):
            np.testing.assert_array_equal(found, expected)


def test_the_batches_of_these_tests_are_shared_out(monkeypatch):
    estimator, X, _ = big_enough("rbm")
    lengths = []
    monkeypatch.setattr(
        "skdbn._energy_problem.share",
        lambda function, items: lengths.append(len(items)) or share(function, items),
    )
    estimator.fit(X)
    assert min(lengths[:2]) > 1


def test_samples_do_not_depend_on_threads():
    rbm = RBM(5, max_iter=1, random_state=0).fit(
        np.random.RandomState(0).uniform(size=(40, 6))
    )
    samples = []
    for limit in (1, 4):
        with threadpool_limits(limit, user_api="blas"):
            samples.append(clone(rbm).fit(np.eye(6)).sample(700, n_steps=3))
    np.testing.assert_array_equal(*samples)


# -- the environment ----------------------------------------------------------------------
def test_thread_count_of_the_environment():
    code = "from skdbn._threads import serial_products as s\nwith s: print(s.n_threads)"
    for n_threads in ("1", "3"):
        variables = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
        env = os.environ | dict.fromkeys(variables, n_threads)
        output = subprocess.run(
            [sys.executable, "-c", code],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(output.stdout) <= int(n_threads)
