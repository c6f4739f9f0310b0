"""Countries, currencies and phone numbers: known answers, what is open, and that a standard's form stays what it is."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.standard_names import COUNTRIES_ALSO, OPEN_COUNTRIES, SIGNS
from kveil.clean.standards import _of_batch, meanings_of, standard_form
from kveil.settings.recipe import Standard
from pydantic import ValidationError

TEXTS = st.one_of(
    st.text(max_size=20),
    st.from_regex(r"\+?[0-9 ()/-]{1,18}", fullmatch=True),
    st.sampled_from([*SIGNS, *OPEN_COUNTRIES, *(name for names in COUNTRIES_ALSO.values() for name in names)]),
    # Right-to-left, accents that combine, letters that only look Latin.
    st.sampled_from(["المغرب", "O\u0308sterreich", "G\u0435rmany", "\u202eDE", "\uff24\uff25", "\uff11\uff12", "\u0663"]),
)


class TestMeanings:
    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("DE", "DE"), ("deu", "DE"), (" Germany ", "DE"), ("ALLEMAGNE", "DE"), ("Österreich", "AT"),
            ("O\u0308sterreich", "AT"),
            ("U.S.A.", "US"), ("UK", "GB"), ("England", "GB"), ("Côte d'Ivoire", "CI"), ("Türkiye", "TR"), ("Turkey", "TR"),
            ("Bosnia & Herzegovina", "BA"), ("bosnia and herzegovina", "BA"), ("NO", "NO"), ("Korea", "KP KR"),
            ("Georgia", "GE US"),
            ("EU", ""), ("ZZ", ""), ("Atlantis", ""), ("", ""), ("G\u0435rmany", ""),
        ],
    )  # fmt: skip
    def test_countries(self, text, codes):
        assert " ".join(meanings_of(text, "country")) == codes

    @pytest.mark.parametrize(
        ("text", "codes"),
        [
            ("eur", "EUR"), ("€", "EUR"), ("Euros", "EUR"), ("US dollars", "USD"), ("Swiss franc", "CHF"), ("yen", "JPY"),
            ("Zł", "PLN"), ("pounds sterling", "GBP"), ("US$", "USD"), ("$", "AUD CAD MXN USD"), ("kr", "DKK ISK NOK SEK"),
            ("¥", "CNY JPY"), ("krona", "ISK SEK"), ("points", ""),
        ],
    )  # fmt: skip
    def test_currencies(self, text, codes):
        assert " ".join(meanings_of(text, "currency")) == codes

    @pytest.mark.parametrize(
        ("text", "region", "number"),
        [
            ("+49 30 123456", None, "+4930123456"), ("0049 (30) 12 34-56", None, "+4930123456"),
            ("030/123456", "DE", "+4930123456"),
            ("(415) 555-2671", "US", "+14155552671"), ("011 49 30 123456", "US", "+4930123456"),
            ("+4930123456", "US", "+4930123456"),
            ("030 123456", None, None), ("+1 415 555 2671 x12", None, None), ("1-800-FLOWERS", "US", None),
            ("+999 123", None, None),
            ("٠٣٠ ١٢٣", "DE", None),
            ("+43 999 1234567", None, "+439991234567"), ("0999 1234567", "DE", None), ("+49 1", None, None),
        ],
    )  # fmt: skip
    def test_phones(self, text, region, number):
        assert meanings_of(text, "phone", region) == ((number,) if number else ())


class TestForms:
    def test_what_is_open_or_unknown_stays_unless_a_person_says_what_it_means(self):
        assert standard_form("$", "currency") == "$"
        assert standard_form("$ ", "currency", meanings={"$": "USD"}) == "USD"
        assert standard_form("Atlantis", "country") == "Atlantis"

    @given(TEXTS, st.sampled_from(["country", "currency", "phone"]), st.sampled_from([None, "DE", "US"]))
    def test_doing_it_again_changes_nothing(self, text, to, region):
        region = region if to == "phone" else None
        once = standard_form(text, to, region)
        assert standard_form(once, to, region) == once

    def test_a_batch_keeps_its_places_and_nulls(self):
        texts = pa.array(["Germany", None, "x", "FRA", "Germany"])
        assert _of_batch("country", None, {})(texts).to_pylist() == ["DE", None, "x", "FR", "DE"]
        assert _of_batch("country", None, {})(pa.array([], pa.string())).to_pylist() == []


class TestStep:
    @pytest.mark.parametrize(
        ("more", "says"),
        [
            ({"to": "country", "region": "DE"}, "region belongs to to: phone"),
            ({"to": "currency", "meanings": {"$": "dollars"}}, "must each become a code"),
        ],
    )
    def test_what_does_not_suit_it_is_refused(self, more, says):
        with pytest.raises(ValidationError, match=says):
            Standard(step="standard", source="s", column="c", **more)
