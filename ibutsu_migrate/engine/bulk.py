"""Rows of a plain INSERT through COPY, where nobody can tell but by the clock.

A statement's text says whether it is plain (``read_insert``); one look at the
catalogue, whether its table is (``find_table``); each value, on its way in C, whether
COPY stores it as INSERT would. What the server refuses is undone and inserted as ever,
so that the error is the INSERT's. ``docs/design/bulk.md`` has the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from ..errors import Error

OPTION: Final = "ibutsu_copy"

# Rows: below, a look at the catalogue and a COPY cost more waits than the INSERTs of a
# thousand rows each that SQLAlchemy makes.
THRESHOLD: Final = 2000

_SAVEPOINT: Final = "ibutsu_migrate_copy"

_YES: Final = frozenset(("true", "yes", "on", "y", "t", "1"))
_NO: Final = frozenset(("false", "no", "off", "n", "f", "0"))

# Characters of a statement that is looked at; what is longer has values in it.
_LONGEST: Final = 100_000

# How the transaction stands: libpq's PQTRANS_INTRANS.
_IN_TRANSACTION: Final = 2

_NAME: Final = r'(?:"(?:[^"%\0]|"")+"|[A-Za-z_][A-Za-z_0-9$]*)'
_WORDS: Final = (
    "double precision|(?:char(?:acter)?|bit) varying"
    "|time(?:stamp)? with(?:out)? time zone"
)
_CAST: Final = rf'(?:::(?:{_WORDS}|"[^"%\0]+"|[A-Za-z_][A-Za-z_0-9]*)(?:\[\])?)'
_VALUE: Final = rf"%(?:\([^()%]+\))?s{_CAST}?"
_INSERT: Final = re.compile(
    rf"\s*INSERT\s+INTO\s+({_NAME}(?:\.{_NAME})?)\s*"
    rf"\(\s*({_NAME}(?:\s*,\s*{_NAME})*)\s*\)\s*"
    rf"VALUES\s*\(\s*({_VALUE}(?:\s*,\s*{_VALUE})*)\s*\)\s*",
    re.IGNORECASE | re.ASCII,
)
_NAMES: Final = re.compile(_NAME, re.ASCII)
_VALUES: Final = re.compile(
    rf"%(?:\(([^()%]+)\))?s({_CAST})?", re.ASCII | re.IGNORECASE
)

# Types whose names are the grammar's: to_regtype() knows them without quotes only.
_GRAMMAR: Final = re.compile(
    "bigint|boolean|dec|decimal|float|int|integer|interval|numeric|real|smallint"
    "|time|timestamp|varchar"
)
# Those that are one long where no length is written: a cast cuts off the rest.
_SHORT: Final = frozenset(("bit", "char", "character", "nchar"))

# Errors that an INSERT would have in the same words, or after which it could not be
# tried: of the connection, of transactions, of resources, of locks, of cancelling.
_FINAL_STATES: Final = ("08", "40", "53", "55P03", "57", "58")

# Everything that makes COPY differ from INSERT for any rows: rules, which it does not
# know; row security, which it refuses; triggers, which see other statements; foreign
# tables; keys within the table, which are checked when the statement ends; code that
# may look at the rows before, in whatever defaults, checks, domains and indexes lead
# to; generated columns and GENERATED ALWAYS; a statement_timeout, since the statement
# is longer. Partitions are walked by hand: pg_partition_tree() would lock them all.
_LOOK: Final = """
WITH RECURSIVE target AS (
  SELECT c.oid FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = %(table)s AND c.relkind IN ('r', 'p') AND NOT c.relhasrules
    AND CASE WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
        ELSE n.nspname = %(schema)s END
    AND NOT pg_catalog.row_security_active(c.oid)
    AND pg_catalog.current_setting('statement_timeout') = '0'
    AND pg_catalog.current_setting('client_encoding') = 'UTF8'
), tree AS (
  SELECT oid FROM target UNION
  SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
), roots AS (
  SELECT oid FROM target UNION
  SELECT i.inhparent FROM roots JOIN pg_catalog.pg_inherits i ON i.inhrelid = roots.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
), code AS (
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid AS class, oid FROM tree
  UNION ALL
  SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, indexrelid
  FROM pg_catalog.pg_index WHERE indrelid IN (SELECT oid FROM tree)
  UNION ALL
  SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, oid
  FROM pg_catalog.pg_attrdef WHERE adrelid IN (SELECT oid FROM tree)
  UNION ALL
  SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, oid
  FROM pg_catalog.pg_constraint
  WHERE contype = 'c' AND conrelid IN (SELECT oid FROM tree)
), reached AS (
  SELECT class, oid FROM code
  UNION
  SELECT n.class, n.oid FROM reached r CROSS JOIN LATERAL (
    SELECT d.refclassid AS class, d.refobjid AS oid FROM pg_catalog.pg_depend d
    WHERE d.classid = r.class AND d.objid = r.oid
      AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass,
        'pg_catalog.pg_operator'::pg_catalog.regclass,
        'pg_catalog.pg_type'::pg_catalog.regclass)
    UNION ALL
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, y.typrelid
    FROM pg_catalog.pg_type y
    WHERE r.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND y.oid = r.oid
      AND y.typrelid <> 0
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
    FROM pg_catalog.pg_constraint k
    WHERE r.class = 'pg_catalog.pg_type'::pg_catalog.regclass AND k.contypid = r.oid
  ) n
)
SELECT b.oid, COALESCE(e.oid, 0), w.written IS NOT NULL, EXISTS (
    SELECT FROM pg_catalog.pg_attribute o
    JOIN pg_catalog.pg_type d ON d.oid = o.atttypid
    LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = o.attrelid AND f.adnum = o.attnum
    WHERE o.attrelid = t.oid AND o.attnum > 0 AND o.attname <> ALL (%(columns)s::text[])
      AND (o.attidentity <> '' OR d.typdefault LIKE '%%nextval(%%'
        OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE '%%nextval(%%'))
FROM target t
CROSS JOIN ROWS FROM (pg_catalog.unnest(%(columns)s::text[]),
  pg_catalog.unnest(%(casts)s::text[])) WITH ORDINALITY w(name, written, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attname = w.name
  AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  AND a.attidentity <> 'a'
JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
JOIN pg_catalog.pg_type b
  ON b.oid = CASE y.typtype WHEN 'd' THEN y.typbasetype ELSE y.oid END
LEFT JOIN pg_catalog.pg_type e ON e.typarray = y.oid AND e.typtype IN ('b', 'e')
  AND e.typdelim = ','
WHERE (w.written IS NULL OR pg_catalog.to_regtype(w.written) = y.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g
    LEFT JOIN pg_catalog.pg_constraint k ON k.oid = g.tgconstraint
    WHERE g.tgrelid IN (SELECT oid FROM tree)
      AND (k.oid IS NULL OR k.contype = 't'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c
    WHERE c.oid IN (SELECT oid FROM tree) AND c.relkind NOT IN ('r', 'p'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' AND k.conrelid IN (SELECT oid FROM tree)
      AND k.confrelid IN (SELECT oid FROM tree UNION SELECT oid FROM roots))
  AND NOT EXISTS (SELECT FROM reached r
    JOIN pg_catalog.pg_proc p ON p.oid = r.oid
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE r.class = 'pg_catalog.pg_proc'::pg_catalog.regclass
      AND l.lanname NOT IN ('c', 'internal'))
ORDER BY w.place
"""

Target = tuple[str | None, int, int, bool]


@dataclass(frozen=True, slots=True)
class Found:
    """A table that rows may be copied to.

    Attributes:
        columns: Key, type, element type and whether there is a cast, of each.
        counts: Other columns have numbers of a sequence, which a COPY that is given up
            would leave a gap in.
    """

    columns: tuple[Target, ...]
    counts: bool


@dataclass(frozen=True, slots=True)
class Insert:
    """A plain INSERT.

    Attributes:
        table: As it is written, with its schema.
        names: Schema or None, and the table's name.
        columns: As they are written, with commas.
        column_names: Their names.
        keys: Of the parameters, or None for each where they have no names.
        casts: The type that a value is cast to, for to_regtype(), or None.
    """

    table: str
    names: tuple[str | None, str]
    columns: str
    column_names: tuple[str, ...]
    keys: tuple[str | None, ...]
    casts: tuple[str | None, ...]


def _plain(name: str) -> str:
    """The name that an identifier means."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _type(written: str) -> str | None:
    """A cast's type as to_regtype() knows it, which raises an error at words of SQL.

    None: there is none; empty: it cuts off what is longer than one.
    """
    if not written:
        return None
    name, brackets, _ = written.partition("[")
    word = name.lower()
    if word in _SHORT:
        return ""
    plain = name.startswith('"') or " " in name or _GRAMMAR.fullmatch(word)
    return written if plain else f'"{word}"{brackets and "[]"}'


@lru_cache(maxsize=256)
def _read(statement: str) -> Insert | None:
    found = _INSERT.fullmatch(statement)
    if found is None:
        return None
    table, columns, values = found.groups()
    *schema, name = map(_plain, _NAMES.findall(table))
    names = tuple(map(_plain, _NAMES.findall(columns)))
    keys, casts = zip(*_VALUES.findall(values), strict=True)
    if len(names) != len(keys) or len(set(names)) != len(names):
        return None
    types = tuple(_type(cast[2:]) for cast in casts)
    if len({bool(key) for key in keys}) != 1 or "" in types:
        return None
    return Insert(
        table,
        (schema[0] if schema else None, name),
        columns,
        names,
        tuple(key or None for key in keys),
        types,
    )


def read_insert(statement: str) -> Insert | None:
    """A statement's parts, or None where there is more to it than columns and values.

    Args:
        statement: With psycopg2's placeholders.
    """
    return _read(statement) if len(statement) <= _LONGEST else None


def find_table(connection: Any, insert: Insert) -> Found | None:
    """The columns' types, or None where COPY would not do what INSERT does.

    Args:
        connection: The driver's.
        insert: What is to be inserted.

    Raises:
        Error: The server's; of an earlier statement that was queued, too.

    Source: PostgreSQL, "COPY", notes on rules, triggers and row security; SQL INSERT.
    """
    schema, table = insert.names
    with connection.cursor() as cursor:
        cursor.execute(
            _LOOK,
            {
                "schema": schema,
                "table": table,
                "columns": list(insert.column_names),
                "casts": list(insert.casts),
            },
        )
        types = cursor.fetchall()
    if len(types) != len(insert.keys):
        return None
    pairs = zip(insert.keys, types, strict=True)
    return Found(tuple((key, *found[:3]) for key, found in pairs), types[0][3])


def read_option(said: object) -> bool | int:
    """``ibutsu_copy`` as it is written in a file.

    Args:
        said: A word for yes or no (1 and 0 among them), or the number of rows.

    Raises:
        ValueError: It is none of those.

    Source: SQLAlchemy's ``engine_from_config``, ``asbool``.
    """
    word = str(said).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    if not (word.isascii() and word.isdecimal()):
        raise ValueError(f"{OPTION} is {said!r}. Use on, off, or a number of rows.")
    return int(word)


def least_rows(*options: bool | int | None) -> int | None:
    """From how many rows on rows are copied; None: never.

    Args:
        *options: ``ibutsu_copy`` of the statement and of the engine: yes, no, or the
            number. The first that is not None counts; without one, yes.
    """
    for option in options:
        if option is not None and option is not True:
            return option or None
        if option is True:
            break
    return THRESHOLD


def copy_rows(
    cursor: Any,
    insert: Insert,
    rows: Sequence[Any],
    announce: Callable[[], bool] = lambda: True,
) -> bool:
    """Copy all rows, or none.

    Args:
        cursor: The driver's; its rowcount is theirs afterwards.
        insert: The statement.
        rows: Its parameters.
        announce: Called before anything is sent for it; False keeps it from being.

    Returns:
        Whether they are in the table. If not, the transaction is as it was, and the
        statement is to be executed.

    Raises:
        Error: One that INSERT would have run into as well.
        KeyboardInterrupt: The COPY was cancelled.
    """
    try:
        table = find_table(cursor.connection, insert)
    except Error as error:
        # The transaction had failed before: the statement tells so itself.
        if error.sqlstate == "25P02":
            return False
        raise
    if table is None or not announce():
        return False
    return _copy(cursor, insert, table, rows)


def _copy(cursor: Any, insert: Insert, table: Found, rows: Sequence[Any]) -> bool:
    connection = cursor.connection
    if table.counts and cursor.copy_rows(None, table.columns, rows) is None:
        return False
    sql = f"COPY {insert.table} ({insert.columns}) FROM STDIN"
    within = connection.info.transaction_status == _IN_TRANSACTION
    if within:
        sql = f"SAVEPOINT {_SAVEPOINT};{sql};RELEASE SAVEPOINT {_SAVEPOINT}"
    try:
        if cursor.copy_rows(sql, table.columns, rows) is not None:
            return True
    except Error as error:
        state = error.sqlstate
        if state is None or state.startswith(_FINAL_STATES) or connection.closed:
            raise
    if within:
        with connection.cursor() as undo:
            undo.execute(
                f"ROLLBACK TO SAVEPOINT {_SAVEPOINT};RELEASE SAVEPOINT {_SAVEPOINT}"
            )
    return False


# SQLAlchemy


def is_watched(dialect: Any) -> bool:
    """Whether a listener of ``do_execute``, but not of ``do_executemany``, is there.

    It would see SQLAlchemy's INSERTs, and may execute them itself.

    Args:
        dialect: SQLAlchemy's.
    """
    listeners = dialect.dispatch
    return len(listeners.do_execute) > len(listeners.do_executemany)


class Attempt:
    """SQLAlchemy's many-row INSERT, tried as one statement.

    Listeners see one execution of the INSERT for all rows, and see the INSERTs that
    SQLAlchemy makes of them where it comes to that.

    Args:
        connection: SQLAlchemy's.
        context: Of the execution.
        insert: The statement.
    """

    def __init__(self, connection: Any, context: Any, insert: Insert) -> None:
        self._connection = connection
        self._context = context
        self._insert = insert
        self._ran = self._done = False

    def make(self, cursor: Any, statement: str, rows: Sequence[Any]) -> bool:
        """Whether the rows are in the table.

        Args:
            cursor: The driver's.
            statement: The INSERT of one row.
            rows: Its parameters.

        Raises:
            DBAPIError: One that INSERT would have run into as well.
        """
        connection, context = self._connection, self._context
        context.attempt = self
        try:
            for listener in connection.dialect.dispatch.do_executemany:
                if listener(cursor, statement, rows, context):
                    break
            else:
                connection.dialect.do_executemany(cursor, statement, rows, context)
            if not self._ran:
                # A listener did, or left undone, what there was to do.
                return True
            if self._done:
                connection.dispatch.after_cursor_execute(
                    connection, cursor, statement, rows, context, True
                )
        except BaseException as error:
            connection._handle_dbapi_exception(
                error, statement, rows, cursor, context, is_sub_exec=True
            )
        finally:
            context.attempt = None
        return self._done

    def run(self, cursor: Any, statement: str, rows: Sequence[Any]) -> None:
        """What the dialect executes."""
        self._ran = True
        self._done = copy_rows(
            cursor,
            self._insert,
            rows,
            lambda: self._announce(cursor, statement, rows),
        )

    def _announce(self, cursor: Any, statement: str, rows: Sequence[Any]) -> bool:
        connection = self._connection
        seen: tuple[Any, Any] = (statement, rows)
        for listener in connection.dispatch.before_cursor_execute:
            seen = listener(connection, cursor, *seen, self._context, True)
        if seen[0] != statement or seen[1] is not rows:
            return False
        if connection._echo:
            connection._log_info(statement)
            connection._log_info("[%d rows through COPY]", len(rows))
        return True
