"""What a recipe may do to the declared columns, and how they look after it; other checks of `clean` go by the latter."""

from collections import Counter
from collections.abc import Iterator, Mapping

from kveil.settings.anonymize import Anonymize
from kveil.settings.clean import Clean
from kveil.settings.minimisation import used_by_clean, used_by_release
from kveil.settings.recipe import (
    Cast,
    Date,
    Drop,
    Duplicates,
    Merge,
    NullTokens,
    Number,
    Outlier,
    Recipe,
    Repair,
    Standard,
    Step,
    Unusual,
)
from kveil.settings.sources import Source

_OF_TEXTS = (NullTokens, Number, Date, Standard, Unusual, Merge, Repair, Cast)
_NUMERIC = ("decimal", "int", "bigint", "float", "double", "string")
_TIMES = ("date", "timestamp")


def after_recipe(sources: Mapping[str, Source], clean: Clean, release: Anonymize) -> dict[str, Source]:
    """The sources with the columns and types that the accepted steps leave; a dropped one that is used stays, as a problem."""
    return {name: _after(name, source, sources, clean, release) for name, source in sources.items()}


def _after(name: str, source: Source, sources: Mapping[str, Source], clean: Clean, release: Anonymize) -> Source:
    types, gone = clean.recipe.types(name), clean.recipe.dropped(name)
    gone = {column for column in gone if not users_of(sources, clean, release, name, column)}
    columns = {
        column: contract.model_copy(update={"type": types.get(column, contract.type)})
        for column, contract in source.columns.items()
        if column not in gone
    }
    return source.model_copy(update={"columns": columns}) if types or gone else source


def recipe_problems(sources: Mapping[str, Source], clean: Clean, release: Anonymize, person: str) -> Iterator[tuple[str, str]]:
    """Key and sentence of every step that the declared columns, or the rest of the policy, contradict."""
    read = clean.sources_joined
    for i, step in enumerate(clean.recipe.steps):
        key = f"clean.recipe.steps.{i}"
        if step.source not in sources or step.source not in read:
            yield f"{key}.source", f"found {step.source!r}; allowed: a source that clean reads: {', '.join(sorted(read))}"
            continue
        yield from _column_problems(key, step, sources[step.source], person)
        if isinstance(step, Duplicates):
            yield from _duplicates_problems(key, step, sources[step.source], clean)
        if isinstance(step, Drop) and step.accept is True and step.column in sources[step.source].columns:
            users = users_of(sources, clean, release, step.source, step.column)
            if users:
                yield (
                    key,
                    f"{step.column!r} is used by {' and '.join(users)}, so it cannot be left out; remove the step or that use",
                )
    yield from _done_twice(clean.recipe)


def _column_problems(key: str, step: Step, source: Source, person: str) -> Iterator[tuple[str, str]]:
    columns = source.columns
    for name in step.columns:
        if name not in columns:
            yield key, f"source {step.source!r} declares no column {name!r}; remove the step or run kveil suggest again"
    if step.column.lower() == person.lower():
        yield f"{key}.column", f"{person!r} is the privacy unit, and who is protected is not changed by a recipe; remove the step"
        return
    type_ = columns[step.column].type if step.column in columns else None
    if type_ is None:
        return
    if isinstance(step, _OF_TEXTS) and type_ != "string":
        yield f"{key}.column", f"{step.column!r} is {type_}; allowed for {step.step}: a string column"
    elif isinstance(step, Outlier) and not type_.startswith(_NUMERIC):
        yield f"{key}.column", f"{step.column!r} is {type_}; allowed for outlier: a number or a text"
    if isinstance(step, Repair) and step.column in step.by:
        yield f"{key}.by", f"{step.column!r} cannot tell itself; remove it"


def _duplicates_problems(key: str, step: Duplicates, source: Source, clean: Clean) -> Iterator[tuple[str, str]]:
    if step.source != clean.base:
        yield f"{key}.source", f"found {step.source!r}; allowed: the base, {clean.base!r}, whose rows are kept or set aside"
    elif step.column != clean.time:
        yield f"{key}.column", f"found {step.column!r}; allowed: {clean.time!r}, the column clean.time"
    elif step.accept is True and clean.near_duplicates:
        yield key, "clean.near_duplicates says already which rows came twice; remove the step or that section"


def _done_twice(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Steps of which a column, or a source, can have one only."""
    once = [step for step in recipe.steps if step.accept is True and isinstance(step, Cast | Duplicates)]
    for (name, source, column), count in Counter((step.step, step.source, step.column) for step in once).items():
        if count > 1:
            yield "clean.recipe.steps", f"{count} steps {name} of {source}.{column} are accepted; keep one of them"


def users_of(sources: Mapping[str, Source], clean: Clean, release: Anonymize, source: str, column: str) -> list[str]:
    """The sections that need the column of the source in the clean table or on the way to it."""
    rules = {rule.column for rule in clean.rules if rule.source == source}
    keys = {join.by for join in clean.joins if source in (join.source, clean.base)}
    others = (name for name in clean.sources_joined if name != source and name in sources)
    stays = any(column in sources[name].columns and column not in clean.recipe.dropped(name) for name in others)
    if stays and column not in rules | keys:
        return []
    by_clean = used_by_clean(clean.model_copy(update={"recipe": Recipe()}), source)
    near = clean.recipe.duplicates(source)
    used = {
        "clean": by_clean | keys | set(clean.categories) | set(near.columns if near else ()),
        "anonymize": used_by_release(release, source),
    }
    return [section for section, names in used.items() if column in names]
