"""What several mechanisms cost together, and what a cost in one currency is worth in another.

Losses are exact fractions; what needs logarithms is computed in decimals of 50 digits and rounded to a billionth, a bound
that is claimed upwards and a bound that is spent downwards, so that no result is smaller than the truth.

Sources: Bun, Steinke 2016 (zero-concentrated differential privacy); Mironov 2017 (Renyi differential privacy);
Canonne, Kamath, Steinke 2020 (conversion to epsilon, delta); Kairouz, Oh, Viswanath 2015 (randomised response is the worst).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache

NANO = 10**9
_DIGITS = 50
_SLACK = Decimal(10) ** -30
_ORDERS = tuple(1 + Fraction(3, 2) ** power for power in range(-12, 40))

Curve = Callable[[Decimal], Decimal]
"""A mechanism's Renyi divergence by order alpha > 1."""


@dataclass(frozen=True)
class Bound:
    """A valid epsilon at some delta, and the calculus that gave it."""

    epsilon: Fraction
    by: str


def rho_of_pure(epsilon: Fraction) -> Fraction:
    """The zCDP loss of a pure epsilon: epsilon squared over two."""
    return epsilon * epsilon / 2


def epsilon_of_rho(rho: Fraction, delta: Fraction) -> Fraction:
    """The least epsilon, rounded up to a billionth, for which this proves that rho-zCDP is (epsilon, delta)-DP."""
    _check_delta(delta)
    loss = _decimal(rho)
    return _least_epsilon(lambda order: order * loss, delta) if rho else Fraction(0)


def epsilon_of_rho_in_short(rho: Fraction, delta: Fraction) -> Fraction:
    """The textbook conversion rho + 2 sqrt(rho ln(1 / delta)) (Bun, Steinke 2016), rounded up: never below `epsilon_of_rho`."""
    _check_delta(delta)
    with localcontext(_exact()):
        found = _decimal(rho) + 2 * (_decimal(rho) * -_decimal(delta).ln()).sqrt()
    return _rounded_up(found)


@cache
def rho_within(epsilon: Fraction, delta: Fraction) -> Fraction:
    """The greatest rho, rounded down to a billionth, whose `epsilon_of_rho` at delta is within epsilon; 0 where there is none."""
    lowest, highest = 0, int(epsilon * NANO) + 1
    while highest - lowest > 1:
        middle = (lowest + highest) // 2
        if epsilon_of_rho(Fraction(middle, NANO), delta) <= epsilon:
            lowest = middle
        else:
            highest = middle
    return Fraction(lowest, NANO)


def smallest_bound(pure: Sequence[Fraction], rho: Fraction, delta: Fraction) -> Bound:
    """The smallest epsilon that is proven at `delta` for mechanisms of these pure losses and others of `rho` together.

    Compared are the plain sum (pure losses alone), zCDP, and Renyi divergence of randomised response, the worst mechanism of
    its epsilon. The mechanisms may be chosen adaptively, their losses may not.
    """
    found = []
    if not rho:
        found.append(Bound(sum(pure, Fraction(0)), "sum"))
    if delta:
        _check_delta(delta)
        found.append(Bound(epsilon_of_rho(rho + sum(map(rho_of_pure, pure), Fraction(0)), delta), "zCDP"))
        found.append(Bound(_least_epsilon(_together(pure, rho), delta), "Renyi"))
    if not found:
        raise ValueError("a loss in rho has no epsilon without delta")
    return min(found, key=lambda bound: bound.epsilon)


def _together(pure: Sequence[Fraction], rho: Fraction) -> Curve:
    counted = {loss: list(pure).count(loss) for loss in set(pure) if loss}
    return lambda order: (
        order * _decimal(rho) + sum((times * renyi_of_pure(_decimal(loss), order) for loss, times in counted.items()), Decimal(0))
    )


def renyi_of_pure(epsilon: Decimal, order: Decimal) -> Decimal:
    """The Renyi divergence of randomised response, which no epsilon-DP mechanism exceeds."""
    with localcontext(_exact()):
        yes = epsilon.exp() / (1 + epsilon.exp())
        no = 1 - yes
        largest = order * yes.ln() + (1 - order) * no.ln()
        other = order * no.ln() + (1 - order) * yes.ln()
        return (largest + (1 + (other - largest).exp()).ln()) / (order - 1)


def _least_epsilon(curve: Curve, delta: Fraction) -> Fraction:
    """Every order gives a valid epsilon, so a search over some of them cannot err to the wrong side."""

    def at(order: Decimal) -> Decimal:
        with localcontext(_exact()):
            kept = (1 - 1 / order).ln() - (_decimal(delta).ln() + order.ln()) / (order - 1)
            return curve(order) + kept

    best = _lowest([_decimal(order) for order in _ORDERS], at)
    return _rounded_up(max(Decimal(0), best))


def _lowest(orders: list[Decimal], at: Curve) -> Decimal:
    """The lowest value over the orders and over a finer grid around the best of them; the function has one valley."""
    values = list(map(at, orders))
    best = values.index(min(values))
    low, high = orders[max(0, best - 1)], orders[min(len(orders) - 1, best + 1)]
    finer = [low + (high - low) * step / 40 for step in range(41)]
    return min(values[best], *map(at, finer))


def _check_delta(delta: Fraction) -> None:
    if not 0 < delta < 1:
        raise ValueError("delta must lie between 0 and 1")


def _exact() -> Context:
    return Context(prec=_DIGITS)


def _decimal(value: Fraction) -> Decimal:
    with localcontext(_exact()):
        return Decimal(value.numerator) / Decimal(value.denominator)


def _rounded_up(value: Decimal) -> Fraction:
    return Fraction((value + _SLACK).quantize(Decimal("1e-9"), rounding=ROUND_CEILING, context=_exact()))
