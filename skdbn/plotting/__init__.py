"""Displays, in the manner of scikit-learn's, and films of training."""

from .activation import ActivationDisplay
from .animation import animate
from .comparison import OptimizerComparisonDisplay
from .curves import LearningCurveDisplay
from .data import ClassMeanDisplay, PixelHistogramDisplay
from .embedding import EmbeddingDisplay
from .filters import FilterDisplay
from .parameters import GradientFlowDisplay, WeightDisplay
from .reconstruction import ReconstructionDisplay
from .samples import SampleDisplay

__all__ = [
    "ActivationDisplay",
    "ClassMeanDisplay",
    "EmbeddingDisplay",
    "FilterDisplay",
    "GradientFlowDisplay",
    "LearningCurveDisplay",
    "OptimizerComparisonDisplay",
    "PixelHistogramDisplay",
    "ReconstructionDisplay",
    "SampleDisplay",
    "WeightDisplay",
    "animate",
]
