"""What the commands that fit models print: results to stdout, remarks to stderr."""

from skdbn._cli._status import INTERRUPTED, MODEL_FAILED, OK
from skdbn.benchmarks._report import aligned, say


def print_table(results, formats):
    """Print the columns that have a format, with a dash for what is missing."""
    import pandas as pd

    text = {
        column: ["-" if pd.isna(value) else form.format(value) for value in results[column]]
        for column, form in formats.items()
    }
    print("", aligned(text), sep="\n", flush=True)


def say_remarks(results):
    """Say which models warned and which failed."""
    for row in results.itertuples():
        if isinstance(row.error, str):
            say(f"{row.model} failed: {row.error}")
        elif isinstance(row.warnings, str):
            say(f"{row.model} warned: {row.warnings}")


def status_of(results):
    """Return the exit status of a run that came to its end."""
    return MODEL_FAILED if results["error"].notna().any() else OK


def tell_interrupted(results, n_models, formats, path):
    """Show the rows that are there after Ctrl-C and return the exit status."""
    if results is None:
        say("interrupted before a model was finished")
        return INTERRUPTED
    print_table(results, formats)
    written = "" if path is None else f", written: {path}"
    say(f"interrupted: {len(results)} of {n_models} models were finished{written}")
    return INTERRUPTED
