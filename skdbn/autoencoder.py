"""Deep belief network autoencoders."""

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from ._base import BaseNetwork, layer_sizes
from ._batches import (
    check_codes,
    check_rows,
    map_blocks,
    output_dtype,
    reconstruction_score,
)
from ._network import Network
from ._params import named, resolve
from .stack import PretrainedMixin, rbm_list
from .units import UNITS, Unit


class DBNAutoencoder(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, PretrainedMixin, BaseNetwork
):
    """Deep belief network autoencoder.

    A stack of RBMs is trained on X layer by layer, unrolled into an encoder and a decoder
    that start from the same weights, and fine-tuned to reconstruct X [1]_. As a
    transformer it maps X to the code, the units of the top layer.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(256, 64, 16)
        Number of units of each layer of the encoder; the last one is the code.
    rbm : RBM, list of RBM, FrozenEstimator or None, default=None
        What the layers are pretrained with, see :class:`~skdbn.StackedRBM`: a prototype
        that is cloned for each layer, one RBM for each layer, or ``RBM()`` if None. A
        ``FrozenEstimator`` of a fitted StackedRBM with these layer sizes is used as it
        is.
    code : {"gaussian", "bernoulli"}, Unit or None, default=None
        Type of the units of the code, the ``hidden`` units of the topmost RBM.
        "gaussian" makes a linear code, "bernoulli" one between 0 and 1. None is
        "gaussian" above a prototype, and leaves a list or a frozen stack as it is.
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
    alpha : float, default=0.0
        L2 penalty on the weights; as in scikit-learn's MLP, it adds
        ``alpha / 2 * ||W||**2``, divided by the number of rows of the batch, to the mean
        loss.
    batch_size : int or "auto", default="auto"
        Rows a step. "auto" is a hundredth of the rows, at least 10 and at most 100.
    learning_rate : float, Schedule or "auto", default="auto"
        Step size. "auto" is what the optimiser has as its ``learning_rate``, 0.001 for
        "adam" and 0.01 for "sgd". "lbfgs" and "cg" find their steps themselves.
    max_iter : int, default=100
        Largest number of epochs, passes over the training data; with "lbfgs", of
        iterations.
    shuffle : bool, default=True
        Whether to draw the order of the rows anew in each epoch.
    tol : float or None, default=None
        Improvement of the training loss, or of the validation score, that counts as one.
        With None the training loss does not end training, and any improvement of the
        validation score counts. With "lbfgs" the largest component of the gradient at
        which it stops.
    n_iter_no_change : int, default=10
        Training stops after more than this number of epochs in a row without
        improvement by ``tol``.
    early_stopping : bool, default=False
        Whether to hold out a part of the training data, to stop when the
        score on it no longer improves, and to keep the best parameters. Not used with
        "lbfgs".
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
        Seed for pretraining, the order of the rows and the held-out rows.

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
        Minus the mean squared error on the held-out rows after each epoch; None without
        early stopping.
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
    StackedRBM : The stack alone, without fine-tuning.
    sklearn.decomposition.PCA : The linear method to compare with.

    Notes
    -----
    The loss follows from the visible units of the first RBM: the cross-entropy summed over
    columns for binary units, half the squared error for Gaussian ones.

    References
    ----------
    .. [1] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, DBNAutoencoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> autoencoder = DBNAutoencoder(
    ...     (128, 8), rbm=RBM(max_iter=10), max_iter=20, random_state=0
    ... )
    >>> code = autoencoder.fit_transform(X / 16)
    >>> code.shape, autoencoder.inverse_transform(code).shape
    ((1797, 8), (1797, 64))
    """

    _parameter_constraints: dict = {
        **BaseNetwork._parameter_constraints,
        **PretrainedMixin._rbm_constraints,
        "code": [*named(UNITS, Unit), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(256, 64, 16),
        *,
        rbm=None,
        code=None,
        solver="adam",
        alpha=0.0,
        batch_size="auto",
        learning_rate="auto",
        max_iter=100,
        shuffle=True,
        tol=None,
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
        self.code = code
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

    def fit(self, X, y=None):
        """Pretrain, unroll and fine-tune.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        self : DBNAutoencoder

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached before the loss stopped improving, or training
            diverged. The last finite parameters are kept.
        """
        return self._fit(X, y)

    def _check_training_data(self, X, y, reset):
        data = check_rows(self, X, reset=reset)
        return data, data

    def _start(self, task, data, n_outputs, random_state):
        self._pretrain(task, data, self._prototypes(), random_state)
        up, down = self.stack_._encoder(), self.stack_._decoder()
        coefs, intercepts, activations = (a + b for a, b in zip(up, down, strict=True))
        loss = self.stack_[0]._energy().visible.loss
        return Network(coefs, intercepts, activations[:-1], loss)

    def _prototypes(self):
        """The parameter ``rbm`` with the units of the code in the topmost RBM."""
        if isinstance(self.rbm, FrozenEstimator):
            return None
        n_layers = len(layer_sizes(self.hidden_layer_sizes))
        prototypes = [clone(rbm) for rbm in rbm_list(self.rbm, n_layers)]
        is_list = isinstance(self.rbm, (list, tuple))
        code = self.code or (prototypes[-1].hidden if is_list else "gaussian")
        prototypes[-1].set_params(hidden=code)
        return prototypes

    def _check_before_pretraining(self, data, targets, keep):
        super()._check_before_pretraining(data, targets, keep)
        if self.code is None or not isinstance(self.rbm, FrozenEstimator):
            return
        top = resolve(self.rbm.estimator[-1].hidden, UNITS)
        if type(top) is not type(resolve(self.code, UNITS)):
            raise ValueError(
                f"code={self.code!r}, but the topmost RBM of the frozen stack has the "
                f"hidden units {top!r}. Leave code out, or fit a stack with such units on "
                "top."
            )

    def _held_out_score(self, network, data, targets):
        return reconstruction_score(network.predict, data, network.dtype)

    def transform(self, X):
        """Code of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        code : ndarray of shape (n_samples, hidden_layer_sizes[-1])
        """
        check_is_fitted(self)
        return self._outputs(X, n_layers=len(self.coefs_) // 2)

    def inverse_transform(self, X):
        """Reconstruct rows from their codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, hidden_layer_sizes[-1])
            Codes.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
        """
        check_is_fitted(self)
        codes = check_codes(self, X)
        half = len(self.coefs_) // 2
        activations, loss = self._architecture_
        decoder = Network(
            self.coefs_[half:], self.intercepts_[half:], activations[half:], loss
        ).astype(output_dtype(codes, self.dtype))
        return map_blocks(decoder.predict, codes, decoder.dtype, self.n_features_in_)

    def reconstruct(self, X):
        """Map X to the code and back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)
        """
        return self._outputs(X)

    def score(self, X, y=None):
        """Minus the mean squared error of ``reconstruct(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.

        Returns
        -------
        score : float
            Averaged over rows and columns; larger is better.
        """
        check_is_fitted(self)
        data = check_rows(self, X)
        network = self._network().astype(output_dtype(data, self.dtype))
        return reconstruction_score(network.predict, data, network.dtype)

    @property
    def _n_features_out(self):
        return len(self.intercepts_[len(self.coefs_) // 2 - 1])
