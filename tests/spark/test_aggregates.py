"""Aggregates as an auditor would check them: recounted in pandas, with and without each customer, interrupted, repeated."""

from datetime import date
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from kveil.anonymize import aggregates, stage
from kveil.anonymize.aggregates import statistics
from kveil.anonymize.aggregates.bounding import HIGH, LIMB, LOW, PERSON, SLOT
from kveil.anonymize.aggregates.bounds import _counts as counts_of
from kveil.anonymize.aggregates.bounds import _total as bounds_total
from kveil.anonymize.aggregates.cells import CELL, Grid
from kveil.anonymize.aggregates.design import design
from kveil.context import Context
from kveil.errors import BudgetError, ContractError, GuaranteeError
from kveil.privacy.threshold import place_of, threshold_at, thresholds
from kveil.settings.aggregates import Aggregate
from kveil.settings.bounds import BoughtBounds
from kveil.tables.schema import AGGREGATE, AGGREGATE_GROUPS, AGGREGATE_SECRET, AGGREGATES, BUDGET_LEDGER, CLEAN, RELEASE, RELEASES
from pyspark.sql import functions as F

from tests.builders import booked, clean_rows, context, purchases, shop

ROWS = purchases(rows=1500)
TOWNS = ["east", "north", "nowhere", "south", "west"]
MONTHS = {"every": "month", "first": "2024-01-15", "last": "2024-04-01"}
CENTS = {"column": "cents", "lower": 0, "upper": 1000}
MONTHLY = {
    "group_by": {"town": {"values": TOWNS}, "date": MONTHS},
    "measures": {
        "purchases": {"kind": "count"},
        "buyers": {"kind": "people"},
        "spent": {"kind": "sum", **CENTS},
        "basket": {"kind": "mean", **CENTS},
        "spread": {"kind": "variance", **CENTS},
        "sizes": {"kind": "histogram", "column": "cents", "edges": [0, 100, 500, 3000]},
        "quartiles": {"kind": "quantiles", **CENTS, "bins": 10, "weight": 20},
        "favourites": {"kind": "top_k", "column": "item", "values": ["bread", "milk", "wine"], "k": 2},
    },
    "epsilon": 400,
    "contribution": {"rows": 600},
}
TOTALS = {
    "group_by": MONTHLY["group_by"],
    "levels": [[], {"by": ["town"], "weight": 2}],
    "measures": {
        **{name: MONTHLY["measures"][name] for name in ("purchases", "spent", "basket", "sizes")},
        "bought": {"kind": "sum", "column": "cents", "bounds": {"epsilon": 200, "at": [0, "0.9"], "within": [0, 10**7]}},
    },
    "epsilon": 50,
    "contribution": {"rows": 600},
}
TOWNS_FOUND = {
    "group_by": {"town": "unknown", "reduced": {"values": [False, True]}},
    "measures": {"buyers": {"kind": "people"}, "spent": {"kind": "sum", **CENTS}},
    "epsilon": 2,
    "delta": 1e-6,
    "mechanism": "gaussian",
    "contribution": {"rows": 40, "groups": 3, "rows_per_group": 20},
    "selection": {"epsilon": 10, "delta": 1e-6},
}
BUDGET = {"epsilon": 1000, "delta": 1e-3}


def prepared(store, asked, rows: pd.DataFrame = ROWS, **changes) -> Context:
    document = shop(anonymize__aggregates=asked, anonymize__budget=BUDGET, **changes)
    ctx = context(store, document, "anonymize")
    store.replace(ctx.ref(CLEAN), clean_rows(store.spark, rows))
    return ctx


def publish(ctx: Context) -> None:
    aggregates.published(ctx, aggregates.planned(ctx))


def published(ctx: Context, name: str) -> pd.DataFrame:
    return ctx.store.read(AGGREGATE.of(ctx.policy, aggregate=name)).toPandas()


@pytest.fixture(scope="module")
def released(module_store) -> Context:
    ctx = prepared(module_store, {"monthly": MONTHLY, "found": TOWNS_FOUND, "totals": TOTALS})
    aggregates.check(ctx)
    publish(ctx)
    return ctx


def one(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    return table[table.measure == measure].set_index(["town", "date"]).sort_index()


def test_every_public_group_appears_once_per_measure_and_item(released):
    monthly = published(released, "monthly")
    groups = {(town, date(2024, month, 1)) for town in TOWNS for month in (1, 2, 3, 4)}
    for _, rows in monthly.groupby(["measure", "item"], dropna=False):
        if rows.measure.iloc[0] != "favourites":
            assert set(zip(rows.town, rows.date, strict=True)) == groups
            assert len(rows) == len(groups)
    assert (one(monthly, "favourites").groupby(level=[0, 1]).size() == 2).all()


def test_numbers_are_those_of_pandas_within_their_noise(released):
    """All people are within the limits, so what is left of the difference is noise, whose size each row tells."""
    monthly = published(released, "monthly")
    rows = ROWS[ROWS.customer.notna() & ROWS.town.notna()].assign(
        date=[day.replace(day=1) for day in ROWS.date[ROWS.town.notna()]], cents=lambda each: each.cents.clip(0, 1000)
    )
    cells = rows.groupby(["town", "date"])
    truth = {
        "purchases": cells.size(), "buyers": cells.customer.nunique(), "spent": cells.cents.sum(),
        "basket": cells.cents.mean(), "spread": cells.cents.var(ddof=0),
    }  # fmt: skip
    for measure, expected in truth.items():
        found = one(monthly, measure).loc[expected.index]
        assert (abs(found.value - expected) < 12 * found.standard_error).all(), measure
        assert ((found.lower_95 <= found.value) & (found.value <= found.upper_95)).all(), measure
    empty = one(monthly, "purchases").loc["nowhere"]
    assert (abs(empty.value) < 12 * empty.standard_error).all()
    assert (empty.value != 0).any()
    median = monthly[(monthly.measure == "quartiles") & (monthly.item == "0.5")].set_index(["town", "date"]).value
    # Noise of some 7 rows says little of groups of fifty.
    large = cells.cents.median()[cells.size() > 200]
    assert len(large) >= 2
    assert abs(median.loc[large.index] - large).max() < 150
    sizes = monthly[monthly.measure == "sizes"].set_index(["town", "date", "item"])
    assert set(sizes.index.get_level_values("item")) == {"[0, 100)", "[100, 500)", "[500, 3000)"}


def test_unknown_groups_of_many_people_are_shown_and_null_is_no_group(released):
    found = published(released, "found")
    assert list(found) == ["town", "reduced", "grouped_by", "measure", "item", "value", "standard_error", "lower_95", "upper_95"]
    assert set(found.town) == {"east", "north", "south", "west"}
    assert len(found) == 4 * 2 * 2
    buyers = found[found.measure == "buyers"]
    truth = ROWS.dropna(subset=["town"]).groupby(["town", "reduced"]).customer.nunique()
    assert (abs(buyers.set_index(["town", "reduced"]).value - truth) < 12 * buyers.standard_error.iloc[0]).all()


def test_the_record_names_cost_and_error_and_nothing_exact_is_left(released):
    record = released.store.read(released.ref(AGGREGATES)).toPandas()
    assert set(record.measure[record["aggregate"] == "monthly"]) == set(MONTHLY["measures"])
    assert set(record.epsilon[record["aggregate"] == "monthly"]) == {400}
    assert set(record.epsilon[record["aggregate"] == "found"]) == {12}
    assert [released.store.version(released.ref(each)) for each in (AGGREGATE_SECRET, AGGREGATE_GROUPS)] == [None, None]
    account = released.store.read(released.ref(BUDGET_LEDGER)).toPandas()
    assert account.unit.tolist() == ["person"]
    assert account.spent_epsilon.tolist() == [662]


def test_totals_add_up_and_keep_near_those_of_pandas(released):
    totals = published(released, "totals")
    cells, towns, alone = (totals[totals.grouped_by == level] for level in ("town,date", "town", ""))
    assert [len(each) for each in (cells, towns, alone)] == [20 * 7, 5 * 7, 7]
    by = ["measure", "item", "town"]
    summed, shown = (each[each.measure != "basket"].fillna({"item": ""}).groupby(by).value.sum() for each in (cells, towns))
    np.testing.assert_allclose(shown, summed.loc[shown.index], rtol=1e-9, atol=1e-6)
    rows = ROWS[ROWS.customer.notna() & ROWS.town.notna()].assign(cents=ROWS.cents.clip(0, 1000))
    for level, truth in (("", rows), ("north", rows[rows.town == "north"])):
        mine = alone if not level else towns[towns.town == level]
        expected = {"purchases": len(truth), "spent": truth.cents.sum(), "basket": truth.cents.mean()}
        for measure, true in expected.items():
            (found,) = mine[mine.measure == measure].itertuples()
            assert abs(found.value - true) < 10 * found.standard_error, (level, measure)
    record = released.store.read(released.ref(AGGREGATES)).where("aggregate = 'totals' AND measure = 'spent'").toPandas()
    levels = record.set_index("grouped_by")
    assert levels.groups.to_dict() == {"town,date": 20, "town": 5, "": 1}
    assert (levels.standard_error < levels.standard_error_drawn).all()
    shown = totals[totals.measure == "spent"].groupby("grouped_by").standard_error.max()
    assert shown.to_dict() == levels.standard_error.to_dict()


def test_bought_bounds_are_near_the_quantile_shown_and_booked(released):
    record = released.store.read(released.ref(AGGREGATES)).where("measure = 'bought' AND grouped_by = 'town'")
    (row,) = record.collect()
    cents = ROWS[ROWS.customer.notna() & ROWS.town.notna()].cents
    assert row.lower == 0
    assert np.quantile(cents, 0.8) < row.upper < np.quantile(cents, 0.95)
    assert (row.bounds_epsilon, row.epsilon) == (200, 250)
    # A fifth of the epsilon of 50, and half of that for the towns.
    assert row.standard_error_drawn == pytest.approx(2**0.5 * 600 * row.upper / 5, rel=1e-6)
    totals = published(released, "totals")
    spent = totals[(totals.measure == "bought") & (totals.grouped_by == "town")].set_index("town").value
    truth = ROWS.assign(cents=ROWS.cents.clip(0, row.upper))[ROWS.customer.notna()].groupby("town").cents.sum()
    assert (abs(spent[truth.index] - truth) < 12 * row.standard_error).all()
    entries = [entry for entry in booked(released) if any(charge.mechanism == "bounds" for charge in entry.charges)]
    assert [[charge.what for charge in entry.charges] for entry in entries] == [["totals", "totals.bought.bounds"]]


def test_values_are_counted_between_thresholds_as_numpy_counts_them(spark):
    random, bounds = np.random.default_rng(4), BoughtBounds(epsilon=1, within=(-1000, 10**6))
    values = [int(value) for value in random.normal(0, 10**5, 300)] + list(range(-40, 40)) + [2**63 - 1, -(2**63), -1000, 10**6]
    rows = spark.createDataFrame([(1, value) for value in values], f"{PERSON} int, cents bigint")
    places = thresholds(*bounds.within)
    total = bounds_total("x", "cents", bounds, 10**4, len(places))
    found = [count / total.noise.grain for count in counts_of(rows, total, True)]
    # Values at an end of the range that is no threshold count with those from the last threshold on.
    expected = np.histogram(np.clip(values, *bounds.within), [*places, places[-1] + 1])[0]
    if places[-1] != threshold_at(place_of(places[-1])):
        expected[-2:] = [expected[-2] + expected[-1], 0]
    assert found == expected.tolist()


@pytest.mark.long
def test_running_again_draws_and_spends_nothing_and_an_earlier_release_comes_back(released):
    before = published(released, "monthly")
    publish(released)
    pd.testing.assert_frame_equal(published(released, "monthly"), before)
    other = prepared(released.store, {"monthly": {**MONTHLY, "epsilon": 300}, "found": TOWNS_FOUND, "totals": TOTALS})
    publish(other)
    assert not published(other, "monthly").value.equals(before.value)
    publish(released)
    pd.testing.assert_frame_equal(published(released, "monthly"), before)
    assert released.store.read(released.ref(BUDGET_LEDGER)).toPandas().spent_epsilon.tolist() == [962]
    with pytest.raises(BudgetError):
        publish(prepared(released.store, {"monthly": {**MONTHLY, "epsilon": 200}}))
    assert published(released, "monthly").equals(before)
    # Where the files of an earlier release are gone, a run says so before anything of it is booked or published.
    released.store.forget_history(AGGREGATE.of(released.policy, aggregate="monthly"))
    with pytest.raises(GuaranteeError, match=r"monthly: this release was published before, but version 1 of \S+ is gone"):
        stage.run(other)
    assert not any(released.store.exists(released.ref(table)) for table in (RELEASE, RELEASES))
    assert released.store.read(released.ref(BUDGET_LEDGER)).toPandas().spent_epsilon.tolist() == [962]
    assert published(released, "monthly").equals(before)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"monthly": {**MONTHLY, "delta": 0.2, "mechanism": "gaussian"}}, r"monthly\.delta: found 0\.2"),
        ({"monthly": MONTHLY, "again": {**MONTHLY, "epsilon": 601}}, r"this release costs 601 and 400 of 1000 is spent"),
    ],
    ids=["delta", "cap"],
)
def test_what_is_refused_of_an_aggregate_stops_the_run_before_its_rows_are_drawn(store, asked, says):
    ctx = prepared(store, asked)
    with pytest.raises((BudgetError, ContractError), match=says):
        stage.run(ctx)
    assert ctx.policy.anonymize.noise
    assert not any(store.exists(ctx.ref(table)) for table in (BUDGET_LEDGER, RELEASE, RELEASES))


def test_stopped_before_the_commit_and_started_again_the_noise_is_the_same(store, monkeypatch):
    bounds = {"epsilon": 1, "within": [0, 10**6]}
    measures = {"purchases": {"kind": "count"}, "spent": {"kind": "sum", "column": "cents", "bounds": bounds}}
    asked = {"monthly": {**MONTHLY, "epsilon": 1, "levels": [["town"]], "measures": measures}}
    ctx, drawn = prepared(store, asked), []
    real = ctx.store.replace

    def dies(ref, df, *rest, **options):
        if ref == AGGREGATE.of(ctx.policy, aggregate="monthly"):
            drawn.append(df.toPandas())
            drawn.append(df.repartition(5).sortWithinPartitions("town").coalesce(1).toPandas())
            raise KeyboardInterrupt
        real(ref, df, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ctx.store, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            publish(ctx)
    publish(ctx)
    keys = ["town", "date", "measure"]
    after = published(ctx, "monthly").sort_values(keys, ignore_index=True)
    for each in drawn:
        pd.testing.assert_frame_equal(each.sort_values(keys, ignore_index=True), after)
    assert ctx.store.read(ctx.ref(BUDGET_LEDGER)).toPandas().spent_epsilon.tolist() == [2]


WORLDS = 12
HARSH = {
    "group_by": {"world": {"values": list(range(WORLDS + 1))}, "town": {"values": TOWNS}},
    "measures": {
        "purchases": {"kind": "count"},
        "buyers": {"kind": "people"},
        "spent": {"kind": "sum", "column": "cents", "lower": -300, "upper": 700, "total": 900},
        "huge": {"kind": "sum", "column": "huge", "lower": -(2**45), "upper": 2**45},
        "spread": {"kind": "variance", "column": "cents", "lower": -300, "upper": 700},
        "sizes": {"kind": "quantiles", "column": "cents", "lower": -300, "upper": 700, "bins": 7},
    },
    "epsilon": 1,
    "delta": 1e-6,
    "contribution": {"rows": 5, "groups": 2, "rows_per_group": 3},
}


ALONE = {name: role for name, role in HARSH["measures"].items() if name != "buyers"}
WORLDS_OF = {
    "laplace": {"mechanism": "laplace"},
    "gaussian": {"mechanism": "gaussian"},
    "gaussian with totals": {"mechanism": "gaussian", "measures": ALONE, "levels": [["world"]]},
}


def totals_of(rows, asked: Aggregate) -> dict[tuple[int, int], int]:
    """Exact bounded totals in fine units by (cell, slot)."""
    found = statistics.exact_totals(rows, Grid(asked, dict(rows.dtypes)), design(asked), True).collect()
    return {(row[CELL], row[SLOT]): row[HIGH] * 2**LIMB + row[LOW] for row in found}


@pytest.mark.parametrize("case", WORLDS_OF)
def test_no_customer_changes_the_totals_by_more_than_is_claimed_under_any_partitioning(spark, case):
    """World 0 holds everybody, world i all but customer i; worlds are groups and have people of their own."""
    random = np.random.default_rng(5)
    size = 400
    person = np.minimum(random.geometric(0.15, size), WORLDS + 3)
    table = pd.DataFrame(
        {
            "who": person, "town": random.choice([*TOWNS[:4], None], size), "cents": random.integers(-900, 2000, size),
            "huge": random.choice([2**62, -(2**62), 2**44, 1, 0], size),
        }
    )  # fmt: skip
    values = [tuple(None if value is None else value for value in row) for row in table.astype(object).itertuples(index=False)]
    frame = spark.createDataFrame(values, "who int, town string, cents bigint, huge bigint")
    worlds = frame.crossJoin(spark.range(WORLDS + 1).select(F.col("id").cast("int").alias("world")))
    worlds = worlds.where("world <> who").withColumn(PERSON, F.concat_ws("/", "world", "who"))
    asked = Aggregate.model_validate({**HARSH, **WORLDS_OF[case]})
    made, found = design(asked), totals_of(worlds.coalesce(1), asked)
    assert totals_of(worlds.repartition(7, "cents"), asked) == found
    reached = {(total.slot, level): Fraction(0) for total in made.totals for level in range(len(made.levels))}
    for world in range(1, WORLDS + 1):
        for total in made.totals:
            slots = range(total.slot, total.slot + total.items)
            changes = np.array(
                [
                    [found.get((town, slot), 0) - found.get((world * len(TOWNS) + town, slot), 0) for slot in slots]
                    for town in range(len(TOWNS))
                ],
                dtype=object,
            )
            for place, level in enumerate(made.levels):
                sums = changes.reshape(-1, level.below, total.items).sum(axis=1)
                power = total.sensitivity.power
                norm = int((abs(sums) ** power).sum())
                most = total.sensitivities[place].bound * total.noise.grain**power
                assert norm <= most, (total.measure, total.adds, level, world)
                reached[total.slot, place] = max(reached[total.slot, place], Fraction(norm, most))
    # A bound that nobody comes near would pay for noise that is not needed; sums come less near where signs cancel out,
    # squares where the L1 norm is bounded as well.
    finest = [share for (_, place), share in reached.items() if place == len(made.levels) - 1]
    assert min(finest) > (Fraction(1, 5) if asked.levels else Fraction(1, 3))
    assert reached[0, 0] > (1 - Fraction(1, 10**6) if not asked.levels else Fraction(1, 2))


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({**MONTHLY, "delta": 0.2, "mechanism": "gaussian"}, r"monthly\.delta: found 0\.2"),
        ({**MONTHLY, "group_by": {"age": {"values": ["x"]}}}, r"group_by\.age: .* is int"),
        ({**MONTHLY, "group_by": {"town": MONTHS}}, r"group_by\.town: .* is string"),
        ({**MONTHLY, "measures": {"x": {"kind": "sum", **CENTS, "column": "town"}}}, r"measures\.x\.column: .* is string"),
    ],
)
def test_what_the_table_cannot_give_is_one_sentence_and_nothing_is_spent(released, asked, says):
    ctx = prepared(released.store, {"monthly": asked})
    before = ctx.store.version(ctx.ref(BUDGET_LEDGER))
    with pytest.raises(ContractError, match=says) as caught:
        aggregates.check(ctx)
        publish(ctx)
    assert "\n" not in str(caught.value)
    assert ctx.store.version(ctx.ref(BUDGET_LEDGER)) == before
