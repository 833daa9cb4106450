"""
Two numbers for an image
========================

A :class:`~skdbn.DBNAutoencoder` with a code of two numbers next to the first two principal
components: the map of the images that each of them makes, and what each can say about an
image from two numbers. This is the experiment of Hinton & Salakhutdinov [1]_, in small.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files.

.. [1] G. Hinton, R. Salakhutdinov (2006), "Reducing the dimensionality of data with neural
   networks", Science 313, 504-507, doi:10.1126/science.1127647.
"""

# %%
# The data
# --------
# Grey levels in [0, 1], as binary visible units want them. Of MNIST we take 10000 images
# to train on and 2000 to test.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skdbn import DBNAutoencoder
from skdbn.datasets import load_mnist

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:12000] / np.float32(255), y[:12000]
else:
    X, y = load_digits(return_X_y=True)
    X = X / 16
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 6 if folder else 1 / 4, stratify=y, random_state=0
)

# %%
# The two methods
# ---------------
# Both are transformers with an ``inverse_transform``, so they are used in the same way.
# The code layer has Gaussian units, which is the default: two numbers without bounds.

sizes = (500, 250, 125, 2) if folder else (256, 128, 64, 2)
methods = {
    "PCA": PCA(2),
    "DBNAutoencoder": DBNAutoencoder(
        sizes, learning_rate=0.003, max_iter=50, random_state=0
    ),
}

results = {}
for name, method in methods.items():
    code_train = method.fit_transform(X_train)
    code = method.transform(X_test)
    reconstructions = method.inverse_transform(code).clip(0, 1)
    neighbour = KNeighborsClassifier(1).fit(code_train, y_train)
    accuracy = neighbour.score(code, y_test)
    error = np.square(reconstructions - X_test).mean()
    results[name] = code, reconstructions, accuracy, error
    print(f"{name:<15} 1-NN accuracy {accuracy:.3f}  mean squared error {error:.4f}")

# %%
# What they see
# -------------
# Images that were not trained on, coloured by digit. The accuracy is that of the nearest
# training image on the map: a number for how well the classes are told apart, which the
# eye judges too kindly.

side = int(np.sqrt(X.shape[1]))
examples = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
colors = plt.get_cmap("tab10").colors

figure = plt.figure(figsize=(10, 8.2), layout="constrained")
maps, strips = figure.subfigures(2, 1, height_ratios=[2, 1.15])
for axes, (name, (code, _, accuracy, _)) in zip(
    maps.subplots(1, 2), results.items(), strict=True
):
    axes.scatter(*code.T, c=[colors[digit] for digit in y_test], s=9, alpha=0.7, lw=0)
    for digit in range(10):
        x, height = np.median(code[y_test == digit], axis=0)
        axes.text(
            x,
            height,
            digit,
            ha="center",
            va="center",
            weight="bold",
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": colors[digit]},
        )
    axes.set_title(f"{name}, two numbers: 1-NN accuracy {accuracy:.2f}")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_color("#cccccc")

rows = {"original": X_test}
for name, (_, reconstructions, _, error) in results.items():
    rows[f"{name}\nerror {error:.3f}"] = reconstructions
for line, (label, images) in zip(strips.subplots(3, 10), rows.items(), strict=True):
    for axes, index in zip(line, examples, strict=True):
        axes.imshow(images[index].reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#dddddd")
    line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)

plt.show()
