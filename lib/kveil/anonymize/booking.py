"""What a release of rows costs: noise per row, and bounds of masks per person, which are accounts of their own.

Both are booked before anything is drawn, or neither is; from then on they go through the same states together.
"""

from collections.abc import Sequence
from contextlib import suppress

from kveil.anonymize import ledger
from kveil.anonymize.identity import bounds_id
from kveil.anonymize.ledger import Booking
from kveil.context import Context
from kveil.errors import BudgetError
from kveil.settings.anonymize import Anonymize


def bookings(settings: Anonymize, release_id: str, slices: Sequence[str] = ()) -> list[Booking]:
    """Everything that the release asks of the ledger: noise, on `slices` alone where there are any, and the bounds of masks."""
    asked = [
        Booking(release_id, ledger.row_charges(settings), slices),
        Booking(bounds_id(release_id), ledger.mask_charges(settings)),
    ]
    return [each for each in asked if each.charges]


def reserve(ctx: Context, release_id: str, slices: Sequence[str]) -> None:
    """Books everything that the release draws; BudgetError books nothing."""
    done: list[Booking] = []
    for part in bookings(ctx.policy.anonymize, release_id, slices):
        try:
            ledger.reserve(ctx, *part)
        except BudgetError:
            for each in done:
                _give_back(ctx, each)
            raise
        done.append(part)


def drawn(ctx: Context, release_id: str) -> None:
    """Notes that the release's draws are in a committed table."""
    for part in bookings(ctx.policy.anonymize, release_id):
        ledger.drawn(ctx, part.release_id)


def committed(ctx: Context, release_id: str, version: int) -> None:
    """Notes the Delta version in which the release was published."""
    for part in bookings(ctx.policy.anonymize, release_id):
        ledger.committed(ctx, part.release_id, version)


def cancelled(ctx: Context, release_id: str) -> None:
    """Gives back what was reserved; what an earlier run drew stays spent."""
    for part in bookings(ctx.policy.anonymize, release_id):
        _give_back(ctx, part)


def _give_back(ctx: Context, part: Booking) -> None:
    with suppress(BudgetError):
        ledger.cancelled(ctx, part.release_id)
