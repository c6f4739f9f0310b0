"""Roles and drafts from samples: nothing that leads to a person is missed, and a draft is a policy that the loader takes."""

import numpy as np
import pyarrow as pa
import pytest
import yaml
from kveil.anonymize.masking.columns import check_types
from kveil.classify.door import draft_of, identifier, names_of, next_steps
from kveil.classify.draft import drafted
from kveil.classify.looked import classification
from kveil.classify.masks import OFFER, mask_of
from kveil.classify.plan import Classified, planned
from kveil.classify.roles import Column, column_of
from kveil.classify.types import fitting_type, lenient, one_date_pattern
from kveil.cli import main
from kveil.errors import SettingsError
from kveil.new_file import require_new
from kveil.profile.sampled import PERSON
from kveil.settings import Policy, load
from stdnum import iban

from tests.builders import shop as shop_policy

PEOPLE = 300


def texts(values):
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def account(number):
    bban = f"{number:018d}"
    return f"DE{iban.calc_check_digits('DE00' + bban)}{bban}"


def told(columns, person=None, types=None, of_people=True):
    table = {name: texts(values) for name, values in columns.items()}
    if person is not None:
        table[PERSON] = pa.array(list(columns[person]))
    known = types or dict.fromkeys(columns, "string")
    return list(classification(known, types is None, person, of_people)(pa.table(table)))


def source(name, columns, person=None, unique=(), of_people=True, form="csv"):
    found = told(columns, person, of_people=of_people)
    sets = [each for each in found if each["kind"] == "set"]
    made = [column_of(each, person, sets) for each in found if each["kind"] == "column"]
    rows = len(next(iter(columns.values())))
    declared = {"uri": f"{name}.csv", "format": form}
    return Classified(name, declared, made, sets, rows, PEOPLE if person else 0, rows, tuple(unique))


@pytest.fixture(scope="module")
def shop():
    """People, what they bought, and things: three files as a shop has them."""
    random = np.random.default_rng(0)
    ids = range(1000, 1000 + PEOPLE)
    people = {
        "customer_id": ids,
        "email": [f"p{i}@example.org" for i in ids],
        "Nachname": [["Müller", "Schmidt", "Rossi"][i % 3] + "son" * (i % 2) + "x" * (i % 9) for i in ids],
        "geburtsdatum": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.{1950 + i % 50}" for i in ids],
        "gender": [["male", "female"][i % 2] for i in ids],
        "remarks": [f"called on day {i} and was told that all is well" for i in ids],
        "iban": [account(i) for i in ids],
        "passport_no": [f"C{i:08d}" for i in ids],
        "kontonummer": [f"{7 * i:010d}" for i in ids],
        "mobile": [f"+49 151 {i:07d}" for i in ids],
        "loyal": [["yes", "no"][i % 5 == 0] for i in ids],
    }
    rows = 900
    buyer = random.integers(1000, 1000 + PEOPLE, rows)
    sales = {
        "order_id": range(rows),
        "customer_id": buyer,
        "bought_at": [f"2024-{1 + i % 12:02d}-{1 + i % 28:02d} 10:00:{i % 60:02d}" for i in range(rows)],
        "product_id": [i % 40 for i in range(rows)],
        "amount": [f"{value:.2f}" for value in random.lognormal(3, 1, rows)],
        "returned": [["true", "false"][i % 10 > 0] for i in range(rows)],
    }
    things = {"product_id": range(40), "product_name": [f"thing {i}" for i in range(40)], "hue": ["red", "blue"] * 20}
    return [
        source("sales", sales, "customer_id", ["order_id"]),
        source("people", people, "customer_id", ["customer_id", "email"]),
        source("things", things, unique=["product_id", "product_name"], of_people=False),
    ]


def roles(sources):
    return {each.name: each.role for one in sources for each in one.columns}


def test_everybody_s_identifiers_and_quasi_identifiers_are_found(shop):
    found = roles(shop)
    assert {name for name, role in found.items() if role == "direct identifier"} >= {"email", "Nachname", "order_id"}
    assert {name for name, role in found.items() if role == "quasi-identifier"} >= {"geburtsdatum", "gender", "bought_at"}
    assert found["customer_id"] == "privacy unit"
    assert found["remarks"] == "free text"
    assert found["amount"] == "sensitive"


def test_a_draft_is_a_policy(shop, tmp_path):
    path = tmp_path / "shop.yml"
    path.write_text(drafted(planned(shop, "customer_id", None), "shop"), encoding="utf-8")
    policy = load(path)
    assert policy.person == "customer_id"
    assert (policy.clean.base, policy.clean.time) == ("sales", "bought_at")
    assert [(join.source, join.by) for join in policy.clean.joins] == [("people", "customer_id"), ("things", "product_id")]
    assert policy.train.label == "returned"
    declared = {name for one in policy.sources.values() for name in one.columns}
    assert not declared & {"email", "Nachname", "order_id", "remarks"}
    released = policy.anonymize
    assert {"date", "gender", "geburtsdatum_year"} <= set(released.quasi_identifiers)
    assert "amount" not in {*released.quasi_identifiers, *released.sensitive, *released.insensitive}


def test_offered_masks_are_a_policy_when_they_are_taken_in(shop, tmp_path):
    """Every offer at once, as who removes each mark does."""
    text = drafted(planned(shop, "customer_id", None), "shop")
    path = tmp_path / "shop.yml"
    path.write_text(text.replace(OFFER, ""), encoding="utf-8")
    policy = load(path)
    made = {name: mask.technique for name, mask in policy.anonymize.mask.items()}
    assert made == {
        "order_id": "pseudonym", "email": "partial", "Nachname": "fake", "remarks": "scrub", "iban": "encrypt",
        "kontonummer": "pseudonym", "mobile": "redact",
    }  # fmt: skip
    assert policy.anonymize.mask["iban"].format == "iban" and policy.anonymize.mask["Nachname"].kind == "last_name"
    assert policy.anonymize.mask_keys == {1: "secret://env/SHOP_MASK_KEY"}
    assert "passport_no" not in made and "no mask is offered, since a law protects" in text
    assert set(made) <= {name for one in policy.sources.values() for name in one.columns}
    check_types(
        {name: column.type for one in policy.sources.values() for name, column in one.columns.items()}, policy.anonymize.mask
    )


@pytest.mark.parametrize(
    ("semantic", "type_", "proven", "technique"),
    [
        ("pan", "bigint", True, "encrypt"), ("pan", "bigint", False, "pseudonym"), ("email", "bigint", False, "pseudonym"),
        ("ip", "string", True, "pseudonym"), ("person_name", "string", True, "fake"), ("address", "string", True, "fake"),
        ("record_id", "bigint", False, "pseudonym"),
    ],
)  # fmt: skip
def test_an_offered_mask_is_one_that_the_column_can_have(semantic, type_, proven, technique):
    column = Column("x", type_, semantic, "direct identifier", 0.9, "a test", proven=proven)
    asked = Policy.model_validate(shop_policy(anonymize__mask={"x": mask_of(column)}, anonymize__mask_keys={1: "secret://env/K"}))
    role = asked.anonymize.mask["x"]
    check_types({"x": type_}, {"x": role})
    assert role.technique == technique


def test_names_of_things_follow_no_person():
    column = Column("x", "string", "person_name", "direct identifier", 0.9, "a test", proven=True)
    assert mask_of(column, of_people=False)["technique"] == "pseudonym"


def test_an_offer_is_a_comment_until_it_is_taken_in(shop):
    text = drafted(planned(shop, "customer_id", None), "shop")
    assert "mask" not in yaml.safe_load(text)["anonymize"]
    assert all(line.strip().startswith("#") for line in text.splitlines() if OFFER in line)
    things = source("things", {"customer_id": range(60), "at": ["2024-01-01 10:00:00"] * 60}, "customer_id", ["customer_id"])
    assert OFFER not in drafted(planned([things], "customer_id", None), "things")


def test_a_join_keeps_its_key_and_a_rare_label_is_asked_of_no_class(tmp_path):
    rows = range(400)
    sales = {
        "customer_id": [i % 100 for i in rows], "account_id": [500 + i % 150 for i in rows],
        "booked_at": [f"2024-01-{1 + i % 28:02d} 10:00:00" for i in rows], "is_fraud": [["0", "1"][i % 50 == 0] for i in rows],
    }  # fmt: skip
    accounts = {"account_id": range(500, 650), "kind": [["current", "savings"][i % 2] for i in range(150)]}
    sources = [source("sales", sales, "customer_id"), source("accounts", accounts, unique=["account_id"], of_people=False)]
    path = tmp_path / "bank.yml"
    path.write_text(drafted(planned(sources, "customer_id", None), "bank"), encoding="utf-8")
    policy = load(path)
    assert "account_id" in policy.sources["sales"].columns and "account_id" in policy.sources["accounts"].columns
    assert policy.train.label == "is_fraud" and "is_fraud" in policy.anonymize.insensitive


@pytest.mark.parametrize("rare", [0, 4])
def test_a_column_with_values_of_one_person_is_told_instead_of_released(tmp_path, rare):
    rows = range(400)
    sales = {
        "customer_id": [i % 100 for i in rows], "booked_at": [f"2024-01-{1 + i % 28:02d} 10:00:00" for i in rows],
        "merchant_category": [f"shop of {i}" if i < rare else ["fuel", "rent"][i // 100 % 2] for i in rows],
        "is_fraud": [["0", "1"][i % 50 == 0] for i in rows],
    }  # fmt: skip
    path = tmp_path / "bank.yml"
    path.write_text(drafted(planned([source("sales", sales, "customer_id")], "customer_id", None), "bank"), encoding="utf-8")
    settings = load(path).anonymize
    assert ("merchant_category" in {*settings.sensitive, *settings.insensitive}) == (rare == 0)
    assert ("? Not released: columns with values of one person" in path.read_text(encoding="utf-8")) == (rare > 0)
    assert "is_fraud" in settings.insensitive


def test_every_choice_of_a_draft_has_its_reason_and_no_value_of_a_person(shop):
    text = drafted(planned(shop, "customer_id", None), "shop")
    assert "p1001@example.org" not in text and "called on day" not in text and "Müller" not in text
    for line in text.splitlines():
        if "{kind:" in line or "not collected" in line:
            assert "#" in line and any(role in line for role in ("identifier", "free text", "day of the row's time"))
    assert "# ? No source is a registry" in text


def test_what_a_draft_lacks_is_said_and_asked_for(tmp_path):
    alone = source("rows", {"age": [20 + i % 50 for i in range(100)], "job": [f"job {i % 7}" for i in range(100)]})
    path = tmp_path / "rows.yml"
    path.write_text(drafted(planned([alone], None, None), "rows"), encoding="utf-8")
    said = "\n".join(next_steps(path))
    assert "person: source 'rows' declares no column 'person_id'" in said
    assert "clean.time" in said


def test_names_that_a_policy_cannot_hold_are_told(tmp_path):
    columns = {"customer_id": range(60), "day-of-birth": [f"19{i:02d}-01-01" for i in range(10, 70)], "Month": ["may"] * 60}
    text = drafted(planned([source("rows", columns, "customer_id", ["customer_id"])], "customer_id", None), "rows")
    assert "# ? day-of-birth is not declared: its name has signs" in text
    assert "# ? Month is not declared: another column" in text


def test_a_column_s_name_cannot_write_policy(tmp_path):
    columns = {"customer_id": range(60), "x\nname: stolen": range(60), "y\u2028purpose: other": range(60)}
    text = drafted(planned([source("rows", columns, "customer_id", ["customer_id"])], "customer_id", None), "rows")
    assert [line for line in text.splitlines() if line.startswith(("name:", "purpose:"))] == [
        "name: rows", "purpose: model_training  # ? what the release is for; consent is asked for this word"
    ]  # fmt: skip


def test_a_column_that_nothing_is_known_of_but_that_singles_out_is_a_quasi_identifier():
    random = np.random.default_rng(1)
    found = told({"zork": random.integers(0, 60, 200), "blip": random.integers(0, 60, 200), "same": ["x"] * 200})
    sets = [each for each in found if each["kind"] == "set"]
    assert [each["columns"] for each in sets] == [["blip", "zork"]]
    made = {each["column"]: column_of(each, None, sets) for each in found if each["kind"] == "column"}
    assert made["zork"].role == made["blip"].role == "quasi-identifier"
    assert made["zork"].doubtful
    assert made["same"].role == "insensitive"


def test_a_stand_in_for_a_quasi_identifier_is_one():
    ids = range(400)
    found = told({"gender": [["male", "female"][i % 2] for i in ids], "group": [["p", "q"][i % 2] for i in ids]})
    made = {each["column"]: column_of(each, None, []) for each in found if each["kind"] == "column"}
    assert made["group"].role == "quasi-identifier"
    assert "tells of gender" in made["group"].why


def test_things_are_not_people(shop):
    assert all(not one.sets for one in shop if one.name == "things")


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (["1", "-20", "300"], "bigint"), (["007", "008"], "string"), (["1.5", "2", "3e4"], "double"),
        (["true", "FALSE"], "boolean"), (["2024-01-01"], "date"), (["2024-01-01 10:00:00"], "timestamp"),
        (["31.12.2024"], "string"), (["a", "1"], "string"), ([None], "string"), (["9" * 30], "double"),
    ],
)  # fmt: skip
def test_texts_fit_a_type(values, type_):
    assert fitting_type(texts(values)) == type_


def test_days_of_a_file_are_read_by_one_pattern_or_stay_texts():
    assert one_date_pattern(["dd.MM.yyyy", "dd.MM.yyyy"]) == "d.M.yyyy"
    assert one_date_pattern(["dd.MM.yyyy", "yyyy-MM-dd"]) is None
    assert one_date_pattern(["yyyy-MM-dd"]) is None
    assert [lenient(each) for each in ("dd/MM/yy", "yyyyMMdd", "dd MMM yyyy")] == ["d/M/yy", "yyyyMMdd", "d MMM yyyy"]


def test_sources_are_named_and_no_name_stands_twice():
    assert names_of(["a/Kunden-2024.csv", "x=b/c.parquet", "2024/"]) == {
        "kunden_2024": "a/Kunden-2024.csv", "x": "b/c.parquet", "source_2024": "2024/",
    }  # fmt: skip
    with pytest.raises(SettingsError, match="two sources would be called a"):
        names_of(["a.csv", "b/a.csv"])
    assert identifier("Ärger!") == "rger"


def test_an_edited_policy_is_never_overwritten(tmp_path):
    path = tmp_path / "policy.yml"
    path.write_text("name: mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="is there already"):
        require_new(path)


def test_a_column_that_was_named_must_be_somewhere():
    with pytest.raises(SettingsError, match="--label: no source has a column 'x'"):
        draft_of({}, "name", None, "x", None)


def test_the_command_refuses_before_it_starts_anything(tmp_path, capsys):
    path = tmp_path / "policy.yml"
    path.write_text("name: mine", encoding="utf-8")
    for arguments, said in (
        (["classify", "sales.csv", "-o", str(path)], "is there already"),
        (["classify", "a.csv", "b/a.csv", "-o", str(tmp_path / "new.yml")], "two sources would be called a"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert said in capsys.readouterr().err
    assert path.read_text(encoding="utf-8") == "name: mine"
