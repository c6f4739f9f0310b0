import pytest
from kveil.collect.contract import check_columns, ignored_columns, widens
from kveil.errors import ContractError
from kveil.settings.sources import Source
from pyspark.sql.types import DateType, LongType, StringType, StructField, StructType

SAFE = {
    ("int", "bigint"), ("smallint", "int"), ("tinyint", "bigint"), ("float", "double"), ("int", "double"), ("smallint", "float"),
    ("timestamp_ntz", "timestamp"), ("int", "decimal(12,2)"), ("decimal(10,2)", "decimal(12,2)"), ("string", "string"),
    ("decimal(10,2)", "decimal(10,2)"), ("bigint", "decimal(19,0)"),
}  # fmt: skip
UNSAFE = {
    ("bigint", "int"), ("double", "float"), ("bigint", "double"), ("int", "float"), ("date", "timestamp"), ("timestamp", "date"),
    ("string", "int"), ("int", "string"), ("decimal(10,2)", "decimal(10,4)"), ("decimal(10,2)", "decimal(10,1)"),
    ("decimal(10,2)", "double"), ("bigint", "decimal(18,0)"), ("double", "decimal(38,10)"), ("boolean", "int"),
}  # fmt: skip


@pytest.mark.parametrize(("found", "declared"), sorted(SAFE))
def test_a_type_widens_when_no_value_can_change(found, declared):
    assert widens(found, declared)


@pytest.mark.parametrize(("found", "declared"), sorted(UNSAFE))
def test_a_type_that_could_lose_a_value_does_not_widen(found, declared):
    assert not widens(found, declared)


def schema(**types):
    return StructType([StructField(name, type_()) for name, type_ in types.items()])


def test_all_columns_at_fault_are_in_one_message_with_found_and_allowed():
    source = Source.model_validate({"uri": "x", "columns": {"id": "int", "day": "timestamp", "name": "string", "gone": "double"}})
    with pytest.raises(ContractError) as error:
        check_columns("people", source, schema(id=LongType, day=DateType, name=StringType), texts=False)
    message = str(error.value)
    assert "sources.people" in message
    assert "id is bigint (allowed: tinyint or smallint or int)" in message
    assert "day is date (allowed: timestamp or timestamp_ntz)" in message
    assert "gone is missing" in message
    assert "name is" not in message


def test_texts_need_only_their_names():
    source = Source.model_validate({"uri": "x", "format": "csv", "columns": {"id": "int"}})
    check_columns("people", source, schema(id=StringType), texts=True)
    assert ignored_columns(source, schema(z=StringType, id=StringType, a=StringType)) == ["z", "a"]
