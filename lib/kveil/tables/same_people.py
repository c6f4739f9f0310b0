"""Whether the people of a policy are also counted on another account, where what is spent on them does not add up."""

from collections.abc import Iterator

from pyspark.sql import Row

from kveil.settings import Policy
from kveil.settings.source_marks import source_marks
from kveil.tables.schema import BUDGET_SOURCES
from kveil.tables.store import TableStore


def note_sources(store: TableStore, policy: Policy) -> None:
    """Keeps the marks of the policy's sources with its data set, once; a policy whose sources changed has been over both."""
    known = {(row["data_set"], row["source"]) for row in _rows(store, policy) if row["policy"] == policy.name}
    data_set = _data_set(policy)
    new = [mark for mark in sorted(set(source_marks(policy).values())) if (data_set, mark) not in known]
    if data_set and new:
        rows = [{"data_set": data_set, "policy": policy.name, "source": mark} for mark in new]
        store.append(BUDGET_SOURCES.of(policy), store.rows(BUDGET_SOURCES, rows))


def told_same_people(store: TableStore, policy: Policy) -> list[str]:
    """A sentence for every other data set on which people of the policy's sources are counted; writes nothing."""
    return list(_told(store, policy))


def _told(store: TableStore, policy: Policy) -> Iterator[str]:
    own, data_set = source_marks(policy), _data_set(policy)
    others = [row for row in _rows(store, policy) if data_set and row["data_set"] != data_set]
    for other in sorted({row["data_set"] for row in others}):
        marks = {row["source"] for row in others if row["data_set"] == other}
        shared = sorted(name for name, mark in own.items() if mark in marks)
        policies = sorted({row["policy"] for row in others if row["data_set"] == other})
        if shared:
            yield (
                f"The people of {', '.join(shared)} are those of data set {other} too (policy {', '.join(policies)}): what is "
                "spent on them is counted on two accounts, and no cap holds for both together; give "
                f"anonymize.budget.data_set: {other} to count it on one."
            )


def _data_set(policy: Policy) -> str | None:
    budget = policy.anonymize.budget
    return (budget.data_set or policy.name) if budget else None


def _rows(store: TableStore, policy: Policy) -> list[Row]:
    """All rows: as many as the lake's policies have sources."""
    ref = BUDGET_SOURCES.of(policy)
    return store.read(ref).collect() if store.exists(ref) else []
