"""An account as the JSON that its table's row is read from and written with, and back."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from kveil.anonymize.ledger.account import Account, Entry, Step
from kveil.anonymize.ledger.charge import Charge, Cost
from kveil.anonymize.ledger.clock import text_of, time_of

Json = dict[str, Any]

PARTS = ("epsilon", "delta", "rho")


def entries_form(account: Account) -> list[Json]:
    """The account's entries as plain values; exact numbers are texts."""
    return [_entry_form(entry) for entry in account.entries]


def _entry_form(entry: Entry) -> Json:
    return {
        "release_id": entry.release_id, "request": entry.request, "state": entry.state, **cost_form(entry.cost),
        "charges": [charge_form(charge) for charge in entry.charges],
        "slices": list(entry.slices) if entry.slices else None, "source_versions": entry.sources,
        "output_version": entry.steps[-1].output_version, "steps": [step_form(step) for step in entry.steps],
    }  # fmt: skip


def cost_form(cost: Cost) -> Json:
    """Its three parts as texts."""
    return {part: plain(getattr(cost, part)) for part in PARTS}


def cost_of_form(row: Json) -> Cost:
    """The cost of its three parts."""
    return Cost(*(_exact(row[part]) for part in PARTS))


def charge_form(charge: Charge) -> Json:
    """A charge's parts, fractions as n/d."""
    return {
        "mechanism": charge.mechanism, "what": charge.what, "epsilon_nano": charge.epsilon, "delta": str(charge.delta),
        "rho": str(charge.rho),
    }  # fmt: skip


def step_form(step: Step) -> Json:
    """A step's parts; times are texts in UTC."""
    return {
        "sequence": step.sequence, "state": step.state, "at": text_of(step.at), "actor": step.actor, "run_id": step.run_id,
        "policy": step.policy, "cap_epsilon": plain(step.cap.epsilon), "cap_delta": plain(step.cap.delta),
        "output_version": step.output_version,
    }  # fmt: skip


def account_of(row: Json) -> Account:
    """The account of a row as `to_json` tells it, with decimals as they are and nulls left out."""
    unit = row["unit"]
    return Account(
        row["data_set"], unit, row["recipient"], row["person"], Cost(_exact(row["cap_epsilon"]), _exact(row["cap_delta"])),
        row.get("period"), row["sequence"], row["head"], row["audited"],
        tuple(_entry_of(entry, unit) for entry in row["entries"]),
    )  # fmt: skip


def _entry_of(row: Json, unit: Any) -> Entry:
    slices = row.get("slices")
    charges = (
        Charge(each["mechanism"], each["epsilon_nano"], Fraction(each["delta"]), Fraction(each["rho"]), each["what"], unit)
        for each in row["charges"]
    )
    return Entry(
        row["release_id"], row["request"], cost_of_form(row),
        tuple(charges), tuple(slices) if slices else None, dict(row.get("source_versions") or {}),
        tuple(_step_of(step) for step in row["steps"]),
    )  # fmt: skip


def _step_of(row: Json) -> Step:
    cap = Cost(_exact(row["cap_epsilon"]), _exact(row["cap_delta"]))
    return Step(
        row["sequence"], row["state"], time_of(row["at"]), row["actor"], row["run_id"], row["policy"], cap,
        row.get("output_version"),
    )  # fmt: skip


def _exact(number: Any) -> Decimal:
    """A decimal without trailing zeros, so that what was read is equal to what was written."""
    return Decimal(plain(Decimal(number)))


def plain(number: Decimal) -> str:
    """A decimal without exponent and trailing zeros: 0.5, not 5.00E-1."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
