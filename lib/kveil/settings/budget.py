"""`anonymize.budget`: what all releases to one recipient may cost together."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kveil.settings.base import Epsilon, Identifier, Section

Period = Literal["month", "quarter", "year"]
"""Calendar periods, UTC."""


def _at_thirty_decimals(value: Decimal) -> Decimal:
    if (Fraction(value) * 10**30).denominator != 1:
        raise ValueError("at most 30 decimals are kept, so that budgets add up exactly")
    return value


Delta = Annotated[Decimal, Field(ge=0, lt=1), AfterValidator(_at_thirty_decimals)]
"""A probability with which the loss may be larger; 0 is pure differential privacy."""


class Budget(Section):
    """The cap of each account that the policy's releases are booked on: one per data set, privacy unit and recipient.

    `period` makes it a cap per calendar period; what was spent since the beginning is always shown beside it, since privacy
    does not grow back. `recipient` is who gets the releases: what two recipients get is counted apart, which is right only
    while they do not share it. Policies whose tables come from the same people name the same `data_set`, and share the account.
    """

    epsilon: Epsilon
    delta: Delta = Decimal(0)
    recipient: Identifier = "anyone"
    period: Period | None = None
    data_set: Identifier | None = None


def period_of(time: datetime, period: Period | None) -> str | None:
    """The calendar period that a time lies in: 2026-01, 2026-Q1 or 2026; None where the cap is for all time."""
    if period is None:
        return None
    quarter = (time.month + 2) // 3
    return {"month": f"{time:%Y-%m}", "quarter": f"{time:%Y}-Q{quarter}", "year": f"{time:%Y}"}[period]
