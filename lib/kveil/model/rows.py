"""The rows that models learn from and are judged on: label and features under one name, whatever table they come from."""

from collections.abc import Collection, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.model.columns import ColumnKind
from kveil.model.features import Kind
from kveil.settings import Policy

LABEL = "_label"
"""The label as 0.0 or 1.0; no policy can name a column like it, since policy names start with a letter."""

_NUMERIC = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


def feature_kinds(policy: Policy, clean_types: Mapping[str, str]) -> dict[str, Kind]:
    """Each feature's kind: as declared for quasi-identifiers, by the clean table's type for the other columns."""
    declared = policy.anonymize.quasi_identifiers
    return {
        name: declared[name].learned_as if name in declared else _kind_of(name, clean_types) for name in policy.train.features
    }


def model_rows(
    table: DataFrame, label: str, kinds: Mapping[str, ColumnKind], split: str, representatives: Collection[str] = ()
) -> DataFrame:
    """LABEL (double, null where unknown) and the columns of `kinds` as double, date or string, of one part of the split.

    Columns named in `representatives` are read from NAME_rep, as a released table has them.
    """
    sources = {name: f"{name}_rep" if name in representatives else name for name in kinds}
    missing = sorted({label, "split", *sources.values()} - set(table.columns))
    if missing:
        raise ContractError(f"the {split} rows have no column {', '.join(missing)}; run the stages from clean on for this policy")
    columns = [as_kind(F.col(f"`{sources[name]}`"), kind).alias(name) for name, kind in kinds.items()]
    return table.where(F.col("split") == split).select(_label(table, label), *columns)


def _kind_of(name: str, types: Mapping[str, str]) -> Kind:
    found = types.get(name, "missing")
    if found.startswith(_NUMERIC):
        return "number"
    kinds: dict[str, Kind] = {"date": "date", "timestamp": "date", "string": "category", "boolean": "category"}
    if found not in kinds:
        raise ContractError(
            f"train.features: column {name!r} of the clean table is {found}; allowed: numbers, texts, booleans, dates; remove it"
        )
    return kinds[found]


def as_kind(column: Column, kind: ColumnKind) -> Column:
    """A column as double (NaN as null), date or string."""
    if kind == "number":
        return F.nanvl(column.cast("double"), F.lit(None).cast("double"))
    return column.cast("date" if kind == "date" else "string")


def _label(table: DataFrame, label: str) -> Column:
    found = dict(table.dtypes)[label]
    if found != "boolean" and not found.startswith(_NUMERIC):
        raise ContractError(
            f"train.label: column {label!r} is {found}; allowed: boolean, or numbers that are 0 or 1; derive one in clean.derive"
        )
    return F.col(f"`{label}`").cast("double").alias(LABEL)
