"""What published tables say of themselves: which release they hold, and how far the budget's audit was when they were made."""

from kveil.tables.declaration import TableRef
from kveil.tables.store import TableStore

RELEASE_ID = "kveil.release_id"
"""The table property that says which release a table holds."""

LEDGER_HEAD = "kveil.ledger_head"
"""The table property, and the registry's tag, with the audit's head: by account its last step and the hash of that, as JSON."""


def named_before(store: TableStore, ref: TableRef, key: str, value: str) -> bool:
    """Whether the table says, or a version of it in its history said, `value` under a property."""
    if not store.exists(ref):
        return False
    if store.property_of(ref, key) == value:
        return True
    history = store.spark.sql(f"DESCRIBE HISTORY {store.lake.identifier(ref)}").select("operationParameters")
    # One row per commit; Delta writes the properties that a commit sets as JSON.
    return any(f'"{key}":"{value}"' in ((row[0] or {}).get("properties") or "") for row in history.collect())
