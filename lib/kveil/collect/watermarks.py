"""Growth by watermark: rows above the highest value so far, less the lateness that the policy allows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from pyspark.sql import Column, Row
from pyspark.sql import functions as F

from kveil.collect.contract import REASON, RULE
from kveil.collect.incoming import Incoming, readable
from kveil.settings.incremental import Incremental

_AHEAD = timedelta(days=1)
"""So far a clock, or a day's time zone, may be ahead of ours."""


@dataclass(frozen=True)
class Window:
    """The rows of the next batch, what it will have covered, and how many rows came too late for it (None: not known)."""

    rows: Column | None
    earlier: Column | None
    unit: dict[str, str | int | None]
    late: int | None


def future_set_aside(one: Incoming, way: Incremental, now: datetime) -> Incoming:
    """The source, where rows whose time lies more than a day ahead break the contract: one would hold back all that follow."""
    assert way.column is not None
    type_ = one.source.columns[way.column].type
    if not _is_time(type_):
        return one
    ahead = F.col(REASON).isNull() & (F.col(way.column).cast("timestamp") > F.lit(now + _AHEAD))
    said = {REASON: f"{way.column}: lies more than a day ahead", RULE: _future(way)}
    return replace(
        one, rows=one.rows.withColumns({name: F.when(ahead, F.lit(text)).otherwise(F.col(name)) for name, text in said.items()})
    )


def _future(way: Incremental) -> str:
    return f"{way.column}.future"


def window(one: Incoming, way: Incremental, done: Sequence[Row]) -> Window:
    """What of a source is above its watermark; `rows` is None when nothing is, `earlier` before the first batch.

    Rows without a watermark, or of the future, are broken and always looked at, so that they are set aside; the highest value of
    the rows that fit bounds the batch, so that what arrives while it is read is the next one's. Rows at or below the cut are
    counted when it is made and when it is used: what came in between came too late, and is told.
    """
    assert way.column is not None
    mark, type_ = F.col(way.column), one.source.columns[way.column].type
    last = done[-1] if done else None
    cut = below_highest(last["high"], way.lateness, type_) if last is not None and last["high"] is not None else None
    above = F.lit(True) if cut is None else mark.isNull() | (mark > _value(cut, type_))
    counts = one.rows.agg(
        F.max(F.when(F.col(REASON).isNull() & above, mark)).cast("string").alias("high"),
        F.count_if(above).alias("new"),
        F.count_if(F.lit(False) if cut is None else mark <= _value(cut, type_)).alias("below"),
    )
    with readable(one.name, one.source):
        found = counts.first()
    assert found is not None, "an aggregation without groups has one row"
    earlier = None if cut is None else mark <= _value(cut, type_)
    late = None
    if last is not None and cut is not None and last["cut"] == cut:
        late = max(0, found["below"] - int(last["rows_below"]))
    if last is not None and not found["new"]:
        return Window(None, earlier, {}, late)
    high = found["high"] or (last["high"] if last is not None else None)
    within = above if high is None else above & (mark.isNull() | (F.col(RULE) == _future(way)) | (mark <= _value(high, type_)))
    return Window(within, earlier, _unit(one, way, mark, type_, high), late)


def below_highest(high: str, lateness: Decimal | timedelta, type_: str) -> str:
    """The watermark less the lateness, as text: rows above it are looked at."""
    if isinstance(lateness, timedelta):
        moment = date.fromisoformat(high) if type_ == "date" else datetime.fromisoformat(_padded(high))
        try:
            return str(moment - lateness)
        except OverflowError:
            return str(type(moment).min)
    return high if _is_time(type_) else f"{Decimal(high) - lateness:f}"


def _unit(one: Incoming, way: Incremental, mark: Column, type_: str, high: str | None) -> dict[str, str | int | None]:
    if high is None:
        return {"high": None, "cut": None, "rows_below": 0}
    cut = below_highest(high, way.lateness, type_)
    with readable(one.name, one.source):
        return {"high": high, "cut": cut, "rows_below": one.rows.where(mark <= _value(cut, type_)).count()}


def _value(text: str, type_: str) -> Column:
    # A whole number less a lateness like 0.5 is none any more; the others compare without a cast of the column.
    if _is_time(type_):
        return F.lit(text).cast(type_)
    return F.lit(text).cast("decimal(38,10)" if "." in text else "bigint")


def _is_time(type_: str) -> bool:
    return type_ in ("date", "timestamp")


def _padded(text: str) -> str:
    """A timestamp as Spark writes it with the fraction's six digits that Python 3.10 asks for."""
    whole, point, fraction = text.partition(".")
    return f"{whole}.{fraction:0<6}" if point else whole
