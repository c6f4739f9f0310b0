"""Numbers by which states know people, with check digits. Europe's are formed like real ones; the US one is never issued.

DE: tax id (ISO 7064 MOD 11,10). FR: NIR (97). ES: DNI (letter). NL: BSN (eleven-test). BE: national register (97).
AT: social insurance (11).
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.draws import Draws
from kveil.generate.identifiers import digits, signs, weighed

_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def with_national_id(rows: DataFrame, country: Column, birth: str, female: str, draws: Draws) -> DataFrame:
    """The rows with `national_id` for the country (a code), a column of birth dates and one that is true for women."""
    made = _bodies(F.col(birth), F.col(female), draws)
    asked = rows.select("*", country.alias("_state"))
    bodied = asked.select("*", _by_state(made, _never_issued(draws)).alias("_body"))
    return with_check(bodied, F.col(birth)).drop("_state", "_body")


def with_check(rows: DataFrame, birth: Column) -> DataFrame:
    """The rows of `_state` and `_body` (the number without its check digit) with `national_id`."""
    checked = rows.select("*", _by_state(_checks(birth), F.lit(0)).alias("_check"))
    return checked.select("*", _by_state(_whole(), F.col("_body")).alias("national_id")).drop("_check")


def _by_state(made: dict[str, Column], otherwise: Column) -> Column:
    return reduce(lambda rest, code: F.when(F.col("_state") == code, made[code]).otherwise(rest), made, otherwise)


def _bodies(birth: Column, female: Column, draws: Draws) -> dict[str, Column]:
    """Of each number what is not its check digit."""
    act = [
        digits(1 + draws.below(most, name), count)
        for most, name, count in ((19, "department", 2), (300, "place", 3), (600, "act", 3))
    ]
    order = digits(1 + 2 * draws.below(498, "order") + F.when(female, 1).otherwise(0), 3)
    return {
        "DE": _ten_digits(draws),
        "FR": F.concat(F.when(female, "2").otherwise("1"), F.date_format(birth, "yyMM"), *act),
        "ES": digits(10_000_000 + draws.below(80_000_000, "dni"), 8),
        "NL": digits(10_000_000 + draws.below(80_000_000, "bsn"), 8),
        "BE": F.concat(F.date_format(birth, "yyMMdd"), order),
        "AT": F.concat(digits(100 + draws.below(800, "insurance"), 3), F.date_format(birth, "ddMMyy")),
    }


def _ten_digits(draws: Draws) -> Column:
    """Nine of the ten digits in any order, the first not 0, and one of them again."""
    lots = F.transform(
        F.sequence(F.lit(0), F.lit(9)),
        lambda digit: F.struct(
            F.xxhash64(draws.bits("order of digits"), digit).alias("lot"), digit.cast("string").alias("digit")
        ),
    )
    order = F.array_join(F.transform(F.array_sort(lots), lambda each: each["digit"]), "")
    turned = F.when(F.substring(order, 1, 1) == "0", F.reverse(order)).otherwise(order)
    again = F.substr(turned, (1 + draws.below(9, "again")).cast("int"), F.lit(1))
    return F.concat(F.substring(turned, 1, 9), again)


def _never_issued(draws: Draws) -> Column:
    """A US number that begins with 9, as no social security number does, with a middle that no taxpayer number has."""
    area, group, serial = 900 + draws.below(100, "area"), 1 + draws.below(49, "group"), 1 + draws.below(9999, "serial")
    return F.concat_ws("-", digits(area, 3), digits(group, 2), digits(serial, 4))


def _checks(birth: Column) -> dict[str, Column]:
    """The check number of each body."""
    body = F.col("_body")
    number = body.cast("bigint")
    since_2000 = F.when(F.year(birth) >= 2000, 2 * 10**9).otherwise(0)
    return {
        "DE": mod_11_10(body),
        "FR": 97 - F.pmod(number, F.lit(97)),
        "ES": F.pmod(number, F.lit(23)),
        "NL": F.pmod(weighed(body, range(9, 1, -1)), F.lit(11)),
        "BE": 97 - F.pmod(number + since_2000, F.lit(97)),
        "AT": F.pmod(weighed(body, (3, 7, 9, 5, 8, 4, 2, 1, 6)), F.lit(11)),
    }


def _whole() -> dict[str, Column]:
    """Body and check number put together.

    A single check digit cannot be 10. There the first digit is one higher, whose weight (9 in NL, 3 in AT) makes it 8 or 2.
    """
    body, check = F.col("_body"), F.col("_check")
    higher = F.concat((F.substring(body, 1, 1).cast("int") + 1).cast("string"), F.substring(body, 2, 8))
    return {
        "DE": F.concat(body, check.cast("string")),
        "FR": F.concat(body, digits(check, 2)),
        "ES": F.concat(body, F.substr(F.lit(_LETTERS), (check + 1).cast("int"), F.lit(1))),
        "NL": F.when(check == 10, F.concat(higher, F.lit("8"))).otherwise(F.concat(body, check.cast("string"))),
        "BE": F.concat(body, digits(check, 2)),
        "AT": F.when(check == 10, _inserted(higher, F.lit("2"))).otherwise(_inserted(body, check.cast("string"))),
    }


def _inserted(body: Column, check: Column) -> Column:
    """The check digit between serial number and birthday."""
    return F.concat(F.substring(body, 1, 3), check, F.substring(body, 4, 6))


def mod_11_10(text: Column) -> Column:
    """The check digit of ISO 7064 MOD 11,10, an int."""

    def step(product: Column, sign: Column) -> Column:
        total = F.pmod(product + sign.cast("int"), F.lit(10))
        return F.pmod(2 * F.when(total == 0, 10).otherwise(total), F.lit(11))

    return F.pmod(11 - F.aggregate(signs(text), F.lit(10), step), F.lit(10))
