"""Level 0: threads of our own around single-threaded matrix products.

BLAS libraries split each product over threads that wait for each other by spinning. That
is quick on an idle machine, collapses on a busy one, and rounds differently with each
number of threads. Here the rows of a batch, or the pieces of the parameters, are shared out
instead, in parts that depend on the sizes alone: the same numbers come out on any number
of threads. Threads that wait stay awake for some milliseconds, offering their core to
others, and then sleep.

As many threads are used as BLAS would have used: ``OPENBLAS_NUM_THREADS`` and its kin,
``threadpoolctl.threadpool_limits`` and joblib's limits for its workers all hold.
"""

import math
import os
import threading
from collections import deque
from functools import lru_cache
from itertools import count, pairwise

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable
from threadpoolctl import ThreadpoolController

from ._kernels import kernel

# How often a thread that waits offers its core to others before it sleeps: some
# milliseconds in all, more than the parts of a batch differ.
_OFFERS = 10_000

# A part of less than so many multiplications and additions (a fifth of a millisecond) is
# not worth waking a thread for.
_LEAST_WORK = 2**23
MOST_PARTS = 8
# Smaller parts spend their time on rearranging the other matrix of the product, which BLAS
# does again for each.
LEAST_ROWS = 50
LEAST_UNITS = 200
# One pass over fewer parameters is not worth it either.
_LEAST_PARAMETERS = 2**18


@lru_cache(maxsize=1024)
def split(n, least, work=math.inf):
    """Cut range(n) into 1, 2, 4 or 8 slices, by what there is to do and nothing else.

    Parameters
    ----------
    n : int
        Number of rows of a batch, of units whose weights are learned, or of parameters.
    least : int
        The least length of a slice.
    work : int, default=inf
        Number of multiplications and additions over all of them.
    """
    most = int(max(1, min(MOST_PARTS, n // least, work // _LEAST_WORK)))
    n_parts = 1 << (most.bit_length() - 1)
    ends = [n * part // n_parts for part in range(n_parts + 1)]
    return tuple(slice(*pair) for pair in pairwise(ends))


class _Local(threading.local):
    """What a thread knows of itself."""

    depth = 0
    n_threads = 1
    limits = None


class SerialProducts:
    """Context in which BLAS works on the calling thread; to be entered anywhere, nested.

    Most BLAS have one limit for the process, which fits in several threads have to share:
    the first to come saves what there was, the last to go restores it. Others have a limit
    for each thread.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._process = None
        self._each_thread = []
        self._local = _Local()

    @property
    def n_threads(self):
        """How many threads BLAS had for the calling thread when it came in."""
        return self._local.n_threads

    def __enter__(self):
        local = self._local
        local.depth += 1
        if local.depth == 1:
            with self._lock:
                if self._process is None:
                    self._find_libraries()
                self._process.enter()
            local.limits = _Limits(self._each_thread)
            local.limits.enter()
            # A BLAS that cannot be limited is left to its own threads.
            local.n_threads = min([*self._process.saved, *local.limits.saved], default=1)
        return self

    def __exit__(self, *exc_info):
        local = self._local
        local.depth -= 1
        if local.depth == 0:
            local.limits.leave()
            with self._lock:
                self._process.leave()

    def _find_libraries(self):
        """Sort the BLAS of the process by whom their limits hold for."""
        process = []
        for library in ThreadpoolController().select(user_api="blas").lib_controllers:
            own = library.internal_api == "mkl" or (
                getattr(library, "threading_layer", "") == "openmp"
            )
            (self._each_thread if own else process).append(library)
        self._process = _Limits(process)

    def limit_for_good(self):
        """Leave BLAS one thread in a thread that is ours."""
        _Limits(self._each_thread).enter()

    def after_fork(self):
        """In a forked child no fit goes on, whatever went on in its parent."""
        self._lock = threading.Lock()
        if self._process is not None and self._process.depth:
            self._process.depth = 1
            self._process.leave()
        if self._local.depth:
            self._local.depth = 0
            self._local.limits.leave()


class _Limits:
    """Leaves BLAS libraries one thread from the first ``enter`` to the last ``leave``."""

    def __init__(self, libraries):
        self.libraries = libraries
        self.saved = []
        self.depth = 0

    def enter(self):
        """Limit the libraries, unless they are."""
        self.depth += 1
        if self.depth == 1:
            self.saved = [library.get_num_threads() for library in self.libraries]
            for library in self.libraries:
                _set_num_threads(library, 1)

    def leave(self):
        """Give the libraries what they had, if nobody else needs the limit."""
        self.depth -= 1
        if self.depth == 0:
            for library, n_threads in zip(self.libraries, self.saved, strict=True):
                _set_num_threads(library, n_threads)


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


@intrinsic
def _read(typingctx, address):
    """Read an int64 that another thread may write meanwhile."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(types.int64), codegen


# Lets another thread run that waits for this core; elsewhere than on POSIX, nothing does.
if os.name == "posix":
    _offer_core = types.ExternalFunction("sched_yield", types.int32())
else:
    _offer_core = register_jitable(lambda: 0)


@kernel
def _stay_awake(address, n):
    for _ in range(n):
        for _ in range(50):
            if _read(address) != 0:
                return True
        _offer_core()
    return False


if numba.config.DISABLE_JIT:  # then nothing can read what others write without the GIL

    def _stay_awake(address, n):
        return False


class _Signal:
    """What one thread sends and one waits for: awake for a moment, then asleep.

    To wake a thread takes 30 to 100 microseconds, a part of a batch often not much more;
    and the core of a thread that sleeps goes to sleep too, or to somebody else.
    """

    def __init__(self):
        self.cell = np.zeros(1, np.int64)
        self.address = self.cell.ctypes.data
        _stay_awake(self.address, 0)  # compiled here, not by a thread that is to be quick
        self.asleep = deque()  # holds a token while the one who waits sleeps or is about to
        self.lock = threading.Lock()
        self.lock.acquire()

    def send(self):
        """Let the one who waits go on."""
        self.cell[0] = 1
        if self._take_token():
            self.lock.release()

    def wait(self):
        """Return when there was a signal."""
        while not (self.cell[0] or _stay_awake(self.address, _OFFERS)):
            self.asleep.append(None)
            if self.cell[0] == 0 or not self._take_token():
                # Perhaps for nothing: an earlier sender may be late to look for a token.
                self.lock.acquire()
        self.cell[0] = 0

    def _take_token(self):
        """Whether the caller got the token, which one of the two sides can."""
        try:
            self.asleep.pop()
        except IndexError:
            return False
        return True


_signals = []  # that no job uses; to make one takes longer than to hand one on


class _Job:
    """A function and the items that are left of it, for any number of threads."""

    def __init__(self, function, items):
        self.function = function
        self.items = deque(enumerate(items))
        self.results = [None] * len(items)
        self.last = len(items) - 1
        self.finished = _signals.pop() if _signals else _Signal()
        self.counter = count()
        self.error = None
        self.float_errors = np.geterr()

    def work(self):
        """Take items until there are none; returns whether the last one to be done was.

        After an error the rest is taken, but not done.
        """
        while True:
            try:
                i, item = self.items.popleft()
            except IndexError:
                return False
            try:
                if self.error is None:
                    self.results[i] = self.function(item)
            except BaseException as error:
                self.error = error
            if next(self.counter) == self.last:
                return True


class _Helper(threading.Thread):
    """A thread that works on a job when woken and then goes back to its pool."""

    def __init__(self, pool):
        super().__init__(name="skdbn", daemon=True)
        self.pool = pool
        self.job = None
        self.awake = _Signal()
        self.start()

    def run(self):
        serial_products.limit_for_good()
        while True:
            self.awake.wait()
            with np.errstate(**self.job.float_errors):
                if self.job.work():
                    self.job.finished.send()
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
                try:
                    helper = _Helper(self)
                except RuntimeError:  # no more threads for us: the caller does it
                    return
                self.n_helpers += 1
            helper.job = job
            helper.awake.send()


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
        if not job.work():
            _wait(job.finished)
        _signals.append(job.finished)
        if job.error is not None:
            error, job.error = job.error, None  # it knows this frame, which knows the job
            raise error
        return job.results


def share_parameters(function, n):
    """Call a function for each slice of n parameters, to pass over once; its results."""
    return share(function, split(n, _LEAST_PARAMETERS))


def _wait(signal):
    """Wait for helpers, even if interrupted: they write to the caller's arrays."""
    try:
        signal.wait()
    except BaseException:
        signal.wait()
        raise


def _after_fork():
    """A forked child has none of its parent's threads."""
    _pool.__init__()
    serial_products.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
