"""Comparison of classifiers by cross-validation."""

import time

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.parallel import Parallel, delayed

from skdbn.benchmarks._attempt import attempt, counted
from skdbn.benchmarks._data import check_labels
from skdbn.benchmarks._models import make_models
from skdbn.benchmarks._progress import make_progress

COLUMNS = [
    "model",
    "accuracy",
    "accuracy_sd",
    "log_loss",
    "code_size",
    "fit_seconds",
    "predict_seconds",
    "warnings",
    "error",
]


def compare(
    models,
    X,
    y,
    *,
    cv=5,
    train_size=None,
    n_jobs=None,
    random_state=None,
    progress=False,
    callback=None,
):
    """Compare classifiers on the same training and test rows.

    Parameters
    ----------
    models : dict of str to classifier, or list of str
        The classifiers by the name to show, pipelines included; or names that
        :func:`make_models` knows, for arrays or for a DataFrame, whichever `X` is.
        They are cloned, not changed.
    X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
        The data.
    y : array-like of shape (n_samples,)
        The classes: numbers, strings or whatever the classifiers accept.
    cv : int, cross-validation splitter or iterable of (train, test), default=5
        How to split the rows. A number stands for so many shuffled and stratified folds,
        a list of a single ``(train, test)`` for one split.
    train_size : int, default=None
        The largest number of training rows for each fit, a stratified random part of the
        training rows. The test rows stay as they are. By default, all.
    n_jobs : int, default=None
        The number of fits that run at the same time; None means 1, -1 one for each core.
        Seconds are comparable only with one, as fits at the same time share the cores.
    random_state : int, RandomState instance or None, default=None
        The seed of the folds and of `train_size`. Every parameter ``random_state`` of a
        classifier and of the estimators inside it that is None is set to it too.
    progress : bool, default=False
        Whether to show progress on the standard error stream: a bar on a terminal if rich
        is installed, a line for each model otherwise.
    callback : callable, default=None
        Called with the DataFrame of the models finished so far when a model finishes, to
        store it for example.

    Returns
    -------
    results : DataFrame
        A row for each model in the order given, with the columns

        - model: the name;
        - accuracy: the mean accuracy over the splits;
        - accuracy_sd: its standard deviation over the splits, missing for a single split;
        - log_loss: the mean log loss in nats, missing without ``predict_proba``. A class
          that the training rows lack has the probability 0, and 0 counts as the smallest
          float64 step, about 2e-16;
        - code_size: the number of learned features that the classifier decides on, such as
          the components of a PCA or the last hidden layer of a network, missing for
          a classifier of the data as they are;
        - fit_seconds: the seconds of a fit, the median over the splits, so that compiling
          or importing in a first fit does not count when there are several;
        - predict_seconds: the seconds to predict the test rows once, the median too;
        - warnings: the kinds of warnings in all the fits with their numbers, missing if
          there were none;
        - error: why the model failed in the first split where it did, missing if it did
          not. The scores of a failed model are missing.

    See Also
    --------
    make_models : Make the models of the benchmark.
    sklearn.model_selection.cross_validate : The scores of one estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skdbn.benchmarks import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {"KNN": KNeighborsClassifier(), "Chance": DummyClassifier()}
    >>> results = compare(models, X, y, random_state=0)
    >>> results[["model", "accuracy"]].round(2)
        model  accuracy
    0     KNN      0.95
    1  Chance      0.33
    """
    X, y = _check_rows(X, y)
    models = _by_name(models, X)
    seed = _seed(random_state)
    models = {name: _seeded(model, seed) for name, model in models.items()}
    splits = make_splits(X, y, cv, train_size, seed)
    table = _Table(models, len(splits))
    with make_progress(progress, len(models), len(splits)) as show:
        for name, split, scores in _run(models, X, y, splits, n_jobs):
            show.split_done(name)
            row = table.add(name, split, scores)
            if row is not None:
                show.model_done(row)
                if callback is not None:
                    callback(table.frame())
    return table.frame()


def _check_rows(X, y):
    """Return X with rows that can be taken by number, and y as an array of classes."""
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    X, y = indexable(X, y)
    return X, check_labels(y)


def _by_name(models, X):
    """Return the models as a dictionary, making those that are given by name only."""
    if not isinstance(models, dict):
        models = make_models(models, data="table" if hasattr(X, "iloc") else "digits")
    if not models:
        raise ValueError("there are no models to compare")
    return models


def _seed(random_state):
    """Return an integer that stands for the random state."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _seeded(model, seed):
    """Return a clone whose random states that were None are the seed."""
    model = clone(model)
    unset = {
        name: seed
        for name, value in model.get_params().items()
        if name.split("__")[-1] == "random_state" and value is None
    }
    return model.set_params(**unset)


# --- Splits -------------------------------------------------------------------------------


def make_splits(X, y, cv, train_size, seed):
    """Return the training and test rows of every split."""
    if isinstance(cv, int | np.integer):
        _check_folds(y, cv)
        cv = StratifiedKFold(cv, shuffle=True, random_state=seed)
    splits = list(check_cv(cv, y, classifier=True).split(X, y))
    if train_size is None:
        return splits
    _check_train_size(train_size, len(np.unique(y)))
    rng = np.random.default_rng(seed)
    return [(_stratified(train, y, train_size, rng), test) for train, test in splits]


def _check_folds(y, n_folds):
    """Refuse folds that cannot all hold every class."""
    if n_folds < 2:
        raise ValueError(f"cross-validation needs at least 2 folds, got {n_folds}")
    classes, counts = np.unique(y, return_counts=True)
    rare = classes[counts < n_folds].tolist()
    if rare:
        shown = ", ".join(map(repr, rare[:5])) + (", ..." if len(rare) > 5 else "")
        advice = "use fewer folds, or " if counts.min() > 1 else ""
        raise ValueError(
            f"{n_folds} folds need {n_folds} rows of every class, but {len(rare)} of "
            f"{len(classes)} classes have fewer, the rarest {counts.min()} ({shown}): "
            f"{advice}remove or merge rare classes"
        )


def _check_train_size(train_size, n_classes):
    """Refuse a number of training rows that cannot hold every class."""
    if train_size < n_classes:
        raise ValueError(
            f"{train_size} training rows cannot show {n_classes} classes: take at least "
            f"{n_classes}, better many times more"
        )


def _stratified(rows, y, size, rng):
    """Return so many of the rows, from each class its share up to one row."""
    if size >= len(rows):
        return rows
    rows = rng.permutation(rows)
    by_class = rows[np.argsort(y[rows], kind="stable")]
    evenly = ((np.arange(size) + rng.uniform()) * len(rows) / size).astype(int)
    return np.sort(by_class[evenly])


# --- Fits ---------------------------------------------------------------------------------


def _run(models, X, y, splits, n_jobs):
    """Yield the name of the model, the number of the split and the scores of each fit."""
    classes = np.unique(y)
    fits = (
        delayed(_fit_and_score)(name, split, model, X, y, train, test, classes)
        for name, model in models.items()
        for split, (train, test) in enumerate(splits)
    )
    # All splits of a model in one worker, so that it imports and compiles once; UMAP takes
    # half a minute for that.
    few = effective_n_jobs(n_jobs) <= len(models)
    size = len(splits) if few else 1
    return Parallel(n_jobs=n_jobs, batch_size=size, return_as="generator_unordered")(fits)


def _fit_and_score(name, split, *args):
    """Return name, split and scores of one fit, or its error so that the others go on."""
    return name, split, attempt(measure_fit, *args)


def measure_fit(model, X, y, train, test, classes):
    """Fit a clone of a model to the training rows and measure it on the test rows."""
    model = clone(model)
    start = time.perf_counter()
    model.fit(_rows(X, train), y[train])
    fitted = time.perf_counter()
    X_test = _rows(X, test)
    ready = time.perf_counter()
    predicted = model.predict(X_test)
    return {
        "predict_seconds": time.perf_counter() - ready,
        "fit_seconds": fitted - start,
        "accuracy": accuracy_score(y[test], predicted),
        "log_loss": _log_loss(model, X_test, y[test], classes),
        "code_size": _code_size(model),
    }


def _rows(X, rows):
    """Take rows of an array, a sparse matrix or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def _log_loss(model, X, y, classes):
    """Return the log loss, NaN for a model without probabilities."""
    if not hasattr(model, "predict_proba"):
        return np.nan
    proba = np.zeros((len(y), len(classes)))
    proba[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(X)
    # Probabilities in float32 sum to 1 in float32 only.
    proba /= proba.sum(axis=1, keepdims=True)
    return log_loss(y, proba, labels=classes)


def _code_size(model):
    """Return how many learned features a fitted classifier decides on, NaN for raw data."""
    model = getattr(model, "best_estimator_", model)
    *before, last = [step for _, step in getattr(model, "steps", [("", model)])]
    if hasattr(last, "hidden_layer_sizes"):
        return int(np.atleast_1d(last.hidden_layer_sizes)[-1])
    learned = ("n_components", "hidden_layer_sizes")
    if any(hasattr(step, name) for step in before for name in learned):
        return last.n_features_in_
    return np.nan


# --- Table --------------------------------------------------------------------------------


class _Table:
    """The rows of the models whose splits are all done."""

    def __init__(self, models, n_splits):
        self._n_splits = n_splits
        self._splits = {name: {} for name in models}
        self._rows = {}

    def add(self, name, split, scores):
        """Add the scores of a split; return the model's row if it was the last one."""
        splits = self._splits[name]
        splits[split] = scores
        if len(splits) < self._n_splits:
            return None
        # In order, as sums depend on it in the last digit.
        self._rows[name] = _row(name, [splits[i] for i in range(self._n_splits)])
        return self._rows[name]

    def frame(self):
        """Return the rows so far as a DataFrame, in the order of the models."""
        import pandas as pd

        rows = [self._rows[name] for name in self._splits if name in self._rows]
        return pd.DataFrame(rows, columns=COLUMNS).astype({"code_size": "Int64"})


def _row(name, splits):
    """Sum up the splits of a model."""
    row = dict.fromkeys(COLUMNS, np.nan) | {
        "model": name,
        "warnings": counted(kind for scores in splits for kind in scores["warnings"]),
        "error": _common_error(splits),
    }
    return row if row["error"] is not None else row | _mean_scores(splits)


def _common_error(splits):
    """Return the first error, with the number of splits if some went well, or None."""
    errors = [scores["error"] for scores in splits if "error" in scores]
    if not errors:
        return None
    some = f" ({len(errors)} of {len(splits)} splits)" if len(errors) < len(splits) else ""
    return errors[0] + some


def _mean_scores(splits):
    """Return the scores over the splits."""

    def over_splits(name):
        return np.array([scores[name] for scores in splits], dtype=float)

    accuracy = over_splits("accuracy")
    return {
        "accuracy": accuracy.mean(),
        "accuracy_sd": accuracy.std(ddof=1) if len(splits) > 1 else np.nan,
        "log_loss": over_splits("log_loss").mean(),
        "code_size": splits[0]["code_size"],
        "fit_seconds": np.median(over_splits("fit_seconds")),
        "predict_seconds": np.median(over_splits("predict_seconds")),
    }
