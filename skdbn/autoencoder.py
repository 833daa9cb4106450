"""Deep belief network autoencoders."""

from itertools import pairwise

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._base import (
    BaseNetwork,
    glorot_layer,
    layer_sizes,
    makes_steps,
    told_of,
)
from ._batches import (
    Examples,
    answer_blocks,
    check_codes,
    check_rows,
    map_blocks,
    output_dtype,
    reconstruction_score,
)
from ._network import Network
from ._params import named, resolve
from ._sklearn import check_sample_weight
from .losses import LOSSES, Loss
from .stack import PretrainedMixin, check_visible_data, rbm_list
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
    code : str, Unit or None, default=None
        Type of the units of the code, the ``hidden`` units of the topmost RBM.
        "gaussian" makes a linear code, "bernoulli" one between 0 and 1. None is
        "gaussian" above a prototype, and leaves a list or a frozen stack as it is.
    pretrain : bool, default=True
        Whether the layers are pretrained. Without, ``rbm`` and ``code`` say no more than
        what units the layers have, and the weights start at random as those of an
        MLPClassifier.
    loss : str, Loss or None, default=None
        What is minimised, and thereby the activation of the output: "squared_error",
        "binary_log_loss", "log_loss", "poisson" or an object of :mod:`skdbn.losses`. None
        is the loss of the visible units of the first RBM, summed over columns: the
        cross-entropy for binary and softmax ones, otherwise half the squared error of
        their means, which are linear for Gaussian ones.
    solver : str or Optimizer, default="adam"
        How the weights are optimised: "sgd", "adagrad", "rmsprop", "adadelta", "adam" or
        "adamw" make a step for each batch; "cg" makes line searches on each batch, which
        should be large; "lbfgs" works on all rows at once, which suits small data.
        ``Clipped`` and ``Averaged`` in :mod:`skdbn.optimizers` are put around one.
    alpha : float, default=0.0
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
        Seed for pretraining, the order of the rows, dropout and noise, and the held-out
        rows.

    Attributes
    ----------
    stack_ : StackedRBM
        The stack as it was after pretraining, with weights of its own: it doubles the
        size of a pickle. Not there without pretraining.
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
        a validation set.
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
    StackedRBM : The stack alone, without fine-tuning.
    sklearn.decomposition.PCA : The linear method to compare with.

    Notes
    -----
    With ``input_noise`` or ``input_dropout`` the network learns to reconstruct the rows as
    they were before, and is a denoising autoencoder [3]_.

    References
    ----------
    .. [1] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with
       neural networks", Science 313, 504-507, doi:10.1126/science.1127647.
    .. [2] N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov (2014),
       "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15,
       1929-1958.
    .. [3] P. Vincent, H. Larochelle, Y. Bengio, P.-A. Manzagol (2008), "Extracting and
       composing robust features with denoising autoencoders", ICML.

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
        "pretrain": ["boolean"],
        "loss": [*named(LOSSES, Loss), None],
    }

    def __init__(
        self,
        hidden_layer_sizes=(256, 64, 16),
        *,
        rbm=None,
        code=None,
        pretrain=True,
        loss=None,
        solver="adam",
        alpha=0.0,
        l1_ratio=0.0,
        max_norm=None,
        dropout=0.0,
        input_dropout=0.0,
        input_noise=0.0,
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
        self.pretrain = pretrain
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
        self.shuffle = shuffle
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.dtype = dtype
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X, y=None, sample_weight=None, *, X_val=None, sample_weight_val=None):
        """Pretrain, unroll and fine-tune.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more, in pretraining and in fine-tuning; None
            for all alike. Losses are means weighted by them, held-out scores too. A batch
            is divided by the sum of its weights, as in scikit-learn's MLP, so that they do
            the less the smaller the batches are.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            Rows of a validation set of your own, instead of a part of X. With
            ``early_stopping`` they decide when to stop; without it, they are watched
            (``validation_scores_``, ``validation_loss_curve_``).
        sample_weight_val : array-like of shape (n_val,), default=None
            Their weights.

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
            If ``max_iter`` was reached before the loss stopped improving, training
            diverged, or Ctrl-C ended it. The last finite parameters are kept.
        """
        return self._fit(X, y, sample_weight, (X_val, X_val, sample_weight_val))

    @available_if(makes_steps)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Run one epoch over X, going on from where the last call ended.

        The rows are taken in mini-batches of ``batch_size``. The optimiser's moments and
        the time of the schedules go on from call to call: one call is one epoch, and a
        schedule over the whole fit has ended after ``max_iter`` calls. ``early_stopping``
        is not for parts of data, and ``tol`` is not used. The stack is pretrained in the
        first call, on the rows of that call.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            A part of the training data.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts in its batch, 0 or more; None for all alike.

        Returns
        -------
        self : DBNAutoencoder

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units.
        """
        return self._partial_fit(X, y, sample_weight)

    def _check_data(self, X, y, sample_weight, *, reset):
        data = check_rows(self, X, reset=reset)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, data)
        return Examples(data, data, sample_weight)

    @staticmethod
    def _depth(hidden_sizes):
        return 2 * len(hidden_sizes)

    def _max_subtasks(self, max_iter):
        return super()._max_subtasks(max_iter) if self.pretrain else max_iter

    def _training_task(self, task, max_iter):
        return super()._training_task(task, max_iter) if self.pretrain else task

    def _start(self, task, rows, n_outputs, random_state):
        if not self.pretrain:
            return self._random_start(n_outputs, random_state)
        self._pretrain(task, rows, self._prototypes(), random_state)
        return self._unrolled()

    def _unrolled(self):
        """The network of the stack, up and down."""
        up, down = self.stack_._encoder(), self.stack_._decoder()
        coefs, intercepts, activations = (a + b for a, b in zip(up, down, strict=True))
        visible = self.stack_[0]._energy().visible
        return Network(coefs, intercepts, activations[:-1], self._output_loss(visible))

    def _with_part(self, stack):
        if len(stack.rbms_) < len(layer_sizes(self.hidden_layer_sizes)):
            return stack
        self.stack_ = stack
        network = self._unrolled()
        self._remember(network)
        vars(self).update(coefs_=network.coefs, intercepts_=network.intercepts)
        return self

    def _random_start(self, n_features, random_state):
        """A network of the layers that there would be, from random weights."""
        vars(self).pop("stack_", None)  # of an earlier fit
        prototypes = self._prototypes()
        up = [resolve(rbm.hidden, UNITS).activation for rbm in prototypes]
        sizes = layer_sizes(self.hidden_layer_sizes)
        sizes = [n_features, *sizes, *sizes[-2::-1], n_features]
        activations = [*up, *up[-2::-1]]
        layers = [
            glorot_layer(*pair, activation, random_state, self.dtype)
            for pair, activation in zip(
                pairwise(sizes), [*activations, "identity"], strict=True
            )
        ]
        coefs, intercepts = map(list, zip(*layers, strict=True))
        visible = resolve(prototypes[0].visible, UNITS)
        return Network(coefs, intercepts, activations, self._output_loss(visible))

    def _output_loss(self, visible):
        """The loss that the parameter names, or that of the visible units."""
        return resolve(self.loss or visible.loss, LOSSES)

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

    def _check_before_pretraining(self, data, X_unlabeled, held_out, keep):
        super()._check_before_pretraining(data, X_unlabeled, held_out, keep)
        self._check_reconstructed(data)
        if self.code is not None:
            resolve(self.code, UNITS).check_hidden()
        if held_out is not None:
            frozen = isinstance(self.rbm, FrozenEstimator)
            rbms = self.rbm.estimator if frozen else self._prototypes()
            with told_of("the validation set, X_val"):
                check_visible_data(self, held_out.X, rbms[0])
                self._check_reconstructed(held_out)
        if not isinstance(self.rbm, FrozenEstimator):
            return
        if not self.pretrain:
            raise ValueError(
                "pretrain=False starts from random weights, but rbm=FrozenEstimator(...) "
                "holds a pretrained stack. Pass an RBM, or leave pretrain out."
            )
        top = resolve(self.rbm.estimator[-1].hidden, UNITS)
        if self.code is not None and type(top) is not type(resolve(self.code, UNITS)):
            raise ValueError(
                f"code={self.code!r}, but the topmost RBM of the frozen stack has the "
                f"hidden units {top!r}. Leave code out, or fit a stack with such units on "
                "top."
            )

    def _check_reconstructed(self, data):
        """Raise where rows cannot be the targets of the loss."""
        if self.loss is not None:
            resolve(self.loss, LOSSES).check_targets(data.Y)

    def _evaluate(self, network, data):
        def errors_and_losses(block):
            Z = network.pre_activations(block)
            errors = np.square(network.outputs(Z) - block).mean(axis=1)
            return np.column_stack([errors, network.losses(Z, block)])

        found = map_blocks(errors_and_losses, data.X, network.dtype, 2)
        error, loss = np.average(found.astype(np.float64), axis=0, weights=data.weight)
        return -error, loss

    def transform(self, X):
        """Code of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode.

        Returns
        -------
        code : ndarray of shape (n_samples, hidden_layer_sizes[-1])

        Raises
        ------
        NotFittedError
            If the autoencoder has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        check_is_fitted(self)
        return self._outputs(X, n_layers=self._n_encoding_layers)

    def inverse_transform(self, X):
        """Reconstruct rows from their codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, hidden_layer_sizes[-1])
            Codes.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the autoencoder has not been fitted.
        ValueError
            If X is not a finite 2-d array with a column for each unit of the code, or the
            answer is not finite.
        """
        check_is_fitted(self)
        codes = check_codes(self, X)
        half = self._n_encoding_layers
        activations, loss = self._architecture_
        decoder = Network(
            self.coefs_[half:], self.intercepts_[half:], activations[half:], loss
        ).astype(output_dtype(codes, self.dtype))
        return answer_blocks(decoder.predict, codes, decoder.dtype, self.n_features_in_)

    def reconstruct(self, X):
        """Map X to the code and back.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to encode and decode.

        Returns
        -------
        X_reconstructed : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the autoencoder has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        return self._outputs(X)

    def score(self, X, y=None, sample_weight=None):
        """Minus the mean squared error of ``reconstruct(X)``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to reconstruct.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            How much each row counts, 0 or more; None for all alike.

        Returns
        -------
        score : float
            Averaged over rows and columns; larger is better.

        Raises
        ------
        NotFittedError
            If the autoencoder has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, ``sample_weight``
            does not fit it, or the answer is not finite.
        """
        network, data = self._network_and_data(X)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, data)
        return reconstruction_score(network.predict, data, network.dtype, sample_weight)

    @property
    def _n_encoding_layers(self):
        """Number of layers of weights up to the code."""
        return len(self.coefs_) // 2
