"""What is known of a value: how often it stands, what it was probably meant to be, and what it tells of the other columns."""

from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.clean.repair.counts import LONGEST_VALUE, cells

Determinants = Mapping[str, Sequence[str]]
"""For each column those that tell it."""

MEANT_DDL = "column string, value string, meant string, trust double"


def facts(rows: DataFrame, determinants: Determinants, meant: DataFrame) -> DataFrame:
    """One row per column and value that is counted: cells, meant, trust, and votes.

    votes: per column that this one tells, the value that most rows with this value have (the first by name among equals comes
    last), its weight and its cells in the whole column. weight: share of those rows minus the share of the others, at least 0;
    a value that stands in one row has no vote. `meant` has the columns of MEANT_DDL, each value once.
    """
    columns = sorted({*determinants, *(name for by in determinants.values() for name in by)})
    counted = cells(rows, columns)
    known = counted.join(F.broadcast(meant), ["column", "value"], "left")
    pairs = [(by, told) for told, each in determinants.items() for by in each]
    if not pairs:
        return known.withColumn("votes", F.lit(None).cast("map<string,struct<told:string,weight:double,cells:bigint>>"))
    return known.join(_votes(rows, pairs, counted), ["column", "value"], "left")


def _votes(rows: DataFrame, pairs: Sequence[tuple[str, str]], counted: DataFrame) -> DataFrame:
    each = [
        F.struct(
            F.lit(by).alias("column"),
            F.col(by).cast("string").alias("value"),
            F.lit(told).alias("of"),
            F.col(told).cast("string").alias("told"),
        )
        for by, told in pairs
    ]
    short = (F.length("value") <= LONGEST_VALUE) & (F.length("told") <= LONGEST_VALUE)
    together = rows.select(F.inline(F.array(*each))).where(short)
    counts = together.groupBy("column", "value", "of", "told").agg(F.count("*").alias("n"))
    best = counts.groupBy("column", "value", "of").agg(F.max(F.struct("n", "told")).alias("best"), F.sum("n").alias("rows"))
    won = best.where("rows > 1").select(
        "column", "value", "of", "best.told", (2 * F.col("best.n") / F.col("rows") - 1).alias("weight")
    )
    whole = counted.select(F.col("column").alias("of"), F.col("value").alias("told"), "cells")
    told = won.where("weight > 0").join(whole, ["of", "told"])
    vote = F.struct("of", F.struct("told", "weight", "cells").alias("vote"))
    return told.groupBy("column", "value").agg(F.map_from_entries(F.collect_list(vote)).alias("votes"))
