"""scikit-learn's own tests of its networks, run on ours.

They come in its wheel. The modules are loaded a second time with our estimators in the
place of its own, behind an adapter that knows the names of its parameters. The other two
modules, test_base and test_stochastic_optimizers, are about functions inside scikit-learn.
"""

import importlib.util
import sys
from unittest.mock import patch

import numpy as np
import pytest
import sklearn.neural_network

import skdbn
from skdbn.optimizers import LBFGS, SGD, Adam

TESTS = "sklearn.neural_network.tests"


# -- adapters ---------------------------------------------------------------------------
def _solver(name, params):
    """The solver with its parameters, which scikit-learn's MLP has as its own."""
    if name == "sgd":
        return SGD(params.pop("momentum", 0.9), params.pop("nesterovs_momentum", True))
    return LBFGS(max_fun=params.pop("max_fun", 15000)) if name == "lbfgs" else Adam()


def _mlp(kind):
    """One of our classes as a function of scikit-learn's parameters."""

    def make(
        *, solver="adam", learning_rate="constant", learning_rate_init=0.001, **params
    ):
        assert learning_rate == "constant"
        if params.get("n_iter_no_change") == float("inf"):
            params["n_iter_no_change"] = sys.maxsize
        return kind(
            solver=_solver(solver, params),
            learning_rate=learning_rate_init,
            dtype="float64",
            **params,
        )

    make.__name__ = kind.__name__
    return make


class BernoulliRBM(skdbn.RBM):
    """An RBM trained as scikit-learn's, by its parameters."""

    def __init__(
        self,
        n_components=256,
        *,
        learning_rate=0.1,
        batch_size=10,
        n_iter=10,
        verbose=0,
        random_state=None,
    ):
        super().__init__(
            n_components,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_iter=n_iter,
            verbose=verbose,
            random_state=random_state,
            sampler="pcd",
            momentum=0,
            alpha=0,
            center=False,
            likelihood="pseudo",
            dtype="float64",
        )
        self.n_iter = n_iter


# -- their tests ------------------------------------------------------------------------
PRIVATE = "looks into private attributes"
MESSAGE = "expects scikit-learn's words"
# The tests that do not apply, or the parameters of one, and why.
LEFT_OUT = {
    "test_mlp_fit": PRIVATE + "; compare test_like_scikit_learn",
    "test_mlp_gradient": PRIVATE + "; the gradients are in test_network",
    "test_mlp_learning_rate_warmstart": PRIVATE + "; the rates are in test_schedules",
    "test_mlp_adaptive_learning_rate": PRIVATE + "; compare test_like_scikit_learn",
    "test_mlp_n_iter_no_change": PRIVATE,
    "test_mlp_n_iter_no_change_inf": PRIVATE,
    "test_mlp_verbose_sgd": MESSAGE,
    "test_mlp_warm_start": "a warm start takes y of a part of the classes",
    "test_mlp_minimum_input_sample_size": MESSAGE,
    "test_mlp_nonfinite_params": "divergence warns, and the last finite parameters stay",
    "test_mlp_mlp_diverging_loss": "there is no NaN among the scores",
    "test_mlp_mlp_param_dtypes[MLPClassifier-float32]": "the dtype is a parameter",
    "test_mlp_mlp_param_dtypes[MLPRegressor-float32]": "the dtype is a parameter",
    "test_mlp_preserve_feature_names[MLPClassifier]": "its y has one class, an error here",
    "test_rbm_fit": "the pseudo-likelihood of grey levels is that of the bits meant",
    "test_rbm_partial_fit": "as test_rbm_fit",
    "test_rbm_transform": PRIVATE,
    "test_rbm_sample_hiddens": PRIVATE,
    "test_rbm_fit_gibbs": "expects the weights that one seed gives there",
    "test_rbm_score_samples": "scores rows outside of [0, 1], an error here",
    "test_rbm_sparse_and_verbose": MESSAGE,
    "test_rbm_convergence_dtype_consistency": "has the states of the chains as h_samples_",
}


def _tests(module, **ours):
    """The tests of a module with our estimators in it."""
    spec = importlib.util.find_spec(f"{TESTS}.test_{module}")
    copy = importlib.util.module_from_spec(spec)
    with patch.multiple(sklearn.neural_network, **ours):
        spec.loader.exec_module(copy)
    tests = {name: test for name, test in vars(copy).items() if name.startswith("test_")}
    return {name.replace("test_", f"test_{module}_", 1): f for name, f in tests.items()}


THEIRS = {
    **_tests(
        "mlp",
        MLPClassifier=_mlp(skdbn.MLPClassifier),
        MLPRegressor=_mlp(skdbn.MLPRegressor),
    ),
    **_tests("rbm", BernoulliRBM=BernoulliRBM),
}
globals().update(THEIRS)


@pytest.fixture(autouse=True)
def _applies(request):
    """Skip what is left out; many of the others have no seed of their own."""
    np.random.seed(0)  # noqa: NPY002
    for name in (request.node.name, request.node.name.partition("[")[0]):
        if name in LEFT_OUT:
            pytest.skip(LEFT_OUT[name])


@pytest.fixture
def global_random_seed():
    """What scikit-learn's own conftest gives its tests."""
    return 42


def test_nothing_else_is_left_out():
    assert {name.partition("[")[0] for name in LEFT_OUT} <= set(THEIRS)
    assert len(THEIRS) > 45
