import csv
import io
import zipfile

import pytest
from kveil.collect.rates import long_rates
from kveil.settings.packages import packaged

WIDE = b"Date,USD,JPY,\n2020-01-03,1.1172,175.68,\n2020-01-02,1.1193,N/A,\n"
LONG = [("JPY", "2020-01-03", "175.68"), ("USD", "2020-01-02", "1.1193"), ("USD", "2020-01-03", "1.1172")]


def rows(content):
    return list(long_rates(content).itertuples(index=False, name=None))


def zipped(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, WIDE)
    return out.getvalue()


def test_days_by_currencies_become_sorted_rows_without_the_missing_ones():
    assert rows(WIDE) == LONG
    assert rows(zipped("eurofxref-hist.csv")) == LONG


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"Date\n2020-01-01\n", zipped(), zipped("a.csv", "b.csv"), b"\x00\x01"])
def test_another_file_is_refused(content):
    with pytest.raises(ValueError):
        long_rates(content)


def test_the_banks_own_file_keeps_every_rate_and_makes_none_up():
    """Twenty-odd years of 41 currencies, against a reading of the file by the standard library alone."""
    path = packaged("package://currency_converter/eurofxref-hist.zip")
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as content:
        header, *days = csv.reader(io.TextIOWrapper(content, "utf-8"))
    cells = [(name, day[0], rate) for day in days for name, rate in zip(header[1:], day[1:], strict=True)]
    assert rows(path.read_bytes()) == sorted(cell for cell in cells if cell[0] and cell[2] not in ("N/A", ""))
    assert len(days) > 6000
