"""Countries, currencies and phone numbers in one standard's form; what stands for several things is known as such, never guessed.

Sources: ISO 3166-1 and ISO 4217 codes and names in LANGUAGES from Unicode CLDR (Babel); phone numbers by E.164 and the
numbering plans in Google's libphonenumber (phonenumbers).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Literal

import phonenumbers
import pyarrow as pa
from babel import Locale
from babel.core import get_global
from babel.numbers import get_currency_name
from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.clean.standard_names import COUNTRIES_ALSO, CURRENCIES_ALSO, LANGUAGES, NO_COUNTRY, OPEN_COUNTRIES, SIGNS
from kveil.profile.texts import folded
from kveil.settings.recipe import Standard

Kind = Literal["country", "currency", "phone"]
_DIALLED = re.compile(r"(?:\+|[0-9(])[0-9\s./()\-\u00a0]*[0-9]")
"""No letters: numbers as words and extensions are no E.164 numbers."""


def meanings_of(text: str, to: Kind, region: str | None = None) -> tuple[str, ...]:
    """The codes that the text stands for: one where it is known, several where it is open, none where it is unknown.

    A phone number without + or 00 is read in the region's notation, and unknown without one.
    """
    if to == "phone":
        return _phone(text, region)
    known = _countries() if to == "country" else _currencies()
    return known.get(_bare(text), ())


def standard_form(text: str, to: Kind, region: str | None = None, meanings: Mapping[str, str] | None = None) -> str:
    """The one code that the text stands for, else the text as it is; `meanings` come first."""
    said = {_bare(sign): code for sign, code in (meanings or {}).items()}
    if _bare(text) in said:
        return said[_bare(text)]
    found = meanings_of(text, to, region)
    return found[0] if len(found) == 1 else text


def standardised(text: Column, step: Standard) -> Column:
    """The column in the step's form; each distinct value of an Arrow batch is looked at once."""
    to, region, meanings = step.to, step.region, dict(step.meanings)
    # The stubs of pyspark 4.2 do not know it yet.
    return F.arrow_udf(_of_batch(to, region, meanings), "string")(text)  # type: ignore[attr-defined]


def _of_batch(to: Kind, region: str | None, meanings: dict[str, str]) -> Callable[[pa.Array], pa.Array]:
    def made(texts: pa.Array) -> pa.Array:
        encoded = texts.dictionary_encode()
        forms = [standard_form(value, to, region, meanings) for value in encoded.dictionary.to_pylist()]
        return pa.array(forms, pa.string()).take(encoded.indices)

    return made


def _bare(text: str) -> str:
    """The text as names are compared: without case, accents, dots, outer blanks, signs between words and the word for and."""
    words = re.sub(r"[\s\-_,&'\u2019]+", " ", folded(text).replace(".", "")).split()
    return " ".join(word for word in words if word != "and" or len(words) < 2)


@cache
def _countries() -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    named = {language: {str(code): str(name) for code, name in Locale(language).territories.items()} for language in LANGUAGES}
    codes = {code for code in named["en"] if len(code) == 2 and code.isalpha()} - NO_COUNTRY
    for names in named.values():
        for code in codes & names.keys():
            found[_bare(names[code])].add(code)
    for code, others in COUNTRIES_ALSO.items():
        for name in others:
            found[name].add(code)
    for name, several in OPEN_COUNTRIES.items():
        found[name] = set(several)
    # Codes are what they are, whatever a name in some language says; longer ones are alpha-3 and UK.
    for alias, now in get_global("territory_aliases").items():
        if alias.isalpha() and len(now) == 1 and now[0] in codes and (len(alias) == 3 or alias == "UK"):
            found[alias.casefold()] = {now[0]}
    for code in codes:
        found[code.casefold()] = {code}
    return _sorted(found)


@cache
def _currencies() -> dict[str, tuple[str, ...]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    english = Locale("en")
    for code in _current():
        names = {*(get_currency_name(code, count, english) for count in (None, 1, 2)), *CURRENCIES_ALSO.get(code, ())}
        for name in map(_bare, names):
            found[name].add(code)
            # Dollars are several countries', yen one's.
            if " " in name:
                found[name.rpartition(" ")[2]].add(code)
    for sign, codes in SIGNS.items():
        found[_bare(sign)] = set(codes)
    for code in map(str, english.currencies):
        found[code.casefold()] = {code}
    return _sorted(found)


def _current() -> set[str]:
    """The currencies that are legal tender somewhere."""
    quoted = get_global("territory_currencies").values()
    return {code for each in quoted for code, _, until, tender in each if until is None and tender}


def _sorted(found: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(sorted(codes)) for name, codes in found.items()}


def _phone(text: str, region: str | None) -> tuple[str, ...]:
    bare = text.replace("\u00a0", " ").strip()
    if not _DIALLED.fullmatch(bare):
        return ()
    # 00 is the international prefix that ITU-T E.164 recommends; a region's own one is known to the library.
    dialled = "+" + bare[2:] if region is None and bare.startswith("00") else bare
    try:
        number = phonenumbers.parse(dialled, region)
    except phonenumbers.NumberParseException:
        return ()
    # A number that names its country is as it says, if it has a length that numbers there have; one that is read as a region's
    # must be of a range that is assigned there, since it may be another country's.
    holds = phonenumbers.is_possible_number if dialled.startswith("+") else phonenumbers.is_valid_number
    if not holds(number):
        return ()
    return (phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),)
