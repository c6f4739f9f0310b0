"""`kveil profile`: describes a policy's raw and clean tables and keeps the description in the control zone."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pyspark.sql import DataFrame

from kveil.context import Context
from kveil.errors import ContractError
from kveil.profile.counted import Counted, Totals, counted
from kveil.profile.described import description
from kveil.profile.sampled import Document, looked_at, sampled
from kveil.tables.declaration import TableRef
from kveil.tables.schema import CLEAN, PROFILE_COLUMNS, PROFILE_DEPENDENCIES, PROFILE_VALUES, RAW, RAW_ROW


@dataclass(frozen=True)
class Profile:
    """A table's totals, its columns as rows of PROFILE_COLUMNS, and all that its sample told besides."""

    totals: Totals
    columns: list[Document]
    told: list[Document]


def profile(ctx: Context) -> list[tuple[str, Profile]]:
    """Describes each raw table and the clean one, in two passes a table, and replaces what was known of the policy's tables.

    What is not collected is not looked at: those rows may not be used. ContractError where nothing is collected yet.
    """
    refs = [ref for ref in _refs(ctx) if ctx.store.exists(ref)]
    if not refs:
        names = ", ".join(str(ref) for ref in _refs(ctx))
        raise ContractError(f"profile: none of the tables {names} is there; run stage collect first")
    found = []
    for ref in refs:
        version = ctx.store.version(ref)
        with ctx.step(f"profile of {ref}") as note:
            rows = ctx.store.read(ref, version).drop(RAW_ROW)
            label = ctx.policy.train.label if ref == ctx.ref(CLEAN) else None
            made = profile_of(rows, ctx.policy.person, ctx.policy.anonymize.k, label)
            note.text = f"{made.totals.rows:,} rows, {len(made.columns)} columns"
        found.append((ref, version, made))
    _store(ctx, found)
    return [(str(ref), made) for ref, _, made in found]


def profile_of(rows: DataFrame, person: str, k: int, label: str | None = None) -> Profile:
    """A table's profile: one pass that counts in all rows, one that looks at a bounded sample."""
    own = person if person in rows.columns else None
    totals, columns = counted(rows, own, k)
    types = {name: kind for name, kind in rows.dtypes}
    told = looked_at(sampled(rows, own, totals.rows), description(types, k, label)) if totals.rows else []
    of_column = {each["column"]: each for each in told if each["kind"] == "column"}
    merged = [_merged(i, each, of_column.get(each.name, {}), own) for i, each in enumerate(columns, 1)]
    return Profile(totals, merged, [each for each in told if each["kind"] != "column"])


def _merged(position: int, figures: Counted, told: Document, person: str | None) -> Document:
    row = {**told, **asdict(figures), "position": position, "column": figures.name}
    if figures.name == person:
        row |= {"semantic": "person_id", "role": "person", "confidence": 1.0, "evidence": "the policy names it as its person"}
    return row


def _refs(ctx: Context) -> Iterator[TableRef]:
    yield from (RAW.of(ctx.policy, source) for source in ctx.policy.sources)
    yield ctx.ref(CLEAN)


def _store(ctx: Context, found: list[tuple[TableRef, int | None, Profile]]) -> None:
    columns: list[dict[str, Any]] = []
    values: list[dict[str, Any]] = []
    dependencies: list[dict[str, Any]] = []
    for ref, version, made in found:
        columns += [{**row, "table": str(ref), "version": version} for row in made.columns]
        for each in made.told:
            rows = dependencies if each["kind"] in ("key", "dependency") else values
            rows.append({**each, "table": str(ref)})
    for table, rows in ((PROFILE_COLUMNS, columns), (PROFILE_VALUES, values), (PROFILE_DEPENDENCIES, dependencies)):
        ctx.store.replace_where(ctx.ref(table), ctx.rows(table, rows), policy=ctx.policy.name)
