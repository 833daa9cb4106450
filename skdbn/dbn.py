"""Deep belief networks for supervised learning."""

from ._base import glorot_layer
from ._classifier import BaseNetworkClassifier
from ._network import Network
from ._regressor import BaseNetworkRegressor
from .stack import PretrainedMixin


class _PretrainedStart(PretrainedMixin):
    """Weights that start from a stack of RBMs, and an output layer from random ones."""

    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        X_unlabeled=None,
    ):
        """Pretrain on the rows, and fine-tune to y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets: a label or a number a row, or several numbers, or several labels as
            an indicator matrix of zeros and ones.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more, in pretraining and in fine-tuning; None
            for all alike. Losses are means weighted by them, held-out scores too. A batch
            is divided by the sum of its weights, as in scikit-learn's MLP, so that they do
            the less the smaller the batches are.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows of a validation set of your own, instead of a part of X. With
            ``early_stopping`` they decide when to stop; without it, they are watched
            (``validation_scores_``, ``validation_loss_curve_``).
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Their targets.
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.
        X_unlabeled : {array-like, sparse matrix} of shape (n_unlabeled, n_features), \
                default=None
            More rows to pretrain on, whose targets nobody knows, of weight 1 each. They
            are put below X, which takes memory for both. A ``warm_start`` that goes on
            from an earlier fit does not pretrain, and makes no use of them.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units, y cannot be
            targets, their lengths differ, or the other rows do not match them.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached before the loss stopped improving, training
            diverged, or Ctrl-C ended it. The last finite parameters are kept.
        """
        held_out = (X_val, y_val, sample_weight_val)
        return self._fit(X, y, sample_weight, held_out, X_unlabeled)

    def _start(self, task, rows, n_outputs, random_state):
        self._pretrain(task, rows, self.rbm, random_state)
        coefs, intercepts, activations = self.stack_._encoder()
        top = len(intercepts[-1])
        coef, bias = glorot_layer(top, n_outputs, "softmax", random_state, self.dtype)
        loss = self._output_loss()
        return Network([*coefs, coef], [*intercepts, bias], activations, loss)


class DBNClassifier(_PretrainedStart, BaseNetworkClassifier):
    """Deep belief network classifier.

    A stack of RBMs is trained on X alone, layer by layer; its weights become the hidden
    layers of a network with a softmax on top, and the whole is fine-tuned by
    backpropagation ([1]_, [2]_).

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(256, 256)
        Number of units of each hidden layer.
    rbm : RBM, list of RBM, FrozenEstimator or None, default=None
        What the layers are pretrained with, see :class:`~skdbn.StackedRBM`: a prototype
        that is cloned for each layer, one RBM for each layer, or ``RBM()`` if None. A
        ``FrozenEstimator`` of a fitted StackedRBM with these layer sizes is used as it
        is.
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
        shortened to it [3]_.
    dropout : float, default=0.0
        Probability with which a hidden unit is left out of a step, in [0, 1) [3]_.
        Those that stay are divided by the probability of staying, so that predictions use
        the weights as they are.
    input_dropout : float, default=0.0
        The same for the columns of X.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in each step.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100; with
        "cg" 1000, or all rows if they are fewer.
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
        alone, so that its random weights do not spoil the pretrained ones ([2]_).
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
        training data, stratified by class, which pretraining sees all the same. Not used
        with "lbfgs".
    validation_fraction : float, default=0.1
        The part that is held out for early stopping.
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply those of the rows. "balanced" makes all
        classes count alike: ``n_samples / (n_classes * np.bincount(y))``. For several
        labels a row, one dict for each column of y, whose weights are multiplied: a row
        counts as a whole, with all its labels. A validation set has those of training.
        They level out within a batch as ``sample_weight`` of ``fit`` does: use larger
        batches where a class is rare. Pretraining weighs the rows in the same way.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous fit, with the layers and
        the loss of that, without pretraining anew. ``loss_curve_`` begins anew.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of fine-tuning; ``rbm__dtype`` is that of
        pretraining.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for pretraining, the weights of the output layer, the order of the rows,
        dropout and noise, and the held-out rows.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    stack_ : StackedRBM
        The stack as it was after pretraining, with weights of its own: it doubles the
        size of a pickle.
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
    MLPClassifier : The same network without pretraining.
    DBNAutoencoder : A network pretrained in the same way, to reconstruct its input.

    Notes
    -----
    The weights of the RBMs are handed on as they are, also with dropout: kept units are
    divided by the probability of being kept in training, so that the input of a layer is in
    the mean what it was in pretraining ([3]_, section 5, divides the weights instead).

    References
    ----------
    .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
       belief nets", Neural Computation 18, 1527-1554, doi:10.1162/neco.2006.18.7.1527.
    .. [2] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.
    .. [3] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014),
       "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
       1929-1958.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skdbn import RBM, DBNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> dbn = DBNClassifier((128, 64), rbm=RBM(max_iter=10), random_state=0)
    >>> bool(dbn.fit(X_train, y_train).score(X_test, y_test) > 0.95)
    True

    A stack that has been fitted before is reused by freezing it:

    >>> from sklearn.frozen import FrozenEstimator
    >>> tuned = DBNClassifier((128, 64), rbm=FrozenEstimator(dbn.stack_), random_state=1)
    >>> tuned.fit(X_train, y_train).stack_[0] is dbn.stack_[0]
    True
    """

    _parameter_constraints: dict = {
        **BaseNetworkClassifier._parameter_constraints,
        **PretrainedMixin._rbm_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(256, 256),
        *,
        rbm=None,
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
        self.rbm = rbm
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


class DBNRegressor(_PretrainedStart, BaseNetworkRegressor):
    """Deep belief network regressor.

    A stack of RBMs is trained on X alone, layer by layer; its weights become the hidden
    layers of a network with linear outputs on top, and the whole is fine-tuned by
    backpropagation ([1]_, [2]_).

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(256, 256)
        Number of units of each hidden layer.
    rbm : RBM, list of RBM, FrozenEstimator or None, default=None
        What the layers are pretrained with, see :class:`~skdbn.StackedRBM`: a prototype
        that is cloned for each layer, one RBM for each layer, or ``RBM()`` if None. A
        ``FrozenEstimator`` of a fitted StackedRBM with these layer sizes is used as it
        is.
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
        shortened to it [3]_.
    dropout : float, default=0.0
        Probability with which a hidden unit is left out of a step, in [0, 1) [3]_.
        Those that stay are divided by the probability of staying, so that predictions use
        the weights as they are.
    input_dropout : float, default=0.0
        The same for the columns of X.
    input_noise : float, default=0.0
        Standard deviation of normal noise that is added to X in each step.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100; with
        "cg" 1000, or all rows if they are fewer.
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
        alone, so that its random weights do not spoil the pretrained ones ([2]_).
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
        training data, which pretraining sees all the same. Not used with "lbfgs".
    validation_fraction : float, default=0.1
        The part that is held out for early stopping.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the previous fit, with the layers and
        the loss of that, without pretraining anew. ``loss_curve_`` begins anew.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of fine-tuning; ``rbm__dtype`` is that of
        pretraining.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for pretraining, the weights of the output layer, the order of the rows,
        dropout and noise, and the held-out rows.

    Attributes
    ----------
    stack_ : StackedRBM
        The stack as it was after pretraining, with weights of its own: it doubles the
        size of a pickle.
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
    MLPRegressor : The same network without pretraining.
    DBNClassifier : The same for classes.

    Notes
    -----
    The weights of the RBMs are handed on as they are, also with dropout: kept units are
    divided by the probability of being kept in training, so that the input of a layer is in
    the mean what it was in pretraining ([3]_, section 5, divides the weights instead).

    References
    ----------
    .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
       belief nets", Neural Computation 18, 1527-1554, doi:10.1162/neco.2006.18.7.1527.
    .. [2] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.
    .. [3] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014),
       "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
       1929-1958.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.preprocessing import scale
    >>> from skdbn import RBM, DBNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> dbn = DBNRegressor(
    ...     (32,), rbm=RBM(visible="gaussian", max_iter=5), tol=1e-3, random_state=0
    ... )
    >>> bool(dbn.fit(scale(X), scale(y)).score(scale(X), scale(y)) > 0.4)
    True
    """

    _parameter_constraints: dict = {
        **BaseNetworkRegressor._parameter_constraints,
        **PretrainedMixin._rbm_constraints,
    }

    def __init__(
        self,
        hidden_layer_sizes=(256, 256),
        *,
        rbm=None,
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
        self.rbm = rbm
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
