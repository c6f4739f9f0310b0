"""What every command is given: the options it shares with the others, and a context outside any run."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import click

from kveil.context import Context
from kveil.log import Progress
from kveil.one_sentence import told_in_one_sentence
from kveil.session import session
from kveil.settings import Policy, load
from kveil.tables.lake import Lake
from kveil.tables.store import TableStore

POLICY = click.argument("policy", type=click.Path(dir_okay=False))
LAKE = click.option(
    "--lake", envvar="KVEIL_LAKE", default="./lake", show_default=True, help="Folder, Spark path or catalog:NAME."
)


@contextmanager
def asked(policy_file: str, lake_address: str, what: str) -> Iterator[Context]:
    """A context outside any run, whose unforeseen errors end as one sentence."""
    policy, place = load(policy_file), Lake.at(lake_address)
    with told_in_one_sentence(place):
        yield context_of(policy, store_of(place), what, Progress())


def store_of(place: Lake) -> TableStore:
    """The lake's tables in a session that writes aside in its restricted zone, which is closed before anything is in it."""
    place.prepare()
    return TableStore(session(files=place.files), place)


def context_of(policy: Policy, store: TableStore, what: str, progress: Progress) -> Context:
    """The context of a command, whose run id says what it was."""
    now = datetime.now(timezone.utc)
    return Context(policy, store, f"{what}-{now:%Y%m%dT%H%M%S}", now, progress, stage=what)
