"""Feature maps: known answers per encoding, exact JSON, and the same matrix from Arrow as from pandas."""

import json
import math

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.model import columns
from kveil.model.features import (
    FeatureMap,
    category_encoding,
    date_encoding,
    day_of_month,
    number_encoding,
    ordered_encoding,
    smoothed_mean,
)

MAP = FeatureMap(
    (
        number_encoding("spend", 0.1 + 0.2),
        date_encoding("day", 15.5),
        ordered_encoding("age", ["young", "middle", "old"], 0.75),
        category_encoding("shop", {"north": (80, 60.0), "south": (20, 0.0), None: (30, 15.0)}, 0.5),
    )
)
ROWS = {
    "spend": np.array([2.5, np.nan, -1.0]),
    "day": np.array(["2017-01-31", "NaT", "2016-02-29"], dtype="datetime64[D]"),
    "age": np.array(["old", None, "ancient"], dtype=object),
    "shop": np.array(["north", None, "moon"], dtype=object),
}


def test_the_matrix_is_the_known_answer():
    north = (60 + 20 * 0.5) / (80 + 20)
    null = (15 + 20 * 0.5) / (30 + 20)
    expected = [[2.5, 31, 2, north], [0.1 + 0.2, 15.5, 0.75, null], [-1, 29, 0.75, 0.5]]
    np.testing.assert_array_equal(MAP.matrix(ROWS), np.array(expected))


def test_null_that_training_never_saw_is_the_prior():
    encoding = category_encoding("shop", {"north": (80, 60.0)}, 0.3)
    np.testing.assert_allclose(encoding.encode(np.array([None, "moon"], dtype=object)), [0.3, 0.3], rtol=1e-15)


def test_json_keeps_every_digit():
    again = FeatureMap.from_dict(json.loads(json.dumps(MAP.to_dict())))
    assert again == MAP
    assert again.matrix(ROWS).tobytes() == MAP.matrix(ROWS).tobytes()


@pytest.mark.parametrize("mean", [None, math.nan])
def test_a_feature_without_values_is_filled_by_zero(mean):
    assert number_encoding("spend", mean).encode(np.array([np.nan]))[0] == 0.0


def test_empty_batches_keep_their_columns():
    empty = {name: column[:0] for name, column in ROWS.items()}
    assert MAP.matrix(empty).shape == (0, 4)


def test_days_before_the_epoch_count_as_well():
    dates = np.array(["1969-12-31", "1900-02-28", "2000-03-01"], dtype="datetime64[D]")
    assert day_of_month(dates).tolist() == [31, 28, 1]


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1))
def test_smoothing_stays_between_mean_and_prior(rows, mean, prior):
    encoded = smoothed_mean(rows, rows * mean, prior)
    assert min(mean, prior) - 1e-12 <= encoded <= max(mean, prior) + 1e-12
    # With as many rows as the prior counts for, the encoding is half-way.
    assert math.isclose(smoothed_mean(20, 20 * mean, prior), (mean + prior) / 2, abs_tol=1e-12)


def test_arrow_and_pandas_give_the_same_columns():
    kinds = columns.column_kinds({"spend": "number", "day": "date", "age": "ordered", "flag": "category"})
    days = [pd.Timestamp("2017-01-31").date(), None, pd.Timestamp("1960-02-29").date()]
    values = {"spend": [2, None, -7], "day": days, "age": ["old", None, "3"], "flag": [True, None, False]}
    arrow = columns.from_arrow(pa.RecordBatch.from_pydict(values), kinds)
    frame = pd.DataFrame({**values, "day": pd.to_datetime(pd.Series(days))})
    pandas = columns.from_pandas(frame, kinds)
    for name in kinds:
        assert arrow[name].dtype == pandas[name].dtype, name
        np.testing.assert_array_equal(arrow[name], pandas[name])
    assert arrow["day"].dtype == np.dtype("datetime64[D]")
    assert arrow["flag"].tolist() == ["true", None, "false"]
