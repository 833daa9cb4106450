"""The unit types of an RBM, one file each, and the names they go by."""

from ._base import Unit
from .bernoulli import Bernoulli
from .gaussian import Gaussian

UNITS = {"bernoulli": Bernoulli, "gaussian": Gaussian}

__all__ = ["UNITS", "Bernoulli", "Gaussian", "Unit"]
