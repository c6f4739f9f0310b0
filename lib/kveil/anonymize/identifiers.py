"""Refuses a release that shows direct identifiers as they are, unless the policy says, in writing, why it may."""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame

from kveil.errors import GuaranteeError
from kveil.profile.sampled import Document, columns_of, looked_at, sampled
from kveil.profile.semantic import guess
from kveil.profile.values import of_texts
from kveil.settings.anonymize import Anonymize

ROWS = 2_000
"""Rows of the clean table that are looked at: the first at hand, so that looking costs one task."""

_SURE = 0.8
_TEXTS = ("string", "bigint", "decimal")
"""Types of columns that can hold an account, card, phone or national number, an address or a name."""


def check_identifiers(clean: DataFrame, settings: Anonymize) -> None:
    """GuaranteeError where a released column's values are direct identifiers and `anonymize.accepted` gives no reason for it.

    Only what values show counts (check digits, forms, common names), never a column's name alone. Columns with noise are not
    shown as they are.
    """
    types = dict(clean.dtypes)
    shown = [name for name in _shown(settings) if name not in settings.accepted and types[name].startswith(_TEXTS)]
    if not shown:
        return
    rows = clean.select(*shown).limit(ROWS)

    def look(sample: pa.Table) -> Iterator[Document]:
        for name, texts in columns_of(sample).items():
            found = guess(of_texts(name, types[name], texts.combine_chunks()))
            if found.role == "direct" and found.proven and found.confidence >= _SURE:
                yield {"column": name, "semantic": found.semantic.replace("_", " "), "evidence": found.evidence}

    told = looked_at(sampled(rows, None, ROWS), look)
    if told:
        listed = "; ".join(f"{each['column']} holds {each['semantic']} ({each['evidence']})" for each in told)
        raise GuaranteeError(
            f"anonymize: nothing was published because it would show direct identifiers: {listed}; take the columns out of the "
            "release, mask them, or write in anonymize.accepted.COLUMN why they may be shown"
        )


def _shown(settings: Anonymize) -> list[str]:
    """The columns whose values a release shows, alone or in sets."""
    roles = (settings.partition_by, settings.quasi_identifiers, settings.sensitive, settings.insensitive)
    return [*(name for role in roles for name in role), *(name for name, mask in settings.mask.items() if mask.shows_values)]
