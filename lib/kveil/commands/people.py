"""Commands about one person or a list of them: what the law grants them, and what links their registrations."""

import sys
from datetime import datetime
from pathlib import Path

import click

from kveil.anonymize.masking.reveal import revealed
from kveil.clean.people.explain import pair_explained
from kveil.collect.consent import in_utc
from kveil.collect.explain import explained
from kveil.commands.asked import LAKE, POLICY, asked
from kveil.rights.access import write_file, write_held
from kveil.rights.erase import erase_named, finish, told_erasure
from kveil.rights.people import named_people
from kveil.rights.retain import retain
from kveil.tables.people import tables_of_others


@click.command("erase")
@POLICY
@LAKE
@click.option("--customer", "customers", multiple=True, metavar="ID", help="Whom; may be given several times.")
@click.option(
    "--from", "batch", metavar="FILE", help="A CSV or Parquet file, or a table ZONE.TABLE, with a column as the policy's person."
)
def erase_people(policy: str, lake: str, customers: tuple[str, ...], batch: str | None) -> None:
    """Removes people from every table and file of the policy and proves it; finishes what was cut short."""
    with asked(policy, lake, "erase") as ctx:
        done = erase_named(ctx, customers, batch) if customers or batch else finish(ctx)
        others = ", ".join(map(str, tables_of_others(ctx.store, ctx.policy)))
    lines = [line for each in done for line in told_erasure(each)]
    if others:
        click.echo(f"not looked at, being no tables of this policy: {others}", err=True)
    for line in lines or ["nothing is pending; name people by --customer or --from"]:
        click.echo(line)


@click.command("access")
@POLICY
@LAKE
@click.option("--customer", required=True, metavar="ID", help="About whom.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, mode 0600; default: standard output."
)
def access(policy: str, lake: str, customer: str, out: Path | None) -> None:
    """Writes what is held about a person, and what for, as JSON."""
    with asked(policy, lake, "access") as ctx:
        person = named_people(ctx, (customer,), None)
        rows = write_file(ctx, person, out) if out else write_held(ctx, person, sys.stdout)
    click.echo(f"{rows:,} rows are held", err=True)


@click.command("consent")
@POLICY
@LAKE
@click.option("--customer", required=True, metavar="ID", help="About whom.")
@click.option("--as-of", type=click.DateTime(), help="The moment asked about, UTC; default: now.")
def consent(policy: str, lake: str, customer: str, as_of: datetime | None) -> None:
    """Explains why a person's rows are used or not, as it was known at a moment."""
    with asked(policy, lake, "consent") as ctx:
        lines = explained(ctx, named_people(ctx, (customer,), None), in_utc(as_of or ctx.now))
    for line in lines:
        click.echo(line)


@click.command("people")
@POLICY
@LAKE
@click.option("--pair", nargs=2, required=True, metavar="ID ID", help="Two registrations' ids.")
def people(policy: str, lake: str, pair: tuple[str, str]) -> None:
    """Explains column by column why two registrations are taken for one person's; shows no value of them."""
    with asked(policy, lake, "people") as ctx:
        lines = pair_explained(ctx, *pair)
    for line in lines:
        click.echo(line)


@click.command("retain")
@POLICY
@LAKE
def retain_rows(policy: str, lake: str) -> None:
    """Deletes raw and clean rows that are older than law.retention, with their files."""
    with asked(policy, lake, "retain") as ctx:
        rows = retain(ctx)
    for row in rows:
        click.echo(
            f"{row['table']}: {row['rows_deleted']:,} rows older than {row['days']} days deleted, {row['rows_left']:,} left"
        )


@click.command("reveal")
@POLICY
@LAKE
@click.option("--column", required=True, help="The encrypted column.")
@click.option("--token", required=True, help="The value that the release shows.")
@click.option("--reason", required=True, help="Why the person must be known; it is logged.")
def reveal(policy: str, lake: str, column: str, token: str, reason: str) -> None:
    """Writes the value behind a token of an encrypted column; the question is logged first and needs the key."""
    with asked(policy, lake, "reveal") as ctx:
        value = revealed(ctx, column, token, reason)
    click.echo("the question is in control.reveal_log", err=True)
    click.echo(value)
