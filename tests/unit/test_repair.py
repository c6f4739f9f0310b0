"""What is learned from a column, and from a table, about its wrong cells."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.repair.dependencies import dependencies, telling
from kveil.clean.repair.likeness import alike, likeness
from kveil.clean.repair.shapes import mask, shape, usual_shapes
from kveil.clean.repair.spelling import fingerprint, merged, ngram_fingerprint

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
COUNTS = st.dictionaries(TEXTS, st.integers(1, 1000), max_size=30)


COUNTED = {"restaurant": 400, "supermarket": 300, "restuarant": 3, "supremarket": 1, "Restaurant Roma": 2, "pharmacy": 40}


class TestLikeness:
    def test_rare_slips_are_told_from_rare_values(self):
        found = likeness(COUNTED)
        assert found.meant == {"restuarant": "restaurant", "supremarket": "supermarket"}
        assert found.trust == 0.5  # chance 1 of 4, for each of 4 other values, explains one of 2 slips

    @pytest.mark.parametrize(
        ("value", "other", "expected"),
        [
            ("hearx attaxk", "heart attack", True),
            ("12 main street", "13 main street", False),
            ("12 maim street", "12 main street", True),
            ("strong ale", "brown ale", False),
            ("boxz", "boaz", True),
            ("twowords", "two words", False),
        ],
    )
    def test_words_may_differ_in_few_letters_and_numbers_in_none(self, value, other, expected):
        assert alike(value, other) is expected

    def test_a_word_is_corrected_in_values_that_stand_once(self):
        counts = {f"{i} patients": 1 for i in range(100)} | {"5 patiemts": 1}
        assert likeness(counts).meant == {"5 patiemts": "5 patients"}

    def test_a_value_that_often_stands_is_no_slip_however_near(self):
        assert likeness({"male": 900, "female": 100}).meant == {}
        assert likeness({"salesman": 900, "salesmen": 100}).meant == {}

    def test_a_value_as_near_to_two_is_left(self):
        assert likeness({"walter": 100, "walder": 110, "walxer": 1}).meant == {}
        assert likeness({"walter": 1000, "walder": 30, "walxer": 1}).meant["walxer"] == "walter"

    def test_nearness_means_little_where_common_values_are_neighbours(self):
        names = {"anna": 100, "hanna": 100, "hannah": 90, "johannes": 80, "stefan": 80, "stefana": 1}
        assert likeness(names).trust < 0.5
        lone = {"anna": 100, "johannes": 80, "stefan": 80, "stefana": 1, "annna": 1, "johaness": 1}
        assert likeness(lone).trust > 0.5

    def test_short_codes_are_left_unless_other_columns_can_object(self):
        counts = {"al": 950, "xl": 20}
        assert likeness(counts).meant == {}
        assert likeness(counts, shortest=2).meant == {"xl": "al"}

    @given(COUNTS)
    def test_no_number_is_changed_and_what_was_meant_stands_more_often(self, counts):
        for value, meant in likeness(counts).meant.items():
            assert [sign for sign in value if sign.isdigit()] == [sign for sign in meant if sign.isdigit()]
            assert meant != value

    @given(COUNTS, st.randoms())
    def test_the_order_of_values_plays_no_part(self, counts, random):
        shuffled = list(counts.items())
        random.shuffle(shuffled)
        assert likeness(dict(shuffled)) == likeness(counts)


class TestSpelling:
    def test_keys_collide_as_in_openrefine(self):
        assert fingerprint("  Müller, Hans ") == fingerprint("hans_muller") == "hans muller"
        assert ngram_fingerprint("Krzysztof") == ngram_fingerprint("krzy sztof")
        # The example of OpenRefine's documentation, for pairs of signs.
        assert ngram_fingerprint("Paris") == "arispari"

    def test_spellings_become_the_most_frequent_one(self):
        counts = {"food_store": 50, "Food Store": 3, "food store ": 2, "store": 1, "-": 9, "?": 1}
        assert merged(counts, "spelling") == {"Food Store": "food_store", "food store ": "food_store"}

    def test_the_order_of_words_is_no_matter_of_spelling(self):
        assert merged({"Müller": 9, "Muller": 2, "MÜLLER": 1}, "spelling") == {"MÜLLER": "Müller"}
        counts = {"Anna Maria": 9, "Maria Anna": 2, "ANNA-MARIA": 1}
        assert merged(counts, "spelling") == {"ANNA-MARIA": "Anna Maria"}
        assert merged(counts, "fingerprint") == {"ANNA-MARIA": "Anna Maria", "Maria Anna": "Anna Maria"}

    def test_other_numbers_are_no_spelling(self):
        assert merged({"1.5": 3, "5.1": 1, "2024-01-02": 2, "2024-02-01": 1, "no 7": 1, "7 No": 2}, "fingerprint") == {
            "no 7": "7 No"
        }

    @given(COUNTS, st.sampled_from(["spelling", "fingerprint", "ngram"]))
    def test_merging_again_merges_nothing(self, counts, method):
        others = merged(counts, method)
        after: dict[str, int] = {}
        for value, count in counts.items():
            after[others.get(value, value)] = after.get(others.get(value, value), 0) + count
        assert sum(after.values()) == sum(counts.values())
        assert merged(after, method) == {}


class TestShapes:
    @pytest.mark.parametrize(("value", "expected"), [("KE12 4XY", "a9 9a"), ("+43  1 5880", "+9 9 9"), ("Ćma", "a"), ("", "")])
    def test_runs_become_one_sign(self, value, expected):
        assert shape(value) == expected

    def test_a_mask_shows_no_letter_and_no_digit(self):
        assert mask("Żeleński 12b") == "Aaaaaaaa 99a"
        assert mask(None) == "null"
        assert len(mask("x" * 10**6)) < 100

    @given(TEXTS)
    def test_of_a_mask_nobody_learns_a_letter(self, value):
        assert not {sign for sign in mask(value) if sign.isalnum()} - set("Aa9")

    def test_only_columns_of_few_shapes_with_digits_have_a_usual_look(self):
        assert usual_shapes({"9%": 900, "9": 60, "a9%": 10}) == ["9", "9%"]
        assert usual_shapes({"a": 900, "a a": 100}) == []
        assert usual_shapes({f"9{'-9' * i}": 10 for i in range(100)}) == []
        assert usual_shapes({}) == []


def table(size: int = 400, wrong: float = 0.05, seed: int = 1) -> pa.Table:
    """A shop tells its town, with some wrong towns; a coin and a running number tell nothing."""
    random = np.random.default_rng(seed)
    shop = random.integers(0, 20, size)
    town = np.where(random.random(size) < wrong, random.integers(0, 5, size), shop % 5)
    return pa.table(
        {
            "shop": pa.array(shop.astype(str), mask=shop == 3),
            "town": town.astype(str),
            "coin": random.integers(0, 2, size).astype(str),
            "number": np.arange(size).astype(str),
            "same": ["one"] * size,
            "nothing": pa.nulls(size, pa.string()),
        }
    )


class TestDependencies:
    def test_a_dependency_is_found_though_cells_are_wrong(self):
        found = dependencies(table())
        assert {name: [one.determinant for one in by] for name, by in found.items()} == {"town": ["shop"]}
        assert telling(found) == found
        assert 0.85 < found["town"][0].agreement < 1 and found["town"][0].lift > 0.8

    def test_small_groups_are_no_dependency(self):
        """Of 400 rows in 300 groups a majority is nearly always right; whether another row agrees is chance."""
        random = np.random.default_rng(2)
        rows = pa.table({"a": random.integers(0, 300, 400).astype(str), "b": random.integers(0, 2, 400).astype(str)})
        assert dependencies(rows) == {}

    def test_agreement_is_that_of_pairs_of_rows(self):
        rows = table(60, 0.05, 3)
        (found,) = dependencies(rows)["town"]
        shops, towns = rows["shop"].to_pylist(), rows["town"].to_pylist()
        agree = []
        for i, (shop, town) in enumerate(zip(shops, towns, strict=True)):
            others = [towns[j] for j, other in enumerate(shops) if other == shop and j != i and shop]
            agree += [others.count(town) / len(others)] if others else []
        assert found.agreement == pytest.approx(np.mean(agree))
