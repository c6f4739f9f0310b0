"""A folder that appears under its name when it is complete, and not before."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kveil.errors import KveilError, SettingsError


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A folder beside `path` to write into: it gets that name when the block ends well, and is removed when it does not.

    What a killed process left beside is removed by the next one for the same path; two at once are told apart by a lock that
    the system frees. Raises SettingsError where `path` is there and not empty.
    """
    require_empty(path)
    beside = path.parent / f".{path.name}.unfinished"
    try:
        beside.mkdir(parents=True, exist_ok=True)
        handle = os.open(beside, os.O_RDONLY)
    except OSError as error:
        raise SettingsError([f"--out: {path} cannot be made ({error.strerror}); give a folder you may write"]) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        require_empty(path)
        _emptied(beside)
        yield beside
        beside.rename(path)
    except BlockingIOError:
        raise KveilError(f"--out: another process is writing {path}; wait until it is done or give another folder") from None
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    finally:
        os.close(handle)


def require_empty(path: Path) -> None:
    """Raises SettingsError unless the path is free or an empty folder."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        what = "a folder with files in it" if path.is_dir() else "no folder"
        raise SettingsError([f"--out: {path} is {what}; nothing is overwritten, so give a new or an empty folder"])


def _emptied(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
