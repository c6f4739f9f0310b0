"""What the regulations of a policy ask together: who may be used under each, and the strictest of all."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from kveil.settings.clean import Clean
from kveil.settings.law import Ground, Law
from kveil.settings.regulations import Regulation, in_force

STRICTEST = "strictest"
"""The name under which those stand whose jurisdiction is unknown or not single."""

Asks = Literal["consent", "objection", "nothing"]
"""What a legal basis asks of a person's decisions: a grant, that nobody objected (Art. 21), or nothing."""
ASKS: tuple[Asks, ...] = ("consent", "objection", "nothing")


@dataclass(frozen=True)
class Regime:
    """Who may be used: by grant alone (opt_in), unless they refuse (opt_out), and below which ages only by whose grant."""

    opt_in: bool
    opt_out: bool
    opt_in_below: int
    parent_below: int


def asked_by(ground: Ground) -> Asks:
    """What the basis asks of decisions: consent a grant, interests and public tasks hear objections, the others nothing."""
    if ground.basis == "consent":
        return "consent"
    return "objection" if ground.basis in ("legitimate_interests", "public_task") else "nothing"


def regimes(law: Law) -> dict[str, Regime]:
    """The regime of every regulation by its name, and of all together under STRICTEST."""
    age = law.birth_date.age if law.birth_date else None
    each = {name: _regime(regulation, age) for name, regulation in law.regulations.items()}
    return each | {STRICTEST: strictest(each.values())}


def strictest(each: Iterable[Regime]) -> Regime:
    """A regime that allows nobody whom one of them does not allow."""
    every = list(each)
    return Regime(
        opt_in=any(regime.opt_in for regime in every),
        opt_out=any(regime.opt_out for regime in every),
        opt_in_below=max(regime.opt_in_below for regime in every),
        parent_below=max(regime.parent_below for regime in every),
    )


def _regime(regulation: Regulation, age: int | None) -> Regime:
    consent, minors = in_force(regulation.rules.consent), in_force(regulation.rules.minors)
    parent = minors.parent_below if minors else 0
    if minors and minors.lowest is not None and age is not None:
        parent = age
    return Regime(
        opt_in=consent is not None and consent.model == "opt_in",
        opt_out=consent is not None and consent.model == "opt_out",
        opt_in_below=(minors.opt_in_below or 0) if minors else 0,
        parent_below=parent,
    )


def named_jurisdictions(law: Law) -> dict[str, str]:
    """The regulation of each known value of the jurisdiction column, upper case; the policy's own map counts first."""
    known = {value.upper(): name for name, regulation in law.regulations.items() for value in regulation.jurisdictions}
    own = law.jurisdiction.map if law.jurisdiction else {}
    return known | {value.strip().upper(): name for value, name in own.items()}


def days_to_erase(law: Law) -> int | None:
    """Within how many days an erasure is to be proven: the shortest that a regulation names."""
    deadlines = [in_force(regulation.rules.erasure) for regulation in law.regulations.values()]
    return min((deadline.within_days for deadline in deadlines if deadline), default=None)


def limits(law: Law) -> dict[str, int]:
    """For how many days rows of the zones raw and clean are kept, where a regulation in force lets the policy limit them."""
    if not any(in_force(regulation.rules.retention) for regulation in law.regulations.values()):
        return {}
    asked = {"raw": law.retention.raw, "clean": law.retention.clean}
    return {zone: days for zone, days in asked.items() if days is not None}


def age_column(law: Law, clean: Clean, source: str) -> str | None:
    """The column of a source that its rows' age counts from; None where the policy names none."""
    return law.retention.by.get(source, clean.time if source == clean.base else None)
