"""make bench-masking: each technique of masking, and all of them together, beside copying the table.

python -m bench.masking [--rows MILLIONS] [--repeats N]

Masked are columns of bank transactions of 100,000 customers, 14 columns wide; a technique is measured as a job that
reads the table, masks one column (all: twelve) and writes it. A swap is measured apart: it needs the rows of a class
together, so it is held against copying with that shuffle as well.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pyarrow as pa
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.masking.columns import type_of
from kveil.anonymize.masking.swap import ROWS_PER_TASK, swapped
from kveil.anonymize.noise import Draws
from kveil.generate.identifiers import with_iban
from kveil.session import session
from kveil.settings.anonymize import Anonymize
from kveil.settings.mask import (
    Bin,
    DateShift,
    Encrypt,
    Fake,
    Mask,
    Partial,
    Pseudonym,
    Redact,
    Round,
    Scrub,
    TopBottom,
)
from kveil.settings.mask_checks import keyed
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.measure import Book, cost_of
from bench.transactions import transactions

_SHUFFLED = "copying with a shuffle by class"
GATHERED = 200_000
"""Rows that are masked at once, as many as a fragment of a release holds: each distinct value of these is masked once."""
SAID = {"reason": "a benchmark", "linkable": True}
ROLES: dict[str, Mask] = {
    "occupation": Redact(technique="redact", reason="a benchmark"),
    "email": Partial(technique="partial", keep="domain", reason="a benchmark"),
    "card": Partial(technique="partial", keep_last=4, reason="a benchmark"),
    "payee": Pseudonym(technique="pseudonym", **SAID),
    "iban": Encrypt(technique="encrypt", format="iban", **SAID),
    "phone": Encrypt(technique="encrypt", format="digits", keep_first=2, **SAID),
    "name": Fake(technique="fake", kind="name", **SAID),
    "date": DateShift(technique="date_shift", days=30, **SAID),
    "amount_cents": Round(technique="round", to=100, reason="a benchmark"),
    "income": TopBottom(technique="top_bottom", upper=150_000, reason="a benchmark"),
    "age": Bin(technique="bin", edges=[25, 35, 45, 55, 65, 75], reason="a benchmark"),
    "note": Scrub(technique="scrub", **SAID),
}
SWAPPED = Anonymize.model_validate(
    {
        "release": "swapped",
        "k": 10,
        "release_columns": ["label"],
        "quasi_identifiers": {"age": {"kind": "number"}, "gender": {"kind": "category"}, "occupation": {"kind": "category"}},
        "mask": {"amount_cents": {"technique": "swap", "reason": "a benchmark"}},
    }
)
"""Some 4,400 classes, whose amounts change places."""


@dataclass(frozen=True)
class Job:
    """A table of transactions with what a bank knows of the payer, at rest."""

    spark: SparkSession
    folder: Path
    rows: int

    def make(self) -> None:
        """Writes it; every fifth note holds an account number."""
        number = F.lpad(F.col("customer").cast("string"), 8, "0")
        known = with_iban(transactions(self.spark, self.rows), F.lit("DE"), number)
        self._write(
            known.select(
                "*",
                F.concat(F.lit("customer."), number, F.lit("@example.com")).alias("email"),
                F.concat(F.lit("+49 151 "), number).alias("phone"),
                F.concat(F.lit("41110000"), number).alias("card"),
                F.concat(F.lit("payee "), F.pmod(F.xxhash64("customer", "date"), F.lit(1_000_000))).alias("payee"),
                F.concat(F.lit("Customer "), number).alias("name"),
                F.pmod(F.xxhash64("customer"), F.lit(200_000)).alias("income"),
                F.when(F.pmod("customer", F.lit(5)) == 0, F.concat_ws(" ", F.lit("pay"), "iban", F.lit("in May")))
                .otherwise(F.concat_ws(" ", F.lit("rent for flat"), F.pmod("customer", F.lit(90)).cast("string")))
                .alias("note"),
            ),
            "input",
        )

    def copy(self) -> None:
        """The floor: reads, writes."""
        self._write(self.table(), "copy")

    def through(self) -> None:
        """Reads, hands every row to Python and back, writes."""
        self.masked({})

    def masked(self, roles: dict[str, Mask]) -> None:
        """Reads, masks, writes."""
        clean = self.table()
        masks = Masks(roles, dict.fromkeys(keyed(roles), bytes(range(32))))
        kinds = {name: type_of(roles[name], kind) if name in roles else kind for name, kind in clean.dtypes}

        def mask(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for table in _gathered(batches):
                made = masks.masked(table, "customer")
                columns = [made[name] if name in made else table[name] for name in kinds]
                yield from pa.Table.from_arrays(columns, names=list(kinds)).to_batches()

        self._write(clean.mapInArrow(mask, ", ".join(f"{name} {kind}" for name, kind in kinds.items())), "masked")

    def shuffled(self) -> None:
        """Reads, brings the rows of each class together, writes."""
        clean = self.table()
        self._write(clean.repartition(1 + self.rows // ROWS_PER_TASK, *SWAPPED.class_columns()), "copy")

    def swapped(self) -> None:
        """Reads, swaps within classes, writes."""
        self._write(swapped(self.table(), SWAPPED, Draws(secret=bytes(range(32)))), "masked")

    def table(self) -> DataFrame:
        """The rows."""
        return self.spark.read.format("delta").load(str(self.folder / "input"))

    def _write(self, rows: DataFrame, name: str) -> None:
        writer = rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true")
        writer.save(str(self.folder / name))


def _gathered(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(each.num_rows for each in held) >= GATHERED:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def measure(book: Book, job: Job, repeats: int) -> None:
    """Medians of CPU and wall seconds over copying's, of jobs that take turns."""
    job.make()
    job.masked(ROLES)  # starts workers and warms the JVM
    steps = {"copy": job.copy, "through Python, nothing masked": job.through}
    for name, role in ROLES.items():
        steps[f"{role.technique} ({name})"] = lambda name=name, role=role: job.masked({name: role})
    steps["all twelve columns"] = lambda: job.masked(ROLES)
    steps |= {_SHUFFLED: job.shuffled, "swap (amount_cents)": job.swapped}
    costs = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            costs[name].append(cost_of(step))
    cpu = {name: median(each.cpu for each in found) for name, found in costs.items()}
    wall = {name: median(each.wall for each in found) for name, found in costs.items()}
    book.add(f"{job.rows // 1_000_000} M rows: copy", cpu["copy"], "CPU s")
    for name in steps:
        if name != "copy":
            target = 2 if name.startswith("all") else None
            book.add(f"{name} over copying", cpu[name] / cpu["copy"], "CPU ratio", target)
            book.add(f"{name} over copying", wall[name] / wall["copy"], "time ratio", target)
    swap = cpu["swap (amount_cents)"] / cpu[_SHUFFLED]
    book.add(f"swap (amount_cents) over {_SHUFFLED}", swap, "CPU ratio")


def main() -> None:
    """Runs it and writes bench/results/masking.json."""
    parser = argparse.ArgumentParser(prog="bench.masking")
    parser.add_argument("--rows", type=int, default=2, help="millions of transactions")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    book = Book("masking")
    with tempfile.TemporaryDirectory() as folder:
        measure(book, Job(session("kveil-bench"), Path(folder), asked.rows * 1_000_000), asked.repeats)
    print(book.write())


if __name__ == "__main__":
    main()
