"""Going on with a fit that was killed."""

import copy
import re
import warnings
from datetime import datetime
from numbers import Integral
from pathlib import Path

import joblib
import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from .. import __version__
from .._archive import read_archive, write_archive
from .._files import check_writable
from .._interrupts import interruption
from .._sklearn import Interval
from .._tasks import JOURNAL, remembering_callbacks
from ._base import Callback

_FORMAT = "skdbn checkpoint 1"


class Checkpoint(Callback):
    """Callback that lets a fit that was killed go on where it was, bit for bit.

    Run the same program again: a fit with the same parameters and the same data finds the
    file, says so in a line, and goes on after the last epoch that is in it, through
    pretraining and fine-tuning alike. It ends with the parameters that it would have had
    without the interruption, also if no ``random_state`` is set.

    Goes on the estimator of this package that is to be resumed, also as a step of a
    pipeline, and one file belongs to one fit.

    Parameters
    ----------
    path : str or Path
        The file. It is replaced as a whole, so that a crash leaves the old or the new one.
    every : int, default=1
        Epochs from one writing to the next; the end of each layer is always written.
    verbose : bool, default=True
        Whether to print a line where a fit goes on.

    Raises
    ------
    OSError
        In ``fit``, if the file cannot be written at the start. Later, and when a fit goes
        on, that is a RuntimeWarning, and training goes on.
    ValueError
        In ``fit``, if the file is no checkpoint, or that of another fit which has not
        ended. One of a fit that has ended is replaced. Also on an estimator of another
        package, such as a pipeline, which has no epochs to keep.

    See Also
    --------
    Snapshots : Keeps fitted estimators of several moments.

    Notes
    -----
    When a fit has ended the file says so, and the same fit of the same data trains nothing
    again: a program that fails after its fit can be run again too. Delete the file to train
    anew. To keep a model, save the fitted estimator itself, with joblib or skops.

    Parameters, except ``verbose``, those of callbacks that are kept too, their rows
    included, and data, all of them, are compared by their contents, so other data are never
    taken for the same; but functions and classes of your own only by their names. The file
    is NumPy's ``.npz`` without pickles: to read it runs no code. It has the parameters of
    all layers with what their optimisers, samplers and random numbers know, about three
    times the size of the model.

    L-BFGS keeps what it knows to itself: a fit that is killed in it starts it again where
    pretraining ended. ``partial_fit`` is not kept. Callbacks of your own on the same
    estimator are kept if they have ``get_state(estimator)``, which returns numbers, strings
    and arrays in dicts and lists, and ``set_state(estimator, state)``, as
    :class:`EarlyStopping` has; :class:`Snapshots` and :class:`Recorder` begin anew.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdbn import RBM
    >>> from skdbn.callbacks import Checkpoint
    >>> X = load_digits().data / 16
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(Path(folder, "rbm.npz"), every=2, verbose=False)
    ...     rbm = RBM(8, max_iter=4, random_state=0).set_callbacks(checkpoint)
    ...     first = rbm.fit(X).components_
    ...     again = rbm.fit(X).components_  # from the file
    >>> np.array_equal(first, again)
    True
    """

    _parameter_constraints: dict = {
        "path": [str, Path],
        "every": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["boolean"],
    }

    def __init__(self, path, *, every=1, verbose=True):
        super().__init__(path=path, every=every, verbose=verbose)

    def setup(self, estimator, context):
        """Hang the journal on the task of the fit, where the loops find it."""
        self._check_place(estimator)
        if context.source_task_name == "layer":
            raise ValueError(
                "A Checkpoint of an RBM would be one file for all layers. Set it on the "
                "stack or the network that the RBM is a layer of."
            )
        setattr(context, JOURNAL, _Journal(Path(self.path), self.every, self.verbose))


class _Journal:
    """What a file knows of one fit."""

    def __init__(self, path, every, verbose):
        self.path, self.every, self.verbose = path, every, verbose
        self.head = None
        self.states = {}
        self.n_waited = 0

    @property
    def is_open(self):
        """Whether it is known which fit this is of."""
        return self.head is not None

    def open(self, estimator, origin):
        """Find the states of this fit, if there are any."""
        check_writable(self.path.absolute().parent)
        self.head = {
            "format": _FORMAT,
            "version": __version__,
            "estimator": type(estimator).__name__,
            "params": _describe_params(estimator),
            "callbacks": list(map(_describe_callback, remembering_callbacks(estimator))),
            "data": joblib.hash([_contents(data) for data in origin]),
            "random": None,
            "where": None,
            "complete": False,
        }
        found = self._read() if self.path.exists() else {"states": {}}
        # Where no state has been kept there is nothing to go on with, or to lose.
        if found["states"] and self._is_of_this_fit(found["head"]):
            self.head, self.states = found["head"], found["states"]
            self._say()
        else:
            # Now, as L-BFGS keeps nothing before its end.
            self._write()

    def _is_of_this_fit(self, head):
        """Whether a head is that of this fit; raises if it is of one that has not ended."""
        differing = _compare(head, self.head)
        if differing and not head["complete"]:
            raise ValueError(
                f"{self.path} is the checkpoint of another fit, which has not ended: "
                f"{differing}. Go on with that one, pass another path to Checkpoint, or "
                "delete the file."
            )
        return not differing

    def _read(self):
        """What is in the file."""
        try:
            found = read_archive(self.path)
            if found["head"]["format"] == _FORMAT:
                return found
            reason = f"its format is {found['head']['format']!r}"
        except (ValueError, KeyError, TypeError) as error:
            reason = error
        raise ValueError(
            f"{self.path} is not a checkpoint that this version can read: {reason} Pass "
            "another path to Checkpoint, or delete the file."
        )

    def _say(self):
        """Tell that the fit is not from the beginning."""
        if not self.verbose:
            return
        if self.head["complete"]:
            text = "this fit has ended before, nothing is trained again"
        else:
            text = f"going on after {self.head['where']}, written {self.head['written']}"
        print(f"[Checkpoint] {self.path}: {text}", flush=True)

    def begin_random(self, random_state):
        """The generator of the fit, which begins where it began the first time."""
        if random_state is np.random.mtrand._rand:  # the one of all, not to be set back
            random_state = np.random.RandomState(random_state.randint(2**31 - 1))
        if self.head["random"] is None:
            self.head["random"] = random_state.get_state(legacy=False)
        else:
            random_state.set_state(self.head["random"])
        return random_state

    def find(self, key):
        """The states of a task, or None."""
        return self.states.get(key)

    def is_due(self, final):
        """Count an epoch; returns whether it is to be kept."""
        self.n_waited += 1
        return final or self.n_waited >= self.every

    def keep_start(self, key, states, where):
        """Write the first states of all; raises where there is no room for them."""
        self._take(key, states, where)
        self._write()

    def keep(self, key, states, where):
        """Write the states of a task, with those of tasks that have ended, if possible."""
        self._take(key, states, where)
        self._write_or_warn()

    def complete(self):
        """Say in the file that the fit has ended, unless by Ctrl-C."""
        if self.is_open and not interruption.requested and not self.head["complete"]:
            self.head["complete"] = True
            self._write_or_warn()

    def _take(self, key, states, where):
        """Take the states of a task for those to be written."""
        # Training changes arrays in place that later files are to have as they are.
        self.states[key] = copy.deepcopy(states)
        self.head.update(where=where, written=f"{datetime.now():%Y-%m-%d %H:%M:%S}")
        self.n_waited = 0

    def _write(self):
        """Replace the file."""
        try:
            write_archive(self.path, {"head": self.head, "states": self.states})
        except OSError as error:
            message = f"The checkpoint {self.path} could not be written: {error.strerror}"
            raise type(error)(error.errno, message) from error

    def _write_or_warn(self):
        """Replace the file, or tell that it is as it was: no reason to lose a fit."""
        try:
            self._write()
        except OSError as error:
            warnings.warn(
                f"{error}. Training goes on, and the file is as it was.",
                RuntimeWarning,
                stacklevel=1,
            )


def _compare(found, now):
    """How the head of a file differs from that of this fit, in words; "" if it does not."""
    for name in ("estimator", "version"):
        if found[name] != now[name]:
            return f"its {name} is {found[name]}, not {now[name]}"
    if found["callbacks"] != now["callbacks"]:
        return f"its callbacks are {found['callbacks']}, not {now['callbacks']}"
    params = found["params"] | now["params"]
    changed = [
        name for name in params if found["params"].get(name) != now["params"].get(name)
    ]
    if changed:
        return f"other values of {', '.join(changed)}"
    return "" if found["data"] == now["data"] else "its data are others"


def _contents(data):
    """Data without what some containers note beside them, which may change."""
    if isinstance(data, (list, tuple)):
        return [_contents(part) for part in data]
    if sparse.issparse(data):
        data = data.tocsr()
        return [data.shape, data.indptr, data.indices, data.data]
    if hasattr(data, "to_numpy"):  # tables and their columns
        columns = getattr(data, "columns", [])
        return [list(map(str, columns)), data.to_numpy()]
    return data


def _describe_params(estimator):
    """The parameters of an estimator as strings, except those that change no number."""
    params = estimator.get_params(deep=False)
    return {name: _describe(value) for name, value in params.items() if name != "verbose"}


def _describe_callback(callback):
    """A callback with its parameters as a string."""
    names = getattr(callback, "_parameter_constraints", ())
    params = (f"{name}={_describe(getattr(callback, name))}" for name in names)
    return f"{type(callback).__name__}({', '.join(params)})"


def _describe(value):
    """A value as a string that is the same in another process."""
    if hasattr(value, "shape"):  # an array, a sparse matrix or a table
        return joblib.hash(_contents(value))
    if isinstance(value, np.random.RandomState):
        return joblib.hash(value.get_state(legacy=False))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_describe, value))}]"
    if isinstance(value, BaseEstimator):
        params = _describe_params(value)
        # What a frozen one has learned is a part of what the fit depends on.
        params |= {
            name: _describe(part)
            for name, part in vars(value).items()
            if name.endswith("_") and isinstance(part, (np.ndarray, list))
        }
        inside = ", ".join(f"{name}={text}" for name, text in sorted(params.items()))
        return f"{type(value).__name__}({inside})"
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
