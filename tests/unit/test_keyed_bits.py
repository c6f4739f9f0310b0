"""Words belong to cells: who else is drawn, in which order and how often, changes nothing."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.privacy import gaussian, laplace, row_laplace
from kveil.privacy.inversion import Law
from kveil.privacy.randomness import KeyedBits, derived_key

SECRET = bytes(range(32))
SAMPLERS = {
    "rejection": lambda bits: laplace.sample(Fraction(70, 3), bits),
    "tables": lambda bits: row_laplace.sample(Fraction(70, 3), bits),
    "gaussian": lambda bits: gaussian.sample(Fraction(70, 3), bits),
}


def bits_of(cells, key=SECRET):
    return KeyedBits(key, np.asarray(cells, dtype=np.uint64))


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=40, unique=True), st.data())
def test_a_cell_draws_the_same_alone_and_in_any_company(sample, cells, data):
    together = dict(zip(cells, sample(bits_of(cells)), strict=True))
    some = data.draw(st.lists(st.sampled_from(cells), min_size=1, unique=True))
    assert [together[cell] for cell in some] == sample(bits_of(some)).tolist()


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS)
def test_more_cells_than_are_drawn_at_once_change_nothing(sample):
    cells = np.arange(40_000, dtype=np.uint64)
    assert (sample(bits_of(cells))[-5:] == sample(bits_of(cells[-5:]))).all()


@pytest.mark.parametrize("sample", SAMPLERS.values(), ids=SAMPLERS)
def test_another_key_another_cell_and_a_second_draw_are_other_noise(sample):
    cells = np.arange(200)
    first = bits_of(cells)
    draws = [sample(first), sample(first), sample(bits_of(cells, derived_key(SECRET, "other"))), sample(bits_of(cells + 200))]
    for i, one in enumerate(draws):
        assert all((one == other).mean() < 0.2 for other in draws[:i])


def test_words_are_aes_of_the_cell_and_the_counter():
    # AES-256 of NIST's SP 800-38A and of the zero block under the key 00 01 .. 1f, by an independent implementation.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    def aes(block):
        cipher = Cipher(algorithms.AES(SECRET), modes.CBC(bytes(16))).encryptor()
        return cipher.update(block)

    cell = (7).to_bytes(8, "little") + (9).to_bytes(8, "little")
    found = bits_of([[7, 9]]).words(np.array([0]), 4).tobytes()
    expected = b"".join(aes(cell + bytes(8) + counter.to_bytes(8, "little"))[16:32] for counter in (0, 1))
    assert found == expected


def test_words_go_on_where_they_stopped():
    at_once = bits_of([1, 2]).words(np.array([0, 1]), 6)
    bits = bits_of([1, 2])
    in_parts = np.hstack([bits.words(np.array([0, 1]), 2), bits.words(np.array([0, 1]), 4)])
    assert (at_once == in_parts).all()


def test_no_cells_draw_nothing():
    for sample in SAMPLERS.values():
        assert sample(bits_of(np.empty((0, 2)))).size == 0


def test_contexts_never_share_a_key():
    contexts = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("1",), (1,), (), ("",), ("", "")]
    assert len({derived_key(SECRET, *context) for context in contexts}) == len(contexts)


def test_a_short_secret_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        derived_key(b"short", "context")


def test_a_scale_or_variance_out_of_reach_is_refused():
    for b in (Fraction(0), Fraction(-1), Fraction(2**60)):
        for sample in (laplace.sample, row_laplace.sample):
            with pytest.raises(ValueError, match="scale"):
                sample(b, bits_of([1]))
    for variance in (Fraction(0), Fraction(2**101)):
        with pytest.raises(ValueError, match="variance"):
            gaussian.sample(variance, bits_of([1]))


@given(st.integers(1, 2**90), st.integers(1, 2**90))
def test_a_rounded_scale_is_hardly_larger_and_never_smaller(numerator, denominator):
    b = Fraction(numerator, denominator)
    if b >= 2**55:
        return
    rounded = laplace.rounded_up(b)
    assert rounded.numerator <= 2**55
    assert b <= rounded <= b + Fraction(max(b, 1)) / 2**54


@given(st.lists(st.integers(1, 2**128 - 1), min_size=1, max_size=8), st.integers(0, 2**128 - 1), st.booleans())
def test_a_table_compares_all_128_bits(thresholds, number, meet):
    law = _law(sorted(thresholds))
    if meet:  # the first word equals a threshold's, so that the second decides
        number = (thresholds[0] >> 64 << 64) | (number & (2**64 - 1))
    words = np.array([[number >> 64, number & (2**64 - 1)]], dtype=np.uint64)
    assert law.drawn(words).tolist() == [sum(each <= number for each in thresholds)]


def _law(thresholds):
    return Law(tuple(thresholds), np.array([each >> 64 for each in thresholds], dtype=np.uint64))


@pytest.mark.parametrize("b", [Fraction(1), Fraction(5), Fraction(1000), Fraction(10**6), Fraction(2**55 - 1)])
def test_tables_multiply_out_to_the_geometric_law(b):
    """The digits' probabilities, as the tables hold them, against q**y (1 - q) in exact fractions of a long exponential."""
    from decimal import localcontext

    _, digits = row_laplace._tables(b)
    with localcontext() as context:
        context.prec = 200
        q = (Decimal(-b.denominator) / Decimal(b.numerator)).exp()
        for y in (0, 1, 7, int(b), 3 * int(b)):
            chance, rest = Decimal(1), y
            for i, (shift, law) in enumerate(digits):
                width = (digits[i + 1][0] if i + 1 < len(digits) else (90 * int(b) + 90).bit_length()) - shift
                digit = (rest >> shift) & (2**width - 1)
                bounds = [0, *law.thresholds, 2**128]
                chance *= Decimal(bounds[digit + 1] - bounds[digit]) / Decimal(2**128)
            assert abs(chance - (1 - q) * q**y) < Decimal(2) ** -110
