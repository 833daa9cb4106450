"""The estimators inside what others have made around scikit-learn.

Those of packages that are not in the extra ``test`` have the marker ``tools``, which
``pytest`` leaves out by itself; ``pytest -m tools`` runs them.
"""

import subprocess
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn
from _estimators import CLASSIFIERS, small_rbm
from PIL import Image
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier, VotingRegressor
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdbn import RBM, DBNClassifier, DBNRegressor, MLPClassifier, MLPRegressor
from skdbn.callbacks import Snapshot
from skdbn.plotting import EmbeddingDisplay, animate

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

# Three columns that tell the class, two that do not; few rows of class 1.
rng = np.random.default_rng(0)
y = (rng.random(150) < 0.2).astype(int)
X = np.clip(0.15 * rng.standard_normal((150, 5)) + 0.35, 0, 1)
X[:, :3] = np.clip(X[:, :3] + 0.4 * y[:, np.newaxis], 0, 1)


def learner(name, **params):
    """A classifier that learns this in a moment."""
    params = {"learning_rate": 0.02, "max_iter": 40, "random_state": 0, **params}
    if name == "MLPClassifier":
        return MLPClassifier((8,), **params)
    return DBNClassifier((8,), rbm=RBM(max_iter=5), **params)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# -- scikit-learn's own -----------------------------------------------------------------
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_bagging(name):
    bagging = BaggingClassifier(learner(name), n_estimators=3, random_state=0).fit(X, y)
    assert bagging.score(X, y) > 0.9
    probabilities = [member.predict_proba(X) for member in bagging.estimators_]
    assert not np.array_equal(*probabilities[:2])
    np.testing.assert_allclose(bagging.predict_proba(X), np.mean(probabilities, axis=0))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_thresholds(name):
    tuned = TunedThresholdClassifierCV(learner(name), scoring="f1", cv=2).fit(X, y)
    p = tuned.estimator_.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(tuned.predict(X), p >= tuned.best_threshold_)
    fixed = FixedThresholdClassifier(learner(name), threshold=0.9).fit(X, y)
    assert fixed.predict(X).sum() < (fixed.estimator_.predict_proba(X)[:, 1] > 0.1).sum()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_importance_of_columns(name):
    fitted = learner(name).fit(X, y)
    found = permutation_importance(fitted, X, y, n_repeats=5, random_state=0)
    assert found.importances_mean[:3].min() > found.importances_mean[3:].max()
    # What a column does, averaged over the others: up with the class.
    rising = partial_dependence(fitted, X, [0], kind="average")["average"][0]
    assert rising[-1] > rising[0]


def test_chains_and_votes():
    Y = np.column_stack([y, 1 - y])
    chain = ClassifierChain(learner("MLPClassifier"), order=[0, 1]).fit(X, Y)
    assert (chain.predict(X) == Y).mean() > 0.9
    members = [
        ("dbn", DBNRegressor((4,), rbm=RBM(max_iter=2), max_iter=5)),
        ("mlp", MLPRegressor((4,), max_iter=5)),
    ]
    vote = VotingRegressor(members).fit(X, y.astype(float))
    each = [member.predict(X) for member in vote.estimators_]
    np.testing.assert_allclose(vote.predict(X), np.mean(each, axis=0), rtol=1e-6)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_routing_of_weights(name, routing):
    weight = np.where(y == 1, 5.0, 0.5)
    model = learner(name).set_fit_request(sample_weight=True)
    model.set_score_request(sample_weight=True)
    pipeline = make_pipeline(MinMaxScaler(clip=True), model)
    pipeline.fit(X, y, sample_weight=weight)
    scaled = MinMaxScaler(clip=True).fit_transform(X)
    expected = learner(name).fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(pipeline.predict_proba(X), expected.predict_proba(scaled))
    grid = {f"{name.lower()}__alpha": [0, 1]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y, sample_weight=weight)
    best = clone(pipeline).set_params(**search.best_params_)
    best.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(search.predict_proba(X), best.predict_proba(X))


def test_routing_of_a_validation_set(routing):
    """Scaled on the way, as the rows to train on are."""
    model = learner("MLPClassifier", early_stopping=True, max_iter=10)
    model.set_fit_request(X_val=True, y_val=True)
    steps = [("scale", StandardScaler()), ("mlp", model)]
    pipeline = Pipeline(steps, transform_input=["X_val"])
    pipeline.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    scaler = StandardScaler().fit(X[:100])
    held_out = {"X_val": scaler.transform(X[100:]), "y_val": y[100:]}
    expected = clone(model).fit(scaler.transform(X[:100]), y[:100], **held_out)
    assert pipeline["mlp"].validation_scores_ == expected.validation_scores_
    plain = clone(model).fit(
        scaler.transform(X[:100]), y[:100], X_val=X[100:], y_val=y[100:]
    )
    assert plain.validation_loss_curve_ != expected.validation_loss_curve_


def test_routing_of_the_weights_of_an_rbm(routing):
    weight = np.where(y == 1, 5.0, 0.5)
    rbm = small_rbm().set_fit_request(sample_weight=True)
    pipeline = make_pipeline(
        rbm, learner("MLPClassifier").set_fit_request(sample_weight=False)
    )
    pipeline.fit(X, y, sample_weight=weight)
    expected = small_rbm().fit(X, sample_weight=weight)
    np.testing.assert_array_equal(pipeline[0].components_, expected.components_)


# -- other packages ---------------------------------------------------------------------
@pytest.mark.tools
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_imbalanced_learn(name):
    pytest.importorskip("imblearn")
    from imblearn.ensemble import BalancedBaggingClassifier
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline as make_sampling_pipeline

    pipeline = make_sampling_pipeline(
        MinMaxScaler(clip=True), SMOTE(random_state=0), learner(name)
    ).fit(X, y)
    # The last step has seen as many rows of one class as of the other.
    plain = make_pipeline(MinMaxScaler(clip=True), learner(name)).fit(X, y)
    assert pipeline.predict(X)[y == 1].mean() > 0.9
    assert pipeline.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()
    scores = cross_val_score(pipeline, X, y, cv=2, scoring="balanced_accuracy")
    assert scores.min() > 0.8
    bagging = BalancedBaggingClassifier(learner(name), n_estimators=2, random_state=0)
    assert bagging.fit(X, y).score(X, y) > 0.9


@pytest.mark.tools
def test_optuna():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pipeline = Pipeline(
        [("scale", MinMaxScaler(clip=True)), ("dbn", learner("DBNClassifier"))]
    )

    def score(trial):
        candidate = clone(pipeline).set_params(
            dbn__hidden_layer_sizes=(trial.suggest_int("units", 2, 8),),
            dbn__rbm__learning_rate=trial.suggest_float("rate", 0.01, 0.5, log=True),
            dbn__solver=trial.suggest_categorical("solver", ["adam", "sgd"]),
        )
        for step in range(2):  # a trial that does badly is given up between the steps
            value = cross_val_score(candidate, X[step::2], y[step::2], cv=2).mean()
            trial.report(value, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return value

    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(score, n_trials=6)
    assert study.best_value > 0.9
    # The value belongs to the parameters: another trial with them gets the same.
    assert score(optuna.trial.FixedTrial(study.best_params)) == study.best_value


@pytest.mark.tools
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_shap(name):
    shap = pytest.importorskip("shap")
    fitted = learner(name).fit(X, y)
    explainer = shap.PermutationExplainer(fitted.predict_proba, X[:20], seed=0)
    explained = explainer(X[:10], silent=True)
    # What the columns are given adds up to the answer.
    total = explained.base_values + explained.values.sum(axis=1)
    np.testing.assert_allclose(total, fitted.predict_proba(X[:10]), atol=1e-5)
    size = np.abs(explained.values[..., 1]).mean(axis=0)
    assert size[:3].sum() > size[3:].sum()


@pytest.mark.tools
@pytest.mark.parametrize("how", ["cloudpickle", "skops"])
def test_mlflow(how, tmp_path):
    pytest.importorskip("mlflow")
    import mlflow.sklearn

    from skdbn.persistence import TRUSTED_TYPES

    trusted = {"skops_trusted_types": TRUSTED_TYPES} if how == "skops" else {}
    pipeline = make_pipeline(MinMaxScaler(clip=True), learner("DBNClassifier")).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of mlflow's own
        mlflow.sklearn.save_model(
            pipeline, tmp_path / "model", serialization_format=how,
            pip_requirements=["skdbn"], **trusted,
        )  # fmt: skip
        loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
        served = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))
    np.testing.assert_array_equal(served.predict(X), pipeline.predict(X))


@pytest.mark.tools
@pytest.mark.filterwarnings("ignore:.*n_jobs value:UserWarning")
def test_umap_is_displayed():
    umap = pytest.importorskip("umap")
    fitted = umap.UMAP(n_neighbors=10, random_state=0).fit(X)
    display = EmbeddingDisplay.from_estimator(
        fitted, X, y, samples=[0, 1], image_shape=(1, 5)
    )
    assert display.ax_.get_title().startswith("UMAP: 1-NN accuracy")
    for label, scatter in enumerate(display.scatters_):
        np.testing.assert_allclose(
            scatter.get_offsets(), fitted.embedding_[y == label], rtol=1e-6
        )
    # It has a way back: two rows and their reconstructions.
    assert display.images.shape == (2, 2, 1, 5)
    np.testing.assert_array_equal(display.images[0, :, 0], X[:2])
    assert np.abs(display.images[1] - display.images[0]).mean() < 0.2
    plt.close("all")


def gray_frames(path, ffmpeg, size):
    """The frames of a film, decoded."""
    command = [ffmpeg, "-i", path, "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, *size)


@pytest.mark.tools
def test_films_as_mp4_are_those_as_gif(tmp_path, monkeypatch):
    ffmpeg = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    monkeypatch.setitem(plt.rcParams, "animation.ffmpeg_path", ffmpeg)
    moments = [Snapshot(X[:, i : i + 2], "layer 1", i + 1, 0.5, 0.0) for i in range(3)]

    def draw(points, ax):
        EmbeddingDisplay.from_predictions(points, y, ax=ax)

    paths = [
        animate(moments, draw, tmp_path / name, fps=4, figsize=(4, 4), dpi=50, hold=0.5)
        for name in ("film.mp4", "film.gif")
    ]
    frames = gray_frames(paths[0], ffmpeg, (200, 200))
    assert len(frames) == 5  # the last one stays for two more
    with Image.open(paths[1]) as film:
        for i in range(3):
            film.seek(i)
            expected = np.asarray(film.convert("L"), dtype=float)
            assert np.abs(frames[i] - expected).mean() < 3
    assert np.abs(frames[2] - frames[1].astype(float)).mean() > 3
    assert np.abs(frames[4] - frames[2].astype(float)).mean() < 1
