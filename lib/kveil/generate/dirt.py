"""Errors put into clean rows on purpose, each with its truth: what was changed is drawn, so it can be told again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.draws import Draws, at, constant

FAULTY, DOUBLED = 0.75, 0.25
"""How a table's share of dirt is parted: rows with a wrong value, and rows that stand twice (or people who do)."""
_WHICH, _WHERE = "_which", "_where"
"""The columns of two draws per row: which of several ways, and where in a text. A row has one fault, so all can share them."""
NULL_TOKENS = ("N/A", "null", "-", "unknown", "n.a.", "?")


@dataclass(frozen=True)
class Fault:
    """One way to spoil a row: the wrong value of each column concerned, as an expression of the clean row and of two draws.

    `weight` says how often it befalls a row that is hit; `of_copies` the same for second registrations of a person.
    """

    kind: str
    cells: Mapping[str, Column]
    weight: float
    of_copies: float = 0.0


@dataclass(frozen=True)
class Dirt:
    """How one table is spoiled: its key, the draws by that key, the share of dirt, and the faults.

    `copies`, where the table has second registrations, tells them from first ones; else rows are doubled exactly.
    """

    table: str
    key: str
    draws: Draws
    share: float
    faults: Sequence[Fault]
    copies: Column | None = None

    def spoiled(self, clean: DataFrame) -> DataFrame:
        """The rows with their faults, some of them twice."""
        if not self.share:
            return clean
        rows = self._marked(clean).select(*[self._dirty(name).alias(name) for name in clean.columns])
        if self.copies is not None:
            return rows
        times = F.when(self._twice(), F.array(F.lit(1), F.lit(2))).otherwise(F.array(F.lit(1)))
        return rows.select("*", F.explode(times).alias("_time")).drop("_time")

    def errors(self, clean: DataFrame) -> DataFrame:
        """One row per wrong value and per doubled row: table, key, column, kind, truth, dirty, as texts."""
        names = [name for name in clean.columns if any(name in fault.cells for fault in self.faults)]
        kind = at(constant([fault.kind for fault in self.faults], "array<string>"), F.col("_fault"))
        hit = self._marked(clean).where(F.col("_fault").isNotNull())
        pairs = hit.select(self.key, "_fault", *names, *[self._dirty(name).alias(f"_{name}") for name in names])
        cells = pairs.select(self.key, "_fault", F.inline(F.array_compact(F.array(*map(_wrong, names)))))
        wrong = cells.select(self.key, kind.alias("kind"), "column", "truth", "dirty")
        if self.copies is not None:
            return self._listed(wrong)
        nothing = [F.lit(None).cast("string").alias(name) for name in ("column", "truth", "dirty")]
        doubled = clean.where(self._twice()).select(self.key, F.lit("duplicate_row").alias("kind"), *nothing)
        return self._listed(wrong).unionByName(self._listed(doubled))

    def _marked(self, clean: DataFrame) -> DataFrame:
        """The rows with _fault, the number of the fault that befalls them (null for none), and two uniform draws for it."""
        hit = self.draws.chance(self.share * FAULTY, "faulty")
        fault = F.when(hit, self.draws.pick([fault.weight for fault in self.faults], "fault"))
        if self.copies is not None:
            of_copy = self.draws.pick([each.of_copies for each in self.faults], "copy's fault")
            fault = F.when(self.copies, of_copy).otherwise(fault)
        lots = [self.draws.uniform(name).alias(name) for name in (_WHICH, _WHERE)]
        return clean.select("*", fault.alias("_fault"), *lots)

    def _dirty(self, name: str) -> Column:
        concerned = [(i, fault.cells[name]) for i, fault in enumerate(self.faults) if name in fault.cells]
        return reduce(lambda rest, one: F.when(F.col("_fault") == one[0], one[1]).otherwise(rest), concerned, F.col(name))

    def _twice(self) -> Column:
        return self.draws.chance(self.share * DOUBLED, "twice")

    def _listed(self, rows: DataFrame) -> DataFrame:
        key = F.col(self.key).cast("string").alias("key")
        return rows.select(F.lit(self.table).alias("table"), key, "column", "kind", "truth", "dirty")


def _wrong(name: str) -> Column:
    """Column, truth and dirty value as texts; null where the fault left the value as it was."""
    truth, dirty = F.col(name), F.col(f"_{name}")
    values = truth.cast("string").alias("truth"), dirty.cast("string").alias("dirty")
    return F.when(~truth.eqNullSafe(dirty), F.struct(F.lit(name).alias("column"), *values))


def one_of(*ways: Column | str) -> Column:
    """One of several values, each as likely."""
    texts = [F.lit(way) if isinstance(way, str) else way for way in ways]
    return at(F.array(*texts), F.floor(F.col(_WHICH) * len(ways)))


def typo(text: Column) -> Column:
    """Two neighbours swapped, a sign left out, or one doubled (Damerau 1964); as it is where the text is too short."""
    place = (1 + F.floor(F.col(_WHERE) * (F.length(text) - 1))).cast("int")
    sign, other = (F.substr(text, place + step, F.lit(1)) for step in (0, 1))
    before, rest = F.substr(text, F.lit(1), place - 1), F.substr(text, place + 2)
    slip = F.concat(before, one_of(F.concat(other, sign), F.concat(other, sign), other, F.concat(sign, sign, other)), rest)
    return F.when(F.length(text) > 2, slip).otherwise(text)


def null_token() -> Column:
    """A text that somebody typed where there was nothing to say."""
    return one_of(*NULL_TOKENS)


def variant(text: Column) -> Column:
    """A category in another spelling: capitals, blanks around it, underscores for blanks or the reverse."""
    blank = F.lit(" ")
    return one_of(F.upper(text), F.initcap(text), F.concat(text, blank), F.concat(blank, text), F.translate(text, " _", "_ "))


def bad_date(text: Column) -> Column:
    """A day that does not exist, the first or last that a type holds, day before month, or another notation."""
    year, month, day = F.substring(text, 1, 4), F.substring(text, 6, 2), F.substring(text, 9, 2)
    return one_of(
        F.concat(year, F.lit("-02-30")),
        "0001-01-01",
        "9999-12-31",
        F.concat_ws("-", year, day, month),
        F.concat_ws("/", day, month, year),
        F.concat_ws(".", day, month, F.substring(text, 3, 2)),
    )


def bad_time(moment: Column) -> Column:
    """A clock that was never set (1970), or one a century ahead."""
    ahead = F.timestamp_seconds(F.unix_seconds(moment) + F.lit(36_524 * 86_400))
    return one_of(F.timestamp_seconds(F.lit(0)), ahead)
