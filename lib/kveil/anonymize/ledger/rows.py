"""What the noise on released rows costs."""

from decimal import Decimal
from fractions import Fraction

from kveil.anonymize.ledger.charge import NANO, Charge
from kveil.settings.anonymize import Anonymize


def row_charges(settings: Anonymize) -> list[Charge]:
    """One charge per noisy column, each for the value of one row."""
    return [
        Charge(role.mechanism, int(role.epsilon * NANO), Fraction(), Fraction(), name, "row")
        for name, role in settings.noise.items()
    ]


def epsilon_of(settings: Anonymize) -> Decimal:
    """Epsilon of one row: the sum over the release's noisy columns."""
    return sum((role.epsilon for role in settings.noise.values()), Decimal(0))
