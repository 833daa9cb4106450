"""Persistent contrastive divergence with fast weights."""

from numbers import Real

from .._kernels import kernel
from .._sklearn import Interval
from .pcd import PCD


class FastPCD(PCD):
    """Persistent contrastive divergence with fast weights [1]_.

    The chains follow a model whose parameters are those of the RBM plus fast ones, which
    learn from the same gradient at a rate of their own and decay quickly. They push the
    chains away from where they are, so that the chains mix well even where the RBM alone
    would let them stick; the RBM's own learning rate can be small.

    Parameters
    ----------
    n_steps : int, default=1
        Number of Gibbs steps for each batch.
    n_chains : int or None, default=None
        Number of chains; None for as many as a batch has rows.
    fast_learning_rate : float, default=0.05
        Step size of the fast parameters, for the gradient averaged over a batch.
    decay : float, default=0.95
        Factor of the fast parameters at each step, 19/20 in [1]_.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton (2009), "Using fast weights to improve persistent
       contrastive divergence", ICML, doi:10.1145/1553374.1553506.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> X = load_digits().data / 16
    >>> rbm = RBM(32, sampler="fast_pcd", learning_rate=0.01, random_state=0).fit(X)
    >>> rbm.transform(X).shape
    (1797, 32)
    """

    _parameter_constraints: dict = {
        **PCD._parameter_constraints,
        "fast_learning_rate": [Interval(Real, 0, None, closed="neither")],
        "decay": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, n_steps=1, n_chains=None, fast_learning_rate=0.05, decay=0.95):
        super().__init__(n_steps, n_chains)
        self.fast_learning_rate = fast_learning_rate
        self.decay = decay

    def init_followers(self, theta):
        return {"theta": theta.copy(), "fast": 0 * theta}

    def follow(self, theta, gradient, followers, where, scale):
        arrays = theta, gradient, followers["fast"], followers["theta"]
        numbers = self.decay, self.fast_learning_rate * scale
        _follow(*(array[where] for array in arrays), *map(theta.dtype.type, numbers))


@kernel
def _follow(theta, gradient, fast, followed, decay, rate):
    for i in range(theta.size):
        f = decay * fast[i] - rate * gradient[i]
        fast[i] = f
        followed[i] = theta[i] + f
