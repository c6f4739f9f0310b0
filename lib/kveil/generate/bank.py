"""The bank's tables, each as a plan: nothing is computed before somebody reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
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
from kveil.tables.bank_schema import BANK

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
        made = {
            "customers": lambda: self._customers().spoiled(self._clean_customers()),
            "accounts": lambda: faults.of_accounts(self.bank).spoiled(self._clean_accounts()),
            "merchants": lambda: merchants(self.spark, self.bank.seed, 1),
            "transactions": lambda: faults.of_transactions(self.bank).spoiled(self._clean_transactions()),
            "loans": lambda: faults.of_loans(self.bank).spoiled(self._clean_loans()),
            "consents": lambda: consents(self._people().select("customer_id"), self.bank.seed),
            "errors": self._errors,
        }
        return made[name]()

    def _customers(self) -> Dirt:
        return faults.of_customers(self.bank)

    @property
    def _registered_twice(self) -> int:
        return self.bank.added(self.bank.customers, DOUBLED)

    def _people(self) -> DataFrame:
        """customer_id and `source`, the number of the person: another one for those who are registered a second time."""
        bank, number = self.bank, F.col("id")
        again = 1 + permuted(number - bank.customers - 1, bank.customers, "registered twice", bank.seed)
        rows = self._range(1, bank.customers + self._registered_twice + 1)
        source = F.when(number <= bank.customers, number).otherwise(again)
        return rows.select(number.alias("customer_id"), source.alias("source"))

    def _first_registrations(self) -> DataFrame:
        return self._range(1, self.bank.customers + 1).select(F.col("id").alias("customer_id"))

    def _clean_customers(self) -> DataFrame:
        return customers(self._people(), self.bank.seed)

    def _clean_accounts(self) -> DataFrame:
        return accounts(self._first_registrations(), self.bank.seed)

    def _clean_transactions(self) -> DataFrame:
        return transactions(self._range(0, self.bank.transactions).select(F.col("id").alias("row")), self.bank)

    def _clean_loans(self) -> DataFrame:
        return loans(self._first_registrations(), self.bank.seed)

    def _errors(self) -> DataFrame:
        """Every error of every table; second registrations and their consents too."""
        bank = self.bank
        listed = [
            self._customers().errors(self._clean_customers()),
            faults.of_accounts(bank).errors(self._clean_accounts()),
            faults.of_transactions(bank).errors(self._clean_transactions()),
            faults.of_loans(bank).errors(self._clean_loans()),
        ]
        if self._registered_twice:
            again = self._people().where(F.col("customer_id") > bank.customers)
            person, number = F.col("source"), F.col("customer_id")
            said = consents(again.select("customer_id"), bank.seed).join(again, "customer_id")
            listed.append(_second("customers", again, number, person, number))
            listed.append(_second("consents", said, F.col("evidence"), person, number))
        return reduce(DataFrame.unionByName, listed)

    def _range(self, start: int, end: int) -> DataFrame:
        return self.spark.range(start, end, 1, self.partitions or max(1, ceil((end - start) / _PER_PARTITION)))


def _second(table: str, rows: DataFrame, key: Column, truth: Column, dirty: Column) -> DataFrame:
    return rows.select(
        F.lit(table).alias("table"),
        key.cast("string").alias("key"),
        F.lit("customer_id").alias("column"),
        F.lit("duplicate_person").alias("kind"),
        truth.cast("string").alias("truth"),
        dirty.cast("string").alias("dirty"),
    )
