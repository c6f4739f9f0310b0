"""What the noise on released rows costs, and what their masks buy."""

from decimal import Decimal
from fractions import Fraction

from kveil.anonymize.ledger.charge import NANO, Charge
from kveil.settings.anonymize import Anonymize
from kveil.settings.mask_checks import bought_bounds


def row_charges(settings: Anonymize) -> list[Charge]:
    """One charge per noisy column, each for the value of one row."""
    return [
        Charge(role.mechanism, int(role.epsilon * NANO), Fraction(), Fraction(), name, "row")
        for name, role in settings.noise.items()
    ]


def mask_charges(settings: Anonymize) -> list[Charge]:
    """One charge per masked column whose bounds are bought, for all rows of one person."""
    return [
        Charge("bounds", int(role.epsilon * NANO), Fraction(), Fraction(), f"{name}.bounds")
        for name, role in bought_bounds(settings.mask).items()
    ]


def has_cost(settings: Anonymize) -> bool:
    """Whether anything that the policy releases has a privacy cost, which is booked."""
    return bool(row_charges(settings) or mask_charges(settings) or settings.aggregates)


def epsilon_of(settings: Anonymize) -> Decimal:
    """Epsilon of one row: the sum over the release's noisy columns."""
    return sum((role.epsilon for role in settings.noise.values()), Decimal(0))
