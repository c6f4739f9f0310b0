"""The draft policy as YAML that a person reads: every choice with its reason beside it, doubts marked with `# ?`."""

from collections.abc import Iterator
from typing import Any

from kveil.classify.masks import OFFER, is_offered, is_protected
from kveil.classify.plan import Classified, Plan
from kveil.classify.release import anonymize, train
from kveil.classify.roles import Column
from kveil.classify.wording import flow, of_role, released_as, why

_HEAD = """\
# Drafted by `kveil classify` from what the sources hold. Each choice says why it was made; `# ?` marks what a person must decide.
# Roles are guesses with a confidence from 0 to 1. Who is singled out was measured in a sample of people, where more are alone
# than among all, so shares are upper estimates. Lines that begin with `#~` offer to release masked what leads to a person
# and is left out otherwise. Nothing here is advice on law."""
_MISSING = ["", "n/a", "na", "null", "none", "-", "?", "unknown"]


def drafted(plan: Plan, name: str) -> str:
    """The policy `name` as YAML; `kveil check` accepts it where the plan has a person, a time and a label."""
    lines = [
        *_HEAD.splitlines(),
        f"name: {name}",
        _purpose(plan),
        *_person(plan),
        "",
        *_sources(plan),
        "",
        *_consent(plan),
        "",
        *_clean(plan),
        "",
        *anonymize(plan, name),
        "",
        *train(plan, name),
    ]
    # A column's name may hold a line end; in a comment it must not begin a line of policy.
    return "".join(" ".join(line.splitlines()) + "\n" for line in lines)


def _purpose(plan: Plan) -> str:
    known = plan.registry.purposes if plan.registry else ()
    named = f"; {plan.registry.name} knows {', '.join(known)}" if plan.registry and known else ""
    return (
        f"purpose: {known[0] if known else 'model_training'}  # ? what the release is for; consent is asked for this word{named}"
    )


def _person(plan: Plan) -> Iterator[str]:
    if plan.person is None:
        yield "person: person_id  # ? no column names a person; say which one tells people apart (--person), or add one"
        return
    found = plan.base.column(plan.person)
    why = f"{found.confidence:.2f}: {found.why}" if found else "as was asked"
    yield f"person: {plan.person}  # {'? ' if found and found.doubtful else ''}privacy unit {why}"


def _sources(plan: Plan) -> Iterator[str]:
    yield "sources:"
    keys = {key for _, key in plan.joins}
    for source in plan.used:
        # A join needs its key, whatever that leads to; a key is not released.
        yield from _source(source, plan, [each.name for each in plan.kept(source) if _declared(each) or each.name in keys])
    if plan.registry is not None:
        yield from _source(plan.registry, plan, [each.name for each in plan.registry.columns])
    for name, reason in plan.left_out.items():
        yield f"  # {name} is left out: {reason}"


def _source(source: Classified, plan: Plan, declared: list[str]) -> Iterator[str]:
    people = f", {source.people:,} people" if source.people else ""
    yield f"  {source.name}:  # about {source.rows:,} rows{people}"
    yield from (f"    {line}" for line in _yaml(source.declared))
    yield "    columns:"
    needed = {plan.person, plan.time if source is plan.base else None}
    for each in source.columns:
        reason = plan.dropped.get((source.name, each.name))
        if reason is not None:
            yield f"      # ? {each.name} is not declared: {reason}"
        elif each.name not in declared:
            yield f"      # {each.name} is not collected: {why(each, source)}"
            if is_protected(each):
                yield "      #   no mask is offered, since a law protects what its name says: see law.special_categories"
            elif is_offered(each, source, plan):
                yield f"      {OFFER}{each.name}: {flow(each.type)}"
        else:
            contract: Any = {"type": each.type, "required": True} if each.name in needed else each.type
            yield f"      {each.name}: {flow(contract)}"


def _declared(column: Column) -> bool:
    """What leads to a person and is not the privacy unit has no use in a release, so it is not collected."""
    return column.role not in ("direct identifier", "free text")


def _consent(plan: Plan) -> Iterator[str]:
    yield "consent:"
    if plan.registry is not None:
        yield f"  registry: {plan.registry.name}"
        return
    yield "  # ? No source is a registry of consent. This one is made up, and every report says so; name the real one (registry)."
    yield "  simulated: {grant: 1, refuse: 0, withdraw: 0, first: 2000-01-01, last: 2000-01-02}"


def _clean(plan: Plan) -> Iterator[str]:
    yield "clean:"
    yield f"  table: {plan.base.name}_clean"
    yield f"  base: {plan.base.name}"
    if plan.time is None:
        yield "  time: moment  # ? no column is a date or time; name the one that dates the rows"
    else:
        yield f"  time: {plan.time}"
    yield f"  missing: {flow(_MISSING)}"
    shown = of_role(plan, "quasi-identifier", "sensitive")
    texts = [each.name for each in shown if each.type == "string" and released_as(each)[2] == "category"]
    if texts:
        yield f"  categories: {flow(texts)}"
    if plan.joins:
        yield "  joins:"
        yield from (f"    - {{source: {source.name}, by: {key}}}" for source, key in plan.joins)
    quasi = [each for each in of_role(plan, "quasi-identifier") if each.name != plan.time]
    derived = {name: sql for each in quasi for name, sql in [released_as(each)[:2]] if sql}
    if derived:
        yield "  derive:"
        yield from (f"    {name}: {flow(sql)}" for name, sql in derived.items())


def _yaml(document: dict[str, Any]) -> list[str]:
    return [f"{key}: {flow(value)}" for key, value in document.items()]
