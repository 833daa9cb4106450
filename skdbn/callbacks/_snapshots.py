"""What a fit had come to at several moments."""

import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from numbers import Integral, Real
from pathlib import Path

import joblib

from .._files import check_writable, replacing
from .._sklearn import Interval
from ._tasks import STEPS, Run, Watcher, describe_task, last_loss


class Snapshot:
    """A fit at the end of an epoch.

    Parameters
    ----------
    estimator : estimator or Path
        Fitted, as if training had ended here, or the joblib file with it.
    task : str
        What was being trained: "layer 1", "layer 2" and so on in pretraining,
        "fine-tuning" after it, else "training".
    iteration : int
        Epochs or iterations of the task so far, from 1.
    loss : float
        Training loss of the epoch, of an RBM the reconstruction error; nan if there is
        none.
    seconds : float
        Time since the fit began.
    fit : int, default=1
        Number of the fit, from 1, where the callback is on a pipeline with several
        estimators of this package or on a search.

    Attributes
    ----------
    path : Path or None
        The file with the estimator, where there is one.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.callbacks import Snapshots
    >>> X, snapshots = load_digits().data / 16, Snapshots()
    >>> _ = RBM(8, max_iter=3, random_state=0).set_callbacks(snapshots).fit(X)
    >>> first, *_ = snapshots.snapshots_
    >>> first.task, first.iteration, first.estimator.n_iter_
    ('training', 1, 1)
    """

    def __init__(self, estimator, task, iteration, loss, seconds, fit=1):
        self.path = estimator if isinstance(estimator, Path) else None
        self._estimator = estimator
        self.task = task
        self.iteration = iteration
        self.loss = loss
        self.seconds = seconds
        self.fit = fit

    @property
    def estimator(self):
        """The fitted estimator; read from the file each time, where there is one."""
        return self._estimator if self.path is None else joblib.load(self.path)

    def __repr__(self):
        return f"<Snapshot of {self.task} after iteration {self.iteration}>"


@dataclass
class _Pace:
    """When the next snapshot of a task is due, and when the last was kept."""

    due: int
    kept: int = 0

    def move(self, iteration, every, growth):
        """Count a snapshot at an iteration."""
        self.kept = iteration
        self.due = max(iteration + every, int(iteration * growth))


@dataclass
class _Run(Run):
    """The snapshots, by tasks their paces, and by numbers of fits the folders for them."""

    start: float = field(default_factory=time.perf_counter)
    snapshots: list = field(default_factory=list)
    paces: dict = field(default_factory=dict)
    folders: dict = field(default_factory=dict)


class Snapshots(Watcher):
    """Callback that keeps what training has come to, from time to time.

    Goes on the outermost estimator, a pipeline for example. A snapshot has the outermost
    estimator of this package as it would be if training ended here: it transforms,
    predicts and reconstructs. While the layers of a network are pretrained it holds the
    :class:`~skdbn.StackedRBM` so far, and from the last layer of a
    :class:`~skdbn.DBNAutoencoder` on the unrolled autoencoder, so that there are codes of
    one shape from there on.

    Parameters
    ----------
    every : int, default=1
        Epochs from one snapshot of a task to the next, at least. The last epoch of each
        layer and of fine-tuning is always kept.
    growth : float, default=1.0
        Ratio of the epoch of a snapshot to that of the one before, rounded down to a whole
        epoch, in [1, inf): with 1.2 they are frequent at first and rare later.
    folder : str or Path, default=None
        Where to write the estimators, as joblib files with names such as
        ``fit-0001/0003-layer-2-epoch-5.joblib``; it is made if there is none. Each fit has
        a folder of its own in it, the next that is not there yet, so that what an earlier
        one or another process has written stays. None keeps the estimators in memory. A
        file that cannot be written gives a warning.

    Attributes
    ----------
    snapshots_ : list of Snapshot
        Those of the last fit, in the order of time. On a pipeline or a search, those of all
        fits within, whose numbers are in ``fit``.

    Raises
    ------
    OSError
        In ``fit``, if the folder cannot be written to.

    See Also
    --------
    Recorder : Numbers about weights, gradients and activations instead.
    Checkpoint : To go on with a fit that was killed.

    Notes
    -----
    In a search with ``n_jobs`` each process has snapshots of its own, which stay there,
    except for files. Clones of an estimator share its callbacks; where several are fitted
    at once, ``snapshots_`` are those of the one that began last.
    Files are joblib's, which run code when they are read: read your own only.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, DBNAutoencoder
    >>> from skdbn.callbacks import Snapshots
    >>> X = load_digits().data[:300] / 16
    >>> snapshots = Snapshots(growth=2.0)
    >>> dbn = DBNAutoencoder((8, 2), rbm=RBM(max_iter=3), max_iter=5, random_state=0)
    >>> _ = dbn.set_callbacks(snapshots).fit(X)
    >>> [(moment.task, moment.iteration) for moment in snapshots.snapshots_[-3:]]
    [('fine-tuning', 2), ('fine-tuning', 4), ('fine-tuning', 5)]
    >>> snapshots.snapshots_[-3].estimator.transform(X).shape
    (300, 2)
    """

    _parameter_constraints: dict = {
        "every": [Interval(Integral, 1, None, closed="left")],
        "growth": [Interval(Real, 1, None, closed="left")],
        "folder": [str, Path, None],
    }

    _Run = _Run

    def __init__(self, every=1, *, growth=1.0, folder=None):
        super().__init__(every=every, growth=growth, folder=folder)
        self.snapshots_ = []

    def setup(self, estimator, context):
        """Begin without snapshots."""
        self.snapshots_ = self._run(context).snapshots
        if self.folder is not None:
            check_writable(Path(self.folder))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        """Keep a fitted estimator, if it is time for one or the task is over."""
        if fitted_estimator is None:
            return
        paces = self._run(context).paces
        if context.task_name in STEPS:
            pace = paces.setdefault(context.parent, _Pace(self.every))
            keep = fitted_estimator.n_iter_ >= pace.due
        else:
            pace = paces.pop(context, None)
            keep = pace is not None and fitted_estimator.n_iter_ > pace.kept
        if keep:
            pace.move(fitted_estimator.n_iter_, self.every, self.growth)
            self._keep(fitted_estimator, context)

    def _keep(self, fitted, context):
        """Add a snapshot, in memory or in a file."""
        run, fit = self._run(context), self._number(context)
        task, iteration = describe_task(context), fitted.n_iter_
        about = (task, iteration, last_loss(fitted), time.perf_counter() - run.start, fit)
        kept = self._whole(fitted, context)
        if self.folder is not None:
            name = f"{task.replace(' ', '-')}-epoch-{iteration}"
            try:
                kept = self._write(kept, run, fit, name)
            except OSError as error:
                warnings.warn(
                    f"The snapshot {name} could not be written to the folder "
                    f"{str(self.folder)!r}, and training goes on without it: {error}",
                    RuntimeWarning,
                    stacklevel=1,
                )
                return
        run.snapshots.append(Snapshot(kept, *about))

    def _write(self, estimator, run, fit, name):
        """Write an estimator to the folder of its fit; returns the path."""
        if fit not in run.folders:
            run.folders[fit] = _new_folder(Path(self.folder))
        path = run.folders[fit] / f"{len(run.snapshots) + 1:04d}-{name}.joblib"
        with replacing(path) as file:
            joblib.dump(estimator, file)
        return path


def _new_folder(folder):
    """Make the first of the folders "fit-0001" and so on that is not there yet."""
    for number in count(1):
        fresh = folder / f"fit-{number:04d}"
        # Fits of other processes make theirs at the same time.
        with suppress(FileExistsError):
            fresh.mkdir()
            return fresh
