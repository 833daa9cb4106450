"""Level 0: files that are there as a whole or not at all."""

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


def check_writable(folder):
    """Make a folder, and raise where no file can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"skdbn")
    except OSError as error:
        raise type(error)(
            error.errno,
            f"No file can be written to the folder {str(folder)!r}: {error.strerror}. "
            "Choose another one, or make room and rights in it",
        ) from error


@contextmanager
def replacing(path):
    """Open a binary file that takes the place of ``path`` once all of it is on the disk.

    A process that is killed, or a disk that is full, leaves what was there before. Threads
    and processes that replace the same file do so one after the other.
    """
    path = Path(path)
    # One name for all attempts, so that killed processes do not leave one file each.
    aside = path.with_name(path.name + ".part")
    with _alone(aside):
        try:
            with open(aside, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        except BaseException:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            raise
    _sync_folder(path.parent)


@contextmanager
def _alone(path):
    """Hold the lock of a file, which is made for it and may be renamed or removed."""
    if fcntl is None:  # where an open file cannot be renamed, by anybody
        yield
        return
    while True:
        # A process that is killed lets go of the lock.
        with open(path, "ab") as file:
            with suppress(OSError):  # on a disk without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had the lock before may have put the file elsewhere.
            if _is_at(file, path):
                yield
                return


def _is_at(file, path):
    """Whether an open file is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _sync_folder(folder):
    """Bring the new name of a file to the disk, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
