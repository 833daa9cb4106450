"""
A first network, and what it is compared with
=============================================

This retells a well-known tutorial on deep learning with Keras: two views of the data, a
network with one hidden layer of 512 rectified units, trained for five epochs by RMSprop in
batches of 128 rows, and a random forest on 3000 rows beside it.

The tutorial reported an accuracy of 97.46 % on the test images of MNIST for the network
after five epochs. This script prints the same beside its own.

It takes the digits that come with scikit-learn, or MNIST if the environment variable
``SKDBN_DATA`` names the folder of its files. The second view needs UMAP
(``pip install umap-learn``) and is left out without.
"""

# %%
# The data
# --------

import importlib.util
import os
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import train_test_split

from skdbn import MLPClassifier
from skdbn.datasets import load_mnist
from skdbn.optimizers import RMSprop
from skdbn.plotting import EmbeddingDisplay, LearningCurveDisplay

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X_test, y_test = load_mnist(folder, subset="test", return_X_y=True)
    X, X_test = X / np.float32(255), X_test / np.float32(255)
else:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

# %%
# Two views
# ---------
# Some thousand rows are enough for the eye. Principal components mix the classes, UMAP,
# which looks at neighbours, tells them apart.

some = np.random.default_rng(0).choice(len(X), min(len(X), 6000), replace=False)
views = {"PCA": PCA(2, random_state=0)}
if importlib.util.find_spec("umap"):
    from umap import UMAP

    views["UMAP"] = UMAP(random_state=0, n_jobs=1)

seconds = {}
figure, panels = plt.subplots(
    1, len(views), figsize=(7 * len(views), 6.2), layout="constrained", squeeze=False
)
for ax, (name, view) in zip(panels[0], views.items(), strict=True):
    start = time.perf_counter()
    code = view.fit_transform(X[some])
    seconds[name] = time.perf_counter() - start
    EmbeddingDisplay.from_predictions(code, y[some], name=name, ax=ax)
plt.show()

# %%
# The network
# -----------
# The settings of the tutorial: 512 rectified units, RMSprop with its usual rate of 0.001,
# 128 rows a batch, five epochs. The test images are only watched here, they decide nothing.
# The digits of scikit-learn are forty times fewer than MNIST, and get more epochs.

network = MLPClassifier(
    (512,),
    solver=RMSprop(),
    learning_rate=0.001,
    alpha=0.0,
    batch_size=128,
    max_iter=5 if folder else 60,
    tol=None,
    random_state=0,
)
start = time.perf_counter()
network.fit(X, y, X_val=X_test, y_val=y_test)
seconds["network"] = time.perf_counter() - start

LearningCurveDisplay.from_estimator(network)
plt.show()

# %%
# A random forest on 3000 rows
# ----------------------------
# The confusion matrix says which classes are taken for which.

forest = RandomForestClassifier(random_state=0)
start = time.perf_counter()
forest.fit(X[:3000], y[:3000])
seconds["forest"] = time.perf_counter() - start

figure, panels = plt.subplots(1, 2, figsize=(12, 5.6), layout="constrained")
for ax, (name, model) in zip(
    panels, {"network": network, "forest": forest}.items(), strict=True
):
    ConfusionMatrixDisplay.from_estimator(
        model, X_test, y_test, ax=ax, cmap="Blues", colorbar=False
    )
    ax.set_title(name)
plt.show()

# %%
# Side by side
# ------------

accuracy = {
    "network": network.score(X_test, y_test),
    "forest": forest.score(X_test, y_test),
}
table = pd.DataFrame({"accuracy": accuracy, "fit seconds": seconds})
if folder:
    table["reported"] = pd.Series({"network": 0.9746})
print(table.round(4).to_string(na_rep="-"))
