"""What became of a source's rows, and the proof that none was lost or doubled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.collect.consent import CONSENTS
from kveil.collect.contract import REASON
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError
from kveil.settings.sources import Source


@dataclass(frozen=True)
class Fate:
    """How many rows of a source were read, broke the contract, and of these and the others went where."""

    read: int
    broken: int
    quarantined: int
    not_consented: int
    kept: int


def kept() -> Column:
    """Rows for the raw zone: they fit the contract and their person consents."""
    return F.col(REASON).isNull() & F.col(CONSENTS)


def quarantined(rows: DataFrame, person: str) -> Column:
    """Rows to set aside: they break the contract, and nobody who does not consent is among them.

    A row without a person is nobody's refusal: it is set aside, so that someone can see what is wrong with it.
    """
    nobody = F.col(person).isNull() if person in rows.columns else F.lit(False)
    return F.col(REASON).isNotNull() & (F.col(CONSENTS) | nobody)


def counted(rows: DataFrame, person: str, columns: Sequence[str]) -> Fate:
    """The fate of judged rows with consent, counted in one pass that decodes every declared cell."""
    aside = quarantined(rows, person)
    counts = rows.agg(
        F.count("*").alias("read"),
        F.count_if(F.col(REASON).isNotNull()).alias("broken"),
        F.count_if(aside).alias("quarantined"),
        F.count_if(~aside & ~kept()).alias("not_consented"),
        F.count_if(kept()).alias("kept"),
        # Nothing needs this value; computing it meets a damaged page of any column before a row is written.
        F.bit_xor(F.xxhash64(*columns)).alias("every_cell"),
    ).first()
    assert counts is not None, "an aggregation without groups has one row"
    return Fate(counts["read"], counts["broken"], counts["quarantined"], counts["not_consented"], counts["kept"])


def check_fate(name: str, source: Source, fate: Fate, is_registry: bool) -> None:
    """Raises ContractError for a source without rows or with too many that break its contract."""
    if fate.read == 0:
        raise ContractError(f"sources.{name}: {source.uri} has no rows; deliver it again")
    if is_registry and fate.broken:
        raise ContractError(
            f"sources.{name}: {fate.broken:,} of {fate.read:,} rows of the consent registry break its contract; a withdrawal "
            "may be among them, so nothing was collected; have the registry corrected"
        )
    if fate.broken > source.quarantine_limit * fate.read:
        raise ContractError(
            f"sources.{name}: {fate.broken:,} of {fate.read:,} rows ({fate.broken / fate.read:.2%}) break the contract, over "
            f"quarantine_limit ({source.quarantine_limit:.2%}); correct the source or raise the limit"
        )


def check_sum(name: str, fate: Fate, written: int) -> None:
    """Raises ContractError unless the rows read are exactly those in the raw table, set aside, or not consented."""
    if fate.read != written + fate.quarantined + fate.not_consented:
        raise ContractError(
            f"sources.{name}: read {fate.read:,} rows but wrote {written:,}, set aside {fate.quarantined:,} and left out "
            f"{fate.not_consented:,} without consent; the source changed while it was read: run collect again"
        )


def provenance_rows(files: Sequence[SourceFile], fate: Fate, written: int) -> list[dict[str, Any]]:
    """One row of the table `provenance` per file of a source: the file, and what became of the source's rows."""
    rows = {
        "rows_in": fate.read,
        "rows_quarantined": fate.quarantined,
        "rows_not_consented": fate.not_consented,
        "rows_out": written,
    }
    return [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256, **rows} for file in files]
