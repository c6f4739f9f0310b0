"""A source on its way in: what it is, the files it is read from, and its judged rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.collect import consent, lawful
from kveil.collect.contract import ROW, check_columns, completed, ignored_columns, judged
from kveil.collect.found import Found
from kveil.collect.keys import with_duplicates
from kveil.collect.landing import landed
from kveil.collect.locations import SourceFile
from kveil.collect.provenance import NAMES_ERASED
from kveil.collect.readers import read, unreadable
from kveil.context import Context
from kveil.session import SPARK_ERRORS, disk_is_full
from kveil.settings.consent import DECISIONS, event_columns
from kveil.settings.contract import ColumnContract
from kveil.settings.sources import Source
from kveil.tables.people import population_id, with_erased, with_erased_word
from kveil.tables.schema import MALFORMED

_ERASED, _UNREAD = "_kveil_erased", "_kveil_unread"


@dataclass(frozen=True)
class Incoming:
    """A source that fits its contract's columns; its rows are judged when something asks for them."""

    name: str
    source: Source
    files: tuple[SourceFile, ...]
    rows: DataFrame
    ignored: list[str]

    def only(self, condition: Column) -> "Incoming":
        """The same source with the rows for which a condition on judged columns holds."""
        return replace(self, rows=self.rows.where(condition))


def contract_of(ctx: Context, name: str) -> Source:
    """The source with what must not be null; a registry's contract is completed, since no decision may be missed."""
    source = ctx.policy.sources[name]
    if name != ctx.policy.consent.registry:
        return completed(source)
    asked: dict[str, ColumnContract] = dict(source.columns)
    asked["decision"] = asked["decision"].model_copy(update={"allowed": list(DECISIONS)})
    whole = source.model_copy(update={"columns": asked})
    return completed(whole, event_columns(ctx.policy.person, source.columns))


def incoming(ctx: Context, name: str, files: tuple[SourceFile, ...], at_rest: bool = False) -> Incoming:
    """The rows of a source, judged one by one; raises ContractError where a column does not fit.

    With `at_rest` a database's rows are fetched now, for who looks at them more than once.
    """
    source = contract_of(ctx, name)
    found = read(ctx.spark, name, source, files)
    return of_found(name, source, files, landed(ctx, name, source, found) if at_rest else found)


def of_found(name: str, source: Source, files: tuple[SourceFile, ...], found: Found) -> Incoming:
    """What was found for a source, judged row by row; raises ContractError where a column does not fit."""
    check_columns(name, source, found.schema, found.texts)
    return Incoming(name, source, files, judged(found, source), ignored_columns(source, found.schema))


def candidates(ctx: Context, one: Incoming, people: DataFrame, there: DataFrame | None = None) -> DataFrame:
    """The source's rows with all that decides their fate: rules, key (compared with `there` too) and whether they may be used.

    People of a population, whose consent is not asked, may have been erased all the same.
    """
    marked = with_duplicates(one.rows, one.source, there)
    rows = lawful.with_use(marked, ctx.policy, one.name, people, consent.in_utc(ctx.now))
    rows = _with_erased_word(ctx, rows)
    own = population_id(ctx.policy, one.name)
    if own is None:
        return rows
    erased = with_erased(ctx.store, ctx.policy, rows, own, _ERASED)
    return erased.withColumn(consent.CONSENTS, F.col(consent.CONSENTS) & ~F.col(_ERASED)).drop(_ERASED)


def _with_erased_word(ctx: Context, rows: DataFrame) -> DataFrame:
    """The rows with NAMES_ERASED: a line that could not be cut into cells must not bring back whom it names."""
    if ctx.policy.person not in rows.columns:
        return rows.withColumn(NAMES_ERASED, F.lit(False))
    line = F.get_json_object(ROW, f"$.{MALFORMED}")
    told = rows.withColumn(_UNREAD, F.when(F.col(ctx.policy.person).isNull() | line.isNotNull(), F.col(ROW)))
    return with_erased_word(ctx.store, ctx.policy, told, _UNREAD, NAMES_ERASED).drop(_UNREAD)


@contextmanager
def readable(name: str, source: Source) -> Iterator[None]:
    """Turns a failure inside Spark while a source's files are read into one sentence."""
    try:
        yield
    except SPARK_ERRORS as error:
        # A full disk is no fault of the source; the command line has a sentence for it.
        if disk_is_full(error):
            raise
        raise unreadable(name, source, error) from None
