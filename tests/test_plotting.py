"""Displays: the data of the artists and the labels, against what they should show."""

import ast
import sys
import warnings
from collections import namedtuple
from functools import partial
from itertools import chain
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.animation import FFMpegWriter
from PIL import Image
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn import neural_network
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.manifold import TSNE
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skdbn import (
    RBM,
    DBNAutoencoder,
    DBNClassifier,
    MLPClassifier,
    MLPRegressor,
    StackedRBM,
    callbacks,
    plotting,
)
from skdbn.optimizers import SGD, SOLVERS
from skdbn.plotting import (
    ActivationDisplay,
    ClassMeanDisplay,
    EmbeddingDisplay,
    FilterDisplay,
    GradientFlowDisplay,
    LearningCurveDisplay,
    OptimizerComparisonDisplay,
    PixelHistogramDisplay,
    ReconstructionDisplay,
    SampleDisplay,
    WeightDisplay,
    animate,
)
from skdbn.plotting._images import draw_grid, near_square, resolve_shape

X, y = load_digits(return_X_y=True)
X, y = X[:150] / 16, y[:150]
QUICK = {"max_iter": 3, "tol": None, "random_state": 0}

Snapshot = namedtuple(
    "Snapshot", ["estimator", "task", "iteration", "loss", "seconds", "fit"], defaults=[1]
)
Recorder = namedtuple("Recorder", ["frame_", "histograms_"])
Callback = namedtuple("Callback", ["snapshots_"])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def scikit_mlp(**params):
    mlp = neural_network.MLPClassifier((12, 6), random_state=0, **{"max_iter": 3, **params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mlp.fit(X, y)


@pytest.fixture(scope="module")
def fitted():
    rbm = RBM(max_iter=3)
    return {
        "rbm": RBM(9, max_iter=5, random_state=0).fit(X),
        "stack": StackedRBM((12, 6), rbm=rbm, random_state=0).fit(X),
        "autoencoder": DBNAutoencoder((12, 6, 2), rbm=rbm, **QUICK).fit(X),
        "dbn": DBNClassifier((12, 6), rbm=rbm, **QUICK).fit(X, y, X_val=X, y_val=y),
        "mlp": MLPClassifier((12, 6), **QUICK).fit(X, y),
        "pca": PCA(2).fit(X),
        "bernoulli": neural_network.BernoulliRBM(9, n_iter=2, random_state=0).fit(X),
        "scikit": scikit_mlp(),
    }


def tiles(artist, n_rows, n_columns, shape=(8, 8)):
    """The images in a grid, of shape (n_rows, n_columns, height, width)."""
    canvas, gap = artist.get_array(), 1 + max(shape) // 16
    height, width = shape[0] + gap, shape[1] + gap
    assert canvas.shape == (n_rows * height - gap, n_columns * width - gap)
    return np.array(
        [
            [
                canvas[i * height :, j * width :][: shape[0], : shape[1]].filled(np.nan)
                for j in range(n_columns)
            ]
            for i in range(n_rows)
        ]
    )


def tick_labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def square(rows):
    return np.reshape(rows, (-1, 8, 8))


# --- images -------------------------------------------------------------------------------


@given(
    counts=st.tuples(st.integers(1, 4), st.integers(1, 5)),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    signed=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_grid_holds_every_image_at_its_place(counts, shape, signed):
    images = np.random.default_rng(0).normal(size=(*counts, *shape))
    _, ax = plt.subplots()
    labels = [f"row {i}" for i in range(counts[0])]
    artist = draw_grid(ax, images, signed=signed, row_labels=labels)
    np.testing.assert_array_equal(tiles(artist, *counts, shape), images)
    # What is not an image is empty.
    assert artist.get_array().count() == images.size
    # The labels stand at the middles of the images.
    first, last = ax.get_yticks()[[0, -1]]
    assert first == (shape[0] - 1) / 2
    assert artist.get_array().shape[0] - 1 - last == first
    low, high = artist.get_clim()
    if signed:
        assert -low == high == np.abs(images).max()
    else:
        assert (low, high) == (images.min(), images.max())
    plt.close("all")


def test_signed_image_of_zeros_has_a_scale():
    _, ax = plt.subplots()
    assert draw_grid(ax, np.zeros((1, 1, 2, 2)), signed=True).get_clim() == (-1, 1)


def test_image_shapes():
    assert resolve_shape(None, 64) == (8, 8)
    assert resolve_shape((4, 16), 64) == (4, 16)
    with pytest.raises(ValueError, match=r"63 features are not square .* image_shape="):
        resolve_shape(None, 63)
    for wrong in ((8, 9), 64, (64,), (-8, -8), (8.0, 8.0), (4, 4, 4), "8x8"):
        with pytest.raises(ValueError, match="product 64, which is the number of features"):
            resolve_shape(wrong, 64)


@given(st.integers(1, 200))
def test_near_square_keeps_all_values_in_order(n):
    image = near_square(np.arange(n))
    np.testing.assert_array_equal(image[~np.isnan(image)], np.arange(n))
    height, width = image.shape
    assert width - 1 <= height <= width or n <= 2
    assert image.size - n < width


# --- what all have in common --------------------------------------------------------------


def test_matplotlib_is_imported_when_it_is_used_only():
    for path in Path(plotting.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [alias.name for alias in getattr(node, "names", [])]
            assert "matplotlib" not in f"{getattr(node, 'module', '')} {names}", path


@pytest.mark.parametrize(
    "draw",
    [
        lambda: EmbeddingDisplay(np.eye(2)).plot(),
        lambda: ClassMeanDisplay.from_data(X, y),
        lambda: animate([], None, "film.gif"),
    ],
)
def test_without_matplotlib_the_error_names_the_extra(draw, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'requires matplotlib.*"skdbn\[plot\]"'):
        draw()


def draw_all(fitted, ax=None):
    """One of each display, as functions of the axes."""
    ae, stack = fitted["autoencoder"], fitted["stack"]
    curves = {"sgd": [2.0, 1.0], "adam": [2.0, 0.5]}
    return {
        "activation": partial(ActivationDisplay.from_estimator, ae, X[0]),
        "class means": partial(ClassMeanDisplay.from_data, X, y),
        "embedding": partial(EmbeddingDisplay.from_estimator, ae, X, y),
        "embedding with images": partial(
            EmbeddingDisplay.from_estimator, ae, X, y, samples=[0, 1]
        ),
        "filters": partial(FilterDisplay.from_estimator, stack, X),
        "gradient flow": partial(GradientFlowDisplay.from_estimator, ae, X),
        "learning curve": partial(LearningCurveDisplay.from_estimator, ae),
        "optimizers": OptimizerComparisonDisplay(curves).plot,
        "pixels": partial(PixelHistogramDisplay.from_data, X),
        "reconstruction": partial(ReconstructionDisplay.from_estimator, ae, X[:3]),
        "samples": partial(SampleDisplay.from_estimator, stack, X[:2], thin=1),
        "weights": partial(WeightDisplay.from_estimator, stack),
    }


def test_displays_draw_into_given_axes(fitted):
    kinds = set()
    for name, draw in draw_all(fitted).items():
        figure, (left, right) = plt.subplots(1, 2)
        display = draw(ax=right)
        kinds.add(type(display).__name__)
        assert display.figure_ is figure, name
        assert not left.has_data(), name
        assert getattr(display, "bounding_ax_", None) in (None, right), name
        # Nothing but the left axes reaches into the left half.
        others = [ax for ax in figure.axes if ax is not left]
        assert all(ax.get_position().x0 >= 0.5 for ax in others), name
        assert any(ax.has_data() for ax in others), name
        plt.close(figure)
    displays = {name for name in plotting.__all__ if name.endswith("Display")}
    assert kinds == displays


def test_displays_make_one_new_figure_each(fitted):
    for name, draw in draw_all(fitted).items():
        before = set(plt.get_fignums())
        display = draw()
        assert set(plt.get_fignums()) - before == {display.figure_.number}, name
        plt.close(display.figure_)


# Our defaults have a colour, and lines a style and markers, under their full names.
ALIASES = {"c": "red", "ls": ":", "lw": 3, "marker": "s"}


@pytest.mark.parametrize(
    ("name", "line_kw"),
    [
        ("gradient flow", ALIASES),
        ("learning curve", ALIASES),
        ("optimizers", ALIASES),
        (
            "gradient flow",
            {"color": "red", "linestyle": ":", "linewidth": 3, "marker": "s"},
        ),
    ],
)
def test_lines_take_the_styles_of_matplotlib(fitted, name, line_kw):
    display = draw_all(fitted)[name](line_kw=line_kw)
    axes = [display.ax_, getattr(display, "score_ax_", None) or display.ax_]
    lines = [line for ax in axes for line in ax.get_lines()]
    assert lines
    for line in lines:
        assert line.get_color() == "red"
        assert line.get_linestyle() == ":"
        assert line.get_linewidth() == 3
        assert line.get_marker() == "s"


def test_scores_take_the_styles_of_matplotlib():
    curve = ([1, 2], [0.5, 0.4])
    display = LearningCurveDisplay({"loss": curve}, scores={"score": curve})
    line = display.plot(line_kw={"c": "red", "ls": ":"}).lines_["score"]
    assert (line.get_color(), line.get_linestyle()) == ("red", ":")


def test_outlines_take_the_styles_of_matplotlib(fitted):
    for name in ("pixels", "weights"):
        drawn = draw_all(fitted)[name](stairs_kw={"ec": "red", "lw": 3}).stairs_
        parts = drawn.values() if isinstance(drawn, dict) else [drawn]
        for outline in chain.from_iterable(parts):
            assert outline.get_edgecolor() == (1, 0, 0, 1)
            assert outline.get_linewidth() == 3


def test_points_take_the_styles_of_matplotlib():
    points = np.random.default_rng(0).normal(size=(20, 2))
    kw = {"c": "red", "lw": 3, "ec": "blue", "alpha": 1}
    for labels in (None, np.arange(20) % 2):
        display = EmbeddingDisplay.from_predictions(points, labels, scatter_kw=kw)
        for scatter in display.scatters_:
            np.testing.assert_array_equal(scatter.get_facecolors()[0], [1, 0, 0, 1])
            np.testing.assert_array_equal(scatter.get_edgecolors()[0], [0, 0, 1, 1])
            assert scatter.get_linewidths()[0] == 3
    # A value for each point, on a scale of colours.
    kw = {"c": points[:, 0], "cmap": "viridis"}
    (scatter,) = EmbeddingDisplay.from_predictions(points, scatter_kw=kw).scatters_
    np.testing.assert_array_equal(scatter.get_array(), points[:, 0])


def test_several_panels_need_a_place_in_a_grid(fitted):
    free = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match="WeightDisplay draws several panels"):
        WeightDisplay.from_estimator(fitted["stack"], ax=free)
    # A single panel does not.
    assert ReconstructionDisplay.from_predictions(X[:2], X[:2], ax=free).ax_ is free


def test_unfitted_estimators_are_refused():
    for draw in (
        lambda: FilterDisplay.from_estimator(RBM()),
        lambda: ReconstructionDisplay.from_estimator(DBNAutoencoder(), X),
        lambda: EmbeddingDisplay.from_estimator(PCA(2), X),
        lambda: LearningCurveDisplay.from_estimator(MLPClassifier()),
    ):
        with pytest.raises(NotFittedError):
            draw()


def test_pipelines_show_their_last_step(fitted):
    pipeline = make_pipeline(MinMaxScaler((0, 0.5)), RBM(4, max_iter=2)).fit(X)
    display = ReconstructionDisplay.from_estimator(pipeline, X[:2])
    np.testing.assert_allclose(display.X, pipeline[:-1].transform(X[:2]))
    np.testing.assert_allclose(
        display.reconstructions["1 layer"], pipeline[-1].reconstruct(display.X)
    )
    filters = FilterDisplay.from_estimator(pipeline, X)
    np.testing.assert_allclose(
        filters.mean_image, pipeline[:-1].transform(X).mean(axis=0), atol=1e-12
    )


def test_data_frames_and_sparse_rows(fitted):
    names = [f"pixel {i}" for i in range(64)]
    frame = pd.DataFrame(X, columns=names)
    ae = clone(fitted["autoencoder"]).fit(frame)  # names that are missed warn
    shown = EmbeddingDisplay.from_estimator(ae, frame, y, samples=[3])
    np.testing.assert_allclose(shown.points, ae.transform(frame))
    ActivationDisplay.from_estimator(ae, frame.iloc[[0]])
    GradientFlowDisplay.from_estimator(ae, frame)
    sparse = EmbeddingDisplay.from_estimator(fitted["stack"], csr_matrix(X), y, samples=[3])
    np.testing.assert_allclose(sparse.images[0, 0], square(X)[3])


# --- embeddings ---------------------------------------------------------------------------


def naive_1nn(points, labels):
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return np.mean(labels[distances.argmin(axis=1)] == labels)


@pytest.mark.parametrize("name", ["autoencoder", "pca"])
def test_embedding_scatters_the_codes_of_each_class(fitted, name):
    estimator = fitted[name]
    display = EmbeddingDisplay.from_estimator(estimator, X, y)
    code = estimator.transform(X)
    assert len(display.scatters_) == 10
    for label, scatter in enumerate(display.scatters_):
        np.testing.assert_allclose(scatter.get_offsets(), code[y == label], rtol=1e-6)
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list("0123456789")
    assert display.knn_accuracy == pytest.approx(naive_1nn(code, y))
    title = f"{type(estimator).__name__}: 1-NN accuracy {display.knn_accuracy:.2f}, purity "
    assert display.ax_.get_title() == title + f"{display.purity:.2f}"
    assert display.ax_.get_xlabel() == "code 1"


def test_purity_counts_the_most_frequent_class_of_a_cluster():
    rng = np.random.default_rng(0)
    centers = np.repeat([[0, 0], [50, 0], [0, 50]], 10, axis=0)
    points = centers + rng.normal(size=(30, 2))
    labels = np.repeat(["a", "b", "c"], 10)
    labels[:3] = "b"  # three of the ten at the first center
    display = EmbeddingDisplay.from_predictions(points, labels)
    assert display.purity == pytest.approx(27 / 30)
    assert display.knn_accuracy == pytest.approx(naive_1nn(points, labels))
    assert [s.get_label() for s in display.scatters_] == ["a", "b", "c"]


def test_embedding_without_classes(fitted):
    display = EmbeddingDisplay.from_estimator(fitted["pca"], X, name="two numbers")
    (scatter,) = display.scatters_
    assert len(scatter.get_offsets()) == 150
    assert display.ax_.get_title() == "two numbers"
    assert display.ax_.get_legend() is None
    assert display.bounding_ax_ is None


@pytest.mark.parametrize("name", ["autoencoder", "stack"])
def test_embedding_draws_chosen_rows_and_reconstructions(fitted, name):
    estimator, rows = fitted[name], [7, 0, 30]
    display = EmbeddingDisplay.from_estimator(estimator, X, y, samples=rows)
    assert [mark.get_text() for mark in display.marks_] == ["A", "B", "C"]
    for mark, row in zip(display.marks_, rows, strict=True):
        np.testing.assert_allclose(mark.xy, display.points[row])
    left, right = display.images_
    tables = [X[rows], estimator.reconstruct(X[rows])]
    pairs = np.stack([square(table) for table in tables], axis=1)
    np.testing.assert_allclose(tiles(left, 2, 2), pairs[:2], rtol=1e-5)
    np.testing.assert_allclose(tiles(right, 1, 2), pairs[2:], rtol=1e-5)
    assert tick_labels(display.image_axes_[0].yaxis) == ["A", "B"]
    assert tick_labels(display.image_axes_[1].yaxis) == ["C"]
    place = display.bounding_ax_.get_position()
    assert place.x0 <= display.image_axes_[0].get_position().x0
    # Originals and reconstructions, left and right, have one scale.
    assert left.get_clim() == right.get_clim() == (X[rows].min(), X[rows].max())


def test_embedding_without_a_way_back_draws_originals_alone(fitted):
    display = EmbeddingDisplay.from_estimator(fitted["dbn"], X, y, samples=[4])
    (left,) = display.images_
    np.testing.assert_array_equal(tiles(left, 1, 1)[0, 0], square(X)[4])


def test_typical_rows_of_classes():
    points = np.array([[0, 0], [0, 1], [0, 10], [5, 0], [5, 2], [5, 3]], float)
    labels = np.repeat([3, 8], 3)
    display = EmbeddingDisplay.from_predictions(
        points, labels, X=np.arange(24.0).reshape(6, 4), samples="class"
    )
    assert display.samples.tolist() == [1, 4]  # those at the medians
    np.testing.assert_array_equal(
        tiles(display.images_[1], 1, 1, (2, 2))[0, 0], [[16, 17], [18, 19]]
    )


def test_more_marks_than_letters():
    points = np.random.default_rng(0).normal(size=(30, 2))
    display = EmbeddingDisplay.from_predictions(
        points, X=np.ones((30, 4)), samples=range(28)
    )
    assert [mark.get_text() for mark in display.marks_[24:]] == ["Y", "Z", "A2", "B2"]


def test_longer_codes_are_shown_by_principal_components(fitted):
    display = EmbeddingDisplay.from_estimator(fitted["mlp"], X, y)
    code = fitted["mlp"].transform(X)
    expected = PCA(2, svd_solver="full").fit_transform(code.astype(float))
    np.testing.assert_allclose(display.points, expected, atol=1e-5)
    assert display.ax_.get_ylabel() == "principal component 2 of 6 columns"
    # The last hidden layer of scikit-learn's network too.
    display = EmbeddingDisplay.from_estimator(fitted["scikit"], X, y)
    assert display.ax_.get_ylabel() == "principal component 2 of 6 columns"


def test_tsne_shows_what_it_was_fitted_to():
    tsne = TSNE()
    tsne.embedding_ = X[:30, 2:4]  # as after a fit, which takes seconds
    display = EmbeddingDisplay.from_estimator(tsne, X[:30])
    np.testing.assert_array_equal(display.points, tsne.embedding_)
    with pytest.raises(ValueError, match="TSNE has neither a transform nor the codes of 5"):
        EmbeddingDisplay.from_estimator(tsne, X[:5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"code": np.ones((4, 1))}, "needs two columns or more, got 1"),
        ({"code": [[0, 1], [np.nan, 0]]}, "contains NaN"),
        ({"y": [0.5, 1.2, 3.3, 4.4]}, "Unknown label type: continuous"),
        ({"y": [0, 1]}, "inconsistent numbers of samples"),
        ({"samples": [4]}, "indices of 4 rows, got \\[4\\]"),
        ({"samples": [-5]}, "indices of 4 rows"),
        ({"samples": [0.5]}, "a list of indices"),
        ({"samples": []}, "a list of indices"),
        ({"samples": "class"}, "needs y, got 'class' without y"),
        ({"samples": "best", "y": [0, 0, 1, 1]}, "or 'class', which needs y, got 'best'"),
        ({"samples": [0], "X": None}, "X, which must be given"),
        ({"samples": [0], "X": np.ones((3, 4))}, "inconsistent numbers of samples"),
        ({"samples": [0], "X": np.ones((4, 3))}, "not square images"),
    ],
)
def test_embeddings_that_cannot_be_drawn(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingDisplay.from_predictions(
            **{"code": np.arange(8.0).reshape(4, 2), "X": np.ones((4, 4)), **arguments}
        )


# --- reconstructions ----------------------------------------------------------------------


def test_reconstructions_through_each_number_of_layers(fitted):
    stack, rows = fitted["stack"], X[:4]
    display = ReconstructionDisplay.from_estimator(stack, rows, n_layers=(1, 2))
    expected = [rows, stack[:1].reconstruct(rows), stack.reconstruct(rows)]
    images = tiles(display.im_, 3, 4)
    for line, table in zip(images, expected, strict=True):
        np.testing.assert_allclose(line, square(table), rtol=1e-6)
    errors = [np.mean((table - rows) ** 2) for table in expected[1:]]
    np.testing.assert_allclose(list(display.errors_.values()), errors)
    assert tick_labels(display.ax_.yaxis) == [
        "original",
        f"1 layer\nMSE {errors[0]:.3g}",
        f"2 layers\nMSE {errors[1]:.3g}",
    ]


def test_autoencoder_goes_down_by_the_mirrored_layers(fitted):
    ae, rows = fitted["autoencoder"], X[:3]
    W, b = ae.coefs_, ae.intercepts_
    display = ReconstructionDisplay.from_estimator(ae, rows, n_layers=(1, 3))
    once = expit(expit(rows @ W[0] + b[0]) @ W[5] + b[5])
    np.testing.assert_allclose(display.reconstructions["1 layer"], once, rtol=1e-4)
    np.testing.assert_allclose(
        display.reconstructions["3 layers"], ae.reconstruct(rows), rtol=1e-5
    )
    for n_layers in (0, 4):
        with pytest.raises(ValueError, match=f"1 to 3 layers to its code, got {n_layers}"):
            ReconstructionDisplay.from_estimator(ae, rows, n_layers=n_layers)


def test_reconstructions_of_scikit_learn(fitted):
    pca, rbm, rows = fitted["pca"], fitted["bernoulli"], X[:3]
    display = ReconstructionDisplay.from_estimator(pca, rows)
    np.testing.assert_allclose(
        tiles(display.im_, 2, 3)[1], square(pca.inverse_transform(pca.transform(rows)))
    )
    display = ReconstructionDisplay.from_estimator(rbm, rows)
    hidden = expit(rows @ rbm.components_.T + rbm.intercept_hidden_)
    expected = expit(hidden @ rbm.components_ + rbm.intercept_visible_)
    np.testing.assert_allclose(display.reconstructions["1 layer"], expected)
    with pytest.raises(ValueError, match="MLPClassifier has no way from a layer back"):
        ReconstructionDisplay.from_estimator(fitted["scikit"], rows)
    with pytest.raises(ValueError, match="layers from 1 to 1 above the input, got 2"):
        ReconstructionDisplay.from_estimator(pca, rows, n_layers=2)


def test_reconstructions_that_are_there():
    rows = np.arange(12.0).reshape(2, 6)
    display = ReconstructionDisplay.from_predictions(rows, rows + 2, image_shape=(2, 3))
    np.testing.assert_array_equal(
        tiles(display.im_, 2, 2, (2, 3))[1], (rows + 2).reshape(2, 2, 3)
    )
    assert display.errors_ == {"reconstruction": 4.0}
    assert display.im_.get_clim() == (0, 11)
    with pytest.raises(
        ValueError, match=r"shape \(2, 6\), but 'reconstruction' has \(1, 6\)"
    ):
        ReconstructionDisplay.from_predictions(rows, rows[:1], image_shape=(2, 3))


# --- filters ------------------------------------------------------------------------------


def test_probes_of_an_rbm(fitted):
    rbm = fitted["rbm"]
    display = FilterDisplay.from_estimator(rbm, X, units=[2, 5], shared_scale=True)
    bias = expit(rbm.intercept_visible_)
    expected = expit(rbm.intercept_visible_ + rbm.components_[[2, 5]]) - bias
    np.testing.assert_allclose(tiles(display.im_, 1, 2)[0], square(expected), atol=1e-6)
    low, high = display.im_.get_clim()
    assert -low == high == pytest.approx(np.abs(expected).max())
    np.testing.assert_allclose(tiles(display.bias_im_, 1, 1)[0], square(bias), rtol=1e-5)
    np.testing.assert_allclose(tiles(display.mean_im_, 1, 1)[0], square(X.mean(axis=0)))
    assert display.bias_im_.get_clim() == display.mean_im_.get_clim()
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["RBM, layer 1", "biases alone", "mean of the data"]


def test_each_filter_has_a_scale_of_its_own(fitted):
    display = FilterDisplay.from_estimator(fitted["rbm"], units=9)
    images = tiles(display.im_, 3, 3).reshape(9, 64)
    np.testing.assert_allclose(np.abs(images).max(axis=1), 1, rtol=1e-6)
    assert display.im_.get_clim() == pytest.approx((-1, 1))
    assert display.mean_im_ is None


def test_strongest_units_come_first(fitted):
    display = FilterDisplay.from_estimator(fitted["rbm"], units=4, n_columns=3)
    every = FilterDisplay.from_estimator(fitted["rbm"], units=range(9)).filters
    norms = np.linalg.norm(every, axis=1)
    assert display.units.tolist() == np.argsort(-norms)[:4].tolist()
    # The second line has two empty places.
    assert np.isnan(tiles(display.im_, 2, 3)[1, 1:]).all()


def test_probes_of_upper_layers(fitted):
    stack, ae = fitted["stack"], fitted["autoencoder"]
    one, none = np.eye(6)[[4]], np.zeros((1, 6))
    display = FilterDisplay.from_estimator(stack, layer=2, units=[4])
    expected = stack.inverse_transform(one) - stack.inverse_transform(none)
    np.testing.assert_allclose(display.filters, expected, atol=1e-6)
    W, b = ae.coefs_, ae.intercepts_

    def down(h):
        return expit(expit(h @ W[4] + b[4]) @ W[5] + b[5])

    # A layer of the encoder, and the same place in the decoder.
    for layer in (2, 4):
        display = FilterDisplay.from_estimator(ae, layer=layer, units=[4])
        np.testing.assert_allclose(display.filters, down(one) - down(none), atol=1e-5)


@pytest.mark.parametrize("name", ["mlp", "dbn", "scikit"])
def test_weights_of_networks_are_projected(fitted, name):
    network = fitted[name]
    display = FilterDisplay.from_estimator(network, layer=2, units=[3])
    expected = network.coefs_[0] @ network.coefs_[1][:, 3]
    np.testing.assert_allclose(display.filters[0], expected, rtol=1e-3, atol=1e-6)
    assert display.bias_im_ is None
    with pytest.raises(ValueError, match="no way from a layer back"):
        FilterDisplay.from_estimator(network, method="probe")


def test_filters_of_scikit_learn(fitted):
    pca, rbm = fitted["pca"], fitted["bernoulli"]
    display = FilterDisplay.from_estimator(pca, units=[0, 1])
    np.testing.assert_allclose(display.filters, pca.components_, atol=1e-12)
    np.testing.assert_allclose(display.bias_image, pca.mean_)
    display = FilterDisplay.from_estimator(rbm, units=[1], method="weights")
    np.testing.assert_array_equal(display.filters[0], rbm.components_[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 3}, "layers from 1 to 2 above the input, got 3"),
        ({"layer": 0}, "layers from 1 to 2"),
        ({"units": [12]}, r"indices from 0 to 11, got \[12\]"),
        ({"units": 0}, "a positive number of units"),
        ({"method": "dream"}, r"method must be 'auto' or one of \['probe', 'weights'\]"),
        ({"image_shape": (3, 3)}, "the product 64"),
    ],
)
def test_filters_that_are_not_there(fitted, arguments, message):
    with pytest.raises(ValueError, match=message):
        FilterDisplay.from_estimator(fitted["stack"], **arguments)
    with pytest.raises(ValueError, match="PCA has no layers of weights"):
        FilterDisplay.from_estimator(fitted["pca"], method="weights")


# --- weights and gradients ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["rbm", "stack", "autoencoder", "bernoulli", "scikit"])
def test_histograms_of_weights(fitted, name):
    display = WeightDisplay.from_estimator(fitted[name], bins=7)
    if hasattr(fitted[name], "coefs_"):
        weights, biases = fitted[name].coefs_, fitted[name].intercepts_
    else:
        rbms = getattr(fitted[name], "rbms_", [fitted[name]])
        weights = [rbm.components_ for rbm in rbms]
        biases = [rbm.intercept_hidden_ for rbm in rbms]
    assert display.axes_.shape == (2, len(weights))
    for line, arrays in enumerate((weights, biases)):
        parameter = ("weights", "biases")[line]
        for layer, array in enumerate(arrays, 1):
            (stairs,) = display.stairs_[parameter, layer]
            values, edges, _ = stairs.get_data()
            density, ends = np.histogram(np.ravel(array), 7, density=True)
            np.testing.assert_allclose(values, density, rtol=1e-4)
            np.testing.assert_allclose(edges, ends, rtol=1e-6)
            title = display.axes_[line, layer - 1].get_title()
            assert title == f"{parameter}, layer {layer}"


def recorded(n_times=20):
    """What a Recorder holds of a fit with two tasks, with numbers that tell them apart."""
    rows, bins = [], []
    for task, layers in (("layer 1", [1]), ("fine-tuning", [1, 2])):
        for time in range(1, n_times + 1):
            rows.append((task, time, pd.NA, "loss", "value", 10.0 / time))
            rows.append((task, time, pd.NA, "score", "value", 0.01 * time))
            for layer in layers:
                for parameter in ("weights", "biases", "visible_biases", "activations"):
                    where = task, time, layer, parameter
                    bins += [(*where, i, i + 1, time + i) for i in range(3)]
                for parameter in ("weights_gradient", "biases_gradient"):
                    scale = layer / time * (1 if parameter[0] == "w" else 100)
                    for quantity, factor in (("mean_abs", 1), ("max_abs", 10)):
                        value = scale * factor
                        rows.append((task, time, layer, parameter, quantity, value))
    where = ["task", "iteration", "layer", "parameter"]
    frame = pd.DataFrame(rows, columns=[*where, "quantity", "value"]).assign(fit=1)
    histograms = pd.DataFrame(bins, columns=[*where, "left", "right", "count"])
    return Recorder(frame.astype({"layer": "Int64"}), histograms.assign(fit=1))


def test_histograms_over_training():
    display = WeightDisplay.from_recorder(recorded(), n_times=4)
    assert set(display.stairs_) == {(p, i) for p in ("weights", "biases") for i in (1, 2)}
    outlines = display.stairs_["weights", 2]
    assert [outline.get_label() for outline in outlines] == ["1", "7", "14", "20"]
    values, edges, _ = outlines[-1].get_data()
    np.testing.assert_allclose(values, np.array([20, 21, 22]) / 63)
    np.testing.assert_array_equal(edges, [0, 1, 2, 3])
    darkness = [-sum(outline.get_edgecolor()[:3]) for outline in outlines]
    assert darkness == sorted(darkness)
    assert display.axes_[0, 1].get_ylim()[1] <= 3 * values.max()
    display = WeightDisplay.from_recorder(recorded(), task="layer 1")
    assert display.axes_.shape == (2, 1)
    tasks = r"\['layer 1', 'fine-tuning'\], got task='layer 7'"
    with pytest.raises(ValueError, match=tasks):
        WeightDisplay.from_recorder(recorded(), task="layer 7")
    with pytest.raises(ValueError, match=r"has the fits \[\], got fit=None"):
        WeightDisplay.from_recorder(recorded(0))


@pytest.mark.parametrize(
    "build",
    [
        partial(MLPClassifier, dtype="float64", tol=None),
        partial(neural_network.MLPClassifier, tol=0, n_iter_no_change=100),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_gradients_are_those_of_the_loss(build):
    """Against central differences, without the large penalty."""
    rows, labels = X[:40, 18:24], y[:40] % 3
    mlp = build((4, 3), activation="tanh", alpha=5.0, max_iter=2, random_state=0)
    mlp.fit(rows, labels)
    before = {name: repr(value) for name, value in vars(mlp).items()}
    display = GradientFlowDisplay.from_estimator(mlp, rows, labels)
    assert {name: repr(value) for name, value in vars(mlp).items()} == before

    def loss():
        return log_loss(labels, mlp.predict_proba(rows))

    for layer, coef in enumerate(mlp.coefs_):
        slopes = np.empty_like(coef)
        for place in np.ndindex(coef.shape):
            value = coef[place]
            coef[place] = value + 1e-5
            above = loss()
            coef[place] = value - 1e-5
            slopes[place] = (above - loss()) / 2e-5
            coef[place] = value
        (mean,), (largest,) = display.mean_lines_, display.max_lines_
        assert mean.get_ydata()[layer] == pytest.approx(np.abs(slopes).mean(), rel=1e-5)
        assert largest.get_ydata()[layer] == pytest.approx(np.abs(slopes).max(), rel=1e-5)
    means = mean.get_ydata()
    assert display.ratio_ == pytest.approx(means[0] / means[2])
    assert f"layer 1 / mean of layer 3: {display.ratio_:.2g}" in display.ax_.get_title()
    assert display.ax_.get_yscale() == "log"


def test_gradients_of_regressors_agree_with_scikit_learns(fitted):
    target = X[:, 20:22] * 3
    ours = MLPRegressor((5,), activation="tanh", dtype="float64", **QUICK).fit(X, target)
    theirs = neural_network.MLPRegressor(
        hidden_layer_sizes=(5,), activation="tanh", max_iter=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, target)
    theirs.coefs_ = [W.astype(float) for W in ours.coefs_]
    theirs.intercepts_ = [b.astype(float) for b in ours.intercepts_]
    lines = [
        GradientFlowDisplay.from_estimator(mlp, X, target).mean_lines_[0].get_ydata()
        for mlp in (ours, theirs)
    ]
    np.testing.assert_allclose(*lines, rtol=1e-5)


def test_gradients_need_a_network_and_its_targets(fitted):
    with pytest.raises(ValueError, match=r"RBM is not a network\. A Recorder"):
        GradientFlowDisplay.from_estimator(fitted["rbm"], X)
    for name in ("mlp", "scikit"):
        with pytest.raises(ValueError, match=r"requires y to be passed|y cannot be None"):
            GradientFlowDisplay.from_estimator(fitted[name], X)


def test_gradients_over_training():
    display = GradientFlowDisplay.from_recorder(recorded(), n_times=3)
    labels = [line.get_label() for line in display.mean_lines_]
    assert labels == ["mean, iteration 1", "mean, iteration 11", "mean, iteration 20"]
    last = display.mean_lines_[-1], display.max_lines_[-1]
    np.testing.assert_array_equal(last[0].get_xdata(), [1, 2])
    np.testing.assert_allclose(last[0].get_ydata(), [1 / 20, 2 / 20])
    np.testing.assert_allclose(last[1].get_ydata(), [10 / 20, 20 / 20])
    assert display.ratio_ == pytest.approx(0.5)
    # Of a single layer, over time.
    display = GradientFlowDisplay.from_recorder(recorded(), task="layer 1")
    (mean,), (largest,) = display.mean_lines_, display.max_lines_
    np.testing.assert_array_equal(mean.get_xdata(), np.arange(1, 21))
    np.testing.assert_allclose(largest.get_ydata(), 10 / np.arange(1, 21))
    assert display.ax_.get_xlabel() == "iteration"


def test_gradients_that_are_zero_are_drawn():
    zeros = pd.DataFrame({"iteration": 0, "layer": [1, 2], "mean_abs": 0.0, "max_abs": 0.0})
    display = GradientFlowDisplay(zeros).plot()
    np.testing.assert_array_equal(display.max_lines_[0].get_ydata(), [0, 0])
    assert np.isnan(display.ratio_)
    assert display.ax_.get_yscale() == "linear"


# --- activations --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dbn", "mlp", "scikit"])
def test_activations_end_with_class_probabilities(fitted, name):
    network = fitted[name]
    display = ActivationDisplay.from_estimator(network, X[5])
    titles = [ax.get_title() for ax in display.axes_]
    assert titles == ["input", "layer 1: 12", "layer 2: 6", "probability"]
    np.testing.assert_array_equal(tiles(display.ims_[0], 1, 1)[0], square(X[5]))
    probabilities = network.predict_proba(X[[5]])[0]
    widths = [bar.get_width() for bar in display.bars_]
    np.testing.assert_allclose(widths, probabilities, rtol=1e-5)
    assert tick_labels(display.axes_[-1].yaxis) == list("0123456789")
    colors = [bar.get_facecolor() for bar in display.bars_]
    assert colors.count(colors[probabilities.argmax()]) == 1
    hidden = np.maximum(X[5] @ network.coefs_[0] + network.intercepts_[0], 0)
    if name == "dbn":
        hidden = expit(X[5] @ network.coefs_[0] + network.intercepts_[0])
    image = display.ims_[1].get_array()
    np.testing.assert_allclose(image.ravel()[:12], hidden, rtol=1e-4, atol=1e-6)
    limits = f"{hidden.min():.2g} to {hidden.max():.2g}"
    assert display.axes_[1].get_xlabel() == limits


def test_activations_of_an_autoencoder_end_with_an_image(fitted):
    ae = fitted["autoencoder"]
    display = ActivationDisplay.from_estimator(ae, X[:1])
    assert display.bars_ is None
    sizes = ["layer 1: 12", "layer 2: 6", "layer 3: 2", "layer 4: 6", "layer 5: 12"]
    assert [ax.get_title() for ax in display.axes_] == ["input", *sizes, "output"]
    np.testing.assert_allclose(
        tiles(display.ims_[-1], 1, 1)[0], square(ae.reconstruct(X[:1])), rtol=1e-5
    )
    code = ae.transform(X[:1])[0]
    np.testing.assert_allclose(display.ims_[3].get_array().ravel(), code, rtol=1e-5)


@pytest.mark.parametrize("name", ["stack", "bernoulli", "pca"])
def test_activations_of_transformers(fitted, name):
    display = ActivationDisplay.from_estimator(fitted[name], X[3])
    top = fitted[name].transform(X[[3]])[0]
    image = display.ims_[-1].get_array()
    np.testing.assert_allclose(image.compressed(), top, rtol=1e-5)
    signed = top.min() < 0
    assert (image.min() < 0) == signed
    low, high = display.ims_[-1].get_clim()
    assert (low == -high) == signed


def test_activations_are_those_of_one_row(fitted):
    with pytest.raises(ValueError, match="x must be a single row, got 2 rows"):
        ActivationDisplay.from_estimator(fitted["rbm"], X[:2])
    with pytest.raises(ValueError, match="63 features"):
        ActivationDisplay.from_estimator(fitted["mlp"], X[0, 1:])
    with pytest.raises(ValueError, match="contains NaN"):
        ActivationDisplay.from_estimator(fitted["scikit"], np.full(64, np.nan))


# --- curves -------------------------------------------------------------------------------


def test_learning_curves_of_a_network(fitted):
    dbn = fitted["dbn"]
    display = LearningCurveDisplay.from_estimator(dbn)
    curves = {
        "training loss": dbn.loss_curve_,
        "validation loss": dbn.validation_loss_curve_,
        "validation score": dbn.validation_scores_,
    }
    assert list(display.lines_) == list(curves)
    for name, curve in curves.items():
        np.testing.assert_array_equal(display.lines_[name].get_xdata(), [1, 2, 3])
        np.testing.assert_allclose(display.lines_[name].get_ydata(), curve)
    assert display.lines_["validation loss"].axes is display.ax_
    assert display.lines_["validation score"].axes is display.score_ax_
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [*curves]


def test_learning_curves_of_rbms(fitted):
    stack = fitted["stack"]
    display = LearningCurveDisplay.from_estimator(stack, log_scale=True)
    names = ["layer 1: reconstruction error", "layer 2: reconstruction error"]
    assert list(display.lines_) == names
    np.testing.assert_allclose(
        display.lines_[names[1]].get_ydata(), stack[1].reconstruction_errors_
    )
    assert display.ax_.get_yscale() == "log"
    assert display.score_ax_ is None
    rbm = RBM(4, max_iter=3, early_stopping="free_energy_gap", random_state=0).fit(X)
    display = LearningCurveDisplay.from_estimator(rbm)
    np.testing.assert_allclose(
        display.lines_["free-energy gap"].get_ydata(), np.negative(rbm.validation_scores_)
    )
    assert display.score_ax_.get_ylabel() == "free-energy gap (nats)"
    display = LearningCurveDisplay.from_estimator(
        RBM(4, max_iter=2, early_stopping=True, random_state=0).fit(X)
    )
    assert list(display.lines_) == ["reconstruction error", "validation score"]


def test_learning_curves_of_scikit_learn(fitted):
    mlp = scikit_mlp(early_stopping=True)
    display = LearningCurveDisplay.from_estimator(mlp)
    np.testing.assert_allclose(
        display.lines_["validation score"].get_ydata(), mlp.validation_scores_
    )
    with pytest.raises(ValueError, match="PCA remembers no losses of its training"):
        LearningCurveDisplay.from_estimator(fitted["pca"])


def test_learning_curves_of_a_recorder():
    display = LearningCurveDisplay.from_recorder(recorded(4), task="layer 1")
    np.testing.assert_allclose(display.lines_["loss"].get_ydata(), 10 / np.arange(1, 5))
    np.testing.assert_allclose(
        display.lines_["score"].get_ydata(), [0.01, 0.02, 0.03, 0.04]
    )
    assert display.lines_["score"].axes is display.score_ax_


def test_free_energy_gap_of_snapshots(fitted):
    snapshots, gaps = [], []
    for i in (1, 3):
        rbm = RBM(5, max_iter=i, random_state=0).fit(X[:100])
        energies = rbm.free_energy(X)
        gaps.append(energies[100:].mean() - energies[:100].mean())
        snapshots.append(Snapshot(rbm, "training", i, 0.3 / i, 0.0))
    display = LearningCurveDisplay.from_snapshots(Callback(snapshots), X[:100], X[100:])
    gap = display.lines_["free-energy gap"]
    np.testing.assert_array_equal(gap.get_xdata(), [1, 3])
    np.testing.assert_allclose(gap.get_ydata(), gaps, rtol=1e-4)
    errors = display.lines_["reconstruction error"].get_ydata()
    np.testing.assert_allclose(errors, [0.3, 0.1])
    wrong = [Snapshot(fitted["mlp"], "training", 1, 0.1, 0.0)]
    with pytest.raises(ValueError, match="MLPClassifier has no free energy"):
        LearningCurveDisplay.from_snapshots(wrong, X, X)


def test_optimizers_are_compared_from_the_same_start():
    mlp = MLPClassifier((6,), max_iter=4, tol=None, random_state=0)
    display = OptimizerComparisonDisplay.from_estimator(
        mlp, X, y, solvers=["sgd", "adam"], by="seconds"
    )
    assert list(display.lines_) == ["sgd", "adam"]
    for solver, line in display.lines_.items():
        expected = clone(mlp).set_params(solver=solver).fit(X, y).loss_curve_
        np.testing.assert_allclose(line.get_ydata(), expected)
        seconds = display.seconds[solver]
        np.testing.assert_allclose(line.get_xdata(), seconds * np.arange(1, 5) / 4)
        assert seconds > 0
    assert not hasattr(mlp, "coefs_")
    over_epochs = display.plot(by="iterations").lines_["adam"]
    np.testing.assert_array_equal(over_epochs.get_xdata(), [1, 2, 3, 4])
    assert display.ax_.get_xlabel() == "iterations"
    with pytest.raises(ValueError, match="'iterations' or 'seconds', got 'epochs'"):
        display.plot(by="epochs")
    with pytest.raises(ValueError, match="needs the seconds of each fit"):
        OptimizerComparisonDisplay({"adam": [1.0]}).plot(by="seconds")


def test_all_optimizers_are_compared():
    mlp = MLPClassifier((6,), max_iter=2, tol=None, random_state=0)
    display = OptimizerComparisonDisplay.from_estimator(mlp, X, y)
    assert list(display.lines_) == list(SOLVERS)
    table = display.table
    assert table.index.tolist() == list(SOLVERS)
    assert table["iterations"].tolist() == [2] * len(SOLVERS)
    assert table["seconds"].to_dict() == display.seconds
    for solver, line in display.lines_.items():
        losses = line.get_ydata()
        assert table.loc[solver, "loss"] == losses[-1]
        assert table.loc[solver, "smallest_loss"] == losses.min()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_optimizers_of_scikit_learn():
    mlp = neural_network.MLPClassifier((6,), max_iter=2, random_state=0)
    display = OptimizerComparisonDisplay.from_estimator(mlp, X, y)
    assert list(display.lines_) == ["sgd", "adam"]
    message = "MLPClassifier remembers no losses of its training with 'lbfgs'.* Leave"
    with pytest.raises(ValueError, match=message):
        OptimizerComparisonDisplay.from_estimator(mlp, X, y, solvers=["adam", "lbfgs"])


def test_equal_optimizers_are_told_apart():
    solvers = [SGD(momentum=0.5), "adam", SGD(momentum=0.5)]
    display = OptimizerComparisonDisplay.from_estimator(
        MLPClassifier((6,), **QUICK), X, y, solvers=solvers
    )
    assert list(display.losses) == ["SGD(momentum=0.5)", "adam", "SGD(momentum=0.5) (2)"]


def test_an_optimizer_that_diverged_at_once_has_no_losses():
    display = OptimizerComparisonDisplay({"sgd": [], "adam": [2.0, 1.0, 1.5]})
    assert display.table.loc["adam"].tolist() == [3, 1.5, 1.0]
    assert display.table.loc["sgd", "iterations"] == 0
    assert display.table.loc["sgd", ["loss", "smallest_loss"]].isna().all()
    display.seconds = {"sgd": 1.0, "adam": 3.0}
    lines = display.plot(by="seconds").lines_
    assert not len(lines["sgd"].get_xdata())
    np.testing.assert_allclose(lines["adam"].get_xdata(), [1, 2, 3])


# --- samples and data ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rbm", "stack"])
def test_chains_are_those_of_the_model(fitted, name):
    model, again = clone(fitted[name]).fit(X), clone(fitted[name]).fit(X)
    display = SampleDisplay.from_estimator(model, X[:3], n_states=2, thin=4)
    states = again.sample(6, n_steps=4, X_init=X[:3], n_chains=3, thin=4)
    images = tiles(display.im_, 3, 3)
    np.testing.assert_array_equal(images[:, 0], square(X[:3]))
    np.testing.assert_array_equal(images[:, 1], square(states[:3]))
    np.testing.assert_array_equal(images[:, 2], square(states[3:]))
    assert tick_labels(display.ax_.xaxis) == ["0", "4", "8"]
    assert tick_labels(display.ax_.yaxis) == ["chain 1", "chain 2", "chain 3"]
    without = SampleDisplay.from_estimator(model, n_chains=2, n_states=3, thin=1)
    assert without.chains.shape == (2, 3, 64)
    assert without.steps == [1, 2, 3]


def test_chains_of_bernoulli_rbm(fitted):
    display = SampleDisplay.from_estimator(fitted["bernoulli"], X[:2], n_states=3, thin=2)
    assert display.chains.shape == (2, 4, 64)
    assert set(np.unique(display.chains[:, 1:])) == {0, 1}
    with pytest.raises(ValueError, match="BernoulliRBM need X to start from"):
        SampleDisplay.from_estimator(fitted["bernoulli"])
    with pytest.raises(ValueError, match="PCA has no Gibbs chains"):
        SampleDisplay.from_estimator(fitted["pca"], X)
    with pytest.raises(ValueError, match="thin == 0, must be >= 1"):
        SampleDisplay.from_estimator(fitted["rbm"], thin=0)


def test_chains_that_are_there():
    chains = np.arange(24.0).reshape(2, 3, 4)
    display = SampleDisplay.from_predictions(chains, steps=[0, 10, 100])
    np.testing.assert_array_equal(
        tiles(display.im_, 2, 3, (2, 2)), chains.reshape(2, 3, 2, 2)
    )
    assert tick_labels(display.ax_.xaxis) == ["0", "10", "100"]
    with pytest.raises(ValueError, match=r"must have the shape .* got \(3, 4\)"):
        SampleDisplay.from_predictions(chains[0])
    with pytest.raises(ValueError, match="3 states, but 2 steps"):
        SampleDisplay.from_predictions(chains, steps=[1, 2])


@pytest.mark.parametrize("rows", [X, csr_matrix(X)], ids=["dense", "sparse"])
def test_class_means(rows):
    display = ClassMeanDisplay.from_data(rows, y, n_columns=4)
    assert display.axes_.shape == (3, 4)
    for label, (ax, im) in enumerate(zip(display.axes_.flat, display.ims_, strict=False)):
        members = X[y == label]
        np.testing.assert_allclose(
            tiles(im, 1, 1)[0], square(members.mean(axis=0)), atol=1e-12
        )
        assert ax.get_title() == f"{label} ({len(members)} rows)"
    assert len({im.get_clim() for im in display.ims_}) == 1


def test_pixel_histograms():
    rows = np.array([[0, 0, 1.0], [0, 1, 1], [0, 0.4, 1], [0, 0.5, 1]])
    display = PixelHistogramDisplay.from_data(rows, ["a", "a", "b", "b"], bins=2)
    shares = [stairs.get_data().values.tolist() for stairs in display.stairs_]
    np.testing.assert_allclose(shares, [[3 / 6, 3 / 6], [3 / 6, 3 / 6]])
    assert [stairs.get_label() for stairs in display.stairs_] == ["a", "b"]
    assert display.ax_.get_title() == "42% zeros, 2 of 3 columns constant"
    (everything,) = PixelHistogramDisplay.from_data(rows, bins=4).stairs_
    np.testing.assert_allclose(everything.get_data().values, np.array([5, 1, 1, 5]) / 12)
    np.testing.assert_allclose(everything.get_data().edges, [0, 0.25, 0.5, 0.75, 1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PixelHistogramDisplay.from_data(rows, [0, 1])


# --- films --------------------------------------------------------------------------------


def points_of(estimator, ax):
    """A display for films: the estimator is an array of points."""
    return EmbeddingDisplay(estimator).plot(ax=ax)


def film_of_points():
    far, near = np.array([[-9, 0], [3, 4.0]]), np.array([[0, 0], [1, 30.0]])
    return [
        Snapshot(far, "layer 2", 5, 0.25, 1.0),
        Snapshot(near, "fine-tuning", 1, float("nan"), 2.0),
        Snapshot(near / 10, "fine-tuning", 2, 0.125, 3.0),
    ]


def test_film_has_a_frame_for_each_snapshot_and_fixed_limits(tmp_path):
    limits, figures = [], []

    def display(estimator, ax):
        points_of(estimator, ax)
        if not figures:
            ax.figure.canvas.mpl_connect("draw_event", note_limits)
        figures.append(ax.figure)

    def note_limits(event):
        (ax,) = event.canvas.figure.axes
        limits.append((ax.get_xlim(), ax.get_ylim()))

    path = animate(
        Callback(film_of_points()),
        display,
        str(tmp_path / "film.gif"),
        fps=4,
        figsize=(3, 2),
        dpi=50,
        hold=0.5,
    )
    with Image.open(path) as film:
        # Frames alike are one that stays longer.
        assert film.n_frames == 3
        assert film.size == (150, 100)
        durations = []
        for i in range(3):
            film.seek(i)
            durations.append(film.info["duration"])
    assert durations == [250, 250, 750]
    assert len(limits) >= 3
    ((x_limits, y_limits),) = set(limits)
    assert x_limits[0] <= -9
    assert y_limits[1] >= 30
    texts = [text.get_text() for text in figures[-1].texts]
    assert texts == ["fine-tuning, iteration 2", "loss 0.125"]
    assert not plt.get_fignums()


def test_loss_that_is_not_known_is_not_written(tmp_path):
    figures = []

    def display(estimator, ax):
        figures.append(ax.figure)
        points_of(estimator, ax)

    animate(film_of_points()[1:2], display, tmp_path / "film.gif", hold=0)
    assert [text.get_text() for text in figures[0].texts] == ["fine-tuning, iteration 1"]


def test_axes_of_other_labels_have_limits_of_their_own(fitted, tmp_path):
    limits, names = {}, []

    def display(estimator, ax):
        EmbeddingDisplay.from_estimator(estimator, X, y, ax=ax)
        names.append(type(estimator).__name__)
        if len(names) == 1:
            ax.figure.canvas.mpl_connect("draw_event", note_limits)

    def note_limits(event):
        limits[names[-1]] = event.canvas.figure.axes[0].get_xlim()

    models = [fitted["stack"], fitted["autoencoder"], fitted["pca"]]
    snapshots = [Snapshot(model, "task", 1, 1.0, 0.0) for model in models]
    animate(snapshots, display, tmp_path / "film.gif", dpi=40, hold=0)
    assert limits["DBNAutoencoder"] == limits["PCA"] != limits["StackedRBM"]


def test_inverted_axes_stay_inverted(fitted, tmp_path):
    axes = []

    def display(estimator, ax):
        drawn = ReconstructionDisplay.from_estimator(estimator, X[:2], ax=ax)
        axes.append(drawn.ax_)

    snapshots = [Snapshot(fitted["rbm"], "training", 1, 0.1, 0.0)]
    animate(snapshots, display, tmp_path / "film.gif", dpi=40, hold=0)
    assert axes[-1].get_ylim() == (16.5, -0.5)


def test_films_that_cannot_be_made(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no snapshots to animate"):
        animate([], points_of, tmp_path / "film.gif")
    with pytest.raises(ValueError, match=r"end in one of \.gif, \.mp4"):
        animate(film_of_points(), points_of, tmp_path / "film.avi")
    with pytest.raises(ValueError, match="fps == 0"):
        animate(film_of_points(), points_of, tmp_path / "film.gif", fps=0)
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(RuntimeError, match=r"\.mp4 is written by ffmpeg, which is not"):
        animate(film_of_points(), points_of, tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


def test_errors_of_images_of_bytes_do_not_wrap_around():
    X = np.full((1, 4), 100, np.uint8)
    display = ReconstructionDisplay.from_predictions(X, np.full((1, 4), 120, np.uint8))
    assert display.errors_ == {"reconstruction": 400.0}


def test_displays_of_what_callbacks_kept(tmp_path):
    snapshots, recorder = callbacks.Snapshots(), callbacks.Recorder()
    rbm = RBM(max_iter=2)
    ae = DBNAutoencoder((6, 2), rbm=rbm, **QUICK).set_callbacks(snapshots, recorder).fit(X)
    display = partial(EmbeddingDisplay.from_estimator, X=X, y=y)
    path = animate(snapshots, display, tmp_path / "code.gif", dpi=40, hold=0)
    with Image.open(path) as film:
        assert film.n_frames == len(snapshots.snapshots_) == 2 + 2 + 3
    weights = WeightDisplay.from_recorder(recorder)
    assert weights.axes_.shape == (2, 4)
    edges = weights.stairs_["weights", 1][-1].get_data().edges
    assert edges[[0, -1]] == pytest.approx([ae.coefs_[0].min(), ae.coefs_[0].max()])
    losses = LearningCurveDisplay.from_recorder(recorder).lines_["loss"].get_ydata()
    np.testing.assert_allclose(losses, ae.loss_curve_)
    flow = GradientFlowDisplay.from_recorder(recorder)
    np.testing.assert_array_equal(flow.mean_lines_[-1].get_xdata(), [1, 2, 3, 4])


def test_displays_tell_fits_apart(tmp_path):
    snapshots, recorder = callbacks.Snapshots(), callbacks.Recorder()
    pipeline = make_pipeline(RBM(6, max_iter=2), MLPClassifier((4,), **QUICK))
    pipeline.set_callbacks(snapshots, recorder).fit(X, y)
    rbm, mlp = pipeline
    assert GradientFlowDisplay.from_recorder(recorder).ratio_ > 0
    (line,) = GradientFlowDisplay.from_recorder(recorder, fit=1).mean_lines_
    assert line.get_xdata().tolist() == [1, 2]
    for fit, losses in ((None, mlp.loss_curve_), (1, rbm.reconstruction_errors_)):
        drawn = LearningCurveDisplay.from_recorder(recorder, fit=fit).lines_["loss"]
        np.testing.assert_allclose(drawn.get_ydata(), losses)
    for fit, last in ((None, mlp.coefs_[0]), (1, rbm.components_)):
        drawn = WeightDisplay.from_recorder(recorder, fit=fit).stairs_["weights", 1][-1]
        ends = drawn.get_data().edges[[0, -1]]
        assert ends == pytest.approx([last.min(), last.max()])
    with pytest.raises(ValueError, match=r"has the fits \[1, 2\], got fit=3\. Pass one"):
        LearningCurveDisplay.from_recorder(recorder, fit=3)
    films = snapshots, [moment for moment in snapshots.snapshots_ if moment.fit == 1]
    for film, n_frames, kind in zip(films, (3, 2), (MLPClassifier, RBM), strict=True):
        shown = []

        def display(estimator, ax, shown=shown):
            shown.append(type(estimator))

        animate(film, display, tmp_path / "film.gif", dpi=20, hold=0)
        assert shown == 2 * n_frames * [kind]  # each is drawn twice
