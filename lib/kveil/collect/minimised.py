"""What goes into a raw table: the columns that are used, and, where others are left out, what told the rows apart."""

from pyspark.sql import DataFrame

from kveil.settings import Policy
from kveil.tables.keys import with_keyed_number
from kveil.tables.schema import RAW_ROW
from kveil.tables.store import TableStore


def minimised(store: TableStore, rows: DataFrame, policy: Policy, source: str) -> DataFrame:
    """The rows with the source's used columns alone.

    Two purchases that differ in nothing but a receipt's number are two purchases, and clean removes duplicates. So the rows get
    RAW_ROW in place of the columns that are left out: one number under a secret key, the same for the same values, from which
    nothing of them can be read.
    """
    used = policy.used_columns(source)
    left_out = [name for name in policy.sources[source].columns if name not in used]
    if not left_out:
        return rows.select(*used)
    return with_keyed_number(store, rows, "left out columns", left_out, RAW_ROW).select(*used, RAW_ROW)
