"""Bounds that are bought: what one person can move, what is found, what it costs and what a policy may not ask."""

from fractions import Fraction as Q
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.aggregates.cost import charges
from kveil.anonymize.aggregates.expected import expected
from kveil.anonymize.aggregates.request import Request
from kveil.privacy.randomness import KeyedBits, fresh_secret
from kveil.privacy.threshold import chosen, place_of, scores, sensitivity, threshold_at, thresholds
from kveil.settings import Policy
from kveil.settings.aggregates import Aggregate

from tests.builders import shop
from tests.oracles.noise_laws import fits, noisy_max
from tests.unit.test_settings import problems

BOUNDS = {"epsilon": "0.25", "at": [0, "0.95"], "within": [0, 10**6]}
SPENT = {
    "group_by": {"town": {"values": ["north", "south"]}},
    "measures": {"spent": {"kind": "sum", "column": "cents", "bounds": BOUNDS}, "purchases": {"kind": "count"}},
    "epsilon": 1,
    "contribution": {"rows": 10},
}
KEY = "anonymize.aggregates.monthly.measures.spent"


REJECT = 1e-12


def bits(size: int) -> KeyedBits:
    return KeyedBits(fresh_secret(), np.arange(size, dtype=np.uint64))


@given(st.integers(-(2**50), 2**50), st.integers(1, 2**51))
def test_thresholds_are_few_and_cover_the_range(low, width):
    found = thresholds(low, low + width)
    assert (found[0], found[-1]) == (low, low + width)
    assert found == sorted(set(found))
    assert len(found) < 1700
    for one, two in pairwise(found):
        assert two - one <= max(1, max(abs(one), abs(two)) / 16)


@given(st.integers(-(2**62), 2**62))
def test_a_value_lies_between_its_threshold_and_the_next(value):
    place = place_of(value)
    assert threshold_at(place) <= value < threshold_at(place + 1)
    assert place_of(threshold_at(place)) == place


COUNTS = st.lists(st.integers(0, 10**6), min_size=2, max_size=12)
SHARES = st.integers(0, 100).map(lambda percent: Q(percent, 100))


@given(COUNTS, SHARES, st.data())
def test_no_person_moves_a_score_by_more_than_is_claimed(counts, share, data):
    """A person adds at most so much to all counts together; the claim is nearly reached by who is on one side alone."""
    most = data.draw(st.integers(1, 1000))
    cuts = sorted(data.draw(st.lists(st.integers(0, most), min_size=len(counts), max_size=len(counts))))
    with_person = [count + cut - before for count, cut, before in zip(counts, cuts, [0, *cuts], strict=False)]
    up, epsilon = data.draw(st.booleans()), Q(1, 2)
    one, two = (scores(each, share, most, epsilon, up) for each in (counts, with_person))
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) <= sensitivity(share, most)


def wins(counts: list[int], share: Q, most: int, epsilon: Q, up: bool, runs: int) -> np.ndarray:
    """How often each threshold won."""
    return np.bincount([chosen(counts, share, most, epsilon, up, bits(len(counts))) for _ in range(runs)], minlength=len(counts))


def chances(counts: list[int], share: Q, most: int, epsilon: Q, up: bool) -> np.ndarray:
    """How likely each threshold is to win; the noise's scale is the published one, twice the sensitivity over epsilon."""
    return noisy_max(scores(counts, share, most, epsilon, up), float(2 * sensitivity(share, most) / epsilon))


@pytest.mark.parametrize(("share", "up"), [(Q(1, 2), True), (Q(1, 20), False), (Q(99, 100), True)])
def test_each_threshold_wins_as_often_as_its_law_says(share, up):
    counts, most, epsilon = [40, 10, 0, 25, 60, 5], 10, Q(1)
    found = wins(counts, share, most, epsilon, up, 4000)
    assert fits(found, chances(counts, share, most, epsilon, up)) > REJECT
    assert fits(found, chances(counts, share, most, epsilon * 2, up)) < REJECT


@pytest.mark.parametrize(("share", "up"), [(Q(5, 100), False), (Q(95, 100), True)])
def test_of_many_people_the_quantile_is_found_to_a_step(share, up):
    values = np.random.default_rng(2).lognormal(8, 1, 200_000)
    places = np.array(thresholds(0, 10**7))
    counts = np.histogram(values, [*places, places[-1] + 1])[0].tolist()
    near = np.abs(places / np.quantile(values, float(share)) - 1) < 0.1
    law = chances(counts, share, 10, Q(1, 10), up)
    assert law[~near].sum() < 0.001
    assert fits(wins(counts, share, 10, Q(1, 10), up, 500), law) > REJECT


@pytest.mark.parametrize(("share", "up", "near"), [(Q(1, 100), False, (448, 500)), (Q(99, 100), True, (501, 600))])
def test_where_all_values_are_one_the_range_is_tight(share, up, near):
    """Each threshold away from the value is about a third as likely as the one before; none on its other side ever wins."""
    places = np.array(thresholds(0, 10**7))
    counts = np.histogram(np.full(100_000, 500), [*places, places[-1] + 1])[0].tolist()
    law = chances(counts, share, 10, Q(1, 2), up)
    assert law[(places >= near[0]) & (places <= near[1])].sum() > 0.95
    assert law[places <= 500 if up else places > 500].sum() < REJECT
    assert fits(wins(counts, share, 10, Q(1, 2), up, 500), law) > REJECT


def test_one_person_more_changes_the_odds_by_the_claim_at_most_and_by_half_of_it_here():
    """A person who adds all they may below the second of two thresholds lowers the first one's score and raises the other's."""
    epsilon, most, runs = Q(1), 1000, 2000
    one, two = (chances(counts, Q(1, 2), most, epsilon, True) for counts in ([0, 10**5], [most, 10**5]))
    told = np.abs(np.log(one / two)).max()
    # The difference of two Laplace draws of scale b is over b with probability 3 / (4 e), over 0 with a half.
    assert told == pytest.approx(np.log(2 * np.e / 3), abs=0.01)
    assert told < epsilon
    assert fits(wins([0, 10**5], Q(1, 2), most, epsilon, True, runs), one) > REJECT


def test_bounds_have_a_charge_of_their_own_and_what_is_booked_does_not_depend_on_them():
    asked = Aggregate.model_validate({**SPENT, "delta": 1e-6})
    request = Request.of("monthly", asked, "id")
    measures, bounds = charges(request)
    assert (bounds.mechanism, bounds.epsilon, bounds.what) == ("bounds", 25 * 10**7, "monthly.spent.bounds")
    assert measures.epsilon == 10**9
    found = request.within({"spent": (0, 1000)})
    assert charges(found) == charges(request)
    assert found.design.mechanism == request.design.mechanism
    # The errors shrink with the range.
    for one, two in zip(found.design.of("spent"), request.design.of("spent"), strict=True):
        assert two.noise.standard_error == pytest.approx(1000 * one.noise.standard_error)
    assert (found.design.totals[0].lower, found.design.totals[0].upper) == (0, 1000)


def test_the_plan_tells_what_bounds_cost():
    lines = list(expected(Policy.model_validate(shop(anonymize__aggregates={"monthly": SPENT})).anonymize))
    assert lines[0].endswith("epsilon 1 and epsilon 0.25 for bounds")
    assert any("bounds at the shares 0 and 0.95, bought within [0, 1,000,000]" in line for line in lines)
    assert any(line.startswith("together: epsilon 1.25,") for line in lines)


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"bounds": {**BOUNDS, "within": [9, 0]}}, "bounds", "within: the first number must be below"),
        ({"bounds": {**BOUNDS, "within": [0, 2**63]}}, "bounds", "coarser unit"),
        ({"bounds": {**BOUNDS, "within": [0, 2**60]}}, "", "64 bits"),
        ({"bounds": {**BOUNDS, "at": ["0.9", "0.1"]}}, "bounds", "must be below the second"),
        ({"bounds": {**BOUNDS, "at": [0, 1]}}, "bounds", "costs nothing"),
        ({"bounds": {**BOUNDS, "at": [0, 2]}}, "bounds.at", "less than or equal to 1"),
        ({"bounds": {**BOUNDS, "epsilon": 0}}, "bounds.epsilon", "greater than 0"),
        ({"bounds": BOUNDS, "lower": 0}, "", "not both"),
        ({"lower": 0}, "", "needs upper, which are public and not taken from the data; bounds buys them"),
        ({"kind": "count", "column": None, "bounds": BOUNDS}, "", "knows no bounds"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, changes, key, says):
    measure = {name: value for name, value in {"kind": "sum", "column": "cents", **changes}.items() if value is not None}
    found = problems(tmp_path, shop(anonymize__aggregates={"monthly": {**SPENT, "measures": {"spent": measure}}}))
    mine = [line for line in found if "anonymize.aggregates.monthly" in line and says in line]
    assert mine, found
    assert key in mine[0]
    assert all("\n" not in line for line in found)
