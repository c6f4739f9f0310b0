"""Columns of any type as what can be hashed and what can be read."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, BinaryType, DataType, MapType, StructType


def cell(name: str) -> Column:
    """The column of a name, whatever signs it has."""
    return F.col(f"`{name.replace('`', '``')}`")


def hashable(name: str, kind: DataType) -> Column:
    """The column, or its JSON where it is nested: Spark hashes no maps."""
    return F.to_json(cell(name)) if isinstance(kind, ArrayType | MapType | StructType) else cell(name)


def hashables(rows: DataFrame) -> list[Column]:
    """All columns, each hashable."""
    return [hashable(field.name, field.dataType) for field in rows.schema.fields]


def as_text(name: str, kind: DataType, characters: int) -> Column:
    """The first characters of a cell's text; of bytes, in hexadecimal digits."""
    if isinstance(kind, BinaryType):
        return F.hex(F.substring(cell(name), 1, characters // 2))
    return F.substring(hashable(name, kind).cast("string"), 1, characters)
