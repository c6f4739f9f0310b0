"""A release that is taken back: its files are destroyed, and later releases are no longer compared with it.

Copies that others made stay where they are; the report says so for as long as the lake remembers the release. What its noise cost
stays spent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.lineage import lineage_of
from kveil.tables.declaration import TableRef
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import MODELS, RELEASE_CLASSES, RELEASE_TREES, RELEASES
from kveil.tables.store import TableStore

_RELEASES, _MODELS = (TableRef(table.zone, table.pattern) for table in (RELEASES, MODELS))


@dataclass(frozen=True)
class Withdrawal:
    """What was withdrawn: the table, the ids of the release and of those in the same table, and models that learned from them."""

    table: str
    releases: tuple[str, ...]
    models: int


@dataclass(frozen=True)
class Wish:
    """Which release is to be withdrawn, why, whether nobody had received it, and when that was said."""

    release_id: str
    reason: str
    nobody_had_it: bool
    at: datetime


def withdraw(store: TableStore, wish: Wish) -> Withdrawal:
    """Withdraws a release with all that grew into or out of it, since one table holds them; doing it again finishes the work.

    ContractError where the lake has no such release. Fails at once while a run of its policy works.
    """
    rows = [row.asDict() for row in store.read(_RELEASES).collect()] if store.exists(_RELEASES) else []
    row = next((row for row in rows if row["release_id"] == wish.release_id), None)
    if row is None:
        raise ContractError(
            f"withdraw: this lake published no release {wish.release_id}; control.releases and the report name those that it did"
        )
    with store.lake.alone(row["policy"]):
        family = _family(rows, wish.release_id)
        for each in family:
            if each.get("withdrawn_at") is None:
                _mark(store, each, wish)
        ids = tuple(each["release_id"] for each in family)
        _destroy(store, row["table"], ids)
    return Withdrawal(row["table"], ids, _models(store, ids))


def _family(rows: list[dict[str, Any]], release_id: str) -> list[dict[str, Any]]:
    root = lineage_of(rows, release_id)[-1]
    return [row for row in rows if lineage_of(rows, row["release_id"])[-1] == root]


def _mark(store: TableStore, row: Mapping[str, Any], wish: Wish) -> None:
    told = {"withdrawn_at": wish.at, "withdrawn_because": wish.reason, "nobody_had_it": wish.nobody_had_it}
    made = store.rows(RELEASES, [{**row, **told}])
    store.replace_where(_RELEASES, made, policy=row["policy"], release_id=row["release_id"])


def _destroy(store: TableStore, table: str, ids: tuple[str, ...]) -> None:
    name = table.removeprefix("release.")
    published, trees = TableRef("release", name), TableRef("release", f"{name}_generalizer")
    if store.property_of(published, RELEASE_ID) in ids:
        store.destroy(published)
    else:
        store.forget_history(published)
    for kept in (trees, *(TableRef(table.zone, table.pattern) for table in (RELEASE_CLASSES, RELEASE_TREES))):
        _forget(store, kept, ids)


def _forget(store: TableStore, ref: TableRef, ids: tuple[str, ...]) -> None:
    """Removes the releases' rows of a table, and the files that held them."""
    if not store.exists(ref):
        return
    gone = store.spark.createDataFrame([(each,) for each in ids], "release_id string")
    store.delete_matching(ref, gone, "there.release_id = gone.release_id")
    store.forget_history(ref)


def _models(store: TableStore, ids: tuple[str, ...]) -> int:
    if not store.exists(_MODELS):
        return 0
    return store.read(_MODELS).where(F.col("release_id").isin(list(ids))).count()
