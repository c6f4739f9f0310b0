"""What an aggregate costs and how far it strays, told from the policy alone; and what a policy may not ask."""

from contextlib import nullcontext
from fractions import Fraction as Q
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.aggregates.checks import check_delta, check_noise
from kveil.anonymize.aggregates.cost import charges
from kveil.anonymize.aggregates.design import design
from kveil.anonymize.aggregates.expected import expected
from kveil.anonymize.aggregates.request import Request
from kveil.cli import main
from kveil.errors import ContractError
from kveil.privacy.estimates import most_frequent, of_mean, of_quantile, of_variance
from kveil.privacy.sensitivity import Limits, Noise, Sensitivity, noise_of
from kveil.settings import Policy
from kveil.settings.aggregates import Aggregate

from tests.builders import shop
from tests.unit.test_settings import problems, written

CENTS = {"column": "cents", "lower": 0, "upper": 1000}
QUARTERS = {"every": "quarter", "first": "2024-02-01", "last": "2024-12-31"}
MONTHLY = {
    "group_by": {
        "town": {"values": ["north", "south"]},
        "date": {"every": "quarter", "first": "2024-02-01", "last": "2024-12-31"},
    },
    "measures": {"purchases": {"kind": "count"}, "spent": {"kind": "sum", **CENTS}},
    "epsilon": 1,
    "contribution": {"rows": 32, "groups": 16, "rows_per_group": 2},
}


def made(**changes):
    return design(Aggregate.model_validate({**MONTHLY, **changes}))


def test_laplace_noise_is_the_bound_over_the_measures_part_of_epsilon():
    purchases, spent = made().totals
    assert purchases.sensitivity == Sensitivity(1, 32)
    assert purchases.noise.standard_error == pytest.approx(sqrt(2) * 64)
    assert spent.noise.standard_error == pytest.approx(sqrt(2) * 64_000)
    heavy = made(measures={"purchases": {"kind": "count", "weight": 3}, "spent": {"kind": "sum", **CENTS, "total": 9000}}).totals
    assert heavy[0].noise.standard_error == pytest.approx(sqrt(2) * 32 * 4 / 3)
    assert heavy[1].sensitivity.bound == 9000


@pytest.mark.parametrize("delta", [None, 1e-6])
def test_groups_of_disjoint_people_cost_what_one_costs_and_months_do_not(delta):
    """Parallel composition over people: nobody is in two home branches, and everybody may be in many months."""

    def by_branch(branches, groups):
        keys = {"values": [f"branch {i}" for i in range(branches)]}
        limits = {"groups": groups, "rows_per_group": 4}
        return Aggregate.model_validate({**MONTHLY, "group_by": {"branch": keys}, "contribution": limits, "delta": delta})

    one, fifty, months = by_branch(1, 1), by_branch(50, 1), by_branch(50, 3)
    noises = [[total.noise for total in design(asked).totals] for asked in (one, fifty, months)]
    assert noises[0] == noises[1]
    assert all(more.standard_error > 1.7 * noise.standard_error for noise, more in zip(noises[0], noises[2], strict=True))
    costs = [charges(Request.of("sales", asked, "id")) for asked in (one, fifty)]
    assert costs[0] == costs[1]


def test_gaussian_noise_is_chosen_where_its_error_is_smaller():
    many = {"rows": None, "groups": 400, "rows_per_group": 1}
    few = {"rows": 1}
    assert made(delta="1e-6", contribution=many).mechanism == "gaussian"
    assert made(delta="1e-6", contribution=few).mechanism == "laplace"
    assert made(contribution=many).mechanism == "laplace"
    gaussian = made(delta="1e-6", mechanism="gaussian", contribution=many)
    rho = gaussian.loss / 2
    assert gaussian.totals[0].sensitivity == Sensitivity(2, 400)
    assert gaussian.totals[0].noise.standard_error == pytest.approx(sqrt(400 / (2 * rho)), rel=1e-6)
    assert gaussian.totals[1].sensitivity == Sensitivity(2, 400 * 10**6)


@given(st.integers(1, 50), st.integers(1, 50), st.integers(1, 50), st.integers(1, 50))
def test_what_is_within_the_limits_is_within_the_norms(rows, groups, per_group, seed):
    counts = np.random.default_rng(seed).integers(1, per_group + 1, groups)
    counts = counts[np.cumsum(counts) <= rows]
    limits = Limits(rows, groups, per_group)
    assert counts.sum() <= limits.l1
    assert (counts**2).sum() <= limits.l2_squared


@given(st.integers(1, 2**50), st.integers(1, 10**12), st.integers(1, 2**50))
def test_noise_is_never_less_than_the_loss_demands_and_fits_the_samplers(bound, nano, largest):
    loss = Q(nano, 10**9)
    laplace = noise_of(Sensitivity(1, bound), loss, largest)
    assert laplace.parameter >= bound * laplace.grain / loss
    assert laplace.parameter <= bound * laplace.grain / loss * (1 + Q(1, 10**6))
    if bound / loss < 2**49:
        assert laplace.parameter < 2**55
    assert laplace.grain * max(bound, largest) <= 2**50
    gaussian = noise_of(Sensitivity(2, bound), loss, largest)
    assert gaussian.parameter >= bound * gaussian.grain**2 / (2 * loss)


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
@pytest.mark.parametrize("parameter", [Q(1, 3), Q(2), Q(500)])
def test_half_widths_hold_what_they_say(mechanism, parameter):
    noise = Noise(mechanism, parameter, 1)
    x = np.arange(-20_000, 20_001)
    weight = np.exp(-np.abs(x) / float(parameter)) if mechanism == "laplace" else np.exp(-(x**2) / (2 * float(parameter)))
    weight /= weight.sum()
    inside = weight[np.abs(x) <= noise.half_width()].sum()
    assert inside >= 0.95
    assert weight[np.abs(x) < noise.half_width() - 2].sum() < 0.95
    assert sqrt((weight * x**2).sum()) <= noise.standard_error * (1 + 1e-9)


def test_means_and_variances_of_totals_without_noise_are_exact():
    values = np.array([10.0, 40.0, 990.0])
    centred = values - 500
    exact = Noise("laplace", Q(1, 10**6), 1)
    rows, total, squares = (np.array([each]) for each in (3.0, centred.sum(), (centred**2 - 125_000).sum()))
    mean = of_mean(rows, total, (exact, exact), 500, 0, 1000)
    assert mean.value[0] == pytest.approx(values.mean())
    variance = of_variance(rows, total, squares, (exact, exact, exact), 500, 125_000)
    assert variance.value[0] == pytest.approx(values.var())
    lost = of_mean(np.array([-3.0]), total, (exact, exact), 500, 0, 1000)
    assert (lost.lower[0], lost.upper[0]) == (0, 1000)


@pytest.mark.parametrize("rows", [200.0, 5000.0])
def test_intervals_of_means_and_quantiles_hold_the_truth_nineteen_times_of_twenty(rows):
    random = np.random.default_rng(8)
    noise, draws = Noise("laplace", Q(10), 1), 4000
    noisy_rows = rows + random.laplace(0, 10, draws)
    mean = of_mean(
        noisy_rows, 100 * rows + 300 * random.laplace(0, 10, draws), (noise, Noise("laplace", Q(3000), 1)), 500, 0, 1000
    )
    held = ((mean.lower <= 600) & (mean.upper >= 600)).mean()
    assert held > 0.93
    bins = np.full((draws, 20), rows) + random.laplace(0, 10, (draws, 20))
    median = of_quantile(bins, noise, 0.5, np.linspace(0, 100, 21))
    assert ((median.lower <= 50) & (median.upper >= 50)).mean() > 0.93
    assert abs(median.value.mean() - 50) < 1


def test_the_most_frequent_come_in_order():
    assert most_frequent(np.array([[1.0, 9.0, 5.0], [2.0, 2.0, 3.0]]), 2).tolist() == [[1, 2], [2, 0]]


@pytest.mark.parametrize("changes", [{"epsilon": "1e-9"}, {"epsilon": "0.001", "delta": 1e-6, "mechanism": "gaussian"}])
def test_noise_that_does_not_fit_is_refused_before_anything_is_spent(changes):
    huge = {"spread": {"kind": "variance", "column": "cents", "lower": 0, "upper": 2**20}}
    asked = Aggregate.model_validate({**MONTHLY, "measures": huge, "contribution": {"rows": 200}, **changes})
    with pytest.raises(ContractError, match=r"monthly\.measures\.spread: a standard error of .* does not fit 64 bits"):
        check_noise("monthly", asked)
    check_noise("monthly", asked.model_copy(update={"epsilon": 1}))


@pytest.mark.parametrize(("approximately", "refused"), [(1000, True), (900, True), (700, False)])
def test_a_delta_is_held_against_the_most_people_that_an_approximate_count_may_stand_for(approximately, refused):
    asked = Aggregate.model_validate(
        {
            "group_by": {"town": {"values": ["x"]}}, "measures": {"n": {"kind": "count"}}, "epsilon": 1, "delta": "0.001",
            "mechanism": "gaussian", "contribution": {"rows": 1},
        }
    )  # fmt: skip
    with pytest.raises(ContractError, match=r"monthly\.delta: found 0\.001") if refused else nullcontext():
        check_delta("monthly", asked, approximately)


def test_an_unknown_group_costs_its_choice_as_well():
    asked = Aggregate.model_validate(
        {**MONTHLY, "group_by": {"town": "unknown"}, "selection": {"epsilon": "0.25", "delta": "1e-7"}, "delta": "1e-6",
         "mechanism": "gaussian"}
    )  # fmt: skip
    measures, choice = charges(Request.of("monthly", asked, "id"))
    assert (measures.epsilon, measures.delta, measures.unit) == (10**9, Q(1, 10**6), "person")
    assert measures.rho > 0
    assert (choice.epsilon, choice.delta) == (25 * 10**7, Q(1, 10**7))


def test_the_plan_tells_cost_bound_and_error_and_reads_no_data(tmp_path, capsys):
    document = shop(anonymize__aggregates={"monthly": MONTHLY})
    lines = list(expected(Policy.model_validate(document).anonymize))
    assert lines[0] == "monthly: 8 public groups, epsilon 1"
    assert any("purchases (count): standard error 90.5" in line for line in lines)
    main(["plan", written(tmp_path, document)])
    assert capsys.readouterr().out.splitlines() == lines


KEY = "anonymize.aggregates.monthly"


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"epsilon": 0}, "epsilon", "greater than 0"),
        ({"epsilon": -1}, "epsilon", "greater than 0"),
        ({"epsilon": float("inf")}, "epsilon", "finite"),
        ({"epsilon": 10**6}, "epsilon", "less than or equal to 1000"),
        ({"delta": 1}, "delta", "less than 1"),
        ({"mechanism": "gaussian"}, "", "needs delta"),
        ({"epsilon": "0.0001", "delta": 1e-9}, "", "epsilon: found 0.0001; with delta"),
        ({"measures": {"x": {"kind": "sum", "column": "cents", "lower": 9, "upper": 0}}}, "measures.x", "lower must be below"),
        ({"measures": {"x": {"kind": "sum", "column": "cents", "lower": 0, "upper": 2**64}}}, "measures.x", "64 bits"),
        ({"measures": {"x": {"kind": "sum", "column": "cents", "lower": 0, "upper": 2**60}}}, "", "64 bits"),
        ({"measures": {"x": {"kind": "sum", "column": "cents"}}}, "measures.x", "needs lower, upper"),
        ({"measures": {"x": {"kind": "count", "column": "cents"}}}, "measures.x", "knows no column"),
        ({"measures": {"x": {"kind": "histogram", "column": "cents"}}}, "measures.x", "edges or values"),
        ({"measures": {"x": {"kind": "top_k", "column": "item", "values": ["a"], "k": 2}}}, "measures.x", "larger than"),
        ({"measures": {"x": {"kind": "mean", **CENTS, "column": "gold"}}}, "measures.x.column", "no column 'gold'"),
        ({"group_by": {"town": {"values": ["north", None]}}}, "group_by.town.values", "null is no public key"),
        ({"group_by": {"town": {"values": [1.5]}}}, "group_by.town.values", "not a float"),
        ({"group_by": {"town": {"values": ["a", "a"]}}}, "group_by.town.values", "twice: a"),
        ({"group_by": {"town": {}}}, "group_by.town", "public keys"),
        ({"group_by": {"date": {"every": "month", "first": "2024-02-01", "last": "2024-01-01"}}}, "group_by.date", "after last"),
        ({"group_by": {"customer": {"values": [1]}}}, "group_by.customer", "privacy unit"),
        ({"group_by": {"town": "unknown"}}, "", "belong together"),
        ({"contribution": {"groups": 3}}, "", "contribution needs rows"),
        ({"contribution": {"rows": 0}}, "contribution.rows", "greater than or equal to 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path, changes, key, says):
    found = problems(tmp_path, shop(anonymize__aggregates={"monthly": {**MONTHLY, **changes}}))
    place = f": {KEY}.{key}: " if key else f": {KEY}: "
    mine = [line for line in found if place in line]
    assert mine, found
    assert any(says in line for line in mine), mine
    assert all("\n" not in line for line in found)


def test_aggregates_without_a_budget_are_refused(tmp_path):
    document = shop(anonymize__aggregates={"monthly": MONTHLY}, anonymize__budget=None, anonymize__noise={})
    assert "aggregates needs a budget" in problems(tmp_path, document)[0]
