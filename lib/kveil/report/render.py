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
from kveil.report.figures import class_sizes, pictures

Fact = dict[str, Any]


def html(facts: Fact) -> str:
    """The report as one HTML page that loads nothing and runs nothing."""
    environment = _environment(autoescape=True)
    environment.filters["svg"] = Markup  # drawn by figures.py, which escapes what it writes
    return environment.get_template("report.html.j2").render(_view(facts))


def markdown(facts: Fact) -> str:
    """The report as Markdown, with the same sections and numbers; figures are told in words."""
    environment = _environment(finalize=_markdown_text)
    environment.filters["code"] = lambda text: Markup(str(text).replace("~", "\N{SMALL TILDE}"))
    return environment.get_template("report.md.j2").render(_view(facts))


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
        ("noise", f"epsilon per value: {tiles['Epsilon per value'].value} ({tiles['Epsilon per value'].detail})"),
    ]
    lines += [("model", line) for line in _model_lines(facts)] or [("models", words.MISSING)]
    lines.append(("gate", findings.verdict(facts)[1][1]))
    if facts["consent"]["simulated"]:
        lines.append(("consent", "simulated"))
    lines.append(("report", facts["path"]))
    return [f"{name:<10} {text}" for name, text in lines]


def _model_lines(facts: Fact) -> list[str]:
    algorithms = sorted({row["algorithm"] for row in facts["utility"]})
    return [
        f"{words.said(words.ALGORITHMS, algorithm)}: AUC {words.ratio(findings.scored(facts, algorithm, 'release', 'generalized'))}"
        f" trained on the release, {words.ratio(findings.scored(facts, algorithm, 'baseline', 'clean'))} on raw values"
        for algorithm in algorithms
    ]


def _environment(**options: Any) -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, **options
    )  # noqa: S701 - the HTML page is made with autoescape, Markdown escapes by `finalize`
    environment.filters |= {
        "number": words.number,
        "percent": words.percent,
        "ratio": words.ratio,
        "seconds": words.seconds,
        "names": words.names,
        "parameters": words.parameters,
        "short": short,
        "sign": status,
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
        "groups": _groups(facts),
        "noise_sentences": findings.noise_sentences(facts),
        "scores": _scores(facts),
        "spending": findings.spending(facts),
        "pictures": pictures(facts),
        "class_sizes": class_sizes(facts),
        "evidence": findings.evidence(facts),
        "not_claimed": findings.not_claimed(facts),
        "checks": findings.checks(facts),
    }


def _groups(facts: Fact) -> list[Fact]:
    """The privacy measures as rows of text, by group; measures without words of their own stand in the last group."""
    rows = [_row(fact) for fact in facts["privacy"] if fact["metric"] != "classes_by_people"]
    order = list(words.METRICS)
    rows.sort(key=lambda row: (order.index(row["metric"]) if row["metric"] in order else len(order), row["metric"], row["scope"]))
    groups = [{"title": title, "rows": [row for row in rows if row["group"] == title]} for title in words.GROUPS]
    always = {words.REIDENTIFICATION, words.LOSS, words.SUPPRESSION, words.NOISE}
    return [group for group in groups if group["rows"] or group["title"] in always]


def _row(fact: Fact) -> Fact:
    known = words.words_of(fact["metric"])
    threshold = "" if fact["threshold"] is None else f"{known.sign} {known.form(fact['threshold'])}".strip()
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
    """The first twelve characters of a long id or hash."""
    text = text or ""
    return text if len(text) <= 16 else text[:12] + "…"


def status(met: bool | None) -> str:
    """A sign and a word, so that colour says nothing alone."""
    return {True: "✓ met", False: "✗ not met", None: "– no threshold"}[met]


def _markdown_text(value: Any) -> Any:
    """Facts cannot make Markdown or HTML: what would is escaped, and a value is one line."""
    if isinstance(value, Markup):
        return value
    text = " ".join(str(value).split()) if value is not None else ""
    text = re.sub(r"([\\`*\[\]<>|#~])", r"\\\1", text)
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", text)
