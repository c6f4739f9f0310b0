"""Keyed hashes in Spark: HMAC-SHA-256 with a key that is data, never text in a plan or log."""

import hashlib
import secrets
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.tables.declaration import TableRef
from kveil.tables.schema import KEYS
from kveil.tables.store import TableStore

_REF = TableRef(KEYS.zone, KEYS.pattern)
_BLOCK = 64


def hmac_pads(key: bytes) -> tuple[bytes, bytes]:
    """The key xor HMAC's inner and outer pad (RFC 2104), for keys of at most 64 bytes."""
    block = key.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)


def with_keyed_hash(store: TableStore, df: DataFrame, purpose: str, value: Column, name: str) -> DataFrame:
    """`df` with column `name`: HMAC-SHA-256 (lower-case hex) of a string column under the lake's key for `purpose`.

    The key is made at first use and joined as a one-row table, so query plans and event logs never hold it.
    """
    key = F.broadcast(_key(store, purpose).select(F.col("inner").alias("_inner"), F.col("outer").alias("_outer")))
    inner = F.sha2(F.concat(F.col("_inner"), F.encode(value, "UTF-8")), 256)
    outer = F.sha2(F.concat(F.col("_outer"), F.unhex(inner)), 256)
    return df.crossJoin(key).withColumn(name, outer).drop("_inner", "_outer")


def with_keyed_number(store: TableStore, df: DataFrame, purpose: str, columns: Sequence[str], name: str) -> DataFrame:
    """`df` with column `name`: 64 bits of the columns, nulls included, that mean nothing without the lake's key for `purpose`.

    Fast rather than collision-proof against who knows the key: two rows in 2**64 that differ get one number.
    """
    key = F.broadcast(_key(store, purpose).select(F.col("inner").alias("_inner"), F.col("outer").alias("_outer")))
    nulls = [F.col(column).isNull() for column in columns]
    number = F.xxhash64("_inner", *columns, *nulls, "_outer")
    return df.crossJoin(key).withColumn(name, number).drop("_inner", "_outer")


def keyed_hash(store: TableStore, purpose: str, value: str) -> str:
    """What `with_keyed_hash` gives for one value."""
    row = _key(store, purpose).select("inner", "outer").first()
    assert row is not None  # the key is made at first use
    inner = hashlib.sha256(bytes(row["inner"]) + value.encode()).digest()
    return hashlib.sha256(bytes(row["outer"]) + inner).hexdigest()


def _key(store: TableStore, purpose: str) -> DataFrame:
    if not store.has_rows(_REF, name=purpose):
        inner, outer = hmac_pads(secrets.token_bytes(32))
        store.insert_new(_REF, store.rows(KEYS, [{"name": purpose, "inner": inner, "outer": outer}]), keys=["name"])
    return store.read(_REF).where(F.col("name") == purpose)
