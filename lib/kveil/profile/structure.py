"""What only counting tells of a column: days, numbers, keys, flags, categories, running text."""

from kveil.profile import detectors
from kveil.profile.dates import date_pattern
from kveil.profile.texts import matches
from kveil.profile.values import Guess, Values, percent


def structure_of(values: Values) -> Guess:
    """What only counting tells: days, numbers, keys, categories, running text."""
    if values.is_time:
        return Guess("date", None, 0.99, f"its type is {values.type}", True, "yyyy-MM-dd")
    if values.type == "boolean":
        return Guess("flag", None, 0.99, "its type is boolean", True)
    if values.distinct == 1:
        return Guess("constant", None, 0.95, "it has one value", True)
    days = date_pattern(values.texts)
    if days is not None and days.share >= (0.95 if values.is_number else 0.8):
        both = f", which {days.rival} reads as well" if days.ambiguous else ""
        sure = round(days.share * (0.5 if days.ambiguous else 0.98), 2)
        return Guess("date", None, sure, f"{percent(days.share)} of its values are days by {days.pattern}{both}", True,
                     days.pattern, days.rival)  # fmt: skip
    if values.distinct == 2 and values.rows >= 20:
        return Guess("flag", None, 0.8, f"two values in {values.rows:,} rows", True)
    alone = values.distinct / values.rows
    number = values.is_number or float(matches(values.texts, r"\s*[+-]?\d+(?:[.,]\d+)?\s*").mean()) >= 0.95
    if alone >= 0.99 and values.rows >= 50 and not _is_broken(values) and _is_code(values):
        return Guess("key", "record", 0.8, f"{percent(alone)} of its values in the sample stand once", True)
    if number:
        return Guess("number", None, 0.9, f"its values are numbers, {values.distinct:,} in the sample", True)
    if runs(values):
        return Guess("free_text", "text", 0.85, "most of its values are running text", True)
    if values.distinct <= 300 or alone <= 0.05:
        return Guess("category", None, 0.7, f"{values.distinct:,} values in {values.rows:,} rows", True)
    return Guess("text", None, 0.5, f"{values.distinct:,} texts in {values.rows:,} rows", True)


def runs(values: Values) -> bool:
    """Whether values are running text, or hold what looks like an identifier among other words."""
    if not len(values.texts) or (values.distinct < 0.2 * values.rows and values.distinct < 100):
        return False
    running = detectors.running_text(values.texts)
    return bool(running.mean() >= 0.4 or (detectors.embedded(values.texts) & running).mean() >= 0.02)


def _is_broken(values: Values) -> bool:
    """Whether values are numbers with decimals, which name nothing."""
    decimals = values.type.startswith(("float", "double", "decimal")) and not values.type.endswith(",0)")
    return decimals or bool(matches(values.texts, r"\s*[+-]?\d*[.,]\d+\s*").mean() >= 0.5)


def _is_code(values: Values) -> bool:
    """Whether values are words of letters, digits and signs without blanks, a digit in each: a number that names a thing."""
    return bool(matches(values.texts, r"[A-Za-z0-9_:/.#-]*\d[A-Za-z0-9_:/.#-]*").mean() >= 0.98)
