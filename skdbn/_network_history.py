"""Level 3: what is told of the training of a network."""

import numpy as np


class Validation:
    """Score and loss on held-out rows of what training has come to."""

    def __init__(self, evaluate, problem, data):
        self.evaluate = evaluate
        self.problem = problem
        self.data = data

    def __call__(self):
        score, loss = self.evaluate(self.problem.network, self.data)
        return float(score), float(loss)


def describe(problem, history):
    """A function that returns the fitted attributes so far."""

    def attributes(copy=np.copy):
        network = problem.network
        return {
            "coefs_": [copy(coef) for coef in network.coefs],
            "intercepts_": [copy(intercept) for intercept in network.intercepts],
            "n_evaluations_": problem.backprop.n_evaluations,
            **history(),
        }

    return attributes


def history_of(monitor, validation, earlier=()):
    """The fitted attributes that tell how training went, as in scikit-learn's MLP."""
    losses = [*earlier, *monitor.losses]
    scores = list(monitor.scores) if validation else None
    return {
        "n_iter_": len(losses),
        # With L-BFGS, no iteration may have been needed.
        "loss_": losses[-1] if losses else monitor.final_loss,
        "loss_curve_": losses,
        "best_loss_": None if monitor.by_score else min(losses, default=monitor.final_loss),
        "validation_scores_": scores,
        "validation_loss_curve_": list(monitor.held_out_losses) if validation else None,
        "best_validation_score_": max(scores, default=None) if validation else None,
    }
