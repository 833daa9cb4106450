"""Counts, such as those of the words of a document."""

from copy import copy

import numpy as np

from .._kernels import kernel, uniform
from .._products import row_sums
from ._base import Unit
from ._checks import check_range
from .softmax import Softmax


class Multinomial(Unit):
    """Counts of N draws from one categorical distribution: the replicated softmax.

    For bags of words. A row is a document, a column a word of the vocabulary, and the row's
    total N the length of the document. It is modelled as N categorical units that share
    weights and biases, and the hidden biases are multiplied by N, so that long documents
    do not overrule them [1]_:

        ``E(v, h) = -h W v - b v - N c h,  N = sum(v)``.

    There is such a model for each N. Its probabilities are those of the sequence of words:
    the number of orders in which the words of a bag may stand is left out (``g = 0``).
    Visible units only.

    Counts need not be whole numbers, but draws are: a total is rounded for them. An empty
    document is no error. It has no words to explain, and hidden means that no bias
    moves: one half, for binary units.

    Without a row to go by, as in ``inverse_transform``, means are those of one draw, that
    is the probabilities of the words. ``sample`` draws documents of one word; pass
    ``X_init`` for longer ones, or use ``gibbs``.

    Notes
    -----
    Gradients grow with the length of the documents, and the learning rate should fall with
    it. The "auto" rate of 0.001 is for documents of some tens of words.

    The pseudo-likelihood is the sum over the words of a document, one for each draw, of
    ``log p(word | all other words)``. Its cost is that of ``n_features`` free energies for
    each different word of a document.

    References
    ----------
    .. [1] R. Salakhutdinov, G. Hinton (2009), "Replicated softmax: an undirected topic
       model", NIPS 22, 1607-1614.

    Examples
    --------
    >>> import numpy as np
    >>> from skdbn import RBM
    >>> X = np.array([[3, 1, 0, 0], [0, 0, 5, 2]] * 20)
    >>> rbm = RBM(2, visible="multinomial", random_state=0).fit(X)
    >>> rbm.gibbs(X).sum(axis=1)[:4].tolist()
    [4.0, 7.0, 4.0, 7.0]
    """

    activation = "softmax"
    loss = "log_loss"
    learning_rate = 0.001
    has_mean = False
    _totals = np.ones(1)  # of each row, or of all; ``given`` sets others

    def given(self, V):
        return self._with_totals(row_sums(V))

    def _with_totals(self, totals):
        """These units in rows with these totals."""
        bound = copy(self)
        bound._totals = totals
        return bound

    def totals(self, X):
        return np.ravel(X.sum(axis=1, dtype=np.float64))

    def of_total(self, total):
        return FixedTotal(total)

    def bias_counts(self, V):
        return row_sums(V)

    def check_clamped(self, held):
        if not held.all():
            raise ValueError(
                "Multinomial units cannot be held in part: the counts of a row are drawn "
                "together. Pass rows without NaN."
            )

    def mean(self, z, bias):
        Softmax().mean(z, bias)
        z *= self._totals.astype(z.dtype)[:, None]

    def mode(self, z, bias):
        Softmax().mode(z, bias)
        z *= self._totals.astype(z.dtype)[:, None]

    def sample(self, z, bias, states, stream):
        Softmax().mean(z, bias)
        totals = np.broadcast_to(self._totals, len(z))
        n_draws = np.rint(totals).astype(np.int64)
        cumulative = np.empty(z.shape[1])
        start, key = stream.take(n_draws.sum())
        _draw(z, totals, n_draws, cumulative, states, start, key)

    def log_partition(self, z, shift, direction):
        one_draw = Softmax().log_partition(z, shift, direction)
        return one_draw * self._totals.astype(z.dtype)

    def pseudo_log_likelihood(self, V, bias, weights, Z, hidden):
        words, total = np.ascontiguousarray(weights.T), np.zeros(len(V), Z.dtype)
        ones = np.ones(len(words), Z.dtype)
        for i in range(len(V)):
            for word in np.flatnonzero(V[i]):
                others = Z[i] - words[word]
                terms = bias + hidden.log_partition(words, ones, others)
                terms -= terms[word]
                top = terms.max()
                total[i] -= V[i, word] * (top + np.log(np.exp(terms - top).sum()))
        return total

    def initial_bias(self, mean, n_samples):
        # As if each word had occurred once more, so that those without any stay finite.
        counts = mean * n_samples + 1.0
        return np.log(counts / counts.sum())

    def check_data(self, X, feature_names):
        advice = "Pass counts, such as those of CountVectorizer."
        check_range(self, X, feature_names, 0, np.inf, advice)

    def check_hidden(self):
        raise ValueError(
            "Multinomial units are visible only: a hidden side has no rows of data to take "
            "the number of draws from. Use hidden=Softmax(sizes) for one draw a group."
        )


class FixedTotal(Multinomial):
    """Counts with one total in all rows, where the hidden biases are multiplied already."""

    def __init__(self, total):
        self.total = total
        self._totals = np.array([float(total)])

    def given(self, V):
        return self

    def bias_counts(self, V):
        return None


@kernel
def _draw(z, totals, n_draws, cumulative, states, start, key):
    last = z.shape[1] - 1
    for i in range(z.shape[0]):
        total = 0.0
        for j in range(z.shape[1]):
            total += z[i, j]
            cumulative[j] = total
            z[i, j] *= z.dtype.type(totals[i])
        states[i] = 0
        for n in range(n_draws[i]):
            target = total * uniform(start + np.uint64(n), key)
            low, high = 0, last  # the first word whose cumulative sum is above the target
            while low < high:
                middle = (low + high) // 2
                if cumulative[middle] > target:
                    high = middle
                else:
                    low = middle + 1
            states[i, low] += z.dtype.type(1)
        start += np.uint64(n_draws[i])
