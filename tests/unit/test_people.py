"""Where people are found: the SQL of ids follows from the schema's declaration and the policy."""

from kveil.settings import Policy
from kveil.tables.declaration import Personal, Table
from kveil.tables.people import id_as_text, person_columns, places, remade
from kveil.tables.schema import TABLES

from tests.builders import shop


def policy(**changes):
    return Policy.model_validate(shop(**changes))


def ids(shop_policy):
    return {str(place.ref): place.ids for place in places(shop_policy)}


def test_every_table_that_holds_people_is_looked_at_or_made_again():
    shop_policy = policy()
    found = {str(place.ref) for place in places(shop_policy)} | {str(ref) for ref in remade(shop_policy)}
    personal = {table.pattern for table in TABLES if table.personal and table.personal.how != "nobody"} - {"{policy}_erasing"}
    assert len(found) == len(personal)  # with one source each table is one
    assert ids(shop_policy)["raw.shop_sales"] == ("CAST(`customer` AS STRING)",)
    assert ids(shop_policy)["restricted.shop_scores"] == ("`person`",)


def test_ids_in_json_are_read_per_source_as_the_tables_have_them():
    items = {"uri": "i", "columns": {"item": "string", "price": "int"}}
    other = {"uri": "o", "columns": {"customer": "string", "item": "string"}}
    shop_policy = policy(sources={**shop()["sources"], "items": items, "other": other})
    (quarantine,) = ids(shop_policy)["restricted.quarantine"]
    assert "source = 'sales' THEN COALESCE(CAST(TRY_CAST(GET_JSON_OBJECT(`row`, '$.customer') AS bigint) AS STRING)" in quarantine
    assert "source = 'other'" in quarantine and "source = 'items'" not in quarantine
    assert quarantine.startswith("CASE WHEN policy != 'shop' THEN NULL")
    assert "raw.shop_items" not in ids(shop_policy)


def test_a_population_of_others_has_ids_of_its_own():
    register = {"uri": "r", "columns": {"citizen": "string", "age": "int", "town": "string", "date": "date"}}
    population = {"source": "register", "person": "citizen", "k_map": 2}
    shop_policy = policy(sources={**shop()["sources"], "register": register}, anonymize__population=population)
    assert person_columns(shop_policy, "register") == ["citizen"]
    assert ids(shop_policy)["raw.shop_register"] == ("CAST(`citizen` AS STRING)",)


def test_an_id_given_as_text_becomes_what_the_column_holds():
    assert id_as_text(policy()) == "CAST(TRY_CAST(TRIM(person) AS bigint) AS STRING)"
    columns = {**shop()["sources"]["sales"]["columns"], "customer": "string"}
    assert id_as_text(policy(sources__sales__columns=columns)) == "person"


def test_rows_that_are_json_where_their_columns_are_null_are_found(monkeypatch):
    staged = Table("restricted", "{policy}_{source}_staged", "", (), personal=Personal("sources", "told"))
    monkeypatch.setattr("kveil.tables.people.TABLES", (staged,))
    (id_,) = ids(policy())["restricted.shop_sales_staged"]
    assert id_.startswith("COALESCE(CAST(`customer` AS STRING), COALESCE(CAST(TRY_CAST(GET_JSON_OBJECT(`told`, '$.customer')")
