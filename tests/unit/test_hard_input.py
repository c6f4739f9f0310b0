"""The kernel on tables that break others: every kept row lies in a class of k people that covers it, and none is lost unsaid."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from kveil.anonymize.columns import TREE, of_staging
from kveil.anonymize.kernel import Kernel
from kveil.privacy.coding import Coding
from kveil.privacy.labels import OTHERS, members
from kveil.settings.anonymize import Anonymize

K = 5
ARROW = {"number": pa.float64(), "date": pa.date32(), "category": pa.string()}
STAGING = {
    "string": pa.string(), "bigint": pa.int64(), "double": pa.float64(), "date": pa.date32(), "binary": pa.binary(),
    "boolean": pa.bool_(),
}  # fmt: skip
ALGORITHMS = ["mondrian", "local_recoding"]


def released(columns: dict[str, tuple[str, list]], people: list, algorithm: str) -> list[dict]:
    """Staging rows of a table whose columns are given as (kind, values)."""
    quasi = {name: {"kind": kind} for name, (kind, _) in columns.items()}
    settings = Anonymize.model_validate({"release": "r", "k": K, "quasi_identifiers": quasi, "algorithm": algorithm})
    codings = tuple(coding(name, kind, values) for name, (kind, values) in columns.items())
    schema = pa.schema([(name, STAGING[kind]) for name, kind in of_staging(settings, {}).items()])
    arrays = {name: pa.array(values, ARROW[kind]) for name, (kind, values) in columns.items()}
    table = pa.table({"person": pa.array(people, pa.int64()), "row": pa.array(range(len(people))), **arrays})
    rows = Kernel(settings, codings, "person", schema).released(table).to_pylist()
    return [row for row in rows if row[TREE] is None]


def coding(name: str, kind: str, values: list) -> Coding:
    if kind == "category":
        found = tuple(sorted({value for value in values if value is not None}))
        return Coding(name, kind, values=found, highest=max(len(found) - 1, 0))
    dtype = "datetime64[D]" if kind == "date" else np.float64
    codes = Coding(name, kind).codes(np.array([np.nan if v is None and kind == "number" else v for v in values], dtype=dtype))
    known = codes[codes > -(2**60)]
    return Coding(name, kind, lowest=int(known.min(initial=0)), highest=int(known.max(initial=0)))


def check(columns: dict[str, tuple[str, list]], people: list, rows: list[dict]) -> None:
    """k people per class, and labels that cover as many clean rows as were released, counted without the kernel."""
    assert len(rows) == sum(person is not None for person in people)
    classes: dict[tuple, list[dict]] = {}
    for row in rows:
        classes.setdefault(tuple(value for name, value in row.items() if name.startswith("c")), []).append(row)
    for held in classes.values():
        assert len({row["kveil_person"] for row in held}) >= K
        for name, (kind, values) in columns.items():
            rare = {
                value
                for value in values
                if len({p for p, v in zip(people, values, strict=True) if v == value and p is not None}) < K
            }
            covered = [covers(held[0], name, kind, values, i, rare) for i in range(len(people))]
            assert sum(covered) >= len(held)


def covers(row: dict, name: str, kind: str, values: list, i: int, rare: set) -> bool:
    value, label = values[i], row[name]
    if kind == "category":
        listed, null = members(label, coding(name, kind, values))
        return null if value is None else value in listed or (OTHERS in listed and value in rare)
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return label is None or label.endswith("or null")
    low, high = row[f"{name}_lo"], row[f"{name}_hi"]
    if kind == "number":
        value = float(np.clip(value, -(2**52), 2**52))
        return low is not None and low <= np.floor(value) <= high
    return low is not None and low <= value <= high


def tables() -> dict[str, tuple[dict[str, tuple[str, list]], list]]:
    random = np.random.default_rng(0)
    n = 400
    people = random.integers(0, 120, n).tolist()
    numbers = random.integers(0, 50, n).astype(float).tolist()
    towns = random.choice(["a, b", "{c}", 'd"e', "f\\g", "h .. i", "* or nil", "", " "], n).tolist()
    nasty = [[np.nan, np.inf, -np.inf, -0.0, 0.0, None, 1e300, -1e-300][i % 8] for i in range(n)]
    days = [[date(1, 1, 1), date(9999, 12, 31), date(1969, 12, 31), None, date(2024, 2, 29)][i % 5] for i in range(n)]
    zipf = [f"v{min(z, 300)}" for z in random.zipf(1.3, n)]
    forty = {f"c{j}": ("number", random.integers(0, 9, n).astype(float).tolist()) for j in range(40)}
    return {
        "one customer with 30 % of all rows": ({"c": ("number", numbers)}, [0] * 120 + people[120:]),
        "all rows equal": ({"c": ("number", [7.0] * n), "cc": ("category", ["x"] * n)}, people),
        "forty quasi-identifiers": (forty, people),
        "every value another": ({"c": ("number", random.permutation(10**6)[:n].astype(float).tolist())}, people),
        "NaN, infinities, -0.0 and nulls": ({"c": ("number", nasty), "cc": ("number", nasty[::-1])}, people),
        "dates at the ends of the calendar": ({"c": ("date", days), "cc": ("number", numbers)}, people),
        "separators, quotes and empty texts": ({"c": ("category", towns), "cc": ("number", numbers)}, people),
        "skewed categories": ({"c": ("category", zipf), "cc": ("number", numbers)}, people),
        "nulls alone": ({"c": ("category", [None] * n), "cc": ("date", [None] * n)}, people),
        "people without an id": ({"c": ("number", numbers)}, [None if i % 7 == 0 else p for i, p in enumerate(people)]),
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("name", tables())
def test_hard_tables_are_released_whole_and_safe(name, algorithm):
    columns, people = tables()[name]
    check(columns, people, released(columns, people, algorithm))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("people", [[], [None] * 9, [1] * 900, [1, 2, 3, 4] * 50])
def test_too_few_people_are_not_released(people, algorithm):
    assert released({"c": ("number", [float(i) for i in range(len(people))])}, people, algorithm) == []
