"""What all callbacks share."""

from .._sklearn import validate_parameter_constraints
from .._versioned import VersionedEstimator


class Callback:
    """Base of the callbacks: parameters that are checked when given, a repr, and hooks."""

    # What is allowed for each parameter, in the order of the repr.
    _parameter_constraints: dict

    def __init__(self, **params):
        validate_parameter_constraints(
            self._parameter_constraints, params, type(self).__name__
        )
        vars(self).update(params)

    def __repr__(self):
        params = [
            f"{name}={_brief(getattr(self, name))}" for name in self._parameter_constraints
        ]
        return f"{type(self).__name__}({', '.join(params)})"

    def setup(self, estimator, context):
        """Begin with the fit of an estimator."""

    def teardown(self, estimator, context):
        """End with it, whether it succeeded or not."""

    def on_fit_task_begin(self, estimator, context):
        """Do nothing."""

    def on_fit_task_end(self, estimator, context):
        """Do nothing."""

    def _check_place(self, estimator):
        """Raise where a callback that is not handed on would wait in vain for epochs."""
        if not isinstance(estimator, VersionedEstimator):
            name, found = type(self).__name__, type(estimator).__name__
            raise ValueError(
                f"{name} goes on the estimator of skdbn that it is about, and would do "
                f"nothing on a {found}. Call set_callbacks on the step of the pipeline or "
                "on the estimator of the search instead."
            )


def _brief(value):
    """A parameter in a line; of data, the shape."""
    shape = getattr(value, "shape", None)
    return repr(value) if shape is None else f"<{type(value).__name__} of shape {shape}>"
