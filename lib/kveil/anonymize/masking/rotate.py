"""Moves a released table's tokens to the policy's current key, draws no noise, spends nothing and forgets the old tokens.

Encrypted columns are decrypted and encrypted again; pseudonyms are looked up by masking the clean table's values with both
keys. Everything else in the release stays as it is, which is checked before the table is replaced in one commit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.identity import check_same, content
from kveil.anonymize.masking.arrow import Masks, by_value
from kveil.anonymize.masking.keys import KeyUse, current_use, masks_of, use_of_release
from kveil.anonymize.publish import release_properties, write_candidate
from kveil.anonymize.work import recorded
from kveil.context import Context
from kveil.errors import ContractError, GuaranteeError
from kveil.settings.mask import Encrypt, Pseudonym
from kveil.settings.mask_checks import keyed
from kveil.tables.erasure import superseded_files
from kveil.tables.heads import RELEASE_ID
from kveil.tables.schema import CANDIDATE, CLEAN, KEY_ROTATIONS, RELEASE, RELEASES

_OLD, _NEW = "kveil_old", "kveil_new"


@dataclass(frozen=True)
class Rotation:
    """What became of a rotation: the versions, the columns moved and the release's rows; no columns where nothing was to do."""

    from_version: int
    to_version: int
    columns: tuple[str, ...]
    rows: int


def rotate(ctx: Context) -> Rotation:
    """Moves the release to the current key version; a rotation that was cut short is finished.

    ContractError where nothing was masked with a key, or where something was that no key brings to another: a fake and a
    shifted date remember nobody.
    """
    with ctx.store.lake.alone(ctx.policy.name):
        use, row = _masked_release(ctx)
        to = current_use(ctx.policy, use.first)
        assert to is not None  # the release has keyed masks
        if to.version < use.version:
            raise ContractError(
                f"anonymize.mask_keys: the release was masked with version {use.version}, which is above the policy's current "
                f"version {to.version}; name version {use.version} again or add a higher one"
            )
        before = _unfinished(ctx, row["release_id"], to.version)
        if to.version == use.version and before is None:
            return Rotation(use.version, to.version, (), row["rows_released"])
        columns = _movable(ctx)
        before = use.version if before is None else before
        _record(ctx, row, {"from_version": before, "to_version": to.version, "columns": ", ".join(columns)})
        if to.version != use.version:
            _replace(ctx, row["release_id"], masks_of(ctx.policy, use), to, columns)
        _finish(ctx, row, before, to.version, columns)
        return Rotation(before, to.version, tuple(columns), row["rows_released"])


def _masked_release(ctx: Context) -> tuple[KeyUse, dict[str, Any]]:
    """With what the published table is masked, and its row among the releases."""
    use, release_id = use_of_release(ctx), ctx.store.property_of(ctx.ref(RELEASE), RELEASE_ID)
    row = recorded(ctx, release_id) if release_id else None
    if use is None or row is None:
        raise ContractError(f"rotate-key: {ctx.ref(RELEASE)} is not there or holds nothing that was masked with a key")
    return use, row


def _movable(ctx: Context) -> list[str]:
    """The columns with tokens; ContractError for columns whose keyed values no key can be changed of."""
    masks = keyed(ctx.policy.anonymize.mask)
    stuck = [name for name, role in masks.items() if not isinstance(role, Pseudonym | Encrypt)]
    if stuck:
        raise ContractError(
            f"rotate-key: {', '.join(stuck)} cannot be moved to another key, since a fake or a shifted date keeps no way back; "
            "release anew under another name (anonymize.release), which draws and books noise again, and delete the old table"
        )
    return list(masks)


def _replace(ctx: Context, release_id: str, old: Masks, to: KeyUse, columns: list[str]) -> None:
    """Writes the moved rows as a candidate, compares, and makes them the released table."""
    settings, ref = ctx.policy.anonymize, ctx.ref(RELEASE)
    before = ctx.store.read(ref, ctx.store.version(ref))
    with ctx.step("move tokens to the new key") as note:
        write_candidate(ctx, _moved(ctx, before, old, masks_of(ctx.policy, to), columns).select(*before.columns))
        after = ctx.store.read(ctx.ref(CANDIDATE))
        rest = [name for name in before.columns if name not in columns]
        check_same(content(after, rest), content(before, rest), "moved table")
        _check_tokens(before, after, columns)
        ctx.store.replace(ref, after, settings.partition_by, release_properties(ctx, release_id, to))
        note.text = ", ".join(columns)


def _moved(ctx: Context, rows: DataFrame, old: Masks, new: Masks, columns: list[str]) -> DataFrame:
    encrypted = [name for name in columns if isinstance(old.roles[name], Encrypt)]
    if encrypted:
        schema = rows.schema
        rows = rows.mapInArrow(lambda batches: _encrypted_again(batches, old, new, encrypted), schema)
    for name in columns:
        if name not in encrypted:
            rows = _with_other_pseudonyms(ctx, rows, old, new, name)
    return rows


def _encrypted_again(batches: Iterator[pa.RecordBatch], old: Masks, new: Masks, columns: list[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        table = pa.Table.from_batches([batch])
        for name in columns:
            made = by_value(pa.chunked_array([by_value(table[name], old.back(name))]), new.of_texts(name))
            table = table.set_column(table.column_names.index(name), name, made)
        yield from table.to_batches()


def _with_other_pseudonyms(ctx: Context, rows: DataFrame, old: Masks, new: Masks, name: str) -> DataFrame:
    """The rows with the tokens that the clean table's values have under the other key; null where none has the old token."""
    values = ctx.store.read(ctx.ref(CLEAN)).select(F.col(f"`{name}`").alias("value")).where("value IS NOT NULL")

    def both(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = pa.chunked_array([batch.column("value")])
            made = [by_value(texts, masks.of_texts(name)) for masks in (old, new)]
            yield pa.RecordBatch.from_arrays(made, names=[_OLD, _NEW])

    pairs = values.distinct().mapInArrow(both, f"{_OLD} string, {_NEW} string")
    found = rows.join(pairs, F.col(f"`{name}`") == F.col(_OLD), "left")
    return found.withColumn(name, F.col(_NEW)).drop(_OLD, _NEW)


def _check_tokens(before: DataFrame, after: DataFrame, columns: list[str]) -> None:
    """ContractError where a token found no other; GuaranteeError where two became one."""
    asked = [F.count(f"`{name}`").alias(f"rows {name}") for name in columns]
    asked += [F.count_distinct(f"`{name}`").alias(f"tokens {name}") for name in columns]
    old, new = before.agg(*asked).first(), after.agg(*asked).first()
    assert old is not None and new is not None  # aggregations without groups have one row
    for name in columns:
        lost = old[f"rows {name}"] - new[f"rows {name}"]
        if lost:
            raise ContractError(
                f"rotate-key: {lost:,} rows hold tokens of {name} that no value of the clean table has; the release is older "
                "than the clean table: run kveil run, which makes a release with the current key"
            )
        if old[f"tokens {name}"] != new[f"tokens {name}"]:
            raise GuaranteeError(f"rotate-key: tokens of {name} became others in number; nothing was changed, run again")


def _finish(ctx: Context, row: dict[str, Any], before: int, to: int, columns: list[str]) -> None:
    """Notes the table's version, then deletes the files of old tokens and proves it. May be done twice."""
    ref = ctx.ref(RELEASE)
    version = ctx.store.version(ref)
    again = {**row, "version": version, "run_id": ctx.run_id, "written_at": ctx.now}
    ctx.store.replace_where(ctx.ref(RELEASES), ctx.rows(RELEASES, [again]), policy=ctx.policy.name, release_id=row["release_id"])
    with ctx.step("delete the files of the old tokens") as note:
        ctx.store.destroy(ctx.ref(CANDIDATE))
        ctx.store.forget_history(ref)
        left = superseded_files(ctx.store, ref)
        note.text = f"{left} files left"
    if left:
        raise GuaranteeError(f"rotate-key: {left} files of {ref} still hold tokens of key version {before}; run rotate-key again")
    done = {"rows": row["rows_released"], "version": version, "old_files_left": left}
    _record(ctx, row, {"from_version": before, "to_version": to, "columns": ", ".join(columns), **done})


def _record(ctx: Context, row: dict[str, Any], told: dict[str, Any]) -> None:
    rows = ctx.rows(KEY_ROTATIONS, [{"release_id": row["release_id"], **told}])
    ctx.store.replace_where(
        ctx.ref(KEY_ROTATIONS), rows, policy=ctx.policy.name, release_id=row["release_id"], to_version=told["to_version"]
    )


def _unfinished(ctx: Context, release_id: str, to: int) -> int | None:
    """The version from which a rotation was begun that was cut short; None where none was."""
    ref = ctx.ref(KEY_ROTATIONS)
    if not ctx.store.exists(ref):
        return None
    begun = (F.col("policy") == ctx.policy.name) & (F.col("release_id") == release_id) & (F.col("to_version") == to)
    row = ctx.store.read(ref).where(begun & F.col("version").isNull()).first()
    return None if row is None else int(row["from_version"])
