"""Whether texts match a pattern as a whole, in time that grows with their length alone: by RE2, which comes with Arrow."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.settings.patterns import LONGEST_VALUE


def matches(text: Column, pattern: str) -> Column:
    """True where the whole text matches; false where it does not or is too long to be looked at; null is no text and false."""
    whole = rf"\A(?:{pattern})\z"

    @F.pandas_udf("boolean")  # type: ignore[attr-defined, call-overload, untyped-decorator, unused-ignore]
    def matched(texts: pd.Series) -> pd.Series:
        return pc.match_substring_regex(pa.Array.from_pandas(texts, type=pa.string()), whole).to_pandas()

    # A Python function gets every row's value, whatever stands around it; so a long one is taken away before.
    return F.coalesce(matched(F.when(F.length(text) <= LONGEST_VALUE, text)), F.lit(False))
