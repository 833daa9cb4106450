"""What callbacks ask of the tasks of a fit and of what it has come to."""

import numpy as np

from .._sklearn import without_callbacks
from ._base import Callback

# The tasks after which there is something new to look at.
STEPS = ("epoch", "iteration", "layer")


def lineage(context):
    """The task and those it is a part of, from the innermost."""
    while context is not None:
        yield context
        context = context.parent


def is_fit(context):
    """Whether the task is the whole fit of an estimator."""
    return context.parent is None or context.source_estimator_name is not None


def describe_task(context):
    """What is being trained in a task: "layer 1", "fine-tuning" or "training"."""
    for task in lineage(context):
        if "layer" in (task.task_name, task.source_task_name):
            return f"layer {task.task_id + 1}"
        if task.task_name == "fine-tune":
            return "fine-tuning"
    return "training"


def last_loss(fitted):
    """The loss of the last epoch: for an RBM, the reconstruction error; else nan."""
    for name in ("loss_curve_", "reconstruction_errors_"):
        losses = getattr(fitted, name, None)
        if losses:
            return float(losses[-1])
    return np.nan


def last_score(fitted):
    """The validation score of the last epoch, or None."""
    scores = getattr(fitted, "validation_scores_", None)
    return float(scores[-1]) if scores else None


class Watcher(Callback):
    """Base class of callbacks that follow a fit down to the epochs of its RBMs.

    They are set on the outermost estimator, which hands them on, and know in each task
    which estimators are being fitted around it.
    """

    # Handed on to all estimators within.
    max_propagation_depth = None

    def __init__(self, **params):
        super().__init__(**params)
        self._fits = {}

    def setup(self, estimator, context):
        """Forget an earlier fit."""
        self._fits = {}

    def teardown(self, estimator, context):
        """Let go of the estimators."""
        self._fits = {}

    def on_fit_task_begin(self, estimator, context):
        """Remember who is being fitted."""
        if is_fit(context):
            self._fits[context] = estimator

    def _being_fitted(self, context):
        """The estimators that a task is a part of the fits of, from the innermost."""
        fits = (self._fits.get(task) for task in lineage(context) if is_fit(task))
        return [estimator for estimator in fits if estimator is not None]

    def _whole(self, fitted, context):
        """What the outermost estimator of ours would be if its fit ended here."""
        _, *around = self._being_fitted(context)
        fitted = without_callbacks(fitted)
        for estimator in around:
            if not hasattr(estimator, "_with_part"):  # a pipeline or a search
                break
            fitted = without_callbacks(estimator)._with_part(fitted)
        return fitted

    def __getstate__(self):
        # Other processes have fits of their own.
        return {**vars(self), "_fits": {}}
