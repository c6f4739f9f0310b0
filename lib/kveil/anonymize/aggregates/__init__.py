"""Statistics of groups under differential privacy: a person's rows, all of them, are what one change means.

check(ctx)            before anything is drawn: whether the clean table's columns allow what the policy asks
planned(ctx)          which releases the aggregates are, refused where a delta is too large; what they ask of the ledger
published(ctx, plan)  publishes every aggregate of the policy, once
expected(...)         what each will cost and how far it will stray, from the policy alone
"""

from kveil.anonymize.aggregates.expected import expected
from kveil.anonymize.aggregates.release import check, planned, published

__all__ = ["check", "expected", "planned", "published"]
