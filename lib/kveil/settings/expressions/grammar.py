"""Whether the tokens of an expression are one condition or value of one row: sqlglot reads them as Spark's SQL, without a JVM."""

import logging

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from kveil.settings.expressions.tokens import ExpressionError

_INVALID = "is no valid SQL expression"
_REFUSED: tuple[tuple[type, str], ...] = (
    (exp.Query, "looks at other rows (a query)"),
    (exp.Table, "looks at other rows (a table)"),
    (exp.Window, "looks at other rows (over)"),
    (exp.AggFunc, "looks at other rows (an aggregate)"),
    (exp.UDTF, "makes several rows of one"),
    (exp.Lambda, "takes a function of its own"),
    (exp.Star, "names all columns (*)"),
    (exp.Alias, "holds two values side by side, or a name for its result"),
    (exp.Tuple, "gives several values"),
    (exp.Dot, "looks into a value (.)"),
    (exp.Placeholder, "has a parameter"),
    (exp.Parameter, "has a parameter"),
    (exp.Command, "is a command"),
)
_OF_SEVERAL = (exp.DPipe, exp.Concat)
_MATCHES = (exp.RegexpLike, exp.RegexpILike, exp.Like, exp.ILike)


def check_grammar(sql: str) -> None:
    """Raises ExpressionError where `sql`, made of tokens that were checked, is no expression of one row."""
    logging.getLogger("sqlglot").setLevel(logging.CRITICAL)  # It repeats what it does not know.
    try:
        statements = sqlglot.parse(sql, read="spark")
    except (SqlglotError, RecursionError, ValueError):
        raise ExpressionError(_INVALID) from None
    if len(statements) != 1 or statements[0] is None:
        raise ExpressionError(_INVALID)
    for node in statements[0].walk():
        why = next((why for kind, why in _REFUSED if isinstance(node, kind)), "")
        if why:
            raise ExpressionError(f"{why}; allowed: an expression of one row")
        if isinstance(node, _OF_SEVERAL) and node.find(exp.Column) is None:
            raise ExpressionError("joins texts of constants alone; write what they give")
        if isinstance(node, _MATCHES) and isinstance(node.this, exp.Binary):
            raise ExpressionError("matches a pattern with an operation; put what is matched in parentheses")
    if not isinstance(statements[0], exp.Condition):
        raise ExpressionError(_INVALID)
