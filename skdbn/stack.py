"""Stacks of RBMs, trained greedily, layer by layer."""

from functools import reduce
from numbers import Integral

import numpy as np
from sklearn import get_config
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    clone,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ._base import layer_sizes, told_of
from ._batches import (
    ComputedRows,
    answer_blocks,
    check_codes,
    check_rows,
    map_blocks,
    output_dtype,
)
from ._estimates import ESTIMATES, ScoreMixin
from ._generation import Plan, answer_dtype
from ._params import clone_with, resolve
from ._partition import lower_bound
from ._sklearn import DocumentedMixin, Interval, fit_method
from ._tasks import Task
from ._versioned import VersionedEstimator
from .rbm import RBM
from .units import UNITS

# Draws of the hidden states that a lower bound is the mean of.
_N_DRAWS = 10
# What the layers above the first are trained on may take, beside the data: this part of
# scikit-learn's ``working_memory``, 128 MB of 1024.
_KEPT_PART = 8


class StackedRBM(
    ScoreMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    DocumentedMixin,
    CallbackSupportMixin,
    VersionedEstimator,
):
    """Restricted Boltzmann machines, each trained on the expected states of the one below.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(256, 128)
        Number of hidden units of each RBM, from the bottom.
    rbm : RBM, list of RBM or None, default=None
        A prototype that is cloned for each layer, or a list of one RBM for each layer,
        or ``RBM()`` if None. In each clone the stack sets ``n_components``, above the
        first layer ``visible`` (to the ``hidden`` of the layer below), and a seed: one
        drawn from the ``random_state`` of the prototype if that has one, else of the
        stack. An RBM of a list keeps the seed that it has.
    verbose : bool, default=False
        Whether to print a line for each layer; ``rbm__verbose`` prints the epochs.
    random_state : int, RandomState instance or None, default=None
        Seed from which the seeds of the layers are drawn.

    Attributes
    ----------
    rbms_ : list of RBM
        The fitted RBMs, from the bottom.
    n_features_in_ : int
        Number of columns seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X had string names.

    See Also
    --------
    DBNAutoencoder : A stack that is unrolled and fine-tuned to reconstruct.
    DBNClassifier : A stack that is fine-tuned to classify.

    Notes
    -----
    A stack can be sliced: ``stack[0]`` is the first RBM, ``stack[:2]`` the stack of the
    first two, which shares them.

    What a layer is trained on is kept in memory while it is no more than an eighth of
    scikit-learn's ``working_memory``, 128 MB unless :func:`sklearn.set_config` says
    otherwise, and computed batch by batch beyond.

    References
    ----------
    .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
       belief nets", Neural Computation 18, 1527-1554, doi:10.1162/neco.2006.18.7.1527.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM, StackedRBM
    >>> X, _ = load_digits(return_X_y=True)
    >>> stack = StackedRBM((64, 16), rbm=RBM(max_iter=5), random_state=0).fit(X / 16)
    >>> stack.transform(X / 16).shape
    (1797, 16)
    >>> stack[:1].transform(X / 16).shape
    (1797, 64)
    """

    _parameter_constraints: dict = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "rbm": [RBM, list, tuple, None],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
    }

    def __init__(
        self, hidden_layer_sizes=(256, 128), *, rbm=None, verbose=False, random_state=None
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.rbm = rbm
        self.verbose = verbose
        self.random_state = random_state

    @fit_method
    def fit(self, X, y=None, sample_weight=None):
        """Fit the RBMs, from the bottom.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. CSR data are multiplied as they are, uint8 data converted a
            batch at a time.
        y : array-like of shape (n_samples,), default=None
            Not used, present for API consistency.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows for each RBM; None for equal ones.

        Returns
        -------
        self : StackedRBM

        Raises
        ------
        ValueError
            If X is not a finite 2-d array, or does not fit the visible units, or ``rbm``
            is a list of another length than ``hidden_layer_sizes``.

        Warns
        -----
        ConvergenceWarning
            If the training of a layer diverged, or Ctrl-C ended it. Its last finite
            parameters are kept.
        """
        sizes = layer_sizes(self.hidden_layer_sizes)
        prototypes = rbm_list(self.rbm, len(sizes))
        data = check_rows(self, X, reset=True)
        check_visible_data(self, data, prototypes[0])
        origin = (X, sample_weight)
        task = Task.root(self, X, y, max_subtasks=len(sizes), origin=origin)
        random_state = task.begin_random(check_random_state(self.random_state))
        # Those so far, for callbacks.
        self.rbms_, ascent = [], _Ascent(data)

        def attributes():
            return {"rbms_": list(self.rbms_)}

        for i, (size, prototype) in enumerate(zip(sizes, prototypes, strict=True)):
            below = {"visible": self.rbms_[-1].hidden} if self.rbms_ else {}
            rbm = clone_with(prototype, random_state, n_components=size, **below)
            layer = task.subtask("layer")
            with layer.begin_for(rbm):
                rbm.fit(data, sample_weight=sample_weight)
            self.rbms_.append(rbm)
            if self.verbose:
                print(f"[StackedRBM] layer {i + 1}/{len(sizes)}  {size} units", flush=True)
            if layer.end(attributes):
                break
            if i + 1 < len(sizes):
                data = ascent.climb(rbm._energy())
        task.end_fit(attributes)
        return self

    def _with_part(self, rbm):
        """As if fit ended with this RBM on those so far."""
        self.rbms_ = [*self.rbms_, rbm]
        return self

    def _part_input(self, X):
        """What the RBM that is being fitted is given of rows X."""
        return self.transform(X) if self.rbms_ else check_rows(self, X)

    def transform(self, X):
        """Expected states of the top hidden units, going up by means.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to go up from.

        Returns
        -------
        H : ndarray of shape (n_samples, hidden_layer_sizes[-1])

        Raises
        ------
        NotFittedError
            If the stack has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        energies, V = self._models_and_data(X)
        up, dtype = _up(energies), energies[0].dtype
        return answer_blocks(up, V, dtype, self._n_features_out, multiplies=True)

    def inverse_transform(self, X):
        """Expected states of the visible units, going down by means from the top.

        Parameters
        ----------
        X : array-like of shape (n_samples, hidden_layer_sizes[-1])
            States or expected states of the top hidden units.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the stack has not been fitted.
        ValueError
            If X is not a finite 2-d array with a column for each unit of the top, or the
            answer is not finite.
        """
        check_is_fitted(self)
        H = check_codes(self, X)
        energies = self._energies(output_dtype(H, self.rbms_[0].dtype))
        return answer_blocks(_down(energies), H, energies[0].dtype, self.n_features_in_)

    def reconstruct(self, X):
        """Map X to the top and back down, by means.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to go up from, and back to.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)

        Raises
        ------
        NotFittedError
            If the stack has not been fitted.
        ValueError
            If X is not a finite 2-d array with the columns of ``fit``, or the answer is
            not finite.
        """
        energies, V = self._models_and_data(X)
        there_and_back, dtype = _there_and_back(energies), energies[0].dtype
        return answer_blocks(there_and_back, V, dtype, self.n_features_in_, multiplies=True)

    def sample(self, n_samples=None, *, n_steps=100, X_init=None, n_chains=None, thin=1):
        """Draw new rows from the model, a deep belief network.

        Block Gibbs sampling in the top RBM, and for each row that is kept one way down, on
        which each layer is drawn given the one above ([1]_, section 7).

        Parameters
        ----------
        n_samples : int, default=None
            Number of rows. None for one from each chain.
        n_steps : int, default=100
            Gibbs steps of each chain before its first row is kept (burn-in).
        X_init : {array-like, sparse matrix} of shape (n_chains, n_features), \
                default=None
            Where the chains start: states of the layers are drawn on the way up. None draws
            each visible unit of the top RBM by itself, as a model without weights would.
        n_chains : int, default=None
            Number of chains. None for as many as ``X_init`` has rows, else for one a row.
        thin : int, default=1
            Steps between two rows that are kept of one chain, where there are more rows
            than chains.

        Returns
        -------
        V : ndarray of shape (n_samples, n_features)
            States of the visible units, in the order of :meth:`RBM.sample`. Of the dtype of
            ``X_init`` if that is float32 or float64, else of the first RBM's ``dtype``.

        Raises
        ------
        NotFittedError
            If the model has not been fitted.
        ValueError
            If there are more chains than rows, if ``X_init`` does not have a row for each
            chain, or does not fit the model, or if the chains grow without bound, as they
            may with Gaussian units on both sides of the top RBM.

        Notes
        -----
        The random numbers are those of the top RBM: a stack of one RBM draws what that RBM
        draws.

        References
        ----------
        .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
           belief nets", Neural Computation 18, 1527-1554,
           doi:10.1162/neco.2006.18.7.1527.

        Examples
        --------
        >>> import numpy as np
        >>> from skdbn import StackedRBM
        >>> X = np.repeat([[0, 0, 0], [1, 1, 1]], 50, axis=0)
        >>> stack = StackedRBM((4, 2), random_state=0).fit(X)
        >>> stack.sample(1000, n_chains=50, thin=5).shape
        (1000, 3)
        """
        check_is_fitted(self)
        start = None if X_init is None else check_rows(self, X_init)
        energies = self._energies(answer_dtype(self.rbms_[0].dtype, start))
        plan = Plan(n_samples, n_chains, n_steps, thin, X_init=start)
        return plan.draw(energies, start, self.rbms_[-1].random_state_)

    def score_samples(self, X):
        """Lower bound on the log-likelihood of each row, of the deep belief net.

        The stack is read as the generative model of [1]_: the top RBM, and below it each
        layer given the one above. The bound is the mean over draws of the lower hidden
        layers, going up, of ``log p(v, h) - log q(h | v)`` ([1]_, equation 8; [2]_,
        section 4), with the top layer summed over. The partition function of the top RBM
        is that of its parameter ``likelihood``: "exact", or else annealed importance
        sampling. A stack of one RBM has the RBM's own log-likelihood.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows to score.

        Returns
        -------
        bounds : ndarray of shape (n_samples,)
            In nats; larger is better. The mean of ten draws, whose random numbers depend
            on the row alone.

        Raises
        ------
        NotFittedError
            If the stack has not been fitted.
        ValueError
            If X does not fit the stack, or the top RBM has a density without a finite
            integral, as it may with Gaussian units on both sides.

        References
        ----------
        .. [1] G. Hinton, S. Osindero, Y.-W. Teh (2006), "A fast learning algorithm for deep
           belief nets", Neural Computation 18, 1527-1554, doi:10.1162/neco.2006.18.7.1527.
        .. [2] R. Salakhutdinov, I. Murray (2008), "On the quantitative analysis of deep
           belief networks", ICML, doi:10.1145/1390156.1390266.
        """
        check_is_fitted(self)
        if len(self.rbms_) == 1:
            return self.rbms_[0].score_samples(X)
        energies, V = self._models_and_data(X)
        names = getattr(self, "feature_names_in_", None)
        energies[0].visible.check_data(V, names)
        top = self.rbms_[-1]
        estimate = resolve(top.likelihood, ESTIMATES)
        log_z = estimate.log_partition(energies[-1], top._base_bias(energies[-1]))
        return lower_bound(energies, V, log_z, _N_DRAWS, np.random.RandomState(0))

    def _encoder(self):
        """The way up as layers of a network: weights, biases, activations."""
        _check_mean(self.rbms_[0])
        return _layers(
            (energy.hidden, energy.weights.T, energy.hidden_bias)
            for energy in map(RBM._energy, self.rbms_)
        )

    def _decoder(self):
        """The way down as layers of a network: weights, biases, activations."""
        return _layers(
            (energy.visible, energy.weights, energy.visible_bias)
            for energy in map(RBM._energy, self.rbms_[::-1])
        )

    def __len__(self):
        """Return the number of layers."""
        return len(getattr(self, "rbms_", None) or layer_sizes(self.hidden_layer_sizes))

    def __getitem__(self, layers):
        """Return an RBM, or the stack of a slice of the RBMs, which shares them."""
        check_is_fitted(self)
        if not isinstance(layers, slice):
            return self.rbms_[layers]
        rbms = self.rbms_[layers]
        if layers.step not in (None, 1) or not rbms:
            raise ValueError(
                f"A StackedRBM of {len(self.rbms_)} layers can be sliced to one or more "
                f"neighbouring layers, such as stack[:2], got {layers}."
            )
        sizes = tuple(rbm.n_components for rbm in rbms)
        part = StackedRBM(
            sizes,
            rbm=[clone(r) for r in rbms],
            verbose=self.verbose,
            random_state=self.random_state,
        )
        part.rbms_ = rbms
        part.n_features_in_ = rbms[0].n_features_in_
        if rbms[0] is self.rbms_[0] and hasattr(self, "feature_names_in_"):
            part.feature_names_in_ = self.feature_names_in_
        return part

    def _models_and_data(self, X):
        """The models in the precision of the answer, and X as the blocks can read it."""
        check_is_fitted(self)
        data = check_rows(self, X)
        return self._energies(output_dtype(data, self.rbms_[0].dtype)), data

    def _energies(self, dtype):
        """The models of the layers in one precision."""
        return [rbm._energy().astype(dtype) for rbm in self.rbms_]

    def __sklearn_is_fitted__(self):
        """Whether there are RBMs, which a fit that failed does not leave."""
        return hasattr(self, "rbms_")

    @property
    def _n_features_out(self):
        return self.rbms_[-1].components_.shape[0]

    def __sklearn_tags__(self):
        """Tags that tell scikit-learn what this estimator takes and gives."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def rbm_list(rbm, n_layers):
    """The parameter ``rbm`` as a list of one prototype for each layer."""
    if rbm is None:
        rbm = RBM()
    if isinstance(rbm, (list, tuple)):
        prototypes = list(rbm)
    elif getattr(rbm, "random_state", None) is None:
        prototypes = [rbm] * n_layers
    else:  # seeds drawn from the prototype's, so that layers do not share their numbers
        seeds = check_random_state(rbm.random_state).randint(2**31 - 1, size=n_layers)
        prototypes = [clone(rbm).set_params(random_state=int(seed)) for seed in seeds]
    if len(prototypes) != n_layers:
        raise ValueError(
            f"rbm is a list of {len(prototypes)}, but hidden_layer_sizes has {n_layers} "
            "layers. Give one RBM for each layer, or a single RBM for all."
        )
    for prototype in prototypes:
        if not isinstance(prototype, RBM):
            raise TypeError(f"rbm must be RBM objects, got {prototype!r}.")
    return prototypes


def _layers(units):
    """Units with their weights and biases as layers whose outputs are their means."""
    layers = [(*unit.as_layer(W, bias), unit.activation) for unit, W, bias in units]
    return [[*parts] for parts in zip(*layers, strict=True)]


def check_visible_data(estimator, data, rbm):
    """Check data for the first RBM while the names of the columns are known."""
    names = getattr(estimator, "feature_names_in_", None)
    resolve(rbm.visible, UNITS).check_data(data, names)


def _check_mean(rbm):
    """Raise where an RBM cannot be the first layer of a network."""
    visible = resolve(rbm.visible, UNITS)
    if not visible.has_mean:
        raise ValueError(
            f"A network cannot start from {visible} visible units, whose hidden biases "
            "depend on the total of each row, which a network does not know. Put a "
            "StackedRBM of them into a pipeline before it."
        )


class _Ascent:
    """Goes up from layer to layer with the rows that each is trained on.

    The means of a layer are kept while that takes little memory. Beyond, they are computed
    from what was kept last, batch for batch.
    """

    def __init__(self, X):
        self.kept = X
        self.n_bytes = 0
        self.energies = []

    def climb(self, energy):
        """The means of the next layer, in the precision in which it was trained."""
        dtype, n_columns = energy.dtype, len(energy.hidden_bias)
        self.energies = [below.astype(dtype) for below in (*self.energies, energy)]
        up = _up(self.energies)
        n_bytes = self.kept.shape[0] * n_columns * dtype.itemsize
        if self.n_bytes + n_bytes > get_config()["working_memory"] * 2**20 / _KEPT_PART:
            return ComputedRows(up, self.kept, dtype, n_columns)
        self.kept = map_blocks(up, self.kept, dtype, n_columns, multiplies=True)
        self.n_bytes, self.energies = n_bytes, []
        return self.kept


def _up(energies):
    """The way from the bottom to the top, by means."""
    return lambda V: reduce(lambda X, energy: energy.hidden_mean(X), energies, V)


def _down(energies):
    """The way from the top to the bottom, by means."""
    return lambda H: reduce(lambda X, energy: energy.visible_mean(X), energies[::-1], H)


def _there_and_back(energies):
    """The way up and down again."""
    up = _up(energies)

    def reconstruct(V):
        # Below is a model of rows like these.
        return _down([energies[0].given(V), *energies[1:]])(up(V))

    return reconstruct


class PretrainedMixin:
    """What a network that starts from a stack adds to BaseNetwork."""

    _rbm_constraints: dict = {"rbm": [RBM, list, tuple, FrozenEstimator, None]}

    def _max_subtasks(self, max_iter):
        return 2  # pretraining, fine-tuning

    def _training_task(self, task, max_iter):
        return task.subtask("fine-tune", max_subtasks=max_iter).begin()

    def _check_before_pretraining(self, data, X_unlabeled, held_out, keep):
        super()._check_before_pretraining(data, X_unlabeled, held_out, keep)
        first = self._first_rbm(data.X.shape[1], keep and hasattr(self, "stack_"))
        check_visible_data(self, data.X, first)
        _check_mean(first)
        if X_unlabeled is None:
            return
        if isinstance(self.rbm, FrozenEstimator) and not keep:
            raise ValueError(
                "X_unlabeled holds rows to pretrain on, but rbm=FrozenEstimator(...) is "
                "not trained again. Fit the stack on all rows before, or pass an RBM."
            )
        with told_of("X_unlabeled"):
            check_visible_data(self, X_unlabeled, first)

    def _first_rbm(self, n_features, keep):
        """The RBM at the bottom of the stack that there is, or its prototype."""
        if keep:
            return self.stack_[0]
        if isinstance(self.rbm, FrozenEstimator):
            return _frozen_stack(self, n_features)[0]
        if isinstance(self.rbm, (list, tuple)):
            return rbm_list(self.rbm, len(layer_sizes(self.hidden_layer_sizes)))[0]
        return RBM() if self.rbm is None else self.rbm

    def _with_part(self, stack):
        """What fit has come to with the layers of this stack."""
        return stack

    def _part_input(self, X):
        """What the stack that is being fitted is given of rows X."""
        return check_rows(self, X)

    def _pretrain(self, task, rows, rbm, random_state):
        """Set ``stack_`` to a stack fitted to the rows, or to the frozen one."""
        subtask = task.subtask("pretrain")
        if isinstance(self.rbm, FrozenEstimator):
            subtask.begin()
            # Shares the RBMs, but does not change if the user's own stack is fitted again.
            self.stack_ = self.rbm.estimator[:]
        else:
            stack = StackedRBM(self.hidden_layer_sizes, rbm=rbm, verbose=self.verbose)
            self.stack_ = clone_with(stack, random_state)
            with subtask.begin_for(self.stack_):
                self.stack_.fit(rows.X, sample_weight=rows.weight)
        subtask.end()


def _frozen_stack(estimator, n_features):
    """The fitted stack in ``estimator.rbm``, if it fits the estimator and the data."""
    name, stack = type(estimator).__name__, estimator.rbm.estimator
    if not isinstance(stack, StackedRBM):
        raise TypeError(
            f"rbm=FrozenEstimator(...) of {name} must hold a fitted StackedRBM, got "
            f"{stack!r}. A DBN has one as its stack_; MLPClassifier and MLPRegressor start "
            "from other networks, by init."
        )
    check_is_fitted(stack)
    expected = [n_features, *layer_sizes(estimator.hidden_layer_sizes)]
    found = [stack.n_features_in_, *(len(rbm.intercept_hidden_) for rbm in stack.rbms_)]
    if found != expected:
        raise ValueError(
            f"The frozen StackedRBM has layers of {found} units, but {name} and its data "
            f"need {expected}. Set hidden_layer_sizes={tuple(found[1:])} and pass data "
            f"with {found[0]} columns."
        )
    return stack
