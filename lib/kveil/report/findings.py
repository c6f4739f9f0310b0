"""What follows from the facts: verdict, key figures, evidence by risk, and what is not claimed.

Every sentence here depends on a fact, so that a report never says what this policy and these measurements do not bear.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from kveil.report.cleaning_findings import cleaning_troubles
from kveil.report.composition import composition_sentences, composition_troubles
from kveil.report.law_findings import law_troubles
from kveil.report.mask_words import mask_limits
from kveil.report.value_findings import telling, told_by_values
from kveil.report.words import GATE, MISSING, names, number, percent, ratio, said, words_of

Fact = dict[str, Any]


class Tile(NamedTuple):
    """One key figure; `met` is None where nothing is demanded."""

    label: str
    value: str
    detail: str
    met: bool | None = None


class Evidence(NamedTuple):
    """One of the three risks of WP29 Opinion 05/2014: what was measured for it and what was not."""

    risk: str
    question: str
    found: list[str]
    missing: list[str]


class Check(NamedTuple):
    """Something the reader can do: a command and what it must answer."""

    title: str
    command: str
    expected: str


def measured(facts: Fact, metric: str, scope: str = "") -> Any:
    """A privacy measure's value; None when it was not measured."""
    return next((row["value"] for row in facts["privacy"] if row["metric"] == metric and (row["scope"] or "") == scope), None)


def scored(facts: Fact, algorithm: str, trained_on: str, view: str, metric: str = "auc_roc") -> float | None:
    """A model's score; None when it was not measured."""
    wanted = (algorithm, trained_on, view, metric)
    rows = facts["utility"]
    return next(
        (row["value"] for row in rows if (row["algorithm"], row["trained_on"], row["view"], row["metric"]) == wanted), None
    )


def guarantee(facts: Fact) -> bool | None:
    """Whether what was demanded of the release was met as re-measured; None when it was not measured."""
    smallest = measured(facts, "class_people_min")
    if any(row["met"] is False for row in facts["privacy"]):
        return False
    if smallest is None:
        return None
    return bool(smallest >= asked_k(facts))


def asked_k(facts: Fact) -> int:
    """The k of the release where there is one, else that of the policy."""
    return int(facts["release"]["k"] if facts["release"] else facts["asked"]["k"])


def gate(facts: Fact) -> bool | None:
    """Whether every check of the gate was met; None when there was no decision."""
    return all(check["met"] for check in facts["gate"]) if facts["gate"] else None


def verdict(facts: Fact) -> list[tuple[bool | None, str]]:
    """The report in two sentences, each with whether it is good news, bad news or none yet."""
    held, passed = guarantee(facts), gate(facts)
    smallest, k = number(measured(facts, "class_people_min")), asked_k(facts)
    published = facts["release"] is not None
    if held:
        first = f"The guarantee held: the smallest class holds {smallest} people, at least {k} were asked."
        if not published:
            first += " This release was not published."
    elif held is None:
        first = "The guarantee was not measured" + ("." if published else ", and nothing was published.")
    else:
        first = (
            "The guarantee did not hold, " + ("although rows were" if published else "so this release was not") + " published."
        )
    if passed:
        version = facts["gate"][0]["registered_version"]
        registered = f": {facts['gate'][0]['model']} is registered as version {version}" if version else ""
        return [(held, first), (True, f"The gate passed{registered}.")]
    if passed is None:
        return [(held, first), (None, "The gate has not decided: no model was judged.")]
    failed = names([said(GATE, check["check"]) for check in facts["gate"] if not check["met"]])
    return [(held, first), (False, f"The gate refused, so no model was registered; not met: {failed}.")]


def troubles(facts: Fact) -> list[str]:
    """What a reader must know before the numbers: stages not finished, expectations not met, a policy newer than the release."""
    said_so = [
        f"Stage {stage['stage']} {stage['outcome']}: {stage['message'] or 'no reason was recorded'}"
        for stage in facts["stages"]
        if stage["outcome"] in ("failed", "refused")
    ]
    release = facts["release"]
    if release and release["k"] != facts["asked"]["k"]:
        said_so.append(f"The policy now asks for k = {facts['asked']['k']}; the release was made with k = {release['k']}.")
    others = [*facts["same_people"], *composition_troubles(facts)]
    return [*said_so, *others, *cleaning_troubles(facts), *law_troubles(facts)]


def champion(facts: Fact) -> str | None:
    """The algorithm that the gate judged, or else the release's best; None when no model was scored."""
    if facts["gate"]:
        judged: str | None = facts["gate"][0]["algorithm"]
        return judged
    best = [row for row in facts["utility"] if row["trained_on"] == "release" and row["metric"] == "auc_roc" and row["value"]]
    return str(max(best, key=lambda row: (row["view"] == "generalized", row["value"]))["algorithm"]) if best else None


def tiles(facts: Fact) -> list[Tile]:
    """The key figures: five, and what columns that are released as they are tell of people, where there are such."""
    return [
        _released(facts),
        _smallest(facts),
        _suppressed(facts),
        _epsilon(facts),
        _auc(facts),
        *(Tile(*each) for each in telling(facts)),
    ]


def _released(facts: Fact) -> Tile:
    release = facts["release"]
    if not release:
        return Tile("Rows released", "0", "nothing was published")
    return Tile("Rows released", number(release["rows_released"]), f"of {number(release['rows_in'])} rows")


def _smallest(facts: Fact) -> Tile:
    smallest, k = measured(facts, "class_people_min"), asked_k(facts)
    return Tile(
        "People in the smallest class", number(smallest), f"asked: at least {k}", None if smallest is None else smallest >= k
    )


def _suppressed(facts: Fact) -> Tile:
    share, limit = measured(facts, "suppressed_share"), facts["asked"]["suppression_limit"]
    met = None if share is None else share <= limit
    detail, cells = f"limit: {percent(limit)}", measured(facts, "suppressed_cells_rows")
    if cells is not None:
        detail += f"; {number(cells)} rows kept without quasi-identifiers"
    return Tile("Rows suppressed", percent(share), detail, met)


def _epsilon(facts: Fact) -> Tile:
    noisy = [column for column in facts["asked"]["columns"] if column["role"] == "noise"]
    if not noisy:
        return Tile("Epsilon per row", "none", "no column carries noise")
    epsilon = facts["release"]["epsilon"] if facts["release"] else None
    spent, budget = spending(facts)["spent"], facts["asked"]["budget"]
    return Tile("Epsilon per row", number(epsilon), f"budget: {spent} of {budget} spent", Decimal(spent) <= Decimal(budget))


def _auc(facts: Fact) -> Tile:
    algorithm = champion(facts)
    if algorithm is None:
        return Tile("AUC of the best model", MISSING, "no model was scored")
    ours, baseline = scored(facts, algorithm, "release", "generalized"), scored(facts, algorithm, "baseline", "clean")
    return Tile("AUC of the best model", ratio(ours), f"trained on raw values: {ratio(baseline)}")


def spending(facts: Fact) -> Fact:
    """The budget of the released rows in exact decimals as text: spent by this and other releases, all of it, what remains.

    Epsilon protects one row, which lies in one slice: what counts is the slice on which most was spent. Where the cap is one
    per period, `spent` and `remaining` are of this period; `lifetime` never is.
    """
    account = facts["asked"]
    booked = [
        entry
        for entry in facts["ledger"]
        if (entry["unit"], entry["recipient"]) == ("row", account["recipient"]) and entry["state"] != "cancelled"
    ]
    spent, this = _dearest([entry for entry in booked if entry["in_period"]], facts["release_id"])
    budget = account["budget"]
    remaining = str(Decimal(budget) - spent) if budget else None
    lifetime, _ = _dearest(booked, facts["release_id"])
    return {
        "this": str(this), "others": str(spent - this), "spent": str(spent), "budget": budget, "remaining": remaining,
        "lifetime": str(lifetime), "period": account["budget_period"],
    }  # fmt: skip


def _dearest(booked: list[Fact], release_id: str | None) -> tuple[Decimal, Decimal]:
    """All epsilon spent on the slice that cost most, and the release's part of it."""
    entries = [(entry["release_id"], Decimal(entry["epsilon"]), entry["slices"]) for entry in booked]
    slices = sorted({name for _, _, names in entries for name in names or []})

    def counted(name: str | None) -> tuple[Decimal, Decimal]:
        costs = [(release, epsilon) for release, epsilon, names in entries if not names or name in names]
        this = sum((epsilon for release, epsilon in costs if release == release_id), Decimal())
        return sum((epsilon for _, epsilon in costs), Decimal()), this

    return max(counted(name) for name in slices or [None])


def _spent_query(facts: Fact) -> str:
    """The question to the ledger that `spending` answers."""
    return f"SELECT spent_epsilon FROM {facts['tables']['budget_ledger']}\nWHERE account = '{facts['asked']['account']}'"


def evidence(facts: Fact) -> list[Evidence]:
    """The three risks of WP29 Opinion 05/2014, with what was and what was not measured."""
    return [
        Evidence("Singling out", "Can one person's rows be told from everyone else's?", *_split(facts, _singling_out(facts))),
        Evidence("Linkability", "Can two rows be recognised as the same person's?", *_split(facts, _linkability(facts))),
        Evidence("Inference", "Can a value be concluded about a person?", *_split(facts, _inference(facts))),
    ]


def _split(facts: Fact, sentences: Iterator[tuple[bool, str]]) -> tuple[list[str], list[str]]:
    pairs = list(sentences)
    return [text for found, text in pairs if found], [text for found, text in pairs if not found]


def _attack(facts: Fact, title: str, *prefixes: str) -> Iterator[tuple[bool, str]]:
    """Measures of an attack, whatever it is called, or the sentence that it was not measured."""
    rows = [row for row in facts["privacy"] if row["metric"].startswith(prefixes)]
    for row in rows:
        yield True, f"{words_of(row['metric']).label} {row['scope'] or ''}: {number(row['value'])}".replace(" :", ":")
    if not rows:
        yield False, f"{title}: {MISSING}."


def _metric(facts: Fact, metric: str, sentence: str, form: Any = number) -> tuple[bool, str]:
    value = measured(facts, metric)
    if value is None:
        return False, f"{words_of(metric).label}: {MISSING}."
    return True, sentence.format(form(value))


def _singling_out(facts: Fact) -> Iterator[tuple[bool, str]]:
    yield _metric(facts, "class_people_min", "The smallest class holds {} people, counted before publication.")
    yield _metric(facts, "singled_out_rows_share", "{} of the rows lie in a class of one person.", percent)
    yield from told_by_values(facts)
    yield _metric(facts, "prosecutor_risk_max", "A person known to be in the data is found with probability {} at most.")
    yield _metric(
        facts,
        "recheck_people_min",
        "The frozen generalizer, applied to the clean rows again, finds {} people in its smallest class.",
    )
    if measured(facts, "k_map_min") is not None:
        yield _metric(facts, "k_map_min", "At least {} people of the population fit every class.")
        yield _metric(
            facts, "presence_max", "Of the people of the population who fit a class, {} at most are in the data.", percent
        )
        yield _metric(
            facts, "population_people_outside", "{} people of the population fit no class, so they are not in the data."
        )
    yield from _attack(facts, "A simulated singling-out attack", "singling_out")


def _linkability(facts: Fact) -> Iterator[tuple[bool, str]]:
    yield True, f"The release has no column {facts['asked']['person']} and kveil adds no pseudonym that joins a person's rows."
    if facts["release"]:
        left = facts["release"]["link_files_left"]
        yield left == 0, f"Files of the working tables that still knew the person: {number(left)} left after publication."
    if measured(facts, "trajectory_people_min") is not None:
        yield _metric(
            facts,
            "trajectory_people_min",
            "A person of whom as many points of the history are known as the policy grants shares them with {} people at least.",
        )
    yield from composition_sentences(facts)
    yield from _attack(facts, "A linkability attack (matching rows to another table, or to each other)", "linkability")


def _inference(facts: Fact) -> Iterator[tuple[bool, str]]:
    for column in facts["asked"]["columns"]:
        name = column["column"]
        if column["role"] == "sensitive":
            value = measured(facts, "distinct_min", name)
            yield value is not None, f"Distinct values of {name} in a class, minimum: {number(value)}."
            yield from _models(facts, name)
        if column["role"] == "noise":
            value = measured(facts, "noise_epsilon", name)
            yield value is not None, f"Epsilon of each value of {name}: {number(value)}."
    yield from _attack(facts, "Attribute inference", "attribute_inference", "inference")
    yield from _attack(facts, "Membership inference", "membership")


_MODELS = {
    "entropy_l_min": "In the least diverse class, {} is as uncertain as among {} equally frequent values.",
    "recursive_c_max": "In no class does the most frequent value of {} count more than {} times the rarer ones together.",
    "t_equal_max": "In no class are the values of {} further than {} from the whole table's (0: the same, 1: nothing in common).",
    "t_ordered_max": "In no class are the values of {}, seen in their order, further than {} from the whole table's.",
    "t_hierarchical_max": "In no class are the values of {}, seen in their hierarchy, further than {} from the whole table's.",
    "beta_max": "In no class does a value of {} gain more than {} times its share of the whole table.",
}


def _models(facts: Fact, name: str) -> Iterator[tuple[bool, str]]:
    """What was measured of one sensitive column beside distinct values; a model that was not asked is not missed."""
    for metric, sentence in _MODELS.items():
        value = measured(facts, metric, name)
        if value is not None:
            yield True, sentence.format(name, number(value))


def not_claimed(facts: Fact) -> list[str]:
    """What a reader might believe and this report does not say; each sentence is true for these facts."""
    return list(_not_claimed(facts))


def _not_claimed(facts: Fact) -> Iterator[str]:
    yield "That the data are “anonymous”. This is a legal conclusion; the report gives evidence for it and against it."
    yield "Differential privacy of the table. k-anonymity is not differential privacy: what others know already is not bounded."
    if not any(row["metric"].startswith(("unicity", "linkability", "trajectory")) for row in facts["privacy"]):
        yield (
            "Protection of several rows together. Each row hides among k people; what someone who already knows several"
            " rows of a person can conclude from them together was not measured."
        )
    yield from _not_claimed_of_columns(facts)
    if measured(facts, "journalist_risk_max") is not None and measured(facts, "k_map_min") is None:
        yield (
            "A separate journalist risk. It equals the prosecutor risk here, because no table of the population was given;"
            " with one it could only be the same or lower."
        )
    if facts["consent"]["simulated"]:
        yield "Consent of real people. It was simulated: the counts show that the mechanism works, not that anyone agreed."
    if facts["models"]:
        yield "That a model is fit for its use. Scores come from held-out people of the same data, not from later months."


def _not_claimed_of_columns(facts: Fact) -> Iterator[str]:
    names_by_role: dict[str, list[str]] = {}
    for column in facts["asked"]["columns"]:
        names_by_role.setdefault(column["role"], []).append(column["column"])
    if "noise" in names_by_role:
        many = measured(facts, "rows_per_person_max")
        example = f" Here m is {number(many)} at most." if many is not None else ""
        yield f"Differential privacy of a person. Epsilon protects one row; a person with m rows is protected at m·ε.{example}"
    if "sensitive" in names_by_role:
        yield "That sensitive values cannot be guessed. A class holds several values, but one of them may be far more frequent."
    yield from mask_limits([column for column in facts["asked"]["columns"] if column["role"] == "masked"])
    if "insensitive" in names_by_role:
        listed = names(names_by_role["insensitive"])
        yield f"Protection of columns called insensitive ({listed}). They are released as they are, on the policy's word."


def checks(facts: Fact) -> list[Check]:
    """What an auditor can repeat, with the answer to expect; questions to tables are Spark SQL."""
    release = facts["release"]
    found = list(_release_checks(facts, release)) if release else []
    metrics = facts["tables"]["privacy_metrics"]
    if facts["ledger"]:
        found.append(
            Check(
                "What the ledger says was spent",
                _spent_query(facts),
                spending(facts)["lifetime"],
            )
        )
    if facts["privacy"]:
        found.append(
            Check(
                "Every measure with its threshold",
                f"SELECT metric, scope, value, threshold, met FROM {metrics}\nWHERE release_id = '{facts['release_id']}'",
                f"{len(facts['privacy'])} rows, as in section 3 and the appendix",
            )
        )
    if facts["sources"]:
        found.append(Check("The source files", "sha256sum FILE", "the SHA-256 of the file in the appendix"))
    return found


def _release_checks(facts: Fact, release: Fact) -> Iterator[Check]:
    table = f"{release['address']} VERSION AS OF {release['version']}"
    outside = [column for column in facts["asked"]["columns"] if column["role"] in ("partition", "quasi-identifier")]
    grouped = [name for column in outside for name in column["parameters"].get("columns", [column["column"]])]
    columns = ", ".join("`" + " ".join(name.split()).replace("`", "``") + "`" for name in grouped)
    smallest = measured(facts, "classes_rows_min")
    yield Check("Rows of the release", f"SELECT count(*) FROM {table}", number(release["rows_released"]))
    yield Check(
        "Rows in its smallest class",
        f"SELECT min(n) FROM (\n  SELECT count(*) AS n FROM {table}\n  GROUP BY {columns})",
        f"{number(smallest)}; never fewer than {release['k']}, since a class holds at least as many rows as people"
        if smallest is not None
        else f"at least {release['k']}, since a class holds at least as many rows as people",
    )
