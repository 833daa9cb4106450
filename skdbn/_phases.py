"""Level 3: the two phases of a batch of an RBM, and the buffers they are in."""

from functools import partial

import numpy as np

from ._batches import load_rows, take_rows
from ._kernels import kernel
from ._products import CSRRows, add_right_gradient, column_sums
from ._random import Stream
from ._threads import LEAST_ROWS, MOST_PARTS, split

# Of so many rows one is reconstructed, where the chains do not start at the data.
_RECONSTRUCT_EVERY = 10


class Part:
    """Some rows of a batch and chains that start there, with random numbers of their own.

    Attributes
    ----------
    visible_data : ndarray or CSRRows of shape (n, n_features)
    hidden_data : ndarray of shape (n, n_components)
        Conditional means.
    visible_model : ndarray of shape (n_chains, n_features)
    hidden_model : ndarray of shape (n_chains, n_components)
        Conditional means.
    states : ndarray of shape (n, n_components)
        Hidden states.
    memory : dict
        What chains that go on remember.
    data_sum, model_sum : ndarray of shape (n_features,)
        Weighted sums of the visible states.
    stream : Stream
    """

    def __init__(self, phases, rows, chains, n, number):
        self.rows, self.chains = rows, chains
        self.weights, self.weighted = phases.weights[rows], False
        self.stream, self.memory = phases.streams[number], phases.memories[number]
        model = slice(n + chains.start, n + chains.stop)
        self.hidden_data, self.hidden_model = phases.hidden[rows], phases.hidden[model]
        self.data_counts, self.model_counts = phases.counts[rows], phases.counts[model]
        self.counts_bias = phases.counts_bias
        self.states = phases.states[rows]
        self.visible_data = self.buffer = None if phases.sparse else phases.visible[rows]
        self.visible_model = phases.visible[chains if phases.sparse else model]
        n_features, dtype = phases.visible.shape[1], phases.visible.dtype
        self.data_sum, self.model_sum = np.empty((2, n_features), dtype)

    def start(self, sampler, energy, data, rows):
        """Let the chains begin, which here they do with each batch."""

    def positive(self, energy, data, rows):
        """Load rows of the data; hidden means and states given them.

        Returns the energy for rows like these.
        """
        energy, H = self._load(energy, data, rows)
        energy.hidden.sample(H, energy.hidden_bias, self.states, self.stream)
        return energy

    def _load(self, energy, data, rows):
        """Load rows of the data; the energy for them and the hidden units' drive."""
        self.visible_data = take_rows(data, rows[self.rows], self.buffer)
        energy = energy.given(self.visible_data)
        if self.counts_bias:
            self.data_counts[:] = energy.visible.bias_counts(self.visible_data)
        return energy, energy.drive_hidden(self.visible_data, self.hidden_data)

    def compare(self, energy, weight, target):
        """Make both phases ready for sums over rows; returns the reconstruction error.

        The states are weighted, those of the data negatively. ``target`` is subtracted
        from hidden means of the data.
        """
        if self.counts_bias:
            self.model_counts[:] = energy.visible.bias_counts(self.visible_model)
        _weigh_data(self.hidden_data, self.weights, target)
        if self.weighted:
            self.hidden_model *= self.weights[:, None]
        X, V = self.visible_data, self.visible_model
        sums = self.weights, V, self.data_sum, self.model_sum
        if isinstance(X, CSRRows):
            return _compare_csr(*X.arrays, *sums)
        return _compare(X, *sums)


class PersistentPart(Part):
    """Some rows of a batch, and some of the chains that go on from batch to batch."""

    def start(self, sampler, energy, data, rows):
        """Let the chains begin at rows of the data, if they have not begun."""
        if not self.memory:
            load_rows(data, rows[self.chains], self.visible_model)
            self.memory.update(sampler.start(energy, self))

    def positive(self, energy, data, rows):
        """Load rows of the data and the hidden means given them."""
        energy, H = self._load(energy, data, rows)
        energy.hidden.mean(H, energy.hidden_bias)
        return energy

    def compare(self, energy, weight, target):
        """Make both phases ready for sums over rows; ``weight`` is that of each chain."""
        X, V = self.visible_data, self.visible_model
        if self.counts_bias:
            self.model_counts[:] = energy.visible.bias_counts(V)
        error = self._reconstruction_error(energy)
        _weigh_data(self.hidden_data, self.weights, target)
        column_sums(V, slice(0, V.shape[1]), self.model_sum)
        if weight != 1:
            self.hidden_model *= V.dtype.type(weight)
            self.model_sum *= V.dtype.type(weight)
        if isinstance(X, CSRRows):
            _sum_csr(*X.arrays, self.weights, self.data_sum)
        else:
            _sum(X, self.weights, self.data_sum)
        return error

    def _reconstruction_error(self, energy):
        """Weighted squared error of the data's means there and back, from some rows."""
        few = slice(0, -(-len(self.hidden_data) // _RECONSTRUCT_EVERY))
        X, H, weights = self.visible_data, self.hidden_data[few], self.weights[few]
        sparse_X = isinstance(X, CSRRows)
        X = X.head(few.stop) if sparse_X else X[few]
        V = energy.given(X).visible_mean(H)
        sums = weights, V, self.data_sum, self.model_sum  # to be overwritten
        compare = partial(_compare_csr, *X.arrays) if sparse_X else partial(_compare, X)
        total = weights.sum(dtype=np.float64)
        error = compare(*sums)
        return error * self.weights.sum(dtype=np.float64) / total if total else 0.0


class Phases:
    """The two phases of a batch of n rows, one above the other in one buffer a side.

    Rows [0, n) are driven by the data, the rows after them by the model, so that both
    halves of the gradient of the weights are one matrix product. Sparse data are left
    where they are: then the visible buffer has the model's rows only.

    Parameters
    ----------
    n_rows : int
        The largest batch.
    n_chains : int or None
        Chains that go on from batch to batch; None for one from each row of a batch.
    n_features, n_components : int
    dtype : dtype
    random_state : RandomState
        Seeds a stream for each part of a batch.
    sparse : bool
    counts_bias : bool, default=False
        Whether rows count the hidden bias more than once, see ``Unit.bias_counts``.
    memories : list of dict, default=None
        What the chains of earlier phases remembered.
    """

    def __init__(
        self,
        n_rows,
        n_chains,
        n_features,
        n_components,
        dtype,
        random_state,
        sparse,
        counts_bias=False,
        memories=None,
    ):
        self.sparse = sparse
        self.counts_bias = counts_bias
        self.n_chains = n_chains
        n_model = n_rows if n_chains is None else n_chains
        n_visible = n_model if sparse else n_rows + n_model
        self.visible = np.empty((n_visible, n_features), dtype)
        self.hidden = np.empty((n_rows + n_model, n_components), dtype)
        self.states = np.empty((n_rows if n_chains is None else 0, n_components), dtype)
        self.weights = np.ones(n_rows, dtype)
        self.counts = np.ones(n_rows + n_model, dtype)
        self.streams = [Stream(random_state) for _ in range(MOST_PARTS)]
        self.memories = memories or [{} for _ in range(MOST_PARTS)]
        self._parts = {}

    def forget(self):
        """Let the chains begin anew with the next batch."""
        for memory in self.memories:
            memory.clear()

    def load_weights(self, sample_weight, rows):
        """Take the weights of the rows of the next batch; returns their sum."""
        if sample_weight is None:
            return len(rows)
        self.weights[: len(rows)] = sample_weight[rows]
        for part in self.parts(len(rows)):
            part.weighted = True
        return float(self.weights[: len(rows)].sum(dtype=np.float64))

    def parts(self, n):
        """The parts of a batch of n rows."""
        if n not in self._parts:
            n_model = n if self.n_chains is None else self.n_chains
            # Of the chains alone: they stay in the same parts, whatever the batch.
            work = 3 * n_model * self.visible.shape[1] * self.hidden.shape[1]
            chains = split(n_model, LEAST_ROWS, work)
            if self.n_chains is None:
                kind, rows = Part, chains
            else:
                ends = np.linspace(0, n, len(chains) + 1).astype(int).tolist()
                kind, rows = PersistentPart, map(slice, ends, ends[1:])
            self._parts[n] = [
                kind(self, *slices, n, number)
                for number, slices in enumerate(zip(rows, chains, strict=False))
            ]
        return self._parts[n]

    def gradient(self, n, components, weights):
        """Gradient of the negative log-likelihood of n rows for a slice of components.

        It is summed over the rows, into ``weights``, which are those of the slice alone.
        """
        end = n + self._count_model(n)
        hidden = self.hidden[:end, components]
        if self.sparse:
            np.dot(hidden[n:].T, self.visible[: end - n], out=weights)
            for part in self.parts(n):
                add_right_gradient(part.hidden_data, part.visible_data, components, weights)
        else:
            np.dot(hidden.T, self.visible[:end], out=weights)

    def sum_hidden(self, n, components, out):
        """Sum of the hidden states of both phases for n rows, of a slice of components.

        Each counts as often as its row counts the hidden bias.
        """
        end = n + self._count_model(n)
        if self.counts_bias:
            np.dot(self.counts[:end], self.hidden[:end, components], out=out)
        else:
            column_sums(self.hidden[:end], components, out)

    def sum_apart(self, n, components, data_sum, model_sum):
        """The same, apart for the two phases."""
        end = n + self._count_model(n)
        if self.counts_bias:
            np.dot(self.counts[:n], self.hidden[:n, components], out=data_sum)
            np.dot(self.counts[n:end], self.hidden[n:end, components], out=model_sum)
        else:
            column_sums(self.hidden[:n], components, data_sum)
            column_sums(self.hidden[n:end], components, model_sum)

    def count(self, n, weight):
        """How often n rows of the data count the hidden bias, by their weights."""
        if not self.counts_bias:
            return weight
        return float(self.counts[:n] @ self.weights[:n])

    def _count_model(self, n):
        """Number of the model's rows for a batch of n rows."""
        return n if self.n_chains is None else self.n_chains


@kernel
def _weigh_data(hidden, weights, target):
    for i in range(hidden.shape[0]):
        row, w = hidden[i], weights[i]
        for j in range(row.size):
            row[j] = w * (target[j] - row[j])


@kernel
def _compare(data, weights, model, data_sum, model_sum):
    data_sum[:] = 0
    model_sum[:] = 0
    total = 0.0
    for i in range(data.shape[0]):
        error, w = data.dtype.type(0), weights[i]
        for j in range(data.shape[1]):
            x, v = data[i, j], model[i, j]
            data_sum[j] += w * x
            model_sum[j] += w * v
            error += (v - x) * (v - x)
        total += w * error
    return total


@kernel
def _compare_csr(indptr, indices, data, rows, weights, model, data_sum, model_sum):
    data_sum[:] = 0
    model_sum[:] = 0
    total = 0.0
    for i in range(rows.size):
        error, w = model.dtype.type(0), weights[i]
        for j in range(model.shape[1]):
            model_sum[j] += w * model[i, j]
            error += model[i, j] * model[i, j]
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            x, j = model.dtype.type(data[p]), indices[p]
            data_sum[j] += w * x
            error += x * (x - model[i, j] - model[i, j])
        total += w * error
    return total


@kernel
def _sum(data, weights, out):
    out[:] = 0
    for i in range(data.shape[0]):
        w = weights[i]
        for j in range(data.shape[1]):
            out[j] += w * data[i, j]


@kernel
def _sum_csr(indptr, indices, data, rows, weights, out):
    out[:] = 0
    for i in range(rows.size):
        for p in range(indptr[rows[i]], indptr[rows[i] + 1]):
            out[indices[p]] += weights[i] * out.dtype.type(data[p])
