"""Fits that Ctrl-C ends."""

import signal
import threading

import numpy as np
import pytest
from _crashes import Count, Crash, CtrlC, CtrlCHere, assert_same, fitted_attributes
from _estimators import LABELS, NAMES, PRETRAINED, ROWS, build, small_rbm, target
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import RBM, DBNAutoencoder, DBNClassifier, StackedRBM
from skdbn.callbacks import Checkpoint, Snapshots

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")


@pytest.fixture(autouse=True)
def signals():
    """Ctrl-C as in a shell: a process that is started in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("name", "n"),
    [
        *((name, 1) for name in NAMES),
        *((name, 4) for name in ["StackedRBM", *PRETRAINED]),
        *((name, 8) for name in PRETRAINED),
    ],
)
def test_ctrl_c_leaves_an_estimator_that_can_be_used(name, n, tmp_path):
    y = target(name)
    checkpoint = Checkpoint(tmp_path / "fit", verbose=False)
    count = Count()
    stopped = build(name).set_callbacks(checkpoint, CtrlC(n), count)
    where = f"epoch {n % 3 + 1} of 3 of "
    with pytest.warns(ConvergenceWarning, match=f"{name} was interrupted in {where}"):
        assert stopped.fit(ROWS, y) is stopped
    assert count.n == n
    full = build(name).fit(ROWS, y)
    assert stopped.transform(ROWS).shape == full.transform(ROWS).shape
    assert np.isfinite(stopped.transform(ROWS)).all()
    assert np.isfinite(stopped.score(ROWS, y))
    assert fitted_attributes(stopped).keys() == fitted_attributes(full).keys()
    # Signals do again what they did before, and a checkpoint goes on.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert_same(build(name).set_callbacks(checkpoint).fit(ROWS, y), full)


def test_layers_that_were_not_begun_have_their_start():
    stack = StackedRBM((4, 3, 2), rbm=small_rbm(random_state=None), random_state=0)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 2 of 3 of RBM 5-4"):
        stack.set_callbacks(CtrlC(1)).fit(ROWS)
    assert [rbm.n_iter_ for rbm in stack.rbms_] == [1, 0, 0]
    assert all(0 < rbm.components_.std() < 0.02 for rbm in stack.rbms_[1:])


class MidEpoch(RBM):
    """Has a Ctrl-C in the middle of its first epoch."""

    def _problem(self, *args):
        problem, n = super()._problem(*args), 0

        def step(rows, t):
            nonlocal n
            n += 1
            if n == 3:
                signal.raise_signal(signal.SIGINT)
            return type(problem).step(problem, rows, t)

        problem.step, self.count = step, lambda: n
        return problem


def test_ctrl_c_ends_at_the_batch_that_it_meets():
    snapshots = Snapshots()
    rbm = MidEpoch(4, batch_size=10, random_state=0, learning_rate=1.0)
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 1 of 20"):
        rbm.set_callbacks(snapshots).fit(ROWS)
    assert rbm.count() == 3
    assert rbm.n_iter_ == 0
    assert np.abs(rbm.components_).max() > 0.05  # it has learned a little
    assert snapshots.snapshots_ == []


def test_ctrl_c_ends_lbfgs():
    mlp = build("MLPClassifier", solver="lbfgs", max_iter=50).set_callbacks(CtrlC(2))
    with pytest.warns(ConvergenceWarning, match="was interrupted in epoch 2 of 50"):
        mlp.fit(ROWS, LABELS)
    assert mlp.n_iter_ == 2


def test_a_second_ctrl_c_raises_at_once():
    class Twice(Crash):
        def happen(self):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    rbm = small_rbm().set_callbacks(Twice(2))
    with pytest.raises(KeyboardInterrupt):
        rbm.fit(ROWS)
    assert not hasattr(rbm, "components_")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert small_rbm().fit(ROWS).n_iter_ == 3


def test_ctrl_c_is_not_kept_from_a_search():
    crash = CtrlC(2)
    dbn, count = build("DBNClassifier"), Count()
    search = GridSearchCV(dbn, {"alpha": [0, 0.1]}, cv=2).set_callbacks(crash, count)
    with pytest.raises(KeyboardInterrupt):
        search.fit(ROWS, LABELS)
    assert count.n == 2
    with pytest.raises(KeyboardInterrupt):
        cross_validate(small_rbm().set_callbacks(CtrlC(1)), ROWS, cv=2)


def test_ctrl_c_in_a_pipeline_leaves_its_last_step_fitted():
    pipeline = make_pipeline(MinMaxScaler(), build("MLPClassifier"))
    pipeline[-1].set_callbacks(CtrlCHere(2))
    with pytest.raises(KeyboardInterrupt):
        pipeline.fit(ROWS, LABELS)
    assert pipeline[-1].n_iter_ == 2
    assert pipeline.predict(ROWS).shape == (60,)


def test_handlers_of_others_and_other_threads_are_left_alone():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *args: seen.append(args))
    try:
        assert small_rbm().set_callbacks(CtrlC(2)).fit(ROWS).n_iter_ == 3
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1
    rbm = small_rbm()
    thread = threading.Thread(target=rbm.fit, args=(ROWS,))
    thread.start()
    thread.join()
    assert rbm.n_iter_ == 3


def test_fit_transform_is_the_users_own_call():
    dbn = DBNAutoencoder((4, 2), rbm=small_rbm(random_state=None), random_state=0)
    with pytest.warns(ConvergenceWarning, match="was interrupted"):
        codes = dbn.set_callbacks(CtrlC(2)).fit_transform(ROWS)
    assert codes.shape == (60, 2)
    clf = DBNClassifier((4,), rbm=small_rbm(random_state=None)).set_callbacks(CtrlC(1))
    with pytest.warns(ConvergenceWarning, match="was interrupted"):
        clf.partial_fit(ROWS, LABELS, classes=[0, 1, 2])
    assert clf.predict(ROWS).shape == (60,)
