"""Files made to fill memory, and what may be said of a file."""

import bz2
import gzip
import zipfile
import zlib

from hypothesis import given
from hypothesis import strategies as st
from kveil.collect.file_words import told_path, words_of
from kveil.collect.limits import _lines, _of_size, check_limits
from kveil.collect.locations import SourceFile
from kveil.errors import ContractError
from kveil.settings.sources import Source
from kveil.shapes import shape, shapes


def source(**changes):
    return Source.model_validate({"uri": "in", "format": "csv", "columns": {"a": "string"}, **changes})


def told(path, **changes):
    try:
        check_limits("sales", source(**changes), [SourceFile(str(path), path.stat().st_size, "x")])
    except ContractError as error:
        assert "\n" not in str(error) and path.name not in str(error)
        return str(error)
    return None


def packed(path, blocks, block=b"a,b\n" * 250_000):
    """A gzip of many megabytes, made of one compressed block again and again."""
    writer = zlib.compressobj(9, wbits=31)
    with path.open("wb") as file:
        for _ in range(blocks):
            file.write(writer.compress(block))
        file.write(writer.flush())
    return path


def test_a_line_without_end_is_told_whatever_packs_it(tmp_path):
    line = b"a,b\n1," + b"x" * (17 << 20) + b"\n"
    plain = tmp_path / "Erika.csv"
    plain.write_bytes(line)
    (tmp_path / "Erika.csv.gz").write_bytes(gzip.compress(line, 1))
    (tmp_path / "Erika.csv.bz2").write_bytes(bz2.compress(line, 1))
    for path in sorted(tmp_path.iterdir()):
        assert "a line of over 16 MB" in told(path)
        assert told(path, limits={"line_mb": 20, "ratio": 10_000}) is None
    assert told(plain, format="json") is not None and told(plain, format="parquet") is None


def test_an_archive_that_unpacks_to_hundreds_of_its_size_is_told(tmp_path):
    bomb = packed(tmp_path / "Erika.csv.gz", 80)
    assert "unpacks to over 100 times" in told(bomb)
    assert "unpacks to over 1 GB" in _of_size(2 * 10**9, 10**9, source(limits={"unpacked_gb": 1}))
    assert told(bomb, limits={"ratio": 2_000}) is None
    with zipfile.ZipFile(tmp_path / "Erika.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.csv", "w") as member:
        for _ in range(80):
            member.write(b"0" * 10**6)
    assert "unpacks to over 100 times" in told(tmp_path / "Erika.zip")
    for ending in (".zst", ".snappy", ".xz", ".lz4"):
        (tmp_path / f"a{ending}").write_bytes(b"x")
        assert "allowed: gzip, zip" in told(tmp_path / f"a{ending}")


def test_small_and_damaged_files_are_for_the_reader(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n" * 10**6))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a\n" * 10**6)[:-20])
    (tmp_path / "c.zip").write_bytes(b"no archive")
    assert [told(path) for path in sorted(tmp_path.iterdir())] == [None] * 3


@given(
    st.lists(st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"").replace(b"\r", b"")), max_size=30),
    st.integers(1, 40),
)
def test_the_longest_line_is_found_in_whatever_pieces_a_file_comes(lines, size):
    content = b"\n".join(lines)

    class Pieces:
        place = 0

        def read(self, _):
            piece = content[self.place : self.place + size]
            self.place += size
            return piece

    found = [longest for _, longest in _lines(Pieces(), [10, 13])]
    longest = max(map(len, lines), default=0)
    assert not found or longest <= max(found) <= longest + 1


NAMES = st.lists(
    st.text(min_size=4, max_size=40).filter(lambda text: any(sign.isalnum() for sign in text)), min_size=1, max_size=5
)


@given(NAMES)
def test_a_shape_holds_no_letter_and_no_digit_of_a_name(names):
    assert all(set(filter(str.isalnum, shape(name))) <= set("Aa9") and len(shape(name)) < 30 for name in names)
    assert shapes(names).startswith(f"{len(names)} (") and "\n" not in shapes(names)


def test_a_file_is_named_by_the_policy_and_by_its_place():
    files = [SourceFile(f"/in/{name}", 1, name) for name in ("Erika_Mustermann-1990.csv", "b.csv")]
    assert words_of(files[0], files[:1], source()) == "the file in"
    assert words_of(files[0], files, source()) == "file 1 of 2 in in (a name like Aa_Aa-9.a)"
    assert told_path("/in/x/Erika 1990.csv", "/in") == "/in/a/Aa 9.a"
    assert told_path("/in/a.csv", "/in/a.csv") == "/in/a.csv"
    assert told_path("s3://bank/in/Erika.csv", "s3://bank/in/*.csv") == "s3://bank/in/Aa.a"
    assert told_path("/lake/t@v4", "/lake/t") == "/lake/t@v4"
