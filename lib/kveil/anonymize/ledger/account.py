"""An account: one data set, one privacy unit, one recipient; what was spent on it and by which releases.

Plain values without Spark: the books change here, `storage` keeps them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from kveil.anonymize.ledger.charge import NOTHING, Charge, Cost, Unit
from kveil.settings.budget import Budget, Period, period_of

State = Literal["reserved", "drawn", "committed", "cancelled"]

NEXT: dict[State, tuple[State, ...]] = {
    "reserved": ("drawn", "cancelled"),
    "drawn": ("committed",),
    "committed": (),
    "cancelled": ("reserved",),
}
"""Where a release may go from a state; from `drawn` there is no way back to what it cost."""


@dataclass(frozen=True)
class Step:
    """One change of the account: its place in the order of all, the state that a release got, when, by whom, under which cap."""

    sequence: int
    state: State
    at: datetime
    actor: str
    run_id: str
    policy: str
    cap: Cost
    output_version: int | None = None


@dataclass(frozen=True)
class Entry:
    """One release: what was asked, what it costs, and its steps, the first first."""

    release_id: str
    request: str
    cost: Cost
    charges: tuple[Charge, ...]
    slices: tuple[str, ...] | None
    sources: dict[str, int]
    steps: tuple[Step, ...]

    @property
    def state(self) -> State:
        """Where it is now."""
        return self.steps[-1].state

    @property
    def counts(self) -> bool:
        """Whether its cost is spent: everything but what was cancelled before it was drawn."""
        return self.state != "cancelled"

    @property
    def reserved_at(self) -> datetime:
        """When its cost was last reserved; the period that it belongs to is that of this time."""
        return [step for step in self.steps if step.state == "reserved"][-1].at


@dataclass(frozen=True)
class Account:
    """The account's row. `audited` is how many steps were known to be in the audit when it was last changed."""

    data_set: str
    unit: Unit
    recipient: str
    person: str
    cap: Cost
    period: Period | None = None
    sequence: int = 0
    head: str = ""
    audited: int = 0
    entries: tuple[Entry, ...] = field(default=())

    @property
    def name(self) -> str:
        """DATA_SET/UNIT/RECIPIENT: identifiers, so no two accounts have one name."""
        return f"{self.data_set}/{self.unit}/{self.recipient}"

    def entry(self, release_id: str) -> Entry | None:
        """The release's entry, if it has one."""
        return next((entry for entry in self.entries if entry.release_id == release_id), None)

    @property
    def steps(self) -> list[tuple[Step, Entry]]:
        """All steps in order, each with its release."""
        return sorted(((step, entry) for entry in self.entries for step in entry.steps), key=lambda pair: pair[0].sequence)

    @property
    def last_change(self) -> datetime | None:
        """The latest time that was recorded."""
        return max((step.at for entry in self.entries for step in entry.steps), default=None)

    def with_step(self, entry: Entry, step: Step) -> "Account":
        """After one more step of a release, new or known. The head is the caller's to set."""
        known = self.entry(entry.release_id) is not None
        grown = replace(entry, steps=(*entry.steps, step))
        kept = tuple(grown if each.release_id == entry.release_id else each for each in self.entries)
        return replace(self, sequence=step.sequence, entries=kept if known else (*kept, grown))

    def counted(self, period: str | None = None) -> list[Entry]:
        """The entries whose cost is spent: since the beginning, or in one period such as 2026-Q1."""
        return [each for each in self.entries if each.counts and period in (None, period_of(each.reserved_at, self.period))]


def opened(budget: Budget, data_set: str, unit: Unit, person: str) -> Account:
    """An account on which nothing was ever booked."""
    return Account(data_set, unit, budget.recipient, person, cap_of(budget), budget.period)


def cap_of(budget: Budget) -> Cost:
    """The policy's cap; rho has none of its own."""
    return Cost(budget.epsilon, budget.delta)


def total(entries: Iterable[Entry]) -> Cost:
    """The entries' sum."""
    return sum((entry.cost for entry in entries), NOTHING)


def by_period(account: Account, period: Period) -> Iterator[tuple[str, list[Entry]]]:
    """The periods in which something was spent, in order, with their entries."""
    names = {str(period_of(entry.reserved_at, period)) for entry in account.entries if entry.counts}
    for name in sorted(names):
        yield name, [e for e in account.entries if e.counts and period_of(e.reserved_at, period) == name]
