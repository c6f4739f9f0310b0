"""Whom a request is about: ids given by hand, or those of a file or table."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import SettingsError
from kveil.session import SPARK_ERRORS
from kveil.shapes import shapes
from kveil.tables.declaration import ZONES, TableRef
from kveil.tables.people import id_as_text
from kveil.tables.schema import PEOPLE


def named_people(ctx: Context, ids: Sequence[str], batch: str | None) -> DataFrame:
    """The people as rows with a column `person`, ids as the tables have them, as text, with all ids of who is registered twice.

    SettingsError where the file is not as it should be, names nobody, or an id cannot be one; no id is repeated in it.
    """
    given = ctx.spark.createDataFrame([(each,) for each in ids], "person string")
    written = given if batch is None else given.unionByName(_listed(ctx, batch))
    people = written.selectExpr(f"{id_as_text(ctx.policy)} AS person")
    counts = people.agg(F.count("*").alias("all"), F.count("person").alias("ids")).first()
    assert counts is not None  # an aggregation without groups has one row
    if not counts["all"]:
        raise SettingsError([f"--from: {batch} names nobody; give a file with at least one id"])
    if counts["ids"] < counts["all"]:
        column, number = ctx.policy.person, counts["all"] - counts["ids"]
        raise SettingsError([f"{number:,} of the ids given cannot be values of {column} as the sources declare it; correct them"])
    return _with_other_ids(ctx, people)


def _with_other_ids(ctx: Context, people: DataFrame) -> DataFrame:
    """A request is about a person and so about all their registrations that cleaning knows to be theirs."""
    ref = ctx.ref(PEOPLE)
    if not ctx.store.exists(ref):
        return people
    known = ctx.store.read(ref)
    theirs = known.join(people.distinct(), "person", "left_semi").select("survivor").distinct()
    return people.unionByName(known.join(theirs, "survivor", "left_semi").select("person")).distinct()


def _listed(ctx: Context, batch: str) -> DataFrame:
    """The ids of a table of the lake, named ZONE.TABLE, or of a file."""
    column, table = ctx.policy.person, _table(ctx, batch)
    rows = ctx.store.read(table) if table else _of_file(ctx, batch)
    found = rows.columns
    if column not in found:
        told = f"--from: {batch} has no column {column}, which names people; columns found: {shapes(found)}"
        raise SettingsError([f"{told}; the first line of a CSV file names its columns"])
    return rows.select(F.col(column).cast("string").alias("person")).where("person IS NOT NULL")


def _table(ctx: Context, batch: str) -> TableRef | None:
    zone, _, name = batch.partition(".")
    refs = [TableRef(each, name) for each in ZONES if each == zone]
    return next((ref for ref in refs if ctx.store.exists(ref)), None)


def _of_file(ctx: Context, batch: str) -> DataFrame:
    kind = Path(batch).suffix.lower().removeprefix(".")
    if kind not in ("csv", "parquet"):
        allowed = f"a .csv with a header or a .parquet, with a column {ctx.policy.person}, or a table of the lake as ZONE.TABLE"
        raise SettingsError([f"--from: found {batch}; allowed: {allowed}"])
    address = batch if "://" in batch else f"file://{Path(batch).absolute()}"
    try:
        rows = ctx.spark.read.option("header", "true").format(kind).load(address)
        # Connect looks at the file only when something is asked of it.
        return rows.select(*rows.columns)
    except SPARK_ERRORS:
        raise SettingsError([f"--from: {batch} cannot be read as {kind}; give a readable file"]) from None
