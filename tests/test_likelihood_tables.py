"""The tables of ``skdbn likelihood``."""

import json
import re
import warnings

import numpy as np
import pytest
from sklearn.neural_network import BernoulliRBM

from skdbn import RBM
from skdbn.__main__ import main
from skdbn.benchmarks import _data, _likelihood_depth, _likelihood_large, _tables
from skdbn.benchmarks._data import Data
from skdbn.benchmarks._likelihood import draw_bits
from skdbn.benchmarks._likelihood_depth import DepthTable
from skdbn.benchmarks._likelihood_large import LargeTable
from skdbn.benchmarks._likelihood_small import SmallTable, _score_columns, as_rbm
from skdbn.benchmarks._tables import Images, load_images
from skdbn.likelihood import log_likelihood


@pytest.fixture
def likelihood(capsys):
    """Return a function that runs the command: status, stdout and stderr."""

    def likelihood(*args):
        status = main(["likelihood", *map(str, args)])
        return status, *capsys.readouterr()

    return likelihood


def parts(output):
    """Return the header as a dictionary and the lines of the table."""
    header, table = output.split("\n\n")
    return dict(line.split(maxsplit=1) for line in header.splitlines()), table.splitlines()


def digits(n_train=200, n_test=50):
    images = load_images("digits", None, 0, quick=True)
    rows = np.r_[:n_train, images.n_train : images.n_train + n_test]
    return Images("digits", images.X[rows], images.y[rows], n_train)


# --- The data -----------------------------------------------------------------------------


def test_digits_are_grey_levels_and_split_by_the_seed():
    images = load_images("digits", None, 3, quick=False)
    assert images.X.dtype == np.float32
    assert (images.X.min(), images.X.max()) == (0, 1)
    assert (len(images.train), len(images.test)) == (1437, 360)
    again, other = (load_images("digits", None, seed, quick=False) for seed in (3, 4))
    np.testing.assert_array_equal(images.X, again.X)
    assert (images.X != other.X).any()
    # The rows are those of the digits, each once, with their classes.
    original = _data.load_digits()
    key = [row.tobytes() + bytes([c]) for row, c in zip(images.X, images.y, strict=True)]
    X = (original.X / 16).astype(np.float32)
    assert sorted(key) == sorted(
        row.tobytes() + bytes([c]) for row, c in zip(X, original.y, strict=True)
    )


def test_mnist_keeps_its_split_and_quick_takes_fewer_rows(monkeypatch):
    X = np.arange(3000, dtype=np.float32)[:, None] / 2999
    split = [(np.arange(2400), np.arange(2400, 3000))]
    mnist = Data("mnist", "mnist", X, np.arange(3000) % 10, split)
    monkeypatch.setattr(_tables, "load", lambda name, data_dir: mnist)
    images = load_images("mnist", None, 0, quick=False)
    np.testing.assert_array_equal(images.train, X[:2400])
    np.testing.assert_array_equal(images.test, X[2400:])
    quick = load_images("mnist", None, 0, quick=True)
    np.testing.assert_array_equal(quick.train, X[:2000])
    np.testing.assert_array_equal(quick.test, X[2400:2900])


def test_bits_have_the_grey_levels_as_means():
    grey = np.repeat(np.linspace(0, 1, 5, dtype=np.float32)[None], 20_000, axis=0)
    bits = draw_bits(grey, np.random.default_rng(0))
    assert set(np.unique(bits)) == {0, 1}
    p = grey[0].astype(float)
    assert (bits[:, [0, -1]] == [0, 1]).all()
    z = (bits.mean(axis=0) - p)[1:-1] / np.sqrt(p * (1 - p) / len(bits))[1:-1]
    assert np.abs(z).max() < 4


# --- Small --------------------------------------------------------------------------------


def test_small_table(likelihood, tmp_path):
    path = tmp_path / "small.json"
    status, output, remarks = likelihood("small", "--quick", "--json", path)
    assert status == 0
    header, lines = parts(output)
    assert header["data"] == "digits, 1797 rows x 64 columns, 10 classes"
    assert header["splits"] == "1437 training rows, 360 test rows"
    assert "max_iter=25" in header["settings"]
    assert {"cores", "versions"} < set(header)
    assert lines[0].split() == list(SmallTable.formats)
    assert len({len(line) for line in lines}) == 1
    document = json.loads(path.read_text())
    assert document["environment"]["cores"] == int(header["cores"])
    assert (document["table"], document["data"], document["quick"]) == (
        *("small", "digits", True),
    )
    assert document["settings"]["batch_size"] == 10
    rows = {(row["model"], row["bits"]): row for row in document["rows"]}
    assert len(rows) == len(lines) - 1 == 12
    assert all(row["error"] is row["warnings"] is None for row in rows.values())
    for bits in ("thresholded", "drawn"):
        alone, exact = rows["Independent columns", bits], rows["RBM", bits]
        for name in ("test", "train"):
            scores = [row[name] for (_, how), row in rows.items() if how == bits]
            assert min(scores) == alone[name]
            assert exact[name] - alone[name] > 0.8
            assert -30 < min(scores) < max(scores) < -20
        assert abs(rows["RBM on 1 - X", bits]["test"] - exact["test"]) < 1
        assert abs(exact["ais_minus_exact"]) < 0.05
        assert exact["ais"] - exact["test"] == pytest.approx(exact["ais_minus_exact"])
        shown = next(line for line in lines if line.startswith(f"RBM  {' ' * 11}"))
        assert f"{rows['RBM', 'thresholded']['test']:.2f}" in shown
    assert "[12/12] RBM on 1 - X, drawn: test -" in remarks


def test_small_table_is_reproducible_and_has_its_seed():
    images = digits()

    def scores(seed):
        row = SmallTable(images, seed, epochs=2).rows()[9]
        assert row.names == {"model": "RBM", "bits": "drawn"}
        found = row.measure()
        assert found.pop("fit_seconds") > 0
        return found

    assert scores(1) == scores(1) != scores(2)


def test_independent_columns_are_an_rbm_without_weights():
    rng = np.random.default_rng(0)
    train, test = (rng.random((n, 5)) < [0, 0.2, 0.5, 0.9, 1] for n in (40, 9))
    train, test = train.astype(np.uint8), test.astype(np.uint8)
    scores = _score_columns(train, test)
    mean = (train.sum(axis=0) + 1) / 42
    rbm = RBM(3, dtype="float64", max_iter=1).fit(train)
    rbm.components_[:] = 0
    rbm.intercept_visible_[:] = np.log(mean / (1 - mean))
    assert scores["test"] == pytest.approx(log_likelihood(rbm, test).mean(), rel=1e-12)
    assert scores["train"] == pytest.approx(log_likelihood(rbm, train).mean(), rel=1e-12)


def test_bernoulli_rbm_is_the_same_model_after_copying():
    X = (digits().train > 0.5).astype(float)
    theirs = BernoulliRBM(7, n_iter=2, random_state=0).fit(X)
    ours = as_rbm(theirs)
    np.testing.assert_allclose(ours.transform(X), theirs.transform(X), rtol=1e-12)
    difference = ours.free_energy(X) - theirs._free_energy(X)
    np.testing.assert_allclose(difference, 0, atol=1e-10)


# --- Large --------------------------------------------------------------------------------


def test_large_table(likelihood, tmp_path):
    path = tmp_path / "large.json"
    args = "--quick", "--models", "pcd-1,cd-25,pcd-1", "--epochs", 6, "--json", path
    status, output, remarks = likelihood("large", *args)
    assert status == 0
    header, lines = parts(output)
    assert "n_temperatures=300" in header["settings"]
    assert lines[0].split() == list(LargeTable.formats)
    rows = json.loads(path.read_text())["rows"]
    assert [(row["model"], row["epochs"]) for row in rows] == [("pcd-1", 6), ("cd-25", 6)]
    assert [line.split()[0] for line in lines[1:]] == ["pcd-1", "cd-25"]
    for row in rows:
        assert row["log_z_low"] < row["log_z"] < row["log_z_high"]
        width = row["log_z_high"] - row["log_z_low"]
        assert row["test_high"] - row["test_low"] == pytest.approx(width)
        assert row["test_low"] < row["test"] < row["test_high"]
        assert 50 < row["effective_chains"] <= 100
        assert abs(row["forward"] - row["reverse"]) < 0.3
        assert -28 < row["test"] < -20
    assert "[2/2] cd-25, 6: test -2" in remarks


def test_all_samplers_can_be_measured():
    table = LargeTable(digits(100, 30), seed=0, epochs=1, temperatures=20, quick=True)
    rows = table.rows()
    assert [row.names["model"] for row in rows] == [
        *("cd-1", "cd-25", "pcd-1", "fast-pcd", "tempering"),
    ]
    for row in rows:
        found = row.measure()
        assert set(found) == set(LargeTable.formats) - {"model", "epochs"}
        assert np.isfinite(list(found.values())).all()


def test_slow_samplers_have_fewer_epochs_and_a_number_is_for_all():
    images = digits(20, 5)
    epochs = [row.names["epochs"] for row in LargeTable(images).rows()]
    assert epochs == [100, 10, 100, 100, 10]
    assert {row.names["epochs"] for row in LargeTable(images, epochs=7).rows()} == {7}


def test_bits_are_drawn_anew_in_each_epoch(monkeypatch):
    seen = []
    monkeypatch.setattr(RBM, "partial_fit", lambda self, X: seen.append(X.copy()))
    table = LargeTable(digits(20, 5), epochs=3)
    table._fit(RBM(2, max_iter=3), table.images.train)
    assert len(seen) == 3
    assert (seen[0] != seen[1]).any()
    assert (seen[1] != seen[2]).any()


def test_large_list(likelihood):
    status, output, _ = likelihood("large", "--list")
    assert status == 0
    assert [line.split()[0] for line in output.splitlines()] == [
        *_likelihood_large._SAMPLERS,
    ]
    assert "CD(n_steps=25)" in output


# --- Depth --------------------------------------------------------------------------------


def test_depth_table(likelihood, tmp_path):
    path = tmp_path / "depth.json"
    status, output, _ = likelihood("depth", "--quick", "--json", path)
    assert status == 0
    header, lines = parts(output)
    assert "n_iter=2, max_iter=2, C=10" in header["settings"]
    assert lines[0].split() == list(DepthTable.formats)
    rows = json.loads(path.read_text())["rows"]
    assert [(row["model"], row["layers"]) for row in rows] == [
        ("Pixels", 0),
        *(("BernoulliRBM", n) for n in (1, 2, 3)),
        *(("StackedRBM", n) for n in (1, 2, 3)),
    ]
    assert rows[0]["accuracy"] > 0.93
    for theirs, ours in zip(rows[1:4], rows[4:], strict=True):
        assert 0.1 < theirs["accuracy"] < ours["accuracy"] < 1
        assert ours["log_loss"] > 0


def test_each_layer_is_fitted_once_and_on_training_rows_only(monkeypatch):
    images, fitted = digits(30, 10), []

    class Counting(BernoulliRBM):
        def fit(self, X, y=None):
            fitted.append(X.copy())
            return super().fit(X)

    monkeypatch.setattr(_likelihood_depth, "BernoulliRBM", Counting)
    model = _likelihood_depth._BernoulliRBMs(
        images, DepthTable(images, quick=True).settings
    )
    deep = model.features(2)
    assert [len(X) for X in fitted] == [30, 30]
    np.testing.assert_array_equal(fitted[1], model.features(1)[:30])
    assert len(fitted) == 2
    assert deep.shape == (40, 256)


# --- What goes wrong ----------------------------------------------------------------------


def fail(*args, **kwargs):
    raise RuntimeError("no luck\nand a second line")


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def test_a_row_that_fails_does_not_lose_the_others(likelihood, monkeypatch, tmp_path):
    monkeypatch.setattr(_likelihood_depth.StackedRBM, "fit", fail)
    path = tmp_path / "depth.json"
    status, output, remarks = likelihood("depth", "--epochs", 1, "--quick", "--json", path)
    assert status == 1
    assert "[5/7] StackedRBM, 1 failed" in remarks
    assert "StackedRBM failed: RuntimeError: no luck\n" in remarks
    _, lines = parts(output)
    assert lines[-1].split() == ["StackedRBM", "3", "-", "-"]
    rows = json.loads(path.read_text())["rows"]
    assert [row["error"] is None for row in rows] == [True] * 4 + [False] * 3
    assert rows[-1]["accuracy"] is None


def test_an_interrupted_run_keeps_its_rows(likelihood, monkeypatch, tmp_path):
    monkeypatch.setattr(BernoulliRBM, "fit", interrupt)
    path = tmp_path / "depth.json"
    status, output, remarks = likelihood("depth", "--quick", "--json", path)
    assert status == 130
    assert f"interrupted: 1 of 7 models were finished, written: {path}" in remarks
    assert parts(output)[1][-1].startswith("Pixels")
    assert [row["model"] for row in json.loads(path.read_text())["rows"]] == ["Pixels"]
    assert [file.name for file in tmp_path.iterdir()] == ["depth.json"]


def test_warnings_are_remarked_and_an_unbounded_interval_is_null(
    likelihood, monkeypatch, tmp_path
):
    def estimates(self, rbm, bits):
        warnings.warn("a bad day", UserWarning, stacklevel=2)
        return {"test": -20.0, "log_z_low": -np.inf}

    monkeypatch.setattr(LargeTable, "_estimates", estimates)
    path = tmp_path / "large.json"
    args = "--models", "cd-1", "--epochs", 1, "--json", path
    status, _, remarks = likelihood("large", *args)
    assert status == 0
    assert "cd-1 warned: UserWarning x1" in remarks
    (row,) = json.loads(path.read_text())["rows"]
    assert (row["test"], row["log_z_low"], row["forward"]) == (-20, None, None)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["large", "--models", "cd-1,cd-2"], "unknown model 'cd-2': the models are cd-1, "),
        (["large", "--models", ","], "no model to run"),
        (["small", "mnist"], "give --data-dir DIR or set .* SKDBN_DATA"),
        (["depth", "mnist", "--data-dir", "{folder}"], "train-images-idx3-ubyte"),
        (["small", "--json", "{folder}/none/a.json"], "there is no folder"),
    ],
)
def test_user_errors(likelihood, tmp_path, monkeypatch, args, message):
    monkeypatch.delenv("SKDBN_DATA", raising=False)
    status, output, remarks = likelihood(*(arg.format(folder=tmp_path) for arg in args))
    assert (status, output) == (2, "")
    assert remarks.startswith(f"skdbn likelihood {args[0]}: error: ")
    assert len(remarks.splitlines()) == 1
    assert re.search(message, remarks)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "the following arguments are required: table"),
        (["tiny"], "invalid choice: 'tiny'"),
        (["small", "table.csv"], "invalid choice: 'table.csv'"),
        (["small", "--models=cd-1"], "unrecognized arguments: --models=cd-1"),
        (["depth", "--epochs", "0"], "--epochs: must be at least 1, got 0"),
        (["large", "--temperatures", "1"], "--temperatures: must be at least 2, got 1"),
        (["small", "--seed", "-1"], "--seed: must be at least 0"),
    ],
)
def test_wrong_options(capsys, args, message):
    with pytest.raises(SystemExit) as exit_:
        main(["likelihood", *args])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
