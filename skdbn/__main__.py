"""Level 6: ``python -m skdbn``, the same command line as the console script ``skdbn``."""

import sys

from skdbn._cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
