"""The comparison of models and its command line."""

import importlib.util
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skdbn
import skdbn.benchmarks
from skdbn.__main__ import main
from skdbn.benchmarks import _compare, _data, _models, compare, make_models
from skdbn.benchmarks._figure import plot_results

IRIS = load_iris(return_X_y=True)
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


class Chance(ClassifierMixin, BaseEstimator):
    """Say the first class; subclasses misbehave in one way."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class Failing(Chance):
    def fit(self, X, y):
        raise RuntimeError("no luck\nand a second line")


class FailingOnce(Chance):
    """Fail where the first row of the data is among the training rows."""

    def fit(self, X, y):
        if np.equal(X, IRIS[0][0]).all(axis=1).any():
            raise RuntimeError("no luck")
        return super().fit(X, y)


class Slow(Chance):
    def fit(self, X, y):
        time.sleep(0.3)
        return super().fit(X, y)

    def predict(self, X):
        time.sleep(0.1)
        return super().predict(X)


class SlowAtFirst(Chance):
    """Compile something in the first fit, so to say."""

    n_fits = 0

    def fit(self, X, y):
        type(self).n_fits += 1
        if self.n_fits == 1:
            time.sleep(0.5)
        return super().fit(X, y)


class Float32(Chance):
    """Give probabilities whose rows sum to 1 in single precision only."""

    def predict_proba(self, X):
        proba = np.random.default_rng(0).random((len(X), len(self.classes_)), np.float32)
        return proba / proba.sum(axis=1, keepdims=True)


class Interrupting(Chance):
    def __init__(self, max_iter=None, C=None):
        self.max_iter = max_iter
        self.C = C

    def fit(self, X, y):
        raise KeyboardInterrupt


@pytest.fixture
def hide(monkeypatch):
    """Return a function that makes a package look as if it were not installed."""
    find_spec = importlib.util.find_spec

    def hide(package):
        def without(name, *args):
            return None if name == package else find_spec(name, *args)

        monkeypatch.setattr(importlib.util, "find_spec", without)

    return hide


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs the command; it returns status, stdout and stderr."""

    def run(*args):
        status = main(["benchmark", *map(str, args), "--output", str(tmp_path / "out")])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def results_csv(tmp_path):
    return tmp_path / "out" / "results.csv"


@pytest.fixture
def write_csv(tmp_path):
    def write_csv(table, name="table.csv", **options):
        path = tmp_path / name
        pd.DataFrame(table).to_csv(path, index=False, **options)
        return path

    return write_csv


def mixed_table(n=40):
    """Return a table with all kinds of columns, whose labels the colours give away."""
    rng = np.random.default_rng(0)
    kind = np.array(["oak", "elm"])[np.arange(n) % 2]
    table = pd.DataFrame(
        {
            "length": rng.normal(size=n),
            "colour": np.where(kind == "oak", "red", "blue").astype(object),
            "old": rng.random(n) < 0.5,
            "constant": 3,
            "empty": np.nan,
            "id": [f"tree {i}" for i in range(n)],
            "kind": kind,
        }
    )
    table.loc[[1, 5], "length"] = np.nan
    table.loc[[2, 3], "colour"] = np.nan
    return table


# --- compare: the numbers -----------------------------------------------------------------


def test_scores_are_those_of_cross_val_score():
    X, y = IRIS
    models = {
        "forest": RandomForestClassifier(5),
        "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    results = compare(models, X, y, cv=4, random_state=3)
    assert list(results.columns) == COLUMNS
    assert list(results["model"]) == list(models)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    models["forest"].set_params(random_state=3)
    for row, model in zip(results.itertuples(), models.values(), strict=True):
        accuracy = cross_val_score(model, X, y, cv=folds)
        loss = -cross_val_score(model, X, y, cv=folds, scoring="neg_log_loss")
        assert row.accuracy == pytest.approx(accuracy.mean(), abs=1e-12)
        assert row.accuracy_sd == pytest.approx(accuracy.std(ddof=1), abs=1e-12)
        assert row.log_loss == pytest.approx(loss.mean(), abs=1e-12)


def test_a_single_split_and_string_labels():
    X, y = IRIS
    y = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    is_test = np.arange(len(y)) % 3 == 0
    split = PredefinedSplit(np.where(is_test, 0, -1))
    results = compare({"knn": KNeighborsClassifier()}, X, y, cv=split)
    expected = KNeighborsClassifier().fit(X[~is_test], y[~is_test])
    assert results["accuracy"][0] == expected.score(X[is_test], y[is_test])
    assert np.isnan(results["accuracy_sd"][0])
    same = [(np.flatnonzero(~is_test), np.flatnonzero(is_test))]
    again = compare({"knn": KNeighborsClassifier()}, X.tolist(), list(y), cv=same)
    assert again["log_loss"][0] == results["log_loss"][0]


def test_accuracies_do_not_depend_on_the_jobs():
    X, y = IRIS
    models = {"forest": RandomForestClassifier(3), "knn": KNeighborsClassifier()}
    one = compare(models, X, y, random_state=0)
    two = compare(models, X, y, random_state=0, n_jobs=2)
    timeless = [name for name in COLUMNS if not name.endswith("seconds")]
    pd.testing.assert_frame_equal(one[timeless], two[timeless], check_exact=True)


def test_random_state_makes_runs_equal_and_models_stay_as_they_are():
    X, y = IRIS
    X = X + np.random.default_rng(0).normal(size=X.shape)
    models = {"forest": RandomForestClassifier(2)}
    losses = [compare(models, X, y, random_state=seed)["log_loss"][0] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    rng = np.random.RandomState(0)
    assert len({compare(models, X, y, random_state=rng)["log_loss"][0] for _ in "12"}) == 2
    assert models["forest"].random_state is None
    assert not hasattr(models["forest"], "estimators_")


def test_only_unset_random_states_are_set():
    pipeline = make_pipeline(
        PCA(random_state=7), RandomForestClassifier(), KNeighborsClassifier()
    )
    seeded = _compare._seeded(pipeline, 5)
    assert seeded.get_params()["pca__random_state"] == 7
    assert seeded.get_params()["randomforestclassifier__random_state"] == 5
    assert pipeline.get_params()["randomforestclassifier__random_state"] is None


def test_log_loss_needs_probabilities_and_bears_single_precision():
    X, y = IRIS
    models = {"ridge": RidgeClassifier(), "float32": Float32()}
    results = compare(models, X, y, cv=2, random_state=0).set_index("model")
    assert np.isnan(results.loc["ridge", "log_loss"])
    assert results.loc["ridge", "accuracy"] > 0.7
    assert 0.8 < results.loc["float32", "log_loss"] < 2
    assert results["warnings"].isna().all()


def test_a_class_that_was_not_trained_on_costs_log_loss_but_no_error():
    X, y = IRIS
    train, test = np.flatnonzero(y != 1), np.arange(len(y))
    results = compare({"knn": KNeighborsClassifier()}, X, y, cv=[(train, test)])
    assert results["error"].isna().all()
    assert results["accuracy"][0] == pytest.approx(2 / 3, abs=0.01)
    # A third of the rows has the probability 0, which counts as the step of float64.
    assert results["log_loss"][0] == pytest.approx(
        -np.log(np.finfo(float).eps) / 3, rel=0.01
    )


def test_seconds():
    results = compare({"slow": Slow()}, *IRIS, cv=2)
    assert results["fit_seconds"][0] >= 0.3
    assert 0.1 <= results["predict_seconds"][0] < 0.3


def test_a_slow_first_fit_does_not_count():
    SlowAtFirst.n_fits = 0
    assert compare({"slow": SlowAtFirst()}, *IRIS, cv=3)["fit_seconds"][0] < 0.1
    assert SlowAtFirst.n_fits == 3


@pytest.mark.parametrize(
    ("model", "size"),
    [
        (KNeighborsClassifier(), None),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), None),
        (make_pipeline(StandardScaler(), PCA(3), KNeighborsClassifier()), 3),
        (make_pipeline(PCA(0.9), KNeighborsClassifier()), 1),
        (make_pipeline(PCA(2), MLPClassifier((6, 5), max_iter=1)), 5),
        (MLPClassifier(7, max_iter=1), 7),
        (
            GridSearchCV(
                make_pipeline(PCA(), KNeighborsClassifier()), {"pca__n_components": [2]}
            ),
            2,
        ),
    ],
)
def test_code_size(model, size):
    results = compare({"model": model}, *IRIS, cv=2, random_state=0)
    assert results["error"].isna().all()
    found = results["code_size"][0]
    assert pd.isna(found) if size is None else found == size


def test_warnings_are_counted_not_shown():
    # pytest turns every warning that gets out into an error.
    models = {"mlp": MLPClassifier(2, max_iter=1), "knn": KNeighborsClassifier()}
    results = compare(models, *IRIS, cv=3, random_state=0)
    assert results["warnings"][0] == "ConvergenceWarning x3"
    assert pd.isna(results["warnings"][1])


# --- compare: failures and wrong input ----------------------------------------------------


def test_a_failing_model_does_not_lose_the_others():
    models = {"bad": Failing(), "knn": KNeighborsClassifier(), "half": FailingOnce()}
    results = compare(models, *IRIS, cv=3, random_state=0).set_index("model")
    assert results.loc["bad", "error"] == "RuntimeError: no luck"
    assert results.loc["half", "error"] == "RuntimeError: no luck (2 of 3 splits)"
    assert results.loc[["bad", "half"], "accuracy":"predict_seconds"].isna().all(axis=None)
    assert results.loc["knn", "accuracy"] > 0.9
    assert pd.isna(results.loc["knn", "error"])


def test_a_regressor_is_a_failing_model():
    results = compare({"line": LinearRegression()}, *IRIS, cv=2)
    assert "ValueError" in results["error"][0]


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (np.linspace(0, 1, 150), {}, "must be classes.*continuous.*pandas.cut"),
        (np.zeros(150), {}, "one class only, 0.0"),
        (np.where(IRIS[1] == 2, np.nan, IRIS[1]), {}, "missing labels"),
        (IRIS[1][:100], {}, "inconsistent numbers of samples"),
        (np.arange(150) // 2, {"cv": 5}, "75 of 75 classes.*rarest 2.*fewer folds"),
        (np.arange(150), {"cv": 5}, "rarest 1 .*: remove or merge"),
        (IRIS[1], {"cv": 1}, "at least 2 folds"),
        (IRIS[1], {"train_size": 2}, "2 training rows cannot show 3 classes"),
        (IRIS[1], {"models": {}}, "no models"),
        (IRIS[1], {"models": ["knn", "nope"]}, "unknown model 'nope'.*knn, forest"),
    ],
)
def test_wrong_input(y, options, message):
    options = {"models": {"knn": KNeighborsClassifier()}} | options
    with pytest.raises(ValueError, match=message):
        compare(X=IRIS[0], y=y, **options)


# --- compare: rows, models and reports ----------------------------------------------------


def test_train_size_takes_a_stratified_part_of_the_training_rows():
    y = np.repeat([0, 1, 2], [100, 60, 40])
    X = np.zeros((200, 1))
    full = _compare.make_splits(X, y, 4, None, 0)
    part = _compare.make_splits(X, y, 4, 30, 0)
    for (train, test), (few, same_test) in zip(full, part, strict=True):
        np.testing.assert_array_equal(test, same_test)
        assert len(np.unique(few)) == 30
        assert np.isin(few, train).all()
        assert np.abs(np.bincount(y[few]) - [15, 9, 6]).max() <= 1
    other = _compare.make_splits(X, y, 4, 30, 1)
    assert not np.array_equal(part[0][0], other[0][0])
    for (train, _), (all_rows, _) in zip(
        full, _compare.make_splits(X, y, 4, 150, 0), strict=True
    ):
        np.testing.assert_array_equal(train, all_rows)


def test_train_size_reaches_the_fits():
    class Counting(Chance):
        sizes = []

        def fit(self, X, y):
            self.sizes.append(len(X))
            return super().fit(X, y)

    compare({"counting": Counting()}, *IRIS, cv=2, train_size=12)
    assert Counting.sizes == [12, 12]


def test_callback_gets_the_rows_so_far_in_order():
    seen = []
    models = {"b": KNeighborsClassifier(), "a": KNeighborsClassifier(1)}
    results = compare(models, *IRIS, random_state=0, callback=seen.append)
    assert [list(frame["model"]) for frame in seen] == [["b"], ["b", "a"]]
    pd.testing.assert_frame_equal(seen[-1], results)


def test_models_by_name_are_prepared_for_the_kind_of_data():
    table = mixed_table()
    results = compare(
        ["logistic"], table.drop(columns="kind"), table["kind"], random_state=0
    )
    assert list(results["model"]) == ["Logistic regression"]
    assert results["accuracy"][0] > 0.85
    assert compare(["knn"], *IRIS, random_state=0)["accuracy"][0] > 0.9


# --- Models -------------------------------------------------------------------------------


@pytest.mark.parametrize("data", ["digits", "mnist", "table"])
def test_every_model_can_be_made(data):
    models = make_models(
        [name for name in _models.model_names(data) if name != "umap-knn"], data=data
    )
    ours = [_models.LABELS[name] for name in ("rbm", "stack", "autoencoder", "dbn", "mlp")]
    ours += ["DBN autoencoder (2) + 1-NN"] if data == "mnist" else []
    assert [label for label, model in models.items() if _models.is_ours(model)] == ours
    assert ("PCA (2) + 1-NN" in models) == (data == "mnist")
    assert all(hasattr(model, "fit") for model in models.values())


def test_umap_is_left_out_with_a_hint_if_missing(hide):
    hide("umap")
    with pytest.warns(UserWarning, match=r'pip install "skdbn\[benchmark\]"'):
        models = make_models(["knn", "umap-knn"])
    assert list(models) == ["KNN"]


def test_umap_is_there_if_installed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "umap" or None)
    assert _models.without_umap(["knn", "umap-knn"]) == ["knn", "umap-knn"]


def test_unknown_kind_of_data():
    with pytest.raises(ValueError, match=r"one of.*'digits'.*got 'faces'"):
        make_models(data="faces")


def test_table_is_prepared_from_the_training_rows_only():
    train = pd.DataFrame({"x": [0.0, 2.0, 4.0, np.nan, 2.0, 2.0], "c": [*"aabbd", None]})
    prepare = make_models(["knn"], data="table")["KNN"].fit(train, [0, 1] * 3)[:-1]
    codes = prepare.transform(
        pd.DataFrame({"x": [np.nan, 8.0, -1.0], "c": ["z", "b", np.nan]})
    )
    # x is filled with the median 2 and clipped; c is a, b, d or missing, z none of them.
    expected = [[0.5, 0, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    np.testing.assert_array_equal(codes, expected)


def test_identifiers_do_not_become_a_column_each():
    train = pd.DataFrame({"id": [f"row {i}" for i in range(200)]})
    prepare = make_models(["knn"], data="table")["KNN"].fit(train, [0, 1] * 100)[:-1]
    assert prepare.transform(train).shape == (200, 32)


# --- Data ---------------------------------------------------------------------------------


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(header + array.astype(np.uint8).tobytes())


@pytest.fixture
def mnist_dir(tmp_path):
    """Return a folder with 60 training and 20 test images of two digits."""
    rng = np.random.default_rng(0)
    for prefix, n in (("train", 60), ("t10k", 20)):
        labels = np.arange(n) % 2
        images = rng.integers(0, 100, (n, 28, 28)) + 155 * labels[:, None, None]
        images[0, 0, 0], images[1, 0, 0] = 0, 255
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte", images)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte", labels)
    return tmp_path


def test_mnist_is_scaled_once_in_single_precision(mnist_dir):
    data = _data.load("mnist", data_dir=mnist_dir)
    assert data.X.shape == (80, 784)
    assert data.X.dtype == np.float32
    assert (data.X.min(), data.X.max()) == (0, 1)
    ((train, test),) = data.split
    np.testing.assert_array_equal(train, np.arange(60))
    np.testing.assert_array_equal(test, np.arange(60, 80))


def test_mnist_from_the_command_line(run, mnist_dir, monkeypatch, results_csv):
    monkeypatch.setenv("SKDBN_DATA", str(mnist_dir))
    status, out, _ = run("mnist", "--models", "pca-2,knn")
    assert status == 0
    assert "mnist, 80 rows x 784 columns, 2 classes" in out
    assert "60 training rows, 20 test rows" in out
    results = pd.read_csv(results_csv)
    assert list(results["model"]) == ["PCA (2) + 1-NN", "KNN"]
    assert list(results["accuracy"]) == [1, 1]
    assert results["accuracy_sd"].isna().all()
    status, out, _ = run("mnist", "--models", "knn", "--folds", "2")
    assert "2 folds" in out
    assert pd.read_csv(results_csv)["accuracy_sd"].notna().all()


def test_tables_are_read_with_numbers_and_texts(write_csv):
    table = mixed_table()
    for name, options in (("t.csv", {}), ("t.tsv", {"sep": "\t"})):
        data = _data.load(str(write_csv(table, name, **options)), target="kind")
        assert data.split is None
        assert list(data.y) == list(table["kind"])
        numbers = data.X.select_dtypes("float64")
        assert list(numbers.columns) == ["length", "old", "constant", "empty"]
        np.testing.assert_allclose(numbers["length"], table["length"])
        np.testing.assert_array_equal(numbers["old"], table["old"])


# --- Command line -------------------------------------------------------------------------


def test_digits_from_the_command_line(run, results_csv, monkeypatch):
    returned = []

    def keep(*args, **kwargs):
        returned.append(compare(*args, **kwargs))
        return returned[0]

    monkeypatch.setattr(skdbn.benchmarks, "compare", keep)
    status, out, err = run("--models", "knn,pca-knn", "--train-rows", "200", "--seed", "4")
    assert status == 0
    header, table = out.split("\n\n")
    for text in (
        "digits, 1797 rows x 64 columns, 10 classes",
        "5 folds",
        "seed 4",
        "200 rows",
    ):
        assert text in header
    for package in ("scikit-learn", "numpy", "numba", f"skdbn {skdbn.__version__}"):
        assert package in header
    lines = table.splitlines()
    assert lines[0].split() == COLUMNS[:-2]
    (results,) = returned
    for line, row in zip(lines[1:], results.itertuples(), strict=True):
        assert line.startswith(row.model)
        cells = line[len(row.model) :].split()
        assert cells[0] == f"{row.accuracy:.4f}"
        assert cells[3] == ("16" if row.model == "PCA + KNN" else "-")
    assert len({len(line) for line in lines}) == 1
    assert "[1/2] KNN: accuracy 0.9" in err
    assert "[2/2] PCA + KNN: accuracy 0.9" in err
    written = pd.read_csv(results_csv, dtype={"code_size": "Int64"})
    assert list(written.columns) == COLUMNS
    assert written.pop("warnings").isna().all()
    assert written.pop("error").isna().all()
    pd.testing.assert_frame_equal(written, results[COLUMNS[:-2]], rtol=1e-12)
    assert results_csv.with_name("results.png").stat().st_size > 1000
    assert sorted(path.name for path in results_csv.parent.iterdir()) == [
        "results.csv",
        "results.png",
    ]


def test_seed_and_train_rows_make_the_run(run, results_csv):
    accuracies = []
    for seed, rows in ((1, 100), (1, 100), (2, 100), (1, 110)):
        run("--models", "knn", "--train-rows", rows, "--seed", seed, "--folds", "3")
        accuracies.append(pd.read_csv(results_csv)["accuracy"][0])
    assert accuracies[0] == accuracies[1]
    assert len(set(accuracies)) == 3


def test_table_from_the_command_line(run, write_csv, results_csv):
    path = write_csv(mixed_table())
    status, out, err = run(path, "--target", "kind", "--models", "logistic", "--folds", 4)
    assert (status, "warned" in err) == (0, False)
    assert "40 rows x 6 columns, 2 classes" in out
    assert pd.read_csv(results_csv)["accuracy"][0] > 0.85


def test_a_failing_model_gives_status_1(run, write_csv, results_csv):
    path = write_csv(mixed_table(6))  # too few rows for 5 neighbours
    status, out, err = run(
        path, "--target", "kind", "--models", "knn,logistic", "--folds", 2
    )
    assert status == 1
    assert "KNN failed: ValueError: Expected n_neighbors <= n_samples_fit" in err
    assert out.splitlines()[-2].split()[:3] == ["KNN", "-", "-"]
    results = pd.read_csv(results_csv)
    assert results["error"].notna().tolist() == [True, False]
    assert results["accuracy"].notna().tolist() == [False, True]


def test_warnings_are_remarked(run, monkeypatch):
    monkeypatch.setattr(_models, "_unit_range", list)
    hasty = lambda **options: LogisticRegression(max_iter=1)  # noqa: E731
    monkeypatch.setattr(_models, "LogisticRegression", hasty)
    status, _, err = run("--models", "logistic", "--train-rows", "100")
    assert status == 0
    assert "Logistic regression warned: ConvergenceWarning x5" in err


def test_an_interrupted_run_keeps_the_finished_rows(run, monkeypatch, results_csv):
    monkeypatch.setattr(_models, "LogisticRegression", Interrupting)
    some = ("--models", "knn,logistic,pca-knn", "--train-rows", "100", "--jobs", 1)
    status, out, err = run(*some)
    assert status == 130
    assert "interrupted: 1 of 3 models were finished" in err
    assert out.splitlines()[-1].startswith("KNN ")
    assert list(pd.read_csv(results_csv)["model"]) == ["KNN"]


def test_an_interrupted_run_without_rows_leaves_old_results(run, monkeypatch, results_csv):
    run("--models", "knn", "--train-rows", "100")
    before = results_csv.read_text()
    monkeypatch.setattr(_models, "LogisticRegression", Interrupting)
    status, _, err = run("--models", "logistic", "--train-rows", "100")
    assert status == 130
    assert "before a model was finished" in err
    assert results_csv.read_text() == before


def test_missing_umap_is_said_in_one_line(run, hide):
    hide("umap")
    status, out, err = run("--models", "umap-knn,knn", "--train-rows", "100")
    assert status == 0
    assert (
        'umap-knn is left out. UMAP is not installed: pip install "skdbn[benchmark]"' in err
    )
    assert "UMAP" not in out
    status, _, err = run("--models", "umap-knn")
    assert status == 2
    assert err.endswith("error: no model to run\n")


def test_missing_matplotlib_costs_only_the_figure(run, hide, results_csv):
    hide("matplotlib")
    status, _, err = run("--models", "knn", "--train-rows", "100")
    assert status == 0
    assert "no figure" in err
    assert results_csv.exists()
    assert not results_csv.with_name("results.png").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["no.csv", "--target", "kind"], "there is no file 'no.csv'"),
        (["{folder}", "--target", "kind"], "cannot read '{folder}' as a csv table"),
        (["{folder}/table.csv"], "needs --target.*'length', 'colour'"),
        (
            ["{folder}/table.csv", "--target", "sort"],
            "no column 'sort'.*'constant'.*'kind'",
        ),
        (["{folder}/table.csv", "--target", "colour"], "no label in 2 of 40 rows"),
        (["{folder}/table.csv", "--target", "id"], "classes have fewer, the rarest 1"),
        (["{folder}/table.csv", "--target", "kind", "--folds", "30"], "use fewer folds"),
        (["{folder}/numbers.csv", "--target", "x"], "these are continuous numbers"),
        (["{folder}/numbers.csv", "--target", "y"], "infinite values in 'z'"),
        (["{folder}/single.csv", "--target", "y"], "no column besides 'y'"),
        (["{folder}/header.csv", "--target", "y"], "has no rows"),
        (["{folder}/ragged.csv", "--target", "y"], "cannot read .*line 3"),
        (["{folder}/empty.csv", "--target", "y"], "cannot read"),
        (["{folder}/binary.csv", "--target", "y"], "cannot read"),
        (["digits", "--target", "y"], "--target is for a table"),
        (["mnist"], "give --data-dir DIR or set .* SKDBN_DATA"),
        (["mnist", "--data-dir", "{folder}"], "train-images-idx3-ubyte"),
        (["--models", "knn,nope"], "unknown model 'nope' for digits.*pca-knn"),
        (["--models", "pca-2"], "unknown model 'pca-2' for digits"),
        (["--train-rows", "9"], "9 training rows cannot show 10 classes"),
    ],
)
def test_user_errors(run, write_csv, tmp_path, monkeypatch, args, message):
    monkeypatch.delenv("SKDBN_DATA", raising=False)
    write_csv(mixed_table())
    write_csv({"x": [0.5, 0.7, 1.2], "y": [0, 1, 0], "z": [1, np.inf, 2]}, "numbers.csv")
    write_csv({"y": [0, 1]}, "single.csv")
    write_csv({"x": [], "y": []}, "header.csv")
    (tmp_path / "ragged.csv").write_text("x,y\n1,2\n1,2,3\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "binary.csv").write_bytes(b"x,y\n\xff\xfe\x00,1\n")
    args = [arg.format(folder=tmp_path) for arg in args]
    if "--models" not in args:
        args += ["--models", "knn"]
    status, _, err = run(*args)
    assert status == 2
    last_line = err.splitlines()[-1]
    assert last_line.startswith("skdbn benchmark: error: ")
    assert re.search(message.format(folder=tmp_path), last_line)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--folds", "1"], "--folds: must be at least 2, got 1"),
        (["--folds", "many"], "--folds: invalid whole number value: 'many'"),
        (["--train-rows", "0"], "--train-rows: must be at least 1, got 0"),
        (["--jobs", "0"], "--jobs: must be 1 or more, or -1"),
        (["--seed", "-1"], "--seed: must be at least 0"),
        (["digits", "mnist"], "unrecognized arguments: mnist"),
    ],
)
def test_wrong_options(capsys, args, message):
    with pytest.raises(SystemExit) as exit_:
        main(["benchmark", *args])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("folder", ["file", "file/out"])
def test_an_output_folder_that_cannot_be_written_is_found_at_once(
    tmp_path, capsys, monkeypatch, folder
):
    monkeypatch.setattr(
        skdbn.benchmarks, "compare", lambda *a, **k: pytest.fail("too late")
    )
    (tmp_path / "file").write_text("")
    args = ["benchmark", "--models", "knn", "--output", str(tmp_path / folder)]
    assert main(args) == 2
    assert "skdbn benchmark: error: " in capsys.readouterr().err


def test_an_existing_folder_without_write_permission_is_found_at_once(run, monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied", str(options["dir"]))

    monkeypatch.setattr(
        skdbn.benchmarks, "compare", lambda *a, **k: pytest.fail("too late")
    )
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    status, _, err = run("--models", "knn")
    assert status == 2
    assert err.startswith("skdbn benchmark: error: [Errno 13] Permission denied")


def test_list_models(capsys):
    assert main(["benchmark", "--list-models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(_models.LABELS)
    by_name = {line.split()[0]: line for line in lines}
    assert "Stacked RBM" in by_name["stack"]
    assert [name for name in by_name if "mnist only" in by_name[name]] == [
        "pca-2",
        "autoencoder-2",
    ]


def test_version_and_help(capsys):
    for option, text in (
        ("--version", f"skdbn {skdbn.__version__}"),
        ("--help", "benchmark"),
    ):
        with pytest.raises(SystemExit) as exit_:
            main([option])
        assert exit_.value.code == 0
        assert text in capsys.readouterr().out


def test_python_m_skdbn_imports_nothing_heavy_before_it_is_used():
    # scikit-learn itself imports pandas and rich where they are installed.
    code = (
        "import sys, skdbn, skdbn.__main__\n"
        "heavy = {'matplotlib', 'umap', 'skdbn.benchmarks', 'sklearn.ensemble'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
    command = [sys.executable, "-m", "skdbn", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == f"skdbn {skdbn.__version__}", done.stderr


# --- Progress -----------------------------------------------------------------------------


@pytest.fixture
def stderr_of(monkeypatch, capsys):
    """Return a function that calls another one with stderr as if it were a terminal."""

    def stderr_of(call):
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        call()
        return capsys.readouterr().err

    return stderr_of


MODELS = {"one": KNeighborsClassifier(1), "two": KNeighborsClassifier(2)}


def test_a_bar_on_a_terminal(stderr_of):
    pytest.importorskip("rich")
    err = stderr_of(lambda: compare(MODELS, *IRIS, cv=4, progress=True))
    assert "8/8" in err
    assert "[1/2]" not in err


def test_lines_on_a_terminal_without_rich(stderr_of, hide):
    hide("rich")
    models = MODELS | {"bad": Failing()}
    lines = stderr_of(lambda: compare(models, *IRIS, cv=4, progress=True)).splitlines()
    assert [line[:9] for line in lines] == ["[1/3] one", "[2/3] two", "[3/3] bad"]
    assert lines[2].endswith("failed")


def test_silent_by_default(capsys):
    compare(MODELS, *IRIS, cv=4)
    assert capsys.readouterr() == ("", "")


# --- Figure -------------------------------------------------------------------------------


@pytest.fixture
def results():
    return pd.DataFrame(
        {
            "model": ["mid", "best", "failed", "worst"],
            "accuracy": [0.9, 0.95, np.nan, 0.8],
            "accuracy_sd": [0.01, 0.02, np.nan, 0.03],
            "fit_seconds": [1.0, 100.0, np.nan, 0.01],
        }
    )


def test_figure_shows_the_results(results):
    pytest.importorskip("matplotlib")
    left, right = plot_results(results, ours=["best"], title="Trees").axes
    assert [label.get_text() for label in left.get_yticklabels()] == [
        "worst",
        "mid",
        "best",
    ]
    dots = {c.get_label(): c for c in left.containers}
    expected = {
        "others": ([0.8, 0.9], [0, 1], [0.03, 0.01]),
        "skdbn": ([0.95], [2], [0.02]),
    }
    assert dots.keys() == expected.keys()
    for label, (accuracy, height, sd) in expected.items():
        line, _, (bars,) = dots[label]
        np.testing.assert_allclose(line.get_xdata(), accuracy)
        np.testing.assert_allclose(line.get_ydata(), height)
        widths = [np.ptp(bar[:, 0]) / 2 for bar in bars.get_segments()]
        np.testing.assert_allclose(widths, sd)
    seconds = {line.get_color(): line.get_xdata().tolist() for line in right.get_lines()}
    assert seconds == {
        dots["others"][0].get_color(): [0.01, 1.0],
        dots["skdbn"][0].get_color(): [100.0],
    }
    assert right.get_xscale() == "log"
    assert [text.get_text() for text in left.texts] == ["0.800", "0.900", "0.950"]
    (legend,) = left.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["others", "skdbn"]
    assert left.figure.get_suptitle() == "Trees"


def test_figure_of_one_split_has_no_bars_and_of_one_kind_no_legend(results):
    pytest.importorskip("matplotlib")
    results["accuracy_sd"] = np.nan
    left, _ = plot_results(results).axes
    assert left.get_xlabel() == "accuracy"
    assert not left.figure.legends
    assert [container.get_label() for container in left.containers] == ["others"]


def test_figure_is_drawn_without_pyplot(tmp_path):
    pytest.importorskip("matplotlib")
    code = (
        "import sys; from skdbn.__main__ import main\n"
        "args = ['benchmark', '--models', 'knn', '--train-rows', '50', '--output']\n"
        "assert main([*args, sys.argv[1]]) == 0\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
