"""How a source that grows is collected: only what is new since the last time."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from kveil.settings.base import ColumnName, Section

if TYPE_CHECKING:
    from kveil.settings.sources import Source

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_WHOLE, _TIMES = ("int", "bigint"), ("date", "timestamp")


def _duration(value: Any) -> Any:
    matched = re.fullmatch(r"(\d+) ?([dhms])", value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[matched[2]]: int(matched[1])}) if matched else value


Lateness = Annotated[Decimal | timedelta, BeforeValidator(_duration)]
"""A duration like 2d, 36h, 15m or 10s before the watermark, or a number where the watermark is one."""


class Incremental(Section):
    """What tells new rows from those collected before.

    `file`: a file whose name, size and SHA-256 were seen is skipped, under any name. `watermark`: rows whose `column` is
    above the highest value so far, less `lateness`; the source's key keeps those in the overlap from being doubled.
    `version`: rows that were appended to a Delta table since the version last read. `stream`: new files, found by Structured
    Streaming with a checkpoint.
    """

    by: Literal["file", "watermark", "version", "stream"]
    column: ColumnName | None = None
    lateness: Lateness = Field(default=Decimal(0))

    @model_validator(mode="after")
    def _column_for_watermarks(self) -> "Incremental":
        if (self.by == "watermark") != (self.column is not None):
            raise ValueError("by: watermark needs `column`, and nothing else has one")
        if self.by != "watermark" and self.lateness != 0:
            raise ValueError("lateness is for by: watermark")
        return self


def incremental_problems(sources: Mapping[str, "Source"], registry: str | None) -> Iterator[tuple[str, str]]:
    """Key and sentence of everything that the sources' keys and ways to grow contradict."""
    for name, source in sources.items():
        for column in source.key:
            if column not in source.columns:
                yield f"sources.{name}.key", f"found {column!r}; allowed: {', '.join(sorted(source.columns))}"
        if source.incremental is not None:
            if name == registry:
                sentence = "the consent registry is read whole, so that no decision is missed; remove it"
                yield f"sources.{name}.incremental", sentence
            yield from _way_problems(f"sources.{name}", source, source.incremental)


def _way_problems(at: str, source: "Source", way: Incremental) -> Iterator[tuple[str, str]]:
    if (way.by == "version") != (source.format == "delta") and way.by in ("version", "file", "stream"):
        need = "format: delta" if way.by == "version" else "a format of files, not delta"
        yield f"{at}.incremental.by", f"found {way.by!r}, which needs {need}"
    if source.version is not None:
        yield f"{at}.version", "fixes the version of a source that is to grow; remove it, or incremental"
    if way.by in ("file", "stream") and source.format == "jdbc":
        yield f"{at}.incremental.by", f"found {way.by!r} for format jdbc; allowed: watermark"
    if way.by != "watermark":
        return
    if not source.key:
        yield f"{at}.key", "is missing; without it nobody can tell a late row from one that was collected before"
    if way.column not in source.columns:
        yield f"{at}.incremental.column", f"found {way.column!r}; allowed: {', '.join(sorted(source.columns))}"
        return
    type_ = source.columns[str(way.column)].type
    if type_ not in (*_WHOLE, *_TIMES) and not type_.startswith("decimal"):
        yield f"{at}.incremental.column", f"{way.column!r} is {type_}; allowed: a whole number, decimal, date or timestamp"
    elif way.lateness != 0 and isinstance(way.lateness, timedelta) != (type_ in _TIMES):
        need = "a duration like 2d or 36h" if type_ in _TIMES else "a number"
        yield f"{at}.incremental.lateness", f"{way.column!r} is {type_}; allowed: {need}"
    elif type_ == "date" and isinstance(way.lateness, timedelta) and way.lateness % timedelta(days=1):
        yield f"{at}.incremental.lateness", f"{way.column!r} is a date; allowed: whole days"
