"""`anonymize.mask`: columns that are released under a mask, each by a technique, with the reason why they are released at all.

Techniques that need a key take it from `anonymize.mask_keys`. A plain or shortened hash is no technique: the hash of a
telephone number or national id is reversed by trying all of them.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, StrictBool, Tag, ValidationError, model_validator

from kveil.settings.base import Epsilon, Identifier, Section
from kveil.settings.bounds import BoughtBounds, BoundShare
from kveil.settings.secrets import SecretReference

Reason = Annotated[str, Field(min_length=1)]
Scope = Literal["release", "purpose", "shared"]
_MOST_DAYS = 3650


class _Mask(Section):
    """What all masks say: why the column is released, and whether its values may tell one person's rows from others'.

    Without `linkable` each released value must be held by at least k people, which is measured.
    """

    reason: Reason
    linkable: StrictBool = False
    links: ClassVar[bool] = False
    """Whether the technique gives a person's rows something in common by design."""
    shows_values: ClassVar[bool] = False
    """Whether most values are shown as they are, which a direct identifier may not be."""


class _Keyed(_Mask):
    """A mask that is a function of a key. Columns of one `domain` get the same for the same.

    scope: release, so that no two releases can be joined by it; purpose, so that those of one purpose can; shared, all.
    """

    scope: Scope = "release"
    domain: Identifier | None = None
    links: ClassVar[bool] = True
    usual_domain: ClassVar[str] = ""

    def domain_of(self, column: str) -> str:
        """Whose key the column's mask is a function of."""
        return self.domain or self.usual_domain or column

    @model_validator(mode="after")
    def _allowed_by_name(self) -> "_Keyed":
        if not self.linkable:
            raise ValueError(
                "gives all rows of a person something in common, by which a history can be recognised; say linkable: true if "
                "that is wanted (it is measured and reported), or take redact, partial, bin or round"
            )
        return self


class Redact(_Mask):
    """The same text in the place of every value; a null stays null."""

    technique: Literal["redact"]


class Partial(_Mask):
    """`***` with the first or last characters, or with the domain of an e-mail address.

    A text that is not at least twice as long as what is kept shows nothing. Its length is not shown.
    """

    technique: Literal["partial"]
    keep_first: Annotated[int, Field(ge=0, le=8)] = 0
    keep_last: Annotated[int, Field(ge=0, le=8)] = 0
    keep: Literal["domain"] | None = None

    @model_validator(mode="after")
    def _something_is_kept(self) -> "Partial":
        if (self.keep is None) == (self.keep_first + self.keep_last == 0):
            raise ValueError("partial keeps either characters (keep_first, keep_last) or keep: domain; redact keeps nothing")
        return self


class Pseudonym(_Keyed):
    """A token in the place of a value: 128 bits of HMAC-SHA-256. With the key the only way back is to try values.

    Columns of one domain, by default one column, give equal values equal tokens.
    """

    technique: Literal["pseudonym"]


class Encrypt(_Keyed):
    """Format-preserving encryption (FF1): the same format, reversible with the key and `kveil reveal`.

    `unfit` says what becomes of a text that is not of the format: it stops the release, or nothing is shown of it.
    """

    technique: Literal["encrypt"]
    format: Literal["digits", "alphanumeric", "card", "iban"]
    keep_first: Annotated[int, Field(ge=0, le=8)] = 0
    keep_last: Annotated[int, Field(ge=0, le=8)] = 0
    # YAML reads the word null as nothing at all.
    unfit: Annotated[Literal["refuse", "null"], BeforeValidator(lambda value: "null" if value is None else value)] = "refuse"

    @model_validator(mode="after")
    def _keeps_what_it_can(self) -> "Encrypt":
        if self.format == "iban" and (self.keep_first or self.keep_last):
            raise ValueError(
                "format iban keeps country and letters and makes its check digits anew; remove keep_first, keep_last"
            )
        if self.format == "card" and self.keep_last:
            raise ValueError("format card makes its last digit anew, so the last ones cannot be kept; remove keep_last")
        return self


class Fake(_Keyed):
    """A made-up value for each person, always the same one for the same person; two people may share one.

    A person's fakes agree: all are of one domain unless the policy says otherwise, so that name and e-mail match.
    """

    usual_domain: ClassVar[str] = "fake"
    technique: Literal["fake"]
    kind: Literal["first_name", "last_name", "name", "email", "phone", "address", "company"]


class DateShift(_Keyed):
    """Dates moved by as many days as the person's key says, from -days to days and never 0: order and intervals stay.

    A person's dates move together: all are of one domain unless the policy says otherwise.
    """

    usual_domain: ClassVar[str] = "date_shift"
    technique: Literal["date_shift"]
    days: Annotated[int, Field(ge=1, le=_MOST_DAYS)]


class Round(_Mask):
    """Numbers to the nearest multiple of `to`, ties to the even one; dates and times to the beginning of their period."""

    technique: Literal["round"]
    to: Annotated[Decimal, Field(gt=0, decimal_places=9)] | Literal["week", "month", "quarter", "year"]


class Bin(_Mask):
    """Texts that name the range a number is in: [edge, next edge), below the first, or from the last on.

    The edges are public: written down without looking at the data.
    """

    technique: Literal["bin"]
    edges: Annotated[list[Decimal], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _in_order(self) -> "Bin":
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges go up, lowest first, each once")
        return self


class TopBottom(_Mask):
    """Top and bottom coding: what is below `lower` or above `upper` becomes that bound.

    Bounds are public numbers or dates; extremes and percentiles of the data would show somebody's value. `BoughtTopBottom`
    finds percentiles privately.
    """

    shows_values: ClassVar[bool] = True
    technique: Literal["top_bottom"]
    lower: Decimal | date | None = None
    upper: Decimal | date | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "TopBottom":
        if self.lower is None and self.upper is None:
            raise ValueError(
                "top_bottom needs lower, upper or both: public bounds, not extremes of the data; or quantiles, within and "
                "epsilon, which buy them from the budget"
            )
        if self.lower is not None and self.upper is not None:
            if isinstance(self.lower, date) != isinstance(self.upper, date):
                raise ValueError("lower and upper are both numbers or both dates")
            if self.lower >= self.upper:  # type: ignore[operator]
                raise ValueError("lower must be below upper")
        return self


class Quantiles(Section):
    """The shares of rows that lie below each bound; an end without a share is not bought."""

    lower: Annotated[BoundShare, Field(gt=0, lt=1)] | None = None
    upper: Annotated[BoundShare, Field(gt=0, lt=1)] | None = None


class OuterRange(Section):
    """Public whole numbers between which the bounds are looked for; also the bound of an end that is not bought."""

    lower: int
    upper: int


class BoughtTopBottom(_Mask):
    """Top and bottom coding of whole numbers at bounds that are quantiles of the data, found privately for `epsilon` per person.

    Of whom has more rows than `rows_per_person` each row counts less, so that all together count as that many.
    """

    shows_values: ClassVar[bool] = True
    technique: Literal["top_bottom"]
    quantiles: Quantiles
    within: OuterRange
    epsilon: Epsilon
    rows_per_person: Annotated[int, Field(ge=1, le=10**6)] = 1

    @property
    def bounds(self) -> BoughtBounds:
        """What is bought, as aggregates buy it."""
        shares = (self.quantiles.lower or Decimal(0), self.quantiles.upper or Decimal(1))
        return BoughtBounds(epsilon=self.epsilon, at=shares, within=(self.within.lower, self.within.upper))

    @model_validator(mode="after")
    def _can_be_bought(self) -> "BoughtTopBottom":
        try:
            _ = self.bounds
        except ValidationError as error:
            said = error.errors()[0]["msg"].removeprefix("Value error, ")
            raise ValueError(said.replace("at:", "quantiles:")) from None
        return self


class Swap(_Mask):
    """Each value as it is, beside another row of its equivalence class: values are permuted at random within classes.

    What the rows of a class hold of the column stays; which row holds what, and so what else goes with it, does not.
    """

    shows_values: ClassVar[bool] = True
    technique: Literal["swap"]


class Scrub(_Mask):
    """Free text in which e-mail addresses, account, card, telephone and other long numbers and IP addresses became `<TYPE>`.

    Found by form and check digits; names and what else a text may tell of a person are not found.
    """

    technique: Literal["scrub"]
    linkable: Literal[True] = Field(
        description="a text may tell of its person whatever is taken out of it; the policy says that this is known"
    )


TECHNIQUES: dict[str, type[_Mask]] = {
    "redact": Redact, "partial": Partial, "pseudonym": Pseudonym, "encrypt": Encrypt, "fake": Fake, "date_shift": DateShift,
    "round": Round, "bin": Bin, "top_bottom": TopBottom, "swap": Swap, "scrub": Scrub,
}  # fmt: skip
_BOUGHT = "top_bottom(bought)"
_HASHES = ("hash", "sha", "md5", "crc", "blake", "xxhash", "murmur", "truncate")


def _known_technique(value: Any) -> Any:
    technique = value.get("technique") if isinstance(value, dict) else None
    allowed = f"allowed: {', '.join(TECHNIQUES)}"
    if technique is None and not isinstance(value, _Mask):
        raise ValueError(f"a mask names its technique and a reason; {allowed}")
    if isinstance(technique, str) and any(word in technique.lower() for word in _HASHES):
        raise ValueError(
            "a hash without a key, whole or shortened, is reversed by hashing every possible number, in seconds for a telephone "
            "number or national id; take technique: pseudonym, which needs mask_keys"
        )
    if technique is not None and technique not in TECHNIQUES:
        raise ValueError(f"technique names no known one; {allowed}")
    return value


def _technique_of(value: Any) -> str:
    if not isinstance(value, dict):
        return _BOUGHT if isinstance(value, BoughtTopBottom) else str(value.technique)
    technique = str(value["technique"])
    return _BOUGHT if technique == "top_bottom" and {"quantiles", "within", "epsilon"} & set(value) else technique


Mask = Annotated[
    Annotated[Redact, Tag("redact")]
    | Annotated[Partial, Tag("partial")]
    | Annotated[Pseudonym, Tag("pseudonym")]
    | Annotated[Encrypt, Tag("encrypt")]
    | Annotated[Fake, Tag("fake")]
    | Annotated[DateShift, Tag("date_shift")]
    | Annotated[Round, Tag("round")]
    | Annotated[Bin, Tag("bin")]
    | Annotated[TopBottom, Tag("top_bottom")]
    | Annotated[BoughtTopBottom, Tag(_BOUGHT)]
    | Annotated[Swap, Tag("swap")]
    | Annotated[Scrub, Tag("scrub")],
    Discriminator(_technique_of),
    BeforeValidator(_known_technique),
]

KeyedMask = Pseudonym | Encrypt | Fake | DateShift

MaskKeys = Annotated[dict[Annotated[int, Field(ge=1)], SecretReference], Field(max_length=10)]
"""Secrets by reference under their version numbers; the highest is the current one, `kveil rotate-key` moves to it."""
