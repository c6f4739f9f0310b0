"""How a source is read: what contradicts itself or its format is told by key, all of it at once."""

import pytest
from kveil.settings.sources import Source
from pydantic import ValidationError

COLUMNS = {"id": "bigint", "day": "date", "price": "decimal(12,2)"}


def source(**settings):
    return Source.model_validate({"uri": "x", "columns": COLUMNS, **settings})


def database(**jdbc):
    return {"format": "jdbc", "uri": "jdbc:postgresql://db/core", "jdbc": {"table": "a", **jdbc}}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"format": "jdbc"}, "belong together"),
        ({"jdbc": {"table": "a"}}, "belong together"),
        ({"uri": "jdbc:postgresql://db/core"}, "belong together"),
        ({**database(), "uri": "postgresql://db/core"}, "belong together"),
        (database(query="SELECT 1"), "either table or query"),
        (database(table="a; DROP TABLE b"), "pattern"),
        (database(fetch_size=0), "greater than or equal to 1"),
        (database(partitions={"column": "nothing"}), "not declared"),
        (database(partitions={"column": "price"}), "whole number or a date"),
        (database(partitions={"column": "id", "lower": 1}), "both lower and upper"),
        (database(partitions={"column": "id", "lower": 9, "upper": 9}), "below upper"),
        (database(partitions={"column": "id", "lower": 1, "upper": "2024-01-01"}), "both be"),
        (
            database(partitions={"column": "id", "lower": "2023-01-01", "upper": "2024-01-01"}),
            "type, bigint",
        ),
        (database(partitions={"column": "day", "lower": 1, "upper": 9}), "date"),
        ({"version": 3}, "format delta"),
        ({"csv": {"delimiter": ";"}}, "format csv"),
        ({"format": "csv", "csv": {"decimal": ",", "thousands": ","}}, "must differ"),
        ({"format": "csv", "csv": {"quote": "''"}}, "one character"),
        ({"format": "csv", "csv": {"quote": ";", "delimiter": ";"}}, "no part of delimiter"),
        ({"format": "csv", "csv": {"encoding": "ebcdic"}}, "'utf-8'"),
        ({"format": "csv", "options": {"mode": "DROPMALFORMED"}}, "found mode; allowed: comment"),
        ({"options": {"mergeSchema": "false"}}, "found mergeSchema; allowed: datetimeRebaseMode"),
        ({"format": "delta", "options": {"x": "1"}}, "allowed: none"),
        ({"rows": {}}, "or control alone"),
        ({"rows": {"min": 1, "control": "count.txt"}}, "or control alone"),
        ({"rows": {"min": 2, "max": 1}}, "must not be over"),
        ({"rows": -1}, "greater than or equal to 0"),
    ],
)
def test_what_contradicts_itself_is_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        source(**settings)


def test_short_forms_and_what_stands_after_from():
    assert (source(rows=7).rows.min, source(rows=7).rows.max) == (7, 7)
    assert source(**database(table="core.accounts")).jdbc.relation == "core.accounts"
    assert source(**database(table=None, query="SELECT 1; ")).jdbc.relation == "(SELECT 1) kveil_query"
