"""
Pretrain once, fine-tune on few labels
======================================

Rows are often plenty and labels few. A :class:`~skdbn.StackedRBM` needs no labels: it is
fitted once on all rows, frozen with scikit-learn's
:class:`~sklearn.frozen.FrozenEstimator`, and reused for each set of labels, either as
features for a logistic regression or as the start of a :class:`~skdbn.DBNClassifier`.
Beside them stands an :class:`~skdbn.MLPClassifier` of the same size without pretraining.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files.
"""

# %%
# The data
# --------
# Grey levels in [0, 1]. Of MNIST we take 10000 images, and 2000 to test.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from skdbn import DBNClassifier, MLPClassifier, StackedRBM
from skdbn.datasets import load_mnist

folder = os.environ.get("SKDBN_DATA")
if folder:
    name = "MNIST"
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:12000] / np.float32(255), y[:12000]
else:
    name = "the digits of scikit-learn"
    X, y = load_digits(return_X_y=True)
    X = X / 16
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=1 / 6 if folder else 1 / 4, stratify=y, random_state=0
)

# %%
# Pretraining, without labels
# ---------------------------

sizes = (256, 128)
stack = StackedRBM(sizes, random_state=0).fit(X_train)
frozen = FrozenEstimator(stack)

# %%
# Few labels
# ----------
# For each number of labels, every model is fitted to the same five random draws. In the
# pipeline the frozen stack stays as it is; the classifiers start from its weights and
# change them, once by gradient descent and once by Adam. The network without pretraining
# has Adam, as it is by default.


def models(seed):
    """The models to compare."""
    network = {"tol": 1e-3, "max_iter": 500, "random_state": seed}
    return {
        "stack, then logistic regression": make_pipeline(
            frozen, LogisticRegression(C=10, max_iter=1000)
        ),
        "stack, then SGD": DBNClassifier(sizes, rbm=frozen, solver="sgd", **network),
        "stack, then Adam": DBNClassifier(sizes, rbm=frozen, solver="adam", **network),
        "no pretraining, Adam": MLPClassifier(sizes, solver="adam", **network),
    }


labels_per_class = [1, 2, 4, 8, 16]
n_draws = 5
rows_of_class = [np.flatnonzero(y_train == digit) for digit in range(10)]
accuracies = {label: np.empty((len(labels_per_class), n_draws)) for label in models(0)}
for i, n_labels in enumerate(labels_per_class):
    for draw in range(n_draws):
        rng = np.random.default_rng(draw)
        labelled = np.concatenate(
            [rng.choice(rows, n_labels, replace=False) for rows in rows_of_class]
        )
        for label, model in models(draw).items():
            model.fit(X_train[labelled], y_train[labelled])
            accuracies[label][i, draw] = model.score(X_test, y_test)

print(f"accuracy on {name}, mean of {n_draws} draws, by labels per class")
print(" " * 32 + "".join(f"{n:>7}" for n in labels_per_class))
for label, table in accuracies.items():
    print(f"{label:<32}" + "".join(f"{mean:7.3f}" for mean in table.mean(axis=1)))

# %%
# A line is the mean of the draws, the band its standard error.

COLORS = ["#0072b2", "#d55e00", "#e69f00", "#8a8a8a"]
INK = "#303030"

figure, axes = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
for color, (label, table) in zip(COLORS, accuracies.items(), strict=True):
    mean, error = table.mean(axis=1), table.std(axis=1, ddof=1) / np.sqrt(n_draws)
    axes.fill_between(
        labels_per_class, mean - error, mean + error, color=color, alpha=0.15, lw=0
    )
    axes.plot(labels_per_class, mean, "o-", color=color, lw=2, label=label)
axes.set_xscale("log")
axes.set_xticks(labels_per_class, labels_per_class)
axes.minorticks_off()
axes.set_xlabel("labels per class")
axes.set_ylabel("accuracy")
axes.set_title(
    f"A stack fitted once to {len(X_train)} unlabelled images of {name}",
    loc="left",
    color=INK,
    fontsize=11,
)
axes.grid(color="#e6e6e6")
axes.set_axisbelow(True)
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, loc="lower right")

plt.show()
