"""Estimated log-likelihoods of larger RBMs, trained with several samplers."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from skdbn import RBM
from skdbn.benchmarks._likelihood import draw_bits
from skdbn.benchmarks._report import check_names
from skdbn.benchmarks._tables import Images, Row, seconds_of
from skdbn.likelihood import annealed_importance_sampling, log_likelihood, reverse_ais
from skdbn.samplers import CD, PCD, FastPCD, ParallelTempering
from skdbn.schedules import Ramp

# The samplers by name, and how many epochs of CD-1 one of theirs counts for.
_SAMPLERS = {
    "cd-1": (CD(), 1),
    "cd-25": (CD(25), 10),
    "pcd-1": (PCD(), 1),
    "fast-pcd": (FastPCD(fast_learning_rate=0.05), 1),
    "tempering": (ParallelTempering(10, n_chains=100), 10),
}
_HIDDEN_UNITS = {"digits": 64, "mnist": 500}
_BATCH_SIZES = {"digits": 10, "mnist": 100}
_EPOCHS = {"digits": 100, "mnist": 100}
_TEMPERATURES, _QUICK_TEMPERATURES = 14_500, 300
_REVERSE_ROWS, _QUICK_REVERSE_ROWS = 100, 20


def list_models():
    """Return the names of the models with their samplers."""
    return "\n".join(f"{name:<12}{sampler}" for name, (sampler, _) in _SAMPLERS.items())


def check_models(names):
    """Return the names of models without repetition, or say which are unknown."""
    if not names:
        raise ValueError("no model to run")
    return check_names(names, _SAMPLERS, "model")


@dataclass
class LargeTable:
    """RBMs with 500 hidden units, 64 for the digits, by the sampler they are trained with.

    Each epoch draws bits anew with the grey levels as probabilities; the test rows are
    drawn once. Log-likelihoods are in nats an image, means over the test rows, except
    ``forward`` and ``reverse``: those of annealed importance sampling and of its reverse
    for the first rows of them.
    """

    images: Images
    seed: int = 0
    epochs: int | None = None
    quick: bool = False
    temperatures: int | None = None
    models: list[str] = field(default_factory=lambda: list(_SAMPLERS))

    formats = {
        "model": "{}",
        "epochs": "{}",
        "fit_seconds": "{:.1f}",
        "log_z": "{:.2f}",
        "log_z_low": "{:.2f}",
        "log_z_high": "{:.2f}",
        "effective_chains": "{:.0f}",
        "test": "{:.2f}",
        "test_low": "{:.2f}",
        "test_high": "{:.2f}",
        "forward": "{:.2f}",
        "reverse": "{:.2f}",
    }
    headlines = ("test",)

    @property
    def settings(self):
        """What all models share."""
        default = _QUICK_TEMPERATURES if self.quick else _TEMPERATURES
        return {
            "n_components": _HIDDEN_UNITS[self.images.name],
            "batch_size": _BATCH_SIZES[self.images.name],
            "n_temperatures": self.temperatures or default,
            "n_chains": 100,
            "n_reverse": _QUICK_REVERSE_ROWS if self.quick else _REVERSE_ROWS,
            "random_state": self.seed,
        }

    def rows(self):
        """Return the rows, one for each sampler."""
        bits = draw_bits(self.images.test, np.random.default_rng(self.seed))
        rows = []
        for name in self.models:
            sampler, cost = _SAMPLERS[name]
            epochs = self._epochs(cost)
            names = {"model": name, "epochs": epochs}
            rows.append(Row(names, partial(self._score, sampler, epochs, bits)))
        return rows

    def _epochs(self, cost):
        """Return the epochs of a sampler that takes so many times longer than CD-1."""
        if self.epochs is not None:
            return self.epochs
        return _EPOCHS[self.images.name] // (cost * (5 if self.quick else 1))

    def _score(self, sampler, epochs, bits):
        """Train with a sampler and score the bits of the test rows."""
        settings = self.settings
        rbm = RBM(
            settings["n_components"],
            sampler=sampler,
            learning_rate=Ramp(0.1, 0.0, n_epochs=None),
            momentum=0,
            alpha=0,
            average=3,
            batch_size=settings["batch_size"],
            max_iter=epochs,
            random_state=self.seed,
        )
        seconds = seconds_of(self._fit, rbm, self.images.train)
        return {"fit_seconds": seconds, **self._estimates(rbm, bits)}

    def _fit(self, rbm, X):
        """Fit an RBM to bits that are drawn anew in each epoch."""
        rng = np.random.default_rng(self.seed)
        for _ in range(rbm.max_iter):
            rbm.partial_fit(draw_bits(X, rng))

    def _estimates(self, rbm, bits):
        """Return what annealing, forward and in reverse, tells of an RBM."""
        settings, base = self.settings, self.images.train
        how = {
            "n_temperatures": settings["n_temperatures"],
            "X_base": base,
            "random_state": self.seed,
        }
        result = annealed_importance_sampling(rbm, n_chains=settings["n_chains"], **how)
        forward = log_likelihood(rbm, bits, result)
        first = bits[: settings["n_reverse"]]
        low, high = result.interval
        return {
            "log_z": result.log_partition,
            "log_z_low": low,
            "log_z_high": high,
            "effective_chains": result.effective_sample_size,
            "test": forward.mean(),
            "test_low": forward.mean() + result.log_partition - high,
            "test_high": forward.mean() + result.log_partition - low,
            "forward": forward[: len(first)].mean(),
            "reverse": reverse_ais(rbm, first, **how).mean(),
        }
