"""Losses on pre-activations. A loss owns its link, the output activation.

Each turns the pre-activations of a batch into the derivative of its loss, in place, and
says what the loss of each row was: summed over outputs. The mean over rows is the business
of the network, which knows their weights.
"""

from abc import ABC, abstractmethod

import numpy as np

from ._batches import ROUNDING
from ._kernels import exp, kernel, sigmoid, softmax, softplus
from ._sklearn import StrOptions
from ._versioned import VersionedEstimator
from .activations import ACTIVATIONS, Identity, Logistic, Softmax, group_ends

__all__ = ["LOSSES", "BinaryLogLoss", "LogLoss", "Loss", "PoissonLoss", "SquaredError"]


class Loss(ABC, VersionedEstimator):
    """Base class of the losses: what a network is trained to make small.

    A subclass says what the outputs are (the link) and what the loss of a row is. All
    buffers are C-contiguous, of shape (n_rows, n_outputs) and of one float dtype. The
    methods are called on several threads, for different rows.

    Attributes
    ----------
    activation : str
        Name of the link, which estimators show as ``out_activation_``. A classifier needs
        "logistic" or "softmax", whose outputs it takes for probabilities.
    """

    activation: str

    @abstractmethod
    def link(self, z, bias):
        """Turn pre-activations without bias into outputs, in place."""

    @abstractmethod
    def gradient(self, z, bias, target, losses):
        """Turn pre-activations into derivatives of the loss, in place.

        Parameters
        ----------
        z : ndarray of shape (n_rows, n_outputs)
            Pre-activations without bias; afterwards the derivative of the loss of each row
            with respect to them.
        bias : ndarray of shape (n_outputs,)
        target : ndarray of shape (n_rows, n_outputs)
            Not to be written to.
        losses : ndarray of shape (n_rows,)
            Where the loss of each row is written, a float64.
        """

    def check_targets(self, Y):
        """Raise ValueError where Y, of shape (n_samples, n_outputs), cannot be targets."""


class SquaredError(Loss):
    """Half the squared error of outputs with any activation.

    The outputs are linear by default. With ``"logistic"`` they are those of the classical
    network of the textbooks [1]_, whose errors are multiplied by ``o * (1 - o)`` on the way
    back. Targets may be any numbers: scale them to what the activation reaches, which is
    between 0 and 1 for "logistic".

    Parameters
    ----------
    activation : str, default="identity"
        Activation of the outputs, a name of a hidden layer's.

    References
    ----------
    .. [1] D. Rumelhart, G. Hinton, R. Williams (1986), "Learning representations by
       back-propagating errors", Nature 323, 533-536, doi:10.1038/323533a0.

    Examples
    --------
    >>> from skdbn import MLPRegressor
    >>> from skdbn.losses import SquaredError
    >>> mlp = MLPRegressor((3,), loss=SquaredError("logistic"), max_iter=5, tol=None)
    >>> mlp.fit([[0.0], [1.0]], [0.0, 1.0]).out_activation_
    'logistic'
    """

    _parameter_constraints: dict = {"activation": [StrOptions(set(ACTIVATIONS))]}

    def __init__(self, activation="identity"):
        self.activation = activation

    def link(self, z, bias):
        ACTIVATIONS[self.activation]().forward(z, bias)

    def gradient(self, z, bias, target, losses):
        activation = ACTIVATIONS[self.activation]()
        activation.forward(z, bias)
        if isinstance(activation, Identity):  # which needs no room for the outputs
            z -= target
            losses[:] = np.einsum("ij,ij->i", z, z)
        else:
            error = z - target
            losses[:] = np.einsum("ij,ij->i", error, error)
            activation.backward(z, error)
            z[...] = error
        losses *= 0.5


class BinaryLogLoss(Loss):
    """Cross-entropy of independent logistic outputs; targets in [0, 1].

    ``log(1 + exp(z)) - y z``, summed over outputs, for the pre-activations z and the
    targets y.

    Examples
    --------
    >>> from skdbn import MLPRegressor
    >>> from skdbn.losses import BinaryLogLoss
    >>> mlp = MLPRegressor((3,), loss=BinaryLogLoss(), max_iter=5, tol=None)
    >>> mlp.fit([[0.0], [1.0]], [0.2, 0.9]).out_activation_
    'logistic'
    """

    activation = "logistic"

    def link(self, z, bias):
        Logistic().forward(z, bias)

    def gradient(self, z, bias, target, losses):
        _binary_log_loss(z, bias, target, losses)

    def check_targets(self, Y):
        _check_range(self, Y, 0.0, 1.0)


class LogLoss(Loss):
    """Cross-entropy of a softmax; targets are one-hot rows or rows of probabilities.

    ``sum_k y_k (log(sum_l exp(z_l)) - z_k)`` in each group, for the pre-activations z and
    the targets y.

    Parameters
    ----------
    sizes : int, array-like of int or None, default=None
        Number of outputs of each group, which are neighbours, for several softmaxes side
        by side; an integer for groups of one size, None for one of all outputs.

    Examples
    --------
    >>> from skdbn import MLPRegressor
    >>> from skdbn.losses import LogLoss
    >>> mlp = MLPRegressor((3,), loss=LogLoss(sizes=(2, 2)), max_iter=5, tol=None)
    >>> shares = [[0.5, 0.5, 1.0, 0.0], [0.1, 0.9, 0.0, 1.0]]
    >>> mlp.fit([[0.0], [1.0]], shares).predict([[0.5]]).sum(axis=1).round(6)
    array([2.])
    """

    activation = "softmax"

    _parameter_constraints: dict = Softmax._parameter_constraints

    def __init__(self, sizes=None):
        self.sizes = sizes

    def link(self, z, bias):
        Softmax(self.sizes).forward(z, bias)

    def gradient(self, z, bias, target, losses):
        _log_loss(z, bias, target, group_ends(self.sizes, z.shape[1]), losses)

    def check_targets(self, Y):
        ends = group_ends(self.sizes, Y.shape[1])
        if np.diff(ends, prepend=0).min() < 2:
            raise ValueError(
                f"The loss {self!r} is a softmax of two outputs or more, but among "
                f"{Y.shape[1]} columns of targets one stands by itself, which is always 1. "
                "Use loss='binary_log_loss' for it, or give the share of the rest a column."
            )
        _check_range(self, Y, 0.0, np.inf)


class PoissonLoss(Loss):
    """Half the Poisson deviance of exponential outputs; targets are counts or rates.

    ``y log(y / exp(z)) - y + exp(z)``, that of scikit-learn's MLPRegressor.

    Examples
    --------
    >>> from skdbn import MLPRegressor
    >>> mlp = MLPRegressor((3,), loss="poisson", max_iter=5, tol=None)
    >>> mlp.fit([[0.0], [1.0]], [0, 7]).out_activation_
    'exp'
    """

    activation = "exp"

    def link(self, z, bias):
        _exp(z, bias)

    def gradient(self, z, bias, target, losses):
        _poisson_loss(z, bias, target, losses)

    def check_targets(self, Y):
        _check_range(self, Y, 0.0, np.inf)


LOSSES = {
    "squared_error": SquaredError,
    "binary_log_loss": BinaryLogLoss,
    "log_loss": LogLoss,
    "poisson": PoissonLoss,
}


def _check_range(loss, Y, lowest, highest):
    """Raise where targets are outside of a range."""
    if Y.size and (Y.min() < lowest - ROUNDING or Y.max() > highest + ROUNDING):
        raise ValueError(
            f"The loss {loss!r} needs targets in [{lowest:g}, {highest:g}], but they range "
            f"from {Y.min():g} to {Y.max():g}. Scale them, or use loss='squared_error'."
        )


@kernel
def _binary_log_loss(z, bias, target, losses):
    for i in range(z.shape[0]):
        loss = z.dtype.type(0)
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            loss += softplus(x) - x * target[i, j]
            z[i, j] = sigmoid(x) - target[i, j]
        losses[i] = loss


@kernel
def _log_loss(z, bias, target, ends, losses):
    for i in range(z.shape[0]):
        loss = z.dtype.type(0)
        start = 0
        for end in ends:
            row, t, b = z[i, start:end], target[i, start:end], bias[start:end]
            weight = z.dtype.type(0)
            for j in range(row.size):
                loss -= t[j] * (row[j] + b[j])
                weight += t[j]
            loss += weight * softmax(row, b)
            for j in range(row.size):
                row[j] = weight * row[j] - t[j]
            start = end
        losses[i] = loss


@kernel
def _exp(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = exp(z[i, j] + bias[j])


@kernel
def _poisson_loss(z, bias, target, losses):
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        loss = zero
        for j in range(z.shape[1]):
            x, t = z[i, j] + bias[j], target[i, j]
            rate = exp(x)
            # y log y, whose limit at 0 is 0
            information = t * np.log(t) if t > zero else zero
            loss += information - t * x - t + rate
            z[i, j] = rate - t
        losses[i] = loss
