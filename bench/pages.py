"""Writes docs/benchmarks.md from bench/results/*.json."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """# Benchmarks

Written by `make docs` from the files under `bench/results/`; each says how it was made. CPU seconds are
those of the whole process tree. Ratios travel between machines, seconds do not.
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(json.loads(path.read_text())) for path in sorted((ROOT / "bench" / "results").glob("*.json")))


def _section(found: dict) -> str:
    machine, versions = found["machine"], ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    head = (
        f"\n## make bench-{found['subject']}\n\n{found['date']}, commit {found['commit']}, {machine['cores']} cores "
        f"({machine['processor']}), Python {machine['python']}, {versions}.\n\n"
        "| figure | value | unit | target | met |\n|---|---|---|---|---|\n"
    )
    return head + "".join(_row(figure) for figure in found["figures"])


def _row(figure: dict) -> str:
    sign = "≤" if figure["better"] == "lower" else "≥"
    target = "" if figure["target"] is None else f"{sign} {figure['target']:g}"
    met = {None: "", True: "yes", False: "**no**"}[figure["met"]]
    return f"| {figure['name']} | {figure['value']:,.4g} | {figure['unit']} | {target} | {met} |\n"


if __name__ == "__main__":
    (ROOT / "docs" / "benchmarks.md").write_text(page(), encoding="utf-8")
