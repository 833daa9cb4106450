"""The tables of ``skdbn networks``."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline

from skdbn import DBNClassifier, MLPClassifier
from skdbn.__main__ import main
from skdbn.benchmarks._networks import NetworksTable, hold_out, squared_error
from skdbn.benchmarks._networks_classifiers import ClassifiersTable
from skdbn.benchmarks._networks_codes import CodesTable, MapsTable
from skdbn.benchmarks._networks_labels import LabelsTable
from skdbn.benchmarks._networks_solvers import SolversTable
from skdbn.benchmarks._tables import Images, load_images
from skdbn.optimizers import SOLVERS


@pytest.fixture(scope="module")
def images():
    """Digits of 210 rows to train on and 50 to test on."""
    images = load_images("digits", None, 0, quick=True)
    rows = np.r_[:210, images.n_train : images.n_train + 50]
    return Images("digits", images.X[rows], images.y[rows], 210)


@pytest.fixture
def networks(capsys):
    """Return a function that runs the command: status, stdout and stderr."""

    def networks(*args):
        status = main(["networks", *map(str, args)])
        return status, *capsys.readouterr()

    return networks


# --- What all tables share ----------------------------------------------------------------


@dataclass
class Numbers(NetworksTable):
    """A table of known numbers."""

    formats = {"model": "{}", "label": "{}", "a": "{}", "a_sd": "{}", "b": "{}"}
    headlines = ("a",)
    spread = frozenset({"a"})

    def _measures(self):
        return {
            "one": lambda seed, label: {"a": seed, "b": label},
            "two": lambda seed, label: {"a": 10 * seed**2, "b": -label},
        }

    def _conditions(self):
        return [{"label": 3}, {"label": 4}]


def test_means_and_deviations_over_seeds_for_each_condition():
    rows = Numbers(None, seed=1, runs=3).rows()
    assert [row.names for row in rows] == [
        {"model": model, "label": label} for label in (3, 4) for model in ("one", "two")
    ]
    found = [row.measure() for row in rows]
    assert found[0] == {"a": 2, "a_sd": 1, "b": 3}
    values = [10, 40, 90]
    assert found[3] == {"a": np.mean(values), "a_sd": np.std(values, ddof=1), "b": -4}
    assert "a_sd" not in Numbers(None, runs=1).rows()[0].measure()


def test_models_that_are_asked_for():
    rows = Numbers(None, models=["two", "two"]).rows()
    assert [row.names["model"] for row in rows] == ["two", "two"]  # for two conditions
    assert Numbers.list_models() == "one\ntwo"
    with pytest.raises(ValueError, match="unknown model 'three'"):
        Numbers(None, models=["three"]).rows()


def test_held_out_images_are_the_last_of_the_training_images(images):
    held = hold_out(images)
    assert (len(held.train), len(held.test)) == (175, 35)
    np.testing.assert_array_equal(held.X, images.train)
    np.testing.assert_array_equal(np.r_[held.train_y, held.test_y], images.train_y)


def test_squared_error_is_summed_over_pixels_and_averaged_over_images():
    X = np.random.default_rng(0).random((4001, 3), np.float32)
    expected = ((0.5 - X.astype(float)) ** 2).sum(axis=1).mean()
    found = squared_error(lambda X: np.full_like(X, 0.5), X)
    assert found == pytest.approx(expected, rel=1e-6)


# --- The tables ---------------------------------------------------------------------------


def measured(table):
    """Return what the rows of a table measure, by the names of the models."""
    return {row.names["model"]: row.measure() for row in table.rows()}


def test_classifiers(images):
    table = ClassifiersTable(images, quick=True)
    found = measured(table)
    assert set().union(*found.values()) == set(table.formats) - {"model", "test_error_sd"}
    network = table._wide(0)
    assert isinstance(network, MLPClassifier)
    network.fit(images.train, images.train_y)
    assert found["mlp"]["test_error"] == pytest.approx(
        100 * (1 - network.score(images.test, images.test_y))
    )
    expected = log_loss(images.test_y, network.predict_proba(images.test))
    assert found["mlp"]["log_loss"] == pytest.approx(expected)


def test_classifiers_differ_in_pretraining_and_dropout_only(images):
    table = ClassifiersTable(images, seed=5)
    networks = {name: measure.args[0](5) for name, measure in table._measures().items()}
    for dropout in ("", "-dropout"):
        with_rbms, without = networks[f"dbn{dropout}"], networks[f"no-pretraining{dropout}"]
        assert isinstance(with_rbms, DBNClassifier)
        assert isinstance(without, MLPClassifier)
        assert without.activation == "logistic"
        mine, others = with_rbms.get_params(deep=False), without.get_params(deep=False)
        shared = (mine.keys() & others.keys()) - {"learning_rate"}
        assert {key: mine[key] for key in shared} == {key: others[key] for key in shared}
        assert repr(mine["learning_rate"]) == repr(others["learning_rate"])
        assert (mine["dropout"] > 0) == bool(dropout)
    short = networks["dbn-short"]
    assert (short.rbm.max_iter, short.head_max_iter, short.max_iter) == (30, 10, 20)


def test_few_labels(images, monkeypatch):
    monkeypatch.setattr("skdbn.benchmarks._networks_labels._LABELS", {"digits": (20, 60)})
    table = LabelsTable(images, quick=True, runs=2)
    rows = table.rows()
    assert [row.names["labels"] for row in rows] == 5 * [20] + 5 * [60]
    told = []

    def spy(self, X, y=None, *args, **kwargs):
        told.append((len(X), tuple(np.bincount(y))))
        return fit(self, X, y, *args, **kwargs)

    fit = DBNClassifier.fit
    monkeypatch.setattr(DBNClassifier, "fit", spy)
    found = [row.measure() for row in rows if row.names["model"] == "dbn"]
    assert [n for n, _ in told] == [20, 20, 60, 60]
    assert all(min(counts) >= 1 for _, counts in told)
    assert all(0 <= row["accuracy"] <= 1 and row["accuracy_sd"] >= 0 for row in found)
    assert table.stack is table.stack  # pretrained once
    assert table.stack.n_features_in_ == 64
    # The features are those of the stack, whatever the draw; so are the codes.
    for name in ("features", "code-spreading"):
        model = table._measures()[name].args[0](np.arange(30), 1)
        assert isinstance(model, Pipeline)
        pretrained = table.stack if name == "features" else table.autoencoder
        assert model[0].estimator is pretrained
        assert model.predict(images.test).shape == (50,)


def test_codes(images):
    table = CodesTable(images, quick=True)
    found = measured(table)
    assert table.settings["hidden_layer_sizes"] == (256, 128, 64, 8)
    mean = images.train.mean(axis=0)
    expected = ((images.test - mean) ** 2).sum(axis=1).mean()
    assert found["mean-image"]["test_error"] == pytest.approx(expected, rel=1e-5)
    pca = PCA(8, random_state=0).fit(images.train)
    codes = pca.transform(images.test)
    expected = ((pca.inverse_transform(codes) - images.test) ** 2).sum(axis=1).mean()
    assert found["pca"]["test_error"] == pytest.approx(expected, rel=1e-4)
    # The nearest other image, by all distances.
    distances = ((codes[:, None] - codes) ** 2).sum(axis=-1)
    np.fill_diagonal(distances, np.inf)
    same = images.test_y[distances.argmin(axis=1)] == images.test_y
    assert found["pca"]["neighbour"] == pytest.approx(same.mean())
    assert all(row["fit_seconds"] >= 0 for row in found.values())


def test_maps_without_umap(images, monkeypatch, capsys):
    monkeypatch.setattr(
        "skdbn.benchmarks._models.importlib.util.find_spec", lambda name: None
    )
    table = MapsTable(images, quick=True)
    models = [row.names["model"] for row in table.rows()]
    assert "umap" not in models
    assert "UMAP is not installed" in capsys.readouterr().err
    for model in ("r-schedule", "tsne"):
        found = measured(MapsTable(images, quick=True, models=[model], runs=2))[model]
        assert 0 < found["neighbour"] < 1
        assert ("test_error" in found) == (model == "r-schedule")


def test_solvers(images):
    table = SolversTable(images, quick=True)
    found = measured(table)
    assert list(found) == list(SOLVERS)
    n_batches = 10  # of 20 rows, and one of 10
    assert found["adam"]["evaluations"] == 2 * (n_batches + 1)
    assert found["adam"]["rows"] == pytest.approx(2 * 210 / 1e6)
    assert found["adam"]["epochs"] == 2
    assert found["adam"]["learning_rate"] == 0.001
    assert np.isnan(found["lbfgs"]["learning_rate"])
    assert all(row["loss"] > 0 for row in found.values())


# --- The command --------------------------------------------------------------------------


def test_command(networks, tmp_path):
    path = tmp_path / "solvers.json"
    status, output, remarks = networks(
        *("solvers", "--quick", "--models", "adam,sgd", "--runs", 2, "--held-out"),
        *("--json", path),
    )
    assert status == 0
    header, table = output.split("\n\n")
    assert "1197 training rows, 240 test rows" in header
    assert table.splitlines()[0].split() == list(SolversTable.formats)
    document = json.loads(path.read_text())
    assert [row["model"] for row in document["rows"]] == ["adam", "sgd"]
    assert all(row["test_error_sd"] >= 0 for row in document["rows"])
    assert document["settings"]["runs"] == 2
    assert "[2/2] sgd: test_error" in remarks


def test_names_of_the_models(networks):
    for table in ("classifiers", "labels", "codes", "maps", "solvers"):
        status, output, _ = networks(table, "--list")
        assert status == 0
        assert len(output.split()) >= 4
    status, _, remarks = networks("codes", "--models", "pca,pcb")
    assert status == 2
    assert "pcb" in remarks
