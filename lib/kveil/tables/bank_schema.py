"""The tables of a generated bank: files outside the lake, which policies name as sources."""

from dataclasses import dataclass

from kveil.tables.declaration import Column


@dataclass(frozen=True)
class BankTable:
    """A folder of files: its name, what one row is, and its columns, the key first."""

    name: str
    promise: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> str:
        """The column that tells rows apart, exact copies aside."""
        return self.columns[0].name


_CUSTOMER = Column("customer_id", "bigint", "whose it is")
_ACCOUNT = Column("account_id", "bigint", "the account it is booked on")

CUSTOMERS = BankTable(
    "customers",
    "One row per registration of a person; a few are registered twice, under another number and with differences.",
    (
        Column("customer_id", "bigint", "the bank's number of the customer, the privacy unit"),
        Column("first_name", "string", "one or two given names"),
        Column("last_name", "string", "family name"),
        Column("gender", "string", "female or male"),
        Column("birth_date", "string", "yyyy-MM-dd; a text, since exports hold dates that are none"),
        Column(
            "national_id", "string", "tax, insurance or register number of the country, with its check digit; never a real US one"
        ),
        Column("email", "string", "at a domain reserved for examples"),
        Column("phone", "string", "with the country's prefix"),
        Column("street", "string", "street and number"),
        Column("postcode", "string", "within the city's range"),
        Column("city", "string", "twelve per country, by Zipf's law"),
        Column("country", "string", "ISO 3166 code; null for a few"),
        Column("jurisdiction", "string", "EU or US-CA (California); null where the country is"),
        Column("iban", "string", "of the current account"),
        Column("bic", "string", "a test BIC"),
        Column("occupation", "string", "one of 20"),
        Column("income", "int", "gross EUR per year, log-normal per occupation"),
        Column("segment", "string", "youth, retail, premium or private"),
        Column("branch", "string", "where they are looked after"),
        Column("opened_on", "date", "since when"),
    ),
)
ACCOUNTS = BankTable(
    "accounts",
    "One row per account.",
    (
        Column("account_id", "bigint", "the account"),
        _CUSTOMER,
        Column("kind", "string", "current, credit card or savings"),
        Column("iban", "string", "with valid check digits, unique"),
        Column("currency", "string", "EUR"),
        Column("balance", "decimal(14,2)", "at the first day of the year"),
        Column("opened_on", "date", "since when"),
        Column("status", "string", "open or dormant"),
    ),
)
MERCHANTS = BankTable(
    "merchants",
    "One row per merchant, with its name as it writes it: the truth behind the texts of card payments.",
    (
        Column("merchant_id", "int", "the merchant"),
        Column("name", "string", "clean name"),
        Column("merchant_category", "string", "what it sells"),
        Column("city", "string", "where"),
        Column("country", "string", "ISO 3166 code"),
    ),
)
TRANSACTIONS = BankTable(
    "transactions",
    "One row per card payment, cash withdrawal or transfer of the year 2024.",
    (
        Column("transaction_id", "bigint", "the transaction"),
        _ACCOUNT,
        _CUSTOMER,
        Column("booked_at", "timestamp", "UTC"),
        Column("direction", "string", "debit, or credit for salaries"),
        Column("amount", "decimal(12,2)", "in the merchant's currency"),
        Column("currency", "string", "of the merchant's country"),
        Column("amount_eur", "decimal(12,2)", "as booked, EUR"),
        Column("merchant_id", "int", "the counterparty"),
        Column("merchant", "string", "the text on the statement: cut, in capitals, with prefixes and numbers"),
        Column("merchant_category", "string", "one of 16"),
        Column("channel", "string", "contactless, chip, online, atm, online banking or branch"),
        Column("merchant_country", "string", "ISO 3166 code"),
        Column("is_fraud", "boolean", "true for about 0.2 %"),
    ),
)
LOANS = BankTable(
    "loans",
    "One row per loan; at most one per customer.",
    (
        Column("loan_id", "bigint", "the loan"),
        _CUSTOMER,
        _ACCOUNT,
        Column("purpose", "string", "home, car, renovation, consumer or education"),
        Column("principal", "decimal(12,2)", "EUR, log-normal per purpose"),
        Column("rate", "decimal(5,2)", "percent per year"),
        Column("term_months", "int", "until paid back"),
        Column("monthly_payment", "decimal(12,2)", "annuity, EUR"),
        Column("granted_on", "date", "since when"),
        Column("defaulted", "boolean", "true for about 5 %"),
    ),
)
CONSENTS = BankTable(
    "consents",
    "One row per decision of a customer about a purpose: events, never changed.",
    (
        Column("evidence", "string", "reference of the form; the key"),
        _CUSTOMER,
        Column("purpose", "string", "fraud_model, credit_model or marketing"),
        Column("basis", "string", "consent, or notice (with a right to opt out) in California"),
        Column("decision", "string", "grant, refuse or withdraw"),
        Column("effective_from", "timestamp", "from when on it counts, UTC"),
        Column("recorded_at", "timestamp", "when the bank wrote it down, UTC; not before effective_from"),
        Column("decided_at", "timestamp", "the same as effective_from"),
    ),
)
ERRORS = BankTable(
    "errors",
    "The truth of every error that was put in: one row per wrong value, per doubled row, per second registration.",
    (
        Column("table", "string", "where the error is"),
        Column("key", "string", "the key of the row, as text"),
        Column("column", "string", "the wrong column; null for doubled rows"),
        Column(
            "kind",
            "string",
            "typo, swapped_fields, changed, bad_date, null_token, category_variant, duplicate_row (exact) or duplicate_person",
        ),
        Column("truth", "string", "what it should be, as text; of a second registration the person's first number"),
        Column("dirty", "string", "what it is, as text"),
    ),
)
BANK = (CUSTOMERS, ACCOUNTS, MERCHANTS, TRANSACTIONS, LOANS, CONSENTS, ERRORS)
