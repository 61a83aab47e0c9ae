"""Every verb but CREATE, DROP and ALTER TABLE; and the way in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from .._core import sql_facts
from .alter import alter_table
from .create import MILD, STRONGEST, create, drop
from .locks import MODES, OTHER_PATH, Catalogue, TableLock, Weight, merged
from .queries import insert, query
from .words import Words

# Statements that touch no table.
_FREE: Final = frozenset(
    (
        *("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "ROLLBACK_TO"),
        *("SET", "RESET", "SHOW", "LISTEN", "UNLISTEN", "NOTIFY", "DISCARD"),
        *("CHECKPOINT", "GRANT", "REVOKE", "DEALLOCATE", "CLOSE"),
    )
)
# Rows are read or changed, perhaps behind a WITH.
_ROWS: Final = frozenset(
    ("DELETE", "INSERT", "MERGE", "SELECT", "TABLE", "UPDATE", "VALUES", "WITH")
)
_NAMED: Final = frozenset(("CREATE", "ALTER", "DROP", "REINDEX", "REFRESH"))
# Objects whose own relation COMMENT and the like lock.
_RELATIONS: Final = frozenset(("TABLE", "VIEW", "INDEX", "SEQUENCE", "COLUMN"))
_NO_RELATIONS: Final = frozenset(
    (
        *("SCHEMA", "TYPE", "DOMAIN", "FUNCTION", "PROCEDURE", "EXTENSION"),
        *("DATABASE", "ROLE", "STATISTICS", "TABLESPACE"),
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
    elif verb in _NAMED and (of_roles := _of_roles(verb, Words(raw))):
        return Weight(of_roles)
    if facts["concurrently"]:
        kind += " CONCURRENTLY"
    own = facts["own_transaction"]
    if facts["unsure"] or facts["statements"] != 1:
        return Weight(kind, is_known=False, own_transaction=own)
    begin = facts["name_offset"]
    name = raw[begin : begin + facts["name_len"]].decode("utf-8", "replace")
    words = Words(raw)
    if verb == "CREATE":
        found = create(kind, subject, name, words, catalogue)
    elif verb == "DROP":
        found = drop(kind, subject, name, words, catalogue)
    elif verb == "ALTER":
        found = _alter(kind, subject, name, words, catalogue)
    elif verb in _FREE:
        found = Weight(OTHER_PATH if _moves(verb, words) else kind)
    elif verb in _ROWS:
        found = query(kind, words, catalogue)
    elif verb in _RULES:
        words.step()
        found = _RULES[verb](kind, words, catalogue)
    else:
        found = Weight(kind, is_known=False)
    return replace(found, own_transaction=own) if own else found


def _moves(verb: str, words: Words) -> bool:
    """Whether names may mean other tables from here on."""
    if verb in ("RESET", "DISCARD") and words.has("ALL"):
        return True
    return verb in ("SET", "RESET") and "search_path" in words.text().lower()


def _of_roles(verb: str, words: Words) -> str:
    """CREATE ROLE and its kin, which touch no table; empty for anything else."""
    words.step()
    if words.accept("DEFAULT", "PRIVILEGES"):
        return f"{verb} DEFAULT PRIVILEGES"
    subject = words.word()
    is_role = subject in ("ROLE", "GROUP") or (
        subject == "USER" and words.word(1) != "MAPPING"
    )
    return f"{verb} {subject}" if is_role else ""


def _alter(
    kind: str, subject: str, name: str, words: Words, catalogue: Catalogue
) -> Weight:
    words.step()
    if words.accept("TABLE"):
        return alter_table(words, catalogue)
    if words.accept("MATERIALIZED", "VIEW"):
        return alter_table(words, catalogue, kind)
    if words.has("IF") and catalogue.is_there(name) is False:
        return Weight(kind)
    if subject == "DOMAIN":
        return Weight(kind, is_known=_touches_no_rows(words))
    if subject == "SEQUENCE":
        strong = words.has("RENAME", "OWNER") or "SCHEMA" in words.text().upper()
        # nextval() waits for the weaker one too.
        mode = STRONGEST if strong else "SHARE ROW EXCLUSIVE"
        return Weight(kind, (TableLock(name, mode, rewrites=None),))
    free = ("FUNCTION", "PROCEDURE", "SCHEMA", "DATABASE", "SYSTEM", "STATISTICS")
    if subject in free:
        return Weight(kind)
    if subject == "TYPE":
        # ATTRIBUTEs may be those of a table's rows.
        return Weight(kind, is_known="ATTRIBUTE" not in words.text().upper())
    if subject == "VIEW":
        return Weight(kind, (TableLock(name, STRONGEST),))
    named = subject in ("TRIGGER", "POLICY", "RULE") and not words.has("DEPENDS")
    if named and words.find("ON"):
        words.step()
        return Weight(kind, (TableLock(words.name(), STRONGEST),))
    if subject == "INDEX":
        return _alter_index(kind, name, words)
    return Weight(kind, is_known=False)


def _touches_no_rows(words: Words) -> bool:
    """Whether an ALTER DOMAIN looks through no table that has such a column."""
    words.step()
    words.name()
    if words.accept("ADD"):
        while words.find("NOT"):
            if words.word(1) == "VALID":
                return True
            words.step()
        return False
    return words.word() in ("DROP", "RENAME", "OWNER") or any(
        words.accept("SET", word) for word in ("DEFAULT", "SCHEMA")
    )


def _alter_index(kind: str, name: str, words: Words) -> Weight:
    if words.has("RENAME") or words.has("SET", "RESET"):
        rest = words.rest()
        moved = rest.find("SET") and rest.word(1) == "TABLESPACE"
        mode = STRONGEST if moved else MILD
        return Weight(kind, (TableLock(name, mode, rewrites=moved),))
    return Weight(kind, is_known=False)


def _truncate(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("TABLE")
    tables = words.names()
    if words.has("CASCADE"):
        tables += [other for each in tables for other in catalogue.emptied_with(each)]
    tables = list(dict.fromkeys(tables))
    locks = tuple(TableLock(each, STRONGEST) for each in tables)
    return Weight(kind, locks, destroys=f"all rows of {', '.join(tables)}")


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
    # Of a view what it reads is locked too.
    tables += [under for table in tables for under in catalogue.read_by(table)]
    return Weight(kind, merged(TableLock(table, mode) for table in tables))


def _comment(kind: str, words: Words, catalogue: Catalogue) -> Weight:
    words.accept("ON")
    words.accept("MATERIALIZED")
    subject = words.word()
    words.step()
    if subject in _NO_RELATIONS:
        return Weight(kind)
    parts = ("CONSTRAINT", "TRIGGER", "POLICY", "RULE")
    if subject in parts and words.find("ON"):
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
    # Only what is there already is compared; what is written anew may have indexes.
    scans = True if mild else None
    return Weight(kind, (TableLock(words.name(), mode, not mild, scans),))


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
    "COPY_IN": insert,
    "LOCK": _lock,
    "REFRESH": _refresh,
    "REINDEX": _reindex,
    "TRUNCATE": _truncate,
    "VACUUM": _vacuum,
}
