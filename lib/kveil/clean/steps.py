"""A recipe's steps on single cells, each an expression of the cell alone."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.clean.repair.shapes import shape_of
from kveil.clean.rules import without_tokens
from kveil.clean.standards import standardised
from kveil.settings.recipe import Date, Fill, NullTokens, Number, Outlier, Standard, Unusual

CellStep = NullTokens | Number | Date | Standard | Unusual | Outlier | Fill
"""Steps that look at one cell only, and not at the whole column."""
_CENTURY = 1200
"""Months."""
_NOISY = 15
"""From so many decimals on a number is taken for one that passed through floating point, whose 16th digit is noise."""


def after(step: CellStep, value: Column, rows: DataFrame) -> Column:
    """The cell's value after the step; what the step does not understand stays as it is."""
    match step:
        case NullTokens():
            return without_tokens(value, step.tokens)
        case Number():
            return _plain_number(value, step)
        case Date():
            return _iso_date(value, step)
        case Standard():
            return standardised(value, step)
        case Unusual():
            return F.when(shape_of(value).isin(step.shapes), value)
        case Outlier():
            return F.when(~_outside(value.try_cast("double"), step), value)
        case Fill():
            return F.coalesce(value, F.lit(step.value).try_cast(rows.schema[step.column].dataType))


def _plain_number(value: Column, step: Number) -> Column:
    """Sign, digits and decimals as text, so that no digit is lost; numbers with a leading zero are codes and stay.

    0.30000000000000004 is 0.3, which it was before somebody stored it as a floating-point number.
    """
    units = "|".join(rf"\Q{unit}\E" for unit in sorted(step.units, key=len, reverse=True))
    point = rf"\Q{step.decimal}\E"
    form = rf"(?i)^\s*([+-]?)(0|[1-9]\d*)(?:{point}(\d+))?\s*(?:{units})?\s*$"
    sign, whole, broken = (F.regexp_extract(value, form, group) for group in (1, 2, 3))
    exact = F.rtrim(broken, F.lit("0"))
    decimals = F.when(F.length(exact) >= _NOISY, _without_noise(whole, exact)).otherwise(exact)
    fraction = F.when(decimals != "", F.concat(F.lit("."), decimals)).otherwise("")
    number = F.concat(F.when(sign == "-", "-").otherwise(""), whole, fraction)
    # A decimal comma is gone after the first time, and the result must be read as it was meant.
    done = F.regexp_like(value, F.lit(r"^-?(0|[1-9]\d*)(\.\d*[1-9])?$")) if step.decimal == "," else F.lit(False)
    return F.when(~done & F.regexp_like(value, F.lit(form)), number).otherwise(value)


def _without_noise(whole: Column, decimals: Column) -> Column:
    """The decimals of what 15 significant digits say of the number, where that is from 0.0001 to 10^14."""
    number = F.concat(whole, F.lit("."), decimals).try_cast("double")
    shown = F.regexp_extract(F.format_string("%.15g", number), r"^\d+\.(\d*?)0*$", 1)
    # Rounding up to the next whole number would change what stands before the point.
    noisy = number.between(1e-4, 1e14) & (F.floor(F.format_string("%.15g", number).try_cast("double")) == F.floor(number))
    return F.when(noisy, shown).otherwise(decimals)


def _iso_date(value: Column, step: Date) -> Column:
    day = reduce(lambda rest, pattern: F.coalesce(rest, _day(value, pattern, step)), step.patterns, F.lit(None).cast("date"))
    late = day > F.lit(step.latest)
    early = day < F.lit(step.earliest) if step.earliest else F.lit(False)
    other = value if step.others == "keep" else F.lit(None).cast("string")
    return F.when(day.isNull(), other).when(~(early | late), F.date_format(day, "yyyy-MM-dd"))


def _day(value: Column, pattern: str, step: Date) -> Column:
    day = F.to_date(F.try_to_timestamp(F.trim(value), F.lit(pattern)))
    if pattern.count("y") == 2:
        return F.when(day > F.lit(step.latest), F.add_months(day, -_CENTURY)).otherwise(day)
    return day


def _outside(number: Column, step: Outlier) -> Column:
    low = number < F.lit(step.min) if step.min is not None else F.lit(False)
    high = number > F.lit(step.max) if step.max is not None else F.lit(False)
    return F.coalesce(low | high, F.lit(False))
