"""Level 4: what networks that learn from targets are made of."""

from numbers import Integral

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ._base import BaseNetwork
from ._batches import ACCEPTED_DTYPES, Examples, map_blocks
from ._sklearn import Interval, check_sample_weight


class BaseSupervised(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseNetwork):
    """Base class of the networks with targets."""

    _parameter_constraints: dict = {
        **BaseNetwork._parameter_constraints,
        "head_max_iter": [Interval(Integral, 0, None, closed="left")],
    }

    # Whether y is to be made numbers.
    _numeric_targets = False

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: a label or a number a row, or several numbers, or several labels as
            an indicator matrix of zeros and ones.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None for all alike. Losses are means
            weighted by them, held-out scores too. A batch is divided by the sum of its
            weights, as in scikit-learn's MLP, so that they do the less the smaller the
            batches are.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows of a validation set of your own, instead of a part of X. With
            ``early_stopping`` they decide when to stop; without it, they are watched
            (``validation_scores_``, ``validation_loss_curve_``).
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, y cannot be targets, their lengths differ, or
            the validation set does not match them.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached before the loss stopped improving, training
            diverged, or Ctrl-C ended it. The last finite parameters are kept.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _check_data(self, X, y, sample_weight, *, reset, **known):
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=ACCEPTED_DTYPES,
            order="C",
            multi_output=True,
            y_numeric=self._numeric_targets,
            reset=reset,
        )
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        Y = self._check_targets(y, reset=reset, **known)
        if not reset and Y.shape[1] != self.n_outputs_:
            raise ValueError(
                f"y has {Y.shape[1]} outputs, but the network of the previous call has "
                f"{self.n_outputs_}. Use fit with warm_start=False to start anew."
            )
        self.n_outputs_ = Y.shape[1]
        return Examples(X, Y, sample_weight)

    def _evaluate(self, network, data):
        n_outputs, dtype = data.Y.shape[1], network.dtype
        Z = map_blocks(network.pre_activations, data.X, dtype, n_outputs, multiplies=True)
        loss = np.average(network.losses(Z, data.Y), weights=data.weight)
        return self._score_outputs(network.outputs(Z), data.Y, data.weight), loss

    def transform(self, X):
        """Activations of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to go through the hidden layers.

        Returns
        -------
        H : ndarray of shape (n_samples, hidden_layer_sizes[-1])

        Raises
        ------
        NotFittedError
            If the network has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        check_is_fitted(self)
        return self._outputs(X, n_layers=self._n_encoding_layers)

    @property
    def _n_encoding_layers(self):
        """Number of layers of weights below the output layer."""
        return len(self.coefs_) - 1
