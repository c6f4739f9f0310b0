"""Commands that make data, describe it, and draft a policy or a recipe from it."""

from pathlib import Path
from typing import Any

import click

from kveil.classify.door import draft_of, names_of, next_steps
from kveil.classify.run import Asked
from kveil.clean.suggest.run import suggest
from kveil.collect.opened import opened
from kveil.commands.asked import LAKE, POLICY, asked
from kveil.generate.folder import require_empty
from kveil.generate.size import Bank
from kveil.generate.write import local_folder, write_bank
from kveil.log import Progress
from kveil.modes import share_with_group
from kveil.new_file import require_new, write_new
from kveil.one_sentence import told_in_one_sentence
from kveil.profile.lines import lines
from kveil.profile.profiled import profile
from kveil.session import WIDE_ROWS, session
from kveil.tables.files import FORMATS, FileFormat
from kveil.tables.lake import Lake


@click.group("generate")
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


@click.command("profile")
@POLICY
@LAKE
def profile_tables(policy: str, lake: str) -> None:
    """Describes what the raw and clean tables hold, column by column; shows nothing that fewer than k people share."""
    with asked(policy, lake, "profile") as ctx:
        found = profile(ctx)
    for line in lines(found):
        click.echo(line)


@click.command("classify")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The policy to write; a new file."
)
@click.option("--person", help="The column that tells people apart; default: the one whose name says so.")
@click.option("--label", help="The column that a model shall learn; default: one that looks like it.")
@LAKE
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


@click.command("suggest")
@POLICY
@LAKE
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="A new file for it; default: standard output.")
def suggest_recipe(policy: str, lake: str, out: Path | None) -> None:
    """Writes what would make the collected sources clean, as a recipe to accept or refuse step by step; changes no table."""
    if out:
        require_new(out)
    with asked(policy, lake, "suggest") as ctx:
        text = suggest(ctx)
    if out:
        write_new(out, text)
    click.echo(f"the recipe is in {out}; name it as clean.recipe in {policy}" if out else text, nl=bool(out))
