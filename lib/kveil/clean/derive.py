"""New columns: few-valued stand-ins by hash, and what the policy derives in SQL."""

import re
from collections.abc import Mapping

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, NullType, StructType

from kveil.errors import SettingsError
from kveil.settings.clean import Bucket
from kveil.settings.expressions import ExpressionError, parsed


def with_buckets(rows: DataFrame, buckets: Mapping[str, Bucket]) -> DataFrame:
    """The rows with each bucket column: prefix and a number from 1 to count, the same for the same value; null stays null."""
    made = {
        name: F.when(
            F.col(bucket.column).isNotNull(),
            F.concat(F.lit(bucket.prefix), (F.pmod(F.xxhash64(bucket.column), F.lit(bucket.count)) + 1).cast("string")),
        )
        for name, bucket in buckets.items()
    }
    return rows.withColumns(made)


def derived(rows: DataFrame, expressions: Mapping[str, str]) -> DataFrame:
    """The rows with each SQL expression's column; a later expression may use an earlier one. Spark gets what was parsed.

    Raises SettingsError naming the expression that is none of one row, or whose result is no single value.
    """
    problems = []
    for name, text in expressions.items():
        try:
            made = rows.select("*", F.expr(parsed(text, rows.columns).sql).alias(name))
            type_ = made.schema[name].dataType
        except ExpressionError as error:
            problems.append(f"clean.derive.{name}: {error}")
            continue
        except (AnalysisException, ParseException) as error:
            allowed = f"allowed: a SQL expression of {', '.join(rows.columns)}"
            problems.append(f"clean.derive.{name}: {_what_is_wrong(error)}; {allowed}")
            continue
        if isinstance(type_, ArrayType | MapType | StructType | NullType):
            problems.append(f"clean.derive.{name}: gives {type_.simpleString()}; allowed: a single value per row")
            continue
        rows = made
    if problems:
        raise SettingsError(problems)
    return rows


def _what_is_wrong(error: AnalysisException | ParseException) -> str:
    if isinstance(error, ParseException):
        return "is no valid SQL expression"
    condition = str(error.getCondition() or "")
    return f"cannot be computed ({re.sub('[^A-Z_.]', '', condition) or 'not understood'})"
