"""Contrastive divergence."""

from numbers import Integral

import numpy as np

from .._sklearn import Interval
from ._base import Sampler


class CD(Sampler):
    """Contrastive divergence: a short Gibbs chain from each row of the batch [1]_.

    Hidden states that drive the visible units are drawn. The hidden states of the last
    step are replaced by their means, which have the same expectation and less noise. With
    one step, so are the visible states, as is usual ([2]_, section 3): it adds a small
    bias to that of CD-1 itself. With more steps they are drawn, the chain is a true Gibbs
    chain, and the limit of many steps is the gradient of the likelihood.

    Parameters
    ----------
    n_steps : int, default=1
        Number of Gibbs steps, the k of CD-k.

    References
    ----------
    .. [1] G. Hinton (2002), "Training products of experts by minimizing contrastive
       divergence", Neural Computation 14, 1771-1800, doi:10.1162/089976602760128018.
    .. [2] G. Hinton (2010), "A practical guide to training restricted Boltzmann
       machines", UTML TR 2010-003.

    Examples
    --------
    >>> from skdbn import RBM
    >>> from skdbn.samplers import CD
    >>> RBM(64, sampler=CD(n_steps=10)).get_params()["sampler__n_steps"]
    10
    """

    _parameter_constraints: dict = {"n_steps": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, n_steps=1):
        self.n_steps = n_steps

    def negative(self, energy, part):
        V, H = part.visible_model, part.hidden_model
        if self.n_steps == 1:
            np.dot(part.states, energy.weights, out=V)
            energy.visible.mean(V, energy.visible_bias)
        else:
            for _ in range(self.n_steps - 1):
                energy.sample_visible(part.states, part.stream, V)
                energy.sample_hidden(V, part.stream, part.states)
            energy.sample_visible(part.states, part.stream, V)
        energy.drive_hidden(V, H)
        energy.hidden.mean(H, energy.hidden_bias)
