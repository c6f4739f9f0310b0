"""What came of comparing a release with earlier ones: which rows it may show, and how."""

from dataclasses import dataclass, field

from pyspark.sql import DataFrame

from kveil.anonymize.compose.again import Again
from kveil.anonymize.compose.kept import Trees
from kveil.anonymize.compose.known import Known
from kveil.anonymize.compose.overlaps import CELL, cell_of
from kveil.settings.anonymize import Anonymize


@dataclass(frozen=True)
class Comparison:
    """The rows to anonymize, each with its mark and its class in every `known` release, and what came of comparing them.

    `trees` are those that the release must be made with, `held` the overlaps whose rows it must leave out, `changed` how many
    classes of each known release are no longer what was published, `again` what is shown of them as it was.
    """

    rows: DataFrame
    known: tuple[Known, ...] = ()
    trees: Trees = field(default_factory=dict, repr=False)
    held: DataFrame | None = None
    changed: tuple[int, ...] = ()
    again: Again = field(default_factory=Again)

    def kept(self, made: DataFrame, settings: Anonymize) -> DataFrame:
        """Classified rows, trees among them, without the rows that are held back."""
        if self.held is None:
            return made
        cell = cell_of(settings, len(self.known))
        return made.withColumn(CELL, cell).join(self.held, CELL, "left_anti").drop(CELL)
