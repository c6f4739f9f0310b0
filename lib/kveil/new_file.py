"""Files for a person to edit: written as a whole or not at all, and never over one that is there."""

import os
from pathlib import Path

from kveil.errors import SettingsError


def require_new(path: Path) -> None:
    """SettingsError where there is something at the path: what a person has edited is never overwritten."""
    if path.exists():
        raise SettingsError([f"--out: {path} is there already; give a new file, so that nothing that was edited is lost"])


def write_new(path: Path, text: str) -> None:
    """Writes the file, as a whole or not at all; SettingsError where it is there meanwhile or cannot be written."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        require_new(path)
        beside.replace(path)
    except OSError as error:
        raise SettingsError([f"--out: {path} cannot be written ({error.strerror}); give another file"]) from None
    finally:
        beside.unlink(missing_ok=True)
