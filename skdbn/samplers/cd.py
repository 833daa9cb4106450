"""Contrastive divergence."""

from numbers import Integral

import numpy as np

from .._sklearn import Interval, StrOptions
from ._base import Sampler


class CD(Sampler):
    """Contrastive divergence: a short Gibbs chain from each row of the batch [1]_.

    Hidden states that drive the visible units are drawn. The hidden states of the last
    step are replaced by their means, which have the same expectation and less noise.

    Parameters
    ----------
    n_steps : int, default=1
        Number of Gibbs steps, the k of CD-k.
    reconstruction : {"auto", "mean", "sample"}, default="auto"
        What the visible states of the last step are: their means, as is usual with one
        step ([2]_, section 3), which adds a small bias to that of CD-1 itself, or draws,
        which make the chain a true Gibbs chain, whose limit of many steps is the gradient
        of the likelihood. "auto" is "mean" for one step and "sample" for more.

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

    _parameter_constraints: dict = {
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "reconstruction": [StrOptions({"auto", "mean", "sample"})],
    }

    def __init__(self, n_steps=1, reconstruction="auto"):
        self.n_steps = n_steps
        self.reconstruction = reconstruction

    def negative(self, energy, part):
        V, H = part.visible_model, part.hidden_model
        for _ in range(self.n_steps - 1):
            energy.sample_visible(part.states, part.stream, V)
            energy.sample_hidden(V, part.stream, part.states)
        wanted = self.reconstruction
        if wanted == "mean" or (wanted == "auto" and self.n_steps == 1):
            np.dot(part.states, energy.weights, out=V)
            energy.visible.mean(V, energy.visible_bias)
        else:
            energy.sample_visible(part.states, part.stream, V)
        energy.drive_hidden(V, H)
        energy.hidden.mean(H, energy.hidden_bias)
