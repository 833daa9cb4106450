"""What a unit type has to say, for the RBM and everything above it."""

from abc import ABC, abstractmethod

import numpy as np

from .._versioned import VersionedEstimator
from ._pseudo import by_quadrature, over_levels


class Unit(ABC, VersionedEstimator):
    """Base class of the unit types: an exponential family of one number, or one group.

    Given its total input z (weights times the other side, plus its own bias), a unit's
    state x has the density ``exp(x z - g(x) - A(z))``. A subclass says what ``g`` (the
    energy of the state itself) and ``A`` (the log-partition) are, and finishes buffers of
    pre-activations in place. All buffers are C-contiguous, of shape (n_rows, n_units)
    and of one float dtype. What is not abstract has a default that suits most units.

    Attributes
    ----------
    activation : str
        The activation function of a network layer that equals the conditional mean.
    loss : str
        The loss of a network whose output is compared with such units.
    learning_rate : float
        What ``learning_rate="auto"`` means for an RBM with such units.
    has_mean : bool, default=True
        Whether states have a mean over the data that does not depend on the row.
    """

    activation: str
    loss: str
    learning_rate: float
    has_mean = True

    # -- states given the other side ----------------------------------------------------
    @abstractmethod
    def mean(self, z, bias):
        """Turn pre-activations without bias into conditional means, in place."""

    @abstractmethod
    def mode(self, z, bias):
        """Turn pre-activations without bias into the likeliest states, in place."""

    @abstractmethod
    def sample(self, z, bias, states, stream):
        """Turn ``z`` into means in place and draw ``states``, which may be ``z``."""

    # -- the family ---------------------------------------------------------------------
    @abstractmethod
    def log_partition(self, z, shift, direction):
        """Sum of ``A(z[i, j] + shift[i] * direction[j])`` over j, shape (n_rows,)."""

    def free_term(self, z, bias):
        """Summed log-partition of pre-activations without bias, shape (n_rows,)."""
        return self.log_partition(z, np.ones(z.shape[0], z.dtype), bias)

    def energy(self, states):
        """Sum of ``g(x)`` over the units of each row, shape (n_rows,)."""
        return np.zeros(len(states), states.dtype)

    def log_measure(self, n_units):
        """What A leaves out of ``log int exp(x z - g(x)) dx``, summed over the units."""
        return 0.0

    def levels(self, n_units):
        """The states of each independent column or group, where they are finitely many.

        Returns
        -------
        levels : list of ndarray of shape (n_levels, n_columns), or None
            The columns of all groups together are ``n_units``. Levels of one column
            increase, those of several columns are the one-hot rows. None if there are
            infinitely many states.
        """

    def quadrature(self, z):
        """Points and log-weights that add up the density of units driven by about ``z``.

        Needed where there are no ``levels``, for the pseudo-likelihood: the density is
        not known in advance but has its mass near that of the given pre-activations, of
        shape (n_rows,).

        Returns
        -------
        points : ndarray of shape (n_points, n_rows) or (n_points, 1)
        log_weights : ndarray of shape (n_points,)
        """
        raise NotImplementedError(
            f"{type(self).__name__} units have no pseudo-likelihood: they need the method "
            "levels or quadrature."
        )

    def pseudo_log_likelihood(self, V, bias, weights, Z, hidden):
        """Sum over columns or groups of the log-density given all the others.

        Parameters
        ----------
        V : ndarray of shape (n_rows, n_units)
            States. Means of states count as the expectation over ``levels``.
        bias : ndarray of shape (n_units,)
        weights : ndarray of shape (n_components, n_units)
        Z : ndarray of shape (n_rows, n_components)
            Pre-activations of the other side given V, with bias.
        hidden : Unit
            The other side.

        Returns
        -------
        log_likelihood : ndarray of shape (n_rows,)
        """
        levels = self.levels(V.shape[1])
        if levels is None:
            return by_quadrature(self, V, bias, weights, Z, hidden)
        return over_levels(self, levels, V, bias, weights, Z, hidden)

    # -- data and places ----------------------------------------------------------------
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

    def check_width(self, n_units):
        """Raise ValueError where there cannot be so many units."""

    def check_hidden(self):
        """Raise ValueError where such units cannot be hidden ones."""

    def as_layer(self, coef, bias):
        """Weights (n_inputs, n_units) and biases whose ``activation`` is the mean."""
        return coef, bias

    # -- units with parameters of their own ---------------------------------------------
    @property
    def has_parameters(self):
        """Whether there is something to learn beside the bias."""
        return False

    @property
    def parameters(self):
        """The array that ``bind`` was given, or None."""

    def initial_parameters(self, mean, variance):
        """Parameters beside the bias, from moments of the columns, where there are any."""

    def bind(self, parameters):
        """A unit with these parameters, an array that is read anew by each call."""
        return self

    def parameter_gradient(self, V, drive, bias, weights):
        """Derivative of the log-likelihood, summed over rows; None without parameters.

        Parameters
        ----------
        V : ndarray or CSRRows of shape (n_rows, n_units)
            Data.
        drive : ndarray of shape (n_rows, n_units)
            Hidden means given the data, times the weights.
        bias : ndarray of shape (n_units,)
        weights : ndarray of shape (n_rows,)
            Weights of the rows in the sum.

        Returns
        -------
        gradient : ndarray of shape (n_units,), or None
        """

    # -- visible units that depend on the row -------------------------------------------
    def given(self, V):
        """These units for rows like V, an array or CSRRows."""
        return self

    def totals(self, X):
        """Totals of rows, shape (n_rows,), where there is a model for each; else ones."""
        return np.ones(X.shape[0])

    def of_total(self, total):
        """These units in rows of one total, with hidden biases multiplied by it."""
        return self

    def bias_counts(self, V):
        """How often rows V count the hidden bias, shape (n_rows,); None for once."""

    def drive_bias(self, V, H, hidden_bias):
        """Add to H what rows V add to the hidden bias, which is added once anyhow."""
        counts = self.bias_counts(V)
        if counts is not None:
            H += np.multiply.outer((counts - 1).astype(H.dtype), hidden_bias)
