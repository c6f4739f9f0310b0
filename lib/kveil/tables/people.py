"""Where people are: which tables of a policy hold rows of a person and how they are found there, as the schema declares it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.settings import Policy
from kveil.tables.declaration import Table, TableRef, Zone
from kveil.tables.keys import with_keyed_hash
from kveil.tables.schema import ERASED, ERASING, MALFORMED, TABLES
from kveil.tables.store import TableStore

ERASURE_KEY = "erasure"
"""The name of the key under which erased ids are hashed."""
HELD = "_kveil_held_person"
"""In front of a row: the id by which it was found."""
_WORDS = (r"[A-Za-z0-9]+", r"[A-Za-z0-9]+(?:[-_.@+/][A-Za-z0-9]+)+")


@dataclass(frozen=True)
class Place:
    """A table that holds rows of people; `ids` are SQL expressions of the ids in a row, as text, null where it has none.

    `naming`, where given, is SQL: whether a row whose own person cannot be read has the id `{id}` somewhere in its text.
    """

    table: Table
    ref: TableRef
    ids: tuple[str, ...]
    naming: str = ""

    def people(self, rows: DataFrame) -> DataFrame:
        """The rows with the column HELD in front, once per id that they hold."""
        listed = ", ".join(self.ids)
        return rows.selectExpr(f"explode(array_distinct(array_compact(array({listed})))) AS {HELD}", "*")


def id_as_text(policy: Policy, column: str = "person") -> str:
    """SQL: an id given as text, as the person column's values are as text; null where it cannot be one of them."""
    type_ = next(
        (source.columns[policy.person].type for source in policy.sources.values() if policy.person in source.columns), ""
    )
    return f"CAST(TRY_CAST(TRIM({column}) AS {type_}) AS STRING)" if type_ not in ("", "string") else column


def places(policy: Policy) -> list[Place]:
    """Every table of the policy in which a person's rows are found by id, in the schema's order."""
    return [
        Place(table, ref, tuple(ids), _naming(policy, table, ids))
        for table in TABLES
        if table not in (ERASING, ERASED) and table.personal
        for source, ref in _refs(policy, table)
        if (ids := list(_ids(policy, table, source)))
    ]


def remade(policy: Policy) -> list[TableRef]:
    """Every table of the policy that holds rows of people without their ids, and that a run makes again."""
    return [ref for table in TABLES if table.personal and table.personal.how == "remade" for ref in table.all_of(policy)]


def tables_of_others(store: TableStore, policy: Policy) -> list[TableRef]:
    """Tables of the zones with people that are none of this policy as it is now: another's, or of a source it no longer names."""
    own = {ref for table in TABLES if table.personal for ref in table.all_of(policy)}
    zones: tuple[Zone, ...] = ("raw", "clean", "restricted")
    return [ref for zone in zones for name in store.names(zone) if (ref := TableRef(zone, name)) not in own]


def person_columns(policy: Policy, source: str) -> list[str]:
    """The columns of a source that hold a person's id: the privacy unit, and the population's own where it has one."""
    columns = dict.fromkeys((policy.person, population_id(policy, source)))
    return [name for name in columns if name and name in policy.used_columns(source)]


def population_id(policy: Policy, source: str) -> str | None:
    """The id column of a population's source that is none of the privacy unit; None for other sources."""
    population = policy.anonymize.population
    own = population.person if population and population.source == source else None
    return own if own != policy.person else None


def with_erased(store: TableStore, policy: Policy, rows: DataFrame, person: str, name: str) -> DataFrame:
    """The rows with the boolean column `name`: whether the id in the column `person` is of somebody who was erased."""
    ref = ERASED.of(policy)
    if not store.exists(ref):
        return rows.withColumn(name, F.lit(False))
    hashed = with_keyed_hash(store, rows, ERASURE_KEY, F.col(person).cast("string"), "_hash")
    erased = store.read(ref).select(F.col("person_hash").alias("_hash"), F.lit(True).alias("_erased")).distinct()
    marked = hashed.join(erased, "_hash", "left").withColumn(name, F.coalesce("_erased", F.lit(False)))
    return marked.select(*rows.columns, name)


def _naming(policy: Policy, table: Table, ids: Sequence[str]) -> str:
    """A line that could not be cut into cells may be of anybody whose id is a word of it."""
    if table.personal is None or table.personal.how != "json":
        return ""
    text = f"`{table.personal.column}`"
    unread = f"(person IS NULL OR GET_JSON_OBJECT({text}, '$.{MALFORMED}') IS NOT NULL)"
    unread += "".join(f" AND NOT {id_} <=> {{id}}" for id_ in ids)
    word = r"CONCAT(r'(?<![A-Za-z0-9])\Q', {id}, r'\E(?![A-Za-z0-9])')"
    return f"policy = '{policy.name}' AND {unread} AND REGEXP_LIKE({text}, {word})"


def with_erased_word(store: TableStore, policy: Policy, rows: DataFrame, text: str, name: str) -> DataFrame:
    """The rows with the boolean column `name`: whether a word of the column `text` is the id of somebody who was erased.

    Asked of few rows, those whose own person cannot be read: every word is hashed. Null has no words.
    """
    ref = ERASED.of(policy)
    if not store.exists(ref):
        return rows.withColumn(name, F.lit(False))
    # An id may have signs within that also stand between words.
    words = [
        F.regexp_extract_all(text, F.lit(rf"({word})")) for word in (r"[A-Za-z0-9]+", r"[A-Za-z0-9]+(?:[-_.@+/][A-Za-z0-9]+)+")
    ]
    each = rows.where(F.col(text).isNotNull()).select(text, F.explode(F.concat(*words)).alias("_word")).distinct()
    hashed = with_keyed_hash(store, each, ERASURE_KEY, F.col("_word"), "_hash")
    erased = store.read(ref).select(F.col("person_hash").alias("_hash")).distinct()
    naming = hashed.join(erased, "_hash", "left_semi").select(F.col(text).alias("_text")).distinct()
    marked = rows.join(F.broadcast(naming), F.col(text) == F.col("_text"), "left")
    return marked.withColumn(name, F.col("_text").isNotNull()).drop("_text")


def _refs(policy: Policy, table: Table) -> Iterator[tuple[str, TableRef]]:
    if "{source}" in table.pattern:
        yield from ((source, table.of(policy, source)) for source in policy.sources)
    else:
        yield from (("", ref) for ref in table.all_of(policy))


def _ids(policy: Policy, table: Table, source: str) -> Iterator[str]:
    how, column = table.personal.how if table.personal else "nobody", table.personal.column if table.personal else ""
    if how == "column":
        yield f"`{column}`"
    elif how == "sources":
        for name in person_columns(policy, source) if source else [policy.person]:
            id_ = f"CAST(`{name}` AS STRING)"
            yield f"COALESCE({id_}, {_as_stored(policy, source, name, column)})" if column else id_
    elif how == "json":
        found = [[_in_json(policy, name, each, column) for each in person_columns(policy, name)] for name in policy.sources]
        for cases in zip_longest(*found, fillvalue=""):
            yield f"CASE WHEN policy != '{policy.name}' THEN NULL {' '.join(cases)} END"


def _in_json(policy: Policy, source: str, column: str, rows: str) -> str:
    """SQL, a branch: the id in a source's row that stands as JSON in the column `rows`."""
    return f"WHEN source = '{source}' THEN {_as_stored(policy, source, column, rows)}"


def _as_stored(policy: Policy, source: str, column: str, rows: str) -> str:
    """SQL: the id in a row of JSON. One that broke its contract stands there as it came, with blanks or zeros in front."""
    found = f"GET_JSON_OBJECT(`{rows}`, '$.{column}')"
    return f"COALESCE(CAST(TRY_CAST({found} AS {policy.sources[source].columns[column].type}) AS STRING), {found})"
