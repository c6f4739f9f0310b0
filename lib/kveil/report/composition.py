"""What a report says of earlier releases of the same people: compared, accepted or withdrawn."""

from collections.abc import Iterator
from typing import Any

from pyspark.sql import functions as F

from kveil.context import Context
from kveil.tables.schema import RELEASES

Fact = dict[str, Any]


def composition_facts(ctx: Context) -> Fact:
    """How the policy has releases compared, and which of its data set were withdrawn, in order of time."""
    settings, ref = ctx.policy.anonymize, ctx.ref(RELEASES)
    told: Fact = {"composition": settings.composition, "reason": settings.composition_reason, "withdrawn": []}
    if not ctx.store.exists(ref):
        return told
    rows = ctx.store.read(ref)
    if "withdrawn_at" not in rows.columns:
        return told
    data_set = settings.budget.data_set if settings.budget else None
    mine = F.coalesce("data_set", "policy") == (data_set or ctx.policy.name)
    told_of = rows.withColumns({"day": F.date_format("withdrawn_at", "yyyy-MM-dd"), "because": F.col("withdrawn_because")})
    found = told_of.where(mine & F.col("withdrawn_at").isNotNull()).orderBy("withdrawn_at", "release_id")
    columns = ["release_id", "day", "because", "nobody_had_it"]
    return {**told, "withdrawn": [row.asDict() for row in found.select(*columns).collect()]}


def composition_troubles(facts: Fact) -> Iterator[str]:
    """What a reader must know of other releases before the numbers."""
    told = facts["composition"]
    others = next((row["value"] for row in facts["privacy"] if row["metric"] == "composition_releases"), 0)
    if told["composition"] == "accept" and others:
        yield (
            f"Beside {int(others)} earlier releases of the same people, overlaps and differences of fewer people than was "
            f"promised are accepted: {told['reason']}"
        )
    for each in told["withdrawn"]:
        copies = "it is said that nobody had received it" if each["nobody_had_it"] else "copies of it may exist"
        yield (
            f"Release {each['release_id']} of the same people was withdrawn on {each['day']}: {each['because']}. It was not "
            f"compared with this one; {copies}."
        )


def composition_sentences(facts: Fact) -> Iterator[tuple[bool, str]]:
    """What was measured of this release together with earlier ones."""
    measured = [row for row in facts["privacy"] if row["metric"].startswith("composition_")]
    for metric, sentence in _SENTENCES.items():
        values = [row["value"] for row in measured if row["metric"] == metric]
        if values:
            yield True, sentence.format(int(min(values)))


_SENTENCES = {
    "composition_releases": "Earlier releases of the same people that this one was compared with: {}.",
    "composition_overlap_people_min": "Classes of an earlier release and of this one share no people or at least {}.",
    "composition_missing_people_min": "Of a class of an earlier release, this one leaves out nobody or at least {} people.",
    "composition_new_people_min": "To a class of an earlier release, this one adds nobody or at least {} people.",
    "composition_rows_again": "Rows of classes that changed, shown again as the last release showed them: {}.",
    "composition_rows": "Rows left out so that two releases tell no more than one: {}.",
}
