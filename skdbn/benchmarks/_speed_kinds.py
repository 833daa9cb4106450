"""The kinds of cases of ``skdbn speed``: what is trained, on what, beside what."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.frozen import FrozenEstimator

import skdbn
from skdbn.benchmarks import _speed_floors as floors
from skdbn.benchmarks import _speed_peers as peers
from skdbn.benchmarks._speed_data import images, texts
from skdbn.likelihood import annealed_importance_sampling

EPOCH = 60_000  # rows, as many as MNIST has to train on
_ALPHA = 0.0001
_BLOCK_ROWS = 2048


@dataclass(frozen=True, kw_only=True)
class Case:
    """Something to be timed.

    ``floor``, ``ours`` and each value of ``peers`` are runs: functions without arguments
    that do the work once and return how many units that was, rows for most cases.
    """

    name: str
    title: str
    batch_size: int = 100
    n_batches: int = 120  # of one measurement
    n_units: int = EPOCH  # seconds are told for so many
    unit: str = "rows"
    target: float | None = None  # the largest good ratio to the floor
    in_quick: bool = False
    memory_rows: int | None = EPOCH  # for which memory is measured, None if it is not

    @property
    def n_rows(self):
        """Rows of one measurement."""
        return self.batch_size * self.n_batches

    def quick(self):
        """The same case with fewer rows."""
        return replace(self, n_batches=max(1, self.n_batches // 3))

    def data(self, n_rows):
        """Rows and their classes."""
        return images(n_rows)

    def peers(self, X, y):
        """What ours is compared with, by name."""
        return {}


@dataclass(frozen=True, kw_only=True)
class RBMCase(Case):
    """An RBM with binary units, trained by CD-1."""

    n_features: int = 784
    n_components: int = 500

    def data(self, n_rows):
        return images(n_rows, self.n_features)

    def floor(self, X, y):
        """The products of CD-1."""
        shape = (self.n_features, self.n_components)
        return floors.cd1(*shape, self.batch_size, self.n_batches)

    def ours(self, X, y):
        """An epoch that goes on from the one before."""
        rbm = skdbn.RBM(
            self.n_components,
            batch_size=self.batch_size,
            max_iter=1,
            warm_start=True,
            random_state=0,
        )
        return _fit(rbm, X)

    def peers(self, X, y):
        options = (self.n_components, self.batch_size)
        return {
            "BernoulliRBM": peers.bernoulli_rbm(X, *options, np.float32),
            "BernoulliRBM float64": peers.bernoulli_rbm(X, *options, np.float64),
            **peers.pytorch(lambda loops: loops.rbm(X, *options)),
        }


@dataclass(frozen=True, kw_only=True)
class SparseRBMCase(RBMCase):
    """An RBM on sparse rows."""

    def data(self, n_rows):
        return texts(n_rows, self.n_features)

    def floor(self, X, y):
        batch = X[: self.batch_size]
        return floors.sparse_cd1(batch, self.n_components, self.n_batches)

    def peers(self, X, y):
        options = (self.n_components, self.batch_size)
        return {"BernoulliRBM": peers.bernoulli_rbm_by_batch(X, *options)}


@dataclass(frozen=True, kw_only=True)
class MLPCase(Case):
    """A network that classifies, from random weights."""

    sizes: tuple
    activation: str
    solver: str = "adam"
    sklearn: bool = True  # whether scikit-learn has such a network

    def data(self, n_rows):
        return images(n_rows, self.sizes[0])

    def floor(self, X, y):
        """The products of backpropagation."""
        return floors.backpropagation(
            self.sizes, self.batch_size, self.n_batches, self.batch_size
        )

    def ours(self, X, y):
        """An epoch that goes on from the one before."""
        mlp = skdbn.MLPClassifier(
            self.sizes[1:-1], activation=self.activation, **self._options()
        )
        return _fit(mlp, X, y)

    def _options(self):
        """Parameters of every network that is trained by mini-batches."""
        return {
            "solver": self.solver,
            "alpha": _ALPHA,
            "batch_size": self.batch_size,
            "max_iter": 1,
            "tol": None,
            "warm_start": True,
            "random_state": 0,
        }

    def peers(self, X, y):
        options = (self.activation, self.solver, self.batch_size)
        found = peers.pytorch(
            lambda loops: loops.network(X, y, self.sizes, *options, _ALPHA)
        )
        if self.sklearn:
            mlp = peers.mlp_classifier(X, y, self.sizes[1:-1], *options)
            found = {"MLPClassifier": mlp, **found}
        return found


@dataclass(frozen=True, kw_only=True)
class FineTuningCase(MLPCase):
    """The same network when it starts from a stack of RBMs."""

    def ours(self, X, y):
        stack = FrozenEstimator(_stack(X, self.sizes[1:-1]))
        dbn = skdbn.DBNClassifier(self.sizes[1:-1], rbm=stack, **self._options())
        return _fit(dbn, X, y)


@dataclass(frozen=True, kw_only=True)
class AutoencoderCase(Case):
    """An autoencoder fine-tuned by conjugate gradients, for each evaluation of the loss."""

    sizes: tuple  # up to the code

    def data(self, n_rows):
        return images(n_rows, self.sizes[0])

    def floor(self, X, y):
        """The products of an evaluation of the loss and its gradient."""
        sizes = (*self.sizes, *self.sizes[-2::-1])
        return floors.backpropagation(sizes, self.batch_size, 10 * self.n_batches, 1)

    def ours(self, X, y):
        """An epoch of fine-tuning that starts from the same stack each time."""
        # Gaussian code units, as the autoencoder has them by default.
        stack = _stack(X, self.sizes[1:], hidden="gaussian")
        autoencoder = skdbn.DBNAutoencoder(
            self.sizes[1:],
            rbm=FrozenEstimator(stack),
            solver="cg",
            batch_size=self.batch_size,
            max_iter=1,
            tol=None,
            random_state=0,
        )

        def run():
            return autoencoder.fit(X).n_evaluations_

        return run


@dataclass(frozen=True, kw_only=True)
class TransformCase(Case):
    """The way up through a stack of RBMs."""

    sizes: tuple

    def data(self, n_rows):
        return images(n_rows, self.sizes[0])

    def floor(self, X, y):
        """The products, a block of rows at a time."""
        return floors.transform(X, self.sizes, _BLOCK_ROWS)

    def ours(self, X, y):
        """Transform all the rows."""
        stack = _stack(X, self.sizes[1:])
        return lambda: len(stack.transform(X))

    def peers(self, X, y):
        return peers.pytorch(lambda loops: loops.transform(X, self.sizes, _BLOCK_ROWS))


@dataclass(frozen=True, kw_only=True)
class SamplingCase(Case):
    """Annealed importance sampling of an RBM, for each temperature."""

    n_features: int = 784
    n_components: int = 500

    def data(self, n_rows):
        return images(1000)  # to fit an RBM to, which is not timed

    def floor(self, X, y):
        """The products of a Gibbs step for each temperature."""
        shape = (self.n_features, self.n_components)
        return floors.gibbs(*shape, self.batch_size, self.n_batches)

    def ours(self, X, y):
        """Go through the temperatures once, with a chain for each row of a batch."""
        rbm = skdbn.RBM(self.n_components, max_iter=1, random_state=0).fit(X)

        def run():
            annealed_importance_sampling(
                rbm,
                n_temperatures=self.n_batches,
                n_chains=self.batch_size,
                random_state=0,
            )
            return self.n_batches

        return run


def _fit(estimator, *data):
    """A run that fits once more for one epoch."""

    def run():
        estimator.fit(*data)
        return data[0].shape[0]

    return run


def _stack(X, sizes, hidden="bernoulli"):
    """A stack that has seen a few rows, with these units on top."""
    rbms = [skdbn.RBM(max_iter=1, batch_size=100) for _ in sizes]
    rbms[-1].set_params(hidden=hidden)
    return skdbn.StackedRBM(sizes, rbm=rbms, random_state=0).fit(X[:100])
