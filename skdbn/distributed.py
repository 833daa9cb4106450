"""Training on more data than one machine holds: rounds on the blocks of Dask arrays.

:class:`DataParallel` trains copies of an estimator side by side, each on blocks of its own,
and averages their parameters after each round. It needs Dask, which the extra ``dask``
installs, and runs on whatever scheduler Dask has: threads, or a cluster of machines.
"""

import warnings
from copy import deepcopy
from functools import partial
from itertools import chain, pairwise, zip_longest
from numbers import Integral
from typing import NamedTuple

import numpy as np
from sklearn.base import MetaEstimatorMixin, is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._params import clone_with
from ._sklearn import HasMethods, Interval, fit_method
from ._versioned import VersionedEstimator

__all__ = ["DataParallel"]


def _has(name):
    """Whether the estimator has a method, for ``available_if``."""

    def check(wrapper):
        getattr(getattr(wrapper, "estimator_", wrapper.estimator), name)
        return True

    return check


class DataParallel(MetaEstimatorMixin, VersionedEstimator):
    """Copies of an estimator, trained side by side on blocks and averaged.

    The blocks of a Dask array are shared out to the copies, in order: the first copy gets
    the first blocks, and so on. In a round each copy starts from the same parameters and
    goes once through its blocks, one ``partial_fit`` each. Then the parameters are
    averaged, weighted by the number of rows, and the next round starts from the average.
    This is federated averaging [1]_ with all copies in each round, or local SGD [2]_.

    A task of Dask is one copy's pass over one block, a function of the parameters, the
    block and a seed. No more than two blocks for each copy are in memory at a time, the
    one in use and the next; and when a worker is lost, Dask runs its tasks again elsewhere,
    with the same result.

    Parameters
    ----------
    estimator : estimator
        An :class:`~skdbn.RBM`, or a network with ``partial_fit``. It is cloned.
    n_copies : int
        Number of copies, and so of blocks that are worked on at a time. As many as there
        are workers, with one thread each, is quickest; the result depends on it, but not
        on the number of workers.
    n_rounds : int, default=10
        Number of rounds. Each is one epoch over all rows.
    random_state : int, RandomState instance or None, default=None
        Seeds the copies in each round, and the estimator unless it has a seed of its own.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator, with averaged parameters. What it tells of its training, such
        as ``loss_curve_``, is that of the first copy.
    n_rounds_ : int
        Number of rounds so far, those of ``partial_fit`` included.
    random_state_ : RandomState instance
        Gives the seeds of further rounds.

    See Also
    --------
    RBM.partial_fit : One epoch on a part of the data, in one process.

    Notes
    -----
    ``fit`` begins with one ``partial_fit`` on the first block alone, which makes the start
    parameters: the copies can be averaged only because they start from the same. A
    :class:`~skdbn.DBNClassifier` is pretrained there, on the rows of the first block.

    At the beginning of each round, momentum, the moments of Adam and the chains of a
    sampler start anew in each copy; an average of them helped no more in our measurements,
    and nothing but parameters has to travel. A schedule takes each block that a copy has
    seen for an epoch, as ``partial_fit`` does.

    Copies that see other kinds of rows drift apart. Where the rows are sorted, by class or
    by time, shuffle them before they are cut into blocks.

    References
    ----------
    .. [1] H. B. McMahan, E. Moore, D. Ramage, S. Hampson, B. Agueera y Arcas (2017),
       "Communication-efficient learning of deep networks from decentralized data",
       AISTATS, algorithm 1, arXiv:1602.05629.
    .. [2] S. U. Stich (2019), "Local SGD converges fast and communicates little", ICLR,
       arXiv:1805.09767.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.distributed import DataParallel
    >>> X = da.from_array(load_digits().data / 16, chunks=(300, 64))
    >>> model = DataParallel(RBM(32), n_copies=2, n_rounds=3, random_state=0).fit(X)
    >>> H = model.transform(X)  # a Dask array, still to be computed
    >>> H.shape
    (1797, 32)
    >>> H[:2].compute().shape
    (2, 32)
    >>> model.estimator_.components_.shape
    (32, 64)
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["partial_fit", "_parameter_arrays"])],
        "n_copies": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, estimator, n_copies, *, n_rounds=10, random_state=None):
        self.estimator = estimator
        self.n_copies = n_copies
        self.n_rounds = n_rounds
        self.random_state = random_state

    @fit_method
    def fit(self, X, y=None):
        """Fit the estimator to the blocks of X and y, in ``n_rounds`` rounds.

        Parameters
        ----------
        X : dask.array.Array of shape (n_samples, n_features)
            Training data in blocks of whole rows, ``chunks=(n, n_features)``; the blocks
            may be sparse. Blocks are read again in each round unless X is kept in the
            memory of the workers, by ``X.persist()``.
        y : dask.array.Array of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets in the same blocks, for a classifier or regressor.

        Returns
        -------
        self : DataParallel

        Raises
        ------
        TypeError
            If X or y is no Dask array.
        ValueError
            If X is cut into blocks of columns, y into other blocks than X, there are fewer
            blocks than copies, or a block cannot be trained on.

        Warns
        -----
        ConvergenceWarning
            If training diverged in a block. The copy goes on from where it was before.
        """
        blocks = self._begin(X, y)
        for _ in range(self.n_rounds):
            self._run_round(blocks)
        return self

    @fit_method
    def partial_fit(self, X, y=None):
        """Run one more round, or the first.

        For rounds that are to be watched, or that go on after a restart: what has to be
        kept is this object, pickled.

        Parameters
        ----------
        X : dask.array.Array of shape (n_samples, n_features)
            As for ``fit``; may be other rows than in the round before.
        y : dask.array.Array of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets in the same blocks.

        Returns
        -------
        self : DataParallel
        """
        fitted = hasattr(self, "estimator_")
        self._run_round(self._blocks(X, y) if fitted else self._begin(X, y))
        return self

    def _begin(self, X, y):
        """Make the start parameters from the first block with rows; returns all blocks."""
        blocks = self._blocks(X, y)
        self.random_state_ = check_random_state(self.random_state)
        model = clone_with(self.estimator, self.random_state_)
        for block in blocks:
            first = _delayed(_train)(_Copy(model), block, _known(model, y)).persist()
            if first.n_rows.compute():
                break
        self.estimator_, self.n_rounds_ = self._average([first]), 0
        return blocks

    def _blocks(self, X, y):
        """The blocks of X, or of X and y, with their numbers."""
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(
                f"{type(self.estimator).__name__} requires y to be passed, but the target "
                "y is None."
            )
        arrays = {"X": X} if y is None else {"X": X, "y": y}
        columns = [_row_blocks(array, name) for name, array in arrays.items()]
        if y is not None and not np.array_equal(X.chunks[0], y.chunks[0], equal_nan=True):
            raise ValueError(
                f"X and y must be cut into the same blocks of rows, got {X.chunks[0]} and "
                f"{y.chunks[0]}. Use y.rechunk({{0: X.chunks[0]}})."
            )
        blocks = list(enumerate(zip(*columns, strict=True)))
        if len(blocks) < self.n_copies:
            raise ValueError(
                f"n_copies={self.n_copies} copies need as many blocks, but X has "
                f"{len(blocks)}. Use fewer copies, or smaller blocks by X.rechunk."
            )
        return blocks

    def _run_round(self, blocks):
        """Let each copy go through its blocks, and average."""
        self.n_rounds_ += 1
        persist, start = _dask().persist, _sent(self.estimator_)
        begin = _delayed(_begin_anew)
        copies = persist(*(begin(start, self._seed()) for _ in range(self.n_copies)))
        ends = np.linspace(0, len(blocks), self.n_copies + 1).astype(int).tolist()
        shares = (blocks[slice(*pair)] for pair in pairwise(ends))
        for step in zip_longest(*shares):
            ahead = persist(*map(_go_on, copies, step))
            # Idle workers would load all the blocks there are: wait until those of the
            # step before have been used.
            _dask().compute([copy.n_rows for copy in copies])
            copies = ahead
        self.estimator_ = self._average(list(copies))

    def _average(self, copies):
        """Compute the estimator that copies, which are tasks of Dask, come to."""
        model, diverged = _delayed(_average)(copies, self._seed()).compute()
        if diverged:
            warnings.warn(
                f"Training diverged in the blocks {diverged}; the copies went on from what "
                "they were before. Use a smaller learning_rate, and check that the data "
                "are scaled.",
                ConvergenceWarning,
                stacklevel=1,
            )
        return model

    def _seed(self):
        """The next seed."""
        return self.random_state_.randint(2**31 - 1)

    # -- what the estimator can do --------------------------------------------------------
    @property
    def classes_(self):
        """Class labels of the fitted estimator."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self):
        """Number of columns that the estimator was fitted with."""
        return self.estimator_.n_features_in_

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.target_tags = inner.target_tags
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.transformer_tags = inner.transformer_tags
        return tags

    @available_if(_has("transform"))
    def transform(self, X):
        """What the fitted estimator makes of X, block by block.

        Parameters
        ----------
        X : {dask.array.Array, array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        H : {dask.array.Array, ndarray} of shape (n_samples, n_components)
            For a Dask array one that is still to be computed.
        """
        return self._over_blocks("transform", X)

    @available_if(_has("predict"))
    def predict(self, X):
        """Predictions of the fitted estimator, block by block.

        Parameters
        ----------
        X : {dask.array.Array, array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : {dask.array.Array, ndarray} of shape (n_samples,) or (n_samples, n_outputs)
            For a Dask array one that is still to be computed.
        """
        return self._over_blocks("predict", X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X):
        """Probabilities of the classes, block by block.

        Parameters
        ----------
        X : {dask.array.Array, array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        P : {dask.array.Array, ndarray} of shape (n_samples, n_classes)
            For a Dask array one that is still to be computed.
        """
        return self._over_blocks("predict_proba", X)

    def _over_blocks(self, name, X):
        """Call a method of the estimator for each block of a Dask array, or at once."""
        check_is_fitted(self)
        method = getattr(self.estimator_, name)
        if not hasattr(X, "__dask_graph__"):
            return method(X)
        _row_blocks(X, "X")
        # One row tells the dtype and the width of the result.
        row = method(np.zeros((1, X.shape[1]), X.dtype))
        return X.map_blocks(
            partial(_call, method, row[:0]),
            name=f"{name}-{_dask().base.tokenize(self.estimator_, X)}",
            dtype=row.dtype,
            meta=row[:0],
            chunks=(X.chunks[0], *((n,) for n in row.shape[1:])),
            drop_axis=1 if row.ndim == 1 else None,
        )

    def __sklearn_is_fitted__(self):
        """Whether there is a fitted estimator."""
        return hasattr(self, "estimator_")


# -- tasks: functions of their arguments alone, which they leave as they are -------------
class _Copy(NamedTuple):
    """A copy of the estimator, the rows it saw, and the blocks in which it diverged."""

    model: object
    n_rows: int = 0
    diverged: tuple = ()


def _begin_anew(model, seed):
    """A copy that knows the parameters of a model and nothing of its training."""
    model = deepcopy(model)
    model._begin_anew(np.random.RandomState(seed))
    return _Copy(model)


def _train(copy, block, known=None):
    """The copy after one block, which is a number with X, or with X and y."""
    number, arrays = block
    n_rows = arrays[0].shape[0]
    if n_rows == 0:
        return copy
    model = deepcopy(copy.model)
    before = getattr(model, "n_iter_", 0)
    try:
        model.partial_fit(*arrays, **(known or {}))
    except ValueError as error:
        raise ValueError(f"In block {number}: {error}") from error
    # An epoch that diverged is not counted.
    diverged = copy.diverged + (number,) * (model.n_iter_ == before)
    return _Copy(model, copy.n_rows + n_rows, diverged)


def _average(copies, seed):
    """The first copy's model with the mean parameters, and the blocks that diverged."""
    models, rows, diverged = zip(*copies, strict=True)
    if not any(rows):
        raise ValueError("X has no rows to train on.")
    mean = _begin_anew(models[0], seed).model
    parameters = [model._parameter_arrays() for model in models]
    for out, arrays in zip(
        mean._parameter_arrays(), zip(*parameters, strict=True), strict=True
    ):
        out[...] = np.average(arrays, axis=0, weights=rows)
    return mean, sorted(chain(*diverged))


def _call(method, empty, X):
    """What a method says of a block, which may be without rows."""
    return method(X) if X.shape[0] else empty


# -- Dask --------------------------------------------------------------------------------
def _dask():
    """Dask with its arrays, or an error that says how to get them."""
    try:
        import dask.array  # in here, as it is optional
    except ImportError as error:
        raise ImportError(
            'DataParallel needs Dask. Install it with pip install "skdbn[dask]".'
        ) from error
    return dask


def _delayed(function):
    """A function whose calls are tasks."""
    return _dask().delayed(function)


def _go_on(copy, block):
    """The task that trains a copy on a block, if there is one left for it."""
    return copy if block is None else _delayed(_train)(copy, block)


def _sent(value):
    """A value that is sent to the workers once, for tasks to read."""
    # Dask warns of megabytes among tasks, as of data that had better not travel.
    with _dask().config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        return _delayed(value).persist()


def _row_blocks(array, name):
    """The blocks of a Dask array, each with whole rows."""
    if not isinstance(array, _dask().array.Array):
        raise TypeError(
            f"{name} must be a Dask array, got {type(array).__name__}. Use fit of the "
            "estimator itself, or dask.array.from_array; to_dask_array of a data frame."
        )
    if any(n > 1 for n in array.numblocks[1:]):
        raise ValueError(
            f"{name} must be cut into blocks of whole rows, got chunks={array.chunks}. Use "
            f"{name}.rechunk({{1: -1}})."
        )
    return array.to_delayed().ravel().tolist()


def _known(model, y):
    """What the first call of ``partial_fit`` is to be told: all classes there are."""
    if y is None or y.ndim > 1 or not is_classifier(model):
        return {}
    return {"classes": _dask().array.unique(y).compute()}
