"""Synthetic card transactions of a given size: the same rows on every machine, made by Spark's hash functions alone.

100,000 customers hold age (18-90), a 5-digit postcode (Zipf), gender and one of 30 occupations; each row adds a day
within 730 and a log-normal amount in cents.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

CUSTOMERS = 100_000
POSTCODES, OCCUPATIONS, DAYS = 20_000, 30, 730
MEDIAN_CENTS, SPREAD = 3_300, 1.1


def transactions(spark: SparkSession, rows: int, customers: int = CUSTOMERS) -> DataFrame:
    """Customer bigint, age int, postcode string, gender string, occupation string, date date, amount_cents bigint."""
    customer = F.pmod(F.xxhash64("id", F.lit("customer")), F.lit(customers))
    row = spark.range(rows).select("id", customer.alias("customer"))
    return row.select(
        "customer",
        (18 + F.floor(73 * uniform("customer", "age"))).cast("int").alias("age"),
        _postcode().alias("postcode"),
        F.when(uniform("customer", "gender") < 0.5, "female").otherwise("male").alias("gender"),
        F.format_string("occupation %02d", F.floor(OCCUPATIONS * F.pow(uniform("customer", "occupation"), F.lit(2.0)))).alias(
            "occupation"
        ),
        F.date_add(F.lit("2024-01-01").cast("date"), F.floor(DAYS * uniform("id", "date")).cast("int")).alias("date"),
        _cents().alias("amount_cents"),
    )


def uniform(column: str, salt: str) -> Column:
    """A number from 0 to 1 (excluded) that depends on the column's value alone."""
    return F.pmod(F.xxhash64(column, F.lit(salt)), F.lit(2**40)) / F.lit(float(2**40))


def _postcode() -> Column:
    # The inverse of Zipf's distribution function with exponent 1: ranks are spread evenly over their logarithm.
    rank = F.floor(F.pow(F.lit(float(POSTCODES)), uniform("customer", "postcode")))
    return F.format_string("%05d", F.pmod(rank * 7919, F.lit(100_000)))


def _cents() -> Column:
    # Box and Muller: two uniform numbers make a normal one.
    normal = F.sqrt(-2 * F.log(1 - uniform("id", "radius"))) * F.cos(2 * F.lit(3.141592653589793) * uniform("id", "angle"))
    return F.greatest(F.lit(1), F.round(MEDIAN_CENTS * F.exp(SPREAD * normal))).cast("bigint")
