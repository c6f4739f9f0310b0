"""What a column holds: the semantic type that its values and its name agree on best, how sure that is, and why."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.profile import detectors
from kveil.profile.concepts import Concept, RoleHint, concept_of, concepts
from kveil.profile.dates import date_pattern
from kveil.profile.texts import matches

MOST_VALUES = 3_000
"""Distinct values of a column that detectors look at."""

_PROVEN = 0.8
_LEAST = {
    "iban": 0.5, "pan": 0.8, "national_id": 0.6, "email": 0.6, "phone": 0.6, "ip": 0.6, "device": 0.6, "geo": 0.6,
    "bank_code": 0.9, "postcode": 0.8, "country": 0.9, "currency": 0.9, "gender": 0.95, "address": 0.5, "person_name": 0.3,
}  # fmt: skip
"""The share of distinct values from which a column is of a type; below it a few may be so by chance or by mistake."""
_HALVED = 0.5
"""A name that says the same halves what is asked of the values."""
_FEW = {"gender": 8}
_LISTED = ("gender", "country", "currency")
_ENOUGH = {**dict.fromkeys(_LISTED, 2), "person_name": 20}
"""Distinct values below which a type may be chance: lists of words tell even two, but colours are family names too."""
_NAMES = ("first_name", "last_name", "full_name")
_KINDS_OF_NUMBER = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


@dataclass(frozen=True)
class Values:
    """A column's distinct values as texts [n] with the rows of each [n], most frequent first, and its SQL type.

    `distinct` counts all of the sample's distinct values, of which there may be more than are given, `rows` its rows with one.
    """

    name: str
    type: str
    texts: pa.Array
    counts: NDArray[np.int64]
    distinct: int
    rows: int

    @property
    def is_number(self) -> bool:
        """Whether the SQL type is one of numbers."""
        return self.type.startswith(_KINDS_OF_NUMBER)

    @property
    def is_time(self) -> bool:
        """Whether the SQL type is one of days or moments."""
        return self.type.startswith(("date", "timestamp"))


@dataclass(frozen=True)
class Guess:
    """A semantic type, the role that it suggests, how sure both are (0 to 1), and the evidence in words, without any value.

    `proven` tells whether values show it, not a name alone. `pattern` is that of dates, `rival` one that reads as many.
    """

    semantic: str
    role: RoleHint | None
    confidence: float
    evidence: str
    proven: bool = False
    pattern: str = ""
    rival: str = ""


def guess(values: Values) -> Guess:
    """The best guess: types that values show first, then what the name says, then the structure (key, date, number, category)."""
    named = concept_of(values.name)
    if not values.rows:
        return _by_name(values, named) or Guess("empty", None, 1.0, "every value is null")
    shown = None if values.is_time or values.type == "boolean" else _shown(values, named[0] if named else None)
    if shown is not None and shown.confidence >= _PROVEN:
        return shown
    structure = _structure(values)
    by_name = _by_name(values, named)
    if by_name is not None and structure.pattern:
        return Guess(
            by_name.semantic, by_name.role, by_name.confidence, f"{by_name.evidence}; {structure.evidence}", by_name.proven,
            structure.pattern, structure.rival,
        )  # fmt: skip
    return by_name or shown or structure


def _shown(values: Values, named: Concept | None) -> Guess | None:
    """The type of which most values are, of those that reach their share."""
    if not len(values.texts):
        return None
    best: tuple[float, str] | None = None
    every = {**detectors.CHECKED, **detectors.SHAPED}
    for name, detector in every.items():
        same = named is not None and (named.name == name or (name == "person_name" and named.name in _NAMES))
        if values.distinct > _FEW.get(name, values.distinct) or (values.is_number and name not in detectors.CHECKED):
            continue
        share = float(detector(values.texts).mean())
        enough = len(values.texts) >= _ENOUGH.get(name, 5) or same
        if enough and share >= _LEAST[name] * (_HALVED if same else 1):
            sure = min(0.99, 0.75 + 0.24 * share) if name != "person_name" else min(0.95, 0.7 + 0.5 * share)
            sure = 1 - (1 - sure) * (0.3 if same else 1)
            # Whether a text is a form of address or a country, its name tells better than a list of few words.
            if named is not None and not same and name in (*_LISTED, "person_name", "postcode"):
                sure -= 0.35
            if best is None or sure > best[0]:
                best = (sure, name)
    if best is None:
        return None
    sure, name = best
    semantic = named.name if name == "person_name" and named is not None and named.name in _NAMES else name
    role: RoleHint | None = "direct" if semantic == "person_name" else concepts()[semantic].role
    evidence = f"{_percent(float(every[name](values.texts).mean()))} of its distinct values are of the form {_told(name)}"
    return Guess(semantic, role, round(sure, 2), evidence, proven=sure >= _PROVEN)


def _by_name(values: Values, named: tuple[Concept, float] | None) -> Guess | None:
    """What the name says, unless the values cannot be so: a flag or a handful of values identifies nobody."""
    if named is None:
        return None
    concept, share = named
    few = values.distinct <= 2 or (values.distinct <= 8 and values.distinct < 0.2 * values.rows)
    if concept.role in ("direct", "person", "record", "text") and few and values.rows:
        return None
    if concept.role == "text" and not _runs(values):
        return None
    sure = round(0.45 + 0.4 * share, 2)
    return Guess(concept.name, concept.role, sure, f"its name is one for {_told(concept.name)}")


def _structure(values: Values) -> Guess:
    """What only counting tells: days, numbers, keys, categories, running text."""
    if values.is_time:
        return Guess("date", None, 0.99, f"its type is {values.type}", True, "yyyy-MM-dd")
    if values.type == "boolean":
        return Guess("flag", None, 0.99, "its type is boolean", True)
    if values.distinct == 1:
        return Guess("constant", None, 0.95, "it has one value", True)
    days = None if values.is_number else date_pattern(values.texts)
    if days is not None and days.share >= 0.8:
        both = f", which {days.rival} reads as well" if days.ambiguous else ""
        sure = round(days.share * (0.5 if days.ambiguous else 0.98), 2)
        return Guess("date", None, sure, f"{_percent(days.share)} of its values are days by {days.pattern}{both}", True,
                     days.pattern, days.rival)  # fmt: skip
    if values.distinct == 2 and values.rows >= 20:
        return Guess("flag", None, 0.8, f"two values in {values.rows:,} rows", True)
    alone = values.distinct / values.rows
    number = values.is_number or float(matches(values.texts, r"\s*[+-]?\d+(?:[.,]\d+)?\s*").mean()) >= 0.95
    if alone >= 0.99 and values.rows >= 50 and not _is_broken(values) and _is_code(values):
        return Guess("key", "record", 0.8, f"{_percent(alone)} of its values in the sample stand once", True)
    if number:
        return Guess("number", None, 0.9, f"its values are numbers, {values.distinct:,} in the sample", True)
    if _runs(values):
        return Guess("free_text", "text", 0.85, "most of its values are running text", True)
    if values.distinct <= 300 or alone <= 0.05:
        return Guess("category", None, 0.7, f"{values.distinct:,} values in {values.rows:,} rows", True)
    return Guess("text", None, 0.5, f"{values.distinct:,} texts in {values.rows:,} rows", True)


def _runs(values: Values) -> bool:
    """Whether values are running text, or hold what looks like an identifier among other words."""
    if not len(values.texts) or (values.distinct < 0.2 * values.rows and values.distinct < 100):
        return False
    running = detectors.running_text(values.texts)
    return bool(running.mean() >= 0.4 or (detectors.embedded(values.texts) & running).mean() >= 0.02)


def _is_broken(values: Values) -> bool:
    """Whether values are numbers with decimals, which name nothing."""
    decimals = values.type.startswith(("float", "double", "decimal")) and not values.type.endswith(",0)")
    return decimals or bool(matches(values.texts, r"\s*[+-]?\d*[.,]\d+\s*").mean() >= 0.5)


def _is_code(values: Values) -> bool:
    """Whether values are words of letters, digits and signs without blanks, a digit in each: a number that names a thing."""
    return bool(matches(values.texts, r"[A-Za-z0-9_:/.#-]*\d[A-Za-z0-9_:/.#-]*").mean() >= 0.98)


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or not share else f"{share:.1%}"


def _told(name: str) -> str:
    return name.replace("_", " ")


def of_texts(name: str, type_: str, texts: pa.Array) -> Values:
    """The distinct values of a column of texts [n]; nulls are left out."""
    counted = pc.value_counts(pc.drop_null(texts))
    values, counts = counted.field("values"), counted.field("counts").to_numpy(zero_copy_only=False)
    # Equally frequent values in the order of their texts, so that the order of rows decides nothing.
    keys = [("counts", "descending"), ("values", "ascending")]
    table = pa.table({"counts": pa.array(counts), "values": values})
    order = pc.sort_indices(table, sort_keys=keys)[:MOST_VALUES]
    kept = values.take(order)
    return Values(name, type_, kept, counts[order.to_numpy()], len(values), int(counts.sum()))
