"""Storing fitted models, and what to expect when they are read again.

Estimators are stored by ``pickle`` and ``joblib`` as those of scikit-learn are. Reading
such a file runs whatever code its author put into it. `skops
<https://skops.readthedocs.io>`_ stores the same objects as data, and makes only objects of
types that are trusted: scikit-learn's, and those that one names.

Attributes
----------
TRUSTED_TYPES : list of str
    The types of skdbn that an estimator may hold: the estimators, and the units, samplers,
    solvers and so on inside them. None of them runs code of the file's author when it is
    made. A type of your own, such as a unit, is to be added.

Examples
--------
>>> import skops.io as sio
>>> from skdbn import MLPClassifier
>>> from skdbn.persistence import TRUSTED_TYPES
>>> mlp = MLPClassifier((3,), max_iter=5, tol=None).fit([[0.0], [1.0]], [0, 1])
>>> stored = sio.dumps(mlp)  # sio.dump(mlp, "mlp.skops") for a file
>>> bool((sio.loads(stored, trusted=TRUSTED_TYPES).coefs_[0] == mlp.coefs_[0]).all())
True
"""

from inspect import isabstract

from . import autoencoder, dbn, distributed  # noqa: F401, which import all there is
from ._versioned import VersionedEstimator, VersionWarning

__all__ = ["TRUSTED_TYPES", "VersionWarning"]


def _ours(kind):
    """Names of the classes of this package below a class that can have objects."""
    for below in kind.__subclasses__():
        if below.__module__.startswith("skdbn.") and not isabstract(below):
            yield f"{below.__module__}.{below.__qualname__}"
        yield from _ours(below)


TRUSTED_TYPES = sorted(set(_ours(VersionedEstimator)))
