"""What is found of masks before anything is booked or drawn: values that are not of their format, tokens of two values."""

from collections.abc import Iterator
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.columns import PERSON
from kveil.anonymize.masking.arrow import Masks, by_value
from kveil.anonymize.masking.metrics import people_by_column
from kveil.anonymize.metric import Metric
from kveil.errors import ContractError, GuaranteeError
from kveil.settings.mask import BoughtTopBottom, Encrypt, Pseudonym, Redact


def value_metrics(rows: DataFrame, masks: Masks) -> list[Metric]:
    """Per pseudonym or encrypted column its distinct values that are not of the format, and those that share a token (none).

    ContractError where a policy refuses the former, GuaranteeError for the latter. Each distinct value is masked once.
    """
    asked = {name: role for name, role in masks.roles.items() if isinstance(role, Pseudonym | Encrypt)}
    if not asked:
        return []
    counted = reduce(DataFrame.unionByName, [_tokens(rows, masks, name) for name in asked]).groupBy("name")
    found = {
        row["name"]: row
        for row in counted.agg(
            F.count_if(F.col("token").isNull()).alias("unfit"),
            (F.count("token") - F.count_distinct("token")).alias("shared"),
        ).collect()
    }
    metrics: list[Metric] = []
    for name, role in asked.items():
        unfit, shared = (found[name]["unfit"], found[name]["shared"]) if name in found else (0, 0)
        _check(name, role, unfit, shared)
        metrics.append(Metric("mask_collisions", shared, name, threshold=0, met=True))
        if isinstance(role, Encrypt):
            metrics.append(Metric("mask_unfit_values", unfit, name))
    return metrics


def check_people(rows: DataFrame, person: str, masks: Masks, k: int) -> None:
    """GuaranteeError where a masked value that may link nobody is held by fewer than k people before any row is suppressed.

    Noise would be drawn and booked for a release that cannot be published.
    """
    later = (Redact, BoughtTopBottom)  # the one shows nothing, the other's bounds are not found yet
    coarse = {name: role for name, role in masks.roles.items() if not role.linkable and not isinstance(role, later)}
    if not coarse:
        return
    without_keys = Masks(coarse)

    def masked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([batch])
            made = without_keys.masked(table, person)
            columns = [pc.cast(column, pa.string()) for column in (table[person], *made.values())]
            yield from pa.Table.from_arrays(columns, names=[PERSON, *made]).to_batches()

    known = rows.where(F.col(person).isNotNull()).select(person, *[F.col(f"`{name}`") for name in coarse])
    shown = known.mapInArrow(masked, ", ".join(f"`{name}` string" for name in (PERSON, *coarse)))
    for name, found in people_by_column(shown, coarse):
        if found["least"] < k:
            raise GuaranteeError(
                f"anonymize.mask.{name}: a masked value is held by {found['least']:,} people where k = {k} is demanded; "
                "nothing was booked or published; mask the column more coarsely, or say linkable: true where its values may tell "
                "a person's rows from others'"
            )


def _tokens(rows: DataFrame, masks: Masks, name: str) -> DataFrame:
    """The column's name beside the token of each of its distinct values, null for a value that is not of the format."""

    def masked(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            made = by_value(pa.chunked_array([batch.column(0)]), masks.of_texts(name))
            yield pa.RecordBatch.from_arrays([made], names=["token"])

    # Texts are made of values where they are masked: Spark writes some types otherwise.
    values = rows.select(f"`{name}`").where(F.col(f"`{name}`").isNotNull()).distinct()
    return values.mapInArrow(masked, "token string").select(F.lit(name).alias("name"), "token")


def _check(name: str, role: Pseudonym | Encrypt, unfit: int, shared: int) -> None:
    if unfit and isinstance(role, Encrypt) and role.unfit == "refuse":
        raise ContractError(
            f"anonymize.mask.{name}: {unfit:,} distinct values are not of format {role.format} (its characters, its check "
            "digits, at least a million possible ones); correct them in clean.rules or clean.derive, or set unfit: null to show "
            "nothing of them"
        )
    if shared:
        raise GuaranteeError(
            f"anonymize.mask.{name}: {shared:,} values share a token with another one, which should not happen in the life of "
            "the universe; nothing was published; give the key a new version and run again"
        )
