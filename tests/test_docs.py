"""README, docs, examples and docstrings: what they show runs and is complete."""

import importlib
import inspect
import os
import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpydoc import validate
from scipy.special import comb, expit, logsumexp, softmax
from sklearn.base import clone
from sklearn.datasets import load_digits

import skdbn
from skdbn import RBM, MLPClassifier, MLPRegressor
from skdbn.likelihood import log_partition

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
MODULES = [
    "",
    ".units",
    ".activations",
    ".losses",
    ".samplers",
    ".optimizers",
    ".schedules",
    ".datasets",
    ".benchmarks",
    ".likelihood",
    ".plotting",
    ".callbacks",
    ".regularization",
    ".persistence",
    ".onnx",
    ".distributed",
]


def public(kind=lambda value: True):
    """All public names, as (module, name), whose values are of a kind."""
    modules = [importlib.import_module("skdbn" + name) for name in MODULES]
    return [
        (module, name)
        for module in modules
        for name in module.__all__
        if kind(getattr(module, name))
    ]


CLASSES = [getattr(module, name) for module, name in public(inspect.isclass)]
FUNCTIONS = [getattr(module, name) for module, name in public(inspect.isfunction)]


def own_methods(cls):
    """Public methods of a class that this package wrote, and where they are declared."""
    return [
        f"{cls.__name__}.{name}"
        for name, value in inspect.getmembers(cls, inspect.isroutine)
        if not name.startswith("_") and "skdbn" in getattr(value, "__module__", "")
    ]


def code_blocks(page, language="python"):
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE
    )


# --- README and docs ----------------------------------------------------------------------


def run_block(page, number, folder):
    """Run a block as a file, which numba's cache needs; returns what it defines."""
    path = folder / f"{page.stem}_{number}.py"
    path.write_text(code_blocks(page)[number])
    namespace = {"__name__": path.stem, "__file__": str(path)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(path.read_text(), path, "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    ("page", "number"),
    [(page, i) for page in PAGES[1:] for i in range(len(code_blocks(page)))],
    ids=lambda value: value.name if isinstance(value, Path) else str(value),
)
def test_python_blocks_run(page, number, tmp_path):
    """A reader who copies the block gets something, and neither error nor warning."""
    defined = run_block(page, number, tmp_path)
    assert defined.keys() - {"__name__", "__file__", "__builtins__"}


def test_readme_block_prints_what_its_comments_say(capsys, tmp_path):
    (block,) = code_blocks(README)
    run_block(README, 0, tmp_path)
    printed = capsys.readouterr().out
    claimed = float(re.search(r"# accuracy (\S+)", block)[1])
    # Matrix products differ in the last digits between machines.
    assert float(re.search(r"accuracy (\S+)", printed)[1]) == pytest.approx(
        claimed, abs=0.015
    )
    assert "dbn__hidden_layer_sizes" in printed


def test_ci_runs_the_test_command_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"sed -n '([^']*)' README.md", script)[1]
    found = subprocess.run(
        ["sed", "-n", pattern, str(README)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    shown = [
        line
        for block in code_blocks(README, "sh")
        for line in block.splitlines()
        if "pytest" in line
    ]
    assert found == shown
    assert len(shown) == 1


def test_the_two_commands_do_all_the_set_up():
    commands = [
        line for line in README.read_text().splitlines() if line.startswith("python3")
    ]
    assert [line.split(" && ")[-1] for line in commands] == [
        ".venv/bin/python -m skdbn benchmark",
        ".venv/bin/python -m pytest -n auto",
    ]
    assert all(line.startswith("python3 -m venv .venv && ") for line in commands)


def slug(heading):
    """The anchor that MyST and code hosts give to a heading."""
    text = re.sub(r"[`*]", "", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(path):
    text = path.read_text()
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {slug(heading) for heading in headings} | set(
        re.findall(r"^\(([\w-]+)\)=$", text, flags=re.MULTILINE)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_local_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)]+)\)", text):
        if link.startswith(("http:", "https:")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


def test_each_page_is_on_the_site():
    toctree = re.search(
        r"```\{toctree\}\n(.*?)```", (ROOT / "docs/index.md").read_text(), re.S
    )
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"} <= {
        *toctree[1].split()
    }


@pytest.mark.skipif(not (ROOT / "skdbn").is_dir(), reason="the tests of a wheel")
def test_included_files_exist():
    for page in PAGES:
        options = re.findall(r"^```\{(?:literal)?include\} (\S+)", page.read_text(), re.M)
        for name in options:
            assert (page.parent / name).exists(), f"{page.name}: {name}"


def test_the_answers_are_one_click_away():
    """That these anchors exist is tested above."""
    text = README.read_text()
    for anchor in ("the-knobs-of-an-rbm", "my-rbm-gives-nan", "when-training-diverges"):
        assert f"docs/user_guide.md#{anchor})" in text


def test_extras_are_installed_by_one_form_and_exist():
    """Only who reads the README or works on skdbn is in its folder."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"].keys()
    table = re.findall(r"^\| (`.*`) \|", README.read_text(), flags=re.MULTILINE)
    assert {*extras} <= {*re.findall(r"`(\w+)`", " ".join(table))}
    guides = [page for page in PAGES if page.name not in ("README.md", "contributing.md")]
    for path in [*guides, *ROOT.glob("skdbn/**/*.py"), *ROOT.glob("examples/*.py")]:
        for name, extra in re.findall(r'pip install "(.*?)\[(.*?)\]"', path.read_text()):
            assert name != ".", path
            assert name != "skdbn" or extra in extras, path


@pytest.mark.parametrize(
    ("module", "name"), public(), ids=lambda value: getattr(value, "__name__", value)
)
def test_public_names_are_in_the_api_page(module, name):
    page = (ROOT / "docs" / "api.md").read_text()
    section = page
    if module is not skdbn:
        section = page[page.index(f".. currentmodule:: {module.__name__}\n") :]
        section = section[: section.index("\n```")]
    listed = re.search(rf"^   {name}$", section, flags=re.MULTILINE)
    # The dictionaries of names are described in words.
    assert listed or f"`{name}`" in page


# --- the tutorials of docs/design.md and docs/add_a_unit.md -------------------------------


@pytest.fixture(scope="module")
def tutorial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tutorial")
    namespaces = [
        run_block(page, i, folder)
        for name in ("design", "add_a_unit", "add_an_optimizer")
        for page in [ROOT / "docs" / f"{name}.md"]
        for i in range(len(code_blocks(page)))
    ]
    return {name: value for namespace in namespaces for name, value in namespace.items()}


def test_tutorial_unit(tutorial):
    """Both sides against the sum over all states of hidden counts."""
    X = np.random.default_rng(0).integers(0, 4, (200, 3)).astype(float)
    units = tutorial["Binomial"](n_trials=3), tutorial["Binomial"](n_trials=2)
    rbm = RBM(2, visible=units[0], hidden=units[1], max_iter=5, dtype="float64")
    rbm.set_params(random_state=0).fit(X)
    V, H = (np.indices((n + 1,) * k).reshape(k, -1).T for n, k in ((3, 3), (2, 2)))
    own = np.log(comb(3, V)).sum(axis=1), np.log(comb(2, H)).sum(axis=1)
    log_joint = (own[0] + V @ rbm.intercept_visible_)[:, None] + own[1]
    log_joint += (V @ rbm.components_.T + rbm.intercept_hidden_) @ H.T
    log_p = logsumexp(log_joint, axis=1)
    np.testing.assert_allclose(rbm.free_energy(V), -log_p)
    np.testing.assert_allclose(rbm.transform(V), softmax(log_joint, axis=1) @ H)
    np.testing.assert_allclose(log_partition(rbm), logsumexp(log_joint))
    cube = log_p.reshape(4, 4, 4)
    expected = sum(cube - logsumexp(cube, axis=j, keepdims=True) for j in range(3))
    np.testing.assert_allclose(rbm.pseudo_log_likelihood(V), expected.ravel())
    assert set(np.unique(rbm.gibbs(X))) == {0.0, 1.0, 2.0, 3.0}
    with pytest.raises(ValueError, match="need counts from 0 to 3, but the data"):
        rbm.fit(X + 1)
    assert clone(rbm).set_params(visible__n_trials=5).visible.n_trials == 5


def test_tutorial_unit_draws_with_the_right_frequency(tutorial):
    from skdbn._random import Stream

    unit = tutorial["Binomial"](n_trials=4)
    z = np.tile(np.array([[-1.0, 0.0, 0.7]]), (20_000, 1))
    modes, states = z.copy(), np.empty_like(z)
    unit.sample(z, np.full(3, 0.2), states, Stream(np.random.RandomState(0)))
    p = expit([-0.8, 0.2, 0.9])
    np.testing.assert_allclose(states.mean(axis=0), 4 * p, atol=0.03)
    np.testing.assert_allclose(states.var(axis=0), 4 * p * (1 - p), atol=0.03)
    np.testing.assert_allclose(z, np.tile(4 * p, (20_000, 1)))
    unit.mode(modes, np.full(3, 0.2))
    table = np.arange(5)[:, None] * [-0.8, 0.2, 0.9] + np.log(comb(4, range(5)))[:, None]
    np.testing.assert_array_equal(modes[0], table.argmax(axis=0))


def test_tutorial_sampler(tutorial):
    X = load_digits().data[:300] / 16
    rbm = RBM(16, sampler=tutorial["MeanField"](), max_iter=15, random_state=0).fit(X)
    errors = rbm.reconstruction_errors_
    assert errors[-1] < 0.7 * errors[0]
    assert rbm.set_params(sampler__n_steps=2).sampler.n_steps == 2


def test_tutorial_optimizer(tutorial):
    X, y = load_digits(return_X_y=True)
    solver = tutorial["SignSGD"]()
    mlp = MLPClassifier((16,), solver=solver, learning_rate=0.003, max_iter=30, tol=None)
    mlp.set_params(random_state=0)
    assert mlp.fit(X / 16, y).score(X / 16, y) > 0.9


def test_tutorial_loss(tutorial):
    rng = np.random.default_rng(0)
    z, bias, target = rng.normal(0, 2, (6, 3)), rng.normal(size=3), rng.normal(size=(6, 3))
    loss, losses, step = tutorial["Huber"](width=0.7), np.empty(6), 1e-6

    def rows(z):
        loss.gradient(z.copy(), bias, target, losses)
        return losses.copy()

    gradient = z.copy()
    loss.gradient(gradient, bias, target, losses)
    for j, unit in enumerate(np.eye(3)):
        slope = (rows(z + step * unit) - rows(z - step * unit)) / (2 * step)
        np.testing.assert_allclose(gradient[:, j], slope, rtol=1e-5, atol=1e-8)
    X = rng.normal(size=(200, 2))
    y = X @ [1.0, -2.0]
    y[::10] += 50  # outliers
    mlp = MLPRegressor((4,), activation="identity", loss=tutorial["Huber"](0.1), alpha=0)
    mlp.set_params(solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    np.testing.assert_allclose(np.linalg.multi_dot(mlp.coefs_)[:, 0], [1, -2], atol=0.05)


# --- examples -----------------------------------------------------------------------------


# Runs a script as a user does, but for the figures, which are written to a folder.
RUN_EXAMPLE = """
import runpy, sys
import matplotlib.pyplot as plt
script, folder = sys.argv[1:]
shown = []
plt.show = lambda: shown.extend(plt.get_fignums())
runpy.run_path(script, run_name="__main__")
assert set(shown) == set(plt.get_fignums()), "figures that are not shown"
for number in shown:
    plt.figure(number).savefig(f"{folder}/figure_{number}.png", dpi=50)
"""


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_on_digits(script, tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    environment.pop("SKDBN_DATA", None)
    # The examples run beside other tests: BLAS threads that spin would slow them all.
    environment |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "error::UserWarning"}
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", RUN_EXAMPLE, str(script), str(tmp_path)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        timeout=300,  # they share the cores with other tests
    )
    assert done.returncode == 0, done.stderr
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    assert seconds < 60  # of one core, with kernels to compile: a minute is the promise
    assert "nan" not in done.stdout.lower()
    figures = [plt.imread(path) for path in tmp_path.glob("figure_*.png")]
    assert figures
    assert all(np.ptp(figure) > 0.5 for figure in figures)  # none is blank


def test_examples_are_listed():
    page = (ROOT / "docs" / "examples.md").read_text()
    assert EXAMPLES
    for script in EXAMPLES:
        assert f"../examples/{script.name}" in page
        assert f"examples/{script.name}" in README.read_text()


# --- docstrings ---------------------------------------------------------------------------


def parameter_entries(docstring):
    """The entries of a numpydoc Parameters section, as {name: (type, description)}."""
    lines = inspect.cleandoc(docstring).splitlines()
    if "Parameters" not in lines:
        return {}
    entries, names = {}, []
    for line, following in zip(
        lines[lines.index("Parameters") + 2 :],
        [*lines[lines.index("Parameters") + 3 :], ""],
        strict=True,
    ):
        if following and set(following) == {"-"}:
            break
        if line and not line.startswith(" "):
            names, _, kind = line.partition(" : ")
            names = names.split(", ")
            entries |= {name: [kind, ""] for name in names}
        else:
            for name in names:
                entries[name][0] += " " + line.strip() if "\\" in entries[name][0] else ""
                entries[name][1] += line.strip()
    return entries


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_public_classes_have_docstrings(cls):
    assert inspect.getdoc(cls)
    bare = [
        name
        for name in own_methods(cls)
        if not inspect.getdoc(getattr(cls, name.split(".")[1]))
    ]
    assert not bare


@pytest.mark.parametrize("thing", [*CLASSES, *FUNCTIONS], ids=lambda x: x.__name__)
def test_parameters_are_documented_with_their_defaults(thing):
    entries = parameter_entries(inspect.getdoc(thing) or "")
    signature = inspect.signature(thing)
    for name, parameter in signature.parameters.items():
        if name.startswith("_") or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        assert name in entries, f"{name} is not documented"
        kind, text = entries[name]
        default = parameter.default
        if default is parameter.empty:
            assert "default=" not in kind, f"{name} has no default"
            continue
        shown = re.search(r"default=(.+)$", kind)
        assert shown, f"{name}: no default in {kind!r}"
        assert text, f"{name} is not described"
        documented = shown[1].strip('"')
        if isinstance(default, str):
            assert documented == default
        else:
            assert eval(documented) == default, name


FOR_EXTENDERS = ("Schedule", "Optimizer", "Sampler", "PersistentSampler")


@pytest.mark.parametrize(
    "thing",
    [c for c in CLASSES if not (inspect.isabstract(c) or c.__name__ in FOR_EXTENDERS)]
    + FUNCTIONS,
    ids=lambda x: x.__name__,
)
def test_examples_in_docstrings(thing):
    assert "\nExamples\n---" in inspect.getdoc(thing)


@pytest.mark.parametrize(
    "method",
    sorted(
        {
            name
            for cls in CLASSES
            if cls.__name__ in skdbn.__all__
            for name in own_methods(cls)
        }
    ),
)
def test_methods_of_estimators_document_parameters_and_returns(method):
    cls, name = method.split(".")
    function = getattr(getattr(skdbn, cls), name)
    text = inspect.getdoc(function)
    assert "\nReturns\n---" in text
    arguments = [p for p in inspect.signature(function).parameters if p != "self"]
    entries = parameter_entries(text)
    assert set(arguments) <= set(entries), method
    assert all(entries[argument][1] for argument in arguments), method
    assert "X" not in arguments or "\nRaises\n---" in text, method


# What numpydoc would like and this project does not do: a See Also or an example in each
# method, a verb at the beginning of each summary, and so on.
NUMPYDOC_CHECKS = {"GL01", "GL02", "GL05", "GL06", "GL07", "GL08", "GL10", "SS01", "SS04"}
NUMPYDOC_CHECKS |= {"PR01", "PR02", "PR03", "PR07", "PR10", "RT01", "YD01", "SA04"}
# Whose methods users call. Those of callbacks and of the parts of estimators are called by
# training: their interfaces are described once, in the classes that are extended.
FOR_USERS = ["skdbn", "skdbn.plotting", "skdbn.distributed", "skdbn.onnx"]


def test_numpydoc_agrees():
    names = [f"{thing.__module__}.{thing.__qualname__}" for thing in CLASSES + FUNCTIONS]
    for_users = [
        getattr(module, name)
        for module, name in public(inspect.isclass)
        if module.__name__ in FOR_USERS
    ]
    names += [f"{cls.__module__}.{m}" for cls in for_users for m in own_methods(cls)]
    errors = [
        (name, code, text)
        for name in names
        for code, text in validate.validate(name)["errors"]
        if code in NUMPYDOC_CHECKS
    ]
    assert not errors
