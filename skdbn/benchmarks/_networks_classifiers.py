"""Test errors of networks with and without pretraining."""

from functools import partial

from sklearn.metrics import log_loss

from skdbn import RBM, DBNClassifier, MLPClassifier
from skdbn.benchmarks._networks import NetworksTable, timed

_TWO_LAYERS = {"digits": (128, 128), "mnist": (500, 500)}
_THREE_LAYERS = {"digits": (128, 128, 256), "mnist": (500, 500, 2000)}


class ClassifiersTable(NetworksTable):
    """Networks for classes, by how they are trained.

    ``test_error`` is the percentage of test images that are taken for another class.
    """

    formats = {
        "model": "{}",
        "test_error": "{:.2f}",
        "test_error_sd": "{:.2f}",
        "log_loss": "{:.4f}",
        "fit_seconds": "{:.0f}",
    }
    headlines = ("test_error",)
    spread = frozenset({"test_error"})

    def _measures(self):
        dropout = self._annealed(80) | {"dropout": 0.3, "input_dropout": 0.2}
        noise = self._annealed(30) | {"input_noise": 0.3}
        networks = {
            "mlp": self._wide,
            "dbn-short": self._short,
            "dbn": partial(self._pretrained, noise),
            "no-pretraining": partial(self._random, noise),
            "dbn-dropout": partial(self._pretrained, dropout),
            "no-pretraining-dropout": partial(self._random, dropout),
        }
        return {name: partial(self._score, make) for name, make in networks.items()}

    def _wide(self, seed):
        """Make the network of a well-known tutorial: 512 relu units, RMSprop, 5 epochs."""
        return MLPClassifier(
            (512,),
            solver="rmsprop",
            batch_size=128,
            alpha=0.0,
            max_iter=self._epochs(5),
            tol=None,
            random_state=seed,
        )

    def _short(self, seed):
        """Make a network of 30 epochs a layer, 10 of the output layer, 10 of all layers."""
        head = self._epochs(10)
        return DBNClassifier(
            _TWO_LAYERS[self.images.name],
            rbm=RBM(max_iter=self._epochs(30)),
            head_max_iter=head,
            max_iter=2 * head,
            tol=None,
            random_state=seed,
        )

    def _pretrained(self, options, seed):
        """Make a pretrained network with three hidden layers."""
        rbm = RBM(max_iter=self._epochs(20))
        sizes = _THREE_LAYERS[self.images.name]
        return DBNClassifier(sizes, rbm=rbm, random_state=seed, **options)

    def _random(self, options, seed):
        """Make the same network with random weights at the start."""
        sizes = _THREE_LAYERS[self.images.name]
        return MLPClassifier(sizes, activation="logistic", random_state=seed, **options)

    def _score(self, make, seed):
        """Fit a network and score it."""
        images = self.images
        network, seconds = timed(make(seed).fit, images.train, images.train_y)
        probabilities = network.predict_proba(images.test)
        right = network.classes_[probabilities.argmax(axis=1)] == images.test_y
        return {
            "test_error": 100 * (1 - right.mean()),
            "log_loss": log_loss(images.test_y, probabilities, labels=network.classes_),
            "fit_seconds": seconds,
        }
