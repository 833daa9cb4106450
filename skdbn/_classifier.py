"""Level 4: what the outputs of a network mean as classes."""

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import ClassifierMixin
from sklearn.utils import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ._base import makes_steps
from ._params import named, resolve
from ._sklearn import StrOptions, check_sample_weight
from ._supervised import BaseSupervised
from .losses import LOSSES, BinaryLogLoss, LogLoss, Loss, SquaredError

# What the names of a classifier's losses mean for classes that exclude each other, one
# output for each, and for outputs of which each is a question of its own.
_CLASSIFIER_LOSSES = {
    "log_loss": lambda exclusive: LogLoss() if exclusive else BinaryLogLoss(),
    "binary_log_loss": lambda exclusive: BinaryLogLoss(),
    "squared_error": lambda exclusive: SquaredError("logistic"),
}
# What scikit-learn calls the type of targets that are an indicator matrix.
_MULTILABEL = "multilabel-indicator"


class BaseNetworkClassifier(ClassifierMixin, BaseSupervised):
    """Base class of the classifiers: what the outputs of a network mean as classes."""

    _parameter_constraints: dict = {
        **BaseSupervised._parameter_constraints,
        "loss": named(_CLASSIFIER_LOSSES, Loss),
        "class_weight": [StrOptions({"balanced"}), dict, list, None],
    }

    @available_if(makes_steps)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Run one epoch over X and y, going on from where the last call ended.

        The rows are taken in mini-batches of ``batch_size``. The optimiser's moments and
        the time of the schedules go on from call to call: one call is one epoch, and a
        schedule over the whole fit has ended after ``max_iter`` calls. ``early_stopping``
        is not for parts of data, and ``tol`` is not used. A deep belief network is
        pretrained in the first call, on the rows of that call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A part of the training data.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their class labels.
        classes : array-like of shape (n_classes,), default=None
            All class labels there are; needed in the first call, unless y is an
            indicator matrix.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in its batch, 0 or more; None for all alike.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, y holds other labels than ``classes``, or
            these are missing in the first call.
        """
        given = self.class_weight
        if "balanced" in (given if isinstance(given, list) else [given]):
            raise ValueError(
                "class_weight='balanced' needs all labels, which partial_fit never sees. "
                "Use a dict of weights, or sample_weight."
            )
        first = not hasattr(self, "coefs_")
        if first and classes is None and type_of_target(y) != _MULTILABEL:
            raise ValueError(
                "classes must be given in the first call of partial_fit: all labels there "
                "are, such as np.unique(y_of_all_parts)."
            )
        return self._partial_fit(X, y, sample_weight, classes=classes)

    def _check_data(self, X, y, sample_weight, *, reset, **known):
        data = super()._check_data(X, y, sample_weight, reset=reset, **known)
        self._output_loss().check_targets(data.Y)
        self._class_factors_ = self._factors(data)
        return self._weighted(data)

    def _check_validation_data(self, X, y, sample_weight):
        # Weighted as the rows to train on: "balanced" is what it is there.
        return self._weighted(super()._check_data(X, y, sample_weight, reset=False))

    def _check_targets(self, y, reset, classes=None):
        check_classification_targets(y)
        kind = type_of_target(y)
        multilabel = kind == _MULTILABEL
        values = np.unique(y.data if sparse.issparse(y) else y) if multilabel else ()
        if kind == "multiclass-multioutput" or not {*values} <= {0, 1}:
            raise ValueError(
                f"y must be one label a row or an indicator matrix of zeros and ones, got "
                f"an array of shape {y.shape} with other labels: {type(self).__name__} "
                "does not do multiclass-multioutput problems. Wrap it in "
                "sklearn.multioutput.MultiOutputClassifier."
            )
        if reset:
            self._multilabel_ = multilabel
            self.classes_ = self._first_classes(y, classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"classes must be those of the first call of partial_fit, "
                f"{self.classes_}, or left out, got {classes!r}."
            )
        if multilabel != self._multilabel_:
            raise ValueError(
                "y holds one label a row in one call and an indicator matrix in the other, "
                f"got {kind!r} after "
                f"{'multilabel' if self._multilabel_ else 'multiclass'!r}."
            )
        if multilabel:
            return (y.toarray() if sparse.issparse(y) else y).astype(np.uint8)
        return self._one_hot(column_or_1d(y, warn=True))

    def _first_classes(self, y, classes):
        """The labels of a network that starts."""
        if self._multilabel_:
            return np.arange(y.shape[1])
        found = np.unique(column_or_1d(y) if classes is None else column_or_1d(classes))
        if len(found) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least 2 classes in y, got 1 class: "
                f"{found.tolist()[0]!r}."
            )
        return found

    def _one_hot(self, y):
        """Labels as targets of the network: one output, for two classes, or one each."""
        known = np.isin(y, self.classes_)
        if not known.all():
            raise ValueError(
                f"y holds {np.unique(y[~known])}, which are not among the classes "
                f"{self.classes_}: those of y for y_val, of the first call for partial_fit "
                "(pass classes to it), of the previous fit for warm_start=True."
            )
        index = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:  # one output, as in scikit-learn's MLP
            return index.astype(np.uint8)[:, np.newaxis]
        targets = np.zeros((len(y), len(self.classes_)), np.uint8)
        targets[np.arange(len(y)), index] = 1
        return targets

    def _label_columns(self, targets):
        """Which class each row has, or for label sets 0 or 1 in each column."""
        return self._decide(targets).T.astype(np.intp)

    def _factors(self, data):
        """What ``class_weight`` multiplies each class by, for each column of labels."""
        if self.class_weight is None:
            return []
        classes = np.arange(2) if self._multilabel_ else self.classes_
        rows = self._training_rows(data)
        weight = None if data.weight is None else data.weight[rows]
        columns = self._label_columns(data.Y[rows])
        pairs = zip(self._class_weights(len(columns)), columns, strict=True)
        return [_class_factors(given, classes, index, weight) for given, index in pairs]

    def _weighted(self, data):
        """The same Examples, with rows that also count by their classes."""
        if self.class_weight is None:
            return data
        weight = np.ones(len(data.Y)) if data.weight is None else data.weight
        columns = self._label_columns(data.Y)
        for factors, index in zip(self._class_factors_, columns, strict=True):
            weight = weight * factors[index]
        try:
            return data._replace(weight=check_sample_weight(weight, weight))
        except ValueError as error:
            raise ValueError(
                f"class_weight={self.class_weight!r} makes weights of the rows that cannot "
                f"be: {error} Use finite numbers from 0 up, and not 0 for all the rows."
            ) from error

    def _class_weights(self, n_columns):
        """The parameter ``class_weight`` for each column of y."""
        given = self.class_weight
        given = given if isinstance(given, list) else [given] * n_columns
        if len(given) != n_columns:
            raise ValueError(
                f"class_weight is a list of {len(given)}, but y has {n_columns} columns. "
                "Give one dict for each."
            )
        return given

    @property
    def _exclusive(self):
        """Whether the outputs are classes of which each row has one."""
        return not self._multilabel_ and len(self.classes_) > 2

    def _output_loss(self):
        """The loss for these classes."""
        if not isinstance(self.loss, Loss):
            return _CLASSIFIER_LOSSES[self.loss](self._exclusive)
        loss = resolve(self.loss, LOSSES)
        if loss.activation not in ("logistic", "softmax"):
            raise ValueError(
                f"loss={loss!r} has outputs of the activation {loss.activation!r}, but a "
                "classifier needs probabilities. Use a loss with 'logistic' or 'softmax' "
                "outputs, such as loss='squared_error' or SquaredError('logistic')."
            )
        if loss.activation == "softmax" and not self._exclusive:
            outputs = (
                "several labels a row have outputs that do not exclude each other"
                if self._multilabel_
                else "two classes have one output"
            )
            raise ValueError(
                f"loss={loss!r} has a softmax of outputs, but {outputs}. Use "
                "loss='log_loss', or a loss with logistic outputs."
            )
        return loss

    def _decide(self, outputs):
        """What outputs of the network, or targets, speak for: 0 or 1, or a class index."""
        if self._exclusive:
            return outputs.argmax(axis=1)[:, np.newaxis]
        return outputs > 0.5

    def _score_outputs(self, outputs, targets, weight):
        right = (self._decide(outputs) == self._decide(targets)).all(axis=1)
        return np.average(right, weights=weight)

    def _stratify(self, targets, rows):
        if self._multilabel_:
            return None
        # The strings that scikit-learn would make of a matrix row by row, all at once.
        return self._decide(targets[rows])[:, 0].astype("U9")

    def predict(self, X):
        """Most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_classes)
            Labels; an indicator matrix if that is what the network was fitted to.

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        decided = self._decide(self._outputs(X))
        if self._multilabel_:
            return decided.astype(np.int64)
        return self.classes_[decided[:, 0].astype(np.intp)]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``. Rows sum to 1, except where a row may
            have several labels.

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        check_is_fitted(self)
        if self._multilabel_:
            return self._outputs(X)
        if self.out_activation_ == "logistic" and not self._exclusive:
            # Each from the log-odds: 1 - p would lose what is below the rounding of 1.
            log_odds = self._pre_activations(X)
            return expit(np.hstack([-log_odds, log_odds]))
        P = self._outputs(X)
        if not self._exclusive:
            return np.hstack([1 - P, P])
        return _normalized(P)  # a loss may have several softmaxes side by side

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; -inf where a probability is zero.

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def __sklearn_tags__(self):
        """Tags that tell scikit-learn what this estimator takes and gives."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _class_factors(given, classes, index, weight):
    """Factors of classes, as in scikit-learn; 1 where "balanced" has no rows to count."""
    labels, factors = classes[index], np.ones(len(classes))
    # A dict is for all classes, of which a part of the data may have a few.
    present = np.unique(index) if isinstance(given, str) else np.arange(len(classes))
    factors[present] = compute_class_weight(
        given, classes=classes[present], y=labels, sample_weight=weight
    )
    return factors


def _normalized(P):
    """Rows divided by their sum; alike where that is zero."""
    total = P.sum(axis=1, keepdims=True)
    uniform = np.full_like(P, 1 / P.shape[1])
    return np.divide(P, total, out=uniform, where=total > 0)
