"""Limited-memory BFGS."""

import warnings
from math import isfinite
from numbers import Integral

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from .._sklearn import Interval
from ._base import FullBatchOptimizer

# What SciPy calls the ways to end that are not convergence, nor a stop by the callback.
_EXHAUSTED, _FAILED = 1, 2  # out of iterations or evaluations; no step goes down


class LBFGS(FullBatchOptimizer):
    """Limited-memory BFGS on the whole training set, by :func:`scipy.optimize.minimize`.

    For small data: each evaluation of the loss is a pass over all rows. ``max_iter`` of
    the estimator is the number of iterations and ``tol`` the largest gradient component
    at which it stops; ``learning_rate``, ``batch_size`` and ``shuffle`` are not used.

    Parameters
    ----------
    n_corrections : int, default=10
        Number of past steps that approximate the Hessian.
    max_fun : int, default=15000
        Largest number of evaluations of the loss.

    References
    ----------
    .. [1] R. Byrd, P. Lu, J. Nocedal, C. Zhu (1995), "A limited memory algorithm for
       bound constrained optimization", SIAM J. Sci. Comput. 16, 1190-1208,
       doi:10.1137/0916069.

    Examples
    --------
    >>> from skdbn import MLPClassifier
    >>> from skdbn.optimizers import LBFGS
    >>> MLPClassifier(solver=LBFGS(n_corrections=20)).solver
    LBFGS(n_corrections=20)
    """

    learning_rate = 1.0  # the line search finds the step

    _parameter_constraints: dict = {
        "n_corrections": [Interval(Integral, 1, None, closed="left")],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, n_corrections=10, max_fun=15000):
        self.n_corrections = n_corrections
        self.max_fun = max_fun

    def minimize(self, objective, theta, max_iter, tol, callback):
        def evaluate(x):
            theta[:] = x
            loss, gradient = objective(theta)
            return loss, gradient.astype(np.float64)

        def after_iteration(intermediate_result):
            theta[:] = intermediate_result.x
            if callback(intermediate_result.fun):
                raise StopIteration

        result = minimize(
            evaluate,
            theta.astype(np.float64),
            method="L-BFGS-B",
            jac=True,
            callback=after_iteration,
            options={
                "maxiter": max_iter,
                "maxfun": self.max_fun,
                "maxcor": self.n_corrections,
                "gtol": tol,
                # A float32 loss cannot tell steps apart that change it by less.
                "ftol": max(2.2e-9, np.finfo(theta.dtype).eps),
            },
        )
        theta[:] = result.x
        if result.status == _FAILED and isfinite(result.fun):
            warnings.warn(
                "LBFGS: the line search found no smaller loss before the optimization "
                f"converged to tol={tol:g}. Scale the data, use dtype='float64' or a "
                "larger tol, or ignore this if the score is good enough.",
                ConvergenceWarning,
                stacklevel=1,
            )
        return result.status != _EXHAUSTED, result.fun
