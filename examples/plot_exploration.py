"""
From exploration to execution
=============================

This retells a well-known course through the handwritten digits: what the data look like,
which optimiser to take, what happens to the weights and the gradients in training, what the
layers have learned, whether they serve for another task, and what a model of digits draws
when it is told the class.

The figures of the course are drawn here by the displays of :mod:`skdbn.plotting`, and what
it says of its networks is put into numbers.

It takes the digits that come with scikit-learn, or a part of MNIST if the environment
variable ``SKDBN_DATA`` names the folder of its files.
"""

# %%
# The data
# --------
# The mean image of each class, and how the grey levels are distributed. Most pixels are
# white and many are black, which suits binary units; those in between are taken for
# probabilities.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split

from skdbn import RBM, MLPClassifier, StackedRBM
from skdbn.callbacks import Recorder
from skdbn.datasets import load_mnist
from skdbn.plotting import (
    ActivationDisplay,
    ClassMeanDisplay,
    EmbeddingDisplay,
    FilterDisplay,
    GradientFlowDisplay,
    OptimizerComparisonDisplay,
    PixelHistogramDisplay,
    SampleDisplay,
    WeightDisplay,
)
from skdbn.schedules import Ramp

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:12000] / np.float32(255), y[:12000]
else:
    X, y = load_digits(return_X_y=True)
    X = X / 16
X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)

ClassMeanDisplay.from_data(X, y)
PixelHistogramDisplay.from_data(X)
plt.show()

# %%
# Two maps of them
# ----------------
# t-SNE keeps neighbours together and says little about distances; principal components do
# the opposite. t-SNE has no ``transform``: it draws the rows that it was fitted to.

some = slice(0, 400)
figure, panels = plt.subplots(1, 2, figsize=(14, 6.2), layout="constrained")
for ax, view in zip(panels, (PCA(2), TSNE(2, max_iter=500, random_state=0)), strict=True):
    EmbeddingDisplay.from_estimator(view.fit(X[some]), X[some], y[some], ax=ax)
plt.show()

# %%
# Which optimiser
# ---------------
# The same network from the same weights, by all optimisers with their own step sizes. An
# iteration of L-BFGS is one step over all rows, of the others an epoch of steps; conjugate
# gradients look at each batch several times.

network = MLPClassifier((64, 32), batch_size=50, max_iter=15, tol=None, random_state=0)
display = OptimizerComparisonDisplay.from_estimator(network, X, y)
print(display.table.drop(columns="seconds").round(4))
plt.show()

# %%
# What training does to weights and gradients
# -------------------------------------------
# A :class:`~skdbn.callbacks.Recorder` writes them down after each epoch. The weights of
# each layer spread, and no layer's gradient vanishes beside the others'.

recorder = Recorder(X[:200], y[:200])
network.set_callbacks(recorder).fit(X, y)
print(f"accuracy on test images {network.score(X_test, y_test):.3f}")

WeightDisplay.from_recorder(recorder)
GradientFlowDisplay.from_recorder(recorder, n_times=3)
plt.show()

# %%
# What the layers have learned
# ----------------------------
# The weights of the first hidden units as images, and one test image on its way through all
# layers, to the probabilities of the classes.

FilterDisplay.from_estimator(network, X, units=16)
ActivationDisplay.from_estimator(network, X_test[0])
plt.show()

# %%
# Another task
# ------------
# A layer that was pretrained on the digits below 5, as the start of a network that is to
# tell apart those from 5 on, with ten labelled images of each. It may stay as it is (a
# learning rate of 0) or learn on. Whether that helps depends on how much the two tasks have
# in common and on how much the new data can say by themselves: on small images a network
# from scratch does as well.

source = StackedRBM((128,), rbm=RBM(max_iter=40), random_state=0).fit(X[y < 5])
rows = np.concatenate([np.flatnonzero(y == digit)[:10] for digit in range(5, 10)])
test = y_test >= 5
starts = {
    "from scratch": {},
    "layer of the digits below 5, kept": {
        "init": FrozenEstimator(source),
        "learning_rate": [0, 0.01],
    },
    "layer of the digits below 5, learning on": {"init": FrozenEstimator(source)},
}
for name, params in starts.items():
    target = MLPClassifier((128,), max_iter=200, tol=None, random_state=0, **params)
    accuracy = target.fit(X[rows], y[rows]).score(X_test[test], y_test[test])
    print(f"{name:<42} accuracy {accuracy:.3f}")

# %%
# Digits of a class
# -----------------
# An RBM of the pixels and the ten indicators of the class together. To draw a digit of a
# class, the indicators are held and the pixels drawn: one chain for each class, a line
# each. The learning rate falls to zero: while the RBM still moves, its persistent chains
# run ahead of it, and on MNIST every class was drawn as a one.

labels = np.eye(10, dtype=X.dtype)[y]
falling = Ramp(0.03, 0.0, n_epochs=None)
joint = RBM(400, sampler="pcd", learning_rate=falling, max_iter=40, random_state=0)
joint.fit(np.hstack([X, labels]))

given = np.full((10, X.shape[1] + 10), np.nan, dtype=X.dtype)
given[:, X.shape[1] :] = np.eye(10)
draws = joint.sample(80, X_given=given, n_chains=10, n_steps=500, thin=100)
images = joint.reconstruct(draws)[:, : X.shape[1]]  # means, for grey levels
display = SampleDisplay.from_predictions(
    images.reshape(8, 10, -1).swapaxes(0, 1), steps=list(range(500, 1300, 100))
)
display.ax_.set_yticks(display.ax_.get_yticks(), labels=range(10))
plt.show()
