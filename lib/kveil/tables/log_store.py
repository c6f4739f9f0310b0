"""Whether the lake's storage keeps two jobs from writing the same Delta version, which the ledger's promise rests on."""

import os
from urllib.parse import urlsplit

from kveil.errors import KveilError
from kveil.tables.store import TableStore

ONE_DRIVER = "KVEIL_SINGLE_DRIVER"
"""Set to 1 to promise that one driver at a time writes to the lake, where its storage cannot see to that."""

_S3 = ("s3", "s3a", "s3n")
_UNSAFE_LOCAL = "LocalLogStore"
_ONE_DRIVER_ONLY = "S3SingleDriverLogStore"


def require_safe_log_store(store: TableStore) -> None:
    """KveilError where concurrent commits to the lake could overwrite each other."""
    lake = store.lake
    scheme = "file" if lake.is_local else urlsplit(lake.root).scheme if not lake.catalog else ""
    problem = _problem(scheme, _configured(store, scheme), lake.is_local)
    if problem:
        raise KveilError(problem)


def _configured(store: TableStore, scheme: str) -> str:
    """The log store's class as Delta would choose it: the scheme's own, else the one for all; empty for the default."""
    names = [f"spark.delta.logStore.{scheme}.impl"] if scheme else []
    found = (store.spark.conf.get(name, None) for name in [*names, "spark.delta.logStore.class"])
    return next((value for value in found if value), "")


def _problem(scheme: str, log_store: str, is_local: bool) -> str | None:
    simple = log_store.rpartition(".")[2]
    if simple == _UNSAFE_LOCAL:
        return (
            f"spark.delta.logStore: found {log_store}, which loses commits of jobs that write at once; "
            "remove the setting, so that Delta's default is used"
        )
    if scheme == "file" and not is_local:
        return (
            "--lake: a file:// address is not locked, so that two jobs may overwrite each other's commits; give the folder alone"
        )
    alone = os.environ.get(ONE_DRIVER) == "1" or "DATABRICKS_RUNTIME_VERSION" in os.environ
    if (simple == _ONE_DRIVER_ONLY or (scheme in _S3 and not simple)) and not alone:
        return (
            f"--lake: {scheme or 'the catalog'}:// is written through {_ONE_DRIVER_ONLY}, which lets two drivers overwrite each "
            f"other's commits; set spark.delta.logStore.{scheme or 's3a'}.impl to io.delta.storage.S3DynamoDBLogStore, or "
            f"{ONE_DRIVER}=1 where only one driver ever writes (docs/operations.md)"
        )
    return None
