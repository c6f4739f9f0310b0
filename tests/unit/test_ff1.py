"""FF1: NIST's samples, another implementation's answers, and what a permutation of a format promises."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy.masking.ff1 import FF1, MIN_DOMAIN, longest, shortest

SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
# NIST, "FF1 samples", 1 to 9: AES-128, -192, -256, each for three tweaks.
SAMPLES = [
    (32, "", 10, "0123456789", "2433477484"),
    (32, "39383736353433323130", 10, "0123456789", "6124200773"),
    (32, "3737373770717273373737", 36, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (48, "", 10, "0123456789", "2830668132"),
    (48, "39383736353433323130", 10, "0123456789", "2496655549"),
    (48, "3737373770717273373737", 36, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (64, "", 10, "0123456789", "6657667009"),
    (64, "39383736353433323130", 10, "0123456789", "1001623463"),
    (64, "3737373770717273373737", 36, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]
ANSWERS = json.loads((Path(__file__).parents[1] / "golden" / "ff1.json").read_text(encoding="utf-8"))


def numerals(*strings):
    return np.array([list(string) for string in strings], dtype=np.uint8)


def tweaks(tweak: bytes, count: int = 1):
    return np.tile(np.frombuffer(tweak, np.uint8), (count, 1))


@pytest.mark.parametrize(("digits", "tweak", "radix", "plain", "told"), SAMPLES)
def test_samples_of_nist(digits, tweak, radix, plain, told):
    cipher, tweak = FF1(bytes.fromhex(KEY[:digits]), radix), tweaks(bytes.fromhex(tweak))
    values = numerals([SIGNS.index(sign) for sign in plain])
    made = cipher.encrypted(values, tweak)
    assert "".join(SIGNS[place] for place in made[0]) == told
    assert (cipher.decrypted(made, tweak) == values).all()


@pytest.mark.parametrize("told", ANSWERS, ids=[f"radix {told['radix']}, {len(told['plain'])}" for told in ANSWERS])
def test_another_implementation_agrees(told):
    cipher, tweak = FF1(bytes.fromhex(told["key"]), told["radix"]), tweaks(bytes.fromhex(told["tweak"]))
    assert cipher.encrypted(numerals(told["plain"]), tweak)[0].tolist() == told["encrypted"]
    assert cipher.decrypted(numerals(told["encrypted"]), tweak)[0].tolist() == told["plain"]


def test_the_answers_hold_the_shortest_and_the_longest_strings():
    assert {(told["radix"], len(told["plain"])) for told in ANSWERS} >= {
        (radix, size(radix)) for radix in (2, 10, 16, 26, 36, 62, 256) for size in (shortest, longest)
    }


@given(st.integers(2, 256), st.binary(min_size=32, max_size=32), st.integers(0, 2**32), st.integers(0, 20))
def test_each_row_is_encrypted_as_if_it_were_alone_and_comes_back(radix, key, seed, tweak_size):
    draw = np.random.default_rng(seed)
    length = int(draw.integers(shortest(radix), longest(radix) + 1))
    values = draw.integers(0, radix, (5, length)).astype(np.uint8)
    tweak = draw.integers(0, 256, (5, tweak_size)).astype(np.uint8)
    cipher = FF1(key, radix)
    made = cipher.encrypted(values, tweak)
    assert made.shape == values.shape
    assert (made < radix).all()
    assert (cipher.decrypted(made, tweak) == values).all()
    assert (np.vstack([cipher.encrypted(values[[i]], tweak[[i]]) for i in range(5)]) == made).all()


def test_a_million_strings_are_permuted():
    """The whole smallest domain: every string of six digits is reached once, hardly any stays as it was."""
    everything = np.stack(np.unravel_index(np.arange(MIN_DOMAIN), (10,) * 6), axis=1).astype(np.uint8)
    made = FF1(bytes(32), 10).encrypted(everything, tweaks(b"", MIN_DOMAIN))
    place = np.ravel_multi_index(tuple(made.T), (10,) * 6)
    assert np.bincount(place, minlength=MIN_DOMAIN).max() == 1
    # Fixed points of a random permutation: one on average, more than ten once in 10**8 keys.
    assert (place == np.arange(MIN_DOMAIN)).sum() <= 10


def test_another_key_or_tweak_makes_other_strings_of_all():
    values = np.random.default_rng(0).integers(0, 10, (1000, 16)).astype(np.uint8)
    made = FF1(bytes(32), 10).encrypted(values, tweaks(b"a", 1000))
    for other in (
        FF1(bytes(31) + b"\1", 10).encrypted(values, tweaks(b"a", 1000)),
        FF1(bytes(32), 10).encrypted(values, tweaks(b"b", 1000)),
    ):
        assert (made != other).any(axis=1).all()


@pytest.mark.parametrize(("radix", "length"), [(10, 5), (10, 33), (36, 3), (36, 21), (2, 19)])
def test_what_can_be_listed_and_what_no_word_holds_is_refused(radix, length):
    with pytest.raises(ValueError, match=f"radix {radix} takes"):
        FF1(bytes(16), radix).encrypted(np.zeros((1, length), np.uint8), tweaks(b""))


def test_the_shortest_string_is_the_first_whose_domain_is_large_enough():
    for radix in range(2, 257):
        assert radix ** shortest(radix) >= MIN_DOMAIN
        assert shortest(radix) == 2 or radix ** (shortest(radix) - 1) < MIN_DOMAIN


def test_no_rows_are_no_rows():
    assert FF1(bytes(16), 10).encrypted(np.zeros((0, 8), np.uint8), np.zeros((0, 3), np.uint8)).shape == (0, 8)
