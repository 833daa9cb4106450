"""What a fit needs beside its data, and data that are no dense array of floats."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from skdbn import RBM, DBNAutoencoder, DBNClassifier, MLPClassifier, StackedRBM
from skdbn.units import Gaussian

MB = 2**20
SMALL = {"batch_size": 100, "max_iter": 1, "random_state": 0}


def peak(function):
    """The most memory that NumPy held during a call, beyond what it held before."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    """20 000 images as uint8 in a file: 15 MB, and 60 as float32."""
    path = tmp_path_factory.mktemp("pixels") / "pixels.u8"
    rng = np.random.RandomState(0)
    rng.randint(0, 2, (20_000, 784), np.uint8).tofile(path)
    return np.memmap(path, np.uint8, "r", shape=(20_000, 784))


MODELS = {
    "rbm": RBM(20, **SMALL),
    "variances": RBM(20, visible=Gaussian(variance="learned"), **SMALL),
    "mlp": MLPClassifier((20,), **SMALL, tol=None),
    "stack": StackedRBM((20, 10), rbm=RBM(**SMALL)),
    "dbn": DBNClassifier((20, 10), rbm=RBM(**SMALL), **SMALL, tol=None),
    "autoencoder": DBNAutoencoder((20, 2), rbm=RBM(**SMALL), **SMALL),
}


@pytest.mark.parametrize("name", MODELS)
def test_bytes_of_a_file_are_converted_batch_by_batch(name, pixels):
    model, y = clone(MODELS[name]), np.arange(20_000) % 2
    model.fit(pixels[:200], y[:200])  # compiles
    with threadpool_limits(2, user_api="blas"):  # each thread has a block of its own
        assert peak(lambda: model.fit(pixels, y)) < 20 * MB
    assert np.isfinite(model.transform(pixels[:10])).all() if name == "rbm" else True


def test_rows_that_are_not_aligned_are_copied_batch_by_batch():
    # As arrays are that came over a network. take() copied all of them for each batch.
    n_rows, y = 5000, np.arange(5000) % 2
    memory = bytearray(4 * 784 * n_rows + 8)
    X = np.frombuffer(memory, np.float32, 784 * n_rows, offset=3).reshape(n_rows, 784)
    assert not X.flags.aligned
    for name in ("rbm", "mlp"):
        model = clone(MODELS[name]).fit(X[:200], y[:200])
        assert peak(lambda model=model: model.fit(X, y)) < 8 * MB


@pytest.mark.parametrize("name", MODELS)
def test_transform_of_bytes_of_a_file(name, pixels):
    model = clone(MODELS[name]).fit(pixels[:200], np.arange(200) % 2)
    model.transform(pixels[:10])
    # Up to 1.6 MB of result and, for each thread, a block of 2048 rows as float32, 6.1 MB.
    with threadpool_limits(2, user_api="blas"):
        assert peak(lambda: model.transform(pixels)) < 20 * MB
    expected = model.transform(pixels[-5:].astype(np.float32))
    np.testing.assert_allclose(model.transform(pixels)[-5:], expected, rtol=1e-5, atol=1e-6)


def test_memory_of_transform_does_not_grow_with_the_rows(pixels):
    """But for the codes themselves."""
    autoencoder = clone(MODELS["autoencoder"]).fit(pixels[:200])
    autoencoder.transform(pixels[:10])
    held = []
    with threadpool_limits(1, user_api="blas"):
        for n_rows in (5000, 20_000):
            codes = 4 * 2 * n_rows
            held.append(peak(lambda n=n_rows: autoencoder.transform(pixels[:n])) - codes)
    assert held[1] < held[0] + MB / 10


@pytest.fixture(scope="module")
def words():
    """4000 documents of 20 000 words, 1 % of them: 6 MB, and 305 as float32."""
    X = sparse.random(4000, 20_000, 0.005, "csr", np.float32, random_state=0)
    X.data[:] = 1
    return X


@pytest.mark.parametrize("name", ["mlp", "rbm"])
def test_sparse_rows_are_not_made_dense(name, words):
    model, y = clone(MODELS[name]), np.arange(4000) % 2
    model.fit(words[:100], y[:100])
    # The chains of an RBM are dense: two buffers of one batch, 8 MB each.
    assert peak(lambda: model.fit(words, y)) < (12 if name == "mlp" else 30) * MB
    predict = model.predict if name == "mlp" else model.transform
    assert peak(lambda: predict(words)) < 2 * MB


def strange(X):
    """The same matrix with entries out of order, stored zeros, and entries in two parts."""
    reverse = X.copy()
    for start, stop in pairwise(X.indptr):
        reverse.indices[start:stop] = X.indices[start:stop][::-1]
        reverse.data[start:stop] = X.data[start:stop][::-1]
    reverse.has_sorted_indices = reverse.has_canonical_format = False
    zeros = X.copy()
    zeros.data[::3] = 0
    halves = sparse.csr_matrix(
        (np.repeat(X.data / 2, 2), np.repeat(X.indices, 2), 2 * X.indptr), X.shape
    )
    return reverse, zeros, halves


@pytest.mark.parametrize("name", ["mlp", "rbm", "stack", "autoencoder"])
def test_sparse_rows_give_what_dense_ones_give(name):
    X = sparse.random(300, 40, 0.2, "csr", np.float64, random_state=0)
    model = clone(MODELS[name])
    model.set_params(**{key: "float64" for key in model.get_params() if "dtype" in key})
    y = np.arange(300) % 3
    for rows in (X, *strange(X), sparse.csr_array(X), X.astype(np.float32)):
        dense = clone(model).fit(rows.toarray(), y)
        thin = clone(model).fit(rows, y)
        answer = "predict_proba" if name == "mlp" else "transform"
        np.testing.assert_allclose(
            getattr(thin, answer)(rows), getattr(dense, answer)(rows.toarray()), rtol=1e-5
        )


def test_rows_of_upper_layers_are_computed_where_they_would_be_large():
    X = np.random.RandomState(0).uniform(size=(20_000, 30)).astype(np.float32)
    model = StackedRBM((200, 150, 20), rbm=RBM(batch_size=100, max_iter=1), random_state=0)
    kept, held = model.fit(X).rbms_, peak(lambda: clone(model).fit(X))
    for budget in (0, 16):  # nothing is kept, or the first layer's 15 MB
        with config_context(working_memory=8 * budget):
            computed = clone(model).fit(X).rbms_
        for rbm, expected in zip(computed, kept, strict=True):
            np.testing.assert_allclose(rbm.components_, expected.components_, atol=1e-4)
    with config_context(working_memory=0):
        assert peak(lambda: clone(model).fit(X)) < held - 8 * MB


def test_computed_rows_of_sparse_data():
    X = sparse.random(400, 30, 0.3, "csr", np.float64, random_state=0)
    rbm = RBM(max_iter=2, dtype="float64")
    model = StackedRBM((20, 10), rbm=rbm, random_state=0)
    kept = model.fit(X).rbms_
    with config_context(working_memory=0):
        computed = clone(model).fit(X).rbms_
    for rbm, expected in zip(computed, kept, strict=True):
        np.testing.assert_allclose(rbm.components_, expected.components_, rtol=1e-8)


@pytest.mark.filterwarnings("ignore:.*maximum number of iterations")
def test_early_stopping_of_an_autoencoder_takes_no_copy_of_the_rows():
    X = np.random.RandomState(0).uniform(size=(20_000, 100)).astype(np.float32)  # 7.6 MB
    options = {"pretrain": False, "early_stopping": True, **SMALL}
    autoencoder = DBNAutoencoder((5,), **options)
    autoencoder.fit(X[:200])
    assert peak(lambda: autoencoder.fit(X)) < 6 * MB
