"""The MNIST handwritten digits, from local files or from OpenML."""

from http.client import HTTPException
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from skdbn.datasets._idx import read_idx

# The file name prefixes of the parts that make up each subset, in the order of the rows.
_PREFIXES = {"train": ["train"], "test": ["t10k"], "all": ["train", "t10k"]}
_OPENML_N_TRAIN = 60_000
_OPENML_IMAGE_SHAPE = (28, 28)

_DESCR = """\
MNIST handwritten digits
------------------------

Grey images of the ten handwritten digits, written by about 500 persons: 60000 images to
train on and 10000 images, by other persons, to test on. Each image has 28 x 28 pixels
from 0 (background) to 255 (ink), and is a row of 784 features in `data`. The `n_train`
leading rows come from the training set, the others from the test set.

The pixels are kept as bytes; divide by 255 to get the range [0, 1] that Bernoulli visible
units expect, e.g. ``X = mnist.data.astype("float32") / 255``.

Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits",
http://yann.lecun.com/exdb/mnist/.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86(11), 2278-2324, 1998.
"""


def load_mnist(data_dir, *, subset="all", return_X_y=False):
    """Load MNIST, or a data set in the same form, from its four IDX files.

    The files are ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, as they are or with
    ``.gz``; ``train-images.idx3-ubyte`` and so on are recognised too. Where several
    variants of a file are there, a plain one is preferred to a compressed one. Data sets
    with files of the same names, such as Fashion-MNIST, are loaded likewise.

    Parameters
    ----------
    data_dir : str or os.PathLike
        The folder that holds the files. A leading ``~`` stands for the home folder.
    subset : {"train", "test", "all"}, default="all"
        The rows to load: the training set, the test set, or the training set followed
        by the test set. Only the files of this subset need be there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with these attributes:

        data : ndarray of shape (n_samples, n_pixels)
            One flattened image per row: (70000, 784) for all of MNIST. The pixels are as
            stored, uint8 from 0 to 255 for MNIST; divide by 255 to get [0, 1].
        target : ndarray of shape (n_samples,), dtype int64
            The digit on each image.
        images : ndarray of shape (n_samples, height, width)
            The images, sharing memory with `data`.
        feature_names : list of str
            The name of each pixel, ``pixel_{row}_{column}``.
        target_names : ndarray of shape (n_classes,)
            The distinct values of `target`, in ascending order.
        n_train : int
            The number of leading rows that come from the training set: 60000 for MNIST,
            0 for ``subset="test"``.
        DESCR : str
            A description of MNIST.

    (data, target) : tuple of ndarray if `return_X_y` is True
        The attributes `data` and `target` above.

    Raises
    ------
    FileNotFoundError
        If a file of the subset is missing.
    ValueError
        If `subset` is unknown, a file is not valid IDX, images are not 3-dimensional,
        labels are not 1-dimensional integers, the numbers of images and labels differ,
        or training and test images differ in size.

    See Also
    --------
    fetch_mnist : Download MNIST from OpenML.
    read_idx : Read one IDX file.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten
       digits", http://yann.lecun.com/exdb/mnist/.

    Examples
    --------
    A folder with two training images of 1 x 2 pixels:

    >>> import tempfile
    >>> from pathlib import Path
    >>> from skdbn.datasets import load_mnist
    >>> images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 255, 0, 51, 102])
    >>> labels = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 3])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "train-images-idx3-ubyte").write_bytes(images)
    ...     _ = (Path(folder) / "train-labels-idx1-ubyte").write_bytes(labels)
    ...     X, y = load_mnist(folder, subset="train", return_X_y=True)
    >>> X / 255
    array([[1. , 0. ],
           [0.2, 0.4]])
    >>> y
    array([7, 3])
    """
    _check_subset(subset)
    parts = [_read_part(*paths) for paths in _locate(data_dir, _PREFIXES[subset])]
    images, labels = zip(*parts, strict=True)
    if len({part.shape[1:] for part in images}) > 1:
        raise ValueError(
            f"The training images in {str(data_dir)!r} have the shape "
            f"{images[0].shape[1:]}, but the test images {images[1].shape[1:]}. Take both "
            "from the same data set, or load them one by one with subset='train' and "
            "subset='test'."
        )
    n_train = 0 if subset == "test" else len(labels[0])
    return _dataset(np.concatenate(images), np.concatenate(labels), n_train, return_X_y)


def fetch_mnist(
    *,
    data_home=None,
    subset="all",
    return_X_y=False,
    cache=True,
    n_retries=3,
    delay=1.0,
):
    """Download MNIST from OpenML, or take it from scikit-learn's cache.

    This is :func:`sklearn.datasets.fetch_openml` for the data set ``mnist_784``, with the
    pixels as bytes and the labels as integers, as :func:`load_mnist` returns them.

    Parameters
    ----------
    data_home : str or os.PathLike, default=None
        The folder of the cache. By default all data of scikit-learn are stored in
        subfolders of ``~/scikit_learn_data``.
    subset : {"train", "test", "all"}, default="all"
        The rows to return: the training set, the test set, or the training set followed
        by the test set. The download is the same for each.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    cache : bool, default=True
        Whether to keep the downloaded file in `data_home`.
    n_retries : int, default=3
        The number of further attempts after a network error.
    delay : float, default=1.0
        The number of seconds between attempts.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch`
        The same attributes as :func:`load_mnist` returns: `data`, uint8 of shape
        (70000, 784) for ``subset="all"``, `target`, `images`, `feature_names`,
        `target_names`, `n_train` and `DESCR`.

    (data, target) : tuple of ndarray if `return_X_y` is True
        The attributes `data` and `target` above.

    Raises
    ------
    OSError
        If the data are neither in the cache nor can be downloaded.
    ValueError
        If `subset` is unknown.

    See Also
    --------
    load_mnist : Load MNIST from local files.

    References
    ----------
    .. [1] J. Vanschoren, J. N. van Rijn, B. Bischl and L. Torgo, "OpenML: networked
       science in machine learning", SIGKDD Explorations 15(2), 49-60, 2013. The data set
       is https://www.openml.org/d/554.

    Examples
    --------
    >>> from skdbn.datasets import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> mnist.data.shape  # doctest: +SKIP
    (70000, 784)
    """
    _check_subset(subset)
    try:
        raw = fetch_openml(
            "mnist_784",
            version=1,
            as_frame=False,
            parser="auto",
            data_home=data_home,
            cache=cache,
            n_retries=n_retries,
            delay=delay,
        )
    except (OSError, HTTPException) as error:
        raise OSError(
            f"MNIST could not be fetched from OpenML ({error!r}). Try again with a network "
            "connection, or copy the four files of MNIST (train-images-idx3-ubyte.gz and "
            "so on) into a folder and use load_mnist(data_dir)."
        ) from error
    train, test = slice(_OPENML_N_TRAIN), slice(_OPENML_N_TRAIN, None)
    rows = {"train": train, "test": test, "all": slice(None)}[subset]
    data = raw.data[rows].astype(np.uint8)
    target = raw.target[rows].astype(np.int64)
    n_train = 0 if subset == "test" else len(target[train])
    return _dataset(data.reshape(-1, *_OPENML_IMAGE_SHAPE), target, n_train, return_X_y)


def _check_subset(subset):
    """Refuse an unknown subset."""
    if subset not in list(_PREFIXES):
        raise ValueError(f"subset must be one of {list(_PREFIXES)}, got {subset!r}.")


def _locate(data_dir, prefixes):
    """Return the paths of the image and the label file for each prefix."""
    folder = Path(data_dir).expanduser()
    stems = [
        stem
        for prefix in prefixes
        for stem in ((f"{prefix}-images", "idx3-ubyte"), (f"{prefix}-labels", "idx1-ubyte"))
    ]
    paths = [_first_variant(folder, *stem) for stem in stems]
    missing = ["-".join(stem) for stem, path in zip(stems, paths, strict=True) if not path]
    if missing:
        state = "lacks" if folder.is_dir() else "does not exist, and so lacks"
        raise FileNotFoundError(
            f"The folder {str(folder)!r} {state} the files {', '.join(missing)} "
            "(plain or with .gz). Put them there, pass the folder that holds them, or use "
            "fetch_mnist() to download the data from OpenML."
        )
    return list(zip(paths[::2], paths[1::2], strict=True))


def _first_variant(folder, name, kind):
    """Return the first existing variant of a file of MNIST, or None."""
    variants = (
        folder / f"{name}{separator}{kind}{suffix}"
        for suffix, separator in product(("", ".gz"), "-.")
    )
    return next((path for path in variants if path.is_file()), None)


def _read_part(images_path, labels_path):
    """Read the images and labels of the training or the test set and check their form."""
    images = read_idx(images_path)
    labels = read_idx(labels_path)
    if images.ndim != 3:
        raise ValueError(
            f"{str(images_path)!r} holds an array of shape {images.shape}, expected "
            "images: 3 dimensions (n_samples, height, width). Check which file has this "
            "name."
        )
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{str(labels_path)!r} holds an array of shape {labels.shape} and type "
            f"{labels.dtype}, expected labels: 1 dimension (n_samples,) of integers. Check "
            "which file has this name."
        )
    if len(images) != len(labels):
        raise ValueError(
            f"{str(images_path)!r} holds {len(images)} images, but {str(labels_path)!r} "
            f"{len(labels)} labels. Take both from the same data set."
        )
    return images, labels.astype(np.int64)


def _dataset(images, target, n_train, return_X_y):
    """Make the return value of the loaders."""
    n_samples, height, width = images.shape
    data = images.reshape(n_samples, height * width)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        images=images,
        feature_names=[f"pixel_{i}_{j}" for i, j in np.ndindex(height, width)],
        target_names=np.unique(target),
        n_train=n_train,
        DESCR=_DESCR,
    )
