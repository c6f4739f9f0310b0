"""Names and signs of countries and currencies that Unicode CLDR does not list; those that stand for several, with all of them."""

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "pl", "sv", "da", "nb", "fi", "cs", "tr")
"""Those in which names of countries are known; currencies are known in English."""
NO_COUNTRY = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
"""Territories of CLDR for which ISO 3166 has no country."""
COUNTRIES_ALSO = {
    "AE": ("uae",), "CD": ("dr congo", "democratic republic of the congo"), "CI": ("ivory coast",), "CV": ("cabo verde",),
    "CZ": ("czech republic",), "HK": ("hong kong",), "KP": ("dprk",), "KR": ("republic of korea", "korea republic of"),
    "GB": ("great britain", "britain", "england", "scotland", "wales", "northern ireland", "grossbritannien"),
    "IR": ("iran islamic republic of",), "MD": ("republic of moldova",), "MK": ("macedonia",), "MM": ("burma",),
    "MO": ("macao", "macau"), "NL": ("holland", "the netherlands"), "PH": ("the philippines",), "RU": ("russian federation",),
    "SZ": ("swaziland",), "TR": ("turkey",), "TZ": ("united republic of tanzania",), "VN": ("viet nam",),
    "US": ("united states of america", "america"),
}  # fmt: skip
OPEN_COUNTRIES = {
    "korea": ("KP", "KR"),
    "congo": ("CD", "CG"),
    "georgia": ("GE", "US"),
    "guinea": ("GN", "GQ", "GW"),
}
"""Georgia is a state of the US as well."""
SIGNS = {
    "€": ("EUR",), "₹": ("INR",), "₺": ("TRY",), "₴": ("UAH",), "₪": ("ILS",), "₽": ("RUB",), "₫": ("VND",), "฿": ("THB",),
    "zł": ("PLN",), "kč": ("CZK",), "ft": ("HUF",), "r$": ("BRL",), "us$": ("USD",), "a$": ("AUD",), "c$": ("CAD",),
    "nz$": ("NZD",), "hk$": ("HKD",), "sfr": ("CHF",), "£": ("EGP", "FKP", "GBP", "GIP", "SHP"), "¥": ("CNY", "JPY"),
    "₩": ("KPW", "KRW"), "$": ("AUD", "CAD", "MXN", "USD"), "kr": ("DKK", "ISK", "NOK", "SEK"), "₱": ("CUP", "PHP"),
    "fr": ("CHF", "XAF", "XOF"), "rs": ("INR", "LKR", "NPR", "PKR"),
}  # fmt: skip
CURRENCIES_ALSO = {
    "GBP": ("pound sterling", "pounds sterling", "sterling"),
    "USD": ("american dollar", "american dollars"),
    "CNY": ("rmb", "renminbi"),
}
