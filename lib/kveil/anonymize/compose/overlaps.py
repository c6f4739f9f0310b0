"""Which people stand in each overlap of a release's classes with those of earlier ones, and which rows must be held back."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import CLASS, PERSON, before
from kveil.anonymize.compose.known import Known
from kveil.anonymize.compose.label import class_id
from kveil.settings.anonymize import Anonymize

CELL, NEW, ROWS, PEOPLE, HELD = "cell", "class", "rows", "people", "held"
_FEW, _BAD, _LOST = "kveil_few", "kveil_bad", "kveil_lost"


def new_class(settings: Anonymize) -> Column:
    """The new class of a row that the kernel has classified."""
    return class_id(settings.partition_by, F.col(CLASS))


def cell_of(settings: Anonymize, known: int) -> Column:
    """The overlap in which a classified row lies: a hash of its class in the new release and in each known one."""
    return _cell(new_class(settings), known)


def _cell(new: Column, known: int) -> Column:
    classes = [new, *(F.col(before(i)) for i in range(known))]
    return F.xxhash64(*[F.coalesce(each, F.lit(0)) for each in classes])


def overlaps(tried: DataFrame, left_out: DataFrame, settings: Anonymize, known: int) -> DataFrame:
    """One row per overlap: CELL, NEW, before(i), ROWS, PEOPLE. `left_out` are rows in no new class, with before(i) and PERSON."""
    mine = tried.withColumn(NEW, new_class(settings)).select(NEW, PERSON, *_befores(known))
    others = left_out.withColumn(NEW, F.lit(None).cast("bigint")).select(NEW, PERSON, *_befores(known))
    found = mine.unionByName(others).groupBy(NEW, *_befores(known))
    counted = found.agg(F.count(F.lit(1)).alias(ROWS), F.countDistinct(PERSON).alias(PEOPLE))
    return counted.withColumn(CELL, _cell(F.col(NEW), known))


def left_out(compared: DataFrame, tried: DataFrame, person: str, known: int) -> DataFrame:
    """The people, with their earlier classes, who have rows there that the new release has in no class: one row for each."""
    keys = [PERSON, *_befores(known)]
    all_rows = compared.select(F.col(person).cast("string").alias(PERSON), *_befores(known)).where(F.col(PERSON).isNotNull())
    counts = all_rows.withColumn(ROWS, F.lit(1)).unionByName(tried.select(*keys).withColumn(ROWS, F.lit(-1)))
    return counts.groupBy(*keys).agg(F.sum(ROWS).alias(ROWS)).where(F.col(ROWS) > 0).drop(ROWS)


def _befores(known: int) -> list[str]:
    return [before(i) for i in range(known)]


@dataclass(frozen=True)
class Verdict:
    """The overlaps with HELD, whether their rows are held back, and _FEW, whether they hold too few people."""

    cells: DataFrame

    @property
    def few(self) -> DataFrame:
        """The overlaps of too few people."""
        return self.cells.where(_FEW)

    @property
    def held(self) -> DataFrame:
        """The overlaps whose rows are held back."""
        return self.cells.where(HELD)


def judged(cells: DataFrame, changed: Sequence[DataFrame], known: Sequence[Known], k: int) -> Verdict:
    """Holds back every earlier class that changed or has an overlap of fewer people than was promised.

    An overlap is promised the least k of the releases that it is in. Where one is too small, its whole earlier classes are held
    back: what is left of them would be as small a difference. `changed` has the changed classes of each known release.
    """
    n = len(known)
    in_known = [F.when(F.col(before(i)).isNotNull(), F.lit(each.k)) for i, each in enumerate(known)]
    promised = F.least(F.when(F.col(NEW).isNotNull(), F.lit(k)), *in_known)
    cells = cells.withColumn(_FEW, F.coalesce(F.col(PEOPLE) < promised, F.lit(False)))
    held = F.col(_FEW)
    for i in range(n):
        few = cells.where(F.col(_FEW) & F.col(before(i)).isNotNull()).select(F.col(before(i)).alias(NEW))
        bad = few.unionByName(changed[i].select(NEW)).distinct().select(F.col(NEW).alias(f"{_BAD}_{i}"))
        cells = cells.join(bad, F.col(before(i)) == F.col(f"{_BAD}_{i}"), "left")
        held |= F.col(f"{_BAD}_{i}").isNotNull()
    return Verdict(cells.withColumn(HELD, held).drop(*[f"{_BAD}_{i}" for i in range(n)]))


def with_lost_classes(verdict: Verdict, tried: DataFrame, settings: Anonymize, known: int) -> Verdict:
    """With the rest of every new class that loses rows and is no longer what the policy asks of a class without them."""
    lost = verdict.held.where(F.col(NEW).isNotNull()).select(NEW).distinct()
    rows = tried.withColumn(CELL, cell_of(settings, known)).withColumn(NEW, new_class(settings)).join(lost, NEW, "left_semi")
    left = rows.join(verdict.held.select(CELL), CELL, "left_anti").groupBy(NEW).agg(_is_whole(settings).alias("whole"))
    gone = lost.join(left.where("whole"), NEW, "left_anti").select(F.col(NEW).alias(_LOST))
    cells = verdict.cells.join(gone, F.col(NEW) == F.col(_LOST), "left")
    return Verdict(cells.withColumn(HELD, F.col(HELD) | F.col(_LOST).isNotNull()).drop(_LOST))


def _is_whole(settings: Anonymize) -> Column:
    """Whether what is left of a class is one; where more than people and distinct values is asked, it is not tried."""
    if any(role.has_models for role in settings.sensitive.values()) or settings.population is not None:
        return F.lit(False) & (F.count(F.lit(1)) > 0)
    # A struct is never null, so that null counts as a value.
    distinct = [F.count_distinct(F.struct(name)) >= role.distinct for name, role in settings.sensitive.items()]
    return reduce(Column.__and__, distinct, F.count_distinct(PERSON) >= settings.k)
