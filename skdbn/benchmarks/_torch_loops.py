"""PyTorch on the CPU doing what this package does, as fast as eager PyTorch does it.

Imported only where PyTorch is installed, which this package does not need.
"""

from itertools import pairwise

import torch
from torch import nn

_ACTIVATIONS = {"relu": lambda: nn.ReLU(inplace=True), "logistic": nn.Sigmoid}


def set_threads(n_threads):
    """Give PyTorch as many threads as the others have."""
    torch.set_num_threads(n_threads)


class ContrastiveDivergence:
    """CD-1 for binary units with momentum and weight cost, in buffers allocated once.

    Both phases of a batch lie one above the other, so that the whole change of the
    velocity, momentum included, is one call of addmm.

    Parameters
    ----------
    weights : ndarray of shape (n_components, n_features)
    visible_bias : ndarray of shape (n_features,)
    hidden_bias : ndarray of shape (n_components,)
    batch_size : int
    learning_rate, momentum, alpha : float
        alpha is the weight cost.
    """

    def __init__(
        self,
        weights,
        visible_bias,
        hidden_bias,
        batch_size,
        learning_rate=0.1,
        momentum=0.5,
        alpha=0.0002,
    ):
        arrays = (weights, visible_bias, hidden_bias)
        self.weights, self.visible_bias, self.hidden_bias = map(torch.tensor, arrays)
        self.velocities = [torch.zeros_like(self.weights)]
        self.velocities += [torch.zeros_like(self.visible_bias)]
        self.velocities += [torch.zeros_like(self.hidden_bias)]
        n_components, n_features = self.weights.shape
        self.visible = torch.empty(2 * batch_size, n_features)
        self.hidden = torch.empty(2 * batch_size, n_components)
        self.states = torch.empty(batch_size, n_components)
        self.uniform = torch.empty(batch_size, n_components)
        self.batch_size = batch_size
        self.learning_rate, self.momentum = learning_rate, momentum
        self.alpha = alpha

    @torch.no_grad()
    def epoch(self, X, shuffle=True):
        """Pass over the rows of X once, whole batches only; returns their number."""
        n_rows = len(X) // self.batch_size * self.batch_size
        order = torch.randperm(len(X)) if shuffle else torch.arange(len(X))
        for start in range(0, n_rows, self.batch_size):
            rows = order[start : start + self.batch_size]
            torch.index_select(X, 0, rows, out=self.visible[: self.batch_size])
            self._phases()
            self._update()
        return n_rows

    def _phases(self):
        """Fill both phases from the data in the upper half of the visible units."""
        n = self.batch_size
        v0, v1 = self.visible[:n], self.visible[n:]
        h0, h1 = self.hidden[:n], self.hidden[n:]
        torch.addmm(self.hidden_bias, v0, self.weights.t(), out=h0).sigmoid_()
        # Half the time of torch.bernoulli.
        torch.rand(h0.shape, out=self.uniform)
        torch.lt(self.uniform, h0, out=self.states)
        torch.addmm(self.visible_bias, self.states, self.weights, out=v1).sigmoid_()
        torch.addmm(self.hidden_bias, v1, self.weights.t(), out=h1).sigmoid_()

    def _update(self):
        """Change the parameters by the difference of the phases."""
        n, step = self.batch_size, self.learning_rate / self.batch_size
        weights, visible_bias, hidden_bias = self.velocities
        self.hidden[n:].neg_()
        weights.addmm_(self.hidden.t(), self.visible, beta=self.momentum, alpha=step)
        weights.add_(self.weights, alpha=-self.learning_rate * self.alpha)
        hidden_bias.mul_(self.momentum).add_(self.hidden.sum(dim=0), alpha=step)
        visible_bias.mul_(self.momentum).add_(self.visible[:n].sum(dim=0), alpha=step)
        visible_bias.sub_(self.visible[n:].sum(dim=0), alpha=step)
        for parameter, velocity in zip(
            (self.weights, self.visible_bias, self.hidden_bias),
            self.velocities,
            strict=True,
        ):
            parameter.add_(velocity)


def rbm(X, n_components, batch_size):
    """Return a run of one epoch of an RBM on X."""
    X = torch.from_numpy(X)
    weights = 0.01 * torch.randn(n_components, X.shape[1])
    biases = torch.zeros(X.shape[1]).numpy(), torch.zeros(n_components).numpy()
    loop = ContrastiveDivergence(weights.numpy(), *biases, batch_size)
    return lambda: loop.epoch(X)


def network(X, y, sizes, activation, solver, batch_size, alpha):
    """Return a run of one epoch of a classifier on X, with autograd and torch.optim."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    model = _sequential(sizes, activation)
    # As alpha / 2 ||W||^2 / n is the penalty elsewhere.
    optimizer = _optimizer(solver, model.parameters(), weight_decay=alpha / batch_size)
    batch = torch.empty(batch_size, X.shape[1])

    def run():
        order = torch.randperm(len(X))
        for rows in order.split(batch_size):
            optimizer.zero_grad()
            outputs = model(torch.index_select(X, 0, rows, out=batch[: len(rows)]))
            nn.functional.cross_entropy(outputs, y[rows]).backward()
            optimizer.step()
        return len(X)

    return run


def transform(X, sizes, block_rows):
    """Return a run that maps X up through logistic layers, block by block."""
    X = torch.from_numpy(X)
    weights = [0.01 * torch.randn(pair) for pair in pairwise(sizes)]
    biases = [torch.zeros(size) for size in sizes[1:]]
    buffers = [torch.empty(block_rows, size) for size in sizes[1:]]

    @torch.no_grad()
    def run():
        blocks = []
        for rows in X.split(block_rows):
            for weight, bias, buffer in zip(weights, biases, buffers, strict=True):
                rows = torch.addmm(bias, rows, weight, out=buffer[: len(rows)]).sigmoid_()
            blocks.append(rows.clone())
        return len(torch.cat(blocks))

    return run


def _sequential(sizes, activation):
    """A network of linear layers with an activation between them."""
    layers = []
    for pair in pairwise(sizes):
        layers += [nn.Linear(*pair), _ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def _optimizer(solver, parameters, weight_decay):
    """The optimiser of torch.optim in its variant that is the fastest on CPUs."""
    if solver == "rmsprop":  # has no fused variant
        return torch.optim.RMSprop(parameters, weight_decay=weight_decay, foreach=True)
    if solver == "sgd":
        options = {"lr": 0.01, "momentum": 0.9, "nesterov": True}
        return torch.optim.SGD(parameters, **options, weight_decay=weight_decay, fused=True)
    return torch.optim.Adam(parameters, weight_decay=weight_decay, fused=True)
