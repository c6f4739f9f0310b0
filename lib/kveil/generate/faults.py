"""What goes wrong in which table."""

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.generate.dirt import Dirt, Fault, bad_date, bad_time, null_token, one_of, typo, variant
from kveil.generate.draws import Draws
from kveil.generate.identifiers import digits
from kveil.generate.size import Bank


def of_all(bank: Bank) -> tuple[Dirt, ...]:
    """The dirt of every table that has any."""
    return of_customers(bank), of_accounts(bank), of_transactions(bank), of_loans(bank)


def of_customers(bank: Bank) -> Dirt:
    """Wrong values, and people who are registered twice: those whose number is above the number of people."""
    draws = Draws(bank.seed, "customer's dirt", F.col("customer_id"))
    first, last, phone = F.col("first_name"), F.col("last_name"), F.col("phone")
    faults = [
        *(Fault("typo", {name: typo(F.col(name))}, 1, 2) for name in ("first_name", "last_name", "street")),
        *(Fault("typo", {name: typo(F.col(name))}, 1) for name in ("city", "email", "iban")),
        Fault("swapped_fields", {"first_name": last, "last_name": first}, 2, 1),
        Fault("swapped_fields", {"postcode": F.col("city"), "city": F.col("postcode")}, 1),
        Fault("changed", {"phone": F.concat(F.substr(phone, F.lit(1), F.length(phone) - 8), _other_number(draws))}, 0, 3),
        Fault("changed", {"last_name": F.concat_ws("-", last, F.reverse(F.split(last, "-"))[0])}, 0, 0.5),
        Fault("bad_date", {"birth_date": bad_date(F.col("birth_date"))}, 3, 1),
        *(Fault("null_token", {name: null_token()}, 1) for name in ("phone", "email", "occupation", "national_id")),
        *(Fault("category_variant", {name: variant(F.col(name))}, 1) for name in ("occupation", "segment")),
        Fault("category_variant", {"gender": _short(F.col("gender"))}, 1),
    ]
    return Dirt("customers", "customer_id", draws, bank.dirt, faults, copies=F.col("customer_id") > bank.customers)


def of_accounts(bank: Bank) -> Dirt:
    """Mistyped IBANs, spellings of the kind, doubled rows."""
    draws = Draws(bank.seed, "account's dirt", F.col("account_id"))
    faults = [
        Fault("typo", {"iban": typo(F.col("iban"))}, 1),
        Fault("category_variant", {"kind": variant(F.col("kind"))}, 1),
        Fault("category_variant", {"status": variant(F.col("status"))}, 1),
    ]
    return Dirt("accounts", "account_id", draws, bank.dirt, faults)


def of_transactions(bank: Bank) -> Dirt:
    """Wrong clocks, spellings, missing names, amounts in the wrong field, doubled rows."""
    draws = Draws(bank.seed, "transaction's dirt", F.col("transaction_id"))
    foreign = F.when(F.col("currency") != "EUR", F.col("amount_eur")).otherwise(F.col("amount"))
    faults = [
        Fault("bad_date", {"booked_at": bad_time(F.col("booked_at"))}, 1),
        Fault("category_variant", {"merchant_category": variant(F.col("merchant_category"))}, 2),
        Fault("category_variant", {"channel": variant(F.col("channel"))}, 1),
        Fault("null_token", {"merchant": null_token()}, 1),
        Fault("typo", {"merchant": typo(F.col("merchant"))}, 2),
        Fault("swapped_fields", {"amount": foreign, "amount_eur": F.col("amount")}, 1),
        Fault("swapped_fields", {"merchant": F.col("merchant_category"), "merchant_category": F.col("merchant")}, 1),
    ]
    return Dirt("transactions", "transaction_id", draws, bank.dirt, faults)


def of_loans(bank: Bank) -> Dirt:
    """Spellings of the purpose, doubled rows."""
    draws = Draws(bank.seed, "loan's dirt", F.col("loan_id"))
    faults = [
        Fault("category_variant", {"purpose": variant(F.col("purpose"))}, 2),
        Fault("null_token", {"purpose": null_token()}, 1),
    ]
    return Dirt("loans", "loan_id", draws, bank.dirt, faults)


def _other_number(draws: Draws) -> Column:
    return digits(draws.bits("other phone"), 8)


def _short(gender: Column) -> Column:
    """One letter, or capitals."""
    return one_of(F.substring(gender, 1, 1), F.upper(gender))
