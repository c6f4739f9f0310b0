"""The contract of a source: which columns it must have, of which types, and which rows break it."""

import re
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from kveil.collect.found import FILE, POSITION, Found
from kveil.collect.row_rules import Rule, broken_rules, rules_of
from kveil.collect.text import as_spark_writes, text_flaws
from kveil.errors import ContractError
from kveil.settings.contract import ColumnContract
from kveil.settings.sources import Source
from kveil.shapes import shapes
from kveil.tables.schema import MALFORMED

REASON = "_kveil_reason"
"""Every rule that the row breaks, by column and without its value; null where it breaks none."""
RULE = "_kveil_rule"
"""The same as COLUMN.RULE, comma-separated."""
ROW = "_kveil_row"
"""The row's declared columns as JSON, as they stand in the file; of a malformed line also the line, as MALFORMED."""

_JSON = {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX", "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS"}

_WIDENS = {
    "int": ("tinyint", "smallint", "int"),
    "bigint": ("tinyint", "smallint", "int", "bigint"),
    "float": ("tinyint", "smallint", "float"),
    "double": ("tinyint", "smallint", "int", "float", "double"),
    "timestamp": ("timestamp", "timestamp_ntz"),
}
_DIGITS = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 19}


def check_columns(name: str, source: Source, schema: StructType, texts: bool) -> None:
    """Raises one ContractError naming every declared column that is missing or whose type does not safely widen.

    Columns that are not declared are named too where the source says `new_columns: fail`.
    """
    found = {field.name: field.dataType.simpleString() for field in schema}
    problems = []
    for column, contract in source.columns.items():
        allowed = "text" if texts else _allowed_types(contract.type)
        if column not in found:
            problems.append(f"column {column} is missing (allowed: {allowed})")
        elif not texts and not widens(found[column], contract.type):
            problems.append(f"column {column} is {found[column].split('<')[0]} (allowed: {allowed})")
    if source.new_columns == "fail":
        new = ignored_columns(source, schema)
        problems += [f"columns are new (new_columns: fail): {shapes(new)}"] if new else []
    if problems:
        others = ignored_columns(source, schema)
        known = [column for column in source.columns if column in found]
        have = f"the file has {', '.join(known) or 'none of these'}, and columns that are not declared: {shapes(others)}"
        hint = "; its first line may hold data: say csv.header: false if it has no header" if texts and not known else ""
        raise ContractError(f"sources.{name}: {'; '.join(problems)}; {have}; declare them as they are or have it corrected{hint}")


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


def completed(source: Source, required: Sequence[str] = ()) -> Source:
    """The source with the columns required that it cannot do without: its key, its watermark and the given ones."""
    watermark = [source.incremental.column] if source.incremental else []
    needed = {*source.key, *watermark, *required}
    columns = {
        name: contract.model_copy(update={"required": contract.required or name in needed})
        for name, contract in source.columns.items()
    }
    return source.model_copy(update={"columns": columns})


def judged(found: Found, source: Source) -> DataFrame:
    """The declared columns in their declared types, with REASON, RULE, FILE, POSITION and ROW; ignored columns are gone."""
    raw = {name: F.col(name) for name in source.columns}
    typed = {name: _typed(raw[name], contract, source, found.texts) for name, contract in source.columns.items()}
    rules = [Rule(*flaw) for flaw in text_flaws(list(raw.values()))] if found.texts else []
    if MALFORMED in found.rows.columns:
        rules.insert(0, Rule("row.fields", "row: has more or fewer fields than the header", F.col(MALFORMED).isNotNull()))
    for name, contract in source.columns.items():
        rules += rules_of(name, contract, raw[name], typed[name], found.texts)
    reason, rule = broken_rules(rules)
    cells = [column.alias(name) for name, column in raw.items()]
    line = [F.col(MALFORMED)] if MALFORMED in found.rows.columns else []
    return found.rows.select(
        *[column.alias(name) for name, column in typed.items()],
        reason.alias(REASON),
        rule.alias(RULE),
        _where_known(found, FILE, "string"),
        _where_known(found, POSITION, "bigint"),
        F.to_json(F.struct(*cells, *line), _JSON).alias(ROW),
    )


def of_json(rows: DataFrame, source: Source) -> Found:
    """Rows out of ROW's JSON (a column `row`) as they once stood in a file, all cells as text; FILE and POSITION stay."""
    cells = StructType([StructField(name, StringType()) for name in source.columns])
    parsed = F.from_json("row", StructType([*cells.fields, StructField(MALFORMED, StringType())]))
    return Found(rows.select(F.inline(F.array(parsed)), FILE, POSITION), cells, texts=True)


def _where_known(found: Found, name: str, type_: str) -> Column:
    return F.col(name) if name in found.rows.columns else F.lit(None).cast(type_).alias(name)


def _typed(raw: Column, contract: ColumnContract, source: Source, texts: bool) -> Column:
    return as_spark_writes(raw, contract.type, source.csv).try_cast(contract.type) if texts else raw.cast(contract.type)


def _allowed_types(declared: str) -> str:
    if _decimal(declared) is not None:
        return f"{declared} or a narrower decimal or whole number"
    return " or ".join(_WIDENS.get(declared, (declared,)))


def _decimal(type_: str) -> tuple[int, int] | None:
    matched = re.fullmatch(r"decimal\((\d+),(\d+)\)", type_)
    return (int(matched[1]), int(matched[2])) if matched else None
