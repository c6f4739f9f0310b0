"""Who may read what a lake shows: its owner and, where the user's mask lets it, the owner's group; nobody else."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_FOLDER, _FILE = 0o750, 0o640


def close_to_others(*paths: Path) -> None:
    """Leaves to the group reading, to others nothing; a mode that is stricter stays, and what is not there is passed over."""
    for path in paths:
        with suppress(FileNotFoundError):
            path.chmod(path.stat().st_mode & _FOLDER)


def share_with_group(folders: Iterable[Path]) -> None:
    """Lets the group read all that lies in the folders, as far as the user's mask does.

    For what a local session wrote, whose files are its user's alone. Another process may remove files meanwhile.
    """
    mask = _mask()
    for top in folders:
        for folder, _, files in os.walk(top):
            _set(folder, _FOLDER & ~mask)
            for file in files:
                _set(os.path.join(folder, file), _FILE & ~mask)


def _set(path: str, mode: int) -> None:
    """PermissionError is of another user's file, whose mode is that user's matter."""
    with suppress(FileNotFoundError, PermissionError):
        if os.stat(path, follow_symlinks=False).st_mode & 0o777 != mode and not os.path.islink(path):
            os.chmod(path, mode)


def _mask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
