"""Level 4: what the outputs of a network mean as numbers."""

import numpy as np
from scipy import sparse
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from ._base import makes_steps
from ._params import named, resolve
from ._supervised import BaseSupervised
from .losses import LOSSES, Loss


class BaseNetworkRegressor(RegressorMixin, BaseSupervised):
    """Base class of the regressors: what the outputs of a network mean as numbers."""

    _parameter_constraints: dict = {
        **BaseSupervised._parameter_constraints,
        "loss": named(LOSSES, Loss),
    }

    _numeric_targets = True

    @available_if(makes_steps)
    def partial_fit(self, X, y, sample_weight=None):
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
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in its batch, 0 or more; None for all alike.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is not a finite 2-d array or y cannot be targets.
        """
        return self._partial_fit(X, y, sample_weight)

    def _check_targets(self, y, reset):
        y = y.toarray() if sparse.issparse(y) else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        Y = y.reshape(len(y), -1)
        resolve(self.loss, LOSSES).check_targets(Y)
        with np.errstate(over="ignore"):
            if not np.isfinite(Y.astype(self.dtype)).all():
                raise ValueError(
                    f"y holds values that are too large for dtype={self.dtype!r}, up to "
                    f"{np.abs(Y).max():g}. Scale y, for example with "
                    "TransformedTargetRegressor, or use dtype='float64'."
                )
        return Y

    def _check_validation_data(self, X, y, sample_weight):
        data = super()._check_validation_data(X, y, sample_weight)
        if len(self._training_rows(data)) < 2:
            raise ValueError(
                "There is one row of a weight above 0, and R^2 needs two. Use more rows."
            )
        return data

    def _output_loss(self):
        """The loss that the parameter names."""
        return resolve(self.loss, LOSSES)

    def _split(self, targets, rows, random_state):
        rows, held_out = super()._split(targets, rows, random_state)
        if len(held_out) < 2:
            raise ValueError(
                f"early_stopping=True would hold out validation_fraction="
                f"{self.validation_fraction:g} of {len(rows) + 1} rows, which is one, and "
                "R^2 needs two. Use more rows or a larger validation_fraction."
            )
        return rows, held_out

    def _score_outputs(self, outputs, targets, weight):
        if not np.isfinite(outputs).all():
            return -np.inf
        return r2_score(targets, outputs, sample_weight=weight)

    def predict(self, X):
        """Outputs of the network for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to predict for.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            One-dimensional where there is one output.

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs
