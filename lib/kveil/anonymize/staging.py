"""Staging: the release's rows as they will be published, while they still know their people."""

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.anonymize import full_domain
from kveil.anonymize.columns import SUPPRESSED, TREE, ddl, of_staging
from kveil.anonymize.compose import Comparison
from kveil.anonymize.compose.kept import with_trees
from kveil.anonymize.domains import codings
from kveil.anonymize.giants import by_fragments
from kveil.anonymize.hiding import hidden_rows
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.leftovers import pooled
from kveil.anonymize.masking.arrow import Masks
from kveil.anonymize.population_rows import beside, population_of
from kveil.anonymize.references import references
from kveil.anonymize.secret import draws_of
from kveil.context import Context
from kveil.session import in_short_methods
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import STAGING
from kveil.tables.store import NO_STATISTICS


def make_staging(ctx: Context, release_id: str, comparison: Comparison, clean: DataFrame, masks: Masks) -> None:
    """Generalizes, masks and draws the noise, in one Delta commit; a committed staging of this release is used as it is.
    Labels, and what a class is compared with, are measured on the whole clean table, also where only some of its rows
    are to be released, and what the comparison with earlier releases holds back is left out. Then what only the whole can tell:
    rows that lost their cells are pooled, histories hidden.
    """
    ref, settings, person = ctx.ref(STAGING), ctx.policy.anonymize, ctx.policy.person
    schema = StructType.fromDDL(ddl(of_staging(settings, dict(clean.dtypes), len(comparison.known))))
    assert isinstance(schema, StructType)  # a list of columns parses to nothing else
    asked = references(clean, person, settings)
    kernel = Kernel(
        settings, codings(clean, settings, person), person, to_arrow_schema(schema), asked, label=ctx.policy.train.label
    )
    named = {RELEASE_ID: release_id, **masks.told}
    if any(ctx.store.property_of(ref, key) != value for key, value in named.items()):
        ctx.store.destroy(ref)
        made = _generalized(ctx, comparison, replace(kernel, draws=draws_of(ctx, release_id), masks=masks), schema)
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


def _generalized(ctx: Context, comparison: Comparison, kernel: Kernel, schema: StructType) -> DataFrame:
    rows, settings = comparison.rows, kernel.settings
    if settings.algorithm == "full_domain":
        made = full_domain.staging_rows(ctx, rows, kernel, rows.count(), schema)
    else:
        kernel = with_trees(kernel, rows, comparison.trees)
        if settings.population is not None:
            rows = beside(rows, population_of(ctx), kernel)
        made = by_fragments(rows, kernel, schema)
    return comparison.kept(made, settings)
