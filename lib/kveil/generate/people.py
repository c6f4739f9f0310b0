"""The table of customers: names, addresses, numbers and what the bank knows of a person."""

from collections.abc import Sequence
from operator import attrgetter

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from kveil.generate.accounts import CURRENT, with_account_iban
from kveil.generate.draws import Draws, at, constant, zipf
from kveil.generate.identifiers import bic, digits
from kveil.generate.national_ids import with_national_id
from kveil.generate.places import FIRST_NAMES, LAST_NAMES, STREETS, TOWNS
from kveil.generate.traits import FIRST_DAY, age, by_country, customer_draws, home, occupation, opened_on, yearly_income

_FOLDED = ("äöüåàáâãçéèêëíìîïñóòôúùûýšžğıŞşÄÖÜÅÉÈÁÍÓÚÑÇł", "aouaaaaaceeeeiiiinooouuuyszgisSAOUAEEAIOUNCl")


def customers(rows: DataFrame, seed: int) -> DataFrame:
    """Clean customers for rows of `customer_id` and `source`: the person whose number it is, for all columns but the id."""
    draws = customer_draws(seed, F.col("source"))
    basics = rows.select(
        "customer_id",
        "source",
        home(draws).alias("_home"),
        age(draws).alias("_age"),
        draws.chance(0.51, "female").alias("_female"),
    )
    birth = F.date_sub(F.lit(FIRST_DAY), (F.col("_age") * 365.25 + draws.below(365, "birthday")).cast("int"))
    placed = basics.select(
        "*",
        birth.alias("_birth"),
        F.when(draws.chance(0.015, "unknown country"), None)
        .otherwise(by_country(attrgetter("code"), F.col("_home")))
        .alias("country"),
        draws.pick(zipf(TOWNS), "town").alias("_town"),
        yearly_income(draws, F.col("_age")).alias("income"),
        _first_name(draws).alias("first_name"),
        _last_name(draws).alias("last_name"),
    )
    code = by_country(attrgetter("code"), F.col("_home"))
    known = with_national_id(placed, code, "_birth", "_female", draws)
    return with_account_iban(known, F.col("source"), F.lit(CURRENT), seed).select(*_columns(draws))


def _first_name(draws: Draws) -> Column:
    """A common name of the country; a seventh have two."""
    ranks = [draws.pick(zipf(FIRST_NAMES, 0.7), name) for name in ("first name", "second name")]
    women, men = (by_country(attrgetter(sex), F.col("_home"), "array<array<string>>") for sex in ("female", "male"))
    one, other = (at(F.when(F.col("_female"), women).otherwise(men), rank) for rank in ranks)
    return F.when(draws.chance(1 / 7, "two names") & (one != other), F.concat_ws(" ", one, other)).otherwise(one)


def _last_name(draws: Draws) -> Column:
    """A common name of the country; a sixteenth have two, with a hyphen."""
    names = by_country(attrgetter("last"), F.col("_home"), "array<array<string>>")
    one, other = (at(names, draws.pick(zipf(LAST_NAMES, 0.7), name)) for name in ("last name", "other last name"))
    return F.when(draws.chance(1 / 16, "double name") & (one != other), F.concat_ws("-", one, other)).otherwise(one)


def _columns(draws: Draws) -> Sequence[Column | str]:
    """The columns of the table `customers`, in its order."""
    code = by_country(attrgetter("code"), F.col("_home"))
    jurisdiction = by_country(attrgetter("jurisdiction"), F.col("_home"))
    street = at(by_country(attrgetter("streets"), F.col("_home"), "array<array<string>>"), draws.below(STREETS, "street"))
    city = at(by_country(attrgetter("cities"), F.col("_home"), "array<array<string>>"), F.col("_town"))
    return (
        "customer_id",
        "first_name",
        "last_name",
        F.when(F.col("_female"), "female").otherwise("male").alias("gender"),
        F.date_format("_birth", "yyyy-MM-dd").alias("birth_date"),
        "national_id",
        _email(draws).alias("email"),
        F.concat(by_country(attrgetter("dial"), F.col("_home")), digits(draws.bits("phone"), 8)).alias("phone"),
        F.concat_ws(" ", street, (1 + draws.below(120, "house")).cast("string")).alias("street"),
        _postcode(draws, code).alias("postcode"),
        city.alias("city"),
        "country",
        F.when(F.col("country").isNotNull(), jurisdiction).alias("jurisdiction"),
        "iban",
        bic(F.when(code == "US", "DE").otherwise(code)).alias("bic"),
        occupation(draws, F.col("_age")).alias("occupation"),
        "income",
        _segment().alias("segment"),
        F.concat_ws(" ", city, F.when(F.col("_town") < 3, F.lpad((1 + draws.below(9, "branch")).cast("string"), 2, "0"))).alias(
            "branch"
        ),
        opened_on(draws, F.col("_age")).alias("opened_on"),
    )


def _email(draws: Draws) -> Column:
    """A folded name and a number at one of the domains that are reserved for examples (RFC 2606)."""
    name = F.translate(F.concat_ws(".", "first_name", "last_name"), *_FOLDED)
    clear = F.regexp_replace(F.lower(F.replace(name, F.lit("ß"), F.lit("ss"))), "[^a-z.-]", "")
    domain = at(constant(["example.org", "example.com", "example.net"], "array<string>"), draws.below(3, "domain"))
    return F.concat(clear, digits(draws.bits("mailbox"), 4), F.lit("@"), domain)


def _postcode(draws: Draws, code: Column) -> Column:
    """A number within the town's postcodes; five digits in DE, FR, ES and US, four elsewhere, and two letters in NL."""
    ends = at(by_country(attrgetter("postcodes"), F.col("_home"), "array<array<array<int>>>"), F.col("_town"))
    lowest, highest = ends[0], ends[1]
    number = (lowest + draws.below(highest - lowest + 1, "postcode")).cast("string")
    letters = [F.substring(F.lit("ABCDEGHJKLNPRTVWXZ"), (1 + draws.below(18, f"letter {i}")).cast("int"), 1) for i in (1, 2)]
    return F.when(code == "NL", F.concat(number, *letters)).when(code.isin("BE", "AT"), number).otherwise(F.lpad(number, 5, "0"))


def _segment() -> Column:
    rich, comfortable = F.col("income") > 95_000, F.col("income") > 48_000
    return F.when(F.col("_age") < 18, "youth").when(rich, "private").when(comfortable, "premium").otherwise("retail")
