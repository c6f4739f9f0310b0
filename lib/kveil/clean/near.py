"""Payments that were sent twice: rows alike in what matters, within seconds of each other."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from kveil.settings.clean import NearDuplicates


def is_near_duplicate(rows: DataFrame, near: NearDuplicates, time: str) -> Column:
    """Whether an earlier row, alike in all of `near.by`, lies at most `near.seconds` before the row; of equal times one is first.

    A row follows the one right before it, so of a series in short steps the first alone stays, and what stays holds no near
    duplicate. Null is alike to nothing.
    """
    moment = F.unix_micros(F.col(time).cast("timestamp"))
    # Rows of one moment are told apart by their content; those alike in all columns are exact duplicates and gone before.
    order = Window.partitionBy(*near.by).orderBy(moment, F.xxhash64(*rows.columns))
    known = F.col(time).isNotNull()
    for name in near.by:
        known = known & F.col(name).isNotNull()
    gap = moment - F.lag(moment).over(order)
    return known & F.coalesce(gap <= near.seconds * 1_000_000, F.lit(False))
