"""Where accounts and their audit are kept: Delta tables of the control zone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.ledger.account import Account
from kveil.anonymize.ledger.audit import Line
from kveil.anonymize.ledger.charge import NOTHING, Cost
from kveil.anonymize.ledger.form import PARTS, account_of, cost_of_form, entries_form, plain
from kveil.anonymize.ledger.refusals import NOTHING_IS_SPENT
from kveil.anonymize.ledger.spending import spent
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.session import SPARK_ERRORS
from kveil.tables.declaration import Table, TableRef
from kveil.tables.schema import BUDGET_AUDIT, BUDGET_LEDGER

_TIMES = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
_EXACT = (*PARTS, "cap_epsilon", "cap_delta")
_APPEND_ONLY = {"delta.appendOnly": "true"}


@dataclass(frozen=True)
class Kept:
    """An account as its table holds it, the audit's lines of it (number and hash), who is looking, and the sums in its row."""

    account: Account
    audit: tuple[tuple[int, str], ...]
    actor: str
    noted: Cost = NOTHING

    @property
    def audit_end(self) -> int:
        """The number of the last line that the audit has of the account; 0 where it has none."""
        return max((number for number, _ in self.audit), default=0)


@dataclass(frozen=True)
class Books:
    """A data set's accounts of all units and recipients, and the names of those that the audit alone still knows."""

    accounts: tuple[Kept, ...] = ()
    orphans: tuple[str, ...] = ()


def read_books(ctx: Context, data_set: str) -> Books:
    """The data set's books as ledger and audit hold them; empty where there is neither. BudgetError where they cannot be read."""
    try:
        return _books(data_set, _rows_and_audit(ctx, data_set))
    except SPARK_ERRORS:
        there = [table for table in (BUDGET_LEDGER, BUDGET_AUDIT) if ctx.store.exists(ctx.ref(table))]
        _require_our_columns(ctx)
    if not there:
        return Books()
    try:
        return _books(data_set, _ALONE[there[0].pattern](ctx, data_set) if len(there) == 1 else _rows_and_audit(ctx, data_set))
    except SPARK_ERRORS:
        raise unreadable(*map(ctx.ref, there)) from None


def unreadable(*refs: TableRef) -> BudgetError:
    """What to say where a table that tells what was spent is there and cannot be read."""
    names = " or ".join(map(str, refs))
    return BudgetError(f"{names} cannot be read, since files of it are missing or damaged; {NOTHING_IS_SPENT}")


def _books(data_set: str, rows: DataFrame) -> Books:
    accounts, orphans = [], []
    for row in rows.collect():
        if row["row"] is None:
            orphans.append(row["account"])
        else:
            audit = tuple(sorted((line["sequence"], line["hash"] or "") for line in row["audit"] or ()))
            accounts.append(_kept(_parsed(row["row"]), audit, row["actor"]))
    names = [each.account.name for each in accounts]
    if len(set(names)) < len(names):
        raise BudgetError(
            f"control.budget_ledger: an account of data set {data_set} has two rows, so nobody knows what is spent; "
            "find out by kveil budget --verify and the table's history which one to remove"
        )
    return Books(tuple(accounts), tuple(sorted(orphans)))


def _kept(row: dict[str, Any], audit: tuple[tuple[int, str], ...], who: str) -> Kept:
    return Kept(account_of(row), audit, who, cost_of_form({part: row[f"spent_{part}"] for part in PARTS}))


def actor(ctx: Context) -> str:
    """The session's user."""
    row = ctx.spark.range(1).select(F.current_user()).first()
    assert row is not None  # one row
    return str(row[0])


def open_account(ctx: Context, account: Account) -> None:
    """Writes the row of an account that has none; a concurrent opening makes one of two fail or do nothing."""
    row = {
        "data_set": account.data_set, "unit": account.unit, "recipient": account.recipient, "person": account.person,
        **_changing(account), "entries": entries_form(account), "account": account.name,
    }  # fmt: skip
    ctx.store.insert_new(ctx.ref(BUDGET_LEDGER), ctx.store.rows_of_json(BUDGET_LEDGER, [row]), keys=["account"])


def change_account(ctx: Context, account: Account, read_at: int) -> bool:
    """Writes the account's row if it still is what was read at that sequence, and tells whether it was."""
    values = {**_changing(account), "entries": json.dumps(entries_form(account))}
    return ctx.store.update(ctx.ref(BUDGET_LEDGER), values, account=account.name, sequence=read_at)


def append_audit(ctx: Context, lines: Sequence[Line]) -> None:
    """Adds lines to the audit, which Delta lets nobody update or delete."""
    ctx.store.append(ctx.ref(BUDGET_AUDIT), ctx.store.rows_of_json(BUDGET_AUDIT, lines), _APPEND_ONLY)


def audit_lines(ctx: Context, data_set: str) -> list[Line]:
    """The audit's lines of the data set's accounts as the table holds them, in order of their sequence."""
    if not ctx.store.exists(ctx.ref(BUDGET_AUDIT)):
        return []
    rows = ctx.store.read(ctx.ref(BUDGET_AUDIT)).where(F.col("account").startswith(f"{data_set}/"))
    found = [_parsed(row["row"]) for row in rows.select(_as_json(rows)).collect()]
    exact = [{key: plain(Decimal(value)) if key in _EXACT else value for key, value in line.items()} for line in found]
    return sorted(exact, key=lambda line: (line.get("sequence") or 0, str(line.get("hash"))))


def _changing(account: Account) -> dict[str, Any]:
    """The columns that change, apart from the entries."""
    sums = spent(account.counted())
    return {
        "cap_epsilon": plain(account.cap.epsilon), "cap_delta": plain(account.cap.delta), "period": account.period,
        "spent_epsilon": plain(sums.epsilon), "spent_delta": plain(sums.delta), "spent_rho": plain(sums.rho),
        "sequence": account.sequence, "head": account.head, "audited": account.audited,
    }  # fmt: skip


def _rows(ctx: Context, data_set: str) -> DataFrame:
    ledger = ctx.store.read(ctx.ref(BUDGET_LEDGER))
    return ledger.where(F.col("data_set") == data_set).select("account", _as_json(ledger))


def _rows_and_audit(ctx: Context, data_set: str) -> DataFrame:
    # The audit first: what it has was in the ledger before, so a job that books meanwhile makes no line without its row.
    audit = _audit_by_account(ctx, data_set)
    return _rows(ctx, data_set).join(audit, "account", "full").select("account", "row", "audit", _who())


def _rows_alone(ctx: Context, data_set: str) -> DataFrame:
    return _rows(ctx, data_set).select("account", "row", F.lit(None).alias("audit"), _who())


def _audit_alone(ctx: Context, data_set: str) -> DataFrame:
    return _audit_by_account(ctx, data_set).select("account", F.lit(None).alias("row"), "audit", _who())


_ALONE = {BUDGET_LEDGER.pattern: _rows_alone, BUDGET_AUDIT.pattern: _audit_alone}
"""How the books are read where one of both tables is missing."""


def _who() -> Column:
    return F.current_user().alias("actor")


def _audit_by_account(ctx: Context, data_set: str) -> DataFrame:
    audit = ctx.store.read(ctx.ref(BUDGET_AUDIT)).where(F.col("account").startswith(f"{data_set}/"))
    return audit.groupBy("account").agg(F.collect_list(F.struct("sequence", "hash")).alias("audit"))


def _as_json(df: DataFrame) -> Any:
    return F.to_json(F.struct(*[F.col(name) for name in df.columns]), _TIMES).alias("row")


def _parsed(text: str) -> dict[str, Any]:
    parsed = json.loads(text, parse_float=Decimal)
    assert isinstance(parsed, dict)  # a row
    return parsed


def _columns(ctx: Context, table: Table) -> list[str] | None:
    return ctx.store.read(ctx.ref(table)).columns if ctx.store.exists(ctx.ref(table)) else None


def _require_our_columns(ctx: Context) -> None:
    try:
        columns = _columns(ctx, BUDGET_LEDGER)
    except SPARK_ERRORS:
        raise unreadable(ctx.ref(BUDGET_LEDGER)) from None
    if columns is not None and set(columns) != set(BUDGET_LEDGER.names):
        raise BudgetError(
            f"{ctx.ref(BUDGET_LEDGER)} was not written by this version of kveil, so what it says is spent cannot be counted; "
            "keep it, with budget_audit, releases, release_slices and aggregates, under another name and lower "
            "anonymize.budget.epsilon by what it says"
        ) from None
