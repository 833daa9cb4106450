"""Kill a fit at random moments, go on each time, and compare with the fit left alone.

    python -m tests.kill_and_resume [number of kills]

A deep belief network is pretrained and fine-tuned on scikit-learn's digits, with chains
that go on, averages, dropout and early stopping. Prints where the kills were met, and how
many of the fits that went on have the parameters of the first, bit for bit.
"""

import multiprocessing
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from skdbn import RBM, DBNClassifier
from skdbn._archive import read_archive
from skdbn.callbacks import Checkpoint
from skdbn.optimizers import Adam, Averaged
from skdbn.samplers import PCD

# Forked, so that a kill does not cost the time of the imports.
PROCESSES = multiprocessing.get_context("fork")


class Count:
    """A callback that counts the epochs of all tasks where another process sees it."""

    max_propagation_depth = None

    def __init__(self):
        self.n = PROCESSES.Value("i", 0)

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        self.n.value += context.task_name == "epoch"


def fit(folder, count):
    """Fit with a checkpoint, and write what came out, last of all."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # of a fit of few epochs
    X, y = (data[:500] for data in load_digits(return_X_y=True))
    rbms = [
        RBM(sampler=PCD(), learning_rate=0.02, max_iter=8),
        RBM(average=2.0, early_stopping=True, n_iter_no_change=8, max_iter=8),
    ]
    dbn = DBNClassifier(
        (64, 32),
        rbm=rbms,
        solver=Averaged(Adam(), start=3.0),
        dropout=0.1,
        early_stopping=True,
        max_iter=16,
        n_iter_no_change=16,
        random_state=0,
    )
    checkpoint = Checkpoint(folder / "fit.npz", verbose=False)
    dbn.set_callbacks(checkpoint, count).fit(X / 16, y)
    arrays = [*dbn.coefs_, *dbn.intercepts_, dbn.loss_curve_, dbn.validation_scores_]
    for rbm in dbn.stack_.rbms_:
        arrays += [rbm.components_, rbm.intercept_visible_, rbm.sample(3, n_steps=1)]
    np.savez(folder / "result.npz", *arrays)


def run(folder, n_epochs=None, seconds=0.0):
    """Fit in another process, to the end, or till some time after the n-th epoch.

    Returns the number of epochs.
    """
    count = Count()
    process = PROCESSES.Process(target=fit, args=(folder, count))
    process.start()
    if n_epochs is not None:
        while count.n.value < n_epochs and process.is_alive():
            time.sleep(0.0005)
        time.sleep(seconds)
        process.kill()
    process.join()
    if n_epochs is None and process.exitcode:
        raise RuntimeError(f"the fit ended with the code {process.exitcode}")
    return count.n.value


def met(folder):
    """Where a kill met the fit, by what is in the file, which must be a whole one."""
    if (folder / "result.npz").exists():
        return "after the end"
    if not (folder / "fit.npz").exists():
        return "before the first file"
    head = read_archive(folder / "fit.npz")["head"]
    if head["where"] is None:
        return "before the first epoch"
    return "pretraining" if "RBM" in head["where"] else "fine-tuning"


def same(one, other):
    """Whether two results are the same, bit for bit."""
    with np.load(one / "result.npz") as a, np.load(other / "result.npz") as b:
        return all(a[name].tobytes() == b[name].tobytes() for name in a)


def main(n_kills):
    """Do so many kills; returns whether all fits ended the same."""
    rng = np.random.default_rng()
    places, n_same = Counter(), 0
    with tempfile.TemporaryDirectory() as top:
        warm_up, reference = Path(top, "warm-up"), Path(top, "reference")
        warm_up.mkdir()
        fit(warm_up, Count())  # here, so that no process after it has to load the kernels
        reference.mkdir()
        start = time.perf_counter()
        n_epochs = run(reference)
        seconds = (time.perf_counter() - start) / n_epochs
        for number in range(n_kills):
            folder = Path(top, str(number))
            folder.mkdir()
            run(folder, rng.integers(n_epochs), rng.uniform(0, seconds))
            places[met(folder)] += 1
            (folder / "result.npz").unlink(missing_ok=True)
            run(folder)
            n_same += same(folder, reference)
    where = ", ".join(f"{n} {place}" for place, n in places.most_common())
    print(f"{n_epochs} epochs of {seconds:.3f} s. Kills: {where}")
    print(f"{n_same} of {n_kills} identical")
    return n_same == n_kills


if __name__ == "__main__":
    sys.exit(not main(int(sys.argv[1]) if len(sys.argv) > 1 else 100))
