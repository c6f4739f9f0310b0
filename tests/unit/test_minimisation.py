"""A column is collected exactly when something uses it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.settings import Policy, load

from tests.builders import CONF, changed, journey, shop

SALES = shop()["sources"]["sales"]["columns"]
USED = ["customer", "bought_at", "age", "town", "item", "cents", "reduced"]


def left_out(**changes):
    policy = Policy.model_validate(shop(**changes))
    return {
        name: [each for each in source.columns if each not in policy.used_columns(name)]
        for name, source in policy.sources.items()
    }


def spare(**changes):
    """What is left out of the sales when they have a column `spare` too."""
    return left_out(**{"sources__sales__columns": {**SALES, "spare": "string"}, **changes})["sales"]


def test_the_journey_leaves_the_receipts_number_out():
    policy = load(CONF / "journey.yml")
    unused = {name: set(source.columns) - set(policy.used_columns(name)) for name, source in policy.sources.items()}
    assert unused == {"transactions": {"basket_id"}, "profiles": set(), "products": set(), "rates": set()}


def test_what_nothing_names_is_left_out_and_the_order_stays():
    assert spare() == ["spare"]
    assert Policy.model_validate(shop()).used_columns("sales") == USED


QIS = shop()["anonymize"]["quasi_identifiers"]
COUNT = {"measures": {"n": {"kind": "count"}}, "epsilon": 1, "contribution": {"rows": 1}}
USES = {
    "a quasi-identifier": {"anonymize__quasi_identifiers": {"spare": {"kind": "category"}, **QIS}},
    "a sensitive column": {"anonymize__sensitive": {"item": {"distinct": 2}, "spare": {"distinct": 2}}},
    "a partition": {"anonymize__partition_by": ["month", "split", "spare"]},
    "a rule": {"clean__rules": [{"source": "sales", "column": "spare", "min": 0}]},
    "an expression": {"clean__derive": {"made": "upper(Spare) || 'x'"}},
    "a bucket": {"clean__buckets": {"group": {"column": "spare", "count": 3}}},
    "money": {"clean__money": {"currency": "EUR", "columns": {"spare": "made"}}},
    "an aggregate": {"anonymize__aggregates": {"counts": {"group_by": {"spare": {"values": ["a"]}}, **COUNT}}},
    "a jurisdiction": {"law": {"jurisdiction": {"source": "sales", "column": "spare"}}},
    "a birth date": {"law": {"birth_date": {"source": "sales", "column": "spare"}}},
    "an age of rows": {"law": {"retention": {"by": {"sales": "spare"}}}},
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_each_use_keeps_the_column(use):
    assert spare(**USES[use]) == []


def test_joined_sources_registries_and_rates_keep_what_is_read_of_them():
    events = {name: "string" for name in ("customer", "purpose", "decision", "basis", "evidence", "branch")}
    times = {"effective_from": "timestamp", "recorded_at": "timestamp"}
    rates = {"currency": "string", "date": "date", "rate": "double", "remark": "string"}
    shops = {"item": "string", "colour": "string", "weight": "int"}
    sources = {
        **shop()["sources"], "events": {"uri": "e", "columns": {**events, **times}}, "rates": {"uri": "r", "columns": rates},
        "items": {"uri": "i", "columns": shops},
    }  # fmt: skip
    found = left_out(
        sources=sources,
        consent={"registry": "events"},
        clean__money={"currency": "USD", "rates": "rates", "columns": {"cents": "euro_cents"}},
        clean__joins=[{"source": "items", "by": "item"}],
        anonymize__insensitive={"reduced": "label", "colour": "of things"},
    )
    assert found == {"sales": [], "events": ["branch"], "rates": ["remark"], "items": ["weight"]}


def test_a_source_that_nothing_uses_keeps_one_column():
    sources = {**shop()["sources"], "idle": {"uri": "i", "columns": {"a": "int", "b": "int"}}}
    assert left_out(sources=sources)["idle"] == ["b"]


@given(st.sets(st.sampled_from(["age", "income", "household_size", "department", "region"])))
def test_a_release_of_less_collects_no_more(dropped):
    document = journey()
    kept = {name: role for name, role in document["anonymize"]["quasi_identifiers"].items() if name not in dropped}
    smaller = Policy.model_validate(changed(document, anonymize__quasi_identifiers=kept))
    whole = Policy.model_validate(document)
    for source in whole.sources:
        assert set(smaller.used_columns(source)) <= set(whole.used_columns(source))
