"""Level 0: files that are there as a whole or not at all."""

import os
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path


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

    A process that is killed, or a disk that is full, leaves what was there before.
    """
    path = Path(path)
    # One name for all attempts, so that killed processes do not leave one file each.
    aside = path.with_name(path.name + ".part")
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


def _sync_folder(folder):
    """Bring the new name of a file to the disk, where folders can be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
