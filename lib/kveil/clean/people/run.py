"""Links a policy's registrations and keeps who is who, so that a person's ids are known to be one person's."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.clean.log import CleaningLog
from kveil.clean.people.linkage import ID, clusters, linked
from kveil.clean.people.survivors import one_row_each, survivors, with_survivors
from kveil.context import Context
from kveil.errors import ContractError
from kveil.tables.schema import PEOPLE, PEOPLE_PAIRS
from kveil.tables.store import NO_STATISTICS


def made_one(ctx: Context, source: str, rows: DataFrame, log: CleaningLog) -> DataFrame:
    """A source's rows with one id per person, where the policy links people; the linked source then has one row per person.

    The linked source must come first: it writes who is who. Raises ContractError where it has more rows than are compared.
    """
    asked, person = ctx.policy.clean.people, ctx.policy.person
    if asked is None or person not in rows.columns:
        return rows
    if source != asked.source:
        return with_survivors(rows, person, ctx.store.read(ctx.ref(PEOPLE)))
    with ctx.step(f"people of {source}") as note:
        found, before = _linked(ctx, rows)
        one = one_row_each(rows, person, found, asked)
        after = one.count()
        note.text = f"{before - after:,} of {before:,} registrations are another's"
    log.add(source, f"people: one row per person, linked by {', '.join(asked.columns)}", before, after)
    return one


def _linked(ctx: Context, rows: DataFrame) -> tuple[DataFrame, int]:
    """Writes pairs and people; returns the latter and the number of registrations."""
    asked, person = ctx.policy.clean.people, ctx.policy.person
    assert asked is not None, "asked before"
    count = rows.count()
    if count > asked.most:
        raise ContractError(
            f"clean.people.source: {asked.source} has {count:,} rows, and at most {asked.most:,} are compared in memory; "
            "raise clean.people.most if this machine has the memory, or leave people out"
        )
    texts = [F.col(name).cast("string").alias(name) for name in asked.columns]
    people = rows.where(F.col(person).isNotNull()).select(F.col(person).cast("string").alias(ID), *texts)
    # As many rows as the policy allows, and in one order, since sums in another order differ in their last digits.
    table = people.toArrow().sort_by(ID)
    pairs = linked(table, asked)
    told = [(*(row[name] for name in PEOPLE_PAIRS.names[:-1]), dict(row["weights"])) for row in pairs.to_pylist()]
    ctx.store.replace(ctx.ref(PEOPLE_PAIRS), ctx.spark.createDataFrame(told, PEOPLE_PAIRS.ddl), properties=NO_STATISTICS)
    ids = clusters(table[ID].to_pylist(), pairs)
    grouped = ctx.spark.createDataFrame(list(ids.items()), "person string, cluster int")
    ctx.store.replace(ctx.ref(PEOPLE), survivors(rows, person, grouped).select(*PEOPLE.names), properties=NO_STATISTICS)
    for table_ in (PEOPLE, PEOPLE_PAIRS):
        ctx.store.forget_history(ctx.ref(table_))
    return ctx.store.read(ctx.ref(PEOPLE)), count
