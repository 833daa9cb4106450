"""
Tables of measurements
======================

Rows of real numbers, such as chemical analyses or the shapes of cells, want Gaussian
visible units and standardised columns. Two small tables of scikit-learn, wine and breast
cancer, show what that makes of a deep belief network, what happens with the binary units
that suit images, and which columns a hidden unit looks at.

On tables of this size a logistic regression is hard to beat; the point here is the set-up.
"""

# %%
# The models
# ----------
# Features of an RBM for a logistic regression, and a deep belief network, each with both
# kinds of units. The scaler is a part of each pipeline. ``visible`` is set on the RBM, of
# which the lowest one of a network sees the table.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdbn import RBM, DBNClassifier
from skdbn.units import Gaussian

fine_tuning = {"tol": 1e-3, "random_state": 0}
models = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
    "random forest": RandomForestClassifier(random_state=0),
    "RBM, Gaussian units": make_pipeline(
        StandardScaler(), RBM(32, visible="gaussian", random_state=0), LogisticRegression()
    ),
    "RBM, binary units": make_pipeline(
        MinMaxScaler(clip=True), RBM(32, random_state=0), LogisticRegression()
    ),
    "DBN, Gaussian units": make_pipeline(
        StandardScaler(), DBNClassifier((32,), rbm=RBM(visible="gaussian"), **fine_tuning)
    ),
    "DBN, binary units": make_pipeline(
        MinMaxScaler(clip=True), DBNClassifier((32,), rbm=RBM(), **fine_tuning)
    ),
}

# %%
# The same folds for all
# ----------------------

folds = StratifiedKFold(5, shuffle=True, random_state=0)
tables = {"wine": load_wine(), "breast cancer": load_breast_cancer()}
accuracy = {
    table: {
        name: cross_val_score(model, data.data, data.target, cv=folds).mean()
        for name, model in models.items()
    }
    for table, data in tables.items()
}
print(pd.DataFrame(accuracy).round(3).to_string())

# %%
# The noise of each column
# ------------------------
# Standardised columns have a variance of 1, but that is not the noise around what the
# hidden units say. ``Gaussian(variance="learned")`` finds it for each column, and the table
# becomes more likely: the log-likelihood of held-out rows, in nats.

wine = tables["wine"]
X = StandardScaler().fit_transform(wine.data)
for variance in (1.0, "learned"):
    rbm = RBM(16, visible=Gaussian(variance), max_iter=200, random_state=0)
    scores = cross_val_score(rbm, X, cv=folds.split(X, wine.target))
    print(f"variance {variance}: log-likelihood {scores.mean():.2f} nats a row")

# %%
# Which columns a hidden unit looks at
# ------------------------------------
# The weights of the units that differ most between the classes: red columns turn the unit
# on, blue ones off.

rbm = RBM(16, visible=Gaussian("learned"), max_iter=200, random_state=0).fit(X)
means = np.array([rbm.transform(X[wine.target == c]).mean(axis=0) for c in range(3)])
units = np.argsort(np.ptp(means, axis=0))[::-1][:6]
weights = rbm.components_[units]

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), width_ratios=[3, 1], layout="constrained"
)
largest = np.abs(weights).max()
image = left.imshow(weights, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
left.set_xticks(range(X.shape[1]), wine.feature_names, rotation=45, ha="right")
left.set_yticks(range(6), [f"unit {unit}" for unit in units])
left.set_title("weights")
figure.colorbar(image, ax=left)
mean = right.imshow(means[:, units].T, cmap="gray_r", vmin=0, vmax=1, aspect="auto")
right.set_xticks(range(3), wine.target_names, rotation=45, ha="right")
right.set_yticks([])
right.set_title("mean by class")
figure.colorbar(mean, ax=right)
plt.show()
