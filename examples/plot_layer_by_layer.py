"""
From one RBM to a deep network, layer by layer
==============================================

This retells a well-known tutorial that builds a restricted Boltzmann machine, a deep belief
network and a deep neural network from scratch. We look at what each layer keeps of an
image, at what the biases say without any data, at what single units of the first and the
second layer stand for, and then put a classifier on top.

The tutorial reported an accuracy of 97 % on MNIST for its classifier of two pretrained
layers, and 96 % for nearest neighbours on the pixels. This script prints the same beside
its own.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files.
"""

# %%
# The data
# --------
# Grey levels in [0, 1], which binary units take for probabilities.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skdbn import RBM, DBNClassifier, StackedRBM
from skdbn.datasets import load_mnist
from skdbn.plotting import FilterDisplay, ReconstructionDisplay

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X_test, y_test = load_mnist(folder, subset="test", return_X_y=True)
    X, X_test = X / np.float32(255), X_test / np.float32(255)
    sizes, reported = (500, 200), {"2 layers": 0.97, "neighbours": 0.96}
else:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
    sizes, reported = (100, 50), {}

# %%
# Two RBMs, one on top of the other
# ---------------------------------
# The second learns from the expected states of the first one's hidden units.

rbm = RBM(learning_rate=0.1, max_iter=10 if folder else 40)
stack = StackedRBM(sizes, rbm=rbm, random_state=0).fit(X)
for i, layer in enumerate(stack, start=1):
    error = layer.reconstruction_errors_[-1]
    print(f"layer {i}: mean squared error of one Gibbs step {error:.4f}")

# %%
# What is left of an image after one layer, and after two
# -------------------------------------------------------
# Up by means, and down again. Each layer is a smaller room, and something is lost in it.

chosen = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
ReconstructionDisplay.from_estimator(stack, X_test[chosen], n_layers=(1, 2))
plt.show()

# %%
# The mean image and the images of the biases
# -------------------------------------------
# With all hidden units off, the expected image is that of the visible biases. They begin at
# the log-odds of the mean image, and need not stay there: what many hidden units add or
# take away together is a bias too.

side = round(X.shape[1] ** 0.5)
images = {
    "mean of the data": X.mean(axis=0),
    "biases, layer 1 off": stack[:1].inverse_transform(np.zeros((1, sizes[0])))[0],
    "biases, layer 2 off": stack.inverse_transform(np.zeros((1, sizes[1])))[0],
}
figure, panels = plt.subplots(1, 3, figsize=(8, 3), layout="constrained")
for ax, (title, image) in zip(panels, images.items(), strict=True):
    ax.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# Probes of single units
# ----------------------
# One unit on, all others of its layer off, down to the pixels, less the image of the
# biases: red pixels are made darker by the unit, blue ones lighter. A unit of the second
# layer stands on many units of the first.

for layer in (1, 2):
    FilterDisplay.from_estimator(stack, X, layer=layer, units=25)
plt.show()

# %%
# The classifier
# --------------
# A softmax on top of both layers, and all weights fine-tuned by backpropagation. The stack
# is reused as it is: :class:`~sklearn.frozen.FrozenEstimator` says so.

dbn = DBNClassifier(
    sizes,
    rbm=FrozenEstimator(stack),
    max_iter=10 if folder else 40,
    tol=None,
    random_state=0,
)
models = {
    "2 layers": dbn,
    "neighbours": KNeighborsClassifier(),
}
for name, model in models.items():
    accuracy = model.fit(X, y).score(X_test, y_test)
    beside = f"  (reported {reported[name]:.2f})" if name in reported else ""
    print(f"{name:<12} accuracy on test images {accuracy:.4f}{beside}")

# %%
# How far fine-tuning has moved the weights from where pretraining left them:

pretrained = stack[0].components_.T
change = np.std(dbn.coefs_[0] - pretrained) / np.std(pretrained)
print(f"the weights of layer 1 changed by {100 * change:.0f} % of their spread")
