"""The policy's population as rows that the kernel counts beside the release's own."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.kernel import OUTSIDE, Kernel
from kveil.anonymize.population import population
from kveil.context import Context
from kveil.settings import Policy
from kveil.tables.declaration import TableRef
from kveil.tables.schema import RAW


def population_reads(policy: Policy) -> list[TableRef]:
    """The raw table of the policy's population, where it has one: read beside the clean table."""
    asked = policy.anonymize.population
    return [RAW.of(policy, asked.source)] if asked else []


def population_of(ctx: Context) -> DataFrame:
    """The rows of the policy's population; it must have one."""
    asked = ctx.policy.anonymize.population
    assert asked is not None  # called where the policy has one
    return population(ctx.read(RAW, asked.source), ctx.policy.person, ctx.policy.anonymize)


def beside(rows: DataFrame, people: DataFrame, kernel: Kernel) -> DataFrame:
    """The rows with the population's beside them, each in all of the release's partitions that agree with what its source names.

    Those in a partition that the release does not have fit none of its classes and are left out.
    """
    by = kernel.settings.partition_by
    places = rows.select(*by).distinct()
    agree = [people[name].cast("string").eqNullSafe(places[name].cast("string")) for name in by if name in people.columns]
    found = people.join(F.broadcast(places), reduce(Column.__and__, agree, F.lit(True)))
    people = found.select(*[people[name] for name in people.columns if name not in by], *[places[name] for name in by])
    outside = people.withColumnRenamed(people.columns[0], kernel.person).withColumn(OUTSIDE, F.lit(True))
    inside = rows.withColumns({kernel.person: F.col(kernel.person).cast("string"), OUTSIDE: F.lit(False)})
    return inside.unionByName(outside, allowMissingColumns=True)
