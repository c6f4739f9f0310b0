"""Check digits, as Spark expressions: IBAN (ISO 13616, ISO 7064 MOD 97-10), national account numbers and national ids.

Every function takes texts of digits and gives text. The bank's codes are made up, and its BIC is one of the test BICs of
ISO 9362 (location code ending in 0).
"""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.generate.draws import Draws


def digits(number: Column, count: int) -> Column:
    """A whole number with leading zeros, its last `count` digits."""
    return F.lpad(F.pmod(number, F.lit(10**count)).cast("string"), count, "0")


def iban(country: Column, bban: Column) -> Column:
    """The IBAN of a country's basic bank account number: country, two check digits, BBAN."""
    return F.concat(country, _iban_check(country, bban), bban)


def _iban_check(country: Column, bban: Column) -> Column:
    """98 minus the remainder by 97 of BBAN, country and 00, in which letters are numbers from A = 10 to Z = 35."""
    number = F.array_join(F.transform(_signs(F.concat(bban, country, F.lit("00"))), lambda sign: F.conv(sign, 36, 10)), "")
    return digits(F.lit(98) - _modulo(number, 97), 2)


def _signs(text: Column) -> Column:
    """The text's characters, an array."""
    return F.transform(F.sequence(F.lit(1), F.length(text)), lambda place: F.substr(text, place, F.lit(1)))


def bban(country: Column, account: Column) -> Column:
    """A BBAN of the made-up bank for an account number of eight digits, with its country's own check digits.

    DE, AT: bank and account. FR: RIB key. ES: two control digits. NL: elfproef. BE: MOD 97. Elsewhere as in DE.
    """
    made = {
        "FR": _with_rib_key("99999", "00001", F.concat(F.lit("000"), account)),
        "ES": _with_spanish_control("9999", "0001", F.concat(F.lit("00"), account)),
        "NL": F.concat(F.lit("KVEI"), _eleven_proof(account)),
        "BE": _with_mod_97(F.concat(F.lit("98"), account)),
        "AT": F.concat(F.lit("99999"), F.lit("000"), account),
    }
    german = F.concat(F.lit("99999999"), F.lit("00"), account)
    return reduce(lambda rest, code: F.when(country == code, made[code]).otherwise(rest), made, german)


def bic(country: Column) -> Column:
    """The made-up bank's test BIC in a country."""
    return F.concat(F.lit("KVEI"), country, F.lit("20"))


def _with_rib_key(bank: str, branch: str, account: Column) -> Column:
    weighed = F.lit(89 * int(bank) + 15 * int(branch)) + 3 * account.cast("bigint")
    return F.concat(F.lit(bank + branch), account, digits(F.lit(97) - F.pmod(weighed, F.lit(97)), 2))


def _with_spanish_control(bank: str, branch: str, account: Column) -> Column:
    control = [_spanish_digit(text) for text in (F.lit(f"00{bank}{branch}"), account)]
    return F.concat(F.lit(bank + branch), *control, account)


def _spanish_digit(text: Column) -> Column:
    left = 11 - F.pmod(weighed(text, (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)), F.lit(11))
    return F.when(left == 10, "1").when(left == 11, "0").otherwise(left.cast("string"))


def _eleven_proof(account: Column) -> Column:
    """Ten digits whose sum, weighed 10 to 1, is divisible by 11.

    Where that takes a last digit of 10, the first digit is 1 instead of 0: its weight is 10, so the last becomes 0.
    """
    check = F.pmod(-weighed(account, range(9, 1, -1)), F.lit(11))
    return F.when(check == 10, F.concat(F.lit("1"), account, F.lit("0"))).otherwise(
        F.concat(F.lit("0"), account, check.cast("string"))
    )


def _with_mod_97(text: Column) -> Column:
    left = _modulo(text, 97)
    return F.concat(text, digits(F.when(left == 0, 97).otherwise(left), 2))


def weighed(text: Column, weights: Sequence[int]) -> Column:
    """The sum of the text's digits, each times its weight."""
    products = [F.substring(text, i, 1).cast("int") * weight for i, weight in enumerate(weights, 1)]
    return reduce(lambda total, product: total + product, products)


def _modulo(text: Column, divisor: int) -> Column:
    """The remainder of a number of up to 38 digits, which is more than 64 bits hold."""
    return F.pmod(text.cast("decimal(38,0)"), F.lit(divisor).cast("decimal(38,0)")).cast("int")


def national_id(country: Column, birth: Column, female: Column, draw: Draws) -> Column:
    """The number by which a person's state knows them, with its check digit; for the US one that is never issued.

    DE: tax id (ISO 7064 MOD 11,10). FR: NIR (key 97). ES: DNI (letter). NL: BSN (eleven-test). BE: national register number.
    AT: social insurance number. `birth` is a date, `female` a boolean.
    """
    made = {
        "DE": _german_tax_id(draw),
        "FR": _french_nir(birth, female, draw),
        "ES": _spanish_dni(draw),
        "NL": _dutch_bsn(draw),
        "BE": _belgian_register(birth, female, draw),
        "AT": _austrian_insurance(birth, draw),
    }
    # Social security numbers begin with 9 in nobody's case, and tax numbers that do have 50 or more here.
    never_issued = F.concat_ws(
        "-", digits(900 + draw.below(100, "area"), 3), digits(1 + draw.below(49, "group"), 2), digits(draw.below(9999, "serial"), 4)
    )
    return reduce(lambda rest, code: F.when(country == code, made[code]).otherwise(rest), made, never_issued)


def _german_tax_id(draw: Draws) -> Column:
    """Ten digits, one of them twice and one missing, the first not 0, and their check digit."""
    ordered = F.array_sort(F.transform(F.sequence(F.lit(0), F.lit(9)), lambda digit: F.struct(_lot(draw, digit), digit.alias("digit"))))
    order = F.transform(ordered, lambda pair: pair["digit"].cast("string"))
    turned = F.when(F.element_at(order, 1) == "0", F.concat(F.slice(order, 2, 9), F.array(F.lit("0")))).otherwise(order)
    ten = F.array_join(F.concat(F.slice(turned, 1, 9), F.slice(turned, 1 + draw.below(9, "doubled").cast("int"), 1)), "")
    return F.concat(ten, mod_11_10(ten))


def _lot(draw: Draws, digit: Column) -> Column:
    return F.xxhash64(draw.bits("order of digits"), digit).alias("lot")


def mod_11_10(text: Column) -> Column:
    """The check digit of ISO 7064 MOD 11,10."""

    def step(product: Column, sign: Column) -> Column:
        total = F.pmod(product + sign.cast("int"), F.lit(10))
        return F.pmod(2 * F.when(total == 0, 10).otherwise(total), F.lit(11))

    left = F.aggregate(_signs(text), F.lit(10), step)
    return F.pmod(11 - left, F.lit(10)).cast("string")


def _french_nir(birth: Column, female: Column, draw: Draws) -> Column:
    place = digits(1 + draw.below(19, "department"), 2), digits(1 + draw.below(300, "commune"), 3), digits(1 + draw.below(600, "act"), 3)
    text = F.concat(F.when(female, "2").otherwise("1"), F.date_format(birth, "yyMM"), *place)
    return F.concat(text, digits(F.lit(97) - F.pmod(text.cast("bigint"), F.lit(97)), 2))


def _spanish_dni(draw: Draws) -> Column:
    number = 10_000_000 + draw.below(80_000_000, "dni")
    letter = F.substring(F.lit("TRWAGMYFPDXBNJZSQVHLCKE"), (F.pmod(number, F.lit(23)) + 1).cast("int"), 1)
    return F.concat(digits(number, 8), letter)


def _dutch_bsn(draw: Draws) -> Column:
    """Eight digits and one that makes the sum, weighed 9 to 2 and -1, divisible by 11.

    Where that would be 10, the first digit, of weight 9, is one higher: then it is 8.
    """
    front, back = 1 + draw.below(8, "bsn first"), digits(draw.below(10**7, "bsn"), 7)
    check = F.pmod(9 * front + weighed(back, range(8, 1, -1)), F.lit(11))
    return F.when(check == 10, F.concat((front + 1).cast("string"), back, F.lit("8"))).otherwise(
        F.concat(front.cast("string"), back, check.cast("string"))
    )


def _belgian_register(birth: Column, female: Column, draw: Draws) -> Column:
    """Birth, an odd (men) or even number of the day, and 97 minus the remainder by 97; with a 2 in front from 2000 on."""
    serial = digits(1 + 2 * draw.below(498, "order") + F.when(female, 1).otherwise(0), 3)
    text = F.concat(F.date_format(birth, "yyMMdd"), serial)
    century = F.when(F.year(birth) >= 2000, 2 * 10**9).otherwise(0)
    return F.concat(text, digits(97 - F.pmod(text.cast("bigint") + century, F.lit(97)), 2))


def _austrian_insurance(birth: Column, draw: Draws) -> Column:
    """Three digits, a check digit (weights 3 7 9 and 5 8 4 2 1 6 of the birthday, modulo 11), ddMMyy.

    Where the check digit would be 10, the first digit, of weight 3, is one higher: then it is 2.
    """
    front, back, day = 1 + draw.below(8, "first"), digits(draw.below(100, "serial"), 2), F.date_format(birth, "ddMMyy")
    check = F.pmod(3 * front + weighed(back, (7, 9)) + weighed(day, (5, 8, 4, 2, 1, 6)), F.lit(11))
    return F.when(check == 10, F.concat((front + 1).cast("string"), back, F.lit("2"), day)).otherwise(
        F.concat(front.cast("string"), back, check.cast("string"), day)
    )
