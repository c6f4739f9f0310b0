"""Masked columns in a report: what the policy asks of one, as plain values and in words, and what masks do not promise."""

from collections.abc import Callable, Iterator
from typing import Any

from kveil.settings.anonymize import Anonymize

Fact = dict[str, Any]

_SCOPES = {
    "release": "in this release alone",
    "purpose": "in all releases of its purpose",
    "shared": "wherever the key is used",
}
_FORMATS = {
    "digits": "digits stay digits",
    "alphanumeric": "letters and digits stay of their kind together",
    "card": "a card number with a valid check digit",
    "iban": "an IBAN of the same country with valid check digits",
}


def mask_columns(release: Anonymize) -> Iterator[tuple[str, str, Fact]]:
    """Name, technique and parameters of each masked column, as JSON holds them."""
    for name, role in release.mask.items():
        given = role.model_dump(mode="json", exclude={"technique"}, exclude_none=True)
        if "scope" in given:
            given["key_version"] = max(release.mask_keys)
        yield name, role.technique, given


def mask_parameters(technique: str, given: Fact) -> str:
    """What a masked column shows, whether it links a person's rows, and the reason why it is released."""
    said = [_SHOWN[technique](given)]
    if "scope" in given:
        said.append(f"recognised again {_SCOPES[given['scope']]}; key version {given['key_version']}")
    if given.get("linkable"):
        said.append("a person's rows may be told from others' by it")
    return "; ".join([*said, f"reason given: {given['reason']}"])


def mask_limits(columns: list[Fact]) -> Iterator[str]:
    """What a reader might believe of these masked columns and nobody promises."""
    linking = [column["column"] for column in columns if column["parameters"].get("linkable")]
    if linking:
        yield (
            f"That a person's rows cannot be put together. {', '.join(linking)} may link them, on the policy's word; k counts"
            " people row by row, and section 3 tells how many histories a few known points give away."
        )
    back = [column["column"] for column in columns if column["kind"] == "encrypt"]
    if back:
        yield f"That nobody can go back. {', '.join(back)} can be decrypted by who has the key; every kveil reveal is logged."
    swapped = [column["column"] for column in columns if column["kind"] == "swap"]
    if swapped:
        yield (
            f"That nobody learns a swapped value ({', '.join(swapped)}). Who knows a person's class knows the values of that"
            " class, and where all are alike, the value; l-diversity is measured on sensitive columns alone."
        )
    bought = [column["column"] for column in columns if "quantiles" in column["parameters"]]
    if bought:
        yield (
            f"Differential privacy of the values of {', '.join(bought)}. Their bounds have it; values between the bounds are"
            " shown as they are."
        )
    texts = [column["column"] for column in columns if column["kind"] == "scrub"]
    if texts:
        yield f"That free text ({', '.join(texts)}) names nobody. Numbers and addresses are found by their form, names are not."


def _partial(given: Fact) -> str:
    if "keep" in given:
        return "the domain of the e-mail address alone"
    ends = {"first": given["keep_first"], "last": given["keep_last"]}
    kept = " and ".join(f"the {which} {count}" for which, count in ends.items() if count)
    return f"{kept} characters alone"


def _encrypted(given: Fact) -> str:
    kept = {"first": given["keep_first"], "last": given["keep_last"]}
    ends = ", ".join(f"the {which} {count} stay" for which, count in kept.items() if count)
    return f"format-preserving encryption (FF1), {_FORMATS[given['format']]}{'; ' + ends if ends else ''}"


def _rounded(given: Fact) -> str:
    return f"the beginning of its {given['to']}" if given["to"].isalpha() else f"the nearest multiple of {given['to']}"


def _bounded(given: Fact) -> str:
    if "quantiles" in given:
        shares = " and ".join(f"{share} of rows lie below the {end}" for end, share in given["quantiles"].items())
        return (
            f"not beyond bounds of which {shares}, found privately between {given['within']['lower']:,} and"
            f" {given['within']['upper']:,} at ε = {given['epsilon']} for all rows of a person"
        )
    return " and ".join(f"not {word} {given[key]}" for key, word in (("lower", "below"), ("upper", "above")) if key in given)


_SHOWN: dict[str, Callable[[Fact], str]] = {
    "redact": lambda given: "nothing of a value but that there is one",
    "partial": _partial,
    "pseudonym": lambda given: "a token (HMAC-SHA-256)",
    "encrypt": _encrypted,
    "fake": lambda given: f"a made-up {given['kind'].replace('_', ' ')} for each person",
    "date_shift": lambda given: f"moved by up to {given['days']:,} days, by as many for all of a person's dates",
    "round": _rounded,
    "bin": lambda given: f"its range, of {len(given['edges']) + 1:,}",
    "top_bottom": _bounded,
    "swap": lambda given: "its values, each beside another row of its class, at random",
    "scrub": lambda given: "free text in which numbers, addresses and identifiers became the names of their types",
}
