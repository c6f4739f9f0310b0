"""The command line: `kveil run POLICY` for all stages, `kveil STAGE POLICY` for one."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from kveil import __version__
from kveil.anonymize.aggregates import expected
from kveil.anonymize.compose.withdraw import Wish, withdraw
from kveil.anonymize.ledger.statement import statement, verification
from kveil.anonymize.masking.reveal import revealed
from kveil.anonymize.masking.rotate import rotate
from kveil.classify.door import draft_of, names_of, next_steps
from kveil.classify.run import Asked
from kveil.clean.people.explain import pair_explained
from kveil.clean.suggest.run import suggest
from kveil.collect.consent import in_utc
from kveil.collect.explain import explained
from kveil.collect.opened import opened
from kveil.context import Context
from kveil.errors import GuaranteeError, KveilError
from kveil.generate.folder import require_empty
from kveil.generate.size import Bank
from kveil.generate.write import local_folder, write_bank
from kveil.log import Progress
from kveil.modes import share_with_group
from kveil.new_file import require_new, write_new
from kveil.one_sentence import told_in_one_sentence
from kveil.pipeline import STAGES, Stage, replay_quarantine, run
from kveil.profile.lines import lines
from kveil.profile.profiled import profile
from kveil.report.stage import last_summary
from kveil.rights.access import write_file, write_held
from kveil.rights.erase import erase_named, finish, told_erasure
from kveil.rights.people import named_people
from kveil.rights.retain import retain
from kveil.session import WIDE_ROWS, session
from kveil.settings import Policy, load
from kveil.tables.files import FORMATS, FileFormat
from kveil.tables.lake import Lake
from kveil.tables.people import tables_of_others
from kveil.tables.same_people import told_same_people
from kveil.tables.schema import BUDGET_SOURCES
from kveil.tables.store import TableStore

_LEAST_REASON, _MOST_REASON = 12, 500
_NOT_FOR_OTHERS = 0o027
"""The mask of a command: what it makes is at most the group's to read, whatever the user's own mask lets through."""

_POLICY = click.argument("policy", type=click.Path(dir_okay=False))
_LAKE = click.option(
    "--lake", envvar="KVEIL_LAKE", default="./lake", show_default=True, help="Folder, Spark path or catalog:NAME."
)
_FORCE = click.option(
    "--force", is_flag=True, help="Run also what is up to date; noise and budget are never drawn or spent again."
)
_REPLAY = click.option(
    "--replay-quarantine", is_flag=True, help="Judge the rows in quarantine again instead; those that now fit enter the raw zone."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kveil")
def commands() -> None:
    """Turns a bank's tables into data that a model may be trained on, and proves it."""


@commands.command("run")
@_POLICY
@_LAKE
@_FORCE
def run_all(policy: str, lake: str, force: bool) -> None:
    """Runs all seven stages in order; what is up to date is skipped."""
    _run(policy, lake, force, ())


@commands.command("check")
@_POLICY
@_LAKE
def check(policy: str, lake: str) -> None:
    """Reads a policy and reports everything that is wrong with it; touches no data.

    Where a lake is there, says as well whether its accounts count the same people elsewhere.
    """
    sound, place = load(policy), Lake.at(lake)
    told = _accounts_of_same_people(sound, place) if sound.anonymize.budget and _has_accounts(sound, place) else []
    click.echo(f"{policy}: no problem found")
    for sentence in told:
        click.echo(sentence)


def _has_accounts(policy: Policy, place: Lake) -> bool:
    """Whether it is worth a session to look: a folder without accounts is seen to have none."""
    return not place.is_local or (place.folder(BUDGET_SOURCES.of(policy)) / "_delta_log").is_dir()


def _accounts_of_same_people(policy: Policy, place: Lake) -> list[str]:
    with told_in_one_sentence(place):
        return told_same_people(_store(place), policy)


@commands.command("plan")
@_POLICY
def plan(policy: str) -> None:
    """Says what aggregates and bounds of masks will cost and how far they will stray; touches no data, spends nothing."""
    lines = list(expected(load(policy).anonymize))
    for line in lines or [f"{policy}: anonymize names no aggregate, and no mask buys bounds"]:
        click.echo(line)


@commands.command("budget")
@_POLICY
@_LAKE
@click.option("--verify", is_flag=True, help="Check every sum and every hash of the ledger and its audit.")
def budget(policy: str, lake: str, verify: bool) -> None:
    """Shows what was spent, on what, how fast, and what is left; spends and changes nothing."""
    with _asked(policy, lake, "budget") as ctx:
        told, wrong = verification(ctx) if verify else (statement(ctx), [])
    for line in told:
        click.echo(line)
    if wrong:
        raise GuaranteeError("\n".join(["the ledger was tampered with or damaged:", *wrong]))


@commands.group("generate")
def generate() -> None:
    """Makes data that is nobody's, to try things on."""


@generate.command("bank")
@click.option("--customers", type=int, required=True, help="How many people.")
@click.option("--transactions", type=int, required=True, help="How many payments, over the year 2024.")
@click.option("--out", required=True, help="A new or empty folder; it gets one folder per table.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed makes other people.")
@click.option("--dirt", type=float, default=0.02, show_default=True, help="Share of rows with an error; 0 for none.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="parquet", show_default=True)
def generate_bank(out: str, form: FileFormat, **asked: Any) -> None:
    """Makes a bank: customers, accounts, merchants, transactions, loans, consents, and the truth of every error in them."""
    bank, path = Bank(**asked), local_folder(out)
    require_empty(path)
    write_bank(session(more=WIDE_ROWS), bank, path, form, Progress())
    share_with_group([path])
    click.echo(f"the bank is in {out}")


@commands.command("erase")
@_POLICY
@_LAKE
@click.option("--customer", "customers", multiple=True, metavar="ID", help="Whom; may be given several times.")
@click.option(
    "--from", "batch", metavar="FILE", help="A CSV or Parquet file, or a table ZONE.TABLE, with a column as the policy's person."
)
def erase_people(policy: str, lake: str, customers: tuple[str, ...], batch: str | None) -> None:
    """Removes people from every table and file of the policy and proves it; finishes what was cut short."""
    with _asked(policy, lake, "erase") as ctx:
        done = erase_named(ctx, customers, batch) if customers or batch else finish(ctx)
        others = ", ".join(map(str, tables_of_others(ctx.store, ctx.policy)))
    lines = [line for each in done for line in told_erasure(each)]
    if others:
        click.echo(f"not looked at, being no tables of this policy: {others}", err=True)
    for line in lines or ["nothing is pending; name people by --customer or --from"]:
        click.echo(line)


@commands.command("access")
@_POLICY
@_LAKE
@click.option("--customer", required=True, metavar="ID", help="About whom.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write, mode 0600; default: standard output."
)
def access(policy: str, lake: str, customer: str, out: Path | None) -> None:
    """Writes what is held about a person, and what for, as JSON."""
    with _asked(policy, lake, "access") as ctx:
        person = named_people(ctx, (customer,), None)
        rows = write_file(ctx, person, out) if out else write_held(ctx, person, sys.stdout)
    click.echo(f"{rows:,} rows are held", err=True)


@commands.command("consent")
@_POLICY
@_LAKE
@click.option("--customer", required=True, metavar="ID", help="About whom.")
@click.option("--as-of", type=click.DateTime(), help="The moment asked about, UTC; default: now.")
def consent(policy: str, lake: str, customer: str, as_of: datetime | None) -> None:
    """Explains why a person's rows are used or not, as it was known at a moment."""
    with _asked(policy, lake, "consent") as ctx:
        lines = explained(ctx, named_people(ctx, (customer,), None), in_utc(as_of or ctx.now))
    for line in lines:
        click.echo(line)


@commands.command("people")
@_POLICY
@_LAKE
@click.option("--pair", nargs=2, required=True, metavar="ID ID", help="Two registrations' ids.")
def people(policy: str, lake: str, pair: tuple[str, str]) -> None:
    """Explains column by column why two registrations are taken for one person's; shows no value of them."""
    with _asked(policy, lake, "people") as ctx:
        lines = pair_explained(ctx, *pair)
    for line in lines:
        click.echo(line)


@commands.command("profile")
@_POLICY
@_LAKE
def profile_tables(policy: str, lake: str) -> None:
    """Describes what the raw and clean tables hold, column by column; shows nothing that fewer than k people share."""
    with _asked(policy, lake, "profile") as ctx:
        found = profile(ctx)
    for line in lines(found):
        click.echo(line)


@commands.command("classify")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The policy to write; a new file."
)
@click.option("--person", help="The column that tells people apart; default: the one whose name says so.")
@click.option("--label", help="The column that a model shall learn; default: one that looks like it.")
@_LAKE
def classify(sources: tuple[str, ...], out: Path, person: str | None, label: str | None, lake: str) -> None:
    """Drafts a policy from files, folders or Delta tables (a path, or NAME=PATH): a role per column, with the evidence."""
    require_new(out)
    named = names_of(sources)
    place = Lake.at(lake)
    with told_in_one_sentence(place):
        spark = session(files=place.files if place.files.is_dir() else None)
        found = {name: opened(spark, name, address) for name, address in named.items()}
        asked = {name: Asked(each.declared, each.rows, each.texts) for name, each in found.items()}
        told = draft_of(asked, out.stem, person, label, Progress())
    write_new(out, told)
    for line in next_steps(out):
        click.echo(line)


@commands.command("suggest")
@_POLICY
@_LAKE
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for it; default: standard output.")
def suggest_recipe(policy: str, lake: str, out: Path | None) -> None:
    """Writes what would make the collected sources clean, as a recipe to accept or refuse step by step; changes no table."""
    if out:
        require_new(out)
    with _asked(policy, lake, "suggest") as ctx:
        text = suggest(ctx)
    if out:
        write_new(out, text)
    click.echo(f"the recipe is in {out}; name it as clean.recipe in {policy}" if out else text, nl=bool(out))


@commands.command("retain")
@_POLICY
@_LAKE
def retain_rows(policy: str, lake: str) -> None:
    """Deletes raw and clean rows that are older than law.retention, with their files."""
    with _asked(policy, lake, "retain") as ctx:
        rows = retain(ctx)
    for row in rows:
        click.echo(
            f"{row['table']}: {row['rows_deleted']:,} rows older than {row['days']} days deleted, {row['rows_left']:,} left"
        )


@commands.command("rotate-key")
@_POLICY
@_LAKE
def rotate_key(policy: str, lake: str) -> None:
    """Moves the released tokens to the highest version of anonymize.mask_keys; draws and spends nothing."""
    with _asked(policy, lake, "rotate-key") as ctx:
        done = rotate(ctx)
    if not done.columns:
        click.echo(f"the release is masked with key version {done.to_version} already")
        return
    moved = f"{', '.join(done.columns)} of {done.rows:,} rows moved from key version {done.from_version} to {done.to_version}"
    click.echo(f"{moved}; files of the old tokens are deleted; version {done.from_version} may leave anonymize.mask_keys")


@commands.command("withdraw")
@click.argument("release")
@_LAKE
@click.option("--reason", required=True, help="Why, in words that reports repeat; at least 12 letters.")
@click.option("--nobody-had-it", is_flag=True, help="Say so where nobody received the release, as when a policy is tried.")
def withdraw_release(release: str, lake: str, reason: str, nobody_had_it: bool) -> None:
    """Destroys a release's table, versions and trees; later releases are no longer compared with it, its cost stays spent."""
    if not _LEAST_REASON <= len(reason.strip()) <= _MOST_REASON:
        raise click.UsageError(f"--reason: give {_LEAST_REASON} to {_MOST_REASON} letters that say why")
    place = Lake.at(lake)
    with told_in_one_sentence(place):
        wish = Wish(release, reason.strip(), nobody_had_it, datetime.now(timezone.utc))
        done = withdraw(_store(place), wish)
    copies = "nobody had received it" if nobody_had_it else "copies that others made may exist"
    click.echo(f"withdrawn: {', '.join(done.releases)} of {done.table}; files and versions are destroyed; {copies}")
    if done.models:
        click.echo(f"{done.models} models learned from it and keep its frozen generalizer; retire those that are deployed")


@commands.command("reveal")
@_POLICY
@_LAKE
@click.option("--column", required=True, help="The encrypted column.")
@click.option("--token", required=True, help="The value that the release shows.")
@click.option("--reason", required=True, help="Why the person must be known; it is logged.")
def reveal(policy: str, lake: str, column: str, token: str, reason: str) -> None:
    """Writes the value behind a token of an encrypted column; the question is logged first and needs the key."""
    with _asked(policy, lake, "reveal") as ctx:
        value = revealed(ctx, column, token, reason)
    click.echo("the question is in control.reveal_log", err=True)
    click.echo(value)


@contextmanager
def _asked(policy_file: str, lake_address: str, what: str) -> Iterator[Context]:
    """A context outside any run, whose unforeseen errors end as one sentence."""
    policy, place = load(policy_file), Lake.at(lake_address)
    with told_in_one_sentence(place):
        yield _context(policy, _store(place), what, Progress())


def _store(place: Lake) -> TableStore:
    """The lake's tables in a session that writes aside in its restricted zone, which is closed before anything is in it."""
    place.prepare()
    return TableStore(session(files=place.files), place)


def _context(policy: Policy, store: TableStore, what: str, progress: Progress) -> Context:
    now = datetime.now(timezone.utc)
    return Context(policy, store, f"{what}-{now:%Y%m%dT%H%M%S}", now, progress, stage=what)


def _stage_command(stage: Stage) -> click.Command:
    @click.command(stage.name, help=f"Stage {STAGES.index(stage) + 1}: {stage.summary}.")
    @_POLICY
    @_LAKE
    @_FORCE
    def command(policy: str, lake: str, force: bool, replay_quarantine: bool = False) -> None:
        if replay_quarantine:
            _replay(policy, lake)
        else:
            _run(policy, lake, force, (stage.name,))

    return _REPLAY(command) if stage.name == "collect" else command


for _stage in STAGES:
    commands.add_command(_stage_command(_stage))


def _run(policy_file: str, lake_address: str, force: bool, names: Sequence[str]) -> None:
    policy = load(policy_file)
    lake = Lake.at(lake_address)
    progress = Progress()
    store = _store(lake)
    with told_in_one_sentence(lake):
        # Whoever asked to be erased is gone before anything is computed again.
        for line in [line for done in finish(_context(policy, store, "erase", progress)) for line in told_erasure(done)]:
            click.echo(line)
        ended = run(policy, store, progress, names, force)
    if not names or "report" in names:
        for line in last_summary(ended.context):
            click.echo(line)
    if ended.refusal:
        raise GuaranteeError(ended.refusal)


def _replay(policy_file: str, lake_address: str) -> None:
    policy, lake = load(policy_file), Lake.at(lake_address)
    store = _store(lake)
    with told_in_one_sentence(lake):
        ended = replay_quarantine(policy, store, Progress())
    click.echo(f"{ended.rows_in:,} rows judged again, {ended.rows_out:,} of them entered the raw zone")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; a user's error ends as one sentence on stderr and its exit code, never as a trace."""
    before = os.umask(_NOT_FOR_OTHERS)
    os.umask(before | _NOT_FOR_OTHERS)
    try:
        commands.main(args=None if arguments is None else list(arguments), prog_name="kveil", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except KveilError as error:
        click.echo(f"kveil: {error}", err=True)
        sys.exit(error.exit_code)
    finally:
        os.umask(before)
