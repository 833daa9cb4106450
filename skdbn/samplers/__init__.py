"""The ways to estimate the negative phase, one file each, and the names they go by."""

from ._base import PersistentSampler, Sampler
from .cd import CD
from .fast_pcd import FastPCD
from .parallel_tempering import ParallelTempering
from .pcd import PCD

SAMPLERS = {"cd": CD, "pcd": PCD, "fast_pcd": FastPCD, "tempering": ParallelTempering}

__all__ = [
    "CD",
    "PCD",
    "SAMPLERS",
    "FastPCD",
    "ParallelTempering",
    "PersistentSampler",
    "Sampler",
]
