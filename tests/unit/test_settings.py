"""A policy's mistakes: each is one sentence with file, key, what was found and what is allowed; all come at once."""

import pytest
import yaml
from kveil.anonymize.identity import release_id
from kveil.errors import SettingsError
from kveil.settings import fingerprint, load
from kveil.settings.noise import RowNoise

from tests.builders import CONF, changed, journey


def written(tmp_path, document) -> str:
    path = tmp_path / "policy.yml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return str(path)


def problems(tmp_path, document) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, document))
    assert caught.value.exit_code == 2
    return caught.value.problems


ITEM = "anonymize.sensitive.product_category"


def item(asked: dict) -> dict:
    return {"anonymize__sensitive__product_category": asked}


@pytest.mark.parametrize("path", sorted(CONF.glob("*.yml")), ids=lambda path: path.name)
def test_every_policy_we_ship_loads(path):
    assert load(path).name


@pytest.mark.parametrize(
    ("changes", "key", "says"),
    [
        ({"anonymize__kk": 3}, "anonymize.kk", "no known key"),
        ({"anonymize__k": "ten"}, "anonymize.k", "'ten'"),
        ({"anonymize__k": 1}, "anonymize.k", "greater than or equal to 2"),
        ({"anonymize__quasi_identifiers__shoe_size": {"kind": "number"}}, "anonymize.quasi_identifiers.shoe_size", "shoe_size"),
        (
            {"anonymize__noise__amount_cents": {"lower": 9, "upper": 0, "epsilon": 1}},
            "anonymize.noise.amount_cents",
            "lower must be below",
        ),
        ({"anonymize__noise__amount_cents__epsilon": 0}, "anonymize.noise.amount_cents.epsilon", "greater than 0"),
        ({"anonymize__noise__amount_cents__epsilon": -1}, "anonymize.noise.amount_cents.epsilon", "greater than 0"),
        ({"anonymize__budget": None}, "anonymize", "budget"),
        ({"anonymize__partition_by": ["month"]}, "anonymize.partition_by", "split"),
        ({"anonymize__insensitive__household_id": "x"}, "anonymize.insensitive.household_id", "never released"),
        ({"anonymize__insensitive__age": "x"}, "anonymize", "one role"),
        ({"anonymize": None}, "anonymize", "missing"),
        ({"clean__base": "shops"}, "clean.base", "transactions"),
        (
            {"sources__profiles__columns__household_id": "string"},
            "person",
            "one type in all sources",
        ),
        (
            {f"sources__{name}__columns__household_id": "double" for name in ("transactions", "profiles")},
            "sources.transactions.columns.household_id",
            "does not keep ids apart",
        ),
        ({"clean__money__rates": None}, "clean.money", "rates"),
        ({"sources__products__columns__product_id": "number"}, "sources.products.columns.product_id.type", "must be string"),
        ({"consent__simulated__grant": 0.5}, "consent.simulated", "must be 1"),
        ({"consent__registry": "products"}, "consent", "not both"),
        (
            {"anonymize__quasi_identifiers__income__release": ["bounds"]},
            "anonymize.quasi_identifiers.income",
            "kind ordered allows label and representative",
        ),
        ({"anonymize__quasi_identifiers__date__release": []}, "anonymize.quasi_identifiers.date.release", "at least 1"),
        ({"anonymize__release_columns": ["bounds"]}, "anonymize", "which a text has not"),
        (
            {"anonymize__quasi_identifiers__age__release": ["label"]},
            "train.features.0",
            "add representative to anonymize.quasi_identifiers.age.release",
        ),
        ({"anonymize__partition_by": ["split"], "anonymize__incremental": True}, "anonymize", "such as month"),
        ({"anonymize__suppress": "column"}, "anonymize.suppress", "'row' or 'cell'"),
        (item({"distinct": 1}), f"{ITEM}", "asks for nothing"),
        (item({"recursive": {"c": 2, "l": 1}}), f"{ITEM}.recursive.l", "greater than or equal to 2"),
        (item({"t": 1.5}), f"{ITEM}.t", "less than 1"),
        (item({"distance": "ordered"}), f"{ITEM}", "give t"),
        (item({"t": 0.2, "order": ["a", "b"]}), f"{ITEM}", "ordered alone"),
        (item({"t": 0.2, "distance": "ordered", "order": ["a", "a"]}), f"{ITEM}", "twice"),
        (item({"t": 0.2, "distance": "hierarchical"}), f"{ITEM}", "belong together"),
        (item({"t": 0.2, "hierarchy": {"all": ["a"]}}), f"{ITEM}", "belong together"),
        (item({"t": 0.2, "distance": "hierarchical", "hierarchy": {"x": ["a"], "y": ["a"]}}), f"{ITEM}.hierarchy", "twice: a"),
        (item({"t": 0.2, "distance": "hierarchical", "hierarchy": {"x": {"y": None}}}), f"{ITEM}.hierarchy", "list of values"),
        (item({"t": 0.2, "distance": "hierarchical", "hierarchy": {"x": [1]}}), f"{ITEM}.hierarchy", "texts"),
        ({"anonymize__population": {"source": "people", "k_map": 5}}, "anonymize.population.source", "no source"),
        ({"anonymize__population": {"source": "profiles", "k_map": 5}}, "anonymize.population.source", "'spend_28d'"),
        (
            {"anonymize__population": {"source": "profiles", "person": "citizen", "k_map": 5}},
            "anonymize.population.person",
            "'citizen'",
        ),
        ({"anonymize__population": {"source": "profiles"}}, "anonymize.population", "k_map, delta or both"),
        ({"anonymize__population": {"source": "profiles", "delta": [0.5, 0.1]}}, "anonymize.population", "in this order"),
        ({"anonymize__trajectory": {"points": ["product_category"], "known": 2}}, "anonymize", "allowed, of quasi_identifiers"),
        ({"anonymize__trajectory": {"points": ["date", "date"], "known": 2}}, "anonymize.trajectory", "twice"),
        (
            {"anonymize__trajectory": {"points": ["date"], "known": 2}, "anonymize__incremental": True},
            "anonymize.trajectory",
            "set anonymize.incremental: false",
        ),
        ({"anonymize__trajectory": {"points": ["date"], "known": 4}}, "anonymize.trajectory.known", "less than or equal to 3"),
        (
            {"anonymize__trajectory": {"points": ["date"], "known": 2, "confidence": {"column": "age", "share": 0.5}}},
            "anonymize",
            "column of sensitive",
        ),
        ({"train__label": "month"}, "train.label", "sensitive or insensitive"),
        ({"train__features": ["discounted"]}, "train", "among the features"),
        ({"name": "Journey; DROP TABLE"}, "name", "pattern"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_its_key(tmp_path, changes, key, says):
    found = problems(tmp_path, journey(**changes))
    mine = [line for line in found if f": {key}: " in line]
    assert mine, found
    assert any(says in line for line in mine)
    assert all(line.count("\n") == 0 and "policy.yml" in line for line in found)


def test_all_mistakes_are_told_at_once(tmp_path):
    document = changed(journey(anonymize__k=1, anonymize__suppression_limit=2), surplus=1)
    assert len(problems(tmp_path, document)) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "not valid YAML"), ("", "whole file"), ("- a", "whole file"), ("name: a\nname: b", "stands twice")],
)
def test_a_file_that_is_no_policy(tmp_path, text, says):
    assert says in problems(tmp_path, text)[0]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="no such policy file"):
        load(tmp_path / "nowhere.yml")


def test_the_fingerprint_changes_with_meaning_alone(tmp_path):
    one = load(written(tmp_path, journey()))
    reordered = load(written(tmp_path, dict(reversed(journey().items()))))
    other = load(written(tmp_path, journey(anonymize__k=11)))
    assert fingerprint(one) == fingerprint(reordered) != fingerprint(other)
    assert fingerprint(one, ("train",)) == fingerprint(other, ("train",))


def test_distinct_values_are_asked_where_nothing_else_is(tmp_path):
    def distinct(asked: dict) -> int:
        return load(written(tmp_path, journey(**item(asked)))).anonymize.sensitive["product_category"].distinct

    assert distinct({}) == 2
    assert distinct({"t": 0.3}) == 1
    assert distinct({"beta": 1, "distinct": 3}) == 3
    assert distinct({"recursive": {"c": 2, "l": 3}, "t": None}) == 1


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        ({"lower": 0, "upper": 9, "epsilon": "inf"}, "finite"),
        ({"lower": 0, "upper": 9, "epsilon": "nan"}, "finite"),
        ({"lower": 0, "upper": 9, "epsilon": 1e6}, "less than or equal to 1000"),
        ({"lower": 9, "upper": 9, "epsilon": 1}, "lower must be below upper"),
        ({"lower": "2025-01-01", "upper": "2024-01-01", "epsilon": 1}, "lower must be below upper"),
        ({"lower": "min", "upper": "max", "epsilon": 1}, "bounds taken from the data"),
        ({"lower": "p01", "upper": 100, "epsilon": 1}, "bounds taken from the data"),
        ({"lower": 0, "upper": 2**63, "epsilon": 1}, "fit 64 bits"),
        ({"lower": -(2**70), "upper": 0, "epsilon": 1}, "fit 64 bits"),
        ({"lower": 0, "upper": 2**60, "epsilon": "0.000000001"}, "scale"),
        ({"lower": 0, "upper": 10.5, "epsilon": 1}, "multiples of step"),
        ({"lower": 0, "upper": 10.005, "step": 0.01, "epsilon": 1}, "multiples of step"),
        ({"lower": 0, "upper": 2**56, "step": 0.000001, "epsilon": 1}, "scale"),
        ({"lower": 0, "upper": 10, "step": 0, "epsilon": 1}, "greater than 0"),
        ({"lower": "2024-01-01", "upper": "2024-02-01", "step": 7, "epsilon": 1}, "dates have no step"),
        ({"lower": 0, "upper": float("inf"), "epsilon": 1}, "finite"),
        ({"lower": True, "upper": 10, "epsilon": 1}, "on the column's grid"),
        ({"lower": 0, "upper": "2024-01-01", "epsilon": 1}, "both"),
        ({"lower": 0, "epsilon": 1}, "public bounds"),
        ({"lower": 0, "upper": 9, "epsilon": 1, "clamp_after": "redraw"}, "drawing again"),
        ({"lower": 0, "upper": 9, "epsilon": 1, "values": ["a", "b"]}, "values belong to"),
        ({"mechanism": "randomised_response", "values": ["a"], "epsilon": 1}, "at least two"),
        ({"mechanism": "randomised_response", "values": ["a", "a"], "epsilon": 1}, "each once"),
        ({"mechanism": "randomised_response", "epsilon": 1}, "public values"),
        ({"mechanism": "randomised_response", "values": ["a", "b"], "lower": 0, "epsilon": 1}, "belong to mechanism laplace"),
        ({"mechanism": "gaussian", "lower": 0, "upper": 9, "epsilon": 1}, "'laplace'"),
    ],
)
def test_noise_that_would_protect_nobody_is_refused(tmp_path, noise, says):
    found = problems(tmp_path, journey(anonymize__noise={"amount_cents": noise}))
    assert found
    assert all("anonymize.noise.amount_cents" in line and says in line for line in found)


def test_dates_are_bounds_and_a_noise_key_needs_noise(tmp_path):
    noise = {"date": {"lower": "2017-01-01", "upper": "2017-12-31", "epsilon": 1}}
    role = RowNoise.model_validate(noise["date"])
    assert (role.holds, role.span) == ("date", (17167, 17531))
    found = problems(tmp_path, journey(anonymize__noise={}, anonymize__noise_key={"env": "KEY"}))
    assert "noise_key" in found[0]
    assert "contribution.rows" in problems(tmp_path, journey(anonymize__contribution={"rows": 0}))[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"anonymize__noise_key": {"env": "KEY"}}, "noise_key needs noise_row"),
        ({"anonymize__noise_row": ["basket_id", "basket_id"]}, "names a column twice"),
        ({"anonymize__noise_row": ["amount_cents"]}, "noise_row names amount_cents, which gets noise"),
        ({"anonymize__noise_row": ["basket_id"], "anonymize__noise": {}}, "the release has none"),
        ({"anonymize__noise_row": ["nowhere"]}, "anonymize.noise_row.0: the clean table has no column 'nowhere'; allowed:"),
    ],
)
def test_names_of_rows_are_clean_columns_without_noise(tmp_path, changes, says):
    assert any(says in line for line in problems(tmp_path, journey(**changes)))


def test_accepted_identifiers_are_released_columns_with_a_reason(tmp_path):
    good = journey(anonymize__accepted={"region": "names of stores look like names of people"})
    assert load(written(tmp_path, good)).anonymize.accepted["region"]
    unknown = problems(tmp_path, journey(anonymize__accepted={"household_id": "a reason that is long enough"}))
    assert any("accepted names household_id; allowed:" in problem for problem in unknown)
    curt = problems(tmp_path, journey(anonymize__accepted={"region": "short"}))
    assert any("anonymize.accepted.region" in problem for problem in curt)


def test_accepting_makes_no_release_another_one(tmp_path):
    plain, accepted = (
        load(written(tmp_path, journey(**changes)))
        for changes in ({}, {"anonymize__accepted": {"region": "names of stores look like names of people"}})
    )
    assert release_id(plain, (1, 2)) == release_id(accepted, (1, 2))
