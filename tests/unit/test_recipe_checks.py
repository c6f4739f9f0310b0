"""What a policy says to steps that change its columns: types that later sections see, columns left out, rows that came twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.settings import Policy
from kveil.settings.recipe import Recipe
from pydantic import ValidationError

from tests.builders import shop

AMOUNT = {"sources__sales__columns__amount": "string"}
MONEY = {"clean__money": {"columns": {"amount": "paid"}, "currency": "EUR"}}


def step(kind, column, accept=True, **more):
    return {"step": kind, "source": "sales", "column": column, "accept": accept, **more}


def policy(*steps, **changes):
    return Policy.model_validate(shop(clean__recipe={"steps": list(steps)}, **changes))


def problems(*steps, **changes):
    return [sentence for _, sentence in policy(*steps, **changes).problems()]


class TestCast:
    def test_sections_after_the_recipe_see_the_type(self):
        cast = step("cast", "amount", to="decimal(12,2)")
        assert problems(**AMOUNT, **MONEY) == ["'amount' is string; allowed: a number"]
        assert problems({**cast, "accept": "ask"}, **AMOUNT, **MONEY) == ["'amount' is string; allowed: a number"]
        assert problems(cast, **AMOUNT, **MONEY) == []
        rule = {"clean__rules": [{"source": "sales", "column": "amount", "min": 0}], "clean__history": {"amount": "amount"}}
        assert len(problems(**AMOUNT, **rule)) == 2 and problems(cast, **AMOUNT, **rule) == []
        assert problems(step("cast", "town", to="bigint"), clean__categories=["town"]) == [
            "'town' is bigint; allowed: a string column"
        ]

    def test_a_time_may_be_a_text_that_is_cast(self):
        text = {"sources__sales__columns__bought_at": {"type": "string", "required": True}}
        assert len(problems(**text)) == 1
        assert problems(step("cast", "bought_at", to="timestamp"), **text) == []

    def test_the_contract_of_what_comes_in_stays(self):
        cast = policy(step("cast", "amount", to="date"), **AMOUNT)
        assert cast.sources["sales"].columns["amount"].type == "string"

    def test_a_column_has_one_type(self):
        two = [step("cast", "amount", to=to) for to in ("bigint", "date")]
        assert problems(*two, **AMOUNT) == ["2 steps cast of sales.amount are accepted; keep one of them"]
        assert problems(two[0], {**two[1], "accept": "ask"}, **AMOUNT) == []

    @pytest.mark.parametrize("to", ["int", "string", "decimal(39,2)", "decimal(5,6)", "decimal(0,0)", "decimal"])
    def test_other_types_are_refused(self, to):
        with pytest.raises(ValidationError, match="allowed: boolean, bigint"):
            Recipe(steps=[step("cast", "amount", to=to)])


class TestDrop:
    @pytest.mark.parametrize(
        ("changes", "users"),
        [
            ({"anonymize__insensitive__amount": "what was paid"}, "anonymize"),
            ({"clean__derive": {"more": "amount + 1"}}, "clean"),
            ({"clean__near_duplicates": {"by": ["amount"]}}, "clean"),
            ({"clean__categories": ["amount"]}, "clean"),
            ({"clean__expect": [{"rule": "not_null", "column": "amount"}]}, "clean"),
        ],
    )
    def test_what_is_used_elsewhere_is_told_in_one_sentence(self, changes, users):
        told = f"'amount' is used by {users}, so it cannot be left out; remove the step or that use"
        assert problems(step("drop", "amount"), **AMOUNT, **changes) == [told]
        assert problems(step("drop", "amount", accept=False), **AMOUNT, **changes) == []

    def test_what_nothing_uses_is_not_in_the_clean_table_and_its_name_is_free(self):
        assert "amount" not in policy(step("drop", "amount"), **AMOUNT).clean_columns()
        named = {"clean__derive": {"amount": "cents / 100"}}
        assert any("stand twice" in sentence for sentence in problems(**AMOUNT, **named))
        assert problems(step("drop", "amount"), step("merge", "amount"), **AMOUNT, **{"clean__derive": {"euros": "cents"}}) == []

    def test_of_a_name_in_two_sources_one_may_go(self):
        other = {"uri": "x", "columns": {"item": "string", "town": "string"}}
        joined = {"sources__shops": other, "clean__joins": [{"source": "shops", "by": "item"}]}
        drop = {**step("drop", "town"), "source": "shops"}
        assert problems(drop, **joined) == []
        assert "town" in policy(drop, **joined).clean_columns()
        (sentence,) = problems({**drop, "column": "item"}, **joined)
        assert "'item' is used by clean" in sentence

    def test_what_is_only_left_out_is_not_collected(self):
        assert "amount" not in policy(step("drop", "amount"), **AMOUNT).used_columns("sales")
        assert "amount" in policy(step("merge", "amount"), **AMOUNT).used_columns("sales")


class TestDuplicates:
    def test_it_says_what_near_duplicates_says(self):
        twice = step("duplicates", "bought_at", by=["customer", "cents"], seconds=5)
        near = policy(twice).clean.sent_twice
        assert (near.by, near.seconds) == (["customer", "cents"], 5)
        assert policy({**twice, "accept": "ask"}).clean.sent_twice is None
        assert problems(twice) == []

    @pytest.mark.parametrize(
        ("column", "by", "more", "says"),
        [
            ("cents", ["customer"], {}, "allowed: 'bought_at', the column clean.time"),
            ("bought_at", ["gone"], {}, "declares no column 'gone'"),
            ("bought_at", ["customer"], {"clean__near_duplicates": {"by": ["customer"]}}, "says already which rows came twice"),
        ],
    )
    def test_what_contradicts_the_policy_is_told(self, column, by, more, says):
        (sentence,) = problems(step("duplicates", column, by=by), **more)
        assert says in sentence


KINDS = [
    step("null_tokens", "town", tokens=["-"]), step("number", "town"),
    step("date", "town", patterns=["d/M/yyyy"], latest="2020-01-01"),
    step("standard", "town", to="country"), step("unusual", "town", shapes=["a"]), step("outlier", "town", max=3),
    step("merge", "town"), step("repair", "town"), step("fill", "town", value="x"), step("cast", "town", to="date"),
    step("drop", "town"), step("duplicates", "town", by=["item"]),
]  # fmt: skip


@given(st.permutations(KINDS))
def test_steps_are_applied_in_one_order_however_they_are_listed(steps):
    assert [one.step for one in Recipe(steps=steps).accepted("sales")] == [one["step"] for one in KINDS]
