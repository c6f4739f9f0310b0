"""Whether the clean table's columns can carry the noise that the policy asks for, before anything is booked or drawn."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.errors import ContractError
from kveil.settings.anonymize import Anonymize
from kveil.settings.noise import RowNoise

_ALLOWED = {"number": ("tinyint", "smallint", "int", "bigint"), "date": ("date",), "text": ("string",)}
_INSTEAD = {
    "number": "noise between whole numbers needs whole numbers; make it a whole number of its smallest unit in clean.money or "
    "clean.derive",
    "date": "noise between dates needs dates; make it a date in clean.derive, or give whole numbers as bounds",
    "text": "randomised_response needs texts; make it a text in clean.derive",
}


def check_noise_columns(clean: DataFrame, settings: Anonymize) -> None:
    """ContractError for a column of another type, and for a text that the policy's public list does not name."""
    types = dict(clean.dtypes)
    for name, role in settings.noise.items():
        if types[name] not in _ALLOWED[role.holds]:
            raise ContractError(f"anonymize.noise.{name}: the clean table's column is {types[name]}; {_INSTEAD[role.holds]}")
    chosen = {name: role for name, role in settings.noise.items() if role.holds == "text"}
    if chosen:
        _check_lists(clean, chosen)


def _check_lists(clean: DataFrame, chosen: dict[str, RowNoise]) -> None:
    unlisted = [F.count_if(~F.col(f"`{name}`").isin(role.values)).alias(name) for name, role in chosen.items()]
    row = clean.agg(*unlisted).first()
    assert row is not None  # an aggregation without groups has one row
    for name in chosen:
        if row[name]:
            raise ContractError(
                f"anonymize.noise.{name}.values: {row[name]:,} rows hold a text that the list does not name; name every value "
                "that the column may hold, or make the others one value in clean.derive"
            )
