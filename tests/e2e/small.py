"""A small shop in files, for what is tried with processes of their own: 240 people, each with some payments."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.builders import changed

PEOPLE = 240
PERSON = "Person Nr {:05}"


def shop_files(folder: Path, **changes: Any) -> str:
    """Writes the sources and the policy `shop`, with dotted keys changed; returns the policy's path."""
    random = np.random.default_rng(1)
    lines = ["client,booked,amount,shop,refunded,born,town"]
    for person in range(PEOPLE):
        born, town = 1950 + person % 50, ("aachen", "berlin", "celle")[person % 3]
        for _ in range(5):
            day, cents = f"2024-01-{random.integers(1, 29):02}", int(random.integers(100, 20000))
            what, back = ("milk", "bread", "wine")[random.integers(3)], "true" if random.random() < 0.3 else "false"
            lines.append(f"{PERSON.format(person)},{day},{cents / 100:.2f},{what},{back},{born},{town}")
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    columns = {
        "client": {"type": "string", "required": True}, "booked": {"type": "date", "required": True},
        "amount": {"type": "decimal(12,2)", "required": True}, "shop": "string",
        "refunded": "boolean", "born": "int", "town": "string",
    }  # fmt: skip
    document = {
        "name": "shop", "purpose": "refunds", "person": "client",
        "sources": {"payments": {"uri": str(folder / "payments.csv"), "format": "csv", "columns": columns}},
        "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2020-12-31"}},
        "law": {"retention": {"raw": 36500, "clean": 36500}},
        "clean": {
            "table": "payments", "base": "payments", "time": "booked", "categories": ["town", "shop"],
            "money": {"currency": "EUR", "columns": {"amount": "cents"}},
        },
        "anonymize": {
            "release": "payments", "k": 5, "partition_by": ["split"],
            "quasi_identifiers": {"born": {"kind": "number"}, "town": {"kind": "category"}},
            "sensitive": {"shop": {"distinct": 2}}, "noise": {"cents": {"lower": 0, "upper": 20000, "epsilon": 1}},
            "insensitive": {"refunded": "the label"}, "budget": {"epsilon": 2}, "suppression_limit": 0.5,
        },
        "train": {"label": "refunded", "features": ["born", "town", "shop"], "logistic_regression": {}},
        "deploy": {"model": "refunds"},
    }  # fmt: skip
    path = folder / "shop.yml"
    path.write_text(yaml.safe_dump(changed(document, **changes)))
    return str(path)
