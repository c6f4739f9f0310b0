"""`kveil suggest`: looks at the raw tables of a policy and writes a recipe."""

from collections.abc import Iterator

from kveil.clean.suggest.columns import of_columns
from kveil.clean.suggest.look import look
from kveil.clean.suggest.memory import Decision, weighed
from kveil.clean.suggest.recipe_file import written
from kveil.clean.suggest.repairs import of_table
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.recipe import Step
from kveil.tables.schema import RAW, SUGGESTIONS


def suggest(ctx: Context) -> str:
    """The recipe as YAML, for the sources that make the clean table; changes no table.

    Raises ContractError where a source was not collected.
    """
    steps = [step for source in ctx.policy.clean.sources_joined for step in _of_source(ctx, source)]
    return written(ctx.policy.name, weighed(steps, _decisions(ctx)))


def _of_source(ctx: Context, source: str) -> Iterator[Step]:
    ref = RAW.of(ctx.policy, source)
    if not ctx.store.exists(ref):
        raise ContractError(f"suggest: table {ref} is missing; run stage collect first")
    columns = ctx.policy.sources[source].columns
    with ctx.step(f"looks at {source}") as note:
        types = {name: columns[name].type for name in ctx.policy.used_columns(source)}
        seen = look(source, ctx.read(RAW, source), types)
        note.rows(seen.rows)
    yield from of_columns(seen, ctx.policy.person, ctx.now.date())
    yield from of_table(seen, ctx.policy.person)


def _decisions(ctx: Context) -> list[Decision]:
    """What was decided about this policy's steps; as many as its recipe has."""
    ref = ctx.ref(SUGGESTIONS)
    if not ctx.store.exists(ref):
        return []
    rows = ctx.store.read(ref).where(f"policy = '{ctx.policy.name}'").collect()
    return [Decision(row["source"], row["column"], (row["step"], row["way"]), row["accepted"]) for row in rows]
