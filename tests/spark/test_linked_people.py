"""Registrations of one person become one in every table, and a request about one id is about all of them."""

from datetime import date, datetime, timedelta

import pytest
from kveil.clean.log import CleaningLog
from kveil.clean.people.explain import pair_explained
from kveil.clean.people.run import made_one
from kveil.clean.people.survivors import one_row_each, survivors, with_survivors
from kveil.clean.stage import run
from kveil.errors import ContractError
from kveil.rights.people import named_people
from kveil.settings.people import People
from kveil.tables.people import places
from kveil.tables.schema import CLEAN, CLEANING_LOG, PEOPLE, PEOPLE_PAIRS, RAW

COLUMNS = {"name": "name", "street": "text", "born": "code", "phone": "code"}
ASKED = {"source": "people", "columns": COLUMNS}


class TestSurvivors:
    ROWS = (
        (7, "Ann", None, date(2020, 1, 1)),
        (12, "Anne", "Graz", date(2024, 1, 1)),
        (30, "Ann", "Wien", None),
        (4, "Bob", "Linz", date(2020, 1, 1)),
    )
    DDL = "id bigint, name string, town string, at date"

    @pytest.fixture(scope="class")
    def found(self, spark):
        rows = spark.createDataFrame(list(self.ROWS), self.DDL)
        clusters = spark.createDataFrame([("7", 0), ("12", 0), ("30", 0)], "person string, cluster int")
        return rows, survivors(rows, "id", clusters)

    def test_the_fullest_row_keeps_its_id(self, found):
        assert {tuple(row) for row in found[1].collect()} == {("7", "12"), ("12", "12"), ("30", "12")}

    @pytest.mark.parametrize(
        ("rules", "kept"),
        [
            ({}, (12, "Anne", "Graz", date(2024, 1, 1))),
            ({"survivor": "most_frequent"}, (12, "Ann", "Graz", date(2020, 1, 1))),
            (
                {"survivors": {"town": "latest", "name": "most_frequent"}, "latest_by": "at"},
                (12, "Ann", "Graz", date(2024, 1, 1)),
            ),
        ],
    )
    def test_values_survive_by_rule_and_null_gives_way(self, found, rules, kept):
        rows, known = found
        asked = People(source="people", columns=COLUMNS, **rules)
        assert {tuple(row) for row in one_row_each(rows, "id", known, asked).collect()} == {kept, self.ROWS[3]}

    def test_other_tables_keep_their_rows_under_one_id(self, found, spark):
        payments = spark.createDataFrame([(7, 1), (12, 2), (4, 3), (None, 4), (99, 5)], "id bigint, n int")
        mapped = with_survivors(payments, "id", found[1])
        assert {tuple(row) for row in mapped.collect()} == {(12, 1), (12, 2), (4, 3), (None, 4), (99, 5)}
        assert mapped.schema == payments.schema


SOURCES = {
    "base": {"uri": "x", "columns": {"person": "bigint", "at": "timestamp", "amount": "int"}},
    "people": {"uri": "y", "columns": {"person": "bigint", **dict.fromkeys(COLUMNS, "string")}},
}
NAMES = ("Maria", "Johann", "Elisabeth", "Friedrich", "Katharina", "Wolfgang", "Magdalena", "Sebastian", "Veronika", "Leopold")
TOWNS = ("Bahnhof", "Schubert", "Linden", "Kirchen", "Mozart", "Garten", "Wiesen", "Haupt", "Ring", "Berg", "Feld")


def register():
    """200 people; twenty of them are registered a second time, with a slip in one column."""
    rows = [
        (
            i,
            f"{NAMES[i % 10]} {NAMES[(i * 7) % 9]}er",
            f"{TOWNS[i % 11]}gasse {i % 83}",
            f"19{40 + i % 60}-{1 + i % 12:02}-{1 + i % 28:02}",
            f"+43 1 {50_000 + i * 7919 % 49_999}",
        )
        for i in range(1, 201)
    ]
    again = [
        (i + 1000, name[:-2] if i % 2 else name, street, born, phone if i % 2 else phone[:-1] + "0")
        for i, name, street, born, phone in rows[:20]
    ]
    return rows + again


@pytest.fixture
def stage_of(context, policy_of, spark):
    def make():
        clean = {"people": ASKED, "joins": [{"source": "people", "by": "person"}]}
        ctx = context(policy_of(SOURCES, clean=clean), stage="clean")
        start = datetime(2020, 1, 1)
        payments = [(person, start + timedelta(days=n), n) for n, (person, *_) in enumerate(register())]
        for name, rows in (("base", payments), ("people", register())):
            ddl = ", ".join(f"{column} {kind}" for column, kind in SOURCES[name]["columns"].items())
            ctx.store.replace(RAW.of(ctx.policy, name), spark.createDataFrame(rows, ddl))
        return ctx

    return make


def test_a_pair_is_explained_without_any_value(context, policy_of, spark):
    clean = {"people": ASKED, "joins": [{"source": "people", "by": "person"}]}
    ctx = context(policy_of(SOURCES, clean=clean), stage="people")
    with pytest.raises(ContractError, match="no registrations are linked"):
        pair_explained(ctx, "7", "8")
    weights = {"name": 6.0, "street": 8.5, "born": 13.0, "phone": -0.5}
    pairs = [("7", "8", 0.999, 12.0, weights), ("8", "9", 0.99, 7.0, weights)]
    ctx.store.replace(ctx.ref(PEOPLE_PAIRS), spark.createDataFrame(pairs, PEOPLE_PAIRS.ddl))
    ctx.store.replace(ctx.ref(PEOPLE), spark.createDataFrame([(each, "7") for each in "789"], PEOPLE.ddl))
    lines = pair_explained(ctx, " 08", "7")
    assert [line.split()[0] for line in lines] == ["prior", *COLUMNS, "match", "probability"]
    assert [line.split()[1] for line in lines[:5]] == ["-15.00", "+6.00", "+8.50", "+13.00", "-0.50"]
    with pytest.raises(ContractError, match="by way of others alone"):
        pair_explained(ctx, "7", "9")
    with pytest.raises(ContractError, match="not taken for one person's") as error:
        pair_explained(ctx, "7", "Ann")
    assert "Ann" not in str(error.value)


@pytest.mark.long
def test_a_person_registered_twice_is_one_from_the_clean_table_to_the_request(stage_of):
    ctx = stage_of()
    run(ctx)
    known = {(row["person"], row["survivor"]) for row in ctx.store.read(ctx.ref(PEOPLE)).collect()}
    assert known == {pair for i in range(1, 21) for pair in ((str(i), str(i)), (str(i + 1000), str(i)))}
    people = [row["person"] for row in ctx.store.read(ctx.ref(CLEAN)).select("person").collect()]
    assert len(people) == 220 and set(people) == set(range(1, 201))
    pairs = ctx.store.read(ctx.ref(PEOPLE_PAIRS)).collect()
    assert len(pairs) == 20 and all(set(row["weights"]) == set(COLUMNS) and row["probability"] >= 0.95 for row in pairs)
    log = ctx.store.read(ctx.ref(CLEANING_LOG)).where("rule LIKE 'people:%'").collect()
    assert [(row["source"], row["rows_before"], row["rows_after"]) for row in log if row["rows_before"] > row["rows_after"]] == [
        ("people", 220, 200)
    ]
    asked = {row["person"] for row in named_people(ctx, ["1003", "150"], None).collect()}
    assert asked == {"3", "1003", "150"}
    assert {PEOPLE, PEOPLE_PAIRS} <= {place.table for place in places(ctx.policy)}


def test_more_registrations_than_are_compared_are_refused(context, policy_of, spark):
    clean = {"people": {**ASKED, "most": 2}, "joins": [{"source": "people", "by": "person"}]}
    ctx = context(policy_of(SOURCES, clean=clean), stage="clean")
    with pytest.raises(ContractError, match=r"people has 3 rows, and at most 2 are compared in memory"):
        made_one(ctx, "people", spark.range(3).withColumnRenamed("id", "person"), CleaningLog())
