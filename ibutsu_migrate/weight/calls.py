"""Functions that a text calls: may one of them do something, or answer anew?"""

from __future__ import annotations

from typing import Final

from .locks import Catalogue, Known, either
from .words import Words

# Words before a parenthesis that call nothing, or nothing but the server's own syntax.
_NO_CALLS: Final = frozenset(
    (
        *("ALL", "AND", "ANY", "ARRAY", "AS", "BETWEEN", "BY", "CASE", "CAST", "CUBE"),
        *("COALESCE", "DISTINCT", "ELSE", "EXCEPT", "EXISTS", "EXTRACT", "FILTER"),
        *(
            "FROM",
            "GREATEST",
            "GROUP",
            "GROUPING",
            "HAVING",
            "ILIKE",
            "IN",
            "INTERSECT",
        ),
        *("JOIN", "LATERAL", "LEAST", "LIKE", "LIMIT", "NOT", "NULLIF", "OFFSET", "ON"),
        *("OR", "OVER", "OVERLAY", "POSITION", "ROLLUP", "ROW", "SELECT", "SETS"),
        *("SIMILAR", "SOME", "SUBSTRING", "THEN", "TO", "TRIM", "UNION", "USING"),
        *("VALUES", "WHEN", "WHERE", "WITHIN", "BIT", "CHAR", "CHARACTER", "DEC"),
        *("DECIMAL", "FLOAT", "INTERVAL", "NCHAR", "NUMERIC", "TIME", "TIMESTAMP"),
        *("VARCHAR", "VARYING"),
    )
)
# Volatile, and no table is touched by them.
_HARMLESS: Final = frozenset(
    (
        *("clock_timestamp", "currval", "gen_random_uuid", "lastval", "nextval"),
        *("pg_sleep", "random", "setval"),
    )
)


def are_volatile(
    words: Words, catalogue: Catalogue, *, but_harmless: bool = False
) -> Known:
    """Whether one of the functions that are called is volatile.

    Args:
        words: The text, from here on.
        catalogue: Knows functions.
        but_harmless: Whether those of the server's that touch no table count as if
            they were not.
    """
    found: list[Known] = []
    while not words.is_end:
        if words.accept(":", ":"):
            # A type, whatever is in its parentheses.
            words.name()
            if words.word() == "(":
                words.step()
            continue
        keyword = words.word()
        name = words.name()
        if name and words.word() == "(" and not _is_none(name, keyword, but_harmless):
            found.append(catalogue.is_volatile(name))
        if not name:
            words.at += 1
    return either(found)


def _is_none(name: str, keyword: str, but_harmless: bool) -> bool:
    if name.upper() == keyword and keyword in _NO_CALLS:
        return True
    return but_harmless and name.lower().removeprefix("pg_catalog.") in _HARMLESS
