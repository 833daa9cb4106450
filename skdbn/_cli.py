"""Level 6: the command line, ``skdbn benchmark`` and ``skdbn speed``."""

import argparse
import importlib.util
import os
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import skdbn

# Exit statuses.
OK, MODEL_FAILED, USER_ERROR, INTERRUPTED = 0, 1, 2, 130

_EXAMPLES = """\
examples:
  skdbn benchmark                                   the digits of scikit-learn
  skdbn benchmark mnist --data-dir ~/mnist          MNIST from its four files
  skdbn benchmark table.csv --target species        a table of your own
  skdbn benchmark --models knn,dbn --train-rows 500 --jobs 2

exit status: 0, or 1 if a model failed, 2 for an error in what was asked for.
"""


def main(argv=None):
    """Run the command line and return the exit status."""
    options = _parser().parse_args(argv)
    try:
        return options.run(options)
    except (ValueError, OSError) as error:
        print(f"{options.prog}: error: {error}", file=sys.stderr)
        return USER_ERROR


# --- Options ------------------------------------------------------------------------------


def _parser():
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="skdbn",
        description="Restricted Boltzmann machines and deep belief networks "
        "as scikit-learn estimators.",
    )
    parser.add_argument("--version", action="version", version=f"skdbn {skdbn.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    benchmark = commands.add_parser(
        "benchmark",
        help="compare this package's models with others on digits, MNIST or your table",
        description="Compare this package's models with others: accuracy, log loss, size "
        "of the code, seconds to fit and to predict.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_benchmark_options(benchmark)
    benchmark.set_defaults(run=_benchmark, prog=benchmark.prog)
    speed = commands.add_parser(
        "speed",
        help="time training beside its matrix products alone, scikit-learn and PyTorch",
        description="Time training beside the matrix products alone, scikit-learn and, if "
        "it is installed, PyTorch, in turns in one process. Takes several minutes.",
    )
    _add_speed_options(speed)
    speed.set_defaults(run=_speed, prog=speed.prog)
    return parser


def _add_benchmark_options(parser):
    """Add the options of ``skdbn benchmark``."""
    add = parser.add_argument
    add("data", nargs="?", default="digits", help="digits (default), mnist or a csv file")
    add("--target", metavar="COLUMN", help="the column of the csv file with the classes")
    add(
        "--data-dir",
        metavar="DIR",
        help="the folder of MNIST's files (default: the environment variable SKDBN_DATA)",
    )
    add(
        "--models",
        metavar="A,B",
        help="the models to run (default: all, see --list-models)",
    )
    add("--list-models", action="store_true", help="show the names of the models and exit")
    add(
        "--train-rows",
        type=_whole_number(1),
        metavar="N",
        help="train on so many rows only, a stratified random part",
    )
    add(
        "--folds",
        type=_whole_number(2),
        metavar="N",
        help="cross-validation folds (default: 5, for mnist its own training and test set)",
    )
    add(
        "--jobs",
        type=_jobs,
        default=-1,
        metavar="N",
        help="fits to run at once (default: -1, one a core; 1 times them best)",
    )
    add("--seed", type=_whole_number(0), default=0, metavar="N", help="default: 0")
    add(
        "--output",
        type=Path,
        default=Path("skdbn-benchmark"),
        metavar="DIR",
        help="the folder for results.csv and results.png (default: skdbn-benchmark)",
    )


def _add_speed_options(parser):
    """Add the options of ``skdbn speed``."""
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group().add_argument
    what("--list", action="store_true", help="show the names of the cases and exit")
    what(
        "--case",
        action="append",
        metavar="NAME",
        help="a case to measure, can be repeated (default: all, see --list)",
    )
    what(
        "--busy",
        action="store_true",
        help="measure what another process that keeps a core busy costs, nothing else",
    )
    add(
        "--quick",
        action="store_true",
        help="the most important cases with fewer rows, under a minute",
    )
    add("--json", type=Path, metavar="FILE", help="write all that was measured to a file")


def _whole_number(lowest):
    """Return a function that reads a whole number, for argparse."""

    def read(text):
        number = int(text)
        if number < lowest:
            raise argparse.ArgumentTypeError(f"must be at least {lowest}, got {number}")
        return number

    read.__name__ = "whole number"  # argparse names it when int() fails
    return read


def _jobs(text):
    """Read a number of jobs, as joblib understands it."""
    if int(text) == 0:
        raise argparse.ArgumentTypeError("must be 1 or more, or -1 for one a core")
    return int(text)


_jobs.__name__ = "whole number"


# --- skdbn benchmark ----------------------------------------------------------------------


def _benchmark(options):
    """Run ``skdbn benchmark`` and return the exit status."""
    # pandas and scikit-learn take a second to import, which --help need not wait for.
    from skdbn.benchmarks import _data, _models

    if options.list_models:
        return _list_models()
    kind = options.data if options.data in ("digits", "mnist") else "table"
    names = _wanted_models(options.models, kind)
    data = _data.load(options.data, data_dir=options.data_dir, target=options.target)
    output = _Output(options.output)
    models = _models.make_models(names, data=kind)
    print(_header(data, options), flush=True)
    try:
        results = _run(models, data, options, output)
    except KeyboardInterrupt:
        return _say_interrupted(output, len(models))
    _print_table(results)
    _say_remarks(results)
    _say_files(output, results, models, title=_title(data, options))
    return MODEL_FAILED if results["error"].notna().any() else OK


def _list_models():
    """Print the names of the models with the labels of the table."""
    from skdbn.benchmarks._models import LABELS, model_names

    everywhere = model_names("digits")
    for name, label in LABELS.items():
        where = "" if name in everywhere else "  (mnist only)"
        print(f"{name:<15}{label}{where}")
    return OK


def _wanted_models(text, kind):
    """Return the names of the models to run, saying which cannot be run here."""
    from skdbn.benchmarks import _models

    names = _models.model_names(kind)
    if text is not None:
        given = [name.strip() for name in text.split(",") if name.strip()]
        names = _models.check_names(given, kind)
    runnable = _models.without_umap(names)
    if len(runnable) < len(names):
        _say(f"umap-knn is left out. {_models.INSTALL_UMAP}")
    if not runnable:
        raise ValueError("no model to run")
    return runnable


def _run(models, data, options, output):
    """Compare the models, storing each row when it is there."""
    from skdbn.benchmarks import compare

    cv = 5 if options.folds is None else options.folds
    return compare(
        models,
        data.X,
        data.y,
        cv=data.split if options.folds is None and data.split is not None else cv,
        train_size=options.train_rows,
        n_jobs=options.jobs,
        random_state=options.seed,
        progress=True,
        callback=output.store,
    )


class _Output:
    """The folder of the results, tried out before the work begins."""

    def __init__(self, folder):
        self.csv = folder / "results.csv"
        self.png = folder / "results.png"
        self.results = None  # of the models finished so far
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass

    def store(self, results):
        """Write the rows so far, so that an interrupted run keeps them."""
        self.results = results
        aside = self.csv.with_suffix(".csv.part")
        results.to_csv(aside, index=False)
        os.replace(aside, self.csv)


# --- skdbn speed --------------------------------------------------------------------------


def _speed(options):
    """Run ``skdbn speed`` and return the exit status."""
    from skdbn.benchmarks import _speed, _speed_report

    if options.list:
        print(_speed.list_cases())
        return OK
    if options.json is not None and not options.json.parent.is_dir():
        raise ValueError(f"there is no folder {str(options.json.parent)!r} for --json")
    session = _speed.Session(options.case, options.quick, options.busy)
    print(_speed_report.header(session.document["environment"]), flush=True)
    status = OK
    try:
        session.run()
    except KeyboardInterrupt:
        _say("interrupted: only what was measured before is told")
        status = INTERRUPTED
    tables = session.tables()
    if tables:
        print("", tables, sep="\n", flush=True)
    if options.json is not None:
        _speed_report.write_json(options.json, session.document)
    return MODEL_FAILED if status == OK and session.failed else status


# --- What is printed: the results to stdout, remarks to stderr ----------------------------


_FORMATS = {
    "model": "{}",
    "accuracy": "{:.4f}",
    "accuracy_sd": "{:.4f}",
    "log_loss": "{:.3f}",
    "code_size": "{}",
    "fit_seconds": "{:.2f}",
    "predict_seconds": "{:.3f}",
}


def _say(text):
    """Print a remark."""
    print(text, file=sys.stderr, flush=True)


def _header(data, options):
    """Return what was run, on what, with what."""
    import joblib
    import numpy as np

    rows, columns = data.X.shape
    n_classes = len(np.unique(data.y))
    packages = ("scikit-learn", "numpy", "numba")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return "\n".join(
        [
            f"data      {data.name}, {rows} rows x {columns} columns, {n_classes} classes",
            f"splits    {_splits(data, options)}, seed {options.seed}",
            f"cores     {joblib.cpu_count()}, jobs {joblib.effective_n_jobs(options.jobs)}",
            f"versions  skdbn {skdbn.__version__}, {versions}",
        ]
    )


def _splits(data, options):
    """Return how the rows are split, in words."""
    if data.split is not None and options.folds is None:
        train, test = data.split[0]
        text = f"{len(train)} training rows, {len(test)} test rows"
    else:
        text = f"{options.folds or 5} folds"
    if options.train_rows is None:
        return text
    return f"{text}, trained on at most {options.train_rows} rows"


def _title(data, options):
    """Return the title of the figure."""
    return f"{Path(data.name).name}: {_splits(data, options)}"


def _print_table(results):
    """Print the scores as a table, with a dash for what is missing."""
    import pandas as pd

    text = pd.DataFrame(
        {
            column: [
                "-" if pd.isna(value) else form.format(value) for value in results[column]
            ]
            for column, form in _FORMATS.items()
        }
    )
    # pandas aligns to the right, which suits numbers only.
    names = ["model", *text.pop("model")]
    width = max(map(len, names))
    lines = text.to_string(index=False).splitlines()
    rows = [f"{name:<{width}} {line}" for name, line in zip(names, lines, strict=True)]
    print("", *rows, sep="\n", flush=True)


def _say_remarks(results):
    """Say which models warned and which failed."""
    for row in results.itertuples():
        if isinstance(row.error, str):
            _say(f"{row.model} failed: {row.error}")
        elif isinstance(row.warnings, str):
            _say(f"{row.model} warned: {row.warnings}")


def _say_files(output, results, models, title):
    """Draw the figure if it can be drawn and say where the results are."""
    files = [str(output.csv)]
    if importlib.util.find_spec("matplotlib") is None:
        _say('no figure, matplotlib is not installed: pip install "skdbn[benchmark]"')
    elif results["accuracy"].notna().any():
        _draw(output.png, results, models, title)
        files.append(str(output.png))
    _say(f"written: {', '.join(files)}")


def _draw(path, results, models, title):
    """Write the figure."""
    from skdbn.benchmarks._figure import plot_results
    from skdbn.benchmarks._models import is_ours

    ours = [name for name, model in models.items() if is_ours(model)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a glyph that the font lacks, for example
        plot_results(results, ours=ours, title=title).savefig(path, dpi=150)


def _say_interrupted(output, n_models):
    """Show what is there after Ctrl-C and return the exit status."""
    if output.results is None:
        _say("interrupted before a model was finished")
        return INTERRUPTED
    _print_table(output.results)
    _say(
        f"interrupted: {len(output.results)} of {n_models} models were finished, "
        f"written: {output.csv}"
    )
    return INTERRUPTED
