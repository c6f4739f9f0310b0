"""What became of a source's rows, and the proof that none was lost or doubled."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from kveil.collect.consent import CONSENTS
from kveil.collect.contract import REASON, RULE
from kveil.collect.file_words import told_path
from kveil.collect.keys import DUPLICATE
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError
from kveil.settings.sources import Source

NAMES_ERASED = "_kveil_names_erased"
"""Whether the row's own person cannot be read and a word of it is the id of somebody who was erased."""
_SHOWN = 10
"""Rules that a message names; a source with more has more to tell than anybody reads."""


@dataclass(frozen=True)
class Fate:
    """How many rows of a source were read, broke the contract, and of these and the others went where."""

    read: int
    broken: int
    quarantined: int
    duplicates: int
    not_consented: int
    kept: int

    @property
    def counts(self) -> dict[str, int]:
        """The counts under the names that the tables give them."""
        return {
            "rows_in": self.read,
            "rows_quarantined": self.quarantined,
            "rows_duplicate": self.duplicates,
            "rows_not_consented": self.not_consented,
            "rows_out": self.kept,
        }

    @property
    def balance(self) -> str:
        """Where the rows went that were read, as a sum."""
        return (
            f"{self.read:,} read = {self.kept:,} kept + {self.quarantined:,} set aside + {self.duplicates:,} duplicates "
            f"+ {self.not_consented:,} not to be used"
        )


def total(fates: Sequence[Fate]) -> Fate:
    """The fates of several sources together."""
    return Fate(*(sum(getattr(fate, each.name) for fate in fates) for each in fields(Fate)))


def of_batches(rows: Sequence[Row], run_id: str) -> Fate:
    """The fate of what a run landed of a source, from the source's rows of the table `collected`: one per file of a batch."""
    batches = {row["batch"]: row for row in rows if row["run_id"] == run_id}.values()
    counts = [[row[name] or 0 for name in Fate(0, 0, 0, 0, 0, 0).counts] for row in batches]
    read, aside, duplicates, not_consented, out = (sum(column) for column in zip(*counts, strict=True)) if counts else (0,) * 5
    return Fate(read, aside, aside, duplicates, not_consented, out)


def kept() -> Column:
    """Rows for the raw zone: they fit the contract, are no copies, and their person consents."""
    return F.col(REASON).isNull() & ~F.col(DUPLICATE) & F.col(CONSENTS)


def quarantined(rows: DataFrame, person: str) -> Column:
    """Rows to set aside: they break the contract, and nobody who does not consent is among them.

    A row without a person is nobody's refusal: it is set aside, so that someone can see what is wrong with it, unless it names
    somebody who was erased.
    """
    nobody = F.col(person).isNull() if person in rows.columns else F.lit(False)
    return F.col(REASON).isNotNull() & ~F.col(DUPLICATE) & (F.col(CONSENTS) | nobody) & ~F.col(NAMES_ERASED)


def counted(rows: DataFrame, person: str, columns: Sequence[str]) -> Fate:
    """The fate of judged rows with consent, counted in one pass that decodes every declared cell."""
    aside = quarantined(rows, person)
    counts = rows.agg(
        F.count("*").alias("read"),
        F.count_if(F.col(REASON).isNotNull() & ~F.col(DUPLICATE)).alias("broken"),
        F.count_if(aside).alias("quarantined"),
        F.count_if(DUPLICATE).alias("duplicates"),
        F.count_if(~aside & ~kept() & ~F.col(DUPLICATE)).alias("not_consented"),
        F.count_if(kept()).alias("kept"),
        # Nothing needs this value; computing it meets a damaged page of any column before a row is written.
        F.bit_xor(F.xxhash64(*columns)).alias("every_cell"),
    ).first()
    assert counts is not None, "an aggregation without groups has one row"
    return Fate(
        counts["read"], counts["broken"], counts["quarantined"], counts["duplicates"], counts["not_consented"], counts["kept"]
    )


def check_fate(name: str, source: Source, fate: Fate, is_registry: bool, rows: DataFrame) -> None:
    """Raises ContractError for a source without rows or with too many that break its contract; rules are counted then."""
    if fate.read == 0 and source.incremental is None:
        raise ContractError(f"sources.{name}: {source.uri} has no rows; deliver it again")
    if is_registry and fate.broken:
        raise ContractError(
            f"sources.{name}: {fate.broken:,} of {fate.read:,} rows of the consent registry break its contract; a withdrawal "
            "may be among them, so nothing was collected; have the registry corrected"
        )
    share = f"{fate.broken:,} of {fate.read:,} rows ({fate.broken / max(fate.read, 1):.2%}) break the contract"
    if fate.broken and source.mode == "fail":
        advice = "correct the source, or set rows aside by mode: quarantine"
        raise ContractError(f"sources.{name}: {share}, where mode is fail ({_per_rule(rows)}); {advice}")
    if fate.broken > source.quarantine_limit * fate.read:
        limit = f"over quarantine_limit ({source.quarantine_limit:.2%})"
        raise ContractError(f"sources.{name}: {share}, {limit} ({_per_rule(rows)}); correct the source or raise the limit")


def _per_rule(rows: DataFrame) -> str:
    """The broken rules with their counts, most often broken first."""
    names = rows.where(F.col(REASON).isNotNull()).select(F.explode(F.split(RULE, ", ")).alias("rule"))
    # One row per rule of the contract.
    counts = names.groupBy("rule").count().orderBy(F.desc("count"), "rule").limit(_SHOWN + 1).collect()
    shown = [f"{row['rule']} {row['count']:,}" for row in counts[:_SHOWN]]
    return ", ".join(shown + (["and more"] if len(counts) > _SHOWN else []))


def check_sum(name: str, fate: Fate, written: int) -> None:
    """Raises ContractError unless the rows read are exactly those that went to raw, aside, or nowhere for a counted reason."""
    if fate.read != written + fate.quarantined + fate.duplicates + fate.not_consented:
        raise ContractError(
            f"sources.{name}: read {fate.read:,} rows but wrote {written:,}, set aside {fate.quarantined:,}, left out "
            f"{fate.not_consented:,} without consent and {fate.duplicates:,} duplicates; the source changed while it was read: "
            "run collect again"
        )


def provenance_rows(files: Sequence[SourceFile], fate: Fate, uri: str) -> list[dict[str, Any]]:
    """One row of the table `provenance` per file of a source: the file, and what became of the source's rows."""
    return [{"path": told_path(file.path, uri), "bytes": file.bytes, "sha256": file.sha256, **fate.counts} for file in files]


def batch_provenance(batch: Row, uri: str) -> dict[str, Any]:
    """A row of the table `collected` as one of `provenance`: what became of a batch's rows stands on each of its files."""
    names = ("batch", "bytes", "sha256", *Fate(0, 0, 0, 0, 0, 0).counts)
    path = told_path(batch["path"], uri) if batch["path"] else batch["way"]
    return {"path": path, **{name: batch[name] for name in names}}
