"""Which of a column's values are of a semantic type; each detector takes texts [n] and gives flags [n].

Numbers with check digits are believed by these; what has only a form is believed as a column, see `semantic`.
Sources: IBAN ISO 13616, BIC ISO 9362, card numbers ISO/IEC 7812, currencies ISO 4217, countries ISO 3166, e-mail RFC 5322 without
quoted parts and comments, phones E.164, IP RFC 791 and 4291, UUID RFC 9562.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kveil.privacy.check_digits import iban_holds, luhn_holds
from kveil.privacy.national_numbers import NATIONAL_NUMBERS
from kveil.profile.concepts import words
from kveil.profile.texts import compact, contains, folded, matches, values_of

Flags = NDArray[np.bool_]
Detector = Callable[[pa.Array], Flags]

_EMAIL = r"[A-Za-z0-9._%+'-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}"
_IPV4 = r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HEX = r"[0-9A-Fa-f]{1,4}"
_IPV6 = rf"(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}|(?:{_HEX}:){{1,7}}:"
_PHONE = "|".join(
    (
        r"\+\d[\d\s./()-]{6,18}\d",
        r"00\d[\d\s./()-]{7,18}\d",
        r"\(0?\d{2,5}\)[\d\s./-]{4,12}\d",
        r"0\d{1,4}[\s/-]\d[\d\s-]{4,11}\d",
        r"\d{3}[.-]\d{3}[.-]\d{4}",
    )
)
_DEVICE = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}"
_GEO = r"-?(?:90|[0-8]?\d)\.\d{3,}\s*[,;]\s*-?(?:180|1[0-7]\d|\d?\d)\.\d{3,}"
_POSTCODE = (
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{4} ?[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|\d{2}-\d{3}|\d{4}-\d{3}|\d{5}-\d{4}|\d{3} \d{2}"
)
# Apostrophes are written straight or curved.
_PERSON = r"[\p{L}\p{M}'\x{2019}.-]+(?:,? [\p{L}\p{M}'\x{2019}.-]+){0,4}"
_NAME_PARTS = r"[^\p{L}\p{M}'\x{2019}]+"
# Inside running text: a number is believed by its form alone, since nothing else stands around it.
_EMBEDDED = "|".join(
    (
        _EMAIL,
        r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b",
        r"\+\d[\d\s/()-]{7,18}\d",
        r"\b(?:\d{4}[ -]?){3}\d{4}\b",
        rf"\b{_IPV4}\b",
    )
)


def iban(texts: pa.Array) -> Flags:
    """IBANs by form and check digits."""
    return _holding(compact(texts), r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", iban_holds)


def pan(texts: pa.Array) -> Flags:
    """Card numbers: 13 to 19 digits that begin as the card schemes' do, by Luhn."""
    return _holding(compact(texts), r"(?:4\d{12}|[3-6]\d{13,18}|2[2-7]\d{14})", luhn_holds)


def national_id(texts: pa.Array) -> Flags:
    """Numbers by which one of the known states knows people; those of the US and GB have a form and no check digit."""
    plain = compact(texts)
    found = matches(texts, r"\d{3}-\d{2}-\d{4}") | matches(plain, r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
    for form, holds in NATIONAL_NUMBERS.values():
        found |= _holding(plain, form, holds)
    return found


def email(texts: pa.Array) -> Flags:
    """Mail addresses."""
    return matches(texts, _EMAIL)


def phone(texts: pa.Array) -> Flags:
    """Phone numbers that are written as such: with a plus, 00, an area code in parentheses or set apart."""
    return matches(texts, _PHONE)


def ip(texts: pa.Array) -> Flags:
    """IP addresses, of both versions."""
    return matches(texts, _IPV4) | matches(texts, _IPV6)


def device(texts: pa.Array) -> Flags:
    """UUIDs and hardware addresses."""
    return matches(texts, _DEVICE)


def geo(texts: pa.Array) -> Flags:
    """Pairs of latitude and longitude."""
    return matches(texts, _GEO)


def bank_code(texts: pa.Array) -> Flags:
    """BICs: bank, country, place and branch."""
    countries = "|".join(sorted(code.upper() for code in words("country_codes") if len(code) == 2))
    return matches(texts, rf"[A-Z]{{4}}(?:{countries})[A-Z0-9]{{2}}(?:[A-Z0-9]{{3}})?")


def postcode(texts: pa.Array) -> Flags:
    """Postcodes of forms that little else has (GB, NL, CA, PL, PT, US with four more digits, SE)."""
    return matches(texts, _POSTCODE)


def country(texts: pa.Array) -> Flags:
    """Countries, by code or by name."""
    return _listed(texts, words("countries") | words("country_codes"))


def currency(texts: pa.Array) -> Flags:
    """Currencies by their codes."""
    return _listed(texts, words("currencies"))


def gender(texts: pa.Array) -> Flags:
    """Words and letters for genders and forms of address."""
    return _listed(texts, words("genders"))


def address(texts: pa.Array) -> Flags:
    """A street by a word for its kind, with a number (12 Main Street, Gartenstraße 7) or at an end (Main Street, rue Pasteur)."""
    kinds = words("streets")
    ends = ("strasse", "str", "weg", "gasse", "allee", "platz", "straat", "laan", "plein")

    def is_street(text: str) -> bool:
        parts = folded(text).replace(".", " ").replace(",", " ").split()
        named = [part in kinds or part.endswith(ends) for part in parts]
        at_an_end = len(parts) > 1 and (named[0] or named[-1])
        return any(named) and (at_an_end or any(part[0].isdigit() for part in parts))

    return matches(texts, r".{4,120}") & contains(texts, r"[\p{L}]{2}") & _each(texts, is_street)


def person_name(texts: pa.Array) -> Flags:
    """One to five words of letters of which one is a common given or family name."""
    listed = words("given_names") | words("family_names")
    shaped = matches(texts, _PERSON)
    parts = pc.split_pattern_regex(texts, _NAME_PARTS)
    return shaped & np.array([any(folded(part) in listed for part in each or ()) for each in parts.to_pylist()], dtype=bool)


def embedded(texts: pa.Array) -> Flags:
    """Texts with something in them that looks like an e-mail or IP address, IBAN, card or phone number."""
    return contains(texts, _EMBEDDED)


def running_text(texts: pa.Array) -> Flags:
    """Five words or more, or over 80 characters with blanks."""
    return contains(texts, r"(?:\S+\s+){4,}\S") | (contains(texts, r"\s") & contains(texts, r"(?s).{80}"))


CHECKED: dict[str, Detector] = {"iban": iban, "pan": pan, "national_id": national_id}
"""Types whose values have check digits, or a form that says as much."""
SHAPED: dict[str, Detector] = {
    "email": email, "phone": phone, "ip": ip, "device": device, "geo": geo, "bank_code": bank_code, "postcode": postcode,
    "country": country, "currency": currency, "gender": gender, "address": address, "person_name": person_name,
}  # fmt: skip
"""Types that are told by the form of values or by lists of words."""


def _holding(texts: pa.Array, form: str, holds: Callable[[NDArray[np.uint8]], Flags]) -> Flags:
    """Texts that fit the form and whose check digits hold, asked for all of one length at once."""
    fits = matches(texts, form)
    found = np.zeros(len(texts), dtype=bool)
    if not fits.any():
        return found
    places = np.flatnonzero(fits)
    chosen = texts.take(pa.array(places))
    lengths = pc.utf8_length(chosen).to_numpy(zero_copy_only=False)
    for length in np.unique(lengths):
        some = lengths == length
        found[places[some]] = holds(values_of(chosen.filter(pa.array(some))))
    return found


def _listed(texts: pa.Array, listed: frozenset[str]) -> Flags:
    return _each(texts, lambda text: folded(text).replace("-", " ").replace("_", " ").replace(".", "").strip() in listed)


def _each(texts: pa.Array, asked: Callable[[str], bool]) -> Flags:
    """Asked of each text; for distinct values alone, of which there are few."""
    return np.array([text is not None and asked(text) for text in texts.to_pylist()], dtype=bool)
