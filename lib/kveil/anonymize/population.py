"""The release against the people it could be taken for: k-map and delta-presence, counted on a population table in SQL.

A person of the population fits a class when one of their rows lies inside what the class shows: see boxes.py.
"""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.boxes import CLASS, PEOPLE, boxes, fitting
from kveil.anonymize.columns import PERSON
from kveil.anonymize.metric import Metric
from kveil.errors import ContractError
from kveil.privacy.coding import Coding
from kveil.settings.anonymize import Anonymize
from kveil.settings.disclosure import Population


def population(raw: DataFrame, person: str, settings: Anonymize) -> DataFrame:
    """The population's rows: person (as text), quasi-identifiers, and the partition columns that the source has.

    `raw` is the raw table of the policy's population source, `person` the policy's privacy unit. Rows without a person
    are left out. ContractError where a column's type does not fit its kind.
    """
    assert settings.population is not None  # called where the policy has one
    types = dict(raw.dtypes)
    for name, role in settings.quasi_identifiers.items():
        wanted = {"number": "a numeric type", "date": "date"}.get(role.kind, "string")
        found = types[name]
        numeric = found.startswith(("tinyint", "smallint", "int", "bigint", "float", "double", "decimal"))
        if not (numeric if role.kind == "number" else found == wanted):
            raise ContractError(
                f"anonymize.population.source: {name} of {settings.population.source} is {found}, but needs {wanted}; "
                "declare that type in the source's columns"
            )
    unit = settings.population.person or person
    kept = [*(name for name in settings.partition_by if name in types), *settings.quasi_identifiers]
    return raw.where(F.col(unit).isNotNull()).select(F.col(unit).cast("string").alias(PERSON), *kept)


def population_metrics(staging: DataFrame, people: DataFrame, settings: Anonymize, codings: tuple[Coding, ...]) -> list[Metric]:
    """The fewest people of the population who fit a class, and the least and greatest share of them that is released.

    `people` is `population`'s result; `codings` say which texts the labels stand for. A person of the population who
    fits no class is certainly not in the release, so where there is one the least share is 0.
    """
    assert settings.population is not None  # called where the policy has one
    classes = boxes(staging, settings, codings)
    matched = fitting(classes, people, settings, codings)
    row = _first(
        matched.groupBy(CLASS, PEOPLE)
        .agg(F.countDistinct(PERSON).alias("fit"), F.least(F.first(PEOPLE) / F.countDistinct(PERSON), F.lit(1.0)).alias("share"))
        .agg(*[F.count(F.lit(1)), F.min("fit"), F.min("share"), F.max("share")])
    )
    every_class_is_fitted = row[0] == classes.count()
    fewest = row[1] if every_class_is_fitted else 0
    known = _first(people.select(F.countDistinct(PERSON)))[0]
    outside = known - _first(matched.select(F.countDistinct(PERSON)))[0]
    least = 0.0 if outside or not row[0] else row[2]
    greatest = row[3] if every_class_is_fitted else 1.0
    return [*_judged(settings.population, fewest, least, greatest), *_counted(known, outside)]


def _judged(asked: Population, fewest: int, least: float, greatest: float) -> list[Metric]:
    enough = None if asked.k_map is None else fewest >= asked.k_map
    limit = None if asked.k_map is None else 1 / asked.k_map
    low, high = asked.delta or (None, None)
    return [
        Metric("k_map_min", fewest, threshold=asked.k_map, met=enough),
        Metric("journalist_risk_max", 1 / max(fewest, 1), threshold=limit, met=enough),
        Metric("presence_min", least, threshold=low, met=None if low is None else least >= low),
        Metric("presence_max", greatest, threshold=high, met=None if high is None else greatest <= high),
    ]


def _counted(known: int, outside: int) -> list[Metric]:
    return [Metric("population_people", known), Metric("population_people_outside", outside)]


def _first(df: DataFrame) -> Any:
    row = df.first()
    assert row is not None  # an aggregation without groups has one row
    return row
