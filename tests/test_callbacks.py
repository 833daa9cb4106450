"""scikit-learn's callbacks on every estimator, alone and nested."""

import warnings
from collections import Counter

import numpy as np
import pytest
from _estimators import (
    CLASSIFIERS,
    NAMES,
    NETWORKS,
    PRETRAINED,
    SUPERVISED,
    build,
    own_score,
    small_rbm,
)
from joblib import parallel_backend
from sklearn.base import clone
from sklearn.callback import FitCallback, ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import DBNClassifier, StackedRBM

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*"),
    pytest.mark.filterwarnings("ignore:.*MinMaxScaler does not support callbacks.*"),
]

# The step of each estimator's training, and how many of them it takes.
STEPS = {
    "RBM": (("fit", "epoch"), 3),
    "StackedRBM": (("fit", "layer"), 2),
    "DBNAutoencoder": (("fit", "fine-tune", "epoch"), 3),
    "DBNClassifier": (("fit", "fine-tune", "epoch"), 3),
    "MLPClassifier": (("fit", "epoch"), 3),
    "DBNRegressor": (("fit", "fine-tune", "epoch"), 3),
    "MLPRegressor": (("fit", "epoch"), 3),
}
# All tasks that belong to the estimator itself, and how often each comes.
TREES = {name: {("fit",): 1, step: n} for name, (step, n) in STEPS.items()}
for _name in PRETRAINED:
    TREES[_name] |= {("fit", "pretrain"): 1, ("fit", "fine-tune"): 1}
# Those of the estimators within it.
LAYERS = {
    ("fit", "pretrain", "layer"): 2,
    ("fit", "pretrain", "layer", "epoch"): 6,
}
NESTED = {**TREES, **{name: TREES[name] | LAYERS for name in PRETRAINED}}
NESTED["StackedRBM"] = TREES["StackedRBM"] | {("fit", "layer", "epoch"): 6}


def path(context):
    """Names of the tasks from the root; of two merged tasks, the meta-estimator's."""
    above = () if context.parent is None else path(context.parent)
    return (*above, context.source_task_name or context.task_name)


class Recorder:
    """A callback that writes down what happens to it.

    ``stop=(path, n)`` says stop at the end of the n-th such task, ``fail=(hook, path)``
    raises in that hook.
    """

    def __init__(self, stop=None, fail=None):
        self.events = []
        self.fitted = {}
        self.stop = stop
        self.fail = fail

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
        if type(estimator).__module__.startswith("skdbn"):
            assert len(X) == len(y)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        where = self._happen("end", context)
        if fitted_estimator is not None:
            self.fitted.setdefault(where, []).append(fitted_estimator)
        return self.stop == (where, self.events.count(("end", where)))

    def counts(self, hook):
        return dict(Counter(where for h, where in self.events if h == hook))


class Propagated(Recorder):
    """A recorder that is handed down to the estimators within an estimator."""

    max_propagation_depth = None


def assert_balanced(recorder):
    """Tasks begin below the one that is open, end once, and all end before teardown."""
    (first, _), *events, (last, _) = recorder.events
    assert (first, last) == ("setup", "teardown")
    running = []
    for hook, where in events:
        if hook == "begin":
            assert where[:-1] == (running[-1] if running else ())
            running.append(where)
        else:
            assert hook == "end"
            assert running.pop() == where
    assert running == []


def is_leftover(attribute):
    return "callback" in attribute


def estimators_within(estimator):
    """All estimators below one, those it was given and those it has fitted."""
    for value in vars(estimator).values():
        for child in value if isinstance(value, list) else [value]:
            if hasattr(child, "get_params"):
                yield child
                yield from estimators_within(child)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    return np.clip(rng.random((60, 6)) * 0.5 + 0.4 * y[:, None], 0, 1), y


# -- the tree of tasks -------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("kind", "trees"), [(Recorder, TREES), (Propagated, NESTED)])
def test_tasks_of_a_fit(name, kind, trees, data):
    recorder = kind()
    assert isinstance(recorder, FitCallback)
    build(name).set_callbacks(recorder).fit(*data)
    assert recorder.counts("end") == trees[name]
    assert recorder.counts("begin") == trees[name]
    assert_balanced(recorder)


@pytest.mark.parametrize("name", NAMES)
def test_tasks_of_a_pipeline_in_a_grid_search(name, data):
    recorder = Propagated()
    pipeline = make_pipeline(MinMaxScaler(clip=True), build(name))
    grid = {f"{name.lower()}__random_state": [0, 1]}
    search = GridSearchCV(pipeline, grid, cv=2).set_callbacks(recorder).fit(*data)
    below = Counter()
    for where, n in NESTED[name].items():
        inner = ("fit-final-estimator", *where[1:])
        below["fit", "search", "candidate-split-evaluation", *inner] = 4 * n
        below["fit", "refit-with-best-params", *inner] = n
    ends = recorder.counts("end")
    assert {where: ends.get(where) for where in below} == below
    begins = recorder.counts("begin")
    assert {where: begins.get(where) for where in below} == below
    assert recorder.counts("setup") == recorder.counts("teardown") == {("fit",): 1}
    assert not any(is_leftover(a) for e in estimators_within(search) for a in vars(e))


@pytest.mark.parametrize("name", NETWORKS)
def test_tasks_of_lbfgs(name, data):
    recorder = Recorder()
    fitted = build(name, solver="lbfgs", max_iter=4).set_callbacks(recorder).fit(*data)
    (*parent, _), _ = STEPS[name]
    assert recorder.counts("end")[*parent, "iteration"] == fitted.n_iter_ > 1
    assert_balanced(recorder)


def test_each_partial_fit_is_a_fit_of_one_epoch(data):
    rbm, recorder = small_rbm(), Recorder()
    rbm.set_callbacks(recorder)
    for _ in range(3):
        rbm.partial_fit(data[0])
        assert_balanced(recorder)
        assert recorder.counts("end") == {("fit",): 1, ("fit", "epoch"): 1}
        recorder.events.clear()


def test_tasks_without_pretraining(data):
    recorder = Recorder()
    build("DBNAutoencoder", pretrain=False).set_callbacks(recorder).fit(*data)
    assert recorder.counts("end") == {("fit",): 1, ("fit", "epoch"): 3}
    assert_balanced(recorder)


@pytest.mark.parametrize("name", SUPERVISED)
def test_each_partial_fit_of_a_network_is_a_fit_of_one_epoch(name, data):
    X, y = data
    network, recorder = build(name).set_callbacks(Propagated()), Recorder()
    known = {"classes": np.unique(y)} if name in CLASSIFIERS else {}
    network.set_callbacks(recorder).partial_fit(X, y, **known)
    first = recorder.counts("end")
    assert first == {**TREES[name], STEPS[name][0]: 1}
    assert_balanced(recorder)
    recorder.events.clear()
    network.partial_fit(X, y)
    first.pop(("fit", "pretrain"), None)
    assert recorder.counts("end") == first
    assert_balanced(recorder)


def test_early_stopping_ends_all_tasks(data):
    recorder = Recorder()
    mlp = build("MLPClassifier", early_stopping=True, n_iter_no_change=1, max_iter=50)
    mlp.set_params(tol=1.0).set_callbacks(recorder).fit(*data)
    assert recorder.counts("end")["fit", "epoch"] == mlp.n_iter_ < 50
    assert_balanced(recorder)


# -- scores ------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_a_shorter_fit(name, data):
    X, y = data
    monitor = ScoringMonitor(scoring={"score": own_score})
    unsupervised = not hasattr(build(name), "predict")
    args = (X,) if unsupervised else (X, y)
    build(name).set_callbacks(monitor).fit(*args)
    (*_, step), n_steps = STEPS[name]
    rows = monitor.get_logs().data
    logged = [row["score"] for row in rows if row["task_name"] == step]
    shorter = [
        build(name, hidden_layer_sizes=(4, 3)[:k])
        if name == "StackedRBM"
        else build(name, max_iter=k)
        for k in range(1, n_steps + 1)
    ]
    expected = [estimator.fit(*args).score(*args) for estimator in shorter]
    np.testing.assert_allclose(logged, expected, rtol=1e-6)
    at_the_end = [row["score"] for row in rows if row["task_name"] == "fit"]
    np.testing.assert_allclose(at_the_end, expected[-1:], rtol=1e-6)


@pytest.mark.parametrize("name", ["RBM", "DBNAutoencoder", "DBNClassifier"])
def test_snapshots_do_not_change_as_training_goes_on(name, data):
    X, y = data
    recorder, (step, n_steps) = Recorder(), STEPS[name]
    build(name).set_callbacks(recorder).fit(X, y)
    snapshots = [estimator.transform(X) for estimator in recorder.fitted[step]]
    assert len(snapshots) == n_steps
    for k, snapshot in enumerate(snapshots):
        expected = build(name, max_iter=k + 1).fit(X, y).transform(X)
        np.testing.assert_allclose(snapshot, expected, rtol=1e-5)
    assert not np.allclose(snapshots[0], snapshots[-1], rtol=1e-5)


def test_monitor_of_a_layer_within_a_stack_within_a_classifier(data):
    X, y = data
    monitor = ScoringMonitor(scoring={"score": own_score})
    rbm = small_rbm().set_callbacks(monitor)
    dbn = DBNClassifier((4, 3), rbm=rbm, max_iter=1, random_state=0).fit(X, y)
    log = monitor.get_logs()
    assert log.estimator_name == "DBNClassifier"
    epochs = [row for row in log.data if row["task_name"] == "epoch"]
    # root, pretrain, the layer and the epoch in it
    assert [row["task_id_path"] for row in epochs] == [
        (0, 0, layer, epoch) for layer in range(2) for epoch in range(3)
    ]
    last = [epochs[2]["score"], epochs[5]["score"]]
    first, second = dbn.stack_.rbms_
    expected = [first.score(X), second.score(first.transform(X.astype(np.float32)))]
    np.testing.assert_allclose(last, expected, rtol=1e-5)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_monitor_in_a_parallel_grid_search(backend, data):
    monitor = ScoringMonitor(scoring={"score": own_score})
    grid = {"rbm__learning_rate": [0.01, 0.1]}
    dbn = build("DBNClassifier").set_callbacks(monitor)
    with parallel_backend(backend):
        GridSearchCV(dbn, grid, cv=2, n_jobs=2).fit(*data)
    rows = monitor.get_logs().data
    scores = [row["score"] for row in rows if row["task_name"] == "epoch"]
    assert len(scores) == (2 * 2 + 1) * 3
    assert all(0 <= score <= 1 for score in scores)


# -- progress ----------------------------------------------------------------------------
def bars(capsys):
    """The progress bars of what was printed, as text and percentage, from the top."""
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    return [
        (" ".join(line[: next(i for i, w in enumerate(line) if "\u2501" in w)]), percent)
        for line in lines
        for percent in [w for w in line if w.endswith("%")]
    ]


@pytest.fixture
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


PRETRAIN_BAR = "{0} - pretrain | StackedRBM - fit #0"
LAYER_BARS = ["StackedRBM - layer | RBM - fit #0", "StackedRBM - layer | RBM - fit #1"]
FINE_TUNE_BAR = "{0} - fine-tune #1"


@pytest.mark.parametrize(
    ("name", "depth", "below"),
    [
        ("RBM", None, []),
        ("MLPClassifier", None, []),
        ("StackedRBM", None, LAYER_BARS),
        ("StackedRBM", 0, []),
        ("DBNClassifier", None, [PRETRAIN_BAR, *LAYER_BARS, FINE_TUNE_BAR]),
        ("DBNClassifier", 1, [PRETRAIN_BAR, FINE_TUNE_BAR]),
        ("DBNAutoencoder", None, [PRETRAIN_BAR, *LAYER_BARS, FINE_TUNE_BAR]),
    ],
)
@pytest.mark.usefixtures("wide_terminal")
def test_progress_bars(name, depth, below, data, capsys):
    build(name).set_callbacks(ProgressBar(max_propagation_depth=depth)).fit(*data)
    expected = [f"{name} - fit", *(bar.format(name) for bar in below)]
    assert bars(capsys) == [(bar, "100%") for bar in expected]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.usefixtures("wide_terminal")
def test_progress_bars_of_a_grid_search(n_jobs, data, capsys):
    pipeline = make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier"))
    grid = {"dbnclassifier__alpha": [0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs)
    search.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(*data)
    found = bars(capsys)
    assert {percent for _, percent in found} == {"100%"}
    assert sum(text.startswith("StackedRBM - layer") for text, _ in found) == 5 * 2
    assert sum(text.startswith("DBNClassifier - fine-tune") for text, _ in found) == 5


# -- stopping and failing ----------------------------------------------------------------
@pytest.mark.filterwarnings("error")  # a fit that was stopped has not failed to converge
@pytest.mark.parametrize("name", NAMES)
def test_a_callback_stops_training(name, data):
    X, y = data
    step, _ = STEPS[name]
    n = 1 if name == "StackedRBM" else 2
    recorder = Recorder(stop=(step, n))
    stopped = build(name).set_callbacks(recorder).fit(X, y)
    assert recorder.counts("end")[step] == n
    assert_balanced(recorder)
    if name == "StackedRBM":
        assert len(stopped.rbms_) == 1
        shorter = build(name, hidden_layer_sizes=4)
    else:
        assert stopped.n_iter_ == 2
        shorter = build(name, max_iter=2)
    with warnings.catch_warnings(action="ignore"):
        shorter.fit(X, y)
    np.testing.assert_allclose(stopped.transform(X), shorter.transform(X), rtol=1e-5)
    assert np.isfinite(stopped.score(X, y))
    assert len(stopped.get_feature_names_out()) == stopped.transform(X).shape[1]


@pytest.mark.filterwarnings("error")
def test_a_callback_stops_lbfgs(data):
    recorder = Recorder(stop=(("fit", "iteration"), 2))
    mlp = build("MLPClassifier", solver="lbfgs", max_iter=50).set_callbacks(recorder)
    assert mlp.fit(*data).n_iter_ == 2
    assert_balanced(recorder)


def test_a_callback_stops_the_layers_within_a_classifier(data):
    epoch = ("fit", "pretrain", "layer", "epoch")
    recorder = Propagated(stop=(epoch, 1))
    dbn = build("DBNClassifier").set_callbacks(recorder).fit(*data)
    assert [rbm.n_iter_ for rbm in dbn.stack_.rbms_] == [1, 3]
    assert dbn.n_iter_ == 3
    assert np.isfinite(dbn.predict_proba(data[0])).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hook", ["begin", "end"])
def test_a_failing_callback(name, hook, data):
    recorder = Recorder(fail=(hook, STEPS[name][0]))
    estimator = build(name).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="the callback failed"):
        estimator.fit(*data)
    assert recorder.events[-1] == ("teardown", ("fit",))
    assert [a for a in vars(estimator) if is_leftover(a)] == ["_skl_callbacks"]
    recorder.fail = None
    recorder.events.clear()
    estimator.fit(*data)
    assert recorder.counts("end") == TREES[name]


@pytest.mark.parametrize("name", ["StackedRBM", *PRETRAINED])
def test_a_callback_that_fails_deep_down(name, data):
    *_, epoch = sorted(NESTED[name].keys() - TREES[name].keys(), key=len)
    recorder = Propagated(fail=("end", epoch))
    estimator = build(name).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="the callback failed"):
        estimator.fit(*data)
    assert recorder.counts("setup") == recorder.counts("teardown") == {("fit",): 1}
    assert not any(is_leftover(a) for e in estimators_within(estimator) for a in vars(e))


# -- where callbacks live ----------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_clone_keeps_callbacks(name, data):
    recorder = Recorder()
    clone(build(name).set_callbacks(recorder)).fit(*data)
    assert recorder.counts("end") == TREES[name]


@pytest.mark.parametrize("name", ["StackedRBM", *PRETRAINED])
def test_callbacks_do_not_leak_into_estimators_within(name, data):
    recorder = Propagated()
    fitted = build(name).set_callbacks(recorder).fit(*data)
    within = list(estimators_within(fitted))
    assert any(hasattr(estimator, "components_") for estimator in within)
    assert not any(is_leftover(a) for estimator in within for a in vars(estimator))
    assert [a for a in vars(fitted) if is_leftover(a)] == ["_skl_callbacks"]
    recorder.events.clear()
    getattr(fitted, "stack_", fitted)[0].fit(data[0])
    assert recorder.events == []


def test_callbacks_of_layers_are_not_shared_with_a_slice(data):
    recorder = Recorder()
    stack = StackedRBM((4, 3), rbm=small_rbm()).set_callbacks(recorder).fit(data[0])
    recorder.events.clear()
    stack[:1].fit(data[0])
    assert recorder.events == []


@pytest.mark.parametrize("name", NAMES)
def test_callbacks_do_not_change_the_numbers(name, data):
    X, y = data
    watched = build(name).set_callbacks(Propagated()).fit(X, y)
    np.testing.assert_array_equal(watched.transform(X), build(name).fit(X, y).transform(X))
