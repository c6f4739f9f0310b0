"""How classified sources fit together in one policy: base, joins, time, registry of consent, label; what does not fit is said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from kveil.classify.purposes import is_registry
from kveil.classify.roles import Column
from kveil.settings.base import ColumnName

_NAMES: TypeAdapter[str] = TypeAdapter(ColumnName)
_TAKEN = ("date", "month", "split")
_LABELS = ("label", "status")


@dataclass(frozen=True)
class Classified:
    """A source with its columns' roles, what singles people out in it, its rows, and how a policy declares it.

    `purposes` are those that a registry of consent has decisions for.
    """

    name: str
    declared: dict[str, Any]
    columns: list[Column]
    sets: list[dict[str, Any]]
    rows: int
    people: int
    sampled_people: int
    unique: tuple[str, ...] = ()
    purposes: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """The column of a name; None where there is none."""
        return next((each for each in self.columns if each.name == name), None)


@dataclass(frozen=True)
class Plan:
    """The policy to be drafted: which source is the base, which are joined by which column, and what stays out and why."""

    person: str | None
    base: Classified
    time: str | None
    joins: list[tuple[Classified, str]]
    registry: Classified | None
    label: str | None
    left_out: dict[str, str]
    dropped: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def used(self) -> list[Classified]:
        """The sources whose columns come together, the base first."""
        return [self.base, *(source for source, _ in self.joins)]

    def kept(self, source: Classified) -> list[Column]:
        """The source's columns that can be declared and have a name of their own."""
        return [each for each in source.columns if (source.name, each.name) not in self.dropped]

    def clean(self) -> list[Column]:
        """All columns of the clean table that come from sources; a join's key once."""
        keys = {(source.name, key) for source, key in self.joins}
        return [each for source in self.used for each in self.kept(source) if (source.name, each.name) not in keys]


def planned(sources: Sequence[Classified], person: str | None, label: str | None) -> Plan:
    """The plan that the sources' columns suggest: the base has people and time and the most rows, the others join it by a key."""
    registry = next((each for each in sources if is_registry([column.name for column in each.columns])), None)
    rest = [each for each in sources if each is not registry]
    base = max(rest or list(sources), key=lambda each: (_has(each, person), _time(each) is not None, each.rows))
    joins: list[tuple[Classified, str]] = []
    left_out: dict[str, str] = {}
    for each in rest:
        if each is not base:
            key = _key(each, base, person)
            if key:
                joins.append((each, key))
            else:
                left_out[each.name] = "no column of it that is unique there names a column of the base; join it by hand"
    whole = Plan(person, base, _time(base), joins, registry, None, left_out)
    dropped = dict(_dropped(whole))
    made = Plan(person, base, whole.time, joins, registry, None, left_out, dropped)
    return Plan(person, base, whole.time, joins, registry, label or _label(made), left_out, dropped)


def _has(source: Classified, person: str | None) -> bool:
    return person is not None and source.column(person) is not None


def _time(source: Classified) -> str | None:
    """The column that dates the source's rows: a moment by name before any other day, and none that dates a person."""
    days = [each for each in source.columns if each.type in ("date", "timestamp")]
    moments = [each for each in days if each.semantic not in ("birth_date", "since")]
    ordered = sorted(moments, key=lambda each: (each.semantic != "moment", each.type != "timestamp"))
    return ordered[0].name if ordered else None


def _key(source: Classified, base: Classified, person: str | None) -> str | None:
    """The column by which rows of the base find at most one row of the source: the person's, or another that both have."""
    shared = [each for each in source.unique if base.column(each) is not None]
    return person if person in shared else next(iter(shared), None)


def _dropped(plan: Plan) -> Iterator[tuple[tuple[str, str], str]]:
    """Columns that cannot stand in the policy or the clean table, with the reason."""
    seen = {name.lower() for name in _TAKEN}
    keys = {source.name: key for source, key in plan.joins}
    for source in plan.used:
        for each in source.columns:
            place = (source.name, each.name)
            if keys.get(source.name) == each.name:
                continue
            if not _can_be_declared(each.name):
                yield place, "its name has signs that a policy's column cannot have; rename it in the source"
            elif each.name.lower() in seen:
                yield place, "another column of the clean table has this name; rename it in the source if it is needed"
            else:
                seen.add(each.name.lower())


def _can_be_declared(name: str) -> bool:
    try:
        _NAMES.validate_python(name)
    except ValidationError:
        return False
    return True


def _label(plan: Plan) -> str | None:
    """What a model may learn: a flag named as an outcome, else any flag, else a sensitive text of few values."""
    flags = [each for each in plan.clean() if each.values == 2 and each.role in ("sensitive", "insensitive")]
    few = [each for each in plan.clean() if 2 < each.values <= 50 and each.role == "sensitive" and each.type == "string"]
    ordered = sorted(flags, key=lambda each: (each.semantic not in _LABELS, each.semantic != "label"))
    return next((each.name for each in [*ordered, *few]), None)
