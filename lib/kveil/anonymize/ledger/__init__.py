"""The budget ledger: what noise costs, booked before it is drawn, never twice for one release, never over the cap.

require_room(ctx, bookings)                 before anything of a run is reserved: all of it fits, or BudgetError; books nothing
reserve(ctx, release_id, charges, slices)   before anything is drawn; BudgetError books nothing
drawn(ctx, release_id)                      when the noise is in its committed table
committed(ctx, release_id, output_version)  when the release is published
cancelled(ctx, release_id)                  instead of drawn, to give back what was reserved
"""

from kveil.anonymize.ledger.book import cancelled, committed, drawn, require_room, reserve
from kveil.anonymize.ledger.charge import Booking, Charge, cost_of
from kveil.anonymize.ledger.rows import epsilon_of, has_cost, mask_charges, row_charges

__all__ = [
    "Booking", "Charge", "cancelled", "committed", "cost_of", "drawn", "epsilon_of", "has_cost", "mask_charges", "require_room",
    "reserve", "row_charges",
]  # fmt: skip
