"""The steps that are suggested for a table outside any lake."""

from collections.abc import Iterator, Mapping
from datetime import date

from kveil.clean.suggest.columns import of_columns
from kveil.clean.suggest.look import look
from kveil.clean.suggest.memory import weighed
from kveil.clean.suggest.repairs import of_table
from kveil.settings.recipe import Step
from pyspark.sql import DataFrame


def suggested(name: str, rows: DataFrame, types: Mapping[str, str], person: str = "") -> list[Step]:
    """As `kveil suggest` writes them for a policy about which nothing was decided."""
    return weighed(_of_all(name, rows, types, person), [])


def _of_all(name: str, rows: DataFrame, types: Mapping[str, str], person: str) -> Iterator[Step]:
    seen = look(name, rows, types)
    yield from of_columns(seen, person, date.today())
    yield from of_table(seen, person)
