"""The bank's tables, each as a plan: nothing is computed before somebody reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from math import ceil

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from kveil.generate import faults
from kveil.generate.accounts import accounts
from kveil.generate.consents import consents
from kveil.generate.dirt import DOUBLED, Dirt
from kveil.generate.draws import permuted
from kveil.generate.loans import loans
from kveil.generate.merchants import merchants
from kveil.generate.people import customers
from kveil.generate.size import Bank
from kveil.generate.transactions import transactions
from kveil.tables.bank_schema import BANK, ERRORS

_PER_PARTITION = 500_000


@dataclass(frozen=True)
class Generator:
    """A bank's tables in one session. `partitions` plays no part in any value; by default it follows from the rows."""

    spark: SparkSession
    bank: Bank
    partitions: int | None = None

    def tables(self) -> Iterator[tuple[str, DataFrame]]:
        """Every table by name, in the order and with the columns and types of the declarations."""
        for table in BANK:
            rows = self._made(table.name)
            yield table.name, rows.select(*[F.col(column.name).cast(column.type) for column in table.columns])

    def _made(self, name: str) -> DataFrame:
        if name == "errors":
            return self._errors()
        if name == "merchants":
            return merchants(self.spark, self.bank.seed, 1)
        if name == "consents":
            return consents(self._people().select("customer_id"), self.bank.seed)
        return self._dirt[name].spoiled(self._clean[name])

    @cached_property
    def _clean(self) -> dict[str, DataFrame]:
        """The tables that dirt falls on, before it does: planned once, read as rows and as errors."""
        bank, first = self.bank, self._range(1, self.bank.customers + 1).select(F.col("id").alias("customer_id"))
        return {
            "customers": customers(self._people(), bank.seed),
            "accounts": accounts(first, bank.seed),
            "transactions": transactions(self._range(0, bank.transactions).select(F.col("id").alias("row")), bank),
            "loans": loans(first, bank.seed),
        }

    @cached_property
    def _dirt(self) -> dict[str, Dirt]:
        return {dirt.table: dirt for dirt in faults.of_all(self.bank)}

    @property
    def _registered_twice(self) -> int:
        return self.bank.added(self.bank.customers, DOUBLED)

    def _people(self) -> DataFrame:
        """customer_id and `source`, the number of the person: another one for those who are registered a second time."""
        number, first = F.col("id"), self.bank.customers
        rows = self._range(1, first + self._registered_twice + 1)
        return rows.select(
            number.alias("customer_id"), F.when(number <= first, number).otherwise(self._person(number)).alias("source")
        )

    def _person(self, again: Column) -> Column:
        """The first number of the person with this second number."""
        return 1 + permuted(again - self.bank.customers - 1, self.bank.customers, "registered twice", self.bank.seed)

    def _errors(self) -> DataFrame:
        """Every error of every table; second registrations and their consents too."""
        if not self.bank.dirt:
            return self.spark.createDataFrame([], ", ".join(f"`{column.name}` {column.type}" for column in ERRORS.columns))
        listed = [dirt.errors(self._clean[name]) for name, dirt in self._dirt.items()]
        if self._registered_twice:
            number = F.col("customer_id")
            again = self._people().where(number > self.bank.customers).select(number)
            listed.append(_second("customers", again, number, self._person(number)))
            listed.append(_second("consents", consents(again, self.bank.seed), F.col("evidence"), self._person(number)))
        return reduce(DataFrame.unionByName, listed)

    def _range(self, start: int, end: int) -> DataFrame:
        return self.spark.range(start, end, 1, self.partitions or max(1, ceil((end - start) / _PER_PARTITION)))


def _second(table: str, rows: DataFrame, key: Column, truth: Column) -> DataFrame:
    return rows.select(
        F.lit(table).alias("table"),
        key.cast("string").alias("key"),
        F.lit("customer_id").alias("column"),
        F.lit("duplicate_person").alias("kind"),
        truth.cast("string").alias("truth"),
        F.col("customer_id").cast("string").alias("dirty"),
    )
