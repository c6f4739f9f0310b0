"""What the report says of the last profile: per table its columns with a small histogram each, keys and dependencies."""

from collections.abc import Iterator
from typing import Any

from pyspark.sql import functions as F

from kveil.context import Context
from kveil.tables import schema
from kveil.tables.declaration import Table

Fact = dict[str, Any]

_LOOKS, _SENTENCES = 3, 8
_WORDS = {"person": "the privacy unit", "direct": "direct identifier", "quasi": "quasi-identifier", "record": "id of a record"}


def profile_facts(ctx: Context) -> list[Fact]:
    """One fact per profiled table, in the order of names; none where the policy was never profiled."""
    columns = _rows(ctx, schema.PROFILE_COLUMNS)
    values = _rows(ctx, schema.PROFILE_VALUES)
    dependencies = _rows(ctx, schema.PROFILE_DEPENDENCIES)
    return [
        {
            "table": table,
            "rows": next(each["rows"] for each in columns if each["table"] == table),
            "columns": [_column(each, values) for each in columns if each["table"] == table],
            "sentences": list(_sentences([each for each in dependencies if each["table"] == table])),
        }
        for table in sorted({each["table"] for each in columns})
    ]


def _rows(ctx: Context, table: Table) -> list[Fact]:
    """The policy's rows of a profile table: some tens a column, however many rows were profiled."""
    if not ctx.store.exists(ctx.ref(table)):
        return []
    rows = ctx.read(table).where(F.col("policy") == ctx.policy.name).drop("policy", "run_id", "written_at")
    found = [row.asDict() for row in rows.collect()]
    return sorted(found, key=lambda row: (row["table"], row.get("position") or 0, row.get("rank") or 0, str(row)))


def _column(row: Fact, values: list[Fact]) -> Fact:
    own = [each for each in values if (each["table"], each["column"]) == (row["table"], row["column"])]
    bins = [each for each in own if each["kind"] == "bin"]
    frequent = [each for each in own if each["kind"] == "value" and each["shown"] is not None]
    patterns = [each for each in own if each["kind"] == "pattern" and each["shown"] is not None]
    few = frequent if (row["distinct"] or 0) <= 50 else patterns
    role = f" ({_WORDS.get(row['role'], row['role'])})" if row["role"] else ""
    return {
        "column": row["column"], "type": row["type"], "holds": f"{(row['semantic'] or 'nothing').replace('_', ' ')}{role}",
        "sure": "shown by values" if row["proven"] else "by its name" if row["role"] else "",
        "missing": row["missing"] / row["rows"] if row["rows"] else 0.0, "distinct": row["distinct"],
        "counts": [each["rows"] for each in bins or few], "looks": _looks(bins, few),
    }  # fmt: skip


def _looks(bins: list[Fact], few: list[Fact]) -> str:
    """The range that the bars stand for, or the most frequent values or patterns."""
    if bins:
        return f"{bins[0]['shown'].split(' to ')[0]} to {bins[-1]['shown'].split(' to ')[-1]}"
    return ", ".join(each["shown"].strip() or "blank" for each in few[:_LOOKS])


def _sentences(rows: list[Fact]) -> Iterator[str]:
    keys = [" with ".join(row["columns"]) for row in rows if row["kind"] == "key"]
    if keys:
        yield f"Candidate keys in the sample: {', '.join(keys[:_SENTENCES])}."
    told = [row for row in rows if row["kind"] == "dependency"]
    best = sorted(told, key=lambda row: (-row["confidence"], -row["support"], row["columns"], row["told"]))[:_SENTENCES]
    if best:
        listed = ", ".join(f"{row['columns'][0]} tells {row['told']} ({row['confidence']:.1%})" for row in best)
        yield f"Dependencies in the sample: {listed}."
