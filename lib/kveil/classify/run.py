"""From opened sources to classified ones: the person column, one counting pass and one sample a source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import DataFrame

from kveil.classify.looked import classification
from kveil.classify.plan import Classified
from kveil.classify.purposes import is_registry, purposes_of
from kveil.classify.roles import Column, column_of
from kveil.classify.types import one_date_pattern
from kveil.errors import SettingsError
from kveil.log import Progress
from kveil.profile.concepts import concept_of
from kveil.profile.counted import counted
from kveil.profile.sampled import looked_at, sampled


@dataclass(frozen=True)
class Asked:
    """A source to be classified: how a policy declares it, its rows, and whether these are texts of a file."""

    declared: dict[str, Any]
    rows: DataFrame
    texts: bool


def person_of(sources: Mapping[str, Asked], named: str | None) -> str | None:
    """The privacy unit's column: the one that was named, or that whose name is one for people's ids in most sources.

    None where no name is; SettingsError where no source has the one that was named.
    """
    everywhere = [name for source in sources.values() for name in source.rows.columns]
    if named is not None:
        if named not in everywhere:
            raise SettingsError([f"--person: no source has a column {named!r}; allowed: {', '.join(sorted(set(everywhere)))}"])
        return named
    found = [(name, fit[1]) for name in dict.fromkeys(everywhere) if (fit := concept_of(name)) and fit[0].role == "person"]
    return max(found, key=lambda each: (each[1], everywhere.count(each[0])))[0] if found else None


def classified(sources: Mapping[str, Asked], person: str | None, progress: Progress, k: int = 10) -> Sequence[Classified]:
    """Every source with its columns' roles; rows of sources without the person are things, where another source has people."""
    return [_one(name, source, person, progress, k) for name, source in sources.items()]


def _one(name: str, source: Asked, person: str | None, progress: Progress, k: int) -> Classified:
    own = person if person in source.rows.columns else None
    with progress.step("classify", name) as note:
        totals, figures = counted(source.rows, own, k)
        look = classification(dict(source.rows.dtypes), source.texts, own, own is not None or person is None)
        told = looked_at(sampled(source.rows, own, totals.rows), look) if totals.rows else []
        note.text = f"{totals.rows:,} rows, {len(figures)} columns"
    columns = [each for each in told if each["kind"] == "column"]
    sets = [each for each in told if each["kind"] == "set"]
    sample = next((each for each in told if each["kind"] == "sample"), {"people": 0})
    alone = {each["column"] for each in columns if each["alone"] == 1}
    # In all rows by a sketch, in the sample exactly: whoever joins by it is told if it is not unique after all.
    unique = [each.name for each in figures if each.name in alone and not each.missing and each.distinct >= 0.95 * totals.rows]
    declared, made = _with_dates(source, [column_of(each, own, sets) for each in columns])
    people = totals.people or 0
    purposes = purposes_of(source.rows) if is_registry(source.rows.columns) else ()
    return Classified(name, declared, made, sets, totals.rows, people, sample["people"], tuple(unique), purposes)


def _with_dates(source: Asked, columns: list[Column]) -> tuple[dict[str, Any], list[Column]]:
    """The declaration and columns of a CSV file whose days are all written by one pattern, as days; else as they were."""
    days = [each for each in columns if each.type == "string" and each.pattern and not each.doubts]
    pattern = one_date_pattern([each.pattern for each in days])
    if source.declared["format"] != "csv" or pattern is None or any(each.type == "date" for each in columns):
        return source.declared, columns
    said = {**source.declared, "csv": {**source.declared.get("csv", {}), "dates": pattern}}
    return said, [replace(each, type="date") if each in days else each for each in columns]
