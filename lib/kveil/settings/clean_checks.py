"""What `clean` asks of the sources' columns: that they exist, have a usable type, and that no two get one name."""

from collections import Counter
from collections.abc import Iterator, Mapping

from kveil.settings.clean import Clean, Join
from kveil.settings.sources import Source

_WHOLE = ("int", "bigint")
_BROKEN = ("float", "double")


def clean_problems(sources: Mapping[str, Source], clean: Clean) -> Iterator[tuple[str, str]]:
    """Key and sentence of everything in `clean` that the declared columns contradict."""
    if clean.base not in sources:
        return
    types = _joined_types(sources, clean)
    yield from _join_problems(sources, clean)
    yield from _column_problems(types, clean)
    yield from _rule_problems(sources, clean)
    yield from _near_problems(sources[clean.base], clean)
    yield from _rates_problems(sources, clean)
    yield from _names_taken_twice(types, clean)


def kind(type_: str) -> str:
    """Types of one kind compare without conversion: they differ in width alone."""
    if type_ in _WHOLE:
        return "whole number"
    if type_ in _BROKEN:
        return "floating-point number"
    return "decimal" if type_.startswith("decimal") else type_


def _is_number(type_: str) -> bool:
    return kind(type_) in ("whole number", "floating-point number", "decimal")


def _joined_types(sources: Mapping[str, Source], clean: Clean) -> dict[str, str]:
    types: dict[str, str] = {}
    for name in [clean.base, *(join.source for join in clean.joins)]:
        if name in sources:
            types |= {column: contract.type for column, contract in sources[name].columns.items() if column not in types}
    return types


def _join_problems(sources: Mapping[str, Source], clean: Clean) -> Iterator[tuple[str, str]]:
    there = {name: contract.type for name, contract in sources[clean.base].columns.items()}
    for i, join in enumerate(clean.joins):
        if join.source not in sources or join.by not in sources[join.source].columns:
            continue
        yield from _key_problems(f"clean.joins.{i}.by", there, sources[join.source], join)
        there |= {name: contract.type for name, contract in sources[join.source].columns.items() if name not in there}


def _key_problems(key: str, there: Mapping[str, str], source: Source, join: Join) -> Iterator[tuple[str, str]]:
    if join.by not in there:
        yield key, f"neither the base nor an earlier join has a column {join.by!r}; allowed: {', '.join(sorted(there))}"
    elif kind(there[join.by]) != kind(source.columns[join.by].type):
        yield (
            key,
            f"{join.by!r} is {there[join.by]} before the join but {source.columns[join.by].type} in source {join.source!r}; "
            "declare both as types that differ in width alone",
        )


def _column_problems(types: Mapping[str, str], clean: Clean) -> Iterator[tuple[str, str]]:
    allowed = f"allowed: {', '.join(sorted(types))}"
    for i, name in enumerate(clean.categories):
        if name not in types:
            yield f"clean.categories.{i}", f"neither the base nor a join has a column {name!r}; {allowed}"
        elif types[name] != "string":
            yield f"clean.categories.{i}", f"{name!r} is {types[name]}; allowed: a string column"
    if clean.time in types and types[clean.time] not in ("date", "timestamp"):
        yield "clean.time", f"{clean.time!r} is {types[clean.time]}; allowed: a date or timestamp column"
    made = {name: "bigint" for name in clean.money.columns.values()} if clean.money else {}
    for name in clean.money.columns if clean.money else ():
        if name not in types:
            yield f"clean.money.columns.{name}", f"neither the base nor a join has a column {name!r}; {allowed}"
        elif not _is_number(types[name]):
            yield f"clean.money.columns.{name}", f"{name!r} is {types[name]}; allowed: a number"
    yield from _later_column_problems({**types, **made}, clean)


def _later_column_problems(types: Mapping[str, str], clean: Clean) -> Iterator[tuple[str, str]]:
    allowed = f"allowed: {', '.join(sorted(types))}"
    if clean.history:
        name = clean.history.amount
        if name not in types:
            yield "clean.history.amount", f"there is no column {name!r}; {allowed}"
        elif kind(types[name]) not in ("whole number", "decimal"):
            sentence = "allowed: a whole number or decimal, since sums of floating-point numbers depend on their order"
            yield "clean.history.amount", f"{name!r} is {types[name]}; {sentence}"
    for bucket, asked in clean.buckets.items():
        if asked.column not in types:
            yield f"clean.buckets.{bucket}.column", f"there is no column {asked.column!r}; {allowed}"


def _rule_problems(sources: Mapping[str, Source], clean: Clean) -> Iterator[tuple[str, str]]:
    read = {clean.base, *(join.source for join in clean.joins), *([clean.money.rates] if clean.money else [])}
    for i, rule in enumerate(clean.rules):
        column = sources[rule.source].columns.get(rule.column) if rule.source in sources else None
        if rule.source in sources and rule.source not in read:
            yield (
                f"clean.rules.{i}.source",
                f"source {rule.source!r} is not used by clean; remove the rule",
            )
        elif column is not None and not _is_number(column.type):
            yield f"clean.rules.{i}.column", f"{rule.column!r} is {column.type}; allowed: a number"


def _near_problems(base: Source, clean: Clean) -> Iterator[tuple[str, str]]:
    for i, name in enumerate(clean.near_duplicates.by if clean.near_duplicates else ()):
        if name not in base.columns:
            key = f"clean.near_duplicates.by.{i}"
            yield key, f"source {clean.base!r} declares no column {name!r}; allowed: {', '.join(sorted(base.columns))}"


def _rates_problems(sources: Mapping[str, Source], clean: Clean) -> Iterator[tuple[str, str]]:
    rates = clean.money.rates if clean.money else None
    if rates is None or rates not in sources:
        return
    columns = sources[rates].columns
    for name, usable in (("currency", ("string",)), ("date", ("date",)), ("rate", ("number",))):
        type_ = columns[name].type if name in columns else "missing"
        if type_ not in usable and not (usable == ("number",) and _is_number(type_)):
            yield "clean.money.rates", f"column {name!r} of source {rates!r} is {type_}; allowed: {usable[0]}"


def _names_taken_twice(types: Mapping[str, str], clean: Clean) -> Iterator[tuple[str, str]]:
    made = ["date", "month", "split", *clean.buckets, *clean.derive, *(clean.money.columns.values() if clean.money else ())]
    if clean.history:
        days = clean.history.window_days
        made += [f"spend_{days}d", f"count_{days}d", "days_since_last"]
    keeps_its_date = clean.time == "date" and types.get("date") == "date"
    taken = Counter(name.lower() for name in made)
    taken.update({name.lower() for name in types} - ({"date"} if keeps_its_date else set()))
    for name in sorted(name for name, count in taken.items() if count > 1):
        yield (
            "clean",
            f"column {name!r} would stand twice in the clean table; rename one or leave it out of the source",
        )
