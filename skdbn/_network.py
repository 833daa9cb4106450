"""Level 2: a feed-forward network: forward, backward, and nothing about training."""

import numpy as np
from sklearn.utils import gen_batches

from ._batches import load_rows
from ._flat import add_scaled, flatten, views
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
        """Output for dense rows X, or that of the n_layers-th layer, in a new array.

        Without the link the output layer gives its pre-activations.
        """
        finishes = [ACTIVATIONS[name].forward for name in self.activations]
        finishes.append(LOSSES[self.loss].link if link else ACTIVATIONS["identity"].forward)
        layers = list(zip(self.coefs, self.intercepts, finishes, strict=True))
        for coef, intercept, finish in layers[:n_layers]:
            X = X @ coef
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

        def split(flat):
            parts = views(flat, [array.shape for array in arrays])
            return parts[:depth], parts[depth:]

        self.theta = flatten(arrays, dtype)
        self.gradient = np.empty_like(self.theta)
        self.network = Network(*split(self.theta), network.activations, network.loss)
        self.coef_grads, self.intercept_grads = split(self.gradient)
        n_weights = sum(coef.size for coef in network.coefs)
        self.weights, self.weight_grads = self.theta[:n_weights], self.gradient[:n_weights]
        self.alpha = alpha
        self.activations = [ACTIVATIONS[name] for name in network.activations]
        self.loss = LOSSES[network.loss]
        sizes = network.sizes
        self.layers = [np.empty((n_rows, size), dtype) for size in sizes]
        self.deltas = [np.empty((n_rows, size), dtype) for size in sizes[1:-1]]
        self.targets = np.empty((n_rows, sizes[-1]), dtype)

    def __call__(self, X, Y, rows):
        """Penalised mean loss over a batch of rows; its gradient is ``self.gradient``.

        Parameters
        ----------
        X : ndarray or CSR of shape (n_samples, n_inputs)
        Y : ndarray or CSR of shape (n_samples, n_outputs)
        rows : slice or ndarray of int
        """
        n = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        return self._penalised(self._batch(X, Y, rows, n), n)

    def full(self, X, Y):
        """Penalised mean loss over all rows, a batch at a time, and its gradient."""
        n = X.shape[0]
        loss, gradient = 0.0, np.zeros_like(self.gradient)
        for rows in gen_batches(n, len(self.targets)):
            loss += self._batch(X, Y, rows, n)
            gradient += self.gradient
        self.gradient[:] = gradient
        return self._penalised(loss, n), self.gradient

    def _penalised(self, loss, n):
        """Mean of a summed loss over n rows, with the penalty and its gradient added."""
        if self.alpha == 0:
            return loss / n
        add_scaled(self.weights, self.theta.dtype.type(self.alpha / n), self.weight_grads)
        return (loss + 0.5 * self.alpha * float(self.weights @ self.weights)) / n

    def _batch(self, X, Y, rows, n):
        """Sum of the loss over some rows; the gradient is that of the sum over n."""
        batch = load_rows(X, rows, self.layers[0])
        target = batch if Y is X else load_rows(Y, rows, self.targets)
        loss = self._forward(len(batch), target)
        delta = self.layers[-1][: len(batch)]
        delta /= n
        self._backward(delta)
        return loss

    def _forward(self, n, target):
        """Fill the layers; the last one with the derivatives of the loss, which it sums."""
        network = self.network
        for i, coef in enumerate(network.coefs):
            z = np.dot(self.layers[i][:n], coef, out=self.layers[i + 1][:n])
            if i < len(self.activations):
                self.activations[i].forward(z, network.intercepts[i])
        return self.loss.gradient(z, network.intercepts[-1], target)

    def _backward(self, delta):
        """Fill the gradient from the derivatives at the last pre-activations."""
        network, n = self.network, len(delta)
        for i in reversed(range(len(network.coefs))):
            np.dot(self.layers[i][:n].T, delta, out=self.coef_grads[i])
            np.sum(delta, axis=0, out=self.intercept_grads[i])
            if i > 0:
                delta = np.dot(delta, network.coefs[i].T, out=self.deltas[i - 1][:n])
                self.activations[i - 1].backward(self.layers[i][:n], delta)
