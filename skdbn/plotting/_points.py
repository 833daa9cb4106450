"""Codes as points in the plane: how well they are apart, and which are typical."""

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics.cluster import contingency_matrix
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d
from threadpoolctl import threadpool_limits


def in_the_plane(code):
    """Two columns for codes of two or more, and what they are."""
    code = check_array(code, ensure_min_samples=2)
    n_columns = code.shape[1]
    if n_columns < 2:
        raise ValueError("A code to draw in the plane needs two columns or more, got 1.")
    if n_columns == 2:
        return code, ("code 1", "code 2")
    labels = tuple(f"principal component {i} of {n_columns} columns" for i in (1, 2))
    return PCA(2, svd_solver="full").fit_transform(code), labels


def check_classes(points, y):
    """Labels as an array, one for each point."""
    if y is None:
        return None
    y = column_or_1d(y)
    check_consistent_length(points, y)
    check_classification_targets(y)
    return y


def scores(points, y):
    """How well the classes are apart."""
    if y is None:
        return {}
    neighbors = NearestNeighbors(n_neighbors=1).fit(points)
    nearest = neighbors.kneighbors(return_distance=False)[:, 0]
    n_clusters = min(len(np.unique(y)), len(np.unique(points, axis=0)))
    # Beside other jobs, OpenMP's threads take a hundred times as long as one for this.
    with threadpool_limits(1, user_api="openmp"):
        clusters = KMeans(n_clusters, n_init=10, random_state=0).fit_predict(points)
    pure = contingency_matrix(y, clusters).max(axis=0).sum()
    return {
        "knn_accuracy": float(np.mean(y[nearest] == y)),
        "purity": float(pure / len(y)),
    }


def choose(samples, points, y):
    """Indices of the rows to mark, or None."""
    if samples is None:
        return None
    if isinstance(samples, str):
        if samples != "class" or y is None:
            raise ValueError(
                "samples must be indices of rows, or 'class', which needs y, got "
                f"{samples!r}{' without y' if y is None else ''}."
            )
        return np.array([_most_typical(points, y == label) for label in np.unique(y)])
    samples = np.asarray(samples)
    n = len(points)
    if samples.ndim != 1 or samples.dtype.kind not in "iu" or not len(samples):
        raise ValueError(f"samples must be a list of indices of rows, got {samples!r}.")
    if samples.min() < -n or samples.max() >= n:
        raise ValueError(f"samples must be indices of {n} rows, got {samples.tolist()}.")
    return samples % n


def _most_typical(points, members):
    """Index of the member nearest to the median of all."""
    rows = np.flatnonzero(members)
    own = points[rows]
    return rows[np.square(own - np.median(own, axis=0)).sum(axis=1).argmin()]
