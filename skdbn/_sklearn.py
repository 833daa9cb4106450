"""Level 0: the only module that touches private names of scikit-learn.

They are what scikit-learn's own estimators are written with and have been stable since
1.2 (parameter validation) and 1.3 (``_fit_context``).
"""

import copy
import functools
import re
import sys

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight

from ._interrupts import interruption

__all__ = [
    "DocumentedMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "callbacks_of",
    "check_sample_weight",
    "fit_method",
    "validate_parameter_constraints",
    "without_callbacks",
]


class DocumentedMixin:
    """What an estimator shows in a notebook has the descriptions of its parameters.

    scikit-learn shows them beside links to a page, and not without. There is no page that a
    notebook anywhere could link to, so the links are taken out again.
    """

    def _get_params_html(self, deep=True, doc_link=""):
        return _unlinked(super()._get_params_html(deep, "#"))

    def _get_fitted_attr_html(self, doc_link=""):
        return _unlinked(super()._get_fitted_attr_html("#"))


def _unlinked(table):
    """A table of parameters or attributes whose names lead nowhere."""
    html = re.sub(r' href="#[^"]*"', "", table._html_repr())
    table._html_repr = lambda: html
    return table


def check_sample_weight(sample_weight, X):
    """Validate weights of the rows of X: finite, not negative, not all zero."""
    return _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )


def fit_method(method):
    """Decorate a fit: parameters checked, callbacks cared for, Ctrl-C and failures too.

    A fit that raises leaves the fitted attributes as it found them: an estimator that was
    not fitted before is not, and one that was keeps the earlier fit.
    """

    @functools.wraps(method)
    def all_or_nothing(estimator, *args, **kwargs):
        before = _fitted_attributes(estimator)
        try:
            # Overflow is divergence, which the training loop notices and tells.
            with np.errstate(over="ignore", invalid="ignore"):
                return method(estimator, *args, **kwargs)
        except BaseException:
            for name in _fitted_attributes(estimator):
                delattr(estimator, name)
            vars(estimator).update(before)
            raise

    # Objects inside an estimator come from the user: their parameters are to be checked.
    checked = _fit_context(prefer_skip_nested_validation=False)(all_or_nothing)

    @functools.wraps(checked)
    def interruptible(estimator, *args, **kwargs):
        def fit():
            return checked(estimator, *args, **kwargs)

        return interruption.wrap(fit, estimator, sys._getframe(1))

    return interruptible


# What scikit-learn's callbacks leave on an estimator, for good or during a fit.
_CALLBACK_ATTRIBUTES = (
    "_skl_callbacks",
    "_skl_callbacks_to_teardown",
    "_callback_fit_ctx",
    "_parent_callback_ctx",
)


def callbacks_of(estimator):
    """The callbacks that are set on an estimator."""
    return getattr(estimator, "_skl_callbacks", [])


def without_callbacks(estimator):
    """A shallow copy that has no callbacks and knows of no fit that goes on."""
    plain = copy.copy(estimator)
    for name in _CALLBACK_ATTRIBUTES:
        vars(plain).pop(name, None)
    return plain


def _fitted_attributes(estimator):
    """The attributes of an estimator that a fit has set."""
    return {name: value for name, value in vars(estimator).items() if name.endswith("_")}
