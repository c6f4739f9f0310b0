"""Merchants: some per category and country. The name follows from the number, and so does how a statement writes it."""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from kveil.generate.draws import Draws, at, constant, zipf
from kveil.generate.identifiers import digits
from kveil.generate.places import LAST_NAMES, NOUNS, TOWNS, categories, countries

PER_PLACE = 40
"""Merchants of one category in one country; their customers are spread by Zipf's law."""


def merchant_id(category: Column, country: Column, rank: Column) -> Column:
    """The number of the merchant with this rank among those of a category in a country, an int from 1."""
    return ((category * len(countries()) + country) * PER_PLACE + rank + 1).cast("int")


def merchants(spark: SparkSession, seed: int, partitions: int) -> DataFrame:
    """The table of merchants, with the names as the merchants write them."""
    number = len(categories()) * len(countries()) * PER_PLACE
    rows = spark.range(1, number + 1, 1, partitions).select(F.col("id").cast("int").alias("merchant_id"))
    place = F.floor((F.col("merchant_id") - 1) / PER_PLACE).cast("int")
    rows = rows.select("merchant_id", F.floor(place / len(countries())).cast("int").alias("_category"), place.alias("_place"))
    rows = rows.withColumn("_country", F.pmod("_place", F.lit(len(countries()))))
    name, town = merchant_name(seed, F.col("merchant_id"), F.col("_category"), F.col("_country"))
    return rows.select(
        "merchant_id",
        name.alias("name"),
        category_of(F.col("_category")).alias("merchant_category"),
        town.alias("city"),
        at(constant([country.code for country in countries()], "array<string>"), F.col("_country")).alias("country"),
    )


def category_of(index: Column) -> Column:
    """The category's name."""
    return at(constant([category.name for category in categories()], "array<string>"), index)


def merchant_name(seed: int, merchant: Column, category: Column, country: Column) -> tuple[Column, Column]:
    """A merchant's name and town: a family's name and a noun of the trade, in either order."""
    draws = Draws(seed, "merchant", merchant.cast("bigint"))
    nouns = at(constant([each.nouns for each in categories()], "array<array<string>>"), category)
    families = at(constant([each.last for each in countries()], "array<array<string>>"), country)
    towns = at(constant([each.cities for each in countries()], "array<array<string>>"), country)
    noun, family = at(nouns, draws.below(NOUNS, "noun")), at(families, draws.below(LAST_NAMES, "family"))
    name = F.when(draws.chance(0.5, "order"), F.concat_ws(" ", noun, family)).otherwise(F.concat_ws(" ", family, noun))
    return name, at(towns, draws.pick(zipf(TOWNS, 0.8), "town"))


def descriptor(draws: Draws, name: Column, town: Column) -> Column:
    """A card payment's text as acquirers write it: cut, in capitals, with a prefix, a shop's or an order's number, a town."""
    style, loud = draws.pick((0.36, 0.2, 0.14, 0.12, 0.1, 0.08), "style"), F.upper(name)
    shop, order = digits(draws.bits("shop"), 4), digits(draws.bits("order"), 6)
    return (
        F.when(style == 0, F.concat(loud, F.lit(" "), shop, F.lit(" "), F.upper(town)))
        .when(style == 1, F.concat(name, F.lit(", "), town))
        .when(style == 2, F.concat(F.substring(loud, 1, 12), F.lit("*"), order))
        .when(style == 3, F.concat(F.lit("PAYPAL *"), F.replace(loud, F.lit(" "), F.lit(""))))
        .when(style == 4, F.concat(F.lit("SumUp  *"), name))
        .otherwise(F.concat(F.lit("SQ *"), name, F.lit("  "), shop))
    )
