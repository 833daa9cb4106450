"""What pretraining on all images gives when few of them have a label."""

from functools import cached_property, partial

from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline

from skdbn import RBM, DBNClassifier, MLPClassifier, StackedRBM
from skdbn.benchmarks._models import logistic
from skdbn.benchmarks._networks import NetworksTable

_LABELS = {"digits": (50, 200), "mnist": (100, 1000)}
_SIZES = {"digits": (128, 128, 256), "mnist": (500, 500, 2000)}
_PRETRAINING_EPOCHS = 20
_BATCH_SIZE, _STEPS = 10, 3000  # of fine-tuning, whatever the number of labels


class LabelsTable(NetworksTable):
    """Classifiers that are told few labels, those of so many training images.

    ``accuracy`` is that of the test images, a mean over draws of the labelled images, each
    class as often as in all of them. The stack is pretrained once, on all training images.
    """

    formats = {"labels": "{}", "model": "{}", "accuracy": "{:.4f}", "accuracy_sd": "{:.4f}"}
    headlines = ("accuracy",)
    spread = ("accuracy",)

    @property
    def settings(self):
        """What all models share."""
        return super().settings | {"hidden_layer_sizes": _SIZES[self.images.name]}

    def _measures(self):
        makers = {
            "pixels": lambda seed, labels: logistic(C=1),
            "features": lambda seed, labels: make_pipeline(
                FrozenEstimator(self.stack), logistic(C=1)
            ),
            "no-pretraining": self._random,
            "dbn": self._pretrained,
        }
        return {name: partial(self._score, make) for name, make in makers.items()}

    def _conditions(self):
        return [{"labels": n_labels} for n_labels in _LABELS[self.images.name]]

    @cached_property
    def stack(self):
        """The stack that is pretrained on all training images."""
        rbm = RBM(max_iter=self._epochs(_PRETRAINING_EPOCHS))
        sizes = self.settings["hidden_layer_sizes"]
        return StackedRBM(sizes, rbm=rbm, random_state=self.seed).fit(self.images.train)

    def _pretrained(self, seed, labels):
        """Make a network that starts from the stack."""
        sizes = self.settings["hidden_layer_sizes"]
        rbm = FrozenEstimator(self.stack)
        return DBNClassifier(sizes, rbm=rbm, random_state=seed, **self._fine_tuning(labels))

    def _random(self, seed, labels):
        """Make the same network with random weights at the start."""
        sizes = self.settings["hidden_layer_sizes"]
        return MLPClassifier(
            sizes, activation="logistic", random_state=seed, **self._fine_tuning(labels)
        )

    def _fine_tuning(self, labels):
        """Return how both networks are trained on the labels."""
        return self._annealed(0.001, _STEPS * _BATCH_SIZE // labels) | {
            "batch_size": _BATCH_SIZE,
            "dropout": 0.5,
        }

    def _score(self, make, seed, labels):
        """Fit a classifier to a draw of the labels and score it."""
        X, y = self.images.train, self.images.train_y
        draw = StratifiedShuffleSplit(1, train_size=labels, random_state=seed)
        rows, _ = next(draw.split(y, y))
        classifier = make(seed, labels).fit(X[rows], y[rows])
        return {"accuracy": classifier.score(self.images.test, self.images.test_y)}
