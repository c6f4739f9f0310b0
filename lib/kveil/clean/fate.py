"""Rows that leave on the way: each is marked with the step that removed it, so one pass counts and separates them all."""

from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

FATE = "_kveil_fate"
"""The number of the step that removed the row, the first one to do so; null while the row stays."""


@dataclass(frozen=True)
class Removal:
    """A step that may remove rows: why, and whether they are set aside or simply left out."""

    reason: str
    set_aside: bool = True


@dataclass
class Trail:
    """A source's rows on their way through the steps. `rows` carry FATE; `columns` are what the source itself holds."""

    source: str
    rows: DataFrame
    columns: list[str] = field(init=False)
    removals: list[Removal] = field(default_factory=list)
    _counts: dict[int | None, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.columns = self.rows.columns
        self.rows = self.rows.withColumn(FATE, F.lit(None).cast("int"))

    def remove(self, reason: str, condition: Column, set_aside: bool = True) -> None:
        """A step that removes the rows where the condition holds."""
        removed = F.when(condition, F.lit(len(self.removals)))
        self.rows = self.rows.withColumn(FATE, F.coalesce(F.col(FATE), removed))
        self.removals.append(Removal(reason, set_aside))

    def counts(self) -> dict[int | None, int]:
        """How many rows each step removed, by its number; under None those that stay. One Spark job."""
        counted = self.rows.groupBy(FATE).agg(F.count("*").alias("rows")).collect()
        self._counts = {row[FATE]: row["rows"] for row in counted}
        return self._counts

    @property
    def sets_aside(self) -> bool:
        """Whether `counts` met rows to set aside."""
        return any(self._counts.get(number) for number, removal in enumerate(self.removals) if removal.set_aside)

    def staying(self) -> DataFrame:
        """The rows that no step removed."""
        return self.rows.where(F.col(FATE).isNull()).drop(FATE)

    def aside(self) -> DataFrame:
        """source, reason and row (the source's own columns as JSON) of the rows set aside."""
        reasons = {number: removal.reason for number, removal in enumerate(self.removals) if removal.set_aside}
        lookup = F.create_map(*[F.lit(part) for pair in reasons.items() for part in pair])
        return self.rows.where(F.col(FATE).isin(list(reasons))).select(
            F.lit(self.source).alias("source"),
            F.element_at(lookup, F.col(FATE)).alias("reason"),
            F.to_json(F.struct(*self.columns)).alias("row"),
        )
