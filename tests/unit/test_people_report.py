"""What a report shows of linked people: nothing of fewer than k of them, not even by subtraction; and it adds up."""

import copy
import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.report import render
from kveil.report.cleaning_findings import expectations, rules
from kveil.report.people_facts import summed_up
from kveil.report.people_figure import people_pictures, steps

GOLDEN = Path(__file__).parents[1] / "golden" / "report_facts.json"


@pytest.fixture
def facts():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def unit(place, people, more=0):
    """People with match weights of about `place`, a prior of -10 and two columns."""
    first = place + 12.0
    return {
        "unit": place,
        "people": people,
        "registrations": 2 * people + more,
        "weight": people * place,
        "sum_0": people * first,
        "sum_1": people * -2.0,
    }


@st.composite
def unit_lists(draw):
    places = draw(st.lists(st.integers(-3, 90), unique=True, max_size=40))
    return [unit(place, draw(st.integers(1, 30)), draw(st.integers(0, 3))) for place in sorted(places)]


@given(unit_lists(), st.integers(2, 40))
def test_every_group_and_every_difference_of_groups_is_of_k_people(units, k):
    fact = summed_up(units, ["name", "phone"], k, 0.95)
    people = sum(each["people"] for each in units)
    assert fact["people"] == people
    assert bool(fact["weights"]) == bool(fact["waterfalls"]) == (people >= k)
    assert all(each["people"] >= k for each in fact["weights"])
    sizes = [each["people"] for each in fact["waterfalls"]]
    assert sizes[:1] in ([], [people])
    if len(sizes) == 2:
        assert min(sizes[1], people - sizes[1]) >= k


@given(unit_lists(), st.integers(2, 40))
def test_ranges_lie_side_by_side_and_hold_everybody(units, k):
    ranges = summed_up(units, ["name", "phone"], k, 0.95)["weights"]
    assert len(ranges) <= 8
    assert all(one["upper"] == other["lower"] for one, other in pairwise(ranges))
    for each in ranges:
        assert each["people"] == sum(one["people"] for one in units if each["lower"] <= one["unit"] < each["upper"])
    if ranges:
        assert sum(each["people"] for each in ranges) == sum(one["people"] for one in units)


@given(unit_lists(), st.integers(2, 40))
def test_a_waterfall_leads_from_the_prior_to_the_match_weight(units, k):
    for fact in summed_up(units, ["name", "phone"], k, 0.95)["waterfalls"]:
        assert fact["prior"] == pytest.approx(-10, abs=0.011)
        bars = steps(fact)
        assert [bar.name for bar in bars] == ["prior", "name", "phone", "match weight"]
        assert all(one.end == other.start for one, other in pairwise(bars[:-1]))
        assert bars[-2].end == pytest.approx(bars[-1].end, abs=0.03)


def test_the_weakest_are_a_tenth_and_at_least_k():
    units = [unit(place, 1) for place in range(100)]
    everybody, weakest = summed_up(units, ["name", "phone"], 3, 0.9)["waterfalls"]
    assert (everybody["people"], everybody["weight"], weakest["people"], weakest["weight"]) == (100, 49.5, 10, 4.5)
    assert [each["people"] for each in summed_up(units, ["name", "phone"], 30, 0.9)["waterfalls"]] == [100, 30]
    assert [each["people"] for each in summed_up(units, ["name", "phone"], 51, 0.9)["waterfalls"]] == [100]


def test_a_waterfall_is_told_in_words_as_it_is_drawn(facts):
    pictures = people_pictures(facts)
    assert [bool(picture.svg) for picture in pictures] == [True, True, True]
    assert (
        "prior \N{MINUS SIGN}12.4; name +9.3; birth_date +11.0; street +8.4; phone \N{MINUS SIGN}0.9; match weight 15.4"
        in pictures[0].alt
    )
    # What speaks against is told by colour, pattern and sign.
    assert "#d55e00" in pictures[0].svg and "\N{MINUS SIGN}0.9" in pictures[0].svg
    facts["people"]["waterfalls"][0]["columns"][-1]["weight"] = 0.9
    assert "#d55e00" not in people_pictures(facts)[0].svg


def test_of_fewer_than_k_people_counts_alone_are_told(facts):
    facts["people"] = summed_up([unit(12, 7)], ["name", "phone"], 10, 0.95)
    for said in (render.html(facts), render.markdown(facts)):
        assert "7 registrations repeat another one" in said
        assert "averages over fewer than 10 people" in said
        assert "Match weight of" not in said and "No single pair" not in said


def test_no_pair_and_no_linkage_are_different_things(facts):
    facts["people"] = summed_up([], ["name", "phone"], 10, 0.95)
    assert "No two registrations belong to one person" in render.markdown(facts)
    facts["people"] = None
    for said in (render.html(facts), render.markdown(facts)):
        assert "registered several times" not in said


def test_a_report_without_expectations_says_nothing_of_them(facts):
    assert "What was expected" in render.html(facts)
    facts["expectations"] = []
    assert "xpected of the clean table" not in render.html(facts) + render.markdown(facts)


def test_an_expectation_that_is_not_met_is_noted_before_the_numbers(facts):
    note = "Expected of the clean table and not met: the latest date is at most 3 days old."
    assert note in render.html(facts)
    met = copy.deepcopy(facts)
    met["expectations"][2]["met"] = True
    assert "and not met" not in render.html(met)
    of_rows, _, of_the_table = expectations(facts)
    assert (of_rows["failed"], of_the_table["failed"]) == ("0 of 1,318,840", "")


def test_samples_of_a_column_stand_at_its_first_step_alone(facts):
    rule = facts["cleaning"][-1]
    other = {**rule, "rule": "recipe: repair: town", "samples": ["Aaa -> Aaaa"]}
    facts["cleaning"] += [{**rule, "rule": "recipe: repair: home_town"}, other, {**rule, "source": "transactions"}]
    assert [each["samples"] for each in rules(facts)[-4:]] == [rule["samples"], [], other["samples"], rule["samples"]]
