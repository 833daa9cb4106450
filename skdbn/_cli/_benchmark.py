"""``skdbn benchmark``."""

import importlib.util
import tempfile
import warnings
from pathlib import Path

import joblib

from skdbn import benchmarks
from skdbn._cli._output import print_table, say_remarks, status_of, tell_interrupted
from skdbn._cli._status import OK
from skdbn.benchmarks import _data, _models
from skdbn.benchmarks._figure import plot_results
from skdbn.benchmarks._report import data_line, replace_file, say, versions_line

_FORMATS = {
    "model": "{}",
    "accuracy": "{:.4f}",
    "accuracy_sd": "{:.4f}",
    "log_loss": "{:.3f}",
    "code_size": "{}",
    "fit_seconds": "{:.2f}",
    "predict_seconds": "{:.3f}",
}


def run(options):
    """Run ``skdbn benchmark`` and return the exit status."""
    if options.list_models:
        return _list_models()
    kind = options.data if options.data in ("digits", "mnist") else "table"
    names = _wanted_models(options.models, kind)
    data = _data.load(options.data, data_dir=options.data_dir, target=options.target)
    output = _Output(options.output)
    models = _models.make_models(names, data=kind)
    print(_header(data, options), flush=True)
    try:
        results = _compare(models, data, options, output)
    except KeyboardInterrupt:
        return tell_interrupted(output.results, len(models), _FORMATS, output.csv)
    print_table(results, _FORMATS)
    say_remarks(results)
    _say_files(output, results, models, title=_title(data, options))
    return status_of(results)


def _list_models():
    """Print the names of the models with the labels of the table."""
    everywhere = _models.model_names("digits")
    for name, label in _models.LABELS.items():
        where = "" if name in everywhere else "  (mnist only)"
        print(f"{name:<15}{label}{where}")
    return OK


def _wanted_models(names, kind):
    """Return the names of the models to run, saying which cannot be run here."""
    if names is None:
        names = _models.model_names(kind)
    names = _models.check_names(names, kind)
    runnable = _models.without_umap(names)
    if len(runnable) < len(names):
        say(f"umap-knn is left out. {_models.INSTALL_UMAP}")
    if not runnable:
        raise ValueError("no model to run")
    return runnable


def _compare(models, data, options, output):
    """Compare the models, storing each row when it is there."""
    cv = 5 if options.folds is None else options.folds
    return benchmarks.compare(
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
        replace_file(self.csv, results.to_csv(index=False, lineterminator="\n"))


# --- What is printed besides the table ----------------------------------------------------


def _header(data, options):
    """Return what was run, on what, with what."""
    return "\n".join(
        [
            data_line(data.name, data.X, data.y),
            f"splits    {_splits(data, options)}, seed {options.seed}",
            f"cores     {joblib.cpu_count()}, jobs {joblib.effective_n_jobs(options.jobs)}",
            versions_line(),
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


def _say_files(output, results, models, title):
    """Draw the figure if it can be drawn and say where the results are."""
    files = [str(output.csv)]
    if importlib.util.find_spec("matplotlib") is None:
        say('no figure, matplotlib is not installed: pip install "skdbn[benchmark]"')
    elif results["accuracy"].notna().any():
        _draw(output.png, results, models, title)
        files.append(str(output.png))
    say(f"written: {', '.join(files)}")


def _draw(path, results, models, title):
    """Write the figure."""
    ours = [name for name, model in models.items() if _models.is_ours(model)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a glyph that the font lacks, for example
        plot_results(results, ours=ours, title=title).savefig(path, dpi=150)
