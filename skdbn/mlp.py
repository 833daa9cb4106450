"""Multi-layer perceptrons."""

from itertools import pairwise

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ._base import glorot_layer, layer_sizes
from ._classifier import BaseNetworkClassifier
from ._network import Network
from ._params import named
from ._regressor import BaseNetworkRegressor
from .activations import ACTIVATIONS, Activation


class _GivenOrRandomStart:
    """Weights that start from what the user gives, and at random in the other layers."""

    _start_constraints: dict = {
        "activation": named(ACTIVATIONS, Activation),
        "init": [FrozenEstimator, tuple, list, None],
    }

    _kept_params = ("loss", "activation")

    def _check_kept(self, sizes):
        super()._check_kept(sizes)
        if self.init is not None and self.init is not self._init_:
            raise ValueError(
                "init is another object than before, but warm_start=True goes on from the "
                "weights of the previous fit, and so does partial_fit. Leave init as it "
                "was, or None, or use fit with warm_start=False to start anew."
            )

    @staticmethod
    def _auto_batch_size(n_samples):
        return 200  # as in scikit-learn

    def _start(self, task, rows, n_outputs, random_state):
        hidden = layer_sizes(self.hidden_layer_sizes)
        sizes = [rows.X.shape[1], *hidden, n_outputs]
        coefs, intercepts, activations = self._given_layers(sizes)
        self._init_ = self.init
        for pair in list(pairwise(sizes))[len(coefs) :]:
            layer = glorot_layer(*pair, self.activation, random_state, self.dtype)
            coefs.append(layer[0])
            intercepts.append(layer[1])
        activations += [self.activation] * (len(hidden) - len(activations))
        loss = self._output_loss()
        return Network(coefs, intercepts, activations[: len(hidden)], loss)

    def _given_layers(self, sizes):
        """Weights, biases and activations of the layers that ``init`` gives."""
        if self.init is None:
            return [], [], []
        if isinstance(self.init, FrozenEstimator):
            layers = _encoder_of(self.init.estimator)
            sizes = sizes[:-1]  # what encodes has no place for the outputs
        else:
            layers = _arrays_of(self.init)
            layers = (*layers, [self.activation] * len(layers[0]))
        shapes = [(np.shape(c), np.shape(b)) for c, b in zip(*layers[:2], strict=True)]
        expected = [((n, m), (m,)) for n, m in pairwise(sizes)]
        if shapes != expected[: len(shapes)]:
            raise ValueError(
                f"init has weights and biases of the shapes {shapes}, but the first layers "
                f"of the network and its data need {expected[: len(shapes)]}. Set "
                "hidden_layer_sizes to the sizes of the layers in init, and pass data "
                "with as many columns."
            )
        return [list(part) for part in layers]


def _encoder_of(estimator):
    """The layers of a fitted stack or network below its output."""
    if not hasattr(estimator, "_encoder"):
        raise TypeError(
            "init=FrozenEstimator(...) must hold a fitted StackedRBM or network of skdbn, "
            f"got {estimator!r}. Of another network pass init=(coefs, intercepts), of a "
            "pipeline its last step, and of an RBM a StackedRBM with one layer."
        )
    check_is_fitted(estimator)
    return estimator._encoder()


def _arrays_of(init):
    """Two lists of arrays of numbers, weights and biases."""
    sizes = [len(part) if isinstance(part, (list, tuple)) else None for part in init]
    if len(init) != 2 or None in sizes or sizes[0] != sizes[1]:
        found = [type(part).__name__ for part in init] if None in sizes else sizes
        raise ValueError(
            "init must be a pair of lists, weights and biases, with one array of each for "
            f"each layer, got {found}. Use init=(coefs, intercepts)."
        )
    try:
        coefs, intercepts = ([np.asarray(a, dtype=float) for a in part] for part in init)
    except (TypeError, ValueError) as error:
        raise ValueError(f"init must hold arrays of numbers: {error}.") from error
    if not all(np.isfinite(a).all() for a in (*coefs, *intercepts)):
        raise ValueError("init holds weights or biases that are NaN or infinite.")
    return coefs, intercepts


class MLPClassifier(_GivenOrRandomStart, BaseNetworkClassifier):
    """Multi-layer perceptron classifier.

    The network of :class:`~skdbn.DBNClassifier` without pretraining. Parameters mean what
    they mean in scikit-learn's :class:`~sklearn.neural_network.MLPClassifier`, except that
    ``learning_rate`` is what is called ``learning_rate_init`` there, or a schedule, and
    that what belongs to a solver is set on the solver.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer.
    activation : str or Activation, default="relu"
        Activation of the hidden layers: "identity", "logistic", "tanh", "relu",
        "leaky_relu", "softplus", "truncated_exponential" or "softmax", or an object of
        :mod:`skdbn.activations`. Layers of a model in ``init`` keep theirs.
    init : FrozenEstimator, (coefs, intercepts) or None, default=None
        Where the weights of the first layers start from: a fitted StackedRBM or network in
        scikit-learn's ``FrozenEstimator``, of which the layers below the output (of an
        autoencoder, those up to the code) are taken, or two lists of arrays shaped like
        ``coefs_`` and ``intercepts_``, which may include the output layer. The other
        layers start at random, as all do with None.
    loss : str or Loss, default="log_loss"
        What is minimised: "log_loss", the cross-entropy of a softmax, or of logistic
        outputs for two classes and for several labels a row; "binary_log_loss", that of one
        logistic output for each class; "squared_error", half the squared error of logistic
        outputs; or an object of :mod:`skdbn.losses`.
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
        ``Clipped`` and ``Averaged`` in :mod:`skdbn.optimizers` are put around one.
    alpha : float, default=0.0001
        Penalty on the weights; as in scikit-learn's MLP, it adds
        ``alpha / 2 * ||W||**2``, divided by the number of rows of the batch or the sum of
        their weights, to the mean loss.
    l1_ratio : float, default=0.0
        Part of the penalty that is the sum of absolute values, as in scikit-learn's
        SGDClassifier: ``alpha * (l1_ratio * ||W||_1 + (1 - l1_ratio) / 2 * ||W||**2)``.
        It makes weights small, but not exactly zero.
    max_norm : float or None, default=None
        Largest norm of the weights into one hidden unit; after each step longer ones are
        shortened to it [2]_.
    dropout : float, default=0.0
        Probability with which a hidden unit is left out of a step, in [0, 1) [2]_.
        Those that stay are divided by the probability of staying, so that predictions use
        the weights as they are.
    input_dropout : float, default=0.0
        The same for the columns of X.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in each step.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is 200, with "cg" 1000, or all rows if they are fewer.
    learning_rate : float, Schedule, "auto", "adaptive" or array-like, default="auto"
        Step size. "auto" is what the optimiser has as its ``learning_rate``, 0.001 for
        "adam" and 0.01 for "sgd"; "adaptive" starts from that, and divides it by 5 where
        patience would end training, down to 1e-6 (see
        :class:`~skdbn.schedules.Adaptive`), for which ``tol`` must be a number, or
        ``early_stopping`` set. A list has one for each layer of weights, from the bottom,
        the output layer included, and 0 for a layer that is to stay as it is. "lbfgs" and
        "cg" find their steps themselves, and heed nothing but a 0.
    max_iter : int, default=200
        Largest number of epochs, passes over the training data; with "lbfgs", of
        iterations.
    head_max_iter : int, default=0
        Number of epochs at the beginning, out of ``max_iter``, that change the output layer
        alone, so that its random weights do not spoil those taken from ``init``.
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
        Whether to stop when the score on held-out rows no longer improves, and to keep the
        best parameters. The rows are those passed to ``fit`` as ``X_val``, or a part of the
        training data, stratified by class. Not used with "lbfgs".
    validation_fraction : float, default=0.1
        The part that is held out for early stopping.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the rows. "balanced" makes all
        classes count alike: ``n_samples / (n_classes * np.bincount(y))``. For several
        labels a row, one dict for each column of y, whose weights are multiplied: a row
        counts as a whole, with all its labels. A validation set has those of training.
        They level out within a batch as ``sample_weight`` of ``fit`` does: use larger
        batches where a class is rare.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous fit, with the layers, the
        loss, the activation and the ``init`` of that. ``loss_curve_`` begins anew.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of training.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for the initial weights, the order of the rows, dropout and noise, and the
        held-out rows.

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
        Accuracy on the held-out rows after each epoch; None without a validation
        set.
    validation_loss_curve_ : list of float or None
        Mean loss of the held-out rows after each epoch, without the penalty; None without a
        validation set.
    best_validation_score_ : float or None
        The largest of the scores.
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
    Weights start as in [1]_, equation 16. With ``dtype="float64"`` and the same step size
    and ``random_state``, the losses are those of scikit-learn's, epoch for epoch, unless
    ``early_stopping`` holds out rows of three classes or more: here these are stratified.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS.
    .. [2] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014),
       "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
       1929-1958.

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
        **_GivenOrRandomStart._start_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        init=None,
        loss="log_loss",
        solver="adam",
        alpha=0.0001,
        l1_ratio=0.0,
        max_norm=None,
        dropout=0.0,
        input_dropout=0.0,
        input_noise=0.0,
        batch_size="auto",
        learning_rate="auto",
        max_iter=200,
        head_max_iter=0,
        shuffle=True,
        tol=1e-4,
        n_iter_no_change=10,
        early_stopping=False,
        validation_fraction=0.1,
        class_weight=None,
        warm_start=False,
        dtype="float32",
        verbose=False,
        random_state=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.init = init
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.head_max_iter = head_max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state


class MLPRegressor(_GivenOrRandomStart, BaseNetworkRegressor):
    """Multi-layer perceptron regressor.

    The network of :class:`~skdbn.DBNRegressor` without pretraining. Parameters mean what
    they mean in scikit-learn's :class:`~sklearn.neural_network.MLPRegressor`, except that
    ``learning_rate`` is what is called ``learning_rate_init`` there, or a schedule, and
    that what belongs to a solver is set on the solver.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Number of units of each hidden layer.
    activation : str or Activation, default="relu"
        Activation of the hidden layers: "identity", "logistic", "tanh", "relu",
        "leaky_relu", "softplus", "truncated_exponential" or "softmax", or an object of
        :mod:`skdbn.activations`. Layers of a model in ``init`` keep theirs.
    init : FrozenEstimator, (coefs, intercepts) or None, default=None
        Where the weights of the first layers start from: a fitted StackedRBM or network in
        scikit-learn's ``FrozenEstimator``, of which the layers below the output (of an
        autoencoder, those up to the code) are taken, or two lists of arrays shaped like
        ``coefs_`` and ``intercepts_``, which may include the output layer. The other
        layers start at random, as all do with None.
    loss : str or Loss, default="squared_error"
        What is minimised: "squared_error", half of it, summed over outputs; "poisson", half
        the deviance of exponential outputs, for counts; "binary_log_loss", the
        cross-entropy of logistic outputs, for numbers in [0, 1]; "log_loss", that of a
        softmax, for shares of a whole; or an object of :mod:`skdbn.losses`.
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
        ``Clipped`` and ``Averaged`` in :mod:`skdbn.optimizers` are put around one.
    alpha : float, default=0.0001
        Penalty on the weights; as in scikit-learn's MLP, it adds
        ``alpha / 2 * ||W||**2``, divided by the number of rows of the batch or the sum of
        their weights, to the mean loss.
    l1_ratio : float, default=0.0
        Part of the penalty that is the sum of absolute values, as in scikit-learn's
        SGDClassifier: ``alpha * (l1_ratio * ||W||_1 + (1 - l1_ratio) / 2 * ||W||**2)``.
        It makes weights small, but not exactly zero.
    max_norm : float or None, default=None
        Largest norm of the weights into one hidden unit; after each step longer ones are
        shortened to it [2]_.
    dropout : float, default=0.0
        Probability with which a hidden unit is left out of a step, in [0, 1) [2]_.
        Those that stay are divided by the probability of staying, so that predictions use
        the weights as they are.
    input_dropout : float, default=0.0
        The same for the columns of X.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in each step.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is 200, with "cg" 1000, or all rows if they are fewer.
    learning_rate : float, Schedule, "auto", "adaptive" or array-like, default="auto"
        Step size. "auto" is what the optimiser has as its ``learning_rate``, 0.001 for
        "adam" and 0.01 for "sgd"; "adaptive" starts from that, and divides it by 5 where
        patience would end training, down to 1e-6 (see
        :class:`~skdbn.schedules.Adaptive`), for which ``tol`` must be a number, or
        ``early_stopping`` set. A list has one for each layer of weights, from the bottom,
        the output layer included, and 0 for a layer that is to stay as it is. "lbfgs" and
        "cg" find their steps themselves, and heed nothing but a 0.
    max_iter : int, default=200
        Largest number of epochs, passes over the training data; with "lbfgs", of
        iterations.
    head_max_iter : int, default=0
        Number of epochs at the beginning, out of ``max_iter``, that change the output layer
        alone, so that its random weights do not spoil those taken from ``init``.
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
        Whether to stop when the score on held-out rows no longer improves, and to keep the
        best parameters. The rows are those passed to ``fit`` as ``X_val``, or a part of the
        training data. Not used with "lbfgs".
    validation_fraction : float, default=0.1
        The part that is held out for early stopping.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous fit, with the layers, the
        loss, the activation and the ``init`` of that. ``loss_curve_`` begins anew.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of training.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for the initial weights, the order of the rows, dropout and noise, and the
        held-out rows.

    Attributes
    ----------
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
        R^2 on the held-out rows after each epoch; None without a validation
        set.
    validation_loss_curve_ : list of float or None
        Mean loss of the held-out rows after each epoch, without the penalty; None without a
        validation set.
    best_validation_score_ : float or None
        The largest of the scores.
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
    DBNRegressor : The same network, pretrained.
    sklearn.neural_network.MLPRegressor : scikit-learn's own.

    Notes
    -----
    Weights start as in [1]_, equation 16. With ``dtype="float64"`` and the same step size
    and ``random_state``, the losses of one output are those of scikit-learn's, epoch for
    epoch. For several outputs the loss here is the sum over outputs, whose gradient both
    follow; scikit-learn shows the mean.

    References
    ----------
    .. [1] X. Glorot, Y. Bengio (2010), "Understanding the difficulty of training deep
       feedforward neural networks", AISTATS.
    .. [2] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014),
       "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
       1929-1958.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skdbn import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> mlp = MLPRegressor((32,), tol=1e-3, random_state=0).fit(scale(X), scale(y))
    >>> bool(mlp.score(scale(X), scale(y)) > 0.5)
    True
    """

    _parameter_constraints: dict = {
        **BaseNetworkRegressor._parameter_constraints,
        **_GivenOrRandomStart._start_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        *,
        activation="relu",
        init=None,
        loss="squared_error",
        solver="adam",
        alpha=0.0001,
        l1_ratio=0.0,
        max_norm=None,
        dropout=0.0,
        input_dropout=0.0,
        input_noise=0.0,
        batch_size="auto",
        learning_rate="auto",
        max_iter=200,
        head_max_iter=0,
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
        self.init = init
        self.loss = loss
        self.solver = solver
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.max_norm = max_norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.input_noise = input_noise
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.head_max_iter = head_max_iter
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state
