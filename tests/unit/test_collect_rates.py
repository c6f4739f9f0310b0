import io
import zipfile

import pytest
from kveil.collect.rates import long_rates

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
