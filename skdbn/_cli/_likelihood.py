"""``skdbn likelihood``."""

from skdbn._cli._status import OK
from skdbn._cli._tables import run_table
from skdbn.benchmarks._likelihood_depth import DepthTable
from skdbn.benchmarks._likelihood_large import LargeTable, check_models, list_models
from skdbn.benchmarks._likelihood_small import SmallTable
from skdbn.benchmarks._tables import load_images


def run(options):
    """Run ``skdbn likelihood`` and return the exit status."""
    if options.list:
        print(list_models())
        return OK
    return run_table(options, _TABLES[options.table])


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
