"""Deep belief networks for supervised learning."""

from ._base import glorot_layer
from ._network import Network
from .mlp import BaseNetworkClassifier
from .stack import PretrainedMixin


class DBNClassifier(PretrainedMixin, BaseNetworkClassifier):
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
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
    alpha : float, default=0.0001
        L2 penalty on the weights; as in scikit-learn's MLP, it adds
        ``alpha / 2 * ||W||**2``, divided by the number of rows of the batch, to the mean
        loss.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100.
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
        Whether ``fit`` goes on from the weights of the previous fit, without
        pretraining anew.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the weights and of fine-tuning; ``rbm__dtype`` is that of
        pretraining.
    verbose : bool, default=False
        Whether to print a line for each epoch.
    random_state : int, RandomState instance or None, default=None
        Seed for pretraining, the weights of the output layer, the order of the rows and the
        held-out rows.

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
    MLPClassifier : The same network without pretraining.
    DBNAutoencoder : A network pretrained in the same way, to reconstruct its input.

    References
    ----------
    .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
       belief nets", Neural Computation 18, 1527-1554, doi:10.1162/neco.2006.18.7.1527.
    .. [2] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.

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
        self.rbm = rbm
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

    def _start(self, task, data, n_outputs, random_state):
        self._pretrain(task, data, self.rbm, random_state)
        coefs, intercepts, activations = self.stack_._encoder()
        top = len(intercepts[-1])
        coef, intercept = glorot_layer(top, n_outputs, "softmax", random_state, self.dtype)
        return Network([*coefs, coef], [*intercepts, intercept], activations, self._loss)
