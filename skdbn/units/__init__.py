"""The unit types of an RBM, one file each, and the names they go by."""

from ._base import Unit
from .bernoulli import Bernoulli
from .continuous import Continuous
from .gaussian import Gaussian
from .multinomial import Multinomial
from .relu import ReLU
from .softmax import Softmax
from .spin import Spin

UNITS = {
    "bernoulli": Bernoulli,
    "continuous": Continuous,
    "gaussian": Gaussian,
    "multinomial": Multinomial,
    "relu": ReLU,
    "softmax": Softmax,
    "spin": Spin,
}

__all__ = [
    "UNITS",
    "Bernoulli",
    "Continuous",
    "Gaussian",
    "Multinomial",
    "ReLU",
    "Softmax",
    "Spin",
    "Unit",
]
