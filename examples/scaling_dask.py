"""
Rounds on several workers beside one process
============================================

How much sooner :class:`~skdbn.distributed.DataParallel` is through the data with workers of
one thread each than one process is, and what its rounds cost in accuracy.

Run it with ``python examples/scaling_dask.py``. It takes the digits that come with
scikit-learn, which are too few to gain anything, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files. It needs Dask (``pip install "skdbn[dask]"``).
"""

import argparse
import os
import time

import dask
import dask.array as da
import numpy as np
from distributed import Client, LocalCluster
from joblib import cpu_count
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from skdbn import RBM, MLPClassifier
from skdbn.datasets import load_mnist
from skdbn.distributed import DataParallel

N_BLOCKS = 12
MODELS = {
    "mlp": MLPClassifier((500, 500), batch_size=100, random_state=0),
    "rbm": RBM(500, batch_size=100, random_state=0),
}


def load():
    """Rows and labels to train on, and others to score on."""
    folder = os.environ.get("SKDBN_DATA")
    if folder:
        parts = [load_mnist(folder, subset=s, return_X_y=True) for s in ("train", "test")]
        return [(X / np.float32(255), y) for X, y in parts]
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return [(X[:1200], y[:1200]), (X[1200:], y[1200:])]


def score(estimator, X, y):
    """Accuracy, or the mean pseudo-log-likelihood in nats."""
    if isinstance(estimator, RBM):
        return estimator.pseudo_log_likelihood(X[:1000]).mean()
    return estimator.score(X, y)


def classes_for(model, y):
    """What the first ``partial_fit`` of a classifier is to be told."""
    return {"classes": np.unique(y)} if is_classifier(model) else {}


def timed(train, n_rounds, test):
    """Median seconds of a round, and the score after each."""
    seconds, scores = [], []
    for _ in range(n_rounds):
        start = time.perf_counter()
        estimator = train()
        seconds.append(time.perf_counter() - start)
        scores.append(score(estimator, *test))
    return np.median(seconds), scores


def one_process(model, X, y, n_threads, n_rounds, test):
    """One ``partial_fit`` after the other, block by block."""
    estimator, known = clone(model), classes_for(model, y)
    blocks = list(
        zip(np.array_split(X, N_BLOCKS), np.array_split(y, N_BLOCKS), strict=True)
    )

    def train():
        for rows, labels in blocks:
            estimator.partial_fit(rows, labels, **known)
        return estimator

    with threadpool_limits(n_threads, user_api="blas"):
        return timed(train, n_rounds, test)


def several_workers(model, X, y, client, n_rounds, test):
    """Rounds on the workers of a cluster, which hold the data."""
    n_workers = len(client.scheduler_info()["workers"])
    size = -(-len(X) // N_BLOCKS)
    # Dask warns of megabytes that do not come from files.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        dX = da.from_array(X, chunks=(size, X.shape[1])).persist()
        dy = da.from_array(y, chunks=size).persist()
    client.run(warm_up, model, X[:200], y[:200])
    parallel = DataParallel(model, n_workers, random_state=0)
    return timed(lambda: parallel.partial_fit(dX, dy).estimator_, n_rounds, test)


def warm_up(model, X, y):
    """Load or compile the kernels of a process."""
    clone(model).partial_fit(X, y, **classes_for(model, y))


def main():
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description="Rounds on workers beside one process.")
    parser.add_argument("--model", choices=MODELS, default="mlp")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    model, (train, test) = MODELS[options.model], load()
    warm_up(model, train[0][:200], train[1][:200])
    print(f"{model}, {len(train[0])} rows, {options.rounds} rounds, {cpu_count()} cores")
    print(f"{'':<26}{'s a round':>10}  score after each round")
    for n_threads in sorted({1, cpu_count()}):
        name = f"one process, {n_threads} thread{'s' * (n_threads > 1)}"
        tell(name, *one_process(model, *train, n_threads, options.rounds, test))
    sizes = {"n_workers": options.workers, "threads_per_worker": 1}
    with (
        LocalCluster(**sizes, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        name = f"{options.workers} workers, 1 thread each"
        tell(name, *several_workers(model, *train, client, options.rounds, test))


def tell(name, seconds, scores):
    """Print a line of the table."""
    told = "  ".join(f"{value:.4g}" for value in scores)
    print(f"{name:<26}{seconds:10.2f}  {told}", flush=True)


if __name__ == "__main__":
    main()
