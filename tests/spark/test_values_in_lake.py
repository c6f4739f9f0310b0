"""What delivered files call things reaches no message and no table of the control zone, whichever way they are read."""

import gzip
import json
import zipfile

import pytest
from kveil.collect.stage import run
from kveil.errors import ContractError
from kveil.tables.schema import PROVENANCE, TABLES

# Minutes of whole runs: with the long tests.
pytestmark = pytest.mark.long

CANARIES = ("Erika Mustermann", "DE02120300000000202051", "erika.mustermann@example.org", "Mustermann_Erika_1990")
COLUMNS = {"person": {"type": "bigint", "required": True}, "at": "timestamp", "amount": {"type": "int", "min": 0}}


@pytest.fixture
def of_files(policy_of, context, tmp_path):
    """The context of a policy over a folder."""

    def make(form, **more):
        base = {"uri": str(tmp_path / "in"), "format": form, "columns": COLUMNS, "quarantine_limit": 1, **more}
        return context(policy_of({"base": base}, {"derive": {"seen": "amount"}}))

    (tmp_path / "in").mkdir()
    return make


def held_by_control(ctx):
    """Everything that the tables of the control zone hold, as one text."""
    refs = [table.of(ctx.policy) for table in TABLES if table.zone == "control" and "{" not in table.pattern]
    there = [ref for ref in refs if ctx.store.exists(ref)]
    assert PROVENANCE.of(ctx.policy) in there
    return json.dumps([row.asDict(recursive=True) for ref in there for row in ctx.store.read(ref).collect()], default=str)


def leaked(told):
    return [canary for canary in CANARIES if canary in told or any(part in told for part in canary.split("_") if len(part) > 4)]


def test_keys_of_json_and_names_of_files_and_folders_are_shapes_in_evidence(of_files, tmp_path, capfd):
    line = {"person": 1, "at": "2020-01-01 00:00:00", "amount": "5", **dict.fromkeys(CANARIES, "x")}
    (tmp_path / "in" / f"{CANARIES[3]}.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "in" / CANARIES[0]).mkdir()
    (tmp_path / "in" / CANARIES[0] / "b.jsonl.gz").write_bytes(gzip.compress(json.dumps({**line, "person": 2}).encode()))
    ctx = of_files("json")
    run(ctx)
    told = held_by_control(ctx)
    assert "4 (Aa Aa, A9, a.a@a.a, Aa_Aa_9)" in told or "4 (" in told
    captured = capfd.readouterr()
    assert leaked(told + captured.out + captured.err) == []


@pytest.mark.parametrize("form", ["parquet", "delta"])
def test_columns_of_tables_that_the_policy_does_not_name_are_shapes(of_files, spark, tmp_path, capfd, form):
    schema = f"person bigint, at timestamp, amount int, `{CANARIES[1]}` string, `{CANARIES[3]}` string"
    rows = spark.createDataFrame([(1, None, 5, CANARIES[2], CANARIES[0])], schema)
    rows.write.format(form).mode("overwrite").save(str(tmp_path / "in"))
    ctx = of_files(form)
    run(ctx)
    with pytest.raises(ContractError, match="columns are new") as raised:
        run(of_files(form, new_columns="fail"))
    captured = capfd.readouterr()
    assert leaked(held_by_control(ctx) + str(raised.value) + captured.out + captured.err) == []


@pytest.mark.parametrize("packed", ["plain", "zip"])
def test_a_file_without_its_header_is_refused_without_its_first_row(of_files, tmp_path, capfd, packed):
    text = f"{CANARIES[0]},{CANARIES[1]},123456.78\n1,2,3\n"
    if packed == "zip":
        with zipfile.ZipFile(tmp_path / "in" / f"{CANARIES[3]}.zip", "w") as archive:
            archive.writestr(f"{CANARIES[3]}.csv", text)
    else:
        (tmp_path / "in" / f"{CANARIES[3]}.csv").write_text(text)
    with pytest.raises(ContractError, match="its first line may hold data") as raised:
        run(of_files("csv"))
    captured = capfd.readouterr()
    assert leaked(str(raised.value) + captured.out + captured.err) == [] and "123456" not in str(raised.value)


@pytest.mark.parametrize("content", ["", "\ufeff", "\x1f\x8b"])
def test_a_file_that_is_named_by_a_person_is_refused_without_that_name(of_files, tmp_path, content):
    (tmp_path / "in" / f"{CANARIES[3]}.csv").write_text(content, encoding="utf-16" if content == "\ufeff" else "latin-1")
    (tmp_path / "in" / "other.csv").write_text("person,at,amount\n1,,1\n")
    with pytest.raises(ContractError) as raised:
        run(of_files("csv"))
    assert leaked(str(raised.value)) == [] and "file 1 of 2" in str(raised.value)
