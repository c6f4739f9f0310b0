"""What was known about a person before each day: spend, count and recency, from strictly earlier days."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from kveil.settings.clean import History


def with_days(rows: DataFrame, time: str) -> DataFrame:
    """The rows with `date` (day of the time column, UTC) and `month` (yyyy-MM)."""
    day = F.to_date(F.col(time))
    return rows.withColumn("date", day).withColumn("month", F.date_format(F.col("date"), "yyyy-MM"))


def history_columns(history: History | None) -> list[str]:
    """Names of the columns that `person_days` makes."""
    return [f"spend_{history.window_days}d", f"count_{history.window_days}d", "days_since_last"] if history else []


def person_days(rows: DataFrame, person: str, history: History) -> DataFrame:
    """One row per person and `date` on which the person has rows, with what was known before that day.

    spend (sum of the amount) and count (rows) of the `window_days` days before the day, which itself never counts;
    days_since_last: days since the person's last earlier day with a row, null on the first. One person's many rows
    are summed per day before any window, so nobody's history is longer than the calendar.
    """
    spend, count, _ = history_columns(history)
    days = rows.groupBy(person, "date").agg(F.sum(history.amount).alias("_spent"), F.count("*").alias("_rows"))
    day = F.unix_date("date")
    earlier = Window.partitionBy(person).orderBy(day).rangeBetween(-history.window_days, -1)
    before = Window.partitionBy(person).orderBy(day)
    return days.select(
        person,
        "date",
        F.coalesce(F.sum("_spent").over(earlier), F.lit(0)).alias(spend),
        F.coalesce(F.sum("_rows").over(earlier), F.lit(0)).alias(count),
        F.date_diff("date", F.lag("date").over(before)).alias("days_since_last"),
    )
