"""What pretraining on all images gives when few of them have a label."""

from functools import cached_property, partial

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading

from skdbn import RBM, DBNAutoencoder, DBNClassifier, MLPClassifier, StackedRBM
from skdbn.benchmarks._models import logistic
from skdbn.benchmarks._networks import NetworksTable

_LABELS = {"digits": (50, 200), "mnist": (100, 1000)}
_SIZES = {"digits": (128, 128, 256), "mnist": (500, 500, 2000)}
_CODE_SIZES = {"digits": (128, 64, 8), "mnist": (500, 250, 30)}
_PRETRAINING_EPOCHS, _CODE_EPOCHS = 20, 20
_BATCH_SIZE, _STEPS = 10, 3000  # of fine-tuning, whatever the number of labels


class LabelsTable(NetworksTable):
    """Classifiers that are told few labels, those of so many training images.

    ``accuracy`` is that of the test images, a mean over draws of the labelled images, each
    class as often as in all of them. The stack and the autoencoder, whose codes the labels
    spread over (``code-spreading``), are trained once, on all training images.
    """

    formats = {"labels": "{}", "model": "{}", "accuracy": "{:.4f}", "accuracy_sd": "{:.4f}"}
    headlines = ("accuracy",)
    spread = frozenset({"accuracy"})

    @property
    def settings(self):
        """What all models share."""
        name = self.images.name
        return super().settings | {
            "network": _SIZES[name],
            "autoencoder": _CODE_SIZES[name],
        }

    def _measures(self):
        fits = {
            "pixels": self._fit_pixels,
            "features": self._fit_features,
            "no-pretraining": self._fit_random,
            "dbn": self._fit_pretrained,
            "code-spreading": self._fit_spreading,
        }
        return {name: partial(self._score, fit) for name, fit in fits.items()}

    def _conditions(self):
        return [{"labels": n_labels} for n_labels in _LABELS[self.images.name]]

    @cached_property
    def stack(self):
        """The stack that is pretrained on all training images."""
        rbm = RBM(max_iter=self._epochs(_PRETRAINING_EPOCHS))
        sizes = _SIZES[self.images.name]
        return StackedRBM(sizes, rbm=rbm, random_state=self.seed).fit(self.images.train)

    @cached_property
    def autoencoder(self):
        """An autoencoder that is trained on all training images."""
        sizes = _CODE_SIZES[self.images.name]
        rbm = RBM(max_iter=self._epochs(_PRETRAINING_EPOCHS))
        options = self._annealed(_CODE_EPOCHS)
        autoencoder = DBNAutoencoder(sizes, rbm=rbm, random_state=self.seed, **options)
        return autoencoder.fit(self.images.train)

    def _fit_pixels(self, rows, seed):
        """Fit a logistic regression to the pixels."""
        return logistic(C=1).fit(*self._labelled(rows))

    def _fit_features(self, rows, seed):
        """Fit a logistic regression to the features of the stack."""
        model = make_pipeline(FrozenEstimator(self.stack), logistic(C=1))
        return model.fit(*self._labelled(rows))

    def _fit_pretrained(self, rows, seed):
        """Fine-tune a network that starts from the stack."""
        rbm = FrozenEstimator(self.stack)
        network = DBNClassifier(rbm=rbm, **self._fine_tuning(rows, seed))
        return network.fit(*self._labelled(rows))

    def _fit_random(self, rows, seed):
        """Train the same network from random weights."""
        network = MLPClassifier(activation="logistic", **self._fine_tuning(rows, seed))
        return network.fit(*self._labelled(rows))

    def _fit_spreading(self, rows, seed):
        """Let labels spread over the codes of all training images."""
        known = np.full(self.images.n_train, -1)
        known[rows] = self.images.train_y[rows]
        spreading = LabelSpreading(kernel="knn", n_neighbors=10, n_jobs=-1)
        model = make_pipeline(FrozenEstimator(self.autoencoder), spreading)
        return model.fit(self.images.train, known)

    def _fine_tuning(self, rows, seed):
        """Return the parameters of both networks."""
        n_epochs = _STEPS * _BATCH_SIZE // len(rows)
        return self._annealed(n_epochs) | {
            "hidden_layer_sizes": _SIZES[self.images.name],
            "batch_size": _BATCH_SIZE,
            "dropout": 0.5,
            "random_state": seed,
        }

    def _labelled(self, rows):
        """Return the labelled images and their classes."""
        return self.images.train[rows], self.images.train_y[rows]

    def _score(self, fit, seed, labels):
        """Fit a classifier to a draw of the labels and score it."""
        y = self.images.train_y
        draw = StratifiedShuffleSplit(1, train_size=labels, random_state=seed)
        rows, _ = next(draw.split(y, y))
        classifier = fit(rows, seed)
        return {"accuracy": classifier.score(self.images.test, self.images.test_y)}
