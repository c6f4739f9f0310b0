"""What is true of a person in every table: country, age, occupation, income. All of it follows from the customer's number."""

from collections.abc import Callable
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from kveil.generate.draws import Draws, at, constant
from kveil.generate.places import Country, homes

FIRST_DAY, DAYS = date(2024, 1, 1), 366
"""The year that the bank's transactions lie in."""

_AGES = {(14, 4): 1, (18, 8): 11, (26, 10): 19, (36, 10): 19, (46, 10): 18, (56, 10): 16, (66, 10): 10, (76, 20): 6}
"""Years of age at the first day, as (from, how many), and their weights. The first are minors."""
_JOBS = {
    "nurse": 2_900, "teacher": 3_400, "engineer": 4_600, "clerk": 2_700, "salesperson": 2_200, "craftsperson": 2_800,
    "driver": 2_300, "software developer": 4_700, "physician": 6_800, "lawyer": 5_900, "cook": 2_000, "civil servant": 3_300,
    "manager": 6_300, "cleaner": 1_700, "accountant": 3_600, "self-employed": 3_500, "scientist": 4_300, "unemployed": 1_050,
}  # fmt: skip
"""Median of the monthly gross income, EUR."""
_JOB_WEIGHTS = (7, 7, 8, 12, 10, 10, 6, 6, 2, 1, 4, 7, 5, 5, 3, 6, 2, 5)
_STUDENT, _RETIRED = ("student", 850), ("retired", 1_900)


def customer_draws(seed: int, customer: Column) -> Draws:
    """The draws of a customer, whichever table asks."""
    return Draws(seed, "customer", customer)


def home(draws: Draws) -> Column:
    """The index of the customer's country."""
    return draws.pick([country.share for country in homes()], "country")


def by_country(values: Callable[[Country], object], index: Column, kind: str = "array<string>") -> Column:
    """A value per home country, by the country's index."""
    return at(constant([values(country) for country in homes()], kind), index)


def age(draws: Draws) -> Column:
    """Years of age at FIRST_DAY, an int."""
    group = draws.pick(list(_AGES.values()), "age group")
    lowest, width = (at(constant([ages[i] for ages in _AGES], "array<int>"), group) for i in (0, 1))
    return (lowest + draws.below(width, "age")).cast("int")


def affluence(draws: Draws) -> Column:
    """How a person stands among those of their occupation: standard normal; income and spending go with it."""
    return draws.normal("affluence")


def _job(draws: Draws, years: Column) -> Column:
    """The index of an occupation: of the list, then student, retired."""
    drawn = draws.pick(_JOB_WEIGHTS, "occupation")
    studies, rests = draws.chance(0.45, "studies"), years > 61 + draws.below(7, "retires")
    return F.when((years < 18) | ((years < 27) & studies), len(_JOBS)).when(rests, len(_JOBS) + 1).otherwise(drawn)


def occupation(draws: Draws, years: Column) -> Column:
    """What a person does for a living."""
    return at(constant([*_JOBS, _STUDENT[0], _RETIRED[0]], "array<string>"), _job(draws, years))


def yearly_income(draws: Draws, years: Column) -> Column:
    """EUR before tax, in whole hundreds: log-normal around the occupation's median, rising with age up to 50."""
    medians = [*_JOBS.values(), _STUDENT[1], _RETIRED[1]]
    median = at(constant(medians, "array<double>"), _job(draws, years))
    experience = 0.75 + 0.25 * F.least(F.greatest(years - 20, F.lit(0)), F.lit(30)) / 30
    return (F.round(median * 12 * experience * F.exp(0.35 * affluence(draws)) / 100) * 100).cast("int")


def opened_on(draws: Draws, years: Column) -> Column:
    """When they became a customer: at least a month before FIRST_DAY, after the seventh birthday, within 30 years."""
    most = F.least(years - 7, F.lit(30)) * 365.25
    return F.date_sub(F.lit(FIRST_DAY), (30 + (most - 30) * F.pow(draws.uniform("opened"), F.lit(1.6))).cast("int"))


def since_opened(draws: Draws, years: Column, part: Column) -> Column:
    """The day at this part, from 0 to 1, of the time from becoming a customer to FIRST_DAY."""
    opened = opened_on(draws, years)
    return F.date_add(opened, F.floor(F.date_diff(F.lit(FIRST_DAY), opened) * part).cast("int"))
