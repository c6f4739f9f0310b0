"""What people write where there is nothing to say, in the languages of the banks that we know."""

import pyarrow as pa

NOTHING = frozenset(
    {"", "-", "--", "---", ".", "?", "??", "n/a", "n.a.", "#n/a", "null", "nil", "nan", "none", "(null)", "<null>", "\\n"}
)
"""Signs and words that are never a value."""

NOTHING_KNOWN = frozenset(
    {"na", "unknown", "missing", "not available", "not applicable", "not known", "no data", "unspecified", "undefined", "tbd"}
    | {"unbekannt", "k.a.", "k. a.", "keine angabe", "fehlt", "inconnu", "non disponible", "non renseigné", "desconocido"}
    | {"sin datos", "sconosciuto", "non disponibile", "desconhecido", "onbekend", "nieznany", "brak", "brak danych"}
)
"""Words that may be a category of their own."""


def is_nothing(value: str) -> bool:
    """Whether the text, without blanks around it and whatever its case, is such a word."""
    return value.strip().casefold() in NOTHING | NOTHING_KNOWN


def known(column: pa.ChunkedArray) -> pa.Array:
    """A column of texts with null for such words."""
    encoded = column.combine_chunks().dictionary_encode()
    values = [None if is_nothing(value) else value for value in encoded.dictionary.to_pylist()]
    return pa.array(values, pa.string()).take(encoded.indices)
