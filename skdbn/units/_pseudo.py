"""Pseudo-likelihoods of visible units, for any unit type on the other side."""

import numpy as np


def over_levels(unit, levels, V, bias, weights, Z, hidden):
    """Pseudo-log-likelihood of units with finitely many states, by summing over them."""
    total, stop = np.zeros(len(V), Z.dtype), 0
    transposed = np.ascontiguousarray(weights.T)
    for states in levels:
        states = states.astype(Z.dtype)
        start, stop = stop, stop + states.shape[1]
        x, directions = V[:, start:stop], transposed[start:stop]
        own = states @ bias[start:stop] - unit.energy(states)
        terms = np.stack(
            [
                term + hidden.log_partition(*change)
                for term, change in zip(
                    own, _changes(x, states, Z, directions), strict=True
                )
            ]
        )
        terms -= terms[0]  # close to each other: the differences are exact
        expected = np.einsum("ki,ik->i", terms, _shares(x, states))
        total += expected - np.logaddexp.reduce(terms, axis=0)
    return total


def _changes(x, states, Z, directions):
    """Arguments of ``log_partition`` with each of the states in the place of x."""
    if states.shape[1] == 1:
        return [(Z, t - x[:, 0], directions[0]) for t in states[:, 0]]
    others, ones = Z - x @ directions, np.ones(len(x), Z.dtype)
    return [(others, ones, direction) for direction in states @ directions]


def _shares(x, states):
    """Weights of the states, with sum 1, that give each row of x as their mean."""
    if states.shape[1] > 1:
        return x  # states are one-hot rows
    points, corners = states[:, 0], np.eye(len(states))
    shares = [np.interp(x[:, 0], points, corner) for corner in corners]
    return np.stack(shares, axis=1).astype(x.dtype)


def by_quadrature(unit, V, bias, weights, Z, hidden):
    """Pseudo-log-likelihood of units with infinitely many states."""
    H, total = Z.copy(), np.zeros(len(V), Z.dtype)
    hidden.mean(H, np.zeros(Z.shape[1], Z.dtype))
    center = H @ weights + bias
    for j, direction in enumerate(np.ascontiguousarray(weights.T)):
        x = V[:, j]

        def log_density(t, x=x, bias=bias[j], direction=direction):
            change = hidden.log_partition(Z, (t - x).astype(Z.dtype), direction)
            return t * bias - unit.energy(t[:, None]) + change

        points, log_weights = unit.quadrature(center[:, j])
        terms = [w + log_density(t) for t, w in zip(points, log_weights, strict=True)]
        total += log_density(x) - np.logaddexp.reduce(terms)
    return total
