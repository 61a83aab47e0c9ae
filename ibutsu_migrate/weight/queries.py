"""SELECT and its kin, INSERT, UPDATE, DELETE, MERGE, and WITH in front of them.

Source: PostgreSQL, "Explicit Locking"; "WITH Queries (Common Table Expressions)".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .calls import are_volatile
from .locks import Catalogue, TableLock, Weight, merged
from .words import Words

QUERIES: Final = frozenset(("SELECT", "VALUES", "TABLE", "WITH"))
"""Verbs of what gives rows."""


def query(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    """A query, or a statement that changes rows, from its first word on.

    Args:
        kind: For people.
        words: The statement, or what stands behind AS in another.
        catalogue: The database as it is before.
    """
    while words.word() == "(":
        # What follows the parentheses, a UNION for example, has been looked at.
        if words.has("FOR", "INTO") or _calls(words.rest(), catalogue):
            return Weight(kind, is_known=False)
        words = words.inside()
    if not words.accept("WITH"):
        return _simple(kind, words, catalogue)
    words.accept("RECURSIVE")
    found: list[Weight] = []
    while True:
        words.name()
        if words.word() == "(":
            words.step()
        if not words.accept("AS"):
            return Weight(kind, is_known=False)
        words.accept("NOT")
        words.accept("MATERIALIZED")
        found.append(_simple(kind, words.inside(), catalogue))
        if not words.accept(","):
            break
    found.append(_simple(kind, words.rest(), catalogue))
    if not all(each.is_known for each in found):
        return Weight(kind, is_known=False)
    return Weight(
        kind,
        merged(lock for each in found for lock in each.locks),
        destroys="; ".join(each.destroys for each in found if each.destroys),
        creates=found[-1].creates,
    )


def _simple(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    """One without WITH in front."""
    rule = _RULES.get(words.word())
    if rule is None:
        return Weight(kind, is_known=False)
    words.step()
    return rule(kind, words, catalogue)


def _select(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    """A query that calls something volatile is there for what that does."""
    if words.has("FOR") or _calls(words.rest(), catalogue):
        return Weight(kind, is_known=False)
    if not words.find("INTO"):
        return Weight(kind)
    words.step()
    while words.word() in ("TEMP", "TEMPORARY", "UNLOGGED", "LOCAL", "TABLE"):
        words.step()
    return Weight(f"{kind} INTO", creates=(words.name(),))


def _calls(words: Words, catalogue: Catalogue) -> bool:
    return are_volatile(words, catalogue, but_harmless=True) is not False


def _table(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    return Weight(kind)


def insert(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    """``INSERT``, also ``COPY ... FROM``: from the word behind the verb on."""
    words.accept("INTO")
    return Weight(kind, (TableLock(words.name(), "ROW EXCLUSIVE"),))


def _update(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("ONLY")
    table = words.name()
    # Which plan a WHERE gets is not in the text.
    scans = None if words.has("WHERE") else True
    return Weight(kind, (TableLock(table, "ROW EXCLUSIVE", scans=scans),))


def _delete(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("FROM")
    words.accept("ONLY")
    table = words.name()
    scans = None if words.has("WHERE") else True
    locks = (TableLock(table, "ROW EXCLUSIVE", scans=scans),)
    return Weight(kind, locks, destroys=f"rows of {table}")


def _merge(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("INTO")
    words.accept("ONLY")
    table = words.name()
    gone = f"rows of {table}" if words.has("DELETE") else ""
    locks = (TableLock(table, "ROW EXCLUSIVE", scans=None),)
    return Weight(kind, locks, destroys=gone)


_RULES: Final[dict[str, Callable[[str, Words, Catalogue], Weight]]] = {
    "DELETE": _delete,
    "INSERT": insert,
    "MERGE": _merge,
    "SELECT": _select,
    "TABLE": _table,
    "UPDATE": _update,
    "VALUES": _select,
}


def made_from(kind: str, name: str, words: Words, catalogue: Catalogue) -> Weight:
    """``CREATE TABLE name AS query``, ``CREATE MATERIALIZED VIEW``: from AS on.

    Args:
        kind: For people.
        name: Of what is made.
        words: At AS.
        catalogue: The database as it is before.
    """
    words.accept("AS")
    first = words.word()
    if first not in QUERIES and first != "(":
        return Weight(kind, is_known=False)
    return replace(query(kind, words, catalogue), creates=(name,))
