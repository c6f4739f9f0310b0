"""What all sections of a policy share: strictness and the field types that carry meaning."""

from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"

Identifier = Annotated[str, Field(pattern=IDENTIFIER)]
"""A name that is safe as table name, path part and SQL identifier: lower case letters, digits, underscores."""

ColumnName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""A source's column: letters, digits and underscores, so that it is a SQL identifier and a Delta column as it stands."""

MOST = 10**9
"""People, values or rows that a policy may ask for: more than anybody has, and far from the end of 64 bits."""

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, from 0 to 1."""


def _at_nano_precision(value: Decimal) -> Decimal:
    if value != value.quantize(Decimal("1e-9")):
        raise ValueError("at most 9 decimals are kept, so that budgets add up exactly")
    return value


Epsilon = Annotated[Decimal, Field(gt=0, le=1000), AfterValidator(_at_nano_precision)]
"""A privacy loss, exact to a billionth: budgets are sums of these and must never round."""


class Section(BaseModel):
    """A part of a policy: unknown keys are errors, values never change after loading."""

    # What was given may be a secret in the wrong place, so no exception shows it; the loader decides what a sentence repeats.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
