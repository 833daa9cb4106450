"""What a sampler has to do, and what it may remember."""

from abc import ABC, abstractmethod
from numbers import Integral

from .._sklearn import Interval
from .._versioned import VersionedEstimator


class Sampler(ABC, VersionedEstimator):
    """Base class of the ways to estimate the negative phase of the gradient.

    A sampler object holds what the user chose and nothing that changes while training.

    Attributes
    ----------
    center : bool
        What ``center="auto"`` means for an RBM with this sampler.
    learning_rate_factor : float
        By how much it changes what ``learning_rate="auto"`` means.
    """

    center = False
    learning_rate_factor = 1.0

    def count_chains(self, batch_size):
        """Number of chains that go on from batch to batch; None if they start anew."""
        return None

    @abstractmethod
    def negative(self, energy, part):
        """Fill ``visible_model`` and ``hidden_model`` of a part of a batch.

        Where chains start anew, the part's ``states`` are hidden states drawn given the
        data and may be overwritten, else its ``memory`` is what ``start`` returned. Parts
        of a batch are worked on by several threads at once.
        """

    def init_followers(self, theta):
        """Flat arrays beside the parameters that change with them, by name.

        One named "theta" takes the place of the parameters in the negative phase.
        """
        return {}

    def follow(self, theta, gradient, followers, where, scale):
        """Change a slice of the followers after a step; scale makes a mean gradient."""

    def attributes(self, memories):
        """Fitted attributes that tell how the chains did, from all parts' memories."""
        return {}


class PersistentSampler(Sampler):
    """Base class of the samplers whose chains go on from batch to batch.

    Attributes
    ----------
    n_steps : int
        Steps of each chain for a batch.
    n_chains : int or None
        Number of chains; None for as many as a batch has rows.
    """

    # Chains follow slow changes only.
    center = True
    learning_rate_factor = 0.1

    _parameter_constraints: dict = {
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "n_chains": [Interval(Integral, 1, None, closed="left"), None],
    }

    def count_chains(self, batch_size):
        return self.n_chains or batch_size

    @abstractmethod
    def start(self, energy, part):
        """What chains that begin at the rows in ``visible_model`` remember, as a dict."""
