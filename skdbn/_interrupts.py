"""Level 0: Ctrl-C in a fit.

The first one asks the loops to stop after the batch that they are at, so that the estimator
is left fitted with what it has learned; a second one raises at once.
"""

import signal
import threading
import warnings
from pathlib import Path

from sklearn.exceptions import ConvergenceWarning

_OWN_FOLDER = Path(__file__).parent


class Interruption(threading.local):
    """Whether the fit of this thread is to stop; signals come to the main thread alone.

    Attributes
    ----------
    requested : bool
        Whether the loops are to stop.
    """

    def __init__(self):
        self.requested = False
        self._where = None
        self._fitting = False

    def noticed(self, where):
        """Be told where training was when it stopped; the first place counts."""
        self._where = self._where or where

    def wrap(self, fit, estimator, frame):
        """Call a fit, which a first Ctrl-C ends in order.

        ``frame`` is that of the caller. Code of the user's own gets a warning; other
        packages, such as a search, a KeyboardInterrupt that ends them too.
        """
        if self._fitting or not _raises_on_signal():
            return fit()
        self.requested, self._where, self._fitting = False, None, True
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            result = fit()
            interrupted, where = self.requested, self._where
        finally:
            self.requested = self._fitting = False
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if not interrupted:
            return result
        if _is_of_a_package(_caller(frame, estimator)):
            raise KeyboardInterrupt
        warnings.warn(
            f"{type(estimator).__name__} was interrupted {where or 'at its end'}, and has "
            "what was learned so far. To be able to go on with such a fit, set "
            "skdbn.callbacks.Checkpoint. A second Ctrl-C stops a fit at once and undoes "
            "it.",
            ConvergenceWarning,
            stacklevel=1,
        )
        return result

    def _on_signal(self, number, frame):
        """Ask the loops to stop, once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


interruption = Interruption()


def _raises_on_signal():
    """Whether a Ctrl-C would raise KeyboardInterrupt here; else it is not our business."""
    if threading.current_thread() is not threading.main_thread():
        return False
    return signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _caller(frame, estimator):
    """The first frame that is not one of the estimator's own methods."""
    while frame.f_back is not None and frame.f_locals.get("self") is estimator:
        frame = frame.f_back
    return frame


def _is_of_a_package(frame):
    """Whether a frame is code of an installed package, or of this one."""
    path = Path(frame.f_code.co_filename)
    installed = {"site-packages", "dist-packages"}.intersection(path.parts)
    return bool(installed) or path.is_relative_to(_OWN_FOLDER)
