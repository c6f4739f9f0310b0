"""The released table's columns: what each role of the policy becomes."""

from kveil.anonymize.masking.columns import type_of
from kveil.settings.anonymize import Anonymize
from kveil.settings.noise import RowNoise

PERSON, TREE, SUPPRESSED = "kveil_person", "kveil_tree", "kveil_suppressed"
CLASS, MARK = "kveil_class", "kveil_mark"
"""A class's number in its partition; a keyed number that tells a clean row from others."""

Types = dict[str, str]


def of_quasi_identifiers(settings: Anonymize) -> Types:
    """Per quasi-identifier what the policy releases of label, bounds (numbers, dates) and representative, with SQL types."""
    types: Types = {}
    for name, role in settings.quasi_identifiers.items():
        bound = "bigint" if role.holds == "number" else "date"
        representative = {"number": "double", "date": "date"}.get(role.holds, "string")
        possible = {name: "string", f"{name}_lo": bound, f"{name}_hi": bound, f"{name}_rep": representative}
        types |= {column: possible[column] for column in settings.released_columns(name)}
    return types


def of_release(settings: Anonymize, clean: Types) -> Types:
    """All released columns; `clean` holds the clean table's types."""
    as_they_are = [*settings.sensitive, *settings.insensitive]
    return {
        **{name: clean[name] for name in settings.partition_by},
        **of_quasi_identifiers(settings),
        **{name: clean[name] for name in as_they_are},
        **{name: of_noise(role) for name, role in settings.noise.items()},
        **{name: type_of(role, clean[name]) for name, role in settings.mask.items()},
    }


def of_noise(role: RowNoise) -> str:
    """The SQL type that holds any noisy value of a column."""
    if role.holds == "number" and role.places:
        return f"decimal(38,{role.places})"
    return {"number": "bigint", "date": "date", "text": "string"}[role.holds]


def before(number: int) -> str:
    """The column with the class that a row has in one of the earlier releases, by that one's number among them."""
    return f"kveil_before_{number}"


def of_staging(settings: Anonymize, clean: Types, earlier: int = 0) -> Types:
    """The released columns with what only staging knows: person, each partition's tree, class, row, by policy which rows lost
    their cells, and the class in each of so many `earlier` releases.
    """
    marks = {SUPPRESSED: "boolean"} if settings.suppress == "cell" else {}
    known = {before(number): "bigint" for number in range(earlier)}
    return {PERSON: "string", TREE: "binary", CLASS: "bigint", MARK: "bigint", **marks, **known, **of_release(settings, clean)}


def of_class(settings: Anonymize) -> list[str]:
    """The columns that rows of one equivalence class share: everything that an outsider may match."""
    return settings.class_columns()


def ddl(types: Types) -> str:
    """As a SQL schema string."""
    return ", ".join(f"`{name}` {kind}" for name, kind in types.items())
