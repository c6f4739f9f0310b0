"""Who changes a policy's tables waits for nobody: while another does, it ends with a sentence before it has read anything."""

import pytest
from kveil import pipeline
from kveil.anonymize.masking.rotate import rotate
from kveil.errors import KveilError
from kveil.log import Progress
from kveil.rights.erase import erase_named, finish
from kveil.rights.retain import retain
from kveil.tables.lake import Lake
from kveil.tables.schema import ERASING

from tests.builders import context, shop

# Minutes of whole runs: with the long tests.
pytestmark = pytest.mark.long

CHANGING = {
    "a run": lambda ctx: pipeline.run(ctx.policy, ctx.store, Progress()),
    "a replay": lambda ctx: pipeline.replay_quarantine(ctx.policy, ctx.store, Progress()),
    "an erasure": lambda ctx: erase_named(ctx, ("1",), None),
    "an erasure of a table": lambda ctx: erase_named(ctx, (), "clean.shop_purchases"),
    "what an erasure left": finish,
    "retention": retain,
    "a new key": rotate,
}


@pytest.mark.parametrize("change", CHANGING.values(), ids=CHANGING)
def test_who_comes_second_reads_nothing_and_ends_with_a_sentence(store, monkeypatch, change):
    ctx = context(store, shop(law={"retention": {"raw": 10}}), "erase")
    # An erasure that is about to end: its table may be gone at any moment.
    log = store.lake.folder(ctx.ref(ERASING)) / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").touch()

    def read(*_, **__):
        raise AssertionError("read before the lock was held")

    for name in ("read", "property_of", "rows"):
        monkeypatch.setattr(store, name, read)
    with Lake.at(store.lake.root).alone("shop"), pytest.raises(KveilError) as caught:
        change(ctx)
    assert str(caught.value).startswith("policy shop: another run is working in this lake")
    assert len(str(caught.value).splitlines()) == 1


def test_a_table_that_vanishes_while_it_is_looked_for_is_not_there(store):
    ctx = context(store, shop(), "erase")
    assert store.version(ctx.ref(ERASING)) is None
    store.lake.folder(ctx.ref(ERASING)).mkdir(parents=True)
    assert store.version(ctx.ref(ERASING)) is None
