"""
RBM features and a deep belief network in a pipeline
====================================================

An :class:`~skdbn.RBM` stands in a pipeline where PCA stands, and a
:class:`~skdbn.DBNClassifier` where any classifier stands. So one loop of cross-validation
compares them with what you use today.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files.
"""

# %%
# The data
# --------
# Binary units take numbers in [0, 1]: the grey levels of the digits go from 0 to 16, those
# of MNIST from 0 to 255. Of MNIST we take 6000 images, which is enough to see the order of
# the models.

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skdbn import RBM, DBNClassifier
from skdbn.datasets import load_mnist

folder = os.environ.get("SKDBN_DATA")
if folder:
    name = "6000 images of MNIST"
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:6000] / np.float32(255), y[:6000]
else:
    name = "the digits of scikit-learn"
    X, y = load_digits(return_X_y=True)
    X = X / 16

# %%
# The models
# ----------
# The data are in [0, 1] already, so no pipeline needs a scaler. With a table of your own,
# start each with ``MinMaxScaler(clip=True)``, which then learns the ranges from the
# training rows only.
#
# Every model keeps its default settings but for a few sizes. The logistic regression
# after the RBM bears a smaller penalty, since its features are many and redundant.

models = {
    "logistic regression": LogisticRegression(max_iter=1000),
    "PCA (32) + logistic regression": make_pipeline(
        PCA(32, random_state=0), LogisticRegression(max_iter=1000)
    ),
    "RBM (256) + logistic regression": make_pipeline(
        RBM(256, random_state=0), LogisticRegression(C=10, max_iter=1000)
    ),
    "KNN": KNeighborsClassifier(),
    "PCA (32) + KNN": make_pipeline(PCA(32, random_state=0), KNeighborsClassifier()),
    "DBNClassifier (256, 128)": DBNClassifier((256, 128), tol=1e-3, random_state=0),
}

# %%
# The same five folds for all
# ---------------------------

folds = StratifiedKFold(5, shuffle=True, random_state=0)
scores = {label: cross_val_score(model, X, y, cv=folds) for label, model in models.items()}

print(f"accuracy on {name}, mean and standard deviation of 5 folds")
for label, accuracy in scores.items():
    print(f"{label:<33}{accuracy.mean():.3f}  {accuracy.std(ddof=1):.3f}")

# %%
# A dot is a fold, the bar is their mean.

OURS, OTHERS, INK = "#0072b2", "#8a8a8a", "#303030"

order = sorted(scores, key=lambda label: scores[label].mean())
figure, axes = plt.subplots(figsize=(8.5, 3.6), layout="constrained")
for height, label in enumerate(order):
    color = OURS if "RBM" in label or "DBN" in label else OTHERS
    mean = scores[label].mean()
    axes.plot(scores[label], np.full(5, height), "o", color=color, alpha=0.45, mew=0)
    axes.plot([mean, mean], [height - 0.3, height + 0.3], color=color, lw=3)
    axes.annotate(
        f"{mean:.3f}",
        (1, height),
        xycoords=("axes fraction", "data"),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=color,
    )
axes.set_yticks(range(len(order)), order)
for tick, label in zip(axes.get_yticklabels(), order, strict=True):
    tick.set_color(OURS if "RBM" in label or "DBN" in label else INK)
axes.tick_params(axis="y", length=0)
axes.set_xlabel("accuracy")
axes.set_title(f"Five folds of {name}", loc="left", color=INK)
axes.grid(axis="x", color="#e6e6e6")
axes.set_axisbelow(True)
axes.spines[["top", "right", "left"]].set_visible(False)

plt.show()
