"""Commands that print a table, row by row."""

import math

from joblib import cpu_count

from skdbn._cli._output import print_table, say_remarks, status_of, tell_interrupted
from skdbn.benchmarks._report import (
    check_json,
    data_line,
    environment,
    say,
    versions_line,
    write_json,
)
from skdbn.benchmarks._tables import measure_rows


def run_table(options, make_table):
    """Make the table that the options ask for, print it and return the exit status."""
    check_json(options.json)
    table = make_table(options)
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
