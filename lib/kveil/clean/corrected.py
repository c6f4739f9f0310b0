"""A source's rows with their cells corrected, what that changed, and where copies of rows may be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Row, Window
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType

from kveil.clean.rules import one_spelling, without_tokens
from kveil.clean.working import Keep

_PARTS = 2**16
_MOST_PARTS = 2**12
"""Where copies lie in more parts than that, looking for them everywhere costs no more."""


@dataclass(frozen=True)
class Corrected:
    """A source's rows after its cells were corrected: how many, how many cells that concerned, and its categories."""

    rows: DataFrame
    categories: list[str]
    count: int
    made_null: int
    made_alike: int


@dataclass(frozen=True)
class Copies:
    """Where rows may be alike in every column: among the rows of people of these parts; None where that is not known.

    `people` is about how many people there are.
    """

    people: int
    parts: tuple[int, ...] | None = None

    def without(self, rows: DataFrame, person: str, keep: Keep) -> DataFrame:
        """One of each set of rows that are alike in every column; those that may have been several are kept as `once`."""
        if self.parts is None:
            return keep(rows.distinct(), "once")
        if not self.parts:
            return rows
        # Alike rows are one person's, and the other people's rows need not be shuffled to see that they are alone.
        here = _part(_hash_of(rows, {}, [person])).isin(list(self.parts))
        return rows.where(~here).unionByName(keep(rows.where(here).distinct(), "once"))


def corrected(rows: DataFrame, missing: Sequence[str], categories: Sequence[str]) -> Corrected:
    """Missing tokens become null in string columns, then categories get one spelling; counted in one pass."""
    made = _Made.of(rows, missing, categories)
    return made.told(made.cells.agg(F.count("*").alias("rows"), *made.counted()).first())


def corrected_and_compared(
    rows: DataFrame, missing: Sequence[str], categories: Sequence[str], person: str
) -> tuple[Corrected, Copies]:
    """The same for rows of people, and where among them copies are, in one pass and a shuffle of few numbers per row."""
    made = _Made.of(rows, missing, categories)
    # Two numbers per row go through the shuffle: half a hash of the person rides beside the first changes.
    first, *others = made.words
    beside = F.col(first).bitwiseOR(F.shiftleft(_hash_of(rows, {}, [person]), _HALF)).alias(first)
    numbers, who = made.cells.select(_HASH, beside, *others), F.shiftright(first, _HALF)
    # Sorted rather than grouped: nearly every hash is a group of its own, for which aggregation in memory is slow.
    is_again = F.lag(_HASH).over(Window.partitionBy(_HASH).orderBy(_HASH)).isNotNull()
    counts = (
        numbers.withColumn("again", F.when(is_again, _part(who)))
        .agg(
            F.count("*").alias("rows"),
            *made.counted(),
            F.approx_count_distinct(who).alias("people"),
            F.collect_set("again").alias("parts"),
        )
        .first()
    )
    found = made.told(counts)
    assert counts is not None, "an aggregation without groups has one row"
    parts = tuple(sorted(counts["parts"]))
    return found, Copies(counts["people"], parts if len(parts) <= _MOST_PARTS else None)


_HASH, _NEW, _WORD = "_kveil_hash", "_kveil_new_", "_kveil_changed_"
_NULLED, _ALIKE = "nulled", "alike"
_HALF, _BITS = 32, 63
"""Bits that the first word leaves free, and that another word holds."""


@dataclass(frozen=True)
class _Made:
    """Rows to correct, and `cells`: the same with a hash of each corrected row, and its changes as bits of whole numbers.

    `changes` are the kind and column that each bit stands for: a cell that became null, or another spelling.
    """

    rows: DataFrame
    corrections: Mapping[str, Mapping[str, Column]]
    cells: DataFrame
    changes: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, rows: DataFrame, missing: Sequence[str], categories: Sequence[str]) -> "_Made":
        texts = [field.name for field in rows.schema if isinstance(field.dataType, StringType)]
        nulled = {name: without_tokens(F.col(name), missing) for name in texts} if missing else {}
        alike = {name: one_spelling(nulled.get(name, F.col(name))) for name in texts if name in categories}
        # Old and new stand side by side, so that each cell is corrected once however often it is looked at.
        new = {name: _NEW + name for name in {**nulled, **alike}}
        both = rows.withColumns({new[name]: value for name, value in {**nulled, **alike}.items()})
        changes = [*((_NULLED, name) for name in nulled), *((_ALIKE, name) for name in alike)]
        words = {
            f"{_WORD}{i}": _word([_is_changed(kind, name) for kind, name in part]) for i, part in enumerate(_in_words(changes))
        }
        cells = both.withColumns({**words, _HASH: _hash_of(rows, new, rows.columns)})
        return cls(rows, {_NULLED: nulled, _ALIKE: alike}, cells, tuple(changes))

    @property
    def words(self) -> list[str]:
        """The columns of bits; the first uses half of its own at most, and there is always one."""
        return [f"{_WORD}{i}" for i, _ in enumerate(_in_words(self.changes))]

    def counted(self) -> list[Column]:
        """Per word of bits which were ever set, and how many cells became null and alike."""
        asked = []
        for word, part in zip(self.words, _in_words(self.changes), strict=True):
            asked.append(F.bit_or(word).alias(word))
            for kind in (_NULLED, _ALIKE):
                bits = sum(1 << i for i, (each, _) in enumerate(part) if each == kind)
                count = F.bit_count(F.col(word).bitwiseAND(F.lit(bits).cast("bigint")))
                asked.append(F.sum(count).alias(word + kind))
        return asked

    def told(self, counts: Row | None) -> Corrected:
        """The corrected rows and what is counted of them. Columns in which nothing was to correct are left as they are."""
        assert counts is not None, "an aggregation without groups has one row"
        found = set()
        for word, part in zip(self.words, _in_words(self.changes), strict=True):
            found |= {change for i, change in enumerate(part) if (counts[word] or 0) >> i & 1}
        changed = {name: self.corrections[kind][name] for kind, name in self.changes if (kind, name) in found}
        total = {kind: sum(counts[word + kind] or 0 for word in self.words) for kind in (_NULLED, _ALIKE)}
        categories = list(self.corrections[_ALIKE])
        return Corrected(self.rows.withColumns(changed), categories, counts["rows"], total[_NULLED], total[_ALIKE])


def _in_words(changes: Sequence[tuple[str, str]]) -> list[Sequence[tuple[str, str]]]:
    first = _HALF - 1
    return [changes[:first], *(changes[i : i + _BITS] for i in range(first, len(changes), _BITS))]


def _is_changed(kind: str, name: str) -> Column:
    old, new = F.col(name), F.col(_NEW + name)
    return old.isNotNull() & new.isNull() if kind == _NULLED else new.isNotNull() & (new != old)


def _word(conditions: Sequence[Column]) -> Column:
    bits = [
        F.when(condition, F.lit(1 << i).cast("bigint")).otherwise(F.lit(0).cast("bigint"))
        for i, condition in enumerate(conditions)
    ]
    return reduce(Column.bitwiseOR, bits, F.lit(0).cast("bigint"))


def _part(who: Column) -> Column:
    return F.pmod(who, F.lit(_PARTS)).cast("int")


def _hash_of(rows: DataFrame, new: Mapping[str, str], names: Sequence[str]) -> Column:
    """The same for what is alike; for others almost always another. Adding 0.0 makes -0.0 the 0.0 that it equals."""
    broken = {field.name for field in rows.schema if isinstance(field.dataType, DoubleType | FloatType)}
    return F.xxhash64(*[F.col(name) + 0.0 if name in broken else F.col(new.get(name, name)) for name in names])
