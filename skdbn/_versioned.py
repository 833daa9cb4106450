"""Level 0: the base of everything that is pickled, which notes the version it is from."""

import warnings

from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

__version__ = "0.1.0"


class VersionWarning(InconsistentVersionWarning):
    """An object was stored by another version of skdbn than the one that reads it.

    A warning of ``pickle.load``, ``joblib.load`` and ``skops.io.load``, for estimators and
    the units, samplers, solvers and so on inside them. Make it an error to refuse such
    files, ``warnings.simplefilter("error", VersionWarning)``; a filter for scikit-learn's
    :class:`~sklearn.exceptions.InconsistentVersionWarning` does for both.

    Parameters
    ----------
    name : str
        Name of the class of the object.
    stored : str or None
        Version of skdbn that stored it; None for an unknown one.

    Examples
    --------
    >>> from skdbn.persistence import VersionWarning
    >>> print(str(VersionWarning("RBM", "0.0.9")).partition(" and ")[0])
    RBM was stored by skdbn 0.0.9
    """

    def __init__(self, name, stored):
        self.name = name
        self.stored = stored

    def __str__(self):
        stored = self.stored or "an unknown version"
        again = f"load it with skdbn=={stored}" if self.stored else "load it with that one"
        return (
            f"{self.name} was stored by skdbn {stored} and is loaded by skdbn "
            f"{__version__}, which may fail later or give other results. Fit the model "
            f"again with this version, or {again}."
        )


class VersionedEstimator(BaseEstimator):
    """A ``BaseEstimator`` of scikit-learn whose pickles know the version of skdbn."""

    def __getstate__(self):
        return {**super().__getstate__(), "_skdbn_version": __version__}

    def __setstate__(self, state):
        state = dict(state)
        stored = state.pop("_skdbn_version", None)
        if stored != __version__:
            warnings.warn(VersionWarning(type(self).__name__, stored), stacklevel=2)
        super().__setstate__(state)
