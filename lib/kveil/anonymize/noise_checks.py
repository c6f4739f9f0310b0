"""Whether the clean table's columns can carry the noise that the policy asks for, before anything is booked or drawn."""

from functools import reduce
from operator import or_

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.named_secret import named_secret
from kveil.errors import ContractError
from kveil.settings.anonymize import Anonymize
from kveil.settings.noise import RowNoise

_ALLOWED = {"number": ("tinyint", "smallint", "int", "bigint"), "date": ("date",), "text": ("string",)}
_INSTEAD = {
    "number": "exact noise needs whole numbers, or decimals with their grid as step, such as 0.01; make it a whole number of its "
    "smallest unit in clean.money or clean.derive",
    "date": "noise between dates needs dates; make it a date in clean.derive, or give whole numbers as bounds",
    "text": "randomised_response needs texts; make it a text in clean.derive",
}


_NAMES = ("tinyint", "smallint", "int", "bigint", "string", "date", "timestamp", "decimal", "boolean")


def check_noise(clean: DataFrame, settings: Anonymize, person: str) -> None:
    """ContractError for a column of another type, for a text that the policy's public list does not name, and for rows of people
    that the columns of `noise_row` do not tell apart. SettingsError for a noise key that is not there.
    """
    if settings.noise_key is not None:
        named_secret(settings.noise_key, "anonymize.noise_key")
    types = dict(clean.dtypes)
    for name, role in settings.noise.items():
        if not _carries(types[name], role):
            raise ContractError(f"anonymize.noise.{name}: the clean table's column is {types[name]}; {_INSTEAD[role.holds]}")
    chosen = {name: role for name, role in settings.noise.items() if role.holds == "text"}
    if chosen:
        _check_lists(clean, chosen)
    if settings.noise_row:
        _check_names(clean.where(F.col(f"`{person}`").isNotNull()), settings.noise_row)


def _carries(kind: str, role: RowNoise) -> bool:
    if role.holds == "number" and kind.startswith("decimal"):
        return role.places > 0
    return kind in _ALLOWED[role.holds] and not role.places


def _check_lists(clean: DataFrame, chosen: dict[str, RowNoise]) -> None:
    # Whether, not how many: an exact number of rows would be told at no cost.
    unlisted = [F.bool_or(~F.col(f"`{name}`").isin(role.values)).alias(name) for name, role in chosen.items()]
    row = clean.agg(*unlisted).first()
    assert row is not None  # an aggregation without groups has one row
    for name in chosen:
        if row[name]:
            raise ContractError(
                f"anonymize.noise.{name}.values: the clean table's column holds a text that the list does not name; name "
                "every value that the column may hold, or make the others one value in clean.derive"
            )


def _check_names(rows: DataFrame, columns: list[str]) -> None:
    for name, kind in rows.select(*columns).dtypes:
        if not kind.startswith(_NAMES):
            raise ContractError(f"anonymize.noise_row: the clean table's {name} is {kind}; allowed: {', '.join(_NAMES)}")
    count, listed = F.col("count"), ", ".join(columns)
    nameless = reduce(or_, [F.col(name).isNull() for name in columns])
    named = rows.select(*columns).groupBy(*columns).count()
    found = named.agg(
        F.coalesce(F.sum(F.when(nameless, count)), F.lit(0)).alias("nameless"),
        F.coalesce(F.sum(F.when(~nameless & (count > 1), count)), F.lit(0)).alias("shared"),
    ).first()
    assert found is not None  # an aggregation without groups has one row
    if found["nameless"] or found["shared"]:
        raise ContractError(
            f"anonymize.noise_row: of the clean table's rows {found['shared']:,} share their [{listed}] with another and "
            f"{found['nameless']:,} have a null in it; name columns that no two rows agree in, or repair them in clean"
        )
