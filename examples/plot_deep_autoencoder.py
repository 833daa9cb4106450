"""
Deep learning of handwritten digits: two numbers for each
=========================================================

This retells a well-known tutorial of an R package for deep belief nets. Two principal
components stand against a deep belief network with a code of two numbers, which is
pretrained layer by layer, unrolled, and fine-tuned by conjugate gradients, as Hinton &
Salakhutdinov [1]_ did. On the way we see the reconstructions of some digits, and a film of
the code, from the first epoch of its pretraining to the end.

The tutorial reported for 784-1000-500-250-2 on MNIST, as squared error of an image, summed
over its pixels and averaged over images: 52.9 for the mean image, 43.6 for two principal
components, 64.1 after pretraining (in 649 s) and 39.0 after fine-tuning (in 1205 s with
pretraining). This script prints the same errors beside its own.

It takes the digits that come with scikit-learn and a small network, or MNIST and the
network of the tutorial if the environment variable ``SKDBN_DATA`` names the folder of its
files.

.. [1] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with neural
   networks", Science 313, 504-507, doi:10.1126/science.1127647.
"""

# %%
# The data
# --------

import os
import time
from copy import deepcopy

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from skdbn import RBM, DBNAutoencoder, StackedRBM
from skdbn.callbacks import Snapshot, Snapshots
from skdbn.datasets import load_mnist
from skdbn.optimizers import ConjugateGradient
from skdbn.plotting import EmbeddingDisplay, ReconstructionDisplay, animate

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X_test, y_test = load_mnist(folder, subset="test", return_X_y=True)
    X, X_test = X / np.float32(255), X_test / np.float32(255)
    reported = {"mean image": 52.9, "PCA": 43.6, "pretrained": 64.1, "fine-tuned": 39.0}
else:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(
        (X / 16).astype(np.float32), y, stratify=y, random_state=0
    )
    reported = {}


def tell(name, reconstructions, seconds=None):
    """Print the squared error of an image, and what was reported."""
    error = np.square(reconstructions - X_test).sum(axis=1).mean()
    text = f"{name:<12} squared error {error:6.2f}"
    if seconds is not None:
        text += f"  after {seconds:.1f} s"
    if name in reported:
        text += f"  (reported {reported[name]})"
    print(text)


# %%
# The mean image, and two principal components
# --------------------------------------------
# Ten test images, one of each class, are marked by letters and drawn at the sides, with
# their reconstructions from two numbers. The title says how well the classes are apart.

tell("mean image", np.broadcast_to(X.mean(axis=0), X_test.shape))
pca = PCA(2, random_state=0).fit(X)
tell("PCA", pca.inverse_transform(pca.transform(X_test)))

EmbeddingDisplay.from_estimator(pca, X_test, y_test, samples="class")
plt.show()

# %%
# Pretraining
# -----------
# One RBM for each layer, of binary units but for the code, which has Gaussian ones and
# learns a hundred times more slowly. The settings are those of the tutorial: a weight cost
# of 0.0002 and 6000 batches of 100 rows for each layer, which are ten epochs of MNIST. The
# stack can go up and down by itself, by means. :class:`~skdbn.callbacks.Snapshots` keep
# what it has come to, often at first and rarely later.

sizes = (1000, 500, 250, 2) if folder else (200, 100, 50, 2)
settings = {"alpha": 0.0002, "batch_size": 100, "max_iter": 10 if folder else 60}
layer = RBM(learning_rate=0.1, **settings)
code = RBM(learning_rate=0.001, hidden="gaussian", **settings)

start, pretraining = time.perf_counter(), Snapshots(growth=1.3)
stack = StackedRBM(sizes, rbm=[layer, layer, layer, code], random_state=0)
stack.set_callbacks(pretraining).fit(X)
tell("pretrained", stack.reconstruct(X_test), time.perf_counter() - start)

# %%
# Fine-tuning
# -----------
# 200 batches of 100 rows, with ten line searches of conjugate gradients on each, as in the
# tutorial. They are a third of an epoch of MNIST, so it is not a ``fit`` that makes them:
# a call of ``partial_fit`` makes one pass over the rows that it gets, here ten batches, and
# we keep what training has come to after each call.

autoencoder = DBNAutoencoder(
    sizes,
    rbm=FrozenEstimator(stack),
    solver=ConjugateGradient(n_line_searches=10),
    batch_size=100,
    random_state=0,
)
rng, fine_tuning = np.random.default_rng(0), []
for i in range(1, 21):
    rows = rng.choice(len(X), 1000, replace=False)
    autoencoder.partial_fit(X[rows])
    seconds = time.perf_counter() - start
    fine_tuning.append(
        Snapshot(deepcopy(autoencoder), "fine-tuning", 10 * i, autoencoder.loss_, seconds)
    )
tell("fine-tuned", autoencoder.reconstruct(X_test), seconds)

EmbeddingDisplay.from_estimator(autoencoder, X_test, y_test, samples="class")
plt.show()

# %%
# The same images, through both
# -----------------------------

chosen = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
images = X_test[chosen]
ReconstructionDisplay.from_predictions(
    images,
    {
        "PCA": pca.inverse_transform(pca.transform(images)),
        "pretrained": stack.reconstruct(images),
        "fine-tuned": autoencoder.reconstruct(images),
    },
)
plt.show()

# %%
# The film
# --------
# :func:`~skdbn.plotting.animate` draws one frame for each snapshot, here of the map of the
# test images, into a file. It begins where there is a code, with the last of the RBMs.
# Fine-tuning spreads the code more than tenfold, so each map is in units of its spread.


def draw(estimator, ax):
    """Draw the map of some test images."""
    code = estimator.transform(X_test[:1000])
    code = (code - code.mean(axis=0)) / code.std(axis=0)
    EmbeddingDisplay.from_predictions(code, y_test[:1000], ax=ax)


code_so_far = [moment for moment in pretraining.snapshots_ if moment.task == "layer 4"]
animate([*code_so_far, *fine_tuning], draw, "code.gif", fps=4, figsize=(6, 6), dpi=80)
