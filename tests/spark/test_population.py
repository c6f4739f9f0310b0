"""k-map and delta-presence: classes' labels and bounds against a population, compared with counting in Python."""

from datetime import date

import numpy as np
import pytest
from kveil.anonymize import fragments, stage
from kveil.anonymize.columns import PERSON
from kveil.anonymize.identity import release_id
from kveil.anonymize.population import population, population_metrics
from kveil.errors import ContractError
from kveil.pipeline import STAGES
from kveil.privacy.coding import Coding
from kveil.privacy.frozen import FrozenPartition
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import CLEAN, GENERALIZER, PRIVACY_METRICS, RAW
from pyspark.sql import functions as F

from tests.builders import clean_rows, context, purchases, shop

TOWNS = ("bath", "cork", "{a, b}", "york or null")
SIZES = ("1", "2", "3+")
CODINGS = (
    Coding("age", "number", step=5, lowest=-2, highest=15),
    Coding("born", "date", lowest=0, highest=365),
    Coding("town", "category", values=TOWNS, highest=3),
    Coding("size", "ordered", values=SIZES, highest=2),
)
STAGED = (
    f"{PERSON} string, split string, age string, age_lo bigint, age_hi bigint, age_rep double, born string, born_lo date, "
    "born_hi date, born_rep date, town string, town_rep string, size string, size_rep string"
)
KNOWN = "citizen bigint, age double, born date, town string, size string"
Y = 1970


def settings(**asked) -> Anonymize:
    return Anonymize.model_validate(
        {
            "release": "rows",
            "k": 2,
            "partition_by": ["split"],
            "quasi_identifiers": {
                "age": {"kind": "number", "step": 5},
                "born": {"kind": "date"},
                "town": {"kind": "category"},
                "size": {"kind": "ordered", "order": list(SIZES)},
            },
            "population": {"source": "register", "person": "citizen", **(asked or {"k_map": 2, "delta": (0.0, 0.9)})},
        }
    )


def staged(*people: str, age=("*", -10, 79), born=(date(Y, 1, 1), date(Y, 12, 31)), town="*", size="*"):
    label, low, high = age
    first, last = born
    text = None if first is None else f"{first} .. {last}"
    return [(person, "train", label, low, high, 1.0, text, first, last, first, town, None, size, None) for person in people]


CLASSES = [
    *staged("a", "b", age=("-10 .. 24", -10, 24), town="{bath, cork}"),
    *staged("a", "c", "d", age=("25 .. 79 or null", 25, 79), town="{bath, cork}", size="1 .. 2"),
    *staged("e", "f", age=(None, None, None), town=r"{\{a\, b\}, york or null} or null"),
    *staged("g", "h", age=("25 .. 79", 25, 79), born=(date(Y, 3, 1), date(Y, 3, 31)), town=r"{a, b}", size="3+ or null"),
]


def fits(row, one) -> bool:
    """Whether a class row's bounds and labels admit a citizen, said once more and by hand."""
    _, _, age, low, high, _, _, first, last, _, town, _, size, _ = row
    _, years, born, place, household = one
    missing = years is None or np.isnan(years)
    in_age = (age is None or age.endswith("or null")) if missing else (low is not None and low <= np.floor(years) <= high)
    in_born = (first is None) if born is None else (first is not None and first <= born <= last)
    towns = {
        "{bath, cork}": {"bath", "cork"},
        r"{\{a\, b\}, york or null} or null": {"{a, b}", "york or null", None},
        r"{a, b}": {"{a, b}"},
        "*": {*TOWNS, "elsewhere"},
    }[town]
    sizes = {"*": {*SIZES, "9"}, "1 .. 2": {"1", "2"}, "3+ or null": {"3+", None}}[size]
    return in_age and in_born and place in towns and household in sizes


def citizens(seed: int = 2, size: int = 3000):
    random = np.random.default_rng(seed)
    made = []
    for i in range(size):
        age = (
            [None, float("nan"), float("inf")][random.integers(3)]
            if random.random() < 0.1
            else float(random.integers(-300, 900)) / 10
        )
        born = None if random.random() < 0.05 else date.fromordinal(date(Y, 1, 1).toordinal() + int(random.integers(-30, 400)))
        town = [*TOWNS, None, "elsewhere"][random.integers(6)]
        household = [*SIZES, None, "9"][random.integers(5)]
        made.append((int(i // 2), age, born, town, household))
    return [*made, (None, 30.0, date(Y, 5, 5), "bath", "1")]


def expected(table) -> dict[str, float]:
    known = {one[0] for one in table if one[0] is not None}
    fit = {row[1:]: {one[0] for one in table if one[0] is not None and fits(row, one)} for row in CLASSES}
    released = {key: len({row[0] for row in CLASSES if row[1:] == key}) for key in fit}
    shares = {key: min(released[key] / len(people), 1.0) for key, people in fit.items()}
    outside = known - set().union(*fit.values())
    return {
        "k_map_min": min(map(len, fit.values())),
        "journalist_risk_max": 1 / min(map(len, fit.values())),
        "presence_min": 0.0 if outside else min(shares.values()),
        "presence_max": max(shares.values()),
        "population_people": len(known),
        "population_people_outside": len(outside),
    }


def measured(spark, table, asked=None, codings=CODINGS):
    asked = asked or settings()
    people = population(spark.createDataFrame(table, KNOWN), "customer", asked)
    return {m.name: m for m in population_metrics(spark.createDataFrame(CLASSES, STAGED), people, asked, codings)}


def test_sql_counts_the_citizens_who_fit(spark):
    found = measured(spark, citizens())
    assert {name: metric.value for name, metric in found.items()} == pytest.approx(expected(citizens()))
    assert found["k_map_min"].value > 2
    assert [found[name].met for name in ("k_map_min", "presence_min", "presence_max")] == [True, True, True]


def test_a_class_that_nobody_fits_and_people_who_fit_no_class(spark):
    """Everyone is in the first class, so the others have nobody: certainty about those few who are released."""
    crowd = [(i, 3.0, date(Y, 2, 2), "bath", "1") for i in range(10)]
    found = measured(spark, crowd)
    assert (found["k_map_min"].value, found["k_map_min"].met) == (0, False)
    assert (found["presence_max"].value, found["presence_max"].met) == (1.0, False)
    stranger = measured(spark, [*citizens(), (-1, 500.0, None, None, None)], settings(delta=(0.001, 0.9)))
    assert (stranger["presence_min"].value, stranger["presence_min"].met) == (0.0, False)


def test_a_partition_column_of_the_source_keeps_classes_apart(spark):
    rows = spark.createDataFrame(citizens(), KNOWN).selectExpr("*", "IF(citizen % 2 = 0, 'train', 'holdout') AS split")
    people = population(rows, "customer", settings())
    found = population_metrics(spark.createDataFrame(CLASSES, STAGED), people, settings(), CODINGS)
    assert found[0].value == expected([one for one in citizens() if one[0] is not None and one[0] % 2 == 0])["k_map_min"]


def test_a_column_of_another_type_is_one_sentence(spark):
    with pytest.raises(ContractError, match=r"population\.source: age of register is string, but needs a numeric type"):
        population(spark.createDataFrame([(1, "x")], "citizen bigint, age string"), "customer", settings())


@pytest.mark.long
def test_people_of_a_partition_that_is_not_released_are_in_no_class(store, monkeypatch):
    """Every partition is cut, and as many people as the population's own are elsewhere: counted, they would fill classes up."""
    monkeypatch.setattr(fragments, "ROWS_PER_FRAGMENT", 200)
    monkeypatch.setattr(fragments, "SAMPLED_PER_FRAGMENT", 100)
    columns = {"citizen": "bigint", "age": "int", "town": "string", "date": "date", "split": "string"}
    document = shop(
        sources__register={"uri": "register.parquet", "columns": columns},
        anonymize__population={"source": "register", "person": "citizen", "k_map": 30},
        anonymize__partition_by=["split"],
        anonymize__suppression_limit=0.9,
        anonymize__sensitive={},
    )
    ctx = context(store, document, "anonymize")
    ours = clean_rows(store.spark, purchases(rows=1200)).where("split = 'train'")
    store.replace(ctx.ref(CLEAN), ours)
    known = ours.crossJoin(store.spark.range(3)).selectExpr("customer + 1000 * id AS citizen", "age", "town", "date", "split")
    elsewhere = known.withColumns({"citizen": known.citizen + 10**6, "split": F.lit("elsewhere")})
    store.replace(RAW.of(ctx.policy, "register"), elsewhere.unionByName(known))
    stage.run(ctx)
    metrics = store.read(ctx.ref(PRIVACY_METRICS)).toPandas().set_index("metric")
    assert metrics.value["k_map_min"] >= 30
    trees = [FrozenPartition.from_bytes(row["tree"]) for row in store.read(ctx.ref(GENERALIZER)).collect()]
    assert len(trees) > 1
    assert all(tree.top.classes == len(trees) for tree in trees), "a tree without its top sends every row to one fragment"


def test_a_release_with_a_population_reads_it_and_is_another_release(store):
    """The stage over clean rows and a register that holds every customer and nine others of each one's kind."""
    rows = purchases(customers=60, rows=400)
    columns = {"citizen": "bigint", "age": "int", "town": "string", "date": "date"}
    document = shop(
        sources__register={"uri": "register.parquet", "columns": columns},
        anonymize__population={"source": "register", "person": "citizen", "k_map": 50, "delta": [0, 0.1]},
        anonymize__suppression_limit=0.9,
    )
    ctx = context(store, document, "anonymize")
    customers = clean_rows(store.spark, rows)
    store.replace(ctx.ref(CLEAN), customers)
    others = customers.crossJoin(store.spark.range(10)).selectExpr("customer + 1000 * id AS citizen", "age", "town", "date")
    store.replace(RAW.of(ctx.policy, "register"), others)
    stage.run(ctx)
    metrics = store.read(ctx.ref(PRIVACY_METRICS)).toPandas().set_index("metric")
    assert metrics.value["k_map_min"] >= 10 * metrics.value["class_people_min"]
    assert metrics.value["presence_max"] <= 0.1
    assert metrics.value["journalist_risk_max"] == 1 / metrics.value["k_map_min"]
    assert metrics.met.dropna().all()
    reads = next(one for one in STAGES if one.name == "anonymize").inputs_of(ctx.policy)
    assert [str(ref) for _, ref in reads] == ["clean.shop_purchases", "raw.shop_register"]
    assert (
        len({release_id(ctx.policy, (1, 2)), release_id(ctx.policy, (1, 2), (3, 4)), release_id(ctx.policy, (1, 2), (3, 5))}) == 3
    )
