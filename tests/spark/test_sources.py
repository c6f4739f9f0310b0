"""Every file format as people have it, and every way in which a file can be bad: rows right, set aside, or one sentence."""

import gzip
import json
import os
import random
import zipfile
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kveil.collect.contract import REASON, check_columns, judged
from kveil.collect.found import FILE
from kveil.collect.locations import locate
from kveil.collect.readers import read, unreadable
from kveil.collect.row_counts import check_row_count
from kveil.collect.stage import inputs, run
from kveil.collect.undo import undone_if_changed
from kveil.errors import ContractError
from kveil.session import SPARK_ERRORS
from kveil.settings.sources import Source
from kveil.tables import foreign
from kveil.tables.schema import CONSENT, PROVENANCE, QUARANTINE, RAW

COLUMNS = {"person": {"type": "bigint", "required": True}, "name": "string", "amount": "decimal(12,2)"}
HEADER = "person,name,amount\n"
FIELDS = "row: has more or fewer fields than the header"
ENCODING = "row: has bytes that its declared encoding does not know"
NUL = "row: holds a NUL character"


def source(uri, columns=None, **settings):
    return Source.model_validate({"uri": str(uri), "columns": columns or COLUMNS, "format": "csv", **settings})


def found(spark, one):
    return read(spark, "base", one, locate(spark, "base", one))


def rows(spark, one):
    """(declared values..., reason) of every row."""
    what = found(spark, one)
    check_columns("base", one, what.schema, what.texts)
    return [(*[row[name] for name in one.columns], row[REASON]) for row in judged(what, one).collect()]


def good(spark, one):
    assert all(row[-1] is None for row in rows(spark, one))
    return sorted(row[:-1] for row in rows(spark, one))


def sentence(spark, one):
    """The sentence with which reading the source's rows fails; it must not repeat what is in them."""
    try:
        rows(spark, one)
    except SPARK_ERRORS as error:
        told = unreadable("base", one, error)
    except ContractError as error:
        told = error
    else:
        pytest.fail("the source was read")
    message = str(told)
    assert message.startswith("sources.base") and "\n" not in message and "Exception" not in message
    return message


def written(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_csv", ".csv").replace("_json", ".json"), content)
    return path


TWO = [(1, 'Müller, "Jo"', Decimal("1234.50")), (2, None, Decimal("-0.05"))]
LINES = 'person,name,amount\n1,"Müller, ""Jo""",1234.50\n2,,-0.05\n'


class TestCsv:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (LINES.encode(), {}),
            (LINES.encode("utf-8-sig"), {}),
            (LINES.replace("\n", "\r\n").encode(), {}),
            (LINES.encode("latin-1"), {"encoding": "latin-1"}),
            (LINES.encode("windows-1252"), {"encoding": "windows-1252"}),
            (LINES.encode("utf-16"), {"encoding": "utf-16"}),
            (LINES.partition("\n")[2].encode(), {"header": False}),
            (LINES.replace('""', '\\"').encode(), {"escape": "\\"}),
            (b"person;name;amount\n1;'M\xc3\xbcller, \"Jo\"';1.234,50\n2;n/a;-,05\n",
             {"delimiter": ";", "quote": "'", "decimal": ",", "thousands": ".", "nulls": ["n/a", "NULL"]}),
            (b"person||name||amount\n1||M\xc3\xbcller, \"Jo\"||1234,5\n2||||-0,05\n",
             {"delimiter": "||", "quote": "", "decimal": ","}),
        ],
        ids=["utf-8", "bom", "crlf", "latin-1", "windows-1252", "utf-16", "no-header", "escape", "german", "two-characters"],
    )  # fmt: skip
    def test_the_same_rows_however_they_are_written(self, spark, tmp_path, content, said):
        assert good(spark, source(written(tmp_path / "a.csv", content), csv=said)) == TWO

    def test_packed_files_hold_the_same_rows(self, spark, tmp_path):
        assert good(spark, source(written(tmp_path / "a.csv.gz", gzip.compress(LINES.encode())))) == TWO
        first, second = LINES.encode("utf-8-sig"), b"person,name,amount\r\n3,c,1\r\n\r\n"
        path = zipped(tmp_path / "b.ZIP", **{"a.csv": first, "deep/b.csv": second, "__MACOSX/a.csv": b"\0junk"})
        one = source(path)
        assert good(spark, one) == [*TWO, (3, "c", Decimal("1.00"))]
        assert {row[FILE] for row in found(spark, one).rows.collect()} == {str(path)}
        latin = source(zipped(tmp_path / "c.zip", a_csv=LINES.encode("latin-1")), csv={"encoding": "latin-1"})
        assert good(spark, latin) == TWO

    def test_a_broken_line_in_an_archive_is_set_aside_like_any_other(self, spark, tmp_path):
        content = HEADER + "1,a,1\n2,b\nx,c,3\n4,d,4,5\n"
        plain = rows(spark, source(written(tmp_path / "a.csv", content)))
        assert rows(spark, source(zipped(tmp_path / "a.zip", a_csv=content))) == plain
        assert [row[-1] for row in plain] == [None, FIELDS, "person: is no bigint", FIELDS]

    def test_quoted_line_ends_are_one_field_where_the_policy_says_so(self, spark, tmp_path):
        path = written(tmp_path / "a.csv", HEADER + '1,"a\nb",1\n2,c,2\n')
        assert good(spark, source(path, csv={"multiline": True})) == [(1, "a\nb", Decimal(1)), (2, "c", Decimal(2))]
        assert [row[-1] for row in rows(spark, source(path))] == [FIELDS, f"{FIELDS}; person: is no bigint", None]

    def test_numbers_and_dates_in_another_notation_than_the_declared_break_the_contract(self, spark, tmp_path):
        columns = {"id": "int", "amount": "double", "day": "date", "at": "timestamp"}
        said = {"delimiter": ";", "decimal": ",", "thousands": ".", "dates": "dd.MM.yyyy", "timestamps": "dd.MM.yyyy HH:mm"}
        lines = [
            "1.000;1.234.567,5;31.12.9999;31.12.9999 23:59",
            "2;1,5E3;29.02.2024;29.02.2024 00:00",
            "3;1.5;2024-01-02;2024-01-02 00:00",
            "4;12.34,5;30.02.2024;30.02.2024 00:00",
            "5;1,234.5;1.1.24;x",
        ]
        path = written(tmp_path / "a.csv", "id;amount;day;at\n" + "\n".join(lines))
        first, second, *others = rows(spark, source(path, columns, csv=said))
        assert first == (1000, 1234567.5, date(9999, 12, 31), datetime(9999, 12, 31, 23, 59), None)
        assert second[1:4] == (1500.0, date(2024, 2, 29), datetime(2024, 2, 29))
        assert {row[-1] for row in others} == {"amount: is no double; day: is no date; at: is no timestamp"}

    def test_grouped_numbers_are_read_exactly_when_their_groups_are_whole(self, spark, tmp_path):
        """2,000 texts of digits, points and commas against a reading by hand."""
        chance = random.Random(7)
        texts = ["".join(chance.choices("12345.,-", [9, 9, 9, 9, 9, 9, 6, 1], k=chance.randint(1, 9))) for _ in range(2000)]
        columns, said = {"n": "decimal(20,9)"}, {"delimiter": ";", "decimal": ",", "thousands": "."}
        path = written(tmp_path / "a.csv", "n\n" + "\n".join(texts))
        read_as = [row[0] for row in rows(spark, source(path, columns, csv=said))]

        def by_hand(text):
            whole, comma, part = text.removeprefix("-").partition(",")
            first, *groups = whole.split(".")
            grouped = not groups or (1 <= len(first) <= 3 and all(len(group) == 3 for group in groups))
            if not grouped or not (first or part) or not f"{first}{''.join(groups)}{part}".isdigit():
                return None
            sign = "-" if text.startswith("-") else ""
            return Decimal(f"{sign}{first}{''.join(groups)}{'.' if comma else ''}{part}")

        expected = [by_hand(text) for text in texts]
        assert read_as == expected
        assert (
            sum(value is None for value in expected) > 200
            and sum("." in t for t, v in zip(texts, expected, strict=True) if v) > 20
        )

    def test_files_of_one_source_must_agree_in_their_header_in_archives_too(self, spark, tmp_path):
        path = zipped(tmp_path / "a.zip", a_csv="person,name,amount\n1,a,1\n", b_csv="name,person,amount\na,1,1\n")
        assert "must agree in their columns" in sentence(spark, source(path))


class TestJson:
    def test_keys_are_columns_and_values_stay_as_written(self, spark, tmp_path):
        lines = [
            '{"person": 1, "name": "Müller", "amount": 1234.50, "tags": ["a", {"b": 1}]}',
            '{"amount": "-0.05", "person": "2", "name": null, "new": true}',
            "",
            '{"person": 3, "name": true, "amount": 1e1}',
        ]
        content = "\n".join(lines).encode()
        expected = [(1, "Müller", Decimal("1234.50")), (2, None, Decimal("-0.05")), (3, "true", Decimal(10))]
        for path in (
            written(tmp_path / "a.jsonl", content),
            written(tmp_path / "b.json.gz", gzip.compress(content)),
            zipped(tmp_path / "c.zip", a_json=content),
        ):
            one = source(path, format="json")
            assert good(spark, one) == expected
            assert found(spark, one).schema.names == ["amount", "name", "new", "person", "tags"]
        nested = source(tmp_path / "a.jsonl", {"person": "int", "tags": "string"}, format="json")
        assert good(spark, nested)[0] == (1, '["a",{"b":1}]')

    def test_keys_that_are_data_are_no_columns(self, spark, tmp_path, monkeypatch):
        monkeypatch.setattr("kveil.collect.text._MOST_KEYS", 3)
        path = written(tmp_path / "a.json", '{"1":1}\n{"2":1}\n{"3":1,"4":1}\n')
        assert "over 20,000 different keys" in sentence(spark, source(path, format="json"))

    def test_what_is_no_object_is_set_aside(self, spark, tmp_path):
        content = b'{"person":1,"name":"a","amount":1}\n{"person":2\n[{"person":3}]\n{"person":4,"name":"\xe4"}\nnull\n'
        found = rows(spark, source(written(tmp_path / "a.json", content), format="json"))
        assert found[0][-1] is None
        assert all(row[-1] is not None for row in found[1:]) and len(found) == 5
        assert found[3][-1] == ENCODING


class TestDelta:
    @pytest.fixture
    def table(self, spark, tmp_path):
        """A Delta table of two versions: one row, then two."""
        folder = str(tmp_path / "table")
        for values in ("1L, 'a', 1.00", "2L, 'b', 2.00"):
            part = spark.sql(f"SELECT {values}").toDF("person", "name", "amount")
            part.selectExpr("person", "name", "cast(amount as decimal(12,2)) amount").write.format("delta").mode("append").save(
                folder
            )
        return folder

    def test_the_current_version_is_pinned_and_an_older_one_can_be_named(self, spark, table):
        now = locate(spark, "base", source(table, format="delta"))
        assert (now[0].path, now[0].version, now[0].bytes > 0) == (f"{table}@v1", 1, True)
        spark.sql(f"DELETE FROM delta.`{table}` WHERE person = 1")
        pinned = read(spark, "base", source(table, format="delta"), now)
        assert sorted(row["person"] for row in pinned.rows.collect()) == [1, 2]
        assert [row[0] for row in rows(spark, source(table, format="delta"))] == [2]
        assert [row[0] for row in rows(spark, source(table, format="delta", version=0))] == [1]
        (old,) = locate(spark, "base", source(table, format="delta", version=0))
        assert old.sha256 != now[0].sha256 and old.path.endswith("@v0")

    def test_a_version_or_table_that_is_not_there_is_one_sentence(self, spark, table, tmp_path):
        assert "version 7 of the Delta table" in sentence(spark, source(table, format="delta", version=7))
        (tmp_path / "plain").mkdir()
        for place in (tmp_path / "plain", tmp_path / "nowhere", "no_such_schema.no_such_table"):
            assert "there is no Delta table at" in sentence(spark, source(place, format="delta"))
        assert "say format: delta" in sentence(spark, source(table, format="parquet"))


class TestDamage:
    CONTENT = HEADER + "".join(f"{i},name {i * 7919 % 1000},{i}.25\n" for i in range(20_000))

    def test_a_cut_or_changed_gzip_file(self, spark, tmp_path):
        packed = gzip.compress(self.CONTENT.encode())
        flipped = bytearray(packed)
        flipped[len(packed) // 2] ^= 0xFF
        for content in (packed[:-2000], packed[:-6], bytes(flipped)):
            assert "damaged, cut short" in sentence(spark, source(written(tmp_path / "a.csv.gz", content)))

    def test_a_cut_changed_encrypted_or_empty_zip_file(self, spark, tmp_path):
        packed = zipped(tmp_path / "a.zip", a_csv=self.CONTENT).read_bytes()
        flipped = bytearray(packed)
        flipped[len(packed) // 2] ^= 0xFF
        for content in (packed[:-2000], packed[: len(packed) // 2], bytes(flipped), b"no archive"):
            assert "damaged, cut short" in sentence(spark, source(written(tmp_path / "a.zip", content)))
        locked = bytearray(packed)
        locked[6] |= 1
        locked[locked.index(b"PK\x01\x02") + 8] |= 1
        assert "is encrypted" in sentence(spark, source(written(tmp_path / "b.zip", bytes(locked))))
        assert "cut short" in sentence(spark, source(zipped(tmp_path / "c.zip")))

    def test_archives_that_are_not_read(self, spark, tmp_path, monkeypatch):
        folder = tmp_path / "in"
        folder.mkdir()
        zipped(folder / "a.zip", a_csv=LINES)
        assert "not read from zip archives" in sentence(spark, source(folder, csv={"multiline": True}))
        written(folder / "b.csv", LINES)
        assert "others are not" in sentence(spark, source(folder))
        monkeypatch.setattr("kveil.collect.archives.LARGEST", 100)
        assert "unpacked up to 256 MB" in sentence(spark, source(folder / "a.zip"))

    def test_bytes_of_another_encoding_and_nul_are_set_aside_and_never_replaced(self, spark, tmp_path):
        content = HEADER.encode() + b"1,M\xc3\xbcller,1\n2,M\xfcller,1\n3,a\0b,1\n4,d,1\n"
        for path in (written(tmp_path / "a.csv", content), zipped(tmp_path / "b.zip", a_csv=content)):
            found = rows(spark, source(path))
            assert [row[-1] for row in found] == [None, ENCODING, NUL, None]
        assert [row[-1] for row in rows(spark, source(tmp_path / "a.csv", csv={"quote": ""}))][2] == NUL

    def test_windows_1252_is_more_than_latin_1(self, spark, tmp_path):
        content = HEADER.encode() + b"1,5 \x80 \x96 6,1\n2,\x81,1\n"
        for path in (written(tmp_path / "a.csv", content), zipped(tmp_path / "b.zip", a_csv=content)):
            euro, undefined = rows(spark, source(path, csv={"encoding": "windows-1252"}))
            assert (euro[1], euro[-1], undefined[-1]) == ("5 \u20ac \u2013 6", None, ENCODING)

    def test_a_stray_quote_is_found_by_the_number_of_rows(self, spark, tmp_path):
        path = written(tmp_path / "a.csv", HEADER + '1,"a,1\n2,b,2\n3,"c",3\n4,d,4\n')
        one = source(path, csv={"multiline": True}, rows=4)
        swallowed = len(rows(spark, one))
        assert swallowed < 4
        with pytest.raises(
            ContractError, match=rf"sources\.base\.rows: .* has {swallowed} rows; allowed: exactly 4; .*stray quote"
        ):
            check_row_count(spark, "base", one, swallowed)

    def test_the_number_of_rows_may_stand_in_a_control_file(self, spark, tmp_path):
        path, control = written(tmp_path / "a.csv", LINES), tmp_path / "a.ctl"
        one = source(path, rows={"control": str(control)})
        with pytest.raises(ContractError, match="cannot be read"):
            check_row_count(spark, "base", one, 2)
        for text, says in (("rows: 3", "exactly 3"), ("2024 rows: 2", "holds 2 numbers"), ("", "holds 0 numbers")):
            control.write_text(text)
            with pytest.raises(ContractError, match=says):
                check_row_count(spark, "base", one, 2)
        control.write_text("TRAILER;2\n")
        check_row_count(spark, "base", one, 2)
        check_row_count(spark, "base", source(path, rows={"control": f"file://{control}"}), 2)
        check_row_count(spark, "base", source(path, rows={"min": 1, "max": 2}), 2)
        with pytest.raises(ContractError, match="allowed: at least 3"):
            check_row_count(spark, "base", source(path, rows={"min": 3}), 2)

    def test_ten_thousand_columns(self, spark, tmp_path):
        names = [f"c{i}" for i in range(10_000)]
        path = written(tmp_path / "a.csv", "\n".join(",".join(line) for line in (names, map(str, range(10_000)))))
        one = source(path, {"c0": "int", "c9999": "int"})
        assert good(spark, one) == [(0, 9999)]
        assert len(found(spark, one).schema) == 10_000
        wide = pa.table({name: pa.array([i], pa.int32()) for i, name in enumerate(names)})
        pq.write_table(wide, tmp_path / "a.parquet")
        assert good(spark, source(tmp_path / "a.parquet", {"c7": "int"}, format="parquet")) == [(7,)]

    def test_far_dates_do_not_shift_in_either_calendar(self, spark, tmp_path):
        days = [date(1, 1, 1), date(1582, 10, 4), date(1582, 10, 15), date(9999, 12, 31)]
        times = [datetime(day.year, day.month, day.day, 23, 59, 59, 999999) for day in days]
        pq.write_table(pa.table({"day": days, "at": pa.array(times, pa.timestamp("us"))}), tmp_path / "new.parquet")
        old = spark.createDataFrame(list(zip(days, times, strict=True)), "day date, at timestamp_ntz")
        lines = old.selectExpr("day", "cast(at as timestamp) at")
        lines.coalesce(1).write.option("datetimeRebaseMode", "LEGACY").parquet(str(tmp_path / "mid"))
        written(
            tmp_path / "a.csv",
            "day,at\n" + "\n".join(f"{d.isoformat()},{t.isoformat()}" for d, t in zip(days, times, strict=True)),
        )
        columns = {"day": "date", "at": "timestamp"}
        for path, kind in ((tmp_path / "new.parquet", "parquet"), (tmp_path / "mid", "parquet"), (tmp_path / "a.csv", "csv")):
            judged_days = judged(found(spark, source(path, columns, format=kind)), source(path, columns, format=kind))
            texts = judged_days.selectExpr("cast(day as string)", "cast(at as string)").collect()
            assert sorted(row[0] for row in texts) == [d.isoformat() for d in days]
            assert sorted(row[1] for row in texts) == [t.isoformat(" ") for t in times]

    def test_nanoseconds_are_told_as_what_they_are(self, spark, tmp_path):
        pq.write_table(pa.table({"at": pa.array([1], pa.timestamp("ns"))}), tmp_path / "a.parquet")
        assert "nanoseconds" in sentence(spark, source(tmp_path / "a.parquet", {"at": "timestamp"}, format="parquet"))

    def test_an_unreadable_date_pattern_is_told_as_what_it_is(self, spark, tmp_path):
        one = source(written(tmp_path / "a.csv", "day\n1.1.2024\n"), {"day": "date"}, csv={"dates": "bbbb"})
        assert "is no pattern that Spark knows" in sentence(spark, one)


class TestChangingFiles:
    @pytest.fixture
    def of_base(self, policy_of, context):
        def make(uri, **settings):
            columns = {**COLUMNS, "at": "timestamp"}
            return context(policy_of({"base": {"uri": str(uri), "format": "csv", "columns": columns, **settings}}))

        return make

    def delivered(self, path, *people):
        return written(path, "person,name,amount,at\n" + "".join(f"{person},n,1,2024-01-01\n" for person in people))

    def test_a_file_that_changes_while_it_is_read_leaves_the_table_that_was_there(self, spark, of_base, tmp_path):
        path = self.delivered(tmp_path / "a.csv", 1, 2)
        ctx = of_base(path)
        one, ref = ctx.policy.sources["base"], RAW.of(ctx.policy, "base")
        files = locate(spark, "base", one)
        with undone_if_changed(ctx, ref, "base", one, files):
            ctx.store.replace(ref, spark.range(3))
        self.delivered(path, 1, 9)
        with (
            pytest.raises(ContractError, match=r"a\.csv changed while it was read, so nothing of it was kept"),
            undone_if_changed(ctx, ref, "base", one, files),
        ):
            ctx.store.replace(ref, spark.range(100, 101))
        assert sorted(row["id"] for row in ctx.store.read(ref).collect()) == [0, 1, 2]
        left = [id for file in ctx.store.lake.folder(ref).glob("*.parquet") for id in pq.read_table(file)["id"].to_pylist()]
        assert sorted(left) == [0, 1, 2]

    def test_a_file_that_changes_at_its_first_collect_leaves_no_table(self, of_base, tmp_path, monkeypatch):
        path = self.delivered(tmp_path / "a.csv", 1, 2)
        ctx = of_base(path)
        real = ctx.store.replace

        def meddled(ref, df, **settings):
            real(ref, df, **settings)
            if ref == RAW.of(ctx.policy, "base"):
                path.unlink()

        monkeypatch.setattr(ctx.store, "replace", meddled)
        with pytest.raises(ContractError, match="changed while it was read"):
            run(ctx)
        assert not ctx.store.exists(RAW.of(ctx.policy, "base"))

    def test_a_delta_table_rewritten_and_vacuumed_while_it_is_read_leaves_no_half(self, spark, of_base, tmp_path, monkeypatch):
        table, real = tmp_path / "table", foreign.at_version
        rows = "SELECT {} person, 'n' name, cast(1 as decimal(12,2)) amount, timestamp '2024-01-01' at"
        spark.sql(rows.format("1L")).write.format("delta").save(str(table))

        def meddled(session, address, version):
            found = real(session, address, version)
            old = list(table.glob("*.parquet"))
            spark.sql(rows.format("9L")).write.format("delta").mode("overwrite").save(str(table))
            for path in old:
                path.unlink()
            return found

        ctx = of_base(table, format="delta")
        monkeypatch.setattr(foreign, "at_version", meddled)
        with pytest.raises(ContractError, match=r"sources\.base") as told:
            run(ctx)
        assert "Exception" not in str(told.value) and "part-" not in str(told.value)
        assert not ctx.store.exists(RAW.of(ctx.policy, "base"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
    def test_a_file_that_may_not_be_read(self, of_base, tmp_path):
        path = self.delivered(tmp_path / "a.csv", 1)
        path.chmod(0)
        with pytest.raises(ContractError, match="cannot be read"):
            run(of_base(path))

    def test_too_few_rows_collect_nothing(self, of_base, tmp_path):
        ctx = of_base(self.delivered(tmp_path / "a.csv", 1, 2), rows=3)
        with pytest.raises(ContractError, match="has 2 rows; allowed: exactly 3"):
            run(ctx)
        assert not any(ctx.store.exists(table.of(ctx.policy, "base")) for table in (RAW, CONSENT, QUARANTINE, PROVENANCE))

    def test_flawed_rows_are_set_aside_as_they_stand_and_the_sum_holds(self, of_base, tmp_path):
        path = self.delivered(tmp_path / "a.csv", 1, 2)
        written(path, path.read_bytes() + b"3,\xff,1.234.5,2024-01-01\n")
        ctx = of_base(path, quarantine_limit=0.5, csv={"decimal": ",", "thousands": "."})
        run(ctx)
        (aside,) = ctx.store.read(QUARANTINE.of(ctx.policy)).collect()
        assert aside["reason"] == f"{ENCODING}; amount: is no decimal(12,2)"
        assert json.loads(aside["row"])["amount"] == "1.234.5"
        (told,) = ctx.store.read(PROVENANCE.of(ctx.policy)).collect()
        assert (told["rows_in"], told["rows_out"], told["rows_quarantined"]) == (3, 2, 1)

    def test_a_delta_source_is_collected_from_the_version_that_provenance_names(self, spark, of_base, tmp_path):
        folder = str(tmp_path / "table")
        spark.sql("SELECT 1L person, 'a' name, cast(1 as decimal(12,2)) amount, timestamp'2024-01-01' at").write.format(
            "delta"
        ).save(folder)
        ctx = of_base(folder, format="delta")
        before = inputs(ctx)
        run(ctx)
        (told,) = ctx.store.read(PROVENANCE.of(ctx.policy)).collect()
        assert (told["path"], told["rows_out"], inputs(ctx)) == (f"{folder}@v0", 1, before)
        spark.sql(f"INSERT INTO delta.`{folder}` VALUES (2L, 'b', 2, timestamp'2024-01-02')")
        assert inputs(ctx) != before
