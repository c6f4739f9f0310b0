"""Staging: the release's rows as they will be published, while they still know their people."""

from dataclasses import replace
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.anonymize import full_domain
from kveil.anonymize.columns import SUPPRESSED, TREE, ddl, of_staging
from kveil.anonymize.domains import codings
from kveil.anonymize.fragments import fragments
from kveil.anonymize.giants import by_fragments
from kveil.anonymize.hiding import hidden_rows
from kveil.anonymize.kernel import OUTSIDE, Kernel
from kveil.anonymize.leftovers import pooled
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.population import population
from kveil.anonymize.publish import RELEASE_ID
from kveil.anonymize.references import references
from kveil.anonymize.secret import draws_of
from kveil.context import Context
from kveil.session import in_short_methods
from kveil.settings import Policy
from kveil.tables.declaration import TableRef
from kveil.tables.schema import RAW, STAGING
from kveil.tables.store import NO_STATISTICS


def make_staging(ctx: Context, release_id: str, rows: DataFrame, clean: DataFrame, masks: Masks) -> None:
    """Generalizes, masks and draws the noise, in one Delta commit; a committed staging of this release is used as it is.
    Labels, and what a class is compared with, are measured on the whole clean table, also where only some of its rows
    are to be released. Then what only the whole can tell: rows that lost their cells are pooled, histories hidden.
    """
    ref, settings, person = ctx.ref(STAGING), ctx.policy.anonymize, ctx.policy.person
    schema = StructType.fromDDL(ddl(of_staging(settings, dict(clean.dtypes))))
    assert isinstance(schema, StructType)  # a list of columns parses to nothing else
    asked = references(clean, person, settings)
    kernel = Kernel(
        settings, codings(clean, settings, person), person, to_arrow_schema(schema), asked, label=ctx.policy.train.label
    )
    named = {RELEASE_ID: release_id, **masks.told}
    if any(ctx.store.property_of(ref, key) != value for key, value in named.items()):
        ctx.store.destroy(ref)
        made = _generalized(ctx, rows, replace(kernel, draws=draws_of(ctx, release_id), masks=masks), schema)
        # What tells the fragment of a row has a step per cut.
        with ctx.step("generalize and add noise") as note, in_short_methods(ctx.spark):
            ctx.store.replace(ref, made, properties={**named, **NO_STATISTICS})
            note.rows(ctx.store.read(ref).where(F.col(TREE).isNotNull()).count(), "fragments")
    if settings.suppress == "cell":
        with ctx.step("pool rows that lost their cells") as note:
            ctx.store.replace_where(ref, pooled(ctx.store.read(ref), kernel), **{SUPPRESSED: True})
            note.rows(ctx.store.read(ref).where(F.col(SUPPRESSED)).count())
    if settings.trajectory is not None:
        with ctx.step("hide histories") as note:
            note.rows(hidden_rows(ctx, release_id, clean), "rows suppressed")


def _generalized(ctx: Context, rows: DataFrame, kernel: Kernel, schema: StructType) -> DataFrame:
    settings = ctx.policy.anonymize
    if settings.algorithm == "full_domain":
        return full_domain.staging_rows(ctx, rows, kernel, rows.count(), schema)
    kernel = replace(kernel, fragments=fragments(rows, settings, kernel.codings, kernel.person))
    if settings.population is not None:
        rows = _beside(rows, population_of(ctx), kernel)
    return by_fragments(rows, kernel, schema)


def population_reads(policy: Policy) -> list[TableRef]:
    """The raw table of the policy's population, where it has one: read beside the clean table."""
    asked = policy.anonymize.population
    return [RAW.of(policy, asked.source)] if asked else []


def population_of(ctx: Context) -> DataFrame:
    """The rows of the policy's population; it must have one."""
    asked = ctx.policy.anonymize.population
    assert asked is not None  # called where the policy has one
    return population(ctx.read(RAW, asked.source), ctx.policy.person, ctx.policy.anonymize)


def _beside(rows: DataFrame, people: DataFrame, kernel: Kernel) -> DataFrame:
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
