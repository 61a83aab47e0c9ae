"""Columns that are added or change their type: is the table written anew, or read?

Source: PostgreSQL, ``ATExecAddColumn``, ``ATPrepAlterColumnType``, ``ATRewriteTables``
in tablecmds.c; ``transformAlterTableStmt`` in parse_utilcmd.c for foreign keys.
"""

from __future__ import annotations

import re
from typing import Final

from .calls import are_volatile
from .locks import Catalogue, Known, TableLock, either
from .words import Words

_CONSTRAINTS: Final = frozenset(
    (
        *("NOT", "NULL", "CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "REFERENCES"),
        *("GENERATED", "COLLATE", "DEFERRABLE", "INITIALLY", "STORAGE", "COMPRESSION"),
    )
)
_SERIAL: Final = frozenset(
    (
        *("SERIAL", "BIGSERIAL", "SMALLSERIAL"),
        *("SERIAL2", "SERIAL4", "SERIAL8"),
    )
)
# Types of the system's own, by the word they begin with: no domains.
_BUILT_IN: Final = frozenset(
    (
        *("BIGINT", "BIT", "BOOL", "BOOLEAN", "BOX", "BYTEA", "CHAR", "CHARACTER"),
        *("CIDR", "CIRCLE", "DATE", "DATERANGE", "DEC", "DECIMAL", "DOUBLE", "FLOAT"),
        *("FLOAT4", "FLOAT8", "INET", "INT", "INT2", "INT4", "INT8", "INTEGER"),
        *("INTERVAL", "JSON", "JSONB", "LINE", "LSEG", "MACADDR", "MACADDR8", "MONEY"),
        *("NUMERIC", "OID", "PATH", "POINT", "POLYGON", "REAL", "SMALLINT", "TEXT"),
        *("TIME", "TIMESTAMP", "TIMESTAMPTZ", "TIMETZ", "TSQUERY", "TSVECTOR", "UUID"),
        *("VARBIT", "VARCHAR", "XML", "INT4RANGE", "INT8RANGE", "NUMRANGE", "TSRANGE"),
        *("TSTZRANGE", "NATIONAL", "NCHAR", "NAME", "CITEXT", "HSTORE"),
    )
)
_SPELLINGS: Final = {
    "character varying": "varchar",
    "character": "char",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "decimal": "numeric",
    "bool": "boolean",
    "float8": "double precision",
    "float": "double precision",
    "float4": "real",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
}
_TYPE: Final = re.compile(
    r"([a-z_ ]+?[0-9]*)\s*(?:\(\s*([0-9]+)\s*(?:,\s*([0-9]+)\s*)?\))?"
)
# Pairs of different types of which one can stand for the other as it is.
_SAME_BYTES: Final = frozenset((("varchar", "text"), ("text", "varchar")))
_NUMBERS: Final = frozenset(
    ("smallint", "integer", "bigint", "real", "double precision", "numeric")
)
_DIFFERENT: Final = frozenset(
    (*_NUMBERS, "text", "varchar", "boolean", "uuid", "date", "json", "jsonb", "bytea")
)


def added_column(table: str, words: Words, catalogue: Catalogue) -> list[TableLock]:
    """``ADD [COLUMN] [IF NOT EXISTS] name type ...``, from the name on."""
    words.name()
    type_words = words.rest()
    serial = type_words.word() in _SERIAL
    default, has_default = _default(words, catalogue)
    generated, stored = words.has("GENERATED"), words.has("STORED")
    identity = generated and words.has("IDENTITY")
    computed = serial or identity or (generated and stored)
    domain = _domain(type_words, catalogue)
    rewrites = either((computed, default, domain))
    given = has_default or computed
    checks = words.has("CHECK", "UNIQUE", "PRIMARY")
    needs_value = _is_not_null(words) and not given
    locks = [
        TableLock(
            table,
            "ACCESS EXCLUSIVE",
            rewrites,
            either((rewrites, checks, needs_value)),
        )
    ]
    if words.find("REFERENCES"):
        words.step()
        # Of a column of nulls there is nothing to be looked up.
        locks.append(TableLock(words.name(), "SHARE ROW EXCLUSIVE", scans=given))
        if given:
            locks.append(TableLock(table, "ACCESS EXCLUSIVE", rewrites, True))
    return locks


def _is_not_null(words: Words) -> bool:
    rest = words.rest()
    while rest.find("NOT"):
        if rest.word(1) == "NULL":
            return True
        rest.step()
    return False


def _domain(words: Words, catalogue: Catalogue) -> Known:
    """Whether the column's type is a domain with constraints."""
    quoted = bool(words.tokens) and words.tokens[0][0] == "QUOTED"
    if not quoted and words.word() in _BUILT_IN | _SERIAL:
        return False
    name = words.name()
    # Of an array's elements nothing is asked where there are none.
    return False if words.word() in ("[", "ARRAY") else catalogue.is_constrained(name)


def _default(words: Words, catalogue: Catalogue) -> tuple[Known, bool]:
    """Whether a default gives each row a value of its own; whether there is one."""
    rest = words.rest()
    if not rest.find("DEFAULT"):
        return False, False
    rest.step()
    begin = rest.at
    while not rest.is_end and rest.word() not in _CONSTRAINTS:
        rest.step()
    # NULL is a value, where a default begins with it.
    if rest.at == begin and rest.accept("NULL"):
        return False, False
    return are_volatile(Words(rest.sql, rest.tokens[begin : rest.at]), catalogue), True


def changed_type(
    table: str, column: str, words: Words, catalogue: Catalogue
) -> list[TableLock]:
    """``ALTER [COLUMN] name [SET DATA] TYPE type [USING ...]``, from the type on.

    Foreign keys of the column are made anew, with triggers on both tables.
    """
    begin = words.at
    words.find("USING", "COLLATE")
    new = Words(words.sql, words.tokens[begin : words.at]).text()
    old = catalogue.type_of(table, column)
    rewrites = _rewrites(old, new)
    if not words.is_end and rewrites is False:
        rewrites = None  # USING may compute anything, COLLATE rebuilds the indexes
    scans = rewrites
    if rewrites is False:
        # A constraint that speaks of the column is checked again.
        scans = catalogue.has_checks(table, column)
    others = catalogue.joined(table, column)
    looked_up = False if rewrites is False else None
    return [
        TableLock(table, "ACCESS EXCLUSIVE", rewrites, scans),
        *(TableLock(other, "ACCESS EXCLUSIVE", scans=looked_up) for other in others),
    ]


def _rewrites(old: str | None, new: str) -> Known:
    before, after = _type(old or ""), _type(new)
    if before is None or after is None:
        return None
    if before == after:
        return False
    (name, *old_size), (other, *new_size) = before, after
    if (name, other) in _SAME_BYTES:
        return other == "varchar" and new_size[0] is not None
    if name != other:
        return True if {name, other} <= _DIFFERENT else None
    if name == "varchar":
        return not (new_size[0] is None or _at_least(new_size[0], old_size[0]))
    if name == "numeric":
        same_scale = new_size[0] is None or old_size[1] == new_size[1]
        wider = new_size[0] is None or _at_least(new_size[0], old_size[0])
        return not (same_scale and wider)
    return None


def _at_least(new: int | None, old: int | None) -> bool:
    return new is not None and old is not None and new >= old


def _type(text: str) -> tuple[str, int | None, int | None] | None:
    found = _TYPE.fullmatch(" ".join(text.lower().split()))
    if found is None:
        return None
    name = found[1].strip()
    first, second = (int(each) if each else None for each in found.group(2, 3))
    name = _SPELLINGS.get(name, name)
    if name == "numeric" and first is not None and second is None:
        second = 0
    return name, first, second
