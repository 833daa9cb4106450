"""scikit-learn's callbacks on every estimator, alone and nested."""

import numpy as np
import pytest
from _estimators import build, small_rbm
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.validation import check_is_fitted

from skdbn import DBNClassifier, StackedRBM

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

NAMES = ["RBM", "StackedRBM", "DBNAutoencoder", "DBNClassifier", "MLPClassifier"]
WITH_EPOCHS = ["RBM", "DBNAutoencoder", "DBNClassifier", "MLPClassifier"]

# The tasks of a fit as (depth, estimator, task), each with how often it comes.
EPOCHS = 3
LAYERS = {("fit", "layer"): 2}
TREES = {
    "RBM": {("fit",): 1, ("fit", "epoch"): EPOCHS},
    "StackedRBM": {("fit",): 1, ("fit", "layer"): 2},
    "MLPClassifier": {("fit",): 1, ("fit", "epoch"): EPOCHS},
}
for name in ("DBNAutoencoder", "DBNClassifier"):
    TREES[name] = {
        ("fit",): 1,
        ("fit", "pretrain"): 1,
        ("fit", "fine-tune"): 1,
        ("fit", "fine-tune", "epoch"): EPOCHS,
    }


def path(context):
    """Task names from the root down, those of a meta-estimator where two are one."""
    names = []
    while context is not None:
        names.append(context.source_task_name or context.task_name)
        context = context.parent
    return tuple(reversed(names))


class Recorder:
    """A callback that writes down what happens to it."""

    def __init__(self, stop=None, fail=None):
        self.events = []
        self.estimators = []
        self.stop = stop  # (path, n): say stop at the n-th end of such a task
        self.fail = fail  # (hook, path): raise there

    def _happen(self, hook, context):
        where = path(context)
        self.events.append((hook, where))
        if self.fail == (hook, where):
            raise RuntimeError("the callback failed")
        return where

    def setup(self, estimator, context):
        self._happen("setup", context)

    def teardown(self, estimator, context):
        self._happen("teardown", context)

    def on_fit_task_begin(self, estimator, context, *, X, y):
        self._happen("begin", context)
        assert X is not None
        assert y is not None

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        where = self._happen("end", context)
        if fitted_estimator is not None:
            self.estimators.append((where, fitted_estimator))
        return self.stop is not None and self.stop == (where, self.count("end", where))

    def count(self, hook, where=None):
        return sum(h == hook and where in (None, w) for h, w in self.events)

    def tree(self):
        """How often each task began."""
        paths = [where for hook, where in self.events if hook == "begin"]
        return {where: paths.count(where) for where in paths}


class Propagated(Recorder):
    """A recorder that is handed down to estimators within the estimator."""

    max_propagation_depth = None


def assert_balanced(recorder):
    """Every task that began ended, the innermost first; setup and teardown around it."""
    hooks = [hook for hook, _ in recorder.events]
    assert hooks[0] == "setup"
    assert hooks[-1] == "teardown"
    assert hooks.count("setup") == hooks.count("teardown") == 1
    open_tasks = []
    for hook, where in recorder.events[1:-1]:
        if hook == "begin":
            assert open_tasks == list(where[:-1]) or open_tasks[: len(where)] != where
            open_tasks.append(where)
        else:
            assert open_tasks.pop() == where
    assert not open_tasks


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    return np.clip(rng.random((60, 6)) * 0.5 + 0.4 * y[:, None], 0, 1), y


@pytest.mark.parametrize("name", NAMES)
def test_tasks_of_a_fit(name, data):
    recorder = Recorder()
    assert isinstance(recorder, FitCallback)
    build(name).set_callbacks(recorder).fit(*data)
    assert recorder.tree() == TREES[name]
    assert_balanced(recorder)
