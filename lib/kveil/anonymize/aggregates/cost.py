"""What an aggregate costs one person, all rows together, as the ledger books it."""

from fractions import Fraction

from kveil.anonymize.aggregates.request import Request
from kveil.anonymize.ledger import Charge
from kveil.privacy.composition import NANO


def charges(request: Request) -> list[Charge]:
    """One charge for all measures, one for the private choice of groups where there is one, and one for each bought range."""
    name, asked, made = request.name, request.asked, request.design
    gaussian = made.mechanism == "gaussian"
    delta = Fraction(asked.delta) if gaussian and asked.delta is not None else Fraction()
    found = [Charge(made.mechanism, int(asked.epsilon * NANO), delta, made.loss if gaussian else Fraction(), name)]
    if asked.selection is not None:
        chosen = asked.selection
        found.append(Charge("selection", int(chosen.epsilon * NANO), Fraction(chosen.delta), Fraction(), f"{name}.groups"))
    for measure, role in asked.measures.items():
        if role.bounds is not None:
            spent = int(role.bounds.epsilon * NANO)
            found.append(Charge("bounds", spent, Fraction(), Fraction(), f"{name}.{measure}.bounds"))
    return found
