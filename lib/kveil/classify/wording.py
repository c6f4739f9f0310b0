"""How a draft writes a column: under which name and kind it is released, and why it has its role."""

from typing import Any

import yaml

from kveil.classify.plan import Classified, Plan
from kveil.classify.roles import Column, evidence
from kveil.classify.types import lenient

NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_MOST_CATEGORIES = 2_000


def of_role(plan: Plan, *roles: str) -> list[Column]:
    """The clean table's columns of these roles, without the person."""
    return [each for each in plan.clean() if each.role in roles and each.name != plan.person]


def released_as(column: Column) -> tuple[str, str, str]:
    """The clean column that a quasi-identifier is released by, the SQL that derives it (or none), and its kind."""
    name, lower = column.name, column.name.lower()
    if column.type == "date":
        return name, "", "date"
    if column.type == "timestamp":
        return f"{lower}_day", f"cast({name} as date)", "date"
    if column.type.startswith(NUMBERS):
        return name, "", "number"
    if column.type == "boolean":
        return f"{lower}_is", f"cast({name} as string)", "category"
    if column.pattern and not column.doubts and column.semantic in ("birth_date", "since", "date", "moment"):
        return f"{lower}_year", f"year({_as_date(column)})", "number"
    return name, "", "category"


def _as_date(column: Column) -> str:
    if column.pattern == "yyyy-MM-dd":
        return f"try_cast({column.name} as date)"
    return f"try_to_date({column.name}, '{lenient(column.pattern)}')"


def why(column: Column, source: Classified) -> str:
    """Role, confidence, evidence and doubts, one line; a doubt begins with a question mark."""
    many = column.type == "string" and column.values > _MOST_CATEGORIES and column.role == "quasi-identifier"
    grouped = ["it has many values: give it a hierarchy, or a coarser column by clean.derive"] if many else []
    doubts = "; ".join([*column.doubts, *grouped])
    mark = "? " if column.doubtful or grouped else ""
    return f"{mark}{column.role} {column.confidence:.2f}: {evidence(column, source.sets)}" + (f"; {doubts}" if doubts else "")


def source_of(plan: Plan, column: Column) -> Classified:
    """The source that a column is of."""
    return next(source for source in plan.used if any(each is column for each in source.columns))


def flow(value: Any) -> str:
    """A value in one line of YAML, keys in their order."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
