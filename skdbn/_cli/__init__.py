"""Level 6: the command line, a file for the options and one for each command."""

import importlib
import sys

from skdbn._cli._parser import make_parser
from skdbn._cli._status import USER_ERROR


def main(argv=None):
    """Run the command line and return the exit status."""
    options = make_parser().parse_args(argv)
    try:
        # pandas and scikit-learn take a second to import, which --help need not wait for.
        command = importlib.import_module(f"skdbn._cli.{options.command}")
        return command.run(options)
    except (ValueError, OSError) as error:
        print(f"{options.prog}: error: {error}", file=sys.stderr)
        return USER_ERROR
