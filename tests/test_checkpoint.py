"""Fits that are killed and go on."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _crashes import Count, Crash, CrashHere, assert_same
from _estimators import (
    LABELS,
    NAMES,
    PRETRAINED,
    ROWS,
    WEIGHT,
    build,
    own_score,
    small_rbm,
    target,
)
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import RBM, MLPClassifier, StackedRBM
from skdbn._archive import read_archive, write_archive
from skdbn._files import replacing
from skdbn.callbacks import Checkpoint, EarlyStopping
from skdbn.optimizers import Adam, Averaged, Clipped
from skdbn.regularization import Sparsity
from skdbn.samplers import PCD, FastPCD, ParallelTempering
from skdbn.schedules import Adaptive
from skdbn.units import Gaussian

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")


def crash_and_resume(make, path, n, *args, every=1, **kwargs):
    """Fit with a crash at the end of the n-th epoch, and again; returns the second."""
    with pytest.raises(RuntimeError, match="crash"):
        make().set_callbacks(Checkpoint(path, every=every), Crash(n)).fit(*args, **kwargs)
    count, checkpoint = Count(), Checkpoint(path, every=every, verbose=False)
    resumed = make().set_callbacks(checkpoint, count).fit(*args, **kwargs)
    return resumed, count.n


# -- going on, bit for bit ---------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_a_crash_in_any_epoch(name, tmp_path):
    y = target(name)
    n_epochs = {"RBM": 3, "StackedRBM": 6}.get(name, 9 if name in PRETRAINED else 3)
    whole = build(name).fit(ROWS, y)
    for n in {1, 3, 4, 8} & {*range(1, n_epochs + 1)}:
        path = tmp_path / f"{n}.npz"
        resumed, n_left = crash_and_resume(lambda: build(name), path, n, ROWS, y)
        assert_same(resumed, whole)
        assert n_left == n_epochs - (n - 1)  # the n-th was not kept


BUSY_RBM = {"learning_rate": 0.05, "max_iter": 6, "n_components": 4, "random_state": 0}
BUSY_MLP = {"max_iter": 6, "random_state": 0, "batch_size": 7, "hidden_layer_sizes": (4, 3)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: RBM(**BUSY_RBM, sampler=PCD(n_chains=7)),
        lambda: RBM(**BUSY_RBM, sampler=FastPCD()),
        lambda: RBM(**BUSY_RBM, sampler=ParallelTempering(n_chains=5)),
        lambda: RBM(**BUSY_RBM, average=2.0, sparsity=Sparsity(0.1, 0.5)),
        lambda: RBM(**BUSY_RBM, center=True, clip_norm=0.1, l1_ratio=0.5, shuffle=False),
        lambda: RBM(**BUSY_RBM, visible=Gaussian(variance="learned"), average=1.0),
        lambda: RBM(**BUSY_RBM, early_stopping=True, n_iter_no_change=3),
        lambda: RBM(**BUSY_RBM, early_stopping="free_energy_gap", n_iter_no_change=3),
        lambda: MLPClassifier(**BUSY_MLP, solver="sgd", dropout=0.3, input_noise=0.1),
        lambda: MLPClassifier(**BUSY_MLP, solver=Averaged(Adam(), start=2.0)),
        lambda: MLPClassifier(**BUSY_MLP, solver=Clipped(Adam(), 0.1), max_norm=0.5),
        lambda: MLPClassifier(**BUSY_MLP, solver="cg"),
        lambda: MLPClassifier(**BUSY_MLP, solver="rmsprop", early_stopping=True, tol=0.0),
        lambda: MLPClassifier(
            **BUSY_MLP, solver="adadelta", learning_rate=[0, 0.1, 0.2], head_max_iter=3
        ),
        lambda: MLPClassifier(**BUSY_MLP, n_iter_no_change=2, tol=10.0),
    ],
)
def test_all_that_training_remembers(make, tmp_path):
    whole = make().fit(ROWS, LABELS)
    resumed, n_left = crash_and_resume(make, tmp_path / "fit", 3, ROWS, LABELS)
    assert_same(resumed, whole)
    assert n_left == whole.n_iter_ - 2


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLPClassifier(**BUSY_MLP, learning_rate="adaptive"),
        lambda: RBM(**{**BUSY_RBM, "learning_rate": Adaptive(0.1)}, early_stopping=True),
    ],
)
def test_a_rate_that_was_lowered(make, tmp_path):
    def impatient():
        return make().set_params(tol=10.0, n_iter_no_change=1)

    whole = impatient().fit(ROWS, LABELS)
    assert whole.n_iter_ == 6
    resumed, _ = crash_and_resume(impatient, tmp_path / "fit", 5, ROWS, LABELS)
    assert_same(resumed, whole)


def test_after_divergence(tmp_path):
    def make():
        rbm = RBM(8, visible="gaussian", learning_rate=30.0, back_off=True, max_iter=8)
        return rbm.set_params(random_state=0, momentum=0.0)

    X = 3 * ROWS
    with pytest.warns(ConvergenceWarning, match="diverged"):
        whole = make().fit(X)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        resumed, _ = crash_and_resume(make, tmp_path / "fit", 4, X)
    assert_same(resumed, whole)


def test_sparse_rows_with_weights_and_a_validation_set(tmp_path):
    X, y = sparse.csr_matrix(ROWS > 0.5, dtype=np.float32), LABELS

    def make():
        return build("DBNClassifier", early_stopping=True)

    kwargs = {"sample_weight": WEIGHT, "X_val": X[:20], "y_val": y[:20]}
    resumed, _ = crash_and_resume(make, tmp_path / "fit", 8, X, y, **kwargs)
    assert_same(resumed, make().fit(X, y, **kwargs))


def test_lbfgs_begins_anew_after_pretraining(tmp_path):
    def make():
        return build("DBNClassifier", solver="lbfgs", max_iter=5)

    resumed, n_left = crash_and_resume(make, tmp_path / "fit", 9, ROWS, LABELS)
    assert_same(resumed, make().fit(ROWS, LABELS))
    assert n_left == resumed.n_iter_ > 2


def test_every_third_epoch(tmp_path):
    def make():
        return small_rbm(max_iter=9)

    resumed, n_left = crash_and_resume(make, tmp_path / "fit", 9, ROWS, every=3)
    assert_same(resumed, make().fit(ROWS))
    assert n_left == 3


def test_state_of_callbacks(tmp_path):
    def make(*others):
        stop = EarlyStopping(lambda rbm, X, y: -rbm.n_iter_, n_iter_no_change=5)
        return small_rbm(max_iter=20).set_callbacks(stop, *others), stop

    whole, stop = make()
    whole.fit(ROWS)
    path = tmp_path / "fit"
    with pytest.raises(RuntimeError, match="crash"):
        make(Checkpoint(path), Crash(4))[0].fit(ROWS)
    resumed, again = make(Checkpoint(path, verbose=False))
    assert_same(resumed.fit(ROWS), whole)
    assert again.values_ == stop.values_ == [-1, -2, -3, -4, -5, -6]


@pytest.mark.parametrize("name", ["RBM", "DBNClassifier"])
def test_without_a_seed_the_first_run_has_chosen_one(name, tmp_path):
    def make():
        return build(name, random_state=None, early_stopping=True)

    args = (ROWS, target(name))
    np.random.seed(3)  # noqa: NPY002
    whole = make().set_callbacks(Checkpoint(tmp_path / "whole")).fit(*args)
    np.random.seed(3)  # noqa: NPY002
    resumed, _ = crash_and_resume(make, tmp_path / "fit", 2, *args)
    assert_same(resumed, whole)


def test_a_step_of_a_pipeline(tmp_path):
    def make():
        return build("DBNClassifier")

    def pipeline(*callbacks):
        return make_pipeline(MinMaxScaler(), make().set_callbacks(*callbacks))

    X, crash = 10 * ROWS, CrashHere(2)
    with pytest.raises(RuntimeError, match="crash"):
        pipeline(Checkpoint(tmp_path / "fit"), crash).fit(X, LABELS)
    resumed = pipeline(Checkpoint(tmp_path / "fit", verbose=False)).fit(X, LABELS)
    assert_same(resumed[-1], pipeline().fit(X, LABELS)[-1])


def test_a_warm_start_goes_on_with_the_second_fit(tmp_path):
    def make():
        rbm = small_rbm(warm_start=True).fit(ROWS)
        return rbm

    resumed, n_left = crash_and_resume(make, tmp_path / "fit", 3, ROWS[:40])
    assert n_left == 1
    assert_same(resumed, make().fit(ROWS[:40]))
    # The fit of other start parameters is another one.
    count = Count()
    make().fit(ROWS).set_callbacks(Checkpoint(tmp_path / "fit"), count).fit(ROWS[:40])
    assert count.n == 3


def test_the_line_that_tells(tmp_path, capsys):
    path = tmp_path / "fit"
    with pytest.raises(RuntimeError, match="crash"):
        build("DBNAutoencoder").set_callbacks(Checkpoint(path), Crash(6)).fit(ROWS)
    assert capsys.readouterr().out == ""
    build("DBNAutoencoder").set_callbacks(Checkpoint(path)).fit(ROWS)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"[Checkpoint] {path}: going on after epoch 2 of 3 of RBM 4-2, ")
    build("DBNAutoencoder").set_callbacks(Checkpoint(path)).fit(ROWS)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("this fit has ended before, nothing is trained again")


# -- which fit a file is of --------------------------------------------------------------
def test_a_fit_that_has_ended_is_found_again(tmp_path):
    checkpoint = Checkpoint(tmp_path / "fit", verbose=False)
    whole = (
        build("DBNRegressor").set_callbacks(checkpoint).fit(ROWS, target("DBNRegressor"))
    )
    count = Count()
    again = build("DBNRegressor").set_callbacks(checkpoint, count)
    assert_same(again.fit(ROWS, target("DBNRegressor")), whole)
    assert count.n == 0


X_OTHER = ROWS.copy()
X_OTHER[59, 4] += 1e-9


@pytest.mark.parametrize(
    "kind",
    [
        list,
        pd.DataFrame,
        pl.DataFrame,
        sparse.csr_matrix,
        sparse.csc_array,
        lambda X: pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0.5}),
    ],
)
def test_the_same_data_in_any_container(kind, tmp_path):
    for n in (3, 0):
        count, checkpoint = Count(), Checkpoint(tmp_path / "fit", verbose=False)
        words = pd.Series(np.array(["one", "two", "three"])[LABELS])
        mlp = build("MLPClassifier").set_callbacks(checkpoint, count)
        mlp.fit(kind(ROWS.round()), words.copy())
        assert count.n == n
        mlp.predict(kind(ROWS.round()))


@pytest.mark.parametrize(
    ("params", "args", "message"),
    [
        ({"max_iter": 4}, (ROWS, LABELS), "other values of max_iter"),
        ({"rbm__alpha": 1.0}, (ROWS, LABELS), "other values of rbm"),
        ({}, (X_OTHER, LABELS), "its data are others"),
        ({}, (ROWS, LABELS[::-1]), "its data are others"),
        ({}, (ROWS.astype(np.float32), LABELS), "its data are others"),
        ({}, (ROWS, LABELS, WEIGHT), "its data are others"),
    ],
)
def test_another_fit_does_not_go_on_with_the_file(params, args, message, tmp_path):
    path, count = tmp_path / "fit", Count()
    crashing = build("DBNClassifier").set_callbacks(Checkpoint(path), Crash(5))
    with pytest.raises(RuntimeError, match="crash"):
        crashing.fit(ROWS, LABELS)
    kept = path.read_bytes()
    other = build("DBNClassifier", **params).set_callbacks(Checkpoint(path), count)
    with pytest.raises(ValueError, match=f"another fit, which has not ended: {message}"):
        other.fit(*args)
    assert path.read_bytes() == kept
    assert not hasattr(other, "coefs_")
    # What has ended is replaced, and trained in full.
    build("DBNClassifier").set_callbacks(Checkpoint(path, verbose=False)).fit(ROWS, LABELS)
    other.fit(*args)
    assert count.n == other.n_iter_ + 6
    if not params:
        return
    assert_same(other, build("DBNClassifier", **params).fit(*args))


def test_parameters_are_told_apart_by_what_they_hold(tmp_path):
    path = tmp_path / "fit"
    rate = {"visible": Gaussian(variance=1.0)}
    same = {"visible": Gaussian(variance=1.0), "verbose": False}
    small_rbm(**rate).set_callbacks(Checkpoint(path, verbose=False)).fit(ROWS)
    for params, n in [(same, 0), ({"visible": Gaussian(variance=0.9)}, 3)]:
        count, checkpoint = Count(), Checkpoint(path, verbose=False)
        small_rbm(**params).set_callbacks(checkpoint, count).fit(ROWS)
        assert count.n == n


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and more", b"\x80\x04K\x01.", None])
def test_a_file_that_is_no_checkpoint(content, tmp_path):
    path = tmp_path / "file"
    if content is None:
        write_archive(path, {"some": np.ones(3)})
        content = path.read_bytes()
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file is not a checkpoint that this version"):
        small_rbm().set_callbacks(Checkpoint(path)).fit(ROWS)
    assert path.read_bytes() == content


def test_a_file_that_would_run_code(tmp_path):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        np.savez(file, index=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="not a checkpoint"):
        small_rbm().set_callbacks(Checkpoint(path)).fit(ROWS)


def test_partial_fit_is_not_kept(tmp_path):
    rbm = small_rbm().set_callbacks(Checkpoint(tmp_path / "fit"))
    plain = small_rbm()
    for _ in range(2):
        assert_same(rbm.partial_fit(ROWS).components_, plain.partial_fit(ROWS).components_)
    build("DBNClassifier").set_callbacks(Checkpoint(tmp_path / "fit")).partial_fit(
        ROWS, LABELS, classes=[0, 1, 2]
    )
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_the_layers_of_a_stack(tmp_path):
    rbm = small_rbm(random_state=None).set_callbacks(Checkpoint(tmp_path / "fit"))
    with pytest.raises(ValueError, match="Set it on the stack or the network"):
        StackedRBM((4, 3), rbm=rbm).fit(ROWS)


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(small_rbm()),
        GridSearchCV(small_rbm(), {"max_iter": [1]}, scoring=own_score),
        LogisticRegression(),
    ],
)
@pytest.mark.parametrize("callback", [Checkpoint("fit"), EarlyStopping()])
def test_an_estimator_without_epochs_to_watch(estimator, callback):
    name, found = type(callback).__name__, type(estimator).__name__
    message = f"{name} goes on the estimator of skdbn .* nothing on a {found}. Call"
    with pytest.raises(ValueError, match=message):
        clone(estimator).set_callbacks(callback).fit(ROWS, LABELS)


# -- disks -------------------------------------------------------------------------------
def test_a_file_that_cannot_be_written_is_told_before_training(tmp_path):
    (tmp_path / "file").write_text("something")
    count = Count()
    checkpoint = Checkpoint(tmp_path / "file" / "fit")
    with pytest.raises(OSError, match="No file can be written to the folder"):
        small_rbm().set_callbacks(checkpoint, count).fit(ROWS)
    assert count.n == 0


def full_disk(after):
    """A fsync that fails from the n-th time on."""
    left = iter(range(after))

    def fsync(descriptor):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")

    return fsync


@pytest.mark.parametrize("after", [0, 2])  # nothing fits, or all but the states
def test_a_disk_that_is_full_before_training(after, tmp_path, monkeypatch):
    path, count = tmp_path / "fit", Count()
    monkeypatch.setattr(os, "fsync", full_disk(after))
    with pytest.raises(OSError, match=f"{path} could not be written: No space left"):
        small_rbm().set_callbacks(Checkpoint(path), count).fit(ROWS)
    assert count.n == 0
    assert list(tmp_path.iterdir()) == [path] * (after // 2)


def test_a_disk_that_is_full_later(tmp_path, monkeypatch):
    path = tmp_path / "fit"
    # Three writings of a file and its folder each, and no more.
    monkeypatch.setattr(os, "fsync", full_disk(6))
    with pytest.warns(RuntimeWarning, match=f"{path} could not be written.*Training goes"):
        rbm = small_rbm().set_callbacks(Checkpoint(path)).fit(ROWS)
    assert_same(rbm, small_rbm().fit(ROWS))
    assert read_archive(path)["head"]["where"].startswith("epoch 1 of 3")
    assert [path] == list(tmp_path.iterdir())


def test_a_disk_that_is_full_when_lbfgs_has_ended(tmp_path, monkeypatch):
    def make():
        return MLPClassifier((4,), solver="lbfgs", max_iter=5, random_state=0)

    class Fill(CrashHere):
        def happen(self):
            monkeypatch.setattr(os, "fsync", full_disk(0))

    mlp = make().set_callbacks(Checkpoint(tmp_path / "fit"), Fill(2))
    with pytest.warns(RuntimeWarning, match="could not be written"):
        mlp.fit(ROWS, LABELS)
    assert_same(mlp, make().fit(ROWS, LABELS))
    assert not read_archive(tmp_path / "fit")["head"]["complete"]


def test_a_disk_that_is_full_when_a_fit_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "fit"
    with pytest.raises(RuntimeError, match="crash"):
        small_rbm().set_callbacks(Checkpoint(path), Crash(2)).fit(ROWS)
    kept, count = path.read_bytes(), Count()
    monkeypatch.setattr(os, "fsync", full_disk(0))
    checkpoint = Checkpoint(path, verbose=False)
    with pytest.warns(RuntimeWarning, match="could not be written"):
        resumed = small_rbm().set_callbacks(checkpoint, count).fit(ROWS)
    assert count.n == 2
    assert path.read_bytes() == kept
    assert_same(resumed, small_rbm().fit(ROWS))


def test_a_file_of_a_fit_that_was_killed_before_it_kept_anything(tmp_path, capsys):
    def fit(n_iter, *others):
        mlp = MLPClassifier((4,), solver="lbfgs", max_iter=n_iter, random_state=0)
        return mlp.set_callbacks(Checkpoint(tmp_path / "fit"), *others).fit(ROWS, LABELS)

    for n_iter in (5, 5, 6):  # the same fit, and another
        with pytest.raises(RuntimeError, match="crash"):
            fit(n_iter, Crash(1))
    assert fit(6).n_iter_ == 6
    assert capsys.readouterr().out == ""


def write_slowly(path, byte, n_times):
    for _ in range(n_times):
        with replacing(path) as file:
            for _ in range(3):
                file.write(100 * byte)
                file.flush()
                time.sleep(0.002)
        assert set(path.read_bytes()) in ({65}, {66})
        assert path.stat().st_size == 300


@pytest.mark.skipif(not hasattr(os, "fork"), reason="files are locked on POSIX")
def test_two_who_replace_one_file(tmp_path):
    path = tmp_path / "fit"
    (tmp_path / "fit.part").write_bytes(b"of a process that was killed")
    jobs = [delayed(write_slowly)(path, byte, 10) for byte in (b"A", b"B")]
    Parallel(n_jobs=2, backend="threading")(jobs)
    Parallel(n_jobs=2)(jobs)
    assert list(tmp_path.iterdir()) == [path]


def test_what_an_archive_holds(tmp_path):
    tree = {
        "text": "ü",
        "none": None,
        "yes": True,
        "large": 2**80,
        "numbers": [0.1, float("inf"), -1, {"empty": [], "nothing": {}}],
        "scalar": np.uint64(2**64 - 1),
        "arrays": [np.arange(6, dtype=np.uint8).reshape(2, 3), np.float32(0.1)],
        "none of it": np.empty((0, 3)),
    }
    write_archive(tmp_path / "a", tree)
    found = read_archive(tmp_path / "a")
    assert_same(found, tree)
    assert found["scalar"].dtype == np.uint64
    assert found["arrays"][1].dtype == np.float32
    with pytest.raises(TypeError, match="cannot be kept"):
        write_archive(tmp_path / "a", {"objects": np.array([None])})
    assert_same(read_archive(tmp_path / "a"), tree)


# -- kill -9 -----------------------------------------------------------------------------
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")
def test_kills_at_random_moments():
    command = [sys.executable, "-m", "tests.kill_and_resume", "6"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 of 6 identical" in done.stdout


def test_another_rule_for_stopping_is_another_fit(tmp_path):
    def fit(patience):
        mlp = MLPClassifier((5,), max_iter=12, tol=None, random_state=0)
        stopping = EarlyStopping(tol=100.0, n_iter_no_change=patience)
        checkpoint = Checkpoint(tmp_path / "fit", verbose=False)
        return mlp.set_callbacks(stopping, checkpoint).fit(ROWS, LABELS).n_iter_

    short = fit(2)
    assert fit(2) == short < 12
    assert fit(5) == short + 3


def other_rows():
    X = ROWS[:20].copy()
    X[0, 0] += 1e-9
    return X


@pytest.mark.parametrize(
    ("given", "again", "same"),
    [
        ((ROWS[:20], None), (ROWS[:20].copy(), None), True),
        ((ROWS[:20], None), (other_rows(), None), False),
        ((ROWS[:20], LABELS[:20]), (ROWS[:20], LABELS[20:40]), False),
        ((pd.DataFrame(ROWS), None), (pd.DataFrame(ROWS), None), True),
        ((pd.DataFrame(ROWS), None), (pd.DataFrame(X_OTHER), None), False),
        ((sparse.csr_array(ROWS), None), (sparse.csr_array(X_OTHER), None), False),
    ],
)
def test_a_rule_that_looks_at_other_rows_is_another_fit(given, again, same, tmp_path):
    def fit(rows, *others):
        stop = EarlyStopping(lambda rbm, X, y: rbm.n_iter_, X=rows[0], y=rows[1])
        checkpoint = Checkpoint(tmp_path / "fit", verbose=False)
        return small_rbm().set_callbacks(stop, checkpoint, *others).fit(ROWS)

    with pytest.raises(RuntimeError, match="crash"):
        fit(given, Crash(3))
    if same:
        assert fit(again).n_iter_ == 3
    else:
        with pytest.raises(ValueError, match=r"another fit.*its callbacks are"):
            fit(again)
