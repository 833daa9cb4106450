"""Level 0: threads of our own around single-threaded matrix products.

BLAS libraries split each product over threads that wait for each other by spinning. That
is quick on an idle machine, collapses on a busy one, and rounds differently with each
number of threads. Here the rows of a batch, or the pieces of the parameters, are shared out
instead, in parts that depend on the sizes alone: the same numbers come out on any number
of threads. Threads that wait are blocked.

As many threads are used as BLAS would have used: ``OPENBLAS_NUM_THREADS`` and its kin,
``threadpoolctl.threadpool_limits`` and joblib's limits for its workers all hold.
"""

import os
import threading
from collections import deque
from itertools import count, pairwise

import numpy as np
from threadpoolctl import ThreadpoolController

# A part of less than so many multiplications and additions is not worth waking a thread
# for (30 to 100 microseconds); of fewer rows, it would pack the weights for little work.
_LEAST_WORK = 2**22
_LEAST_ROWS = 50
MOST_PARTS = 8


def split(n, work):
    """Cut range(n) into 1, 2, 4 or 8 slices, by what there is to do and nothing else.

    Parameters
    ----------
    n : int
        Number of rows.
    work : int
        Number of multiplications and additions over all of them.
    """
    most = max(1, min(MOST_PARTS, n // _LEAST_ROWS, work // _LEAST_WORK))
    n_parts = 1 << (int(most).bit_length() - 1)
    ends = [n * part // n_parts for part in range(n_parts + 1)]
    return [slice(*pair) for pair in pairwise(ends)]


class SerialProducts:
    """Context in which BLAS works on the calling thread; to be entered anywhere, nested.

    Most BLAS have one limit for the process, which fits in several threads have to share:
    the first to come saves what there was, the last to go restores it. With OpenMP, each
    thread has a limit of its own.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._process = self._threads = None
        self._local = threading.local()
        self.n_threads = 1

    def __enter__(self):
        with self._lock:
            if self._process is None:
                self._find_libraries()
            self._process.enter()
            limits = self._of_this_thread()
            limits.enter()
            self.n_threads = min([*self._process.saved, *limits.saved], default=1)
        return self

    def __exit__(self, *exc_info):
        with self._lock:
            self._of_this_thread().leave()
            self._process.leave()

    def _find_libraries(self):
        """Sort the BLAS of the process by whom their limits hold for."""
        found = ThreadpoolController().select(user_api="blas").lib_controllers
        each = [getattr(library, "threading_layer", "") == "openmp" for library in found]
        self._process = _Limits([b for b, own in zip(found, each, strict=True) if not own])
        self._threads = [b for b, own in zip(found, each, strict=True) if own]

    def _of_this_thread(self):
        """The limits that hold for the calling thread alone."""
        if not hasattr(self._local, "limits"):
            self._local.limits = _Limits(self._threads)
        return self._local.limits

    def after_fork(self):
        """In a forked child no fit goes on, whatever went on in its parent."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.leave_all()
            self._of_this_thread().leave_all()


class _Limits:
    """Leaves BLAS libraries one thread from the first ``enter`` to the last ``leave``."""

    def __init__(self, libraries):
        self.libraries = libraries
        self.saved = []
        self.depth = 0

    def enter(self):
        """Limit the libraries, unless they are."""
        if self.depth == 0:
            self.saved = [library.get_num_threads() for library in self.libraries]
            for library in self.libraries:
                _set_num_threads(library, 1)
        self.depth += 1

    def leave(self):
        """Give the libraries what they had, if nobody else needs the limit."""
        self.depth -= 1
        if self.depth == 0:
            for library, n_threads in zip(self.libraries, self.saved, strict=True):
                _set_num_threads(library, n_threads)

    def leave_all(self):
        """Leave as often as there was entered."""
        if self.depth:
            self.depth = 1
            self.leave()


def _set_num_threads(library, n_threads):
    """Set the limit of a library from any thread."""
    # New versions of threadpoolctl obey one thread only, lest several restore their limits
    # in the wrong order, which is seen to above.
    release = getattr(library, "clear_controlling_thread", None)
    if release is None:
        library.set_num_threads(n_threads)
        return
    release(force=True)
    library.set_num_threads(n_threads)
    release(force=True)


serial_products = SerialProducts()


class _Job:
    """A function and the items that are left of it, for any number of threads."""

    def __init__(self, function, items):
        self.function = function
        self.items = deque(enumerate(items))
        self.results = [None] * len(items)
        self.last = len(items) - 1
        self.finished = threading.Lock()
        self.finished.acquire()
        self.counter = count()
        self.error = None

    def work(self):
        """Take items until there are none."""
        while True:
            try:
                i, item = self.items.popleft()
            except IndexError:
                return
            try:
                self.results[i] = self.function(item)
            except BaseException as error:
                self.error = error
            if next(self.counter) == self.last:
                self.finished.release()

    def wait(self):
        """Wait for the items that others took; the results, or what one of them raised."""
        try:
            self.finished.acquire()
        except BaseException:  # Ctrl-C: they still write to the caller's arrays
            self.finished.acquire()
            raise
        if self.error is not None:
            raise self.error
        return self.results


class _Helper(threading.Thread):
    """A thread that works on a job when woken and then goes back to its pool."""

    def __init__(self, pool):
        super().__init__(name="skdbn", daemon=True)
        self.pool = pool
        self.job = None
        self.awake = threading.Lock()
        self.awake.acquire()
        self.start()

    def run(self):
        while True:
            self.awake.acquire()
            with serial_products, np.errstate(all="ignore"):
                self.job.work()
            self.job = None
            self.pool.idle.append(self)


class _Pool:
    """The helpers of a process, at most one fewer than BLAS may use threads."""

    def __init__(self):
        self.idle = []
        self.n_helpers = 0

    def recruit(self, job, n_wanted):
        """Set idle or new helpers to a job, as many as there are up to n_wanted."""
        for _ in range(n_wanted):
            try:
                helper = self.idle.pop()
            except IndexError:
                if self.n_helpers >= serial_products.n_threads - 1:
                    return
                self.n_helpers += 1
                helper = _Helper(self)
            helper.job = job
            helper.awake.release()


_pool = _Pool()


def share(function, items):
    """Call a function for each item, on the calling thread and idle helpers.

    Nothing is said of their order, so they must not write to the same place. Items that no
    helper takes are done by the caller: a helper that gets no time on a busy machine holds
    nobody up.

    Parameters
    ----------
    function : callable
        Spends its time in matrix products and kernels, which release the GIL.
    items : sequence

    Returns
    -------
    results : list
        What the function returned, in the order of the items.
    """
    with serial_products:
        if len(items) < 2 or serial_products.n_threads == 1:
            return [function(item) for item in items]
        job = _Job(function, items)
        _pool.recruit(job, min(len(items), serial_products.n_threads) - 1)
        job.work()
        return job.wait()


def _after_fork():
    """A forked child has none of its parent's threads."""
    serial_products.after_fork()
    _pool.__init__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
