"""Account numbers with valid check digits: IBAN (ISO 13616, ISO 7064 MOD 97-10) around each country's own account number.

The bank and its codes are made up; its BIC is one of the test BICs of ISO 9362 (location code ending in 0).
"""

from collections.abc import Mapping, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Codes that no bank has.
_BE_BANK = "16"
_ES_BANK = "99990001"
_FR_BANK = "9999900001"
_SPANISH = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)


def bic(country: Column) -> Column:
    """The made-up bank's test BIC in a country."""
    return F.concat(F.lit("KVEI"), country, F.lit("20"))


def with_iban(rows: DataFrame, country: Column, account: Column, name: str = "iban") -> DataFrame:
    """The rows with an IBAN for the country (a code) and an account number (text of eight digits).

    Countries other than AT, BE, ES, FR and NL get numbers of the German form.
    """
    asked = rows.select("*", country.alias("_seat"), account.alias("_account"))
    # One step per line of the calculation: what is used twice is computed once.
    controlled = asked.select("*", _by_country(_controls(), F.lit(0)).alias("_control"))
    numbered = controlled.select("*", _by_country(_numbers(), F.concat(F.lit("9999999900"), F.col("_account"))).alias("_bban"))
    iban = F.concat("_seat", iban_check(F.col("_seat"), F.col("_bban")), "_bban")
    return numbered.select("*", iban.alias(name)).drop("_seat", "_account", "_control", "_bban")


def iban_check(country: Column, bban: Column) -> Column:
    """98 minus the remainder by 97 of BBAN, country and 00, in which letters are numbers from A = 10 to Z = 35."""
    number = F.array_join(F.transform(signs(F.concat(bban, country, F.lit("00"))), lambda sign: F.conv(sign, 36, 10)), "")
    return digits(F.lit(98) - _modulo_97(number), 2)


def _french(account: Column) -> Column:
    """The RIB key."""
    bank = 89 * int(_FR_BANK[:5]) + 15 * int(_FR_BANK[5:])
    return 97 - F.pmod(F.lit(bank) + 3 * account.cast("bigint"), F.lit(97))


def _spanish(account: Column) -> Column:
    """The account's control digit; 11 stands for 0 and 10 for 1."""
    return 11 - F.pmod(weighed(F.concat(F.lit("00"), account), _SPANISH), F.lit(11))


def _dutch(account: Column) -> Column:
    """The last digit that makes the sum of all ten, weighed 10 to 1, divisible by 11 (elfproef)."""
    return F.pmod(-weighed(account, range(9, 1, -1)), F.lit(11))


def _belgian(account: Column) -> Column:
    left = _modulo_97(F.concat(F.lit(_BE_BANK), account))
    return F.when(left == 0, 97).otherwise(left)


def _controls() -> dict[str, Column]:
    """The control number of an account per country that has one."""
    made = {"FR": _french, "ES": _spanish, "NL": _dutch, "BE": _belgian}
    return {code: control(F.col("_account")) for code, control in made.items()}


def _numbers() -> dict[str, Column]:
    """A BBAN per country, of the account and its control number."""
    account, control = F.col("_account"), F.col("_control")
    spanish = F.pmod(F.when(control == 10, 1).otherwise(control), F.lit(11)).cast("string")
    # A last digit of 10 becomes 0 when the first digit, of weight 10, is 1 instead of 0.
    dutch = F.when(control == 10, F.concat(F.lit("1"), account, F.lit("0"))).otherwise(
        F.concat(F.lit("0"), account, control.cast("string"))
    )
    return {
        "FR": F.concat(F.lit(_FR_BANK + "000"), account, digits(control, 2)),
        "ES": F.concat(F.lit(_ES_BANK + _spanish_constant(f"00{_ES_BANK}")), spanish, F.lit("00"), account),
        "NL": F.concat(F.lit("KVEI"), dutch),
        "BE": F.concat(F.lit(_BE_BANK), account, digits(control, 2)),
        "AT": F.concat(F.lit("99999000"), account),
    }


def _spanish_constant(text: str) -> str:
    """The control digit of bank and branch, which are always the same."""
    left = 11 - sum(int(sign) * weight for sign, weight in zip(text, _SPANISH, strict=True)) % 11
    return {10: "1", 11: "0"}.get(left, str(left))


def _by_country(made: Mapping[str, Column], otherwise: Column) -> Column:
    return reduce(lambda rest, code: F.when(F.col("_seat") == code, made[code]).otherwise(rest), made, otherwise)


def _modulo_97(text: Column) -> Column:
    """The remainder of a number of up to 38 digits, which is more than 64 bits hold."""
    return F.pmod(text.cast("decimal(38,0)"), F.lit(97).cast("decimal(38,0)")).cast("int")


def digits(number: Column, count: int) -> Column:
    """The last `count` digits of a whole number, with leading zeros."""
    return F.lpad(F.pmod(number, F.lit(10**count)).cast("string"), count, "0")


def signs(text: Column) -> Column:
    """The text's characters, an array."""
    return F.transform(F.sequence(F.lit(1), F.length(text)), lambda place: F.substr(text, place, F.lit(1)))


def weighed(text: Column, weights: Sequence[int]) -> Column:
    """The sum of the text's first digits, each times its weight."""
    products = [F.substring(text, i, 1).cast("int") * weight for i, weight in enumerate(weights, 1)]
    return reduce(lambda total, product: total + product, products)
