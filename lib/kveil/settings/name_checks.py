"""Names that a policy cannot give: those that kveil, Delta or Spark give themselves, and two that differ in case alone."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from kveil.settings.anonymize import Anonymize
from kveil.settings.clean import Clean
from kveil.settings.sources import Source

_OURS = ("kveil_", "_kveil_")
_OF_THE_PLATFORM = {
    "_metadata": "Spark gives it to every row of a file",
    "_corrupt_record": "Spark gives it to a line that it cannot read",
    "_change_type": "Delta's change feed gives it",
    "_commit_version": "Delta's change feed gives it",
    "_commit_timestamp": "Delta's change feed gives it",
    "__hive_default_partition__": "partitions without a value have it",
}
_MADE = ("lo", "hi", "rep")


def name_problems(
    sources: Mapping[str, Source], clean: Clean, release: Anonymize, columns: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Key and sentence of every name that would meet another one; `columns` are the clean table's."""
    for source, declared in sources.items():
        for name in declared.columns:
            yield from _reserved(f"sources.{source}.columns.{name}", name)
        yield from _alike(f"sources.{source}.columns", declared.columns)
    money = clean.money.columns if clean.money else {}
    made = {f"clean.derive.{name}": name for name in clean.derive} | {f"clean.buckets.{name}": name for name in clean.buckets}
    made |= {f"clean.money.columns.{column}": name for column, name in money.items()}
    for key, name in made.items():
        yield from _reserved(key, name)
    yield from _made_by_the_release(release, columns)


def _reserved(key: str, name: str) -> Iterator[tuple[str, str]]:
    why = _OF_THE_PLATFORM.get(name.lower())
    if why is None and name.lower().startswith(_OURS):
        why = "names that begin with kveil_ are kveil's own"
    if why is not None:
        yield key, f"{name!r} is reserved ({why}); have the column delivered under another name"


def _alike(key: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    for word, count in Counter(name.lower() for name in names).items():
        if count > 1:
            alike = ", ".join(sorted(name for name in names if name.lower() == word))
            yield key, f"{alike} differ in case alone, which tables do not tell apart; keep one of them"


def _made_by_the_release(release: Anonymize, columns: Collection[str]) -> Iterator[tuple[str, str]]:
    """A class shows bounds and representative under names of their own, which no column of the clean table may have."""
    words = {name.lower() for name in columns}
    for name in release.quasi_identifiers:
        for suffix in _MADE:
            if f"{name}_{suffix}".lower() in words:
                yield (
                    f"anonymize.quasi_identifiers.{name}",
                    f"'{name}_{suffix}' is what the release calls a part of its classes, and a column of the clean table; rename "
                    "or leave out that column",
                )
    for aggregate in release.aggregates:
        if release.release == f"aggregate_{aggregate}":
            yield "anonymize.release", f"found {release.release!r}, which is the table of aggregate {aggregate!r}; rename one"
