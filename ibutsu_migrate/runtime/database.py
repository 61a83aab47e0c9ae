"""Which database a run is on, and which revisions it is at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

from .driver import Transaction, by_itself, transaction

# Where the version table is, as an unqualified name finds it; else where it would be
# made. As Alembic's has_table() does it, which goes by pg_table_is_visible().
_IDENTIFY: Final = """
SELECT CAST(coalesce({schema}, (
           SELECT n.nspname FROM pg_class c
           JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE c.oid = to_regclass(quote_ident({table}))
       ), current_schema(), 'public') AS text),
       CAST(current_database() AS text), CAST(current_user AS text),
       pg_is_in_recovery(), pg_backend_pid(), {server},
       CAST(least(
           nullif(extract(epoch FROM CAST(
               current_setting('idle_session_timeout') AS interval)), 0),
           nullif(extract(epoch FROM CAST(
               current_setting('idle_in_transaction_session_timeout') AS interval)), 0)
       ) AS float8)
"""

SERVER: Final = "CAST(extract(epoch FROM pg_postmaster_start_time()) AS text)"
"""SQL that is the same on two connections only if they are to the same server."""


THERE: Final = """
SELECT 1 FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :schema AND c.relname = :table
"""
"""A row if a table is there now.

``to_regclass()`` may go by what the backend remembers from before its transaction, if
nothing else in it has locked a table: behind a pooler an earlier client may have asked
the same when there was none.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """What the server says about itself and the connection.

    Attributes:
        schema: Of the version table.
        database: Its name.
        user: Who is connected.
        standby: Whether the server is in recovery.
        pid: Of the backend that answered.
        server: What ``SERVER`` is.
        idle_limit: Seconds after which the server ends a connection that does nothing;
            None: never.
    """

    schema: str
    database: str
    user: str
    standby: bool
    pid: int
    server: str
    idle_limit: float | None


def identify(connection: Connection, table: str, schema: str | None) -> Place:
    """Ask the migration's connection, and leave it as it was.

    Args:
        connection: In a transaction or not.
        table: The version table.
        schema: Its schema, or None: where it is found.
    """
    given = "NULL" if schema is None else _literal(schema)
    sql = _IDENTIFY.format(schema=given, table=_literal(table), server=SERVER)
    found, database, user, standby, pid, server, idle = _row(connection, sql)
    return Place(
        schema=found,
        database=database,
        user=user,
        standby=standby,
        pid=pid,
        server=server,
        idle_limit=idle,
    )


def ping(connection: Connection) -> None:
    """Have a connection that waits not be taken for one that nobody needs.

    Sources: ``idle_session_timeout``, ``idle_in_transaction_session_timeout``;
    firewalls do it too.
    """
    _row(connection, "SELECT 1")


def _row(connection: Connection, sql: str) -> Any:
    """One row. A transaction that is not open yet is not open afterwards.

    SQLAlchemy may have begun one of which the server does not know: what it sees later
    must not be older than the lock.
    """
    dbapi: Any = connection.connection.dbapi_connection
    if transaction(dbapi) is Transaction.UNKNOWN:
        begun = connection.in_transaction()
        row = connection.execute(text(sql)).one()
        if not begun:
            connection.rollback()
        return row
    with by_itself(dbapi), closing(dbapi.cursor()) as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def heads_of(
    ask: Callable[..., Any], schema: str, table: str
) -> tuple[str, ...] | None:
    """The revisions in a version table; None where it cannot be read.

    Args:
        ask: ``Control.look``.
        schema: Of the table.
        table: Its name.
    """
    name = f"{_identifier(schema)}.{_identifier(table)}"
    try:
        if not ask(THERE, {"schema": schema, "table": table}):
            return ()
        rows = ask(f"SELECT version_num FROM {name} ORDER BY 1")  # noqa: S608 - quoted
    except Exception:
        return None
    return tuple(row[0] for row in rows)


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""').replace(":", "\\:") + '"'


def _literal(value: str) -> str:
    escaped = value.replace("'", "''")
    return f"'{escaped}'"
