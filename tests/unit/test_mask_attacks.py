"""Going back from what is shown by trying every possible value: it works against hashes and fails against keyed masks.

A telephone number or a national id is one of few: who knows how it was hashed hashes them all. The attacker here knows
everything but the key: the method, the format, and the tokens of neighbours.
"""

import hashlib
import random
from itertools import pairwise

import pytest
from kveil.privacy.masking.formats import Format, encrypted
from kveil.privacy.masking.keyed import subkey, tokens
from stdnum.nl import bsn

PHONES = [f"+49 1512 34{number:05d}" for number in range(100_000)]
# Dutch citizen numbers with their check digit, of one thousandth of all.
IDS = [number for number in (f"1234{place:05d}" for place in range(100_000)) if bsn.is_valid(number)]
PEOPLE = 200
SECRET = bytes(range(32))


def sha256(texts):
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def shortened(texts):
    return [text[:8] for text in sha256(texts)]


def keyed(texts, secret=SECRET):
    return tokens(texts, subkey(secret, "pseudonym", "phone", ("release", "bank", "r1")))


def preserved(texts, secret=SECRET):
    return encrypted(texts, Format("digits"), subkey(secret, "encrypt", "phone", ("release", "bank", "r1")))


def recovered(shown, truth, guesses, how):
    """The share of people whose value is the only guess that is shown as theirs."""
    tried = {}
    for guess, token in zip(guesses, how(guesses), strict=True):
        tried.setdefault(token, []).append(guess)
    return sum(tried.get(token) == [value] for token, value in zip(shown, truth, strict=True)) / len(truth)


@pytest.mark.parametrize("guesses", [PHONES, IDS], ids=["telephone numbers", "national ids"])
@pytest.mark.parametrize("how", [sha256, shortened])
def test_a_hash_of_a_number_is_reversed_by_trying_all_numbers(guesses, how):
    truth = random.Random(1).sample(guesses, PEOPLE)
    assert recovered(how(truth), truth, guesses, how) > 0.99


@pytest.mark.parametrize("guesses", [PHONES, IDS], ids=["telephone numbers", "national ids"])
@pytest.mark.parametrize("how", [keyed, preserved])
def test_a_keyed_mask_is_reversed_by_who_has_the_key_alone(guesses, how):
    truth = random.Random(1).sample(guesses, PEOPLE)
    shown = how(truth)
    assert recovered(shown, truth, guesses, how) == 1
    others = [bytes(32), SECRET[::-1], SECRET[:-1] + b"\0", hashlib.sha256(b"bank").digest()]
    for secret in others:
        # A permutation of 10**9 numbers hits a guess now and then; the right one of 100,000 hardly ever.
        assert recovered(shown, truth, guesses, lambda texts, secret=secret: how(texts, secret)) == 0
    for public in (sha256, shortened, lambda texts: [text[:32] for text in sha256(texts)]):
        assert recovered(shown, truth, guesses, public) == 0


@pytest.mark.parametrize("how", [keyed, preserved])
def test_known_pairs_tell_nothing_of_others(how):
    """Neighbours of known numbers: neither their order nor a common difference is kept."""
    known, unknown = PHONES[0:1000:2], PHONES[1:1000:2]
    tell = how(known)
    between = dict(zip(unknown, how(unknown), strict=True))
    ranks = sorted(tell)
    assert ranks != tell and ranks[::-1] != tell
    as_number = [int("".join(sign for sign in token if sign in "0123456789abcdef"), 16) for token in tell]
    steps = {after - before for before, after in pairwise(as_number)}
    assert len(steps) > 490
    assert not set(between.values()) & set(tell)
