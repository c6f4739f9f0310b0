"""Columns released as they are: whom a value tells from everybody else, counted by hand; refused before anything is booked."""

import pytest
from kveil.anonymize import stage
from kveil.anonymize.columns import PERSON
from kveil.anonymize.unique_values import check_unique, told
from kveil.errors import GuaranteeError
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import BUDGET_LEDGER, CLEAN, PRIVACY_METRICS, RELEASE

from tests.builders import clean_rows, context, purchases, shop

PEOPLE = 200


@pytest.fixture(scope="module")
def rows(spark):
    """Two rows of each of 200 people: a number of their own, a household of two, one of four kinds (null for two people),
    a label, and a rare kind that three people alone have; classes of ten.
    """
    values = [
        (str(i), i // 10, 70_000 + i, i // 2, None if i < 2 else i % 4, i % 2 == 0, i if i < 3 else -1)
        for i in range(PEOPLE)
        for _ in range(2)
    ]
    return spark.createDataFrame(
        values, f"`{PERSON}` string, class int, number int, household int, kind int, label boolean, rare int"
    )


def settings(*columns: str, **accepted: str) -> Anonymize:
    return Anonymize.model_validate(
        {
            "release": "r", "k": 5, "quasi_identifiers": {"class": {"kind": "number"}}, "accepted": accepted,
            "insensitive": dict.fromkeys(columns, "plays no part"),
        }
    )  # fmt: skip


def test_people_are_counted_alone_and_with_their_class(rows):
    found = {each.name: each for each in told(rows, ["number", "household", "kind", "label", "rare"], ["class"])}
    assert {name: (each.alone, each.in_class, each.per_value) for name, each in found.items()} == {
        "number": (1.0, 1.0, 1.0),
        "household": (0.0, 0.0, 2.0),
        # Of ten neighbours two have each of two kinds and three each of the others; null is no value.
        "kind": (0.0, 0.0, 50.0),
        "label": (0.0, 0.0, 100.0),
        "rare": (3 / 200, 3 / 200, 50.0),
    }


def test_a_column_that_tells_people_apart_is_refused_by_name_and_without_a_value(rows):
    check_unique(rows, settings("kind", "label", "household"), PERSON)
    with pytest.raises(
        GuaranteeError, match=r"number has a value that is theirs alone for 100\.00% of the people.*rare.* 1\.50%"
    ) as caught:
        check_unique(rows, settings("number", "rare", "label"), PERSON)
    assert "label has" not in str(caught.value) and "70" not in str(caught.value)
    reason = "what it tells is known to everybody"
    check_unique(rows, settings("number", "rare", number=reason, rare=reason), PERSON)


def test_a_value_for_nearly_every_person_is_refused_though_nobody_holds_one_alone(spark):
    couples = spark.createDataFrame(
        [(str(i), i // 2 + j * 1000) for i in range(PEOPLE) for j in range(2)], f"`{PERSON}` string, card int"
    )
    with pytest.raises(GuaranteeError, match=r"card has a value that is theirs alone for 0\.00% .* for every 1\.0 people"):
        check_unique(couples, settings("card"), PERSON)


def test_nothing_is_booked_for_a_release_that_tells_people_apart(store):
    """And where a reason is written, the release is made and measured."""
    table = purchases(rows=1200)
    table["visits"] = table.customer * 31
    open_ = shop(anonymize__insensitive={"reduced": "the label", "visits": "a count that nobody else knows"})
    ctx = context(store, open_, "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, table))
    with pytest.raises(GuaranteeError, match="visits has a value that is theirs alone"):
        stage.run(ctx)
    assert not store.exists(ctx.ref(BUDGET_LEDGER)) and not store.exists(ctx.ref(RELEASE))

    open_["anonymize"]["accepted"] = {"visits": "made of the customer's number for this test"}
    ctx = context(store, open_, "anonymize")
    stage.run(ctx)
    metrics = store.read(ctx.ref(PRIVACY_METRICS)).where("scope IN ('visits', 'item')").toPandas().set_index(["metric", "scope"])
    assert metrics.value["value_singled_out_share", "visits"] == 1.0
    assert metrics.threshold.isna()["value_singled_out_share", "visits"]
    assert metrics.value["value_singled_out_share", "item"] == 0.0
    assert metrics.met["value_singled_out_share", "item"]
    assert metrics.value["value_class_singled_out_share", "visits"] == 1.0
