"""A policy: one data set's way from sources to report, and the checks that need more than one section."""

from collections.abc import Iterator

from pydantic import Field

from kveil.settings.aggregates import aggregate_problems
from kveil.settings.anonymize import Anonymize
from kveil.settings.base import Identifier, Section
from kveil.settings.clean import Clean
from kveil.settings.clean_checks import clean_problems
from kveil.settings.consent import Consent, registry_problems
from kveil.settings.derive_checks import derive_problems
from kveil.settings.expect import expect_problems
from kveil.settings.incremental import incremental_problems
from kveil.settings.law import Law
from kveil.settings.law_checks import law_problems
from kveil.settings.minimisation import minimises, used_by_clean, used_by_law, used_by_release
from kveil.settings.models import Deploy, Evaluate, Report, Train
from kveil.settings.name_checks import name_problems
from kveil.settings.people import people_problems
from kveil.settings.person_types import person_problems
from kveil.settings.recipe_checks import after_recipe, recipe_problems, users_of
from kveil.settings.sources import Source


class Policy(Section):
    """Everything the seven stages are told. `person` names the privacy unit's column in every source that has it."""

    name: Identifier
    purpose: Identifier
    person: str
    sources: dict[Identifier, Source] = Field(min_length=1)
    consent: Consent
    law: Law = Law()
    clean: Clean
    anonymize: Anonymize
    train: Train
    evaluate: Evaluate = Evaluate()
    deploy: Deploy
    report: Report = Report()

    def problems(self) -> Iterator[tuple[str, str]]:
        """Key and sentence of everything that contradicts another section; nothing when the policy is sound."""
        yield from self._unknown_sources()
        yield from self._unknown_columns()
        yield from name_problems(self.sources, self.clean, self.anonymize, self.clean_columns())
        yield from incremental_problems(self.sources, self.consent.registry)
        cleaned = self._after_recipe()
        yield from clean_problems(cleaned, self.clean)
        yield from derive_problems(self.clean, self._before_derive(), self.person, self.anonymize)
        yield from recipe_problems(self.sources, self.clean, self.anonymize, self.person)
        yield from people_problems(self.clean.people, cleaned, self.clean.sources_joined, self.person)
        yield from expect_problems(self.clean.expect, self.sources, self.clean_columns())
        yield from registry_problems(self.person, self.consent.registry, self.sources)
        used = {name: self.used_columns(name) for name in self.sources}
        yield from law_problems(self.law, self.purpose, self.person, self.sources, used)
        yield from self._population_problems()
        yield from person_problems(self.person, self.sources, self.anonymize.population)
        yield from self._trajectory_problems()
        yield from aggregate_problems(self.anonymize.aggregates, self.person, self.clean_columns())

    def used_columns(self, source: str) -> list[str]:
        """A source's columns that a release, feature, rule, join or law uses, in the order of their declaration.

        A source of which nothing is used keeps its person, or else its first column, because a table needs one.
        """
        declared = list(self.sources[source].columns)
        if not minimises(self.law):
            return declared
        used = {self.person} | used_by_clean(self.clean, source) | used_by_release(self.anonymize, source)
        used |= used_by_law(self.law, self.consent, self.person, source)
        # A row that comes again is known by its key, in the raw table.
        used |= set(self.sources[source].key) if self.sources[source].incremental else set()
        words = {name.lower() for name in used}
        return [name for name in declared if name.lower() in words] or declared[:1]

    def users_of(self, source: str, column: str) -> list[str]:
        """The sections that need a source's column in the clean table, or on the way to it."""
        return users_of(self.sources, self.clean, self.anonymize, source, column)

    @property
    def texts(self) -> set[str]:
        """Columns that are used as the texts they are: categories, keys of joins, what people are compared by, what is masked."""
        clean, release = self.clean, self.anonymize
        texts = {*clean.categories, *(join.by for join in clean.joins), *(clean.people.columns if clean.people else ())}
        return texts | {name for name, role in release.quasi_identifiers.items() if role.holds == "text"} | set(release.mask)

    def clean_columns(self) -> set[str]:
        """Names of the columns that the clean table will have."""
        return set(self._kept_by_clean()) | set(self._made_by_clean())

    def _before_derive(self) -> list[str]:
        """The columns that the first derived one may read, in their order."""
        made = [name for name in self._made_by_clean() if name not in self.clean.derive]
        return list(dict.fromkeys([*self._kept_by_clean(), *made]))

    def _after_recipe(self) -> dict[str, Source]:
        return after_recipe(self.sources, self.clean, self.anonymize)

    def _kept_by_clean(self) -> Iterator[str]:
        cleaned = self._after_recipe()
        for name in self.clean.sources_joined:
            if name in cleaned:
                yield from cleaned[name].columns

    def _made_by_clean(self) -> Iterator[str]:
        clean = self.clean
        yield from ("date", "month", "split")
        yield from clean.buckets
        yield from clean.derive
        if clean.money:
            yield from clean.money.columns.values()
        if clean.history:
            days = clean.history.window_days
            yield from (f"spend_{days}d", f"count_{days}d", "days_since_last")

    def _unknown_sources(self) -> Iterator[tuple[str, str]]:
        allowed = f"allowed: {', '.join(sorted(self.sources))}"
        named = {"clean.base": self.clean.base}
        named |= {f"clean.joins.{i}.source": join.source for i, join in enumerate(self.clean.joins)}
        named |= {f"clean.rules.{i}.source": rule.source for i, rule in enumerate(self.clean.rules)}
        if self.consent.registry:
            named["consent.registry"] = self.consent.registry
        if self.clean.money and self.clean.money.rates:
            named["clean.money.rates"] = self.clean.money.rates
        if self.anonymize.population:
            named["anonymize.population.source"] = self.anonymize.population.source
        for key, source in named.items():
            if source not in self.sources:
                yield key, f"found {source!r}, which is no source; {allowed}"

    def _unknown_columns(self) -> Iterator[tuple[str, str]]:
        yield from self._unknown_in_sources()
        known = self.clean_columns()
        asked = {f"anonymize.quasi_identifiers.{name}": name for name in self.anonymize.quasi_identifiers}
        asked |= {f"anonymize.partition_by.{i}": name for i, name in enumerate(self.anonymize.partition_by)}
        for role in ("sensitive", "noise", "mask", "insensitive"):
            asked |= {f"anonymize.{role}.{name}": name for name in getattr(self.anonymize, role)}
        pseudonyms = {f"anonymize.mask.{name}" for name, mask in self.anonymize.mask.items() if mask.technique == "pseudonym"}
        for key, column in asked.items():
            if column not in known:
                yield key, f"the clean table has no column {column!r}; allowed: {', '.join(sorted(known))}"
            elif column == self.person and key not in pseudonyms:
                yield (
                    key,
                    f"{column!r} is the privacy unit and is never released; remove it from this role, or release a token of "
                    "it by anonymize.mask, technique: pseudonym",
                )
        for i, column in enumerate(self.anonymize.noise_row):
            if column not in known:
                yield f"anonymize.noise_row.{i}", f"the clean table has no column {column!r}; allowed: {', '.join(sorted(known))}"
        yield from self._unknown_features()
        if self.anonymize.cuts == "label" and self.train.label not in self.anonymize.sensitive:
            sentence = (
                f"cuts by label make classes alike in {self.train.label!r}; name it in anonymize.sensitive, "
                "so that a model bounds what a class tells of it, or cut by width or loss"
            )
            yield "anonymize.cuts", sentence

    def _unknown_in_sources(self) -> Iterator[tuple[str, str]]:
        cleaned = self._after_recipe()
        base = cleaned.get(self.clean.base)
        if base is not None:
            for key, column in (("person", self.person), ("clean.time", self.clean.time)):
                if column not in base.columns:
                    yield key, f"source {self.clean.base!r} declares no column {column!r}; {_allowed(base)}"
        for i, rule in enumerate(self.clean.rules):
            source = cleaned.get(rule.source)
            if source is not None and rule.column not in source.columns:
                yield f"clean.rules.{i}.column", f"source {rule.source!r} declares no {rule.column!r}; {_allowed(source)}"
        for i, join in enumerate(self.clean.joins):
            source = cleaned.get(join.source)
            if source is not None and join.by not in source.columns:
                yield f"clean.joins.{i}.by", f"source {join.source!r} declares no column {join.by!r}; {_allowed(source)}"

    def _population_problems(self) -> Iterator[tuple[str, str]]:
        population = self.anonymize.population
        source = self.sources.get(population.source) if population else None
        if population is None or source is None:
            return
        person = population.person or self.person
        if person not in source.columns:
            key = "anonymize.population.person" if population.person else "anonymize.population.source"
            yield key, f"source {population.source!r} declares no {person!r}, by which its people are counted; {_allowed(source)}"
        for name in self.anonymize.quasi_identifiers:
            if name not in source.columns:
                yield (
                    "anonymize.population.source",
                    f"source {population.source!r} declares no {name!r}, a quasi-identifier of the release; {_allowed(source)}",
                )

    def _trajectory_problems(self) -> Iterator[tuple[str, str]]:
        # Points of old slices and of new ones make histories that neither holds alone, and the old ones know no person any more.
        if self.anonymize.trajectory is not None and self.anonymize.incremental:
            yield (
                "anonymize.trajectory",
                "a person's points lie in old and in new slices alike, so histories cannot be kept common while a release grows; "
                "set anonymize.incremental: false, or leave trajectory out",
            )

    def _unknown_features(self) -> Iterator[tuple[str, str]]:
        release = self.anonymize
        kept = {*release.sensitive, *release.insensitive}
        usable = {*release.quasi_identifiers, *kept}
        if self.train.label not in kept:
            yield "train.label", f"found {self.train.label!r}; allowed: a sensitive or insensitive column of the release"
        for i, name in enumerate(self.train.features):
            if name not in usable:
                yield f"train.features.{i}", f"the release has no usable column {name!r}; allowed: {', '.join(sorted(usable))}"
            elif name in release.quasi_identifiers and "representative" not in release.shown(name):
                yield (
                    f"train.features.{i}",
                    f"models learn {name!r} from its representative, which the release leaves out; add representative to "
                    f"anonymize.quasi_identifiers.{name}.release (or to anonymize.release_columns), or remove the feature",
                )
        if "split" not in release.partition_by:
            yield "anonymize.partition_by", "must hold 'split', since a released table has no person to split by later"


def _allowed(source: Source) -> str:
    return f"allowed: {', '.join(sorted(source.columns))}"
