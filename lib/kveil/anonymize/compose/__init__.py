"""Releases of the same people, held against each other: what both together tell of fewer than k people is not published.

compared(ctx, work, rows, clean)   before anything is booked: what the release may show beside earlier ones, or a refusal
composition_metrics(...)           on staging, in other SQL: people in overlaps with each earlier release and in what differs
described(policy), record_classes(ctx, id)    what later releases are compared with: class sizes and trees, no person
forget_replaced(ctx, id)           what a replaced release leaves in the zone that recipients read
"""

from kveil.anonymize.compose.again import rows_again
from kveil.anonymize.compose.comparison import Comparison
from kveil.anonymize.compose.guard import compared
from kveil.anonymize.compose.known import described
from kveil.anonymize.compose.record import record_classes
from kveil.anonymize.compose.remeasure import composition_metrics
from kveil.anonymize.compose.replaced import forget_replaced

__all__ = ["Comparison", "compared", "composition_metrics", "described", "forget_replaced", "record_classes", "rows_again"]
