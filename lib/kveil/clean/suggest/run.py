"""`kveil suggest`: looks at the raw tables of a policy and writes a recipe."""

from kveil.clean.suggest.columns import of_columns
from kveil.clean.suggest.look import Look, look
from kveil.clean.suggest.memory import Decision, weighed
from kveil.clean.suggest.recipe_file import written
from kveil.clean.suggest.repairs import of_table
from kveil.context import Context
from kveil.errors import ContractError
from kveil.tables.schema import RAW, SUGGESTIONS


def suggest(ctx: Context) -> str:
    """The recipe as YAML, for the sources that make the clean table; changes no table.

    Raises ContractError where a source was not collected.
    """
    person, today = ctx.policy.person, ctx.now.date()
    looks = [_look(ctx, source) for source in ctx.policy.clean.sources_joined]
    steps = [step for seen in looks for step in (*of_columns(seen, person, today), *of_table(seen, person))]
    constant = [f"{seen.source}.{name}" for seen in looks for name in seen.constant]
    return written(ctx.policy.name, weighed(steps, _decisions(ctx)), constant)


def _look(ctx: Context, source: str) -> Look:
    ref = RAW.of(ctx.policy, source)
    if not ctx.store.exists(ref):
        raise ContractError(f"suggest: table {ref} is missing; run stage collect first")
    columns = ctx.policy.sources[source].columns
    with ctx.step(f"looks at {source}") as note:
        types = {name: columns[name].type for name in ctx.policy.used_columns(source)}
        seen = look(source, ctx.read(RAW, source), types)
        note.rows(seen.rows)
    return seen


def _decisions(ctx: Context) -> list[Decision]:
    """What was decided about this policy's steps; as many as its recipe has."""
    ref = ctx.ref(SUGGESTIONS)
    if not ctx.store.exists(ref):
        return []
    rows = ctx.store.read(ref).where(f"policy = '{ctx.policy.name}'").collect()
    return [Decision(row["source"], row["column"], (row["step"], row["way"]), row["accepted"]) for row in rows]
