"""What a release of rows costs: noise per row, and bounds of masks per person, which are accounts of their own.

Both are booked before anything is drawn, or neither is; from then on they go through the same states together.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kveil.anonymize import ledger
from kveil.anonymize.identity import bounds_id
from kveil.anonymize.ledger import Charge
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.settings.anonymize import Anonymize


@dataclass(frozen=True)
class _Part:
    """Charges of one unit, and the id under which the ledger keeps them."""

    release_id: str
    charges: Sequence[Charge]
    by_slice: bool


def reserve(ctx: Context, release_id: str, slices: Sequence[str]) -> None:
    """Books everything that the release draws, noise on `slices` alone where there are any; BudgetError books nothing."""
    done: list[_Part] = []
    for part in _parts(ctx.policy.anonymize, release_id):
        try:
            ledger.reserve(ctx, part.release_id, part.charges, slices if part.by_slice else ())
        except BudgetError:
            for each in done:
                _give_back(ctx, each)
            raise
        done.append(part)


def drawn(ctx: Context, release_id: str) -> None:
    """Notes that the release's draws are in a committed table."""
    for part in _parts(ctx.policy.anonymize, release_id):
        ledger.drawn(ctx, part.release_id)


def committed(ctx: Context, release_id: str, version: int) -> None:
    """Notes the Delta version in which the release was published."""
    for part in _parts(ctx.policy.anonymize, release_id):
        ledger.committed(ctx, part.release_id, version)


def cancelled(ctx: Context, release_id: str) -> None:
    """Gives back what was reserved; what an earlier run drew stays spent."""
    for part in _parts(ctx.policy.anonymize, release_id):
        _give_back(ctx, part)


def _give_back(ctx: Context, part: _Part) -> None:
    with suppress(BudgetError):
        ledger.cancelled(ctx, part.release_id)


def _parts(settings: Anonymize, release_id: str) -> Iterator[_Part]:
    parts = [
        _Part(release_id, ledger.row_charges(settings), by_slice=True),
        _Part(bounds_id(release_id), ledger.mask_charges(settings), by_slice=False),
    ]
    yield from (part for part in parts if part.charges)
