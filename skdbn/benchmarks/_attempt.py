"""Measurements that may fail or warn, so that one does not lose the others."""

import warnings
from collections import Counter

_ERROR_LENGTH = 200


def attempt(measure, *args):
    """Return what a function measured, or its error, and the kinds of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        # Counted, not shown. Deprecations are for the developers, not for the table.
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("always", RuntimeWarning)
        try:
            found = dict(measure(*args))
        except Exception as error:
            first_line = next(iter(str(error).splitlines()), "")
            found = {"error": f"{type(error).__name__}: {first_line}"[:_ERROR_LENGTH]}
    found["warnings"] = [warning.category.__name__ for warning in caught]
    return found


def counted(kinds):
    """Return kinds of warnings with their numbers as a text, None if there are none."""
    return ", ".join(f"{kind} x{n}" for kind, n in Counter(kinds).items()) or None
