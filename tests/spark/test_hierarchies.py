"""Hierarchies on Spark tables: what they find, what they miss, and a whole release labelled with their nodes."""

import json

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import stage
from kveil.anonymize.columns import of_class
from kveil.anonymize.domains import codings
from kveil.errors import ContractError
from kveil.evaluate.certainty import certainty_metrics
from kveil.model.generalizer import Generalizer
from kveil.privacy.labels import members
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import CLEAN, GENERALIZER, RELEASE

from tests.builders import clean_rows, context, purchases, shop

ROWS = purchases()
REGIONS = {"Up": ["north"], "Down": {"Deep": ["south"]}, "Sides": ["east", "west"]}


def taxonomy(**hierarchy) -> dict:
    return {"kind": "taxonomy", "hierarchy": hierarchy}


def settings(**quasi_identifiers) -> Anonymize:
    return Anonymize.model_validate({"release": "r", "k": 2, "quasi_identifiers": quasi_identifiers})


def test_every_column_type_finds_its_leaves(spark):
    table = spark.sql(
        "SELECT * FROM VALUES (17, 3.0D, DATE'2024-01-31', '8000', true), (18, 4.0D, DATE'2024-03-01', '3001', false), "
        "(CAST(NULL AS INT), DOUBLE('NaN'), CAST(NULL AS DATE), CAST(NULL AS STRING), CAST(NULL AS BOOLEAN)) "
        "AS t(age, rooms, day, post, flag)"
    )
    made = codings(
        table,
        settings(
            age=taxonomy(rows=[["17", "minor"], ["18", "adult"]]),
            rooms=taxonomy(rows=[["3", "few"], ["4", "few"]], of="number"),
            day=taxonomy(dates=["month", "quarter"]),
            post=taxonomy(prefix={"length": 4}),
            flag=taxonomy(tree=["true", "false"]),
        ),
        "person",
    )
    assert [coding.values for coding in made] == [
        ("17", "18"),
        ("3", "4"),
        ("2024-01", "2024-02", "2024-03"),
        ("3001", "8000"),
        ("true", "false"),
    ]


def test_a_null_is_not_the_highest_number(spark):
    table = spark.sql("SELECT * FROM VALUES (5.0D), (9.0D), (DOUBLE('NaN')), (CAST(NULL AS DOUBLE)) AS t(size)")
    (made,) = codings(table, settings(size={"kind": "number"}), "person")
    assert (made.lowest, made.highest) == (5, 9)


def test_missing_values_of_all_columns_are_one_error_or_go_to_the_catch_all(spark):
    rows = [("red", 1.0, 1), ("mauve", 2.5, 1), ("mauve", 2.5, 2), ("taupe", 3.5, 3), (None, None, 3)]
    table = spark.createDataFrame(rows, "colour string, rooms double, person int")
    colour, rooms = {"rows": [["red", "warm"]]}, {"rows": [["1", "few"], ["2", "few"]], "of": "number"}
    with pytest.raises(
        ContractError, match=r"colour\.hierarchy misses 2 values.*'mauve'.*rooms\.hierarchy misses 2 .*'2\.5'"
    ) as caught:
        codings(table, settings(colour=taxonomy(**colour), rooms=taxonomy(**rooms)), "person")
    # What one person alone holds is not told.
    assert "taupe" not in str(caught.value) and "3.5" not in str(caught.value)
    (made,) = codings(table, settings(colour=taxonomy(**colour, other="elsewhere")), "person")
    assert made.values[made.codes(np.array(["mauve"], dtype=object))[0]] == "elsewhere"


def test_a_hundred_thousand_missing_values_are_counted_not_carried(spark):
    table = spark.range(120_000).selectExpr("CAST(id AS STRING) AS colour", "id AS person")
    with pytest.raises(ContractError, match="misses more than 100,000 values") as caught:
        codings(table, settings(colour=taxonomy(rows=[["red", "warm"]])), "person")
    assert len(str(caught.value)) < 1_000


def test_a_column_that_cannot_have_such_leaves_is_refused(spark):
    with pytest.raises(ContractError, match="kind taxonomy by dates of date allows date"):
        codings(spark.sql("SELECT 1 AS day"), settings(day=taxonomy(dates=["day"])), "person")
    with pytest.raises(ContractError, match="kind taxonomy by rows of text allows string, boolean"):
        codings(spark.sql("SELECT 1.5D AS size"), settings(size=taxonomy(rows=[["1.5", "x"]])), "person")


def test_categories_that_go_with_the_same_others_are_clustered_first(spark):
    pairs = [("tea", "kitchen"), ("salt", "kitchen"), ("soap", "bath"), ("comb", "bath")]
    table = spark.createDataFrame([(*pair, i) for pair in pairs for i in range(5)], "item string, room string, person int")
    item, _ = codings(table, settings(item=taxonomy(clusters={"levels": [2]}), room={"kind": "category"}), "person")
    assert set(item.taxonomy.names) == {"*", "{salt, tea}", "{comb, soap}", "tea", "salt", "soap", "comb"}
    rare = table.unionAll(table.where("item IN ('tea', 'soap')"))
    (item,) = codings(rare, settings(item=taxonomy(clusters={"by": "frequency", "levels": [3]})), "person")
    assert "{comb, salt}" in item.taxonomy.names
    with pytest.raises(ContractError, match=r"clusters\.by: similarity needs another"):
        codings(table, settings(item=taxonomy(clusters={})), "person")


@pytest.fixture(scope="module")
def released(spark, module_store):
    hierarchies = {
        "age": taxonomy(intervals={"width": 1, "levels": [5, 10, 20]}),
        "town": taxonomy(tree=REGIONS),
        "date": taxonomy(dates=["day", "week"]),
    }
    ctx = context(module_store, shop(anonymize__quasi_identifiers=hierarchies), "anonymize")
    module_store.replace(ctx.ref(CLEAN), clean_rows(spark, ROWS))
    stage.run(ctx)
    return ctx


def test_classes_hold_k_people_inside_their_nodes(released):
    """The oracle: the labels read back and counted in pandas."""
    anonymize = released.policy.anonymize
    published = released.store.read(released.ref(RELEASE)).toPandas()
    used = codings(released.store.read(released.ref(CLEAN)), anonymize, "customer")
    for _, rows in published.groupby(of_class(anonymize), dropna=False):
        shown = rows.iloc[0]
        inside = (ROWS.month == shown.month) & (ROWS.split == shown.split)
        for coding in used:
            values, has_null = members(shown[coding.name], coding)
            column = ROWS[coding.name].astype("string") if coding.name == "age" else ROWS[coding.name]
            texts = column.map(lambda value: None if pd.isna(value) else str(value))
            inside &= texts.isin(values) | (texts.isna() & has_null)
        assert ROWS[inside].customer.nunique() >= anonymize.k
    known = published[published.age_lo.notna()]
    assert ((known.age_lo <= known.age_rep) & (known.age_rep <= known.age_hi)).all()
    assert set(published.town.dropna()) <= {name + null for name in used[1].taxonomy.names for null in ("", " or null")}


def test_serving_gives_rows_the_labels_of_the_release(released):
    rows = released.store.read(released.ref(GENERALIZER)).collect()
    generalizer = Generalizer.from_rows(released.policy.anonymize, [(json.loads(row.partition), bytes(row.tree)) for row in rows])
    generalizer = Generalizer.from_bytes(generalizer.to_bytes())
    train = ROWS[ROWS.split == "train"]
    columns = {
        "age": train.age.astype("Float64").to_numpy(dtype=float, na_value=np.nan),
        "town": train.town.to_numpy(dtype=object),
        "date": train.date.to_numpy(dtype="datetime64[D]"),
        "month": train.month.to_numpy(dtype=object),
    }
    shown = ["month", "age", "town", "date"]
    mine = pd.DataFrame({"month": columns["month"], **generalizer.labels(columns)})[shown].fillna("(null)")
    published = released.store.read(released.ref(RELEASE)).where("split = 'train'").toPandas()[shown].fillna("(null)")
    pd.testing.assert_series_equal(mine.value_counts().sort_index(), published.value_counts().sort_index())
    assert generalizer.representatives(columns)["date"].dtype == "datetime64[D]"
    assert generalizer.representatives(columns)["age"].dtype == float


def test_the_certainty_penalty_counts_leaves(spark):
    anonymize = settings(town=taxonomy(tree=REGIONS))
    (coding,) = codings(spark.createDataFrame([("north",)], "town string"), anonymize, "person")
    table = spark.createDataFrame([("Sides",), ("north",), ("*",), (None,)], "town string")
    found = certainty_metrics(table, anonymize, {}, {"town": coding.shares})
    assert found[0]["value"] == pytest.approx((1 / 3 + 0 + 1 + 0) / 4)
