"""How a command ends that met what nobody foresaw: in one sentence, with its trace where nobody else reads it."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from kveil.errors import KveilError
from kveil.session import disk_is_full, files_are_gone
from kveil.tables.lake import Lake


@contextmanager
def told_in_one_sentence(lake: Lake) -> Iterator[None]:
    """Turns what nobody foresaw into a sentence that names the file of its trace; in the end the group may read what was made."""
    try:
        yield
    except Exception as error:
        if disk_is_full(error):
            place = lake.root if lake.catalog is None else lake.catalog
            sentence = f"--lake: the disk of {place} is full; free some space and run again, which goes on where this run ended"
            raise KveilError(sentence) from None
        if isinstance(error, KveilError):
            raise
        if files_are_gone(error):
            raise KveilError(
                "files of a table were removed while it was read, as by a run or an erasure that works in this lake; run again "
                f"when that is done (details for the developers are in {_trace(lake)})"
            ) from None
        raise KveilError(f"unexpected {type(error).__name__}; details for the developers are in {_trace(lake)}") from error
    finally:
        lake.share()


def _trace(lake: Lake) -> Path:
    """Where the trace was written: in the restricted zone, since JVM messages can quote values."""
    folder = lake.files / "restricted" / "errors"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="utf-8") as handle:
        handle.write(traceback.format_exc())
    return path
