"""Level 0: the only module that touches private names of scikit-learn.

They are what scikit-learn's own estimators are written with and have been stable since
1.2 (parameter validation) and 1.3 (``_fit_context``).
"""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = [
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "fit_context",
    "validate_parameter_constraints",
]
