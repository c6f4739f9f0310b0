"""Which columns of a source a policy uses: what nothing uses is not collected (Art. 5(1)(c) GDPR, § 1798.100(c) CCPA)."""

from kveil.settings.anonymize import Anonymize
from kveil.settings.clean import Clean
from kveil.settings.consent import Consent, registry_columns
from kveil.settings.expect import Referential
from kveil.settings.expressions import names_in
from kveil.settings.law import Law
from kveil.settings.recipe import Drop
from kveil.settings.regulations import in_force

_RATES = {"currency", "date", "rate"}


def minimises(law: Law) -> bool:
    """Whether a regulation of the policy asks to collect no more than is used."""
    return any(in_force(regulation.rules.minimisation) for regulation in law.regulations.values())


def used_by_clean(clean: Clean, source: str) -> set[str]:
    """What the recipe names of a source; every word of a derived expression counts as a name, its texts do not."""
    used = {rule.column for rule in clean.rules if rule.source == source}
    used |= {join.by for join in clean.joins}
    used |= {bucket.column for bucket in clean.buckets.values()}
    used |= {name for text in clean.derive.values() for name in names_in(text)}
    used |= clean.people.used if clean.people and clean.people.source == source else set()
    used |= {name for one in clean.expect for name in one.columns}
    used |= {one.by for one in clean.expect if isinstance(one, Referential) and one.source == source}
    # What is only left out needs not be collected.
    used |= {name for step in clean.recipe.accepted(source) if not isinstance(step, Drop) for name in step.columns}
    if source == clean.base:
        used.add(clean.time)
        used |= set(clean.near_duplicates.by) if clean.near_duplicates else set()
    if clean.money:
        used |= set(clean.money.columns)
        used |= _RATES if source == clean.money.rates else set()
    if clean.history:
        used.add(clean.history.amount)
    return used


def used_by_release(release: Anonymize, source: str) -> set[str]:
    """What the release, its aggregates, the names of its rows and, of its source, the population need; models learn from the
    release's own columns.
    """
    used = {*release.role_columns, *release.noise_row}
    used |= {column for aggregate in release.aggregates.values() for column in aggregate.columns}
    population = release.population
    if population and population.source == source and population.person:
        used.add(population.person)
    return used


def used_by_law(law: Law, consent: Consent, person: str, source: str) -> set[str]:
    """What decides whether, and for how long, a row may be kept."""
    used = {place.column for place in (law.jurisdiction, law.birth_date) if place and place.source == source}
    if source in law.retention.by:
        used.add(law.retention.by[source])
    return used | (registry_columns(person) if source == consent.registry else set())
