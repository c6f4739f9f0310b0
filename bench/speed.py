"""Time of generalizing synthetic transactions, beside the floor: reading, shuffling once and writing a Delta table."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from kveil.anonymize.columns import PERSON, TREE, ddl, of_staging
from kveil.anonymize.domains import codings
from kveil.anonymize.fragments import fragments
from kveil.anonymize.giants import by_fragments
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.references import references
from kveil.anonymize.remeasure import measured
from kveil.session import in_short_methods
from kveil.settings.anonymize import Anonymize
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from bench.measure import Book, Cost, cost_of
from bench.transactions import transactions

SIX = {
    "age": {"kind": "number"},
    "postcode": {"kind": "number"},
    "gender": {"kind": "category"},
    "occupation": {"kind": "category"},
    "date": {"kind": "date"},
    "amount_cents": {"kind": "number"},
}
EIGHT = {**SIX, "channel": {"kind": "category"}, "hour": {"kind": "number"}}
SHUFFLE = 8


@dataclass(frozen=True)
class Workload:
    """A table of transactions at rest, and a release of it."""

    spark: SparkSession
    folder: Path
    rows: int
    settings: Anonymize

    @property
    def name(self) -> str:
        """Rows and columns in words."""
        return f"{self.rows // 1_000_000} M x {len(self.settings.quasi_identifiers)}"

    def make(self) -> None:
        """Writes the transactions, with postcodes as numbers, since nearby ones are near."""
        made = transactions(self.spark, self.rows).withColumn("postcode", F.col("postcode").cast("int"))
        channel = F.element_at(
            F.array(*map(F.lit, ("branch", "card", "online", "phone"))), 1 + F.pmod(F.hash("date", "amount_cents"), F.lit(4))
        )
        made = made.withColumns({"channel": channel, "hour": F.pmod(F.hash("amount_cents", "customer"), F.lit(24))})
        self._write(made.select("customer", *self.settings.quasi_identifiers), "input")

    def table(self, name: str) -> DataFrame:
        """A table of the workload's folder."""
        return self.spark.read.format("delta").load(str(self.folder / name))

    def copy(self, name: str) -> None:
        """The floor: reads, shuffles once, writes."""
        self._write(self.table(name).repartition(SHUFFLE), "copy")

    def generalize(self) -> None:
        """Everything between the clean table and staging: domains, fragments, kernel, write."""
        clean, settings = self.table("input"), self.settings
        schema = StructType.fromDDL(ddl(of_staging(settings, dict(clean.dtypes))))
        coded = codings(clean, settings, "customer")
        cut = fragments(clean, settings, coded, "customer")
        kernel = Kernel(settings, coded, "customer", to_arrow_schema(schema), references(clean, "customer", settings), cut)
        with in_short_methods(self.spark):
            self._write(by_fragments(clean, kernel, schema), "staging")

    def remeasure(self) -> None:
        """The guarantee, measured again; a broken one stops the benchmark."""
        metrics = measured(self.table("staging").where(F.col(TREE).isNull()), self.settings, self.rows)
        broken = [metric.name for metric in metrics if metric.met is False]
        if broken:
            raise SystemExit(f"the guarantee does not hold: {', '.join(broken)}")

    def people(self) -> int:
        """How many people staging holds."""
        return self.table("staging").select(PERSON).distinct().count()

    def _write(self, rows: DataFrame, name: str) -> None:
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(self.folder / name))


def settings_of(columns: dict[str, dict[str, str]], shown: list[str]) -> Anonymize:
    """K = 10 people, by width."""
    return Anonymize.model_validate({"release": "bench", "k": 10, "quasi_identifiers": columns, "release_columns": shown})


def measure(book: Book, work: Workload, repeats: int) -> None:
    """Medians of CPU, wall, ratios to both floors and memory, written to the book."""
    work.make()
    # The first run compiles, and warms the JVM.
    work.generalize()
    floors, runs, again, copies = (
        [cost_of(step) for _ in range(repeats)]
        for step in (
            lambda: work.copy("input"),
            work.generalize,
            work.remeasure,
            lambda: work.copy("staging"),
        )
    )
    floor, run, check, result = map(_median, (floors, runs, again, copies))
    name = f"{work.name}, {'label' if work.settings.release_columns == ['label'] else 'all columns'}"
    book.add(f"{name}: copy of the input", floor.cpu, "CPU s")
    book.add(f"{name}: copy of the result", result.cpu, "CPU s")
    book.add(f"{name}: generalize", run.cpu, "CPU s")
    book.add(f"{name}: generalize", run.wall, "s")
    book.add(f"{name}: generalize", work.rows / run.wall, "rows/s", better="higher")
    book.add(f"{name}: generalize over copying the input", run.cpu / floor.cpu, "ratio")
    book.add(f"{name}: generalize over copying the result", run.cpu / result.cpu, "ratio", 1.5)
    book.add(f"{name}: with measuring again, over copying the result", (run.cpu + check.cpu) / result.cpu, "ratio")
    book.add(f"{name}: largest Python worker", max(each.worker_mib for each in runs), "MiB", 1024)
    book.add(f"{name}: JVM", max(each.driver_mib for each in runs), "MiB")


def measure_once(book: Book, work: Workload) -> None:
    """Time and memory of one run, for sizes that are run to see whether memory grows with them."""
    work.make()
    run, check = cost_of(work.generalize), cost_of(work.remeasure)
    name = f"{work.name}, label"
    book.add(f"{name}: generalize once", run.cpu, "CPU s")
    book.add(f"{name}: generalize once", run.wall, "s")
    book.add(f"{name}: measure again", check.wall, "s")
    book.add(f"{name}: largest Python worker", run.worker_mib, "MiB", 1024)
    book.add(f"{name}: JVM", run.driver_mib, "MiB")


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(each.wall for each in costs), median(each.cpu for each in costs))
