"""The library without its compiler: the same numbers from plain Python."""

import os
import subprocess
import sys
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from skdbn import RBM, DBNClassifier, MLPRegressor
from skdbn._energy import Energy
from skdbn._random import Stream
from skdbn._threads import share
from skdbn.activations import ACTIVATIONS
from skdbn.losses import LOSSES
from skdbn.optimizers import SGD, Averaged, Clipped
from skdbn.units import UNITS


def small_results():
    """A number or array by name, from every kernel and from two estimators."""
    rng = np.random.RandomState(0)
    results = {}
    for dtype in (np.float32, np.float64):
        z, bias = rng.normal(0, 2, (5, 3)).astype(dtype), rng.normal(0, 1, 3).astype(dtype)
        label = np.dtype(dtype).name
        for name, unit in UNITS.items():
            mean, states = z.copy(), np.empty_like(z)
            unit().sample(mean, bias, states, Stream(np.random.RandomState(1)))
            results[f"{name} {label} mean"] = mean
            results[f"{name} {label} states"] = states
            energy = Energy(z, bias, z[:, 0].copy(), unit(), unit())
            results[f"{name} {label} free energy"] = energy.free_energy(np.tanh(z))
        for name, activation in ACTIVATIONS.items():
            a, delta = z.copy(), z.copy()
            activation().forward(a, bias)
            activation().backward(a, delta)
            results[f"{name} {label}"] = np.hstack([a, delta])
        for name, loss in LOSSES.items():
            gradient, output = z.copy(), z.copy()
            losses = np.empty(5)
            loss().gradient(gradient, bias, np.eye(5, 3, dtype=dtype), losses)
            loss().link(output, bias)
            results[f"{name} {label}"] = np.hstack([gradient, output, losses[:, None]])
    X, y = rng.uniform(size=(20, 6)), np.arange(20) % 3
    rbm = RBM(4, max_iter=2, batch_size=7, random_state=0)
    for visible in UNITS:
        rows = X / X.sum(axis=1, keepdims=True) if visible == "softmax" else X
        fitted = rbm.set_params(visible=visible).fit(rows)
        results[f"components, {visible}"] = fitted.components_
        results[f"scores, {visible}"] = fitted.score_samples(rows[:4])
        results[f"samples, {visible}"] = fitted.sample(3, n_steps=2)
    rbm.set_params(visible="bernoulli")
    for solver in ("sgd", "adam"):
        dbn = DBNClassifier((4, 3), rbm=rbm, solver=solver, max_iter=2, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            dbn.fit(X, y)
        results[f"probabilities, {solver}"] = dbn.predict_proba(X)
        results[f"losses, {solver}"] = dbn.loss_curve_
    noisy = {"dropout": 0.3, "input_noise": 0.1, "l1_ratio": 0.5, "max_norm": 0.9}
    mlp = MLPRegressor((5, 4), batch_size=7, max_iter=2, random_state=0, **noisy)
    mlp.set_params(solver=Averaged(Clipped(SGD(), 0.5)), activation="softplus")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        results["numbers"] = mlp.fit(X, y, sample_weight=1.0 + y).predict(X)
    with threadpool_limits(4, user_api="blas"):
        results["shared"] = share(abs, range(-20, 0))
    return results


def test_plain_python_gives_the_numbers_of_the_compiled_kernels(tmp_path):
    path = tmp_path / "results.npz"
    command = (
        "import numba, test_nojit, numpy; assert numba.config.DISABLE_JIT; "
        f"numpy.savez({str(path)!r}, **test_nojit.small_results())"
    )
    environment = {
        **os.environ,
        "NUMBA_DISABLE_JIT": "1",
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *filter(None, sys.path)]),
    }
    subprocess.run(
        [sys.executable, "-W", "error", "-c", command], env=environment, check=True
    )
    compiled = small_results()
    with np.load(path) as plain:
        assert set(plain) == set(compiled)
        for name, expected in compiled.items():
            tight = "float64" in name
            np.testing.assert_allclose(
                plain[name],
                expected,
                rtol=1e-12 if tight else 1e-5,
                atol=1e-14 if tight else 1e-6,
                err_msg=name,
            )
