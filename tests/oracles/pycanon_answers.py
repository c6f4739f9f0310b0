"""What pycanon (PyPI, 1.3.6) says of a small made-up table in which every person owns one row.

Run by `make oracle` in a virtual environment of its own, since pycanon's dependencies hold numpy below 2.1; it writes
tests/golden/pycanon.csv (the table, from a seed) and tests/golden/pycanon.json (the answers), both committed.

Where pycanon differs from what kveil measures:
- entropy l is cut to a whole number, and recursive c is rounded up to the next whole number;
- its recursive c sorts the counts ascending, so r_1 is the *rarest* value's count and the tail holds the most frequent
  one: not what Machanavajjhala et al. 2007 define. Its answer is kept as `c_as_pycanon_sorts`, and `recursive_c` is the
  paper's bound taken over pycanon's classes;
- t of a numeric column is the ordered distance, of a text column the equal distance; there is no hierarchical one;
- rows with a null quasi-identifier are dropped by its groupby, and rows are counted, not people: the table has neither.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from pycanon import anonymity
from pycanon.anonymity.utils import aux_anonymity

GOLDEN = Path(__file__).parents[1] / "golden"
QI = ["age", "town"]


def table() -> pd.DataFrame:
    """400 people of 12 classes, an illness whose frequency leans on the town, a salary that leans on the age."""
    random = np.random.default_rng(11)
    people = 400
    age, town = random.integers(0, 4, people), random.integers(0, 3, people)
    illness = np.where(random.random(people) < 0.2, 0, (random.integers(0, 5, people) + town) % 6)
    return pd.DataFrame(
        {
            "age": np.array(["18-29", "30-44", "45-64", "65+"])[age],
            "town": np.array(["east", "north", "west"])[town],
            "illness": np.array(["asthma", "cold", "flu", "gastritis", "migraine", "ulcer"])[illness],
            "salary": 1000 * (3 + random.integers(0, 6, people) + age),
        }
    )


def paper_c(rows: pd.DataFrame, column: str, l: int) -> float:  # noqa: E741 - the literature's name
    """The greatest r_1 / (r_l + ... + r_m) of pycanon's classes."""
    bounds = []
    for positions in aux_anonymity.get_equiv_class(rows, QI):
        counts = rows.iloc[positions][column].value_counts().sort_values(ascending=False).to_numpy()
        bounds.append(counts[0] / counts[l - 1 :].sum())
    return float(max(bounds))


def answers(rows: pd.DataFrame) -> dict[str, object]:
    """Every figure, per sensitive column."""
    found: dict[str, object] = {"k": int(anonymity.k_anonymity(rows, QI))}
    for column in ("illness", "salary"):
        c, l = anonymity.recursive_c_l_diversity(rows, QI, [column])  # noqa: E741
        found[column] = {
            "distinct": int(anonymity.l_diversity(rows, QI, [column])),
            "entropy_l_cut": int(anonymity.entropy_l_diversity(rows, QI, [column])),
            "l": int(l),
            "c_as_pycanon_sorts": int(c),
            "recursive_c": paper_c(rows, column, int(l)),
            "t": float(anonymity.t_closeness(rows, QI, [column])),
            "beta": float(anonymity.basic_beta_likeness(rows, QI, [column])),
        }
    return found


if __name__ == "__main__":
    made = table()
    made.to_csv(GOLDEN / "pycanon.csv", index=False)
    (GOLDEN / "pycanon.json").write_text(json.dumps(answers(made), indent=2) + "\n", encoding="utf-8")
