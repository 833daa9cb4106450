"""Snapshots, Recorder and EarlyStopping."""

import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import pytest
from _crashes import Count
from _estimators import LABELS, NAMES, PRETRAINED, ROWS, build, own_score, small_rbm, target
from joblib import Parallel, delayed, parallel_backend
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import RBM, DBNAutoencoder, MLPClassifier, StackedRBM
from skdbn.callbacks import Checkpoint, EarlyStopping, Recorder, Snapshots
from skdbn.samplers import PCD

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*"),
    pytest.mark.filterwarnings("ignore:.*MinMaxScaler does not support callbacks.*"),
]


def moments(snapshots):
    return [(moment.task, moment.iteration) for moment in snapshots.snapshots_]


def rows_of(frame, **equal):
    for name, value in equal.items():
        frame = frame[frame[name] == value]
    return frame


# -- snapshots ---------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_a_snapshot_is_what_a_shorter_fit_gives(name):
    snapshots, y = Snapshots(), target(name)
    fitted = build(name).set_callbacks(snapshots).fit(ROWS, y)
    pretraining = [(f"layer {i}", n) for i in (1, 2) for n in (1, 2, 3)]
    task = "fine-tuning" if name in PRETRAINED else "training"
    rest = [] if name == "StackedRBM" else [(task, n) for n in (1, 2, 3)]
    stacked = name == "StackedRBM" or name in PRETRAINED
    assert moments(snapshots) == (pretraining if stacked else []) + rest
    last = snapshots.snapshots_[-1].estimator
    np.testing.assert_array_equal(last.transform(ROWS), fitted.transform(ROWS))
    if rest:
        shorter = build(name, max_iter=2).fit(ROWS, y)
        moment = snapshots.snapshots_[-2]
        np.testing.assert_array_equal(
            moment.estimator.transform(ROWS), shorter.transform(ROWS)
        )
        losses = getattr(shorter, "loss_curve_", None) or shorter.reconstruction_errors_
        assert moment.loss == losses[-1]
    seconds = [moment.seconds for moment in snapshots.snapshots_]
    assert seconds == sorted(seconds)
    assert seconds[0] > 0


def test_snapshots_of_pretraining_have_all_there_is_so_far():
    snapshots = Snapshots()
    dbn = DBNAutoencoder((4, 2), rbm=small_rbm(random_state=None), random_state=0)
    dbn.set_params(max_iter=1).set_callbacks(snapshots).fit(ROWS)
    below, above = snapshots.snapshots_[:3], snapshots.snapshots_[3:]
    for moment in below:
        assert len(moment.estimator.rbms_) == 1
        assert moment.estimator.reconstruct(ROWS).shape == ROWS.shape
    for moment in above:
        assert isinstance(moment.estimator, DBNAutoencoder)
        assert moment.estimator.transform(ROWS).shape == (60, 2)
        assert moment.estimator.reconstruct(ROWS).shape == ROWS.shape
    # The end of the last layer is where fine-tuning starts.
    pretrained = snapshots.snapshots_[5].estimator
    expected = dbn.stack_.transform(ROWS)
    np.testing.assert_allclose(pretrained.transform(ROWS), expected, rtol=1e-5)


def test_drawing_from_a_snapshot_leaves_training_alone():
    class Draw(Snapshots):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            super().on_fit_task_end(estimator, context, fitted_estimator=fitted_estimator)
            self.snapshots_[-1].estimator.sample(3, n_steps=1)

    watched = small_rbm().set_callbacks(Draw()).fit(ROWS)
    np.testing.assert_array_equal(watched.components_, small_rbm().fit(ROWS).components_)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"every": 5}, [5, 10, 15, 20, 25, 30]),
        ({"every": 7}, [7, 14, 21, 28, 30]),
        ({"growth": 2.0}, [1, 2, 4, 8, 16, 30]),
        ({"growth": 1.5}, [1, 2, 3, 4, 6, 9, 13, 19, 28, 30]),
        ({"every": 4, "growth": 1.5}, [4, 8, 12, 18, 27, 30]),
        ({"every": 100}, [30]),
    ],
)
def test_times_of_snapshots(params, expected):
    snapshots = Snapshots(**params)
    small_rbm(max_iter=30).set_callbacks(snapshots).fit(ROWS)
    assert moments(snapshots) == [("training", n) for n in expected]


def test_each_task_has_a_pace_of_its_own():
    snapshots = Snapshots(every=2)
    build("DBNClassifier").set_callbacks(snapshots).fit(ROWS, LABELS)
    tasks = ("layer 1", "layer 2", "fine-tuning")
    assert moments(snapshots) == [(task, n) for task in tasks for n in (2, 3)]


def test_snapshots_in_files(tmp_path):
    folder = tmp_path / "new" / "folder"
    in_files, in_memory = Snapshots(folder=folder), Snapshots()
    dbn = build("DBNAutoencoder").set_callbacks(in_files, in_memory).fit(ROWS)
    assert moments(in_files) == moments(in_memory)
    paths = sorted(folder.rglob("*.*"))
    assert paths == [moment.path for moment in in_files.snapshots_]
    assert paths[3] == folder / "fit-0001" / "0004-layer-2-epoch-1.joblib"
    for read, kept in zip(in_files.snapshots_, in_memory.snapshots_, strict=True):
        np.testing.assert_array_equal(
            read.estimator.transform(ROWS), kept.estimator.transform(ROWS)
        )
    assert len(pickle.dumps(in_files)) < 5000
    assert dbn.transform(ROWS).shape == (60, 2)


def test_a_shorter_fit_keeps_away_from_the_files_of_a_longer_one(tmp_path):
    snapshots = Snapshots(folder=tmp_path)
    for n in (3, 1):
        small_rbm(max_iter=n).set_callbacks(snapshots).fit(ROWS)
        assert len(snapshots.snapshots_) == n
        files = [moment.path for moment in snapshots.snapshots_]
        assert files == sorted(files[0].parent.iterdir())
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["fit-0001", "fit-0002"]
    assert len(list(tmp_path.glob("*/*.joblib"))) == 4


def test_a_folder_that_is_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("something")
    with pytest.raises(OSError, match="No file can be written to the folder"):
        small_rbm().set_callbacks(Snapshots(folder=path)).fit(ROWS)
    assert path.read_text() == "something"


def test_a_disk_that_is_full_does_not_end_training(tmp_path, monkeypatch):
    def fail(value, file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("joblib.dump", fail)
    snapshots = Snapshots(every=2, folder=tmp_path)
    with pytest.warns(RuntimeWarning, match="could not be written.*No space left"):
        rbm = small_rbm().set_callbacks(snapshots).fit(ROWS)
    assert rbm.n_iter_ == 3
    assert snapshots.snapshots_ == list(tmp_path.rglob("*.*")) == []


def test_snapshots_in_a_search():
    snapshots = Snapshots(every=3)
    pipeline = make_pipeline(MinMaxScaler(clip=True), build("DBNClassifier"))
    grid = {"dbnclassifier__alpha": [0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2).set_callbacks(snapshots)
    search.fit(ROWS, LABELS)
    assert moments(snapshots)[:3] == [("layer 1", 3), ("layer 2", 3), ("fine-tuning", 3)]
    assert len(snapshots.snapshots_) == (2 * 2 + 1) * 3
    last, dbn = snapshots.snapshots_[-1].estimator, search.best_estimator_[-1]
    np.testing.assert_array_equal(last.coefs_[0], dbn.coefs_[0])
    assert "callback" not in "".join(vars(last))
    assert [moment.fit for moment in snapshots.snapshots_] == np.repeat(
        range(1, 6), 3
    ).tolist()


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_files_of_a_parallel_search(backend, tmp_path):
    grid = {"max_iter": [2, 3]}
    search = GridSearchCV(build("MLPClassifier"), grid, cv=2, n_jobs=2)
    with parallel_backend(backend):
        search.set_callbacks(Snapshots(folder=tmp_path)).fit(ROWS, LABELS)
    lengths = []
    for folder in sorted(tmp_path.iterdir()):
        last = joblib.load(max(folder.iterdir()))
        lengths.append(last.n_iter_)
        assert len(list(folder.iterdir())) == last.n_iter_ == last.max_iter
    assert sorted(lengths[:4]) == [2, 2, 3, 3]
    np.testing.assert_array_equal(last.coefs_[0], search.best_estimator_.coefs_[0])


def test_fits_in_threads_of_a_search_are_told_apart():
    snapshots, recorder = Snapshots(), Recorder()
    pipeline = make_pipeline(small_rbm(max_iter=2), build("MLPClassifier"))
    grid = {"mlpclassifier__alpha": [0, 0.1]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2)
    with parallel_backend("threading"):
        search.set_callbacks(snapshots, recorder).fit(ROWS, LABELS)
    losses = rows_of(recorder.frame_, parameter="loss").groupby("fit")
    assert list(losses.groups) == list(range(1, 11))
    lengths = [len(rows) for _, rows in losses]
    assert lengths[-2:] == [2, 3]  # the one on all rows is the last
    assert sorted(lengths) == [2] * 5 + [3] * 5
    for _, rows in losses:
        assert rows["iteration"].tolist() == list(range(1, len(rows) + 1))
    last = rows_of(recorder.frame_, parameter="loss", fit=10)["value"].tolist()
    assert last == search.best_estimator_[-1].loss_curve_
    assert {moment.fit for moment in snapshots.snapshots_} == set(range(1, 11))


@pytest.mark.parametrize("kind", [Snapshots, lambda: Recorder(ROWS, LABELS)])
def test_clones_in_threads_share_a_callback(kind):
    """One is fitted, from beginning to end, while the other is in its first epoch."""
    begun, done, watcher = threading.Event(), threading.Event(), kind()

    class Wait(Count):
        def on_fit_task_end(self, estimator, context):
            if context.task_name == "epoch":
                begun.set()
                assert done.wait(60)

    def fit(dbn):
        if dbn.max_iter == 2:
            assert begun.wait(60)
        fitted = clone(dbn).fit(ROWS, LABELS)
        done.set()
        return fitted

    dbns = [build("DBNClassifier", max_iter=n).set_callbacks(watcher) for n in (4, 2)]
    dbns[0].set_callbacks(watcher, Wait())
    jobs = [delayed(fit)(dbn) for dbn in dbns]
    for fitted, dbn in zip(Parallel(2, backend="threading")(jobs), dbns, strict=True):
        plain = clone(dbn).set_callbacks().fit(ROWS, LABELS)
        np.testing.assert_array_equal(fitted.coefs_[0], plain.coefs_[0])
    # What is kept is that of the fit that began last, and nothing of the other.
    if isinstance(watcher, Snapshots):
        found = moments(watcher)
    else:
        losses = rows_of(watcher.frame_, parameter="loss")
        found = list(zip(losses["task"], losses["iteration"], strict=True))
    pretraining = [(f"layer {i}", n) for i in (1, 2) for n in (1, 2, 3)]
    assert found == [*pretraining, ("fine-tuning", 1), ("fine-tuning", 2)]
    assert watcher._runs == {}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"every": 0}, "'every' parameter of Snapshots"),
        ({"growth": 0.5}, "'growth' parameter of Snapshots"),
        ({"folder": 3}, "'folder' parameter of Snapshots"),
    ],
)
def test_bad_parameters_of_snapshots(params, message):
    with pytest.raises(ValueError, match=message):
        Snapshots(**params)


# -- recorder ----------------------------------------------------------------------------
def test_numbers_of_weights_and_activations():
    recorder, snapshots = Recorder(ROWS, LABELS), Snapshots()
    build("DBNClassifier").set_callbacks(recorder, snapshots).fit(ROWS, LABELS)
    moment = snapshots.snapshots_[7]
    frame = rows_of(recorder.frame_, task=moment.task, iteration=moment.iteration)
    arrays = {
        "weights": moment.estimator.coefs_,
        "biases": moment.estimator.intercepts_,
        "activations": moment.estimator.layer_activations(ROWS),
    }
    for parameter, layers in arrays.items():
        for layer, array in enumerate(layers, 1):
            found = rows_of(frame, parameter=parameter, layer=layer)
            found = found.set_index("quantity")["value"].to_dict()
            expected = {
                "mean": array.mean(),
                "std": array.std(),
                "min": array.min(),
                "max": array.max(),
                "mean_abs": np.abs(array).mean(),
                "max_abs": np.abs(array).max(),
            }
            assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
    (loss,) = rows_of(frame, parameter="loss")["value"]
    assert loss == moment.loss
    assert rows_of(frame, parameter="loss")["layer"].isna().all()


def test_gradients_of_a_network_are_those_of_its_loss():
    recorder, snapshots = Recorder(ROWS, LABELS), Snapshots()
    mlp = MLPClassifier((4,), max_iter=1, alpha=0.5, dtype="float64", random_state=0)
    mlp.set_params(dropout=0.5).set_callbacks(recorder, snapshots).fit(ROWS, LABELS)
    fitted = snapshots.snapshots_[0].estimator

    def loss():
        logs = np.log(fitted.predict_proba(ROWS)[np.arange(60), LABELS])
        penalty = sum((coef**2).sum() for coef in fitted.coefs_)
        return -logs.mean() + 0.5 * 0.5 * penalty / 60

    for layer, coef in enumerate(fitted.coefs_, 1):
        slopes = np.empty_like(coef)
        for place in np.ndindex(coef.shape):
            before = coef[place]
            coef[place] = before + 1e-6
            above = loss()
            coef[place] = before - 1e-6
            slopes[place] = (above - loss()) / 2e-6
            coef[place] = before
        found = rows_of(recorder.frame_, parameter="weights_gradient", layer=layer)
        found = found.set_index("quantity")["value"]
        assert found["mean_abs"] == pytest.approx(np.abs(slopes).mean(), rel=1e-5)
        assert found["max"] == pytest.approx(slopes.max(), rel=1e-5)


def test_gradients_of_an_rbm_vanish_where_the_model_is_right():
    # Independent coins are what the visible biases alone can model.
    coins = np.tile(np.array(np.meshgrid([0, 1], [0, 1])).reshape(2, -1).T, (500, 1))
    recorder = Recorder(coins, every=10)
    rbm = RBM(2, learning_rate=1e-6, max_iter=10, alpha=0, random_state=0)
    rbm.set_callbacks(recorder).fit(coins)
    frame = rows_of(recorder.frame_, quantity="max_abs").set_index("parameter")["value"]
    assert frame["weights_gradient"] < 0.04
    off = Recorder(np.ones((100, 2)), every=10)
    rbm.set_callbacks(off).fit(coins)
    frame = rows_of(off.frame_, quantity="max").set_index("parameter")["value"]
    # The model has fewer ones than such rows, and learns more of them.
    assert frame["visible_biases_gradient"] < -0.3


def test_the_same_random_numbers_for_each_gradient():
    recorder = Recorder(ROWS)
    rbm = small_rbm(learning_rate=1e-12, alpha=0, sampler=PCD())
    rbm.set_callbacks(recorder).fit(ROWS)
    gradients = rows_of(recorder.frame_, parameter="weights_gradient", quantity="mean")
    assert len(gradients) == 3
    np.testing.assert_allclose(gradients["value"], gradients["value"].iloc[0], rtol=1e-4)


@pytest.mark.parametrize("rows", [None, ROWS])
def test_layers_of_a_stack_see_what_they_are_trained_on(rows):
    recorder = Recorder(rows, n_samples=60)
    stack = StackedRBM((4, 3), rbm=small_rbm(random_state=None), random_state=0)
    stack.set_callbacks(recorder).fit(ROWS)
    last = rows_of(recorder.frame_, iteration=3, parameter="activations", quantity="mean")
    assert last["layer"].tolist() == [1, 2]
    expected = [stack[:1].transform(ROWS).mean(), stack.transform(ROWS).mean()]
    np.testing.assert_allclose(last["value"], expected, rtol=1e-5)


def test_histograms_count_everything():
    recorder = Recorder(bins=7, n_samples=50)
    mlp = build("MLPClassifier").set_callbacks(recorder).fit(ROWS, LABELS)
    counts = recorder.histograms_.groupby(["iteration", "parameter", "layer"])["count"]
    assert (counts.size() == 7).all()
    sizes = {1: 5 * 4, 2: 4 * 3, 3: 3 * 3}
    for layer, size in sizes.items():
        assert (counts.sum().loc[:, "weights", layer] == size).all()
        assert (counts.sum().loc[:, "weights_gradient", layer] == size).all()
    assert (counts.sum().loc[:, "activations", 1] == 50 * 4).all()
    assert mlp.n_iter_ == 3


def test_validation_scores_and_every_second_epoch():
    recorder = Recorder(every=2)
    mlp = build("MLPClassifier", early_stopping=True, max_iter=5)
    mlp.set_callbacks(recorder).fit(ROWS, LABELS)
    scores = rows_of(recorder.frame_, parameter="score")
    assert scores["iteration"].tolist() == [2, 4]
    assert scores["value"].tolist() == mlp.validation_scores_[1:4:2]
    assert scores["quantity"].tolist() == ["value"] * 2


def test_recorder_takes_tables_and_words_for_classes():
    table = pd.DataFrame(ROWS, columns=list("abcde"))
    words = np.array(["one", "two", "three"])[LABELS]
    recorder, given = Recorder(n_samples=20), Recorder(table[:20], words[:20])
    build("DBNClassifier").set_callbacks(recorder, given).fit(table, words)
    assert set(recorder.frame_["task"]) == {"layer 1", "layer 2", "fine-tuning"}
    assert len(given.frame_) == len(recorder.frame_)


def test_recorder_wants_targets_before_hours_of_training():
    recorder = Recorder(ROWS)
    with pytest.raises(ValueError, match=r"Recorder\(X\) needs y too"):
        build("DBNClassifier").set_callbacks(recorder).fit(ROWS, LABELS)
    build("DBNAutoencoder").set_callbacks(recorder).fit(ROWS)


@pytest.mark.parametrize("name", NAMES)
def test_watching_does_not_change_the_numbers(name):
    y = target(name)
    watchers = Snapshots(), Recorder(), EarlyStopping(own_score, n_iter_no_change=99)
    watched = build(name).set_callbacks(*watchers).fit(ROWS, y)
    np.testing.assert_array_equal(
        watched.transform(ROWS), build(name).fit(ROWS, y).transform(ROWS)
    )
    assert pickle.loads(pickle.dumps(watched)).transform(ROWS).shape[0] == 60


# -- early stopping ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "params", "n"),
    [
        ([1, 2, 3, 4, 5, 6], {"n_iter_no_change": 1}, 6),
        ([1, 2, 2, 4, 5, 6], {"n_iter_no_change": 1}, 3),
        ([1, 2, 1, 2, 3, 2], {"n_iter_no_change": 2}, 4),
        ([1, 2, 1, 3, 1, 1], {"n_iter_no_change": 2}, 6),
        ([1, 1.4, 1.8, 2.2, 2.6, 3], {"n_iter_no_change": 1, "tol": 0.5}, 2),
        ([6, 5, 4, 4, 3, 2], {"n_iter_no_change": 1, "greater_is_better": False}, 4),
        ([np.inf, 1, 1, 1, 1, 1], {"n_iter_no_change": 3}, 4),
    ],
)
def test_when_training_stops(values, params, n):
    given = iter(values)
    stop = EarlyStopping(lambda *args: next(given), **params)
    rbm = small_rbm(max_iter=6).set_callbacks(stop).fit(ROWS)
    assert rbm.n_iter_ == n
    assert stop.values_ == values[:n]
    best = min if params.get("greater_is_better") is False else max
    assert stop.best_value_ == best(values[:n])


def test_the_best_estimator_is_kept():
    given = iter([1, 3, 2, 2, 2])
    stop = EarlyStopping(lambda *args: next(given), n_iter_no_change=3)
    mlp = build("MLPClassifier", max_iter=9).set_callbacks(stop).fit(ROWS, LABELS)
    shorter = build("MLPClassifier", max_iter=2).fit(ROWS, LABELS)
    assert mlp.n_iter_ == 5
    np.testing.assert_array_equal(stop.best_estimator_.coefs_[0], shorter.coefs_[0])


def test_monitors_by_name():
    X_val, y_val = ROWS[:20], LABELS[:20]
    mlp = build("MLPClassifier", tol=None)
    watch = {
        "loss": EarlyStopping("loss"),
        "validation_score": EarlyStopping("validation_score"),
        "accuracy": EarlyStopping("accuracy", X=X_val, y=y_val),
    }
    scores = ScoringMonitor(scoring="accuracy")
    mlp.set_callbacks(*watch.values(), scores).fit(
        ROWS[20:], LABELS[20:], X_val=X_val, y_val=y_val
    )
    assert watch["loss"].values_ == mlp.loss_curve_
    assert watch["loss"].best_value_ == min(mlp.loss_curve_)
    assert watch["validation_score"].values_ == mlp.validation_scores_
    assert watch["accuracy"].values_ == pytest.approx(mlp.validation_scores_)


def test_a_rule_for_each_layer_of_a_stack():
    stop = EarlyStopping(tol=10.0, n_iter_no_change=2)
    rbm = small_rbm(random_state=None, max_iter=9).set_callbacks(stop)
    stack = StackedRBM((4, 3), rbm=rbm, random_state=0).fit(ROWS)
    assert [rbm.n_iter_ for rbm in stack.rbms_] == [3, 3]


def test_a_stack_grows_until_a_layer_does_not_help():
    given = iter([3, 4, 2])
    stop = EarlyStopping(lambda *args: next(given), n_iter_no_change=1)
    rbm = small_rbm(random_state=None, max_iter=1)
    stack = StackedRBM((4, 3, 2, 2, 2), rbm=rbm).set_callbacks(stop).fit(ROWS)
    assert len(stack.rbms_) == 3
    assert len(stop.best_estimator_.rbms_) == 2


def test_what_cannot_be_watched():
    with pytest.raises(ValueError, match="needs held-out rows"):
        small_rbm().set_callbacks(EarlyStopping("validation_score")).fit(ROWS)
    with pytest.raises(ValueError, match=r"monitor='loss' of StackedRBM, which is NaN"):
        build("StackedRBM").set_callbacks(EarlyStopping()).fit(ROWS)
    with pytest.raises(ValueError, match="no_such_score"):
        small_rbm().set_callbacks(EarlyStopping("no_such_score")).fit(ROWS)
    with pytest.raises(ValueError, match="'n_iter_no_change' parameter of EarlyStopping"):
        EarlyStopping(n_iter_no_change=0)


# -- what all callbacks share ------------------------------------------------------------
@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (Checkpoint("a", every=2), "Checkpoint(path='a', every=2, verbose=True)"),
        (Snapshots(growth=2.0), "Snapshots(every=1, growth=2.0, folder=None)"),
        (
            EarlyStopping("accuracy", X=ROWS, y=LABELS),
            "EarlyStopping(monitor='accuracy', X=<ndarray of shape (60, 5)>, y=<ndarray of "
            "shape (60,)>, greater_is_better='auto', tol=0.0, n_iter_no_change=10)",
        ),
        (
            Recorder(bins=7),
            "Recorder(X=None, y=None, n_samples=200, every=1, bins=7, random_state=0)",
        ),
    ],
)
def test_a_callback_shows_its_parameters(callback, text):
    assert repr(callback) == text


@pytest.mark.parametrize("callback", [EarlyStopping, Recorder])
def test_rows_that_are_none(callback):
    with pytest.raises(ValueError, match=f"The 'X' parameter of {callback.__name__}"):
        callback(X=3)
