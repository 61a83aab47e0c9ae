"""ALTER TABLE, action by action.

Source: PostgreSQL, ``AlterTableGetLockLevel`` in tablecmds.c; the page "ALTER TABLE".
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from .columns import added_column, changed_type
from .locks import Catalogue, TableLock, Weight, merged
from .words import Words

_STRONGEST: Final = "ACCESS EXCLUSIVE"
_MILD: Final = "SHARE UPDATE EXCLUSIVE"


class Action:
    """One action of ALTER TABLE.

    Attributes:
        kind: What it is called.
        locks: On this table and others; empty where it is not known.
        destroys: What is gone afterwards.
    """

    __slots__ = ("destroys", "kind", "locks")

    def __init__(
        self, kind: str, *locks: TableLock, destroys: str = "", cascade: bool = False
    ) -> None:
        self.kind = kind
        self.locks = locks
        self.destroys = destroys + (", and what depends on it" if cascade else "")


def alter_table(
    words: Words, catalogue: Catalogue, verb: str = "ALTER TABLE"
) -> Weight:
    """``ALTER TABLE``, ``ALTER MATERIALIZED VIEW``: from the word behind it on."""
    if words.accept("ALL"):
        return Weight(f"{verb} ALL", is_known=False)
    if_there = words.accept("IF", "EXISTS")
    words.accept("ONLY")
    table = words.name()
    words.accept("*")
    actions = [_action(table, part, catalogue) for part in words.parts()]
    kind = f"{verb} {', '.join(dict.fromkeys(each.kind for each in actions))}"
    if not actions or not all(each.locks for each in actions):
        return Weight(kind, is_known=False)
    if if_there and catalogue.is_there(table) is False:
        return Weight(kind)
    gone = [each.destroys for each in actions if each.destroys]
    locks = merged(lock for each in actions for lock in each.locks)
    return Weight(kind, locks, destroys="; ".join(gone))


def _action(table: str, words: Words, catalogue: Catalogue) -> Action:
    first = words.word()
    if first in _BY_WORD:
        words.step()
        return _BY_WORD[first](table, words, catalogue)
    return Action(first)


def _add(table: str, words: Words, catalogue: Catalogue) -> Action:
    if words.accept("CONSTRAINT"):
        words.name()
        return _constraint(table, words)
    if words.word() in ("CHECK", "UNIQUE", "PRIMARY", "EXCLUDE", "FOREIGN", "NOT"):
        return _constraint(table, words)
    words.accept("COLUMN")
    words.accept("IF", "NOT", "EXISTS")
    return Action("ADD COLUMN", *added_column(table, words, catalogue))


def _constraint(table: str, words: Words) -> Action:
    kind = words.word()
    not_valid = _is_not_valid(words.rest())
    if kind == "FOREIGN":
        mode = "SHARE ROW EXCLUSIVE"
        if not words.find("REFERENCES"):
            return Action("ADD FOREIGN KEY")
        words.step()
        other = TableLock(words.name(), mode, scans=not not_valid)
        return Action(
            "ADD FOREIGN KEY", TableLock(table, mode, scans=not not_valid), other
        )
    if kind in ("CHECK", "NOT"):
        return Action(
            "ADD CHECK" if kind == "CHECK" else "ADD NOT NULL",
            TableLock(table, _STRONGEST, scans=not not_valid),
        )
    name = {"UNIQUE": "ADD UNIQUE", "PRIMARY": "ADD PRIMARY KEY"}.get(kind)
    if name is not None and words.has("USING"):
        using = words.rest()
        using.find("USING")
        if using.word(1) == "INDEX" and using.word(2) != "TABLESPACE":
            # A primary key's columns must be NOT NULL already, or are looked through.
            scans = None if kind == "PRIMARY" else False
            return Action(
                f"{name} USING INDEX", TableLock(table, _STRONGEST, scans=scans)
            )
    if kind == "EXCLUDE" or name is not None:
        return Action(name or "ADD EXCLUDE", TableLock(table, _STRONGEST, scans=True))
    return Action("ADD CONSTRAINT")


def _is_not_valid(words: Words) -> bool:
    """``NOT VALID``; or ``NOT ENFORCED``, from PostgreSQL 18 on."""
    while words.find("NOT"):
        if words.word(1) in ("VALID", "ENFORCED"):
            return True
        words.step()
    return False


def _drop(table: str, words: Words, catalogue: Catalogue) -> Action:
    cascade = words.has("CASCADE")
    if words.accept("CONSTRAINT"):
        words.accept("IF", "EXISTS")
        name = words.name()
        others = catalogue.referenced(table, name)
        if cascade:
            others = [*others, *catalogue.referencing(table)]
        return Action(
            "DROP CONSTRAINT",
            TableLock(table, _STRONGEST),
            *(TableLock(other, _STRONGEST) for other in others),
        )
    words.accept("COLUMN")
    words.accept("IF", "EXISTS")
    column = words.name()
    others = catalogue.joined(table, column)
    if cascade:
        others = [*others, *catalogue.views_on(table, column)]
    return Action(
        "DROP COLUMN",
        TableLock(table, _STRONGEST),
        *(TableLock(other, _STRONGEST) for other in others),
        destroys=f"column {column} of {table}",
        cascade=cascade,
    )


def _alter(table: str, words: Words, catalogue: Catalogue) -> Action:
    if words.accept("CONSTRAINT"):
        return _alter_constraint(table, words, catalogue)
    words.accept("COLUMN")
    column = words.name()
    if words.accept("TYPE") or words.accept("SET", "DATA", "TYPE"):
        return Action(
            "ALTER COLUMN TYPE", *changed_type(table, column, words, catalogue)
        )
    if words.accept("SET", "NOT", "NULL"):
        # A validated CHECK that says the same spares the scan.
        checked = catalogue.has_checks(table, column)
        scans = True if checked is False else None
        if catalogue.is_not_null(table, column):
            scans = False
        return Action("SET NOT NULL", TableLock(table, _STRONGEST, scans=scans))
    for known in (
        *(("DROP", "NOT", "NULL"), ("SET", "DEFAULT"), ("DROP", "DEFAULT")),
        *(("SET", "STORAGE"), ("SET", "COMPRESSION"), ("ADD", "GENERATED")),
        *(("DROP", "IDENTITY"), ("SET", "GENERATED"), ("RESTART",)),
        ("DROP", "EXPRESSION"),
    ):
        if words.accept(*known):
            return Action(" ".join(known), TableLock(table, _STRONGEST))
    if words.accept("SET", "STATISTICS") or words.word(1) == "(":
        return Action("ALTER COLUMN SET", TableLock(table, _MILD))
    if words.word() == "SET" and words.word(1) in _OF_IDENTITY:
        return Action("SET (identity)", TableLock(table, _STRONGEST))
    return Action("ALTER COLUMN")


def _alter_constraint(table: str, words: Words, catalogue: Catalogue) -> Action:
    """When it is checked; what PostgreSQL 18 has besides has no rule."""
    words.name()
    rest = words.rest()
    while rest.word() in ("NOT", "DEFERRABLE", "INITIALLY", "DEFERRED", "IMMEDIATE"):
        rest.step()
    if not rest.is_end:
        return Action("ALTER CONSTRAINT")
    return Action("ALTER CONSTRAINT", TableLock(table, _STRONGEST))


def _set(table: str, words: Words, catalogue: Catalogue) -> Action:
    if words.word() == "(":
        strong = "USER_CATALOG_TABLE" in words.text().upper()
        return Action("SET (...)", TableLock(table, _STRONGEST if strong else _MILD))
    if words.word() in ("LOGGED", "UNLOGGED", "TABLESPACE", "ACCESS"):
        lock = TableLock(table, _STRONGEST, rewrites=True, scans=True)
        method = " METHOD" if words.word() == "ACCESS" else ""
        return Action(f"SET {words.word()}{method}", lock)
    if words.accept("WITHOUT", "CLUSTER"):
        return Action("SET WITHOUT CLUSTER", TableLock(table, _MILD))
    if words.accept("WITHOUT", "OIDS"):
        return Action("SET WITHOUT OIDS", TableLock(table, _STRONGEST))
    if words.accept("SCHEMA"):
        return Action("SET SCHEMA", TableLock(table, _STRONGEST))
    return Action("SET")


def _reset(table: str, words: Words, catalogue: Catalogue) -> Action:
    return Action("RESET (...)", *_set(table, words, catalogue).locks)


def _rename(table: str, words: Words, catalogue: Catalogue) -> Action:
    part = {"TO": "RENAME", "CONSTRAINT": "RENAME CONSTRAINT"}
    kind = part.get(words.word(), "RENAME COLUMN")
    return Action(kind, TableLock(table, _STRONGEST))


def _owner(table: str, words: Words, catalogue: Catalogue) -> Action:
    return Action("OWNER", TableLock(table, _STRONGEST))


def _replica(table: str, words: Words, catalogue: Catalogue) -> Action:
    return Action("REPLICA IDENTITY", TableLock(table, _STRONGEST))


def _validate(table: str, words: Words, catalogue: Catalogue) -> Action:
    words.accept("CONSTRAINT")
    name = words.name()
    if catalogue.is_validated(table, name):
        return Action("VALIDATE CONSTRAINT", TableLock(table, _MILD))
    others = catalogue.referenced(table, name)
    return Action(
        "VALIDATE CONSTRAINT",
        TableLock(table, _MILD, scans=True),
        *(TableLock(other, "ROW SHARE") for other in others),
    )


def _enable(table: str, words: Words, catalogue: Catalogue) -> Action:
    words.accept("ALWAYS")
    words.accept("REPLICA")
    mode = "SHARE ROW EXCLUSIVE" if words.word() == "TRIGGER" else _STRONGEST
    return Action(f"ENABLE {words.word()}", TableLock(table, mode))


def _disable(table: str, words: Words, catalogue: Catalogue) -> Action:
    mode = "SHARE ROW EXCLUSIVE" if words.word() == "TRIGGER" else _STRONGEST
    return Action(f"DISABLE {words.word()}", TableLock(table, mode))


def _force(table: str, words: Words, catalogue: Catalogue) -> Action:
    return Action("FORCE ROW LEVEL SECURITY", TableLock(table, _STRONGEST))


def _cluster(table: str, words: Words, catalogue: Catalogue) -> Action:
    return Action("CLUSTER ON", TableLock(table, _MILD))


def _inherit(table: str, words: Words, catalogue: Catalogue) -> Action:
    parent = TableLock(words.name(), _MILD)
    return Action("INHERIT", TableLock(table, _STRONGEST), parent)


def _no(table: str, words: Words, catalogue: Catalogue) -> Action:
    if words.accept("FORCE"):
        return _force(table, words, catalogue)
    if words.accept("INHERIT"):
        parent = TableLock(words.name(), "ACCESS SHARE")
        return Action("NO INHERIT", TableLock(table, _STRONGEST), parent)
    return Action("NO")


def _attach(table: str, words: Words, catalogue: Catalogue) -> Action:
    words.accept("PARTITION")
    # A validated CHECK that says the same spares the scan.
    name = words.name()
    part = TableLock(name, _STRONGEST, scans=None)
    around = beside_partition(table, catalogue, merging=catalogue.referenced(name))
    return Action("ATTACH PARTITION", TableLock(table, _MILD), part, *around)


def _detach(table: str, words: Words, catalogue: Catalogue) -> Action:
    words.accept("PARTITION")
    part = TableLock(words.name(), _STRONGEST)
    mild = words.word() in ("CONCURRENTLY", "FINALIZE")
    mode = _MILD if mild else _STRONGEST
    locks = [TableLock(table, mode), part]
    if not mild:
        locks += beside_partition(table, catalogue, leaving=True)
    return Action("DETACH PARTITION", *locks)


def beside_partition(
    table: str,
    catalogue: Catalogue,
    *,
    merging: Collection[str] = (),
    leaving: bool = False,
) -> list[TableLock]:
    """What else is locked where a table gets a partition, or loses one.

    Args:
        table: The partitioned one.
        catalogue: Knows the others: the default partition, and where foreign keys lead
            from and to. Theirs are triggers, which are made or dropped.
        merging: Tables that foreign keys of a table that becomes a partition point to:
            such a key becomes a part of the parent's.
        leaving: Whether it loses one.

    Source: ``ATExecAttachPartition``, ``DetachPartitionFinalize`` in tablecmds.c.
    """
    default = catalogue.default_of(table)
    shared = "SHARE ROW EXCLUSIVE"
    locks = [
        TableLock(other, _STRONGEST if other in merging else shared)
        for other in catalogue.referenced(table)
    ]
    locks += [
        # Rows may point to what leaves.
        TableLock(other, _STRONGEST, scans=None)
        if leaving
        else TableLock(other, shared)
        for other in catalogue.referencing(table)
    ]
    if default is not None:
        scans = False if leaving else None
        locks.append(TableLock(default, _STRONGEST, scans=scans))
    return locks


_OF_IDENTITY: Final = frozenset(
    (
        *("START", "INCREMENT", "MINVALUE", "MAXVALUE", "NO", "CACHE", "CYCLE"),
        "SEQUENCE",
    )
)
_BY_WORD: Final[dict[str, Callable[[str, Words, Catalogue], Action]]] = {
    "ADD": _add,
    "ALTER": _alter,
    "ATTACH": _attach,
    "CLUSTER": _cluster,
    "DETACH": _detach,
    "DISABLE": _disable,
    "DROP": _drop,
    "ENABLE": _enable,
    "FORCE": _force,
    "INHERIT": _inherit,
    "NO": _no,
    "OWNER": _owner,
    "RENAME": _rename,
    "REPLICA": _replica,
    "RESET": _reset,
    "SET": _set,
    "VALIDATE": _validate,
}
