"""The steps that are suggested for a table outside any lake."""

from collections.abc import Mapping
from datetime import date

from kveil.clean.suggest.look import look
from kveil.clean.suggest.memory import weighed
from kveil.clean.suggest.run import of_source
from kveil.settings.recipe import Step
from pyspark.sql import DataFrame


def suggested(name: str, rows: DataFrame, types: Mapping[str, str], person: str = "") -> list[Step]:
    """As `kveil suggest` writes them for a policy about which nothing was decided."""
    return weighed(of_source(look(name, rows, types), person, date.today(), texts=(), free={}), [])
