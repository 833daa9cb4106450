import errno
import gzip
import math
import os
import re
import struct
import threading
import tracemalloc
import zlib
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils import Bunch

from skdbn.datasets import _mnist, fetch_mnist, load_mnist, read_idx

MIB = 1 << 20
TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
SHAPES = [(), (5,), (2, 3), (2, 3, 4), (2, 1, 3, 2), (0,), (3, 0, 2)]
PACK = {"plain": bytes, "gzip": gzip.compress}


def idx_header(type_code, shape):
    return struct.pack(f">HBB{len(shape)}I", 0, type_code, len(shape), *shape)


def idx_bytes(array):
    dtype = array.dtype.str[1:]
    return idx_header(TYPE_CODES[dtype], array.shape) + array.astype(">" + dtype).tobytes()


def random_array(dtype, shape):
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 256, math.prod(shape) * np.dtype(dtype).itemsize, np.uint8)
    return raw.view(dtype).reshape(shape)


@pytest.fixture
def write(tmp_path):
    def write(content, name="file"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(scope="module")
def fuzz_path(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "file"


def peak_memory(path, **limit):
    """The error of reading `path` and the most memory allocated by it."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="Cannot read") as info:
            read_idx(path, **limit)
        return info.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- read_idx: what it reads


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPE_CODES)
def test_round_trip(write, dtype, shape, pack):
    array = random_array(dtype, shape)
    result = read_idx(write(pack(idx_bytes(array))))
    assert isinstance(result, np.ndarray)
    assert result.dtype == np.dtype(dtype)
    assert result.dtype.isnative
    assert result.shape == shape
    assert result.tobytes() == array.tobytes()  # bytes, as NaN differs from itself
    assert result.flags.c_contiguous
    assert result.flags.writeable


def test_known_bytes(write):
    # Written out by hand, so that reader and writer of the test cannot share a mistake.
    content = b"\x00\x00\x0b\x02\x00\x00\x00\x02\x00\x00\x00\x01\x01\x02\xff\xfe"
    np.testing.assert_array_equal(read_idx(write(content)), [[0x0102], [-2]])


def test_result_can_be_written_to_without_touching_the_file(write):
    path = write(idx_bytes(np.arange(3, dtype="i4")))
    result = read_idx(path)
    result[0] = 7
    assert result.tolist() == [7, 1, 2]
    assert read_idx(path).tolist() == [0, 1, 2]


def test_largest_number_of_dimensions(write):
    limit = 64 if int(np.__version__.split(".")[0]) >= 2 else 32
    shape = (1,) * (limit - 1) + (2,)
    assert read_idx(write(idx_bytes(np.ones(shape, "u1")))).shape == shape
    with pytest.raises(
        ValueError, match=f"{limit + 1} dimensions, expected at most {limit}"
    ):
        read_idx(write(idx_header(8, (1, *shape)) + bytes(2)))


def test_compression_is_decided_by_content(write):
    array = np.arange(4, dtype="u1")
    assert read_idx(write(idx_bytes(array), "plain.gz")).tolist() == [0, 1, 2, 3]
    packed = write(gzip.compress(idx_bytes(array)), "packed")
    assert read_idx(packed).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("as_path", [str, Path, os.fsencode])
def test_path_types(write, as_path):
    path = write(idx_bytes(np.arange(3, dtype="u1")))
    assert read_idx(as_path(path)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
def test_data_of_several_chunks(write, pack):
    array = random_array("f8", (300_001,))
    assert array.nbytes > 2 * MIB
    assert read_idx(write(pack(idx_bytes(array)))).tobytes() == array.tobytes()


def test_gzip_of_several_members(write):
    content = idx_bytes(np.arange(100, dtype="i2"))
    path = write(gzip.compress(content[:50]) + gzip.compress(content[50:]))
    assert read_idx(path).tolist() == list(range(100))


def test_most_compressible_data_are_accepted(write):
    array = np.zeros(8 * MIB, "u1")
    packed = gzip.compress(idx_bytes(array))
    assert array.nbytes > 1020 * len(packed)  # close to the limit of 1032
    assert not read_idx(write(packed)).any()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
def test_pipe(tmp_path, pack):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = pack(idx_bytes(np.arange(3, dtype="i2")))
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    assert read_idx(path).tolist() == [0, 1, 2]
    writer.join()


# ---- read_idx: what it refuses

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
GOOD = idx_bytes(np.arange(6, dtype="i4").reshape(2, 3))
PACKED = gzip.compress(GOOD, mtime=0)  # names of tests must not have the time in them
WRONG_CONTENT = {
    "png": (PNG, r"first bytes b'\x89PNG', expected two zero bytes"),
    "text": (b"5 0 4 1\n", r"first bytes b'5 0 ', expected two zero bytes"),
    "short text": (b"a", r"first bytes b'a', expected two zero bytes"),
    "html": (b"<!DOCTYPE html>", r"first bytes b'<!DO', expected two zero bytes"),
    "second byte": (b"\0\1" + GOOD[2:], r"first bytes b'\x00\x01\x0c\x02'"),
    "twice compressed": (gzip.compress(PACKED, mtime=0), r"first bytes b'\x1f\x8b"),
    "type code": (
        b"\0\0\x0a\0",
        "type code 0x0A, expected one of 0x08 (uint8), 0x09 (int8), 0x0B (int16), "
        "0x0C (int32), 0x0D (float32), 0x0E (float64)",
    ),
    "dimensions": (
        idx_header(8, (1,) * 65) + b"1",
        "found 65 dimensions, expected at most",
    ),
    "most dimensions": (b"\0\0\x08\xff", "found 255 dimensions, expected at most"),
    "empty": (b"", "a header that ends after 0 bytes, expected at least 4 bytes"),
    "magic": (GOOD[:3], "a header that ends after 3 bytes, expected at least 4 bytes"),
    "sizes": (GOOD[:11], "header that ends after 11 bytes, expected 12 bytes for 2 dim"),
    "overflow": (
        idx_header(0x0E, (2**32 - 1,) * 3) + bytes(8),
        "sizes whose product this computer can address",
    ),
    "overflow beside 0": (
        idx_header(8, (0,) + (2**32 - 1,) * 3),
        "sizes whose product this computer can address",
    ),
}


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
@pytest.mark.parametrize(
    ("content", "message"), WRONG_CONTENT.values(), ids=WRONG_CONTENT.keys()
)
def test_wrong_content(write, content, message, pack):
    path = write(pack(content), "name-of-file")
    with pytest.raises(ValueError, match=re.escape(message)) as info:
        read_idx(path)
    assert str(info.value).startswith(f"Cannot read {str(path)!r} as an IDX file: found ")
    assert re.search(r"(download|get|Check|Store)[^.]*\.$", str(info.value))


@pytest.mark.parametrize("end", range(12, len(GOOD)))
def test_truncated_plain_data(write, end):
    message = rf"found {end} bytes, expected 36 for .* \(2, 3\) of int32.* download"
    with pytest.raises(ValueError, match=message):
        read_idx(write(GOOD[:end]))


def test_trailing_plain_data(write):
    with pytest.raises(ValueError, match="found 37 bytes, expected 36 for"):
        read_idx(write(GOOD + b"\0"))


@pytest.mark.parametrize("end", range(12, len(GOOD)))
def test_truncated_data_in_gzip(write, end):
    message = f"found only {end - 12} bytes of data, expected 24 by its header"
    with pytest.raises(ValueError, match=message):
        read_idx(write(gzip.compress(GOOD[:end])))


def test_trailing_data_in_gzip(write):
    message = "found more bytes of data, expected 24 by its header"
    with pytest.raises(ValueError, match=message):
        read_idx(write(gzip.compress(GOOD + b"\0")))


@pytest.mark.parametrize("end", range(2, len(PACKED)))
def test_truncated_gzip(write, end):
    with pytest.raises(ValueError, match=r"found a broken gzip stream \(.*down") as info:
        read_idx(write(PACKED[:end]))
    assert isinstance(info.value.__cause__, EOFError)


def corrupted(position, value):
    return PACKED[:position] + bytes([value]) + PACKED[position + 1 :]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (corrupted(2, 7), gzip.BadGzipFile),  # an unknown method
        (corrupted(10, 0xFF), zlib.error),  # an invalid block type
        (corrupted(len(PACKED) - 8, PACKED[-8] ^ 1), gzip.BadGzipFile),  # the checksum
        (corrupted(len(PACKED) - 1, 1), gzip.BadGzipFile),  # the length
        (PACKED + b"tail", gzip.BadGzipFile),
    ],
)
def test_corrupt_gzip(write, content, cause):
    with pytest.raises(ValueError, match="found a broken gzip stream") as info:
        read_idx(write(content))
    assert isinstance(info.value.__cause__, cause)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        read_idx(tmp_path / "no-such-file")


def test_file_descriptor_is_refused():
    with pytest.raises(TypeError, match=r"os\.PathLike"):
        read_idx(0)


@pytest.mark.skipif(os.name == "nt", reason="Windows raises PermissionError")
def test_folder(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_idx(tmp_path)


# ---- read_idx: memory


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
@pytest.mark.parametrize("shape", [(2**20, 2**20), (2**28,)], ids=str)
def test_announced_sizes_are_not_allocated(write, shape, pack):
    error, peak = peak_memory(write(pack(idx_header(8, shape) + bytes(10))))
    assert f"sizes {shape}" in str(error)
    assert peak < 2 * MIB


def test_announced_size_within_the_gzip_ratio_is_not_allocated(write):
    # Random bytes do not compress: 1 MiB of file could hold the announced GiB of zeros.
    header = idx_header(8, (2**30,))
    data = random_array("u1", (MIB + MIB // 2,)).tobytes()
    error, peak = peak_memory(write(gzip.compress(header + data)))
    assert f"found only {len(data)} bytes of data, expected {2**30}" in str(error)
    assert peak < 5 * MIB


def test_gzip_bomb(write):
    bomb = write(gzip.compress(idx_header(8, (10,)) + bytes(64 * MIB)))
    error, peak = peak_memory(bomb)
    assert "found more bytes of data, expected 10 by its header" in str(error)
    assert peak < 2 * MIB


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
def test_limit_of_the_memory(write, pack):
    path = write(pack(idx_bytes(np.arange(6, dtype="i4").reshape(2, 3))))
    for max_bytes in (24, None):
        assert read_idx(path, max_bytes=max_bytes).tolist() == [[0, 1, 2], [3, 4, 5]]
    message = (
        r"found the announced sizes \(2, 3\) of int32, 24 bytes, expected at most "
        "max_bytes=23. .* pass a larger max_bytes to read_idx, or None for no limit"
    )
    with pytest.raises(ValueError, match=message):
        read_idx(path, max_bytes=23)
    with pytest.raises(ValueError, match="max_bytes == -1, must be >= 0"):
        read_idx(path, max_bytes=-1)
    with pytest.raises(TypeError, match="max_bytes must be an instance of int"):
        read_idx(path, max_bytes="1 GiB")


def test_a_bomb_that_keeps_what_its_header_says_is_not_unpacked(write):
    bomb = write(gzip.compress(idx_header(8, (64 * MIB,)) + bytes(64 * MIB)))
    error, peak = peak_memory(bomb, max_bytes=MIB)
    assert f"{64 * MIB} bytes, expected at most max_bytes={MIB}" in str(error)
    assert peak < MIB


def test_four_gibibytes_are_refused_unless_asked_for(write):
    # 4 GiB of zeros fit into 4.2 MB: the sizes are not refused for the size of the file.
    content = idx_header(8, (2**30, 5)) + random_array("u1", (6 * MIB,)).tobytes()
    path = write(gzip.compress(content, compresslevel=0))
    error, _ = peak_memory(path)
    assert f"expected at most max_bytes={2**32}" in str(error)
    error, _ = peak_memory(path, max_bytes=None)
    assert f"found only {6 * MIB} bytes of data" in str(error)


@pytest.mark.parametrize("pack", PACK.values(), ids=PACK.keys())
def test_reading_takes_little_more_than_the_data(write, pack):
    array = np.zeros(2 * MIB, "f8")
    path = write(pack(idx_bytes(array)))
    tracemalloc.start()
    try:
        read_idx(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # An eighth is the most that a growing bytearray allocates in advance.
    assert array.nbytes <= peak < 1.125 * array.nbytes + 3 * MIB


# ---- read_idx: properties

ARRAYS = st.sampled_from(list(TYPE_CODES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0))
)
ALMOST_IDX = st.builds(
    lambda code, sizes, data: idx_header(code, sizes) + data,
    st.integers(0, 16),
    st.lists(st.integers(0, 4) | st.integers(0, 2**32 - 1), max_size=5),
    st.binary(max_size=64),
)


@settings(deadline=None, max_examples=100)
@given(array=ARRAYS, pack=st.sampled_from(list(PACK.values())))
def test_any_array_round_trips(fuzz_path, array, pack):
    fuzz_path.write_bytes(pack(idx_bytes(array)))
    result = read_idx(fuzz_path)
    assert (result.dtype, result.shape) == (array.dtype, array.shape)
    assert result.tobytes() == array.tobytes()


@settings(deadline=None, max_examples=200)
@given(
    content=st.binary(max_size=64) | ALMOST_IDX, pack=st.sampled_from(list(PACK.values()))
)
def test_any_bytes_give_their_array_or_value_error(fuzz_path, content, pack):
    fuzz_path.write_bytes(pack(content))
    try:
        array = read_idx(fuzz_path)
    except ValueError as error:
        assert str(error).startswith("Cannot read ")  # noqa: PT017
    else:
        assert idx_bytes(array) == content


@settings(deadline=None, max_examples=200)
@given(array=ARRAYS, data=st.data())
def test_any_damage_to_gzip_gives_value_error_or_the_same_array(fuzz_path, array, data):
    packed = bytearray(gzip.compress(idx_bytes(array)))
    position = data.draw(st.integers(2, len(packed) - 1))
    packed[position] ^= data.draw(st.integers(1, 255))
    fuzz_path.write_bytes(packed)
    try:
        result = read_idx(fuzz_path)  # the same where e.g. the time stamp is changed
    except ValueError as error:
        assert str(error).startswith("Cannot read ")  # noqa: PT017
    else:
        assert idx_bytes(result) == idx_bytes(array)


# ---- load_mnist

TINY = {
    "train-images-idx3-ubyte": np.arange(18, dtype="u1").reshape(3, 2, 3),
    "train-labels-idx1-ubyte": np.array([5, 0, 9], "u1"),
    "t10k-images-idx3-ubyte": np.arange(100, 112, dtype="u1").reshape(2, 2, 3),
    "t10k-labels-idx1-ubyte": np.array([9, 7], "u1"),
}
TINY_DATA = np.concatenate([np.arange(18), np.arange(100, 112)]).reshape(5, 6)


@pytest.fixture
def folder(tmp_path):
    for name, array in TINY.items():
        (tmp_path / name).write_bytes(idx_bytes(array))
    return tmp_path


@pytest.mark.parametrize(
    ("subset", "rows", "n_train", "classes"),
    [
        ("all", slice(None), 3, [0, 5, 7, 9]),
        ("train", slice(3), 3, [0, 5, 9]),
        ("test", slice(3, None), 0, [7, 9]),
    ],
)
def test_load_mnist(folder, subset, rows, n_train, classes):
    mnist = load_mnist(folder, subset=subset)
    assert isinstance(mnist, Bunch)
    assert set(mnist) == {
        "data",
        "target",
        "images",
        "feature_names",
        "target_names",
        "n_train",
        "DESCR",
    }
    np.testing.assert_array_equal(mnist.data, TINY_DATA[rows])
    assert mnist.data.dtype == np.uint8
    assert mnist.data.flags.c_contiguous
    assert mnist.target.tolist() == [5, 0, 9, 9, 7][rows]
    assert mnist.target.dtype == np.int64
    assert mnist.n_train == n_train
    assert mnist.target_names.tolist() == classes
    assert mnist.feature_names == [f"pixel_{i}_{j}" for i in (0, 1) for j in (0, 1, 2)]
    assert mnist.DESCR.startswith("MNIST")
    assert mnist.images.shape == (len(mnist.data), 2, 3)
    mnist.images[0, 1, 2] = 255  # a view
    assert mnist.data[0, 5] == 255


def test_load_mnist_defaults_to_all(folder):
    assert load_mnist(folder).target.tolist() == [5, 0, 9, 9, 7]


@pytest.mark.parametrize("subset", ["all", "train", "test"])
def test_load_mnist_return_X_y(folder, subset):
    X, y = load_mnist(folder, subset=subset, return_X_y=True)
    mnist = load_mnist(folder, subset=subset)
    np.testing.assert_array_equal(X, mnist.data, strict=True)
    np.testing.assert_array_equal(y, mnist.target, strict=True)


@pytest.mark.parametrize("as_path", [str, Path])
@pytest.mark.parametrize("separator", ["-", "."])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_load_mnist_file_names(tmp_path, separator, suffix, as_path):
    for name, array in TINY.items():
        name = name.replace("-idx", separator + "idx") + suffix
        (tmp_path / name).write_bytes(PACK["gzip" if suffix else "plain"](idx_bytes(array)))
    assert load_mnist(as_path(tmp_path)).target.tolist() == [5, 0, 9, 9, 7]


def test_load_mnist_prefers_plain_files(folder):
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(b"not read")
    assert load_mnist(folder).target.tolist() == [5, 0, 9, 9, 7]


def test_load_mnist_passes_over_folders_of_the_name(folder):
    # Some archives unpack each file into a folder of the same name.
    name = "train-labels-idx1-ubyte"
    (folder / name).rename(folder / "train-labels.idx1-ubyte")
    (folder / name).mkdir()
    assert load_mnist(folder).target.tolist() == [5, 0, 9, 9, 7]


def test_load_mnist_expands_home(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert load_mnist(f"~/{folder.name}").n_train == 3


def test_load_mnist_without_images(tmp_path):
    for name, array in TINY.items():
        (tmp_path / name).write_bytes(idx_bytes(array[:0]))
    mnist = load_mnist(tmp_path)
    assert mnist.data.shape == (0, 6)
    assert mnist.target.shape == (0,)
    assert mnist.n_train == 0


def test_load_mnist_needs_only_the_files_of_the_subset(folder):
    (folder / "t10k-images-idx3-ubyte").unlink()
    (folder / "t10k-labels-idx1-ubyte").unlink()
    assert load_mnist(folder, subset="train").target.tolist() == [5, 0, 9]
    with pytest.raises(FileNotFoundError, match="t10k-images-idx3-ubyte, t10k-labels-idx1"):
        load_mnist(folder, subset="test")


@pytest.mark.parametrize("missing", TINY)
def test_load_mnist_names_missing_files(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(FileNotFoundError, match=r"fetch_mnist\(\)") as info:
        load_mnist(folder)
    message = str(info.value)
    assert f"The folder {str(folder)!r} lacks the files {missing} " in message
    assert not any(name in message for name in TINY if name != missing)


def test_load_mnist_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere' does not exist.*fetch_mnist"):
        load_mnist(tmp_path / "nowhere")


@pytest.mark.parametrize("subset", ["validation", None, ["train"]])
def test_load_mnist_unknown_subset(folder, subset):
    message = r"subset must be one of \['train', 'test', 'all'\], got "
    with pytest.raises(ValueError, match=message + re.escape(repr(subset))):
        load_mnist(folder, subset=subset)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        (
            "train-images-idx3-ubyte",
            np.ones((3, 6), "u1"),
            r"shape \(3, 6\), expected images",
        ),
        ("t10k-images-idx3-ubyte", np.ones((2, 1, 2, 3), "u1"), "expected images: 3 dim"),
        ("t10k-images-idx3-ubyte", np.array(1, "u1"), r"shape \(\), expected images"),
        ("train-labels-idx1-ubyte", np.ones((3, 1), "u1"), "expected labels: 1 dimension"),
        ("t10k-labels-idx1-ubyte", np.array(2, "u1"), r"shape \(\) .* expected labels"),
        (
            "t10k-labels-idx1-ubyte",
            np.ones(2, "f4"),
            "type float32, expected labels: .*integ",
        ),
        ("train-labels-idx1-ubyte", np.ones(4, "u1"), "holds 3 images, but .* 4 labels"),
        (
            "t10k-images-idx3-ubyte",
            np.ones((1, 2, 3), "u1"),
            "holds 1 images, but .* 2 lab",
        ),
    ],
)
def test_load_mnist_wrong_arrays(folder, name, array, message):
    (folder / name).write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match=message) as info:
        load_mnist(folder)
    assert repr(str(folder / name)) in str(info.value)


def test_load_mnist_images_of_two_sizes(folder):
    images = np.ones((2, 3, 2), "u1")  # as many pixels, so that rows alone would fit
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images))
    with pytest.raises(ValueError, match=r"shape \(2, 3\), but the test images \(3, 2\)"):
        load_mnist(folder)
    assert load_mnist(folder, subset="test").images.shape == (2, 3, 2)


def test_load_mnist_passes_on_errors_of_read_idx(folder):
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(b"<html>")
    with pytest.raises(ValueError, match=re.escape(f"Cannot read {str(path)!r}")):
        load_mnist(folder)


@pytest.mark.skipif("SKDBN_DATA" not in os.environ, reason="SKDBN_DATA is not set")
def test_load_mnist_real():
    mnist = load_mnist(os.environ["SKDBN_DATA"])
    assert mnist.data.shape == (70000, 784)
    assert mnist.data.dtype == np.uint8
    assert mnist.images.shape == (70000, 28, 28)
    assert (mnist.data.min(), mnist.data.max()) == (0, 255)
    assert mnist.n_train == 60000
    assert mnist.data[: mnist.n_train].mean() == pytest.approx(33.3184, abs=1e-4)
    assert mnist.data.mean() == pytest.approx(33.3860, abs=1e-4)
    assert mnist.target[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.target[60000:60005].tolist() == [7, 2, 1, 0, 4]
    train, test = np.bincount(mnist.target[:60000]), np.bincount(mnist.target[60000:])
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert test.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert mnist.target_names.tolist() == list(range(10))
    # The background is around the image, not in it: the order of the axes is right.
    assert mnist.images[:, 0].mean() < 1 < 100 < mnist.images[:, 14, 14].mean()


# ---- fetch_mnist

OPENML_PIXELS = np.random.default_rng(1).integers(0, 256, (5, 784))
OPENML_LABELS = ["5", "0", "4", "9", "7"]


@pytest.fixture
def openml(monkeypatch):
    """A stand-in for OpenML with 3 training and 2 test images; gives its calls."""
    calls = []

    def fake(name, **params):
        calls.append({"name": name, **params})
        return Bunch(
            data=OPENML_PIXELS.astype(np.float64),
            target=np.array(OPENML_LABELS, dtype=object),
        )

    monkeypatch.setattr(_mnist, "fetch_openml", fake)
    monkeypatch.setattr(_mnist, "_OPENML_N_TRAIN", 3)
    return calls


@pytest.mark.parametrize(
    ("subset", "rows", "n_train"),
    [("all", slice(None), 3), ("train", slice(3), 3), ("test", slice(3, None), 0)],
)
def test_fetch_mnist(openml, folder, subset, rows, n_train):
    mnist = fetch_mnist(subset=subset)
    np.testing.assert_array_equal(mnist.data, OPENML_PIXELS[rows])
    assert mnist.data.dtype == np.uint8
    assert mnist.data.flags.c_contiguous
    assert mnist.target.tolist() == [5, 0, 4, 9, 7][rows]
    assert mnist.target.dtype == np.int64
    assert mnist.n_train == n_train
    assert mnist.images.shape == (len(mnist.data), 28, 28)
    np.testing.assert_array_equal(mnist.images[0, 2], mnist.data[0, 56:84])
    assert mnist.feature_names[29] == "pixel_1_1"
    assert set(mnist) == set(load_mnist(folder))


def test_fetch_mnist_return_X_y(openml):
    X, y = fetch_mnist(return_X_y=True)
    np.testing.assert_array_equal(X, OPENML_PIXELS)
    assert y.tolist() == [5, 0, 4, 9, 7]


def test_fetch_mnist_passes_its_parameters_on(openml):
    fetch_mnist()
    fetch_mnist(data_home="somewhere", cache=False, n_retries=7, delay=0.5)
    fixed = {"name": "mnist_784", "version": 1, "as_frame": False, "parser": "auto"}
    defaults = {"data_home": None, "cache": True, "n_retries": 3, "delay": 1.0}
    given = {"data_home": "somewhere", "cache": False, "n_retries": 7, "delay": 0.5}
    assert openml == [{**fixed, **defaults}, {**fixed, **given}]


def test_fetch_mnist_split_of_openml():
    assert _mnist._OPENML_N_TRAIN == 60000


def test_fetch_mnist_unknown_subset_is_refused_before_the_download(openml):
    with pytest.raises(ValueError, match=r"subset must be one of .* got 'valid'"):
        fetch_mnist(subset="valid")
    assert openml == []


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route"),
        TimeoutError("no route"),
        OSError(errno.ENETUNREACH, "no route"),
        IncompleteRead(b"no route"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_fetch_mnist_without_network(monkeypatch, error):
    def fail(*args, **params):
        raise error

    monkeypatch.setattr(_mnist, "fetch_openml", fail)
    with pytest.raises(OSError, match=r"load_mnist\(data_dir\)") as info:
        fetch_mnist()
    assert repr(error) in str(info.value)
    assert info.value.__cause__ is error
