"""The ECB's reference rates: one wide file of days by currencies, as long rows of text."""

import io
import zipfile

import pandas as pd

COLUMNS = ("currency", "date", "rate")


def long_rates(content: bytes) -> pd.DataFrame:
    """Rows currency, date, rate (all text) of eurofxref-hist.csv, plain or zipped, sorted by currency and date.

    1 EUR = `rate` units of `currency`. Days without a rate (N/A) have no row. Texts are left as they are: the source's
    contract casts them and sets aside what is no date or number. Raises ValueError when the content is no such file.
    """
    wide = pd.read_csv(io.BytesIO(_csv(content)), dtype=str, keep_default_na=False, skipinitialspace=True)
    if len(wide.columns) < 2 or wide.columns[0] != "Date":
        raise ValueError("the first column is not Date")
    wide = wide.drop(columns=[name for name in wide.columns if name.startswith("Unnamed")])
    long = wide.melt(id_vars="Date", var_name="currency", value_name="rate")
    known = long[~long["rate"].str.strip().isin(["N/A", ""])].rename(columns={"Date": "date"})
    ordered: pd.DataFrame = known[list(COLUMNS)].sort_values(["currency", "date"], ignore_index=True)
    return ordered


def _csv(content: bytes) -> bytes:
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(names) != 1:
            raise ValueError("the archive does not hold exactly one .csv")
        return archive.read(names[0])
