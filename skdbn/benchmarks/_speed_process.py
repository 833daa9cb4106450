"""What is measured in processes of its own: memory, start-up, and a busy neighbour."""

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

_BUSY_LOOP = """\
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
print("running", flush=True)
parent = os.getppid()
while os.getppid() == parent:  # ends with its parent, however that ends
    for _ in range(1_000_000):
        pass
"""

_MEMORY = """\
import json, sys
from skdbn.benchmarks._speed_process import memory_of
print(json.dumps(memory_of(sys.argv[1])))
"""

_FITS = """\
import json, sys, time
from sklearn.datasets import load_digits
import skdbn
X, y = load_digits(return_X_y=True)
X /= 16
model = {
    "RBM": skdbn.RBM(64, max_iter=1),
    "DBNClassifier": skdbn.DBNClassifier(
        (64,), rbm=skdbn.RBM(max_iter=1), max_iter=1, tol=None
    ),
}[sys.argv[1]]
seconds = []
for _ in range(2):
    start = time.perf_counter()
    model.fit(X, y)
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds))
"""

_IMPORT = """\
import json, time
import sklearn.callback, sklearn.frozen, sklearn.model_selection, sklearn.neural_network
start = time.perf_counter()
import skdbn
print(json.dumps(time.perf_counter() - start))
"""


def run_python(code, *arguments, **environment):
    """Run code in a new process and return what it prints as JSON."""
    with _process(code, *arguments, **environment) as process:
        output, errors = process.communicate()
    if process.returncode != 0:
        last_line = next(iter(errors.splitlines()[-1:]), "no message")
        raise RuntimeError(f"a process failed: {last_line}")
    return json.loads(output)


@contextlib.contextmanager
def _process(code, *arguments, **environment):
    """Run code in a new process that has ended when the block ends, however that ends."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.wait()  # which Popen does not after Ctrl-C


# --- Memory -------------------------------------------------------------------------------


def measure_memory(name):
    """Return the MB that ours takes beyond its input at most, None if not known."""
    # glibc is to give the arrays of the warm-up back, not keep them for the run to reuse.
    return run_python(_MEMORY, name, MALLOC_MMAP_THRESHOLD_="65536")


def memory_of(name):
    """Do a case once in this process and return the growth of its peak, in MB."""
    from skdbn.benchmarks._speed_cases import CASES

    (case,) = (case for case in CASES if case.name == name)
    case.ours(*case.data(2 * case.batch_size))()  # what is imported and compiled
    run = case.ours(*case.data(case.memory_rows))
    with contextlib.suppress(OSError):
        # On Linux the peak becomes what is taken now; elsewhere that of the warm-up stays,
        # which is less than that of the data where they are large.
        Path("/proc/self/clear_refs").write_text("5")
    before = peak_memory()
    run()
    return None if before is None else round(peak_memory() - before, 1)


def peak_memory():
    """Return the largest resident memory of this process in MB, None if not known."""
    with contextlib.suppress(OSError):
        # Linux. getrusage would tell the peak of the parent too, from before the exec.
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024 / 1e6
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


# --- Start-up -----------------------------------------------------------------------------


def measure_startup(names, n_rounds):
    """Return the seconds of the import and of compiling or loading the kernels, as lists.

    Each is what the first fit takes more than the second in the same process.
    """
    results = {"import skdbn": [run_python(_IMPORT) for _ in range(n_rounds)]}
    for name in names:
        empty, filled = [], []
        for _ in range(n_rounds):
            with tempfile.TemporaryDirectory() as folder:
                for extra in (empty, filled):
                    first, second = run_python(_FITS, name, NUMBA_CACHE_DIR=folder)
                    extra.append(first - second)
        results[f"first fit of {name}, empty cache"] = empty
        results[f"first fit of {name}, filled cache"] = filled
    return results


# --- A busy neighbour ---------------------------------------------------------------------


@contextlib.contextmanager
def busy_neighbour():
    """Keep a core busy with another process."""
    with _process(_BUSY_LOOP) as process:
        process.stdout.readline()
        yield process
