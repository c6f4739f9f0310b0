"""Which groups of unknown key may be shown at all: the truncated geometric rule.

Desfontaines, Voss, Gipson and Mandayam 2020, "Differentially private partition selection": among all rules that decide
by the number of a group's people, no (epsilon, delta)-DP one keeps more groups.
"""

from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

_BITS = 64
_ONE = 2**_BITS


def kept(people: I64, words: U64, groups: int, epsilon: Fraction, delta: Fraction) -> NDArray[np.bool_]:
    """Whether each group is shown, by its number of people [n] and a uniform word [n] of its own.

    One person may be counted in at most `groups` groups; the whole choice is then (epsilon, delta)-DP.
    """
    odds = np.array(keep_odds(epsilon / groups, delta / groups), dtype=np.uint64)
    known = np.minimum(people, odds.size - 1)
    return (words < odds[known]) | (people >= odds.size)


@cache
def keep_odds(epsilon: Fraction, delta: Fraction) -> tuple[int, ...]:
    """For 0, 1, 2, ... people the probability of being shown, in units of 2**-64; from the tuple's length on it is 1.

    The recursion p(n + 1) = min(e^epsilon p(n) + delta, 1 - (1 - p(n) - delta) / e^epsilon, 1) is run on integers with a lower
    bound of e^epsilon and rounded down, so that both inequalities of differential privacy hold exactly.
    """
    growth = _power_of_e_below(epsilon)
    step = delta.numerator * _ONE // delta.denominator
    if step < 1:
        raise ValueError("delta per group is below 2**-64, with which no group would ever be shown")
    odds = [0]
    while True:
        now = odds[-1]
        rising = now * growth.numerator // growth.denominator + step
        falling = _ONE - -(-(_ONE - now - step) * growth.denominator // growth.numerator)
        following = min(rising, falling)
        if following >= _ONE:
            return tuple(odds)
        odds.append(following)


def people_for(share: float, groups: int, epsilon: Fraction, delta: Fraction) -> int:
    """The fewest people with whom a group is shown with at least this probability."""
    odds = keep_odds(epsilon / groups, delta / groups)
    return int(np.searchsorted(np.array(odds, dtype=np.float64) / _ONE, share))


def _power_of_e_below(epsilon: Fraction) -> Fraction:
    """A fraction slightly below e^epsilon: the first terms of its series, whose rest is positive."""
    term, total = Fraction(1), Fraction(1)
    grain = 2**96
    for i in range(1, 400):
        term = Fraction(term * epsilon / i * grain // 1, grain)
        total += term
        if not term:
            break
    return total
