"""Multi-layer perceptrons."""

from itertools import pairwise

import numpy as np
from scipy.special import expit
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from ._base import BaseNetwork, glorot_layer, layer_sizes
from ._batches import ACCEPTED_DTYPES, map_blocks
from ._network import Network
from ._sklearn import StrOptions
from .activations import ACTIVATIONS


class BaseNetworkClassifier(
    ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseNetwork
):
    """Base class of the classifiers: what the outputs of a network mean as classes."""

    def fit(self, X, y):
        """Fit the network to X and y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,)
            Class labels.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, y does not hold at least two classes, or their
            lengths differ.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached before the loss stopped improving, or training
            diverged. The last finite parameters are kept.
        """
        return self._fit(X, y)

    def _check_training_data(self, X, y, reset):
        data, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            dtype=ACCEPTED_DTYPES,
            order="C",
            multi_output=True,
            reset=reset,
        )
        check_classification_targets(y)
        if type_of_target(y).startswith("multi") and np.ndim(y) == 2 and y.shape[1] > 1:
            raise ValueError(
                f"y must be one label a row, got an array of shape {y.shape}: "
                f"{type(self).__name__} does not do multi-label or multi-output problems. "
                "Wrap it in sklearn.multioutput.MultiOutputClassifier."
            )
        y = column_or_1d(y, warn=True)
        classes = np.unique(y)
        if not reset and not np.isin(classes, self.classes_).all():
            raise ValueError(
                f"warm_start=True needs the classes of the previous fit, {self.classes_}, "
                f"but y holds {classes}. Use warm_start=False to start anew."
            )
        if reset:
            if len(classes) < 2:
                raise ValueError(
                    f"{type(self).__name__} needs at least 2 classes in y, got 1 class: "
                    f"{classes.tolist()[0]!r}."
                )
            self.classes_ = classes
        index = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:  # one output, as in scikit-learn's MLP
            return data, index.astype(np.uint8)[:, np.newaxis]
        targets = np.zeros((len(y), len(self.classes_)), np.uint8)
        targets[np.arange(len(y)), index] = 1
        return data, targets

    @property
    def _loss(self):
        """Name of the loss for these classes."""
        return "binary_log_loss" if len(self.classes_) == 2 else "log_loss"

    def _held_out_score(self, network, data, targets):
        outputs = map_blocks(
            network.predict, data, network.dtype, targets.shape[1], multiplies=True
        )
        return float(np.mean(_class_index(outputs) == _class_index(targets)))

    def _stratify(self, targets):
        return _class_index(targets)

    def predict(self, X):
        """Most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,)
        """
        outputs = self._outputs(X)
        return self.classes_[_class_index(outputs)]

    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        if len(self.classes_) > 2:
            return self._outputs(X)
        # Each from the log-odds: 1 - p would lose what is below the rounding of 1.
        log_odds = self._outputs(X, link=False)
        return expit(np.hstack([-log_odds, log_odds]))

    def predict_log_proba(self, X):
        """Logarithms of the probabilities of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_P : ndarray of shape (n_samples, n_classes)
            Columns in the order of ``classes_``; -inf where a probability is zero.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def transform(self, X):
        """Activations of the last hidden layer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        H : ndarray of shape (n_samples, hidden_layer_sizes[-1])
        """
        check_is_fitted(self)
        return self._outputs(X, n_layers=len(self.coefs_) - 1)

    @property
    def _n_features_out(self):
        return len(self.intercepts_[-2])


def _class_index(outputs):
    """Index of the class that outputs of the network, or targets, speak for."""
    if outputs.shape[1] > 1:
        return outputs.argmax(axis=1)
    return (outputs[:, 0] > 0.5).astype(np.intp)


class MLPClassifier(BaseNetworkClassifier):
    """Multi-layer perceptron classifier.

    The network of :class:`~skdbn.DBNClassifier` without pretraining. Parameters mean what
    they mean in scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`, except that
    ``learning_rate`` is what is called ``learning_rate_init`` there, or a schedule, and
    that what belongs to a solver is set on the solver. With ``dtype="float64"`` and the
    same step size and ``random_state``, the losses are the same, epoch for epoch.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer.
    activation : {"identity", "logistic", "tanh", "relu"}, default="relu"
        Activation of the hidden layers.
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
    alpha : float, default=0.0001
        L2 penalty on the weights; as in scikit-learn's MLP, it adds
        ``alpha / 2 * ||W||**2``, divided by the number of rows of the batch, to the mean
        loss.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is 200, or all rows if they are fewer.
    learning_rate : float, Schedule or "auto", default="auto"
        Step size. "auto" is what the optimiser has as its ``learning_rate``, 0.001 for
        "adam" and 0.01 for "sgd". "lbfgs" and "cg" find their steps themselves.
    max_iter : int, default=200
        Largest number of epochs, passes over the training data; with "lbfgs", of
        iterations.
    shuffle : bool, default=True
        Whether to draw the order of the rows anew in each epoch.
    tol : float or None, default=0.0001
        Improvement of the training loss, or of the validation score, that counts as one.
        With None the training loss does not end training, and any improvement of the
        validation score counts. With "lbfgs" the largest component of the gradient at
        which it stops.
    n_iter_no_change : int, default=10
        Training stops after more than this number of epochs in a row without
        improvement by ``tol``.
    early_stopping : bool, default=False
        Whether to hold out a part of the training data, stratified by class, to stop when
        the score on it no longer improves, and to keep the best parameters. Not used
        with "lbfgs".
    validation_fraction : float, default=0.1
        The part that is held out for early stopping.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous fit.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of training.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for the initial weights, the order of the rows and the held-out rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coefs_ : list of ndarray
        Weights; ``coefs_[i]`` has the shape (size of layer i, size of layer i + 1).
    intercepts_ : list of ndarray
        Biases; ``intercepts_[i]`` belongs to layer i + 1.
    loss_ : float
        Loss of the last epoch, penalty included.
    best_loss_ : float or None
        Smallest loss of an epoch; None with early stopping.
    loss_curve_ : list of float
        Loss of each epoch.
    validation_scores_ : list of float or None
        Accuracy on the held-out rows after each epoch; None without early
        stopping.
    best_validation_score_ : float or None
        The largest of them.
    n_iter_ : int
        Number of epochs run.
    n_evaluations_ : int
        How often the loss and its gradient were computed, of a batch or of all rows.
    n_layers_ : int
        Number of layers, input and output included.
    n_outputs_ : int
        Number of outputs of the network.
    out_activation_ : str
        Activation of the output layer.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X had string names.

    See Also
    --------
    DBNClassifier : The same network, pretrained.
    sklearn.neural_network.MLPClassifier : scikit-learn's own.

    Notes
    -----
    The loss is the cross-entropy of a softmax over the classes, or of one logistic output
    for two classes. Weights start as in [1]_, equation 16.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdbn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> mlp = MLPClassifier((64,), tol=1e-3, random_state=0).fit(X_train, y_train)
    >>> bool(mlp.score(X_test, y_test) > 0.95)
    True
    """

    _parameter_constraints: dict = {
        **BaseNetworkClassifier._parameter_constraints,
        "activation": [StrOptions(set(ACTIVATIONS))],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="auto",
        max_iter=200,
        shuffle=True,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        warm_start=False,
        dtype="float32",
        verbose=False,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    @staticmethod
    def _auto_batch_size(n_samples):
        return 200  # as in scikit-learn

    def _start(self, task, data, n_outputs, random_state):
        hidden = layer_sizes(self.hidden_layer_sizes)
        sizes = [data.shape[1], *hidden, n_outputs]
        layers = [
            glorot_layer(*pair, self.activation, random_state, self.dtype)
            for pair in pairwise(sizes)
        ]
        coefs, intercepts = map(list, zip(*layers, strict=True))
        return Network(coefs, intercepts, [self.activation] * len(hidden), self._loss)
