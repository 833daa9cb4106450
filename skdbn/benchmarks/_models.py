"""The models of the benchmark, by name, and their settings for each data set."""

import importlib.util
import warnings

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import BernoulliRBM
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

import skdbn
from skdbn.benchmarks import _report
from skdbn.schedules import Ramp

LABELS = {
    "knn": "KNN",
    "forest": "Random forest",
    "logistic": "Logistic regression",
    "pca-knn": "PCA + KNN",
    "umap-knn": "UMAP + KNN",
    "sklearn-mlp": "MLP (scikit-learn)",
    "bernoulli-rbm": "BernoulliRBM + logistic",
    "pca-2": "PCA (2) + 1-NN",
    "rbm": "RBM + logistic",
    "stack": "Stacked RBM + logistic",
    "autoencoder": "DBN autoencoder + KNN",
    "dbn": "DBN classifier",
    "mlp": "MLP classifier",
    "autoencoder-2": "DBN autoencoder (2) + 1-NN",
}
INSTALL_UMAP = 'UMAP is not installed: pip install "skdbn[benchmark]"'
# A column with more values than this is closer to an identifier than to a category.
_MAX_CATEGORIES = 32

# --- Settings: the one place to tune, a function for each data set -----------------------
# Each maps a model's name to a function, so that only what is asked for is built (and
# imported: UMAP takes seconds), returning the steps that follow the preparation.


def _digits():
    """Return the models for the 8x8 digits of scikit-learn."""
    return {
        **_baselines(code=16, hidden=256, max_iter=200, C=10),
        "rbm": lambda: [skdbn.RBM(256), logistic(C=10)],
        "stack": lambda: [skdbn.StackedRBM((256, 128)), logistic(C=10)],
        "autoencoder": lambda: [
            skdbn.DBNAutoencoder((256, 64, 16), max_iter=50),
            KNeighborsClassifier(),
        ],
        "dbn": lambda: [skdbn.DBNClassifier((256, 256), **annealed(50))],
        "mlp": lambda: [skdbn.MLPClassifier((256,))],
    }


def _mnist():
    """Return the models for the 28x28 digits of MNIST."""
    return {
        **_baselines(code=32, hidden=500, max_iter=30, C=1),
        "pca-2": lambda: [PCA(2), KNeighborsClassifier(1)],
        "rbm": lambda: [skdbn.RBM(500), logistic(C=1)],
        "stack": lambda: [skdbn.StackedRBM((500, 500)), logistic(C=1)],
        "autoencoder": lambda: [
            skdbn.DBNAutoencoder(
                (500, 250, 32), rbm=skdbn.RBM(max_iter=10), **annealed(20)
            ),
            KNeighborsClassifier(),
        ],
        "dbn": lambda: [
            skdbn.DBNClassifier((500, 500), rbm=skdbn.RBM(max_iter=10), **annealed(20))
        ],
        "mlp": lambda: [skdbn.MLPClassifier((500,), **annealed(20))],
        "autoencoder-2": lambda: [
            skdbn.DBNAutoencoder(
                (1000, 500, 250, 2), rbm=skdbn.RBM(max_iter=10), **annealed(30)
            ),
            KNeighborsClassifier(1),
        ],
    }


def _table():
    """Return the models for a table of unknown size: nothing depends on its columns."""
    return {
        **_baselines(code=8, hidden=128, max_iter=200, C=10),
        # A share of the variance suits any number of columns.
        "pca-knn": lambda: [PCA(0.95, svd_solver="full"), KNeighborsClassifier()],
        "rbm": lambda: [skdbn.RBM(128), logistic(C=10)],
        "stack": lambda: [skdbn.StackedRBM((128, 64)), logistic(C=10)],
        "autoencoder": lambda: [skdbn.DBNAutoencoder((128, 64, 8)), KNeighborsClassifier()],
        "dbn": lambda: [skdbn.DBNClassifier((128, 128))],
        "mlp": lambda: [skdbn.MLPClassifier((128,))],
    }


def _baselines(code, hidden, max_iter, C):
    """Return the models of other packages: sizes, MLP epochs, C of logistic on codes."""
    return {
        "knn": lambda: [KNeighborsClassifier()],
        "forest": lambda: [RandomForestClassifier(n_jobs=-1)],
        "logistic": lambda: [LogisticRegression(max_iter=1000)],
        "pca-knn": lambda: [PCA(code), KNeighborsClassifier()],
        "umap-knn": lambda: [make_umap(code), KNeighborsClassifier()],
        "sklearn-mlp": lambda: [SklearnMLPClassifier((hidden,), max_iter=max_iter)],
        "bernoulli-rbm": lambda: [
            BernoulliRBM(hidden, learning_rate=0.1, batch_size=20, n_iter=20),
            logistic(C),
        ],
    }


def annealed(n_epochs, rate=0.001):
    """Parameters of a fixed number of epochs, the rate, as for Adam, falling to zero."""
    falling = Ramp(rate, 0.0, n_epochs=None)
    return {"learning_rate": falling, "max_iter": n_epochs, "tol": None}


def logistic(C):
    """Make the logistic regression that follows every RBM, ours and others alike."""
    return LogisticRegression(C=C, max_iter=1000)


def make_umap(n_components):
    """Make a UMAP transformer."""
    from umap import UMAP

    # With a random state UMAP runs on one core, and warns unless told so. 200 epochs are
    # its own choice for large data; 500 for small ones take longest of all models here.
    return UMAP(n_components=n_components, n_epochs=200, n_jobs=1)


# --- Preparation of the data, fitted on the training rows only ---------------------------


def _unit_range():
    """Return the steps that bring numbers to [0, 1], where Bernoulli units live."""
    return [MinMaxScaler(clip=True)]


def _encoded_table():
    """Return the steps that turn a table of numbers and texts into numbers in [0, 1]."""
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), MinMaxScaler(clip=True)
    )
    # A missing text is a category of its own; values not seen in the training rows fall
    # to the rare ones.
    texts = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        max_categories=_MAX_CATEGORIES,
        sparse_output=False,
    )
    by_type = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (texts, make_column_selector(dtype_exclude="number")),
    )
    return [by_type]


# The pixels of MNIST are divided by 255 once, when they are loaded.
_DATA = {
    "digits": (_unit_range, _digits),
    "mnist": (list, _mnist),
    "table": (_encoded_table, _table),
}


def model_names(data="digits"):
    """Return the names of the models for this data, in the order of the table."""
    available = _DATA[data][1]()
    return [name for name in LABELS if name in available]


def without_umap(names):
    """Return the names that can be run here: all, or those that do not need UMAP."""
    if importlib.util.find_spec("umap") is not None:
        return list(names)
    return [name for name in names if not name.startswith("umap")]


def check_names(names, data):
    """Return the names without repetition, or say which are unknown for this data."""
    return _report.check_names(names, model_names(data), "model", f" for {data}")


def make_models(names=None, *, data="digits"):
    """Make the models of the benchmark.

    Parameters
    ----------
    names : list of str, default=None
        The models to make, by default all that there are for `data`: ``"knn"``,
        ``"forest"``, ``"logistic"``, ``"pca-knn"``, ``"umap-knn"``, ``"sklearn-mlp"`` and
        ``"bernoulli-rbm"`` for comparison; ``"rbm"``, ``"stack"``, ``"autoencoder"``,
        ``"dbn"`` and ``"mlp"`` of this package; for MNIST also ``"pca-2"`` and
        ``"autoencoder-2"``, two numbers an image. Without umap-learn,
        ``"umap-knn"`` is left out with a warning.
    data : {"digits", "mnist", "table"}, default="digits"
        What the models are prepared and tuned for.

        - "digits": arrays of numbers, brought to [0, 1] by each model.
        - "mnist": images of 28 x 28 pixels that are in [0, 1] already.
        - "table": a DataFrame. Missing numbers are replaced by the column's median, then
          numbers are brought to [0, 1]. Columns of other types are one-hot encoded, where
          a missing value is a category and all but the 31 most frequent values share one.

        All of this is fitted on the training rows only.

    Returns
    -------
    models : dict of str to classifier
        Unfitted classifiers by the label that is shown in the table.

    See Also
    --------
    compare : Compare classifiers by cross-validation.

    Examples
    --------
    >>> from skdbn.benchmarks import make_models
    >>> models = make_models(["knn", "pca-knn"])
    >>> list(models)
    ['KNN', 'PCA + KNN']
    >>> [name for name, _ in models["PCA + KNN"].steps]
    ['minmaxscaler', 'pca', 'kneighborsclassifier']
    """
    if data not in _DATA:
        raise ValueError(f"data must be one of {list(_DATA)}, got {data!r}")
    wanted = model_names(data) if names is None else check_names(names, data)
    names = without_umap(wanted)
    if len(names) < len(wanted):
        warnings.warn(INSTALL_UMAP, stacklevel=2)
    prepare, settings = _DATA[data]
    available = settings()
    return {LABELS[name]: make_pipeline(*prepare(), *available[name]()) for name in names}


def is_ours(model):
    """Tell whether an estimator or any estimator inside it comes from this package."""
    inside = [model, *model.get_params().values()]
    return any(type(part).__module__.split(".")[0] == "skdbn" for part in inside)
