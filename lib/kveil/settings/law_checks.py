"""What `law` asks of the rest of a policy: known sources and columns, reasons where a law wants them, no special category."""

import re
from collections.abc import Iterator, Mapping, Sequence

from kveil.settings.law import Law
from kveil.settings.regulations import Regulation, in_force
from kveil.settings.sources import Source

NOT_SPECIAL = "none"
_TIMES = ("date", "timestamp")


def law_problems(
    law: Law, purpose: str, person: str, sources: Mapping[str, Source], used: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Key and sentence of everything in `law` that the policy contradicts; `used` are the columns collected of each source."""
    yield from _basis_problems(law, sources)
    yield from _place_problems(law, person, sources)
    yield from _purpose_problems(law, purpose, sources)
    yield from special_problems(law, used)
    yield from _retention_problems(law, sources)


def special_word(column: str, words: Sequence[str]) -> str | None:
    """The first of the words that stands in a column's name, whole, between underscores or in camel case; else None."""
    name = "_" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column).lower() + "_"
    return next((word for word in words if f"_{word.lower()}_" in name), None)


def _rules(law: Law) -> list[Regulation]:
    return list(law.regulations.values())


def _basis_problems(law: Law, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    yield from _unknown("law.bases", law.bases, sources)
    for key, ground in {"law.basis": law.basis, **{f"law.bases.{name}": ground for name, ground in law.bases.items()}}.items():
        for regulation in _rules(law):
            rule = in_force(regulation.rules.lawful_basis)
            if rule is None:
                continue
            if ground.basis not in rule.allowed:
                yield key, f"found {ground.basis}; allowed by {rule.article} {regulation.name}: {', '.join(rule.allowed)}"
            elif ground.basis != "consent" and not ground.because:
                yield key, f"{ground.basis} needs `because`, why it applies ({rule.article} {regulation.name}), or use consent"


def _place_problems(law: Law, person: str, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    for key, place, types in (
        ("jurisdiction", law.jurisdiction, ("string",)),
        ("birth_date", law.birth_date, (*_TIMES, "string")),
    ):
        if place is None:
            continue
        yield from _unknown(f"law.{key}.source", [place.source], sources)
        if place.source not in sources:
            continue
        columns = sources[place.source].columns
        if person not in columns:
            yield f"law.{key}.source", f"source {place.source!r} declares no {person!r}, so it tells nothing of a person"
        if place.column not in columns or columns[place.column].type not in types:
            yield f"law.{key}.column", f"source {place.source!r} must declare {place.column!r} as {' or '.join(types)}"
    for value, name in (law.jurisdiction.map if law.jurisdiction else {}).items():
        if name not in law.regulations:
            yield f"law.jurisdiction.map.{value}", f"found {name!r}; allowed: {', '.join(law.regulations)}"
    yield from _age_problems(law)


def _age_problems(law: Law) -> Iterator[tuple[str, str]]:
    age = law.birth_date.age if law.birth_date else None
    for regulation in _rules(law) if age is not None else []:
        rule = in_force(regulation.rules.minors)
        if rule and rule.lowest is not None and not rule.lowest <= age <= rule.parent_below:  # type: ignore[operator]
            yield (
                "law.birth_date.age",
                f"found {age}; allowed by {rule.article} {regulation.name}: {rule.lowest} to {rule.parent_below}",
            )


def _purpose_problems(law: Law, purpose: str, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    yield from _unknown("law.purposes", law.purposes, sources)
    rule = next((rule for each in _rules(law) if (rule := in_force(each.rules.purpose_limitation))), None)
    if rule is None:
        return
    for name, declared in law.purposes.items():
        if purpose not in declared.collected_for and not declared.compatible:
            yield (
                f"law.purposes.{name}",
                f"source {name!r} was collected for {', '.join(declared.collected_for)}, not for {purpose} ({rule.article}); "
                "leave it out, or write in `compatible` why the purposes fit",
            )


def special_problems(law: Law, used: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Key and sentence of every used column whose name says a special category, without a known exception."""
    for column in dict.fromkeys(column for columns in used.values() for column in columns):
        for regulation in _rules(law):
            rule = in_force(regulation.rules.special_categories)
            declared = law.special_categories.get(column)
            if rule is None or (declared is None and special_word(column, rule.words) is None):
                continue
            # A column has one reason; whether it suffices under each law that protects the column is a lawyer's question.
            known = [NOT_SPECIAL, *(name for each in _rules(law) for name in _exceptions(each))]
            if declared is None:
                word = special_word(column, rule.words)
                yield (
                    f"law.special_categories.{column}",
                    f"the column's name says {word}, which {rule.article} {regulation.name} protects; leave the column out, or "
                    f"name the exception and because: {', '.join([*rule.exceptions, NOT_SPECIAL])}",
                )
            elif declared.exception not in known:
                yield f"law.special_categories.{column}", f"found {declared.exception!r}; allowed: {', '.join(known)}"


def _exceptions(regulation: Regulation) -> list[str]:
    rule = in_force(regulation.rules.special_categories)
    return rule.exceptions if rule else []


def _retention_problems(law: Law, sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    yield from _unknown("law.retention.by", law.retention.by, sources)
    for name, column in law.retention.by.items():
        if name in sources and (column not in sources[name].columns or sources[name].columns[column].type not in _TIMES):
            yield f"law.retention.by.{name}", f"source {name!r} must declare {column!r} as date or timestamp"
    for zone, days in (("raw", law.retention.raw), ("clean", law.retention.clean)):
        for regulation in _rules(law):
            rule = in_force(regulation.rules.retention)
            if rule and rule.longest_days and days and days > rule.longest_days:
                yield f"law.retention.{zone}", f"found {days} days; {rule.article} {regulation.name} allows {rule.longest_days}"


def _unknown(key: str, named: Mapping[str, object] | Sequence[str], sources: Mapping[str, Source]) -> Iterator[tuple[str, str]]:
    for name in named:
        if name not in sources:
            yield key, f"found {name!r}, which is no source; allowed: {', '.join(sorted(sources))}"
