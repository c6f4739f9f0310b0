"""Unpacking zip archives line by line, and first bytes against what a file's name and policy say, without a JVM."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.collect import archives
from kveil.collect.archives import are_archives
from kveil.collect.locations import SourceFile
from kveil.collect.marks import check_marks
from kveil.errors import ContractError
from kveil.settings.sources import Source


def packed(*contents: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for i, content in enumerate(contents):
            archive.writestr(f"{i}.csv", content)
    return out.getvalue()


def lines(content, encoding="UTF-8", whole=True, longest=1 << 20):
    """(number, line) of all packed files."""
    lots = archives._numbered(memoryview(content), encoding, longest, whole)
    return [(first + i, line) for first, lot in lots for i, line in enumerate(lot)]


def file(path, size=1):
    return SourceFile(str(path), size, "")


class TestLines:
    LINE = st.text(
        st.characters(exclude_characters="\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029", exclude_categories=["Cs"]), max_size=8
    )

    @given(
        st.lists(LINE, max_size=30),
        st.sampled_from(["\n", "\r\n", "\r"]),
        st.sampled_from(["UTF-8", "UTF-16"]),
        st.integers(1, 7),
    )
    def test_every_line_comes_once_in_order_with_its_number(self, texts, ending, encoding, lot):
        content = "".join(text + ending for text in texts).encode(encoding)
        before, archives._LINES = archives._LINES, lot
        try:
            found = lines(packed(content, content), encoding)
        finally:
            archives._LINES = before
        assert found == list(enumerate((text.removeprefix("\ufeff") if i == 0 else text for i, text in enumerate(texts)), 1)) * 2

    def test_first_lines_alone(self):
        assert lines(packed(b"a\nb\n", b"c\n"), whole=False) == [(1, "a"), (1, "c")]

    def test_bytes_of_another_encoding_become_the_character_for_that(self):
        assert lines(packed(b"M\xfcller\n")) == [(1, "M\ufffdller")]

    @pytest.mark.parametrize("cut", [1, 30, 200, 600])
    def test_a_cut_archive_is_no_archive(self, cut):
        content = packed(bytes(range(256)) * 50)
        with pytest.raises((zipfile.BadZipFile, ValueError)):
            lines(content[:-cut], "ISO-8859-1")

    def test_an_archive_that_unpacks_to_one_endless_line_stops_early(self, monkeypatch):
        monkeypatch.setattr(archives, "_LOT", 1000)
        assert lines(packed(b"x" * 999 + b"\n"))[0][0] == 1
        with pytest.raises(ValueError, match="too long"):
            lines(packed(b"x" * 1_000_000), longest=1000)

    def test_an_archive_without_a_file(self):
        with pytest.raises(ValueError, match="holds no file"):
            lines(packed())


def test_archives_are_known_by_name_and_come_alone_and_small():
    assert are_archives([file("/a.zip"), file("/b.ZIP")])
    assert not are_archives([file("/a.csv")])
    with pytest.raises(ValueError, match="others are not"):
        are_archives([file("/a.zip"), file("/a.csv")])
    with pytest.raises(ValueError, match="over 256 MB"):
        are_archives([file("/a.zip", archives.LARGEST + 1)])


@pytest.mark.parametrize(
    ("name", "content", "encoding", "says"),
    [
        ("a.csv", "a".encode("utf-16"), "utf-8", "byte order mark of UTF-16 where utf-8"),
        ("a.csv", b"a,b", "utf-16", "has no byte order mark"),
        ("a.csv", "a".encode("utf-8-sig"), "latin-1", "byte order mark of UTF-8 where latin-1"),
        ("a.csv.gz", gzip.compress("a".encode("utf-16"), mtime=0), "utf-8", "byte order mark of UTF-16"),
        ("a.csv", gzip.compress(b"a", mtime=0), "utf-8", "let its name end in .gz"),
        ("a.csv", packed(b"a"), "utf-8", "let its name end in .zip"),
        ("a.csv", "a".encode("utf-8-sig"), "utf-8", None),
        ("a.csv", "a".encode("utf-16"), "utf-16", None),
        ("a.csv.gz", gzip.compress(b"a", mtime=0), "latin-1", None),
        ("a.zip", packed(b"a"), "utf-16", None),
    ],
)
def test_first_bytes_tell_what_name_and_policy_do_not(tmp_path, name, content, encoding, says):
    (tmp_path / name).write_bytes(content)
    one = Source.model_validate({"uri": "x", "format": "csv", "csv": {"encoding": encoding}, "columns": {"a": "int"}})
    if says is None:
        check_marks("rows", one, [file(tmp_path / name)])
        return
    with pytest.raises(ContractError, match=says) as error:
        check_marks("rows", one, [file(tmp_path / name)])
    assert str(error.value).startswith("sources.rows: the file ")


def test_json_is_utf_8(tmp_path):
    (tmp_path / "a.json").write_bytes("{}".encode("utf-16"))
    with pytest.raises(ContractError, match="where utf-8 is declared"):
        check_marks(
            "rows", Source.model_validate({"uri": "x", "format": "json", "columns": {"a": "int"}}), [file(tmp_path / "a.json")]
        )
