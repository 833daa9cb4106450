"""Fitted models as ONNX graphs, which run without Python and without this package.

`skl2onnx <https://onnx.ai/sklearn-onnx>`_ turns scikit-learn's estimators and pipelines of
them into ONNX. After :func:`register_converters` it knows those of skdbn too: ``transform``
of an RBM, a StackedRBM and a DBNAutoencoder, ``predict`` and ``predict_proba`` of the
classifiers, ``predict`` of the regressors.

Attributes
----------
FORMS : dict
    From the type of an activation or a loss to a function that adds it to a graph.
"""

import numpy as np

from . import activations, losses
from ._params import resolve
from .activations import ACTIVATIONS, group_ends
from .autoencoder import DBNAutoencoder
from .dbn import DBNClassifier, DBNRegressor
from .mlp import MLPClassifier, MLPRegressor
from .rbm import RBM
from .stack import StackedRBM
from .units import Multinomial, Unit

__all__ = ["FORMS", "Graph", "register_converters"]


class Graph:
    """An ONNX graph that grows: values are names, of shape (n_rows, n_columns).

    What the functions in :data:`FORMS` are given.

    Parameters
    ----------
    scope, container : objects of skl2onnx
        What a converter is given: who names values, and where nodes go.
    dtype : {numpy.float32, numpy.float64}
        Of the values and the constants.

    Examples
    --------
    The form of an activation ``f(z) = z / (1 + abs(z))``, of the class Softsign, say, which
    ``FORMS[Softsign] = softsign`` makes known:

    >>> def softsign(graph, part, z, n_units):
    ...     size = graph.node("Abs", z)
    ...     return graph.node("Div", z, graph.node("Add", size, 1.0))
    """

    def __init__(self, scope, container, dtype):
        self._scope = scope
        self._container = container
        self.dtype = np.dtype(dtype)

    def constant(self, values, dtype=None):
        """Add an array of constants, of the dtype of the graph or another.

        Parameters
        ----------
        values : array-like
            Numbers or strings.
        dtype : dtype, default=None
            That of the constants; None for that of the graph.

        Returns
        -------
        name : str
        """
        from onnx import helper

        values = np.asarray(values, dtype or self.dtype)
        name = self._scope.get_unique_variable_name("constant")
        kind = helper.np_dtype_to_tensor_dtype(values.dtype)
        content = values.ravel()
        if values.dtype == object:
            content = [text.encode() for text in content]
        self._container.add_initializer(name, kind, values.shape, content)
        return name

    def node(self, operator, *inputs, output=None, **attributes):
        """Add a node.

        Parameters
        ----------
        operator : str
            Name of the ONNX operator.
        *inputs : str or float
            Names of values; numbers become constants.
        output : str, default=None
            Name of the value that is made; None for a new one.
        **attributes : dict
            Those of the operator.

        Returns
        -------
        output : str
        """
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        output = output or self._scope.get_unique_variable_name(operator.lower())
        unique = self._scope.get_unique_operator_name(operator)
        self._container.add_node(operator, names, output, name=unique, **attributes)
        return output


# -- activations and links --------------------------------------------------------------
def _plain(operator):
    """The form of an activation that ONNX has an operator for."""
    return lambda graph, part, z, n_units: graph.node(operator, z)


def _softplus(graph, part, z, n_units):
    # ONNX has an operator, but onnxruntime not in double precision.
    decay = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    rest = graph.node("Log", graph.node("Add", decay, 1.0))
    return graph.node("Add", graph.node("Relu", z), rest)


def _leaky_relu(graph, part, z, n_units):
    return graph.node("LeakyRelu", z, alpha=float(part.slope))


def _softmax(graph, part, z, n_units):
    groups = np.split(np.arange(n_units), group_ends(part.sizes, n_units)[:-1])
    if len(groups) == 1:
        return graph.node("Softmax", z, axis=1)
    columns = [graph.constant(group, np.int64) for group in groups]
    parts = [graph.node("Gather", z, group, axis=1) for group in columns]
    return graph.node("Concat", *[graph.node("Softmax", p, axis=1) for p in parts], axis=1)


def _truncated_exponential(graph, part, z, n_units):
    decay = graph.node("Exp", graph.node("Neg", z))
    first = graph.node("Div", 1.0, graph.node("Sub", 1.0, decay))
    mean = graph.node("Sub", first, graph.node("Div", 1.0, z))
    # Both terms are infinite at 0, about which the mean is a series.
    square, series = graph.node("Mul", z, z), 1 / 30240
    for coefficient in (-1 / 720, 1 / 12):
        series = graph.node("Add", graph.node("Mul", square, series), coefficient)
    near = graph.node("Add", graph.node("Mul", z, series), 0.5)
    is_near = graph.node("Less", graph.node("Abs", z), 0.5)
    return graph.node("Where", is_near, near, mean)


def _squared_error(graph, part, z, n_units):
    return _apply(graph, resolve(part.activation, ACTIVATIONS), z, n_units)


FORMS = {
    activations.Identity: lambda graph, part, z, n_units: z,
    activations.Logistic: _plain("Sigmoid"),
    activations.Tanh: _plain("Tanh"),
    activations.ReLU: _plain("Relu"),
    activations.LeakyReLU: _leaky_relu,
    activations.Softplus: _softplus,
    activations.TruncatedExponential: _truncated_exponential,
    activations.Softmax: _softmax,
    losses.SquaredError: _squared_error,
    losses.BinaryLogLoss: _plain("Sigmoid"),
    losses.LogLoss: _softmax,
    losses.PoissonLoss: _plain("Exp"),
}


def _apply(graph, part, z, n_units):
    """Add an activation, or the link of a loss, to pre-activations with bias."""
    # The type itself: a class derived from one of ours may do something else.
    form = FORMS.get(type(part))
    if form is None:
        name = type(part).__name__
        raise NotImplementedError(
            f"{part!r} has no ONNX form. Give it one before the model is converted: "
            f"skdbn.onnx.FORMS[{name}] = form, where form(graph, part, z, n_units) adds "
            "the nodes for pre-activations z, as skdbn.onnx.Graph shows."
        )
    return form(graph, part, z, n_units)


# -- layers -----------------------------------------------------------------------------
def _layer(graph, x, coef, bias):
    """Pre-activations with bias."""
    return graph.node("Add", graph.node("MatMul", x, graph.constant(coef)), bias)


def _encode_rbm(graph, rbm, x):
    """Conditional means of the hidden units."""
    energy = rbm._energy()
    coef, bias = energy.hidden.as_layer(energy.weights.T, energy.hidden_bias)
    counts = _bias_counts(graph, energy.visible, x, len(coef))
    offset = graph.constant(bias)
    offset = offset if counts is None else graph.node("Mul", counts, offset)
    activation = resolve(energy.hidden.activation, ACTIVATIONS)
    return _apply(graph, activation, _layer(graph, x, coef, offset), len(bias))


def _bias_counts(graph, visible, x, n_columns):
    """How often rows count the hidden bias, as a column, or None for once."""
    counts = type(visible).bias_counts
    if counts is Unit.bias_counts:
        return None
    if counts is not Multinomial.bias_counts:
        raise NotImplementedError(
            f"{visible!r} visible units have a method bias_counts of their own, which has "
            "no ONNX form. Export what comes after the RBM, or use units of skdbn.units."
        )
    return graph.node("MatMul", x, graph.constant(np.ones((n_columns, 1))))


def _encode_stack(graph, stack, x):
    """Conditional means of the top hidden units."""
    for rbm in stack.rbms_:
        x = _encode_rbm(graph, rbm, x)
    return x


def _hidden_layers(graph, network, x, n_layers):
    """Activations of a hidden layer of a network."""
    layers = zip(network.coefs, network.intercepts, network.activations, strict=False)
    for coef, bias, activation in list(layers)[:n_layers]:
        z = _layer(graph, x, coef, graph.constant(bias))
        x = _apply(graph, activation, z, len(bias))
    return x


def _encode_network(graph, model, x):
    """The code of an autoencoder."""
    return _hidden_layers(graph, model._network(), x, model._n_encoding_layers)


def _outputs(graph, model, x):
    """The outputs of a network."""
    network = model._network()
    x = _hidden_layers(graph, network, x, None)
    z = _layer(graph, x, network.coefs[-1], graph.constant(network.intercepts[-1]))
    return _apply(graph, network.loss, z, network.sizes[-1])


def _probabilities(graph, model, x):
    """Probabilities of the classes, as ``predict_proba`` gives them."""
    p, n_classes = _outputs(graph, model, x), len(model.classes_)
    if model._multilabel_:
        return p
    if not model._exclusive:
        return graph.node("Concat", graph.node("Sub", 1.0, p), p, axis=1)
    total = graph.node("MatMul", p, graph.constant(np.ones((n_classes, 1))))
    shares = graph.node("Div", p, total)
    return graph.node("Where", graph.node("Greater", total, 0.0), shares, 1 / n_classes)


# -- what skl2onnx calls ----------------------------------------------------------------
def _start(scope, operator, container):
    """The graph, and the input of an operator in the dtype of its output."""
    from onnx import TensorProto
    from skl2onnx.common.data_types import DoubleTensorType

    double = isinstance(operator.inputs[0].type, DoubleTensorType)
    graph = Graph(scope, container, np.float64 if double else np.float32)
    to = TensorProto.DOUBLE if double else TensorProto.FLOAT
    return graph, graph.node("Cast", operator.inputs[0].full_name, to=to)


def _numeric_converter(forward):
    """A converter of a model with one output of numbers."""

    def convert(scope, operator, container):
        graph, x = _start(scope, operator, container)
        result = forward(graph, operator.raw_operator, x)
        graph.node("Identity", result, output=operator.outputs[0].full_name)

    return convert


def _convert_classifier(scope, operator, container):
    """The converter of a classifier, with labels and probabilities."""
    from onnx import TensorProto

    model, (label, probabilities) = operator.raw_operator, operator.outputs
    graph, x = _start(scope, operator, container)
    p = _probabilities(graph, model, x)
    graph.node("Identity", p, output=probabilities.full_name)
    if model._multilabel_:
        above = graph.node("Greater", p, 0.5)
        graph.node("Cast", above, output=label.full_name, to=TensorProto.INT64)
        return
    classes, strings = _labels(scope, model)
    classes = graph.constant(classes, object if strings else np.int64)
    index = graph.node("ArgMax", p, axis=1, keepdims=0)
    graph.node("Gather", classes, index, output=label.full_name, axis=0)


def _numeric_shape(width):
    """A shape function of a model with one output of numbers."""

    def shape(operator):
        from skl2onnx.common.utils import check_input_and_output_numbers

        check_input_and_output_numbers(operator, input_count_range=1, output_count_range=1)
        n_rows = operator.inputs[0].get_first_dimension()
        operator.outputs[0].type.shape = [n_rows, width(operator.raw_operator)]

    return shape


def _labels(scope, model):
    """The labels of the classes, and whether they are strings."""
    from skl2onnx.common.utils_classifier import get_label_classes

    labels = get_label_classes(scope, model)
    return labels, labels.dtype.kind in "OU"


def _classifier_shape(operator):
    """The shapes of labels and probabilities."""
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType
    from skl2onnx.common.utils import check_input_and_output_numbers

    check_input_and_output_numbers(operator, input_count_range=1, output_count_range=2)
    model, n_rows = operator.raw_operator, operator.inputs[0].get_first_dimension()
    n_classes, strings = len(model.classes_), _labels(operator.scope_inst, model)[1]
    kind = StringTensorType if strings else Int64TensorType
    operator.outputs[0].set_type(
        kind([n_rows, n_classes] if model._multilabel_ else [n_rows])
    )
    operator.outputs[1].type.shape = [n_rows, n_classes]


_TRANSFORMERS = {
    RBM: _encode_rbm,
    StackedRBM: _encode_stack,
    DBNAutoencoder: _encode_network,
}


def register_converters():
    """Teach skl2onnx the estimators of skdbn.

    Afterwards ``skl2onnx.to_onnx`` converts them, by themselves and in pipelines with what
    else it knows. Results are those of the estimators to about 1e-6 for float32 input.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    An activation or a loss of your own needs an ONNX form in ``FORMS``: a function of the
    graph, the object, the name of the pre-activations (bias included) and the number of
    columns, which returns the name of the result; see :class:`Graph` for one. What matters
    is the type itself, as a class derived from one of ours may do something else.
    Units need none, for their means are an activation of a layer.

    Examples
    --------
    >>> import numpy as np
    >>> import skl2onnx
    >>> from onnxruntime import InferenceSession
    >>> from skdbn import RBM
    >>> from skdbn.onnx import register_converters
    >>> X = np.eye(4, dtype=np.float32)
    >>> rbm = RBM(3, max_iter=2, random_state=0).fit(X)
    >>> register_converters()
    >>> onx = skl2onnx.to_onnx(rbm, X[:1])
    >>> (H,) = InferenceSession(onx.SerializeToString()).run(None, {"X": X})
    >>> bool(np.allclose(H, rbm.transform(X), atol=1e-6))
    True
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        raise ImportError(
            'Export to ONNX needs skl2onnx: pip install "skdbn[onnx]"'
        ) from error

    for kind, forward in _TRANSFORMERS.items():
        shape = _numeric_shape(lambda model: model._n_features_out)
        update_registered_converter(
            kind, f"Skdbn{kind.__name__}", shape, _numeric_converter(forward)
        )
    for kind in (DBNRegressor, MLPRegressor):
        shape = _numeric_shape(lambda model: model.n_outputs_)
        update_registered_converter(
            kind, f"Skdbn{kind.__name__}", shape, _numeric_converter(_outputs)
        )
    options = {  # those that classifiers have in skl2onnx
        "zipmap": [True, False, "columns"],
        "nocl": [True, False],
        "output_class_labels": [False, True],
    }
    for kind in (DBNClassifier, MLPClassifier):
        update_registered_converter(
            kind,
            f"Skdbn{kind.__name__}",
            _classifier_shape,
            _convert_classifier,
            options=options,
        )
