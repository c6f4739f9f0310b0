"""Masks as functions of keys and values: formats kept, nothing without the key, order kept, check digits right."""

import hashlib
import hmac
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.check_digits import iban_holds, luhn_holds
from kveil.privacy.masking.fakes import fakes
from kveil.privacy.masking.formats import Format, decrypted, encrypted
from kveil.privacy.masking.keyed import check_value, shifts, subkey, tokens, words
from stdnum import iban, luhn

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
# IBAN registry (SWIFT), the example of each country; card networks' test numbers.
IBANS = [
    "DE89370400440532013000", "GB29NWBK60161331926819", "FR1420041010050500013M02606", "NL91ABNA0417164300",
    "ES9121000418450200051332", "BE68539007547034", "AT611904300234573201", "NO9386011117947", "MT84MALT011000012345MTLCAST001S",
]  # fmt: skip
CARDS = ["4111111111111111", "5500005555555559", "378282246310005", "6011111111111117", "30569309025904", "4222222222222"]

digits = st.text("0123456789", min_size=6, max_size=32)
spaced = st.lists(st.text("0123456789", min_size=2, max_size=5), min_size=3, max_size=6).map(" ".join)
codes = st.text(string.digits + string.ascii_uppercase, min_size=4, max_size=20)
cards = st.text("0123456789", min_size=11, max_size=18).map(lambda text: text + luhn.calc_check_digit(text))


def whole_iban(country, bban):
    return country + iban.calc_check_digits(country + "00" + bban) + bban


ibans = st.builds(whole_iban, st.sampled_from(["DE", "GB", "FR", "XK"]), st.text("0123456789", min_size=11, max_size=28))
CASES = [(Format("digits"), digits | spaced), (Format("alphanumeric"), codes), (Format("card"), cards), (Format("iban"), ibans)]


def values_of(text):
    return np.array([[int(sign, 36) for sign in text]], dtype=np.uint8)


def shape(text):
    return ["9" if sign.isdigit() else "A" if sign.isalpha() else sign for sign in text]


@pytest.mark.parametrize(("form", "texts"), CASES, ids=[form.kind for form, _ in CASES])
@given(data=st.data())
def test_a_format_is_kept_and_the_key_brings_each_text_back(form, texts, data):
    given_texts = data.draw(st.lists(texts, min_size=1, max_size=8))
    made = encrypted(given_texts, form, KEY)
    assert decrypted(made, form, KEY) == given_texts
    assert len(set(made)) == len(set(given_texts))
    if form.kind != "alphanumeric":
        assert [shape(text) for text in made] == [shape(text) for text in given_texts]
    if form.kind == "card":
        assert all(luhn.is_valid(text) for text in made)
    if form.kind == "iban":
        assert all(iban.calc_check_digits(text) == text[2:4] for text in made)
        assert [text[:2] for text in made] == [text[:2] for text in given_texts]


@pytest.mark.parametrize(("form", "texts"), CASES, ids=[form.kind for form, _ in CASES])
@given(data=st.data())
def test_a_text_is_encrypted_as_if_it_were_alone(form, texts, data):
    given_texts = data.draw(st.lists(texts | st.just("") | st.text(max_size=5), max_size=8))
    assert encrypted(given_texts, form, KEY) == [encrypted([text], form, KEY)[0] for text in given_texts]


def test_encrypted_ibans_have_their_country_s_form():
    made = encrypted(IBANS, Format("iban"), KEY)
    assert all(iban.is_valid(text, check_country=False) for text in made)
    # A bank's letters stay.
    assert [text[4:8] for text in made if text[:2] in ("GB", "NL")] == ["NWBK", "ABNA"]


def test_another_key_changes_all():
    for form, texts in ((Format("iban"), IBANS), (Format("card"), CARDS)):
        one, two = encrypted(texts, form, KEY), encrypted(texts, form, OTHER)
        assert None not in one
        assert not set(one) & set(two)
        assert not set(one) & set(texts)


@pytest.mark.parametrize("text", CARDS)
def test_what_a_card_keeps_of_its_issuer_stays(text):
    made = encrypted([text], Format("card", keep_first=6), KEY)[0]
    if len(text) < 13:
        assert made is None
    else:
        assert made[:6] == text[:6] and made != text and luhn.is_valid(made)


def test_the_digits_that_stay_are_part_of_the_key():
    """Two numbers that differ in what is kept alone do not become numbers that differ in that alone."""
    one, two = encrypted(["11123456789", "22223456789"], Format("digits", keep_first=3, keep_last=2), KEY)
    assert (one[:3], one[-2:], two[:3], two[-2:]) == ("111", "89", "222", "89")
    assert one[3:] != two[3:]


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        # Too short to be safe, too long, other signs, digits of another script, nothing, nothing left to encrypt.
        (Format("digits"), ["12345", "1" * 33, "12345a6789", "\uff11\uff12\uff13\uff14\uff15\uff16", "", "1" * 70]),
        (Format("digits", 3, 3), ["12345678901"]),
        (Format("alphanumeric"), ["ab12cd34", "A1B"]),
        (Format("card"), ["4111111111111112", "0" * 11, "0" * 20]),
        (Format("iban"), ["DE88370400440532013000", "de89370400440532013000", "8937040044DE0532013000", "DE8937040044"]),
    ],
)
def test_what_is_not_of_the_format_is_not_shown(form, texts):
    assert encrypted(texts, form, KEY) == [None] * len(texts)


@given(st.text("0123456789", min_size=2, max_size=30))
def test_luhn_is_the_standard_s(text):
    assert bool(luhn_holds(values_of(text))[0]) == luhn.is_valid(text)


@pytest.mark.parametrize("text", IBANS)
def test_registered_ibans_hold_and_no_single_error_does(text):
    assert iban_holds(values_of(text))[0]
    for place in range(4, len(text)):
        wrong = text[:place] + string.digits[(int(text[place], 36) + 1) % 10] + text[place + 1 :]
        assert wrong == text or not iban_holds(values_of(wrong))[0]


# RFC 4231, test cases 1, 2 and 6.
RFC_4231 = [
    (b"\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "text", "told"), RFC_4231)
def test_tokens_are_hmac_sha_256(key, text, told):
    assert tokens([text], key) == [told[:32]]


@given(st.lists(st.text(max_size=20), max_size=20), st.binary(min_size=32, max_size=32))
def test_tokens_are_equal_where_texts_are(texts, key):
    made = tokens(texts, key)
    assert len(set(made)) == len(set(texts))
    assert made == [hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32] for text in texts]


def test_every_use_has_a_key_of_its_own():
    uses = [
        ("pseudonym", "iban", ()),
        ("encrypt", "iban", ()),
        ("pseudonym", "ib", ("an",)),
        ("pseudonym", "iban", ("a", "b")),
        ("pseudonym", "iban", ("ab",)),
    ]
    keys = {subkey(secret, *use) for secret in (KEY, OTHER) for use in uses}
    assert len(keys) == 2 * len(uses)
    assert check_value(KEY) != check_value(OTHER)
    assert check_value(KEY) not in {key.hex()[:16] for key in keys}


@given(st.lists(st.integers(-40_000, 40_000), min_size=2, max_size=20), st.integers(1, 400), st.text())
def test_a_shift_keeps_order_and_intervals_and_moves_everybody(days, most, person):
    [shift] = shifts(words([person], KEY), most)
    assert 1 <= abs(shift) <= most
    moved = np.array(days) + shift
    assert (np.argsort(moved, kind="stable") == np.argsort(days, kind="stable")).all()
    assert (np.diff(moved) == np.diff(days)).all()


def test_shifts_are_spread_over_all_days():
    found = shifts(words([str(person) for person in range(20_000)], KEY), 10)
    counts = np.bincount(found + 10, minlength=21)
    assert counts[10] == 0
    # 1,000 expected each; six standard deviations.
    assert (abs(np.delete(counts, 10) - 1000) < 6 * 31).all()


def test_fakes_of_one_owner_agree_and_belong_to_nobody():
    owners = [str(owner) for owner in range(3000)]
    made = {
        kind: fakes(kind, words(owners, KEY))
        for kind in ("first_name", "last_name", "name", "email", "phone", "address", "company")
    }
    assert made["name"] == [f"{first} {last}" for first, last in zip(made["first_name"], made["last_name"], strict=True)]
    assert all(
        mail.startswith(name.lower().replace(" ", ".") + ".") for mail, name in zip(made["email"], made["name"], strict=True)
    )
    assert {mail.split("@")[1] for mail in made["email"]} == {"example.com", "example.net", "example.org"}
    assert all(phone[:3] == "+1 " and phone[6:13] == " 555 01" for phone in made["phone"])
    assert len(set(made["name"])) > 2000
    assert fakes("name", words(owners[::-1], KEY)) == made["name"][::-1]
    assert sum(a == b for a, b in zip(fakes("name", words(owners, OTHER)), made["name"], strict=True)) < 10
