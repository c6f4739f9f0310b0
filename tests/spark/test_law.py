"""Whose rows are used as of a moment, what is collected of them, and what grows too old: rules of law on real tables."""

from datetime import date, datetime, timedelta, timezone
from io import StringIO

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kveil.clean.stage import run as clean
from kveil.collect import consent, lawful
from kveil.collect.explain import explained
from kveil.collect.stage import inputs
from kveil.collect.stage import run as collect
from kveil.context import Context
from kveil.errors import SettingsError
from kveil.log import Progress
from kveil.pipeline import STAGES
from kveil.rights.retain import retain
from kveil.settings import Policy, fingerprint
from kveil.tables.erasure import data_files
from kveil.tables.schema import CLEAN, CONSENT, LAW_LOG, RAW, RAW_ROW, RETENTION_LOG

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
DAY = timedelta(days=1)
EVENT = "person string, decision string, basis string, effective_from timestamp, recorded_at timestamp"

_MOMENTS = st.integers(0, 5).map(lambda day: NOW + day * DAY)
_EVENTS = st.tuples(
    st.sampled_from("abcdefghijklmnop"), st.sampled_from(["grant", "refuse", "withdraw"]), st.none(), _MOMENTS, _MOMENTS
)


def oracle(events, as_of):
    """What each person had decided, as known at a moment, by sorting a list."""
    seen = [event for event in events if event[3] <= as_of and event[4] <= as_of]
    seen.sort(key=lambda event: (event[3], event[4], event[1] != "grant", event[1]))
    return {person: decision for person, decision, *_ in seen}


def decided(spark, events, as_of):
    rows = consent.state(spark.createDataFrame(events, EVENT), as_of).select("person", "decision").collect()
    assert len({row["person"] for row in rows}) == len(rows)
    return {row["person"]: row["decision"] for row in rows}


class TestEvents:
    @settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(_EVENTS, min_size=60, max_size=120), _MOMENTS)
    def test_the_state_is_the_oracles_and_later_evidence_does_not_rewrite_it(self, spark, events, as_of):
        state = decided(spark, events, as_of)
        assert state == oracle(events, as_of)
        assert state == decided(spark, [event for event in events if event[4] <= as_of] or events[:0], as_of)
        later = [max(event[3], event[4]) for event in events if max(event[3], event[4]) > as_of]
        assert consent.next_change(spark.createDataFrame(events, EVENT), as_of) == min(later, default=None)

    def test_a_withdrawal_that_is_recorded_late_counts_from_its_recording(self, spark):
        events = [("a", "grant", None, NOW, NOW), ("a", "withdraw", None, NOW + DAY, NOW + 3 * DAY)]
        assert [decided(spark, events, NOW + days * DAY)["a"] for days in (0, 2, 3)] == ["grant", "grant", "withdraw"]

    def test_a_registry_may_have_one_time_and_no_basis(self, spark):
        short = spark.createDataFrame(
            [(1, "scoring", "grant", NOW), (2, "other", "grant", NOW)],
            "id int, purpose string, decision string, decided_at timestamp",
        )
        (event,) = consent.registered(short, "id", "scoring").collect()
        assert (event["person"], event["basis"], event["effective_from"]) == ("1", None, event["recorded_at"])


# person, jurisdiction, age, decision, its basis -> how they stand where the basis is consent
STANDINGS = [
    ("de grants", "DE", 40, "grant", None, "gdpr", "used"),
    ("de silent", "de ", 40, None, None, "gdpr", "no grant"),
    ("de notice", "DE", 40, "grant", "notice", "gdpr", "no grant"),
    ("de withdrew", "DE", 40, "withdraw", None, "gdpr", "refused or withdrawn"),
    ("de 15", "DE", 15, "grant", "consent", "gdpr", "minor"),
    ("de 15 parent", "DE", 15, "grant", "parental_consent", "gdpr", "used"),
    ("de ageless", "DE", None, "grant", None, "gdpr", "minor"),
    ("ca silent", "US-CA", 40, None, None, "ccpa", "used"),
    ("ca notice", "US-CA", 40, "grant", "notice", "ccpa", "used"),
    ("ca refuses", "US-CA", 40, "refuse", None, "ccpa", "refused or withdrawn"),
    ("ca 15 silent", "US-CA", 15, None, None, "ccpa", "minor"),
    ("ca 15 grants", "US-CA", 15, "grant", None, "ccpa", "used"),
    ("ca 12 grants", "US-CA", 12, "grant", None, "ccpa", "minor"),
    ("ca 12 parent", "US-CA", 12, "grant", "parental_consent", "ccpa", "used"),
    ("ca ageless", "US-CA", None, None, None, "ccpa", "minor"),
    ("mapped", "Sacramento", 40, None, None, "ccpa", "used"),
    ("elsewhere silent", "XX", 40, None, None, "strictest", "no grant"),
    ("elsewhere 15", "XX", 15, "grant", None, "strictest", "minor"),
    ("nowhere grants", None, 40, "grant", None, "strictest", "used"),
]  # fmt: skip


@pytest.fixture
def standing(spark, policy_of):
    """The persons' rows, events and standing under a policy with jurisdictions, birth dates and a basis."""

    def make(**law):
        columns = {"person": "string", "at": "timestamp", "country": "string", "born": "date"}
        place = {"source": "base", "column": "country", "map": {"Sacramento": "ccpa"}}
        born = {"source": "base", "column": "born"}
        policy = policy_of({"base": {"uri": "x", "columns": columns}}, jurisdiction=place, birth_date=born, **law)
        rows = [(who, NOW, country, age and date(NOW.year - age, 1, 2)) for who, country, age, *_ in STANDINGS]
        moved = [("two countries", NOW, country, date(1980, 1, 1)) for country in ("DE", "US-CA")]
        base = spark.createDataFrame([*rows, *moved], "person string, at timestamp, country string, born date")
        words = [(who, word, basis, NOW, NOW) for who, _, _, word, basis, *_ in STANDINGS if word]
        return policy, base, lawful.standing(policy, {"base": base}, spark.createDataFrame(words, EVENT), NOW)

    return make


class TestStanding:
    def test_jurisdiction_and_age_pick_the_rules(self, standing):
        _, _, people = standing()
        found = {row["person"]: (row["regulation"], row["outcome"]) for row in people.collect()}
        assert found == {who: (law, outcome) for who, *_, law, outcome in STANDINGS} | {
            "two countries": ("strictest", "no grant")
        }

    def test_other_bases_hear_objections_or_nothing_but_an_opt_out_is_always_heard(self, standing):
        silent = {"de silent", "elsewhere silent", "two countries", "ca silent", "mapped"}
        for basis, de_objector in (("legitimate_interests", False), ("contract", True)):
            policy, base, people = standing(basis={"basis": basis, "because": "it is needed"})
            rows = lawful.with_use(base, policy, "base", people, NOW).where(consent.CONSENTS)
            used = {row["person"] for row in rows.collect()}
            assert silent <= used and "ca refuses" not in used
            assert ("de withdrew" in used) == de_objector

    def test_the_age_changes_on_the_birthday(self, spark, standing):
        policy, _, _ = standing()
        base = spark.createDataFrame(
            [("today", NOW, "DE", date(2010, 1, 2)), ("tomorrow", NOW, "DE", date(2010, 1, 3))],
            "person string, at timestamp, country string, born date",
        )
        events = spark.createDataFrame([(who, "grant", None, NOW, NOW) for who in ("today", "tomorrow")], EVENT)
        people = lawful.standing(policy, {"base": base}, events, NOW).collect()
        assert {row["person"]: row["outcome"] for row in people} == {"today": "used", "tomorrow": "minor"}


def policy(folder, release=None, **law):
    columns = {
        "person": {"type": "string", "required": True},
        "receipt": "string",
        "at": "timestamp",
        "cents": "bigint",
        "late": "boolean",
    }
    return Policy.model_validate(
        {
            "name": "bank",
            "purpose": "scoring",
            "person": "person",
            "sources": {"base": {"uri": str(folder / "base.csv"), "format": "csv", "columns": columns}},
            "consent": {"simulated": {"grant": 1, "refuse": 0, "withdraw": 0, "first": "2020-01-01", "last": "2021-01-01"}},
            "law": law,
            "clean": {"table": "rows", "base": "base", "time": "at"},
            "anonymize": {
                "release": "rows", "k": 2, "partition_by": ["split"], "quasi_identifiers": {"cents": {"kind": "number"}},
                "insensitive": release or {"late": "the label"},
            },
            "train": {"label": "late", "features": ["cents"], "logistic_regression": {}},
            "deploy": {"model": "late"},
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two purchases that differ in the receipt alone, one written twice, and one of two years before."""
    folder = tmp_path_factory.mktemp("in")
    row = "a,{},{},500,true"
    lines = [
        row.format("r1", "2025-12-01 10:00:00"),
        row.format("r2", "2025-12-01 10:00:00"),
        row.format("r2", "2025-12-01 10:00:00"),
    ]
    lines += [row.format("r3", "2023-12-01 10:00:00"), "b,r4,,100,false"]
    (folder / "base.csv").write_text("\n".join(["person,receipt,at,cents,late", *lines]) + "\n")
    return folder


def of(store, policy, now=NOW):
    return Context(policy, store, "run", now, Progress(StringIO()), "build", "collect")


@pytest.fixture(scope="module")
def collected(module_store, folder):
    """The context of a policy without limits, whose sources were collected and cleaned."""
    ctx = of(module_store, policy(folder))
    collect(ctx)
    clean(ctx)
    return ctx


def values(store, ref, column):
    """A column's values in all files of a table, by a reader that knows nothing of Delta."""
    files = [pq.read_table(path.removeprefix("file://")) for path in data_files(store, ref)]
    return [value for file in files for value in (file[column].to_pylist() if column in file.column_names else [])]


class TestCollected:
    def test_what_nothing_uses_is_not_there_but_rows_stay_apart(self, collected):
        store, raw, table = collected.store, RAW.of(collected.policy, "base"), CLEAN.of(collected.policy)
        assert store.read(raw).columns == ["person", "at", "cents", "late", RAW_ROW]
        assert values(store, raw, "receipt") == [] and len(values(store, raw, "cents")) == 5
        assert len(set(values(store, raw, RAW_ROW))) == 4
        # The row that stood twice is one; the two receipts of one moment are two; the row without a time is set aside.
        assert store.read(table).count() == 3 and RAW_ROW not in store.read(table).columns

    def test_how_people_stand_is_stored_and_counted(self, collected):
        store, policy = collected.store, collected.policy
        counts = store.read(LAW_LOG.of(policy)).select("regulation", "outcome", "people").collect()
        assert [tuple(row) for row in counts] == [("strictest", "used", 2)]
        stored = store.read(CONSENT.of(policy)).select("outcome", "allows", "simulated").distinct().collect()
        assert [tuple(row) for row in stored] == [("used", ["consent", "objection", "nothing"], True)]

    def test_an_expression_that_reads_the_same_columns_leaves_the_result_fresh(self, store, folder):
        before = policy(folder)
        after = before.model_copy(update={"clean": before.clean.model_copy(update={"derive": {"day": "date(at)"}})})
        sections = next(stage.sections for stage in STAGES if stage.name == "collect")
        assert fingerprint(before, sections) == fingerprint(after, sections)
        assert inputs(of(store, before)) == inputs(of(store, after))

    def test_a_column_that_begins_to_be_used_makes_the_result_stale(self, store, folder):
        narrow, wide = (of(store, policy(folder, release)) for release in (None, {"late": "label", "receipt": "no"}))
        assert inputs(narrow) != inputs(wide)
        assert inputs(wide) == inputs(of(store, policy(folder, {"receipt": "because", "late": "label"})))

    def test_clean_rows_beyond_their_limit_do_not_come_back_from_raw(self, collected, folder):
        asked = policy(folder, retention={"clean": 365})
        ctx = of(collected.store, asked.model_copy(update={"clean": asked.clean.model_copy(update={"table": "young"})}))
        clean(ctx)
        raw, young = (values(ctx.store, table, "at") for table in (RAW.of(ctx.policy, "base"), CLEAN.of(ctx.policy)))
        assert min(when.year for when in raw if when) == 2023
        assert {when.year for when in young} == {2025}


class TestExplained:
    EVENTS = (
        "7,scoring,grant,2025-01-01,2025-01-01,consent\n7,scoring,withdraw,2025-03-01,2025-04-01,\n7,other,grant,2025-03-01,2025-03-01,\n"
        "8,scoring,grant,2025-01-01,2025-01-01,\n"
    )

    def test_it_tells_what_a_run_of_then_went_by(self, policy_of, context, tmp_path):
        (tmp_path / "events.csv").write_text(f"person,purpose,decision,effective_from,recorded_at,basis\n{self.EVENTS}")
        (tmp_path / "base.csv").write_text("person,at\n7,2025-01-01\n")
        texts = dict.fromkeys(("purpose", "decision", "basis"), "string")
        columns = {"person": "bigint", **texts, "effective_from": "timestamp", "recorded_at": "timestamp"}
        base = {"uri": str(tmp_path / "base.csv"), "format": "csv", "columns": {"person": "bigint", "at": "timestamp"}}
        registry = {"uri": str(tmp_path / "events.csv"), "format": "csv", "columns": columns}
        ctx = context(policy_of({"base": base, "events": registry}, consent={"registry": "events"}))

        def told(person, month):
            at = datetime(2025, month, 15, tzinfo=timezone.utc)
            return explained(ctx, ctx.spark.createDataFrame([(person,)], "person string"), at)

        assert told("7", 3) == [
            "purpose scoring, as known at 2025-03-15T00:00:00Z",
            "  grant from 2025-01-01T00:00:00Z, recorded 2025-01-01T00:00:00Z, basis consent",
            "decision grant; regulation strictest; outcome used; bases that are met: consent, objection, nothing",
        ]
        assert told("7", 4)[-2:] == [
            "  withdraw from 2025-03-01T00:00:00Z, recorded 2025-04-01T00:00:00Z",
            "decision withdraw; regulation strictest; outcome refused or withdrawn; bases that are met: none",
        ]
        assert told("9", 4)[1:] == ["no decision, jurisdiction or age is known: not used where a grant is asked"]


@pytest.mark.long
class TestRetention:
    def test_without_a_limit_nothing_is_too_old(self, store, folder):
        with pytest.raises(SettingsError, match=r"law\.retention: names no limit"):
            retain(of(store, policy(folder)))

    def test_what_is_too_old_goes_with_its_files_and_is_not_collected_again(self, collected, folder):
        store = collected.store
        ctx = of(store, policy(folder, retention={"raw": 365, "clean": 30}))
        raw = RAW.of(ctx.policy, "base")
        assert min(when.year for when in values(store, raw, "at") if when) == 2023
        found = {row["table"]: (row["rows_deleted"], row["rows_left"], row["rows_without_time"]) for row in retain(ctx)}
        assert found == {"raw.bank_base": (1, 4, 1), "clean.bank_rows": (3, 0, 0)}
        assert min(when.year for when in values(store, raw, "at") if when) == 2025
        assert values(store, CLEAN.of(ctx.policy), "person") == []
        assert store.read(RETENTION_LOG.of(ctx.policy)).count() == 2
        result = collect(ctx)
        assert (result.rows_in, result.rows_out) == (5, 4)
