"""The contract of a source: which columns it must have, of which types, and which rows break it."""

import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from kveil.collect.found import MALFORMED, Found
from kveil.collect.text import as_spark_writes, text_flaws
from kveil.errors import ContractError
from kveil.settings.sources import ColumnContract, Source

REASON = "_kveil_reason"
"""Every rule that the row breaks, by column and without its value; null where it breaks none."""
ROW = "_kveil_row"
"""The row's declared columns as JSON, as they stand in the file."""

_WIDENS = {
    "int": ("tinyint", "smallint", "int"),
    "bigint": ("tinyint", "smallint", "int", "bigint"),
    "float": ("tinyint", "smallint", "float"),
    "double": ("tinyint", "smallint", "int", "float", "double"),
    "timestamp": ("timestamp", "timestamp_ntz"),
}
_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def check_columns(name: str, source: Source, schema: StructType, texts: bool) -> None:
    """Raises one ContractError naming every declared column that is missing or whose type does not safely widen."""
    found = {field.name: field.dataType.simpleString() for field in schema}
    problems = []
    for column, contract in source.columns.items():
        allowed = "text" if texts else _allowed_types(contract.type)
        if column not in found:
            problems.append(f"column {column} is missing (allowed: {allowed})")
        elif not texts and not widens(found[column], contract.type):
            problems.append(f"column {column} is {found[column]} (allowed: {allowed})")
    if problems:
        have = f"the file has {', '.join(sorted(found))}"
        raise ContractError(f"sources.{name}: {'; '.join(problems)}; {have}; declare them as they are or have it corrected")


def ignored_columns(source: Source, schema: StructType) -> list[str]:
    """The file's columns that the policy does not declare, in the file's order."""
    return [column for column in schema.names if column not in source.columns]


def widens(found: str, declared: str) -> bool:
    """Whether every value of the Spark type `found` is a value of `declared` too."""
    wide = _decimal(declared)
    if wide is None:
        return found == declared or found in _WIDENS.get(declared, ())
    narrow = _decimal(found) or ((_DIGITS[found], 0) if found in _DIGITS else None)
    return narrow is not None and narrow[1] <= wide[1] and narrow[0] - narrow[1] <= wide[0] - wide[1]


def judged(found: Found, source: Source) -> DataFrame:
    """The declared columns in their declared types, with REASON and ROW; ignored columns are gone."""
    raw = {name: F.col(name) for name in source.columns}
    typed = {name: _typed(raw[name], contract, source, found.texts) for name, contract in source.columns.items()}
    reasons = []
    for name, contract in source.columns.items():
        reasons += _reasons(name, contract, raw[name], typed[name], found.texts)
    if found.texts:
        flaws = text_flaws(list(raw.values()))
        reasons = [*[F.when(broken, F.lit(reason)) for _, reason, broken in flaws], *reasons]
    if MALFORMED in found.rows.columns:
        reasons.insert(0, F.when(F.col(MALFORMED).isNotNull(), F.lit("row: has more or fewer fields than the header")))
    return found.rows.select(
        *[column.alias(name) for name, column in typed.items()],
        F.nullif(F.concat_ws("; ", *reasons), F.lit("")).alias(REASON) if reasons else F.lit(None).cast("string").alias(REASON),
        F.to_json(F.struct(*[column.alias(name) for name, column in raw.items()])).alias(ROW),
    )


def _typed(raw: Column, contract: ColumnContract, source: Source, texts: bool) -> Column:
    return as_spark_writes(raw, contract.type, source.csv).try_cast(contract.type) if texts else raw.cast(contract.type)


def _reasons(name: str, contract: ColumnContract, raw: Column, typed: Column, texts: bool) -> list[Column]:
    reasons = []
    if contract.required:
        reasons.append(F.when(raw.isNull(), F.lit(f"{name}: required but null")))
    if texts and contract.type != "string":
        uncast = raw.isNotNull() & typed.isNull()
        reasons.append(F.when(uncast, F.lit(f"{name}: is no {contract.type}")))
    if contract.allowed is not None:
        outside = typed.isNotNull() & ~typed.cast("string").isin(contract.allowed)
        reasons.append(F.when(outside, F.lit(f"{name}: not an allowed value")))
    return reasons


def _allowed_types(declared: str) -> str:
    if _decimal(declared) is not None:
        return f"{declared} or a narrower decimal or whole number"
    return " or ".join(_WIDENS.get(declared, (declared,)))


def _decimal(type_: str) -> tuple[int, int] | None:
    matched = re.fullmatch(r"decimal\((\d+),(\d+)\)", type_)
    return (int(matched[1]), int(matched[2])) if matched else None
