"""Level 2: a feed-forward network: forward, backward, and nothing about training."""

from functools import partial

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import gen_batches

from ._batches import load_rows, take_rows
from ._flat import add_scaled, flatten, views
from ._products import CSRRows, column_sums, left_gradient, product, product_transposed
from ._threads import LEAST_ROWS, LEAST_UNITS, share, split
from .activations import ACTIVATIONS
from .losses import LOSSES


class Network:
    """A list of dense layers.

    Parameters
    ----------
    coefs, intercepts : lists of ndarray
        ``coefs[i]`` has the shape (size of layer i, size of layer i + 1).
    activations : list of str
        One for each hidden layer.
    loss : str
        Its link is the activation of the output layer.
    """

    def __init__(self, coefs, intercepts, activations, loss):
        self.coefs = coefs
        self.intercepts = intercepts
        self.activations = activations
        self.loss = loss

    def astype(self, dtype):
        """The same network in another precision; nothing is copied if it is the same."""
        cast = [
            [a.astype(dtype, copy=False) for a in p] for p in (self.coefs, self.intercepts)
        ]
        return Network(*cast, self.activations, self.loss)

    @property
    def dtype(self):
        """Precision of the parameters."""
        return self.coefs[0].dtype

    @property
    def sizes(self):
        """Number of units of each layer, input and output included."""
        return [len(self.coefs[0]), *map(len, self.intercepts)]

    def predict(self, X, n_layers=None, link=True):
        """Output for rows X (dense or CSRRows), or that of the n_layers-th layer.

        Without the link the output layer gives its pre-activations.
        """
        finishes = [ACTIVATIONS[name].forward for name in self.activations]
        finishes.append(LOSSES[self.loss].link if link else ACTIVATIONS["identity"].forward)
        layers = list(zip(self.coefs, self.intercepts, finishes, strict=True))
        for coef, intercept, finish in layers[:n_layers]:
            X = product(X, coef, np.empty((len(X), coef.shape[1]), self.dtype))
            finish(X, intercept)
        return X


class Backprop:
    """Loss and gradient of a network, in buffers allocated once.

    The parameters live in one flat array ``theta``, weights first, biases after, of which
    those of ``network`` are views; so does the gradient.

    Parameters
    ----------
    network : Network
        Its parameters are copied.
    n_rows : int
        The largest batch.
    alpha : float
        L2 penalty on the weights, ``alpha / 2 * ||W||**2 / n_rows``.
    dtype : dtype
        Precision of everything.
    """

    def __init__(self, network, n_rows, alpha, dtype):
        arrays = [*network.coefs, *network.intercepts]
        depth = len(network.coefs)

        def divide(flat):
            parts = views(flat, [array.shape for array in arrays])
            return parts[:depth], parts[depth:]

        self.theta = flatten(arrays, dtype)
        self.gradient = np.empty_like(self.theta)
        self.network = Network(*divide(self.theta), network.activations, network.loss)
        self.coef_grads, self.intercept_grads = divide(self.gradient)
        self.alpha = alpha
        self.activations = [ACTIVATIONS[name] for name in network.activations]
        self.loss = LOSSES[network.loss]
        sizes = network.sizes
        self.layers = [np.empty((n_rows, size), dtype) for size in sizes[1:]]
        self.layers.insert(0, None)  # where dense rows come; CSR ones need no buffer
        self.deltas = [np.empty((n_rows, size), dtype) for size in sizes[1:-1]]
        self.deltas.append(self.layers[-1])
        self.targets = np.empty((n_rows, sizes[-1]), dtype)

        offsets = np.cumsum([0, *(coef.size for coef in network.coefs)])
        self.offsets = [int(offset) for offset in offsets]
        self.n_evaluations = 0
        self._weight_slices_of = {}  # by the size of a batch

    def __call__(self, X, Y, rows, learn=None):
        """Penalised mean loss over a batch of rows; its gradient is ``self.gradient``.

        Parameters
        ----------
        X : ndarray or CSR of shape (n_samples, n_inputs)
        Y : ndarray or CSR of shape (n_samples, n_outputs)
        rows : ndarray of int
        learn : callable, default=None
            ``learn(where, decay)`` is called for slices of the parameters as soon as their
            gradient is there, on several threads, to make a step against the gradient and
            ``decay`` times the parameters. By default the latter is added to the gradient.
        """
        n = len(rows)
        self.n_evaluations += 1
        return self._batch(X, Y, rows, n, self.alpha, learn or self._add_decay) / n

    def full(self, X, Y):
        """Penalised mean loss over all rows, a batch at a time, and its gradient."""
        self.n_evaluations += 1
        n, loss, gradient = X.shape[0], 0.0, np.zeros_like(self.gradient)
        for batch in gen_batches(n, len(self.targets)):
            rows = np.arange(batch.start, batch.stop)
            # The penalty counts once.
            alpha = self.alpha if batch.start == 0 else 0.0
            loss += self._batch(X, Y, rows, n, alpha, self._add_decay)
            gradient += self.gradient
        self.gradient[:] = gradient
        return loss / n, self.gradient

    def _add_decay(self, where, decay):
        """Add the derivative of the penalty to a slice of the gradient."""
        if decay:
            factor = self.theta.dtype.type(decay)
            add_scaled(self.theta[where], factor, self.gradient[where])

    def _batch(self, X, Y, rows, n, alpha, learn):
        """Summed loss and penalty of some of n rows; the gradient is that of their mean."""
        m = len(rows)
        inputs = CSRRows(X, rows) if issparse(X) else self._input_buffer(X)[:m]
        parts = split(m, LEAST_ROWS, 2 * m * self.offsets[-1])
        losses = share(partial(self._pass, X, Y, rows, n), parts)
        learn_weights = partial(self._learn_weights, inputs, m, alpha, n, learn)
        penalties = share(learn_weights, self._weight_slices(m))
        learn(slice(self.offsets[-1], None), 0.0)
        return sum(losses) + sum(penalties)

    def _input_buffer(self, X):
        """The input layer, made when the first dense rows come."""
        if self.layers[0] is None:
            self.layers[0] = np.empty((len(self.targets), X.shape[1]), self.theta.dtype)
        return self.layers[0]

    def _weight_slices(self, m):
        """Layer and slice of its inputs, the parts of the weights for m rows."""
        if m not in self._weight_slices_of:
            self._weight_slices_of[m] = [
                (i, columns)
                for i, coef in enumerate(self.network.coefs)
                for columns in split(len(coef), LEAST_UNITS, m * coef.size)
            ]
        return self._weight_slices_of[m]

    def _pass(self, X, Y, rows, n, part):
        """Forward and back through the layers for a part of the rows; the summed loss."""
        network, buffer = self.network, None if issparse(X) else self.layers[0][part]
        a = take_rows(X, rows[part], buffer)
        autoencodes = Y is X and buffer is not None
        target = a if autoencodes else load_rows(Y, rows[part], self.targets[part])
        for i, coef in enumerate(network.coefs):
            a = product(a, coef, self.layers[i + 1][part])
            if i < len(self.activations):
                self.activations[i].forward(a, network.intercepts[i])
        loss = self.loss.gradient(a, network.intercepts[-1], target)
        delta = np.divide(a, n, out=a)
        for i in reversed(range(1, len(network.coefs))):
            delta = product_transposed(delta, network.coefs[i], self.deltas[i - 1][part])
            self.activations[i - 1].backward(self.layers[i][part], delta)
        return loss

    def _learn_weights(self, inputs, m, alpha, n, learn, piece):
        """Gradient and step for the weights of some inputs of a layer; their penalty."""
        i, columns = piece
        inputs = inputs if i == 0 else self.layers[i][:m]
        delta, gradient = self.deltas[i][:m], self.coef_grads[i]
        start, width = self.offsets[i], gradient.shape[1]
        left_gradient(inputs, delta, columns, gradient[columns])
        if columns.start == 0:
            column_sums(delta, slice(0, width), self.intercept_grads[i])
        where = slice(start + columns.start * width, start + columns.stop * width)
        theta = self.theta[where]
        penalty = 0.5 * alpha * float(theta @ theta) if alpha else 0.0
        learn(where, alpha / n)
        return penalty
