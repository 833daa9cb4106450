"""What a unit type has to say, for the RBM and everything above it."""

from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator


class Unit(ABC, BaseEstimator):
    """Base class of the unit types: an exponential family of one number.

    Given its total input z (weights times the other side, plus its own bias), a unit's
    state x has the density ``exp(x z - g(x) - A(z))``. A subclass says what ``g`` (the
    energy of the state itself) and ``A`` (the log-partition) are, and finishes buffers of
    pre-activations in place. All buffers are C-contiguous, of shape (n_rows, n_units)
    and of one float dtype.

    Attributes
    ----------
    activation : str
        The activation function of a network layer that equals the conditional mean.
    loss : str
        The loss of a network whose output is compared with such units.
    learning_rate : float
        What ``learning_rate="auto"`` means for an RBM with such units.
    """

    activation: str
    loss: str
    learning_rate: float

    @abstractmethod
    def mean(self, z, bias):
        """Turn pre-activations without bias into conditional means, in place."""

    @abstractmethod
    def sample(self, z, bias, states, stream):
        """Turn ``z`` into means in place and draw ``states``, which may be ``z``."""

    @abstractmethod
    def log_partition(self, z, shift, direction):
        """Sum of ``A(z[i, j] + shift[i] * direction[j])`` over j, shape (n_rows,)."""

    @abstractmethod
    def energy(self, states):
        """Sum of ``g(x)`` over the units of each row, shape (n_rows,)."""

    @abstractmethod
    def conditional_log_likelihood(self, x, bias, center, potential):
        """Log-density of one unit's states given all the other units of its side.

        Parameters
        ----------
        x : ndarray of shape (n_rows,)
            The states.
        bias : float
            The unit's bias.
        center : ndarray of shape (n_rows,)
            The unit's conditional mean pre-activation, where its density has its mass.
        potential : callable
            From states, (n_rows,) or a number, to the summed log-partition of the other
            side with the unit in that state, (n_rows,).

        Returns
        -------
        log_likelihood : ndarray of shape (n_rows,)
        """

    @abstractmethod
    def initial_bias(self, mean, n_samples):
        """Bias at which a unit without weights has this mean over the training data."""

    def check_data(self, X, feature_names):
        """Raise ValueError where X, dense or CSR, cannot be states of such units."""

    def check_clamped(self, held):
        """Raise ValueError where the units cannot be drawn while the ``held`` ones stay.

        ``held`` is a boolean array of shape (n_rows, n_units). Units that are independent
        given the other side, as those of one number each are, can always.
        """

    def free_term(self, z, bias):
        """Summed log-partition of pre-activations without bias, shape (n_rows,)."""
        return self.log_partition(z, np.ones(z.shape[0], z.dtype), bias)
