"""Random tables of every kind of column: rows find their class again by what is published, which names nothing rare."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kveil.anonymize.columns import TREE, of_staging
from kveil.anonymize.kernel import Kernel
from kveil.model.generalizer import Generalizer
from kveil.privacy.coding import Coding
from kveil.privacy.labels import OTHERS, members
from kveil.privacy.taxonomy import Taxonomy
from kveil.settings.anonymize import Anonymize

ARROW = {"string": pa.string(), "binary": pa.binary(), "bigint": pa.int64(), "double": pa.float64(), "date": pa.date32()}
TOWNS = [*(f"t{i}" for i in range(30)), OTHERS, "{a, b}", "* or null"]
ROLES = {
    "income": {"kind": "number"},
    "date": {"kind": "date"},
    "town": {"kind": "category"},
    "size": {"kind": "ordered", "order": list("abcdef")},
    "post": {"kind": "taxonomy", "hierarchy": {"prefix": {"length": 5}}},
    "age": {"kind": "taxonomy", "hierarchy": {"intervals": {"width": 1, "levels": [5, 10]}}},
}
AGES = [(str(a), f"{a // 5 * 5} .. {a // 5 * 5 + 4}", f"{a // 10 * 10} .. {a // 10 * 10 + 9}", "*") for a in range(10, 110)]


def table(random: np.random.Generator) -> pd.DataFrame:
    """Long tails, nulls, texts that look like labels, and people with several rows."""
    n = int(random.integers(30, 500))
    long_tail = random.choice([random.normal(0, 1e5, n).round(2), random.integers(-5, 5, n) * 1.0, random.pareto(1, n) * 1000])

    def texts(values: list[str], tail: float) -> np.ndarray:
        found = np.array(values, dtype=object)[np.minimum(random.pareto(tail, n).astype(int), len(values) - 1)]
        return np.where(random.random(n) < 0.05, None, found)

    return pd.DataFrame(
        {
            "customer": random.integers(0, max(n // 2, 10), n),
            "income": np.where(random.random(n) < 0.1, np.nan, long_tail),
            "date": (np.datetime64("2020-01-01") + random.integers(-3000, 3000, n)).astype(object),
            "town": texts(TOWNS, 0.7),
            "size": texts(list("abcdef"), 0.8),
            "post": texts([f"{code}" for code in random.integers(10_000, 10_400, 200)], 0.3),
            "age": random.integers(18, 104, n).astype(float),
            "item": "x",
        }
    )


def kernel_of(rows: pd.DataFrame, names: list[str], algorithm: str, k: int) -> Kernel:
    settings = Anonymize.model_validate(
        {
            "release": "r", "k": k, "algorithm": algorithm, "insensitive": {"item": "plays no part"},
            "quasi_identifiers": {name: ROLES[name] for name in names},
        }
    )  # fmt: skip
    posts = sorted(set(rows.post.dropna()))
    towns = tuple(sorted(set(rows.town.dropna())))
    paths = [(code, *(code[: 5 - step] + "*" * step for step in (1, 2, 3, 4)), "*") for code in posts]
    codings = {
        "income": Coding("income", "number", lowest=-(10**7), highest=10**7),
        "date": Coding("date", "date", lowest=10_000, highest=30_000),
        "town": Coding("town", "category", values=towns, highest=len(towns) - 1),
        "size": Coding("size", "ordered", values=tuple("abcdef"), highest=5),
        "post": Coding.of_taxonomy("post", Taxonomy.of_paths(paths), prefix=(5, "*", (1, 2, 3, 4))),
        "age": Coding.of_taxonomy("age", Taxonomy.of_paths(AGES), "number", tuple((age, age) for age in range(10, 110))),
    }
    schema = pa.schema([(name, ARROW[kind]) for name, kind in of_staging(settings, {"item": "string"}).items()])
    return Kernel(settings, tuple(codings[name] for name in names), "customer", schema)


def comparable(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """How many rows show what, with numbers, days and nulls written alike."""
    plain = rows[columns].copy()
    for name in columns:
        days = name.startswith("date_")
        plain[name] = pd.to_datetime(plain[name]) if days else plain[name]
        plain[name] = plain[name].astype(float) if plain[name].dtype.kind in "if" else plain[name]
    return plain.astype(str).replace({"nan": "None", "NaT": "None"}).value_counts().sort_index()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(24))
def test_rows_find_their_class_and_nothing_rare_has_a_name(seed):
    random = np.random.default_rng(seed)
    rows, k = table(random), int(random.integers(2, 9))
    names = random.permutation(list(ROLES))[: int(random.integers(1, len(ROLES) + 1))].tolist()
    algorithm = "mondrian" if seed % 2 else "local_recoding"
    kernel = kernel_of(rows, names, algorithm, k)
    made = kernel.released(pa.Table.from_pandas(rows, preserve_index=False))
    trees, released = made.filter(pa.compute.is_valid(made[TREE])), made.filter(pa.compute.is_null(made[TREE])).to_pandas()
    columns = kernel.settings.class_columns()
    assert released.groupby(columns, dropna=False).kveil_person.nunique().min() >= k

    served = Generalizer.from_rows(kernel.settings, [({}, trees[TREE][0].as_py())])
    served = Generalizer.from_bytes(served.to_bytes())
    raw = {name: rows[name].to_numpy("datetime64[D]" if name == "date" else None) for name in names}
    if algorithm == "mondrian":
        mine = pd.DataFrame({name: values for name, values in served.released(raw).items()})
        pd.testing.assert_series_equal(comparable(mine, columns), comparable(released, columns))

    told = json.dumps([coding.to_dict() for coding in served.codings])
    for name in {"town", "post"} & set(names):
        people = rows.dropna(subset=[name]).groupby(name).customer.nunique()
        rare = set(people[people < k].index) - {OTHERS}
        assert not [value for value in rare if f'"{value}"' in told]
        (coding,) = [each for each in kernel.codings if each.name == name]
        shown = set(released[name].dropna()) | set(released[f"{name}_rep"].dropna())
        named = {value for label in shown for value in members(label, Coding("c", "category"))[0]} if name == "town" else shown
        assert not rare & named, coding.name
