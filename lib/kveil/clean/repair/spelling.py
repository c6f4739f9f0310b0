"""Spellings of one category: values whose keys collide, as OpenRefine clusters them."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Literal

Method = Literal["spelling", "fingerprint", "ngram"]

_SEPARATORS = re.compile(r"[\W_]+")
_NUMBERS = re.compile(r"\d+")
_NGRAM = 2


def spelling(value: str) -> str:
    """The value's words without case and punctuation, in their order. Accents count: Muller is a name beside Müller."""
    return " ".join(_SEPARATORS.sub(" ", unicodedata.normalize("NFKC", value).casefold()).split())


def fingerprint(value: str) -> str:
    """The value's words without accents, case, punctuation, repetition and order (OpenRefine's fingerprint)."""
    return " ".join(sorted(set(_SEPARATORS.sub(" ", _plain(value)).split())))


def ngram_fingerprint(value: str) -> str:
    """The value's pairs of neighbouring signs, sorted and once each (OpenRefine's n-gram fingerprint, n = 2)."""
    text = _SEPARATORS.sub("", _plain(value))
    return "".join(sorted({text[i : i + _NGRAM] for i in range(max(1, len(text) - _NGRAM + 1))}))


KEYS: Mapping[Method, Callable[[str], str]] = {"spelling": spelling, "fingerprint": fingerprint, "ngram": ngram_fingerprint}


def merged(counts: Mapping[str, int], method: Method) -> dict[str, str]:
    """For each value that is another spelling: the most frequent one of its key, the first by name among equals.

    Values with other numbers, or the same in another order (dates, amounts), are no spellings of each other. A value without
    letters and digits has no key and stays as it is.
    """
    clusters: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for value in counts:
        key = KEYS[method](value)
        if key:
            clusters[key, tuple(_NUMBERS.findall(value))].append(value)
    kept = {key: min(values, key=lambda value: (-counts[value], value)) for key, values in clusters.items()}
    return {value: kept[key] for key, values in clusters.items() for value in values if value != kept[key]}


def _plain(value: str) -> str:
    """Lower case without accents; letters that are no letter with an accent (ø, ł, Cyrillic) stay what they are."""
    apart = unicodedata.normalize("NFKD", value.strip().casefold())
    return "".join(sign for sign in apart if not unicodedata.combining(sign))
