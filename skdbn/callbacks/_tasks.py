"""What callbacks ask of the tasks of a fit and of what it has come to."""

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count

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


@dataclass
class Run:
    """What a watcher knows of one fit of the estimator that it is set on.

    That may be a pipeline or a search, with many fits of our estimators within, and the
    watcher may be shared by clones that are fitted at the same time.
    """

    # By the context of its fit, each estimator.
    estimators: dict = field(default_factory=dict)
    # By the same, the number of each that is not a part of another, in order of use.
    numbers: dict = field(default_factory=lambda: defaultdict(count(1).__next__))


class Watcher(Callback):
    """Base class of callbacks that follow a fit down to the epochs of its RBMs.

    They are set on the outermost estimator, which hands them on, and know in each task
    which estimators are being fitted around it.
    """

    # Handed on to all estimators within.
    max_propagation_depth = None

    # What is known of a run.
    _Run = Run

    def __init__(self, **params):
        super().__init__(**params)
        self._runs = {}

    def teardown(self, estimator, context):
        """Let go of the estimators."""
        self._runs.pop(context.root_uuid, None)

    def on_fit_task_begin(self, estimator, context):
        """Remember who is being fitted."""
        if is_fit(context):
            self._run(context).estimators[context] = estimator

    def _run(self, context):
        """The run that a task belongs to."""
        # In another process than the run began in, this is where it begins.
        return self._runs.setdefault(context.root_uuid, self._Run())

    def _being_fitted(self, context):
        """The estimators that a task is a part of the fits of, from the innermost.

        By the contexts of their fits, up to the outermost estimator of ours.
        """
        known, found = self._run(context).estimators, {}
        for task in lineage(context):
            if task in known:
                if found and not hasattr(known[task], "_with_part"):
                    break  # a pipeline or a search
                found[task] = known[task]
        return found

    def _number(self, context):
        """The number of the fit that a task belongs to, from 1."""
        *_, fit = self._being_fitted(context)
        return self._run(context).numbers[fit]

    def _whole(self, fitted, context):
        """What the outermost estimator of ours would be if its fit ended here."""
        _, *around = self._being_fitted(context).values()
        fitted = without_callbacks(fitted)
        for estimator in around:
            fitted = without_callbacks(estimator)._with_part(fitted)
        return fitted

    def __getstate__(self):
        # Other processes have runs of their own.
        return {**vars(self), "_runs": {}}
