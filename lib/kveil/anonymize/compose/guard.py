"""A release held against every earlier one of the same people, before anything is booked or drawn.

Whoever holds two releases may intersect and subtract their classes. So the people in each overlap of classes, and those in one
release alone, must be none or as many as was promised (Ganta, Kasiviswanathan, Smith 2008 on the intersection of releases).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from kveil.anonymize import full_domain
from kveil.anonymize.columns import CLASS, MARK, PERSON, TREE, before, ddl
from kveil.anonymize.compose.again import choose_again
from kveil.anonymize.compose.comparison import Comparison
from kveil.anonymize.compose.kept import Trees, kept_trees, trees_of, with_trees
from kveil.anonymize.compose.known import Known, known_releases
from kveil.anonymize.compose.label import with_classes
from kveil.anonymize.compose.overlaps import CELL, Verdict, judged, left_out, overlaps, with_lost_classes
from kveil.anonymize.compose.record import marked, with_marks
from kveil.anonymize.compose.refusals import comparable, require_allowed
from kveil.anonymize.domains import codings
from kveil.anonymize.giants import by_fragments
from kveil.anonymize.identity import used_columns
from kveil.anonymize.kernel import Kernel
from kveil.anonymize.population_rows import beside, population_of
from kveil.anonymize.references import references
from kveil.anonymize.work import Work
from kveil.context import Context
from kveil.session import in_short_methods
from kveil.tables.schema import CLEAN, COMPARED, OVERLAPS, TRIED
from kveil.tables.store import NO_STATISTICS


def compared(ctx: Context, work: Work, chosen: Callable[[DataFrame], DataFrame], clean: DataFrame) -> Comparison:
    """What may be released of the `chosen` rows of the clean table beside every earlier release of the same people.

    `clean` holds the columns that the release reads. GuaranteeError, before anything is booked, where `anonymize.composition`
    does not let it be made safe by leaving rows out.
    """
    used = used_columns(ctx.policy)
    whole = ctx.read(CLEAN)
    known = tuple(comparable(ctx, known_releases(ctx, work.lineage), whole.columns))
    columns = dict.fromkeys([*used, *(name for each in known for name in each.columns)])
    rows = with_marks(ctx, chosen(whole.select(*columns)), used)
    if not known:
        return Comparison(rows)
    with ctx.step("compare with earlier releases") as note:
        made = _compared(ctx, rows, clean, known, work)
        note.text = f"{len(known)} releases, {sum(made.changed):,} of their classes changed"
    return made


def _compared(ctx: Context, rows: DataFrame, clean: DataFrame, known: tuple[Known, ...], work: Work) -> Comparison:
    used = used_columns(ctx.policy)
    marks: dict[tuple[str, ...], str] = {tuple(used): MARK}
    for each in known:
        if each.columns not in marks:
            marks[each.columns] = f"{MARK}_{len(marks)}"
            rows = with_marks(ctx, rows, each.columns, marks[each.columns])
    ctx.store.replace(ctx.ref(COMPARED), with_classes(rows, known), properties=NO_STATISTICS)
    labelled = ctx.store.read(ctx.ref(COMPARED))
    changed = [_changed(ctx, labelled, each, i, marks[each.columns]) for i, each in enumerate(known)]
    befores = [before(i) for i in range(len(known))]
    made = Comparison(labelled.select(*used, MARK, *befores), known, changed=tuple(each.count() for each in changed))
    if ctx.policy.anonymize.composition == "accept":
        return made
    trees = _tried(ctx, made.rows, clean, known, work.rows)
    verdict = _verdict(ctx, made.rows, changed, known)
    again = choose_again(ctx, work.release_id, known, verdict)
    made = replace(made, trees=trees, held=verdict.held.select(CELL), again=again)
    require_allowed(ctx, verdict, made, work.rows)
    return made


def _changed(ctx: Context, labelled: DataFrame, known: Known, number: int, mark: str) -> DataFrame:
    """The classes of a known release behind which other rows stand now than when it was published; emptied ones are not among
    them, since all of their people are gone.
    """
    now = marked(ctx, labelled.where(F.col(ctx.policy.person).isNotNull()), F.col(before(number)), mark)
    then = known.classes(ctx).select("class", "rows", "mark")
    return then.join(now.select("class", F.col("mark").alias("now")), "class").where(F.col("mark") != F.col("now"))


def _tried(ctx: Context, rows: DataFrame, clean: DataFrame, known: Sequence[Known], rows_in: int) -> Trees:
    """Writes the classes that the release would have; returns their trees, those of an earlier release where they are kept."""
    settings, person = ctx.policy.anonymize, ctx.policy.person
    types = dict(clean.dtypes)
    befores = {before(i): "bigint" for i in range(len(known))}
    plain = {name: types[name] for name in [*settings.partition_by, *settings.sensitive]}
    schema = StructType.fromDDL(ddl({PERSON: "string", TREE: "binary", CLASS: "bigint", **befores, **plain}))
    assert isinstance(schema, StructType)  # a list of columns parses to nothing else
    # Classes alone are asked for: nothing is drawn or masked.
    bare = settings.model_copy(update={"noise": {}, "mask": {}})
    asked = references(clean, person, settings)
    kernel = Kernel(bare, codings(clean, settings, person), person, to_arrow_schema(schema), asked, label=ctx.policy.train.label)
    if settings.algorithm == "full_domain":
        made = full_domain.staging_rows(ctx, rows, kernel, rows_in, schema)
    else:
        kernel = with_trees(kernel, rows, kept_trees(ctx.policy, known))
        counted = rows if settings.population is None else beside(rows, population_of(ctx), kernel)
        made = by_fragments(counted, kernel, schema)
    with in_short_methods(ctx.spark):
        ctx.store.replace(ctx.ref(TRIED), made, properties=NO_STATISTICS)
    if settings.algorithm != "mondrian":
        return {}
    found = ctx.store.read(ctx.ref(TRIED)).where(F.col(TREE).isNotNull()).select(*settings.partition_by, TREE)
    return trees_of(found.toArrow(), settings.partition_by)


def _verdict(ctx: Context, rows: DataFrame, changed: Sequence[DataFrame], known: Sequence[Known]) -> Verdict:
    """Judges every overlap and writes them down with what is held back."""
    settings, n = ctx.policy.anonymize, len(known)
    tried = ctx.store.read(ctx.ref(TRIED)).where(F.col(TREE).isNull())
    cells = overlaps(tried, left_out(rows, tried, ctx.policy.person, n), settings, n)
    # People are counted once; what is judged of the counts reads them many times.
    counted = _written(ctx, cells)
    verdict = with_lost_classes(judged(counted, changed, known, settings.k), tried, settings, n)
    return Verdict(_written(ctx, verdict.cells))


def _written(ctx: Context, cells: DataFrame) -> DataFrame:
    ref = ctx.ref(OVERLAPS)
    ctx.store.replace(ref, cells, properties=NO_STATISTICS)
    return ctx.store.read(ref, ctx.store.version(ref))
