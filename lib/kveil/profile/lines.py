"""A profile as lines for a terminal."""

from collections.abc import Iterator, Sequence

from kveil.profile.profiled import Profile


def lines(found: Sequence[tuple[str, Profile]]) -> Iterator[str]:
    """A line per table and one per column: type, semantic type, role and how sure, missing and distinct values."""
    for table, made in found:
        people = "" if made.totals.people is None else f", about {made.totals.people:,} people"
        yield f"{table}: {made.totals.rows:,} rows{people}"
        width = max((len(each["column"]) for each in made.columns), default=0)
        for each in made.columns:
            missing = each["missing"] / each["rows"] if each["rows"] else 0.0
            sure = f"{each.get('role') or '-'} {each.get('confidence', 0):.2f}"
            yield (
                f"  {each['column']:<{width}}  {each['type']:<14} {each.get('semantic', '-'):<16} {sure:<18}"
                f"{each['distinct']:>12,} distinct  {missing:>6.1%} missing"
            )
        keys = [" + ".join(each["columns"]) for each in made.told if each["kind"] == "key"]
        if keys:
            yield f"  candidate keys in the sample: {', '.join(keys)}"
