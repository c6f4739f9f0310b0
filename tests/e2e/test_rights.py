"""What people may ask of a bank, through the command line: what is held, why it is used, to be forgotten, not to be kept."""

import json
import stat
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import kveil
from tests.oracles.lake_files import files_naming

GONE = ("customer-000007", "customer-000008")
ASKED = "customer-000009"
PEOPLE = (*GONE, ASKED, *(f"customer-{i:06}" for i in range(10, 20)))


def policy(folder: Path, kinds: list[str], **law) -> str:
    """A policy file over a year of payments, of which kinds other than these are set aside."""
    columns = {"customer": {"type": "string", "required": True}, "at": "timestamp", "town": "string", "late": "boolean"}
    payments = {
        "uri": str(folder / "payments.csv"), "format": "csv", "quarantine_limit": 1,
        "columns": {**columns, "kind": {"type": "string", "allowed": kinds}},
    }  # fmt: skip
    document = {
        "name": "bank", "purpose": "scoring", "person": "customer", "sources": {"payments": payments},
        "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2020-12-31"}},
        "clean": {"table": "rows", "base": "payments", "time": "at"},
        "anonymize": {
            "release": "rows", "k": 2, "partition_by": ["split"], "quasi_identifiers": {"town": {"kind": "category"}},
            "insensitive": {"late": "the label", "kind": "no secret"},
        },
        "train": {"label": "late", "features": ["town"], "logistic_regression": {}}, "deploy": {"model": "late"},
        "law": law,
    }  # fmt: skip
    (folder / "policy.yml").write_text(yaml.safe_dump(document))
    return str(folder / "policy.yml")


@pytest.mark.long
@pytest.mark.usefixtures("spark")
def test_a_person_is_told_used_forgotten_and_not_kept_for_ever(tmp_path, capsys):
    lines = ["customer,at,town,late,kind"]
    for person in PEOPLE:
        lines += [f"{person},{year}-02-01 10:00:00,north,{year == 2022},card" for year in (2022, 2025)]
        lines += [f"{person},2025-03-01 10:00:00,north,false,cheque"]
    (tmp_path / "payments.csv").write_text("\n".join(lines) + "\n")
    lake = ("--lake", str(tmp_path / "lake"))

    def said(*arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        kveil(*arguments, *lake)
        told = capsys.readouterr()
        return told.out, told.err

    strict = policy(tmp_path, ["card"])
    said("collect", strict)
    said("clean", strict)

    out, _ = said("consent", strict, "--customer", ASKED, "--as-of", "2019-01-01")
    assert out.splitlines() == [
        "purpose scoring, as known at 2019-01-01T00:00:00Z",
        "no decision, jurisdiction or age is known: not used where a grant is asked",
    ]
    out, _ = said("consent", strict, "--customer", ASKED)
    assert "decision grant" in out and "outcome used" in out

    _, err = said("access", strict, "--customer", ASKED, "--out", str(tmp_path / "held.json"))
    document = json.loads((tmp_path / "held.json").read_text())
    held = {table: len(rows) for table, rows in document["held"].items() if rows}
    assert held["raw.bank_payments"] == held["clean.bank_rows"] == 2 and held["restricted.quarantine"] == 1
    assert f"{sum(held.values()):,} rows are held" in err
    assert stat.S_IMODE((tmp_path / "held.json").stat().st_mode) == 0o600
    assert not any(other in (tmp_path / "held.json").read_text() for other in PEOPLE if other != ASKED)

    (tmp_path / "forget.csv").write_text("\n".join(["customer", *GONE]) + "\n")
    out, _ = said("erase", strict, "--from", str(tmp_path / "forget.csv"))
    assert "people erased: 2; rows: " in out and "none holds them" in out
    assert [files_naming(tmp_path / "lake", person) for person in GONE] == [[], []]
    assert files_naming(tmp_path / "lake", ASKED)
    assert said("erase", strict)[0] == "nothing is pending; name people by --customer or --from\n"

    relaxed = policy(tmp_path, ["card", "cheque"], retention={"raw": 1200, "clean": 1200})
    out, _ = said("collect", relaxed, "--replay-quarantine")
    assert out == f"{len(PEOPLE) - 2} rows judged again, {len(PEOPLE) - 2} of them entered the raw zone\n"
    assert [files_naming(tmp_path / "lake", person) for person in GONE] == [[], []]

    out, _ = said("retain", relaxed)
    left = len(PEOPLE) - 2
    assert f"raw.bank_payments: {left} rows older than 1200 days deleted, {2 * left} left\n" in out
    assert f"clean.bank_rows: {left} rows older than 1200 days deleted, {left} left\n" in out
