"""Where accounts and their audit are kept: Delta tables of the control zone."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.ledger.account import Account
from kveil.anonymize.ledger.audit import Line
from kveil.anonymize.ledger.charge import NOTHING, Cost
from kveil.anonymize.ledger.form import PARTS, account_of, cost_of_form, entries_form, plain
from kveil.anonymize.ledger.spending import spent
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.tables.declaration import Table
from kveil.tables.schema import BUDGET_AUDIT, BUDGET_LEDGER

_TIMES = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"}
_EXACT = (*PARTS, "cap_epsilon", "cap_delta")
_APPEND_ONLY = {"delta.appendOnly": "true"}


@dataclass(frozen=True)
class Kept:
    """An account as its table holds it, the last line that the audit has of it, who is looking, and the sums in its row."""

    account: Account
    audit_end: int
    actor: str
    noted: Cost = NOTHING


def kept_accounts(ctx: Context, data_set: str) -> list[Kept]:
    """The data set's accounts, of all units and recipients; none where there is no ledger yet."""
    try:
        rows = _with_audit_end(ctx, data_set).collect()
    except AnalysisException:
        if _columns(ctx, BUDGET_LEDGER) is None:
            return []
        _require_our_columns(ctx)
        rows = _rows(ctx, data_set).select("row", F.lit(0).alias("audit_end"), F.current_user().alias("actor")).collect()
    found = [_kept(_parsed(row["row"]), int(row["audit_end"] or 0), row["actor"]) for row in rows]
    names = [each.account.name for each in found]
    if len(set(names)) < len(names):
        raise BudgetError(
            f"control.budget_ledger: an account of data set {data_set} has two rows, so nobody knows what is spent; "
            "find out by kveil budget --verify and the table's history which one to remove"
        )
    return found


def _kept(row: dict[str, Any], audit_end: int, who: str) -> Kept:
    return Kept(account_of(row), audit_end, who, cost_of_form({part: row[f"spent_{part}"] for part in PARTS}))


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


def _with_audit_end(ctx: Context, data_set: str) -> DataFrame:
    audit = ctx.store.read(ctx.ref(BUDGET_AUDIT)).where(F.col("account").startswith(f"{data_set}/"))
    ends = audit.groupBy("account").agg(F.max("sequence").alias("audit_end"))
    return _rows(ctx, data_set).join(ends, "account", "left").select("row", "audit_end", F.current_user().alias("actor"))


def _as_json(df: DataFrame) -> Any:
    return F.to_json(F.struct(*[F.col(name) for name in df.columns]), _TIMES).alias("row")


def _parsed(text: str) -> dict[str, Any]:
    parsed = json.loads(text, parse_float=Decimal)
    assert isinstance(parsed, dict)  # a row
    return parsed


def _columns(ctx: Context, table: Table) -> list[str] | None:
    return ctx.store.read(ctx.ref(table)).columns if ctx.store.exists(ctx.ref(table)) else None


def _require_our_columns(ctx: Context) -> None:
    if set(_columns(ctx, BUDGET_LEDGER) or []) != set(BUDGET_LEDGER.names):
        raise BudgetError(
            f"{ctx.ref(BUDGET_LEDGER)} was not written by this version of kveil, so what it says is spent cannot be counted; "
            "keep it under another name and lower anonymize.budget.epsilon by what it says"
        ) from None
