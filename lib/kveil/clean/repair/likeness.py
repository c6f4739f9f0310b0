"""Misspellings: rare values so near to a frequent one that they are most likely slips of it."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from rapidfuzz import process
from rapidfuzz.distance import OSA

MOST_VALUES = 5_000
"""Distinct values, or words, of a column that are compared with each other; a column with more is not looked at."""
SHORTEST = 4
"""A shorter value is a code, and codes are near to each other by nature."""

_WORDS = re.compile(r"[^\W_]+")
_SLIPS = 0.03
"""The highest share of a value's cells that one and the same slip of it is taken to have."""
_FEW, _TIMES = 2, 5
"""A value that stands no more than a few times may be a slip of one that stands this many times as often."""
_WORD_TIMES = 20
_COVERED = 0.8
_MOST_COVERING = 500


@dataclass(frozen=True)
class Likeness:
    """What each misspelling should have been, and in [0, 1] how far that can be trusted in this column."""

    meant: Mapping[str, str] = field(default_factory=dict)
    trust: float = 0.0


def likeness(counts: Mapping[str, int], shortest: int = SHORTEST) -> Likeness:
    """The misspellings among a column's values with their cells: whole values, then words of values.

    A slip has the same words but for few letters of some of them; numbers are never corrected by likeness, since every
    number is near to others, and capitals are no misspelling. Of two values equally near the one that stands three times as
    often is meant, else none. trust: the share of the slips that are more than chance makes of the column's other values,
    judged by how many of its common values (Anna, Hanna) have another common one as near.
    """
    if not 2 <= len(counts) <= MOST_VALUES:
        return Likeness()
    words = _words_meant(counts)
    meant = {value: other for value in counts if (other := _with_words(value, words)) != value}
    meant |= _slips({value: count for value, count in counts.items() if len(value) >= shortest}, _TIMES)
    return Likeness(meant, _trust(counts, len(meant))) if meant else Likeness()


def alike(value: str, other: str) -> bool:
    """Whether one may be a slip of the other: as many words, the same numbers, few letters that differ in each word."""
    words, others = _WORDS.findall(value), _WORDS.findall(other)
    return len(words) == len(others) and all(map(_near, words, others))


def _near(word: str, other: str) -> bool:
    if word == other:
        return True
    if any(sign.isdigit() for sign in word + other) or word.casefold() == other.casefold():
        return False
    allowed = _allowed(len(other))
    return OSA.distance(word, other, score_cutoff=allowed) <= allowed


def _allowed(length: int) -> int:
    """Slips that a word may have (Damerau 1964: a letter more, less, another, or two exchanged): one per three letters."""
    return max(1, length // 3)


def _slips(counts: Mapping[str, int], times: int) -> dict[str, str]:
    # By cells and then by name, so that the answer does not depend on the order in which values come.
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    values = [value for value, _ in ranked]
    found = {}
    for value, count in ranked:
        often = _as_often(ranked, min(count / _SLIPS, count * times) if count <= _FEW else count / _SLIPS)
        meant = _nearest(value, values[:often], counts) if often else None
        if meant is not None:
            found[value] = meant
    return found


def _as_often(ranked: list[tuple[str, int]], cells: float) -> int:
    """How many of the ranked values stand in at least so many cells."""
    return bisect_right(ranked, -cells, key=lambda item: -item[1])


def _nearest(value: str, often: list[str], counts: Mapping[str, int]) -> str | None:
    limit = max(1, len(value) // 3)
    near = process.extract(value, often, scorer=OSA.distance, score_cutoff=limit, limit=None)
    found = sorted((distance, -counts[other], other) for other, distance, _ in near if alike(value, other))
    if not found or (len(found) > 1 and found[1][0] == found[0][0] and -found[0][1] < -3 * found[1][1]):
        return None
    return found[0][2]


def _words_meant(counts: Mapping[str, int]) -> dict[str, str]:
    words: Counter[str] = Counter()
    for value, count in counts.items():
        for word in _WORDS.findall(value):
            if len(word) >= SHORTEST and word.isalpha():
                words[word] += count
    return _slips(words, _WORD_TIMES) if len(words) <= MOST_VALUES else {}


def _with_words(value: str, words: Mapping[str, str]) -> str:
    return _WORDS.sub(lambda found: words.get(found.group(), found.group()), value)


def _trust(counts: Mapping[str, int], slips: int) -> float:
    covering = list(islice(_covering(counts), _MOST_COVERING))
    neighbours = sum(_has_neighbour(value, covering) for value in covering)
    # Laplace's rule of succession: of few common values nobody knows how near others would be.
    chance = (neighbours + 1) / (len(covering) + 2)
    return max(0.0, 1 - chance * (len(counts) - len(covering)) / slips)


def _has_neighbour(value: str, values: list[str]) -> bool:
    near = process.extract(value, values, scorer=OSA.distance, score_cutoff=max(1, len(value) // 3), limit=None)
    return any(other != value and alike(value, other) for other, _, _ in near)


def _covering(counts: Mapping[str, int]) -> Iterator[str]:
    """The most frequent values that together hold most cells."""
    left = _COVERED * sum(counts.values())
    for value, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if left <= 0:
            return
        yield value
        left -= count
