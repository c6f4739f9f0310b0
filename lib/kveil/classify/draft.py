"""The draft policy as YAML that a person reads: every choice with its reason beside it, doubts marked with `# ?`."""

from collections.abc import Iterator
from typing import Any

import yaml

from kveil.classify.plan import Classified, Plan
from kveil.classify.roles import Column, evidence
from kveil.classify.types import lenient

_HEAD = """\
# Drafted by `kveil classify` from what the sources hold. Each choice says why it was made; `# ?` marks what a person must decide.
# Roles are guesses with a confidence from 0 to 1. Who is singled out was measured in a sample of people, where more are alone
# than among all, so shares are upper estimates. Nothing here is advice on law."""
_K = 10
_NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")
_MOST_CATEGORIES = 2_000
_MISSING = ["", "n/a", "na", "null", "none", "-", "?", "unknown"]


def drafted(plan: Plan, name: str) -> str:
    """The policy `name` as YAML; `kveil check` accepts it where the plan has a person, a time and a label."""
    lines = [
        *_HEAD.splitlines(),
        f"name: {name}",
        "purpose: model_training  # ? what the release is for; consent is asked for this word",
        *_person(plan),
        "",
        *_sources(plan),
        "",
        *_consent(plan),
        "",
        *_clean(plan),
        "",
        *_anonymize(plan, name),
        "",
        *_train(plan, name),
    ]
    return "\n".join(lines) + "\n"


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
    for name, why in plan.left_out.items():
        yield f"  # {name} is left out: {why}"


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
            yield f"      # {each.name} is not collected: {_why(each, source)}"
        else:
            contract: Any = {"type": each.type, "required": True} if each.name in needed else each.type
            yield f"      {each.name}: {_flow(contract)}"


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
    yield f"  missing: {_flow(_MISSING)}"
    shown = _of_role(plan, "quasi-identifier", "sensitive")
    texts = [each.name for each in shown if each.type == "string" and _released(each)[2] == "category"]
    if texts:
        yield f"  categories: {_flow(texts)}"
    if plan.joins:
        yield "  joins:"
        yield from (f"    - {{source: {source.name}, by: {key}}}" for source, key in plan.joins)
    quasi = [each for each in _of_role(plan, "quasi-identifier") if each.name != plan.time]
    derived = {name: sql for each in quasi for name, sql in [_released(each)[:2]] if sql}
    if derived:
        yield "  derive:"
        yield from (f"    {name}: {_flow(sql)}" for name, sql in derived.items())


def _anonymize(plan: Plan, name: str) -> Iterator[str]:
    yield "anonymize:"
    yield f"  release: {name}_release"
    yield f"  k: {_K}  # ? people who share each combination of quasi-identifiers; a release to many asks for more"
    yield "  partition_by: [split]"
    yield "  quasi_identifiers:"
    if plan.time is not None:
        yield "    date: {kind: date}  # the day of the row's time, which an outsider may know"
    for each in _of_role(plan, "quasi-identifier"):
        if each.name != plan.time:
            released, _, kind = _released(each)
            yield f"    {released}: {{kind: {kind}}}  # {_why(each, _source_of(plan, each))}"
    yield from _sensitive(plan)
    yield from _insensitive(plan)
    yield "  suppression_limit: 0.1"
    yield from _not_released(plan)


def _sensitive(plan: Plan) -> Iterator[str]:
    texts = [each for each in _of_role(plan, "sensitive") if not each.type.startswith(_NUMBERS) and not _two_sided(each, plan)]
    if texts:
        yield "  sensitive:"
        yield from (f"    {each.name}: {{distinct: 2}}  # {_why(each, _source_of(plan, each))}" for each in texts)


def _insensitive(plan: Plan) -> Iterator[str]:
    found = [each for each in plan.clean() if each.role == "insensitive" or _two_sided(each, plan)]
    if found:
        yield "  insensitive:"
        for each in found:
            about = f"{each.semantic.replace('_', ' ')}, by its name or values"
            reason = f"the label; {about}" if each.name == plan.label else about
            yield f"    {each.name}: {_flow(reason)}  # {_why(each, _source_of(plan, each))}"


def _two_sided(column: Column, plan: Plan) -> bool:
    """Whether it is a label of two values: asking both of each class would suppress most of what a model learns from."""
    return column.name == plan.label and column.values == 2 and column.role == "sensitive"


def _not_released(plan: Plan) -> Iterator[str]:
    amounts = [each for each in _of_role(plan, "sensitive") if each.type.startswith(_NUMBERS) and not _two_sided(each, plan)]
    if amounts:
        yield "  # ? Not released: sensitive numbers, which need noise with public bounds and a budget, such as"
        yield "  #   noise: {amount: {lower: 0, upper: 1000, epsilon: 1}} and budget: {epsilon: 3, recipient: anyone}"
        yield from (f"  #   {each.name}: {_why(each, _source_of(plan, each))}" for each in amounts)
    yield from (f"  # {source.name}: {_set(each)}" for source in plan.used for each in source.sets[:10])


def _set(found: dict[str, Any]) -> str:
    verb = "single" if len(found["columns"]) > 1 else "singles"
    return f"{' + '.join(found['columns'])} {verb} out {found['share']:.0%} of the sample's people"


def _train(plan: Plan, name: str) -> Iterator[str]:
    features = [_released(each)[0] for each in _of_role(plan, "quasi-identifier") if each.name not in (plan.time, plan.label)]
    yield "train:"
    if plan.label is None:
        yield "  label: outcome  # ? no column looks like what a model could learn; name a sensitive or insensitive one"
    else:
        yield f"  label: {plan.label}  # ? what the model learns"
    yield f"  features: {_flow(['date', *features] if plan.time else features)}"
    yield "  logistic_regression: {}"
    yield ""
    yield "deploy:"
    yield f"  model: {name}_model"


def _of_role(plan: Plan, *roles: str) -> list[Column]:
    return [each for each in plan.clean() if each.role in roles and each.name != plan.person]


def _released(column: Column) -> tuple[str, str, str]:
    """The clean column that a quasi-identifier is released by, the SQL that derives it (or none), and its kind."""
    name, lower = column.name, column.name.lower()
    if column.type == "date":
        return name, "", "date"
    if column.type == "timestamp":
        return f"{lower}_day", f"cast({name} as date)", "date"
    if column.type.startswith(_NUMBERS):
        return name, "", "number"
    if column.type == "boolean":
        return f"{lower}_is", f"cast({name} as string)", "category"
    if column.pattern and not column.doubts and column.semantic in ("birth_date", "since", "date", "moment"):
        return f"{lower}_year", f"year({_as_date(column)})", "number"
    return name, "", "category"


def _as_date(column: Column) -> str:
    if column.pattern == "yyyy-MM-dd":
        return f"try_cast({column.name} as date)"
    return f"try_to_date({column.name}, '{lenient(column.pattern)}')"


def _why(column: Column, source: Classified) -> str:
    """Role, confidence, evidence and doubts, one line; a doubt begins with a question mark."""
    many = column.type == "string" and column.values > _MOST_CATEGORIES and column.role == "quasi-identifier"
    grouped = ["it has many values: give it a hierarchy, or a coarser column by clean.derive"] if many else []
    doubts = "; ".join([*column.doubts, *grouped])
    mark = "? " if column.doubtful or grouped else ""
    return f"{mark}{column.role} {column.confidence:.2f}: {evidence(column, source.sets)}" + (f"; {doubts}" if doubts else "")


def _source_of(plan: Plan, column: Column) -> Classified:
    return next(source for source in plan.used if any(each is column for each in source.columns))


def _yaml(document: dict[str, Any]) -> list[str]:
    return [f"{key}: {_flow(value)}" for key, value in document.items()]


def _flow(value: Any) -> str:
    """A value in one line of YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")
