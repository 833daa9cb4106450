"""Fitted estimators as the displays see them: layers, from 1, above the input."""

from functools import singledispatch

import numpy as np
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.neural_network import BernoulliRBM, MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._base import BaseNetwork
from .._network import Network
from ..autoencoder import DBNAutoencoder
from ..rbm import RBM
from ..stack import StackedRBM

# What scikit-learn's networks call their output activation, and the loss that implies it.
_LOSS_OF_OUTPUT = {
    "softmax": "log_loss",
    "logistic": "binary_log_loss",
    "identity": "squared_error",
    "exp": "poisson",
}


def last_step(estimator, X=None):
    """The model of the last step of a pipeline, and the rows that reach it, if any."""
    if isinstance(estimator, Pipeline):
        if X is not None and len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator[-1]
    given = X is None or hasattr(X, "shape")
    return model_of(estimator), X if given else np.asarray(X)


def take(X, rows):
    """Some rows of an array, a sparse matrix or a data frame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]


def dense(X):
    """Rows as a finite array."""
    return check_array(X.toarray() if issparse(X) else X)


class Model:
    """A fitted estimator of which nothing is known but ``transform``."""

    depth = 1
    # Whether the last layer has the columns of the input.
    ends_at_input = False

    def __init__(self, estimator):
        check_is_fitted(estimator)
        self.estimator = estimator
        self.name = type(estimator).__name__

    @property
    def code_layer(self):
        """The layer that ``transform`` gives."""
        return self.depth

    @property
    def maps_back(self):
        """Whether there is a way from the code to the input."""
        return hasattr(self.estimator, "inverse_transform")

    def code(self, X):
        """What ``transform`` gives, or t-SNE gave."""
        if hasattr(self.estimator, "transform"):
            return self.estimator.transform(X)
        code = getattr(self.estimator, "embedding_", ())
        if len(code) == X.shape[0]:
            return code
        raise ValueError(
            f"{self.name} has neither a transform nor the codes of {X.shape[0]} rows. "
            "Compute the codes, and pass them to from_predictions."
        )

    def activations(self, X):
        """Outputs of all layers above the input."""
        return [self.code(X)]

    def decode(self, H, layer):
        """States of a layer mapped down to the input."""
        self.check_layer(layer)
        if not self.maps_back:
            raise ValueError(f"{self.name} has no way from a layer back to the input.")
        return self.estimator.inverse_transform(H)

    def reconstruct(self, X, n_layers):
        """Rows after going up some layers, and down again."""
        self.check_layer(n_layers)
        return self.decode(self.activations(X)[n_layers - 1], n_layers)

    def parameters(self):
        """Weights of shape (size of the layer below, size), and biases, of each layer."""
        raise ValueError(f"{self.name} has no layers of weights.")

    def n_units(self, layer):
        """Number of units of a layer."""
        return len(self.estimator.get_feature_names_out())

    def run_chains(self, start, n_chains, n_states, thin):
        """States of Gibbs chains every ``thin`` steps, an array of rows for each time."""
        raise ValueError(f"{self.name} has no Gibbs chains to draw from.")

    def check_layer(self, layer):
        """Raise where there is no such layer."""
        if layer not in range(1, self.depth + 1):
            raise ValueError(
                f"{self.name} has layers from 1 to {self.depth} above the input, got "
                f"{layer!r}."
            )


class LayeredModel(Model):
    """An estimator whose weights are known."""

    def n_units(self, layer):
        return len(self.parameters()[layer - 1][1])


class BernoulliRBMModel(LayeredModel):
    """scikit-learn's RBM."""

    maps_back = True

    def decode(self, H, layer):
        self.check_layer(layer)
        return expit(H @ self.estimator.components_ + self.estimator.intercept_visible_)

    def parameters(self):
        return [(self.estimator.components_.T, self.estimator.intercept_hidden_)]

    def run_chains(self, start, n_chains, n_states, thin):
        if start is None:
            raise ValueError("The chains of a BernoulliRBM need X to start from.")
        V, states = dense(start), []
        for _ in range(n_states):
            for _ in range(thin):
                V = self.estimator.gibbs(V)
            states.append(V)
        return states


class StackModel(LayeredModel):
    """An RBM, or several on top of one another."""

    maps_back = True

    def __init__(self, estimator):
        super().__init__(estimator)
        self.rbms = getattr(estimator, "rbms_", [estimator])
        self.depth = len(self.rbms)

    def activations(self, X):
        outputs = []
        for rbm in self.rbms:
            X = rbm.transform(X)
            outputs.append(X)
        return outputs

    def decode(self, H, layer):
        return self._up_to(layer).inverse_transform(H)

    def reconstruct(self, X, n_layers):
        return self._up_to(n_layers).reconstruct(X)

    def parameters(self):
        return [(rbm.components_.T, rbm.intercept_hidden_) for rbm in self.rbms]

    def run_chains(self, start, n_chains, n_states, thin):
        states = self.estimator.sample(
            n_chains * n_states, n_steps=thin, X_init=start, n_chains=n_chains, thin=thin
        )
        return [*states.reshape(n_states, n_chains, -1)]

    def _up_to(self, layer):
        """The part below and with a layer."""
        self.check_layer(layer)
        return self.estimator if layer == self.depth else self.estimator[:layer]


class NetworkModel(LayeredModel):
    """A feed-forward network, of this package or of scikit-learn."""

    def __init__(self, estimator):
        super().__init__(estimator)
        self.network = _network_of(estimator)
        self.depth = len(self.network.coefs)

    @property
    def code_layer(self):
        return self.depth - 1

    def code(self, X):
        if hasattr(self.estimator, "transform"):  # block by block
            return self.estimator.transform(X)
        return self.activations(X)[self.code_layer - 1]

    def activations(self, X):
        return self.network.layers(self._rows(X))

    def _rows(self, X):
        """Rows as the network takes them."""
        X = validate_data(self.estimator, X, accept_sparse="csr", reset=False)
        return np.ascontiguousarray(dense(X), self.network.dtype)

    def parameters(self):
        return list(zip(self.network.coefs, self.network.intercepts, strict=True))


class AutoencoderModel(NetworkModel):
    """An autoencoder, whose upper half leads back to the input."""

    maps_back = ends_at_input = True

    @property
    def code_layer(self):
        return self.depth // 2

    def decode(self, H, layer):
        self.check_layer(layer)
        # A layer of the encoder goes on from its counterpart in the decoder.
        rest = self._part(slice(0), slice(max(self.depth - layer, layer), None))
        return rest.predict(np.ascontiguousarray(H, self.network.dtype))

    def reconstruct(self, X, n_layers):
        if n_layers not in range(1, self.code_layer + 1):
            raise ValueError(
                f"{self.name} goes up 1 to {self.code_layer} layers to its code, got "
                f"{n_layers!r}."
            )
        way = self._part(slice(n_layers), slice(self.depth - n_layers, None))
        return way.predict(self._rows(X))

    def _part(self, lower, upper):
        """The network of two parts of the layers."""
        lists = self.network.coefs, self.network.intercepts, self.network.activations
        return Network(
            *(values[lower] + values[upper] for values in lists), self.network.loss
        )


def _network_of(estimator):
    """The network of the fitted parameters."""
    if isinstance(estimator, BaseNetwork):
        return estimator._network()
    depth = len(estimator.coefs_)
    return Network(
        estimator.coefs_,
        estimator.intercepts_,
        [estimator.activation] * (depth - 1),
        _LOSS_OF_OUTPUT[estimator.out_activation_],
    )


@singledispatch
def model_of(estimator):
    """The model of a fitted estimator."""
    return Model(estimator)


model_of.register(BernoulliRBM, BernoulliRBMModel)
model_of.register(RBM, StackModel)
model_of.register(StackedRBM, StackModel)
model_of.register(BaseNetwork, NetworkModel)
model_of.register(MLPClassifier, NetworkModel)
model_of.register(MLPRegressor, NetworkModel)
model_of.register(DBNAutoencoder, AutoencoderModel)
