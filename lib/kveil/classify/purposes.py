"""For which purposes a registry of consent holds decisions: words of whoever runs it, not of a person."""

import re
from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.settings.base import IDENTIFIER

MOST = 20
_OF_MODELS = re.compile(r"model|train|scor|analy|learn|research")


def is_registry(columns: Sequence[str]) -> bool:
    """Whether a source of these columns is one."""
    return {"purpose", "decision"} <= set(columns) and not {"decided_at", "effective_from"}.isdisjoint(columns)


def purposes_of(registry: DataFrame) -> tuple[str, ...]:
    """The purposes that a policy can name, at most MOST: those of models first, then those with most decisions."""
    counted = registry.groupBy(F.col("purpose").cast("string").alias("purpose")).count()
    named = counted.where(F.col("purpose").rlike(IDENTIFIER)).orderBy(F.desc("count"), "purpose").limit(MOST).collect()
    return tuple(sorted((row["purpose"] for row in named), key=lambda name: _OF_MODELS.search(name) is None))
