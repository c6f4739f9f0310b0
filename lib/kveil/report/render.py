"""Turns facts into documents: one self-contained HTML page, its Markdown twin, its JSON twin and lines for a terminal.

The same facts give the same bytes. Whatever the facts hold is text: it is escaped in every document.
"""

import json
import re
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from kveil.report import findings, words
from kveil.report.bars import bars
from kveil.report.cleaning_findings import expectations, people_sentences, rules
from kveil.report.figures import CLASSES_BY_PEOPLE, class_sizes, pictures
from kveil.report.law_findings import RECORD, law_sentences
from kveil.report.noise_findings import noise_sentences
from kveil.report.partition_figure import partition_picture
from kveil.report.people_figure import people_pictures

Fact = dict[str, Any]


def html(facts: Fact) -> str:
    """The report as one HTML page that loads nothing and runs nothing."""
    environment = _environment(autoescape=True, finalize=_or_dash)
    environment.filters["svg"] = Markup  # drawn by figures.py and bars.py, which escape what they write
    environment.filters["bars"] = bars
    return environment.get_template("report.html.j2").render(_view(facts))


def markdown(facts: Fact) -> str:
    """The report as Markdown, with the same sections and numbers; figures are told in words."""
    environment = _environment(finalize=_markdown_text)
    environment.filters["code"] = _code
    return environment.get_template("report.md.j2").render(_view(facts))


def _code(command: str) -> Markup:
    """A command as it is; only what could end its fence is changed."""
    return Markup(command.replace("~", "\N{SMALL TILDE}"))  # noqa: S704 - inside a fence nothing is markup


def document(facts: Fact) -> str:
    """The facts as JSON."""
    return json.dumps(facts, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def summary(facts: Fact) -> list[str]:
    """Five to eight lines for a terminal: what was released, what was re-measured, how the models do, where the report is."""
    tiles = {tile.label: tile for tile in findings.tiles(facts)}
    released, suppressed = tiles["Rows released"], tiles["Rows suppressed"]
    lines = [
        ("released", f"{released.value} rows ({released.detail}); suppressed {suppressed.value} ({suppressed.detail})"),
        ("guarantee", findings.verdict(facts)[0][1]),
        ("noise", f"epsilon per row: {tiles['Epsilon per row'].value} ({tiles['Epsilon per row'].detail})"),
    ]
    lines += [("model", line) for line in _model_lines(facts)] or [("models", words.MISSING)]
    lines.append(("gate", findings.verdict(facts)[1][1]))
    if facts["consent"]["simulated"]:
        lines.append(("consent", "simulated"))
    lines.append(("report", facts["path"]))
    return [f"{name:<10} {text}" for name, text in lines]


def _model_lines(facts: Fact) -> list[str]:
    algorithms = sorted({row["algorithm"] for row in facts["utility"]})
    lines = []
    for algorithm in algorithms:
        ours = words.ratio(findings.scored(facts, algorithm, "release", "generalized"))
        baseline = words.ratio(findings.scored(facts, algorithm, "baseline", "clean"))
        lines.append(f"{words.said(words.ALGORITHMS, algorithm)}: AUC {ours} trained on the release, {baseline} on raw values")
    return lines


def _environment(**options: Any) -> Environment:
    environment = Environment(  # noqa: S701 - HTML is made with autoescape, Markdown escapes by `finalize`
        loader=FunctionLoader(_template),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **options,
    )
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "ratio": words.ratio,
        "seconds": words.seconds,
        "names": words.names,
        "parameters": words.parameters,
        "short": short,
        "status": status,
        "when": lambda time: f"{time[:10]} {time[11:16]} UTC",
    }
    environment.globals["words"] = words
    return environment


def _template(name: str) -> str:
    return (resources.files("kveil.report") / "templates" / name).read_text(encoding="utf-8")


def _view(facts: Fact) -> dict[str, Any]:
    """What the templates are given: the facts and what follows from them."""
    return {
        "facts": facts,
        "asked": facts["asked"],
        "release": facts["release"],
        "verdict": findings.verdict(facts),
        "troubles": findings.troubles(facts),
        "tiles": findings.tiles(facts),
        "rules": rules(facts),
        "expectations": expectations(facts),
        "people_sentences": list(people_sentences(facts)),
        "people_pictures": people_pictures(facts),
        "groups": _groups(facts),
        "gate": _checks([(row["check"], row["measured"], row["threshold"], row["met"]) for row in facts["gate"]]),
        "gate_asked": _checks([(name, None, threshold, None) for name, threshold in facts["asked"]["gate"].items()]),
        "noise_sentences": noise_sentences(facts),
        "scores": _scores(facts),
        "spending": findings.spending(facts),
        "pictures": [*pictures(facts), partition_picture(facts)],
        "class_sizes": class_sizes(facts),
        "evidence": findings.evidence(facts),
        "not_claimed": findings.not_claimed(facts),
        "checks": findings.checks(facts),
        "law": facts["law"],
        "law_sentences": list(law_sentences(facts)),
        "record": [{"label": words.said(RECORD, row["item"]), "value": row["value"]} for row in facts["law"]["record"]],
    }


def _groups(facts: Fact) -> list[Fact]:
    """The privacy measures as rows of text, by group and by where they were measured; those without words stand last."""
    rows = [_row(fact) for fact in facts["privacy"] if fact["metric"] != CLASSES_BY_PEOPLE]
    order = list(words.METRICS)
    rows.sort(key=lambda row: (order.index(row["metric"]) if row["metric"] in order else len(order), row["metric"], row["scope"]))
    always = {words.REIDENTIFICATION, words.LOSS, words.SUPPRESSION, words.NOISE}
    groups = []
    for title in words.GROUPS:
        inside = [row for row in rows if row["group"] == title]
        parts = [{"where": where, "rows": [row for row in inside if row["where"] == where]} for where in _first_seen(inside)]
        if parts or title in always:
            groups.append({"title": title, "parts": parts})
    return groups


def _first_seen(rows: list[Fact]) -> list[str]:
    return list(dict.fromkeys(row["where"] for row in rows))


def _row(fact: Fact) -> Fact:
    known = words.words_of(fact["metric"])
    threshold = "none" if fact["threshold"] is None else f"{known.sign} {known.form(fact['threshold'])}".strip()
    return {
        "group": known.group,
        "metric": fact["metric"],
        "scope": fact["scope"] or "",
        "label": known.label,
        "where": words.said(words.MEASURED_ON, fact["measured_on"]),
        "value": known.form(fact["value"]),
        "threshold": threshold,
        "met": fact["met"],
    }


def _checks(rows: list[tuple[str, Any, Any, bool | None]]) -> list[Fact]:
    """The gate's thresholds in words: name, measured value, threshold with its side, whether it is met."""
    order = list(words.GATE)
    rows = sorted(rows, key=lambda row: order.index(row[0]) if row[0] in order else len(order))
    side = {"min": "≥", "max": "≤", "k": "≥"}
    return [
        {
            "label": words.said(words.GATE, name),
            "measured": words.number(value),
            "threshold": f"{side.get(name[:3], '')} {words.number(threshold)}".strip(),
            "met": met,
        }
        for name, value, threshold, met in rows
    ]


def _scores(facts: Fact) -> Fact:
    """The models' scores as a table: a column per measure, a row per algorithm, training and view."""
    metrics = [*words.SCORES, *sorted({row["metric"] for row in facts["utility"]} - set(words.SCORES))]
    keys = sorted({(row["algorithm"], row["trained_on"], row["view"], row["rows"] or 0) for row in facts["utility"]})
    rows = [
        {
            "algorithm": words.said(words.ALGORITHMS, algorithm),
            "trained_on": trained_on,
            "view": words.said(words.VIEWS, view),
            "rows": rows,
            "values": [findings.scored(facts, algorithm, trained_on, view, metric) for metric in metrics],
        }
        for algorithm, trained_on, view, rows in keys
    ]
    return {"metrics": [words.said(words.SCORES, metric) for metric in metrics], "rows": rows}


def short(text: str | None) -> str:
    """A long id or hash by its first twelve characters."""
    text = text or ""
    return text if len(text) <= 20 else text[:12] + "…"


def status(met: bool | None) -> str:
    """A sign and a word, so that colour says nothing alone; a dash where nothing is demanded."""
    return {True: "✓ met", False: "✗ not met", None: "\N{EN DASH}"}[met]


def _or_dash(value: Any) -> Any:
    return "\N{EN DASH}" if value is None else value


def _markdown_text(value: Any) -> Any:
    """Facts cannot make Markdown or HTML: what would is escaped, and a value is one line."""
    if isinstance(value, Markup):
        return value
    text = " ".join(str(_or_dash(value)).split())
    text = re.sub(r"([\\`*\[\]<>|#~])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
