"""The command line: `kveil run POLICY` for all stages, `kveil STAGE POLICY` for one, and the commands beside them."""

import os
import sys
from collections.abc import Sequence

import click

from kveil import __version__
from kveil.commands import data, people, releases
from kveil.commands.asked import LAKE, POLICY, context_of, store_of
from kveil.errors import GuaranteeError, KveilError
from kveil.log import Progress
from kveil.one_sentence import told_in_one_sentence
from kveil.pipeline import STAGES, Stage, replay_quarantine, run
from kveil.report.stage import last_summary
from kveil.rights.erase import finish, told_erasure
from kveil.settings import Policy, load
from kveil.tables.lake import Lake
from kveil.tables.same_people import told_same_people
from kveil.tables.schema import BUDGET_SOURCES

_NOT_FOR_OTHERS = 0o027
"""The mask of a command: what it makes is at most the group's to read, whatever the user's own mask lets through."""

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
@POLICY
@LAKE
@_FORCE
def run_all(policy: str, lake: str, force: bool) -> None:
    """Runs all seven stages in order; what is up to date is skipped."""
    _run(policy, lake, force, ())


@commands.command("check")
@POLICY
@LAKE
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
        return told_same_people(store_of(place), policy)


def _stage_command(stage: Stage) -> click.Command:
    @click.command(stage.name, help=f"Stage {STAGES.index(stage) + 1}: {stage.summary}.")
    @POLICY
    @LAKE
    @_FORCE
    def command(policy: str, lake: str, force: bool, replay_quarantine: bool = False) -> None:
        if replay_quarantine:
            _replay(policy, lake)
        else:
            _run(policy, lake, force, (stage.name,))

    return _REPLAY(command) if stage.name == "collect" else command


_BESIDE_STAGES = (
    releases.plan,
    releases.budget,
    releases.rotate_key,
    releases.withdraw_release,
    data.generate,
    data.classify,
    data.profile_tables,
    data.suggest_recipe,
    people.erase_people,
    people.access,
    people.consent,
    people.people,
    people.retain_rows,
    people.reveal,
)
for _command in (*map(_stage_command, STAGES), *_BESIDE_STAGES):
    commands.add_command(_command)


def _run(policy_file: str, lake_address: str, force: bool, names: Sequence[str]) -> None:
    policy = load(policy_file)
    lake = Lake.at(lake_address)
    progress = Progress()
    store = store_of(lake)
    with told_in_one_sentence(lake):
        # Whoever asked to be erased is gone before anything is computed again.
        for line in [line for done in finish(context_of(policy, store, "erase", progress)) for line in told_erasure(done)]:
            click.echo(line)
        ended = run(policy, store, progress, names, force)
    if not names or "report" in names:
        for line in last_summary(ended.context):
            click.echo(line)
    if ended.refusal:
        raise GuaranteeError(ended.refusal)


def _replay(policy_file: str, lake_address: str) -> None:
    policy, lake = load(policy_file), Lake.at(lake_address)
    store = store_of(lake)
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
