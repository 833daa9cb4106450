"""Activation functions of the hidden layers of a network.

Each finishes a buffer of pre-activations in place and multiplies a buffer of errors by its
derivative, which all of them can tell from the activations alone.
"""

import numpy as np

from ._kernels import kernel, logistic

__all__ = ["ACTIVATIONS"]


class Identity:
    """``f(z) = z``."""

    @staticmethod
    def forward(z, bias):
        """Add the bias, in place."""
        z += bias

    @staticmethod
    def backward(a, delta):
        """Leave the errors as they are."""


class Logistic:
    """``f(z) = 1 / (1 + exp(-z))``."""

    @staticmethod
    def forward(z, bias):
        """Add the bias and apply the function, in place."""
        logistic(z, bias)

    @staticmethod
    def backward(a, delta):
        """Multiply the errors by a (1 - a), in place."""
        _logistic_derivative(a, delta)


class Tanh:
    """``f(z) = tanh(z)``."""

    @staticmethod
    def forward(z, bias):
        """Add the bias and apply the function, in place."""
        _tanh(z, bias)

    @staticmethod
    def backward(a, delta):
        """Multiply the errors by 1 - a**2, in place."""
        _tanh_derivative(a, delta)


class Relu:
    """``f(z) = max(z, 0)``."""

    @staticmethod
    def forward(z, bias):
        """Add the bias and apply the function, in place."""
        _relu(z, bias)

    @staticmethod
    def backward(a, delta):
        """Set the errors of silent units to zero, in place."""
        _relu_derivative(a, delta)


ACTIVATIONS = {"identity": Identity, "logistic": Logistic, "tanh": Tanh, "relu": Relu}


@kernel
def _logistic_derivative(a, delta):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] *= a[i, j] * (one - a[i, j])


@kernel
def _tanh(z, bias):
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[i, j] = np.tanh(z[i, j] + bias[j])


@kernel
def _tanh_derivative(a, delta):
    one = a.dtype.type(1)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] *= one - a[i, j] * a[i, j]


@kernel
def _relu(z, bias):
    zero = z.dtype.type(0)
    for i in range(z.shape[0]):
        for j in range(z.shape[1]):
            x = z[i, j] + bias[j]
            z[i, j] = zero if x < zero else x  # NaN stays NaN


@kernel
def _relu_derivative(a, delta):
    zero = a.dtype.type(0)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            delta[i, j] = delta[i, j] if a[i, j] > zero else zero
