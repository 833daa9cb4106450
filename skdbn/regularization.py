"""What is asked of an RBM beside the likelihood of its data."""

from numbers import Real

from ._sklearn import Interval
from ._versioned import VersionedEstimator

__all__ = ["Sparsity"]


class Sparsity(VersionedEstimator):
    """Hidden units that are on for a given share of the rows.

    The gradient gets ``cost * (q - target)`` for each hidden unit's total input, where q
    is a moving average of the unit's mean activity; this is the derivative of the cross
    entropy between the two for binary units ([1]_, section 11; [2]_).

    Parameters
    ----------
    target : float, default=0.05
        The mean activity that is asked for.
    cost : float, default=0.1
        Strength. The distribution of the mean activities should come close to the target
        without spoiling the reconstruction error.

    References
    ----------
    .. [1] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003.
    .. [2] H. Lee, C. Ekanadham, A. Ng (2007), "Sparse deep belief net model for visual
       area V2", NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.regularization import Sparsity
    >>> X = load_digits().data / 16
    >>> rbm = RBM(32, sparsity=Sparsity(target=0.1, cost=1.0), random_state=0).fit(X)
    >>> bool(rbm.transform(X).mean() < 0.2)
    True
    """

    _parameter_constraints: dict = {
        "target": [Interval(Real, None, None, closed="neither")],
        "cost": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, target=0.05, cost=0.1):
        self.target = target
        self.cost = cost
