"""Losses and scores over training."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._figure import axes_for, styled
from ._models import StackModel, last_step
from .parameters import of_task

# Fitted attributes that hold a number for each epoch, and what these are.
_LOSSES = {
    "loss_curve_": "training loss",
    "validation_loss_curve_": "validation loss",
    "reconstruction_errors_": "reconstruction error",
}
_GAP = "free-energy gap"


class LearningCurveDisplay:
    """Losses over the epochs, and scores on an axis of their own at the right.

    Use :meth:`from_estimator`, :meth:`from_recorder` or :meth:`from_snapshots`.

    Parameters
    ----------
    losses : dict of str to (array-like, array-like)
        Iterations and losses, by the names of the lines.
    scores : dict of str to (array-like, array-like), default=None
        The same of scores.
    score_name : str, default="score"
        Names the right axis.

    Attributes
    ----------
    lines_ : dict of str to Line2D
        Lines of the losses and the scores.
    ax_ : matplotlib Axes
        The axes with the losses.
    score_ax_ : matplotlib Axes or None
        The axes with the scores.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.plotting import LearningCurveDisplay
    >>> rbm = RBM(32, max_iter=5, early_stopping="free_energy_gap", random_state=0)
    >>> display = LearningCurveDisplay.from_estimator(rbm.fit(load_digits().data / 16))
    >>> list(display.lines_)
    ['reconstruction error', 'free-energy gap']
    """

    def __init__(self, losses, *, scores=None, score_name="score"):
        self.losses = losses
        self.scores = scores
        self.score_name = score_name

    def plot(self, *, ax=None, log_scale=False, line_kw=None):
        """Draw the lines.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        log_scale : bool, default=False
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : LearningCurveDisplay
        """
        self.ax_, self.score_ax_ = axes_for(ax, self), None
        self.figure_ = self.ax_.figure
        self.lines_ = {
            name: self.ax_.plot(*curve, **styled("plot", {"label": name}, line_kw))[0]
            for name, curve in self.losses.items()
        }
        self.ax_.set(xlabel="iteration", ylabel="loss")
        if log_scale:
            self.ax_.set_yscale("log")
        if self.scores:
            self.score_ax_ = self.ax_.twinx()
            self.score_ax_.set_ylabel(self.score_name)
            for i, (name, curve) in enumerate(self.scores.items(), len(self.losses)):
                style = {"label": name, "color": f"C{i}", "linestyle": "--"}
                (line,) = self.score_ax_.plot(*curve, **styled("plot", style, line_kw))
                self.lines_[name] = line
        # Below the axes, where no line of either can run through it.
        self.ax_.legend(
            handles=list(self.lines_.values()),
            loc="upper center",
            bbox_to_anchor=(0.5, -0.13),
            ncols=max(1, 72 // (6 + max(map(len, self.lines_), default=0))),
            frameon=False,
        )
        return self

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, log_scale=False, line_kw=None):
        """Draw what a fitted estimator remembers of its training.

        Parameters
        ----------
        estimator : estimator instance
            A fitted estimator with a ``loss_curve_`` or ``reconstruction_errors_``: any
            of this package, a network of scikit-learn, or a pipeline that ends in one. A
            :class:`~skdbn.StackedRBM` gives a line for each layer; ``stack_`` is that of a
            pretrained network.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        log_scale : bool, default=False
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        ValueError
            If the estimator remembers nothing.
        """
        model, _ = last_step(estimator)
        parts = {"": model.estimator}
        if isinstance(model, StackModel) and model.depth > 1:
            parts = {f"layer {i}: ": rbm for i, rbm in enumerate(model.rbms, 1)}
        losses, scores = {}, {}
        for prefix, part in parts.items():
            losses |= {prefix + k: curve for k, curve in _losses_of(part).items()}
            scores |= {prefix + k: curve for k, curve in _scores_of(part).items()}
        if not losses:
            raise ValueError(
                f"{model.name} remembers no losses of its training: it has none of the "
                f"attributes {', '.join(_LOSSES)}."
            )
        score_name = _one_name(scores)
        display = cls(losses, scores=scores, score_name=score_name)
        return display.plot(ax=ax, log_scale=log_scale, line_kw=line_kw)

    @classmethod
    def from_recorder(
        cls, recorder, *, fit=None, task=None, ax=None, log_scale=False, line_kw=None
    ):
        """Draw the losses and scores that a callback wrote down in training.

        Parameters
        ----------
        recorder : Recorder
            Its ``frame_`` is taken.
        fit : int, default=None
            The fit to draw, where there are several, as in a pipeline or a search; None for
            the last.
        task : str, default=None
            The task to draw, such as "layer 1" or "fine-tuning"; None for the last.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        log_scale : bool, default=False
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        ValueError
            If there is no such fit or task.
        """
        frame = of_task(recorder.frame_, fit, task)

        def curves(parameter):
            rows = frame[frame["parameter"] == parameter]
            values = rows["iteration"].to_numpy(), rows["value"].to_numpy()
            return {parameter: values} if len(rows) else {}

        display = cls(curves("loss"), scores=curves("score"))
        return display.plot(ax=ax, log_scale=log_scale, line_kw=line_kw)

    @classmethod
    def from_snapshots(cls, snapshots, X, X_val, *, ax=None, log_scale=False, line_kw=None):
        """Draw the loss of an RBM, and its free-energy gap between two sets of rows.

        The gap is the mean free energy of held-out rows less that of rows trained on:
        how much less likely the model finds them. It grows where the RBM overfits ([1]_,
        section 6).

        Parameters
        ----------
        snapshots : Snapshots or list of Snapshot
            What the training of an :class:`~skdbn.RBM` had come to; of a callback, the last
            ``fit``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows trained on.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features)
            Rows held out.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        log_scale : bool, default=False
            Whether losses are drawn on a logarithmic scale.
        line_kw : dict, default=None
            Keyword arguments for ``Axes.plot``.

        Returns
        -------
        display : LearningCurveDisplay

        Raises
        ------
        ValueError
            If the snapshots have no free energy.

        References
        ----------
        .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
           machines", UTML TR 2010-003.
        """
        iterations, losses, gaps = [], [], []
        for snapshot in list_of(snapshots):
            rbm = snapshot.estimator
            if not hasattr(rbm, "free_energy"):
                raise ValueError(
                    f"A {type(rbm).__name__} has no free energy. Pass snapshots of an RBM."
                )
            iterations.append(snapshot.iteration)
            losses.append(snapshot.loss)
            gaps.append(rbm.free_energy(X_val).mean() - rbm.free_energy(X).mean())
        display = cls(
            {"reconstruction error": (iterations, losses)},
            scores={_GAP: (iterations, gaps)},
            score_name=_GAP + " (nats)",
        )
        return display.plot(ax=ax, log_scale=log_scale, line_kw=line_kw)


def list_of(snapshots):
    """The snapshots of the last fit of a callback, or a list of them as it is."""
    if not hasattr(snapshots, "snapshots_"):
        return list(snapshots)
    last = max((snapshot.fit for snapshot in snapshots.snapshots_), default=None)
    return [snapshot for snapshot in snapshots.snapshots_ if snapshot.fit == last]


def _losses_of(estimator):
    """Losses that an estimator remembers, over its iterations."""
    check_is_fitted(estimator)
    curves = {name: getattr(estimator, a, None) for a, name in _LOSSES.items()}
    return {name: _numbered(curve) for name, curve in curves.items() if curve is not None}


def _scores_of(estimator):
    """Validation scores, or the free-energy gap that an RBM takes for minus one."""
    scores = getattr(estimator, "validation_scores_", None)
    if scores is None:
        return {}
    if estimator.early_stopping == "free_energy_gap":
        return {_GAP: _numbered(np.negative(scores))}
    return {"validation score": _numbered(scores)}


def _numbered(values):
    """Values over their numbers, from 1."""
    return np.arange(1, len(values) + 1), np.asarray(values)


def _one_name(scores):
    """What the axis of some scores shows."""
    return _GAP + " (nats)" if any(name.endswith(_GAP) for name in scores) else "score"
