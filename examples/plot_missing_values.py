"""
Filling in missing values
=========================

An :class:`~skdbn.RBM` is a model of all columns together, so it can say what any of them
is likely to be given any others. Here half of the pixels are hidden, different ones in each
image, and filled in by ``RBM.impute`` and by the imputers of scikit-learn. Recommending is
the same question: an image is a user, a pixel an item, and the hidden ones are the items
that the user has not rated [1]_.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files.

.. [1] R. Salakhutdinov, A. Mnih, G. Hinton (2007), "Restricted Boltzmann machines for
   collaborative filtering", ICML, 791-798, doi:10.1145/1273496.1273596.
"""

# %%
# The data
# --------
# Grey levels in [0, 1]; of MNIST we take 4000 images, and 500 to test. The training images
# are complete, for all methods. In the test images NaN marks what is missing.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.model_selection import train_test_split

from skdbn import RBM
from skdbn.datasets import load_mnist
from skdbn.schedules import Ramp

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:4500] / np.float32(255), y[:4500]
else:
    X, y = load_digits(return_X_y=True)
    X = X / 16
X_train, X_test, _, y_test = train_test_split(
    X, y, test_size=1 / 9 if folder else 1 / 4, stratify=y, random_state=0
)
missing = np.random.default_rng(0).random(X_test.shape) < 0.5
X_missing = np.where(missing, np.nan, X_test)

# %%
# The methods
# -----------
# The mean of a pixel; its mean over the five nearest training images, as far as they can
# be compared; a linear regression on the other pixels, 20 of them for MNIST; and the RBM.
# The chains of the RBM draw the missing pixels and keep the given ones, and ``impute``
# averages what they expect. Its learning rate falls to zero, which makes a better model
# than a rate that stays.

rbm = RBM(
    256, learning_rate=Ramp(0.1, 0.0, n_epochs=None), max_iter=100, random_state=0
).fit(X_train)

filled = {
    "mean": SimpleImputer().fit(X_train).transform(X_missing),
    "regression": IterativeImputer(
        n_nearest_features=20 if folder else None,
        min_value=0,
        max_value=1,
        random_state=0,
    )
    .fit(X_train)
    .transform(X_missing),
    "RBM": rbm.impute(X_missing, n_steps=500, n_draws=500),
    "5 neighbours": KNNImputer().fit(X_train).transform(X_missing),
}

# %%
# How far off they are, on the pixels that were hidden.

errors = {
    name: np.sqrt(np.square(images - X_test)[missing].mean())
    for name, images in filled.items()
}
for name, error in errors.items():
    print(f"{name:<14} root mean squared error {error:.3f}")

# %%
# What they see
# -------------
# An average is the best answer for a squared error, and it is blurred where the model is
# in doubt. ``sample`` draws from what the doubt is about: each draw is one image that goes
# with the given pixels, of zeros and ones, as the units are binary.

draws = rbm.sample(X_given=X_missing, n_steps=500)
rows = {
    "original": X_test,
    "given": X_missing,
    **{f"{name}\nerror {errors[name]:.3f}": images for name, images in filled.items()},
    "RBM\none draw": draws,
}

side = int(np.sqrt(X.shape[1]))
examples = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
colors = plt.get_cmap("gray_r").with_extremes(bad="#cfe3f1")

figure, lines = plt.subplots(len(rows), 10, figsize=(8.5, 6), layout="constrained")
for line, (label, images) in zip(lines, rows.items(), strict=True):
    for axes, index in zip(line, examples, strict=True):
        axes.imshow(images[index].reshape(side, side), cmap=colors, vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_color("#dddddd")
    line[0].set_ylabel(label, rotation=0, ha="right", va="center", labelpad=8)

plt.show()
