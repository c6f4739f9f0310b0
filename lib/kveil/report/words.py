"""What measures are called in a report, how their values are written and in which group they stand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kveil.report.mask_words import mask_parameters

MISSING = "not measured"
SAMPLES = (
    "Rows touched and samples are of a step's column after all steps of it, samples at the first of these. "
    "They are masked: A and a stand for letters, 9 for a digit."
)


def number(value: Any) -> str:
    """A number for reading: whole numbers with thousands, others with four significant digits, nothing as 'not measured'."""
    if value is None:
        return MISSING
    if isinstance(value, str):
        return value
    if float(value).is_integer():
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def percent(value: float | None) -> str:
    """A share as a percentage; a share that is not nothing is never shown as nothing."""
    if value is None:
        return MISSING
    if 0 < value < 0.00005:
        return "< 0.01%"
    return f"{value * 100:.3g}%" if value < 0.1 else f"{value * 100:.4g}%"


def ratio(value: float | None) -> str:
    """A value between 0 and 1 with three decimals."""
    return MISSING if value is None else f"{value:.3f}"


def seconds(value: float | None) -> str:
    """A duration."""
    return "" if value is None else f"{value:,.1f}"


def names(values: list[str]) -> str:
    """Names in a row, or a word that there are none."""
    return ", ".join(values) if values else "none"


@dataclass(frozen=True)
class Words:
    """A measure's group, its name for people, how its value is written and on which side of it a threshold lies."""

    group: str
    label: str
    form: Callable[[Any], str] = number
    sign: str = ""


REIDENTIFICATION = "Re-identification"
COMPOSITION = "Together with earlier releases"
DISCLOSURE = "Disclosure of sensitive values"
LOSS = "Information loss"
SUPPRESSION = "Suppression"
NOISE = "Noise"
MASKS = "Masked columns"
RECHECK = "Second measurement"
OTHER = "Other measures"
GROUPS = (REIDENTIFICATION, COMPOSITION, DISCLOSURE, LOSS, SUPPRESSION, NOISE, MASKS, RECHECK, OTHER)

METRICS: dict[str, Words] = {
    "class_people_min": Words(REIDENTIFICATION, "People in the smallest class", number, "≥"),
    "class_people_mean": Words(REIDENTIFICATION, "People in a class, mean"),
    "classes": Words(REIDENTIFICATION, "Equivalence classes"),
    "prosecutor_risk_max": Words(REIDENTIFICATION, "Prosecutor risk, maximum", number, "≤"),
    "prosecutor_risk_mean": Words(REIDENTIFICATION, "Prosecutor risk, mean", number, "≤"),
    "journalist_risk_max": Words(REIDENTIFICATION, "Journalist risk, maximum", number, "≤"),
    "k_map_min": Words(REIDENTIFICATION, "People of the population who fit a class, minimum (k-map)", number, "≥"),
    "presence_min": Words(
        REIDENTIFICATION, "Share of those who fit a class that is released, minimum (δ-presence)", percent, "≥"
    ),
    "presence_max": Words(
        REIDENTIFICATION, "Share of those who fit a class that is released, maximum (δ-presence)", percent, "≤"
    ),
    "population_people": Words(REIDENTIFICATION, "People of the population"),
    "population_people_outside": Words(REIDENTIFICATION, "People of the population who fit no class"),
    "trajectory_people_min": Words(REIDENTIFICATION, "People who share any known points of a history, minimum", number, "≥"),
    "composition_releases": Words(COMPOSITION, "Earlier releases of the same people that this one was compared with"),
    "composition_overlap_people_min": Words(COMPOSITION, "People in the smallest overlap of classes", number, "≥"),
    "composition_missing_people_min": Words(COMPOSITION, "People whom the smallest difference leaves out", number, "≥"),
    "composition_new_people_min": Words(COMPOSITION, "People whom the smallest difference adds", number, "≥"),
    "composition_changed_classes": Words(COMPOSITION, "Earlier classes behind which other rows stand now"),
    "composition_rows": Words(COMPOSITION, "Rows left out beside earlier releases"),
    "composition_rows_again": Words(COMPOSITION, "Rows shown again as the last release showed them, since their class changed"),
    "composition_again_people_min": Words(
        COMPOSITION, "People in the smallest class shown again, when it was published", number, "≥"
    ),
    "marketer_risk": Words(REIDENTIFICATION, "Marketer risk", number, "≤"),
    "singled_out_rows_share": Words(REIDENTIFICATION, "Rows that single out one person", percent, "≤"),
    "value_singled_out_share": Words(
        REIDENTIFICATION, "People who alone hold a value of a column released as it is", percent, "≤"
    ),
    "value_people_min": Words(REIDENTIFICATION, "People for each value of a column released as it is, mean", number, "≥"),
    "value_class_singled_out_share": Words(
        REIDENTIFICATION, "People whom class and value of a column released as it is together tell from all others", percent
    ),
    "classes_rows_min": Words(REIDENTIFICATION, "Rows in the smallest class", number, "≥"),
    "classes_rows_mean": Words(REIDENTIFICATION, "Rows in a class, mean"),
    "classes_rows_max": Words(REIDENTIFICATION, "Rows in the largest class"),
    "distinct_min": Words(DISCLOSURE, "Distinct values in a class, minimum", number, "≥"),
    "entropy_l_min": Words(DISCLOSURE, "Class as diverse as so many equally frequent values (entropy l), minimum", number, "≥"),
    "recursive_c_max": Words(DISCLOSURE, "Most frequent value against the rarer ones (recursive c), maximum", number, "<"),
    "t_equal_max": Words(DISCLOSURE, "Distance of a class from the whole table (t), values equally far, maximum", number, "≤"),
    "t_ordered_max": Words(DISCLOSURE, "Distance of a class from the whole table (t), values in order, maximum", number, "≤"),
    "t_hierarchical_max": Words(DISCLOSURE, "Distance of a class from the whole table (t), by hierarchy, maximum", number, "≤"),
    "beta_max": Words(DISCLOSURE, "Gain of a value's share over the whole table (β), maximum", number, "≤"),
    "trajectory_confidence_max": Words(
        DISCLOSURE, "Share of those with the same points who share a value, maximum", percent, "≤"
    ),
    "ncp_mean": Words(LOSS, "Generalization of all columns (NCP), mean", ratio, "≤"),
    "ncp": Words(LOSS, "Generalization (NCP)", ratio, "≤"),
    "discernibility": Words(LOSS, "Discernibility", number, "≤"),
    "c_avg": Words(LOSS, "Class size relative to k (C_AVG)", number, "≤"),
    "suppressed_share": Words(SUPPRESSION, "Rows suppressed", percent, "≤"),
    "suppressed_rows": Words(SUPPRESSION, "Rows suppressed, count", number, "≤"),
    "suppressed_cells_rows": Words(SUPPRESSION, "Rows released without quasi-identifiers, count", number, "≤"),
    "suppressed_cells_share": Words(SUPPRESSION, "Quasi-identifiers suppressed, alone or with their row", percent, "≤"),
    "noise_epsilon": Words(NOISE, "Epsilon per value", number, "≤"),
    "noise_scale": Words(NOISE, "Scale b of the noise, in the column's unit"),
    "noise_sd": Words(NOISE, "Standard deviation of the noise; its square is subtracted from a variance to de-bias it"),
    "noise_to_spread": Words(NOISE, "Standard deviation of the noise over that of the clamped values", number),
    "noise_keep_probability": Words(NOISE, "Probability that a value is released as it is", percent),
    "noise_repeats": Words(NOISE, "An unchanged value has the same noise in every release (noise_key): 1 for yes"),
    "contribution_rows_dropped": Words(NOISE, "Rows suppressed because their person had given enough, count"),
    "noise_clamped_share": Words(NOISE, "Values moved to a bound before noise", percent, "≤"),
    "rows_per_person_max": Words(NOISE, "Rows m of one person, maximum"),
    "rows_per_person_p99": Words(NOISE, "Rows m of one person, 99th percentile"),
    "rows_per_person_median": Words(NOISE, "Rows m of one person, median"),
    "epsilon_per_person_max": Words(NOISE, "Epsilon for a person with the most rows, m·ε", number, "≤"),
    "epsilon_per_person_p99": Words(NOISE, "Epsilon for a person at the 99th percentile, m·ε", number, "≤"),
    "epsilon_per_person_median": Words(NOISE, "Epsilon for a person with the median of rows, m·ε", number, "≤"),
    "mask_people_min": Words(MASKS, "People who hold one of its values, minimum", number, "≥"),
    "mask_singled_out_share": Words(MASKS, "Rows whose value one person alone holds", percent, "≤"),
    "mask_class_singled_out_share": Words(MASKS, "Rows that class and masked values together leave to one person", percent, "≤"),
    "mask_collisions": Words(MASKS, "Values that share a token with another one", number, "≤"),
    "mask_unfit_values": Words(MASKS, "Values that are not of the format, of which nothing is shown"),
    "mask_lower": Words(MASKS, "Lower bound of its coding, bought as a private quantile"),
    "mask_upper": Words(MASKS, "Upper bound of its coding, bought as a private quantile"),
    "unicity_4": Words(MASKS, "Histories that four of their points tell from all others (unicity), of those sampled", percent),
    "recheck_classes": Words(RECHECK, "Equivalence classes"),
    "recheck_people_min": Words(RECHECK, "People in the smallest class", number, "≥"),
    "recheck_rows_mismatch": Words(RECHECK, "Rows that disagree with the release", number, "≤"),
    "recheck_slices_left_out": Words(RECHECK, "Slices left out, since their clean rows changed after publication", number, "≤"),
}

MEASURED_ON = {
    "staging": "before publication, where people are known",
    "release": "published rows",
    "clean": "clean rows through the frozen generalizer",
}

SCORES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "auc_roc": "AUC-ROC",
    "auc_pr": "AUC-PR",
}

GATE = {
    "min_auc": "AUC-ROC of the model",
    "max_auc_loss": "AUC-ROC lost against the baseline",
    "max_prosecutor_risk": "Prosecutor risk of the release",
    "k": "People in the smallest class",
}

ALGORITHMS = {"logistic_regression": "Logistic regression", "gradient_boosted_trees": "Gradient-boosted trees"}

VIEWS = {
    "clean": "clean rows",
    "generalized": "clean rows, generalized as the release is",
    "released": "released rows",
}


def said(dictionary: dict[str, str], name: str) -> str:
    """A name in words; a name without words stands for itself."""
    return dictionary.get(name, name.replace("_", " "))


def words_of(metric: str) -> Words:
    """A measure's words; a measure that this version does not know is listed under its own name."""
    return METRICS.get(metric, Words(OTHER, metric.replace("_", " ")))


def _of_sensitive(given: dict[str, Any]) -> Iterator[str]:
    """What is asked of every class of a sensitive column."""
    if given["distinct"] > 1:
        yield f"each class holds at least {given['distinct']} distinct values"
    if "entropy" in given:
        yield f"each class is as diverse as {number(given['entropy'])} equally frequent values (entropy l-diversity)"
    if "recursive" in given:
        c, l = given["recursive"]["c"], given["recursive"]["l"]  # noqa: E741 - the names that the literature gives them
        rest = "all others" if l == 2 else f"those of rank {l} and below"
        yield f"the most frequent value counts less than {number(c)} times {rest} together (recursive (c, l)-diversity)"
    if "t" in given:
        far = {"equal": "equally far apart", "ordered": "in their order", "hierarchical": "in their hierarchy"}[given["distance"]]
        yield f"each class's values, {far}, are within {number(given['t'])} of the whole table's (t-closeness)"
    if "beta" in given:
        yield f"no value is more than {number(1 + given['beta'])} times as frequent as in the whole table (β-likeness)"


def _mechanism(given: dict[str, Any]) -> str:
    if "values" in given:
        return f"one of {given['values']:,} public values, kept or exchanged by randomised response"
    clamped = f"clamped to {number(given['lower'])} … {number(given['upper'])}, then discrete Laplace noise"
    return f"{clamped}, then clamped again" if given.get("clamp_after") else clamped


def parameters(column: dict[str, Any]) -> str:
    """A released column's parameters in words."""
    given = column["parameters"]
    match column["role"]:
        case "partition":
            return "released as it is; the guarantee holds inside each of its values"
        case "sensitive":
            return "; ".join(_of_sensitive(given))
        case "noise":
            return f"{_mechanism(given)}; ε = {given['epsilon']} per value"
        case "masked":
            return mask_parameters(column["kind"], given)
        case "insensitive":
            return f"released as it is; reason given: {given['reason']}"
    if given.get("order"):
        said_so = f"ranges over {names(given['order'])}"
    elif given.get("hierarchy"):
        said_so = f"nodes of a hierarchy given by {given['hierarchy']}"
    else:
        ranges = {"number": f"ranges of whole cells of {given.get('step', 1):,}", "date": "ranges of whole days"}
        said_so = ranges.get(column["kind"], "sets of values")
    return f"{said_so}; released as {names(given['columns'])} alone" if given.get("columns") else said_so
