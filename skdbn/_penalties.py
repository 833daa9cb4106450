"""Level 0: what is done to weights beside a step of the optimiser."""

from dataclasses import dataclass

import numpy as np

from ._kernels import kernel


@dataclass(frozen=True)
class Penalty:
    """What an RBM is asked for beside the likelihood, and bounds on its steps.

    Parameters
    ----------
    l2, l1 : float
        Costs of the weights.
    max_norm : float or None
        Largest norm of the weights of a hidden unit.
    clip_norm : float or None
        Largest norm of the mean gradient.
    sparsity : Sparsity or None
    """

    l2: float = 0.0
    l1: float = 0.0
    max_norm: float | None = None
    clip_norm: float | None = None
    sparsity: object = None

    def excess(self, mean):
        """Derivative of the sparsity cost for hidden units of these mean activities."""
        cost = mean.dtype.type(self.sparsity.cost)
        return cost * (mean - mean.dtype.type(self.sparsity.target))

    def apply(self, weights, rate):
        """What a step does to the weights of some hidden units beside the gradient."""
        number = weights.dtype.type
        if self.l1:
            shrink(weights.ravel(), number(rate * self.l1))
        if self.max_norm is not None:
            limit_row_norms(weights, number(self.max_norm))


@kernel
def shrink(x, amount):
    """Bring flat numbers nearer to zero by an amount, at most to zero (L1 penalty)."""
    zero = x.dtype.type(0)
    for i in range(x.size):
        size = abs(x[i]) - amount
        size = size if size > zero else (size if size != size else zero)
        x[i] = size if x[i] > zero else -size


@kernel
def limit_row_norms(W, limit):
    """Scale down the rows of W whose Euclidean norm exceeds the limit."""
    for i in range(W.shape[0]):
        row = W[i]
        square = row.dtype.type(0)
        for j in range(row.size):
            square += row[j] * row[j]
        if square > limit * limit:
            factor = limit / np.sqrt(square)
            for j in range(row.size):
                row[j] *= factor
