"""CREATE and DROP.

Source: PostgreSQL, "Explicit Locking"; the pages of the commands; ``RemoveRelations``
in tablecmds.c and ``RemoveTriggerById`` in trigger.c for what a DROP locks besides.
"""

from __future__ import annotations

from typing import Final

from .alter import beside_partition
from .locks import Catalogue, TableLock, Weight, merged
from .queries import made_from
from .words import Words

STRONGEST: Final = "ACCESS EXCLUSIVE"
MILD: Final = "SHARE UPDATE EXCLUSIVE"

# What has no table that others use.
_FREE: Final = frozenset(
    (
        *("DATABASE", "DOMAIN", "FUNCTION", "PROCEDURE", "SCHEMA", "SEQUENCE"),
        *("TABLESPACE", "TYPE"),
    )
)
# What may be missing where IF EXISTS is said.
_RELATIONS: Final = frozenset(
    ("TABLE", "INDEX", "VIEW", "MATERIALIZED_VIEW", "SEQUENCE")
)


def create(
    kind: str, subject: str, name: str, words: Words, catalogue: Catalogue
) -> Weight:
    """``CREATE ...``, from its first word on.

    Args:
        kind: For people.
        subject: What is made, as the classifier calls it.
        name: Of that.
        words: All of the statement.
        catalogue: The database as it is before.
    """
    if subject in _FREE:
        # A body that is no string is read at once, with the tables in it; so is what
        # CREATE SCHEMA makes besides.
        more = subject == "SCHEMA" and Words(words.sql, words.tokens[1:]).has("CREATE")
        return Weight(kind, is_known=not words.has("ATOMIC") and not more)
    if subject == "TABLE":
        if _is_there_already(name, words, catalogue):
            return Weight(kind)
        return _table(kind, name, words, catalogue)
    if subject == "MATERIALIZED_VIEW" and words.find("AS"):
        return made_from(kind, name, words, catalogue)
    if subject == "INDEX":
        return _index(kind, name, words, catalogue)
    if subject == "VIEW":
        again = words.accept("CREATE", "OR", "REPLACE")
        again = again and catalogue.is_there(name) is not False
        return Weight(kind, (TableLock(name, STRONGEST),) if again else ())
    if subject in ("TRIGGER", "POLICY") and words.find("ON"):
        words.step()
        mode = STRONGEST if subject == "POLICY" else "SHARE ROW EXCLUSIVE"
        return Weight(kind, (TableLock(words.name(), mode),))
    if subject == "RULE" and words.find("TO"):
        words.step()
        lock = TableLock(words.name(), STRONGEST)
        # Anything else that it does is read at once, with the tables in it.
        if words.has("NOTHING"):
            return Weight(kind, (lock,))
    if subject == "STATISTICS" and words.find("FROM"):
        words.step()
        return Weight(kind, (TableLock(words.name(), MILD),))
    return Weight(kind, is_known=False)


def _is_there_already(name: str, words: Words, catalogue: Catalogue) -> bool:
    """Whether IF NOT EXISTS leaves nothing to do."""
    return words.has("IF") and catalogue.is_there(name) is True


def _table(kind: str, name: str, words: Words, catalogue: Catalogue) -> Weight:
    locks: list[TableLock] = []
    if words.has("AS"):
        words.find("AS")
        return made_from(f"{kind} AS", name, words, catalogue)
    rest = words.rest()
    if rest.find("PARTITION") and rest.word(1) == "OF":
        rest.at += 2
        parent = rest.name()
        # The default partition, if there is one, is looked through.
        locks.append(TableLock(parent, STRONGEST, scans=None))
        locks += beside_partition(parent, catalogue)
    rest = words.rest()
    if rest.find("INHERITS"):
        rest.step()
        locks += [TableLock(parent, MILD) for parent in rest.inside().names()]
    while not words.is_end:
        if words.word() == "(":
            locks += _elements(words.inside())
        else:
            words.step()
    others = [lock for lock in locks if lock.relation != name]
    return Weight(kind, merged(others), creates=(name,))


def _elements(inside: Words) -> list[TableLock]:
    locks: list[TableLock] = []
    while not inside.is_end:
        if inside.accept("REFERENCES"):
            locks.append(TableLock(inside.name(), "SHARE ROW EXCLUSIVE"))
        elif inside.accept("LIKE"):
            locks.append(TableLock(inside.name(), "ACCESS SHARE"))
        else:
            inside.step()
    return locks


def _index(kind: str, name: str, words: Words, catalogue: Catalogue) -> Weight:
    concurrently = words.has("CONCURRENTLY")
    there = bool(name) and _is_there_already(name, words, catalogue)
    if not words.find("ON"):
        return Weight(kind, is_known=False)
    words.step()
    words.accept("ONLY")
    mode = MILD if concurrently else "SHARE"
    return Weight(kind, (TableLock(words.name(), mode, scans=not there),))


def drop(
    kind: str, subject: str, name: str, words: Words, catalogue: Catalogue
) -> Weight:
    """``DROP ...``. Arguments are those of ``create``."""
    cascade = words.has("CASCADE")
    gone = "what depends on it" if cascade else ""
    if subject in ("TRIGGER", "POLICY", "RULE") and words.find("ON"):
        words.step()
        return Weight(kind, (TableLock(words.name(), STRONGEST),))
    names = _names_from(words, name)
    if subject in _RELATIONS and words.has("IF"):
        names = [each for each in names if catalogue.is_there(each) is not False]
        if not names:
            return Weight(kind)
    if subject == "TABLE":
        return _drop_tables(kind, names, cascade, catalogue)
    if subject == "INDEX":
        return _drop_indexes(kind, names, words, catalogue)
    if subject == "DATABASE":
        return Weight(kind, destroys=f"database {name}")
    if cascade:
        return Weight(kind, is_known=False, destroys=gone)
    if subject in ("VIEW", "MATERIALIZED_VIEW", "SEQUENCE"):
        return Weight(kind, tuple(TableLock(each, STRONGEST) for each in names))
    return Weight(kind, is_known=subject in _FREE)


def _names_from(words: Words, name: str) -> list[str]:
    """All names, from the one that the classifier has found on."""
    rest = Words(words.sql, words.tokens)
    while not rest.is_end:
        begin = rest.at
        if rest.name() == name:
            rest.at = begin
            return rest.names()
        rest.at = begin + 1
    return [name]


def _drop_tables(
    kind: str, names: list[str], cascade: bool, catalogue: Catalogue
) -> Weight:
    others = [other for name in names for other in catalogue.referenced(name)]
    if cascade:
        for name in names:
            others += [*catalogue.referencing(name), *catalogue.views_on(name)]
    for name in names:
        parent = catalogue.parent_of(name)
        if parent is not None and parent not in names:
            default = catalogue.default_of(parent)
            others += [parent, *([default] if default is not None else ())]
    locks = [TableLock(each, STRONGEST) for each in (*names, *others)]
    gone = f"table {', '.join(names)}" + (", and what depends on it" if cascade else "")
    return Weight(kind, merged(locks), destroys=gone)


def _drop_indexes(
    kind: str, names: list[str], words: Words, catalogue: Catalogue
) -> Weight:
    whole = Words(words.sql, words.tokens)
    mode = MILD if whole.has("CONCURRENTLY") else STRONGEST
    tables = [catalogue.table_of(name) for name in names]
    locks = [TableLock(table, mode) for table in tables if table is not None]
    return Weight(kind, merged([*locks, *(TableLock(name, mode) for name in names)]))
