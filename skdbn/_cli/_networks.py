"""``skdbn networks``."""

from skdbn._cli._status import OK
from skdbn._cli._tables import run_table
from skdbn.benchmarks._networks import hold_out
from skdbn.benchmarks._networks_classifiers import ClassifiersTable
from skdbn.benchmarks._networks_codes import CodesTable, MapsTable
from skdbn.benchmarks._networks_labels import LabelsTable
from skdbn.benchmarks._networks_solvers import SolversTable
from skdbn.benchmarks._tables import load_images

_TABLES = {
    "classifiers": ClassifiersTable,
    "labels": LabelsTable,
    "codes": CodesTable,
    "maps": MapsTable,
    "solvers": SolversTable,
}


def run(options):
    """Run ``skdbn networks`` and return the exit status."""
    if options.list:
        print(_TABLES[options.table].list_models())
        return OK
    return run_table(options, _make_table)


def _make_table(options):
    """Make the table that the options ask for."""
    images = load_images(options.data, options.data_dir, options.seed, options.quick)
    if options.held_out:
        images = hold_out(images)
    table = _TABLES[options.table]
    return table(images, options.seed, options.runs, options.quick, options.models)
