"""What the report says of aggregates: each one that is published now, what it cost and how far its numbers may stray."""

from collections.abc import Callable
from typing import Any

from kveil.context import Context
from kveil.settings.aggregates import Aggregate
from kveil.tables import schema

Fact = dict[str, Any]

_OF_ALL = ("table", "version", "groups", "mechanism", "epsilon", "delta", "rho", "release_id", "written_at")
_OF_EACH = ("measure", "kind", "bound", "standard_error")


def published_aggregates(ctx: Context, records_of: Callable[[str], list[Fact]]) -> list[Fact]:
    """One fact per aggregate of the policy that is published, in the policy's order, with its measures in theirs.

    `records_of` gives the rows of the table `aggregates` of one release, as plain values.
    """
    found = []
    for name, asked in ctx.policy.anonymize.aggregates.items():
        release_id = ctx.store.property_of(schema.AGGREGATE.of(ctx.policy, aggregate=name), "kveil.release_id")
        records = records_of(release_id) if release_id else []
        if records:
            found.append(_fact(name, asked, records))
    return found


def _fact(name: str, asked: Aggregate, records: list[Fact]) -> Fact:
    order = list(asked.measures)
    known = sorted((row for row in records if row["measure"] in order), key=lambda row: order.index(row["measure"]))
    return {
        "aggregate": name,
        "group_by": list(asked.group_by),
        **{key: records[0][key] for key in _OF_ALL},
        "measures": [{key: row[key] for key in _OF_EACH} for row in known],
    }
