"""What the whole table holds per quasi-identifier, in one pass: extremes, listed values, categories.

All of it stays in the restricted zone: what leaves it is coded by each partition's own values (`privacy.own_values`).
"""

from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize import hierarchies
from kveil.anonymize.clusters import People
from kveil.errors import ContractError
from kveil.privacy.coding import Coding
from kveil.settings.anonymize import Anonymize, QuasiIdentifier

MOST_CATEGORIES = 10_000
_HAVE_TEXTS = ("boolean", "date", "tinyint", "smallint", "int", "bigint")
_NUMERIC = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


def codings(clean: DataFrame, settings: Anonymize, person: str) -> tuple[Coding, ...]:
    """How each quasi-identifier is coded, measured on the whole table; ContractError where a column does not fit its kind."""
    types = dict(clean.dtypes)
    for name, role in settings.quasi_identifiers.items():
        _check_type(name, role, types[name])
    measures = [m for name, role in settings.quasi_identifiers.items() for m in _measures(name, role)]
    row = clean.agg(*measures).first()
    assert row is not None  # an aggregation without groups has one row
    found = row.asDict()
    people = People(clean, person, settings.k)
    hierarchies.check_nothing_missing(settings.quasi_identifiers, found, people)
    return tuple(_coding(name, role, found, people) for name, role in settings.quasi_identifiers.items())


def _check_type(name: str, role: QuasiIdentifier, found: str) -> None:
    if role.holds == "text":
        fits = found == "string" or (role.kind == "taxonomy" and found in _HAVE_TEXTS)
        allowed = f"string, {', '.join(_HAVE_TEXTS)}" if role.kind == "taxonomy" else "string"
    else:
        fits = found.startswith(_NUMERIC) if role.holds == "number" else found == "date"
        allowed = "a numeric type" if role.holds == "number" else "date"
    if not fits:
        kind = f"{role.kind} by {role.hierarchy.source} of {role.holds}" if role.hierarchy else role.kind
        raise ContractError(
            f"anonymize.quasi_identifiers.{name}: the clean table's column is {found}; kind {kind} allows {allowed}; "
            "change the kind or derive a column of that type in clean.derive"
        )


def _measures(name: str, role: QuasiIdentifier) -> list[Column]:
    column = F.col(name)
    if role.hierarchy is not None:
        return hierarchies.measures(name, role.hierarchy)
    if role.kind == "category":
        # One more than allowed tells 'too many' without collecting them all.
        return [F.slice(F.sort_array(F.collect_set(column)), 1, MOST_CATEGORIES + 1).alias(f"{name}.values")]
    if role.kind == "ordered":
        unlisted = F.count_if(column.isNotNull() & ~column.isin(role.order))
        return [unlisted.alias(f"{name}.unlisted")]
    cell = F.floor(hierarchies.number_of(column) / role.step) if role.kind == "number" else F.unix_date(column)
    return [F.min(cell).alias(f"{name}.lowest"), F.max(cell).alias(f"{name}.highest")]


def _coding(name: str, role: QuasiIdentifier, row: dict[str, Any], people: People) -> Coding:
    if role.hierarchy is not None:
        return hierarchies.coding(name, role.hierarchy, row, people)
    if role.kind == "category":
        values = row[f"{name}.values"]
        if len(values) > MOST_CATEGORIES:
            raise ContractError(
                f"anonymize.quasi_identifiers.{name}: found more than {MOST_CATEGORIES:,} categories; "
                "group them in clean.buckets or clean.derive, or drop the column"
            )
        return Coding(name, role.kind, values=tuple(values), highest=max(len(values) - 1, 0))
    if role.kind == "ordered":
        if row[f"{name}.unlisted"]:
            raise ContractError(
                f"anonymize.quasi_identifiers.{name}.order: {row[f'{name}.unlisted']:,} rows of the clean table hold values that "
                "order does not list; list every value, or name them in clean.missing"
            )
        return Coding(name, role.kind, values=tuple(role.order), highest=len(role.order) - 1)
    lowest, highest = row[f"{name}.lowest"] or 0, row[f"{name}.highest"] or 0
    return Coding(name, role.kind, step=role.step, lowest=lowest, highest=highest)
