"""What `clean.derive` may compute: one row's values, by an allow-list, and never who the row is about."""

from collections.abc import Collection, Iterator

from kveil.settings.anonymize import Anonymize
from kveil.settings.clean import Clean
from kveil.settings.expressions import Expression, ExpressionError, parsed

MOST_GROWTH = 10_000
"""How many times longer than a cell a derived text may be, through copies and replacements."""


def derive_problems(clean: Clean, known: Collection[str], person: str, release: Anonymize) -> Iterator[tuple[str, str]]:
    """Key and sentence of every expression that is none of one row, and of every released column that tells the person."""
    found: dict[str, Expression] = {}
    for name, read in read_in_order(clean, known):
        if isinstance(read, Expression):
            found[name] = read
        else:
            yield f"clean.derive.{name}", str(read)
    yield from _person_problems(clean, found, person, release)


def read_in_order(clean: Clean, known: Collection[str]) -> Iterator[tuple[str, Expression | ExpressionError]]:
    """Each derived column as an expression, or why it is none; one may read `known` columns and those before it."""
    names, grown = list(known), dict.fromkeys(map(str.lower, known), 1)
    for name, text in clean.derive.items():
        read = _read(text, names, grown)
        yield name, read
        names.append(name)
        grown[name.lower()] = read.growth if isinstance(read, Expression) else 1


def _read(text: str, names: Collection[str], grown: dict[str, int]) -> Expression | ExpressionError:
    try:
        read = parsed(text, names, grown)
    except ExpressionError as error:
        return error
    if read.growth > MOST_GROWTH:
        return ExpressionError(f"may become more than {MOST_GROWTH:,} times longer than a cell; copy and replace less")
    return read


def _person_problems(clean: Clean, found: dict[str, Expression], person: str, release: Anonymize) -> Iterator[tuple[str, str]]:
    """Columns that are computed from the person's id, also through others, may stand in no released role but a token's."""
    told = {person.lower()}
    for section, name, columns in _made_of(clean, found):
        if not {column.lower() for column in columns} & told:
            continue
        told.add(name.lower())
        roles = _shown_as(release, name)
        if roles:
            yield (
                f"clean.{section}",
                f"{name!r} is computed from {person!r}, the privacy unit, and released by "
                f"anonymize.{', anonymize.'.join(roles)}; remove it there, or release a token of it by anonymize.mask, "
                "technique: pseudonym",
            )


def _made_of(clean: Clean, found: dict[str, Expression]) -> Iterator[tuple[str, str, Collection[str]]]:
    """Each column that `clean` makes, in their order: its key, its name and the columns it is made of."""
    for column, made in clean.money.columns.items() if clean.money else ():
        yield f"money.columns.{column}", made, {column}
    if clean.history:
        yield "history.amount", f"spend_{clean.history.window_days}d", {clean.history.amount}
    for name, bucket in clean.buckets.items():
        yield f"buckets.{name}", name, {bucket.column}
    for name, read in found.items():
        yield f"derive.{name}", name, read.columns


def _shown_as(release: Anonymize, name: str) -> list[str]:
    """The sections of the release that show a column, as it is, in groups or by its classes' bounds."""
    word = name.lower()
    sections = {
        "quasi_identifiers": release.quasi_identifiers, "partition_by": release.partition_by, "sensitive": release.sensitive,
        "noise": release.noise, "insensitive": release.insensitive,
        "mask": [column for column, mask in release.mask.items() if mask.technique != "pseudonym"],
        "aggregates": {column for aggregate in release.aggregates.values() for column in aggregate.columns},
    }  # fmt: skip
    return [section for section, columns in sections.items() if word in {column.lower() for column in columns}]
