import json
import os
import shutil
import zipfile
from dataclasses import replace
from datetime import datetime, timezone

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kveil.collect import consent, locations
from kveil.collect.contract import REASON, ROW, judged
from kveil.collect.locations import locate
from kveil.collect.readers import read
from kveil.collect.stage import inputs, run
from kveil.errors import ContractError
from kveil.settings.consent import SimulatedConsent
from kveil.settings.sources import Source
from kveil.tables.schema import CONSENT, PROVENANCE, QUARANTINE, RAW

COLUMNS = {"person": {"type": "bigint", "required": True}, "at": "timestamp", "amount": "double"}
AT = datetime(2019, 5, 4, 12, tzinfo=timezone.utc)


def parquet(path, people, **columns):
    table = pa.table(
        {
            "person": pa.array(people, pa.int64()),
            "at": pa.array([AT.replace(tzinfo=None)] * len(people), pa.timestamp("us")),
            "amount": pa.array([1.5] * len(people), pa.float64()),
            **columns,
        }
    )
    pq.write_table(table, path)
    return str(path)


def rows(ctx, ref):
    return [row.asDict() for row in ctx.store.read(ref).collect()]


def raw(ctx, source="base"):
    return rows(ctx, RAW.of(ctx.policy, source))


def source(uri, **settings):
    return Source.model_validate({"uri": str(uri), "columns": COLUMNS, **settings})


def judged_rows(spark, source):
    return judged(read(spark, "base", source, locate(spark, "base", source)), source).collect()


def nothing_is_visible(ctx):
    refs = [*RAW.all_of(ctx.policy), CONSENT.of(ctx.policy), QUARANTINE.of(ctx.policy), PROVENANCE.of(ctx.policy)]
    return not any(ctx.store.exists(ref) for ref in refs)


def refusal(ctx):
    """The sentence with which collect refuses; nothing of the run may then be there."""
    with pytest.raises(ContractError) as error:
        run(ctx)
    message = str(error.value)
    assert "\n" not in message and "Exception" not in message
    assert nothing_is_visible(ctx)
    return message


@pytest.fixture
def of_base(policy_of, context):
    """The context of a policy with one source `base`."""

    def make(uri, consent=None, columns=None, **source):
        return context(policy_of({"base": {"uri": str(uri), "columns": columns or COLUMNS, **source}}, consent=consent))

    return make


class TestFiles:
    def test_declared_columns_arrive_widened_and_others_are_recorded(self, of_base, tmp_path):
        extra = {"week": pa.array([1, 2]), "amount": pa.array([0.5, None], pa.float32())}
        ctx = of_base(parquet(tmp_path / "a.parquet", [1, 2], **extra))
        result = run(ctx)
        assert (result.rows_in, result.rows_out, result.valid_until) == (2, 2, None)
        stored = ctx.store.read(RAW.of(ctx.policy, "base"))
        assert stored.dtypes == [("person", "bigint"), ("at", "timestamp"), ("amount", "double")]
        assert [row["amount"] for row in raw(ctx)] == [0.5, None]
        assert raw(ctx)[0]["at"].timestamp() == AT.timestamp()
        (file,) = rows(ctx, PROVENANCE.of(ctx.policy))
        assert (file["ignored_columns"], file["rows_in"], file["rows_out"], file["simulated_consent"]) == ("1 (a)", 2, 2, True)

    @pytest.mark.long
    def test_a_copy_of_a_file_adds_nothing_and_another_run_adds_nothing(self, of_base, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        parquet(folder / "a [1].parquet", [1, 2, 2, None])
        shutil.copy(folder / "a [1].parquet", folder / "b.parquet")
        parquet(folder / "c.parquet", [3])
        ctx = of_base(folder, quarantine_limit=1)
        before = inputs(ctx)
        run(ctx)
        first = raw(ctx)
        run(ctx)
        assert sorted(row["person"] for row in first) == [1, 2, 2, 3]
        assert sorted(map(str, raw(ctx))) == sorted(map(str, first))
        assert len(rows(ctx, PROVENANCE.of(ctx.policy))) == 2
        assert len(rows(ctx, QUARANTINE.of(ctx.policy))) == 1
        assert inputs(ctx) == before
        parquet(folder / "d.parquet", [4])
        assert inputs(ctx) != before

    def test_a_path_with_a_scheme_is_listed_by_spark(self, spark, tmp_path):
        path = parquet(tmp_path / "a.parquet", [1])
        remote, local = (locate(spark, "base", source(uri))[0] for uri in (f"file://{path}", path))
        assert (remote.bytes, remote.sha256) == (local.bytes, local.sha256)
        with pytest.raises(ContractError, match="Spark cannot list or read"):
            locate(spark, "base", source("file:///no/such/thing"))

    def test_a_remote_file_too_large_to_be_held_is_known_by_name_size_and_time(self, spark, tmp_path, monkeypatch):
        path = parquet(tmp_path / "a.parquet", [1])
        monkeypatch.setattr(locations, "_MOST_HASHED", 10)
        first, same = (locate(spark, "base", source(f"file://{path}")) for _ in range(2))
        os.utime(path, (0, 0))
        (changed,) = locate(spark, "base", source(f"file://{path}"))
        assert first == same != (changed,) and len(changed.sha256) == 64

    def test_folders_named_after_a_column_are_that_column(self, spark, tmp_path):
        for month in (1, 2):
            (tmp_path / f"in/month={month}").mkdir(parents=True)
            parquet(tmp_path / f"in/month={month}/same.parquet", [7])
        found = judged_rows(spark, source(tmp_path / "in", columns={**COLUMNS, "month": "int"}))
        assert sorted(row["month"] for row in found) == [1, 2]

    def test_a_cut_file_is_found_before_anything_is_written(self, of_base, tmp_path):
        path = tmp_path / "a.parquet"
        parquet(path, list(range(5000)))
        path.write_bytes(path.read_bytes()[:-300])
        assert "cannot be read as parquet" in refusal(of_base(path))

    def test_a_damaged_page_of_any_column_is_found_before_anything_is_written(self, of_base, tmp_path):
        path = tmp_path / "a.parquet"
        parquet(path, list(range(50_000)), amount=pa.array([i * 1.37 for i in range(50_000)]))
        place = pq.ParquetFile(path).metadata.row_group(0).column(2)
        start = place.dictionary_page_offset + place.total_compressed_size // 4
        content = bytearray(path.read_bytes())
        content[start : start + 2000] = b"\xff" * 2000
        path.write_bytes(content)
        assert pq.read_table(path, columns=["person", "at"]).num_rows == 50_000
        assert "cannot be read as parquet" in refusal(of_base(path))

    @pytest.mark.parametrize("content", [b"", b"no parquet at all"])
    def test_what_is_no_parquet_is_refused(self, of_base, tmp_path, content):
        (tmp_path / "a.parquet").write_bytes(content)
        assert "sources.base: " in refusal(of_base(tmp_path / "a.parquet"))

    def test_files_that_disagree_in_a_type_are_refused(self, of_base, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        parquet(folder / "a.parquet", [1])
        parquet(folder / "b.parquet", [2], amount=pa.array(["x"]))
        assert "must agree in their columns" in refusal(of_base(folder))


class TestContract:
    def test_columns_at_fault_are_all_named(self, of_base, tmp_path):
        path = parquet(tmp_path / "a.parquet", [1], amount=pa.array(["1"]))
        message = refusal(of_base(path, columns={**COLUMNS, "shop": "string"}))
        assert "amount is string" in message and "shop is missing" in message

    def test_a_source_without_rows_is_refused(self, of_base, tmp_path):
        assert "has no rows" in refusal(of_base(parquet(tmp_path / "a.parquet", [])))

    def test_broken_rows_name_rule_and_column_but_not_the_value(self, spark, tmp_path):
        path = parquet(tmp_path / "a.parquet", [1, None, 3, 4], kind=pa.array(["card", "cash", None, "gold"]))
        columns = {**COLUMNS, "kind": {"type": "string", "allowed": ["card", "cash"]}}
        reasons = [row[REASON] for row in judged_rows(spark, source(path, columns=columns))]
        assert reasons == [None, "person: required but null", None, "kind: not an allowed value"]

    def test_the_limit_itself_is_allowed_and_one_row_more_is_not(self, of_base, tmp_path):
        path = parquet(tmp_path / "a.parquet", [1, 2, 3, None])
        message = refusal(of_base(path, quarantine_limit=0.24))
        assert "1 of 4 rows (25.00%) break the contract, over quarantine_limit (24.00%)" in message
        ctx = of_base(path, quarantine_limit=0.25)
        run(ctx)
        (aside,) = rows(ctx, QUARANTINE.of(ctx.policy))
        assert (aside["stage"], aside["source"], aside["reason"]) == ("collect", "base", "person: required but null")
        assert json.loads(aside["row"])["amount"] == 1.5

    def test_text_that_does_not_cast_is_broken(self, spark, tmp_path):
        lines = ["person,at,amount", "1,2019-05-04 12:00:00,1.5", "2,yesterday,1", "x,,", "4,,much", "5", "6,,1,2", "7,,"]
        (tmp_path / "a.csv").write_text("\n".join(lines))
        found = judged_rows(spark, source(tmp_path / "a.csv", format="csv"))
        assert [(row["person"], row["amount"]) for row in found if row[REASON] is None] == [(1, 1.5), (7, None)]
        assert {json.loads(row[ROW])["person"]: row[REASON] for row in found if row[REASON]} == {
            "2": "at: is no timestamp",
            "x": "person: is no bigint",
            "4": "amount: is no double",
            "5": "row: has more or fewer fields than the header",
            "6": "row: has more or fewer fields than the header",
        }

    def test_reader_options_are_passed_on(self, spark, tmp_path):
        (tmp_path / "a.csv").write_text("person;amount;at\n1;2.5;")
        (row,) = judged_rows(spark, source(tmp_path / "a.csv", format="csv", csv={"delimiter": ";"}))
        assert row["amount"] == 2.5

    def test_a_csv_whose_header_is_in_another_order_is_not_misread(self, of_base, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "a.csv").write_text("person,at,amount\n1,,2\n")
        (folder / "b.csv").write_text("amount,at,person\n2,,1\n")
        assert "must agree in their columns" in refusal(of_base(folder, format="csv"))

    def test_the_ecbs_rates_become_rows(self, spark, tmp_path):
        with zipfile.ZipFile(tmp_path / "rates.zip", "w") as archive:
            archive.writestr("eurofxref-hist.csv", "Date,USD,JPY,\n2020-01-03,1.1172,N/A,\n2020-01-02,n.n.,121.75,\n")
        columns = {"currency": "string", "date": "date", "rate": {"type": "double", "required": True}}
        found = judged_rows(spark, source(tmp_path / "rates.zip", format="ecb_rates", columns=columns))
        assert {(row["currency"], str(row["date"]), row["rate"], row[REASON]) for row in found} == {
            ("USD", "2020-01-03", 1.1172, None),
            ("JPY", "2020-01-02", 121.75, None),
            ("USD", "2020-01-02", None, "rate: is no double"),
        }


REGISTRY = {"person": "bigint", "purpose": "string", "decision": "string", "decided_at": "timestamp"}
JAN, FEB, MAR = (datetime(2019, month, 1) for month in (1, 2, 3))


@pytest.fixture
def with_registry(policy_of, context, tmp_path):
    """The context of a source `base` of four people and a registry of the given (person, decision, time[, purpose])."""

    def make(words, as_of=None, now=None, people=(1, 2, 3, 4), **source):
        words = [word if len(word) == 4 else (*word, "scoring") for word in words]
        registry = pd.DataFrame(words, columns=["person", "decision", "decided_at", "purpose"])
        registry.to_parquet(tmp_path / "registry.parquet", coerce_timestamps="us")
        base = {"uri": parquet(tmp_path / "a.parquet", list(people)), "columns": COLUMNS, **source}
        kept = {"uri": str(tmp_path / "registry.parquet"), "columns": REGISTRY, "quarantine_limit": 1}
        policy = policy_of({"base": base, "registry": kept}, consent={"registry": "registry", "as_of": as_of})
        return context(policy, now=now or datetime(2020, 1, 1, tzinfo=timezone.utc))

    return make


class TestConsent:
    WORDS = (
        (1, "grant", JAN), (1, "withdraw", MAR),
        (2, "grant", MAR),
        (3, "refuse", JAN), (3, "grant", FEB),
        (4, "grant", JAN), (4, "withdraw", JAN),
        (5, "refuse", FEB), (5, "grant", FEB),
        (6, "grant", JAN, "marketing"),
        (7, "grant", JAN), (7, "withdraw", FEB, "marketing"),
    )  # fmt: skip

    def granting(self, spark, as_of):
        words = [word if len(word) == 4 else (*word, "scoring") for word in self.WORDS]
        frame = pd.DataFrame(words, columns=["person", "decision", "decided_at", "purpose"])
        decisions = consent.registered(spark.createDataFrame(frame), "person", "scoring")
        latest = consent.state(decisions, as_of.replace(tzinfo=timezone.utc)).collect()
        assert len({row["person"] for row in latest}) == len(latest)
        return {row["person"] for row in latest if row["decision"] == "grant"}

    def test_the_latest_decision_for_the_purpose_counts_and_a_tie_never_grants(self, spark):
        assert self.granting(spark, JAN) == {"1", "7"}
        assert self.granting(spark, FEB) == {"1", "3", "7"}
        assert self.granting(spark, MAR) == {"2", "3", "7"}

    def test_a_fixed_as_of_does_not_move_with_time(self, with_registry):
        ctx = with_registry([(1, "grant", JAN), (1, "withdraw", MAR), (2, "grant", MAR)], as_of=FEB)
        assert run(ctx).valid_until is None
        assert [row["person"] for row in raw(ctx)] == [1]

    def test_a_withdrawal_makes_the_result_stale_and_then_leaves_the_files(self, with_registry):
        words = [(1, "grant", JAN), (2, "withdraw", MAR), (2, "grant", JAN)]
        ctx = with_registry(words, now=datetime(2019, 2, 1, tzinfo=timezone.utc))
        assert run(ctx).valid_until == MAR.replace(tzinfo=timezone.utc)
        assert sorted(row["person"] for row in raw(ctx)) == [1, 2]
        later = replace(ctx, now=datetime(2019, 3, 1, tzinfo=timezone.utc))
        assert run(later).valid_until is None
        assert [row["person"] for row in raw(later)] == [1]
        folder = ctx.store.lake.folder(RAW.of(ctx.policy, "base"))
        assert [person for file in folder.glob("*.parquet") for person in pq.read_table(file)["person"].to_pylist()] == [1]

    def test_a_broken_registry_collects_nothing_whatever_its_limit(self, with_registry):
        message = refusal(with_registry([(1, "grant", JAN), (2, "revoked", MAR), (2, "grant", JAN)]))
        assert "1 of 3 rows of the consent registry break its contract" in message

    def test_rows_in_are_raw_plus_set_aside_plus_not_consented(self, with_registry):
        people = [1] * 50 + [2] * 30 + [3] * 15 + [None] * 5
        words = [(1, "grant", JAN), (2, "refuse", JAN), (3, "grant", JAN)]
        ctx = with_registry(words, people=people, quarantine_limit=0.05)
        run(ctx)
        base = next(row for row in rows(ctx, PROVENANCE.of(ctx.policy)) if row["source"] == "base")
        parts = [base[name] for name in ("rows_in", "rows_out", "rows_quarantined", "rows_not_consented")]
        assert parts == [100, 65, 5, 30]
        assert len(raw(ctx)) == 65 and len(rows(ctx, QUARANTINE.of(ctx.policy))) == 5
        assert not base["simulated_consent"]

    def test_broken_rows_of_people_who_refuse_are_not_kept_aside(self, with_registry):
        columns = {**COLUMNS, "amount": {"type": "double", "allowed": ["2.5"]}}
        ctx = with_registry([(1, "refuse", JAN), (2, "grant", JAN)], people=(1, 2), columns=columns, quarantine_limit=1)
        run(ctx)
        assert [json.loads(row["row"])["person"] for row in rows(ctx, QUARANTINE.of(ctx.policy))] == [2]


class TestSimulatedConsent:
    SETTINGS = SimulatedConsent(grant=0.7, refuse=0.2, withdraw=0.1, first="2016-07-01", last="2018-06-30")

    def words(self, spark, partitions=2):
        people = spark.range(3000).repartition(partitions).selectExpr("cast(id as string) person")
        return consent.simulated(people, self.SETTINGS).toPandas().sort_values(["person", "effective_from"], ignore_index=True)

    def test_it_follows_from_the_id_alone_and_keeps_its_shares_and_dates(self, spark):
        words = self.words(spark)
        pd.testing.assert_frame_equal(words, self.words(spark, partitions=5))
        last = words.groupby("person")["decision"].last().value_counts(normalize=True)
        for decision, share in (("grant", 0.7), ("refuse", 0.2), ("withdraw", 0.1)):
            assert abs(last[decision] - share) < 5 * (share * (1 - share) / 3000) ** 0.5
        assert words["effective_from"].between("2016-07-01", "2018-06-30").all()
        assert words["effective_from"].dt.month.nunique() == 12

    def test_who_withdraws_granted_before(self, spark):
        words = self.words(spark)
        withdrawn = words[words["person"].isin(words.loc[words["decision"] == "withdraw", "person"])]
        assert (withdrawn.groupby("person")["decision"].agg(list).map(tuple) == ("grant", "withdraw")).all()
        assert (withdrawn.groupby("person")["effective_from"].nunique() == 2).all()

    def test_a_withdrawal_after_as_of_still_counts_as_granted(self, spark):
        words = self.words(spark)
        day = datetime(2017, 7, 1, tzinfo=timezone.utc)
        latest = consent.state(spark.createDataFrame(words), day).toPandas().set_index("person")["decision"]
        expected = words[words["effective_from"] <= "2017-07-01"].groupby("person")["decision"].last()
        pd.testing.assert_series_equal(latest.sort_index(), expected.sort_index(), check_names=False)
        withdrawing = set(words.loc[words["decision"] == "withdraw", "person"])
        assert any(latest[person] == "grant" for person in withdrawing & set(latest.index))
