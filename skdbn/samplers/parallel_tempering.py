"""Parallel tempering."""

from numbers import Integral

import numpy as np

from .._kernels import kernel, log, uniform
from .._sklearn import Interval
from ._base import PersistentSampler


class ParallelTempering(PersistentSampler):
    """Persistent chains at several temperatures that exchange their states [1]_ [2]_.

    Beside each chain of the model there are chains of flatter models, which move easily
    from mode to mode; states wander between neighbours by Metropolis swaps. At the inverse
    temperature ``b`` the density of states is

        ``exp(-g(v) - g(h) + ((1 - b) base + b bias) v + b (c h + h W v))``,

    where ``base`` are the visible biases that the fit started from, so that the flattest
    model has the data's column means ([3]_, which anneals along the same path).

    The cost is that of :class:`PCD` with ``n_temperatures`` times as many chains.

    Parameters
    ----------
    n_temperatures : int, default=10
        Number of inverse temperatures, spaced evenly from 0 to 1.
    n_steps : int, default=1
        Number of Gibbs steps for each batch, each followed by swaps.
    n_chains : int or None, default=None
        Number of chains at each temperature; None for as many as a batch has rows.

    Notes
    -----
    The fitted RBM has the attribute ``swap_rates_``, of shape (n_temperatures - 1,): the
    share of accepted swaps between neighbours, from the flattest model up, over the whole
    fit. Where one is near zero, states do not get through: use more temperatures.

    References
    ----------
    .. [1] G. Desjardins, A. Courville, Y. Bengio, P. Vincent, O. Delalleau (2010),
       "Tempered Markov chain Monte Carlo for training of restricted Boltzmann machines",
       AISTATS.
    .. [2] K. Cho, T. Raiko, A. Ilin (2010), "Parallel tempering is efficient for learning
       restricted Boltzmann machines", IJCNN, doi:10.1109/IJCNN.2010.5596837.
    .. [3] R. Salakhutdinov, I. Murray (2008), "On the quantitative analysis of deep belief
       networks", ICML, doi:10.1145/1390156.1390266.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.samplers import ParallelTempering
    >>> X = load_digits().data / 16
    >>> rbm = RBM(16, sampler=ParallelTempering(5), max_iter=5, random_state=0).fit(X)
    >>> rbm.swap_rates_.shape
    (4,)
    """

    _parameter_constraints: dict = {
        **PersistentSampler._parameter_constraints,
        "n_temperatures": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(self, n_temperatures=10, n_steps=1, n_chains=None):
        self.n_temperatures = n_temperatures
        self.n_steps = n_steps
        self.n_chains = n_chains

    def start(self, energy, part):
        visible = np.stack([part.visible_model] * self.n_temperatures)
        hidden = np.empty((*visible.shape[:2], part.hidden_model.shape[1]), visible.dtype)
        for V, H in zip(visible, hidden, strict=True):
            energy.given(V).sample_hidden(V, part.stream, H)
        return {
            "visible": visible,
            "hidden": hidden,
            "base": energy.visible_bias.copy(),
            "n_accepted": np.zeros(self.n_temperatures - 1),
            "n_tried": np.zeros(self.n_temperatures - 1),
        }

    def negative(self, energy, part):
        chain, betas = part.memory, np.linspace(0, 1, self.n_temperatures).tolist()
        # Swapped states are of one chain, whose rows have the same total.
        energy = energy.given(chain["visible"][0])
        for _ in range(self.n_steps):
            drive = self._move(energy, chain, betas, part.stream)
            self._swap(energy, chain, drive, betas, part.stream)
        part.visible_model[:] = chain["visible"][-1]
        energy.drive_hidden(part.visible_model, part.hidden_model)
        energy.hidden.mean(part.hidden_model, energy.hidden_bias)

    def _move(self, energy, chain, betas, stream):
        """A Gibbs step of each chain; returns what drives the hidden units."""
        visible, hidden, base = chain["visible"], chain["hidden"], chain["base"]
        drive = np.empty_like(hidden)
        for V, H, Z, beta in zip(visible, hidden, drive, betas, strict=True):
            np.dot(H, energy.weights, out=V)
            V *= beta
            energy.visible.sample(V, base + beta * (energy.visible_bias - base), V, stream)
            energy.drive_hidden(V, Z)
            np.multiply(Z, beta, out=H)
            energy.hidden.sample(H, beta * energy.hidden_bias, H, stream)
        return drive

    def _swap(self, energy, chain, drive, betas, stream):
        """Offer each chain's states at neighbouring temperatures an exchange."""
        visible, hidden = chain["visible"], chain["hidden"]
        tilt = visible @ (energy.visible_bias - chain["base"])
        tilt += np.einsum("tij,tij->ti", drive, hidden) + hidden @ energy.hidden_bias
        steps = np.diff(betas).astype(tilt.dtype)
        # From above, so that a state may fall or rise by several temperatures at once.
        start, key = stream.take(steps.size * tilt.shape[1])
        _swap(visible, hidden, tilt, steps, chain["n_accepted"], start, key)
        chain["n_tried"] += tilt.shape[1]

    def attributes(self, memories):
        tried = sum(memory["n_tried"] for memory in memories)
        accepted = sum(memory["n_accepted"] for memory in memories)
        return {"swap_rates_": accepted / np.maximum(tried, 1)}


@kernel
def _swap(visible, hidden, tilt, steps, n_accepted, start, key):
    # The ratio of the densities after and before is exp((b - a) (tilt_a - tilt_b)).
    for t in range(steps.size - 1, -1, -1):
        for i in range(tilt.shape[1]):
            n = start + np.uint64(t * tilt.shape[1] + i)
            u = max(uniform(n, key), np.float32(2**-25))
            if np.float64(log(u)) < steps[t] * (tilt[t, i] - tilt[t + 1, i]):
                n_accepted[t] += 1
                tilt[t, i], tilt[t + 1, i] = tilt[t + 1, i], tilt[t, i]
                for j in range(visible.shape[2]):
                    v = visible[t, i, j]
                    visible[t, i, j] = visible[t + 1, i, j]
                    visible[t + 1, i, j] = v
                for j in range(hidden.shape[2]):
                    h = hidden[t, i, j]
                    hidden[t, i, j] = hidden[t + 1, i, j]
                    hidden[t + 1, i, j] = h
