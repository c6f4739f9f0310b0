"""Steps that a column's own values suggest: words for nothing, dates, numbers, spellings, looks, outliers."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

import numpy as np

from kveil.clean.repair.shapes import shape, shape_counts, usual_shapes
from kveil.clean.repair.spelling import Method, merged
from kveil.clean.suggest.dates import dated
from kveil.clean.suggest.look import Look
from kveil.clean.suggest.made import Found, changes, made
from kveil.clean.suggest.numbers import Numbered, numbered
from kveil.clean.suggest.words import NOTHING, is_nothing
from kveil.settings.recipe import Date, Fill, Merge, NullTokens, Number, Outlier, Step, Unusual

_EARLIEST = date(1900, 1, 1)
_FEW_OTHERS = 0.05
_CATEGORY = 0.2
"""A category has at most this many distinct values per cell."""
_KEYS: tuple[tuple[Method, float, str], ...] = (
    ("spelling", 0.9, "are others but for case, blanks and punctuation"),
    # Anna Maria and Maria Anna are two names.
    ("fingerprint", 0.5, "have the words of another without accents, in another order or some of them twice"),
    ("ngram", 0.5, "have the same pairs of letters as another, as words that are written together have"),
)
_FENCE = 3.0
"""Tukey's outer fence: so many interquartile ranges beyond the quartiles lie values that are far out."""
_KEY = 0.9
_MOST_OUTLIERS, _FEWEST_NUMBERS = 0.02, 50
_MOST_NULL, _COMMON = 0.1, 0.5


def of_columns(look: Look, person: str, today: date) -> Iterator[Step]:
    """The steps for every column but the privacy unit's."""
    for name in look.types:
        if name == person:
            continue
        if look.types[name] == "string":
            yield from _of_text(look, name, today)
        else:
            yield from _outliers(look, name)


def _of_text(look: Look, name: str, today: date) -> Iterator[Step]:
    values = look.values(name)
    nothing = {value: count for value, count in values.items() if is_nothing(value)}
    values = {value: count for value, count in values.items() if value not in nothing}
    if nothing and values:
        yield _null_tokens(look, name, nothing)
    if not values:
        return
    is_date = dated(values, today + timedelta(days=366), _EARLIEST)
    if is_date:
        yield from _dates(look, name, values, today)
        return
    number = numbered(values)
    if number:
        yield _numbers(look, name, values, number)
    if number and not number.one_habit:
        return
    yield from _outliers(look, name)
    yield from _spellings(look, name, values)
    yield from _looks(look, name, values)
    yield from _missing(look, name, values)


def _null_tokens(look: Look, name: str, nothing: Mapping[str, int]) -> NullTokens:
    tokens = sorted({value.strip().casefold() for value in nothing})
    cells = sum(nothing.values())
    certain = sum(count for value, count in nothing.items() if value.strip().casefold() in NOTHING) / cells
    # Such words are in our own list, so they may be shown; those that could be a category are a little less sure.
    reason = f"{cells:,} of {look.seen(name):,} cells hold a word or sign for nothing"
    effect = f"{cells:,} cells become null"
    common = made(look, name, Found(0.8 + 0.15 * certain, reason, effect, cells, (f"{token!r} -> null" for token in tokens)))
    return NullTokens(step="null_tokens", tokens=tokens, **common)


def _dates(look: Look, name: str, values: Mapping[str, int], today: date) -> Iterator[Step]:
    latest = today + timedelta(days=366)
    found = dated(values, latest, _EARLIEST)
    assert found is not None, "asked before"
    out = found.early + found.late
    total = found.cells + found.others
    if found.patterns == ["yyyy-M-d"] and not found.others + out and all(len(value) == 10 for value in values):
        return
    reason = f"{found.cells:,} of {total:,} cells are dates, written as {', '.join(found.patterns)}"
    confidence = 0.95
    if len(found.patterns) == 1 and not found.others + out:
        reason, confidence = f"{reason}; all are written alike, so nothing is wrong with them", 0.5
    if found.two_ways:
        reason += f"; {found.two_ways:,} of them parse two ways, days first or months first, and are read as the patterns say"
        confidence = min(confidence, 0.6 * (1 - found.two_ways / max(1, found.cells)))
    few = found.others <= _FEW_OTHERS * total
    effect = (
        f"dates become yyyy-MM-dd; {out:,} out of bounds{f' and {found.others:,} that are no date' if few else ''} become null"
    )
    shown = changes({value: None for value in values if shape(value) not in ("9-9-9",)})
    yield Date(
        step="date", patterns=found.patterns, earliest=_EARLIEST, latest=latest, others="null" if few else "keep",
        **made(look, name, Found(confidence, reason, effect, found.others + out, [one.partition(" -> ")[0] for one in shown])),
    )  # fmt: skip


def _numbers(look: Look, name: str, values: Mapping[str, int], found: Numbered) -> Number:
    reason = f"{found.cells:,} numbers are written with a unit: {', '.join(found.units)}"
    confidence = 0.9
    if found.one_habit:
        reason, confidence = f"{reason}; nearly all are written alike, so nothing is wrong with them", 0.5
    elif found.other_scale:
        reason, confidence = f"{reason}; numbers without are of another size, so the unit may matter", 0.4
    effect = f"{found.cells:,} cells become plain numbers"
    shown = changes({value: "9" for value in values if value[-1:].isalpha() or value[-1:] in "%."})
    return Number(step="number", units=found.units, **made(look, name, Found(confidence, reason, effect, found.cells, shown)))


def _spellings(look: Look, name: str, values: Mapping[str, int]) -> Iterator[Merge]:
    if name not in look.few or len(values) > _CATEGORY * sum(values.values()):
        return
    for by, confidence, reason in _KEYS:
        others = merged(values, by)
        if others:
            cells = sum(values[value] for value in others)
            found = Found(
                confidence,
                f"{len(others):,} values {reason}",
                f"{cells:,} cells get the most frequent one",
                cells,
                changes(others),
            )
            yield Merge(step="merge", by=by, **made(look, name, found))
        left: Counter[str] = Counter()
        for value, count in values.items():
            left[others.get(value, value)] += count
        values = left


def _looks(look: Look, name: str, values: Mapping[str, int]) -> Iterator[Unusual]:
    usual = usual_shapes(shape_counts(values))
    odd = {value: None for value in values if usual and shape(value) not in usual}
    if odd:
        cells = sum(values[value] for value in odd)
        reason = f"{cells:,} cells look otherwise than the others, which look like {', '.join(usual)}"
        yield Unusual(
            step="unusual",
            shapes=usual,
            **made(look, name, Found(0.6, reason, f"{cells:,} cells become null", cells, changes(odd))),
        )


def _missing(look: Look, name: str, values: Mapping[str, int]) -> Iterator[Fill]:
    """Few missing cells of a column that mostly has one value: that value."""
    cells, seen = sum(values.values()), look.seen(name)
    common, count = max(values.items(), key=lambda item: (item[1], item[0]))
    if name in look.few and 0 < seen - cells <= _MOST_NULL * seen and count >= _COMMON * cells and len(values) > 1:
        missing = seen - cells
        reason = f"{missing:,} of {seen:,} cells are missing, and {count / cells:.0%} of the others are one value"
        effect = f"{missing:,} cells get that value, which is a guess"
        yield Fill(step="fill", value=common, **made(look, name, Found(0.3, reason, effect, missing, ())))


def _outliers(look: Look, name: str) -> Iterator[Outlier]:
    values = look.values(name)
    numbers = _as_numbers(values)
    # Numbers that nearly all differ and are whole number the rows: none of them is large.
    is_key = len(values) >= _KEY * len(numbers) and bool(np.all(numbers == np.round(numbers)))
    if len(numbers) < _FEWEST_NUMBERS or is_key:
        return
    # Amounts are skewed: they are judged by their logarithm, in which a few large ones are nothing unusual.
    logs = np.sign(numbers) * np.log1p(np.abs(numbers))
    low, high = np.quantile(logs, [0.25, 0.75])
    least, most = low - _FENCE * (high - low), high + _FENCE * (high - low)
    out = int(((logs < least) | (logs > most)).sum())
    if low == high or not 0 < out <= _MOST_OUTLIERS * len(numbers):
        return
    bounds = [float(f"{np.sign(bound) * np.expm1(np.abs(bound)):.3g}") for bound in (least, most)]
    reason = f"{out:,} of {len(numbers):,} numbers lie beyond Tukey's outer fences, taken of the logarithms"
    yield Outlier(
        step="outlier", min=bounds[0], max=bounds[1],
        **made(look, name, Found(0.4, reason, f"{out:,} cells become null", out, ())),
    )  # fmt: skip


def _as_numbers(values: Mapping[str, int]) -> np.ndarray:
    found, counts = [], []
    for value, count in values.items():
        try:
            number = float(value)
        except ValueError:
            continue
        if np.isfinite(number):
            found.append(number)
            counts.append(count)
    return np.repeat(np.array(found), np.array(counts, dtype=np.int64)) if found else np.empty(0)
