"""Regulations are data: each enforced rule changes what the program does, and what it cannot do is told to a person."""

from itertools import combinations
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kveil.errors import SettingsError
from kveil.settings import Policy, load
from kveil.settings.law import Law
from kveil.settings.law_checks import special_word
from kveil.settings.minimisation import minimises
from kveil.settings.regimes import (
    STRICTEST,
    Regime,
    age_column,
    asked_by,
    days_to_erase,
    limits,
    named_jurisdictions,
    regimes,
    strictest,
)
from kveil.settings.regulations import PACKAGED, Regulation, regulation

from tests.builders import CONF, shop

DOCUMENTS = {name: regulation(name, Path()) for name in PACKAGED}
ENFORCED = [(name, rule) for name, document in DOCUMENTS.items() for rule, told in document["rules"].items() if told["enforced"]]


def law(*documents, **settings):
    return Law.model_validate({"regulations": {document["name"]: document for document in documents}, **settings})


def without(name, rule):
    """A regulation whose rule is not enforced any more."""
    document = yaml.safe_load(yaml.safe_dump(DOCUMENTS[name]))
    document["rules"][rule] |= {"enforced": False, "person": "see to it"}
    return document


def problems(document=None, **settings):
    """What is wrong with a policy under one regulation, or under the packaged ones."""
    regulations = {"regulations": {document["name"]: document}} if document else {}
    changes = {key: value for key, value in settings.items() if not key.startswith("law_")}
    asked = {key.removeprefix("law_"): value for key, value in settings.items() if key.startswith("law_")}
    policy = Policy.model_validate(shop(law={**regulations, **asked}, **changes))
    return [f"{key}: {sentence}" for key, sentence in policy.problems()]


def with_column(name, **settings):
    """The shop's policy with one more column that is released."""
    columns = {**shop()["sources"]["sales"]["columns"], name: "string"}
    return {"sources__sales__columns": columns, "anonymize__insensitive": {"reduced": "the label", name: "no"}, **settings}


def refused(document, **settings):
    return bool(problems(document, **settings))


def told(document):
    from kveil.rights.access import told as facts

    return facts(Policy.model_validate(shop(law={"regulations": {document["name"]: document}})))


def recorded(document):
    from kveil.report.law_facts import law_facts

    return law_facts(Policy.model_validate(shop(law={"regulations": {document["name"]: document}})))


EFFECTS = {
    "lawful_basis": lambda document: refused(document, law_basis="contract"),
    "purpose_limitation": lambda document: refused(document, law_purposes={"sales": {"collected_for": ["marketing"]}}),
    "minimisation": lambda document: minimises(law(document)),
    "consent": lambda document: regimes(law(document)),
    "special_categories": lambda document: refused(document, **with_column("religion")),
    "minors": lambda document: regimes(law(document)),
    "retention": lambda document: limits(law(document, retention={"raw": 30})),
    "erasure": lambda document: days_to_erase(law(document)),
    "access": told,
    "records": lambda document: recorded(document)["record"],
    "deidentified": lambda document: recorded(document)["deidentified"],
}


@pytest.mark.parametrize(("name", "rule"), ENFORCED)
def test_every_enforced_rule_has_an_effect(name, rule):
    assert EFFECTS[rule](DOCUMENTS[name]) != EFFECTS[rule](without(name, rule))


@pytest.mark.parametrize("name", PACKAGED)
def test_every_rule_names_its_article_and_who_acts(name):
    read = Regulation.model_validate(DOCUMENTS[name])
    for kind, rule in read.listed():
        assert rule.article[0] in "A§" and any(figure.isdigit() for figure in rule.article), kind
        assert rule.says.endswith(".") and (rule.does if rule.enforced else rule.person).endswith(".")
    assert any(kind == "duty" for kind, _ in read.listed())


def test_what_the_lawyer_reads_is_what_is_installed():
    from importlib import resources

    for name in PACKAGED:
        installed = (resources.files("kveil") / "regulations" / f"{name}.yml").read_bytes()
        assert (CONF / "regulations" / f"{name}.yml").read_bytes() == installed


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"enforced": False}, "says in `person` what a person must do"),
        ({"does": ""}, "says in `does` what the program does"),
        ({"article": ""}, "at least 1 character"),
        ({"modell": "opt_in"}, "modell"),
        ({"model": "maybe"}, "opt_in"),
    ],
)
def test_a_rule_that_does_not_hold_together_is_refused(change, sentence):
    document = yaml.safe_load(yaml.safe_dump(DOCUMENTS["gdpr"]))
    document["rules"]["consent"] |= change
    with pytest.raises(ValueError, match=sentence):
        Regulation.model_validate(document)


def test_a_duty_is_never_called_enforced():
    document = yaml.safe_load(yaml.safe_dump(DOCUMENTS["gdpr"]))
    document["duties"][0] |= {"enforced": True, "does": "something"}
    with pytest.raises(ValueError, match="duties are what nothing enforces"):
        Regulation.model_validate(document)


def test_a_regulation_of_ones_own_is_read_beside_the_policy_and_is_part_of_it(tmp_path):
    own = {**without("gdpr", "minimisation"), "name": "own"}
    (tmp_path / "own.yml").write_text(yaml.safe_dump(own))
    policy = shop(law={"regulations": ["own.yml", "ccpa"]})
    (tmp_path / "policy.yml").write_text(yaml.safe_dump(policy))
    loaded = load(tmp_path / "policy.yml")
    assert list(loaded.law.regulations) == ["own", "ccpa"]
    assert not loaded.law.regulations["own"].rules.minimisation.enforced
    for broken, sentence in (
        ("lgpd", "lgpd is no regulation; allowed: gdpr, ccpa, or a YAML file"),
        ("none.yml", "holds no rules"),
    ):
        (tmp_path / "none.yml").write_text("[]")
        (tmp_path / "other.yml").write_text(yaml.safe_dump(shop(law={"regulations": [broken]})))
        with pytest.raises(SettingsError, match=sentence):
            load(tmp_path / "other.yml")


REGIMES = st.builds(Regime, st.booleans(), st.booleans(), st.integers(0, 21), st.integers(0, 21))
DECISIONS = st.sampled_from(["grant", "refuse", None])


def allows(regime, decision, age, parental):
    """Whether a person who is asked for consent may be used; an oracle in four lines."""
    too_young = (age < regime.parent_below and not (decision == "grant" and parental)) or (
        age < regime.opt_in_below and decision != "grant"
    )
    return not ((regime.opt_in and decision != "grant") or (regime.opt_out and decision == "refuse") or too_young)


@given(st.lists(REGIMES, min_size=1, max_size=4), DECISIONS, st.integers(0, 30), st.booleans())
def test_the_strictest_allows_nobody_whom_one_refuses(each, decision, age, parental):
    if allows(strictest(each), decision, age, parental):
        assert all(allows(regime, decision, age, parental) for regime in each)


def test_without_a_law_the_strictest_of_the_packaged_holds():
    policy = Policy.model_validate(shop())
    assert list(policy.law.regulations) == ["gdpr", "ccpa"]
    assert regimes(policy.law)[STRICTEST] == Regime(opt_in=True, opt_out=True, opt_in_below=16, parent_below=16)
    assert regimes(policy.law)["ccpa"] == Regime(opt_in=False, opt_out=True, opt_in_below=16, parent_below=13)
    assert days_to_erase(policy.law) == 30 and limits(policy.law) == {}


def test_a_member_states_age_is_the_laws_only_within_its_range():
    place = {"source": "sales", "column": "born"}
    assert regimes(law(*DOCUMENTS.values(), birth_date={**place, "age": 14}))["gdpr"].parent_below == 14
    assert regimes(law(*DOCUMENTS.values(), birth_date={**place, "age": 14}))["ccpa"].parent_below == 13
    columns = {**shop()["sources"]["sales"]["columns"], "born": "date"}
    asked = {"sources__sales__columns": columns, "law_birth_date": {**place, "age": 12}}
    assert problems(**asked) == ["law.birth_date.age: found 12; allowed by Art. 8 gdpr: 13 to 16"]


def test_jurisdictions_come_from_the_regulations_and_the_policy():
    place = {"source": "sales", "column": "town", "map": {" bavaria ": "gdpr", "de": "ccpa"}}
    named = named_jurisdictions(law(*DOCUMENTS.values(), jurisdiction=place))
    assert (named["FR"], named["US-CA"], named["BAVARIA"], named["DE"], named["NO"]) == ("gdpr", "ccpa", "gdpr", "ccpa", "gdpr")


def test_what_a_basis_asks():
    asked = {
        name: asked_by(law(*DOCUMENTS.values(), basis=name).basis)
        for name in DOCUMENTS["gdpr"]["rules"]["lawful_basis"]["allowed"]
    }
    assert asked == {
        "consent": "consent", "contract": "nothing", "legal_obligation": "nothing", "vital_interests": "nothing",
        "public_task": "objection", "legitimate_interests": "objection",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"law_basis": "contract"}, "law.basis: contract needs `because`"),
        ({"law_bases": {"nothing": "consent"}}, "law.bases: found 'nothing', which is no source; allowed: sales"),
        ({"law_jurisdiction": {"source": "sales", "column": "country"}}, "must declare 'country' as string"),
        ({"law_jurisdiction": {"source": "sales", "column": "town", "map": {"x": "lgpd"}}}, "found 'lgpd'; allowed: gdpr, ccpa"),
        ({"law_birth_date": {"source": "sales", "column": "age"}}, "must declare 'age' as date or timestamp or string"),
        ({"law_purposes": {"sales": {"collected_for": ["marketing"]}}}, "collected for marketing, not for testing (Art. 5(1)(b)"),
        ({"law_retention": {"by": {"sales": "town"}}}, "law.retention.by.sales: source 'sales' must declare 'town' as date or"),
        (with_column("religion"), "law.special_categories.religion: the column's name says religion, which Art. 9 gdpr protects"),
        (with_column("health", law_special_categories={"health": {"exception": "because", "because": "x"}}), "found 'because'"),
    ],
)
def test_faults_are_told_in_one_sentence_that_names_key_and_remedy(settings, sentence):
    found = problems(**settings)
    assert any(sentence in each for each in found), found


def test_what_is_declared_lawful_is_accepted():
    assert problems() == []
    assert problems(law_basis={"basis": "contract", "because": "the account itself"}) == []
    assert problems(law_purposes={"sales": {"collected_for": ["marketing"], "compatible": "research in aggregates"}}) == []
    assert problems(law_purposes={"sales": {"collected_for": ["testing"]}}) == []
    special = {"health": {"exception": "explicit_consent", "because": "asked on the form"}}
    assert problems(**with_column("health", law_special_categories=special)) == []
    assert problems(**with_column("race", law_special_categories={"race": {"exception": "none", "because": "a horse's"}})) == []


def test_a_special_column_that_nothing_uses_needs_no_exception():
    columns = {**shop()["sources"]["sales"]["columns"], "religion": "string"}
    assert problems(sources__sales__columns=columns) == []


def test_a_law_may_name_the_longest_time():
    document = yaml.safe_load(yaml.safe_dump(DOCUMENTS["gdpr"]))
    document["rules"]["retention"]["longest_days"] = 365
    assert problems(document, law_retention={"raw": 365}) == []
    assert problems(document, law_retention={"raw": 366}) == [
        "law.retention.raw: found 366 days; Art. 5(1)(e), Art. 13(2)(a) gdpr allows 365"
    ]


@pytest.mark.parametrize(
    ("column", "word"),
    [("health", "health"), ("partner_health_code", "health"), ("HealthCode", "health"), ("wealth", None), ("healthy", None),
     ("embrace", None), ("trade_union", "union"), ("reunion", None), ("national_id", "national_id"), ("international_id", None)],
)  # fmt: skip
def test_words_stand_whole_in_a_columns_name(column, word):
    assert special_word(column, ["health", "race", "union", "national_id"]) == word


def test_the_age_of_a_row_counts_from_the_declared_column():
    policy = Policy.model_validate(shop(law={"retention": {"raw": 10, "clean": 20, "by": {"other": "made_on"}}}))
    assert limits(policy.law) == {"raw": 10, "clean": 20}
    columns = [age_column(policy.law, policy.clean, source) for source in ("sales", "other", "third")]
    assert columns == ["bought_at", "made_on", None]


def test_the_packaged_laws_differ_in_what_they_ask():
    for one, other in combinations(DOCUMENTS.values(), 2):
        assert regimes(law(one))[STRICTEST] != regimes(law(other))[STRICTEST]
