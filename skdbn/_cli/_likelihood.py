"""``skdbn likelihood``."""

import math

from joblib import cpu_count

from skdbn._cli._output import print_table, say_remarks, status_of, tell_interrupted
from skdbn._cli._status import OK
from skdbn.benchmarks._likelihood import load_images, measure_rows
from skdbn.benchmarks._likelihood_depth import DepthTable
from skdbn.benchmarks._likelihood_large import LargeTable, check_models, list_models
from skdbn.benchmarks._likelihood_small import SmallTable
from skdbn.benchmarks._report import (
    check_json,
    data_line,
    environment,
    say,
    versions_line,
    write_json,
)


def run(options):
    """Run ``skdbn likelihood`` and return the exit status."""
    if options.list:
        print(list_models())
        return OK
    check_json(options.json)
    table = _TABLES[options.table](options)
    rows = table.rows()
    output = _Output(options.json, options.table, table)
    print(_header(table), flush=True)
    try:
        results = measure_rows(rows, table, output.store)
    except KeyboardInterrupt:
        return tell_interrupted(output.results, len(rows), table.formats, options.json)
    print_table(results, table.formats)
    say_remarks(results)
    if options.json is not None:
        say(f"written: {options.json}")
    return status_of(results)


# --- Tables -------------------------------------------------------------------------------


def _common(options):
    """Return what the options of all tables say."""
    images = load_images(options.data, options.data_dir, options.seed, options.quick)
    return images, options.seed, options.epochs, options.quick


def _large(options):
    """Make the table of large RBMs."""
    models = check_models(options.models)  # before anything is loaded
    return LargeTable(*_common(options), options.temperatures, models)


_TABLES = {
    "small": lambda options: SmallTable(*_common(options)),
    "large": _large,
    "depth": lambda options: DepthTable(*_common(options)),
}


# --- What is printed and written ----------------------------------------------------------


def _header(table):
    """Return what is measured, on what, with what."""
    images = table.images
    settings = ", ".join(f"{name}={value}" for name, value in table.settings.items())
    n_test = len(images.test)
    return "\n".join(
        [
            data_line(images.name, images.X, images.y),
            f"splits    {images.n_train} training rows, {n_test} test rows",
            f"settings  {settings}",
            f"cores     {cpu_count()}",
            versions_line(),
        ]
    )


class _Output:
    """The rows so far, in a file too if one was asked for."""

    def __init__(self, path, name, table):
        self.path = path
        self.results = None
        self.document = {
            "environment": environment(),
            "table": name,
            "data": table.images.name,
            "n_train": table.images.n_train,
            "n_test": len(table.images.test),
            "quick": table.quick,
            "settings": table.settings,
        }

    def store(self, results):
        """Write the rows so far, so that an interrupted run keeps them."""
        self.results = results
        if self.path is not None:
            rows = [
                {name: _jsonable(value) for name, value in row.items()}
                for row in results.to_dict("records")
            ]
            write_json(self.path, self.document | {"rows": rows})


def _jsonable(value):
    """Return a value of a table for JSON, which has no NaN or infinity."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
