"""The ways to estimate the negative phase, one file each, and the names they go by."""

from ._base import Phases, Sampler
from .cd import CD

SAMPLERS = {"cd": CD}

__all__ = ["CD", "SAMPLERS", "Phases", "Sampler"]
