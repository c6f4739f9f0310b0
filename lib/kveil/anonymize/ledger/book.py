"""The ledger's doors: reserve before drawing, then drawn, committed, or cancelled."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from kveil.anonymize.ledger import clock
from kveil.anonymize.ledger.account import NEXT, Account, Entry, State, Step, cap_of, opened
from kveil.anonymize.ledger.audit import lines
from kveil.anonymize.ledger.charge import Booking, Charge, Unit, cost_of, request_hash
from kveil.anonymize.ledger.contradictions import contradiction
from kveil.anonymize.ledger.refusals import NOTHING_IS_SPENT, refusal, stranger
from kveil.anonymize.ledger.storage import Kept, actor, append_audit, change_account, open_account, read_books
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.session import SPARK_ERRORS
from kveil.settings.budget import Budget
from kveil.tables.log_store import require_safe_log_store

_TRIES, _LOOKS = 20, 2
_CONFLICTS = ("CONCURRENT", "ALREADY_EXISTS", "METADATA_CHANGED", "PROTOCOL_CHANGED")

_Change = Callable[[Sequence[Kept]], tuple[Kept, Account | None]]
"""From the data set's accounts as they are: the one to change and what it becomes, or None where nothing is to be done."""


def reserve(ctx: Context, release_id: str, charges: Sequence[Charge], slices: Sequence[str] = ()) -> None:
    """Books a release's charges before anything is drawn, or raises BudgetError and books nothing.

    No effect when the same release is booked with the same charges and slices; an error when with others. `slices` names the
    slices whose rows are charged, without any all rows are; only charges per row have slices. The charges of a release are
    of one unit; a release without charges books nothing. What is reserved stays spent when the process dies.
    """
    if charges:
        _change(ctx, _reserving(ctx, Booking(release_id, charges, slices)))


def require_room(ctx: Context, bookings: Sequence[Booking]) -> None:
    """BudgetError where `reserve` would refuse one of these, booked in this order on the accounts as they are; books nothing.

    So a run of several releases is refused before the first of them is drawn. Others may book in between: `reserve` asks again.
    """
    costly = [booking for booking in bookings if booking.charges]
    accounts = sound_accounts(ctx) if costly else []
    for booking in costly:
        kept, account = _reserving(ctx, booking)(accounts)
        if account is not None:
            others = [each for each in accounts if each.account.name != account.name]
            accounts = [*others, replace(kept, account=account)]


def drawn(ctx: Context, release_id: str) -> None:
    """Notes that the release's noise is drawn; from here nothing brings its cost back. No effect when it is noted."""
    _move(ctx, release_id, "drawn")


def committed(ctx: Context, release_id: str, output_version: int) -> None:
    """Notes the Delta version in which the release was published. No effect when it is noted."""
    _move(ctx, release_id, "committed", output_version)


def cancelled(ctx: Context, release_id: str) -> None:
    """Gives back what was reserved for a release of which nothing was drawn; BudgetError once it was."""
    _move(ctx, release_id, "cancelled")


def _move(ctx: Context, release_id: str, state: State, output_version: int | None = None) -> None:
    budget = budget_of(ctx)

    def change(accounts: Sequence[Kept]) -> tuple[Kept, Account | None]:
        for kept in accounts:
            entry = kept.account.entry(release_id)
            if kept.account.recipient == budget.recipient and entry is not None:
                if entry.state == state or (state == "drawn" and entry.state == "committed"):
                    return kept, None
                _require_next(entry, state)
                return kept, _grown(kept.account, entry, _step(ctx, kept, state, output_version), kept.audit_end)
        raise BudgetError(f"control.budget_ledger: release {release_id} is not booked, so it cannot be {state}; reserve it first")

    _change(ctx, change, audited=state != "drawn")


def _change(ctx: Context, change: _Change, audited: bool = True) -> None:
    """Changes one account, once, whatever others do at the same time and however a write ends.

    After every write that did not succeed for sure the accounts are read again and `change` is asked again: it finds its
    work done, or tries on top of what is there now. Lines that the audit lacks, also those of a process that died, are added
    unless `audited` is false, which saves a write where another step follows soon.
    """
    require_safe_log_store(ctx.store)
    failure: Exception | None = None
    with ctx.store.lake.locked("budget"):
        for attempt in range(_TRIES):
            accounts = _sound_accounts(ctx)
            kept, account = change(accounts)
            if account is None:
                _audit(ctx, kept.account, kept.audit_end, audited)
                return
            if failure is not None and not _is_conflict(failure):
                raise failure
            try:
                if _is_written(ctx, kept, account):
                    _audit(ctx, account, kept.audit_end, audited)
                    return
            except SPARK_ERRORS as error:
                failure = error
                time.sleep(0.1 * attempt)
    raise BudgetError(f"control.budget_ledger: other jobs kept booking during {_TRIES} tries; run again when they are done")


def sound_accounts(ctx: Context) -> list[Kept]:
    """The accounts of the policy's data set; BudgetError where ledger and audit do not tell the same of each of them."""
    with ctx.store.lake.locked("budget"):
        return _sound_accounts(ctx)


def _sound_accounts(ctx: Context) -> list[Kept]:
    """Both tables are read at once, but elsewhere than on a local disk not at one instant: what stays counts."""
    for attempt in range(_LOOKS + 1):
        books = read_books(ctx, data_set_of(ctx))
        found = contradiction(books)
        if found is None:
            return list(books.accounts)
        if attempt < _LOOKS:
            time.sleep(0.2)
    raise BudgetError(f"{found}; {NOTHING_IS_SPENT}")


def _is_conflict(failure: Exception) -> bool:
    return any(word in str(failure).upper() for word in _CONFLICTS)


def _is_written(ctx: Context, kept: Kept, account: Account) -> bool:
    """Whether this write, and no other, was the next after what was read; False where only reading again can tell."""
    if kept.account.sequence == 0:
        open_account(ctx, account)
        return False
    return change_account(ctx, account, kept.account.sequence)


def _audit(ctx: Context, account: Account, audit_end: int, now: bool) -> None:
    missing = [line for line in lines(account) if line["sequence"] > audit_end]
    if missing and now:
        append_audit(ctx, missing)


def _reserving(ctx: Context, asked: Booking) -> _Change:
    """The change that reserves a release's charges, refused with a BudgetError, or no change where they are reserved."""
    budget = budget_of(ctx)
    (unit,) = {charge.unit for charge in asked.charges}
    if asked.slices and unit != "row":
        raise ValueError("a charge per person composes over all slices: name none")
    entry = Entry(
        asked.release_id, request_hash(asked.charges, asked.slices), cost_of(asked.charges), tuple(asked.charges),
        tuple(sorted(asked.slices)) or None, dict(ctx.reads), (),
    )  # fmt: skip

    def change(accounts: Sequence[Kept]) -> tuple[Kept, Account | None]:
        kept = _account_for(ctx, accounts, unit)
        _require_same_request(kept.account, entry)
        known = kept.account.entry(asked.release_id)
        if known is not None and known.counts:
            return kept, None
        capped = replace(kept.account, cap=cap_of(budget), period=budget.period)
        no = stranger(kept.account, ctx.policy.person) or refusal(capped, entry.cost, asked.slices, clock.now())
        if no is not None:
            raise BudgetError(no)
        return kept, _grown(capped, known or entry, _step(ctx, kept, "reserved"), kept.audit_end)

    return change


def _step(ctx: Context, kept: Kept, state: State, output_version: int | None = None) -> Step:
    """The account's next step."""
    cap, at = cap_of(budget_of(ctx)), clock.now()
    return Step(kept.account.sequence + 1, state, at, kept.actor, ctx.run_id, ctx.policy.name, cap, output_version)


def _grown(account: Account, entry: Entry, step: Step, audit_end: int) -> Account:
    """The account after a release's step, with the hash that the audit then ends with."""
    grown = replace(account.with_step(entry, step), audited=audit_end)
    return replace(grown, head=list(lines(grown))[-1]["hash"])


def budget_of(ctx: Context) -> Budget:
    """The policy's budget; BudgetError where it has none."""
    budget = ctx.policy.anonymize.budget
    if budget is None:
        raise BudgetError(
            "anonymize.budget is missing, and nothing with a privacy cost is released without one; give its epsilon"
        )
    return budget


def data_set_of(ctx: Context) -> str:
    """Whose people the policy's releases are about: its own name unless it shares a data set with other policies."""
    return budget_of(ctx).data_set or ctx.policy.name


def _account_for(ctx: Context, accounts: Sequence[Kept], unit: Unit) -> Kept:
    """The account of a unit and the policy's recipient, new where it was never booked on."""
    budget = budget_of(ctx)
    for kept in accounts:
        if (kept.account.unit, kept.account.recipient) == (unit, budget.recipient):
            return kept
    return Kept(opened(budget, data_set_of(ctx), unit, ctx.policy.person), (), actor(ctx))


def _require_same_request(account: Account, entry: Entry) -> None:
    known = account.entry(entry.release_id)
    if known is not None and known.request != entry.request:
        raise BudgetError(
            f"control.budget_ledger: release {entry.release_id} is booked on account {account.name} with other charges or "
            "slices; a release keeps what it asked for, so change the guarantee or the data to get a release of its own"
        )


def _require_next(entry: Entry, state: State) -> None:
    if state not in NEXT[entry.state]:
        allowed = ", ".join(NEXT[entry.state]) or "nothing"
        raise BudgetError(
            f"control.budget_ledger: release {entry.release_id} is {entry.state} and cannot be {state}; allowed: {allowed}"
        )
