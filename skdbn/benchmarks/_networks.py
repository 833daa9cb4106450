"""What the tables of ``skdbn networks`` share."""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from sklearn.utils import gen_batches

from skdbn.benchmarks._models import annealed
from skdbn.benchmarks._report import check_names
from skdbn.benchmarks._tables import Images, Row

_QUICK_EPOCHS = 2


@dataclass
class NetworksTable:
    """A table of models that are measured on test images, means over some seeds.

    Attributes
    ----------
    formats : dict of str to str
        The columns and how they are printed.
    headlines : tuple of str
        The columns that are told when a model is finished.
    spread : set of str
        The columns that get another one with their standard deviation, ``name_sd``.
    """

    images: Images
    seed: int = 0
    runs: int = 1
    quick: bool = False
    models: list[str] | None = None

    spread = frozenset()

    @property
    def settings(self):
        """What all models share."""
        return {"random_state": self.seed, "runs": self.runs}

    @classmethod
    def list_models(cls):
        """Return the names of the models."""
        return "\n".join(cls(images=None)._measures())

    def rows(self):
        """Return the rows of the models that were asked for, under each condition."""
        measures = self._measures()
        names = check_names(self.models or list(measures), measures, "model")
        return [
            Row(
                {"model": name, **condition},
                partial(self._measure, measures[name], condition),
            )
            for condition in self._conditions()
            for name in names
        ]

    def _measures(self):
        """Return what measures each model, given a seed and a condition, by its name."""
        raise NotImplementedError

    def _conditions(self):
        """Return the conditions under which all models are measured, columns of theirs."""
        return [{}]

    def _measure(self, measure, condition):
        """Return means over the runs."""
        seeds = range(self.seed, self.seed + self.runs)
        return self._summary([measure(seed, **condition) for seed in seeds])

    def _summary(self, found):
        """Return the means over the runs, and standard deviations where there are some."""
        summary = {name: np.mean([run[name] for run in found]) for name in found[0]}
        if len(found) > 1:
            for name in self.spread & summary.keys():
                summary[f"{name}_sd"] = np.std([run[name] for run in found], ddof=1)
        return summary

    def _epochs(self, n_epochs):
        """Return the number of epochs to train for."""
        return min(_QUICK_EPOCHS, n_epochs) if self.quick else n_epochs

    def _annealed(self, n_epochs, rate=0.001):
        """Return the parameters of so many epochs in which the rate falls to zero."""
        return annealed(self._epochs(n_epochs), rate)


def timed(function, *args):
    """Call a function; returns its result and the seconds it took."""
    start = time.perf_counter()
    result = function(*args)
    return result, time.perf_counter() - start


def hold_out(images):
    """Put the last sixth of the training images in the place of the test images."""
    n_train = images.n_train * 5 // 6
    return images._replace(X=images.train, y=images.y[: images.n_train], n_train=n_train)


def squared_error(reconstruct, X):
    """Return the squared error of reconstructions, summed over pixels, mean over images."""
    errors = [
        np.square(reconstruct(X[rows]) - X[rows], dtype=np.float64).sum()
        for rows in gen_batches(len(X), 2000)
    ]
    return sum(errors) / len(X)
