"""Every verb but CREATE, DROP and ALTER TABLE; and the way in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .._core import sql_facts
from .alter import alter_table
from .create import MILD, STRONGEST, create, drop
from .locks import MODES, Catalogue, TableLock, Weight, merged
from .words import Words

# Statements that touch no table.
_FREE: Final = frozenset(
    (
        *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ROLLBACK_TO"),
        *("SET", "RESET", "SHOW", "LISTEN", "UNLISTEN", "NOTIFY", "DISCARD"),
        *("CHECKPOINT", "GRANT", "REVOKE", "DEALLOCATE", "CLOSE"),
    )
)
_NAMED: Final = frozenset(("CREATE", "ALTER", "DROP", "REINDEX", "REFRESH"))
# Objects whose own relation COMMENT and the like lock.
_RELATIONS: Final = frozenset(("TABLE", "VIEW", "INDEX", "SEQUENCE", "COLUMN"))
_NO_RELATIONS: Final = frozenset(
    (
        *("SCHEMA", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "EXTENSION"),
        *("DATABASE", "ROLE", "TABLESPACE"),
    )
)

_Rule = Callable[[str, Words, Catalogue], Weight]


def weigh(sql: str, catalogue: Catalogue) -> Weight:
    """What one statement does to tables.

    Args:
        sql: One statement.
        catalogue: The database as it is before.
    """
    raw = sql.encode("utf-8", "replace")
    facts = sql_facts(raw)
    verb, subject = facts["verb"], facts["object"]
    kind = verb.replace("_", " ")
    if verb in _NAMED and subject not in ("NONE", "OTHER"):
        kind = f"{kind} {subject.replace('_', ' ')}"
    if facts["concurrently"]:
        kind += " CONCURRENTLY"
    own = facts["own_transaction"]
    if facts["unsure"] or facts["statements"] != 1:
        return Weight(kind, is_known=False, own_transaction=own)
    begin = facts["name_offset"]
    name = raw[begin : begin + facts["name_len"]].decode("utf-8", "replace")
    words = Words(raw)
    if verb == "CREATE":
        found = create(kind, subject, name, words)
    elif verb == "DROP":
        found = drop(kind, subject, name, words, catalogue)
    elif verb == "ALTER":
        found = _alter(kind, subject, name, words, catalogue)
    elif verb in _FREE:
        found = Weight(kind)
    elif verb in _RULES:
        words.step()
        found = _RULES[verb](kind, words, catalogue)
    else:
        found = Weight(kind, is_known=False)
    return replace(found, own_transaction=own) if own else found


def _alter(
    kind: str, subject: str, name: str, words: Words, catalogue: Catalogue
) -> Weight:
    words.step()
    if words.accept("TABLE"):
        return alter_table(words, catalogue)
    if subject == "SEQUENCE":
        strong = words.has("RENAME", "OWNER") or "SCHEMA" in words.text().upper()
        # nextval() waits for the weaker one too.
        mode = STRONGEST if strong else "SHARE ROW EXCLUSIVE"
        return Weight(kind, (TableLock(name, mode, rewrites=None),))
    if subject in ("FUNCTION", "PROCEDURE", "SCHEMA", "DATABASE", "SYSTEM"):
        return Weight(kind)
    if subject == "TYPE":
        # ATTRIBUTEs may be those of a table's rows.
        return Weight(kind, is_known="ATTRIBUTE" not in words.text().upper())
    if subject == "VIEW":
        return Weight(kind, (TableLock(name, STRONGEST),))
    if subject in ("TRIGGER", "POLICY", "RULE") and words.find("ON"):
        words.step()
        return Weight(kind, (TableLock(words.name(), STRONGEST),))
    if subject == "INDEX":
        return _alter_index(kind, name, words)
    return Weight(kind, is_known=False)


def _alter_index(kind: str, name: str, words: Words) -> Weight:
    if words.has("RENAME") or words.has("SET", "RESET"):
        rest = words.rest()
        moved = rest.find("SET") and rest.word(1) == "TABLESPACE"
        mode = STRONGEST if moved else MILD
        return Weight(kind, (TableLock(name, mode, rewrites=moved),))
    return Weight(kind, is_known=False)


def _insert(kind: str, words: Words, catalogue: Catalogue) -> Weight:
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


def _select(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    """A query that calls something is there for what that does."""
    called = any(
        words.tokens[at][0] in ("WORD", "QUOTED")
        and words.tokens[at + 1][0] == "SYMBOL"
        and words.sql[words.tokens[at + 1][1] : words.tokens[at + 1][2]] == b"("
        for at in range(len(words.tokens) - 1)
    )
    into = words.has("INTO", "FOR")
    return Weight(kind, is_known=not called and not into)


def _truncate(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("TABLE")
    tables = words.names()
    others: list[str] = []
    if words.has("CASCADE"):
        others = [other for table in tables for other in catalogue.referencing(table)]
    locks = [TableLock(each, STRONGEST) for each in (*tables, *others)]
    return Weight(kind, merged(locks), destroys=f"all rows of {', '.join(tables)}")


def _lock(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("TABLE")
    tables, mode = words.names(), STRONGEST
    if words.accept("IN"):
        begin = words.at
        words.find("MODE")
        mode = Words(words.sql, words.tokens[begin : words.at]).text().upper()
        mode = " ".join(mode.split())
    if mode not in MODES:
        return Weight(kind, is_known=False)
    return Weight(kind, tuple(TableLock(table, mode) for table in tables))


def _comment(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("ON")
    words.accept("MATERIALIZED")
    subject = words.word()
    words.step()
    if subject in _NO_RELATIONS:
        return Weight(kind)
    if subject == "CONSTRAINT" and words.find("ON"):
        words.step()
        is_domain = words.word() == "DOMAIN"
        lock = TableLock(words.name(), "ACCESS SHARE")
        return Weight(kind, () if is_domain else (lock,))
    if subject not in _RELATIONS:
        return Weight(kind, is_known=False)
    name = words.name()
    if subject == "COLUMN":
        name = name.rpartition(".")[0]
    return Weight(kind, (TableLock(name, MILD),))


def _refresh(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("MATERIALIZED", "VIEW")
    mild = words.accept("CONCURRENTLY")
    mode = "EXCLUSIVE" if mild else STRONGEST
    return Weight(kind, (TableLock(words.name(), mode, not mild, True),))


def _reindex(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    # As the classifier reads it: (CONCURRENTLY false) is none.
    mild = kind.endswith("CONCURRENTLY")
    if words.word() == "(":
        words.step()
    subject = words.word()
    words.step()
    words.accept("CONCURRENTLY")
    name = words.name()
    mode = MILD if mild else "SHARE"
    if subject == "TABLE":
        return Weight(kind, (TableLock(name, mode, scans=True),))
    if subject != "INDEX":
        return Weight(kind, is_known=False)
    table = catalogue.table_of(name)
    locks = [TableLock(name, MILD if mild else STRONGEST, rewrites=True)]
    if table is not None:
        locks.insert(0, TableLock(table, mode, scans=True))
    return Weight(kind, tuple(locks))


def _cluster(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    if words.word() == "(":
        words.step()
    words.accept("VERBOSE")
    if words.is_end:
        return Weight(kind, is_known=False)
    name = words.name()
    # The old spelling: CLUSTER index ON table.
    table = words.name() if words.accept("ON") else name
    lock = TableLock(table, STRONGEST, rewrites=True, scans=True)
    return Weight(kind, (lock,))


def _vacuum(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    options = words.inside().text().upper() if words.word() == "(" else ""
    full = "FULL" in options or words.accept("FULL")
    while words.word() in ("FREEZE", "VERBOSE", "ANALYZE"):
        words.step()
    if words.is_end:
        return Weight(kind, is_known=False)
    mode = STRONGEST if full else MILD
    name = words.name()
    return Weight(kind, (TableLock(name, mode, rewrites=bool(full), scans=True),))


def _analyze(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    if words.word() == "(":
        words.step()
    words.accept("VERBOSE")
    if words.is_end:
        return Weight(kind, is_known=False)
    return Weight(kind, tuple(TableLock(name, MILD) for name in words.names()))


_RULES: Final[dict[str, _Rule]] = {
    "ANALYZE": _analyze,
    "CLUSTER": _cluster,
    "COMMENT": _comment,
    "DELETE": _delete,
    "INSERT": _insert,
    "COPY_IN": _insert,
    "LOCK": _lock,
    "MERGE": _merge,
    "REFRESH": _refresh,
    "REINDEX": _reindex,
    "SELECT": _select,
    "TRUNCATE": _truncate,
    "UPDATE": _update,
    "VACUUM": _vacuum,
}
