"""Callbacks that make a fit fail, and what two fits have learned, for tests."""

import signal

import numpy as np
from sklearn.base import BaseEstimator


class CrashHere:
    """Fails at the end of the n-th epoch or iteration of an estimator."""

    def __init__(self, n):
        self.n = n

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name in ("epoch", "iteration"):
            self.n -= 1
            if self.n == 0:
                self.happen()

    def happen(self):
        raise RuntimeError("crash")


class Crash(CrashHere):
    """The same, of an estimator or one within."""

    max_propagation_depth = None


class CtrlCHere(CrashHere):
    def happen(self):
        signal.raise_signal(signal.SIGINT)


class CtrlC(CtrlCHere):
    max_propagation_depth = None


class Count(Crash):
    """Counts epochs."""

    def __init__(self):
        self.n = 0

    def on_fit_task_end(self, estimator, context):
        self.n += context.task_name in ("epoch", "iteration")


def fitted_attributes(estimator):
    return {k: v for k, v in vars(estimator).items() if k.endswith("_")}


def assert_same(one, other):
    """What two fits have learned is the same, bit for bit."""
    assert type(one) is type(other)
    if isinstance(one, BaseEstimator):
        assert_same(fitted_attributes(one), fitted_attributes(other))
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        assert_same(list(one.values()), list(other.values()))
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, np.random.RandomState):
        assert_same(one.get_state(legacy=False), other.get_state(legacy=False))
    else:
        np.testing.assert_array_equal(one, other)
