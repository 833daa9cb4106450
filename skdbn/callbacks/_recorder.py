"""Numbers about what changes in training."""

from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, get_tags

from .._sklearn import Interval
from ._tasks import STEPS, Run, Watcher, describe_task, last_loss, last_score, lineage

_QUANTITIES = {
    "mean": np.mean,
    "std": np.std,
    "min": np.min,
    "max": np.max,
    "mean_abs": lambda x: np.abs(x).mean(),
    "max_abs": lambda x: np.abs(x).max(),
}
# What a number or a bin is of, the first columns of both tables.
_WHERE = ["fit", "task", "iteration", "layer", "parameter"]
_ALONE = "value"  # the quantity of what is one number


@dataclass
class _Run(Run):
    """The rows of the two tables, and by tasks the data that they are about."""

    rows: list = field(default_factory=list)
    counts: list = field(default_factory=list)
    data: dict = field(default_factory=dict)

    def add_losses(self, where, fitted):
        """Add the rows that belong to no layer."""
        for name, value in {"loss": last_loss(fitted), "score": last_score(fitted)}.items():
            if value is not None:
                self.rows.append((*where, None, name, _ALONE, value))

    def add_array(self, where, array, bins):
        """Add the numbers and the histogram of an array."""
        for quantity, function in _QUANTITIES.items():
            self.rows.append((*where, quantity, float(function(array))))
        counts, ends = np.histogram(array, bins)
        self.counts += [
            (*where, *bin_) for bin_ in zip(ends[:-1], ends[1:], counts, strict=True)
        ]


class Recorder(Watcher):
    """Callback that writes down weights, gradients, activations and errors as a table.

    Goes on the outermost estimator, a pipeline for example, and records every layer that is
    being trained: the RBM in pretraining, all layers of a network after it.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
        Rows for activations and gradients, as the outermost estimator of this package gets
        them. None for ``n_samples`` rows of the training data, drawn anew for each task.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Their targets, which estimators with targets need for gradients.
    n_samples : int, default=200
        How many rows of the training data, at most.
    every : int, default=1
        Record each so many epochs of a task.
    bins : int, default=20
        Number of bins of the histograms.
    random_state : int, RandomState instance or None, default=0
        Draws the rows.

    Attributes
    ----------
    frame_ : DataFrame
        One row for each number of the last fit. Columns: ``fit`` (from 1; there are several
        on a pipeline with several estimators of this package, or on a search), ``task``
        ("layer 1", "layer 2" and so on in pretraining, "fine-tuning" after it, else
        "training"), ``iteration`` (epoch of the task, from 1), ``layer`` (from 1, from the
        bottom; missing for "loss" and "score"), ``parameter``, ``quantity`` and ``value``.
        Parameters are "weights", "biases", "weights_gradient", "biases_gradient" and
        "activations", of an RBM also "visible_biases" and "visible_biases_gradient", with
        the quantities "mean", "std", "min", "max", "mean_abs" and "max_abs"; and "loss", of
        an RBM the reconstruction error, and "score", the validation score, with the
        quantity "value".
    histograms_ : DataFrame
        Counts of the same arrays. Columns: ``fit``, ``task``, ``iteration``, ``layer``,
        ``parameter``, ``left`` and ``right`` (the ends of a bin) and ``count``.

    Raises
    ------
    ValueError
        In ``fit``, if X is given without y to an estimator that needs targets, or they do
        not fit it.

    See Also
    --------
    Snapshots : Keeps fitted estimators.

    Notes
    -----
    Gradients are those of the mean loss of the rows, with penalties on the weights of a
    network, without its dropout and noise; for an RBM, what its sampler gives for the rows
    as one batch, without the penalty, from the same random numbers in each epoch. Chains
    that go on from batch to batch begin at the rows here. That takes about the time of a
    training step of ``n_samples`` rows, and the histograms a few passes over the weights.

    The tables are in memory: they are lost with a process that is killed, and a fit that
    goes on from a :class:`Checkpoint` writes down the rest. In a search with ``n_jobs``
    those of other processes stay there. Clones of an estimator share its callbacks; where
    several are fitted at once, the tables are those of the one that began last.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, DBNClassifier
    >>> from skdbn.callbacks import Recorder
    >>> X, y = load_digits(return_X_y=True)
    >>> recorder = Recorder()
    >>> dbn = DBNClassifier((16, 8), rbm=RBM(max_iter=2), max_iter=3, tol=None)
    >>> _ = dbn.set_callbacks(recorder).fit(X / 16, y)
    >>> frame = recorder.frame_.query("parameter == 'weights' and quantity == 'std'")
    >>> frame.groupby("task", sort=False).size().to_dict()
    {'layer 1': 2, 'layer 2': 2, 'fine-tuning': 9}
    """

    _parameter_constraints: dict = {
        "X": ["array-like", "sparse matrix", None],
        "y": ["array-like", "sparse matrix", None],
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "every": [Interval(Integral, 1, None, closed="left")],
        "bins": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    _Run = _Run

    def __init__(self, X=None, y=None, *, n_samples=200, every=1, bins=20, random_state=0):
        super().__init__(
            X=X,
            y=y,
            n_samples=n_samples,
            every=every,
            bins=bins,
            random_state=random_state,
        )
        self._rows, self._counts = [], []

    def setup(self, estimator, context):
        """Begin with empty tables."""
        run = self._run(context)
        self._rows, self._counts = run.rows, run.counts
        if self.X is not None and self.y is None:
            tags = get_tags(estimator)
            if tags.target_tags.required:
                raise ValueError(
                    f"Recorder(X) needs y too for the gradients of "
                    f"{type(estimator).__name__}. Pass both or neither."
                )

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        """Add the numbers of an epoch."""
        run = self._run(context)
        if context.task_name not in STEPS:
            run.data.pop(context, None)
            return
        if fitted_estimator is None or fitted_estimator.n_iter_ % self.every:
            return
        where = (self._number(context), describe_task(context), fitted_estimator.n_iter_)
        run.add_losses(where, fitted_estimator)
        if context.parent not in run.data:
            run.data[context.parent] = self._draw(fitted_estimator, context, X, y)
        layers = fitted_estimator._inspect(run.data[context.parent])
        for layer, arrays in enumerate(layers, _layer_of(context)):
            for parameter, array in arrays.items():
                run.add_array((*where, layer, parameter), array, self.bins)

    def _draw(self, fitted, context, X, y):
        """The rows of a task, and their targets, ready for the estimator."""
        if self.X is None:
            data = fitted._examples(X, y)
            n = data.X.shape[0]
            random_state = check_random_state(self.random_state)
            rows = random_state.permutation(n)[: self.n_samples]
            return data.take(np.sort(rows))
        X, (_, *around) = self.X, self._being_fitted(context).values()
        for estimator in reversed(around):
            X = estimator._part_input(X)
        return fitted._examples(X, self.y)

    @property
    def frame_(self):
        """The numbers as a table."""
        frame = pd.DataFrame(self._rows, columns=[*_WHERE, "quantity", "value"])
        return frame.astype({"layer": "Int64"})

    @property
    def histograms_(self):
        """The counts as a table."""
        return pd.DataFrame(self._counts, columns=[*_WHERE, "left", "right", "count"])


def _layer_of(context):
    """The number of the layer that an epoch trains, or of the lowest of them."""
    for task in lineage(context):
        if task.source_task_name == "layer":
            return task.task_id + 1
    return 1
