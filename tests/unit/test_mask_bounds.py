"""Bounds of top coding that are bought: what a policy may ask, what it costs, and that both accounts are booked or neither."""

from decimal import Decimal
from fractions import Fraction
from types import SimpleNamespace

import pytest
import yaml
from kveil.anonymize import booking, ledger
from kveil.anonymize.aggregates.expected import expected
from kveil.anonymize.identity import guarantee_id
from kveil.anonymize.ledger import Charge
from kveil.anonymize.masking.columns import check_types, type_of
from kveil.errors import BudgetError, ContractError, SettingsError
from kveil.settings import Policy, load
from kveil.settings.mask import BoughtTopBottom

from tests.builders import shop
from tests.unit.test_ledger import ctx_of, tables

__all__ = ["tables"]
SPENT = {
    "technique": "top_bottom", "quantiles": {"lower": "0.01", "upper": "0.99"}, "within": {"lower": 0, "upper": 10**6},
    "epsilon": "0.5", "linkable": True, "reason": "a test",
}  # fmt: skip
COLUMNS = {**shop()["sources"]["sales"]["columns"], "spent": "bigint"}


def document(mask=SPENT, **changes):
    return shop(anonymize__mask={"spent": mask}, sources__sales__columns=COLUMNS, **changes)


def test_what_is_bought_is_what_aggregates_buy():
    role = Policy.model_validate(document()).anonymize.mask["spent"]
    assert isinstance(role, BoughtTopBottom) and role.rows_per_person == 1
    assert (role.bounds.at, role.bounds.within) == ((Decimal("0.01"), Decimal("0.99")), (0, 10**6))
    above = Policy.model_validate(document({**SPENT, "quantiles": {"upper": "0.99"}})).anonymize.mask["spent"]
    assert above.bounds.asked == [(1, Decimal("0.99"))]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"quantiles": {}}, "quantiles: 0 and 1 are the outer range itself"),
        ({"quantiles": {"lower": "0.9", "upper": "0.1"}}, "quantiles: the first share"),
        ({"quantiles": {"upper": 1}}, "less than 1"),
        ({"within": {"lower": 5, "upper": 5}}, "within: the first number must be below"),
        ({"within": {"lower": 0, "upper": 2**63}}, "coarser unit"),
        ({"epsilon": 0}, "greater than 0"),
        ({"epsilon": None}, "epsilon: is missing"),
        ({"rows_per_person": 0}, "greater than or equal to 1"),
        ({"lower": 5}, "lower: is no known key"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, changes, told):
    path = tmp_path / "policy.yml"
    mask = {key: value for key, value in {**SPENT, **changes}.items() if value is not None}
    path.write_text(yaml.safe_dump(document(mask)))
    with pytest.raises(SettingsError) as error:
        load(path)
    (line,) = error.value.problems
    assert "anonymize.mask.spent" in line and told in line


def test_bounds_need_a_budget_and_a_release_that_is_made_once(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text(yaml.safe_dump(document(anonymize__incremental=True, anonymize__budget=None, anonymize__noise={})))
    with pytest.raises(SettingsError) as error:
        load(path)
    said = str(error.value)
    assert "buys bounds for spent and needs a budget" in said
    assert "an incremental release would buy again for every slice" in said


def test_whole_numbers_alone_can_be_counted_between_thresholds():
    role = Policy.model_validate(document()).anonymize.mask["spent"]
    check_types({"spent": "bigint"}, {"spent": role})
    assert type_of(role, "bigint") == "bigint"
    for kind, told in (("double", "top_bottom masks tinyint"), ("smallint", "within.upper: found 1000000")):
        with pytest.raises(ContractError, match=rf"anonymize\.mask\.spent.*{told}"):
            check_types({"spent": kind}, {"spent": role})


def test_public_bounds_make_the_release_that_they_made_before_any_could_be_bought():
    public = {"technique": "top_bottom", "lower": 0, "upper": 100, "reason": "r"}
    assert guarantee_id(Policy.model_validate(shop(anonymize__mask={"spent": public}))) == "cbce5a498424b2e4"


def test_the_plan_adds_what_masks_buy():
    lines = list(expected(Policy.model_validate(document()).anonymize))
    assert lines[0] == "mask spent: epsilon 0.5 for bounds"
    assert "0.01 and 0.99, bought within [0, 1,000,000]; of a person 1 rows count whole" in lines[1]
    assert lines[2].startswith("together: epsilon 0.5, delta 0 per person and data; the budget is 1.5")


def paying(epsilon):
    ctx = ctx_of(epsilon=epsilon)
    policy = Policy.model_validate(document(anonymize__budget={"epsilon": epsilon}))
    return SimpleNamespace(**{**vars(ctx), "policy": policy})


def states(tables):
    found = [(account.unit, entry) for account in tables.accounts.values() for entry in account.entries]
    return {(unit, entry.release_id): (entry.state, entry.cost.epsilon) for unit, entry in found}


def test_noise_is_booked_per_row_and_bounds_per_person(tables):
    ctx = paying(1)
    booking.reserve(ctx, "r", ["{}"])
    booking.drawn(ctx, "r")
    booking.reserve(ctx, "r", ["{}"])
    booking.committed(ctx, "r", 3)
    assert states(tables) == {
        ("row", "r"): ("committed", Decimal(1)),
        ("person", "r-bounds"): ("committed", Decimal("0.5")),
    }


def test_what_one_account_cannot_pay_is_booked_on_neither(tables):
    ctx = paying(1)
    ledger.reserve(ctx, "before", [Charge("laplace", 6 * 10**8, Fraction(), Fraction(), "count")])
    with pytest.raises(BudgetError, match=r"costs 0\.5 and 0\.6 of 1 is spent"):
        booking.reserve(ctx, "r", ())
    assert states(tables)["row", "r"][0] == "cancelled"
    assert ("person", "r-bounds") not in states(tables)


def test_what_was_drawn_is_not_given_back(tables):
    ctx = paying(1)
    booking.reserve(ctx, "r", ())
    booking.drawn(ctx, "r")
    booking.cancelled(ctx, "r")
    assert {state for state, _ in states(tables).values()} == {"drawn"}
