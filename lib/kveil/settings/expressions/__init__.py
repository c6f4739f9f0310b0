"""Expressions of one row that a policy may write in SQL: read by an allow-list, and written anew for Spark."""

from kveil.settings.expressions.parsed import Expression, names_in, parsed
from kveil.settings.expressions.tokens import ExpressionError

__all__ = ["Expression", "ExpressionError", "names_in", "parsed"]
