"""`kveil budget`: balance, history, burn rate and the sum since the beginning, as plain text."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from kveil.anonymize.agreement import all_problems
from kveil.anonymize.ledger.account import Account, Entry, by_period
from kveil.anonymize.ledger.book import budget_of, data_set_of
from kveil.anonymize.ledger.charge import NOTHING, Cost
from kveil.anonymize.ledger.contradictions import contradiction
from kveil.anonymize.ledger.form import plain
from kveil.anonymize.ledger.spending import spent
from kveil.anonymize.ledger.storage import Kept, audit_lines, read_books
from kveil.anonymize.ledger.verify import problems, unwritten
from kveil.context import Context
from kveil.settings.budget import period_of

_PROTECTS = {
    "row": "one row's noisy values; a row lies in one slice, so the slice that cost most counts",
    "person": "all rows of one person; everything adds up",
}
_HEAD = ("no", "booked (UTC)", "state", "epsilon", "delta", "release", "mechanisms", "slices", "policy", "by")


def statement(ctx: Context) -> list[str]:
    """The lines about every account of the policy's data set, as of the context's time."""
    books = read_books(ctx, data_set_of(ctx))
    accounts, found = [kept.account for kept in books.accounts], [contradiction(books), *all_problems(ctx)]
    wrong = [f"NOT SOUND, so the figures are not what was spent: {each}" for each in found if each]
    return [*wrong, *_told(ctx, accounts)]


def _told(ctx: Context, accounts: Sequence[Account]) -> list[str]:
    if not accounts:
        cap = budget_of(ctx)
        return [f"data set {data_set_of(ctx)}: nothing was ever booked; the cap is epsilon {plain(cap.epsilon)}"]
    told = [line for account in accounts for line in [*_account_lines(account, ctx.now), ""]]
    return [*told, *_together(accounts)]


def verification(ctx: Context) -> tuple[list[str], list[str]]:
    """What was looked at, one line per account, and what is wrong with it or with what the lake published, one sentence each."""
    data_set = data_set_of(ctx)
    with ctx.store.lake.locked("budget"):
        kept, audit = read_books(ctx, data_set).accounts, audit_lines(ctx, data_set)
    looked, wrong = [], []
    for each in kept:
        own = [line for line in audit if line["account"] == each.account.name]
        found = problems(each.account, each.noted, own)
        late = unwritten(each.account, own)
        remark = f"; {late} still to be written by the next booking" if late else ""
        looked.append(f"account {each.account.name}: {len(own)} audit lines{remark}: {'NOT SOUND' if found else 'sound'}")
        wrong += found
    return looked, [*wrong, *_without_row(kept, {str(line["account"]) for line in audit}), *all_problems(ctx)]


def _without_row(kept: Sequence[Kept], audited: set[str]) -> Iterator[str]:
    for name in sorted(audited - {each.account.name for each in kept}):
        yield f"control.budget_ledger: account {name} is gone, though control.budget_audit has lines of it"


def _account_lines(account: Account, now: datetime) -> Iterator[str]:
    period = period_of(now, account.period)
    there, lifetime = spent(account.counted(period)), spent(account.counted())
    per = f" per {account.period}" if account.period else ""
    yield f"account    {account.name}: {_PROTECTS[account.unit]}"
    yield f"cap        {_text(account.cap)}{per}"
    if period:
        yield f"spent      {_text(there)} in {period}"
    yield f"lifetime   {_text(lifetime)}" + (f", rho {plain(lifetime.rho)}" if lifetime.rho else "")
    left = Cost(max(account.cap.epsilon - there.epsilon, Decimal(0)), max(account.cap.delta - there.delta, Decimal(0)))
    yield f"left       {_text(left)}" + (f" in {period}" if period else "")
    for name, entries in by_period(account, account.period or "month"):
        yield f"  {name:<9}{_text(spent(entries))} in {len(entries)} releases"
    yield f"burn rate  {_burn_rate(account, there, left, now)}"
    yield f"audit      {account.sequence} lines, head {account.head}"
    yield ""
    yield from _table([_HEAD, *(_history(entry) for entry in account.entries)])


def _burn_rate(account: Account, there: Cost, left: Cost, now: datetime) -> str:
    """Epsilon per 30 days, and when the cap would be reached at that pace."""
    counted = account.counted(period_of(now, account.period))
    days = max(((now - min(entry.reserved_at for entry in counted)) / timedelta(days=1)), 0) if counted else 0
    if days < 1:
        return "too early to tell: the first booking that counts is less than a day old" if counted else "nothing is spent"
    rate = float(there.epsilon) / days
    pace = f"epsilon {rate * 30:.3g} per 30 days"
    if not left.epsilon:
        return f"{pace}; the cap is reached"
    ahead = float(left.epsilon) / rate if rate else float("inf")
    if ahead > 36_500:
        return f"{pace}; the cap is more than a century away"
    reached = now + timedelta(days=ahead)
    if period_of(reached, account.period) != period_of(now, account.period):
        return f"{pace}; the cap is not reached in this {account.period}"
    return f"{pace}; the cap would be reached on {reached:%Y-%m-%d}"


def _history(entry: Entry) -> tuple[str, ...]:
    mechanisms = sorted({charge.mechanism for charge in entry.charges})
    slices = "all" if not entry.slices else str(len(entry.slices))
    first = entry.steps[0]
    return (
        str(first.sequence), f"{entry.reserved_at:%Y-%m-%d %H:%M}", entry.state, plain(entry.cost.epsilon),
        _scientific(entry.cost.delta), entry.release_id, ", ".join(mechanisms), slices, first.policy, first.actor,
    )  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "  ".join(f"{value:<{width}}" for value, width in zip(row, widths, strict=True)).rstrip()


def _together(accounts: Sequence[Account]) -> Iterator[str]:
    """What those hold who put everything together; no cap counts this."""
    if len(accounts) > 1:
        everything = sum((spent(account.counted()) for account in accounts), NOTHING)
        yield f"together   {_text(everything)} on {len(accounts)} accounts: what a row bears where recipients share what they got"


def _text(cost: Cost) -> str:
    return f"epsilon {plain(cost.epsilon)}" + (f", delta {_scientific(cost.delta)}" if cost.delta else "")


def _scientific(delta: Decimal) -> str:
    return plain(delta) if not delta or delta >= Decimal("0.001") else f"{delta.normalize():e}"
