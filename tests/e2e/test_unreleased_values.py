"""Values of one person, in released and in suppressed rows: a whole run, and then every byte that it left outside restricted."""

from datetime import date, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pytest
import yaml

from tests.e2e.conftest import kveil
from tests.oracles.unwrapped import where

RELEASED = ["Quellenhof", 98_765_432, np.datetime64("2024-04-17")]
"""A village, an income and a day that one person of the release has."""
SUPPRESSED = ["Zwergdorf", "Kleinheim", 87_654_321, np.datetime64("2019-02-03")]
"""Those of people who are too few in their year."""
UNNAMED = ["Erika Mustermann", "DE02120300000000202051"]
"""A header that the policy does not name, and the cell below it."""

POLICY = """
name: shop
purpose: refund_model
person: client
sources:
  payments:
    uri: payments.csv
    format: csv
    columns:
      client: {type: bigint, required: true}
      booked: {type: date, required: true}
      amount: {type: "decimal(12,2)", required: true}
      shop: string
      town: string
      born: int
      income: int
      refunded: boolean
consent: {simulated: {grant: 1, refuse: 0, withdraw: 0, first: 2018-01-01, last: 2018-01-02}}
clean:
  table: payments
  base: payments
  time: booked
  categories: [town, shop]
  derive: {year: cast(year(date) as string)}
  money: {currency: EUR, columns: {amount: cents}}
anonymize:
  release: payments
  k: 5
  partition_by: [year, split]
  quasi_identifiers:
    born: {kind: number}
    income: {kind: number}
    town: {kind: category}
    date: {kind: date}
  sensitive: {shop: {distinct: 2}}
  noise: {cents: {lower: 0, upper: 20000, epsilon: 2}}
  insensitive: {refunded: the label}
  budget: {epsilon: 6}
  suppression_limit: 0.4
train:
  label: refunded
  features: [born, town, shop, income]
  logistic_regression: {}
  gradient_boosted_trees: {trees: 3, depth: 3}
deploy: {model: refunds, gate: {min_auc: 0.2, max_auc_loss: 0.6, max_prosecutor_risk: 0.2}}
"""


def payments(folder: Path) -> None:
    """Payments of 240 people, three of whom have a value of their own, and of three more in another year."""
    random = Random(5)
    lines = [f"client,booked,amount,shop,town,born,income,refunded,{UNNAMED[0]}"]
    own = {7: (None, 98_765_432, None), 11: ("Quellenhof", None, None), 13: (None, None, 1903)}
    for client in range(240):
        town, income, born = (
            random.choice(["Aachen", "Bonn", "Celle"]),
            random.randrange(20_000, 80_000),
            random.randrange(1944, 2004),
        )
        mine = own.get(client, (None, None, None))
        who = f"{mine[0] or town},{mine[2] or born},{mine[1] or income}"
        for _ in range(random.randrange(3, 9)):
            day = date(2024, 1, 1) + timedelta(days=random.randrange(60))
            shop, refunded = random.choice(["books", "bakery", "fuel"]), random.random() < 0.3
            lines.append(f"{client},{day},{random.randrange(100, 9000) / 100},{shop},{who},{str(refunded).lower()}")
    lines.append("20,2024-04-17,10.0,books,Bonn,1980,44321,false")
    few = [(900, "Zwergdorf", 1899, 87_654_321), (901, "Zwergdorf", 1960, 41_235), (902, "Kleinheim", 1961, 38_883)]
    lines += [f"{client},2019-02-03,5.0,books,{town},{born},{income},true" for client, town, born, income in few]
    (folder / "payments.csv").write_text("\n".join([lines[0], *(f"{line},{UNNAMED[1]}" for line in lines[1:])]) + "\n")


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ["mondrian", "local_recoding", "full_domain"])
def test_no_value_of_one_person_leaves_the_restricted_zone(tmp_path, monkeypatch, algorithm):
    payments(tmp_path)
    document = yaml.safe_load(POLICY)
    document["anonymize"]["algorithm"] = algorithm
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    kveil("run", "policy.yml", "--lake", "lake")
    outside = [Path("lake") / name for name in ("release", "control", "reports", "mlflow", "mlflow.db")]
    assert all(folder.exists() for folder in outside)
    assert where(outside, ["bakery"])
    assert where(outside, [*RELEASED, *SUPPRESSED, *UNNAMED]) == []
