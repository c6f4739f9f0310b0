"""Policies that nobody means well: each ends within moments as one sentence, whatever stands in it."""

import json
from decimal import Decimal

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kveil.errors import SettingsError
from kveil.settings import Policy, load
from kveil.settings.yaml_core import UnreadableError, parsed_document

from tests.builders import shop


def refused(tmp_path, text):
    path = tmp_path / "policy.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        load(path)
    for line in raised.value.problems:
        assert line.startswith(str(path)) and len(line) < 2_000 and "\n" not in line
    return "\n".join(raised.value.problems)


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
ENDLESS = {
    "more than 50 levels": ["[" * 20_000, "{a: " * 20_000, "- " * 5_000 + "a", "".join(f"{'  ' * i}a:\n" for i in range(60))],
    "its own anchor": ["a: &a [*a]", "&a {b: {c: *a}}", "a: &a\n  - b: *a\n"],
    "more than 500,000 values": [BOMB],
    "a number of": ["name: " + "9" * 5_000, "name: 0." + "1" * 500, "name: 1e" + "9" * 100],
    "stands twice": ["name: a\nname: b", "a: {b: 1, b: 2}", "1: a\n1: b"],
    "no text": ["{[a]: b}", "? {a: b}\n: c"],
    "is not valid YAML": ["a: [", "a: !!python/object:os.system x", "\t- a", "%YAML 3.0\n--- x\n--- y", "a: *nobody"],
}


@pytest.mark.parametrize(("says", "text"), [(says, text) for says, texts in ENDLESS.items() for text in texts])
def test_a_document_without_end_or_sense_is_one_sentence(tmp_path, says, text):
    assert says in refused(tmp_path, text)


def test_yaml_is_read_by_its_core_schema():
    read = parsed_document(
        "[1:10, yes, No, on, 2024-02-31, 2024-01-01, 1_000, 010, 0o10, 0x1F, 1e3, .inf, true, null, ~, -5, '5', =, <<]"
    )
    assert read[:7] == ["1:10", "yes", "No", "on", "2024-02-31", "2024-01-01", "1_000"]
    assert read[7:] == [10, 8, 31, 1000.0, float("inf"), True, None, None, -5, "5", "=", "<<"]
    with pytest.raises(UnreadableError, match="line 2"):
        parsed_document("a: b\na: secret")


@pytest.mark.parametrize("k", ["1:10", "yes", "'x'", "1" + "0" * 18, "1" + "0" * 400, "-3", "2.5", "[]", "1e400"])
def test_k_is_a_number_of_people_that_somebody_may_have(tmp_path, k):
    text = yaml.safe_dump(shop(anonymize__k="KKK")).replace("KKK", k)
    assert "anonymize.k" in refused(tmp_path, text) or "number of" in refused(tmp_path, text)


def test_words_are_no_truths(tmp_path):
    text = yaml.safe_dump(shop(anonymize__incremental="YYY")).replace("YYY", "yes")
    assert "anonymize.incremental: found 'yes'" in refused(tmp_path, text)


def test_a_text_that_looks_like_a_date_is_a_text(tmp_path):
    document = yaml.safe_dump(shop())
    assert "name: found '2024-02-31'" in refused(tmp_path, document.replace("name: shop", "name: 2024-02-31"))
    dated = yaml.safe_dump(shop(sources__sales__columns__town={"type": "string", "allowed": ["DDD"]})).replace(
        "DDD", "2024-01-01"
    )
    (tmp_path / "dated.yml").write_text(dated)
    assert load(tmp_path / "dated.yml").sources["sales"].columns["town"].allowed == ["2024-01-01"]


OTHERS = [
    "root:\n  password: hunter2\n", "- hunter2\n", "steps:\n- {step: hunter2, hunter2: x}\n", "hunter2", "steps: {hunter2: 1}\n",
    "steps:\n- {step: fill, source: sales, column: town, hunter2: x, value: [hunter2]}\n", "a: [hunter2",
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_of_a_file_that_the_policy_names_nothing_is_repeated(tmp_path, other):
    (tmp_path / "other.yml").write_text(other)
    assert "hunter2" not in refused(tmp_path, yaml.safe_dump(shop(clean__recipe="other.yml")))
    assert "hunter2" not in refused(tmp_path, yaml.safe_dump(shop(law={"regulations": ["other.yml"]})))


ODD = st.one_of(
    st.sampled_from(
        ["", "x" * 5_000, "1:10", "NaN", "inf", "1e999999", "-1e-999999", "9" * 4_000, "2024-02-31", "\0", "a\nb", "yes",
         "_metadata",
         "((((", "(a|aa)" * 28, "secret://env/", "null", "../../../etc/passwd", "jdbc:x", "{", "0x1", "'"]
    ),
    st.sampled_from([None, True, 0, -1, 2**63 - 1, -(2**63), 1e308, float("nan"), float("inf"), 1e-300]),
    st.sampled_from([[], {}, [[]], [None], {"a": {}}]),
)  # fmt: skip


def places(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*path, key))


FULL = shop(
    clean__derive={"label": "cents > 5"},
    clean__rules=[{"source": "sales", "column": "cents", "min": 0}],
    clean__expect=[{"rule": "between", "column": "cents", "min": 0}, {"rule": "matches", "column": "town", "pattern": "a+"}],
    clean__buckets={"group": {"column": "item", "count": 5}},
    sources__sales__columns__town={"type": "string", "pattern": "[a-z]+", "length": {"max": 9}},
    sources__sales__csv={"delimiter": ";"},
    sources__sales__format="csv",
    sources__sales__rows={"min": 1},
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(list(places(FULL))[1:]), ODD)
def test_whatever_stands_anywhere_the_policy_is_read_or_refused(tmp_path, path, odd):
    document = json.loads(json.dumps(FULL))
    place = document
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = odd
    try:
        policy = Policy.model_validate(document)
        list(policy.problems())
    except ValueError:
        pass  # What pydantic tells; the loader makes sentences of it.
    file = tmp_path / "odd.yml"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    try:
        load(file)
    except SettingsError as error:
        assert "holds a value that no key takes" not in str(error)
        assert all(len(line) < 3_000 for line in error.problems)


RESERVED = ["kveil_person", "KVEIL_rows", "_kveil_fate", "_metadata", "_Change_Type", "_commit_version", "_commit_timestamp"]


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_others_give_are_refused(name):
    found = dict(Policy.model_validate(shop(**{f"sources__sales__columns__{name}": "int"})).problems())
    assert "is reserved" in found[f"sources.sales.columns.{name}"]
    if name.islower() and not name.startswith("_"):
        assert (
            "is reserved" in dict(Policy.model_validate(shop(clean__derive={name: "cents"})).problems())[f"clean.derive.{name}"]
        )


def test_names_that_meet_others_are_refused():
    twice = dict(Policy.model_validate(shop(sources__sales__columns__Town="string")).problems())
    assert "differ in case alone" in twice["sources.sales.columns"]
    for name in ("age_lo", "AGE_HI", "age_rep"):
        met = dict(Policy.model_validate(shop(**{f"sources__sales__columns__{name}": "int"})).problems())
        assert "a part of its classes" in met["anonymize.quasi_identifiers.age"]
    made = dict(Policy.model_validate(shop(clean__derive={"town_lo": "cents"})).problems())
    assert "anonymize.quasi_identifiers.town" in made


def test_decimals_stay_exact_however_they_are_written(tmp_path):
    document = yaml.safe_dump(shop(anonymize__budget={"epsilon": "EEE"}))
    (tmp_path / "exact.yml").write_text(document.replace("EEE", "'1.100000001'"))
    assert load(tmp_path / "exact.yml").anonymize.budget.epsilon == Decimal("1.100000001")
