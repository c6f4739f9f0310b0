"""Hierarchies as policies give them: files as ARX writes them, trees, rules, and mistakes as sentences."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.anonymize import hierarchies
from kveil.anonymize.hierarchies import check_nothing_missing, coding
from kveil.errors import ContractError, SettingsError
from kveil.privacy.clustering import by_frequency, by_similarity, groups
from kveil.privacy.coding import Coding
from kveil.settings import fingerprint, load
from kveil.settings.anonymize import QuasiIdentifier
from kveil.settings.hierarchies import Hierarchy

from tests.builders import journey
from tests.unit.test_settings import written

ARX_FILE = '\ufeffred;warm;*\n"deep; blue";cold;*\nblack;black;*\r\n\n'
"""As ARX writes: a byte-order mark, quoted separators, no header, a value that is its own group, an empty line."""


def role(**hierarchy) -> QuasiIdentifier:
    return QuasiIdentifier(kind="taxonomy", hierarchy=hierarchy)


def built(found=None, clean=None, **hierarchy) -> Coding:
    values = {f"c.{key}": value for key, value in (found or {}).items()}
    return coding("c", Hierarchy.model_validate(hierarchy), values, clean)


def names_above(made: Coding, value: str) -> list[str]:
    code = made.values.index(value)
    return [made.taxonomy.names[made.taxonomy.ancestor_at(level)[code]] for level in range(made.taxonomy.levels)]


def with_hierarchy(**hierarchy) -> dict:
    qi = {"kind": "taxonomy", "hierarchy": hierarchy}
    return journey(anonymize__quasi_identifiers__home_ownership=qi)


def test_arx_files_are_read_as_they_are_from_the_policys_folder(tmp_path):
    (tmp_path / "colours.csv").write_text(ARX_FILE, encoding="utf-8")
    path = written(tmp_path, with_hierarchy(file="colours.csv", other="unknown"))
    policy = load(path)
    made = built(
        {"values": ["red"]}, **policy.anonymize.quasi_identifiers["home_ownership"].hierarchy.model_dump(exclude={"file"})
    )
    assert made.values == ("red", "deep; blue", "black", "unknown")
    assert names_above(made, "deep; blue") == ["deep; blue", "cold", "*"]
    assert names_above(made, "unknown") == ["unknown", "unknown", "*"]
    (tmp_path / "colours.csv").write_text(ARX_FILE.replace("warm", "hot"), encoding="utf-8")
    assert fingerprint(load(path)) != fingerprint(policy)


def test_a_comma_file_without_a_root_gets_one(tmp_path):
    (tmp_path / "colours.csv").write_text("red,warm\nblue,cold\n")
    hierarchy = (
        load(written(tmp_path, with_hierarchy(file="colours.csv", delimiter=",")))
        .anonymize.quasi_identifiers["home_ownership"]
        .hierarchy
    )
    assert hierarchy.paths() == [("red", "warm", "*"), ("blue", "cold", "*")]


@pytest.mark.parametrize(
    ("hierarchy", "says"),
    [
        ({"file": "none.csv"}, "none.csv is not there"),
        ({"file": "package://no_such_package/x.csv"}, "'no_such_package' is not installed"),
        ({"file": "s3://bucket/x.csv"}, "allowed: a local path or package://"),
        ({"file": "empty.csv"}, "is empty"),
        ({"file": "latin.csv"}, "cannot be read"),
        ({"file": "twice.csv"}, "stands at two places"),
        ({}, "exactly one of"),
        ({"tree": ["a"], "dates": ["day"]}, "exactly one of"),
        ({"tree": {"a": []}}, "none of them empty"),
        ({"tree": [True]}, "put it in quotes"),
        ({"dates": ["day", "week", "month"]}, "weeks cross"),
        ({"dates": ["year", "day"]}, "fine to coarse"),
        ({"intervals": {"width": 5, "levels": [12]}}, "12 is no multiple of 5"),
        ({"prefix": {"length": 3, "steps": [3]}}, "below length"),
        ({"clusters": {"levels": [3, 5]}}, "falling"),
        ({"dates": ["day"], "other": "x"}, "other belongs to hierarchies of texts"),
        ({"dates": ["day"], "of": "date"}, "of belongs to"),
        ({"tree": {"a": ["x"], "b": ["a"]}}, "label 'a' stands for"),
    ],
)
def test_a_mistake_in_a_hierarchy_is_one_sentence(tmp_path, hierarchy, says):
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "latin.csv").write_bytes("caf\xe9;*\n".encode("latin-1"))
    (tmp_path / "twice.csv").write_text("red;warm\nred;cold\n")
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, with_hierarchy(**hierarchy)))
    (problem,) = caught.value.problems
    assert "anonymize.quasi_identifiers.home_ownership.hierarchy" in problem
    assert says in problem


def test_kind_and_hierarchy_belong_together(tmp_path):
    document = journey(anonymize__quasi_identifiers__date={"kind": "date", "hierarchy": {"dates": ["day"]}})
    with pytest.raises(SettingsError, match="kind: taxonomy alone"):
        load(written(tmp_path, document))


def test_a_tree_may_be_uneven():
    made = built({"values": []}, tree={"Europe": {"West": ["FR", "LU"], "MT": None}, "Asia": ["JP"], "OTHER": None})
    assert names_above(made, "FR") == ["FR", "West", "Europe", "*"]
    assert names_above(made, "MT") == ["MT", "MT", "Europe", "*"]
    assert names_above(made, "OTHER") == ["OTHER", "OTHER", "OTHER", "*"]


@given(st.integers(-300, 300), st.integers(0, 200), st.integers(-20, 20), st.integers(1, 7), st.data())
def test_intervals_hold_their_numbers_at_every_level(lowest, more, start, width, data):
    factors = data.draw(st.lists(st.integers(2, 4), max_size=3))
    levels = [int(width * np.prod(factors[: i + 1])) for i in range(len(factors))]
    made = built({"lowest": lowest, "highest": lowest + more}, intervals={"start": start, "width": width, "levels": levels})
    number = data.draw(st.integers(lowest, lowest + more))
    code = int(made.codes(np.array([float(number)]))[0])
    for level, wide in enumerate([width, *levels]):
        name = made.taxonomy.names[made.taxonomy.ancestor_at(level)[code]]
        low, _, high = name.partition(" .. ")
        assert int(low) <= number <= int(high or low)
        assert int(high or low) - int(low) + 1 == wide
        assert (int(low) - start) % wide == 0
    assert made.cells[code][0] <= number <= made.cells[code][1]


DATES = st.dates(date(1960, 1, 1), date(2060, 1, 1))
NESTING = [["day", "week"], ["week"], ["day", "month", "quarter", "year"], ["month", "year"], ["quarter"], ["year"]]


@given(DATES, st.integers(0, 900), st.sampled_from(NESTING), st.data())
def test_dates_are_named_by_their_iso_week_month_quarter_and_year(first, more, units, data):
    epoch = date(1970, 1, 1)
    lowest = (first - epoch).days
    made = built({"lowest": lowest, "highest": lowest + more}, dates=units)
    day = first + timedelta(days=data.draw(st.integers(0, more)))
    week = day.isocalendar()
    expected = {
        "day": day.isoformat(),
        "week": f"{week.year}-W{week.week:02d}",
        "month": f"{day:%Y-%m}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": f"{day.year}",
    }
    code = int(made.codes(np.array([day], dtype="datetime64[D]"))[0])
    assert names_above(made, made.values[code]) == [*(expected[unit] for unit in units), "*"]
    assert made.cells[code][0] <= (day - epoch).days <= made.cells[code][1]
    assert all(after[0] == before[1] + 1 for before, after in zip(made.cells, made.cells[1:], strict=False))


def test_listed_numbers_keep_their_order_and_must_be_ranges():
    made = built(rows=[("10", "high"), ("2", "low"), ("1", "low"), ("11", "high")], of="number")
    assert made.values == ("1", "2", "10", "11")
    assert made.codes(np.array([10.0, 2.0])).tolist() == [2, 1]
    with pytest.raises(ContractError, match=r"quasi_identifiers\.c\.hierarchy: a label covers"):
        built(rows=[("1", "odd"), ("2", "even"), ("3", "odd")], of="number")
    with pytest.raises(ContractError, match="whole numbers"):
        built(rows=[("1.5", "x")], of="number")


def test_postcodes_lose_their_last_characters():
    made = built({"values": ["8000", "8001", "8400", "3000"]}, prefix={"length": 4})
    assert names_above(made, "8001") == ["8001", "800*", "80**", "8***", "*"]
    coarse = built({"values": ["8000", "8001"]}, prefix={"length": 4, "steps": [2], "mask": "x"})
    assert names_above(coarse, "8001") == ["8001", "80xx", "*"]


def test_values_that_hierarchies_miss_are_one_error_that_lists_those_of_many(monkeypatch):
    roles = {
        "colour": role(rows=[("red", "*")]),
        "code": role(prefix={"length": 2}),
        "calm": role(rows=[("a", "*")], other="rest"),
        "age": QuasiIdentifier(kind="number"),
    }
    colours = [f"c{i:02d}" for i in range(23)]
    found = {"colour.values": [*colours, "red"], "code.values": ["12", "1*", "123"], "calm.values": ["zzz"]}
    held_by_k = {"`colour`": [each for each in colours if each != "c05"], "`code`": ["1*", "12"]}
    monkeypatch.setattr(hierarchies, "F", SimpleNamespace(col=str))
    monkeypatch.setattr(hierarchies, "text_of", lambda column, _: column)
    monkeypatch.setattr(hierarchies, "held_by_many", lambda column, _: held_by_k[column])
    with pytest.raises(ContractError) as caught:
        check_nothing_missing(roles, found, None)
    sentence = str(caught.value)
    assert "colour.hierarchy misses 23 values of the clean table: 'c00', " in sentence
    assert (
        "'c20' and 3 that are not listed here; anonymize.quasi_identifiers.code.hierarchy misses 2 values of the clean table: "
        "'1*' and 1 that are not listed here; " in sentence
    )
    assert "'c21'" not in sentence and "'c05'" not in sentence and "'123'" not in sentence
    assert "calm" not in sentence
    check_nothing_missing(roles, {"colour.values": ["red"], "code.values": ["12"], "calm.values": ["zzz"]}, None)


def test_too_many_cells_are_refused_before_they_are_made():
    with pytest.raises(ContractError, match=r"spans 1,000,001 cells where 100,000 are allowed"):
        built({"lowest": 0, "highest": 10**6}, intervals={})
    with pytest.raises(ContractError, match="coarser"):
        built({"lowest": -(10**6), "highest": 10**6}, dates=["day", "month"])


def test_a_column_of_nulls_has_a_hierarchy_too():
    for hierarchy in ({"intervals": {}}, {"dates": ["day"]}, {"prefix": {"length": 3}}):
        made = built({"lowest": None, "highest": None, "values": []}, **hierarchy)
        assert made.taxonomy.leaves == 1


def test_rare_groups_join_first():
    merges = by_frequency(np.array([50.0, 1.0, 30.0, 2.0]))
    assert merges == [(1, 3), (4, 2), (5, 0)]
    assert len(set(groups(merges, 4).tolist())) == 4
    assert groups(merges, 2).tolist()[1:] == [groups(merges, 2)[1]] * 3


@given(st.integers(2, 12), st.integers(0, 2**32 - 1))
def test_groups_of_fewer_are_unions_of_groups_of_more(size, seed):
    random = np.random.default_rng(seed)
    counts = random.integers(1, 100, size).astype(float)
    for merges in (by_frequency(counts), by_similarity(random.random((size, 3)), counts)):
        for left in range(1, size + 1):
            assert len(set(groups(merges, left).tolist())) == left
            fewer = groups(merges, max(left - 1, 1))
            assert all(len(set(fewer[groups(merges, left) == group].tolist())) == 1 for group in groups(merges, left))


@given(st.integers(2, 8), st.integers(0, 2**32 - 1))
def test_ward_joins_the_pair_that_adds_least_variance(size, seed):
    """The oracle recomputes every group's within-variance from the profiles."""
    random = np.random.default_rng(seed)
    profiles, counts = random.random((size, 3)), random.integers(1, 9, size).astype(float)

    def variance(members: list[int]) -> float:
        mean = np.average(profiles[members], axis=0, weights=counts[members])
        return float((counts[members] * ((profiles[members] - mean) ** 2).sum(axis=1)).sum())

    held = {i: [i] for i in range(size)}
    for i, (a, b) in enumerate(by_similarity(profiles, counts)):
        growth = {
            (x, y): variance(held[x] + held[y]) - variance(held[x]) - variance(held[y]) for x in held for y in held if x < y
        }
        assert growth[min(a, b), max(a, b)] == pytest.approx(min(growth.values()), abs=1e-9)
        held[size + i] = held.pop(a) + held.pop(b)
