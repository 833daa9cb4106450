"""What ours is timed beside: scikit-learn's estimators and PyTorch if it is installed.

Each function returns a run: a function that does the work once and returns how many rows
that was.
"""

import importlib.util

import numpy as np
from sklearn.neural_network import BernoulliRBM, MLPClassifier
from sklearn.utils import gen_batches
from threadpoolctl import threadpool_info


def bernoulli_rbm(X, n_components, batch_size, dtype):
    """One epoch of scikit-learn's RBM, with the drawing of its initial weights."""
    X = X.astype(dtype, copy=False)
    rbm = BernoulliRBM(n_components, batch_size=batch_size, n_iter=1, random_state=0)

    def run():
        rbm.fit(X)
        return X.shape[0]

    return run


def bernoulli_rbm_by_batch(X, n_components, batch_size):
    """The same without drawing weights, which takes its time if they are millions."""
    rbm = BernoulliRBM(n_components, batch_size=batch_size, random_state=0)

    def run():
        for rows in gen_batches(X.shape[0], batch_size):
            rbm.partial_fit(X[rows])
        return X.shape[0]

    return run


def mlp_classifier(X, y, hidden_layer_sizes, activation, solver, batch_size):
    """One epoch of scikit-learn's MLP, going on from the one before."""
    mlp = MLPClassifier(
        hidden_layer_sizes,
        activation=activation,
        solver=solver,
        batch_size=batch_size,
        random_state=0,
    )
    classes = np.unique(y)

    def run():
        mlp.partial_fit(X, y, classes=classes)
        return len(X)

    return run


def has_torch():
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def pytorch(make):
    """Return a dict of the run that ``make(loops)`` makes, empty without PyTorch."""
    if not has_torch():
        return {}
    from skdbn.benchmarks import _torch_loops

    _torch_loops.set_threads(blas_threads())
    return {"PyTorch": make(_torch_loops)}


def blas_threads():
    """Number of threads that NumPy's matrix products may take."""
    libraries = threadpool_info()
    return max((x["num_threads"] for x in libraries if x["user_api"] == "blas"), default=1)
