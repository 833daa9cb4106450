"""Codes of autoencoders beside those of PCA, t-SNE and UMAP."""

from functools import partial

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from skdbn import RBM, DBNAutoencoder, StackedRBM
from skdbn.benchmarks._models import INSTALL_UMAP, make_umap, without_umap
from skdbn.benchmarks._networks import NetworksTable, squared_error, timed
from skdbn.benchmarks._report import say
from skdbn.optimizers import ConjugateGradient

_LAYERS = {"digits": (256, 128, 64), "mnist": (1000, 500, 250)}
_BATCH_SIZES = {"digits": 10, "mnist": 100}
_TRAIN_ROWS = 10_000  # that reconstructions are compared with
_R_ROWS = 200 * 100  # batches and their rows


class _CodesTable(NetworksTable):
    """Codes of so many numbers, and what is reconstructed from them.

    ``test_error`` is the squared error of an image, summed over its pixels, mean over the
    test images, ``train_error`` over the first 10 000 training images; ``neighbour`` the
    share of test images whose nearest neighbour among them, by the code, is of their class.
    """

    formats = {
        "model": "{}",
        "test_error": "{:.2f}",
        "test_error_sd": "{:.2f}",
        "train_error": "{:.2f}",
        "neighbour": "{:.3f}",
        "fit_seconds": "{:.0f}",
    }
    headlines = ("test_error", "neighbour")
    spread = frozenset({"test_error"})

    @property
    def settings(self):
        """What all models share."""
        return super().settings | {"hidden_layer_sizes": self._sizes}

    @property
    def _sizes(self):
        """The sizes of the layers, the code last."""
        name = self.images.name
        return (*_LAYERS[name], self.code_sizes[name])

    def _measures(self):
        """Return what every table of codes begins with."""
        return {
            "mean-image": self._score_mean,
            "pca": lambda seed: self._score(PCA(self._sizes[-1], random_state=seed)),
        }

    def _autoencoder(self, seed, n_epochs, rbm_epochs=10, scale=1, cost=0.0, **options):
        """Make an autoencoder for Adam with a falling rate.

        Both the rows of a step and the rate are multiplied by ``scale``; ``cost`` is that
        of squared weights beside the loss of one image.
        """
        batch_size = scale * _BATCH_SIZES[self.images.name]
        return DBNAutoencoder(
            self._sizes,
            rbm=RBM(max_iter=self._epochs(rbm_epochs)),
            alpha=cost * batch_size,
            batch_size=batch_size,
            random_state=seed,
            **self._annealed(n_epochs, scale * 0.001),
            **options,
        )

    def _score_autoencoder(self, seed, *args, **options):
        """Fit an autoencoder and score it."""
        return self._score(self._autoencoder(seed, *args, **options))

    def _score(self, transformer):
        """Fit a transformer and score its codes and what they are brought back to."""
        _, seconds = timed(transformer.fit, self.images.train)
        return self._scores(transformer) | {"fit_seconds": seconds}

    def _scores(self, transformer):
        """Score a fitted transformer."""
        train, test = self.images.train[:_TRAIN_ROWS], self.images.test

        def reconstruct(X):
            return transformer.inverse_transform(transformer.transform(X))

        return {
            "test_error": squared_error(reconstruct, test),
            "train_error": squared_error(reconstruct, train),
            "neighbour": self._same_class(transformer.transform(test)),
        }

    def _score_mean(self, seed):
        """Score the mean image, which has no code."""
        train, test = self.images.train, self.images.test
        mean, seconds = timed(DummyRegressor().fit, train, train)
        return {
            "test_error": squared_error(mean.predict, test),
            "train_error": squared_error(mean.predict, train[:_TRAIN_ROWS]),
            "fit_seconds": seconds,
        }

    def _same_class(self, codes):
        """Share of the test images whose nearest neighbour is of the same class."""
        neighbours = NearestNeighbors(n_neighbors=1).fit(codes)
        nearest = neighbours.kneighbors(return_distance=False)[:, 0]
        return (self.images.test_y[nearest] == self.images.test_y).mean()

    def _score_stack(self, seed, n_epochs=10):
        """Score a stack as pretraining leaves it."""
        return self._score(
            StackedRBM(self._sizes, rbm=self._rbms(n_epochs), random_state=seed)
        )

    def _rbms(self, n_epochs, code_rate=0.01, **options):
        """Make the RBMs of a stack with a linear code."""
        rbm = RBM(max_iter=self._epochs(n_epochs), **options)
        code = clone(rbm).set_params(hidden="gaussian", learning_rate=code_rate)
        return [*(clone(rbm) for _ in self._sizes[1:]), code]


class CodesTable(_CodesTable):
    """Codes of 30 numbers, of 8 for the smaller digits."""

    code_sizes = {"digits": 8, "mnist": 30}

    def _measures(self):
        score = self._score_autoencoder
        return super()._measures() | {
            "pretraining-only": self._score_stack,
            "no-pretraining": partial(score, n_epochs=24, pretrain=False),
            "autoencoder": partial(score, n_epochs=24, rbm_epochs=5),
            "autoencoder-long": partial(score, n_epochs=100, rbm_epochs=10, cost=1e-4),
        }


class MapsTable(_CodesTable):
    """Codes of two numbers, which can be drawn."""

    code_sizes = {"digits": 2, "mnist": 2}

    def _measures(self):
        score = self._score_autoencoder
        measures = super()._measures() | {
            "tsne": self._score_tsne,
            "umap": self._score_umap,
            "r-schedule": self._score_r_schedule,
            "no-pretraining": partial(score, n_epochs=10, pretrain=False, scale=2),
            "autoencoder": partial(score, n_epochs=10, rbm_epochs=2, scale=2),
            "autoencoder-long": partial(score, n_epochs=40, rbm_epochs=5, scale=2),
        }
        return {name: measures[name] for name in without_umap(measures)}

    def rows(self):
        if "umap" not in self._measures():
            say(INSTALL_UMAP)
        return super().rows()

    def _score_tsne(self, seed):
        """Score t-SNE of the test images, as it has no place for others."""
        tsne = TSNE(random_state=seed, n_jobs=-1)
        codes, seconds = timed(tsne.fit_transform, self.images.test)
        return {"neighbour": self._same_class(codes), "fit_seconds": seconds}

    def _score_umap(self, seed):
        """Score UMAP, which could bring codes back, but takes minutes for it."""
        umap = make_umap(2).set_params(random_state=seed)
        _, seconds = timed(umap.fit, self.images.train)
        codes = umap.transform(self.images.test)
        return {"neighbour": self._same_class(codes), "fit_seconds": seconds}

    def _score_r_schedule(self, seed):
        """Score the autoencoder after the schedule that an R package describes.

        Grey levels as probabilities, weight cost .0002, 6000 batches of 100 rows for each
        RBM; then 10 line searches on each of 200 batches of 100. They may leave more of the
        slope than by default, which takes a third fewer evaluations of the loss.
        """
        rbms = self._rbms(10, code_rate=0.001, learning_rate=0.1, batch_size=100)
        stack = StackedRBM(self._sizes, rbm=rbms, random_state=seed)
        stack, pretraining = timed(stack.fit, self.images.train)
        autoencoder = DBNAutoencoder(
            self._sizes,
            rbm=FrozenEstimator(stack),
            solver=ConjugateGradient(n_line_searches=10, curvature=0.9),
            batch_size=100,
            max_iter=1,
            random_state=seed,
        )
        few = self.images.train[:_R_ROWS]
        _, seconds = timed(autoencoder.fit, few)
        return self._scores(autoencoder) | {"fit_seconds": pretraining + seconds}
