"""The options of all commands."""

import argparse
from pathlib import Path

import skdbn

_BENCHMARK_EXAMPLES = """\
examples:
  skdbn benchmark                                   the digits of scikit-learn
  skdbn benchmark mnist --data-dir ~/mnist          MNIST from its four files
  skdbn benchmark table.csv --target species        a table of your own
  skdbn benchmark --models knn,dbn --train-rows 500 --jobs 2

exit status: 0, or 1 if a model failed, 2 for an error in what was asked for.
"""
_LIKELIHOOD_EXAMPLES = """\
examples:
  skdbn likelihood small                            exact log-likelihoods of 16 hidden units
  skdbn likelihood large mnist --data-dir ~/mnist   estimates for 500 hidden units
  skdbn likelihood large --models cd-1,fast-pcd     some of the ways to train them
  skdbn likelihood depth --quick                    accuracy after one to three RBMs

exit status: 0, or 1 if a model failed, 2 for an error in what was asked for.
"""
_NETWORKS_EXAMPLES = """\
examples:
  skdbn networks classifiers                        with and without pretraining
  skdbn networks codes mnist --data-dir ~/mnist     30 numbers an image
  skdbn networks labels mnist --runs 10             the same with 100 and 1000 labels

exit status: 0, or 1 if a model failed, 2 for an error in what was asked for.
"""
_NETWORKS_TABLES = {
    "classifiers": "errors of classifiers, with and without pretraining and dropout",
    "labels": "accuracy of classifiers that are told few labels",
    "codes": "reconstructions from 30 numbers, beside PCA",
    "maps": "reconstructions from two numbers, beside PCA, t-SNE and UMAP",
    "solvers": "one network trained by all optimisers",
}


def make_parser():
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="skdbn",
        description="Restricted Boltzmann machines and deep belief networks "
        "as scikit-learn estimators.",
    )
    parser.add_argument("--version", action="version", version=f"skdbn {skdbn.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for add_command in (_add_benchmark, _add_speed, _add_likelihood, _add_networks):
        add_command(commands)
    return parser


# --- skdbn benchmark ----------------------------------------------------------------------


def _add_benchmark(commands):
    """Add ``skdbn benchmark``."""
    parser = commands.add_parser(
        "benchmark",
        help="compare this package's models with others on digits, MNIST or your table",
        description="Compare this package's models with others: accuracy, log loss, size "
        "of the code, seconds to fit and to predict.",
        epilog=_BENCHMARK_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command="_benchmark", prog=parser.prog)
    add = parser.add_argument
    add("data", nargs="?", default="digits", help="digits (default), mnist or a csv file")
    add("--target", metavar="COLUMN", help="the column of the csv file with the classes")
    _add_data_dir(parser)
    add(
        "--models",
        type=_names,
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
    _add_seed(parser)
    add(
        "--output",
        type=Path,
        default=Path("skdbn-benchmark"),
        metavar="DIR",
        help="the folder for results.csv and results.png (default: skdbn-benchmark)",
    )


# --- skdbn speed --------------------------------------------------------------------------


def _add_speed(commands):
    """Add ``skdbn speed``."""
    parser = commands.add_parser(
        "speed",
        help="time training beside its matrix products alone, scikit-learn and PyTorch",
        description="Time training beside the matrix products alone, scikit-learn and, if "
        "it is installed, PyTorch, in turns in one process. Takes several minutes.",
    )
    parser.set_defaults(command="_speed", prog=parser.prog)
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
    parser.add_argument(
        "--quick",
        action="store_true",
        help="the most important cases with fewer rows, under a minute",
    )
    _add_json(parser)


# --- skdbn likelihood ---------------------------------------------------------------------


def _add_likelihood(commands):
    """Add ``skdbn likelihood``."""
    parser = commands.add_parser(
        "likelihood",
        help="measure log-likelihoods of RBMs on digits or MNIST, and what depth gives",
        description="Measure how likely RBMs find images that they were not trained on, "
        "and what depth does to a classifier on their features.",
        epilog=_LIKELIHOOD_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tables = parser.add_subparsers(title="tables", metavar="table", required=True)
    _add_likelihood_table(
        tables,
        "small",
        "exact log-likelihoods of 16 hidden units, beside BernoulliRBM and AIS",
        epochs="50 on mnist, 100 on digits",
    )
    _add_likelihood_table(
        tables,
        "depth",
        "accuracy of a logistic regression after one to three RBMs",
        epochs="those of the estimators",
    )
    large = _add_likelihood_table(
        tables,
        "large",
        "estimated log-likelihoods of 500 hidden units (64 on digits) by sampler",
        epochs="100, a tenth where an epoch takes longest",
    )
    large.add_argument(
        "--models",
        type=_names,
        default=["cd-1", "pcd-1"],
        metavar="A,B",
        help="the ways to train (default: cd-1,pcd-1, see --list)",
    )
    large.add_argument(
        "--list", action="store_true", help="show the names of the models and exit"
    )
    large.add_argument(
        "--temperatures",
        type=_whole_number(2),
        metavar="N",
        help="of annealed importance sampling (default: 14500)",
    )


def _add_likelihood_table(tables, name, text, epochs):
    """Add a table of ``skdbn likelihood``; returns its parser."""
    parser = _add_table(tables, name, text)
    parser.set_defaults(command="_likelihood", list=False)
    parser.add_argument(
        "--epochs",
        type=_whole_number(1),
        metavar="N",
        help=f"of training (default: {epochs})",
    )
    return parser


# --- skdbn networks -----------------------------------------------------------------------


def _add_networks(commands):
    """Add ``skdbn networks``."""
    parser = commands.add_parser(
        "networks",
        help="measure classifiers and autoencoders on digits or MNIST, pretrained or not",
        description="Measure what networks make of images that they were not trained on, "
        "with and without pretraining. On MNIST a model takes minutes.",
        epilog=_NETWORKS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tables = parser.add_subparsers(title="tables", metavar="table", required=True)
    for name, text in _NETWORKS_TABLES.items():
        table = _add_table(tables, name, text)
        table.set_defaults(command="_networks")
        what = table.add_mutually_exclusive_group().add_argument
        what("--list", action="store_true", help="show the names of the models and exit")
        what(
            "--models",
            type=_names,
            metavar="A,B",
            help="the models to measure (default: all, see --list)",
        )
        table.add_argument(
            "--runs",
            type=_whole_number(1),
            default=1,
            metavar="N",
            help="seeds to measure each model with, from --seed on (default: 1)",
        )
        table.add_argument(
            "--held-out",
            action="store_true",
            help="leave the test images alone: hold out a sixth of the training images",
        )


# --- Options of several commands ----------------------------------------------------------


def _add_table(tables, name, text):
    """Add a table of a command; returns its parser."""
    parser = tables.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}, on held-out rows."
    )
    parser.set_defaults(table=name, prog=parser.prog)
    parser.add_argument(
        "data",
        nargs="?",
        default="digits",
        choices=["digits", "mnist"],
        help="digits (default), or mnist",
    )
    _add_data_dir(parser)
    _add_seed(parser)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="fewer rows and epochs, to see that it runs",
    )
    _add_json(parser)
    return parser


def _add_data_dir(parser):
    """Add the option for the folder of MNIST."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="the folder of MNIST's files (default: the environment variable SKDBN_DATA)",
    )


def _add_seed(parser):
    """Add the option for the seed."""
    parser.add_argument(
        "--seed", type=_whole_number(0), default=0, metavar="N", help="default: 0"
    )


def _add_json(parser):
    """Add the option for a file with all that was measured."""
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write all that was measured to a file"
    )


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


def _names(text):
    """Read names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]
