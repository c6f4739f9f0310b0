"""Whom a request is about: ids given by hand, or those of a file."""

from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.context import Context
from kveil.errors import SettingsError
from kveil.session import SPARK_ERRORS


def named_people(ctx: Context, ids: Sequence[str], batch: str | None) -> DataFrame:
    """The people as rows with a column `person` (text); SettingsError where the file is not as it should be, or names nobody."""
    given = ctx.spark.createDataFrame([(each,) for each in ids], "person string")
    people = given if batch is None else given.unionByName(_of_file(ctx, batch))
    if people.isEmpty():
        raise SettingsError([f"--from: {batch} names nobody; give a file with at least one id"])
    return people


def _of_file(ctx: Context, batch: str) -> DataFrame:
    column, kind = ctx.policy.person, Path(batch).suffix.lower().removeprefix(".")
    if kind not in ("csv", "parquet"):
        raise SettingsError([f"--from: found {batch}; allowed: a .csv with a header or a .parquet, with a column {column}"])
    address = batch if "://" in batch else f"file://{Path(batch).absolute()}"
    try:
        rows = ctx.spark.read.option("header", "true").format(kind).load(address)
        found = rows.columns
    except SPARK_ERRORS:
        raise SettingsError([f"--from: {batch} cannot be read as {kind}; give a readable file"]) from None
    if column not in found:
        raise SettingsError([f"--from: {batch} has no column {column}, which names people; found: {', '.join(found)}"])
    return rows.select(F.col(column).cast("string").alias("person")).where("person IS NOT NULL")
