"""`kveil suggest`: looks at the raw tables of a policy and writes a recipe."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date

from kveil.clean.suggest.columns import of_columns
from kveil.clean.suggest.drops import of_drops
from kveil.clean.suggest.duplicates import Twice, came_twice
from kveil.clean.suggest.look import Look, look
from kveil.clean.suggest.memory import Decision, weighed
from kveil.clean.suggest.recipe_file import written
from kveil.clean.suggest.repairs import of_table
from kveil.clean.suggest.standards import of_standards
from kveil.clean.suggest.types import of_types
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.recipe import Drop, Step
from kveil.tables.schema import RAW, SUGGESTIONS

_BESIDE_STANDARDS = ("null_tokens", "fill")


def suggest(ctx: Context) -> str:
    """The recipe as YAML, for the sources that make the clean table; changes no table.

    Raises ContractError where a source was not collected.
    """
    looks = [_look(ctx, source) for source in ctx.policy.clean.sources_joined]
    twice = _twice(ctx, looks[0])
    steps = [step for seen in looks for step in _steps(ctx, seen)] + ([twice.step] if twice.step else [])
    dropped = {(step.source, step.column) for step in steps if isinstance(step, Drop)}
    constant = [f"{seen.source}.{name}" for seen in looks for name in seen.constant if (seen.source, name) not in dropped]
    return written(ctx.policy.name, weighed(steps, _decisions(ctx)), constant, {looks[0].source: twice.exact})


def of_source(seen: Look, person: str, today: date, texts: Collection[str], free: Mapping[str, Sequence[str]]) -> list[Step]:
    """What a look at a source suggests. `texts` must stay texts; `free` may be left out, each with the sections that use it."""
    standards = list(of_standards(seen, person))
    settled = {step.column for step in standards}
    # What a standard gives another form would look unusual in the old one, and is no spelling of another value.
    cells = [step for step in of_columns(seen, person, today) if step.column not in settled or step.step in _BESIDE_STANDARDS]
    drops = list(of_drops(seen, person, free))
    gone = {step.column for step in drops}
    casts = [step for step in of_types(seen, person, texts, today) if step.column not in gone]
    return [*cells, *standards, *of_table(seen, person), *casts, *drops]


def _steps(ctx: Context, seen: Look) -> list[Step]:
    policy = ctx.policy
    keys = policy.sources[seen.source].key
    users = {name: policy.users_of(seen.source, name) for name in seen.types if name not in keys}
    free = {name: sections for name, sections in users.items() if "clean" not in sections}
    return of_source(seen, policy.person, ctx.now.date(), policy.texts, free)


def _twice(ctx: Context, base: Look) -> Twice:
    clean = ctx.policy.clean
    with ctx.step(f"rows of {clean.base} that came twice") as note:
        keys = ctx.policy.sources[clean.base].key
        found = came_twice(base, ctx.read(RAW, clean.base), ctx.policy.person, clean.time, keys)
        note.text = f"{found.exact:,} in every column"
    return Twice(found.exact, None) if clean.near_duplicates else found


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
