"""The part of a draft that says what is released and what a model learns."""

from collections.abc import Iterator
from typing import Any

from kveil.classify.masks import masks
from kveil.classify.plan import Plan
from kveil.classify.roles import Column
from kveil.classify.wording import NUMBERS, flow, of_role, released_as, source_of, why
from kveil.privacy.separation import FEWEST_PER_VALUE, MOST_ALONE

_K = 10


def anonymize(plan: Plan, name: str) -> Iterator[str]:
    """The section `anonymize`: k, a role for each column, and what is not released and why."""
    yield "anonymize:"
    yield f"  release: {name}_release"
    yield f"  k: {_K}  # ? people who share each combination of quasi-identifiers; a release to many asks for more"
    yield "  partition_by: [split]"
    yield "  quasi_identifiers:"
    if plan.time is not None:
        yield "    date: {kind: date}  # the day of the row's time, which an outsider may know"
    for each in of_role(plan, "quasi-identifier"):
        if each.name != plan.time:
            released, _, kind = released_as(each)
            yield f"    {released}: {{kind: {kind}}}  # {why(each, source_of(plan, each))}"
    yield from _sensitive(plan)
    yield from _insensitive(plan)
    yield "  suppression_limit: 0.1"
    yield from masks(plan, name)
    yield from _notreleased_as(plan)


def _sensitive(plan: Plan) -> Iterator[str]:
    texts = [each for each in _sensitive_texts(plan) if not _tells_apart(each, plan)]
    if texts:
        yield "  sensitive:"
        yield from (f"    {each.name}: {{distinct: 2}}  # {why(each, source_of(plan, each))}" for each in texts)


def _insensitive(plan: Plan) -> Iterator[str]:
    found = [each for each in _insensitive_columns(plan) if not _tells_apart(each, plan)]
    if found:
        yield "  insensitive:"
        for each in found:
            about = f"{each.semantic.replace('_', ' ')}, by its name or values"
            reason = f"the label; {about}" if each.name == plan.label else about
            yield f"    {each.name}: {flow(reason)}  # {why(each, source_of(plan, each))}"


def _sensitive_texts(plan: Plan) -> list[Column]:
    return [each for each in of_role(plan, "sensitive") if not each.type.startswith(NUMBERS) and not _two_sided(each, plan)]


def _insensitive_columns(plan: Plan) -> list[Column]:
    return [each for each in plan.clean() if each.role == "insensitive" or _two_sided(each, plan)]


def _tells_apart(column: Column, plan: Plan) -> bool:
    """Whether a release would refuse to show the column as it is, since its values tell people apart; as far as samples say."""
    people = source_of(plan, column).sampled_people or plan.base.sampled_people
    too_many = column.values * FEWEST_PER_VALUE > people
    return plan.person is not None and column.name != plan.label and (column.singled_out > MOST_ALONE or too_many)


def _two_sided(column: Column, plan: Plan) -> bool:
    """Whether it is a label of two values: asking both of each class would suppress most of what a model learns from."""
    return column.name == plan.label and column.values == 2 and column.role == "sensitive"


def _notreleased_as(plan: Plan) -> Iterator[str]:
    amounts = [each for each in of_role(plan, "sensitive") if each.type.startswith(NUMBERS) and not _two_sided(each, plan)]
    if amounts:
        yield "  # ? Not released: sensitive numbers, which need noise with public bounds and a budget, such as"
        yield "  #   noise: {amount: {lower: 0, upper: 1000, epsilon: 1}} and budget: {epsilon: 3, recipient: anyone}"
        yield from (f"  #   {each.name}: {why(each, source_of(plan, each))}" for each in amounts)
    telling = [each for each in (*_sensitive_texts(plan), *_insensitive_columns(plan)) if _tells_apart(each, plan)]
    if telling:
        yield "  # ? Not released: columns with values of one person, or of few. Coarsen them in clean.derive and release that,"
        yield "  #   or release them as they are and say in `accepted` why they may be shown"
        yield from (f"  #   {each.name}: {why(each, source_of(plan, each))}" for each in telling)
    yield from (f"  # {source.name}: {_set(each)}" for source in plan.used for each in source.sets[:10])


def _set(found: dict[str, Any]) -> str:
    verb = "single" if len(found["columns"]) > 1 else "singles"
    return f"{' + '.join(found['columns'])} {verb} out {found['share']:.0%} of the sample's people"


def train(plan: Plan, name: str) -> Iterator[str]:
    """The sections `train` and `deploy`."""
    features = [released_as(each)[0] for each in of_role(plan, "quasi-identifier") if each.name not in (plan.time, plan.label)]
    yield "train:"
    if plan.label is None:
        yield "  label: outcome  # ? no column looks like what a model could learn; name a sensitive or insensitive one"
    else:
        yield f"  label: {plan.label}  # ? what the model learns"
    yield f"  features: {flow(['date', *features] if plan.time else features)}"
    yield "  logistic_regression: {}"
    yield ""
    yield "deploy:"
    yield f"  model: {name}_model"
