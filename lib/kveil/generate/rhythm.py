"""When things are paid: weights of days and hours, and the rates of foreign money by day."""

import math
from datetime import timedelta

from kveil.generate.traits import DAYS, FIRST_DAY

MONTH_STARTS = [0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335]
"""The index of each month's first day in the leap year that FIRST_DAY begins."""

_WEEK = (0.86, 0.92, 0.95, 1.0, 1.24, 1.33, 0.70)
_AFTER_PAYDAY, _ADVENT = 1.22, 1.3
RATES = {"EUR": 1.0, "USD": 1.082, "GBP": 0.847, "CHF": 0.953, "SEK": 11.43}
"""Units of a currency per EUR, in the middle of the year."""

PROFILES = ("shop", "day", "evening", "commute", "office", "night")
_HOURS = {
    "shop": [0, 0, 0, 0, 0, 0, 0, 1, 4, 7, 9, 10, 10, 8, 8, 9, 11, 12, 10, 6, 3, 1, 0, 0],
    "day": [2, 1, 1, 1, 1, 2, 4, 6, 7, 7, 7, 7, 7, 6, 6, 6, 7, 7, 7, 6, 5, 5, 4, 3],
    "evening": [3, 2, 1, 0, 0, 0, 0, 1, 2, 2, 2, 4, 9, 8, 4, 3, 3, 5, 10, 13, 12, 9, 6, 4],
    "commute": [1, 0, 0, 0, 1, 4, 10, 14, 10, 5, 4, 4, 5, 5, 5, 7, 11, 13, 9, 5, 3, 2, 2, 1],
    "office": [0, 0, 0, 0, 1, 4, 10, 10, 10, 8, 6, 4, 4, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0],
    "night": [9, 10, 11, 11, 9, 6, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 4, 5, 6, 8],
}


def day_weights() -> list[float]:
    """One weight per day of the year: more towards the weekend, around the end of a month and before Christmas."""
    weights = []
    for index in range(DAYS):
        day = FIRST_DAY + timedelta(days=index)
        paid = _AFTER_PAYDAY if day.day >= 27 or day.day <= 5 else 1.0
        weights.append(_WEEK[day.weekday()] * paid * (_ADVENT if day.month == 12 and day.day < 24 else 1.0))
    return weights


def hour_weights() -> list[list[float]]:
    """24 weights per profile, in the order of PROFILES; every hour has a little, since nothing happens never."""
    return [[weight + 0.15 for weight in _HOURS[name]] for name in PROFILES]


def daily_rates() -> list[list[float]]:
    """Units per EUR by currency (in the order of RATES) and day: a slow wave of 2 %, other for each currency."""
    return [
        [round(rate * (1 + (0.02 * math.sin(2 * math.pi * (day / 150 + i / 5)) if i else 0)), 4) for day in range(DAYS)]
        for i, rate in enumerate(RATES.values())
    ]
