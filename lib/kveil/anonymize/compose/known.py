"""Earlier releases of the same people: which there are, and how a row's class in each of them is told."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from kveil.anonymize.fragments import Key
from kveil.anonymize.identity import guarantee_id, used_columns
from kveil.context import Context
from kveil.model.lineage import lineage_of
from kveil.settings import Policy
from kveil.settings.source_marks import source_marks
from kveil.tables.schema import RELEASE_CLASSES, RELEASE_TREES, RELEASES

_SHAPE = ("algorithm", "cuts", "k", "partition_by", "quasi_identifiers", "sensitive", "release_columns", "suppress", "population")


@dataclass(frozen=True)
class Known:
    """A release that was published before, with those that grew into it: `ids`, the latest first.

    `trees` holds the frozen trees of its partitions (values as texts, in the order of `partition_by`). `pooled` says whether it
    shows rows without their cells; `shape` is equal for releases whose classes were asked to be the same, `guarantee` for those
    that promise the same in everything. `version` is the released table's.
    """

    ids: tuple[str, ...]
    policy: str
    k: int
    shape: str
    columns: tuple[str, ...]
    partition_by: tuple[str, ...]
    pooled: bool
    guarantee: str
    version: int
    trees: Mapping[Key, tuple[bytes, ...]] = field(repr=False)

    @property
    def name(self) -> str:
        """The id of the latest."""
        return self.ids[0]

    def classes(self, ctx: Context) -> DataFrame:
        """Its rows of release_classes."""
        return ctx.store.read(ctx.ref(RELEASE_CLASSES)).where(F.col("release_id").isin(list(self.ids)))


def data_set_of(policy: Policy) -> tuple[str, str]:
    """Whose people a policy releases, and to whom: the ledger's data set and recipient."""
    budget = policy.anonymize.budget
    return (budget.data_set or policy.name, budget.recipient) if budget else (policy.name, "anyone")


def shape_of(policy: Policy) -> str:
    """Equal for policies that ask the same of classes, so that the trees of one release serve the next."""
    asked = policy.anonymize.model_dump(mode="json", include=set(_SHAPE))
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def described(policy: Policy) -> dict[str, Any]:
    """What a release's row in `releases` says for later ones to be compared with it."""
    data_set, recipient = data_set_of(policy)
    settings = policy.anonymize
    return {
        "data_set": data_set, "recipient": recipient, "base": _base_of(policy), "shape": shape_of(policy),
        "columns": used_columns(policy), "partition_by": settings.partition_by, "pooled": settings.suppress == "cell",
    }  # fmt: skip


def this_release(policy: Policy, release_id: str, trees: Mapping[Key, tuple[bytes, ...]]) -> Known:
    """A release that is about to be published, as later ones will know it."""
    settings = policy.anonymize
    told = described(policy)
    columns, by = tuple(told["columns"]), tuple(settings.partition_by)
    promised = guarantee_id(policy)
    return Known((release_id,), policy.name, settings.k, told["shape"], columns, by, told["pooled"], promised, 0, trees)


def known_releases(ctx: Context, lineage: Sequence[str]) -> list[Known]:
    """Every published release of the policy's base rows, the latest first, but those of a lineage and withdrawn ones.

    Whatever a policy and its data set are called: rows of one source are about the same people.
    """
    ref = ctx.ref(RELEASES)
    if not ctx.store.exists(ref):
        return []
    rows = [row.asDict() for row in ctx.store.read(ref).orderBy(F.desc("written_at")).collect()]
    mine = [row for row in rows if _is_of_these_people(row, ctx.policy) and row["release_id"] not in lineage]
    standing = [row for row in mine if row.get("withdrawn_at") is None]
    extended = {row["parent"] for row in standing}
    return [_known(ctx, row, lineage_of(mine, row["release_id"])) for row in standing if row["release_id"] not in extended]


def _is_of_these_people(row: Mapping[str, Any], policy: Policy) -> bool:
    apart = policy.anonymize.recipients_apart and row.get("recipient") not in (None, data_set_of(policy)[1])
    base = _base_of(policy)
    return not apart and (row["policy"] == policy.name or (base != "" and row.get("base") == base))


def _base_of(policy: Policy) -> str:
    """Where the base rows come from, as a hash; empty where they do not name the people."""
    return source_marks(policy).get(policy.clean.base, "")


def _known(ctx: Context, row: Mapping[str, Any], ids: Sequence[str]) -> Known:
    by = tuple(row.get("partition_by") or ())
    found: dict[Key, list[bytes]] = {}
    ref = ctx.ref(RELEASE_TREES)
    if ctx.store.exists(ref):
        for tree in ctx.store.read(ref).where(F.col("release_id").isin(list(ids))).select("partition", "tree").collect():
            found.setdefault(_key(json.loads(tree["partition"]), by), []).append(bytes(tree["tree"]))
    return Known(
        tuple(ids),
        row["policy"],
        int(row["k"]),
        row.get("shape") or "",
        tuple(row.get("columns") or ()),
        by,
        bool(row.get("pooled")),
        row["guarantee"] or "",
        int(row["version"]),
        {key: tuple(trees) for key, trees in found.items()},
    )


def _key(values: Mapping[str, Any], by: Sequence[str]) -> Key:
    """A partition's values as Spark casts them to text; JSON leaves nulls out."""
    texts = [values.get(name) for name in by]
    return tuple(text if text is None or isinstance(text, str) else json.dumps(text) for text in texts)  # type: ignore[misc]
