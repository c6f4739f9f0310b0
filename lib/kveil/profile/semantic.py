"""What a column holds: the semantic type that its values and its name agree on best, how sure that is, and why."""

from kveil.profile import detectors
from kveil.profile.concepts import Concept, RoleHint, concept_of, concepts
from kveil.profile.structure import runs, structure_of
from kveil.profile.values import Guess, Values, percent

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
_OF_ROWS = {"person_name": 0.08}
"""Types of which rows are counted, since lists hold common words alone; of the distinct values at least this share must be."""
_NAMES = ("first_name", "last_name", "full_name")


def guess(values: Values) -> Guess:
    """The best guess: types that values show first, then what the name says, then the structure (key, date, number, category)."""
    named = concept_of(values.name)
    if not values.rows:
        return _by_name(values, named) or Guess("empty", None, 1.0, "every value is null")
    shown = None if values.is_time or values.type == "boolean" else _shown(values, named[0] if named else None)
    if shown is not None and shown.confidence >= _PROVEN:
        return shown
    structure = structure_of(values)
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
        share = _share(name, detector, values)
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
    of_what = "rows" if name in _OF_ROWS else "distinct values"
    evidence = f"{percent(_share(name, every[name], values))} of its {of_what} are of the form {_told(name)}"
    return Guess(semantic, role, round(sure, 2), evidence, proven=sure >= _PROVEN)


def _share(name: str, detector: detectors.Detector, values: Values) -> float:
    """The share of distinct values that are of the form, or of rows where a list holds the common values alone."""
    found = detector(values.texts)
    if name not in _OF_ROWS:
        return float(found.mean())
    # A few frequent values are no names for that alone.
    return float(values.counts[found].sum() / values.counts.sum()) if found.mean() >= _OF_ROWS[name] else 0.0


def _by_name(values: Values, named: tuple[Concept, float] | None) -> Guess | None:
    """What the name says, unless the values cannot be so: a flag or a handful of values identifies nobody."""
    if named is None:
        return None
    concept, share = named
    few = values.distinct <= 2 or (values.distinct <= 8 and values.distinct < 0.2 * values.rows)
    if concept.role in ("direct", "person", "record", "text") and few and values.rows:
        return None
    if concept.role == "text" and not runs(values):
        return None
    sure = round(0.45 + 0.4 * share, 2)
    return Guess(concept.name, concept.role, sure, f"its name is one for {_told(concept.name)}")


def _told(name: str) -> str:
    return name.replace("_", " ")
