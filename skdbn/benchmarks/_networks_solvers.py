"""All optimisers on the same network and data."""

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
        "loss": "{:.2e}",
        "test_error": "{:.2f}",
        "test_error_sd": "{:.2f}",
        "evaluations": "{:.0f}",
        "rows": "{:.2f}",
        "fit_seconds": "{:.1f}",
    }
    headlines = ("test_error",)
    spread = ("test_error",)

    @property
    def settings(self):
        """What all models share."""
        return super().settings | {
            "hidden_layer_sizes": _SIZES[self.images.name],
            "max_iter": self._epochs(_EPOCHS[self.images.name]),
        }

    def _measures(self):
        return {name: partial(self._score, name) for name in SOLVERS}

    def _options(self, solver):
        """Return the parameters that depend on the optimiser."""
        n_rows, name = self.images.n_train, self.images.name
        if solver in _RATES:
            return {"batch_size": _BATCH_SIZES[name]}
        if solver == "cg":
            return {"batch_size": min(_LARGE_BATCHES[name], n_rows)}
        # About as many evaluations of all rows as conjugate gradients make.
        return {"batch_size": n_rows, "max_iter": 8 * self.settings["max_iter"]}

    def _score(self, solver, seed):
        """Fit the network with an optimiser and score it."""
        images = self.images
        shared = {name: self.settings[name] for name in ("hidden_layer_sizes", "max_iter")}
        options = shared | self._options(solver)
        network = MLPClassifier(solver=solver, tol=None, random_state=seed, **options)
        _, seconds = timed(network.fit, images.train, images.train_y)
        return {
            "learning_rate": _RATES.get(solver, np.nan),
            "loss": network.loss_,
            "test_error": 100 * (1 - network.score(images.test, images.test_y)),
            "evaluations": network.n_evaluations_,
            "rows": network.n_evaluations_ * options["batch_size"] / 1e6,
            "fit_seconds": seconds,
        }
