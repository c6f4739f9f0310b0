"""The folder of what Spark and Python write aside while they work: rows of people, for nobody else and gone with the process.

A process has a folder of its own in its lake's restricted zone, or on the disk that KVEIL_SCRATCH names. It holds a lock as long
as it lives, which the system frees when it dies, however it dies; what is found without one is swept by the next process.
"""

import atexit
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kveil.errors import KveilError

ELSEWHERE = "KVEIL_SCRATCH"
"""Names a folder on a disk for what is written aside, instead of the lake's restricted zone."""

_PREFIX, _LOCK = "work-", ".lock"
_CLOSED = 0o077


@dataclass(frozen=True)
class Scratch:
    """The folder of this process, mode 0700, and where in it what is kept."""

    folder: Path

    @property
    def spark(self) -> Path:
        """Blocks of shuffles, spills and broadcasts."""
        return self.folder / "spark"

    @property
    def java(self) -> Path:
        """Temporary files of the JVM and its libraries."""
        return self.folder / "java"

    @property
    def python(self) -> Path:
        """Temporary files of Python, its workers and libraries."""
        return self.folder / "python"

    @property
    def warehouse(self) -> Path:
        """Spark makes this folder, in the working directory by default, though every table here has a path of its own."""
        return self.folder / "warehouse"


_held: list[int] = []
"""The locks of this process, open until it ends."""


def scratch_home(files: Path | None = None) -> Path:
    """Where the folders of all processes of a lake lie; of a process that works on no lake, a folder of its user's."""
    given = os.environ.get(ELSEWHERE)
    if files is not None and not given:
        return files / "restricted" / ".scratch"
    # A disk that is named may be everybody's, as the system's temporary folder is: only a folder in it is closed.
    return Path(given or tempfile.gettempdir()).absolute() / f"kveil-{os.getuid()}"


def open_scratch(home: Path) -> Scratch:
    """A folder for this process alone, after what dead processes left was swept; removed when the process ends."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _require_own(home)
        home.chmod(0o700)
        sweep(home)
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        _held.append(_locked(home / f"{name}{_LOCK}"))
        scratch = Scratch(home / name)
        for folder in (scratch.folder, scratch.spark, scratch.java, scratch.python, scratch.warehouse):
            folder.mkdir(mode=0o700)
    except OSError as error:
        sentence = f"{ELSEWHERE}: {home} cannot be used for temporary files ({error.strerror}); name a folder of your own"
        raise KveilError(sentence) from None
    atexit.register(_remove, scratch.folder)
    return scratch


def sweep(home: Path) -> int:
    """Removes what processes left that are no more, and returns how many they were; those that live keep theirs."""
    if not home.is_dir():
        return 0
    dead = [folder for folder in home.glob(f"{_PREFIX}*") if folder.is_dir() and _is_dead(folder)]
    for folder in dead:
        _remove(folder)
    return len(dead)


@contextmanager
def closed_files() -> Iterator[None]:
    """What this process and those that it starts make while this lasts is for its user alone, theirs for good."""
    before = os.umask(_CLOSED)
    os.umask(before | _CLOSED)
    try:
        yield
    finally:
        os.umask(before)


def _require_own(home: Path) -> None:
    """OSError where somebody else made the folder, or a link in its place, and would be its owner still."""
    if home.is_symlink() or home.stat().st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "it is another user's")


def _locked(path: Path) -> int:
    """The lock file, open and locked; programs that this process starts do not inherit it."""
    import fcntl

    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _is_dead(folder: Path) -> bool:
    """Whether nobody holds the folder's lock. It is made before the folder, so without one its process is gone."""
    import fcntl

    try:
        with open(f"{folder}{_LOCK}", encoding="utf-8") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _remove(folder: Path) -> None:
    """The folder, then its lock: what cannot be removed now is swept by the next process."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        Path(f"{folder}{_LOCK}").unlink(missing_ok=True)
