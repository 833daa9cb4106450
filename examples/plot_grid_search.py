"""
A grid search over features, and over what comes after
======================================================

In a pipeline an :class:`~skdbn.RBM` is one way to make features among others. One
:class:`~sklearn.model_selection.GridSearchCV` compares it with none, with PCA and with
UMAP, tries several settings of each, and several classifiers on top.

It takes the digits that come with scikit-learn, or a part of MNIST if the environment
variable ``SKDBN_DATA`` names the folder of its files. UMAP is tried on MNIST only, where it
is installed (``pip install umap-learn``).
"""

# %%
# The data
# --------

import importlib.util
import os

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import RBM, DBNClassifier
from skdbn.datasets import load_mnist

folder = os.environ.get("SKDBN_DATA")
if folder:
    X, y = load_mnist(folder, subset="train", return_X_y=True)
    X, y = X[:4000], y[:4000]
else:
    X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, stratify=y, random_state=0)

# %%
# The grid
# --------
# A list of dictionaries is searched one after the other. Steps are parameters, so are those
# of what is in a step, and so on downward: ``features__learning_rate`` is that of the RBM,
# ``classifier__rbm__max_iter`` that of the RBMs which pretrain a deep belief network. The
# scaler is a step too, so that it learns the ranges from the training rows of each fold
# only.

knn, linear = KNeighborsClassifier(), LogisticRegression(C=10, max_iter=1000)
forest = RandomForestClassifier(100, random_state=0)
dbn = DBNClassifier((128, 64), rbm=RBM(max_iter=10), tol=1e-3, random_state=0)
grid = [
    {"features": ["passthrough"], "classifier": [knn, linear, forest]},
    {
        "features": [PCA(random_state=0)],
        "features__n_components": [16, 32],
        "classifier": [knn, linear],
    },
    {
        "features": [RBM(random_state=0)],
        "features__n_components": [256],
        "features__learning_rate": [0.03, 0.1],
        "classifier": [linear],
    },
    {
        "features": ["passthrough"],
        "classifier": [dbn],
        "classifier__rbm__learning_rate": [0.03, 0.1],
    },
]
if folder and importlib.util.find_spec("umap"):  # slow to start
    from umap import UMAP

    umap = UMAP(n_components=8, random_state=0, n_jobs=1)
    grid.append({"features": [umap], "classifier": [knn]})

pipeline = Pipeline(
    [("scale", MinMaxScaler(clip=True)), ("features", "passthrough"), ("classifier", knn)]
)
search = GridSearchCV(pipeline, grid, cv=3).fit(X, y)

# %%
# What was found
# --------------
# A difference smaller than the spread over folds says little, and the best of many is a
# little too good. The accuracy on the test rows, which took no part in the search, is not.

results = pd.DataFrame(search.cv_results_)
settings = [c for c in results if c.startswith("param_") and c.count("__")]


def label(row):
    """Class names of the two steps, with what was tried in them."""
    steps = [row["param_features"], row["param_classifier"]]
    names = [type(step).__name__ for step in steps if step != "passthrough"]
    tried = [f"{c.split('__')[-1]}={row[c]:g}" for c in settings if pd.notna(row[c])]
    return " + ".join(names) + (f"  ({', '.join(tried)})" if tried else "")


results["model"] = results.apply(label, axis=1)
results = results.sort_values("mean_test_score", ascending=False)
columns = {
    "model": "model",
    "mean_test_score": "accuracy",
    "std_test_score": "spread",
    "mean_fit_time": "fit seconds",
}
print(results[[*columns]].rename(columns=columns).round(3).to_string(index=False))
print(f"accuracy of the best on test rows {search.score(X_test, y_test):.3f}")

# %%
# The same as a figure: a dot for the mean of the folds, a line for their spread.

figure, ax = plt.subplots(figsize=(9, 0.6 + 0.32 * len(results)), layout="constrained")
ax.errorbar(
    results["mean_test_score"],
    results["model"],
    xerr=results["std_test_score"],
    fmt="o",
    color="#0072b2",
)
ax.invert_yaxis()
ax.set_xlabel("accuracy in cross-validation")
ax.grid(axis="x", color="#e6e6e6")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
