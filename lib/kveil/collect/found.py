"""What a reader found: rows as they stand in a source, and where each is from."""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

FILE, POSITION = "_kveil_file", "_kveil_position"
"""Where a row is from: its file and its place among the file's rows, from 1; columns of Found's rows where known."""


@dataclass(frozen=True)
class Found:
    """What a source holds. `texts`: every column is text that has yet to be cast. `live`: it may change between two reads.

    `schema` leaves MALFORMED, FILE and POSITION out.
    """

    rows: DataFrame
    schema: StructType
    texts: bool
    live: bool = False


def file_of_row() -> Column:
    """FILE: the row's file as `SourceFile.path` names it; for rows that come straight out of files."""
    # Spark gives an address, in which a blank is %20; a plus sign must stay one.
    path = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    return F.regexp_replace(path, "^file:(//)?(?=/)", "").alias(FILE)
