"""Where a lake is: a folder of Delta tables, or a catalog whose schemas are the zones."""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kveil.errors import KveilError, SettingsError
from kveil.modes import close_to_others, share_with_group
from kveil.tables.declaration import ZONES, TableRef

_PERSONAL = ("raw", "clean", "restricted")
_OF_THE_GROUP = ("control", "reports", "mlflow", "mlflow.db")


@dataclass(frozen=True)
class Lake:
    """A place for tables and files. `root` is a folder or a Spark path; `catalog` names a catalog instead."""

    root: str
    catalog: str | None = None

    @classmethod
    def at(cls, address: str) -> "Lake":
        """The lake at `./folder`, `s3://...` or `catalog:NAME`; a catalog keeps files in KVEIL_FILES."""
        if not address.startswith("catalog:"):
            return cls(address if "://" in address else str(Path(address).resolve()))
        catalog = address.removeprefix("catalog:")
        if not re.fullmatch(r"\w+", catalog):
            raise SettingsError([f"--lake: found {address!r}; allowed: a folder, a path, or catalog:NAME"])
        return cls(_files(), catalog)

    @property
    def files(self) -> Path:
        """The folder for what is not a table: the lake itself where it is local, else KVEIL_FILES."""
        return Path(self.root if self.is_local else _files())

    @property
    def mark(self) -> str:
        """What tells this lake from others where several register their models in one place; says nothing of where it is."""
        return hashlib.sha256((self.catalog or self.root).encode()).hexdigest()[:16]

    @property
    def is_local(self) -> bool:
        """Whether tables are folders of this machine."""
        return self.catalog is None and "://" not in self.root

    def identifier(self, ref: TableRef) -> str:
        """The table's name in SQL."""
        if self.catalog:
            return f"`{self.catalog}`.`{ref.zone}`.`{ref.name}`"
        return f"delta.`{self.root}/{ref.zone}/{ref.name}`"

    def folder(self, ref: TableRef) -> Path:
        """The table's folder; only for local lakes."""
        return Path(self.root) / ref.zone / ref.name

    def checkpoint(self, name: str) -> str:
        """Where a stream keeps what it has read, as Spark takes it: beside the control tables, where the lake is a folder."""
        root = str(self.files) if self.catalog else self.root
        return f"{root}/control/_checkpoints/{name}"

    def prepare(self) -> None:
        """Makes the zones of a local lake: those with personal rows are the user's alone, what tells of the work the group's."""
        if not self.is_local:
            return
        try:
            for zone in ZONES:
                folder = Path(self.root) / zone
                folder.mkdir(parents=True, exist_ok=True)
                if zone in _PERSONAL:
                    folder.chmod(0o700)
            close_to_others(*(Path(self.root) / name for name in _OF_THE_GROUP))
        except OSError as error:
            raise KveilError(f"--lake: {self.root} cannot be used ({error.strerror}); give a folder you may write") from None

    def alone(self, policy: str) -> AbstractContextManager[None]:
        """Keeps all others out who change a policy's tables: runs, erasures, retention. Fails at once where one is at it.

        To be held before anything of these tables is read.
        """
        busy = f"policy {policy}: another run is working in this lake, or an erasure or retention; wait until it is done"
        return self.locked(f"run-{policy}", busy)

    def share(self) -> None:
        """Lets the group read what a local session, whose files are its user's alone, wrote of evidence and releases."""
        if self.is_local:
            share_with_group(Path(self.root) / zone for zone in ("control", "release"))

    @contextmanager
    def locked(self, name: str, busy: str = "") -> Iterator[None]:
        """Holds a machine-wide lock of a local lake while the block runs; the system frees it when the process dies.

        Local file systems lack the atomic put-if-absent that Delta's commits rely on between processes, so local
        writers take turns; elsewhere Delta's own protocol decides. With `busy`, fails with that sentence instead of waiting.
        """
        if not self.is_local:
            yield
            return
        import fcntl

        with open(Path(self.root) / "control" / f".{name}.lock", "w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
            except BlockingIOError:
                raise KveilError(busy) from None
            yield


def _files() -> str:
    return str(Path(os.environ.get("KVEIL_FILES", "kveil-files")).resolve())
