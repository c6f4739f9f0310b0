"""The documents of a report: what they say for given facts, and that facts cannot break them."""

import copy
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from kveil.report import findings, render, stage, words
from kveil.report.figures import class_sizes, pictures
from kveil.report.noise_findings import noise_sentences
from kveil.report.value_findings import telling, told_by_values

GOLDEN = Path(__file__).parents[1] / "golden"
VOID = {"meta", "br", "path", "use", "rect", "circle", "line"}


@pytest.fixture
def facts():
    return json.loads((GOLDEN / "report_facts.json").read_text(encoding="utf-8"))


class Page(HTMLParser):
    """A page's elements, ids and visible text; fails on a tag that closes another."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def without(facts, **changes):
    changed = copy.deepcopy(facts)
    changed.update(changes)
    return changed


def documents(facts):
    """All documents, having been made without an error and without a hole in the text."""
    page, text, lines = Page(render.html(facts)), render.markdown(facts), render.summary(facts)
    for said in (page.text, text, "\n".join(lines)):
        assert not re.search(r"\bNone\b|\bnan\b|Undefined", said)
    json.loads(render.document(facts))
    return page.text, text, lines


def test_markdown_is_the_golden_file(facts):
    golden, made = GOLDEN / "report.md", render.markdown(facts)
    if os.environ.get("KVEIL_GOLDEN") == "write":
        golden.write_text(made, encoding="utf-8", newline="\n")
    assert made == golden.read_text(encoding="utf-8"), "see the difference; KVEIL_GOLDEN=write accepts it"


def test_the_same_facts_give_the_same_bytes(facts):
    assert render.html(facts) == render.html(copy.deepcopy(facts))


def test_json_twin_is_the_facts_and_refuses_what_json_has_not(facts):
    assert json.loads(render.document(facts)) == facts
    with pytest.raises(ValueError, match="JSON"):
        render.document(without(facts, k=float("nan")))


def test_page_loads_nothing_and_runs_nothing(facts):
    page = Page(html := render.html(facts))
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        assert not {"src", "srcset", "data", "background"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "#").startswith("#")
        assert attributes.get("xlink:href", "#").startswith("#")
    assert re.findall(r"url\((?!#)", html) == []
    assert "@import" not in html
    assert set(re.findall(r"https?://[^\"' ]+", html)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_page_is_well_formed_and_accessible(facts):
    page = Page(render.html(facts))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for reference in ("href", "xlink:href"):
            assert attributes.get(reference, "#")[1:] in ["", *ids]
        assert attributes.get("aria-labelledby", ids[0]) in ids
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") for attributes in page.all("th"))
    pictured = page.all("svg")
    assert len(pictured) == 5 + 3 + sum(bool(column["counts"]) for one in facts["profile"] for column in one["columns"])
    assert all(attributes["role"] == "img" and len(attributes["aria-label"]) > 40 for attributes in pictured)


def test_colours_are_readable():
    template = render._template("report.html.j2")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", template))
    for name in ("ink", "soft", "blue", "good", "bad"):
        assert contrast(colours[name], "#ffffff") >= 4.5, name
        assert contrast(colours[name], colours["tint"]) >= 4.5, name


def contrast(one, other):
    """WCAG 2.1's contrast ratio."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


EVIL = [
    "<script>alert(1)</script>",
    "a|b",
    "$x_1^2$",
    '"><svg onload=x>',
    "`c`",
    "[t](http://evil)",
    "]]>&amp;",
    "~~~~\n# h",
    "{{ 7*7 }}",
]


@pytest.mark.parametrize("evil", EVIL)
def test_facts_are_text_and_never_markup(facts, evil):
    plain = Page(render.html(facts))
    lines = render.markdown(facts).count("\n")
    facts["title"] = facts["contact"] = facts["purpose"] = evil
    facts["release"]["table"] = facts["asked"]["release"] = facts["sources"][0]["source"] = evil
    facts["sources"][0]["uri"] = facts["sources"][0]["files"][0]["name"] = evil
    facts["cleaning"][0]["rule"] = facts["stages"][0]["message"] = facts["gate"][0]["model"] = evil
    for column in ("age", "amount_cents", "product_category", "discounted"):
        next(row for row in facts["asked"]["columns"] if row["column"] == column)["column"] = evil
        for row in facts["privacy"]:
            row["scope"] = evil if row["scope"] == column else row["scope"]
    facts["privacy"].append({**facts["privacy"][0], "metric": evil, "scope": evil})
    page, text = Page(render.html(facts)), render.markdown(facts)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements}
    assert " ".join(evil.split()) in " ".join(page.text.split())
    outside_of_code = re.sub(r"^~~~~\n.*?^~~~~$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert "~~~~" not in outside_of_code
    assert re.search(r"(?<!\\)<(script|svg)", outside_of_code) is None
    # The measure that was added is one line; no value of the others made one.
    assert text.count("\n") == lines + 1


def unescaped_bars(line):
    return len(re.findall(r"(?<!\\)\|", line))


def test_every_markdown_table_keeps_its_columns(facts):
    facts["cleaning"][0]["rule"] = "a|b"
    for block in re.findall(r"(?:^\|.*\n)+", render.markdown(facts), re.MULTILINE):
        assert len({unescaped_bars(line) for line in block.splitlines()}) == 1, block


def test_verdict_of_a_good_run(facts):
    assert findings.verdict(facts) == [
        (True, "The guarantee held: the smallest class holds 10 people, at least 10 were asked."),
        (True, "The gate passed: journey_discount is registered as version 3."),
    ]


def test_a_class_below_k_is_never_called_held(facts):
    row = next(row for row in facts["privacy"] if row["metric"] == "class_people_min")
    row["value"], row["met"] = 9.0, True
    assert findings.guarantee(facts) is False
    assert "did not hold, although rows were published" in documents(facts)[0]


@pytest.mark.parametrize("metric", ["distinct_min", "suppressed_share", "recheck_rows_mismatch", "prosecutor_risk_max"])
def test_any_demand_not_met_means_not_held(facts, metric):
    next(row for row in facts["privacy"] if row["metric"] == metric)["met"] = False
    page, text, lines = documents(without(facts, release=None))
    assert "✗ not met" in page and "✗ not met" in text
    assert "The guarantee did not hold, so this release was not published." in "\n".join(lines)


def test_unmeasured_is_not_held(facts):
    facts["privacy"] = [row for row in facts["privacy"] if row["metric"] != "class_people_min"]
    assert findings.guarantee(facts) is None


def test_gate_refused(facts):
    for check in facts["gate"]:
        check["registered_version"] = None
    next(check for check in facts["gate"] if check["check"] == "max_auc_loss").update(met=False, measured=0.0712)
    page, text, lines = documents(facts)
    for said in (page, text, "\n".join(lines)):
        assert "The gate refused, so no model was registered; not met: AUC-ROC lost against the baseline." in said


def test_gate_that_had_no_model_to_judge(facts):
    for check in facts["gate"]:
        check.update(algorithm=None, measured=None, met=False, registered_version=None)
    page, text, _ = documents(without(facts, utility=[]))
    assert "judging no model" in page and "judging no model" in text


def test_report_without_noise_and_sensitive_columns(facts):
    facts["asked"]["columns"] = [column for column in facts["asked"]["columns"] if column["role"] not in ("noise", "sensitive")]
    facts["asked"]["budget"] = None
    facts["release"]["epsilon"] = None
    facts["privacy"] = [
        row for row in facts["privacy"] if words.words_of(row["metric"]).group not in (words.NOISE, words.DISCLOSURE)
    ]
    page, text, _ = documents(without(facts, ledger=[]))
    for said in (page, text):
        assert "no column carries noise" in said
        assert "Epsilon protects one row" not in said
        assert "sensitive values cannot be guessed" not in said
        assert "nothing was spent" in said
    assert [picture.svg != "" for picture in pictures(facts)] == [True, True, True, False]


def test_report_before_models(facts):
    page, text, lines = documents(without(facts, models=[], utility=[], gate=[]))
    for said in (page, text):
        assert "The gate has not decided: no model was judged." in said
        assert "Not measured: the gate was not reached." in said
        assert "fit for its use" not in said
    assert any(re.fullmatch(r"models +not measured", line) for line in lines)


def test_a_second_account_over_the_same_people_is_told_on_the_first_page(facts):
    sentence = "The people of sales are those of data set shop too (policy shop): no cap holds for both together."
    for said in documents({**facts, "same_people": [sentence]})[:2]:
        assert sentence in said
        assert said.index(sentence) < said.index("People in the smallest class")


def test_report_after_a_failed_stage(facts):
    nothing = dict.fromkeys(("privacy", "models", "utility", "gate", "ledger", "cleaning", "sources"))
    empty = without(facts, **{name: [] for name in nothing}, release=None, release_id=None)
    for number, fact in enumerate(empty["stages"][:6]):
        fact.update(dict.fromkeys(fact), stage=fact["stage"], outcome="not run")
        if number == 0:
            fact.update(outcome="failed", message="sources.rates: the file is missing; give its address")
    page, text, lines = documents(empty)
    for said in (page, text):
        assert "Stage collect failed: sources.rates: the file is missing; give its address" in said
        assert "Nothing was published, so there is no table to check." in said
        assert said.lower().count("not measured") >= 8
    assert lines[1] == "guarantee  The guarantee was not measured, and nothing was published."


def test_values_that_are_missing_are_said_to_be(facts):
    for row in [*facts["privacy"], *facts["utility"], *facts["gate"]]:
        for name in ("value", "threshold", "measured"):
            if name in row:
                row[name] = None
    facts["release"] = {
        **dict.fromkeys(facts["release"]),
        "k": 10,
        "address": "a",
        "version": 0,
        "written_at": "2025-01-01T00:00:00Z",
    }
    page, text, _ = documents(facts)
    assert text.count("not measured") >= len(facts["privacy"])
    assert not re.search(r"\bNone\b|\bnan\b", page + text)


def test_a_policy_that_asks_for_more_than_the_release_holds_is_noted(facts):
    facts["asked"]["k"] = 15
    assert "The policy now asks for k = 15; the release was made with k = 10." in documents(facts)[0]


def test_simulated_consent_is_said_wherever_consent_is_shown(facts):
    page, text, lines = documents(facts)
    assert page.count("simulated") >= 4 and text.count("simulated") >= 4
    assert "consent    simulated" in lines
    facts["consent"] = {"simulated": False, "registry": "consents", "as_of": None, "shares": None}
    page, text, lines = documents(facts)
    assert "onsent is simulated" not in page + text + "".join(lines)
    assert "Consent of real people" not in page + text


def test_a_measure_of_the_future_shows_up_by_itself(facts):
    row = {
        **facts["privacy"][0],
        "metric": "membership_inference_auc",
        "scope": "",
        "value": 0.513,
        "threshold": 0.6,
        "met": True,
    }
    facts["privacy"].append(row)
    page, text, _ = documents(facts)
    for said in (page, text):
        assert "Other measures" in said
        assert "membership inference auc" in said and "0.513" in said
        assert "Membership inference: not measured" not in said
        assert "Attribute inference: not measured" in said


def test_noise_is_called_large_only_where_it_is(facts):
    assert "says almost nothing" in noise_sentences(facts)[0]
    next(row for row in facts["privacy"] if row["metric"] == "noise_scale")["value"] = 999.0
    assert "says almost nothing" not in noise_sentences(facts)[0]
    facts["privacy"].append(
        {
            "measured_on": "staging",
            "metric": "noise_to_spread",
            "scope": "amount_cents",
            "value": 3.5,
            "threshold": None,
            "met": None,
        }
    )
    assert "3.5 times as far as the values do: a single" in noise_sentences(facts)[0]


def test_noise_on_dates_and_categories_is_told_in_their_words(facts):
    column = next(column for column in facts["asked"]["columns"] if column["role"] == "noise")
    column["parameters"] = {"lower": "2024-01-01", "upper": "2024-12-31", "epsilon": "1", "clamp_after": True}
    scale = next(row for row in facts["privacy"] if row["metric"] == "noise_scale")
    scale["value"] = 365.0
    assert "365 days, values lie between 2024-01-01 and 2024-12-31. The noise is at least" in noise_sentences(facts)[0]
    assert "2024-01-01 … 2024-12-31, then discrete Laplace noise, then clamped again; ε = 1" in words.parameters(column)
    column["parameters"] = {"values": 4, "epsilon": "1"}
    assert "one of 4 public values, kept or exchanged" in words.parameters(column)


def test_budgets_add_up_exactly(facts):
    facts["ledger"][0]["epsilon"], facts["ledger"][1]["epsilon"], facts["asked"]["budget"] = "0.1", "0.2", "0.3"
    told = {
        "this": "0.2",
        "others": "0.1",
        "spent": "0.3",
        "budget": "0.3",
        "remaining": "0.0",
        "lifetime": "0.3",
        "period": None,
    }
    assert findings.spending(facts) == told


def test_what_was_cancelled_or_is_of_a_person_or_of_another_recipient_is_not_spent_on_rows(facts):
    one = {**facts["ledger"][0], "epsilon": "4"}
    more = [{**one, "state": "cancelled"}, {**one, "unit": "person"}, {**one, "recipient": "partner"}]
    assert findings.spending(without(facts, ledger=facts["ledger"] + more)) == findings.spending(facts)


def test_a_cap_per_period_counts_this_period_and_shows_the_lifetime(facts):
    facts["ledger"][0]["in_period"], facts["asked"]["budget_period"] = False, "month"
    money = findings.spending(facts)
    assert (money["spent"], money["remaining"], money["lifetime"]) == ("2", "4", "4")
    page, text, _ = documents(facts)
    for said in (page, text):
        assert "Spent on rows: 4 since the beginning, 2 this month. Remaining: 4 of 6." in said


def test_figures_order_class_sizes_and_mark_those_below_k(facts):
    facts["privacy"].append({**facts["privacy"][0], "metric": "classes_by_people", "scope": "2-9", "value": 3.0})
    assert [scope for scope, _ in class_sizes(facts)] == ["2-9", "10-14", "15-19", "20-29", "30-49", "50-99", "100-199", "200+"]
    picture = pictures(facts)[0]
    assert "Classes below k = 10 are orange and hatched" in picture.alt
    assert "#d55e00" in picture.svg and "#d55e00" not in pictures({**facts, "release": {**facts["release"], "k": 2}})[0].svg


def test_summary_is_short(facts):
    lines = render.summary(facts)
    assert 5 <= len(lines) <= 8
    assert lines[0] == "released   1,281,904 rows (of 1,318,840 rows); suppressed 2.8% (limit: 5%)"
    assert lines[-1] == "report     reports/20250314T091502-7f3a/index.html"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"),
        (10.0, "10"),
        (1234567, "1,234,567"),
        (0.05341, "0.05341"),
        (1234.56, "1,235"),
        (0.00012, "0.00012"),
        ("2.5", "2.5"),
    ],
)
def test_numbers(value, text):
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0%"), (0.00001, "< 0.01%"), (0.028, "2.8%"), (0.9997, "99.97%"), (1.0, "100%")]
)
def test_shares_are_never_rounded_to_nothing_or_all(value, text):
    assert words.percent(value) == text


DOCUMENTS = {"index.html": "one", "report.md": "two", "facts.json": "three"}


def published(reports):
    return {path.name: path.read_text(encoding="utf-8") for path in sorted((reports / "latest").iterdir())}


def test_publishing_twice_leaves_the_last_report_and_nothing_else(tmp_path):
    reports = tmp_path / "reports"
    stage.publish(reports, "a", {**DOCUMENTS, "old.txt": "gone"})
    stage.publish(reports, "a", DOCUMENTS)
    assert published(reports) == DOCUMENTS
    stage.publish(reports, "b", {**DOCUMENTS, "index.html": "new"})
    assert published(reports)["index.html"] == "new"
    assert sorted(path.name for path in reports.iterdir()) == ["a", "b", "latest"]
    assert os.readlink(reports / "latest") == "b"
    assert (reports / "b").stat().st_mode & 0o777 == 0o750
    assert (reports / "b" / "index.html").stat().st_mode & 0o777 == 0o640


def test_latest_is_a_copy_where_links_fail(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    for run in ("a", "b"):
        stage.publish(tmp_path, run, {**DOCUMENTS, "index.html": run})
    assert published(tmp_path)["index.html"] == "b"
    assert not (tmp_path / "latest").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "latest"]


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path):
    stage.publish(tmp_path, "a", DOCUMENTS)
    with pytest.raises(OSError):
        stage.publish(tmp_path, "a", {"index.html": "half", "no/such/folder.md": "never"})
    assert published(tmp_path) == DOCUMENTS


def test_what_was_spent_is_what_was_spent_on_the_dearest_slice(facts):
    """Rows of different slices are different rows; an entry without slices stands for all of them."""

    def entry(release, epsilon, slices):
        return {**facts["ledger"][0], "release_id": release, "epsilon": epsilon, "slices": slices}

    this = facts["release_id"]
    grown = without(facts, ledger=[entry("old", "2", ["jan", "feb"]), entry(this, "2", ["mar"])])
    assert findings.spending(grown)["spent"] == "2"
    assert findings.spending(grown)["this"] == "2"
    twice = without(facts, ledger=[*grown["ledger"], entry("other", "0.5", None), entry("more", "1", ["feb"])])
    assert findings.spending(twice)["spent"] == "3.5"
    assert findings.spending(twice)["this"] == "0"


def test_columns_left_out_are_said_and_not_grouped_by(facts):
    asked = copy.deepcopy(facts["asked"])
    date = next(column for column in asked["columns"] if column["column"] == "date")
    date["parameters"] = {**date["parameters"], "columns": ["date_lo", "date_hi"]}
    changed = without(facts, asked=asked)
    assert words.parameters(date) == "ranges of whole days; released as date_lo, date_hi alone"
    grouped = next(check for check in findings.checks(changed) if check.title == "Rows in its smallest class")
    assert "`date_lo`, `date_hi`" in grouped.command
    assert "`date`" not in grouped.command
    documents(changed)


def test_the_privacy_models_are_sentences(facts):
    def row(metric, value, threshold, scope=""):
        return {"metric": metric, "scope": scope, "value": value, "threshold": threshold, "met": True, "measured_on": "staging"}

    column = next(column for column in facts["asked"]["columns"] if column["role"] == "sensitive")
    name = column["column"]
    recursive = {"c": 3, "l": 4}
    column["parameters"] = {"distinct": 1, "entropy": 2.5, "recursive": recursive, "t": 0.3, "distance": "ordered", "beta": 1.5}
    facts["privacy"] += [
        row("entropy_l_min", 2.75, 2.5, name),
        row("recursive_c_max", 1.25, 3, name),
        row("t_ordered_max", 0.125, 0.3, name),
        row("beta_max", 0.5, 1.5, name),
        row("k_map_min", 17, 10),
        row("presence_max", 0.25, 0.5),
        row("population_people_outside", 3, None),
        row("trajectory_people_min", 6, 5),
    ]
    for text in documents(facts)[:2]:
        for said in (
            "as diverse as 2.5 equally frequent values",
            "less than 3 times those of rank 4 and below",
            "within 0.3 of the whole table's",
            "more than 2.5 times as frequent as in the whole table",
            f"most frequent value of {name} count more than 1.25 times",
            f"values of {name}, seen in their order, further than 0.125",
            "At least 17 people of the population fit every class",
            "25% at most are in the data",
            "shares them with 6 people at least",
        ):
            assert said in text, said
        assert "distinct values; " not in text
        assert "A separate journalist risk" not in text
        assert "what someone who already knows several" not in text


def test_columns_that_tell_people_apart_stand_on_the_first_page():
    measures = [
        {"metric": "value_singled_out_share", "scope": "item", "value": 0.004, "threshold": 0.01, "met": True},
        {"metric": "value_singled_out_share", "scope": "visits", "value": 0.7, "threshold": None, "met": None},
        {"metric": "value_class_singled_out_share", "scope": "visits", "value": 0.9, "threshold": None, "met": None},
    ]
    facts = {"privacy": measures, "asked": {"columns": [{"column": "visits"}, {"column": "age"}]}}
    assert list(telling(facts)) == [
        ("Singled out by a raw column", "70%", "by visits, accepted with a reason; with their class: 90%", None)
    ]
    ((found, sentence),) = told_by_values(facts)
    assert found and "singles out 90%" in sentence
    assert not list(telling({"privacy": []}))
