"""A folder that appears under its name when it is complete, and not before."""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path

from kveil.errors import KveilError, SettingsError

_UNFINISHED = ".unfinished"


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` to write into: it gets that name when the block ends well, and is removed when it does not.

    What killed processes left beside is removed by the next one for the same path. Each writer has a folder of its own, so
    that tasks which outlive their process spoil nobody's. Raises SettingsError where `path` is there and not empty, KveilError
    while another process is writing it.
    """
    require_empty(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f".{escape(path.name)}.*{_UNFINISHED}"):
            _remove_unless_held(left, path)
        beside = path.parent / f".{path.name}.{uuid.uuid4().hex[:12]}{_UNFINISHED}"
        beside.mkdir()
    except OSError as error:
        raise SettingsError([f"--out: {path} cannot be made ({error.strerror}); give a folder you may write"]) from None
    with _held(beside):
        try:
            yield beside
            require_empty(path)
            beside.rename(path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise


def require_empty(path: Path) -> None:
    """Raises SettingsError unless the path is free or an empty folder."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        what = "a folder with files in it" if path.is_dir() else "no folder"
        raise SettingsError([f"--out: {path} is {what}; nothing is overwritten, so give a new or an empty folder"])


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system frees when the process dies; BlockingIOError when another holds it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _remove_unless_held(left: Path, path: Path) -> None:
    try:
        with _held(left):
            shutil.rmtree(left)
    except BlockingIOError:
        raise KveilError(f"--out: another process is writing {path}; wait until it is done or give another folder") from None
