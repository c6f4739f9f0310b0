"""Rows that were released without their quasi-identifiers, told by what they show."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.privacy.labels import WHOLE
from kveil.settings.anonymize import Anonymize


def without_cells(settings: Anonymize) -> Column:
    """Whether a released row shows nothing of its class: no partition but the split, labels of the whole domain, no values."""
    if settings.suppress == "row":
        return F.lit(False)
    labels = [name for name in settings.quasi_identifiers if "label" in settings.shown(name)]
    empty = [name for name in settings.class_columns() if name != "split" and name not in labels]
    shows_nothing = F.lit(True)
    for name in labels:
        shows_nothing = shows_nothing & F.coalesce(F.col(f"`{name}`") == WHOLE, F.lit(False))
    for name in empty:
        shows_nothing = shows_nothing & F.col(f"`{name}`").isNull()
    return shows_nothing
