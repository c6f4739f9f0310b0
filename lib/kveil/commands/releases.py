"""Commands about what was released: what it costs, what is left to spend, keys and withdrawal."""

from datetime import datetime, timezone

import click

from kveil.anonymize.aggregates import expected
from kveil.anonymize.compose.withdraw import Wish, withdraw
from kveil.anonymize.ledger.statement import statement, verification
from kveil.anonymize.masking.rotate import rotate
from kveil.commands.asked import LAKE, POLICY, asked, store_of
from kveil.errors import GuaranteeError
from kveil.one_sentence import told_in_one_sentence
from kveil.settings import load
from kveil.tables.lake import Lake

_LEAST_REASON, _MOST_REASON = 12, 500


@click.command("plan")
@POLICY
def plan(policy: str) -> None:
    """Says what aggregates and bounds of masks will cost and how far they will stray; touches no data, spends nothing."""
    lines = list(expected(load(policy).anonymize))
    for line in lines or [f"{policy}: anonymize names no aggregate, and no mask buys bounds"]:
        click.echo(line)


@click.command("budget")
@POLICY
@LAKE
@click.option("--verify", is_flag=True, help="Check every sum and every hash of the ledger and its audit.")
def budget(policy: str, lake: str, verify: bool) -> None:
    """Shows what was spent, on what, how fast, and what is left; spends and changes nothing."""
    with asked(policy, lake, "budget") as ctx:
        told, wrong = verification(ctx) if verify else (statement(ctx), [])
    for line in told:
        click.echo(line)
    if wrong:
        raise GuaranteeError("\n".join(["the ledger was tampered with or damaged:", *wrong]))


@click.command("rotate-key")
@POLICY
@LAKE
def rotate_key(policy: str, lake: str) -> None:
    """Moves the released tokens to the highest version of anonymize.mask_keys; draws and spends nothing."""
    with asked(policy, lake, "rotate-key") as ctx:
        done = rotate(ctx)
    if not done.columns:
        click.echo(f"the release is masked with key version {done.to_version} already")
        return
    moved = f"{', '.join(done.columns)} of {done.rows:,} rows moved from key version {done.from_version} to {done.to_version}"
    click.echo(f"{moved}; files of the old tokens are deleted; version {done.from_version} may leave anonymize.mask_keys")


@click.command("withdraw")
@click.argument("release")
@LAKE
@click.option("--reason", required=True, help="Why, in words that reports repeat; at least 12 letters.")
@click.option("--nobody-had-it", is_flag=True, help="Say so where nobody received the release, as when a policy is tried.")
def withdraw_release(release: str, lake: str, reason: str, nobody_had_it: bool) -> None:
    """Destroys a release's table, versions and trees; later releases are no longer compared with it, its cost stays spent."""
    if not _LEAST_REASON <= len(reason.strip()) <= _MOST_REASON:
        raise click.UsageError(f"--reason: give {_LEAST_REASON} to {_MOST_REASON} letters that say why")
    place = Lake.at(lake)
    with told_in_one_sentence(place):
        wish = Wish(release, reason.strip(), nobody_had_it, datetime.now(timezone.utc))
        done = withdraw(store_of(place), wish)
    copies = "nobody had received it" if nobody_had_it else "copies that others made may exist"
    click.echo(f"withdrawn: {', '.join(done.releases)} of {done.table}; files and versions are destroyed; {copies}")
    if done.models:
        click.echo(f"{done.models} models learned from it and keep its frozen generalizer; retire those that are deployed")
