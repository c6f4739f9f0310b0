"""Partitions cut into fragments, also into such as no worker takes whole, and trees as SQL."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import fragments
from kveil.anonymize.compose import kept
from kveil.anonymize.domains import codings
from kveil.anonymize.tree_sql import leaf, with_cells
from kveil.privacy.coding import Coding
from kveil.privacy.models import Model
from kveil.privacy.mondrian import partition
from kveil.privacy.space import Fragment
from kveil.privacy.taxonomy import Taxonomy
from kveil.privacy.tree import Tree
from kveil.session import in_short_methods
from kveil.settings.anonymize import Anonymize
from kveil.tables.schema import GENERALIZER, RELEASE
from pyspark.sql import functions as F

from tests.builders import purchases
from tests.spark._released import anonymized, found


def of_rows(monkeypatch, rows: int) -> None:
    """Fragments of so many rows, known by every second of them."""
    monkeypatch.setattr(fragments, "ROWS_PER_FRAGMENT", rows)
    monkeypatch.setattr(fragments, "SAMPLED_PER_FRAGMENT", rows // 2)


def test_spark_is_asked_for_short_methods_while_fragments_are_made_and_not_afterwards(spark):
    key = "spark.sql.codegen.hugeMethodLimit"
    before = spark.conf.get(key, None)
    with pytest.raises(ZeroDivisionError), in_short_methods(spark):
        assert spark.conf.get(key) == "8000"
        raise ZeroDivisionError
    assert spark.conf.get(key, None) == before


@pytest.mark.long
def test_fragments_keep_the_guarantee_and_every_row_is_found_in_its_own_class(store, monkeypatch):
    of_rows(monkeypatch, 300)
    ctx = anonymized(store, purchases(), anonymize__partition_by=["split"])
    measured, again = found(ctx)
    trees = ctx.store.read(ctx.ref(GENERALIZER)).groupBy("partition").count().toPandas().set_index("partition")["count"]
    assert trees.max() >= 3
    assert measured["class_people_min"] >= 5
    assert measured["suppressed_rows"] == 0
    assert again["recheck_rows_mismatch"] == 0
    assert again["recheck_classes"] == measured["classes"]


def crowded() -> pd.DataFrame:
    """Purchases of which one customer's third is one tuple of quasi-identifiers, and a hundred customers' third another."""
    rows = purchases()
    for share, age, town in ((slice(0, 1000), 26, "south"), (slice(1000, 2000), 40, "west")):
        rows.loc[rows.index[share], "date"] = date(2024, 1, 15)
        rows.loc[rows.index[share], "age"] = age
        rows.loc[rows.index[share], "town"] = town
    return rows


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"distinct": 2}, id="some stand in"),
        pytest.param({"t": 0.4}, id="all stand in", marks=pytest.mark.long),
    ],
)
def test_fragments_that_no_cut_parts_are_shared_out_and_keep_the_guarantee(store, monkeypatch, asked):
    of_rows(monkeypatch, 150)
    cuts: list[fragments.Fragments] = []
    monkeypatch.setattr(kept, "fragments", lambda *given: cuts.append(fragments.fragments(*given)) or cuts[-1])
    rows = crowded()
    ctx = anonymized(store, rows, anonymize__partition_by=["split"], anonymize__sensitive={"item": asked})
    measured, again = found(ctx)
    assert cuts[0].giants
    assert measured["class_people_min"] >= 5
    assert measured["suppressed_rows"] == 0
    assert again["recheck_rows_mismatch"] == 0
    assert again["recheck_classes"] == measured["classes"]
    # Every row is there once, whichever share it came with.
    released = ctx.store.read(ctx.ref(RELEASE)).toPandas()
    assert released.groupby("split").reduced.sum().to_dict() == rows.groupby("split").reduced.sum().to_dict()


NUMBERS = Taxonomy.of_paths(
    [("0 .. 4", "low", "*"), ("5 .. 9", "low", "*"), ("10 .. 14", "high", "*"), ("15 .. 19", "high", "*")]
)
DAYS = Taxonomy.of_paths([("w1", "m1", "*"), ("w2", "m1", "*"), ("w3", "m2", "*")])
COLOURS = Taxonomy.of_paths([("red", "warm", "*"), ("orange", "warm", "*"), ("blue", "cold", "*"), ("else", "else", "*")])
CODINGS = (
    Coding("n", "number", step=7, lowest=-8, highest=8),
    Coding("d", "date", lowest=19_000, highest=19_100),
    Coding("o", "ordered", values=("low", "mid", "high"), highest=2),
    Coding("c", "category", values=("a", "b", "c"), highest=2),
    Coding.of_taxonomy("tn", NUMBERS, "number", ((0, 4), (5, 9), (10, 14), (15, 19))),
    Coding.of_taxonomy("td", DAYS, "date", ((19_000, 19_006), (19_007, 19_013), (19_014, 19_020))),
    Coding.of_taxonomy("tc", COLOURS, other="else"),
)


def test_a_tree_in_sql_sends_every_row_where_the_tree_does(store):
    random = np.random.default_rng(0)

    def one_of(*values: object) -> list[object]:
        return [values[i] for i in random.integers(0, len(values), 2000)]

    days = [None, *(date(2022, 1, 1) + timedelta(days=each) for each in range(0, 40, 3)), date(1900, 1, 1)]
    numbers = (None, float("nan"), float("inf"), -float("inf"), -0.0, *map(float, range(-60, 60, 7)))
    columns = {
        "n": one_of(*numbers),
        "d": one_of(*days),
        "o": one_of(None, "low", "mid", "high"),
        "c": one_of(None, "a", "b", "c", "new"),
        "tn": one_of(*numbers, 4.9, 12.0, 16.5),
        "td": one_of(*days),
        "tc": one_of(None, "red", "orange", "blue", "mauve", "else"),
    }
    rows = store.spark.createDataFrame(
        list(zip(*columns.values(), strict=True)), "n double, d date, o string, c string, tn double, td date, tc string"
    )
    codes = np.column_stack([_codes(coding, columns[coding.name]) for coding in CODINGS])
    # One tree per column, so that each is cut down to the last value, and one of all.
    trees = [grown(np.where(np.arange(len(CODINGS)) == j, codes, 0)) for j in range(len(CODINGS))] + [grown(codes)]
    assert all(j in trees[j].dimension for j in range(len(CODINGS)))
    found = with_cells(rows, CODINGS).select(*[leaf(tree, CODINGS).alias(f"t{i}") for i, tree in enumerate(trees)]).toPandas()
    for i, tree in enumerate(trees):
        assert found[f"t{i}"].tolist() == tree.leaf_of(codes).tolist(), i


def grown(codes: np.ndarray) -> Tree:
    """The tree of classes of 40 rows each, grown on the listed values."""
    codes = codes[(codes != -1).all(axis=1)]
    people, nothing = np.arange(len(codes)), np.empty((len(codes), 0), np.int64)
    sets, spans = tuple(each.is_set for each in CODINGS), tuple(each.span for each in CODINGS)
    found = partition(Fragment(codes, people, nothing, sets, spans, tuple(each.taxonomy for each in CODINGS)), Model(40))
    assert found is not None
    return found[1]


def _codes(coding: Coding, values: list[object]) -> np.ndarray:
    if coding.holds == "date":
        return coding.codes(np.array(values, dtype="datetime64[D]"))
    if coding.holds == "number":
        return coding.codes(np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    return coding.codes(np.array(values, dtype=object))


def test_a_thin_sample_cuts_fragments_of_the_same_size_that_are_safe(spark, monkeypatch):
    """A table so large, beside what the driver takes, that the sample holds a tenth of what it else would."""
    monkeypatch.setattr(fragments, "ROWS_PER_FRAGMENT", 1000)
    monkeypatch.setattr(fragments, "SAMPLED_PER_FRAGMENT", 500)
    monkeypatch.setattr(fragments, "MOST_SAMPLED", 1500)
    settings = Anonymize.model_validate(
        {"release": "r", "k": 5, "quasi_identifiers": {"day": {"kind": "number"}, "age": {"kind": "number"}}}
    )
    rows = spark.range(0, 30_000, 1, 2).selectExpr(
        "hash(id) % 3000 person", "hash(id, 'd') % 900 day", "hash(id % 3000) % 80 age"
    )
    cut = fragments.fragments(rows, settings, codings(rows, settings, "person"), "person")
    assert cut.count >= 12 and not cut.giants
    numbered = cut.numbered(rows, codings(rows, settings, "person"))
    held = numbered.groupBy(fragments.FRAGMENT).agg(F.count("*").alias("rows"), F.countDistinct("person").alias("people"))
    found = held.toPandas()
    assert found["rows"].max() < 3 * 1000
    assert found["people"].min() >= settings.k
