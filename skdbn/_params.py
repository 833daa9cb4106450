"""Level 0: parameters that are a name or an object, read from one registry of names."""

import numpy as np
from sklearn.base import clone

from ._sklearn import StrOptions, validate_parameter_constraints


def named(registry, base):
    """Constraint for ``_parameter_constraints``: a name of the registry or an instance."""
    return [StrOptions(set(registry)), base]


def resolve(value, registry):
    """Turn a name into the object it stands for; an object's own parameters are checked."""
    component = registry[value]() if isinstance(value, str) else value
    _check(component)
    return component


def _check(component):
    """Check the parameters of a component and of the components inside it."""
    params = component.get_params(deep=False)
    constraints = getattr(component, "_parameter_constraints", {})
    validate_parameter_constraints(constraints, params, type(component).__name__)
    for value in params.values():
        if hasattr(value, "get_params"):
            _check(value)


def same_params(a, b):
    """Whether two values are the same, or objects of one type with the same parameters."""
    if hasattr(a, "get_params"):
        mine = a.get_params(deep=False)
        return type(a) is type(b) and all(
            same_params(value, getattr(b, name)) for name, value in mine.items()
        )
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(map(same_params, a, b))
    return np.array_equal(a, b)


def clone_with(estimator, random_state, **params):
    """Clone with some parameters set, and a seed of its own unless it has one."""
    fresh = clone(estimator).set_params(**params)
    if fresh.random_state is None:
        fresh.set_params(random_state=random_state.randint(2**31 - 1))
    return fresh
