"""Levels of an aggregate as its workers publish them: totals that add up, shown without doubt, each with noise of its own."""

from math import sqrt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kveil.anonymize.aggregates.bounding import HIGH, LIMB, LOW, SLOT
from kveil.anonymize.aggregates.cells import CELL, CODE, Grid
from kveil.anonymize.aggregates.design import design
from kveil.anonymize.aggregates.expected import expected
from kveil.anonymize.aggregates.results import CHUNK, Publisher, cells_per_chunk
from kveil.privacy.randomness import fresh_secret
from kveil.privacy.sensitivity import Sensitivity
from kveil.settings import Policy
from kveil.settings.aggregates import Aggregate

from tests.builders import shop
from tests.unit.test_settings import problems

CENTS = {"column": "cents", "lower": 0, "upper": 1000}
TOWNS = ["north", "south", "west"]
YEAR = {"every": "month", "first": "2024-01-01", "last": "2024-12-31"}
MONTHLY = {
    "group_by": {"town": {"values": TOWNS}, "date": YEAR},
    "levels": [[], ["town"]],
    "measures": {
        "purchases": {"kind": "count"},
        "spent": {"kind": "sum", **CENTS},
        "basket": {"kind": "mean", **CENTS},
        "sizes": {"kind": "histogram", "column": "cents", "edges": [0, 100, 3000]},
    },
    "epsilon": 12,
    "contribution": {"rows": 8, "groups": 8, "rows_per_group": 1},
}
TYPES = {"town": "string", "date": "date", "cents": "bigint"}
KEY = "anonymize.aggregates.monthly"


def made(**changes):
    return design(Aggregate.model_validate({**MONTHLY, **changes}))


def published(asked: Aggregate, exact: np.ndarray, secret: bytes = b"s" * 32, kept: int = 1) -> pd.DataFrame:
    """The rows of all cells, whose exact totals in units are [cells, width]."""
    publisher = Publisher(Grid(asked, TYPES, kept), design(asked), secret, "release")
    size, grains = (
        cells_per_chunk(publisher.design),
        np.repeat([total.noise.grain for total in publisher.design.totals], [total.items for total in publisher.design.totals]),
    )
    tables = []
    for chunk in range(-(-len(exact) // size)):
        cells = np.arange(chunk * size, min(len(exact), (chunk + 1) * size))
        fine = (exact[cells] * grains).astype(np.int64)
        columns = {
            CHUNK: np.full(fine.size, chunk), CELL: np.repeat(cells, fine.shape[1]), HIGH: (fine >> LIMB).ravel(),
            SLOT: np.tile(np.arange(fine.shape[1]), len(cells)), LOW: (fine & (2**LIMB - 1)).ravel(),
        }  # fmt: skip
        tables.append(publisher.published(pa.table(columns)))
    return pa.concat_tables(tables).to_pandas()


def test_every_level_is_the_sum_of_the_one_below_and_keeps_near_the_truth():
    asked = Aggregate.model_validate(MONTHLY)
    exact = np.random.default_rng(3).integers(0, 50_000, (36, design(asked).width))
    rows = published(asked, exact)
    for measure, slots in {"purchases": [0], "spent": [1], "sizes": [4, 5]}.items():
        mine = rows[rows.measure == measure]
        cells, towns, alone = (mine[mine.grouped_by == level] for level in ("town,date", "town", ""))
        assert (len(cells), len(towns), len(alone)) == (36 * len(slots), 3 * len(slots), len(slots))
        by = ["town", "item"]
        np.testing.assert_allclose(
            cells.groupby(by, dropna=False).value.sum(), towns.groupby(by, dropna=False).value.sum(), rtol=1e-9
        )
        assert towns.value.sum() == pytest.approx(alone.value.sum(), rel=1e-9)
        strayed = alone.value.to_numpy() - exact[:, slots].sum(axis=0)
        assert (abs(strayed) < 10 * alone.standard_error).all()
        assert (strayed != 0).all()
    mean = rows[(rows.measure == "basket") & (rows.grouped_by == "")]
    assert mean.value.item() == pytest.approx(500 + exact[:, 3].sum() / exact[:, 2].sum(), rel=0.01)


def test_what_is_rolled_up_has_a_null_key_and_its_level_says_so():
    rows = published(Aggregate.model_validate(MONTHLY), np.zeros((36, 6)))
    assert rows[rows.grouped_by == "town,date"][["town", "date"]].notna().all(axis=None)
    towns = rows[rows.grouped_by == "town"]
    assert set(towns.town) == set(TOWNS)
    assert towns.date.isna().all()
    assert rows[rows.grouped_by == ""][["town", "date"]].isna().all(axis=None)
    assert set(rows.grouped_by) == {"town,date", "town", ""}


def test_totals_of_unknown_groups_stay_within_each_of_them():
    unknown = {
        "group_by": {"date": YEAR, "town": "unknown"}, "levels": [["town"]], "measures": {"purchases": {"kind": "count"}},
        "selection": {"epsilon": 1, "delta": 1e-6},
    }  # fmt: skip
    asked = Aggregate.model_validate({**MONTHLY, **unknown})
    rows = published(asked, np.repeat([[1000], [2000]], 12, axis=0), kept=2)
    assert set(rows.grouped_by) == {"date,town", "town"}
    towns = rows[rows.grouped_by == "town"].set_index(CODE).value
    cells = rows[rows.grouped_by == "date,town"].groupby(CODE).value.sum()
    np.testing.assert_allclose(towns.sort_index(), cells.sort_index())
    assert abs(towns[1] - 24_000) < 1000


def test_a_chunk_holds_whole_trees():
    many = {"values": [f"t{i}" for i in range(5000)]}
    assert cells_per_chunk(made(group_by={"town": many, "date": YEAR}, levels=[["town"]])) == 341 * 12
    assert cells_per_chunk(made(group_by={"town": many, "date": YEAR}, levels=[[]])) == 60_000
    asked = Aggregate.model_validate({**MONTHLY, "group_by": {"town": many, "date": YEAR}, "levels": [["town"]],
                                      "measures": {"purchases": {"kind": "count"}}})  # fmt: skip
    rows = published(asked, np.zeros((60_000, 1)))
    sums = rows[rows.grouped_by == "town,date"].groupby("town").value.sum()
    totals = rows[rows.grouped_by == "town"].set_index("town").value
    np.testing.assert_allclose(totals.loc[sums.index], sums, atol=1e-6)


def test_each_level_draws_for_itself_and_again_the_same():
    asked = Aggregate.model_validate({**MONTHLY, "measures": {"purchases": {"kind": "count"}}})
    publisher = Publisher(Grid(asked, TYPES), design(asked), fresh_secret(), "release")
    zeros = np.zeros((3, 1), dtype=np.int64)
    drawn = [publisher.noisy(np.arange(3), zeros, zeros, place)[0] for place in range(3)]
    again = [publisher.noisy(np.arange(3), zeros, zeros, place)[0] for place in range(3)]
    assert all((one == two).all() for one, two in zip(drawn, again, strict=True))
    assert len(np.unique(np.concatenate(drawn))) == 9


def test_the_loss_is_split_over_the_levels_by_weight():
    weighted = made(levels=[{"by": [], "weight": 2}, ["town"]], measures={"purchases": {"kind": "count"}})
    (count,) = weighted.totals
    assert [noise.standard_error for noise in count.tree.noises] == pytest.approx([sqrt(2) * 8 * 4 / (12 * w) for w in (2, 1, 1)])
    assert weighted.loss == 12
    finest = made(levels=[[], {"by": ["date", "town"], "weight": 3}], measures={"purchases": {"kind": "count"}}).totals[0]
    assert [noise.standard_error for noise in finest.tree.noises] == pytest.approx([sqrt(2) * 8 * 4 / (12 * w) for w in (1, 3)])


def test_an_l1_norm_bounds_its_sums_and_an_l2_norm_only_with_it():
    (laplace,) = made(measures={"spent": {"kind": "sum", **CENTS}}).totals
    assert laplace.sensitivities == (Sensitivity(1, 8000),) * 3
    gaussian = {"mechanism": "gaussian", "delta": 1e-6, "contribution": {"rows": 80, "groups": 80, "rows_per_group": 1}}
    (count,) = made(measures={"purchases": {"kind": "count"}}, **gaussian).totals
    assert count.l1 == 80
    assert count.sensitivities == (Sensitivity(2, 36 * 80), Sensitivity(2, 12 * 80), Sensitivity(2, 80))
    assert len({noise.grain for noise in count.tree.noises}) == 1


def test_the_plan_tells_what_levels_bring():
    document = shop(anonymize__aggregates={"monthly": {**MONTHLY, "measures": {"purchases": {"kind": "count"}}}})
    lines = list(expected(Policy.model_validate(document).anonymize))
    plain = sqrt(2) * 8 / 12
    assert any(
        line.startswith("    over all groups: ") and f"{plain * 6:,.6g} without levels, added up" in line for line in lines
    )
    assert any(line.startswith("    by town: ") and f"{3 * plain:,.6g} before they add up" in line for line in lines)
    assert any(line.startswith("    by town, date: ") and f"{plain:,.6g} without levels" in line for line in lines)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"levels": [["town"]]}, "levels.0: found [town]; allowed: [], [date], [date, town]"),
        ({"levels": [["date", "date"]]}, "levels.0: found [date, date]; allowed"),
        ({"levels": [["date"], ["date"]]}, "levels.1: [date] stands twice"),
        ({"levels": [{"by": ["date"], "weight": 0}]}, "greater than or equal to 1"),
        ({"measures": {"buyers": {"kind": "people"}}}, "kind people has no levels"),
        (
            {"group_by": {"town": "unknown", "date": YEAR}, "levels": [[]], "selection": {"epsilon": 1, "delta": 1e-6}},
            "found []; allowed: [town], [town, date]",
        ),
        ({"group_by": {"grouped_by": {"values": ["x"]}}, "levels": []}, "grouped_by is a column of the result"),
    ],
)
def test_levels_that_make_no_sense_are_one_sentence(tmp_path, changes, says):
    # The file that is written has the columns in the order of the alphabet.
    document = shop(anonymize__aggregates={"monthly": {**MONTHLY, "levels": [["date"]], **changes}})
    found = problems(tmp_path, document)
    mine = [line for line in found if KEY in line]
    assert any(says in line for line in mine), found
    assert all("\n" not in line for line in found)
