"""Losses on pre-activations. A loss owns its link, the output activation.

Each turns the pre-activations of a batch into the derivative of the summed loss, in place,
and says what the sum was. They are the losses of scikit-learn's MLP, with the same
definition: summed over outputs, averaged over rows by the network.
"""

from ._kernels import kernel, logistic, sigmoid, softmax, softplus

__all__ = ["LOSSES"]


class SquaredError:
    """Half the squared error, for outputs without an activation."""

    activation = "identity"

    @staticmethod
    def link(z, bias):
        """Turn pre-activations without bias into outputs, in place."""
        z += bias

    @staticmethod
    def gradient(z, bias, target):
        """Turn pre-activations into derivatives in place; returns the summed loss."""
        z += bias
        z -= target
        errors = z.ravel()
        return 0.5 * float(errors @ errors)


class BinaryLogLoss:
    """Cross-entropy of independent logistic outputs; targets in [0, 1]."""

    activation = "logistic"

    @staticmethod
    def link(z, bias):
        """Turn pre-activations without bias into probabilities, in place."""
        logistic(z, bias)

    @staticmethod
    def gradient(z, bias, target):
        """Turn pre-activations into derivatives in place; returns the summed loss."""
        return _binary_log_loss(z, bias, target)


class LogLoss:
    """Cross-entropy of a softmax; targets are one-hot rows or rows of probabilities."""

    activation = "softmax"

    @staticmethod
    def link(z, bias):
        """Turn pre-activations without bias into class probabilities, in place."""
        _softmax_link(z, bias)

    @staticmethod
    def gradient(z, bias, target):
        """Turn pre-activations into derivatives in place; returns the summed loss."""
        return _log_loss(z, bias, target)


LOSSES = {
    "squared_error": SquaredError,
    "binary_log_loss": BinaryLogLoss,
    "log_loss": LogLoss,
}


@kernel
def _binary_log_loss(z, bias, target):
    total = 0.0  # rows add up in float64, the columns of a row in the dtype of z
    for i in range(z.shape[0]):
        loss = z.dtype.type(0)
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            loss += softplus(x) - x * target[i, j]
            z[i, j] = sigmoid(x) - target[i, j]
        total += loss
    return total


@kernel
def _softmax_link(z, bias):
    for i in range(z.shape[0]):
        softmax(z[i], bias)


@kernel
def _log_loss(z, bias, target):
    total = 0.0
    for i in range(z.shape[0]):
        row = z[i]
        loss = row.dtype.type(0)
        weight = row.dtype.type(0)
        for j in range(row.size):
            loss -= target[i, j] * (row[j] + bias[j])
            weight += target[i, j]
        loss += weight * softmax(row, bias)
        for j in range(row.size):
            row[j] = weight * row[j] - target[i, j]
        total += loss
    return total
