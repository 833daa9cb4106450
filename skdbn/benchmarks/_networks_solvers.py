"""All optimisers on the same network and data."""

import math
from functools import partial

import numpy as np

from skdbn import MLPClassifier
from skdbn.benchmarks._networks import NetworksTable, timed
from skdbn.optimizers import SOLVERS, MiniBatchOptimizer

_SIZES = {"digits": (64, 32), "mnist": (500, 300)}
_EPOCHS = {"digits": 30, "mnist": 10}
_BATCH_SIZES = {"digits": 20, "mnist": 100}
_LARGE_BATCHES = {"digits": 400, "mnist": 1000}
# The optimisers that take a learning rate, with their own one.
_RATES = {
    name: solver.learning_rate
    for name, solver in SOLVERS.items()
    if issubclass(solver, MiniBatchOptimizer)
}


class SolversTable(NetworksTable):
    """One network, trained by each optimiser at its own learning rate.

    ``loss`` is the training loss of the last epoch, ``test_error`` the percentage of test
    images that are taken for another class, ``evaluations`` how often the loss of a batch
    and its gradient were computed, and ``rows`` how many million rows these batches had.
    """

    formats = {
        "model": "{}",
        "learning_rate": "{:g}",
        "epochs": "{:.0f}",
        "loss": "{:.2e}",
        "test_error": "{:.2f}",
        "test_error_sd": "{:.2f}",
        "evaluations": "{:.0f}",
        "rows": "{:.2f}",
        "fit_seconds": "{:.1f}",
    }
    headlines = ("test_error",)
    spread = frozenset({"test_error"})

    @property
    def settings(self):
        """What all models share."""
        return super().settings | {"hidden_layer_sizes": _SIZES[self.images.name]}

    def _measures(self):
        return {name: partial(self._score, name) for name in SOLVERS}

    def _options(self, solver):
        """Return the parameters that depend on the optimiser."""
        n_rows, name = self.images.n_train, self.images.name
        n_epochs = self._epochs(_EPOCHS[name])
        if solver in _RATES:
            return {"batch_size": _BATCH_SIZES[name], "max_iter": n_epochs}
        if solver == "cg":
            batch_size = min(_LARGE_BATCHES[name], n_rows)
            return {"batch_size": batch_size, "max_iter": n_epochs}
        # About as many evaluations of all rows as conjugate gradients make.
        return {"batch_size": n_rows, "max_iter": 8 * n_epochs}

    def _score(self, solver, seed):
        """Fit the network with an optimiser and score it."""
        images = self.images
        sizes, options = _SIZES[images.name], self._options(solver)
        network = MLPClassifier(
            sizes, solver=solver, tol=None, random_state=seed, **options
        )
        _, seconds = timed(network.fit, images.train, images.train_y)
        n_batches = math.ceil(images.n_train / options["batch_size"])
        return {
            "epochs": network.n_iter_,
            "learning_rate": _RATES.get(solver, np.nan),
            "loss": network.loss_,
            "test_error": 100 * (1 - network.score(images.test, images.test_y)),
            "evaluations": network.n_evaluations_,
            "rows": network.n_evaluations_ * images.n_train / n_batches / 1e6,
            "fit_seconds": seconds,
        }
