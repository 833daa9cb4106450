"""Categorical units: groups of columns of which one is 1."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.utils import gen_batches

from .. import activations
from .._kernels import exp, kernel, log, softmax, uniform
from .._sklearn import Interval
from ..losses import LogLoss
from ._base import Unit
from ._checks import check_range, column_name, dense

# How far from 1 the sum of a group may be.
_TOLERANCE = 1e-4
_BLOCK_ROWS = 2048


class Softmax(Unit):
    """Categorical units: in each group of columns one is 1 and the others are 0.

    Which one has the probabilities ``softmax(z)`` over the group, and
    ``A(z) = log(sum(exp(z)))``. As visible units they take one-hot columns, as
    :class:`~sklearn.preprocessing.OneHotEncoder` makes them, or the probabilities of each
    category. One group of hidden units makes a mixture model, whose components share
    the visible biases.

    Parameters
    ----------
    sizes : int, array-like of int or None, default=None
        Number of columns of each group, in the order of the columns. An int is the size
        of all groups; None is one group of all columns.

    References
    ----------
    .. [1] R. Salakhutdinov, A. Mnih, G. Hinton (2007), "Restricted Boltzmann machines for
       collaborative filtering", ICML 24, 791-798, doi:10.1145/1273496.1273596, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skdbn import RBM
    >>> from skdbn.units import Softmax
    >>> X = np.array([[1, 0, 0, 0, 1], [0, 0, 1, 1, 0]] * 20)
    >>> rbm = RBM(4, visible=Softmax((3, 2)), random_state=0).fit(X)
    >>> rbm.sample(6)[:, :3].sum(axis=1).tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    learning_rate = 0.1

    _parameter_constraints: dict = {
        "sizes": [None, Interval(Integral, 1, None, closed="left"), "array-like"]
    }

    def __init__(self, sizes=None):
        self.sizes = sizes

    @property
    def activation(self):
        """The activation of a network layer that equals the conditional mean."""
        return activations.Softmax(self.sizes)

    @property
    def loss(self):
        """The loss of a network whose output is compared with such units."""
        return LogLoss(self.sizes)

    def group_sizes(self, n_units):
        """Number of units of each group, an array."""
        if self.sizes is None:
            return np.array([n_units])
        if isinstance(self.sizes, Integral):
            return np.full(n_units // self.sizes, self.sizes)
        return np.asarray(self.sizes)

    def _starts(self, n_units):
        """Where the groups begin, and the last one ends."""
        return np.concatenate([[0], np.cumsum(self.group_sizes(n_units))])

    def mean(self, z, bias):
        _mean(z, bias, self._starts(z.shape[1]))

    def mode(self, z, bias):
        _mode(z, bias, self._starts(z.shape[1]))

    def sample(self, z, bias, states, stream):
        starts = self._starts(z.shape[1])
        _mean(z, bias, starts)
        _draw(z, starts, states, *stream.take(len(z) * (len(starts) - 1)))

    def log_partition(self, z, shift, direction):
        result = np.empty(z.shape[0], z.dtype)
        _log_partition(z, shift, direction, self._starts(z.shape[1]), result)
        return result

    def levels(self, n_units):
        return [np.eye(size) for size in self.group_sizes(n_units)]

    def initial_bias(self, mean, n_samples):
        # As if each category had one more row, so that those without any stay finite.
        counts, sizes = mean * n_samples + 1.0, self.group_sizes(len(mean))
        return np.log(counts / np.repeat(n_samples + sizes, sizes))

    def check_width(self, n_units):
        sizes = self.group_sizes(n_units)
        whole = sizes.ndim == 1 and sizes.dtype.kind in "iu" and (sizes > 0).all()
        if not whole or sizes.sum() != n_units:
            raise ValueError(
                f"{self} does not fit {n_units} units: sizes must be positive integers "
                "that add up to the number of columns of X for visible units, and to "
                "n_components for hidden ones, or one integer that divides it."
            )

    def check_clamped(self, held):
        starts = self._starts(held.shape[1])
        n_held = np.add.reduceat(held, starts[:-1], axis=1, dtype=int)
        bad = np.argwhere((n_held > 0) & (n_held < np.diff(starts)))
        if len(bad):
            row, group = bad[0]
            raise ValueError(
                "A group of Softmax units is known or not known as a whole, but in row "
                f"{row} some of the columns {starts[group]} to {starts[group + 1] - 1} are "
                "NaN and some are not. Put NaN in all of them."
            )

    def check_data(self, X, feature_names):
        self.check_width(X.shape[1])
        sizes = self.group_sizes(X.shape[1])
        advice = "Encode categories first, for example with OneHotEncoder."
        check_range(self, X, feature_names, 0, np.inf, advice)
        groups = np.repeat(np.arange(len(sizes)), sizes)
        member = sparse.csr_array((np.ones(len(groups)), (range(len(groups)), groups)))
        for rows in gen_batches(X.shape[0], _BLOCK_ROWS):
            sums = dense(X[rows] @ member)
            bad = np.argwhere(~(np.abs(sums - 1) <= _TOLERANCE))
            if len(bad):
                row, group = bad[0]
                first = column_name(sizes[:group].sum(), feature_names)
                raise ValueError(
                    "Softmax visible units need rows in which each group sums to 1, but "
                    f"in row {rows.start + row} group {group}, the {sizes[group]} columns "
                    f"from {first}, sums to {sums[row, group]:g}. {advice}"
                )


@kernel
def _mean(z, bias, starts):
    for i in range(z.shape[0]):
        for g in range(starts.size - 1):
            group = slice(starts[g], starts[g + 1])
            softmax(z[i, group], bias[group])


@kernel
def _mode(z, bias, starts):
    for i in range(z.shape[0]):
        for g in range(starts.size - 1):
            best = starts[g]
            for j in range(starts[g], starts[g + 1]):
                z[i, j] += bias[j]
                if z[i, j] > z[i, best]:
                    best = j
            for j in range(starts[g], starts[g + 1]):
                z[i, j] -= z[i, j]  # to 0, but NaN stays NaN
            z[i, best] += z.dtype.type(1)


@kernel
def _draw(mean, starts, states, start, key):
    n_groups = starts.size - 1
    for i in range(mean.shape[0]):
        first = start + np.uint64(i) * np.uint64(n_groups)
        for g in range(n_groups):
            total = 0.0
            for j in range(starts[g], starts[g + 1]):
                total += mean[i, j]
            left = total * uniform(first + np.uint64(g), key)
            chosen = starts[g]
            for j in range(starts[g], starts[g + 1]):
                # The sum passes what is left at a category with a probability above 0.
                if left >= 0 and mean[i, j] > 0:
                    chosen = j
                left -= mean[i, j]
            for j in range(starts[g], starts[g + 1]):
                states[i, j] = j == chosen


@kernel
def _log_partition(z, shift, direction, starts, result):
    for i in range(z.shape[0]):
        result[i] = 0
        for g in range(starts.size - 1):
            top = z[i, starts[g]] + shift[i] * direction[starts[g]]
            for j in range(starts[g], starts[g + 1]):
                top = max(top, z[i, j] + shift[i] * direction[j])
            total = z.dtype.type(0)
            for j in range(starts[g], starts[g + 1]):
                total += exp(z[i, j] + shift[i] * direction[j] - top)
            result[i] += top + log(total)
