"""The published rows of an aggregate: exact totals and their noise in one plan, so that no file ever holds what is exact."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.aggregates.bounding import HIGH, LOW, SLOT, totals
from kveil.anonymize.aggregates.cells import CELL, CODE, Grid, shown_type
from kveil.anonymize.aggregates.design import Design
from kveil.anonymize.aggregates.groups import kept_groups
from kveil.anonymize.aggregates.request import Request
from kveil.anonymize.aggregates.results import CHUNK, MEASURES, Publisher, cells_per_chunk
from kveil.anonymize.aggregates.rows import parts, rows_of
from kveil.anonymize.aggregates.secret import secret_of
from kveil.anonymize.arrow import of_all_batches
from kveil.anonymize.columns import ddl
from kveil.context import Context

_ONE_FILE = 100_000


def statistics(ctx: Context, request: Request, clean: DataFrame, few_people: bool) -> DataFrame:
    """The published rows of an aggregate; each evaluation draws the same noise, as long as the secret lives."""
    asked, secret, rows = request.asked, secret_of(ctx), rows_of(ctx, request.asked, clean)
    grid, groups = Grid(asked, dict(clean.dtypes)), None
    if asked.unknown:
        groups = kept_groups(ctx, request, rows, secret)
        grid = Grid(asked, grid.types, groups.count())
        rows = rows.join(groups, asked.unknown)
    summed = exact_totals(rows, grid, request.design, few_people)
    return noisy(summed, Publisher(grid, request.design, secret, request.release_id), groups)


def exact_totals(rows: DataFrame, grid: Grid, made: Design, few_people: bool) -> DataFrame:
    """CELL, SLOT and the halves of every bounded total that is not zero; never written, only read by what adds the noise."""
    found = [totals(part, few_people) for part in parts(rows, grid, made)]
    summed = found[0]
    for more in found[1:]:
        summed = summed.unionByName(more)
    return summed


def noisy(summed: DataFrame, publisher: Publisher, groups: DataFrame | None) -> DataFrame:
    """The published rows of exact totals; `groups` are the unknown ones by their CODE, where there are any."""
    grid, asked = publisher.grid, publisher.grid.asked
    size = cells_per_chunk(publisher.design)
    chunks = -(-grid.cells // size)
    # A chunk without any row must appear as well: its groups are public, and their absence would tell.
    marker = summed.sparkSession.range(chunks).select(
        F.col("id").alias(CHUNK), *[F.expr(f"cast(null AS bigint) AS {column}") for column in (CELL, SLOT, HIGH, LOW)]
    )
    placed = summed.select(F.expr(f"cast(floor({CELL} / {size}) AS bigint) AS {CHUNK}"), CELL, SLOT, HIGH, LOW)
    schema = ddl({CELL: "bigint", **({CODE: "bigint"} if groups is not None else {}), **_key_types(grid), **MEASURES})
    every = marker.unionByName(placed)
    if chunks == 1:
        # Few numbers, all for one worker: nothing needs to be grouped.
        rows = every.coalesce(1).mapInArrow(of_all_batches(publisher.published), schema)
    else:
        rows = every.groupBy(CHUNK).applyInArrow(publisher.function(), schema)
    if groups is not None:
        rows = rows.join(F.broadcast(groups), CODE)
    if grid.cells * publisher.design.width <= _ONE_FILE:
        rows = rows.coalesce(1)
    return rows.sortWithinPartitions(CELL, "grouped_by", "measure").select(
        *[F.col(f"`{each}`") for each in asked.group_by], *MEASURES
    )


def _key_types(grid: Grid) -> dict[str, str]:
    return {name: shown_type(key, grid.types[name]) for name, key in grid.public.items()}
