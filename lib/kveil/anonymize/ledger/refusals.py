"""Why a release may not be booked: one sentence each, or None."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from kveil.anonymize.ledger.account import Account
from kveil.anonymize.ledger.charge import Cost
from kveil.anonymize.ledger.clock import text_of
from kveil.anonymize.ledger.form import plain
from kveil.anonymize.ledger.spending import spent
from kveil.settings.budget import period_of

SKEW = timedelta(minutes=5)
"""How far the clocks of honest machines may lie apart."""

NOTHING_IS_SPENT = (
    "nothing is drawn or spent until budget_ledger, budget_audit, releases, release_slices and aggregates of the control zone "
    "are back as they were last; see docs/operations.md, When it refuses"
)
"""How every sentence ends that says that the tables contradict each other."""

_CHEAPER = {"row": "lower the epsilon of anonymize.noise", "person": "lower the epsilon of the aggregates"}


def refusal(account: Account, cost: Cost, slices: Sequence[str], now: datetime) -> str | None:
    """Why the account cannot bear the cost; `account` has the policy's cap and period."""
    return _clock(account, now) or _lowered(account, now) or _too_dear(account, cost, slices, now)


def stranger(account: Account, person: str) -> str | None:
    """Why the account is not this policy's."""
    if account.person == person:
        return None
    return (
        f"control.budget_ledger: account {account.name} counts people by {account.person}, this policy by {person}: it is the "
        "ledger of another policy; give anonymize.budget.data_set a name of its own"
    )


def _clock(account: Account, now: datetime) -> str | None:
    last = account.last_change
    if last is None or now >= last - SKEW:
        return None
    return (
        f"the clock says {text_of(now)}, but account {account.name} was changed at {text_of(last)}: it went back, and a period's "
        "cap cannot be counted by it; set the clock right and run again"
    )


def _lowered(account: Account, now: datetime) -> str | None:
    where, when = _period(account, now)
    there = spent(account.counted(where))
    for name, cap, done in (("epsilon", account.cap.epsilon, there.epsilon), ("delta", account.cap.delta, there.delta)):
        if done > cap:
            return (
                f"anonymize.budget.{name}: found {plain(cap)}, but {plain(done)} is spent{when} on account {account.name} "
                "already; what is spent stays spent, so give at least that"
            )
    return None


def _too_dear(account: Account, cost: Cost, slices: Sequence[str], now: datetime) -> str | None:
    where, when = _period(account, now)
    there = spent(account.counted(where), slices)
    after = there + cost
    for name in ("epsilon", "delta"):
        costs, done, cap = (getattr(each, name) for each in (cost, there, account.cap))
        if getattr(after, name) > cap:
            return (
                f"anonymize.budget.{name}: this release costs {plain(costs)} and {plain(done)} of {plain(cap)} is spent{when} "
                f"on account {account.name}; raise the budget, or {_CHEAPER[account.unit]}"
            )
    return None


def _period(account: Account, now: datetime) -> tuple[str | None, str]:
    """The period that counts now, and its words. It never goes back, whatever the clock of this machine says."""
    last = account.last_change
    period = period_of(max(now, last) if last else now, account.period)
    return period, f" in {period}" if period else ""
