"""The speed benchmark: its arithmetic, its floors, and what its command line says."""

import ast
import contextlib
import importlib.util
import json
import os
import re
import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import skdbn
from skdbn.__main__ import main
from skdbn.benchmarks import (
    _speed,
    _speed_cases,
    _speed_data,
    _speed_floors,
    _speed_kinds,
    _speed_measure,
    _speed_peers,
    _speed_process,
    _speed_report,
)
from skdbn.benchmarks._speed_cases import CASES
from skdbn.benchmarks._speed_kinds import RBMCase
from skdbn.benchmarks._speed_measure import interleave

ALL = {case.name: case for case in CASES}


def small(case):
    """The case with few rows and small layers."""
    options = {"batch_size": 16, "n_batches": 3, "memory_rows": 48}
    if hasattr(case, "n_components"):
        options |= {"n_features": 200 if case.name == "rbm-sparse" else 12}
        options |= {"n_components": 8}
    else:
        between = range(8, 8 - len(case.sizes) + 2, -1)
        options |= {"sizes": (12, *between, case.sizes[-1])}
    return replace(case, **options)


SMALL = [small(case) for case in CASES]
each_small_case = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)


# --- timing in turns ----------------------------------------------------------------------


class Machine:
    """A clock, and runs that take so many of its seconds, more and more as it goes on."""

    def __init__(self, slowdown=0.0):
        self.now, self.slowdown, self.rested, self.taken = 0.0, slowdown, 0, 0.0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.rested += 1

    def stolen(self):
        return self.taken

    def run(self, seconds, n_units=1):
        def run():
            self.now += seconds * np.exp(self.slowdown * self.now)
            return n_units

        return run

    def interleave(self, runs, *args):
        return interleave(
            runs, *args, clock=self.clock, sleep=self.sleep, stolen=self.stolen
        )


def test_ours_is_timed_after_each_of_the_others():
    machine = Machine()
    runs = {"floor": machine.run(1), "ours": machine.run(2), "peer": machine.run(6, 2)}
    series = machine.interleave(runs, 2)
    one_round = [("floor", 1.0), ("ours", 2.0), ("peer", 3.0), ("ours", 2.0)]
    assert series == one_round * 2
    assert machine.rested == len(series)


def test_a_measurement_that_the_host_disturbed_is_made_again():
    machine = Machine()

    def seconds_of(*runs):
        left = list(runs)

        def run():
            seconds, taken = left.pop(0)
            machine.now += seconds
            machine.taken += taken
            return 1

        return _speed_measure.timed(run, machine.clock, machine.stolen), len(left)

    calm, disturbed = (1, 0.01), (10, 9)
    assert seconds_of(calm, disturbed) == (1, 1)
    assert seconds_of(disturbed, disturbed, calm, calm) == (1, 1)
    assert seconds_of(disturbed, disturbed, disturbed, calm) == (10, 1)


def test_time_that_the_host_took_is_a_number():
    assert 0 <= _speed_measure.stolen_seconds() <= _speed_measure.stolen_seconds()


def test_a_round_that_has_begun_is_finished_but_no_other_begins():
    machine = Machine()
    runs = {"floor": machine.run(1), "ours": machine.run(2)}
    assert len(machine.interleave(runs, 10, 7)) == 6
    assert len(machine.interleave(runs, 10, 0)) == 2


def test_ratios_are_those_of_neighbours():
    series = [("floor", 1.0), ("ours", 2.0), ("peer", 8.0), ("ours", 4.0), ("floor", 1.0)]
    ratio = _speed_measure.neighbour_ratio
    assert ratio(series, "ours", "floor") == 3.0  # of 2 / 1 and 4 / 1
    assert ratio(series, "peer", "ours") == 3.0  # of 8 / 2 and 8 / 4
    assert _speed_measure.median_seconds(series, "ours") == 3.0


def test_ratios_survive_a_machine_that_becomes_slower():
    machine = Machine(slowdown=0.01)
    runs = {"floor": machine.run(1), "ours": machine.run(2), "peer": machine.run(4)}
    series = machine.interleave(runs, 6)
    assert series[-1][1] > 2 * series[1][1]
    assert _speed_measure.neighbour_ratio(series, "ours", "floor") == pytest.approx(
        2, rel=0.05
    )
    assert _speed_measure.neighbour_ratio(series, "peer", "ours") == pytest.approx(
        2, rel=0.05
    )


def test_seconds_are_told_for_the_units_of_the_case(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(_speed_measure, "interleave", machine.interleave)

    class Fixed(RBMCase):
        def floor(self, X, y):
            return machine.run(1, len(X))

        def ours(self, X, y):
            return machine.run(2, len(X))

        def peers(self, X, y):
            return {"PyTorch": machine.run(3, len(X))}

    case = Fixed(name="a", title="b", batch_size=10, n_batches=2, n_features=3)
    result = _speed_measure.measure(case, 3)
    assert result["seconds"] == pytest.approx({"floor": 3e3, "ours": 6e3, "PyTorch": 9e3})
    assert result["ratio_to_floor"] == pytest.approx(2)
    assert result["times_faster_than"] == pytest.approx({"PyTorch": 1.5})
    assert len(result["series"]) == 12


def test_busy_is_compared_with_idle_of_the_same_round(monkeypatch):
    machine = Machine()
    factor = [1.0]

    def timed(run):
        return run() * factor[0]

    @contextlib.contextmanager
    def neighbour():
        factor[0] = 3.0
        yield
        factor[0] = 1.0

    monkeypatch.setattr(_speed_measure, "timed", timed)
    monkeypatch.setattr(_speed_peers, "has_torch", lambda: False)
    monkeypatch.setattr(_speed_measure.time, "sleep", machine.sleep)
    results = _speed_measure.measure_busy(small(ALL["rbm"]), 2, neighbour)
    assert list(results) == ["ours", "BernoulliRBM"]
    assert {result["ratio"] for result in results.values()} == {3.0}
    assert {
        len(result[key]) for result in results.values() for key in ("idle", "busy")
    } == {2}


# --- floors -------------------------------------------------------------------------------


def multiply_adds_of_a_unit(case):
    """What the textbook says that training, or whatever it is, multiplies."""
    if case.name == "ais":
        return 2 * case.batch_size * case.n_features * case.n_components
    if isinstance(case, _speed_kinds.SparseRBMCase):
        entries = case.n_features // 100
        return (3 * case.n_features + 2 * entries) * case.n_components
    if isinstance(case, RBMCase):
        return 5 * case.n_features * case.n_components
    sizes = case.sizes
    if case.name == "autoencoder-cg":
        sizes = (*sizes, *sizes[::-1][1:])
    first, *above = (below * above for below, above in pairwise(sizes))
    if case.name == "transform":
        return first + sum(above)
    # Backwards there is nothing below the first weights.
    a_row = 2 * first + 3 * sum(above)
    return a_row * case.batch_size if case.name == "autoencoder-cg" else a_row


@each_small_case
def test_floors_multiply_what_training_does(case):
    floor = case.floor(*case.data(case.n_rows))
    tolerance = 0.05 if case.name == "rbm-sparse" else 0  # cells that were hit twice
    assert floor.multiply_adds == pytest.approx(
        multiply_adds_of_a_unit(case), rel=tolerance
    )


@each_small_case
def test_floors_do_as_many_units_as_a_measurement(case):
    floor = case.floor(*case.data(case.n_rows))
    units = {"ais": case.n_batches, "autoencoder-cg": 10 * case.n_batches}
    assert floor() == units.get(case.name, case.n_rows)


@each_small_case
def test_floors_are_in_single_precision_and_finite(case):
    floor = case.floor(*case.data(case.n_rows))
    floor()
    for left, right, out in floor.products:
        assert {left.dtype, right.dtype} == {np.dtype("float32")}
        if out is not None:
            assert out.dtype == np.float32
            assert np.isfinite(out).all()


def test_floor_of_the_full_case_is_that_of_its_title():
    assert ALL["rbm"].floor(None, None).multiply_adds == 5 * 784 * 500
    layers = [784 * 500, 500 * 500, 500 * 2000, 2000 * 10]
    floor = ALL["fine-tune"].floor(None, None)
    assert floor.multiply_adds == 3 * sum(layers) - layers[0]


def test_blocks_of_a_transform_cover_all_rows_once():
    X, _ = _speed_data.images(50, 12)
    floor = _speed_floors.transform(X, (12, 8, 6), 20)
    lefts = [left for left, _, _ in floor.products]
    np.testing.assert_array_equal(np.vstack(lefts[::2]), X)
    assert [len(left) for left in lefts] == [20, 20, 20, 20, 10, 10]


def test_a_batch_of_every_case_is_whole():
    for case in CASES:
        assert case.n_rows % case.batch_size == 0
        quick = case.quick()
        assert 0 < quick.n_rows < case.n_rows
        assert quick.n_rows % quick.batch_size == 0


# --- cases --------------------------------------------------------------------------------


@each_small_case
def test_ours_and_peers_run(case):
    data = case.data(case.n_rows)
    n_units = case.ours(*data)()
    if case.name == "autoencoder-cg":
        assert n_units >= case.n_batches
    else:
        assert n_units == (case.n_batches if case.name == "ais" else case.n_rows)
    for name, run in case.peers(*data).items():
        assert name in _speed_report._PEERS
        assert run() == run() == case.n_rows


def test_an_epoch_goes_on_from_the_one_before(monkeypatch):
    fitted = []
    monkeypatch.setattr(
        skdbn.RBM, "fit", lambda self, X: fitted.append(self) or setattr(self, "n", len(X))
    )
    case = small(ALL["rbm"])
    run = case.ours(*case.data(case.n_rows))
    run()
    run()
    assert fitted[0] is fitted[1]
    assert fitted[0].warm_start
    assert fitted[0].max_iter == 1


def test_pytorch_is_not_needed(hide):
    hide("torch")
    assert _speed_peers.pytorch(lambda loops: 1 / 0) == {}


def test_pytorch_makes_the_same_steps_as_an_rbm():
    pytest.importorskip("torch")
    import torch

    from skdbn.benchmarks._torch_loops import ContrastiveDivergence

    rng = np.random.default_rng(0)
    X = rng.random((96, 7), np.float32)
    # So large that the sampled states are certain.
    hidden_bias = np.array([60, -60, 60, -60, 60], np.float32)
    options = {"batch_size": 32, "learning_rate": 0.1, "momentum": 0.7, "alpha": 0.01}
    rbm = skdbn.RBM(
        5, **options, max_iter=1, shuffle=False, warm_start=True, random_state=0
    ).fit(X)
    rbm.intercept_hidden_ = hidden_bias
    loop = ContrastiveDivergence(
        rbm.components_, rbm.intercept_visible_, hidden_bias, **options
    )
    before = rbm.components_.copy()
    rbm.fit(X)
    assert loop.epoch(torch.from_numpy(X), shuffle=False) == 96
    assert np.abs(rbm.components_ - before).max() > 0.005
    np.testing.assert_allclose(loop.weights.numpy(), rbm.components_, atol=1e-6)
    np.testing.assert_allclose(loop.visible_bias.numpy(), rbm.intercept_visible_, atol=1e-6)
    np.testing.assert_allclose(loop.hidden_bias.numpy(), rbm.intercept_hidden_, atol=1e-5)


def test_pytorch_draws_states_with_their_probabilities():
    pytest.importorskip("torch")
    import torch

    from skdbn.benchmarks._torch_loops import ContrastiveDivergence

    n = 20_000
    bias = np.array([-1.0, 0.5], np.float32)
    loop = ContrastiveDivergence(
        np.zeros((2, 3), np.float32), np.zeros(3, np.float32), bias, n
    )
    torch.manual_seed(0)
    loop.epoch(torch.rand(n, 3))
    expected = 1 / (1 + np.exp(-bias))
    np.testing.assert_allclose(loop.states.mean(dim=0).numpy(), expected, atol=0.02)


@pytest.mark.parametrize("solver", ["adam", "sgd", "rmsprop"])
def test_pytorch_learns_classes(solver):
    torch = pytest.importorskip("torch")
    from skdbn.benchmarks import _torch_loops

    torch.manual_seed(0)
    X = np.random.default_rng(0).random((400, 10), np.float32)
    y = (X[:, 0] > 0.5).astype(np.int64)
    models = []
    make = _torch_loops._sequential
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            _torch_loops, "_sequential", lambda *a: models.append(make(*a)) or models[-1]
        )
        run = _torch_loops.network(X, y, (10, 32, 2), "relu", solver, 20, 1e-4)
    for _ in range(30):
        assert run() == 400
    predicted = models[0](torch.from_numpy(X)).argmax(dim=1).numpy()
    assert (predicted == y).mean() > 0.9


def test_pytorch_transforms_all_rows():
    torch = pytest.importorskip("torch")
    from skdbn.benchmarks import _torch_loops

    X, _ = _speed_data.images(50, 12)
    joined = []
    cat = torch.cat
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "cat", lambda blocks: joined.append(cat(blocks)) or joined[-1])
        assert _torch_loops.transform(X, (12, 8, 6), 20)() == 50
    assert joined[0].shape == (50, 6)
    # No block shows the numbers of the next one, which had the same buffers.
    assert len({tuple(block[0].tolist()) for block in joined[0].split(20)}) == 3


# --- processes ----------------------------------------------------------------------------


def test_results_and_errors_of_a_process():
    code = "import json, os, sys; print(json.dumps([sys.argv[1], os.environ['A']]))"
    assert _speed_process.run_python(code, "x", A="y") == ["x", "y"]
    with pytest.raises(RuntimeError, match="ValueError: no luck"):
        _speed_process.run_python("raise ValueError('no luck')")


def test_memory_is_that_of_the_run(monkeypatch):
    if _speed_process.peak_memory() is None:
        pytest.skip("this system does not tell the peak of the memory")

    class Hungry(RBMCase):
        def ours(self, X, y):
            def run():
                peak = _speed_process.peak_memory()
                # More than was ever taken before, or the peak would not move.
                while _speed_process.peak_memory() < peak + 60:
                    kept.append(np.ones(1_000_000))
                del kept[:]

            kept = []
            return run if len(X) > 20 else lambda: None

    case = Hungry(name="hungry", title="", batch_size=10, n_features=3, memory_rows=100)
    monkeypatch.setattr(_speed_cases, "CASES", [case])
    assert 60 <= _speed_process.memory_of("hungry") < 100


def test_start_up_is_the_first_fit_beyond_the_second(monkeypatch):
    fits = iter([[5.0, 1.0], [1.5, 1.0]] * 2)
    folders = []

    def run_python(code, *args, NUMBA_CACHE_DIR=None):
        folders.append(NUMBA_CACHE_DIR)
        return next(fits) if args else 0.5

    monkeypatch.setattr(_speed_process, "run_python", run_python)
    assert _speed_process.measure_startup(["RBM"], 2) == {
        "import skdbn": [0.5, 0.5],
        "first fit of RBM, empty cache": [4.0, 4.0],
        "first fit of RBM, filled cache": [0.5, 0.5],
    }
    # The second process finds what the first left, the next pair nothing.
    assert folders[2] == folders[3] != folders[4] == folders[5]
    assert not any(os.path.exists(folder) for folder in folders[2:])


def test_scripts_of_the_processes_are_valid():
    """They are strings, which no other tool reads."""
    for name in ("_BUSY_LOOP", "_MEMORY", "_FITS", "_IMPORT"):
        nodes = list(ast.walk(ast.parse(getattr(_speed_process, name))))
        modules = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
        for node in nodes:
            modules += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        assert modules
        assert all(importlib.util.find_spec(module) for module in modules)


def test_the_neighbour_is_busy_and_goes_in_any_case():
    with _speed_process.busy_neighbour() as process:
        time.sleep(0.05)
        assert process.poll() is None
    assert process.poll() is not None
    with pytest.raises(KeyboardInterrupt), _speed_process.busy_neighbour() as process:
        raise KeyboardInterrupt
    assert process.poll() is not None


# --- command line -------------------------------------------------------------------------


@pytest.fixture
def hide(monkeypatch):
    """Return a function that makes a module look as if it were not there."""
    find_spec = importlib.util.find_spec

    def hide(module):
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *args: None if name == module else find_spec(name, *args),
        )

    return hide


TINY = RBMCase(
    name="tiny",
    title="RBM 8-4",
    n_features=8,
    n_components=4,
    batch_size=8,
    n_batches=3,
    target=2.0,
    in_quick=True,
)
OTHER = replace(TINY, name="other", title="RBM 8-5", n_components=5, in_quick=False)


@pytest.fixture
def speed(monkeypatch, capsys, hide):
    """Return a function that runs the command on small cases: status, output, remarks."""
    hide("torch")
    monkeypatch.setattr(_speed, "CASES", [TINY, OTHER])
    monkeypatch.setattr(_speed, "measure_memory", lambda name: 12.3)
    monkeypatch.setattr(
        _speed, "measure_startup", lambda names, n: {f"first fit of {names[0]}": [1.0] * n}
    )

    def speed(*args):
        status = main(["speed", *map(str, args)])
        return status, *capsys.readouterr()

    return speed


def test_table(speed):
    status, output, remarks = speed()
    assert status == 0
    lines = output.splitlines()
    head = next(line for line in lines if line.startswith("case"))
    names = "case for floor_s ours_s ours/floor target x_sklearn x_sklearn64 MB"
    assert " ".join(head.split()) == names
    row = next(line for line in lines if line.startswith("RBM 8-4")).split()
    assert row[2:4] == ["60000", "rows"]
    assert row[7] == "2.00"
    assert row[-1] == "12"
    assert "first fit of RBM" in output
    assert "PyTorch is not installed: its rows are left out" in remarks
    assert "[2/2] other: " in remarks


def test_json(speed, tmp_path):
    path = tmp_path / "speed.json"
    assert speed("--json", path)[0] == 0
    document = json.loads(path.read_text())
    assert set(document) == {"environment", "quick", "cases", "startup", "busy"}
    environment = document["environment"]
    assert set(environment) == {
        *("date", "cores", "load", "machine", "system", "python", "versions", "blas")
    }
    assert environment["versions"]["skdbn"] == skdbn.__version__
    case, other = document["cases"]
    runs = {"floor", "ours", "BernoulliRBM", "BernoulliRBM float64"}
    assert set(case["seconds"]) == runs
    assert set(case["times_faster_than"]) == runs - {"floor", "ours"}
    assert case["memory_mb"] == 12.3
    assert len(case["series"]) == 6 * 7
    assert {name for name, _ in case["series"]} == runs
    assert case["error"] is other["error"] is None
    assert other["name"] == "other"
    assert document["startup"] == {"first fit of RBM": [1.0] * 3}


def test_quick_says_what_it_leaves_out(speed):
    status, output, remarks = speed("--quick")
    assert status == 0
    assert "--quick leaves out: other" in remarks
    assert "RBM 8-4" in output


def test_cases_are_picked(speed):
    _, output, remarks = speed("--case", "other", "--case", "start-up", "--case", "other")
    assert "[1/1] other: " in remarks
    assert "first fit" in output
    assert "RBM 8-4" not in output


def test_list(capsys):
    assert main(["speed", "--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [*ALL, "start-up"]


def test_unknown_case_names_the_known_ones(capsys):
    assert main(["speed", "--case", "rbm", "--case", "rmb"]) == 2
    error = capsys.readouterr().err
    assert "'rmb'" in error
    assert all(name in error for name in [*ALL, "start-up"])


def test_folder_of_the_json_file_is_looked_for_at_once(speed, tmp_path):
    status, output, remarks = speed("--json", tmp_path / "none" / "a.json")
    assert status == 2
    assert "there is no folder" in remarks
    assert not output


@pytest.mark.parametrize("args", [["--list", "--busy"], ["--case", "rbm", "--busy"]])
def test_options_that_exclude_each_other(args):
    with pytest.raises(SystemExit):
        main(["speed", *args])


def test_a_case_that_fails_does_not_lose_the_others(speed, monkeypatch):
    def ours(self, X, y):
        raise RuntimeError("no luck")

    monkeypatch.setattr(_speed_kinds.MLPCase, "ours", ours)
    failing = replace(ALL["mlp-table"], name="failing", n_batches=2)
    monkeypatch.setattr(_speed, "CASES", [failing, TINY])
    status, output, remarks = speed()
    assert status == 1
    assert "failing failed: RuntimeError: no luck" in remarks
    assert "RBM 8-4" in output


def test_unknown_memory_costs_only_its_column(speed, monkeypatch):
    def fail(name):
        raise RuntimeError("no room")

    monkeypatch.setattr(_speed, "measure_memory", fail)
    status, output, remarks = speed()
    assert status == 0
    assert "memory of tiny is not known: no room" in remarks
    assert not re.search(r"^case.*MB$", output, flags=re.MULTILINE)


def test_what_was_measured_survives_an_interrupt(speed, monkeypatch, tmp_path):
    def interrupt(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(_speed, "measure_memory", interrupt)
    path = tmp_path / "speed.json"
    status, output, remarks = speed("--json", path)
    assert status == 130
    assert "interrupted" in remarks
    assert "RBM 8-4" in output
    assert json.loads(path.read_text())["cases"][0]["seconds"]["ours"] > 0


def test_busy(speed, monkeypatch, tmp_path):
    def measure_busy(case, n_rounds, neighbour):
        assert case is TINY
        assert neighbour is _speed_process.busy_neighbour
        return {"ours": {"idle": [1.0] * n_rounds, "busy": [2.0] * n_rounds, "ratio": 2.0}}

    monkeypatch.setattr(_speed, "measure_busy", measure_busy)
    path = tmp_path / "busy.json"
    status, output, _ = speed("--busy", "--json", path)
    assert status == 0
    assert output.splitlines()[-1].split() == ["ours", "1", "2", "2.00", "2.50"]
    document = json.loads(path.read_text())
    assert document["busy"]["ours"]["ratio"] == 2.0
    assert document["cases"] == []


def test_a_busy_machine_is_remarked(capsys):
    _speed_report.warn_if_busy({"load": 3.0, "cores": 2})
    assert "busy" in capsys.readouterr().err
    for load in (None, 0.1):
        _speed_report.warn_if_busy({"load": load, "cores": 2})
    assert not capsys.readouterr().err
