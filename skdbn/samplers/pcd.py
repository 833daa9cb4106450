"""Persistent contrastive divergence."""

import numpy as np

from ._base import PersistentSampler


class PCD(PersistentSampler):
    """Persistent contrastive divergence, or stochastic maximum likelihood [1]_ [2]_.

    Gibbs chains go on from batch to batch while the parameters change little, so that they
    stay close to the model's distribution, and the estimate of the gradient close to that
    of the likelihood. They begin at rows of the first batch and go on through ``fit`` and
    from call to call of ``partial_fit``. The hidden states of the last step are replaced
    by their means, as in :class:`CD`.

    A small learning rate that falls, such as ``schedules.Ramp(0.05, 0.0, n_epochs=None)``,
    lets the chains keep up.

    Parameters
    ----------
    n_steps : int, default=1
        Number of Gibbs steps for each batch, the k of PCD-k.
    n_chains : int or None, default=None
        Number of chains; None for as many as a batch has rows.

    References
    ----------
    .. [1] T. Tieleman (2008), "Training restricted Boltzmann machines using approximations
       to the likelihood gradient", ICML, doi:10.1145/1390156.1390290.
    .. [2] L. Younes (1989), "Parametric inference for imperfectly observed Gibbsian
       fields", Probability Theory and Related Fields 82, 625-645,
       doi:10.1007/BF00341287.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.samplers import PCD
    >>> X = load_digits().data / 16
    >>> rbm = RBM(32, sampler=PCD(n_steps=2), learning_rate=0.05, random_state=0).fit(X)
    >>> rbm.set_params(sampler__n_steps=1).sampler
    PCD()
    """

    def __init__(self, n_steps=1, n_chains=None):
        self.n_steps = n_steps
        self.n_chains = n_chains

    def start(self, energy, part):
        visible, H = part.visible_model.copy(), np.empty_like(part.hidden_model)
        energy.given(visible).sample_hidden(visible, part.stream, H)
        return {"visible": visible, "hidden": H}

    def negative(self, energy, part):
        V, H, chain = part.visible_model, part.hidden_model, part.memory
        energy = energy.given(chain["visible"])
        for _ in range(self.n_steps):
            energy.sample_visible(chain["hidden"], part.stream, V)
            energy.drive_hidden(V, H)
            energy.hidden.sample(H, energy.hidden_bias, chain["hidden"], part.stream)
        chain["visible"][:] = V
