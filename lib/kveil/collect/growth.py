"""What is new in a source that grows, by each of the ways in which that can be told."""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Row

from kveil.collect.collected import memory
from kveil.collect.file_words import words_of
from kveil.collect.found import Found
from kveil.collect.incoming import Incoming, contract_of, incoming, of_found, readable
from kveil.collect.locations import SourceFile, bare, locate
from kveil.collect.watermarks import future_set_aside, window
from kveil.context import Context
from kveil.errors import ContractError
from kveil.settings.sources import Source
from kveil.tables.changes import appended
from kveil.tables.foreign import at_version


@dataclass(frozen=True)
class Growth:
    """What a source has that its raw table has not: new rows, and rows of earlier batches that lacked consent then.

    `units` is what a batch of the new rows covers; `late` how many rows came too late to be among them, where that is known.
    """

    new: Incoming | None
    again: Incoming | None
    units: Sequence[dict[str, Any]] = ()
    late: int | None = None

    @property
    def ignored(self) -> list[str]:
        """Columns of the source that the policy does not declare."""
        shown = self.new or self.again
        return shown.ignored if shown else []


def growth(ctx: Context, name: str) -> Growth:
    """What is new since the batches that are done; raises ContractError where the source changed in what was collected."""
    way = ctx.policy.sources[name].incremental
    assert way is not None, "only sources that grow are asked"
    return _WAYS[way.by](ctx, name, [row for row in memory(ctx, name, "done") if _same(row["way"], way.by)])


def _same(way: str, asked: str) -> bool:
    """Whether a batch tells what is collected to a source that now grows in the asked way: files are files."""
    return way == asked or {way, asked} == {"file", "stream"}


def mark_of_inputs(ctx: Context, name: str) -> list[Any]:
    """What changes when there is something new in a source: its files, or its Delta version."""
    source = ctx.policy.sources[name]
    files = locate(ctx.spark, name, source, may_be_empty=source.incremental is not None and bool(memory(ctx, name, "done")))
    # Nothing tells from outside whether a database's rows changed, so they are looked at in every run.
    return [[file.path, file.bytes, file.sha256 or ctx.run_id] for file in files]


def files_of(ctx: Context, name: str, done: Sequence[Row], only: Set[str] | None = None) -> Growth:
    """The files (of the paths `only`, where given) that no batch has covered, under this or another name.

    Raises ContractError for a file that was collected with other content.
    """
    files = locate(ctx.spark, name, ctx.policy.sources[name], may_be_empty=bool(done))
    seen = {row["path"]: row["sha256"] for row in done if row["sha256"]}
    changed = [file for file in files if seen.get(file.path, file.sha256) != file.sha256]
    if changed:
        raise ContractError(
            f"sources.{name}: {words_of(changed[0], files, ctx.policy.sources[name])} was collected before with other content; "
            "deliver what is new or corrected under a name of its own, and put the collected file back or remove it"
        )
    contents = {(sha256, *_partition(path)) for path, sha256 in seen.items()}
    new = tuple(
        file for file in files if (file.sha256, *file.partition) not in contents and (only is None or bare(file.path) in only)
    )
    units = [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in new]
    return Growth(_of_files(ctx, name, new), None if only else _files_again(ctx, name, files, done), units)


def _by_stream(ctx: Context, name: str, done: Sequence[Row]) -> Growth:
    """A stream finds its new files itself; here are those that it brought before."""
    files = locate(ctx.spark, name, ctx.policy.sources[name], may_be_empty=True) if _left_out(done) else ()
    return Growth(None, _files_again(ctx, name, files, done))


def _files_again(ctx: Context, name: str, files: Sequence[SourceFile], done: Sequence[Row]) -> Incoming | None:
    left_out = {row["path"] for row in _left_out(done)}
    return _of_files(ctx, name, tuple(file for file in files if file.path in left_out))


def _of_files(ctx: Context, name: str, files: tuple[SourceFile, ...]) -> Incoming | None:
    return incoming(ctx, name, files) if files else None


def _by_watermark(ctx: Context, name: str, done: Sequence[Row]) -> Growth:
    source = contract_of(ctx, name)
    assert source.incremental is not None
    everything = future_set_aside(incoming(ctx, name, locate(ctx.spark, name, source)), source.incremental, ctx.now)
    found = window(everything, source.incremental, done)
    again = everything.only(found.earlier) if found.earlier is not None and _left_out(done) else None
    if found.rows is None:
        return Growth(None, again, late=found.late)
    return Growth(everything.only(found.rows), again, [found.unit], found.late)


def _by_version(ctx: Context, name: str, done: Sequence[Row]) -> Growth:
    source = contract_of(ctx, name)
    (table,) = locate(ctx.spark, name, source)
    until = table.version
    assert until is not None, "a Delta table is located at a version"
    since = done[-1]["version"] if done else None
    again = None
    if since is not None and _left_out(done):
        again = _found(name, source, at_version(ctx.spark, source.uri, since))
    if since == until:
        return Growth(None, again)
    with readable(name, source):
        rows = at_version(ctx.spark, source.uri, until) if since is None else appended(ctx.spark, name, source.uri, since, until)
    return Growth(
        _found(name, source, rows), again, [{"version": until, "path": table.path, "bytes": table.bytes, "sha256": table.sha256}]
    )


def _found(name: str, source: Source, rows: DataFrame) -> Incoming:
    return of_found(name, source, (), Found(rows, rows.schema, texts=False))


def _left_out(done: Sequence[Row]) -> list[Row]:
    """The rows of batches in which somebody had not consented."""
    return [row for row in done if (row["rows_not_consented"] or 0) > 0]


def _partition(path: str) -> tuple[str, ...]:
    return SourceFile(path, 0, "").partition


_WAYS: dict[str, Callable[[Context, str, Sequence[Row]], Growth]] = {
    "file": files_of,
    "stream": _by_stream,
    "watermark": _by_watermark,
    "version": _by_version,
}
