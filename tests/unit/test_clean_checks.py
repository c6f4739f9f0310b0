import re

import pytest

PEOPLE = {"uri": "p", "columns": {"person": "int", "city": "string"}}
RATES = {"uri": "r", "format": "ecb_rates", "columns": {"currency": "string", "date": "date", "rate": "double"}}
BASE = {"uri": "b", "columns": {"person": "bigint", "at": "timestamp", "amount": "double", "code": "string"}}
MONEY = {"currency": "USD", "rates": "rates", "columns": {"amount": "cents"}}
SOUND = {
    "joins": [{"source": "people", "by": "person"}],
    "money": MONEY,
    "history": {"amount": "cents"},
    "categories": ["city", "code"],
    "rules": [{"source": "base", "column": "amount", "min": 0}, {"source": "rates", "column": "rate", "min": 0}],
    "buckets": {"region": {"column": "code", "count": 3}},
    "derive": {"label": "amount > 1"},
}


def problems(policy_of, consent=None, base=BASE, people=PEOPLE, **clean):
    policy = policy_of({"base": base, "people": people, "rates": RATES}, clean={**SOUND, **clean}, consent=consent)
    mine = ("clean", "consent")
    found = {}
    for key, sentence in policy.problems():
        if key.startswith(mine):
            found[key] = f"{found.get(key, '')}{sentence}\n"
    return found


def test_a_sound_recipe_has_no_problem(policy_of):
    assert problems(policy_of) == {}
    assert problems(policy_of, derive={"said": "code = 'select over' OR `amount` > 1 OR code = \"it's over\""}) == {}


@pytest.mark.parametrize(
    ("clean", "key", "says"),
    [
        ({"categories": ["town"]}, "clean.categories.0", "no.* column 'town'"),
        ({"derive": {"next": "LEAD(amount) OVER (PARTITION BY person ORDER BY at)"}}, "clean.derive.next", "looks at other rows"),
        ({"derive": {"all": "(SELECT 1)"}}, "clean.derive.all", "looks at other rows"),
        ({"categories": ["amount"]}, "clean.categories.0", "double; allowed: a string"),
        ({"money": {**MONEY, "columns": {"price": "cents"}}}, "clean.money.columns.price", "column 'price'"),
        ({"money": {**MONEY, "columns": {"code": "cents"}}}, "clean.money.columns.code", "string; allowed: a number"),
        ({"money": {**MONEY, "rates": "people"}}, "clean.money.rates", "'currency' of source 'people' is missing"),
        ({"history": {"amount": "amount"}}, "clean.history.amount", "double; allowed: a whole number"),
        ({"history": {"amount": "profit"}}, "clean.history.amount", "no column 'profit'"),
        ({"buckets": {"region": {"column": "shop", "count": 3}}}, "clean.buckets.region.column", "no column 'shop'"),
        ({"rules": [{"source": "base", "column": "code", "min": 0}]}, "clean.rules.0.column", "string; allowed: a number"),
        ({"time": "code"}, "clean.time", "allowed: a date or timestamp"),
        ({"derive": {"month": "1 > 0"}}, "clean", "'month' would stand twice"),
        ({"derive": {"city": "1 > 0"}}, "clean", "'city' would stand twice"),
        ({"joins": [], "rules": [{"source": "people", "column": "person", "min": 0}]}, "clean.rules.0.source", "not used"),
    ],
)  # fmt: skip
def test_a_contradiction_is_named_by_its_key(policy_of, clean, key, says):
    found = problems(policy_of, **clean)
    assert re.search(says, found[key])


def test_keys_of_a_join_differ_in_width_alone(policy_of):
    texts = {"uri": "p", "columns": {"person": "string", "city": "string"}}
    assert "bigint before the join but string" in problems(policy_of, people=texts)["clean.joins.0.by"]


def test_a_registry_declares_its_four_columns(policy_of):
    found = problems(policy_of, consent={"registry": "people"})
    assert "must declare" in found["consent.registry"]
