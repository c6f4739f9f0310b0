"""Whether ledger, audit, releases and what was published tell one story, before a run draws or books anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pyspark.sql import Row

from kveil.anonymize.identity import booked_for
from kveil.anonymize.ledger.account import Account
from kveil.anonymize.ledger.book import data_set_of, sound_accounts
from kveil.anonymize.ledger.heads import unknown_heads
from kveil.anonymize.ledger.refusals import NOTHING_IS_SPENT
from kveil.anonymize.ledger.rows import has_cost
from kveil.anonymize.ledger.storage import read_books, unreadable
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.model.tracking import registered_tags
from kveil.session import SPARK_ERRORS
from kveil.tables.declaration import Table, TableRef
from kveil.tables.heads import LEDGER_HEAD
from kveil.tables.schema import AGGREGATES, BUDGET_AUDIT, BUDGET_LEDGER, RELEASE_SLICES, RELEASES, RUN_LOG

_WITNESSED = (BUDGET_LEDGER, BUDGET_AUDIT, RELEASES, RELEASE_SLICES, AGGREGATES)
_ENTRIES = "inline(transform(entries, entry -> named_struct('release_id', entry.release_id, 'state', entry.state)))"
_SHOWN = 3


class Record(NamedTuple):
    """A release that a control table says was published, and whether its noise was to be booked."""

    table: str
    costs: bool


@dataclass(frozen=True)
class Witnesses:
    """What was known of the ledger outside of it, read before it: heads by place, versions by table, releases by id."""

    heads: Mapping[str, str]
    versions: Mapping[str, int]
    records: Mapping[str, Record]


def require_agreement(ctx: Context) -> Mapping[str, str]:
    """The state of every booking of the lake; BudgetError where the ledger and what the lake published contradict each other.

    So nothing is drawn for a release that was published before, and nothing spent on an account that was forgotten.
    """
    if not has_cost(ctx.policy.anonymize):
        return {}
    known = witnesses(ctx)
    accounts = [kept.account for kept in sound_accounts(ctx)]
    if not accounts:
        # The policy's account is about to be opened; only then is it worth the time to ask the registry.
        known = replace(known, heads={**known.heads, **registry_heads(ctx)})
    booked = _booked(ctx)
    found = next(lake_problems(ctx, known, accounts, booked), None)
    if found is not None:
        raise BudgetError(f"{found}; {NOTHING_IS_SPENT}")
    return booked


def witnesses(ctx: Context) -> Witnesses:
    """What release tables, run log, releases and aggregates say of the ledger. Read before it, so that each has to be in it."""
    return Witnesses(_published_heads(ctx), _versions_seen(ctx), _records(ctx))


def all_problems(ctx: Context) -> list[str]:
    """Everything that `require_agreement` would refuse of the lake, the registry asked too, but for ledger against audit."""
    known = witnesses(ctx)
    known = replace(known, heads={**known.heads, **registry_heads(ctx)})
    accounts = [kept.account for kept in read_books(ctx, data_set_of(ctx)).accounts]
    return list(lake_problems(ctx, known, accounts, _booked(ctx)))


def lake_problems(ctx: Context, known: Witnesses, accounts: Sequence[Account], booked: Mapping[str, str]) -> Iterator[str]:
    """One sentence for everything in which ledger and lake contradict each other.

    `accounts` are those of the data set now, `booked` has the state of every booking of the lake.
    """
    yield from unknown_heads(ctx, accounts, known.heads)
    for table in _WITNESSED:
        ref = ctx.ref(table)
        now, seen = ctx.store.version(ref), known.versions.get(str(ref), -1)
        if (-1 if now is None else now) < seen:
            there = "is gone" if now is None else f"is at version {now}"
            yield f"{ref} {there}, but control.run_log says that it was at {seen}: it was deleted, or an older one put back"
    unbooked = sorted(release for release, record in known.records.items() if record.costs and release not in booked)
    if unbooked:
        where = known.records[unbooked[0]].table
        yield f"control.budget_ledger holds no booking of {_listed(unbooked)}, which {where} has: rows of the ledger are missing"
    lost = {booked_for(release) for release, state in booked.items() if state == "committed"} - set(known.records)
    # Others may have published since the witnesses were asked.
    lost = lost - set(_records(ctx)) if lost else lost
    if lost:
        yield (
            f"control.budget_ledger says that {_listed(sorted(lost))} was published, but neither control.releases nor "
            "control.aggregates has it: rows of these are missing"
        )


def _published_heads(ctx: Context) -> dict[str, str]:
    """The heads that the tables of the release zone name, by table; those of every policy, since accounts are shared."""
    refs = [TableRef("release", name) for name in ctx.store.names("release")]
    heads = {str(ref): _head_of(ctx, ref) for ref in refs}
    return {name: head for name, head in heads.items() if head}


def _head_of(ctx: Context, ref: TableRef) -> str | None:
    """None where there is no head, also of a table that cannot be read: it shows nothing of anybody."""
    try:
        return ctx.store.property_of(ref, LEDGER_HEAD)
    except SPARK_ERRORS:
        return None


def registry_heads(ctx: Context) -> dict[str, str]:
    """The heads that the models registered from this lake name, by model and version."""
    return registered_tags(ctx.files, ctx.store.lake.mark, LEDGER_HEAD)


def _listed(releases: list[str]) -> str:
    shown = ", ".join(releases[:_SHOWN])
    more = f" and {len(releases) - _SHOWN} others" if len(releases) > _SHOWN else ""
    return f"release {shown}{more}"


def _records(ctx: Context) -> dict[str, Record]:
    """Every release of the lake, of rows and of aggregates, as its control table has it."""
    rows = _rows(ctx, RELEASES, "release_id", "epsilon > 0 AS costs")
    rows += _rows(ctx, AGGREGATES, "release_id", "true AS costs")
    return {row["release_id"]: Record(row["of"], row["costs"]) for row in rows}


def _rows(ctx: Context, table: Table, *columns: str) -> list[Row]:
    """The rows of a control table, by SQL; `of` names the table. BudgetError where it is there and cannot be read."""
    ref = ctx.ref(table)
    if not ctx.store.exists(ref):
        return []
    try:
        return ctx.store.read(ref).selectExpr(*columns, f"'{ref}' AS of").collect()
    except SPARK_ERRORS:
        raise unreadable(ref) from None


def _booked(ctx: Context) -> dict[str, str]:
    """The state of every booking of the lake, on whatever account; committed where one of several is."""
    rows = _rows(ctx, BUDGET_LEDGER, _ENTRIES)
    return dict(sorted(((row["release_id"], row["state"]) for row in rows), key=lambda pair: pair[1] == "committed"))


def _versions_seen(ctx: Context) -> dict[str, int]:
    """The highest version at which a run left each of the tables, as the run log has it."""
    names = [str(ctx.ref(table)) for table in _WITNESSED]
    highest = (f"max(writes['{name}']) AS `{name}`" for name in names)
    return {name: int(row[name]) for row in _rows(ctx, RUN_LOG, *highest) for name in names if row[name] is not None}
