"""What a generated bank is drawn from, and the sentences that refuse an impossible one; no JVM needed."""

import math
import subprocess
import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.cli import main
from kveil.errors import KveilError, SettingsError
from kveil.generate import fraud, people, rhythm, traits
from kveil.generate.draws import alias_table, salt, zipf
from kveil.generate.folder import appearing
from kveil.generate.places import FIRST_NAMES, LAST_NAMES, STREETS, TOWNS, categories, countries, homes
from kveil.generate.size import Bank
from kveil.tables.bank_schema import BANK

WEIGHTS = st.lists(st.floats(0, 1e6, allow_subnormal=False), min_size=1, max_size=60).filter(lambda weights: sum(weights) > 1e-3)


@given(WEIGHTS)
def test_the_alias_table_gives_each_value_its_weight(weights):
    keep, alias = alias_table(weights)
    assert all(0 <= share <= 1 + 1e-9 for share in keep)
    mass = list(keep)
    for slot, other in enumerate(alias):
        mass[other] += 1 - keep[slot]
    for got, weight in zip(mass, weights, strict=True):
        assert math.isclose(got / len(weights), weight / math.fsum(weights), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("weights", [[0, 0], [1, -1], [-1, 0]])
def test_weights_that_are_no_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights are not negative"):
        alias_table(weights)


def test_salts_tell_seed_kind_and_name_apart():
    asked = [(seed, of, name) for seed in (1, 11) for of in ("a", "ab") for name in ("c", "bc", "")]
    assert len({salt(*each) for each in asked}) == len(asked)


def test_a_zipf_law_falls_with_the_rank():
    assert zipf(3) == [1, 1 / 2, 1 / 3]


def test_lists_are_complete_and_name_nothing_twice():
    assert math.isclose(sum(country.share for country in homes()), 1)
    for country in countries():
        assert len(set(country.last)) == LAST_NAMES
        assert len(set(country.cities)) == TOWNS
        assert country.currency in rhythm.RATES
    for country in homes():
        assert [len(set(names)) for names in (country.female, country.male)] == [FIRST_NAMES] * 2
        assert len(set(country.streets)) == STREETS
        assert len(country.postcodes) == TOWNS
        assert all(lowest <= highest for lowest, highest in country.postcodes)
        assert country.jurisdiction in ("EU", "US-CA")


def test_addresses_can_be_written_with_the_letters_of_addresses():
    """Every letter of every name has a plain one, so no two signs of an address are lost."""
    plain = str.maketrans(*people._FOLDED)
    for country in homes():
        for name in [*country.female, *country.male, *country.last]:
            folded = name.translate(plain).replace("ß", "ss").lower()
            assert all(sign.isascii() and (sign.isalpha() or sign in " -'") for sign in folded), name


def test_categories_are_shared_out_and_rent_and_salary_come_by_themselves():
    assert math.isclose(sum(category.weight for category in categories()), 1)
    assert math.isclose(sum(category.fraud for category in categories()), 1)
    assert {category.name for category in categories() if not category.weight} == {"rent", "salary"}
    assert {category.hours for category in categories()} <= set(rhythm.PROFILES)
    assert set(fraud._TRIED) <= {category.name for category in categories()}


def test_the_year_has_its_days_and_the_week_its_rhythm():
    weights = rhythm.day_weights()
    days = [traits.FIRST_DAY + timedelta(days=index) for index in range(len(weights))]
    assert days[-1] == date(2024, 12, 31)
    assert [days[start] for start in rhythm.MONTH_STARTS] == [date(2024, month, 1) for month in range(1, 13)]
    weekday = Counter()
    for day, weight in zip(days, weights, strict=True):
        weekday[day.weekday()] += weight
    assert max(weekday, key=weekday.get) == 5
    assert min(weekday, key=weekday.get) == 6
    assert {len(hours) for hours in rhythm.hour_weights()} == {24}


def test_every_column_of_a_bank_is_told_once():
    for table in BANK:
        names = [column.name for column in table.columns]
        assert len(set(names)) == len(names)
        assert all(column.comment for column in table.columns)


def test_all_impossible_sizes_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        Bank(customers=0, transactions=-1, seed=-5, dirt=0.9)
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["--customers", "--transactions", "--seed", "--dirt"]
    assert "found 0; allowed: from 1 to 30,000,000" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["--customers", "0", "--transactions", "1"],
            "--customers: found 0; allowed: from 1 to 30,000,000; give a number within",
        ),
        (["--customers", "1", "--transactions", "1", "--dirt", "2"], "--dirt: found 2.0; allowed: from 0 to 0.5"),
        (["--customers", "many", "--transactions", "1"], "'many' is not a valid integer"),
        (["--customers", "1", "--transactions", "1", "--format", "xls"], "'xls' is not one of 'parquet', 'csv', 'delta'"),
        (["--customers", "1"], "Missing option '--transactions'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(tmp_path, capsys, arguments, says):
    with pytest.raises(SystemExit) as ended:
        main(["generate", "bank", *arguments, "--out", str(tmp_path / "bank")])
    assert ended.value.code == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("place", "says"),
    [("full", "a folder with files in it"), ("full/file", "no folder"), ("s3://bucket/bank", "a folder of this machine")],
)
def test_nothing_is_overwritten_and_nowhere_else_written(tmp_path, capsys, place, says):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("kept")
    out = place if "://" in place else str(tmp_path / place)
    with pytest.raises(SystemExit) as ended:
        main(["generate", "bank", "--customers", "1", "--transactions", "1", "--out", out])
    assert ended.value.code == 2
    assert f"kveil: --out: {'found ' if '://' in out else ''}{out}" in (told := capsys.readouterr().err)
    assert says in told
    assert len(told.splitlines()) == 1
    assert (tmp_path / "full" / "file").read_text() == "kept"


@pytest.mark.parametrize("there", [True, False], ids=["an empty folder", "nothing"])
def test_a_folder_appears_when_it_is_complete(tmp_path, there):
    path = tmp_path / "some" / "bank"
    if there:
        path.mkdir(parents=True)
    with appearing(path) as folder:
        (folder / "file").write_text("whole")
        assert not path.exists() or not list(path.iterdir())
    assert [file.name for file in path.iterdir()] == ["file"]
    assert [file.name for file in path.parent.iterdir()] == ["bank"]


def test_what_fails_leaves_nothing(tmp_path):
    with pytest.raises(KveilError, match="no room"), appearing(tmp_path / "bank") as folder:
        (folder / "file").write_text("half")
        raise KveilError("no room")
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_is_not_taken_for_the_next_ones(tmp_path):
    dies = f"""
import os, pathlib
from kveil.generate.folder import appearing
with appearing(pathlib.Path({str(tmp_path / "bank")!r})) as folder:
    (folder / "half").write_text("half")
    os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", dies], check=False).returncode == -9
    assert not (tmp_path / "bank").exists()
    assert [path.name for path in tmp_path.glob(".*/*")] == ["half"]
    with appearing(tmp_path / "bank") as folder:
        (folder / "whole").write_text("whole")
    assert [path.name for path in (tmp_path / "bank").iterdir()] == ["whole"]
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]


def test_of_two_writers_at_once_one_is_told_to_wait(tmp_path):
    with appearing(tmp_path / "bank") as folder:
        with pytest.raises(KveilError, match="another process is writing"), appearing(tmp_path / "bank"):
            pytest.fail("it was let in")
        (folder / "file").write_text("whole")
    assert [path.name for path in (tmp_path / "bank").iterdir()] == ["file"]


def test_what_came_meanwhile_is_not_overwritten(tmp_path):
    with pytest.raises(SettingsError, match="nothing is overwritten"), appearing(tmp_path / "bank"):
        (tmp_path / "bank").mkdir()
        (tmp_path / "bank" / "file").write_text("another's")
    assert (tmp_path / "bank" / "file").read_text() == "another's"
    assert [path.name for path in tmp_path.iterdir()] == ["bank"]


def test_a_place_that_cannot_be_written_is_told():
    with pytest.raises(SettingsError, match="cannot be made"), appearing(Path("/dev/null/bank")):
        pytest.fail("it was made")
