"""What the noise of a release leaves of a single value, in sentences."""

from datetime import date

from kveil.report.findings import Fact, measured
from kveil.report.words import number


def noise_sentences(facts: Fact) -> list[str]:
    """For each noisy number or date, the noise's size against the range and the spread of its values."""
    columns = [column for column in facts["asked"]["columns"] if column["role"] == "noise"]
    return [_noise_sentence(facts, column) for column in columns if measured(facts, "noise_scale", column["column"]) is not None]


def _noise_sentence(facts: Fact, column: Fact) -> str:
    name, given = column["column"], column["parameters"]
    scale, times = measured(facts, "noise_scale", name), measured(facts, "noise_to_spread", name)
    unit = " days" if isinstance(given["lower"], str) else ""
    sentence = (
        f"{name}: the noise's scale b is {number(scale)}{unit}, values lie between {number(given['lower'])} and "
        f"{number(given['upper'])}."
    )
    useless = " a single released value says almost nothing, only sums and means over many rows do."
    if scale >= _reach(given) / 2:
        return f"{sentence} The noise is at least as large as any value's distance from the middle of its range:{useless}"
    if times is not None and times >= 1:
        return f"{sentence} The noise spreads {number(times)} times as far as the values do:{useless}"
    return sentence


def _reach(given: Fact) -> float:
    """How far a noisy column's bounds are apart, in units or days."""
    lower, upper = given["lower"], given["upper"]
    return (date.fromisoformat(upper) - date.fromisoformat(lower)).days if isinstance(lower, str) else float(upper - lower)
