"""The database as it is, for the rules of ``weight/`` and for sizes. Looks only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from .driver import is_autocommit
from .look import rows_of

# Asking for a size waits for whoever holds the table.
_LIMITS: Final = """
SELECT set_config('lock_timeout', '500ms', true),
       set_config('statement_timeout', '10s', true)
"""

_OID: Final = "SELECT CAST(to_regclass(:name) AS oid)"

_TABLE_OF: Final = """
SELECT CAST(CAST(indrelid AS regclass) AS text) FROM pg_index
WHERE indexrelid = to_regclass(:name)
"""

_TYPE_OF: Final = """
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(:name) AND attname = :part AND NOT attisdropped
"""

_CHECKS: Final = """
SELECT count(c.oid) > 0 FROM pg_attribute a LEFT JOIN pg_constraint c
  ON c.conrelid = a.attrelid AND c.contype = 'c' AND a.attnum = ANY (c.conkey)
WHERE a.attrelid = to_regclass(:name) AND a.attname = :part GROUP BY a.attnum
"""

_VOLATILE: Final = """
SELECT bool_or(p.provolatile = 'v'),
       bool_and(p.provolatile = 'v' AND l.lanname <> 'sql')
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.proname = :name
"""

_CONSTRAINED: Final = """
SELECT t.typtype = 'd' AND (t.typnotnull OR t.typbasetype IN (
           SELECT oid FROM pg_type WHERE typtype = 'd')
       OR EXISTS (SELECT FROM pg_constraint c WHERE c.contypid = t.oid))
FROM pg_type t WHERE t.oid = to_regtype(:name)
"""

_REFERENCED: Final = """
SELECT DISTINCT CAST(CAST(confrelid AS regclass) AS text) FROM pg_constraint
WHERE contype = 'f' AND conrelid = to_regclass(:name) AND confrelid <> conrelid
AND (CAST(:part AS text) IS NULL OR conname = :part) ORDER BY 1
"""

_REFERENCING: Final = """
SELECT DISTINCT CAST(CAST(conrelid AS regclass) AS text) FROM pg_constraint
WHERE contype = 'f' AND confrelid = to_regclass(:name) AND confrelid <> conrelid
ORDER BY 1
"""

# All tables that a column's foreign keys join with its own.
_JOINED: Final = """
SELECT DISTINCT CAST(CAST(CASE WHEN c.conrelid = a.attrelid THEN c.confrelid
                               ELSE c.conrelid END AS regclass) AS text)
FROM pg_attribute a JOIN pg_constraint c ON c.contype = 'f'
 AND (c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey)
      OR c.confrelid = a.attrelid AND a.attnum = ANY (c.confkey))
WHERE a.attrelid = to_regclass(:name) AND a.attname = :part
AND c.conrelid <> c.confrelid ORDER BY 1
"""

# With the table its children are emptied, and whatever points to one of these.
_EMPTIED: Final = """
WITH RECURSIVE own AS (
    SELECT CAST(to_regclass(:name) AS oid) AS oid
    UNION SELECT i.inhrelid FROM own JOIN pg_inherits i ON i.inhparent = own.oid
), seen AS (
    SELECT oid FROM own
    UNION SELECT c.conrelid FROM seen
    JOIN pg_constraint c ON c.contype = 'f' AND c.confrelid = seen.oid
)
SELECT CAST(CAST(oid AS regclass) AS text) FROM seen
WHERE oid NOT IN (SELECT oid FROM own) ORDER BY 1
"""

_READ_BY: Final = """
WITH RECURSIVE seen AS (
    SELECT CAST(to_regclass(:name) AS oid) AS oid
    UNION SELECT d.refobjid FROM seen
    JOIN pg_class v ON v.oid = seen.oid AND v.relkind = 'v'
    JOIN pg_rewrite r ON r.ev_class = v.oid
    JOIN pg_depend d ON d.objid = r.oid
    WHERE d.classid = CAST('pg_rewrite' AS regclass)
    AND d.refclassid = CAST('pg_class' AS regclass)
)
SELECT CAST(CAST(seen.oid AS regclass) AS text) FROM seen JOIN pg_class c USING (oid)
WHERE oid <> CAST(to_regclass(:name) AS oid) AND c.relkind IN ('r', 'p', 'v')
ORDER BY 1
"""

# Whose partition it is, and the default partition of that or else of its own.
_PARTITION: Final = """
SELECT CAST(CAST(i.inhparent AS regclass) AS text),
       CAST(CAST(nullif(p.partdefid, 0) AS regclass) AS text)
FROM pg_class c
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid
WHERE c.oid = to_regclass(:name)
"""

_NOT_NULL: Final = """
SELECT attnotnull FROM pg_attribute
WHERE attrelid = to_regclass(:name) AND attname = :part AND NOT attisdropped
"""

_VALIDATED: Final = """
SELECT bool_and(convalidated) FROM pg_constraint
WHERE conrelid = to_regclass(:name) AND conname = :part
"""

_VIEWS: Final = """
WITH RECURSIVE seen AS (
    SELECT CAST(to_regclass(:name) AS oid) AS oid, (
        SELECT CAST(attnum AS int) FROM pg_attribute
        WHERE attrelid = to_regclass(:name) AND attname = CAST(:part AS text)
    ) AS number
    UNION SELECT r.ev_class, NULL FROM seen
    JOIN pg_depend d ON d.refobjid = seen.oid
     AND (seen.number IS NULL OR seen.number = d.refobjsubid)
    JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = CAST('pg_rewrite' AS regclass)
    AND d.refclassid = CAST('pg_class' AS regclass)
)
SELECT DISTINCT CAST(CAST(oid AS regclass) AS text) FROM seen
WHERE oid <> CAST(to_regclass(:name) AS oid) ORDER BY 1
"""

# A partitioned table is as large as its partitions. relpages asks for no lock.
_ESTIMATE: Final = """
WITH part AS (
    SELECT to_regclass(:name) AS oid
    UNION SELECT relid FROM pg_partition_tree(to_regclass(:name))
)
SELECT sum(CAST(c.relpages AS bigint)) * CAST(current_setting('block_size') AS int),
       CASE WHEN bool_and(c.reltuples >= 0 OR c.relkind IN ('p', 'I'))
            THEN sum(greatest(c.reltuples, 0)) END
FROM part JOIN pg_class c ON c.oid = part.oid
"""

_SIZE: Final = """
SELECT sum(pg_total_relation_size(oid)) FROM (
    SELECT CAST(to_regclass(:name) AS oid) AS oid
    UNION SELECT CAST(relid AS oid) FROM pg_partition_tree(to_regclass(:name))
) part
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a relation is now.

    Attributes:
        bytes: With its indexes and what is stored aside; without them where somebody
            held the table so that nothing more could be asked.
        rows: As the last ANALYZE or VACUUM has it; None where there was none.
    """

    bytes: int
    rows: int | None

    def as_json(self) -> Mapping[str, Any]:
        """All attributes."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Tables:
    """Answers rules of ``weight/``, each question once. Of ``weight.locks.Catalogue``.

    Args:
        connection: To a PostgreSQL; it stays as it is.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._commits = is_autocommit(connection.connection.dbapi_connection)
        self._known: dict[tuple[str, str, str | None], Sequence[Any]] = {}

    def table_of(self, index: str) -> str | None:
        """The table of an index."""
        found: str | None = self._first(_TABLE_OF, index)
        return found

    def type_of(self, table: str, column: str) -> str | None:
        """A column's type as ``format_type`` writes it."""
        found: str | None = self._first(_TYPE_OF, table, _folded(column))
        return found

    def has_checks(self, table: str, column: str) -> bool | None:
        """Whether a CHECK constraint speaks of a column."""
        found: bool | None = self._first(_CHECKS, table, _folded(column))
        return found

    def is_volatile(self, function: str) -> bool | None:
        """Whether a function may give another answer for each row.

        None where functions of this name are not of one mind, where there is none, and
        for SQL functions that say so: in their place may stand what they compute.
        """
        rows = self._ask(_VOLATILE, _folded(function.rpartition(".")[2]))
        some, every = rows[0] if rows else (None, None)
        return None if some != every else some

    def is_constrained(self, type_name: str) -> bool | None:
        """Whether a type is a domain with constraints, or of a domain."""
        found: bool | None = self._first(_CONSTRAINED, type_name)
        return found

    def referenced(self, table: str, constraint: str | None = None) -> list[str]:
        """Tables that the foreign keys of a table, or one of them, point to."""
        part = _folded(constraint) if constraint is not None else None
        return [row[0] for row in self._ask(_REFERENCED, table, part)]

    def referencing(self, table: str) -> list[str]:
        """Tables whose foreign keys point to a table."""
        return [row[0] for row in self._ask(_REFERENCING, table)]

    def views_on(self, table: str, column: str | None = None) -> list[str]:
        """Views that read a table, or a column of it, and those that read these."""
        part = _folded(column) if column is not None else None
        return [row[0] for row in self._ask(_VIEWS, table, part)]

    def is_not_null(self, table: str, column: str) -> bool | None:
        """Whether a column is NOT NULL."""
        found: bool | None = self._first(_NOT_NULL, table, _folded(column))
        return found

    def is_validated(self, table: str, constraint: str) -> bool | None:
        """Whether a constraint holds for all rows that are there."""
        found: bool | None = self._first(_VALIDATED, table, _folded(constraint))
        return found

    def joined(self, table: str, column: str) -> list[str]:
        """Tables at the other ends of a column's foreign keys, from it and to it."""
        return [row[0] for row in self._ask(_JOINED, table, _folded(column))]

    def emptied_with(self, table: str) -> list[str]:
        """Tables that TRUNCATE ... CASCADE takes along."""
        return [row[0] for row in self._ask(_EMPTIED, table)]

    def read_by(self, view: str) -> list[str]:
        """Tables and views that a view reads, and those that these read."""
        return [row[0] for row in self._ask(_READ_BY, view)]

    def parent_of(self, partition: str) -> str | None:
        """The partitioned table that a table is a partition of."""
        rows = self._ask(_PARTITION, partition)
        return rows[0][0] if rows else None

    def default_of(self, table: str) -> str | None:
        """The default partition of a table."""
        rows = self._ask(_PARTITION, table)
        return rows[0][1] if rows else None

    def is_there(self, name: str) -> bool:
        """Whether there is such a relation now."""
        return self._first(_OID, name) is not None

    def sizes(self, names: Iterable[str]) -> dict[str, Size]:
        """The sizes of those that are there."""
        found: dict[str, Size] = {}
        for name in names:
            if not self.is_there(name):
                continue
            pages, rows = self._ask(_ESTIMATE, name)[0]
            # Where each statement commits by itself there is no limit for the wait.
            exact = None if self._commits else self._first(_SIZE, name)
            size = exact if exact is not None else pages or 0
            found[name] = Size(int(size), None if rows is None else int(rows))
        return found

    def _first(self, sql: str, name: str, part: str | None = None) -> Any:
        rows = self._ask(sql, name, part)
        return rows[0][0] if rows else None

    def _ask(self, sql: str, name: str, part: str | None = None) -> Sequence[Any]:
        """Rows; none where the question fails: a name that is none, a lock not got."""
        key = (sql, name, part)
        if key not in self._known:
            values = {"name": name, **({"part": part} if ":part" in sql else {})}
            try:
                limits = _LIMITS if sql is _SIZE else None
                self._known[key] = rows_of(self._connection, sql, values, limits)
            except DBAPIError:
                if self._connection.closed or self._connection.invalidated:
                    raise
                self._known[key] = ()
        return self._known[key]


def _folded(name: str) -> str:
    """A name as the catalogue has it."""
    if name.startswith('"'):
        return name[1:-1].replace('""', '"')
    return name.lower()
