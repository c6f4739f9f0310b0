"""What a partition publishes of its values: nothing that fewer than k of its people hold, and rows find their class again."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize.columns import TREE, of_staging
from kveil.anonymize.kernel import Kernel
from kveil.privacy.coding import NULL, Coding
from kveil.privacy.frozen import frozen
from kveil.privacy.grain import holders, ordered_cells
from kveil.privacy.labels import OTHERS
from kveil.privacy.own_values import own_column
from kveil.privacy.round_numbers import ListedPlaces, RoundDays, RoundNumbers
from kveil.privacy.taxonomy import Taxonomy
from kveil.settings.anonymize import Anonymize

from tests.oracles.unwrapped import where

K = 5
EXTREME, VILLAGE, DAY = 98_765_432, "Quellenhof", np.datetime64("1903-05-17")


def days(text: str) -> int:
    return int(np.datetime64(text, "D").astype(int))


@given(
    st.lists(st.one_of(st.integers(-60, 60), st.integers(-(10**9), 10**9)), min_size=1, max_size=150),
    st.integers(1, 40),
    st.integers(2, 8),
    st.sampled_from([RoundNumbers(), RoundDays(), ListedPlaces()]),
)
def test_every_cell_is_held_by_k_people_and_every_value_lies_in_one(values, people, k, roundest):
    held, who = np.array(values) // (1 if isinstance(roundest, RoundNumbers) else 2000), np.arange(len(values)) % people
    cells = ordered_cells(holders(held, who), k, roundest)
    inside = (held[:, None] >= cells.low) & (held[:, None] <= cells.high)
    assert inside.any(axis=1).all()
    everybody = len(set(who.tolist()))
    for cell in range(len(cells.low)):
        mine = inside[:, cell]
        assert len(set(who[mine].tolist())) >= min(k, everybody)
        assert (cells.of(held[mine]) == cell).all()
    assert (cells.low[1:] > cells.high[:-1]).all()


@given(st.lists(st.integers(0, 100_000), min_size=20, max_size=60, unique=True))
def test_no_end_is_a_rare_extreme(values):
    """The lowest and the highest, which one person holds, lie strictly inside."""
    held = np.array(values)
    cells = ordered_cells(holders(held, np.arange(len(held))), K, RoundNumbers())
    assert cells.low[0] < held.min() and cells.high[-1] > held.max()


def test_a_range_ends_at_a_round_number_or_day():
    salaries = np.append(np.repeat(np.arange(30_107, 39_107, 100), 1), EXTREME)
    cells = ordered_cells(holders(salaries, np.arange(len(salaries))), 10, RoundNumbers())
    assert cells.high[-1] == 99_999_999
    assert all(low % 500 == 0 for low in cells.low[1:].tolist())
    born = np.array([days(f"19{year:02}-07-09") for year in range(3, 99)])
    cells = ordered_cells(holders(born, np.arange(len(born))), 10, RoundDays())
    starts = [str(np.datetime64(low, "D")) for low in cells.low.tolist()]
    assert all(start.endswith("-01-01") for start in starts)


def test_a_value_that_k_people_hold_is_told_as_it_is():
    held = np.repeat([1, 2, 3, 7], 10)
    cells = ordered_cells(holders(held, np.arange(40)), 10, RoundNumbers())
    assert cells.low.tolist() == cells.high.tolist() == [1, 2, 3, 7]


def test_the_rows_of_one_customer_do_not_make_a_value_common():
    coding = Coding("town", "category", values=("big", "mine"), highest=1)
    codes = np.array([0] * 10 + [1] * 50)
    own = own_column(coding, codes, np.append(np.arange(10), np.full(50, 3)), 10)
    assert own.coding.values == ("big", OTHERS)
    assert own.coding.codes(np.array(["mine", "elsewhere", "big", None], dtype=object)).tolist() == [1, 1, 0, NULL]


POSTCODES = ["10115", "10117", "10119", "10243", "20095", "80331"]


def test_a_hierarchy_names_the_lowest_nodes_that_k_people_hold():
    paths = [(code, code[:3] + "**", "*") for code in POSTCODES]
    given_coding = Coding.of_taxonomy("post", Taxonomy.of_paths(paths), prefix=(5, "*", (2,)))
    #            common, two rare ones that are common together with it, a rare one alone in its group
    held = {"10115": 6, "10117": 2, "10119": 2, "10243": 1, "20095": 6, "80331": 1}
    texts = np.array([code for code, people in held.items() for _ in range(people)], dtype=object)
    own = own_column(given_coding, given_coding.codes(texts), np.arange(len(texts)), K)
    assert set(own.coding.taxonomy.names) == {"*", "101**", "10115", "200**", "20095"}
    assert own.coding.codes(texts).tolist() == own.codes.tolist()
    assert own.coding.codes(np.array(["10199", "99999", None], dtype=object)).tolist() == [0, 0, NULL]
    assert Coding.from_dict(own.coding.to_dict()).codes(texts).tolist() == own.codes.tolist()


def test_an_interval_of_few_people_is_told_by_the_wider_one():
    paths = [(str(age), f"{age // 10 * 10} .. {age // 10 * 10 + 9}", "*") for age in range(20, 110)]
    cells = tuple((age, age) for age in range(20, 110))
    given_coding = Coding.of_taxonomy("age", Taxonomy.of_paths(paths), "number", cells)
    ages = np.array([25] * 8 + [31, 32, 33, 34, 35] + [103])
    own = own_column(given_coding, given_coding.codes(ages.astype(float)), np.arange(len(ages)), K)
    assert "103" not in own.coding.taxonomy.names and "31" not in own.coding.taxonomy.names
    assert {"25", "30 .. 39"} <= set(own.coding.taxonomy.names)
    assert own.coding.codes(ages.astype(float)).tolist() == own.codes.tolist()


def planted(people: int = 120) -> pd.DataFrame:
    """People of whom one has a village, one an extreme and one a day of their own."""
    random = np.random.default_rng(3)
    rows = pd.DataFrame(
        {
            "customer": np.arange(people),
            "income": random.integers(20_000, 80_000, people),
            "town": random.choice(["Aachen", "Bonn", "Celle"], people),
            "date": np.datetime64("2024-01-01") + random.integers(0, 60, people),
            "split": "train",
            "item": random.choice(["books", "bread"], people),
        }
    )
    rows.loc[3, "income"] = EXTREME
    rows.loc[4, "town"] = VILLAGE
    rows["date"] = rows.date.dt.date
    rows.loc[5, "date"] = DAY.item()
    return rows


def kernel(algorithm: str) -> Kernel:
    settings = Anonymize.model_validate(
        {
            "release": "r", "k": K, "algorithm": algorithm, "partition_by": ["split"],
            "quasi_identifiers": {
                "income": {"kind": "number"}, "town": {"kind": "category"}, "date": {"kind": "date"},
            },
            "insensitive": {"item": "plays no part"},
        }
    )  # fmt: skip
    arrow = {"string": pa.string(), "binary": pa.binary(), "bigint": pa.int64(), "double": pa.float64(), "date": pa.date32()}
    schema = pa.schema(
        [(name, arrow[kind]) for name, kind in of_staging(settings, {"split": "string", "item": "string"}).items()]
    )
    rows = planted()
    # What the whole table holds goes further still: rows of other partitions, that are not released.
    codings = (
        Coding("income", "number", lowest=1, highest=987_654_321),
        Coding("town", "category", values=(*sorted({*rows.town, "Zwergdorf"}),), highest=4),
        Coding("date", "date", lowest=-40_000, highest=30_000),
    )
    return Kernel(settings, codings, "customer", schema)


@pytest.mark.parametrize("algorithm", ["mondrian", "local_recoding"])
def test_a_partition_tells_no_value_of_one_person_and_serving_finds_every_class(algorithm, tmp_path):
    rows = planted()
    made = kernel(algorithm).released(pa.Table.from_pandas(rows, preserve_index=False))
    tree = made.filter(pa.compute.is_valid(made[TREE]))
    released = made.filter(pa.compute.is_null(made[TREE])).drop_columns([TREE, "kveil_person"])
    (tmp_path / "tree").write_bytes(tree[TREE][0].as_py())
    pq.write_table(released, tmp_path / "rows.parquet")
    needles = [EXTREME, VILLAGE, DAY, "Zwergdorf", 987_654_321, 987_654_320]
    assert where([tmp_path], needles) == []
    assert where([tmp_path], ["Bonn"])  # the search does find what is there

    served = frozen([tree[TREE][0].as_py()])
    columns = {
        "income": rows.income.to_numpy(float),
        "town": rows.town.to_numpy(object),
        "date": rows.date.to_numpy("datetime64[D]"),
    }
    labels = served.shows("label", columns)
    mine = pd.DataFrame({name: labels[name] for name in ("income", "town", "date")}).value_counts().sort_index()
    theirs = released.select(["income", "town", "date"]).to_pandas().value_counts().sort_index()
    if algorithm == "mondrian":
        pd.testing.assert_series_equal(mine, theirs)
    shown = released.to_pandas().sort_values("customer") if "customer" in released.column_names else released.to_pandas()
    assert (shown.income_lo <= shown.income_rep).all() and (shown.income_rep <= shown.income_hi).all()
    assert ((shown.date_lo <= shown.date_rep) & (shown.date_rep <= shown.date_hi)).all()
    unseen = {"income": np.array([-5.0, 10.0**12]), "town": np.array(["Nowhere", None], dtype=object)}
    unseen["date"] = np.array(["1500-01-01", "NaT"], dtype="datetime64[D]")
    assert len(served.shows("representative", unseen)["income"]) == 2


def test_the_search_unwraps_what_is_packed(tmp_path):
    import base64
    import zlib

    buffer = io.BytesIO()
    np.savez(buffer, text=np.frombuffer(b'{"town": "Quellenhof"}', dtype=np.uint8), codes=np.array([7, EXTREME]))
    (tmp_path / "a.bin").write_text(zlib.compress(buffer.getvalue()).hex())
    (tmp_path / "b.txt").write_bytes(base64.b64encode(zlib.compress(b"it was 1903-05-17, as I said; and a longer text, too")))
    assert {needle for needle, _ in where([tmp_path], [VILLAGE, EXTREME, DAY])} == {VILLAGE, str(EXTREME), str(DAY)}
