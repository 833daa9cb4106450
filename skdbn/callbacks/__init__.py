"""Callbacks: what watches a fit, stops it, and lets it go on after it was killed.

They follow the protocol of :mod:`sklearn.callback`, whose own ones work as well, and go on
an estimator by ``set_callbacks``.
"""

from ._checkpoint import Checkpoint
from ._early_stopping import EarlyStopping
from ._recorder import Recorder
from ._snapshots import Snapshot, Snapshots

__all__ = ["Checkpoint", "EarlyStopping", "Recorder", "Snapshot", "Snapshots"]
