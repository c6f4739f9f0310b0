"""The README's way to one's own tables, followed to the letter on files that nobody here has seen before."""

import re
import shlex
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.conftest import ROOT, kveil

PEOPLE, PAYMENTS = 400, 4000


def section(title: str) -> str:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^## {title}\n(.*?)^## ", readme, re.DOTALL | re.MULTILINE)[1]


def block(text: str, language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]


def deliver(folder: Path) -> None:
    """Files as a shop might export them: amounts with a comma, days first, a few people who never answered."""
    random = np.random.default_rng(5)
    born = 1940 + random.integers(0, 65, PEOPLE)
    towns = np.array(["Gent", "Brugge", "Leuven", ""])[random.integers(0, 4, PEOPLE)]
    people = [f"c{i},{born[i]},{towns[i]}" for i in range(PEOPLE)]
    (folder / "people.csv").write_text("\n".join(["client,born,town", *people]) + "\n")
    said = [f"c{i},refund_model,{'refuse' if i % 20 == 0 else 'grant'},2024-01-01T09:00:00" for i in range(PEOPLE - 10)]
    (folder / "consents.csv").write_text("\n".join(["client,purpose,decision,decided_at", *said]) + "\n")
    rows = ["client;booked;amount;shop;refunded"]
    for _ in range(PAYMENTS):
        who = random.integers(0, PEOPLE)
        day = date(2024, 2, 1) + timedelta(days=int(random.integers(0, 90)))
        refunded = random.random() < (0.6 if born[who] > 1975 else 0.2)
        shop = ["books", "shoes", "games"][random.integers(0, 3)]
        rows.append(
            f"c{who};{day:%d.%m.%Y};{random.integers(1, 300)},{random.integers(0, 100):02d};{shop};{str(refunded).lower()}"
        )
    (folder / "payments.csv").write_text("\n".join([*rows, "c1;yesterday;3,00;books;true"]) + "\n")


@pytest.mark.usefixtures("spark")
def test_the_readme_is_enough_for_tables_of_ones_own(tmp_path, monkeypatch, capsys):
    text = section("Your own tables")
    deliver(tmp_path)
    (tmp_path / "my.yml").write_text(block(text, "yaml"))
    monkeypatch.chdir(tmp_path)
    commands = [shlex.split(line, comments=True) for line in block(text, "sh").splitlines()]
    assert [command[:2] for command in commands] == [["kveil", "check"], ["kveil", "run"]]
    for command in commands:
        kveil(*command[1:])
    said = capsys.readouterr()
    told = said.out + said.err
    assert "no problem found" in told
    assert "The guarantee held: the smallest class holds" in told
    assert "The gate passed: refunds is registered as version 1." in told
    report = (tmp_path / "my-lake" / "reports" / "latest" / "index.html").read_text(encoding="utf-8")
    assert "1 set aside" in told
    assert "refund_model" in report
