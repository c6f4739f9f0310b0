"""What a column is taken for: numbers by their check digits, forms, names in several languages, and what must not be guessed."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.check_digits import iban_digits, luhn_digit
from kveil.privacy.national_numbers import NATIONAL_NUMBERS
from kveil.profile import detectors
from kveil.profile.concepts import concept_of, concepts, words
from kveil.profile.dates import date_pattern
from kveil.profile.patterns import LONGEST, patterns
from kveil.profile.semantic import guess
from kveil.profile.texts import compact, folded, matches, values_of
from kveil.profile.values import of_texts

KNOWN = {
    # Examples that the registers or python-stdnum publish; nobody's numbers.
    "DE tax id": ["36574261809", "65929970489"], "FR NIR": ["295109912611193"], "ES DNI": ["54362315K", "X-2482300W"],
    "NL BSN": ["111222333", "1112.22.333"], "BE register number": ["85.07.30-033 28"], "AT insurance number": ["1237 010180"],
    "IT codice fiscale": ["RCCMNL83S18D969H"], "PL PESEL": ["44051401359"], "PT NIF": ["123456789"],
    "FI henkilötunnus": ["131052-308T"], "SE personnummer": ["880320-0016"],
}  # fmt: skip
IBANS = ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR1420041010050500013M02606", "NL91ABNA0417164300"]


def column(name, values, type_="string"):
    return guess(of_texts(name, type_, pa.array([None if value is None else str(value) for value in values], pa.string())))


def ibans(count):
    body = np.random.default_rng(1).integers(0, 10, (count, 18), dtype=np.uint8)
    rows = np.hstack([np.tile(np.array([13, 14, 0, 0], dtype=np.uint8), (count, 1)), body])
    rows[:, 2:4] = iban_digits(rows)
    return ["DE" + "".join(map(str, row[2:])) for row in rows]


def cards(count):
    body = np.random.default_rng(2).integers(0, 10, (count, 15), dtype=np.uint8)
    body[:, 0] = 4
    return ["".join(map(str, row)) for row in np.column_stack([body, luhn_digit(body)])]


@pytest.mark.parametrize("kind", NATIONAL_NUMBERS)
def test_published_numbers_hold_and_no_number_with_another_last_sign_does(kind):
    form, holds = NATIONAL_NUMBERS[kind]
    texts = compact(pa.array(KNOWN[kind]))
    assert matches(texts, form).all()
    values = values_of(texts)
    assert holds(values).all()
    for change in range(1, 10):
        other = values.copy()
        last = values[:, -1]
        other[:, -1] = np.where(last > 9, 10 + (last - 10 + change) % 26, (last + change) % 10)
        assert not holds(other).any()


def test_published_ibans_and_cards_hold_and_one_wrong_digit_breaks_them():
    assert detectors.iban(pa.array(IBANS)).all()
    assert not detectors.iban(pa.array([text[:-1] + str((int(text[-1]) + 1) % 10) for text in IBANS])).any()
    assert detectors.pan(pa.array(["4111 1111 1111 1111", "5500-0000-0000-0004", "340000000000009"])).all()
    assert not detectors.pan(pa.array(["4111 1111 1111 1112", "1234567812345670"])).any()


@pytest.mark.parametrize(
    ("name", "values", "semantic"),
    [
        ("c1", ibans(40), "iban"),
        ("c2", cards(40), "pan"),
        ("c3", [f"person{i}@example.org" for i in range(40)], "email"),
        ("c4", [f"+49 151 {i:07d}" for i in range(40)], "phone"),
        ("c5", [f"192.168.{i}.{i + 1}" for i in range(40)], "ip"),
        ("c6", [f"{i:08x}-0000-4000-8000-{i:012x}" for i in range(40)], "device"),
        ("c7", [f"{i} Main Street" for i in range(40)], "address"),
        ("c8", [f"{given.title()} Q" for given in sorted(words("given_names"))[:60]], "person_name"),
        ("c9", ["EUR", "USD", "CHF"] * 20, "currency"),
        ("c10", ["Germany", "France", "United States"] * 20, "country"),
        ("c11", [f"48.{i:04d}, 11.{i:04d}" for i in range(40)], "geo"),
        ("c12", [f"the customer called on day {i} and asked for help" for i in range(60)], "free_text"),
        ("c13", ["red", "green", "blue"] * 30, "category"),
        ("c14", [f"TX{i:06d}" for i in range(100)], "key"),
    ],
)
def test_values_tell_the_type_when_the_name_does_not(name, values, semantic):
    found = column(name, values)
    assert found.semantic == semantic
    assert found.proven


def test_numbers_of_the_right_length_without_check_digits_are_no_identifiers():
    random = np.random.default_rng(3)
    for digits in (9, 10, 11, 16):
        values = [f"{number:0{digits}d}" for number in random.integers(10 ** (digits - 1), 10**digits, 500)]
        assert column("c", values).semantic not in ("pan", "national_id", "iban", "phone")


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("Geburtsdatum", "birth_date"), ("date_de_naissance", "birth_date"), ("fechaNacimiento", "birth_date"),
        ("Kundengeburtsdatum", "birth_date"), ("PLZ", "postcode"), ("codePostal", "postcode"), ("Nachname", "last_name"),
        ("PRENOM", "first_name"), ("apellidos", "last_name"), ("cust_id", "person_id"), ("KundenNr", "person_id"),
        ("telefono_movil", "phone"), ("e_mail", "email"), ("estado_civil", "marital_status"), ("merchantCountry", "country"),
        ("numéro_de_compte", "iban"), ("Straße", "address"), ("płeć", "gender"), ("beroep", "occupation"),
    ],
)  # fmt: skip
def test_names_in_several_languages(name, concept):
    found = concept_of(name)
    assert found is not None and found[0].name == concept


@pytest.mark.parametrize("name", ["page", "storage", "usage", "message_count_x", "village", "stage", "trip", "japan"])
def test_a_word_inside_another_is_no_name(name):
    found = concept_of(name)
    assert found is None or found[0].name not in ("age", "ip", "pan")


@pytest.mark.parametrize(
    "values",
    [
        ["red", "green", "white", "brown", "black", "gray"] * 10,
        ["Martin", "Ford", "Taylor", "Audi", "Opel"] * 20,
        ["Paris", "London", "San Francisco", "Austin", "Jackson", "Berlin", "Madrid", "Houston"] * 9,
        [f"{i / 7:.2f}" for i in range(200)],
        ["RESEARCH", "BUSINESS", "PLATINUM", "STANDARD", "ADVANCED"] * 10,
        ["CA", "AL", "TX", "NY", "FL", "WA", "OR", "NV"] * 9,
    ],
)
def test_what_only_sounds_like_an_identifier_is_none(values):
    assert column("c", values).role not in ("direct", "record")


def test_a_flag_named_like_an_identifier_identifies_nobody():
    assert column("phone", ["yes", "no"] * 50).role != "direct"
    assert column("email_opt_in", [True, False] * 50, "boolean").role != "direct"


def test_hard_columns():
    assert column("x", [None, None]).semantic == "empty"
    assert column("x", ["same"] * 40).semantic == "constant"
    assert column("x", []).semantic == "empty"
    long = ["a" * 1_000_000, "b" * 1_000_000]
    assert patterns(pa.array(long)).to_pylist() == ["a+…"] * 2
    mixed = ["Мария Иванова", "محمد علي", "山田太郎", "Zoë Müller"] * 10
    assert column("wer", mixed).role in (None, "direct", "text")


@pytest.mark.parametrize(
    ("values", "pattern", "rival"),
    [
        (["01/02/2020", "11/12/1999"], "dd/MM/yyyy", "MM/dd/yyyy"),
        (["01/02/2020", "31/12/1999"], "dd/MM/yyyy", ""),
        (["01/31/2020", "11/12/1999"], "MM/dd/yyyy", ""),
        (["31.12.1999", "1.2.2003"], "dd.MM.yyyy", ""),
        (["1999-12-31 10:00:00", "2003-02-01T00:00:00Z"], "yyyy-MM-dd", ""),
        (["20031231", "19990101"], "yyyyMMdd", ""),
    ],
)
def test_dates_that_read_two_ways_are_asked_not_guessed(values, pattern, rival):
    found = date_pattern(pa.array(values))
    assert (found.pattern, found.rival, found.share) == (pattern, rival, 1.0)
    told = column("d", values * 20)
    assert (told.confidence < 0.6) == bool(rival)


def test_impossible_days_are_no_dates():
    assert date_pattern(pa.array(["2020-02-30", "2020-13-01", "31.04.2020", "00/00/0000"])) is None


@given(st.lists(st.text(max_size=60), max_size=20))
def test_a_pattern_holds_nothing_of_the_value_but_its_form(texts):
    shown = patterns(pa.array(texts, pa.string())).to_pylist()
    signs = set("Aa9+…? _.,:;/\\@-()#*&'\"")
    assert all(set(each) <= signs for each in shown)
    assert all(len(each) <= LONGEST + 1 for each in shown)


@given(st.lists(st.text(max_size=40), min_size=1, max_size=30))
def test_the_order_of_rows_changes_no_guess(texts):
    assert column("x", texts) == column("x", list(reversed(texts)))


def test_word_lists_and_names_are_written_as_they_are_looked_up():
    for kind in ("given_names", "family_names", "streets", "countries", "country_codes", "currencies"):
        assert all(folded(word) == word for word in words(kind))
    for concept in concepts().values():
        assert all(folded(part) == part and part.isalpha() for name in concept.names for part in name)
