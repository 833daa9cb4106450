"""Loading of data sets, in the manner of :mod:`sklearn.datasets`."""

from skdbn.datasets._idx import read_idx
from skdbn.datasets._mnist import fetch_mnist, load_mnist

__all__ = ["fetch_mnist", "load_mnist", "read_idx"]
