"""The types of columns that name a person: whole numbers or text, one type wherever the person is looked for."""

from collections.abc import Iterator, Mapping

from kveil.settings.disclosure import Population
from kveil.settings.sources import Source

_WHOLE = ("int", "bigint")


def person_problems(person: str, sources: Mapping[str, Source], population: Population | None) -> Iterator[tuple[str, str]]:
    """What is wrong with the types that sources declare for their person, and the population for its own."""
    types = {name: source.columns[person].type for name, source in sources.items() if person in source.columns}
    counted = sources.get(population.source) if population and population.person else None
    asked = [(name, person, type_) for name, type_ in types.items()]
    if counted is not None and population is not None and population.person in counted.columns:
        asked.append((population.source, population.person, counted.columns[population.person].type))
    for name, column, type_ in asked:
        if not _tells_apart(type_):
            yield (
                f"sources.{name}.columns.{column}",
                f"names a person, but {type_} does not keep ids apart as they are written (9007199254740993 and ...992 "
                "are one double); allowed: string, int, bigint, or decimal(p,0)",
            )
    if len({"integer" if type_ in _WHOLE else type_ for type_ in types.values()}) > 1:
        found = ", ".join(f"{type_} in {name}" for name, type_ in types.items())
        yield (
            "person",
            f"{person!r} is {found}; allowed: one type in all sources, int and bigint counting as one; have it "
            "delivered alike, so that a person's rows are found in all of them",
        )


def _tells_apart(type_: str) -> bool:
    """Whether every id has one value of the type, and every value one spelling."""
    return type_ in (*_WHOLE, "string") or (type_.startswith("decimal(") and type_.endswith(",0)"))
