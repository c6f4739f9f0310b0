"""Columns that are released as they are: how many people a value in one of them tells from everybody else.

A class holds k people, but a column beside it that is unique per person undoes the class. So the share of people who hold a
value that is theirs alone is measured for every such column, alone and together with the class, and the first is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON, of_class
from kveil.anonymize.metric import Metric
from kveil.errors import GuaranteeError
from kveil.privacy.separation import FEWEST_PER_VALUE, MOST_ALONE
from kveil.settings.anonymize import Anonymize

_PEOPLE, _ALONE, _IN_CLASS = "", "alone", "class"
_NAME, _KIND, _VALUE, _FIRST, _LAST = "kveil_name", "kveil_kind", "kveil_value", "kveil_first", "kveil_last"


@dataclass(frozen=True)
class Told:
    """Of a column: all people, how many there are for each of its values, and the shares of them whom a value tells from the
    others, alone and (where it was asked for) together with the class.
    """

    name: str
    people: int
    per_value: float
    alone: float
    in_class: float

    @property
    def is_unique(self) -> bool:
        """Whether the column tells more people apart than a release shows by default."""
        return self.alone > MOST_ALONE or self.per_value < FEWEST_PER_VALUE


def check_unique(clean: DataFrame, settings: Anonymize, person: str) -> None:
    """GuaranteeError where a column is unique, or nearly, per person and `anonymize.accepted` gives no reason for it.

    Found on the clean table, before anything is booked; what suppression adds is found on staging.
    """
    known = clean.where(F.col(f"`{person}`").isNotNull()).withColumn(PERSON, F.col(f"`{person}`").cast("string"))
    # Of fewer than k people nothing is published in any case, and of them every value tells.
    looked = [each for each in told(known, _raw(settings), []) if each.people >= settings.k]
    found = [each for each in looked if each.is_unique and each.name not in settings.accepted]
    if found:
        listed = "; ".join(
            f"{each.name} has a value that is theirs alone for {each.alone:.2%} of the people, and a value for every "
            f"{each.per_value:.1f} people"
            for each in found
        )
        raise GuaranteeError(
            f"anonymize: nothing was booked or published because columns released as they are tell people apart: {listed}; "
            f"allowed are {MOST_ALONE:.0%} of the people and a value for every {FEWEST_PER_VALUE:.0f}; make them "
            "quasi_identifiers, noise or mask them, coarsen them in clean.derive, or write in anonymize.accepted.COLUMN why "
            "they may be shown"
        )


def unique_metrics(staging: DataFrame, settings: Anonymize) -> list[Metric]:
    """The shares, per column that is released as it is; no threshold for columns that the policy accepts."""
    metrics = []
    for each in told(staging, _raw(settings), of_class(settings)):
        bounded = each.name not in settings.accepted
        most, fewest = (MOST_ALONE, FEWEST_PER_VALUE) if bounded else (None, None)
        metrics += [
            Metric("value_singled_out_share", each.alone, each.name, most, each.alone <= MOST_ALONE if bounded else None),
            Metric(
                "value_people_min", each.per_value, each.name, fewest, each.per_value >= FEWEST_PER_VALUE if bounded else None
            ),
            Metric("value_class_singled_out_share", each.in_class, each.name),
        ]
    return metrics


def _raw(settings: Anonymize) -> list[str]:
    """The columns whose values are released as they are, beside the classes; noise and masks have measures of their own."""
    return [*settings.sensitive, *settings.insensitive]


def told(rows: DataFrame, names: Sequence[str], shown: Sequence[str]) -> list[Told]:
    """What each column tells of the people in column PERSON, alone and together with the columns `shown`, in one pass.

    Null is no value. A value is one person's when the first and the last of its holders, in the order of their hashes, are one.
    """
    if not names:
        return []
    person = F.xxhash64(PERSON)
    held = F.explode(F.array(*_cells(names, shown, person)))
    cells = rows.select(person.alias(PERSON), held.alias("cell")).where("cell.value IS NOT NULL")
    values = cells.groupBy(
        F.col("cell.name").alias(_NAME), F.col("cell.kind").alias(_KIND), F.col("cell.value").alias(_VALUE)
    ).agg(F.min(PERSON).alias(_FIRST), F.max(PERSON).alias(_LAST))
    alone = F.when(F.col(_FIRST) == F.col(_LAST), F.col(_FIRST))
    found = values.groupBy(_NAME, _KIND).agg(F.count(F.lit(1)).alias("values"), F.count_distinct(alone).alias("people")).collect()
    counts = {(row[_NAME], row[_KIND]): (int(row["values"]), int(row["people"])) for row in found}
    everyone = counts.get((_PEOPLE, _PEOPLE), (0, 0))[1]
    return [_told(name, counts, everyone) for name in names if (name, _ALONE) in counts]


def _told(name: str, counts: dict[tuple[str, str], tuple[int, int]], everyone: int) -> Told:
    values, alone = counts[name, _ALONE]
    return Told(name, everyone, everyone / values, alone / everyone, counts.get((name, _IN_CLASS), (0, 0))[1] / everyone)


def _cells(names: Sequence[str], shown: Sequence[str], person: Column) -> list[Column]:
    """A row's values by their hashes: of the person, of each column, and of each with the class."""

    def cell(name: str, kind: str, value: Column) -> Column:
        return F.struct(F.lit(name).alias("name"), F.lit(kind).alias("kind"), value.alias("value"))

    cells = [cell(_PEOPLE, _PEOPLE, person)]
    in_class = F.xxhash64(*[F.col(f"`{name}`") for name in shown]) if shown else None
    for name in names:
        column = F.col(f"`{name}`")
        cells.append(cell(name, _ALONE, F.when(column.isNotNull(), F.xxhash64(column))))
        if in_class is not None:
            cells.append(cell(name, _IN_CLASS, F.when(column.isNotNull(), F.xxhash64(in_class, column))))
    return cells
