"""Graphs of ONNX against the estimators that they come from."""

import sys

import numpy as np
import pytest
from _estimators import CLASSIFIERS, LABELS, NAMES, ROWS, build, small_rbm, target
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skdbn import RBM, DBNAutoencoder, MLPClassifier, MLPRegressor, StackedRBM
from skdbn.activations import ACTIVATIONS, LeakyReLU, Logistic, Softmax
from skdbn.losses import BinaryLogLoss, LogLoss, SquaredError
from skdbn.units import UNITS, Bernoulli, Gaussian, Multinomial
from skdbn.units import Softmax as SoftmaxUnits

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from skdbn import onnx  # noqa: E402, which is nothing without them

pytestmark = pytest.mark.filterwarnings("ignore:.*maximum number of iterations.*")

SINGLE = ROWS.astype(np.float32)
COUNTS = np.random.default_rng(0).poisson(1.5, (60, 5)).astype(np.float32)
ONE_HOT = np.eye(6, dtype=np.float32)[LABELS + 3 * (np.arange(60) % 2)]
# Of each kind of visible units, data that they take.
DATA = {
    "bernoulli": SINGLE,
    "continuous": SINGLE,
    "gaussian": 4 * SINGLE - 2,
    "multinomial": COUNTS,
    "relu": 3 * SINGLE,
    "softmax": ONE_HOT,
    "spin": 2 * SINGLE - 1,
}


@pytest.fixture(scope="module", autouse=True)
def converters():
    onnx.register_converters()


def run(model, X, **options):
    """What the graph of a model says about rows, all of its outputs."""
    graph = skl2onnx.to_onnx(model, X[:1], **options)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(None, {"X": X})


def strong(model, factor=20):
    """The RBM or stack with larger weights, lest everything is near the middle."""
    for rbm in getattr(model, "rbms_", [model]):
        rbm.components_ = factor * rbm.components_
    return model


def sharp(model):
    """The network with larger weights and without what all rows have in common."""
    model.coefs_ = [10 * coef for coef in model.coefs_]
    z = model.layer_activations(SINGLE)[-2] @ model.coefs_[-1]
    model.intercepts_[-1] = -np.median(z, axis=0)
    return model


def assert_transforms(model, X, atol=1e-5):
    (result,) = run(model, X)
    expected = model.transform(X)
    assert result.dtype == expected.dtype == X.dtype
    assert expected.std() > 1e-3  # or anything would do
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("visible", UNITS)
def test_visible_units(visible, dtype):
    rbm = small_rbm(visible=visible).fit(DATA[visible])
    X = DATA[visible].astype(dtype)
    assert_transforms(strong(rbm), X, atol=1e-5 if dtype == np.float32 else 1e-7)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "hidden",
    [*sorted(set(UNITS) - {"multinomial"}), Gaussian(3.0), SoftmaxUnits((1, 3))],
    ids=str,
)
def test_hidden_units(hidden, dtype):
    # All the way from a sure no to a sure yes.
    rbm = strong(small_rbm(hidden=hidden, visible="gaussian").fit(SINGLE), 500)
    assert_transforms(rbm, SINGLE.astype(dtype), atol=1e-5 if dtype == np.float32 else 1e-7)


def test_units_with_parameters_of_their_own():
    rbm = small_rbm(visible=Gaussian("learned"), hidden=Gaussian(0.5))
    assert_transforms(strong(rbm.fit(3 * SINGLE)), 3 * SINGLE)


def test_gaussian_hidden_units_above_counts():
    rbm = small_rbm(visible="multinomial", hidden=Gaussian(2.0)).fit(COUNTS)
    rbm.intercept_hidden_ = np.arange(4, dtype=np.float32)
    assert_transforms(rbm, COUNTS)


def test_a_continuous_unit_at_and_about_zero():
    z = np.float32([0, 1e-30, 1e-4, 0.499, 0.5, 0.501, 3, 88, 89, 1000])
    X = np.concatenate([z, -z])[:, np.newaxis]
    rbm = RBM(1, visible="gaussian", hidden="continuous", max_iter=1).fit(X)
    rbm.components_ = np.ones_like(rbm.components_)
    rbm.intercept_hidden_ = np.zeros_like(rbm.intercept_hidden_)
    assert_transforms(rbm, X)
    assert_transforms(rbm, X.astype(np.float64), atol=1e-7)


def test_stack():
    rbms = [RBM(visible="multinomial", max_iter=2), RBM(hidden="relu", max_iter=2)]
    stack = StackedRBM((4, 3), rbm=rbms, random_state=0).fit(COUNTS)
    assert_transforms(strong(stack), COUNTS)


def test_code_of_an_autoencoder():
    rbm = RBM(max_iter=2, hidden="spin")
    params = {"rbm": rbm, "max_iter": 3, "learning_rate": 0.1, "random_state": 0}
    assert_transforms(DBNAutoencoder((6, 3), **params).fit(SINGLE), SINGLE)


LABEL_KINDS = {
    "integers": np.array([3, -1, 7])[LABELS],
    "strings": np.array(["a", "bb", "ü"])[LABELS],
    "objects": np.array(["a", "bb", "c"], dtype=object)[LABELS],
    "floats": np.array([0.0, 1.0, 5.0])[LABELS],
    "truth values": LABELS > 0,
    "two strings": np.array(["yes", "no"])[(LABELS > 0).astype(int)],
    "several labels": np.column_stack([LABELS > 0, LABELS < 2, LABELS == 1]).astype(int),
}


@pytest.mark.parametrize("kind", LABEL_KINDS)
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(name, kind):
    y = LABEL_KINDS[kind]
    model = sharp(build(name).fit(SINGLE, y))
    labels, probabilities = run(model, SINGLE, options={"zipmap": False})
    np.testing.assert_array_equal(labels, model.predict(SINGLE))
    assert len(np.unique(labels)) > 1
    expected = model.predict_proba(SINGLE)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared_error", "binary_log_loss"])
def test_losses_of_classifiers(loss):
    model = build("MLPClassifier", loss=loss, max_iter=30).fit(SINGLE, LABELS)
    _, probabilities = run(model, SINGLE, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(SINGLE), atol=1e-5)


def test_probabilities_that_are_all_zero():
    model = build("MLPClassifier", loss="squared_error").fit(SINGLE, LABELS)
    model.intercepts_[-1][:] = -200
    labels, probabilities = run(model, SINGLE, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, 1 / 3)
    np.testing.assert_array_equal(labels, model.predict(SINGLE))


@pytest.mark.parametrize("name", [*ACTIVATIONS, LeakyReLU(0.3), Softmax((1, 3))], ids=str)
def test_activations(name):
    model = build("MLPClassifier", activation=name, hidden_layer_sizes=(4, 4))
    model = sharp(model.fit(SINGLE, LABELS))
    _, probabilities = run(model, SINGLE, options={"zipmap": False})
    np.testing.assert_allclose(probabilities, model.predict_proba(SINGLE), atol=1e-5)


Y = np.column_stack([LABELS, LABELS, LABELS]) / 6 + 0.1


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        ("squared_error", target("MLPRegressor")),
        ("squared_error", Y),
        (SquaredError("tanh"), Y),
        ("binary_log_loss", Y),
        ("poisson", LABELS),
        ("log_loss", Y / Y.sum(axis=1, keepdims=True)),
        (LogLoss((2, 2)), np.tile(Y[:, :1], 4)),
    ],
    ids=str,
)
def test_regressors(loss, y):
    model = MLPRegressor((4,), loss=loss, max_iter=5, random_state=0).fit(SINGLE, y)
    (result,) = run(model, SINGLE)
    expected = model.predict(SINGLE).reshape(60, -1)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_integers(name):
    bits = (ROWS > 0.5).astype(np.int64)
    model = build(name).fit(bits, target(name))
    result = run(model, bits)
    expected = model.predict(bits) if "predict" in dir(model) else model.transform(bits)
    if name in CLASSIFIERS:  # by default a sequence of dictionaries, as in skl2onnx
        labels, shares = result
        np.testing.assert_array_equal(labels, expected)
        proba = [[row[label] for label in model.classes_] for row in shares]
        np.testing.assert_allclose(proba, model.predict_proba(bits), atol=1e-5)
    else:
        np.testing.assert_allclose(result[0].reshape(expected.shape), expected, atol=1e-5)


@pytest.mark.parametrize(
    "last", [LogisticRegression(), build("MLPClassifier"), build("DBNClassifier")], ids=repr
)
def test_pipelines(last):
    pipeline = make_pipeline(MinMaxScaler(clip=True), small_rbm(), clone(last))
    pipeline.fit(SINGLE, LABELS)
    options = {"zipmap": False}
    labels, probabilities = run(pipeline, SINGLE, options={id(pipeline[-1]): options})
    np.testing.assert_array_equal(labels, pipeline.predict(SINGLE))
    np.testing.assert_allclose(probabilities, pipeline.predict_proba(SINGLE), atol=1e-5)


def test_a_classifier_before_the_end_is_refused():
    pipeline = make_pipeline(StandardScaler(), build("MLPClassifier"), small_rbm())
    pipeline.set_params(rbm__visible="relu").fit(SINGLE, LABELS)
    with pytest.raises(RuntimeError, match="input"):
        run(pipeline, SINGLE)


class Cube(Logistic):
    """Not logistic at all."""

    def forward(self, z, bias):
        z += bias
        z **= 3


class Halved(Bernoulli):
    """A unit by inheritance: its mean is what its activation says."""

    activation = Cube()

    def mean(self, z, bias):
        self.activation.forward(z, bias)


class Tripled(Multinomial):
    def bias_counts(self, V):
        return 3 * super().bias_counts(V)


@pytest.mark.parametrize(
    "model",
    [
        small_rbm(hidden=Halved()),
        build("MLPClassifier", activation=Cube()),
        build("DBNAutoencoder", code=Halved()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_parts_without_a_form(model, monkeypatch):
    model = clone(model).fit(SINGLE, LABELS)
    with pytest.raises(NotImplementedError, match=r"Cube\(\) has no ONNX form.*FORMS\[Cu"):
        run(model, SINGLE)
    forms = {**onnx.FORMS, Cube: lambda graph, part, z, n: graph.node("Pow", z, 3.0)}
    monkeypatch.setattr(onnx, "FORMS", forms)
    if isinstance(model, MLPClassifier):
        _, result = run(model, SINGLE, options={"zipmap": False})
        np.testing.assert_allclose(result, model.predict_proba(SINGLE), atol=1e-5)
    else:
        assert_transforms(model, SINGLE)


def test_losses_and_units_without_a_form():
    class Own(BinaryLogLoss):
        pass

    model = build("MLPClassifier", loss=Own()).fit(SINGLE, LABELS > 0)
    with pytest.raises(NotImplementedError, match=r"Own\(\) has no ONNX form"):
        run(model, SINGLE)
    rbm = small_rbm(visible=Tripled()).fit(COUNTS)
    with pytest.raises(NotImplementedError, match=r"Tripled\(\) .*bias_counts of their"):
        run(rbm, COUNTS)


def test_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "skdbn\[onnx\]"'):
        onnx.register_converters()
