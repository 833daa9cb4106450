"""Level 2: a feed-forward network: forward, backward, and nothing about training."""

from functools import partial

import numpy as np
from scipy.sparse import issparse

from ._batches import load_rows
from ._flat import add_scaled, add_sign, flatten, views
from ._params import resolve
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
    activations : list of str or Activation
        One for each hidden layer.
    loss : str or Loss
        Its link is the activation of the output layer.
    """

    def __init__(self, coefs, intercepts, activations, loss):
        self.coefs = coefs
        self.intercepts = intercepts
        # Objects have been checked, and predictions of a single row are not to do it again.
        self.activations = [
            resolve(a, ACTIVATIONS) if isinstance(a, str) else a for a in activations
        ]
        self.loss = resolve(loss, LOSSES) if isinstance(loss, str) else loss

    def astype(self, dtype):
        """The same network in another precision; nothing is copied if it is the same."""
        cast = [
            [a.astype(dtype, copy=False) for a in p] for p in (self.coefs, self.intercepts)
        ]
        return Network(*cast, self.activations, self.loss)

    def on(self, theta):
        """The same layers with parameters that are views of a flat array."""
        arrays, depth = [*self.coefs, *self.intercepts], len(self.coefs)
        parts = views(theta, [array.shape for array in arrays])
        return Network(parts[:depth], parts[depth:], self.activations, self.loss)

    @property
    def dtype(self):
        """Precision of the parameters."""
        return self.coefs[0].dtype

    @property
    def sizes(self):
        """Number of units of each layer, input and output included."""
        return [len(self.coefs[0]), *map(len, self.intercepts)]

    def predict(self, X, n_layers=None):
        """Output for rows X (dense or CSRRows), or that of the n_layers-th layer."""
        for i in range(len(self.coefs))[:n_layers]:
            X = self._layer(i, X)
        return X

    def pre_activations(self, X):
        """Pre-activations of the outputs for rows X."""
        top = len(self.coefs) - 1
        Z = self._product(top, self.predict(X, top))
        Z += self.intercepts[top]
        return Z

    def layers(self, X):
        """Outputs of all layers above the input for rows X."""
        outputs = []
        for i in range(len(self.coefs)):
            X = self._layer(i, X)
            outputs.append(X)
        return outputs

    def _layer(self, i, X):
        """Output of a layer for that of the layer below."""
        Z, hidden = self._product(i, X), i < len(self.activations)
        finish = self.activations[i].forward if hidden else self.loss.link
        finish(Z, self.intercepts[i])
        return Z

    def _product(self, i, X):
        """Pre-activations of a layer without bias."""
        coef = self.coefs[i]
        return product(X, coef, np.empty((len(X), coef.shape[1]), self.dtype))

    def losses(self, Z, Y):
        """Loss of each row, from pre-activations of the outputs and targets."""
        losses = np.empty(len(Z))
        target = np.empty_like(Z)
        load_rows(Y, slice(0, len(Z)), target)
        self.loss.gradient(Z.copy(), np.zeros(Z.shape[1], Z.dtype), target, losses)
        return losses

    def outputs(self, Z):
        """Outputs, from their pre-activations."""
        outputs = Z.copy()
        self.loss.link(outputs, np.zeros(Z.shape[1], Z.dtype))
        return outputs


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
        Penalty on the weights, ``alpha`` times ``l1_ratio * ||W||_1 + (1 - l1_ratio) / 2 *
        ||W||**2``, divided by the sum of the weights of the rows.
    dtype : dtype
        Precision of everything.
    l1_ratio : float, default=0.0
    noise : Noise, default=None
        What is done to the inputs of each layer of weights.
    apart : bool, default=False
        Whether the biases of each layer are learned by themselves, not all at once.
    """

    def __init__(
        self, network, n_rows, alpha, dtype, *, l1_ratio=0.0, noise=None, apart=False
    ):
        arrays, depth = [*network.coefs, *network.intercepts], len(network.coefs)
        self.theta = flatten(arrays, dtype)
        self.gradient = np.zeros_like(self.theta)
        self.network = network.on(self.theta)
        gradients = network.on(self.gradient)
        self.coef_grads, self.intercept_grads = gradients.coefs, gradients.intercepts
        self.l1, self.l2 = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
        self.noise = noise
        self.noisy = [bool(noise and noise.layers[i]) for i in range(depth)]
        sizes = network.sizes
        self.layers = [np.empty((n_rows, size), dtype) for size in sizes[1:]]
        self.layers.insert(0, None)  # where dense rows come; CSR ones need no buffer
        # What the weights are multiplied with: the layers, or what noise made of them.
        self.inputs = [
            np.empty_like(layer) if noisy and i else layer
            for i, (layer, noisy) in enumerate(zip(self.layers, self.noisy, strict=False))
        ]
        self.deltas = [np.empty((n_rows, size), dtype) for size in sizes[1:-1]]
        self.deltas.append(self.layers[-1])
        self.targets = np.empty((n_rows, sizes[-1]), dtype)

        ends = np.cumsum([0, *(array.size for array in arrays)]).tolist()
        self.offsets, self.bias_offsets = ends[: depth + 1], ends[depth:]
        self.apart = apart
        self.n_evaluations = 0
        self._weight_slices_of = {}  # by the size of a batch
        self.freeze(range(0))

    def freeze(self, layers):
        """Choose the layers of weights, and their biases, that stay as they are."""
        depth = len(self.coef_grads)
        self.frozen = frozenset(layers)
        learned = [i for i in range(depth) if i not in self.frozen]
        self.lowest = min(learned)
        self._weight_slices_of.clear()
        self.gradient[:] = 0.0
        if self.apart or self.frozen:
            self.bias_slices = [(i, slice(*self.bias_offsets[i : i + 2])) for i in learned]
        else:  # in one go
            self.bias_slices = [(0, slice(self.bias_offsets[0], None))]
        self._frozen_penalty = sum(
            self._penalty(slice(*self.offsets[i : i + 2])) for i in self.frozen
        )

    def __call__(self, data, rows, learn=None):
        """Penalised mean loss over a batch of rows; its gradient is ``self.gradient``.

        Parameters
        ----------
        data : Examples
        rows : ndarray of int
        learn : callable, default=None
            ``learn(layer, where, decay)`` is called for slices of the parameters as soon
            as their gradient is there, on several threads, to make a step against the
            gradient and ``decay`` times the parameters. By default the latter is added to
            the gradient.
        """
        self.n_evaluations += 1
        n, learn = _total(data, rows), learn or self._add_decay
        penalised = self._batch(data, rows, n, partial(self._penalise, n, learn))
        for layer, where in self.bias_slices:
            learn(layer, where, 0.0)
        return (penalised + self._frozen_penalty) / n

    def full(self, data, rows):
        """Penalised mean loss over many rows, a batch at a time, and its gradient."""
        self.n_evaluations += 1
        n, gradient = _total(data, rows), np.zeros_like(self.gradient)
        loss, finish = self._frozen_penalty, partial(self._penalise, n, self._add_decay)
        for start in range(0, len(rows), len(self.targets)):
            batch = rows[start : start + len(self.targets)]
            loss += self._batch(data, batch, n, finish)
            gradient += self.gradient
            finish = _leave  # the penalty counts once
        self.gradient[:] = gradient
        return loss / n, self.gradient

    def _add_decay(self, layer, where, decay):
        """Add the derivative of the L2 penalty to a slice of the gradient."""
        if decay:
            factor = self.theta.dtype.type(decay)
            add_scaled(self.theta[where], factor, self.gradient[where])

    def _penalise(self, n, learn, layer, where):
        """Penalty of a slice of the weights, whose gradient has come, and their step."""
        penalty = self._penalty(where)
        if self.l1:
            factor = self.theta.dtype.type(self.l1 / n)
            add_sign(self.theta[where], factor, self.gradient[where])
        learn(layer, where, self.l2 / n)
        return penalty

    def _batch(self, data, rows, n, finish):
        """Summed loss of some rows, and what ``finish`` returns for slices of the weights.

        The gradient is that of n rows' mean.
        """
        m = len(rows)
        # Noise makes the zeros of CSR rows something else.
        dense = self.noisy[0] or not issparse(data.X)
        inputs = self._input_buffer(data.X)[:m] if dense else CSRRows(data.X, rows)
        if self.noise is not None:
            self.noise.draw(m, self.network.sizes)
        parts = split(m, LEAST_ROWS, 2 * m * self.offsets[-1])
        losses = share(partial(self._pass, data, rows, n, dense), parts)
        learn_weights = partial(self._learn_weights, inputs, m, finish)
        return sum(losses) + sum(share(learn_weights, self._weight_slices(m)))

    def _input_buffer(self, X):
        """The input layer, made when the first dense rows come."""
        if self.layers[0] is None:
            shape = len(self.targets), X.shape[1]
            self.layers[0] = np.empty(shape, self.theta.dtype)
        return self.layers[0]

    def _weight_slices(self, m):
        """Layer and slice of its inputs, the parts of the learned weights for m rows."""
        if m not in self._weight_slices_of:
            self._weight_slices_of[m] = [
                (i, columns)
                for i, coef in enumerate(self.network.coefs)
                if i not in self.frozen
                for columns in split(len(coef), LEAST_UNITS, m * coef.size)
            ]
        return self._weight_slices_of[m]

    def _pass(self, data, rows, n, dense, part):
        """Forward and back through the layers for a part of the rows; the summed loss."""
        a = self._load(data, rows, dense, part)
        autoencodes = data.Y is data.X and dense and not self.noisy[0]
        target = a if autoencodes else load_rows(data.Y, rows[part], self.targets[part])
        network, losses = self.network, np.empty(len(a))
        for i, coef in enumerate(network.coefs):
            a = product(a, coef, self.layers[i + 1][part])
            if i < len(network.activations):
                network.activations[i].forward(a, network.intercepts[i])
                if self.noisy[i + 1]:
                    a = self._disturb(i + 1, a, part)
        network.loss.gradient(a, network.intercepts[-1], target, losses)
        loss, delta = self._weigh(a, losses, data.weight, rows[part], n)
        for i in reversed(range(self.lowest + 1, len(network.coefs))):
            delta = product_transposed(delta, network.coefs[i], self.deltas[i - 1][part])
            if self.noisy[i]:
                self.noise.backward(i, delta, part.start)
            network.activations[i - 1].backward(self.layers[i][part], delta)
        return loss

    def _load(self, data, rows, dense, part):
        """The input of the network: a part of the rows, with what noise does to them."""
        if not dense:
            return CSRRows(data.X, rows[part])
        a = load_rows(data.X, rows[part], self.layers[0][part])
        if self.noisy[0]:
            self.noise.forward(0, a, part.start)
        return a

    def _disturb(self, layer, a, part):
        """What noise makes of a copy of a layer."""
        disturbed = self.inputs[layer][part]
        disturbed[:] = a
        self.noise.forward(layer, disturbed, part.start)
        return disturbed

    @staticmethod
    def _weigh(a, losses, weight, rows, n):
        """Summed loss of the rows, and their derivatives as parts of a mean, in place."""
        if weight is None:
            return float(np.add.reduce(losses)), np.divide(a, n, out=a)
        weight = weight[rows]
        factors = (weight / n).astype(a.dtype)[:, np.newaxis]
        return float(weight @ losses), np.multiply(a, factors, out=a)

    def _learn_weights(self, inputs, m, finish, piece):
        """Gradient for the weights of some inputs of a layer, and what follows from it."""
        i, columns = piece
        inputs = inputs if i == 0 else self.inputs[i][:m]
        delta, gradient = self.deltas[i][:m], self.coef_grads[i]
        start, width = self.offsets[i], gradient.shape[1]
        left_gradient(inputs, delta, columns, gradient[columns])
        if columns.start == 0:
            column_sums(delta, slice(0, width), self.intercept_grads[i])
        where = slice(start + columns.start * width, start + columns.stop * width)
        return finish(i, where)

    def _penalty(self, where):
        """Penalty of a slice of the weights, not yet divided by the number of rows."""
        theta = self.theta[where]
        penalty = 0.5 * self.l2 * float(theta @ theta) if self.l2 else 0.0
        return penalty + self.l1 * float(np.abs(theta).sum()) if self.l1 else penalty


def _leave(layer, where):
    """Leave a slice of the weights as it is, without a penalty."""
    return 0.0


def _total(data, rows):
    """What the weights of some rows add up to: their number if they have none."""
    return len(rows) if data.weight is None else float(data.weight[rows].sum())
